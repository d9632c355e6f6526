/* A balancer's word on who the client is, seen from both ends. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "proxy/client.h"
#include "proxy/overload.h"
#include "proxy/preface.h"
#include "proxy/worker.h"
#include "rig.h"

TestSuite(preface, .fini = rig_down, .timeout = 30);

#define TRUST "    trusted_proxies: [ 127.0.0.1, 10.0.0.0/8 ]\n"
#define V1(src) "PROXY TCP4 " src " 192.0.2.99 1234 443\r\n"
#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define IP4 "\300\0\2\1\300\0\2\x63\x04\xd2\1\273"

static const struct rig_lines required = {
	.listener = TRUST "    proxy_protocol: required",
};
static const struct rig_lines optional = {
	.listener = TRUST "    proxy_protocol: optional",
};

static uint64_t
refused(enum conn_refusal why)
{
	return stat_get(
	    &registry_unrouted(rig.registry)->cells[0].refused[why]);
}

static uint64_t
refused_at_all(void)
{
	uint64_t n = 0;

	for (int i = 0; i < REFUSED_COUNT; i++)
		n += refused((enum conn_refusal)i);
	return n;
}

/* What instance a is asked by a request that c has sent; it answers. */
static const char *
asked(int c)
{
	int u = origin_accept(A);
	const char *h = get_head(u);

	put(u, OK_ANSWER);
	cr_expect(has(get_head(c), " 200 "));
	get(c, "ok");
	done(u);
	return h;
}

static void
until_gone(void)
{
	while (rig.proxy->n_clients > 0)
		rig_turn();
}

Test(preface, names_the_client)
{
	int c;
	const char *h;

	rig_up(&required);
	c = client_ask(V1("192.0.2.1") GET_A);
	h = asked(c);
	cr_expect(has(h, "\r\nX-Forwarded-For: 192.0.2.1\r\n"), "%s", h);
	cr_expect(has(h, "Forwarded: for=192.0.2.1;host=\"x\";proto=http\r\n"),
	    "%s", h);
	put(c, GET_B);
	h = asked(c);
	cr_expect(has(h, "\r\nX-Forwarded-For: 192.0.2.1\r\n"), "%s", h);
	cr_expect(has(rig_log(),
	              "\"client\":\"192.0.2.1\",\"via\":\"127.0.0.1\","),
	    "%s", rig_log());
	cr_expect_eq(refused_at_all(), 0);
}

/* Whoever only passes bytes on has not looked at the fields in them. */
Test(preface, fields_of_the_client_are_not_the_balancers)
{
	int c;
	const char *h;

	rig_up(&required);
	c = client_ask(V1("192.0.2.1") "GET / HTTP/1.1\r\nHost: x\r\n"
	                               "X-Forwarded-For: 10.0.0.1\r\n"
	                               "X-Forwarded-Proto: https\r\n\r\n");
	h = asked(c);
	cr_expect(has(h, "\r\nX-Forwarded-For: 192.0.2.1\r\n"), "%s", h);
	cr_expect(has(h, "\r\nX-Forwarded-Proto: http\r\n"), "%s", h);
	/* A chain: the balancer's client is a proxy that we trust. */
	c = client_ask(V1("10.0.0.7") "GET / HTTP/1.1\r\nHost: x\r\n"
	                              "X-Forwarded-For: 192.0.2.5\r\n"
	                              "X-Forwarded-Proto: https\r\n\r\n");
	h = asked(c);
	cr_expect(has(h, "\r\nX-Forwarded-For: 192.0.2.5, 10.0.0.7\r\n"), "%s",
	    h);
	cr_expect(has(h, "\r\nX-Forwarded-Proto: https\r\n"), "%s", h);
	/* UNKNOWN is not the balancer itself. */
	c = client_ask("PROXY UNKNOWN\r\nGET / HTTP/1.1\r\nHost: x\r\n"
	               "X-Forwarded-For: 10.0.0.1\r\n\r\n");
	h = asked(c);
	cr_expect(has(h, "\r\nX-Forwarded-For: 127.0.0.1\r\n"), "%s", h);
}

