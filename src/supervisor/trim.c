#include "supervisor/trim.h"

#include <malloc.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/loop.h"
#include "upstream/load.h"

#define LOOK_US US_PER_S

struct trim {
	const struct load *load; /* borrowed */
	struct alarm *alarm;     /* owned */
	struct trim_judge judge;
};

bool
trim_is_due(struct trim_judge *j, uint64_t bytes)
{
	bool was_small = j->was_small;

	if (bytes > j->peak)
		j->peak = bytes;
	j->was_small = bytes <= j->peak / 2 && j->peak - bytes >= TRIM_LEAST;
	if (!j->was_small || !was_small)
		return false;
	*j = (struct trim_judge){ .peak = bytes };
	return true;
}

static void
on_look(void *arg)
{
	struct trim *t = arg;

	if (trim_is_due(&t->judge, load_bytes(t->load)))
		(void)malloc_trim(0);
	alarm_set(t->alarm, LOOK_US);
}

int
trim_new(struct loop *loop, const struct load *load, struct trim **out)
{
	struct trim *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (t == NULL)
		return E_NOMEM;
	t->load = load;
	t->alarm = alarm_new(loop, on_look, t);
	if (t->alarm == NULL) {
		free(t);
		return E_NOMEM;
	}
	alarm_set(t->alarm, LOOK_US);
	*out = t;
	return E_OK;
}

void
trim_free(struct trim **tp)
{
	struct trim *t = *tp;

	if (t == NULL)
		return;
	alarm_free(&t->alarm);
	free(t);
	*tp = NULL;
}
