/* Streams of HTTP/2 lent and given back, over real sockets. */
#include "upstream/uptrunk.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/slab.h"
#include "base/thread.h"
#include "house.h"
#include "http/h2.h"
#include "net/listener.h"
#include "net/loop.h"
#include "tests/unit/net/rig.h"
#include "wire/trunk.h"

#define IDLE_US (3600 * US_PER_S)
#define MANY 24

/* ---- an instance ---- */

enum how { ANSWERS, HOLDS, RESETS, REFUSES, HINTS, SENDS, TRAILS };

struct origin {
	struct loop *loop;
	struct listener listener;
	struct addr at;
	int fd;
	struct slab_store *slabs;
	struct peer *peers;
	enum how how;
	unsigned hints;       /* before each answer */
	size_t body_bytes;    /* of each answer, if it SENDS */
	unsigned trailers;    /* fields, if it TRAILS */
	uint32_t max_streams; /* of connections yet to come */
	bool mute;            /* says nothing, its settings neither */
	unsigned accepted, asked, reset;
};

struct peer {
	struct peer *next;
	struct origin *origin;
	struct conn conn;
	struct h2 *h2;
	int32_t ids[MANY]; /* of requests held */
	unsigned n;
	bool closed;
};

static struct peer *
peer_of(struct conn *c)
{
	return CONTAINER_OF(c, struct peer, conn);
}

static void
peer_close(struct peer *p, bool hard)
{
	if (p->closed)
		return;
	p->closed = true;
	if (hard)
		conn_reset(&p->conn);
	else
		conn_close(&p->conn);
}

static void
peer_send(struct peer *p)
{
	struct iovec run;
	struct str s;

	while (!p->origin->mute && !p->closed && (s = h2_send(p->h2)).len > 0) {
		run.iov_base = (void *)(uintptr_t)s.p;
		run.iov_len = s.len;
		if (conn_sendv(&p->conn, &run, 1) != (ssize_t)s.len)
			peer_close(p, false);
	}
}

static void
respond(struct peer *p, int32_t id, unsigned status, bool more)
{
	static struct http_head h;

	h.status = (uint16_t)status;
	cr_expect_eq(h2_respond(p->h2, id, &h, more), E_OK);
}

static void
peer_head(void *arg, int32_t id, void *stream UNUSED, struct slab *block,
    bool end UNUSED)
{
	struct peer *p = arg;
	struct origin *o = p->origin;

	slab_give(o->slabs, &block);
	o->asked++;
	h2_name(p->h2, id, p);
	for (unsigned i = 0; i < o->hints; i++)
		respond(p, id, 103, true);
	switch (o->how) {
	case ANSWERS:
	case HINTS:
		respond(p, id, 200, false);
		return;
	case TRAILS:
		p->ids[0] = id;
		respond(p, id, 200, true);
		return;
	case SENDS:
		respond(p, id, 200, true);
		return;
	case RESETS:
		h2_reset(p->h2, id, H2_INTERNAL_ERROR);
		return;
	case REFUSES:
		h2_reset(p->h2, id, H2_REFUSED_STREAM);
		return;
	case HOLDS:
		p->ids[p->n++ % MANY] = id;
		return;
	}
}

static void
peer_data(void *arg UNUSED, void *stream UNUSED, struct str bytes UNUSED)
{
}

static void
peer_end(void *arg, void *stream UNUSED, struct slab *trailers)
{
	slab_give(((struct peer *)arg)->origin->slabs, &trailers);
}

static void
peer_stream_closed(void *arg, void *stream UNUSED, uint32_t code)
{
	((struct peer *)arg)->origin->reset += code != H2_NO_ERROR;
}

static void
say_trailers(struct peer *p)
{
	static struct http_head h;

	h.n = 0;
	for (unsigned i = 0; i < p->origin->trailers; i++)
		cr_assert_eq(http_head_add(&h, FIELD_OTHER, STR("a"), STR("b")),
		    E_OK);
	cr_expect_eq(h2_trailers(p->h2, p->ids[0], &h), E_OK);
}

