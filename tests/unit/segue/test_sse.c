/* Event streams, cut at every byte. */
#include "segue/sse.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/err.h"

/* "id/event/data;" an event; line ends in data show as "~" */
static int
note(const char *id, const char *event, struct str data, void *arg)
{
	struct buf *out = arg;

	buf_printf(out, "%s/%s/", id, event);
	for (size_t i = 0; i < data.len; i++)
		buf_add_char(out, data.p[i] == '\n' ? '~' : data.p[i]);
	buf_add_char(out, ';');
	return E_OK;
}

/* clang-format off */
static const struct {
	const char *why, *in, *out;
} rows[] = {
	{ "one", "data: x\n\n", "/message/x;" },
	{ "with all fields", "id: 7\nevent: progress\ndata: x\n\n",
	    "7/progress/x;" },
	{ "CR and LF", "event: a\r\ndata: x\r\n\r\n", "/a/x;" },
	{ "CR", "event: a\rdata: x\r\r", "/a/x;" },
	{ "lines are joined", "data: x\ndata: y\n\n", "/message/x~y;" },
	{ "no blank needed", "data:x\n\n", "/message/x;" },
	{ "one blank goes, others stay", "data:  x\n\n", "/message/ x;" },
	{ "a colon in the value", "data: a:b\n\n", "/message/a:b;" },
	{ "comments are skipped", ": hello\ndata: x\n:\n\n", "/message/x;" },
	{ "unknown fields are skipped", "retry: 3\nodd: x\ndata: x\n\n",
	    "/message/x;" },
	{ "event without data is none", "event: a\n\ndata: x\n\n",
	    "/message/x;" },
	{ "data without a value", "data\n\n", "/message/;" },
	{ "two lines without values", "data\ndata\n\n", "/message/~;" },
	{ "the id stays", "id: 1\ndata: x\n\ndata: y\n\n",
	    "1/message/x;1/message/y;" },
	{ "the type does not", "event: a\ndata: x\n\ndata: y\n\n",
	    "/a/x;/message/y;" },
	{ "an id may be emptied", "id: 1\ndata: x\n\nid\ndata: y\n\n",
	    "1/message/x;/message/y;" },
	{ "byte order mark", "\xEF\xBB\xBF" "data: x\n\n", "/message/x;" },
	{ "only the first", "data: x\n\n\xEF\xBB\xBF" "data: y\n\n",
	    "/message/x;" },
	{ "cut by the end", "data: x\n\ndata: y\n", "/message/x;" },
	{ "many empty lines", "\n\n\ndata: x\n\n\n\n", "/message/x;" },
};
/* clang-format on */

Test(sse, streams, .timeout = 10)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str in = str_of(rows[i].in);

		for (size_t cut = 0; cut <= in.len; cut++) {
			struct buf out = BUF_INIT;
			struct sse s;

			sse_init(&s, note, &out);
			cr_expect_eq(sse_feed(&s, str_sub(in, 0, cut)), E_OK);
			cr_expect_eq(sse_feed(&s, str_sub(in, cut, in.len)),
			    E_OK);
			buf_add_cstr(&out, "");
			cr_expect_str_eq(out.p, rows[i].out, "%s, cut %zu: %s",
			    rows[i].why, cut, out.p);
			sse_free(&s);
			buf_free(&out);
		}
	}
}

/* One event is bounded, be it one line or many; a stream is not. */
Test(sse, bounds, .timeout = 10)
{
	static const char *const pieces[] = { "xxxxxxxxxxxxxxxx",
		"data: xxxxxxxxxxxxxxxx\n" };

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct buf out = BUF_INIT;
		struct sse s;
		size_t fed = 0;
		int rc = E_OK;

		sse_init(&s, note, &out);
		while (rc == E_OK && fed < 4 * SSE_EVENT_MAX) {
			rc = sse_feed(&s, str_of(pieces[i]));
			fed += strlen(pieces[i]);
		}
		cr_expect_eq(rc, E_TOOBIG);
		cr_expect_leq(s.line.len + s.data.len, SSE_EVENT_MAX);
		sse_free(&s);
		buf_free(&out);
	}
}

static int
enough(const char *id UNUSED, const char *event UNUSED, struct str data,
    void *arg)
{
	buf_add_str(arg, data);
	return E_EOF;
}

Test(sse, listener_ends_it, .timeout = 5)
{
	struct buf out = BUF_INIT;
	struct sse s;

	sse_init(&s, enough, &out);
	cr_expect_eq(sse_feed(&s, STR("data: x\n\ndata: y\n\n")), E_EOF);
	cr_expect(str_eq(buf_str(&out), STR("x")));
	sse_free(&s);
	buf_free(&out);
}
