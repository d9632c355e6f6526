/*
 * What a rollout has come to: each request that came meanwhile and its end,
 * where the time went, and those before it.
 */
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "segue/text.h"
#include "segue/view_int.h"

static const struct table_column step_columns[] = {
	{ "N", true, NULL },
	{ "STEP", false, NULL },
	{ "LASTED", true, NULL },
	{ "SAID", false, NULL },
	{ NULL, false, NULL },
};

static const struct table_column past_columns[] = {
	{ "N", true, NULL },
	{ "TO", false, NULL },
	{ "VERSION", false, NULL },
	{ "BEGAN", false, NULL },
	{ "HOW", false, NULL },
	{ "REQUESTS", true, NULL },
	{ "FAULTS", true, NULL },
	{ "HELD", true, NULL },
	{ NULL, false, NULL },
};

static void put_line(struct buf *out, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
put_line(struct buf *out, const char *fmt, ...)
{
	struct buf raw = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&raw, fmt, ap);
	va_end(ap);
	buf_add_cstr(out, "  ");
	text_clean(out, buf_str(&raw));
	buf_add_char(out, '\n');
	out->failed |= raw.failed;
	buf_free(&raw);
}

/* ---- the requests ---- */

void
view_verdict(const struct json *report, struct buf *out)
{
	int64_t faults = json_get_int(report, "fault", -1);
	int64_t late = json_get_int(report, "deadline", -1);
	int64_t refused = json_get_int(report, "refused", -1);
	char n[4][SHOW_MAX];

	if (!json_get_truth(report, "holds", false))
		buf_add_cstr(out,
		    "this is no certificate: the account does not hold");
	else if (!json_get_truth(report, "whole", false))
		buf_printf(out,
		    "this is no certificate: not all that came before %s was "
		    "counted by a process that is there",
		    show_text(report, "counted_since"));
	else if (faults == 0 && late == 0 && refused == 0)
		buf_printf(out,
		    "0 lost: each of %s requests has ended well or "
		    "is on its way",
		    show_count(report, "accepted", n[0]));
	else
		buf_printf(out,
		    "of %s requests %s failed by an instance's fault, %s at a "
		    "deadline, and %s found nobody or no room",
		    show_count(report, "accepted", n[0]),
		    show_count(report, "fault", n[1]),
		    show_count(report, "deadline", n[2]),
		    show_count(report, "refused", n[3]));
}

static void
put_requests(const struct json *rollout, bool colour, struct buf *out)
{
	const struct json *report = json_get(rollout, "report");
	const struct json *streams = json_get(report, "streams_ended");
	const struct json *pools = json_get(report, "pools");
	struct buf verdict = BUF_INIT;
	char n[3][SHOW_MAX], held[SHOW_MAX];

	view_verdict(report, &verdict);
	put_line(out, STR_FMT, STR_ARG(verdict));
	buf_free(&verdict);
	buf_add_cstr(out, "  ");
	view_accounting(report, colour, out);
	buf_add_char(out, '\n');
	for (size_t i = 0; i < json_len(pools); i++) {
		const struct json *p = json_at(pools, i);

		put_line(out, "%s: %s requests, %s failed",
		    show_text(p, "name"), show_count(p, "requests", n[0]),
		    show_count(p, "failed", n[1]));
	}
	put_line(out, "%s retries, %s requests of sessions that moved",
	    show_count(report, "retries", n[0]),
	    show_count(report, "moved", n[1]));
	put_line(out, "streams: %s ended by themselves, %s closed, %s cut",
	    show_count(streams, "ended", n[0]),
	    show_count(streams, "closed", n[1]),
	    show_count(streams, "cut", n[2]));
	if (json_get_int(report, "held", 0) > 0)
		put_line(out, "held for %s: %s requests, %s of them sent on",
		    show_s(rollout, "held_s", held),
		    show_count(report, "held", n[0]),
		    show_count(report, "released", n[1]));
}

/* ---- the steps ---- */

static void
put_steps(const struct json *rollout, bool colour, struct buf *out)
{
	const struct json *steps = json_get(rollout, "steps");
	struct table *t = table_new(step_columns);
	char n[24], lasted[SHOW_MAX];

	for (size_t i = 0; i < json_len(steps); i++) {
		const struct json *s = json_at(steps, i);
		bool skipped = json_get_truth(s, "skipped", false);

		(void)snprintf(n, sizeof(n), "%zu", i + 1);
		view_cell(t, STYLE_PLAIN, n);
		view_cell(t, STYLE_PLAIN, show_text(s, "text"));
		view_cell(t, STYLE_PLAIN,
		    json_get_int(rollout, "at", 0) < (int64_t)i || skipped
		        ? "-"
		        : show_s(s, "lasted_s", lasted));
		view_cell(t, skipped ? STYLE_DIM : STYLE_PLAIN,
		    skipped ? "skipped" : show_text(s, "said"));
	}
	if (t == NULL)
		out->failed = true;
	else
		table_write(t, colour, 2, out);
	table_free(&t);
}

/* ---- by time ---- */

#define TIMES_MAX 16 /* rows: what is more is added up */

