#include "segue/wait.h"

#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "segue/client.h"
#include "segue/interrupt.h"
#include "segue/run.h"
#include "segue/show.h"
#include "segue/sse.h"
#include "segue/style.h"
#include "segue/text.h"

#define PLAIN_EVERY_US US_PER_S
/* Beyond its own bound the daemon may take so long to say that it is over. */
#define OVERTIME_US (5 * US_PER_S)

struct wait {
	struct run *run;
	struct client_call call;
	struct sse sse;
	struct answer *out;
	bool ended;       /* "result" came */
	bool drawn;       /* a line stands on the terminal */
	struct buf told;  /* the last plain line */
	uint64_t told_us; /* monotonic */
};

/* ---- how it stands ---- */

/* "in flight 3, sessions 41": what is not zero. */
static void
add_counts(const struct json *p, struct buf *out)
{
	static const struct {
		const char *key, *word;
	} rows[] = { { "in_flight", "in flight" }, { "streams", "streams" },
		{ "sessions", "sessions" } };
	size_t began = out->len;
	char n[SHOW_MAX];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (json_get_int(p, rows[i].key, 1) != 0)
			buf_printf(out, "%s%s %s",
			    out->len == began ? "" : ", ", rows[i].word,
			    show_count(p, rows[i].key, n));
}

void
wait_line(const struct json *p, struct buf *out)
{
	struct buf counts = BUF_INIT;
	char lasts[SHOW_MAX];
	size_t began;

	add_counts(p, &counts);
	buf_printf(out, "%s: ", show_us(p, "lasts_us", lasts));
	began = out->len;
	text_clean(out, str_of(json_get_text(p, "holds", "")));
	if (out->len == began)
		buf_add_str(out,
		    counts.len > 0 ? buf_str(&counts) : STR("waiting"));
	else if (counts.len > 0)
		buf_printf(out, " (" STR_FMT ")", STR_ARG(counts));
	out->failed = out->failed || counts.failed;
	buf_free(&counts);
}

/* "12.3s" or "4m05s;" */
static bool
is_clock(struct str word)
{
	while (word.len > 0 && strchr(",;:.", word.p[word.len - 1]) != NULL)
		word.len--;
	return word.len > 1 && word.p[0] >= '0' && word.p[0] <= '9' &&
	    word.p[word.len - 1] >= 'a';
}

static void
without_clocks(struct str line, struct buf *out)
{
	while (line.len > 0) {
		struct str word = str_split(&line, ' ');

		if (is_clock(word))
			continue;
		buf_add_str(out, word);
		buf_add_char(out, ' ');
	}
}

bool
wait_differs(struct str a, struct str b)
{
	struct buf x = BUF_INIT, y = BUF_INIT;
	bool differs;

	without_clocks(a, &x);
	without_clocks(b, &y);
	differs = !str_eq(buf_str(&x), buf_str(&y));
	buf_free(&x);
	buf_free(&y);
	return differs;
}

static void
draw(struct wait *w, struct str line, unsigned columns)
{
	fprintf(w->run->err, "\r" STR_FMT "\033[K",
	    (int)text_fit(line, columns - 1), line.p);
	fflush(w->run->err);
	w->drawn = true;
}

static void
undraw(struct wait *w)
{
	if (w->drawn)
		fputs("\r\033[K", w->run->err);
	w->drawn = false;
}

static void
tell(struct wait *w, struct buf *line)
{
	uint64_t now = clock_mono_us();

	if (w->told_us != 0 &&
	    (now - w->told_us < PLAIN_EVERY_US ||
	        !wait_differs(buf_str(&w->told), buf_str(line))))
		return;
	fprintf(w->run->err, STR_FMT "\n", STR_ARG(*line));
	fflush(w->run->err);
	w->told_us = now;
	buf_reset(&w->told);
	buf_add_str(&w->told, buf_str(line));
}

