#include "base/thread.h"

#include <pthread.h>
#include <stdio.h>

static _Thread_local enum thread_role my_role = ROLE_NONE;
static _Thread_local char my_name[16] = "main";

void
thread_become(enum thread_role role, const char *name)
{
	my_role = role;
	(void)snprintf(my_name, sizeof(my_name), "%s", name);
	(void)pthread_setname_np(pthread_self(), my_name);
}

const char *
thread_name(void)
{
	return my_name;
}

bool
thread_is(enum thread_role role)
{
	return my_role == role || my_role == ROLE_ANY;
}