/* All of it at once: a window's worth. */
static size_t
peer_pull(void *arg, void *stream UNUSED, char *out, size_t cap, bool *end)
{
	struct peer *p = arg;
	size_t n = MIN(p->origin->body_bytes, cap);

	*end = p->origin->how == TRAILS;
	if (*end)
		say_trailers(p);
	memset(out, 'x', n);
	return n;
}

static bool
peer_is_tunnel(void *arg UNUSED, void *stream UNUSED)
{
	return false;
}

static void
peer_pong(void *arg UNUSED)
{
}

static const struct h2_user peer_user = {
	.head = peer_head,
	.data = peer_data,
	.end = peer_end,
	.closed = peer_stream_closed,
	.pull = peer_pull,
	.is_tunnel = peer_is_tunnel,
	.pong = peer_pong,
};

static void
on_peer(struct conn *c, unsigned what UNUSED)
{
	struct peer *p = peer_of(c);
	char bytes[4096];

	while (!p->closed && (c->maybe_input || c->unsure)) {
		ssize_t n = conn_recv(c, bytes, sizeof(bytes));

		if (n > 0)
			(void)!h2_receive(p->h2, str_from(bytes, (size_t)n),
			    loop_now_us(p->origin->loop));
		else if (n != E_AGAIN)
			peer_close(p, false);
	}
	peer_send(p);
}

static void
on_accept(struct listener *l, int fd, const struct addr *from UNUSED)
{
	struct origin *o = l->arg;
	struct h2_settings s = { .max_streams = o->max_streams,
		.window = 1u << 20,
		.limits = { 65536, 65536, 65536, HTTP_FIELDS_MAX } };
	struct peer *p = calloc(1, sizeof(*p));

	cr_assert_not_null(p);
	p->origin = o;
	p->next = o->peers;
	o->peers = p;
	o->accepted++;
	cr_assert_eq(h2_new(&p->h2, &s, &peer_user, p, o->slabs), E_OK);
	cr_assert_eq(conn_init(&p->conn, o->loop, fd, on_peer), E_OK);
	peer_send(p);
}

static void
origin_open(struct origin *o, struct loop *loop)
{
	struct addr any = rig_addr("127.0.0.1:1");

	o->loop = loop;
	o->max_streams = 100;
	o->slabs = slab_store_new(4);
	o->at.len = sizeof(o->at.un);
	any = addr_with_port(&any, 0);
	cr_assert_eq(listener_open(&any, 64, &o->fd, 1), E_OK);
	cr_assert_eq(getsockname(o->fd, &o->at.sa, &o->at.len), 0);
	cr_assert_eq(listener_start(&o->listener, loop, o->fd, on_accept, o),
	    E_OK);
}

static void
origin_deafen(struct origin *o)
{
	if (o->fd == -1)
		return;
	listener_stop(&o->listener);
	close(o->fd);
	o->fd = -1;
}

static void
origin_close(struct origin *o)
{
	struct peer *p;

	origin_deafen(o);
	while ((p = o->peers) != NULL) {
		o->peers = p->next;
		peer_close(p, false);
		h2_free(&p->h2);
		free(p);
	}
	slab_store_free(&o->slabs);
}

/* ---- who asks ---- */

struct user {
	struct upconn *up;
	struct cellar *cellar;
	int connected; /* 1: not told yet */
	bool answered, trailed, ended, broken, raced, stuck, insists;
	uint64_t sent; /* when it broke */
	size_t got;
};

struct cellar {
	struct loop *loop;
	struct registry *registry;
	struct cfg *cfg;
	struct instance *inst;
	struct inst_cell *cell;
	struct origin origin;
	struct wire wire;
	struct upworker w;
	struct user users[MANY];
};

static void dial(struct cellar *, struct user *);

static struct user *
user_of(struct lane *l)
{
	return CONTAINER_OF(l, struct upconn, lane)->user;
}

static void
on_connected(struct lane *l, int code)
{
	struct user *u = user_of(l);

	u->connected = code;
	if (code == E_OK)
		return;
	upconn_close(&u->up);
	if (!u->insists)
		return;
	u->insists = false;
	dial(u->cellar, u);
}