/* Whoever came to the balancer by a Unix socket did not come by ours. */
Test(preface, unix_of_a_balancer_is_not_ours)
{
	static const struct rig_lines lines = {
		.listener = "    trusted_proxies: [ 127.0.0.1, unix ]\n"
		            "    proxy_protocol: required",
	};
	static const char ask[] = "GET / HTTP/1.1\r\nHost: x\r\n"
	                          "X-Forwarded-For: 10.0.0.1\r\n\r\n";
	static char bytes[16 + 216] = SIG "\x21\x31\0\330";
	int c;
	const char *h;

	rig_up(&lines);
	c = client_open();
	put_n(c, bytes, sizeof(bytes));
	put(c, ask);
	h = asked(c);
	cr_expect(has(h, "\r\nX-Forwarded-For: unix\r\n"), "%s", h);
}

Test(preface, byte_by_byte)
{
	static const char bytes[] = SIG "\x21\x11\0\21" IP4 "\2\0\2id" GET_A;
	int c;
	const char *h;

	rig_up(&required);
	c = client_open();
	for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
		put_n(c, bytes + i, 1);
		rig_turns(2);
	}
	h = asked(c);
	cr_expect(has(h, "GET /a "), "%s", h);
	cr_expect(has(h, "\r\nX-Forwarded-For: 192.0.2.1\r\n"), "%s", h);
	cr_expect(has(rig_log(), "\"via_sni\":\"id\""), "%s", rig_log());
}

Test(preface, tls_before_us)
{
	static const char bytes[] = SIG "\x21\x11\0\x2d" IP4
	                                "\x20\0\17\1\0\0\0\0\x21\0\7TLSv1.3"
	                                "\1\0\2h2\5\0\7\1\"x\xff\n\\u" GET_A;
	int c, u;
	const char *h;

	rig_up(&required);
	c = client_open();
	put_n(c, bytes, sizeof(bytes) - 1);
	u = origin_accept(A);
	h = get_head(u);
	cr_expect(has(h, "\r\nX-Forwarded-Proto: https\r\n"), "%s", h);
	cr_expect(has(h, "\r\nX-Forwarded-Port: 443\r\n"), "%s", h);
	cr_expect(has(h, ";proto=https\r\n"), "%s", h);
	put(u, OK_ANSWER);
	h = get_head(c);
	cr_expect(has(h, "Set-Cookie: __Host-segue="), "%s", h);
	get(c, "ok");
	cr_expect(has(rig_log(),
	              "\"via_alpn\":\"h2\",\"via_tls\":\"TLSv1.3\","
	              "\"via_id\":\""),
	    "%s", rig_log());
	cr_expect_eq(strchr(rig_log(), '\n')[1], '\0', "one line");
}

/* A proxy before the balancer knows better how the client asked. */
Test(preface, tls_between_proxies_is_not_the_clients)
{
	static const char bytes[] = SIG "\x21\x11\0\24"
	                                "\12\0\0\7\300\0\2\x63\x04\xd2\1\273"
	                                "\x20\0\5\1\0\0\0\0"
	                                "GET / HTTP/1.1\r\nHost: x\r\n"
	                                "X-Forwarded-Proto: http\r\n\r\n";
	int c, u;
	const char *h;

	rig_up(&required);
	c = client_open();
	put_n(c, bytes, sizeof(bytes) - 1);
	u = origin_accept(A);
	h = get_head(u);
	cr_expect(has(h, "\r\nX-Forwarded-Proto: http\r\n"), "%s", h);
	put(u, OK_ANSWER);
	h = get_head(c);
	cr_expect(has(h, "Set-Cookie: segue="), "%s", h);
}

/* Where the address leads, the named one does. */
Test(preface, places_by_the_named_address)
{
	static const struct rig_lines lines = {
		.listener = TRUST "    proxy_protocol: required",
		.service = "    sticky: { scope: none }",
		.pool = "        balance: hash",
	};
	unsigned at[2] = { 0, 0 };

	rig_up(&lines);
	rig_health(B, true);
	rig_publish();
	for (int i = 0; i < 24; i++) {
		static char ask[256];
		static int before = -1;
		int c, o, u;

		(void)snprintf(ask, sizeof(ask),
		    "PROXY TCP4 192.0.2.%d 192.0.2.99 %d 2\r\n" GET_A, i / 2,
		    1 + i);
		c = client_ask(ask);
		o = origin_is_quiet(A) ? B : A;
		u = origin_accept(o);
		(void)get_head(u);
		put(u, OK_ANSWER);
		cr_expect(has(get_head(c), " 200 "));
		done(u);
		done(c);
		at[o]++;
		if (i % 2 == 1)
			cr_expect_eq(o, before, "%d: twice", i);
		before = o;
	}
	cr_expect(at[A] > 0 && at[B] > 0, "%u and %u", at[A], at[B]);
}

