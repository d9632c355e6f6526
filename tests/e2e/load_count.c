/*
 * load_count - counting what the clients saw, and telling it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "tests/e2e/load.h"

#define X(id, name) [FAIL_##id] = (name),
static const char *const failure_names[FAIL_COUNT] = { LOAD_FAILURES(X) };
#undef X

/* ---- counting ---- */

static struct load_phase *
present(struct load_stats *s)
{
	return &s->phases[s->n_phases - 1];
}

/* Past the last row the last one begins anew. */
void
count_phase(struct load_stats *s, const char *name)
{
	uint64_t now = clock_wall_us();
	struct load_phase *p;

	if (s->n_phases > 0)
		present(s)->ended_us = now;
	if (s->n_phases < LOAD_PHASES_MAX)
		s->n_phases++;
	p = present(s);
	memset(p, 0, sizeof(*p));
	(void)snprintf(p->name, sizeof(p->name), "%s", name);
	p->began_us = p->last_answer_us = now;
}

int
count_value(struct load_stats *s, const char *name)
{
	for (unsigned i = 0; i < s->n_values; i++)
		if (strcmp(s->values[i], name) == 0)
			return (int)i;
	if (s->n_values == LOAD_VALUES_MAX)
		return -1;
	(void)snprintf(s->values[s->n_values], LOAD_NAME_MAX, "%s", name);
	return (int)s->n_values++;
}

static void
see(struct load_seen *seen, const struct lclient *c, bool is_session,
    uint64_t now)
{
	seen->answers++;
	seen->last_us = now;
	if (seen->first_us == 0)
		seen->first_us = now;
	if (!is_session)
		return;
	seen->sessions++;
	seen->last_session_sent_us = MAX(seen->last_session_sent_us,
	    c->sent_wall_us);
	if (seen->first_session_us == 0)
		seen->first_session_us = now;
}

void
count_answer(struct load_stats *s, const struct lclient *c, bool is_session)
{
	struct load_phase *p = present(s);
	uint64_t now = clock_wall_us();
	uint64_t took = clock_mono_us() - c->sent_us;

	s->answers++;
	s->posts_answered += c->is_post;
	s->sessions += is_session;
	p->requests++;
	hist_add(&p->latency, took);
	p->max_us = MAX(p->max_us, took);
	p->longest_gap_us = MAX(p->longest_gap_us, now - p->last_answer_us);
	p->last_answer_us = now;
	if (c->value != -1)
		see(&p->seen[c->value], c, is_session, now);
}

static const char *
value_name(const struct load_stats *s, int value)
{
	return value == -1 ? "none" : s->values[value];
}

static void
sample(struct load_stats *s, const struct lclient *c, const char *what,
    const char *text)
{
	char id[LOAD_ID_MAX];

	if (s->n_samples == LOAD_SAMPLES_MAX)
		return;
	load_id_text(c->load, c->id, id);
	(void)snprintf(s->samples[s->n_samples++], sizeof(s->samples[0]),
	    "%" PRIu64 " %s %s id %s status %d on %s after %" PRIu64
	    " us: %s: %.100s",
	    clock_wall_us(), c->is_post ? "POST" : "GET",
	    c->is_reused ? "reused" : "fresh", id, c->answer.status,
	    value_name(s, c->value), clock_mono_us() - c->sent_us, what, text);
}

void
count_failure(struct load_stats *s, const struct lclient *c,
    enum load_failure why, const char *text)
{
	s->failures[c->is_post][why]++;
	present(s)->failures++;
	present(s)->failures_safe += !c->is_post;
	sample(s, c, failure_names[why], text);
	if (c->is_post && s->n_lost < LOAD_LOST_MAX)
		s->lost[s->n_lost++] = (struct load_lost){ .id = c->id,
			.sent_us = c->sent_wall_us,
			.why = (uint8_t)why,
			.status = (uint16_t)c->answer.status };
}

void
count_bounce(struct load_stats *s, const struct lclient *c, int now_on,
    bool is_move)
{
	if (is_move) {
		s->moved++;
		present(s)->moved++;
		return;
	}
	s->bounces++;
	present(s)->bounces++;
	sample(s, c, "bounce to", value_name(s, now_on));
}

/* ---- telling ---- */

static void
tell_failures(struct json_out *j, const char *key, const uint64_t *failures)
{
	json_key(j, key);
	json_begin_object(j);
	for (unsigned i = 0; i < FAIL_COUNT; i++)
		if (failures[i] > 0)
			json_kv_u64(j, failure_names[i], failures[i]);
	json_end_object(j);
}

