/*
 * The steps of a rollout: those done, the one it is at, those to come.
 */
#include <string.h>

#include "base/units.h"
#include "segue/text.h"
#include "segue/view_int.h"

static const struct table_column columns[] = {
	{ "N", true, NULL },
	{ "STEP", false, NULL },
	{ "HOW", false, NULL },
	{ NULL, false, NULL },
};

static const struct {
	const char *stand;
	enum style style;
	const char *here, *behind; /* the step it is at; those after it */
} stands[] = {
	{ "running", STYLE_WARN, "now", "to come" },
	{ "paused", STYLE_BAD, "paused", "to come" },
	{ "done", STYLE_GOOD, "-", "-" },
	{ "rolled_back", STYLE_BAD, "rolled back here", "-" },
	{ "aborted", STYLE_BAD, "given up here", "-" },
};

static size_t
row_of(const char *stand)
{
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(stands) && strcmp(stands[i].stand, stand) != 0)
		i++;
	return i;
}

/* "done in 2.3s, exit 0: 41 tables migrated" */
static void
add_how(struct table *t, enum style style, const char *word,
    const struct json *step)
{
	struct buf how = BUF_INIT;
	char took[SHOW_MAX];

	buf_add_cstr(&how, word);
	if (!json_is_null(json_get(step, "exit"))) {
		buf_printf(&how, ", job ended after %s",
		    show_s(step, "took_s", took));
		if (json_get_int(step, "exit", 0) > 0)
			buf_printf(&how, " with %d",
			    (int)json_get_int(step, "exit", 0));
	}
	if (json_get_text(step, "said", "")[0] != '\0')
		buf_printf(&how, ": %s", json_get_text(step, "said", ""));
	view_cell(t, style, how.failed ? word : how.p);
	buf_free(&how);
}

/* A rehearsal does not do what moves traffic. */
static const char *
word_of_done(const struct json *rollout, const struct json *step)
{
	const char *kind = json_get_text(step, "step", "");

	return json_get_truth(rollout, "rehearsal", false) &&
	        strcmp(kind, "job") != 0 && strcmp(kind, "check") != 0
	    ? "passed"
	    : "done";
}

static void
add_step(struct table *t, const struct json *rollout, size_t i)
{
	size_t at = (size_t)json_get_int(rollout, "at", 0);
	size_t row = row_of(json_get_text(rollout, "stand", ""));
	const struct json *step = json_at(json_get(rollout, "steps"), i);
	const char *word = json_get_truth(step, "skipped", false) ? "skipped"
	    : i < at  ? word_of_done(rollout, step)
	    : i == at ? stands[row].here
	              : stands[row].behind;
	enum style style = i < at ? STYLE_GOOD
	    : i == at             ? stands[row].style
	                          : STYLE_DIM;
	char n[24];

	(void)snprintf(n, sizeof(n), "%zu", i + 1);
	view_cell(t, STYLE_PLAIN, n);
	view_cell(t, i < at ? STYLE_PLAIN : style, show_text(step, "text"));
	add_how(t, style, word, step);
}

#define OUTPUT_LINES 10

/* The last lines that a job wrote which runs, or has not done its work. */
static void
put_output(const struct json *rollout, struct buf *out)
{
	const struct json *run = json_get(rollout, "run");
	struct str text = str_of(json_get_text(run, "output", ""));
	size_t n = 0;

	if (strcmp(json_get_text(run, "verdict", ""), "ok") == 0)
		return;
	while (text.len > 0 && text.p[text.len - 1] == '\n')
		text.len--;
	for (size_t i = text.len; i-- > 0;) {
		if (text.p[i] != '\n' || ++n < OUTPUT_LINES)
			continue;
		text = str_from(text.p + i + 1, text.len - i - 1);
		break;
	}
	while (text.len > 0) {
		struct buf line = BUF_INIT;

		buf_add_cstr(&line, "  | ");
		text_clean(&line, str_split(&text, '\n'));
		buf_add_char(&line, '\n');
		buf_add_str(out, buf_str(&line));
		out->failed |= line.failed;
		buf_free(&line);
	}
}

