/* Heads, chunk framing and trailers as bytes. */
#include "http/h1_write.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

static struct http_head h;

static void
begin(void)
{
	memset(&h, 0, sizeof(h));
	h.method_text = STR("GET");
	h.target = STR("/a?b");
	h.authority = STR("host:81");
}

TestSuite(h1_write, .init = begin);

static void
add(const char *name, const char *value)
{
	cr_assert_eq(http_head_add(&h, http_field_of(str_of(name)),
	                 str_of(name), str_of(value)),
	    E_OK);
}

/* In just the room it needs, and told when there is a byte less. */
static void
expect_head(unsigned flags, const char *want, const char *why)
{
	size_t len = strlen(want);

	for (size_t cap = 0; cap <= len; cap++) {
		char *out = malloc(cap == 0 ? 1 : cap);
		ssize_t n;

		cr_assert_not_null(out);
		n = h1_write_head(&h, flags, out, cap);
		if (cap < len)
			cr_expect_eq(n, E_TOOBIG, "%s: %zu", why, cap);
		else
			cr_expect(n == (ssize_t)len &&
			        memcmp(out, want, len) == 0,
			    "%s: %zd: %.*s", why, n, n < 0 ? 0 : (int)n, out);
		free(out);
	}
}

#define LINE "GET /a?b HTTP/1.1\r\nHost: host:81\r\n"

Test(h1_write, request)
{
	expect_head(0, LINE "\r\n", "the least");
	add("A", "b");
	add("X-Empty", "");
	expect_head(0, LINE "A: b\r\nX-Empty: \r\n\r\n", "fields");
}

Test(h1_write, host_is_the_authority)
{
	add("A", "b");
	add("host", "other");
	expect_head(0, LINE "A: b\r\n\r\n", "the field is not heeded");
	h.authority = (struct str){ NULL, 0 };
	expect_head(0, "GET /a?b HTTP/1.1\r\nHost: \r\nA: b\r\n\r\n",
	    "none, RFC 9112 3.2");
}

Test(h1_write, always_in_our_version)
{
	h.minor = 0;
	expect_head(H1W_CLOSE, LINE "Connection: close\r\n\r\n", "1.0");
}

Test(h1_write, response)
{
	h.status = 204;
	h.reason = STR("No Content");
	add("Host", "kept");
	expect_head(0, "HTTP/1.1 204 No Content\r\nHost: kept\r\n\r\n",
	    "a Host of a response is a field like others");
	h.reason = (struct str){ NULL, 0 };
	h.n = 0;
	expect_head(0, "HTTP/1.1 204 \r\n\r\n",
	    "the space stays without a reason, RFC 9112 4");
}

static const struct {
	const char *why;
	unsigned flags;
	const char *out;
} flags[] = {
	{ "none", 0, "Content-Length: 5\r\n" },
	{ "close", H1W_CLOSE, "Content-Length: 5\r\nConnection: close\r\n" },
	{ "keep-alive", H1W_KEEP_ALIVE,
	    "Content-Length: 5\r\nConnection: keep-alive\r\n" },
	{ "never two framings", H1W_CHUNKED, "Transfer-Encoding: chunked\r\n" },
	{ "upgrade comes back", H1W_UPGRADE,
	    "Content-Length: 5\r\nUpgrade: websocket\r\n"
	    "Connection: upgrade\r\n" },
	{ "both", H1W_CHUNKED | H1W_CLOSE,
	    "Transfer-Encoding: chunked\r\nConnection: close\r\n" },
};

Test(h1_write, flags)
{
	add("Content-Length", "5");
	add("Upgrade", "websocket");
	h.f[1].flags = HF_DROP;
	add("X-Dropped", "a");
	h.f[2].flags = HF_DROP;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		char want[256];

		(void)snprintf(want, sizeof(want), LINE "%s\r\n", flags[i].out);
		expect_head(flags[i].flags, want, flags[i].why);
	}
}

/* Nothing an owner puts into a head becomes a line of its own. */
static const struct {
	const char *why;
	struct str text;
} splits[] = {
	{ "a line", STR("a\r\nEvil: b") },
	{ "a head's end", STR("a\r\n\r\nGET /evil HTTP/1.1\r\n") },
	{ "only a line end", STR("\r\n") },
	{ "LF", STR("a\nEvil: b") },
	{ "CR", STR("a\rEvil: b") },
	{ "CR last", STR("a\r") },
	{ "LF first", STR("\na") },
	{ "NUL", STR("a\0b") },
	{ "another control byte", STR("a\x1b") },
};

