#include "rollout/mark.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/units.h"
#include "rollout/steps.h"

#define SEED UINT64_C(0x3a7c)
#define DIGITS 6 /* of a part, in base 16 */
#define PART_MASK ((UINT32_C(1) << 4 * DIGITS) - 1)

/* ---- what is in it ---- */

static void
add_config(const struct cfg_service *cfg, const struct ro_rollout *steps,
    struct buf *out)
{
	cfg_dump_service(cfg, out);
	/* Those of a strategy are in the program. */
	for (size_t i = 0; i < steps->n_steps; i++) {
		steps_describe(&steps->steps[i], out);
		buf_printf(out, " %llu\n",
		    (unsigned long long)steps->steps[i].deadline_us);
	}
}

/* Of a pool that is not in use: how far it has proved itself is readiness. */
static enum pool_state
state_of(const struct ro_pool *p)
{
	switch ((enum pool_state)p->state) {
	case POOL_STARTING:
	case POOL_READY:
	case POOL_FAILED:
		return POOL_COLD;
	default:
		return (enum pool_state)p->state;
	}
}

/* The last that moved anything; id 0: there was none. */
static void
last_rollout(const struct ro_service *s, uint64_t *id, enum ro_stand *stand)
{
	*id = s->rollout.id;
	*stand = (enum ro_stand)s->rollout.stand;
	if (!s->rollout.rehearsal)
		return;
	*id = 0;
	for (size_t i = 0; i < s->n_past; i++) {
		if (s->past[i].rehearsal)
			continue;
		*id = s->past[i].id;
		*stand = (enum ro_stand)s->past[i].stand;
	}
	if (*id == 0)
		*stand = RO_STAND_NONE;
}

static void
add_pools(const struct ro_service *s, struct buf *out)
{
	enum ro_stand stand;
	uint64_t id;

	for (size_t i = 0; i < s->n_pools; i++)
		buf_printf(out, "%s %s %u\n", s->pools[i].name,
		    pool_state_name(state_of(&s->pools[i])),
		    (unsigned)s->pools[i].share_bp);
	buf_printf(out, "hold %u pending %s %d\n", s->hold, s->pending.pool,
	    s->pending.drain);
	last_rollout(s, &id, &stand);
	buf_printf(out, "rollout %llu %u\n", (unsigned long long)id,
	    (unsigned)stand);
}

static void
add_ready(const struct ro_state *state, size_t at, const struct ro_facts *facts,
    struct buf *out)
{
	const struct ro_service *s = &state->services[at];

	for (size_t i = 0; i < s->n_pools; i++) {
		const struct ro_facts_pool *f = ro_facts_of(facts, at, i);

		buf_printf(out, "%s %d %d\n", s->pools[i].name, f->ready,
		    f->eligible > 0);
	}
	for (size_t i = 0; i < state->n_instances; i++) {
		const struct instance_plan *p = &state->instances[i];

		if (strcmp(p->service, s->name) == 0)
			buf_printf(out, "%s %s %s %u %d %u\n", p->pool, p->name,
			    p->address, p->weight, p->removed, p->admin);
	}
}

/* ---- making one ---- */

static void
set_part(struct ro_mark *m, enum ro_mark_part part, uint64_t seed,
    struct buf *text)
{
	m->part[part] = (uint32_t)hash_bytes(text->p, text->len, seed + part) &
	    PART_MASK;
	m->set &= !text->failed;
	buf_reset(text);
}

struct ro_mark
mark_of(const struct cfg_service *cfg, const struct ro_state *state, size_t at,
    const struct ro_facts *facts, const struct ro_rollout *steps,
    const char *to)
{
	uint64_t seed = hash_bytes(to, strlen(to),
	    hash_bytes(cfg->name, strlen(cfg->name), SEED));
	struct ro_mark m = { .set = true };
	struct buf text = BUF_INIT;

	add_config(cfg, steps, &text);
	set_part(&m, RO_MARK_CONFIG, seed, &text);
	add_pools(&state->services[at], &text);
	set_part(&m, RO_MARK_POOLS, seed, &text);
	add_ready(state, at, facts, &text);
	set_part(&m, RO_MARK_READY, seed, &text);
	buf_free(&text);
	return m;
}

