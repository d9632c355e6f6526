/* Field sections of HTTP/2: what they become, and what is refused. */
#include "http/h2_block.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/slab.h"

static struct slab_store *slabs;
static const struct http_limits limits = { 2000, 1000, 300, 12 };

static void
up(void)
{
	slabs = slab_store_new(4);
}

static void
down(void)
{
	slab_store_free(&slabs);
}

TestSuite(h2_block, .init = up, .fini = down, .timeout = 10);

/* "name=value" a line. */
static struct slab *
read_block(enum h2_kind kind, const char *lines, bool end)
{
	struct slab *s = h2_block_begin(slabs, kind);
	struct str rest = str_of(lines);

	cr_assert_not_null(s);
	while (rest.len > 0) {
		struct str value = str_split(&rest, '\n');
		struct str name = str_split(&value, '=');

		h2_block_field(s, &limits, name, value);
	}
	h2_block_end(s, &limits, end, METHOD_GET);
	return s;
}

#define GET_ ":method=GET\n:scheme=http\n:path=/a?b\n:authority=a.example\n"
#define POST_ ":method=POST\n:scheme=http\n:path=/\n:authority=a.example\n"
#define CONNECT_                                                               \
	":method=CONNECT\n:scheme=http\n:path=/ws?a\n:authority=a.example\n"
