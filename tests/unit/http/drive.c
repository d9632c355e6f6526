#include "drive.h"

#include <string.h>

#include "base/err.h"
#include "http/h1_read.h"
#include "http/h1_write.h"

#define SENT_MAX (160 << 10) /* a head as written: names grow by ": " */
#define RANDOM_CUTS 3

const struct http_limits drive_limits = DRIVE_LIMITS;

/* ---- cuts ---- */

size_t
drive_whole(void *unused, size_t left)
{
	(void)unused;
	return left;
}

size_t
drive_bytes(void *unused, size_t left)
{
	(void)unused;
	(void)left;
	return 1;
}

size_t
drive_at(void *size, size_t left)
{
	size_t n = *(size_t *)size;

	*(size_t *)size = 0;
	return n > 0 && n < left ? n : left;
}

size_t
drive_random(void *state, size_t left)
{
	uint64_t *dice = state;

	*dice ^= *dice << 13; /* xorshift64, Marsaglia 2003 */
	*dice ^= *dice >> 7;
	*dice ^= *dice << 17;
	return 1 + (*dice >> 11) % MIN(left, (*dice & 1) == 0 ? 4u : 64u);
}

/* ---- writing down ---- */

struct turn {
	const struct drive *d;
	struct h1_reader r;
	struct http_limits limits;
	struct http_head h; /* head or trailers */
	struct buf body;
	bool begun;    /* a head was read, its end was not */
	bool chunked;  /* as sent on */
	bool bodyless; /* as sent on */
	bool trailed;
	struct drive_out *out;
};

static void
say(struct turn *t, const char *text)
{
	buf_add_cstr(&t->out->said, text);
	buf_add_cstr(&t->out->told, text);
}

static void
say_both(struct turn *t, struct str s)
{
	buf_add_str(&t->out->said, s);
	buf_add_str(&t->out->told, s);
}

static const char *const framings[] = {
	[FRAMING_NONE] = "none",
	[FRAMING_LENGTH] = "length",
	[FRAMING_CHUNKED] = "chunked",
	[FRAMING_CLOSE] = "close",
};

static void
say_framing(struct turn *t)
{
	char text[48];

	if (t->h.framing == FRAMING_LENGTH)
		(void)snprintf(text, sizeof(text), "length:%llu",
		    (unsigned long long)t->h.body_len);
	else
		(void)snprintf(text, sizeof(text), "%s",
		    t->h.framing == FRAMING_CLOSE ? "until-close"
		                                  : framings[t->h.framing]);
	say(t, text);
}

static void
say_head(struct turn *t)
{
	char status[16];

	if (t->d->is_response) {
		(void)snprintf(status, sizeof(status), "%u", t->h.status);
		say(t, status);
		if (t->h.reason.len > 0)
			say(t, " ");
		say_both(t, t->h.reason);
	} else {
		say_both(t, t->h.method_text);
		say(t, " ");
		say_both(t, t->h.target);
		say(t, " ");
		say_both(t,
		    t->h.has_authority || t->h.authority.len > 0
		        ? t->h.authority
		        : STR("-"));
	}
	say(t, " ");
	say_framing(t);
	say(t, t->h.keep_alive ? " keep" : " close");
	say(t, t->h.minor == 0 ? " 1.0" : "");
	say(t, t->h.expect_continue ? " expect" : "");
	say(t, t->h.upgrade ? " upgrade" : "");
	say(t, t->h.te_trailers ? " te" : "");
}

static struct str
name_of(const struct http_field *f)
{
	return str_from(f->name, f->name_len);
}

static struct str
value_of(const struct http_field *f)
{
	return str_from(f->value, f->value_len);
}

static void
list_fields(const struct http_head *h, bool is_request, struct buf *told,
    struct buf *essence)
{
	for (unsigned i = 0; i < h->n; i++) {
		const struct http_field *f = &h->f[i];
		struct buf *to[] = { told, essence };

		for (int k = 0; k < 2; k++) {
			if (k == 1 &&
			    ((f->flags & HF_DROP) ||
			        (is_request && f->id == FIELD_HOST)))
				continue;
			buf_printf(to[k], "\n%u%s ", f->id,
			    f->flags & HF_DROP ? "-" : "");
			buf_add_str(to[k], name_of(f));
			buf_add_char(to[k], ':');
			buf_add_str(to[k], value_of(f));
		}
	}
}