Test(h1_write, no_line_of_its_own)
{
	char out[512];

	for (size_t i = 0; i < ARRAY_LEN(splits); i++) {
		struct str s = splits[i].text;

		begin();
		cr_assert_eq(http_head_add(&h, FIELD_OTHER, STR("A"), s), E_OK);
		add("B", "c");
		cr_expect_eq(h1_write_head(&h, 0, out, sizeof(out)), E_SYNTAX,
		    "value: %s", splits[i].why);
		cr_expect_eq(h1_write_trailers(&h, out, sizeof(out)), E_SYNTAX,
		    "trailer: %s", splits[i].why);
		h.f[0].flags = HF_DROP;
		cr_expect_gt(h1_write_head(&h, 0, out, sizeof(out)), 0,
		    "dropped: %s", splits[i].why);
		h.f[0] = (struct http_field){ .name = s.p,
			.name_len = (uint16_t)s.len };
		cr_expect_eq(h1_write_head(&h, 0, out, sizeof(out)), E_SYNTAX,
		    "name: %s", splits[i].why);
		begin();
		h.target = s;
		cr_expect_eq(h1_write_head(&h, 0, out, sizeof(out)), E_SYNTAX,
		    "target: %s", splits[i].why);
		begin();
		h.authority = s;
		cr_expect_eq(h1_write_head(&h, 0, out, sizeof(out)), E_SYNTAX,
		    "authority: %s", splits[i].why);
		begin();
		h.method_text = s;
		cr_expect_eq(h1_write_head(&h, 0, out, sizeof(out)), E_SYNTAX,
		    "method: %s", splits[i].why);
		begin();
		h.status = 200;
		h.reason = s;
		cr_expect_eq(h1_write_head(&h, 0, out, sizeof(out)), E_SYNTAX,
		    "reason: %s", splits[i].why);
	}
}

Test(h1_write, no_line_of_its_own_anywhere)
{
	char value[70], out[512];

	for (size_t i = 0; i < sizeof(value); i++) {
		memset(value, i % 2 == 0 ? '\t' : '\xff', sizeof(value));
		begin();
		cr_assert_eq(http_head_add(&h, FIELD_OTHER, STR("A"),
		                 str_from(value, sizeof(value))),
		    E_OK);
		cr_expect_gt(h1_write_head(&h, 0, out, sizeof(out)), 0);
		value[i] = '\n';
		cr_expect_eq(h1_write_head(&h, 0, out, sizeof(out)), E_SYNTAX,
		    "%zu", i);
	}
}

/* As wide as a value can be: the room asked for must not wrap. */
Test(h1_write, room_for_the_longest_value)
{
	char out[64];

	cr_assert_eq(http_head_add(&h, FIELD_OTHER, STR("A"),
	                 str_from("b", UINT32_MAX)),
	    E_OK);
	cr_expect_eq(h1_write_head(&h, 0, out, sizeof(out)), E_TOOBIG);
}

static const struct {
	uint64_t len;
	const char *out;
} sizes[] = {
	{ 1, "1\r\n" },
	{ 15, "f\r\n" },
	{ 16, "10\r\n" },
	{ 65535, "ffff\r\n" },
	{ 65536, "10000\r\n" },
	{ INT64_MAX, "7fffffffffffffff\r\n" },
	{ UINT64_MAX, "ffffffffffffffff\r\n" },
};

Test(h1_write, chunk_head)
{
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char out[H1_CHUNK_HEAD_MAX];
		size_t n = h1_write_chunk_head(sizes[i].len, out);

		cr_expect(str_eq(str_from(out, n), str_of(sizes[i].out)),
		    "%" PRIu64 ": %.*s", sizes[i].len, (int)n, out);
	}
}

Test(h1_write, trailers)
{
	static const char want[] = "0\r\nA: b\r\nC: d\r\n\r\n";
	const ssize_t len = sizeof(want) - 1;
	char out[sizeof(want)];

	cr_expect_eq(h1_write_trailers(&h, out, sizeof(out)), 5);
	cr_expect_eq(memcmp(out, H1_LAST_CHUNK, 5), 0, "none");
	add("A", "b");
	add("Cookie", "dropped");
	h.f[1].flags = HF_DROP;
	add("C", "d");
	cr_expect_eq(h1_write_trailers(&h, out, sizeof(out)), len);
	cr_expect_eq(memcmp(out, want, (size_t)len), 0);
	for (size_t cap = 0; cap < (size_t)len; cap++)
		cr_expect_eq(h1_write_trailers(&h, out, cap), E_TOOBIG, "%zu",
		    cap);
}