bool
mark_is(const struct ro_mark *a, const struct ro_mark *b)
{
	return a->set && b->set &&
	    memcmp(a->part, b->part, sizeof(a->part)) == 0;
}

/* ---- as text ---- */

void
mark_write(const struct ro_mark *m, char out[MARK_TEXT_MAX])
{
	(void)snprintf(out, MARK_TEXT_MAX, "%06x-%06x-%06x",
	    (unsigned)m->part[RO_MARK_CONFIG], (unsigned)m->part[RO_MARK_POOLS],
	    (unsigned)m->part[RO_MARK_READY]);
}

static bool
read_part(struct str s, uint32_t *out)
{
	static const char digits[] = "0123456789abcdef";

	*out = 0;
	if (s.len != DIGITS)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		const char *at = s.p[i] == '\0' ? NULL : strchr(digits, s.p[i]);

		if (at == NULL)
			return false;
		*out = *out << 4 | (uint32_t)(at - digits);
	}
	return true;
}

bool
mark_read(struct str s, struct ro_mark *out)
{
	*out = (struct ro_mark){ .set = true };
	if (s.len != RO_MARK_PARTS * (DIGITS + 1) - 1)
		return false;
	for (size_t i = 0; i < RO_MARK_PARTS; i++)
		if (!read_part(str_split(&s, '-'), &out->part[i]))
			return false;
	return true;
}

/* ---- what has moved ---- */

/* "now v1 active 60%, v2 active 40%, rollout 3 rolled_back" */
static void
say_pools(const struct ro_service *s, struct buf *out)
{
	enum ro_stand stand;
	char share[UNITS_MAX];
	uint64_t id;

	buf_add_cstr(out, "states or shares of its pools have changed, now ");
	for (size_t i = 0; i < s->n_pools; i++) {
		units_share(s->pools[i].share_bp, share);
		buf_printf(out, "%s%s %s %s", i == 0 ? "" : ", ",
		    s->pools[i].name,
		    pool_state_name((enum pool_state)s->pools[i].state), share);
	}
	last_rollout(s, &id, &stand);
	if (id != 0)
		buf_printf(out, ", rollout %llu %s", (unsigned long long)id,
		    steps_stand_name(stand));
	if (s->hold != HOLD_NONE)
		buf_add_cstr(out, ", requests are held");
	if (s->pending.pool[0] != '\0')
		buf_printf(out, ", a switch to %s waits", s->pending.pool);
}

/* "who is ready or in has changed, now ready: v1, v2" */
static void
say_ready(const struct ro_service *s, size_t at, const struct ro_facts *facts,
    struct buf *out)
{
	size_t n = 0;

	buf_add_cstr(out, "who is ready or in has changed, now ready: ");
	for (size_t i = 0; i < s->n_pools; i++)
		if (ro_facts_of(facts, at, i)->ready)
			buf_printf(out, "%s%s", n++ == 0 ? "" : ", ",
			    s->pools[i].name);
	buf_add_cstr(out, n == 0 ? "no pool" : "");
}

void
mark_explain(const struct ro_mark *then, const struct ro_mark *now,
    const struct ro_state *state, size_t at, const struct ro_facts *facts,
    struct buf *out)
{
	const struct ro_service *s = &state->services[at];
	bool moved[RO_MARK_PARTS];
	size_t n = 0, from = out->len;

	for (size_t i = 0; i < RO_MARK_PARTS; i++)
		n += moved[i] = then->part[i] != now->part[i];
	if (n == RO_MARK_PARTS) {
		buf_add_cstr(out,
		    "it leads to another pool, or all has changed");
		return;
	}
	if (moved[RO_MARK_CONFIG])
		buf_printf(out, "the configuration of %s has changed", s->name);
	if (moved[RO_MARK_POOLS]) {
		buf_add_cstr(out, out->len > from ? "; " : "");
		say_pools(s, out);
	}
	if (moved[RO_MARK_READY]) {
		buf_add_cstr(out, out->len > from ? "; " : "");
		say_ready(s, at, facts, out);
	}
}
