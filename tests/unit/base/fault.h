/*
 * fault - makes the n-th call of a libc function fail, and counts calls.
 *
 * The room's test program is linked with --wrap for each row (room.am), so
 * only calls from our own objects come here, not those inside libc.
 *
 * Thread: any, for the counting; one test at a time arms it.
 */
#ifndef TESTS_BASE_FAULT_H
#define TESTS_BASE_FAULT_H
#include <stdbool.h>
#include <stddef.h>

#define FAULTS(X)                                                              \
	X(MALLOC)                                                              \
	X(CALLOC)                                                              \
	X(REALLOC)                                                             \
	X(WRITE)                                                               \
	X(FSYNC) /* and fdatasync(2) */                                        \
	X(RENAME)                                                              \
	X(DUP3)                                                                \
	X(GETRANDOM)

#define X(id) FAULT_##id,
enum fault { FAULTS(X) FAULT_COUNT };
#undef X

/* The nth call from now (1: the next) fails with errnum; 0 disarms. */
void fault_arm(enum fault, unsigned nth, int errnum);
/* From now on calls do not return, until they may: a disk that hangs. */
void fault_hold(enum fault, bool yes);
/* Calls since the program began. */
unsigned fault_calls(enum fault);
/* write(2) and getrandom(2) move so many bytes at most; 0: no bound. */
void fault_short(size_t most);

#endif
