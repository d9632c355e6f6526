/* Heads as the proxy sees them. */
#include "http/head.h"

#include <criterion/criterion.h>
#include <ctype.h>

#include "base/err.h"
#include "http/events.h"

static struct http_head h;

static void
add(const char *name, const char *value)
{
	cr_assert_eq(http_head_add(&h, http_field_of(str_of(name)),
	                 str_of(name), str_of(value)),
	    E_OK);
}

static void
begin(void)
{
	h.n = 0;
	h.have = 0;
}

TestSuite(head, .init = begin);

/* ---- names ---- */

Test(head, every_known_field_is_known_in_any_case)
{
	for (unsigned id = FIELD_OTHER + 1; id < FIELD_COUNT; id++) {
		struct str name = http_field_name((enum http_field_id)id);
		char text[64];

		cr_assert(name.len > 0 && name.len < sizeof(text));
		cr_expect_eq(http_field_of(name), id, STR_FMT, STR_ARG(name));
		for (size_t i = 0; i < name.len; i++)
			text[i] = (char)tolower(name.p[i]);
		cr_expect_eq(http_field_of(str_from(text, name.len)), id);
		for (size_t i = 0; i < name.len; i++)
			text[i] = (char)toupper(name.p[i]);
		cr_expect_eq(http_field_of(str_from(text, name.len)), id);
	}
}

static const char *const unknown[] = { "", "a", "Hos", "Hosts", "Most",
	"Content_Length", "Content-Lengtg", "Transfer Encoding",
	"Proxy-Authorizations", "X-A-Name-That-Is-Longer-Than-All-Known" };

Test(head, other_fields_are_other)
{
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
		cr_expect_eq(http_field_of(str_of(unknown[i])), FIELD_OTHER,
		    "%s", unknown[i]);
}

static const struct {
	const char *why, *text;
	enum http_method m;
	bool safe;
} methods[] = {
	{ "safe", "GET", METHOD_GET, true },
	{ "safe", "HEAD", METHOD_HEAD, true },
	{ "safe", "OPTIONS", METHOD_OPTIONS, true },
	{ "safe", "TRACE", METHOD_TRACE, true },
	{ "not safe", "POST", METHOD_POST, false },
	{ "idempotent is not safe", "PUT", METHOD_PUT, false },
	{ "idempotent is not safe", "DELETE", METHOD_DELETE, false },
	{ "not safe", "PATCH", METHOD_PATCH, false },
	{ "not safe", "CONNECT", METHOD_CONNECT, false },
	{ "methods have case (RFC 9110 9.1)", "get", METHOD_OTHER, false },
	{ "longer", "GETS", METHOD_OTHER, false },
	{ "shorter", "GE", METHOD_OTHER, false },
	{ "of HTTP/2's preface", "PRI", METHOD_OTHER, false },
	{ "nothing", "", METHOD_OTHER, false },
};

Test(head, methods)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		enum http_method m = http_method_of(str_of(methods[i].text));

		cr_expect_eq(m, methods[i].m, "%s: %s", methods[i].text,
		    methods[i].why);
		cr_expect_eq(http_method_is_safe(m), methods[i].safe, "%s: %s",
		    methods[i].text, methods[i].why);
	}
}

Test(head, every_refusal_has_a_name_and_a_status_with_a_reason)
{
	for (int b = BAD_NONE; b < BAD_COUNT; b++) {
		enum http_bad bad = (enum http_bad)b;
		unsigned status = http_bad_status(bad);

		cr_expect(http_bad_name(bad) != NULL &&
		    http_bad_name(bad)[0] != '\0');
		cr_expect(status >= 400 && status <= 599, "%s",
		    http_bad_name(bad));
		cr_expect_str_neq(http_reason(status), "", "%u", status);
	}
	cr_expect_str_eq(http_reason(200), "OK");
	cr_expect_str_eq(http_reason(299), "");
}

/* ---- fields ---- */

Test(head, find_gives_the_first_that_is_not_dropped)
{
	add("Via", "1.1 a");
	add("via", "1.1 b");
	add("X-Other", "c");
	cr_expect(str_eq(http_head_value(&h, FIELD_VIA), STR("1.1 a")));
	h.f[0].flags |= HF_DROP;
	cr_expect(str_eq(http_head_value(&h, FIELD_VIA), STR("1.1 b")));
	cr_expect_eq(http_head_find(&h, FIELD_VIA), &h.f[1]);
	http_head_drop(&h, FIELD_VIA);
	cr_expect_null(http_head_find(&h, FIELD_VIA));
	cr_expect_null(http_head_value(&h, FIELD_VIA).p);
	cr_expect_not(HTTP_HAS(&h, VIA));
	add("Via", "1.1 c");
	cr_expect(str_eq(http_head_value(&h, FIELD_VIA), STR("1.1 c")));
}

