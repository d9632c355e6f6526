/* Requests and answers that go well: framing, order, back-pressure. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.h"

static void
up(void)
{
	rig_up(NULL);
}

TestSuite(exchange, .init = up, .fini = rig_down, .timeout = 30);

Test(exchange, one_connection_serves_many)
{
	int c = client_open(), u = -1;

	for (int i = 0; i < 5; i++) {
		u = serve(c, u, A, GET_A);
		cr_expect_eq(rig_slabs(), 0, "idle after %d", i);
	}
	u = serve(client_open(), u, A, GET_B);
	cr_expect(origin_is_quiet(A));
	cr_expect_eq(stat_get(&rig_icell(A)->conns_opened), 1);
	cr_expect_eq(stat_get(&rig_icell(A)->conns_reused), 5);
	cr_expect_eq(rig_outcome(OUT_ANSWERED), 6);
}

#define CHUNKED "Transfer-Encoding: chunked\r\n"

static const struct {
	const char *why, *fields, *body, *head_has, *arrives;
} requests[] = {
	{ "no body", "", "", "Host: x\r\n", "" },
	{ "a length", "Content-Length: 5\r\n", "hello", "Content-Length: 5\r\n",
	    "hello" },
	{ "a length of nothing", "Content-Length: 0\r\n", "",
	    "Content-Length: 0\r\n", "" },
	{ "chunks", CHUNKED, "5\r\nhello\r\n3;x=y\r\nyou\r\n0\r\n\r\n", CHUNKED,
	    "5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n" },
	{ "no chunk", CHUNKED, "0\r\n\r\n", CHUNKED, "0\r\n\r\n" },
	{ "trailers", CHUNKED, "1\r\na\r\n0\r\nX-Sum: 7\r\nHost: evil\r\n\r\n",
	    CHUNKED, "1\r\na\r\n0\r\nX-Sum: 7\r\n\r\n" },
};

/* The request as a whole, or byte by byte. */
static void
try_request(size_t i, bool cut)
{
	int c = client_open(), u;
	char text[512];
	const char *h;

	(void)snprintf(text, sizeof(text),
	    "POST /p HTTP/1.1\r\nHost: x\r\n%s\r\n%s", requests[i].fields,
	    requests[i].body);
	for (const char *p = text; cut && *p != '\0'; p++) {
		put_n(c, p, 1);
		rig_turn();
	}
	if (!cut)
		put(c, text);
	u = origin_accept(A);
	h = get_head(u);
	cr_expect(has(h, requests[i].head_has), "%s: %s", requests[i].why, h);
	if (!cut) { /* cut bodies may come in smaller chunks */
		get(u, requests[i].arrives);
	} else if (strcmp(requests[i].fields, CHUNKED) != 0) {
		get(u, requests[i].arrives);
	}
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c), " 200 "), "%s", requests[i].why);
	get(c, "ok");
	cr_expect_eq(rig_slabs(), 0, "%s", requests[i].why);
	/* Both connections stay: the borders of the messages were found. */
	if (!cut) {
		cr_expect(is_silent(c) && is_silent(u), "%s", requests[i].why);
		put(c, GET_A);
		(void)get_head(u);
		put(u, OK_ANSWER);
		(void)get_head(c);
		get(c, "ok");
		put(u, "x"); /* not wanted: the connection goes */
		get_eof(u);
	} else {
		half_close(u);
	}
}

Test(exchange, request_bodies)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		try_request(i, false);
}

Test(exchange, requests_cut_at_every_byte)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		try_request(i, true);
		rig_turns(3);
	}
}

#define G10 "GET / HTTP/1.0\r\n\r\n"
#define G10K "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
#define HEAD_ "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"

