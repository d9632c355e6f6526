#include "upstream/account.h"

#include <string.h>

#define X(id, name) [CLASS_##id] = (name),
static const char *const class_names[] = { ACCOUNT_CLASSES(X) };
#undef X

#define X(id, class, name, help) [OUT_##id] = CLASS_##class,
static const enum account_class class_of[] = { OUTCOMES(X) };
#undef X

const char *
account_class_name(enum account_class c)
{
	return class_names[c];
}

struct account
account_empty(void)
{
	return (struct account){ .holds = true };
}

static uint64_t
read_outcomes(const struct service_cell *c, struct account *a)
{
	uint64_t ended = 0;

	for (int i = 0; i < OUT_COUNT; i++) {
		uint64_t n = stat_get(&c->outcome[i]);

		a->outcome[i] += n;
		a->class[class_of[i]] += n;
		ended += n;
	}
	return ended;
}

/*
 * A worker counts an exchange in this order, and we see it so (base/stat.h):
 * active + 1, begun + 1, outcome + 1, active - 1.  Between the first two and
 * between the last two active is one ahead; it is never behind.
 *
 * Lost?  We read begun, then active, then the outcomes.  What had begun when
 * we read active was active then or had its outcome, and outcomes only grow:
 * so begun <= ended + active.
 *
 * Counted twice?  We read the outcomes, then active, then begun: ended +
 * active <= begun + 1, and the 1 is only there while something is active.
 *
 * Of the unrouted: active + 1 (a head comes), begun + 1, outcome + 1, active
 * - 1; or only active - 1, when a service took it.  The first holds likewise;
 * of the second what is left is ended <= begun.
 */
static void
read_cell(const struct service_cell *c, bool unrouted, struct account *a)
{
	uint64_t before, after, first, last, ended;

	before = stat_get(&c->begun);
	first = stat_get(&c->active);
	ended = read_outcomes(c, a);
	last = stat_get(&c->active);
	after = stat_get(&c->begun);
	a->accepted += after;
	a->in_flight += after - ended;
	if (before > ended + first)
		a->holds = false;
	if (unrouted ? ended > after : ended + last > after + (last > 0))
		a->holds = false;
}

void
account_of(const struct service *s, bool unrouted, struct account *out)
{
	*out = account_empty();
	for (unsigned w = 0; w < s->n_workers; w++)
		read_cell(&s->cells[w], unrouted, out);
}

void
account_add(struct account *sum, const struct account *a)
{
	sum->accepted += a->accepted;
	sum->in_flight += a->in_flight;
	sum->holds &= a->holds;
	for (int i = 0; i < OUT_COUNT; i++)
		sum->outcome[i] += a->outcome[i];
	for (int i = 0; i < CLASS_COUNT; i++)
		sum->class[i] += a->class[i];
}
