/*
 * backoff - when to start the network process again: at once the first time,
 * then ever more slowly while it does not live long.
 *
 * Thread: master.
 */
#ifndef SUPERVISOR_BACKOFF_H
#define SUPERVISOR_BACKOFF_H
#include <stdint.h>

#include "base/attr.h"

#define BACKOFF_FIRST_US UINT64_C(100000)
#define BACKOFF_MAX_US UINT64_C(10000000)
#define BACKOFF_HEALTHY_US UINT64_C(10000000) /* lived so long: forgiven */

struct backoff {
	unsigned deaths; /* early ones in a row */
};

/* It died after it had lived so long; how long to wait. */
uint64_t backoff_next(struct backoff *, uint64_t lived_us) MUST_CHECK;

#endif