static void
tell_seen(struct json_out *j, const char *name, const struct load_seen *v)
{
	json_key(j, name);
	json_begin_object(j);
	json_kv_u64(j, "answers", v->answers);
	json_kv_u64(j, "sessions", v->sessions);
	json_kv_u64(j, "first_us", v->first_us);
	json_kv_u64(j, "last_us", v->last_us);
	json_kv_u64(j, "first_session_us", v->first_session_us);
	json_kv_u64(j, "last_session_sent_us", v->last_session_sent_us);
	json_end_object(j);
}

static void
tell_phase(struct json_out *j, const struct load_stats *s,
    const struct load_phase *p)
{
	json_begin_object(j);
	json_kv_cstr(j, "name", p->name);
	json_kv_u64(j, "began_us", p->began_us);
	json_kv_u64(j, "ended_us", p->ended_us);
	json_kv_u64(j, "requests", p->requests);
	json_kv_u64(j, "failures", p->failures);
	json_kv_u64(j, "failures_safe", p->failures_safe);
	json_kv_u64(j, "bounces", p->bounces);
	json_kv_u64(j, "moved", p->moved);
	json_kv_u64(j, "p50_us", hist_quantile(&p->latency, 0.5));
	json_kv_u64(j, "p99_us", hist_quantile(&p->latency, 0.99));
	json_kv_u64(j, "max_us", p->max_us);
	json_kv_u64(j, "longest_gap_us", p->longest_gap_us);
	json_key(j, "on");
	json_begin_object(j);
	for (unsigned i = 0; i < s->n_values; i++)
		if (p->seen[i].answers > 0)
			tell_seen(j, s->values[i], &p->seen[i]);
	json_end_object(j);
	json_end_object(j);
}

static void
tell_lost(struct json_out *j, const struct load *l)
{
	char id[LOAD_ID_MAX];

	json_key(j, "posts_lost");
	json_begin_array(j);
	for (unsigned i = 0; i < l->stats.n_lost; i++) {
		const struct load_lost *lost = &l->stats.lost[i];

		load_id_text(l, lost->id, id);
		json_begin_object(j);
		json_kv_cstr(j, "id", id);
		json_kv_u64(j, "sent_us", lost->sent_us);
		json_kv_cstr(j, "why", failure_names[lost->why]);
		json_kv_u64(j, "status", lost->status);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
tell_totals(struct json_out *j, const struct load *l)
{
	const struct load_stats *s = &l->stats;
	uint64_t failed = 0;

	for (unsigned i = 0; i < FAIL_COUNT; i++)
		failed += s->failures[0][i] + s->failures[1][i];
	json_kv_u64(j, "requests", s->requests);
	json_kv_u64(j, "answers", s->answers);
	json_kv_u64(j, "failed", failed);
	json_kv_u64(j, "in_flight", l->busy);
	json_kv_u64(j, "posts", s->posts);
	json_kv_u64(j, "posts_answered", s->posts_answered);
	json_kv_u64(j, "bounces", s->bounces);
	json_kv_u64(j, "moved", s->moved);
	json_kv_u64(j, "sessions", s->sessions);
	json_kv_u64(j, "connections", s->connections);
	json_kv_u64(j, "idle_closed", s->idle_closed);
	tell_failures(j, "failures_safe", s->failures[0]);
	tell_failures(j, "failures_unsafe", s->failures[1]);
}

void
count_report(const struct load *l)
{
	const struct load_stats *s = &l->stats;
	struct buf out = BUF_INIT;
	struct json_out j;

	json_begin(&j, &out);
	json_begin_object(&j);
	tell_totals(&j, l);
	tell_lost(&j, l);
	json_key(&j, "phases");
	json_begin_array(&j);
	for (unsigned i = 0; i < s->n_phases; i++)
		tell_phase(&j, s, &s->phases[i]);
	json_end_array(&j);
	json_key(&j, "samples");
	json_begin_array(&j);
	for (unsigned i = 0; i < s->n_samples; i++)
		json_cstr(&j, s->samples[i]);
	json_end_array(&j);
	json_end_object(&j);
	buf_add_char(&out, '\n');
	(void)fwrite(out.p, 1, out.len, stdout);
	(void)fflush(stdout);
	buf_free(&out);
}