static const struct {
	const char *why, *request, *reply;
	bool closes; /* the instance ends with FIN */
	const char *head_has, *head_lacks, *arrives;
	bool client_kept;
} answers[] = {
	{ "a length", GET_A, OK_ANSWER, false, "Content-Length: 2\r\n",
	    "Connection", "ok", true },
	{ "chunks", GET_A,
	    "HTTP/1.1 200 OK\r\n" CHUNKED "\r\n2\r\nok\r\n0\r\n\r\n", false,
	    CHUNKED, "Content-Length", "2\r\nok\r\n0\r\n\r\n", true },
	{ "trailers", GET_A,
	    "HTTP/1.1 200 OK\r\n" CHUNKED "\r\n2\r\nok\r\n0\r\nT: 1\r\n\r\n",
	    false, CHUNKED, "Connection", "2\r\nok\r\n0\r\nT: 1\r\n\r\n",
	    true },
	{ "until the end", GET_A, "HTTP/1.1 200 OK\r\n\r\nok", true, CHUNKED,
	    "Connection", "2\r\nok\r\n0\r\n\r\n", true },
	{ "an old instance", GET_A,
	    "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", true,
	    "HTTP/1.1 200 OK\r\n", "Connection", "ok", true },
	{ "HEAD", HEAD_, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", false,
	    "Content-Length: 99\r\n", CHUNKED, "", true },
	{ "HEAD of chunks", HEAD_, "HTTP/1.1 200 OK\r\n" CHUNKED "\r\n", false,
	    "HTTP/1.1 200", CHUNKED, "", true },
	{ "204", GET_A, "HTTP/1.1 204 No Content\r\n\r\n", false, " 204 ",
	    "Content-Length", "", true },
	{ "304 with a length", GET_A,
	    "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false,
	    "Content-Length: 9\r\n", CHUNKED, "", true },
	{ "an old client", G10, OK_ANSWER, false, "Connection: close\r\n",
	    "keep-alive", "ok", false },
	{ "an old client that stays", G10K, OK_ANSWER, false,
	    "Connection: keep-alive\r\n", "close", "ok", true },
	{ "an old client and chunks", G10K,
	    "HTTP/1.1 200 OK\r\n" CHUNKED "\r\n2\r\nok\r\n0\r\nT: 1\r\n\r\n",
	    false, "Connection: close\r\n", "Transfer-Encoding", "ok", false },
	{ "a client that goes",
	    "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", OK_ANSWER,
	    false, "Connection: close\r\n", "keep-alive", "ok", false },
	{ "an instance that goes", GET_A,
	    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n"
	    "\r\nok",
	    true, "Content-Length: 2\r\n", "Connection", "ok", true },
};

static void
try_answer(size_t i, bool cut)
{
	int c = client_ask(answers[i].request), u = origin_accept(A);
	const char *h;

	(void)get_head(u);
	for (const char *p = answers[i].reply; cut && *p != '\0'; p++) {
		put_n(u, p, 1);
		rig_turn();
	}
	if (!cut)
		put(u, answers[i].reply);
	if (answers[i].closes)
		half_close(u);
	h = get_head(c);
	cr_expect(has(h, answers[i].head_has), "%s: %s", answers[i].why, h);
	cr_expect_not(has(h, answers[i].head_lacks), "%s: %s", answers[i].why,
	    h);
	if (!cut || !has(h, CHUNKED))
		get(c, answers[i].arrives);
	if (!answers[i].client_kept)
		get_eof(c);
	else if (!cut)
		cr_expect(is_silent(c), "%s", answers[i].why);
	half_close(u);
	rig_turns(3);
}

Test(exchange, answers)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		try_answer(i, false);
	cr_expect_eq(rig_outcome(OUT_ANSWERED),
	    sizeof(answers) / sizeof(answers[0]));
}

Test(exchange, answers_cut_at_every_byte)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		try_answer(i, true);
	rig_turns(5);
	cr_expect_eq(rig_outcome(OUT_ANSWERED),
	    sizeof(answers) / sizeof(answers[0]));
}

/* ---- 1xx and Expect ---- */