Test(head, value_of_any_name)
{
	add("X-One", "1");
	add("Host", "a");
	cr_expect(str_eq(http_head_value_of(&h, STR("x-one")), STR("1")));
	cr_expect(str_eq(http_head_value_of(&h, STR("HOST")), STR("a")));
	cr_expect_null(http_head_value_of(&h, STR("X-On")).p);
	http_head_drop(&h, FIELD_HOST);
	cr_expect_null(http_head_value_of(&h, STR("host")).p);
}

Test(head, no_more_than_there_is_room_for)
{
	for (size_t i = 0; i < ARRAY_LEN(h.f); i++)
		add("X-A", "b");
	cr_expect_eq(http_head_add(&h, FIELD_OTHER, STR("X-A"), STR("b")),
	    E_FULL);
	cr_expect_eq(h.n, ARRAY_LEN(h.f));
	begin();
	cr_expect_eq(http_head_add(&h, FIELD_OTHER,
	                 str_from("a", UINT16_MAX + 1u), STR("b")),
	    E_FULL);
	cr_expect_eq(http_head_add(&h, FIELD_OTHER, STR("a"),
	                 str_from("b", UINT64_C(1) << 32)),
	    E_FULL);
	cr_expect_eq(h.n, 0);
}

/* ---- hop by hop ---- */

static const struct {
	const char *why, *connection; /* NULL: no such field */
	const char *name;             /* the other field */
	bool dropped;
} hops[] = {
	{ "named by nobody", NULL, "X-A", false },
	{ "named", "X-A", "X-A", true },
	{ "named in another case", "x-a", "X-A", true },
	{ "named in a list", "close, ,\tX-A ,upgrade", "X-A", true },
	{ "a part of the name", "X", "X-A", false },
	{ "an unknown one with a known beside", "Via, X-A", "X-A", true },
	{ "known and named", "Date", "Date", true },
	{ "RFC 9110 7.6.1", NULL, "Keep-Alive", true },
	{ "never standard, still sent", NULL, "Proxy-Connection", true },
	{ "RFC 9110 7.6.1", NULL, "TE", true },
	{ "the writer's business", NULL, "Transfer-Encoding", true },
	{ "RFC 9110 7.6.1", NULL, "Upgrade", true },
	{ "of h2c", NULL, "HTTP2-Settings", true },
	{ "between the client and us", NULL, "Proxy-Authorization", true },
	{ "between the instance and us", NULL, "Proxy-Authenticate", true },
	{ "end to end (RFC 9110 6.6.2)", NULL, "Trailer", false },
	{ "framing stays", "content-length", "Content-Length", false },
	{ "where it goes stays", "host", "Host", false },
	{ "who the client is stays", "x-forwarded-for", "X-Forwarded-For",
	    false },
	{ "the same", "Forwarded", "Forwarded", false },
	{ "a pin stays", "cookie", "Cookie", false },
	{ "credentials stay", "authorization", "Authorization", false },
	{ "what was promised to the client stays", "expect", "Expect", false },
	{ "a word for the connection, no field", "close", "Close", false },
	{ "the same", "keep-alive, close", "Close", false },
};

Test(head, hop_by_hop)
{
	for (size_t i = 0; i < ARRAY_LEN(hops); i++) {
		struct str name = str_of(hops[i].name);
		unsigned id = http_field_of(name);

		begin();
		add("X-Before", "b");
		add(hops[i].name, "v");
		if (hops[i].connection != NULL)
			add("connection", hops[i].connection);
		add(hops[i].name, "w");
		http_head_drop_hop_by_hop(&h);
		cr_expect_eq(http_head_value_of(&h, name).p == NULL,
		    hops[i].dropped, "%s: %s", hops[i].name, hops[i].why);
		cr_expect(!http_head_find(&h, FIELD_CONNECTION), "%s: %s",
		    hops[i].name, hops[i].why);
		cr_expect(str_eq(http_head_value_of(&h, STR("X-Before")),
		    STR("b")));
		if (id == FIELD_OTHER || id == FIELD_UPGRADE)
			continue;
		cr_expect_eq(!((h.have >> id) & 1), hops[i].dropped,
		    "%s: ->have: %s", hops[i].name, hops[i].why);
	}
}

Test(head, upgrade_stays_known_for_the_writer)
{
	add("Connection", "upgrade");
	add("Upgrade", "websocket");
	http_head_drop_hop_by_hop(&h);
	cr_expect(HTTP_HAS(&h, UPGRADE));
	cr_expect_null(http_head_find(&h, FIELD_UPGRADE));
}

Test(head, names_in_every_connection_field)
{
	add("Connection", "X-A");
	add("X-A", "1");
	add("X-B", "2");
	add("Connection", "X-B");
	http_head_drop_hop_by_hop(&h);
	cr_expect_null(http_head_value_of(&h, STR("X-A")).p);
	cr_expect_null(http_head_value_of(&h, STR("X-B")).p);
}
