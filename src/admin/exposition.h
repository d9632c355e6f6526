/*
 * exposition - the Prometheus text format 0.0.4: families, samples, labels.
 *
 * Thread: the owner of the buf.
 */
#ifndef ADMIN_EXPOSITION_H
#define ADMIN_EXPOSITION_H
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/stat.h"

#define EXPO_LABELS_MAX 6

struct expo_label {
	const char *name, *value; /* borrowed */
};

struct expo_labels {
	struct expo_label list[EXPO_LABELS_MAX];
	size_t n;
};

void expo_add_label(struct expo_labels *, const char *name, const char *value);

void expo_family(struct buf *, const char *name, const char *type,
    const char *help);
void expo_u64(struct buf *, const char *name, const struct expo_labels *,
    uint64_t);
/* Microseconds as seconds. */
void expo_seconds(struct buf *, const char *name, const struct expo_labels *,
    uint64_t us);
/*
 * Buckets are octaves from 255 us to 67 s, whose edges are those of the
 * histogram's own: no value is counted in a wrong one.
 */
void expo_hist(struct buf *, const char *name, const struct expo_labels *,
    const struct hist *);

#endif