Test(exchange, interim_answers_go_on)
{
	int c = client_ask(GET_A), u = origin_accept(A);

	(void)get_head(u);
	put(u, "HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\n");
	cr_expect(has(get_head(c), "HTTP/1.1 103 Early Hints\r\nLink: </s>"));
	put(u, "HTTP/1.1 102 Processing\r\n\r\n" OK_ANSWER);
	cr_expect(has(get_head(c), " 102 "));
	cr_expect(has(get_head(c), " 200 "));
	get(c, "ok");
}

/* They are no answer, and an instance may not say them for ever. */
Test(exchange, interim_answers_have_an_end)
{
	int c = client_ask(GET_A), u = origin_accept(A);

	(void)get_head(u);
	for (unsigned i = 0; i < 100; i++) {
		put(u, "HTTP/1.1 102 Processing\r\n\r\n");
		cr_expect(has(get_head(c), " 102 "));
	}
	put(u, "HTTP/1.1 102 Processing\r\n\r\n" OK_ANSWER);
	cr_expect(has(get_head(c), " 502 "));
	rig_turns(5);
	cr_expect_eq(rig_outcome(OUT_INSTANCE_MALFORMED), 1);
}

Test(exchange, interim_answers_are_not_for_old_clients)
{
	int c = client_ask(G10), u = origin_accept(A);

	(void)get_head(u);
	put(u, "HTTP/1.1 103 Early Hints\r\n\r\n" OK_ANSWER);
	cr_expect(has(get_head(c), " 200 "));
	get(c, "ok");
	get_eof(c);
}

#define EXPECT_5                                                               \
	"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"                 \
	"Expect: 100-continue\r\n\r\n"

Test(exchange, expect_is_answered_by_the_instance)
{
	int c = client_ask(EXPECT_5), u = origin_accept(A);

	cr_expect(has(get_head(u), "Expect: 100-continue\r\n"));
	cr_expect(is_silent(c), "we do not answer for it");
	put(u, "HTTP/1.1 100 Continue\r\n\r\n");
	cr_expect(has(get_head(c), " 100 "));
	put(c, "hello");
	get(u, "hello");
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c), " 200 "));
	get(c, "ok");
	(void)serve(c, u, A, GET_A);
}

Test(exchange, expect_refused_at_once)
{
	int c = client_ask(EXPECT_5), u = origin_accept(A);

	(void)get_head(u);
	answer(u, "401 Unauthorized", "no");
	cr_expect(has(get_head(c), "Connection: close\r\n"));
	get(c, "no");
	get_eof(c);
	get_eof(u); /* it may still wait for the body */
	cr_expect_eq(rig_outcome(OUT_ANSWERED), 1);
}

/* ---- early answers ---- */

