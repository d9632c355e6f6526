#include "supervisor/sweep.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/loop.h"
#include "upstream/registry.h"

struct sweep {
	struct alarm *alarm; /* owned */
	struct registry *registry;
};

static void
on_time(void *arg)
{
	struct sweep *w = arg;

	registry_sweep_sessions(w->registry);
	alarm_set(w->alarm, US_PER_S);
}

int
sweep_new(struct loop *loop, struct registry *registry, struct sweep **out)
{
	struct sweep *w = calloc(1, sizeof(*w));

	*out = NULL;
	if (w == NULL)
		return E_NOMEM;
	w->registry = registry;
	w->alarm = alarm_new(loop, on_time, w);
	if (w->alarm == NULL) {
		free(w);
		return E_NOMEM;
	}
	alarm_set(w->alarm, US_PER_S);
	*out = w;
	return E_OK;
}

void
sweep_free(struct sweep **wp)
{
	struct sweep *w = *wp;

	if (w == NULL)
		return;
	alarm_free(&w->alarm);
	free(w);
	*wp = NULL;
}
