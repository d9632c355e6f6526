/*
 * metrics - /metrics: the Prometheus text format 0.0.4, one row a metric.
 *
 * Thread: control; metrics_names() any.
 */
#ifndef ADMIN_METRICS_H
#define ADMIN_METRICS_H
#include "base/buf.h"

struct admin;

void metrics_write(struct admin *, struct buf *out);

/*
 * The table for manual and tests, as lines of "NAME\tTYPE\tLABELS\tHELP" in
 * the order they are written; labels are separated by commas.
 */
void metrics_names(struct buf *out);

#endif