Test(exchange, early_answer_while_the_body_flows)
{
	int c = client_ask("POST /p HTTP/1.1\r\nHost: x\r\n"
	                   "Content-Length: 10\r\n\r\nhello");
	int u = origin_accept(A);

	(void)get_head(u);
	get(u, "hello");
	put(u, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nea");
	cr_expect(has(get_head(c), "Connection: close\r\n"));
	get(c, "ea");
	put(c, "there"); /* it still flows */
	get(u, "there");
	put(u, "rl");
	get(c, "rl");
	get_eof(c);
	cr_expect_eq(rig_outcome(OUT_ANSWERED), 1);
}

Test(exchange, early_answer_of_an_instance_that_hangs_up)
{
	static char body[1000];
	int c = client_ask("POST /p HTTP/1.1\r\nHost: x\r\n"
	                   "Content-Length: 1000000\r\n\r\n");
	int u;

	u = origin_accept(A);
	(void)get_head(u);
	answer(u, "413 Content Too Large", "no");
	reset(u); /* unread bytes: the answer is in our kernel, then a RST */
	put_n(c, body, sizeof(body));
	cr_expect(has(get_head(c), " 413 "));
	get(c, "no");
	cr_expect_eq(rig_outcome(OUT_ANSWERED), 1);
}

/* ---- the client's own ways ---- */

Test(exchange, pipelined_requests_keep_their_order)
{
	int c = client_ask(GET_A POST_5 "hello" GET_B), u = origin_accept(A);

	cr_expect(has(get_head(u), "GET /a "));
	cr_expect(is_silent(u), "one at a time");
	put(u, OK_ANSWER);
	cr_expect(has(get_head(u), "POST /p "));
	get(u, "hello");
	cr_expect(is_silent(u), "one at a time");
	answer(u, "201 Created", "");
	cr_expect(has(get_head(u), "GET /b "));
	answer(u, "404 Not Found", "");
	cr_expect(has(get_head(c), " 200 "));
	get(c, "ok");
	cr_expect(has(get_head(c), " 201 "));
	cr_expect(has(get_head(c), " 404 "));
	cr_expect(origin_is_quiet(A));
	cr_expect_eq(rig_outcome(OUT_ANSWERED), 3);
}

Test(exchange, pipelining_beyond_all_buffers)
{
	int c = client_open(), u = -1, sent = 0, answered = 0;
	size_t most = 0;

	while (sent < 3000) {
		put(c, GET_A);
		sent++;
	}
	for (; answered < sent; answered++) {
		if (u == -1)
			u = origin_accept(A);
		(void)get_head(u);
		if (rig_slabs() > most)
			most = rig_slabs();
		put(u, OK_ANSWER);
		cr_assert(has(get_head(c), " 200 "));
		get(c, "ok");
	}
	cr_expect_leq(most, 3);
}

Test(exchange, half_close_after_the_request)
{
	int c = client_ask(GET_A), u;

	half_close(c);
	u = origin_accept(A);
	(void)get_head(u);
	rig_turns(5);
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c), " 200 "));
	get(c, "ok");
	get_eof(c);
	cr_expect_eq(rig_outcome(OUT_ANSWERED), 1);
}

/* ---- bytes nobody asked for ---- */

static const struct {
	const char *why, *reply;
} overlong[] = {
	{ "behind a length", OK_ANSWER "x" },
	{ "a second answer", OK_ANSWER OK_ANSWER },
	{ "behind the last chunk",
	    "HTTP/1.1 200 OK\r\n" CHUNKED "\r\n2\r\nok\r\n0\r\n\r\nx" },
};

Test(exchange, bytes_after_the_answer_void_the_connection)
{
	for (size_t i = 0; i < sizeof(overlong) / sizeof(overlong[0]); i++) {
		int c = client_ask(GET_A), u = origin_accept(A);

		(void)get_head(u);
		put(u, overlong[i].reply);
		cr_expect(has(get_head(c), " 200 "));
		get_eof(u);
	}
}

Test(exchange, late_bytes_void_the_connection_too)
{
	int u = serve(client_open(), -1, A, GET_A);

	put(u, OK_ANSWER);
	get_eof(u);
	(void)serve(client_open(), -1, A, GET_A);
}

/* ---- size ---- */

/* A head of a little under 60 KiB, in two fields as one has a limit. */
static const char *
large(const char *start, const char *fields)
{
	static char text[70000];
	char *p = text + sprintf(text, "%s", start);

	for (int i = 0; i < 2; i++) {
		p += sprintf(p, "X-%d: ", i);
		memset(p, 'v', 29500);
		p += 29500;
		p += sprintf(p, "\r\n");
	}
	(void)sprintf(p, "%s\r\n", fields);
	return text;
}

Test(exchange, large_heads_both_ways)
{
	int c = client_ask(large("GET /a HTTP/1.1\r\n", "Host: x\r\n"));
	int u = origin_accept(A);

	cr_expect_gt(strlen(get_head(u)), 59000);
	put(u, large("HTTP/1.1 200 OK\r\n", CHUNKED));
	put(u, "2\r\nok\r\n0\r\n\r\n");
	cr_expect_gt(strlen(get_head(c)), 59000);
	get(c, "2\r\nok\r\n0\r\n\r\n");
}

