/*
 * load_report - counting what the users saw, and telling it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "contrib/demo/load.h"

static const char *const failure_names[FAIL_COUNT] = {
#define X(id, name) [FAIL_##id] = (name),
	LOAD_FAILURES(X)
#undef X
};

static const char *const step_names[STEP_COUNT] = {
#define X(id, method, path, status) [STEP_##id] = method " " path,
	LOAD_STEPS(X)
#undef X
};

const char *
load_step_name(enum load_step s)
{
	return step_names[s];
}

static struct load_phase *
present(struct load_stats *s)
{
	return &s->phases[s->n_phases - 1];
}

void
stats_phase(struct load_stats *s, const char *name)
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
	p->began_us = now;
}

void
stats_end(struct load_stats *s)
{
	present(s)->ended_us = clock_wall_us();
}

int
stats_version(struct load_stats *s, const char *name)
{
	for (unsigned i = 0; i < s->n_versions; i++)
		if (strcmp(s->versions[i], name) == 0)
			return (int)i;
	if (s->n_versions == LOAD_VERSIONS_MAX)
		return -1;
	(void)snprintf(s->versions[s->n_versions], LOAD_NAME_MAX, "%s", name);
	return (int)s->n_versions++;
}

static void
phase_answer(struct load_phase *p, int version, bool is_session,
    uint64_t sent_wall_us, uint64_t took_us)
{
	uint64_t now = clock_wall_us();
	struct load_seen *seen;

	p->requests++;
	hist_add(&p->latency, took_us);
	p->max_us = MAX(p->max_us, took_us);
	if (version == -1)
		return;
	seen = &p->seen[version];
	seen->answers++;
	seen->last_us = now;
	if (seen->first_us == 0)
		seen->first_us = now;
	if (!is_session)
		return;
	seen->sessions++;
	seen->last_session_sent_us = MAX(seen->last_session_sent_us,
	    sent_wall_us);
	if (seen->first_session_us == 0)
		seen->first_session_us = now;
}

void
stats_answer(struct load_stats *s, int version, bool is_session,
    uint64_t sent_wall_us, uint64_t took_us)
{
	phase_answer(present(s), version, is_session, sent_wall_us, took_us);
	phase_answer(&s->second, version, is_session, sent_wall_us, took_us);
}

static void
sample(struct load_stats *s, const char *what, const char *text)
{
	if (s->n_samples == LOAD_SAMPLES_MAX)
		return;
	(void)snprintf(s->samples[s->n_samples++], sizeof(s->samples[0]),
	    "%.3f s %s: %.140s", (double)(clock_mono_us() - s->began_us) / 1e6,
	    what, text);
}

void
stats_failure(struct load_stats *s, enum load_failure why, const char *text)
{
	s->failures[why]++;
	present(s)->failures++;
	s->second.failures++;
	sample(s, failure_names[why], text);
}

void
stats_bounce(struct load_stats *s, bool is_move, const char *text)
{
	if (is_move) {
		s->moved++;
		present(s)->moved++;
		s->second.moved++;
		return;
	}
	s->bounces++;
	present(s)->bounces++;
	s->second.bounces++;
	sample(s, "bounce", text);
}

uint64_t
stats_failed(const struct load_stats *s)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < FAIL_COUNT; i++)
		n += s->failures[i];
	return n;
}

/* The text is from our own tables or cleaned here: it needs no escaping. */
static void
json_text(const char *text)
{
	putchar('"');
	for (; *text != '\0'; text++)
		putchar(*text < ' ' || *text == '"' || *text == '\\' ? '?'
		                                                     : *text);
	putchar('"');
}

static void
phase_json(const struct load_stats *s, const struct load_phase *p)
{
	printf("\"requests\":%" PRIu64 ",\"failures\":%" PRIu64
	       ",\"bounces\":%" PRIu64 ",\"moved\":%" PRIu64
	       ",\"p50_us\":%" PRIu64 ",\"p99_us\":%" PRIu64
	       ",\"max_us\":%" PRIu64 ",\"versions\":{",
	    p->requests, p->failures, p->bounces, p->moved,
	    MIN(hist_quantile(&p->latency, 0.5), p->max_us),
	    MIN(hist_quantile(&p->latency, 0.99), p->max_us), p->max_us);
	for (unsigned i = 0; i < s->n_versions; i++) {
		const struct load_seen *v = &p->seen[i];

		printf("%s", i > 0 ? "," : "");
		json_text(s->versions[i]);
		printf(":{\"answers\":%" PRIu64 ",\"sessions\":%" PRIu64
		       ",\"first_us\":%" PRIu64 ",\"last_us\":%" PRIu64
		       ",\"first_session_us\":%" PRIu64
		       ",\"last_session_sent_us\":%" PRIu64 "}",
		    v->answers, v->sessions, v->first_us, v->last_us,
		    v->first_session_us, v->last_session_sent_us);
	}
	printf("}");
}

