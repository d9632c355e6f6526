/*
 * thread - which of our threads is this?
 *
 * Every thread says once what it is; functions that belong to one kind of
 * thread assert it.  Threads of tests may say ROLE_ANY, which passes all.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H
#include <assert.h>
#include <stdbool.h>

enum thread_role {
	ROLE_NONE,
	ROLE_MASTER,
	ROLE_CONTROL,
	ROLE_WORKER,
	ROLE_ANY
};

/* name is copied, shown in logs and by the system ("worker-1"). */
void thread_become(enum thread_role, const char *name);
const char *thread_name(void);
bool thread_is(enum thread_role);

#define ON_CONTROL_THREAD() assert(thread_is(ROLE_CONTROL))
#define ON_WORKER_THREAD() assert(thread_is(ROLE_WORKER))
#define ON_MASTER() assert(thread_is(ROLE_MASTER))

#endif
