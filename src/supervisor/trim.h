/*
 * trim - gives memory back to the kernel that malloc keeps for nothing: whatever
 * lies below a piece in use stays ours, so a flood, or a thousand handshakes at
 * once, would be seen in our size for ever.
 *
 * Thread: control.
 */
#ifndef SUPERVISOR_TRIM_H
#define SUPERVISOR_TRIM_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

#define TRIM_LEAST (UINT64_C(2) << 20) /* bytes; for less it is not worth it */
#define TRIM_REST 3  /* looks after one, since workers may wait meanwhile */
#define TRIM_PART 16 /* nor for a smaller part of all */

struct loop;
struct trim;

struct trim_judge {
	uint64_t
	    given;     /* free bytes that were given back, and are still free */
	unsigned rest; /* looks left */
	bool was_much; /* at the last look */
};

/*
 * A look: is it due?  When at two looks in a row TRIM_LEAST and a TRIM_PART-th
 * of what is in use are free and were not given back yet; after one the next
 * TRIM_REST looks give nothing.
 *
 * used, idle  bytes that malloc lends, and that it could lend
 */
bool trim_is_due(struct trim_judge *, uint64_t used, uint64_t idle) MUST_CHECK;

/* Looks every two seconds. */
int trim_new(struct loop *, struct trim **) MUST_CHECK;
void trim_free(struct trim **);

#endif
