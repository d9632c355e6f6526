/*
 * sums - the counters of a thing, added up over the cells of its workers.
 *
 * Thread: any; the cells are the workers'.
 */
#ifndef ADMIN_SUMS_H
#define ADMIN_SUMS_H
#include <stddef.h>
#include <stdint.h>

#include "base/stat.h"

/* The cells of a service, pool or instance; at: the place of a field. */
struct cells {
	const void *first;
	size_t size; /* bytes of one */
	unsigned n;
};

#define CELLS_OF(thing)                                                        \
	((struct cells){ (thing)->cells, sizeof(*(thing)->cells),              \
	    (thing)->n_workers })

uint64_t sum_counter(struct cells, size_t at);
/* into is overwritten. */
void sum_hist(struct cells, size_t at, struct hist *into);

/* SUM(instance, requests), SUM(pool, cause[c]) */
#define SUM(thing, field)                                                      \
	sum_counter(CELLS_OF(thing),                                           \
	    offsetof(__typeof__(*(thing)->cells), field))

#endif