static void
on_lane(struct lane *l UNUSED)
{
}

static void
on_head(struct lane *l, struct http_head *h)
{
	user_of(l)->answered |= h->status >= 200;
}

static void
on_trailers(struct lane *l, struct http_head *h UNUSED)
{
	user_of(l)->trailed = true;
}

static bool
on_data(struct lane *l, struct str bytes)
{
	user_of(l)->got += bytes.len;
	return !user_of(l)->stuck;
}

static void
on_end(struct lane *l)
{
	user_of(l)->ended = user_of(l)->answered;
	if (!user_of(l)->ended)
		lane_next(l);
}

static bool
on_batch(struct lane *l)
{
	return !user_of(l)->stuck;
}

static void
on_broken(struct lane *l, int code UNUSED, enum http_bad why UNUSED)
{
	struct user *u = user_of(l);

	u->broken = true;
	u->raced = upconn_is_raced(u->up);
	u->sent = l->sent;
	upconn_close(&u->up);
}

static const struct lane_user asker = {
	.connected = on_connected,
	.begin = on_lane,
	.head = on_head,
	.data = on_data,
	.trailers = on_trailers,
	.end = on_end,
	.batch = on_batch,
	.drained = on_lane,
	.eof = on_lane,
	.broken = on_broken,
};

static void
dial(struct cellar *c, struct user *u)
{
	struct upask ask = { .protocol = CFG_PROTOCOL_H2C };

	u->connected = 1;
	u->cellar = c;
	cr_assert_eq(upconn_dial(&c->w, c->inst, &ask, &asker, u, &u->up),
	    E_OK);
}

static bool
take(struct cellar *c, struct user *u, bool careful)
{
	struct upask ask = { .protocol = CFG_PROTOCOL_H2C, .careful = careful };

	*u = (struct user){ .cellar = c };
	u->up = upconn_take(&c->w, c->inst, &ask);
	return u->up != NULL;
}

/* What is asked lies in the trunk, to be sent when this turn ends. */
static void
ask(struct user *u)
{
	static struct http_head h;

	h.method_text = STR("GET");
	h.target = STR("/");
	h.authority = STR("x");
	u->up->user = u;
	u->up->lane.user = &asker;
	u->up->lane.method = METHOD_GET;
	cr_assert_eq(lane_send_head(&u->up->lane, &h, FRAMING_NONE, 0), E_OK);
	cr_assert_eq(lane_flush(&u->up->lane), E_OK);
}

static bool
is_connected(void *arg)
{
	return ((struct user *)arg)->connected != 1;
}

static bool
is_done(void *arg)
{
	return ((struct user *)arg)->answered || ((struct user *)arg)->broken;
}

static bool
is_over(void *arg)
{
	return ((struct user *)arg)->ended || ((struct user *)arg)->broken;
}

static bool
is_fed(void *arg)
{
	return ((struct user *)arg)->got > 0;
}

static bool
none_open(void *arg)
{
	return stat_get(&((struct cellar *)arg)->cell->conns) == 0;
}

static void
dial_and_wait(struct cellar *c, struct user *u)
{
	*u = (struct user){ .cellar = c };
	dial(c, u);
	rig_run_until(c->loop, is_connected, u);
	cr_assert_eq(u->connected, E_OK);
}

static void
ask_and_wait(struct cellar *c, struct user *u)
{
	ask(u);
	rig_run_until(c->loop, is_done, u);
}

static void
keep(struct user *u)
{
	upconn_keep(&u->up, IDLE_US, MANY);
	cr_expect_null(u->up);
}

static void
expect_open(const struct cellar *c, unsigned conns, const char *why)
{
	cr_expect_eq(stat_get(&c->cell->conns), conns, "%s: %lu open", why,
	    stat_get(&c->cell->conns));
	cr_expect_eq(c->w.n_trunks, conns, "%s: %zu trunks", why,
	    c->w.n_trunks);
}

