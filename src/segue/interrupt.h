/*
 * interrupt - whoever waits can be stopped by a signal and say a last word.
 *
 * Thread: main.
 */
#ifndef SEGUE_INTERRUPT_H
#define SEGUE_INTERRUPT_H
#include <poll.h>
#include <stdint.h>

#include "base/attr.h"

/* From now on INT, TERM and HUP are noted, and come only in a poll. */
void interrupt_arm(void);
void interrupt_disarm(void);
/* The signal that came since interrupt_arm(); 0: none. */
int interrupt_came(void);

/*
 * poll(2) for at most so many microseconds (UINT64_MAX: no bound); -1 with
 * EINTR when a signal came, also one that came before.
 */
int interrupt_poll(struct pollfd *, nfds_t n, uint64_t timeout_us) MUST_CHECK;

#endif
