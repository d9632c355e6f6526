/*
 * The report of a rollout as a page for people: HTML that is whole in itself,
 * to be kept, sent on, or printed.
 */
#include <stdio.h>
#include <string.h>

#include "segue/text.h"
#include "segue/view_int.h"

static const char head[] =
    "<!doctype html>\n"
    "<html lang=\"en\">\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>Segue: report</title>\n"
    "<style>\n"
    ":root { color-scheme: light dark }\n"
    "body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem;\n"
    "  margin: 2rem auto; padding: 0 1rem }\n"
    "table { border-collapse: collapse; width: 100%; margin: 1rem 0 }\n"
    "th, td { text-align: left; padding: .3rem .6rem;\n"
    "  border-bottom: 1px solid #8884; vertical-align: top }\n"
    "th { font-weight: 600 }\n"
    "td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }\n"
    "p.verdict { padding: .8rem 1rem; border-left: .4rem solid #888;\n"
    "  background: #8882; font-weight: 600 }\n"
    "p.good { border-color: #2a8a3e }\n"
    "p.bad { border-color: #c62828 }\n"
    "tr.skipped { opacity: .55 }\n"
    "span.bar { display: block; height: .35rem; min-width: 2px;\n"
    "  background: #3b73d1 }\n"
    "span.part { display: inline-block; height: .8rem }\n"
    "span.p0 { background: #8a8f98 }\n"
    "span.p1 { background: #3b73d1 }\n"
    "span.p2 { background: #2a8a3e }\n"
    "span.p3 { background: #b26a00 }\n"
    "span.key { display: inline-block; width: .8rem; height: .8rem;\n"
    "  margin-right: .3rem }\n"
    "code { overflow-wrap: anywhere }\n"
    "</style>\n";

/* ---- writing ---- */

/* Text as text, whatever stands in it. */
static void
put(struct buf *out, const char *text)
{
	struct buf clean = BUF_INIT;

	text_clean(&clean, str_of(text));
	for (size_t i = 0; i < clean.len; i++) {
		switch (clean.p[i]) {
		case '&':
			buf_add_cstr(out, "&amp;");
			break;
		case '<':
			buf_add_cstr(out, "&lt;");
			break;
		case '>':
			buf_add_cstr(out, "&gt;");
			break;
		case '"':
			buf_add_cstr(out, "&quot;");
			break;
		default:
			buf_add_char(out, clean.p[i]);
		}
	}
	out->failed |= clean.failed;
	buf_free(&clean);
}

static void
put_cell(struct buf *out, bool number, const char *text)
{
	buf_add_cstr(out, number ? "<td class=\"n\">" : "<td>");
	put(out, text);
	buf_add_cstr(out, "</td>");
}

static void
put_count(struct buf *out, const struct json *of, const char *key)
{
	char n[SHOW_MAX];

	put_cell(out, true, show_count(of, key, n));
}

static void
put_row(struct buf *out, const char *what, const char *text)
{
	buf_add_cstr(out, "<tr><th>");
	put(out, what);
	buf_add_cstr(out, "</th>");
	put_cell(out, false, text);
	buf_add_cstr(out, "</tr>\n");
}

/* ---- what became of it ---- */

static void
put_verdict(struct buf *out, const struct json *report)
{
	struct buf text = BUF_INIT;
	bool good;

	view_verdict(report, &text);
	good = text.p != NULL && strncmp(text.p, "0 lost", 6) == 0;
	buf_printf(out, "<p class=\"verdict %s\">", good ? "good" : "bad");
	put(out, text.p == NULL ? "" : text.p);
	buf_add_cstr(out, "</p>\n");
	buf_free(&text);
}