static void
set_up(struct cellar *c)
{
	char address[ADDR_TEXT_MAX];

	thread_become(ROLE_ANY, "test");
	memset(c, 0, sizeof(*c));
	c->loop = rig_loop();
	origin_open(&c->origin, c->loop);
	addr_text(&c->origin.at, address);
	c->cfg = house_cfg("listeners: \":1\"\n"
	                   "services:\n- name: s\n  pools:\n  - name: v1\n"
	                   "    protocol: h2c\n"
	                   "    instances: [ { name: i, address: \"%s\" } ]\n",
	    address);
	c->registry = registry_new(2);
	house_apply(c->registry, c->cfg);
	house_all_up(c->registry);
	c->inst = house_instance(c->registry, "i");
	c->cell = &c->inst->cells[1];
	c->wire.loop = c->loop;
	c->wire.slabs = slab_store_new(4);
	upworker_init(&c->w, &c->wire, 1);
}

static void
tear_down(struct cellar *c)
{
	for (unsigned i = 0; i < MANY; i++)
		upconn_close(&c->users[i].up);
	upworker_close(&c->w);
	expect_open(c, 0, "at the end");
	cr_expect_eq(c->w.n_conns, 0, "%zu streams left", c->w.n_conns);
	cr_expect_null(c->cell->cache, "without connections no cache");
	for (int i = 0; i < 3; i++) /* what is freed defers, too */
		loop_run_deferred(c->loop);
	cr_expect_eq(slab_lent(c->wire.slabs), 0, "idle holds no buffer");
	slab_store_free(&c->wire.slabs);
	origin_close(&c->origin);
	registry_free(&c->registry);
	cfg_unref(&c->cfg);
	loop_free(&c->loop);
}

/* ---- lent and given back ---- */

Test(uptrunk, who_asks_while_it_is_dialled_waits_for_it, .timeout = 10)
{
	struct cellar c;

	set_up(&c);
	for (unsigned i = 0; i < 5; i++)
		dial(&c, &c.users[i]);
	expect_open(&c, 1, "dialled");
	cr_expect_eq(c.w.n_conns, 6, "five streams and what they run over");
	for (unsigned i = 0; i < 5; i++)
		rig_run_until(c.loop, is_connected, &c.users[i]);
	for (unsigned i = 0; i < 5; i++) {
		cr_expect_eq(c.users[i].connected, E_OK);
		cr_expect_not(upconn_is_reused(c.users[i].up), "it is fresh");
		ask_and_wait(&c, &c.users[i]);
		cr_expect(c.users[i].answered);
		keep(&c.users[i]);
	}
	expect_open(&c, 1, "idle");
	for (unsigned n = 0; n < 3; n++) {
		cr_expect(take(&c, &c.users[0], n % 2 == 0));
		cr_expect(upconn_is_reused(c.users[0].up));
		ask_and_wait(&c, &c.users[0]);
		cr_expect(c.users[0].answered);
		keep(&c.users[0]);
	}
	cr_expect_eq(c.origin.accepted, 1);
	cr_expect_eq(c.origin.asked, 8);
	tear_down(&c);
}

Test(uptrunk, who_waits_may_leave, .timeout = 10)
{
	struct cellar c;

	set_up(&c);
	dial(&c, &c.users[0]);
	dial(&c, &c.users[1]);
	upconn_close(&c.users[0].up);
	rig_run_until(c.loop, is_connected, &c.users[1]);
	ask_and_wait(&c, &c.users[1]);
	cr_expect(c.users[1].answered);
	upconn_close(&c.users[1].up);
	upworker_close(&c.w);
	dial(&c, &c.users[0]);
	dial(&c, &c.users[1]);
	upconn_close(&c.users[0].up);
	expect_open(&c, 1, "one waits still");
	upconn_close(&c.users[1].up);
	expect_open(&c, 0, "nobody waits");
	tear_down(&c);
}