uint64_t
view_counted(const struct json *j, const char *key)
{
	int64_t n = json_get_int(j, key, 0);

	return n < 0 ? 0 : (uint64_t)n;
}

static void
add_pieces(struct table *t, const struct json *line, size_t from, size_t n)
{
	const struct json *first = json_at(line, from);
	size_t n_pools = json_len(json_get(first, "pools"));
	char text[SHOW_MAX];
	char when[SHOW_MAX + 16];
	bool whole = true;
	uint64_t failed = 0;

	for (size_t i = from; i < from + n; i++)
		whole &= json_get_truth(json_at(line, i), "whole", true);
	(void)snprintf(when, sizeof(when), "%s%s",
	    show_moment(first, "began", text), whole ? "" : " (in part)");
	view_cell(t, whole ? STYLE_PLAIN : STYLE_BAD, when);

	for (size_t p = 0; p < n_pools; p++) {
		uint64_t requests = 0;

		for (size_t i = from; i < from + n; i++) {
			const struct json *pool = json_at(
			    json_get(json_at(line, i), "pools"), p);

			requests += view_counted(pool, "requests");
			failed += view_counted(pool, "failed");
		}
		view_cell(t, requests == 0 ? STYLE_DIM : STYLE_PLAIN,
		    show_number((int64_t)requests, text));
	}
	view_cell(t, failed == 0 ? STYLE_DIM : STYLE_BAD,
	    show_number((int64_t)failed, text));
}

static void
put_times(const struct json *rollout, bool colour, struct buf *out)
{
	const struct json *line = json_path(rollout, "report.timeline");
	const struct json *pools = json_get(json_at(line, 0), "pools");
	size_t n = json_len(line), each = (n + TIMES_MAX - 1) / TIMES_MAX;
	struct table_column columns[TABLE_COLUMNS_MAX] = { { "FROM (UTC)",
	    false, NULL } };
	size_t n_columns = 1;
	struct table *t;

	if (n < 2) /* the same as the sums */
		return;
	for (size_t p = 0;
	     p < json_len(pools) && n_columns < TABLE_COLUMNS_MAX - 2; p++)
		columns[n_columns++] = (struct table_column){
			show_text(json_at(pools, p), "name"), true, NULL
		};
	columns[n_columns] = (struct table_column){ "FAILED", true, "0" };
	t = table_new(columns);
	for (size_t i = 0; i < n; i += each)
		add_pieces(t, line, i, MIN(each, n - i));
	if (t == NULL)
		out->failed = true;
	else
		table_write(t, colour, 2, out);
	table_free(&t);
}

static void
put_report(const struct json *status, const struct json *service, bool colour,
    struct buf *out)
{
	const struct json *rollout = json_get(service, "rollout");

	view_rollout_head(status, service, rollout, colour, out);
	if (json_get_truth(rollout, "rehearsal", false))
		put_line(out, "a rehearsal: it has moved nothing");
	put_requests(rollout, colour, out);
	put_steps(rollout, colour, out);
	put_times(rollout, colour, out);
}

/* ---- those before ---- */

static void
add_past(struct table *t, const struct json *p, const struct json *report)
{
	const struct json *counted = report == NULL ? p : report;
	const char *stand = show_text(p, "stand");
	char how[32], id[SHOW_MAX], n[2][SHOW_MAX], held[SHOW_MAX];

	view_cell(t, STYLE_PLAIN, show_count(p, "id", id));
	view_cell(t, STYLE_PLAIN, show_text(p, "to"));
	view_cell(t, STYLE_PLAIN, show_text(p, "version"));
	view_cell(t, STYLE_PLAIN, show_text(p, "began"));
	(void)snprintf(how, sizeof(how), "%s%s", stand,
	    json_get_truth(p, "rehearsal", false) ? " (rehearsal)" : "");
	view_cell(t, strcmp(stand, "done") == 0 ? STYLE_GOOD : STYLE_BAD, how);
	view_cell(t, STYLE_PLAIN, show_count(counted, "accepted", n[0]));
	view_cell(t, STYLE_PLAIN, show_count(counted, "fault", n[1]));
	view_cell(t, STYLE_PLAIN, show_s(p, "held_s", held));
}

static void
put_history(const struct json *status UNUSED, const struct json *service,
    bool colour, struct buf *out)
{
	const struct json *rollout = json_get(service, "rollout");
	const struct json *past = json_get(rollout, "past");
	struct table *t = table_new(past_columns);

	style_add(out, colour, STYLE_BOLD, str_of(show_text(service, "name")));
	buf_add_char(out, '\n');
	for (size_t i = 0; i < json_len(past); i++)
		add_past(t, json_at(past, i), NULL);
	add_past(t, rollout, json_get(rollout, "report"));
	if (t == NULL)
		out->failed = true;
	else
		table_write(t, colour, 2, out);
	table_free(&t);
}

void
view_report(const struct json *status, const struct view *v, struct buf *out)
{
	view_each_rollout(status, v, put_report, out);
}

void
view_history(const struct json *status, const struct view *v, struct buf *out)
{
	view_each_rollout(status, v, put_history, out);
}