static void
put_facts(struct buf *out, const struct json *service,
    const struct json *rollout)
{
	const struct json *no_return = json_get(rollout, "no_return");
	const struct json *conditions = json_get(service, "conditions");
	char held[SHOW_MAX];

	buf_add_cstr(out, "<table>\n");
	put_row(out, "Version", show_text(rollout, "version"));
	put_row(out, "How it ended", show_text(rollout, "stand"));
	if (json_get_text(rollout, "why", "")[0] != '\0')
		put_row(out, "Why", show_text(rollout, "why"));
	put_row(out, "By", show_text(rollout, "who"));
	put_row(out, "Began", show_text(rollout, "began"));
	put_row(out, "Ended", show_text(rollout, "ended"));
	put_row(out, "Requests held for", show_s(rollout, "held_s", held));
	if (json_is_object(no_return))
		put_row(out, "A way back",
		    json_get_truth(no_return, "passed", false)
		        ? "none, since the point of no return was passed"
		        : "there was one all the time");
	for (size_t i = 0; i < json_len(conditions); i++) {
		const struct json *c = json_at(conditions, i);
		struct buf text = BUF_INIT;

		buf_printf(&text, "%s %s", show_text(c, "status"),
		    json_get_text(c, "message", ""));
		put_row(out, show_text(c, "type"),
		    text.p == NULL ? "" : text.p);
		buf_free(&text);
	}
	buf_add_cstr(out, "</table>\n");
}

/* Invariant 1, a column each. */
static void
put_account(struct buf *out, const struct json *report)
{
	static const char *const keys[] = { "accepted", "answered", "ours",
		"client", "deadline", "fault", "in_flight", "retries", "moved",
		"held" };
	static const char *const names[] = { "accepted", "answered", "ours",
		"client", "deadline", "fault", "in flight", "retries", "moved",
		"held" };

	buf_add_cstr(out, "<h3>Requests</h3>\n<table>\n<tr>");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		buf_printf(out, "<th class=\"n\">%s</th>", names[i]);
	buf_add_cstr(out, "</tr>\n<tr>");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		put_count(out, report, keys[i]);
	buf_add_cstr(out, "</tr>\n</table>\n");
}

static void
put_pools(struct buf *out, const struct json *report)
{
	const struct json *pools = json_get(report, "pools");
	const struct json *streams = json_get(report, "streams_ended");

	buf_add_cstr(out,
	    "<table>\n<tr><th>pool</th><th class=\"n\">requests</th>"
	    "<th class=\"n\">failed</th></tr>\n");
	for (size_t i = 0; i < json_len(pools); i++) {
		const struct json *p = json_at(pools, i);

		buf_add_cstr(out, "<tr>");
		put_cell(out, false, show_text(p, "name"));
		put_count(out, p, "requests");
		put_count(out, p, "failed");
		buf_add_cstr(out, "</tr>\n");
	}
	buf_add_cstr(out,
	    "</table>\n<table>\n<tr><th>streams</th>"
	    "<th class=\"n\">ended by themselves</th>"
	    "<th class=\"n\">closed</th><th class=\"n\">cut</th></tr>\n"
	    "<tr><td></td>");
	put_count(out, streams, "ended");
	put_count(out, streams, "closed");
	put_count(out, streams, "cut");
	buf_add_cstr(out, "</tr>\n</table>\n");
}

/* ---- where the time went ---- */

static double
lasted(const struct json *step)
{
	double s = 0;

	return json_number(json_get(step, "lasted_s"), &s) && s > 0 ? s : 0;
}

static void
put_step(struct buf *out, const struct json *s, size_t n, bool begun,
    double longest)
{
	bool skipped = json_get_truth(s, "skipped", false);
	char took[SHOW_MAX];

	buf_printf(out, "<tr%s><td class=\"n\">%zu</td>",
	    skipped ? " class=\"skipped\"" : "", n);
	put_cell(out, false, show_text(s, "text"));
	put_cell(out, true,
	    begun && !skipped ? show_s(s, "lasted_s", took) : "-");
	buf_add_cstr(out, "<td style=\"width: 25%\">");
	if (begun && !skipped && longest > 0)
		buf_printf(out,
		    "<span class=\"bar\" style=\"width: %.1f%%\"></span>",
		    100 * lasted(s) / longest);
	buf_add_cstr(out, "</td><td><code>");
	put(out, skipped ? "skipped" : show_text(s, "said"));
	buf_add_cstr(out, "</code></td></tr>\n");
}

static void
put_steps(struct buf *out, const struct json *rollout)
{
	const struct json *steps = json_get(rollout, "steps");
	int64_t at = json_get_int(rollout, "at", 0);
	double longest = 0;

	for (size_t i = 0; i < json_len(steps); i++)
		longest = MAX(longest, lasted(json_at(steps, i)));
	buf_add_cstr(out,
	    "<h3>Steps</h3>\n<table>\n<tr><th class=\"n\">N</th><th>step</th>"
	    "<th class=\"n\">lasted</th><th></th><th>said</th></tr>\n");
	for (size_t i = 0; i < json_len(steps); i++)
		put_step(out, json_at(steps, i), i + 1, (int64_t)i <= at,
		    longest);
	buf_add_cstr(out, "</table>\n");
}