/* Those told may dial anew at once, and are not told of the old one again. */
Test(uptrunk, all_hear_that_nobody_listens, .timeout = 10)
{
	struct cellar c;

	set_up(&c);
	origin_deafen(&c.origin);
	for (unsigned i = 0; i < 4; i++) {
		c.users[i].insists = i % 2 == 1;
		dial(&c, &c.users[i]);
	}
	rig_run_until(c.loop, none_open, &c);
	for (unsigned i = 0; i < 4; i++)
		cr_expect_eq(c.users[i].connected, E_CONNREFUSED, "%u", i);
	cr_expect_eq(stat_get(&c.cell->conns_opened), 2);
	tear_down(&c);
}

Test(uptrunk, one_that_takes_no_more_gets_company, .timeout = 10)
{
	struct cellar c;
	struct user *u = c.users;

	set_up(&c);
	c.origin.max_streams = 1;
	c.origin.how = HOLDS;
	dial_and_wait(&c, &u[0]);
	ask(&u[0]);
	rig_run_for(c.loop, 20 * US_PER_MS);
	cr_expect_eq(c.origin.asked, 1);
	cr_expect_not(take(&c, &u[1], false), "it takes one at a time");
	dial_and_wait(&c, &u[1]);
	expect_open(&c, 2, "a second one");
	keep(&u[1]);
	expect_open(&c, 2, "few streams each: both stay");
	cr_expect(take(&c, &u[1], false));
	tear_down(&c);
}

/* Those who wait are as many as the others take, though it has said nothing. */
Test(uptrunk, what_one_has_said_holds_for_the_next, .timeout = 10)
{
	struct cellar c;
	struct user *u = c.users;

	set_up(&c);
	c.origin.max_streams = 2;
	c.origin.how = HOLDS;
	dial_and_wait(&c, &u[0]);
	ask(&u[0]);
	rig_run_for(c.loop, 20 * US_PER_MS);
	cr_assert(take(&c, &u[1], false));
	for (unsigned i = 2; i < 7; i++)
		dial(&c, &u[i]);
	expect_open(&c, 4, "two each");
	tear_down(&c);
}

/* Nor is what stands in for it taken for its word. */
Test(uptrunk, one_that_has_said_nothing_yet_takes_as_many, .timeout = 10)
{
	struct cellar c;
	struct user *u = c.users;

	set_up(&c);
	c.origin.max_streams = 2;
	c.origin.how = HOLDS;
	dial_and_wait(&c, &u[0]);
	ask(&u[0]);
	rig_run_for(c.loop, 20 * US_PER_MS);
	cr_assert(take(&c, &u[1], false));
	c.origin.mute = true;
	dial_and_wait(&c, &u[2]);
	cr_expect(take(&c, &u[3], false));
	cr_expect_not(take(&c, &u[4], false), "the others take two");
	tear_down(&c);
}

/* Tries that want a fresh one do not leave as many idle. */
Test(uptrunk, one_idle_will_do, .timeout = 10)
{
	struct cellar c;

	set_up(&c);
	for (unsigned i = 0; i < 5; i++) {
		dial_and_wait(&c, &c.users[0]);
		ask_and_wait(&c, &c.users[0]);
		keep(&c.users[0]);
		expect_open(&c, 1, "the last one");
	}
	cr_expect_eq(c.origin.accepted, 5);
	tear_down(&c);
}

/* ---- the end ---- */

Test(uptrunk, idle_ends_at_its_limit, .timeout = 10)
{
	struct cellar c;
	uint64_t from = clock_mono_us();

	set_up(&c);
	dial_and_wait(&c, &c.users[0]);
	ask_and_wait(&c, &c.users[0]);
	upconn_keep(&c.users[0].up, 100 * US_PER_MS, MANY);
	expect_open(&c, 1, "idle");
	rig_run_until(c.loop, none_open, &c);
	cr_expect_geq(clock_mono_us() - from, 60 * US_PER_MS);
	tear_down(&c);
}

Test(uptrunk, none_is_kept_where_none_may_be, .timeout = 10)
{
	struct cellar c;

	set_up(&c);
	dial_and_wait(&c, &c.users[0]);
	ask_and_wait(&c, &c.users[0]);
	upconn_keep(&c.users[0].up, IDLE_US, 0);
	expect_open(&c, 0, "max 0");
	tear_down(&c);
}