#define TEN "xxxxxxxxxx"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct {
	const char *why;
	enum h2_kind kind;
	const char *in;
	bool end;
	enum http_bad bad;
	enum http_framing framing;
	const char *name, *value; /* a field it must have; NULL: none such */
} rows[] = {
	{ "a request", H2_REQUEST, GET_ "x=y\n", true, BAD_NONE, FRAMING_NONE,
	    "x", "y" },
	{ ":authority is Host", H2_REQUEST, GET_, true, BAD_NONE, FRAMING_NONE,
	    "Host", "a.example" },
	{ "Host alone", H2_REQUEST,
	    ":method=GET\n:scheme=http\n:path=/\nhost=b.example\n", true,
	    BAD_NONE, FRAMING_NONE, "Host", "b.example" },
	{ "Host as :authority, in other letters", H2_REQUEST,
	    GET_ "host=A.Example\n", true, BAD_NONE, FRAMING_NONE, "Host",
	    "A.Example" },
	{ "Host unlike :authority", H2_REQUEST, GET_ "host=b.example\n", true,
	    BAD_HOST_TWICE, 0, NULL, NULL },
	{ "a body of unknown length", H2_REQUEST, POST_, false, BAD_NONE,
	    FRAMING_CHUNKED, "Content-Length", NULL },
	{ "a body of a known length", H2_REQUEST, POST_ "content-length=5\n",
	    false, BAD_NONE, FRAMING_LENGTH, "Content-Length", "5" },
	{ "a length of none, and yet no end", H2_REQUEST,
	    POST_ "content-length=0\n", false, BAD_NONE, FRAMING_NONE,
	    "Content-Length", "0" },
	{ "a POST without content says so", H2_REQUEST, POST_, true, BAD_NONE,
	    FRAMING_NONE, "Content-Length", "0" },
	{ "a GET need not", H2_REQUEST, GET_, true, BAD_NONE, FRAMING_NONE,
	    "Content-Length", NULL },
	{ "crumbs of cookies are joined", H2_REQUEST,
	    GET_ "cookie=a=1\nx=y\ncookie=b=2\ncookie=c=3\n", true, BAD_NONE,
	    FRAMING_NONE, "Cookie", "a=1; b=2; c=3" },
	{ "one cookie is left as it is", H2_REQUEST, GET_ "cookie=a=1\n", true,
	    BAD_NONE, FRAMING_NONE, "Cookie", "a=1" },
	{ "a length that is no number", H2_REQUEST, POST_ "content-length=5x\n",
	    false, BAD_LENGTH_SYNTAX, 0, NULL, NULL },
	{ "absolute form", H2_REQUEST,
	    ":method=GET\n:scheme=http\n:path=http://a/\n:authority=a\n", true,
	    BAD_TARGET, 0, NULL, NULL },
	{ "a fragment", H2_REQUEST,
	    ":method=GET\n:scheme=http\n:path=/a#b\n:authority=a\n", true,
	    BAD_TARGET, 0, NULL, NULL },
	{ "\"*\" is for OPTIONS only", H2_REQUEST,
	    ":method=GET\n:scheme=http\n:path=*\n:authority=a\n", true,
	    BAD_TARGET, 0, NULL, NULL },
	{ "OPTIONS of all", H2_REQUEST,
	    ":method=OPTIONS\n:scheme=http\n:path=*\n:authority=a\n", true,
	    BAD_NONE, FRAMING_NONE, NULL, NULL },
	{ "a method that is no token", H2_REQUEST,
	    ":method=G T\n:scheme=http\n:path=/\n:authority=a\n", true,
	    BAD_METHOD, 0, NULL, NULL },
	{ "a user in :authority", H2_REQUEST,
	    ":method=GET\n:scheme=http\n:path=/\n:authority=me@a\n", true,
	    BAD_HOST_SYNTAX, 0, NULL, NULL },
	{ "nobody's name", H2_REQUEST, ":method=GET\n:scheme=http\n:path=/\n",
	    true, BAD_HOST_MISSING, 0, NULL, NULL },
	{ "a pseudo-field nobody knows", H2_REQUEST, GET_ ":x=y\n", true,
	    BAD_START_LINE, 0, NULL, NULL },
	{ "an expectation", H2_REQUEST, POST_ "expect=200-ok\n", false,
	    BAD_EXPECTATION, 0, NULL, NULL },
	{ "a target above its bound", H2_REQUEST,
	    ":method=GET\n:scheme=http\n:path=/" HUNDRED HUNDRED HUNDRED
	    "\n:authority=a\n",
	    true, BAD_TARGET_TOO_LONG, 0, NULL, NULL },
	{ "a field above its bound", H2_REQUEST,
	    GET_ "x=" HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
	        HUNDRED HUNDRED HUNDRED "\n",
	    true, BAD_FIELD_TOO_BIG, 0, NULL, NULL },
	{ "a head above its bound", H2_REQUEST,
	    GET_ "x=" HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
	        HUNDRED HUNDRED "\ny=" HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
	            HUNDRED HUNDRED HUNDRED HUNDRED "\nz=" HUNDRED HUNDRED "\n",
	    true, BAD_HEAD_TOO_BIG, 0, NULL, NULL },
	{ "too many fields", H2_REQUEST,
	    GET_ "a=\nb=\nc=\nd=\ne=\nf=\ng=\nh=\ni=\nj=\nk=\nl=\nm=\n", true,
	    BAD_TOO_MANY_FIELDS, 0, NULL, NULL },
	{ "what is of answers", H2_REQUEST, GET_ ":status=200\n", true,
	    BAD_START_LINE, 0, NULL, NULL },
	{ "a WebSocket", H2_REQUEST, CONNECT_ ":protocol=websocket\n", false,
	    BAD_NONE, FRAMING_NONE, "Upgrade", "websocket" },
	{ "a WebSocket in other letters", H2_REQUEST,
	    CONNECT_ ":protocol=WebSocket\n", false, BAD_NONE, FRAMING_NONE,
	    "Upgrade", "websocket" },
	{ "a WebSocket whose client says no more", H2_REQUEST,
	    CONNECT_ ":protocol=websocket\n", true, BAD_NONE, FRAMING_NONE,
	    "Content-Length", NULL },
	{ "a host that is missing", H2_REQUEST,
	    ":method=CONNECT\n:scheme=http\n:path=/\n:protocol=websocket\n",
	    false, BAD_HOST_MISSING, 0, NULL, NULL },
	{ "a path that is none", H2_REQUEST,
	    ":method=CONNECT\n:scheme=http\n:path=ws\n:authority=a\n"
	    ":protocol=websocket\n",
	    false, BAD_TARGET, 0, NULL, NULL },
	{ "an absolute path", H2_REQUEST,
	    ":method=CONNECT\n:scheme=http\n:path=http://b/\n:authority=a\n"
	    ":protocol=websocket\n",
	    false, BAD_TARGET, 0, NULL, NULL },
	{ "a tunnel with a length", H2_REQUEST,
	    CONNECT_ ":protocol=websocket\ncontent-length=5\n", false,
	    BAD_LENGTH_SYNTAX, 0, NULL, NULL },
	{ "another protocol", H2_REQUEST, CONNECT_ ":protocol=connect-udp\n",
	    false, BAD_PROTOCOL, 0, NULL, NULL },
	{ "HTTP itself would pass the rules by", H2_REQUEST,
	    CONNECT_ ":protocol=h2c\n", false, BAD_PROTOCOL, 0, NULL, NULL },
	{ "an empty protocol", H2_REQUEST, CONNECT_ ":protocol=\n", false,
	    BAD_PROTOCOL, 0, NULL, NULL },
	{ "a protocol without CONNECT", H2_REQUEST,
	    GET_ ":protocol=websocket\n", true, BAD_METHOD, 0, NULL, NULL },
	{ "an answer", H2_RESPONSE, ":status=200\nx=y\n", false, BAD_NONE,
	    FRAMING_CHUNKED, "x", "y" },
	{ "an answer of a known length", H2_RESPONSE,
	    ":status=200\ncontent-length=5\n", false, BAD_NONE, FRAMING_LENGTH,
	    "Content-Length", "5" },
	{ "an answer that is all: its length is known", H2_RESPONSE,
	    ":status=200\n", true, BAD_NONE, FRAMING_LENGTH, "Content-Length",
	    NULL },
	{ "one that has no body", H2_RESPONSE, ":status=304\n", true, BAD_NONE,
	    FRAMING_NONE, "Content-Length", NULL },
	{ "... nor a length", H2_RESPONSE, ":status=204\ncontent-length=5\n",
	    true, BAD_NONE, FRAMING_NONE, "Content-Length", NULL },
	{ "an upgrade", H2_RESPONSE, ":status=101\n", false, BAD_STATUS, 0,
	    NULL, NULL },
	{ "a status of two digits", H2_RESPONSE, ":status=20\n", true,
	    BAD_STATUS, 0, NULL, NULL },
	{ "a status that is no number", H2_RESPONSE, ":status=2x0\n", true,
	    BAD_STATUS, 0, NULL, NULL },
	{ "no status", H2_RESPONSE, "x=y\n", false, BAD_STATUS, 0, NULL, NULL },
	{ "what is of requests", H2_RESPONSE, ":status=200\n:path=/\n", true,
	    BAD_STATUS, 0, NULL, NULL },
	{ "two lengths", H2_RESPONSE,
	    ":status=200\ncontent-length=5\ncontent-length=6\n", false,
	    BAD_LENGTH_TWICE, 0, NULL, NULL },
	{ "trailers", H2_TRAILERS, "x-sum=1\n", true, BAD_NONE, FRAMING_NONE,
	    "x-sum", "1" },
};