void
report_second(struct load *l)
{
	struct load_stats *s = &l->stats;

	printf("{\"t_us\":%" PRIu64 ",\"phase\":",
	    clock_mono_us() - s->began_us);
	json_text(present(s)->name);
	printf(",\"total\":{\"requests\":%" PRIu64 ",\"failures\":%" PRIu64
	       ",\"bounces\":%" PRIu64 ",\"moved\":%" PRIu64
	       ",\"sessions\":%" PRIu64 "},",
	    s->requests, stats_failed(s), s->bounces, s->moved, s->sessions);
	phase_json(s, &s->second);
	printf("}\n");
	fflush(stdout);
	memset(&s->second, 0, sizeof(s->second));
}

static void
final_json(const struct load *l)
{
	const struct load_stats *s = &l->stats;

	printf("{\"final\":true,\"seconds\":%.3f,\"requests\":%" PRIu64
	       ",\"answers\":%" PRIu64 ",\"failed\":%" PRIu64
	       ",\"unanswered\":%" PRIu64 ",\"bounces\":%" PRIu64
	       ",\"moved\":%" PRIu64 ",\"sessions\":%" PRIu64
	       ",\"logins\":%" PRIu64 ",\"logouts\":%" PRIu64
	       ",\"connections\":%" PRIu64 ",\"idle_closed\":%" PRIu64
	       ",\"failures\":{",
	    (double)(clock_mono_us() - s->began_us) / 1e6, s->requests,
	    s->answers, stats_failed(s), s->sent_unanswered, s->bounces,
	    s->moved, s->sessions, s->logins, s->logouts, s->connections,
	    s->idle_closed);
	for (unsigned i = 0; i < FAIL_COUNT; i++)
		printf("%s\"%s\":%" PRIu64, i > 0 ? "," : "", failure_names[i],
		    s->failures[i]);
	printf("},\"samples\":[");
	for (unsigned i = 0; i < s->n_samples; i++) {
		printf("%s", i > 0 ? "," : "");
		json_text(s->samples[i]);
	}
	printf("],\"phases\":[");
	for (unsigned i = 0; i < s->n_phases; i++) {
		printf("%s{\"name\":", i > 0 ? "," : "");
		json_text(s->phases[i].name);
		printf(",\"began_us\":%" PRIu64 ",\"ended_us\":%" PRIu64 ",",
		    s->phases[i].began_us, s->phases[i].ended_us);
		phase_json(s, &s->phases[i]);
		printf("}");
	}
	printf("]}\n");
}

static void
final_text(const struct load *l)
{
	const struct load_stats *s = &l->stats;
	char p50[UNITS_MAX], p99[UNITS_MAX], max[UNITS_MAX];

	printf("requests %" PRIu64 "  failures %" PRIu64 "  bounces %" PRIu64
	       "  moved %" PRIu64 "  sessions %" PRIu64 "  logins %" PRIu64
	       "  connections %" PRIu64 "\n",
	    s->requests, stats_failed(s), s->bounces, s->moved, s->sessions,
	    s->logins, s->connections);
	for (unsigned i = 0; i < FAIL_COUNT; i++)
		if (s->failures[i] > 0)
			printf("  %s %" PRIu64 "\n", failure_names[i],
			    s->failures[i]);
	for (unsigned i = 0; i < s->n_phases; i++) {
		const struct load_phase *p = &s->phases[i];

		(void)units_duration_round(
		    MIN(hist_quantile(&p->latency, 0.5), p->max_us), p50);
		(void)units_duration_round(
		    MIN(hist_quantile(&p->latency, 0.99), p->max_us), p99);
		(void)units_duration_round(p->max_us, max);
		printf("%-10s %" PRIu64 " answers, p50 %s p99 %s max %s;",
		    p->name, p->requests, p50, p99, max);
		for (unsigned v = 0; v < s->n_versions; v++)
			printf(" %s %" PRIu64 " (%" PRIu64 " sessions)",
			    s->versions[v], p->seen[v].answers,
			    p->seen[v].sessions);
		printf("\n");
	}
	for (unsigned i = 0; i < s->n_samples; i++)
		printf("  %s\n", s->samples[i]);
}

void
report_final(struct load *l)
{
	if (l->opt.json || l->opt.progress)
		final_json(l);
	else
		final_text(l);
	fflush(stdout);
}
