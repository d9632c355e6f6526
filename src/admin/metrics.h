/*
 * metrics - /metrics: the Prometheus text format 0.0.4, one row a metric.
 *
 * Thread: control.
 */
#ifndef ADMIN_METRICS_H
#define ADMIN_METRICS_H
#include "base/buf.h"

struct admin;

void metrics_write(struct admin *, struct buf *out);

#endif