/* A head that fills the queue to each of its last bytes, then a chunk. */
Test(exchange, heads_that_leave_no_room_for_a_chunk)
{
	static char pad[20000], text[21000];
	int c = client_open(), u = -1;

	memset(pad, 'p', sizeof(pad) - 1);
	for (int n = 15300; n < 15640; n += 3) {
		put(c, GET_A);
		if (u == -1)
			u = origin_accept(A);
		(void)get_head(u);
		(void)snprintf(text, sizeof(text),
		    "HTTP/1.1 200 OK\r\n" CHUNKED
		    "Date: x\r\nX-Pad: %.*s\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		    n - 100, pad);
		put(u, text);
		cr_assert(has(get_head(c), CHUNKED), "%d", n);
		get(c, "2\r\nok\r\n0\r\n\r\n");
	}
}

/* Sends until nothing goes for a while; what was taken. */
static size_t
stuff(int fd, size_t max)
{
	static char bytes[65536];
	size_t sent = 0;
	unsigned idle = 0;

	while (sent < max && idle < 200) {
		size_t want = max - sent;
		ssize_t n = send(fd, bytes,
		    want < sizeof(bytes) ? want : sizeof(bytes),
		    MSG_DONTWAIT | MSG_NOSIGNAL);

		rig_turn();
		if (n == -1) {
			cr_assert_eq(errno, EAGAIN);
			idle++;
			continue;
		}
		idle = 0;
		sent += (size_t)n;
	}
	return sent;
}

#define BIG ((size_t)64 << 20)

/* The rest flows as the reader reads; never more than a few slabs are lent. */
static void
flow(int from, int to, size_t sent)
{
	static char bytes[65536];
	size_t got = 0;

	while (got < BIG) {
		ssize_t n = recv(to, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (n > 0)
			got += (size_t)n;
		else
			cr_assert(n == -1 && errno == EAGAIN);
		if (sent < BIG) {
			size_t want = BIG - sent;

			n = send(from, bytes,
			    want < sizeof(bytes) ? want : sizeof(bytes),
			    MSG_DONTWAIT | MSG_NOSIGNAL);
			sent += n > 0 ? (size_t)n : 0;
		}
		rig_turn();
		cr_assert_leq(rig_slabs(), 4);
	}
}

Test(exchange, slow_client_stops_the_instance)
{
	int c = client_ask(GET_A), u = origin_accept(A);
	size_t sent;

	(void)get_head(u);
	put(u, "HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n");
	sent = stuff(u, BIG);
	cr_expect_lt(sent, BIG, "all of it went into memory");
	cr_expect_leq(rig_slabs(), 4);
	(void)get_head(c);
	flow(u, c, sent);
	rig_turns(5);
	cr_expect_eq(rig_slabs(), 0);
	cr_expect_eq(rig_outcome(OUT_ANSWERED), 1);
	cr_expect_eq(stat_get(&rig_cell()->bytes_out), BIG);
}

Test(exchange, slow_instance_stops_the_client)
{
	int c, u;
	size_t sent;

	rig_down();
	rig_up(&(struct rig_lines){ .service = "    limits: { body: 0 }" });
	c = client_ask("PUT /p HTTP/1.1\r\nHost: x\r\n"
	               "Content-Length: 67108864\r\n\r\n");
	u = origin_accept(A);
	(void)get_head(u);
	sent = stuff(c, BIG);
	cr_expect_lt(sent, BIG, "all of it went into memory");
	cr_expect_leq(rig_slabs(), 4);
	flow(c, u, sent);
	put(u, OK_ANSWER);
	cr_expect(has(get_head(c), " 200 "));
	get(c, "ok");
	cr_expect_eq(stat_get(&rig_cell()->bytes_in), BIG);
}
