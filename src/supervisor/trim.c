#include "supervisor/trim.h"

#include <malloc.h>
#include <stdlib.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/err.h"
#include "net/loop.h"

#define LOOK_US (2 * US_PER_S)

struct trim {
	struct alarm *alarm; /* owned */
	struct trim_judge judge;
};

bool
trim_is_due(struct trim_judge *j, uint64_t used, uint64_t idle)
{
	uint64_t least = MAX(TRIM_LEAST, used / TRIM_PART);
	bool was_much = j->was_much;

	j->given = MIN(j->given, idle); /* what is free no more was taken */
	j->was_much = idle - j->given >= least;
	if (j->rest > 0)
		j->rest--;
	else if (j->was_much && was_much) {
		*j = (struct trim_judge){ .given = idle, .rest = TRIM_REST };
		return true;
	}
	return false;
}

static void
on_look(void *arg)
{
	struct trim *t = arg;
	struct mallinfo2 m = mallinfo2();

	if (trim_is_due(&t->judge, m.uordblks, m.fordblks))
		(void)malloc_trim(0);
	alarm_set(t->alarm, LOOK_US);
}

int
trim_new(struct loop *loop, struct trim **out)
{
	struct trim *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (t == NULL)
		return E_NOMEM;
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