Test(preface, memory_is_counted)
{
	static const char bytes[] = SIG "\x21\x11\0\21" IP4 "\2\0\2id";
	int c;

	rig_up(&required);
	c = client_open();
	put_n(c, bytes, sizeof(bytes) - 1);
	while (rig.proxy->preface_bytes == 0)
		rig_turn();
	cr_expect_eq(rig.proxy->preface_bytes, sizeof(struct preface) + 5);
	cr_expect_eq(overload_bytes(rig.proxy),
	    sizeof(struct client) + rig.proxy->preface_bytes);
	done(c);
	until_gone();
	cr_expect_eq(rig.proxy->preface_bytes, 0);
}

Test(preface, strangers_are_refused)
{
	static const struct rig_lines elsewhere = {
		.listener = "    trusted_proxies: [ 192.0.2.0/24 ]\n"
		            "    proxy_protocol: required",
	};
	int c;

	rig_up(&elsewhere);
	c = client_ask(V1("192.0.2.1") GET_A);
	get_reset(c);
	cr_expect_eq(refused(REFUSED_PREFACE_SOURCE), 1);
	cr_expect(origin_is_quiet(A));
}

Test(preface, strangers_are_not_heard_where_it_is_optional)
{
	static const struct rig_lines elsewhere = {
		.listener = "    trusted_proxies: [ 192.0.2.0/24 ]\n"
		            "    proxy_protocol: optional",
	};
	int c;
	const char *h;

	rig_up(&elsewhere);
	c = client_ask(GET_A);
	h = asked(c);
	cr_expect(has(h, "\r\nX-Forwarded-For: 127.0.0.1\r\n"), "%s", h);
	c = client_ask(V1("192.0.2.1") GET_A);
	cr_expect(has(get_head(c), " 400 "), "it is no request");
	cr_expect(origin_is_quiet(A));
}