static void
check(const struct slab *s, size_t i)
{
	const struct h2_block *b = h2_block_of((struct slab *)(uintptr_t)s);
	struct str got;

	cr_expect_eq(b->bad, rows[i].bad, "%s: %s", rows[i].why,
	    b->bad == BAD_NONE ? "taken"
	                       : http_bad_name((enum http_bad)b->bad));
	if (rows[i].bad != BAD_NONE)
		return;
	cr_expect_eq(b->head.framing, rows[i].framing, "%s: framing %d",
	    rows[i].why, b->head.framing);
	if (rows[i].name == NULL)
		return;
	got = http_head_value_of(&b->head, str_of(rows[i].name));
	if (rows[i].value == NULL)
		cr_expect_null(got.p, "%s", rows[i].why);
	else
		cr_expect(str_eq(got, str_of(rows[i].value)), "%s: " STR_FMT,
		    rows[i].why, STR_ARG(got));
}

/* The same when it has moved into a small slab. */
Test(h2_block, rows)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slab *s = read_block(rows[i].kind, rows[i].in,
		    rows[i].end);

		check(s, i);
		s = h2_block_fit(slabs, s);
		cr_expect_eq(s->size, SLAB_SMALL, "%s", rows[i].why);
		check(s, i);
		slab_give(slabs, &s);
	}
}