static void
show_progress(struct wait *w, struct str data)
{
	unsigned columns = style_columns(w->run->err);
	struct buf line = BUF_INIT;
	struct json *doc;
	char why[128];

	/* programs that read both streams get nothing unasked */
	if (w->run->quiet || (w->run->json && columns == 0))
		return;
	doc = json_read(data, why, sizeof(why));
	wait_line(doc, &line);
	if (columns > 1)
		draw(w, buf_str(&line), columns);
	else
		tell(w, &line);
	json_free(&doc);
	buf_free(&line);
}

/* ---- what comes ---- */

static int
on_event(const char *id UNUSED, const char *event, struct str data, void *arg)
{
	struct wait *w = arg;

	if (strcmp(event, "progress") == 0)
		show_progress(w, data);
	if (strcmp(event, "result") != 0)
		return E_OK;
	buf_add_str(&w->out->text, data);
	w->ended = true;
	return w->out->text.failed ? E_NOMEM : E_EOF;
}

static int
on_body(struct str piece, void *arg)
{
	struct wait *w = arg;

	if (strcmp(w->call.reply.type, "text/event-stream") == 0)
		return sse_feed(&w->sse, piece);
	if (w->out->text.len + piece.len > ANSWER_BYTES_MAX)
		return E_TOOBIG;
	buf_add_str(&w->out->text, piece);
	return w->out->text.failed ? E_NOMEM : E_OK;
}

/* ---- how it ended ---- */

static int
say_interrupted(struct wait *w, const char *what)
{
	return run_fail(w->run, client_end_exit(CLIENT_INTERRUPTED),
	    client_end_name(CLIENT_INTERRUPTED),
	    "no longer waiting; %s goes on, \"segue status\" shows it", what);
}

static int
judge(struct wait *w)
{
	bool is_stream = strcmp(w->call.reply.type, "text/event-stream") == 0;
	int status = w->call.reply.status;
	char why[128];

	if (is_stream && !w->ended)
		return run_fail(w->run, SEGUE_EXIT_UNREACHABLE,
		    client_end_name(CLIENT_CUT),
		    "segued ended the answer without a result; what was begun "
		    "goes on, \"segue status\" shows it");
	w->out->doc = json_read(buf_str(&w->out->text), why, sizeof(why));
	if (is_stream)
		status = (int)json_get_int(w->out->doc, "status", 500);
	w->out->status = status;
	return answer_judge(w->run, status, w->out->doc,
	    buf_str(&w->out->text));
}

static void
prepare(struct wait *w, struct str body)
{
	uint64_t bound = w->run->args.number[OPT_TIMEOUT];

	w->call = (struct client_call){ .method = "POST",
		.path = ADMIN_COMMAND,
		.accept = "text/event-stream",
		.body = body,
		.answer_us = bound == 0 ? 0 : bound + OVERTIME_US,
		.silence_us = WAIT_SILENCE_US,
		.on_body = on_body,
		.arg = w };
	if (bound > UINT64_MAX - OVERTIME_US)
		w->call.answer_us = 0;
}

int
wait_post(struct run *r, struct str body, const char *what, struct answer *out)
{
	struct wait w = { .run = r, .out = out };
	enum client_end end;
	int exit;

	*out = (struct answer){ .status = 0 };
	prepare(&w, body);
	sse_init(&w.sse, on_event, &w);
	interrupt_arm();
	end = client_call(r->socket, &w.call);
	undraw(&w);
	if (end == CLIENT_DONE)
		exit = judge(&w);
	else if (end == CLIENT_INTERRUPTED && w.call.sent)
		exit = say_interrupted(&w, what);
	else
		exit = run_fail(r, client_end_exit(end), client_end_name(end),
		    "%s%s", w.call.why,
		    w.call.sent
		        ? "; what was begun goes on, \"segue status\" shows it"
		        : "");
	interrupt_disarm();
	sse_free(&w.sse);
	buf_free(&w.told);
	if (exit != SEGUE_EXIT_DONE)
		answer_free(out);
	return exit;
}