Test(preface, optional_where_it_begins_like_one)
{
	int c;
	const char *h;

	rig_up(&optional);
	c = client_ask("P");
	rig_await_wait(WAIT_PREFACE);
	put(c, "UT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
	h = asked(c);
	cr_expect(has(h, "PUT / "), "%s", h);
	c = client_ask(GET_A);
	h = asked(c);
	cr_expect(has(h, "\r\nX-Forwarded-For: 127.0.0.1\r\n"), "%s", h);
	c = client_ask(V1("192.0.2.1") GET_A);
	h = asked(c);
	cr_expect(has(h, "\r\nX-Forwarded-For: 192.0.2.1\r\n"), "%s", h);
	c = client_ask("\r\n");
	put(c, GET_A);
	h = asked(c);
	cr_expect(has(h, "GET /a "), "empty lines before a request: %s", h);
	cr_expect_eq(refused_at_all(), 0);
	c = client_ask("PROXY WHAT\r\n" GET_A);
	get_reset(c);
	cr_expect_eq(refused(REFUSED_PREFACE_BAD), 1);
}

/* As balancers open connections beforehand, where no preface is owed. */
Test(preface, optional_silence_is_idleness)
{
	int c;

	rig_up(&optional);
	c = client_open();
	rig_later(60 * US_PER_S);
	put(c, GET_A);
	(void)asked(c);
	done(c);
	until_gone();
	c = client_open();
	rig_later(76 * US_PER_S);
	get_eof(c);
	cr_expect_eq(refused_at_all(), 0);
}

/* clang-format off */
static const struct {
	const char *why, *bytes;
} bad[] = {
	{ "HTTP", GET_A },
	{ "a bare LF", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n" GET_A },
	{ "version 2 for version 1's words", "\r\n\r\nPROXY" },
	{ "two prefaces: the second is no request", "PROXY TCP4 1 2\r\n" },
	{ "TLS", "\x16\x03\x01" },
};
/* clang-format on */

Test(preface, what_is_none_is_refused)
{
	rig_up(&required);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		get_reset(client_ask(bad[i].bytes));
		cr_expect_eq(refused(REFUSED_PREFACE_BAD), i + 1, "%s",
		    bad[i].why);
	}
	cr_expect(origin_is_quiet(A));
	cr_expect_eq(rig.proxy->n_clients, 0);
}

Test(preface, only_one)
{
	int c;

	rig_up(&required);
	c = client_ask(V1("192.0.2.1") V1("10.0.0.1") GET_A);
	cr_expect(has(get_head(c), " 400 "));
	cr_expect(origin_is_quiet(A));
}

Test(preface, cut_short)
{
	int c;

	rig_up(&required);
	c = client_ask("PROXY TCP4 192");
	rig_turns(2);
	half_close(c);
	until_gone();
	cr_expect_eq(refused(REFUSED_PREFACE_BAD), 1);
}

Test(preface, takes_too_long)
{
	int c;

	rig_up(&required);
	c = client_open();
	rig_await_wait(WAIT_PREFACE);
	rig_later(4 * US_PER_S);
	put(c, "PROXY ");
	rig_turns(2);
	rig_later(2 * US_PER_S); /* one byte more is no excuse */
	get_reset(c);
	cr_expect_eq(refused(REFUSED_PREFACE_TIMEOUT), 1);
	c = client_open();
	rig_await_wait(WAIT_PREFACE);
	rig_later(6 * US_PER_S);
	get_eof(c);
	cr_expect_eq(refused(REFUSED_PREFACE_TIMEOUT), 2, "silence, too");
}

Test(preface, checks_of_a_balancer)
{
	int c;

	rig_up(&required);
	done(client_open()); /* a connection, and gone */
	until_gone();
	c = client_open();
	put_n(c, SIG "\x20\0\0\0", 16);
	rig_turns(3);
	done(c);
	until_gone();
	c = client_open();
	put_n(c, SIG "\x20\0\0\0" GET_A, 16 + sizeof(GET_A) - 1);
	cr_expect(has(asked(c), "\r\nX-Forwarded-For: 127.0.0.1\r\n"));
	cr_expect_not(has(rig_log(), "\"via\""));
	cr_expect_eq(refused_at_all(), 0);
}

Test(preface, bounds_are_of_the_client)
{
	static const struct rig_lines lines = {
		.listener = TRUST "    proxy_protocol: required\n"
		                  "    clients: { connections: 1, "
		                  "requests_per_second: 1, burst: 1 }",
		.service = "    rules: [ { deny: /b, from: 192.0.2.2 } ]",
	};
	int c[3];

	rig_up(&lines);
	c[0] = client_ask(V1("192.0.2.1") GET_A);
	(void)asked(c[0]);
	c[1] = client_ask(V1("192.0.2.1") GET_A);
	get_reset(c[1]);
	cr_expect_eq(refused(REFUSED_ADDRESS), 1);
	put(c[0], GET_A);
	cr_expect(has(get_head(c[0]), " 429 "));
	c[2] = client_ask(V1("192.0.2.2") GET_B);
	cr_expect(has(get_head(c[2]), " 403 "));
	done(c[0]);
	while (rig.proxy->n_clients > 1)
		rig_turn();
	c[0] = client_ask(V1("192.0.2.1") GET_A);
	cr_expect(has(get_head(c[0]), " 429 "), "its place is free again");
}

/* ---- to instances ---- */

Test(preface, is_said_to_instances)
{
	static const struct rig_lines lines = {
		.pool = "        send_proxy: v1"
	};
	int c, d, u, v;
	const char *h;

	rig_up(&lines);
	c = client_ask(GET_A);
	u = origin_accept(A);
	h = get_head(u);
	cr_expect(has(h, "PROXY TCP4 127.0.0.1 127.0.0.1 "), "%s", h);
	cr_expect(has(h, "\r\nGET /a HTTP/1.1\r\n"), "%s", h);
	put(u, OK_ANSWER);
	(void)get_head(c);
	get(c, "ok");
	/* The client's next request goes there, without another one. */
	put(c, GET_B);
	h = get_head(u);
	cr_expect(has(h, "GET /b HTTP/1.1\r\n"), "%s", h);
	cr_expect_not(has(h, "PROXY"));
	put(u, OK_ANSWER);
	(void)get_head(c);
	get(c, "ok");
	/* Another one's does not. */
	d = client_ask(GET_A);
	v = origin_accept(A);
	h = get_head(v);
	cr_expect(has(h, "PROXY TCP4 127.0.0.1 127.0.0.1 "), "%s", h);
	put(v, OK_ANSWER);
	(void)get_head(d);
	get(d, "ok");
	cr_expect_eq(rig_icell(A)->conns, 2);
	/* Nor is it kept for longer than its client. */
	done(c);
	get_eof(u);
	cr_expect(is_silent(v));
	cr_expect_eq(rig_icell(A)->conns, 1);
}

Test(preface, goes_on_as_it_came)
{
	static const char came[] = SIG "\x21\x11\0\44" IP4
	                               "\2\0\2id\3\0\4\x39\x23\x87\x4a"
	                               "\xea\0\7\1vpc-12";
	static const struct rig_lines lines = {
		.listener = TRUST "    proxy_protocol: required",
		.pool = "        send_proxy: v2",
	};
	struct pp_preface p;
	enum pp_fault fault;
	char bytes[sizeof(came)], out[PP_MAX];
	int c, u;

	/* The checksum is the writer's. */
	memcpy(bytes, came, sizeof(came));
	p = (struct pp_preface){ .has_addrs = true,
		.tlvs = str_from(bytes + 28, sizeof(came) - 1 - 28) };
	p.src.in = (struct sockaddr_in){ .sin_family = AF_INET };
	memcpy(&p.src.in.sin_addr, came + 16, 4);
	memcpy(&p.src.in.sin_port, came + 24, 2);
	p.dst.in = (struct sockaddr_in){ .sin_family = AF_INET };
	memcpy(&p.dst.in.sin_addr, came + 20, 4);
	memcpy(&p.dst.in.sin_port, came + 26, 2);
	cr_assert_eq(pp_write(2, &p, out), sizeof(came) - 1);
	cr_assert_gt(pp_read(str_from(out, sizeof(came) - 1), &p, &fault), 0);
	rig_up(&lines);
	c = client_open();
	put_n(c, out, sizeof(came) - 1);
	put(c, GET_A);
	u = origin_accept(A);
	for (size_t i = 0; i < sizeof(came) - 1; i++) {
		char byte;

		while (recv(u, &byte, 1, MSG_DONTWAIT) != 1)
			rig_turn();
		cr_assert_eq(byte, out[i], "byte %zu", i);
	}
	cr_expect(has(get_head(u), "GET /a "));
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c), " 200 "));
}

