/* One lane on a socket pair; the test is the peer and the user. */
#include "wire/lane.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/slab.h"
#include "base/thread.h"
#include "net/loop.h"
#include "wire/queue.h"

static struct loop *loop;
static struct wire wire;
static struct lane lane;
static int peer;
static char told[512]; /* the events, in words */
static char body[256];
static bool deaf_at_broken, rewind_at_end, stuck;
static unsigned n_data;

/* ---- the user ---- */

static void
tell(const char *what)
{
	size_t n = strlen(told);

	(void)snprintf(told + n, sizeof(told) - n, "%s%s", n > 0 ? " " : "",
	    what);
}

static void
on_begin(struct lane *l UNUSED)
{
	tell("begin");
}

static void
on_head(struct lane *l, struct http_head *h)
{
	char text[64];

	lane_hold_head(l);
	(void)snprintf(text, sizeof(text), "head:%.*s", (int)h->method_text.len,
	    h->method_text.p);
	tell(text);
}

static bool
on_data(struct lane *l UNUSED, struct str s)
{
	size_t n = strlen(body);

	n_data++;
	(void)snprintf(body + n, sizeof(body) - n, "%.*s", (int)s.len, s.p);
	return true;
}

static void
on_trailers(struct lane *l UNUSED, struct http_head *h UNUSED)
{
	tell("trailers");
}

static void
on_end(struct lane *l)
{
	tell("end");
	if (!rewind_at_end)
		return;
	rewind_at_end = false;
	cr_assert(lane_can_rewind(l));
	lane_rewind(l);
	tell("rewind");
	lane_resume(l);
}

static bool
on_batch(struct lane *l UNUSED)
{
	tell("batch");
	return !stuck;
}

static void
on_drained(struct lane *l UNUSED)
{
	tell("drained");
}

static void
on_eof(struct lane *l UNUSED)
{
	tell("eof");
}

static void
on_broken(struct lane *l, int code, enum http_bad why)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "broken:%s:%s", err_name(code),
	    why == BAD_NONE ? "-" : http_bad_name(why));
	tell(text);
	if (deaf_at_broken)
		lane_go_deaf(l);
}

/* Three bytes of a preface, taken when all are there; "no!" is refused. */
static int
on_greet(struct lane *l)
{
	char text[3];
	ssize_t n = recv(l->conn.fd, text, sizeof(text), MSG_PEEK);

	if (n < (ssize_t)sizeof(text))
		return n == 0 ? E_EOF : E_AGAIN;
	cr_assert_eq(recv(l->conn.fd, text, sizeof(text), 0), 3);
	tell("greeted");
	return memcmp(text, "no!", 3) == 0 ? E_PERM : E_OK;
}

static const struct lane_user user = {
	.greet = on_greet,
	.begin = on_begin,
	.head = on_head,
	.data = on_data,
	.trailers = on_trailers,
	.end = on_end,
	.batch = on_batch,
	.drained = on_drained,
	.eof = on_eof,
	.broken = on_broken,
};

/* ---- the rig ---- */

static void
on_turn(void *arg UNUSED)
{
	loop_stop(loop);
}

static void
turn(void)
{
	for (int i = 0; i < 4; i++) {
		loop_wake(loop);
		loop_run(loop);
	}
}