Test(h2_block, a_moved_head_points_into_its_own_slab)
{
	struct slab *s = h2_block_fit(slabs,
	    read_block(H2_REQUEST, GET_ "x=y\n", true));
	const struct http_head *h = &h2_block_of(s)->head;
	const char *end = s->data + h2_block_size(h2_block_of(s));

	cr_expect(h->target.p >= s->data && h->target.p < end);
	cr_expect(h->authority.p >= s->data && h->authority.p < end);
	for (unsigned i = 0; i < h->n; i++)
		if (h->f[i].id != FIELD_HOST) /* that name is a constant */
			cr_expect(h->f[i].name >= s->data &&
			    h->f[i].name < end);
	slab_give(slabs, &s);
}

Test(h2_block, a_large_head_stays_where_it_is)
{
	const struct http_limits wide = { 65536, 65536, 16384, 100 };
	static char value[12000];
	struct slab *s = h2_block_begin(slabs, H2_TRAILERS);

	memset(value, 'v', sizeof(value));
	h2_block_field(s, &wide, STR("x"), str_from(value, sizeof(value)));
	h2_block_end(s, &wide, true, METHOD_GET);
	s = h2_block_fit(slabs, s);
	cr_expect_eq(s->size, SLAB_LARGE);
	cr_expect_eq(slab_lent(slabs), 1);
	slab_give(slabs, &s);
}

/* So that nobody above can tell it from HTTP/1's. */
Test(h2_block, a_websocket_is_asked_for_as_in_http1)
{
	struct slab *s = h2_block_fit(slabs,
	    read_block(H2_REQUEST, CONNECT_ ":protocol=websocket\n", false));
	const struct http_head *h = &h2_block_of(s)->head;

	cr_expect(h->upgrade && h->h2);
	cr_expect_eq(h->minor, 1);
	cr_expect_eq(h->method, METHOD_GET);
	cr_expect(str_eq(h->method_text, STR("GET")));
	cr_expect(str_eq(h->target, STR("/ws?a")));
	cr_expect(str_eq(h->authority, STR("a.example")));
	slab_give(slabs, &s);
	s = read_block(H2_REQUEST,
	    ":method=CONNECT\n:authority=a.example:443\n", false);
	h = &h2_block_of(s)->head;
	cr_expect(!h->upgrade, "an ordinary CONNECT is none");
	cr_expect_eq(h->method, METHOD_CONNECT);
	slab_give(slabs, &s);
}

/* Past a bound nothing is kept, however much comes. */
Test(h2_block, what_is_refused_takes_no_more_room)
{
	struct slab *s = h2_block_begin(slabs, H2_REQUEST);
	uint32_t used;

	for (int i = 0; i < 10000; i++)
		h2_block_field(s, &limits, STR("name"), STR(HUNDRED));
	used = h2_block_of(s)->used;
	cr_expect_leq(used, limits.head_bytes);
	cr_expect_eq(h2_block_of(s)->bad, BAD_TOO_MANY_FIELDS);
	slab_give(slabs, &s);
}