/* Each try is on a connection that says it anew. */
Test(preface, is_said_again_by_a_retry)
{
	static const struct rig_lines lines = {
		.pool = "        send_proxy: v1"
	};
	int c, u;
	const char *h;

	rig_up(&lines);
	rig_health(B, true);
	rig_publish();
	c = client_ask(GET_A);
	for (int tried = 0; tried < 2; tried++) {
		u = origin_is_quiet(A) ? origin_accept(B) : origin_accept(A);
		h = get_head(u);
		cr_expect(has(h, "PROXY TCP4 127.0.0.1 127.0.0.1 "), "%s", h);
		if (tried == 0)
			done(u);
	}
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c), " 200 "));
}

Test(preface, of_a_client_we_saw_ourselves_in_version_2)
{
	static const struct rig_lines lines = {
		.pool = "        send_proxy: v2"
	};
	char bytes[28];
	struct pp_preface p;
	enum pp_fault fault;
	char host[ADDR_TEXT_MAX];
	int c, u;

	rig_up(&lines);
	c = client_ask(POST_5 "12345");
	u = origin_accept(A);
	for (size_t i = 0; i < sizeof(bytes); i++)
		while (recv(u, &bytes[i], 1, MSG_DONTWAIT) != 1)
			rig_turn();
	cr_assert_eq(pp_read(str_from(bytes, sizeof(bytes)), &p, &fault),
	    (ssize_t)sizeof(bytes));
	addr_host(&p.src, host);
	cr_expect_str_eq(host, "127.0.0.1");
	cr_expect_eq(addr_port(&p.dst), rig.port);
	cr_expect(has(get_head(u), "POST /p "));
	get(u, "12345");
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c), " 200 "));
}
