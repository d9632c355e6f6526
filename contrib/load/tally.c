/*
 * tally - counting what the clients saw, and telling it.
 */
#include "contrib/load/tally.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"

#define X(id, name) [FAULT_##id] = (name),
static const char *const fault_names[FAULT_COUNT] = { FAULTS(X) };
#undef X

const char *
fault_name(enum fault f)
{
	return fault_names[f];
}

/* ---- counting ---- */

static struct tally_phase *
present(struct tally *t)
{
	return &t->phases[t->n_phases - 1];
}

static void
begin(struct tally_phase *p, const char *name)
{
	memset(p, 0, sizeof(*p));
	(void)snprintf(p->name, sizeof(p->name), "%s", name);
	p->began_us = p->last_answer_us = clock_wall_us();
}

void
tally_phase(struct tally *t, const char *name)
{
	if (t->n_phases > 0)
		tally_end(t);
	if (t->n_phases < TALLY_PHASES_MAX)
		t->n_phases++;
	begin(present(t), name);
}

void
tally_second(struct tally *t)
{
	begin(&t->second, present(t)->name);
}

void
tally_end(struct tally *t)
{
	present(t)->ended_us = clock_wall_us();
}

int
tally_value(struct tally *t, const char *name)
{
	for (unsigned i = 0; i < t->n_values; i++)
		if (strcmp(t->values[i], name) == 0)
			return (int)i;
	if (t->n_values == TALLY_VALUES_MAX)
		return -1;
	(void)snprintf(t->values[t->n_values], TALLY_NAME_MAX, "%s", name);
	return (int)t->n_values++;
}

const char *
tally_value_name(const struct tally *t, int value)
{
	return value == -1 ? "none" : t->values[value];
}

static void
see(struct tally_seen *s, bool is_session, uint64_t sent_wall_us, uint64_t now)
{
	s->answers++;
	s->last_us = now;
	if (s->first_us == 0)
		s->first_us = now;
	if (!is_session)
		return;
	s->sessions++;
	s->last_session_sent_us = MAX(s->last_session_sent_us, sent_wall_us);
	if (s->first_session_us == 0)
		s->first_session_us = now;
}

static void
phase_answer(struct tally_phase *p, int value, bool is_session,
    uint64_t sent_wall_us, uint64_t took_us)
{
	uint64_t now = clock_wall_us();

	p->requests++;
	hist_add(&p->latency, took_us);
	p->max_us = MAX(p->max_us, took_us);
	p->longest_gap_us = MAX(p->longest_gap_us, now - p->last_answer_us);
	p->last_answer_us = now;
	if (value != -1)
		see(&p->seen[value], is_session, sent_wall_us, now);
}

void
tally_answer(struct tally *t, int value, bool is_session, uint64_t sent_wall_us,
    uint64_t took_us)
{
	t->sessions += is_session;
	phase_answer(present(t), value, is_session, sent_wall_us, took_us);
	phase_answer(&t->second, value, is_session, sent_wall_us, took_us);
}

void
tally_failure(struct tally *t, enum fault why, bool is_safe)
{
	t->failures[is_safe ? 0 : 1][why]++;
	present(t)->failures++;
	present(t)->failures_safe += is_safe;
	t->second.failures++;
	t->second.failures_safe += is_safe;
}

void
tally_bounce(struct tally *t)
{
	t->bounces++;
	present(t)->bounces++;
	t->second.bounces++;
}

void
tally_move(struct tally *t)
{
	t->moved++;
	present(t)->moved++;
	t->second.moved++;
}

void
tally_sample(struct tally *t, const char *fmt, ...)
{
	va_list args;

	if (t->n_samples == TALLY_SAMPLES_MAX)
		return;
	va_start(args, fmt);
	(void)vsnprintf(t->samples[t->n_samples++], sizeof(t->samples[0]), fmt,
	    args);
	va_end(args);
}

/* ---- telling ---- */

uint64_t
tally_failed(const struct tally *t)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < FAULT_COUNT; i++)
		n += t->failures[0][i] + t->failures[1][i];
	return n;
}

/* The histogram knows an upper edge: nothing took longer than the longest. */
uint64_t
tally_quantile(const struct tally_phase *p, double q)
{
	return MIN(hist_quantile(&p->latency, q), p->max_us);
}

static void
tell_failures(struct json_out *j, const char *key, const uint64_t *failures)
{
	json_key(j, key);
	json_begin_object(j);
	for (unsigned i = 0; i < FAULT_COUNT; i++)
		if (failures[i] > 0)
			json_kv_u64(j, fault_names[i], failures[i]);
	json_end_object(j);
}

static void
tell_seen(struct json_out *j, const char *name, const struct tally_seen *s)
{
	json_key(j, name);
	json_begin_object(j);
	json_kv_u64(j, "answers", s->answers);
	json_kv_u64(j, "sessions", s->sessions);
	json_kv_u64(j, "first_us", s->first_us);
	json_kv_u64(j, "last_us", s->last_us);
	json_kv_u64(j, "first_session_us", s->first_session_us);
	json_kv_u64(j, "last_session_sent_us", s->last_session_sent_us);
	json_end_object(j);
}

void
tally_tell_phase(const struct tally *t, const struct tally_phase *p,
    struct json_out *j)
{
	json_kv_cstr(j, "name", p->name);
	json_kv_u64(j, "began_us", p->began_us);
	json_kv_u64(j, "ended_us", p->ended_us);
	json_kv_u64(j, "requests", p->requests);
	json_kv_u64(j, "failures", p->failures);
	json_kv_u64(j, "failures_safe", p->failures_safe);
	json_kv_u64(j, "bounces", p->bounces);
	json_kv_u64(j, "moved", p->moved);
	json_kv_u64(j, "p50_us", tally_quantile(p, 0.5));
	json_kv_u64(j, "p99_us", tally_quantile(p, 0.99));
	json_kv_u64(j, "max_us", p->max_us);
	json_kv_u64(j, "longest_gap_us", p->longest_gap_us);
	json_key(j, "on");
	json_begin_object(j);
	for (unsigned i = 0; i < t->n_values; i++)
		if (p->seen[i].answers > 0)
			tell_seen(j, t->values[i], &p->seen[i]);
	json_end_object(j);
}

void
tally_tell(const struct tally *t, struct json_out *j)
{
	json_kv_u64(j, "answers", t->answers);
	json_kv_u64(j, "failed", tally_failed(t));
	json_kv_u64(j, "bounces", t->bounces);
	json_kv_u64(j, "moved", t->moved);
	json_kv_u64(j, "sessions", t->sessions);
	tell_failures(j, "failures_safe", t->failures[0]);
	tell_failures(j, "failures_unsafe", t->failures[1]);
	json_key(j, "phases");
	json_begin_array(j);
	for (unsigned i = 0; i < t->n_phases; i++) {
		json_begin_object(j);
		tally_tell_phase(t, &t->phases[i], j);
		json_end_object(j);
	}
	json_end_array(j);
	json_key(j, "samples");
	json_begin_array(j);
	for (unsigned i = 0; i < t->n_samples; i++)
		json_cstr(j, t->samples[i]);
	json_end_array(j);
}