static void
up(void)
{
	static const struct http_limits limits = { 65536, 65536, 16384, 100 };
	int fds[2];

	thread_become(ROLE_ANY, "test");
	cr_assert_eq(loop_new(&loop), E_OK);
	loop_on_turn(loop, on_turn, NULL);
	wire.loop = loop;
	wire.slabs = slab_store_new(4);
	cr_assert_eq(socketpair(AF_UNIX,
	                 SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	    0);
	peer = fds[1];
	cr_assert_eq(lane_accept(&lane, &wire, fds[0], &user, &limits), E_OK);
}

static void
down(void)
{
	lane_close(&lane);
	cr_assert_eq(slab_lent(wire.slabs), 0);
	slab_store_free(&wire.slabs);
	loop_free(&loop);
	close(peer);
}

TestSuite(lane, .init = up, .fini = down, .timeout = 10);

static void
put(const char *text)
{
	cr_assert_eq(send(peer, text, strlen(text), 0), (ssize_t)strlen(text));
	turn();
}

static const char *
sent(void)
{
	static char text[200000];
	ssize_t n = recv(peer, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

#define GET_ "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST_ "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
#define CHUNKS                                                                 \
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

/* ---- reading ---- */

static const struct {
	const char *why, *in, *told, *body;
} rows[] = {
	{ "no body", GET_, "begin head:GET end", "" },
	{ "a length", POST_ "hello", "begin head:POST end", "hello" },
	{ "less than it", POST_ "hel", "begin head:POST batch", "hel" },
	{ "chunks", CHUNKS "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
	    "begin head:POST end", "hello" },
	{ "trailers", CHUNKS "0\r\nX: y\r\n\r\n",
	    "begin head:POST trailers end", "" },
	{ "half a head", "GET / HT", "begin", "" },
	{ "no more than one", GET_ GET_, "begin head:GET end", "" },
	{ "nonsense", "\x01", "begin broken:syntax:method", "" },
	{ "a bad chunk", CHUNKS "x", "begin head:POST broken:syntax:chunk_size",
	    "" },
};

Test(lane, tells_what_it_reads)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (i > 0) {
			down();
			up();
		}
		told[0] = body[0] = '\0';
		put(rows[i].in);
		cr_expect_str_eq(told, rows[i].told, "%s: %s", rows[i].why,
		    told);
		cr_expect_str_eq(body, rows[i].body, "%s", rows[i].why);
	}
}

Test(lane, a_greeting_comes_before_messages)
{
	lane_greets(&lane);
	put("hi");
	cr_assert_str_eq(told, "");
	put("!" GET_);
	cr_assert_str_eq(told, "greeted begin head:GET end");
}

Test(lane, a_greeting_may_fail)
{
	lane_greets(&lane);
	put("no!" GET_);
	cr_assert_str_eq(told, "greeted broken:perm:-");
}

Test(lane, reads_the_next_when_asked)
{
	put(GET_ POST_ "hello" GET_);
	told[0] = '\0';
	lane_next(&lane);
	cr_expect_str_eq(told, "begin head:POST end");
	told[0] = '\0';
	lane_next(&lane);
	cr_expect_str_eq(told, "begin head:GET end");
	lane_next(&lane);
	cr_expect(lane_is_idle(&lane));
	cr_expect_eq(slab_lent(wire.slabs), 0, "idle is small");
}

Test(lane, stops_while_what_it_lent_is_stuck)
{
	stuck = true;
	put(POST_ "he");
	told[0] = '\0';
	put("llo");
	cr_expect_str_eq(told, "");
	stuck = false;
	lane_resume(&lane);
	cr_expect_str_eq(body, "hello");
}

Test(lane, lets_others_have_their_turn)
{
	enum { CHUNKS_N = 4000 };
	static char chunks[CHUNKS_N * 6];
	unsigned before;

	for (size_t i = 0; i < CHUNKS_N; i++)
		memcpy(chunks + i * 6, "1\r\nx\r\n", 6);
	put(CHUNKS);
	loop_wake(loop);
	cr_assert_eq(send(peer, chunks, sizeof(chunks), 0),
	    (ssize_t)sizeof(chunks));
	loop_run(loop);
	cr_expect_gt(n_data, 0, "nothing was done in the turn");
	for (unsigned turns = 1; n_data < CHUNKS_N; turns++) {
		before = n_data;
		cr_assert_leq(n_data, turns * 512, "one turn does it all");
		loop_wake(loop);
		loop_run(loop);
		cr_assert_gt(n_data, before, "the rest is forgotten");
	}
	cr_expect_eq(n_data, CHUNKS_N);
}

Test(lane, goes_back_to_the_body)
{
	rewind_at_end = true;
	put(CHUNKS "5\r\nhello\r\n0\r\nX: y\r\n\r\n");
	cr_expect_str_eq(told,
	    "begin head:POST trailers end rewind trailers end");
	cr_expect_str_eq(body, "hellohello");
}

Test(lane, goes_back_over_several_reads)
{
	rewind_at_end = true;
	put(POST_ "he");
	put("llo");
	cr_expect_str_eq(told, "begin head:POST batch end rewind end");
	cr_expect_str_eq(body, "hellohello");
}

Test(lane, cannot_go_back_over_what_is_gone)
{
	static char piece[4001];

	memset(piece, 'x', sizeof(piece) - 1);
	put("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n");
	put(piece);
	cr_expect(lane_can_rewind(&lane));
	for (int i = 0; i < 3; i++)
		put(piece);
	cr_expect_not(lane_can_rewind(&lane));
}

static const struct {
	const char *why, *in, *told;
} ends[] = {
	{ "between messages", "", "eof" },
	{ "within a head", "GET / HT", "begin broken:eof:cut" },
	{ "within a body", POST_ "he", "begin head:POST batch broken:eof:cut" },
	{ "within a chunk", CHUNKS "5\r\nhe",
	    "begin head:POST batch broken:eof:cut" },
};

Test(lane, tells_an_end_rightly)
{
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		if (i > 0) {
			down();
			up();
		}
		told[0] = '\0';
		put(ends[i].in);
		shutdown(peer, SHUT_WR);
		turn();
		cr_expect_str_eq(told, ends[i].told, "%s: %s", ends[i].why,
		    told);
	}
}

