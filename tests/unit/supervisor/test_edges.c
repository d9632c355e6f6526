#include <criterion/criterion.h>
#include <pthread.h>

#include "base/err.h"
#include "base/thread.h"
#include "net/loop.h"
#include "supervisor/edges.h"

#define WORKERS 4
#define TELLS 2000

struct world {
	struct loop *loop;
	struct edges *edges;
	unsigned next;
	unsigned stopped; /* calls */
	pthread_t threads[WORKERS];
};

static void
on_stopped(void *arg)
{
	struct world *w = arg;

	w->stopped++;
	loop_stop(w->loop);
}

static void *
tell(void *seat)
{
	thread_become(ROLE_WORKER, "worker");
	for (int i = 0; i < TELLS; i++)
		edges_tell(seat, PROXY_ADOPTED, NULL);
	edges_tell(seat, PROXY_STOPPED, NULL);
	edges_tell(seat, PROXY_EMPTY, NULL);
	return NULL;
}

Test(edges, stop_is_told_once_by_all, .timeout = 20)
{
	struct world w = { .next = 0 };

	thread_become(ROLE_ANY, "test");
	cr_assert_eq(loop_new(&w.loop), E_OK);
	cr_assert_eq(edges_new(w.loop, WORKERS, on_stopped, &w, &w.edges),
	    E_OK);
	for (unsigned i = 0; i < WORKERS; i++)
		cr_assert_eq(pthread_create(&w.threads[i], NULL, tell,
		                 edges_seat(w.edges, i)),
		    0);
	loop_run(w.loop);
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(w.threads[i], NULL);
	edges_free(&w.edges);
	cr_expect_eq(w.stopped, 1);
	loop_free(&w.loop);
}