/* ---- what must hold for whatever was read ---- */

static bool
lies_in(struct str part, struct str in)
{
	return part.len == 0 ||
	    (part.p >= in.p && part.p + part.len <= in.p + in.len);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void
check_fields(const struct http_head *h, struct str in,
    const struct http_limits *limits)
{
	MUST(h->n <= limits->fields);
	for (unsigned i = 0; i < h->n; i++) {
		struct str name = name_of(&h->f[i]), v = value_of(&h->f[i]);

		MUST(name.len > 0 && lies_in(name, in) && lies_in(v, in));
		MUST(name.len + v.len + 3 <= limits->field_bytes);
		MUST(h->f[i].id == http_field_of(name));
		MUST(v.len == 0 ||
		    (!is_blank(v.p[0]) && !is_blank(v.p[v.len - 1])));
		MUST((h->f[i].flags & HF_DROP) ||
		    ((h->have >> h->f[i].id) & 1));
		for (size_t k = 0; k < v.len; k++)
			MUST(v.p[k] != '\r' && v.p[k] != '\n' &&
			    v.p[k] != '\0');
	}
}

static void
check_head(const struct turn *t, struct str in, size_t used)
{
	const struct http_head *h = &t->h;
	bool response = t->d->is_response;

	MUST(used <= t->limits.head_bytes);
	check_fields(h, in, &t->limits);
	MUST(!(HTTP_HAS(h, CONTENT_LENGTH) && HTTP_HAS(h, TRANSFER_ENCODING)));
	MUST((h->framing == FRAMING_NONE) == (t->r.phase == H1_DONE));
	MUST(h->framing != FRAMING_LENGTH ||
	    (h->body_len > 0 && h->body_len <= INT64_MAX));
	MUST(h->framing != FRAMING_CLOSE || response);
	MUST(!(h->expect_continue || h->upgrade) || h->minor == 1);
	MUST(response ? h->status >= 100 && h->status <= 599 : h->status == 0);
	if (response)
		return;
	MUST(h->method_text.len > 0 && h->target.len > 0);
	MUST(h->target.len <= t->limits.target_bytes);
	MUST(h->target.p[0] == '/' || str_eq(h->target, STR("*")) ||
	    h->method == METHOD_CONNECT);
	MUST(h->minor == 0 || h->authority.len > 0);
	MUST(str_find(h->authority, '@') < 0 && str_find(h->target, '#') < 0);
}

/* ---- for the other side ---- */

static void
send_head(struct turn *t)
{
	struct http_head *h = &t->h;
	static char bytes[SENT_MAX];
	struct buf *e = &t->out->essence;
	struct str nobody = STR("nobody");
	ssize_t n;

	http_head_drop_hop_by_hop(h);
	if (!t->d->is_response && h->authority.len == 0)
		h->authority = nobody;
	t->chunked = h->framing == FRAMING_CHUNKED ||
	    h->framing == FRAMING_CLOSE;
	t->bodyless = h->framing == FRAMING_NONE;
	buf_printf(e, "%u ", h->status);
	buf_add_str(e, h->reason);
	buf_add_str(e, h->method_text);
	buf_add_char(e, ' ');
	buf_add_str(e, h->target);
	buf_add_char(e, ' ');
	buf_add_str(e, h->authority);
	buf_printf(e, " %s %llu",
	    framings[t->chunked ? FRAMING_CHUNKED : h->framing],
	    h->framing == FRAMING_LENGTH ? (unsigned long long)h->body_len : 0);
	list_fields(h, !t->d->is_response, &(struct buf){ .failed = true }, e);
	n = h1_write_head(h, t->chunked ? H1W_CHUNKED : 0, bytes,
	    sizeof(bytes));
	MUST(n > 0);
	MUST(h1_write_head(h, t->chunked ? H1W_CHUNKED : 0, bytes,
	         (size_t)n - 1) == E_TOOBIG);
	buf_add(&t->out->sent, bytes, (size_t)n);
}

/* In one chunk, whatever it came in, so that cuts make no difference. */
static void
send_end(struct turn *t)
{
	static char bytes[SENT_MAX];
	char chunk[H1_CHUNK_HEAD_MAX];
	struct buf *sent = &t->out->sent;
	ssize_t n;

	buf_add_cstr(&t->out->essence, "\nbody ");
	buf_add_str(&t->out->essence, buf_str(&t->body));
	if (!t->chunked) {
		buf_add_str(sent, buf_str(&t->body));
	} else {
		if (t->body.len > 0) {
			buf_add(sent, chunk,
			    h1_write_chunk_head(t->body.len, chunk));
			buf_add_str(sent, buf_str(&t->body));
			buf_add_cstr(sent, H1_CHUNK_TAIL);
		}
		if (!t->trailed) {
			t->h.n = 0;
			t->h.have = 0;
		}
		list_fields(&t->h, false, &(struct buf){ .failed = true },
		    &t->out->essence);
		n = h1_write_trailers(&t->h, bytes, sizeof(bytes));
		MUST(n > 0);
		buf_add(sent, bytes, (size_t)n);
	}
	buf_add_cstr(&t->out->essence, "\nend\n");
}

/* ---- reading ---- */

enum next { NEXT_ON, NEXT_MORE, NEXT_STOP };

static void
say_body(struct turn *t)
{
	if (t->body.len == 0)
		return;
	say(t, " body=");
	say_both(t, buf_str(&t->body));
}

static enum next
end_message(struct turn *t)
{
	say_body(t);
	for (unsigned i = 0; t->trailed && i < t->h.n; i++) {
		if (t->h.f[i].flags & HF_DROP)
			continue;
		say(t, " trailer=");
		say_both(t, name_of(&t->h.f[i]));
		say(t, ":");
		say_both(t, value_of(&t->h.f[i]));
	}
	if (t->trailed)
		list_fields(&t->h, false, &t->out->told,
		    &(struct buf){ .failed = true });
	say(t, " end");
	send_end(t);
	buf_reset(&t->body);
	t->begun = t->trailed = false;
	h1_read_next(&t->r);
	return NEXT_ON;
}

static enum next
refuse(struct turn *t)
{
	MUST(t->r.bad > BAD_NONE && t->r.bad < BAD_COUNT);
	t->out->bad = (enum http_bad)t->r.bad;
	say_body(t);
	say(t, t->begun ? " bad " : "bad ");
	say(t, http_bad_name(t->out->bad));
	return NEXT_STOP;
}

static enum next
read_head(struct turn *t, struct str in, size_t *used)
{
	ssize_t n = h1_read_head(&t->r, in, &t->limits, t->d->asked, &t->h);

	MUST(n <= (ssize_t)in.len && (n >= 0 || n == E_SYNTAX));
	if (n >= 0)
		MUST(t->r.bad == BAD_NONE);
	if (n == 0)
		return NEXT_MORE;
	if (n > 0 && t->out->told.len > 0)
		say(t, " | ");
	if (n < 0) {
		say(t, t->out->told.len > 0 ? " | " : "");
		return refuse(t);
	}
	*used = (size_t)n;
	check_head(t, in, *used);
	t->begun = true;
	say_head(t);
	list_fields(&t->h, false, &t->out->told,
	    &(struct buf){ .failed = true });
	send_head(t);
	return t->h.status == 101 ? NEXT_STOP : NEXT_ON;
}

static enum next
read_body(struct turn *t, struct str in, size_t *used)
{
	struct str data;
	enum h1_body_event ev = h1_read_body(&t->r, in, &t->limits, used, &data,
	    &t->h);

	MUST(*used <= in.len);
	switch (ev) {
	case H1_MORE:
		MUST(*used == in.len || t->r.phase == H1_TRAILERS);
		return NEXT_MORE;
	case H1_DATA:
		MUST(data.len > 0 && lies_in(data, in) && *used >= data.len);
		MUST(!t->bodyless);
		buf_add_str(&t->body, data);
		return NEXT_ON;
	case H1_TRAILED:
		MUST(t->r.phase == H1_DONE && t->h.n > 0);
		check_fields(&t->h, in, &t->limits);
		t->trailed = true;
		return end_message(t);
	case H1_END:
		MUST(t->r.phase == H1_DONE);
		return end_message(t);
	case H1_BAD:
		break;
	}
	return refuse(t);
}

/* The reader sees a copy of just the size, each time elsewhere. */
static enum next
step(struct turn *t, struct str unread, size_t *used)
{
	char *exact = malloc(unread.len == 0 ? 1 : unread.len);
	enum next next;

	MUST(exact != NULL);
	if (unread.len > 0)
		memcpy(exact, unread.p, unread.len);
	*used = 0;
	unread.p = exact;
	next = t->begun ? read_body(t, unread, used)
	                : read_head(t, unread, used);
	free(exact);
	return next;
}

static void
at_eof(struct turn *t, size_t unread)
{
	bool whole = h1_read_eof(&t->r);

	MUST(whole || t->begun || unread > 0);
	if (whole && t->begun) {
		(void)end_message(t);
	} else if (!whole) {
		say(t, !t->begun && t->out->told.len > 0 ? " |" : "");
		say_body(t);
		say(t, t->out->told.len > 0 ? " cut" : "cut");
	}
}

void
drive(const struct drive *d, struct str in, drive_cut_fn *cut, void *arg,
    struct drive_out *out)
{
	struct turn *t = calloc(1, sizeof(*t));
	size_t have = 0, off = 0, used;
	enum next next = NEXT_MORE;

	MUST(t != NULL);
	*out = (struct drive_out){ .bad = BAD_NONE };
	t->d = d;
	t->limits = d->limits;
	t->out = out;
	h1_reader_init(&t->r, d->is_response);
	while (next != NEXT_STOP) {
		if (next == NEXT_MORE) {
			if (have == in.len)
				break;
			have += cut(arg, in.len - have);
			MUST(have <= in.len);
		}
		next = step(t, str_sub(in, off, have - off), &used);
		off += used;
		if (!t->begun && next == NEXT_ON)
			out->used = off;
	}
	if (next != NEXT_STOP)
		at_eof(t, have - off);
	/* a NUL behind each, even the empty ones */
	say(t, "");
	buf_add_cstr(&out->sent, "");
	buf_add_cstr(&out->essence, "");
	MUST(!out->said.failed && !out->told.failed && !out->sent.failed);
	buf_free(&t->body);
	free(t);
}

void
drive_free(struct drive_out *out)
{
	buf_free(&out->said);
	buf_free(&out->told);
	buf_free(&out->essence);
	buf_free(&out->sent);
}

/* ---- all at once ---- */

static void
must_equal(struct str a, struct str b, const char *what)
{
	if (str_eq(a, b))
		return;
	(void)fprintf(stderr, "%s:\n" STR_FMT "\nand not\n" STR_FMT "\n", what,
	    STR_ARG(a), STR_ARG(b));
	abort();
}

static void
cut_and_compare(const struct drive *d, struct str in, drive_cut_fn *cut,
    void *arg, const struct drive_out *whole, const char *what)
{
	struct drive_out out;

	drive(d, in, cut, arg, &out);
	must_equal(buf_str(&out.told), buf_str(&whole->told), what);
	must_equal(buf_str(&out.sent), buf_str(&whole->sent), what);
	MUST(out.bad == whole->bad && out.used == whole->used);
	drive_free(&out);
}

/* What was written, read by the next in the chain. */
static void
read_again(const struct drive *d, const struct drive_out *whole)
{
	struct drive wide = *d;
	struct drive_out out;

	/* ours are longer by what we add: blanks, a Host, a chunk's framing */
	wide.limits = (struct http_limits){ .head_bytes = 1 << 20,
		.field_bytes = 1 << 20,
		.target_bytes = 1 << 20,
		.fields = HTTP_FIELDS_MAX };
	drive(&wide, buf_str(&whole->sent), drive_whole, NULL, &out);
	if (out.bad != BAD_NONE)
		must_equal(buf_str(&out.told), buf_str(&whole->told), "again");
	must_equal(buf_str(&out.essence), buf_str(&whole->essence), "essence");
	must_equal(buf_str(&out.sent), buf_str(&whole->sent), "sent");
	drive_free(&out);
}

void
drive_all(const struct drive *d, struct str in, size_t cuts, uint64_t seed,
    struct drive_out *out)
{
	drive(d, in, drive_whole, NULL, out);
	for (size_t at = 1; at < in.len && at <= cuts; at++) {
		size_t size = at;

		cut_and_compare(d, in, drive_at, &size, out, "in two");
	}
	cut_and_compare(d, in, drive_bytes, NULL, out, "one by one");
	for (int i = 0; i < RANDOM_CUTS; i++)
		cut_and_compare(d, in, drive_random, &seed, out, "at random");
	read_again(d, out);
}