/* The FIN came together with the nonsense: no event will follow it. */
Test(lane, is_told_the_end_after_a_refusal)
{
	deaf_at_broken = true;
	cr_assert_eq(send(peer, "\x01junk", 5, 0), 5);
	shutdown(peer, SHUT_WR);
	turn();
	cr_expect_str_eq(told, "begin broken:syntax:method eof");
}

Test(lane, deaf_ears_hold_nothing)
{
	deaf_at_broken = true;
	put("\x01");
	for (int i = 0; i < 100; i++)
		put("more of it, and more, and more");
	cr_expect_eq(slab_lent(wire.slabs), 0);
}

/* ---- writing ---- */

static const struct http_head *
response(struct str pad)
{
	static struct http_head h;

	memset(&h, 0, sizeof(h));
	h.status = 200;
	h.reason = STR("OK");
	cr_assert_eq(http_head_add(&h, FIELD_OTHER, STR("P"), pad), E_OK);
	return &h;
}

/* However much room a head leaves, chunks and their end follow it. */
Test(lane, chunks_behind_a_head_of_any_size)
{
	static char pad[80000];

	memset(pad, 'p', sizeof(pad));
	for (size_t n = 15400; n < 15700; n++) {
		cr_assert_eq(lane_send_head(&lane, response(str_from(pad, n)),
		                 FRAMING_CHUNKED, 0),
		    E_OK);
		cr_assert_eq(lane_send_data(&lane, STR("hello")), E_OK);
		cr_assert_eq(lane_send_data(&lane, STR("you")), E_OK);
		cr_assert_eq(lane_send_end(&lane, NULL), E_OK);
		cr_assert_eq(lane_flush(&lane), E_OK);
		cr_assert(strstr(sent(),
		              "\r\n\r\n5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n") !=
		    NULL);
	}
	cr_expect_eq(lane_send_head(&lane, response(str_from(pad, sizeof(pad))),
	                 FRAMING_CHUNKED, 0),
	    E_TOOBIG);
}

/* In one piece with its head when short, else where it lies. */
Test(lane, a_body_is_copied_when_that_is_cheaper)
{
	static char bytes[4096];

	memset(bytes, 'b', sizeof(bytes));
	for (size_t n = 1; n <= sizeof(bytes); n *= 2) {
		cr_assert_eq(lane_send_head(&lane, response(STR("p")),
		                 FRAMING_LENGTH, 0),
		    E_OK);
		cr_assert_eq(lane_send_data(&lane, str_from(bytes, n)), E_OK);
		cr_expect_eq(queue_of(lane.out)->n, n <= 2048 ? 1 : 2, "%zu",
		    n);
		cr_assert_eq(lane_flush(&lane), E_OK);
		cr_expect_eq(strlen(strstr(sent(), "\r\n\r\n")), n + 4, "%zu",
		    n);
	}
}

/* A message larger than a small slab: the next is read in one go. */
Test(lane, expects_messages_like_the_last)
{
	static const char head[] = "POST / HTTP/1.1\r\nHost: x\r\n"
	                           "Content-Length: 20000\r\n\r\n";
	static const unsigned reads[] = { 2, 1, 1 };
	static char text[sizeof(head) - 1 + 20000];

	memset(text, 'b', sizeof(text));
	memcpy(text, head, sizeof(head) - 1);
	for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
		n_data = 0;
		body[0] = '\0';
		cr_assert_eq(send(peer, text, sizeof(text), 0),
		    (ssize_t)sizeof(text));
		turn();
		cr_expect_eq(n_data, reads[i], "message %zu: %u", i, n_data);
		lane_next(&lane);
	}
	put(GET_);
	lane_next(&lane);
	cr_expect_not(lane.bulk, "a short one is soon expected again");
}

Test(lane, drops_what_nobody_takes)
{
	close(peer);
	peer = -1;
	cr_assert_eq(lane_send_copy(&lane, STR("hello")), E_OK);
	cr_expect_eq(lane_flush(&lane), E_RESET);
	cr_expect_not(lane_pending(&lane));
	cr_assert_eq(lane_send_copy(&lane, STR("hello")), E_OK);
	cr_assert_eq(
	    lane_send_head(&lane, response(STR("")), FRAMING_CHUNKED, 0), E_OK);
	cr_assert_eq(lane_send_data(&lane, STR("hello")), E_OK);
	cr_assert_eq(lane_send_end(&lane, NULL), E_OK);
	cr_expect_not(lane_pending(&lane));
	cr_expect_eq(lane_flush(&lane), E_OK);
}

/* Nobody is told of a deaf lane's trouble but that it is over. */
Test(lane, deaf_ears_notice_a_reset)
{
	deaf_at_broken = true;
	put("\x01");
	cr_assert_eq(lane_send_copy(&lane, STR("unread")), E_OK);
	cr_assert_eq(lane_flush(&lane), E_OK);
	close(peer); /* with unread bytes: a reset */
	peer = -1;
	turn();
	cr_expect_str_eq(told, "begin broken:syntax:method eof");
}