/* ---- requests by time ---- */

#define COLOURS 4

static uint64_t
requests_of(const struct json *piece, const char *key)
{
	const struct json *pools = json_get(piece, "pools");
	uint64_t sum = 0;

	for (size_t p = 0; p < json_len(pools); p++)
		sum += view_counted(json_at(pools, p), key);
	return sum;
}

static void
put_piece(struct buf *out, const struct json *piece, uint64_t most)
{
	const struct json *pools = json_get(piece, "pools");
	char text[SHOW_MAX], when[SHOW_MAX + 16];

	buf_add_cstr(out, "<tr>");
	(void)snprintf(when, sizeof(when), "%s%s",
	    show_moment(piece, "began", text),
	    json_get_truth(piece, "whole", true) ? "" : " (in part)");
	put_cell(out, false, when);
	for (size_t p = 0; p < json_len(pools); p++)
		put_count(out, json_at(pools, p), "requests");
	put_cell(out, true,
	    show_number((int64_t)requests_of(piece, "failed"), text));
	buf_add_cstr(out, "<td style=\"width: 40%; white-space: nowrap\">");
	for (size_t p = 0; p < json_len(pools) && most > 0; p++)
		buf_printf(out,
		    "<span class=\"part p%zu\" style=\"width: %.1f%%\"></span>",
		    p % COLOURS,
		    100 * (double)view_counted(json_at(pools, p), "requests") /
		        (double)most);
	buf_add_cstr(out, "</td></tr>\n");
}

static void
put_times(struct buf *out, const struct json *report)
{
	const struct json *line = json_get(report, "timeline");
	const struct json *pools = json_get(json_at(line, 0), "pools");
	uint64_t most = 0;

	if (json_len(line) < 2) /* the same as the sums */
		return;
	buf_add_cstr(out,
	    "<h3>Requests by time</h3>\n<table>\n<tr><th>from (UTC)</th>");
	for (size_t p = 0; p < json_len(pools); p++) {
		buf_printf(out,
		    "<th class=\"n\"><span class=\"key p%zu\"></span>",
		    p % COLOURS);
		put(out, show_text(json_at(pools, p), "name"));
		buf_add_cstr(out, "</th>");
	}
	buf_add_cstr(out, "<th class=\"n\">failed</th><th></th></tr>\n");
	for (size_t i = 0; i < json_len(line); i++)
		most = MAX(most, requests_of(json_at(line, i), "requests"));
	for (size_t i = 0; i < json_len(line); i++)
		put_piece(out, json_at(line, i), most);
	buf_add_cstr(out, "</table>\n");
}

/* ---- all of it ---- */

static void
put_service(const struct json *status UNUSED, const struct json *service,
    bool colour UNUSED, struct buf *out)
{
	const struct json *rollout = json_get(service, "rollout");
	const struct json *report = json_get(rollout, "report");

	buf_add_cstr(out, "<h2>");
	put(out, show_text(service, "name"));
	buf_add_cstr(out, " to ");
	put(out, show_text(rollout, "to"));
	buf_add_cstr(out, "</h2>\n");
	if (json_get_truth(rollout, "rehearsal", false))
		buf_add_cstr(out,
		    "<p>A rehearsal: it has moved nothing.</p>\n");
	put_verdict(out, report);
	put_facts(out, service, rollout);
	put_account(out, report);
	put_pools(out, report);
	put_steps(out, rollout);
	put_times(out, report);
}

void
view_page(const struct json *status, const struct view *v, struct buf *out)
{
	buf_add_cstr(out, head);
	buf_add_cstr(out, "<h1>Rollouts</h1>\n");
	view_each_rollout(status, v, put_service, out);
	buf_add_cstr(out, "<p>segued ");
	put(out, show_text(status, "version"));
	buf_add_cstr(out, ", ");
	put(out, show_text(status, "now"));
	buf_add_cstr(out, "</p>\n</html>\n");
}
