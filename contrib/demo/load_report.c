/*
 * load_report - telling what the users saw.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"
#include "contrib/demo/load.h"

static double
seconds(const struct load *l)
{
	return (double)(clock_mono_us() - l->began_us) / 1e6;
}

/* Ends the object and writes its line. */
static void
write_line(struct json_out *j)
{
	json_end_object(j);
	buf_add_char(j->out, '\n');
	(void)fwrite(j->out->p, 1, j->out->len, stdout);
	(void)fflush(stdout);
	buf_free(j->out);
}

void
report_second(struct load *l)
{
	struct tally *t = &l->tally;
	struct buf out = BUF_INIT;
	struct json_out j;

	json_begin(&j, &out);
	json_begin_object(&j);
	json_kv_num(&j, "seconds", seconds(l));
	json_key(&j, "total");
	json_begin_object(&j);
	json_kv_u64(&j, "failures", tally_failed(t));
	json_kv_u64(&j, "bounces", t->bounces);
	json_end_object(&j);
	tally_tell_phase(t, &t->second, &j);
	write_line(&j);
	tally_second(t);
}

static void
final_json(const struct load *l)
{
	struct buf out = BUF_INIT;
	struct json_out j;

	json_begin(&j, &out);
	json_begin_object(&j);
	json_kv_bool(&j, "final", true);
	json_kv_num(&j, "seconds", seconds(l));
	json_kv_u64(&j, "logins", l->logins);
	json_kv_u64(&j, "logouts", l->logouts);
	crowd_tell(&l->crowd, &j);
	tally_tell(&l->tally, &j);
	write_line(&j);
}

static void
phase_text(const struct tally *t, const struct tally_phase *p)
{
	char p50[UNITS_MAX], p99[UNITS_MAX], max[UNITS_MAX];

	(void)units_duration_round(tally_quantile(p, 0.5), p50);
	(void)units_duration_round(tally_quantile(p, 0.99), p99);
	(void)units_duration_round(p->max_us, max);
	printf("%-10s %" PRIu64 " answers, p50 %s p99 %s max %s;", p->name,
	    p->requests, p50, p99, max);
	for (unsigned v = 0; v < t->n_values; v++)
		printf(" %s %" PRIu64 " (%" PRIu64 " sessions)", t->values[v],
		    p->seen[v].answers, p->seen[v].sessions);
	printf("\n");
}

static void
final_text(const struct load *l)
{
	const struct tally *t = &l->tally;

	printf("requests %" PRIu64 "  failures %" PRIu64 "  bounces %" PRIu64
	       "  moved %" PRIu64 "  sessions %" PRIu64 "  logins %" PRIu64
	       "  connections %" PRIu64 "\n",
	    l->crowd.requests, tally_failed(t), t->bounces, t->moved,
	    t->sessions, l->logins, l->crowd.connections);
	for (unsigned i = 0; i < FAULT_COUNT; i++)
		if (t->failures[0][i] + t->failures[1][i] > 0)
			printf("  %s %" PRIu64 "\n", fault_name(i),
			    t->failures[0][i] + t->failures[1][i]);
	for (unsigned i = 0; i < t->n_phases; i++)
		phase_text(t, &t->phases[i]);
	for (unsigned i = 0; i < t->n_samples; i++)
		printf("  %s\n", t->samples[i]);
}

void
report_final(struct load *l)
{
	if (l->opt.json || l->opt.progress)
		final_json(l);
	else
		final_text(l);
	(void)fflush(stdout);
}
