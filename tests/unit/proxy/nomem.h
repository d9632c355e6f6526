/*
 * nomem - makes the n-th allocation of the program's own objects, and of
 * libevent, fail; knows what is allocated and not freed.
 *
 * The test program is linked with --wrap for each function (room.am).
 *
 * Thread: the test's; one thread allocates.
 */
#ifndef TESTS_PROXY_NOMEM_H
#define TESTS_PROXY_NOMEM_H
#include <stdbool.h>
#include <stddef.h>

/* libevent allocates here, too; before the first loop. */
void nomem_libevent(void);
/* The nth allocation from now (1: the next) and the many - 1 after it fail. */
void nomem_arm(unsigned nth, unsigned many);
/* No more failures; how many there were. */
unsigned nomem_disarm(void);
/* Allocations not freed. */
size_t nomem_live(void);

#endif
