/* Roles and names of threads. */
#include "base/thread.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

Test(thread, has_no_role_but_a_name_at_first)
{
	cr_expect(thread_is(ROLE_NONE));
	cr_expect_not(thread_is(ROLE_CONTROL));
	cr_expect_str_eq(thread_name(), "main");
}

Test(thread, is_what_it_became)
{
	thread_become(ROLE_WORKER, "worker-1");
	cr_expect(thread_is(ROLE_WORKER));
	cr_expect_not(thread_is(ROLE_CONTROL));
	cr_expect_not(thread_is(ROLE_NONE));
	ON_WORKER_THREAD();
	thread_become(ROLE_CONTROL, "control");
	cr_expect_not(thread_is(ROLE_WORKER), "one role at a time");
	ON_CONTROL_THREAD();
}

Test(thread, any_passes_all)
{
	thread_become(ROLE_ANY, "test");
	ON_CONTROL_THREAD();
	ON_WORKER_THREAD();
	ON_MASTER();
}

#ifndef NDEBUG
Test(thread, wrong_thread_is_caught, .signal = SIGABRT)
{
	thread_become(ROLE_WORKER, "worker-1");
	ON_CONTROL_THREAD();
}
#endif

Test(thread, name_is_copied_and_known_to_the_system)
{
	char name[32] = "worker-2", system[32];

	thread_become(ROLE_WORKER, name);
	memset(name, 'x', sizeof(name));
	cr_expect_str_eq(thread_name(), "worker-2");
	cr_assert_eq(pthread_getname_np(pthread_self(), system, sizeof(system)),
	    0);
	cr_expect_str_eq(system, "worker-2");
}

/* The kernel takes 15 bytes and refuses more outright. */
Test(thread, long_name_is_cut)
{
	char system[32];

	thread_become(ROLE_WORKER, "a-very-long-name-for-a-thread");
	cr_expect_str_eq(thread_name(), "a-very-long-nam");
	cr_assert_eq(pthread_getname_np(pthread_self(), system, sizeof(system)),
	    0);
	cr_expect_str_eq(system, "a-very-long-nam");
}

static void *
look(void *arg)
{
	bool *fresh = arg;

	*fresh = thread_is(ROLE_NONE) && strcmp(thread_name(), "main") == 0;
	thread_become(ROLE_WORKER, "other");
	return NULL;
}

Test(thread, role_and_name_are_of_one_thread)
{
	bool fresh = false;
	pthread_t t;

	thread_become(ROLE_CONTROL, "control");
	cr_assert_eq(pthread_create(&t, NULL, look, &fresh), 0);
	pthread_join(t, NULL);
	cr_expect(fresh, "nothing is inherited");
	cr_expect(thread_is(ROLE_CONTROL), "nothing leaks back");
	cr_expect_str_eq(thread_name(), "control");
}
