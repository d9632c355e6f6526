/*
 * trim - gives memory back to the kernel once most of what was in use is in use
 * no more: malloc keeps whatever lies below a piece that is, and a flood would
 * be seen in our size for ever.
 *
 * Thread: control.
 */
#ifndef SUPERVISOR_TRIM_H
#define SUPERVISOR_TRIM_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

#define TRIM_LEAST (UINT64_C(4) << 20) /* bytes; for less it is not worth it */

struct load;
struct loop;
struct trim;

struct trim_judge {
	uint64_t peak;  /* bytes in use at most, since it was due */
	bool was_small; /* at the last look */
};

/*
 * A look: is it due?  When at two looks in a row half of the peak and TRIM_LEAST
 * are not in use any more; then the peak begins anew.
 */
bool trim_is_due(struct trim_judge *, uint64_t bytes) MUST_CHECK;

/* Looks once a second; load is borrowed. */
int trim_new(struct loop *, const struct load *, struct trim **) MUST_CHECK;
void trim_free(struct trim **);

#endif
