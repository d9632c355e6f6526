#include "upstream/model.h"

#include <string.h>

#define X(id, name) [HEALTH_##id] = (name),
static const char *const health_names[] = { HEALTHS(X) };
#undef X
#define X(id, name) [INST_##id] = (name),
static const char *const admin_names[] = { INST_ADMINS(X) };
#undef X
#define X(id, name) [POOL_##id] = (name),
static const char *const state_names[] = { POOL_STATES(X) };
#undef X
#define X(id, text) [HEALTH_WHY_##id] = (text),
static const char *const reason_texts[] = { HEALTH_REASONS(X) };
#undef X
#define X(id, text) [EJECT_##id] = (text),
static const char *const eject_texts[] = { EJECT_REASONS(X) };
#undef X
#define X(id, class, name, help) [OUT_##id] = { (name), #class, (help) },
static const struct {
	const char *name, *class, *help;
} outcome_rows[] = { OUTCOMES(X) };
#undef X
#define X(id, name, help) [CAUSE_##id] = { (name), (help) },
static const struct {
	const char *name, *help;
} cause_rows[] = { POOL_CAUSES(X) };
#undef X
#define X(id, name) [HOLD_##id] = (name),
static const char *const hold_names[] = { HOLDS(X) };
#undef X
#define X(id, name, help) [STREAM_##id] = (name),
static const char *const stream_end_names[] = { STREAM_ENDS(X) };
#undef X
#define X(id, name, help) [REFUSED_##id] = (name),
static const char *const refusal_names[] = { CONN_REFUSALS(X) };
#undef X

const char *
health_name(enum health h)
{
	return health_names[h];
}

const char *
inst_admin_name(enum inst_admin a)
{
	return admin_names[a];
}

const char *
pool_state_name(enum pool_state s)
{
	return state_names[s];
}

const char *
health_reason_text(enum health_reason r)
{
	return reason_texts[r];
}

const char *
eject_reason_text(enum eject_reason r)
{
	return eject_texts[r];
}

static int
index_of(const char *const *names, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

int
inst_admin_of(const char *name)
{
	return index_of(admin_names, INST_ADMIN_COUNT, name);
}

int
pool_state_of(const char *name)
{
	return index_of(state_names, POOL_STATE_COUNT, name);
}

const char *
outcome_name(enum outcome o)
{
	return outcome_rows[o].name;
}

const char *
outcome_class(enum outcome o)
{
	return outcome_rows[o].class;
}

const char *
outcome_help(enum outcome o)
{
	return outcome_rows[o].help;
}

const char *
hold_name(enum hold h)
{
	return hold_names[h];
}

int
hold_of(const char *name)
{
	for (int i = 0; i < HOLD_COUNT; i++)
		if (strcmp(hold_names[i], name) == 0)
			return i;
	return -1;
}

const char *
stream_end_name(enum stream_end e)
{
	return stream_end_names[e];
}

const char *
pool_cause_name(enum pool_cause c)
{
	return cause_rows[c].name;
}

const char *
pool_cause_help(enum pool_cause c)
{
	return cause_rows[c].help;
}

const char *
conn_refusal_name(enum conn_refusal r)
{
	return refusal_names[r];
}

bool
inst_has_address(const struct instance *i)
{
	return i->addr.len > 0;
}

uint64_t
inst_inflight(const struct instance *i)
{
	uint64_t sum = 0;

	for (unsigned w = 0; w < i->n_workers; w++)
		sum += stat_get(&i->cells[w].inflight);
	return sum;
}

uint64_t
inst_streams(const struct instance *i)
{
	uint64_t sum = 0;

	for (unsigned w = 0; w < i->n_workers; w++)
		sum += stat_get(&i->cells[w].streams);
	return sum;
}