Test(uptrunk, a_goaway_lets_the_streams_end, .timeout = 10)
{
	struct cellar c;
	struct user *u = c.users;
	struct peer *p;

	set_up(&c);
	c.origin.how = HOLDS;
	dial_and_wait(&c, &u[0]);
	ask(&u[0]);
	rig_run_for(c.loop, 20 * US_PER_MS);
	p = c.origin.peers;
	h2_goaway(p->h2, H2_NO_ERROR);
	peer_send(p);
	rig_run_for(c.loop, 20 * US_PER_MS);
	cr_expect_not(take(&c, &u[1], false), "it takes no more");
	expect_open(&c, 1, "the one stream goes on");
	respond(p, p->ids[0], 200, false);
	peer_send(p);
	rig_run_until(c.loop, is_done, &u[0]);
	cr_expect(u[0].answered);
	keep(&u[0]);
	expect_open(&c, 0, "after its last stream");
	tear_down(&c);
}

/* Bytes and the reset behind them are one edge: nothing else tells of it. */
Test(uptrunk, a_reset_behind_bytes_is_seen, .timeout = 10)
{
	struct cellar c;
	struct user *u = c.users;

	set_up(&c);
	c.origin.how = HOLDS;
	dial_and_wait(&c, &u[0]);
	ask(&u[0]);
	rig_run_for(c.loop, 20 * US_PER_MS);
	h2_goaway(c.origin.peers->h2, H2_NO_ERROR);
	peer_send(c.origin.peers);
	peer_close(c.origin.peers, true);
	rig_run_for(c.loop, 100 * US_PER_MS);
	cr_expect(u[0].broken);
	tear_down(&c);
}

Test(uptrunk, of_an_instance_that_leaves, .timeout = 10)
{
	struct cellar c;
	struct user *u = c.users;

	set_up(&c);
	dial_and_wait(&c, &u[0]);
	c.inst->admin = INST_DRAIN;
	upworker_retire(&c.w);
	expect_open(&c, 1, "one is served still");
	cr_expect_not(take(&c, &u[1], false));
	ask_and_wait(&c, &u[0]);
	cr_expect(u[0].answered);
	keep(&u[0]);
	expect_open(&c, 0, "nobody is");
	c.inst->admin = INST_IN;
	dial_and_wait(&c, &u[0]);
	keep(&u[0]);
	expect_open(&c, 1, "idle");
	c.inst->admin = INST_DRAIN;
	upworker_retire(&c.w);
	expect_open(&c, 0, "idle ones go at once");
	tear_down(&c);
}

/* ---- what may be asked again ---- */

static const struct {
	const char *why;
	enum how how;
	bool cut;    /* the connection is reset */
	bool unsent; /* ... before the request has left */
	bool sent, raced;
} ends[] = {
	{ "reset by the instance: its fault", RESETS, false, false, true,
	    false },
	{ "refused: not looked at", REFUSES, false, false, false, false },
	{ "the connection dies under it", HOLDS, true, false, true, true },
	{ "it dies, and the head has not left", HOLDS, true, true, false,
	    true },
};

Test(uptrunk, what_is_said_of_a_request_that_broke, .timeout = 10)
{
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct cellar c;
		struct user *u = c.users;
		struct conn *conn;

		set_up(&c);
		dial_and_wait(&c, u);
		ask_and_wait(&c, u);
		keep(u);
		cr_assert(take(&c, u, false));
		c.origin.how = ends[i].how;
		conn = &u->up->trunk->conn->lane.conn;
		conn->no_room = ends[i].unsent;
		ask(u);
		if (ends[i].cut) {
			rig_run_for(c.loop, 10 * US_PER_MS);
			peer_close(c.origin.peers, true);
		}
		rig_run_until(c.loop, is_done, u);
		cr_expect(u->broken, "%s", ends[i].why);
		cr_expect_eq(u->sent > 0, ends[i].sent, "%s", ends[i].why);
		cr_expect_eq(u->raced, ends[i].raced, "%s", ends[i].why);
		tear_down(&c);
	}
}