/* "web to v2: step 2 of 3, promote; begun 5s ago by root(0)" */
void
view_rollout_head(const struct json *status, const struct json *service,
    const struct json *rollout, bool colour, struct buf *out)
{
	const char *now = json_get_text(status, "now", NULL);
	struct buf raw = BUF_INIT, clean = BUF_INIT;
	char began[SHOW_MAX], ended[SHOW_MAX];

	buf_printf(&raw, "%s to %s: %s; begun %s ago by %s",
	    show_text(service, "name"), show_text(rollout, "to"),
	    show_text(rollout, "where"),
	    show_age(now, json_get_text(rollout, "began", NULL), began),
	    show_text(rollout, "who"));
	if (json_get_text(rollout, "ended", NULL) != NULL)
		buf_printf(&raw, ", ended %s ago",
		    show_age(now, json_get_text(rollout, "ended", NULL),
		        ended));
	text_clean(&clean, buf_str(&raw));
	style_add(out, colour, STYLE_BOLD, buf_str(&clean));
	buf_add_char(out, '\n');
	out->failed |= raw.failed || clean.failed;
	buf_free(&raw);
	buf_free(&clean);
}

/* What it waits for; else "4m12s left; of 812 requests to v2 3 failed, of 9,120 elsewhere 20" */
static void
put_now(const struct json *rollout, bool colour, struct buf *out)
{
	const struct json *a = json_get(rollout, "analysis");
	const struct json *own = json_get(a, "own");
	const struct json *others = json_get(a, "others");
	struct buf raw = BUF_INIT, clean = BUF_INIT;
	char n[7][SHOW_MAX];

	buf_add_cstr(&raw, json_get_text(rollout, "holds", ""));
	if (!json_is_null(json_get(rollout, "left_s")))
		buf_printf(&raw, "%s%s left", raw.len > 0 ? "; " : "",
		    show_s(rollout, "left_s", n[0]));
	if (json_is_object(a))
		buf_printf(&raw,
		    "%sof %s requests to %s %s failed, of %s elsewhere %s; "
		    "nine of ten took up to %s, elsewhere %s",
		    raw.len > 0 ? "; " : "", show_count(own, "requests", n[1]),
		    show_text(rollout, "to"), show_count(own, "failed", n[2]),
		    show_count(others, "requests", n[3]),
		    show_count(others, "failed", n[4]),
		    show_us(own, "p90_us", n[5]),
		    show_us(others, "p90_us", n[6]));
	if (json_get_truth(a, "logins", false))
		buf_printf(&raw,
		    "; of %s logins %s came to their end, of %s elsewhere %s",
		    show_count(own, "logins_begun", n[1]),
		    show_count(own, "logins_done", n[2]),
		    show_count(others, "logins_begun", n[3]),
		    show_count(others, "logins_done", n[4]));
	if (raw.len > 0) {
		text_clean(&clean, buf_str(&raw));
		buf_add_cstr(out, "  ");
		style_add(out, colour, STYLE_PLAIN, buf_str(&clean));
		buf_add_char(out, '\n');
	}
	out->failed |= raw.failed || clean.failed;
	buf_free(&raw);
	buf_free(&clean);
}

static void
put_rollout(const struct json *status, const struct json *service, bool colour,
    struct buf *out)
{
	const struct json *rollout = json_get(service, "rollout");
	struct table *t = table_new(columns);

	view_rollout_head(status, service, rollout, colour, out);
	put_now(rollout, colour, out);
	for (size_t i = 0; i < json_len(json_get(rollout, "steps")); i++)
		add_step(t, rollout, i);
	if (t == NULL)
		out->failed = true;
	else
		table_write(t, colour, 2, out);
	table_free(&t);
	put_output(rollout, out);
}

void
view_each_rollout(const struct json *status, const struct view *v,
    view_one_fn *put, struct buf *out)
{
	const struct json *services = json_get(status, "services");
	size_t n = 0;

	for (size_t i = 0; i < json_len(services); i++) {
		const struct json *s = json_at(services, i);

		if ((v->service != NULL &&
		        strcmp(show_text(s, "name"), v->service) != 0) ||
		    !json_is_object(json_get(s, "rollout")))
			continue;
		if (n++ > 0)
			buf_add_char(out, '\n');
		put(status, s, v->colour, out);
	}
	if (n == 0)
		buf_add_cstr(out, "there is no rollout\n");
}

void
view_rollout(const struct json *status, const struct view *v, struct buf *out)
{
	view_each_rollout(status, v, put_rollout, out);
}