/*
 * The head lies among the bytes of the trunk and cannot be called back: who
 * gives it up then must not think that it never left.
 */
Test(uptrunk, what_cannot_be_called_back_is_sent, .timeout = 10)
{
	struct cellar c;
	struct user *u = c.users;
	struct conn *conn;

	set_up(&c);
	c.origin.how = HOLDS;
	dial_and_wait(&c, &u[0]);
	ask(&u[0]);
	rig_run_for(c.loop, 10 * US_PER_MS);
	cr_assert(take(&c, &u[1], false));
	conn = &u[1].up->trunk->conn->lane.conn;
	conn->no_room = true;
	ask(&u[1]);
	rig_run_for(c.loop, 10 * US_PER_MS);
	cr_expect_eq(c.origin.asked, 1, "it is stuck");
	cr_expect_gt(u[1].up->lane.sent, 0);
	upconn_close(&u[1].up);
	conn->no_room = false;
	trunk_push_later(u[0].up->trunk->trunk);
	rig_run_for(c.loop, 10 * US_PER_MS);
	cr_expect_eq(c.origin.asked, 2, "it went out all the same");
	cr_expect_eq(c.origin.reset, 1, "and its end behind it");
	tear_down(&c);
}

/* ---- what an instance may do ---- */

static const struct {
	const char *why;
	unsigned n;
	bool answered;
} hints[] = {
	{ "a few hints", 3, true },
	{ "as many as nobody says", 500, false },
};

Test(uptrunk, hints_before_an_answer, .timeout = 10)
{
	for (size_t i = 0; i < ARRAY_LEN(hints); i++) {
		struct cellar c;
		struct user *u = c.users;

		set_up(&c);
		c.origin.how = HINTS;
		c.origin.hints = hints[i].n;
		dial_and_wait(&c, u);
		ask_and_wait(&c, u);
		cr_expect_eq(u->answered, hints[i].answered, "%s",
		    hints[i].why);
		cr_expect_eq(u->broken, !hints[i].answered, "%s", hints[i].why);
		tear_down(&c);
	}
}

static const struct {
	const char *why;
	unsigned n;
	bool whole;
} trails[] = {
	{ "one field", 1, true },
	{ "as many as may be", HTTP_FIELDS_MAX, true },
	{ "more: not left out of the answer in silence", HTTP_FIELDS_MAX + 1,
	    false },
};

Test(uptrunk, trailers, .timeout = 10)
{
	for (size_t i = 0; i < ARRAY_LEN(trails); i++) {
		struct cellar c;
		struct user *u = c.users;

		set_up(&c);
		c.origin.how = TRAILS;
		c.origin.trailers = trails[i].n;
		dial_and_wait(&c, u);
		ask(u);
		rig_run_until(c.loop, is_over, u);
		cr_expect_eq(u->ended, trails[i].whole, "%s", trails[i].why);
		cr_expect_eq(u->trailed, trails[i].whole, "%s", trails[i].why);
		tear_down(&c);
	}
}

/* What lies unread of each is bounded by its own window alone. */
Test(uptrunk, slow_readers_do_not_stop_the_others, .timeout = 10)
{
	struct cellar c;

	set_up(&c);
	c.origin.how = SENDS;
	c.origin.body_bytes = SIZE_MAX;
	dial_and_wait(&c, &c.users[0]);
	for (unsigned i = 0; i < MANY - 1; i++) {
		if (i > 0)
			cr_assert(take(&c, &c.users[i], false));
		c.users[i].stuck = true;
		ask_and_wait(&c, &c.users[i]);
		rig_run_for(c.loop, 5 * US_PER_MS);
	}
	cr_assert(take(&c, &c.users[MANY - 1], false));
	ask(&c.users[MANY - 1]);
	rig_run_until(c.loop, is_fed, &c.users[MANY - 1]);
	cr_expect_gt(c.users[MANY - 1].got, 0);
	cr_expect_eq(c.origin.accepted, 1);
	tear_down(&c);
}
