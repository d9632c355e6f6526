/* Connections lent, kept, retired; over real sockets. */
#include "upstream/conncache.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/slab.h"
#include "base/thread.h"
#include "house.h"
#include "net/loop.h"
#include "origin.h"
#include "tests/unit/net/rig.h"

#define IDLE_US (3600 * US_PER_S)
#define MANY 8

/* ---- a user that asks once and hands back ---- */

struct user {
	struct upconn *up;
	struct upowner *owner;
	int connected; /* 1: not told yet */
	bool answered;
};

static struct user *
user_of(struct lane *l)
{
	return CONTAINER_OF(l, struct upconn, lane)->user;
}

static void
on_connected(struct lane *l, int code)
{
	user_of(l)->connected = code;
}

static void
on_lane(struct lane *l UNUSED)
{
}

static void
on_head(struct lane *l UNUSED, struct http_head *h UNUSED)
{
}

static bool
on_data(struct lane *l UNUSED, struct str bytes UNUSED)
{
	return true;
}

static void
on_end(struct lane *l)
{
	user_of(l)->answered = true;
}

static bool
on_batch(struct lane *l UNUSED)
{
	return true;
}

static void
on_broken(struct lane *l, int code UNUSED, enum http_bad why UNUSED)
{
	struct user *u = user_of(l);

	upconn_close(&u->up);
}

static const struct lane_user asker = {
	.connected = on_connected,
	.begin = on_lane,
	.head = on_head,
	.data = on_data,
	.trailers = on_head,
	.end = on_end,
	.batch = on_batch,
	.drained = on_lane,
	.eof = on_lane,
	.broken = on_broken,
};

/* ---- the room ---- */

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

static void
set_up(struct cellar *c)
{
	static const struct origin_script say = {
		.parts = { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi" }
	};
	char address[ADDR_TEXT_MAX];

	thread_become(ROLE_ANY, "test");
	memset(c, 0, sizeof(*c));
	c->loop = rig_loop();
	origin_open(&c->origin, c->loop, &say);
	addr_text(&c->origin.at, address);
	c->cfg = house_cfg("listeners: \":1\"\n"
	                   "services:\n- name: s\n  pools:\n  - name: v1\n"
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
	upworker_close(&c->w);
	if (c->inst != NULL)
		cr_expect_eq(stat_get(&c->cell->conns), 0);
	loop_run_deferred(c->loop);
	cr_expect_eq(slab_lent(c->wire.slabs), 0, "idle holds no buffer");
	slab_store_free(&c->wire.slabs);
	origin_close(&c->origin);
	registry_free(&c->registry);
	cfg_unref(&c->cfg);
	loop_free(&c->loop);
}

static bool
is_connected(void *arg)
{
	return ((struct user *)arg)->connected != 1;
}

static bool
has_answer(void *arg)
{
	return ((struct user *)arg)->answered;
}

static bool
has_fin(void *arg)
{
	return ((struct user *)arg)->up->lane.conn.fin_seen;
}

static void
dial(struct cellar *c, struct user *u)
{
	struct upask ask = { .owner = u->owner };

	*u = (struct user){ .owner = u->owner, .connected = 1 };
	cr_assert_eq(upconn_dial(&c->w, c->inst, &ask, &asker, u, &u->up),
	    E_OK);
	rig_run_until(c->loop, is_connected, u);
	cr_assert_eq(u->connected, E_OK);
}

/* One exchange on the connection lent. */
static void
ask(struct cellar *c, struct user *u)
{
	u->answered = false;
	u->up->user = u;
	u->up->lane.user = &asker;
	u->up->lane.method = METHOD_GET;
	cr_assert_eq(lane_send_copy(&u->up->lane,
	                 STR("GET / HTTP/1.1\r\nHost: x\r\n\r\n")),
	    E_OK);
	cr_assert_eq(lane_flush(&u->up->lane), E_OK);
	rig_run_until(c->loop, has_answer, u);
}

static bool
take(struct cellar *c, struct user *u, bool careful)
{
	struct upask ask = { .owner = u->owner, .careful = careful };

	u->up = upconn_take(&c->w, c->inst, &ask);
	return u->up != NULL;
}

static void
keep(struct user *u)
{
	upconn_keep(&u->up, IDLE_US, MANY);
	cr_expect_null(u->up);
}

/* n connections, asked and kept, the last one most recently. */
static void
keep_some(struct cellar *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		dial(c, &c->users[i]);
	for (unsigned i = 0; i < n; i++) {
		ask(c, &c->users[i]);
		keep(&c->users[i]);
	}
}

static void
expect_counts(const struct cellar *c, uint64_t conns, uint64_t opened,
    uint64_t reused, const char *why)
{
	cr_expect_eq(stat_get(&c->cell->conns), conns, "%s: %lu open", why,
	    stat_get(&c->cell->conns));
	cr_expect_eq(stat_get(&c->cell->conns_opened), opened, "%s", why);
	cr_expect_eq(stat_get(&c->cell->conns_reused), reused, "%s", why);
}

Test(conncache, lends_again_what_was_kept, .timeout = 10)
{
	struct cellar c;
	struct user *u = &c.users[0];
	struct upconn *first;

	set_up(&c);
	cr_expect_not(take(&c, u, false), "there is none yet");
	dial(&c, u);
	first = u->up;
	cr_expect_not(upconn_is_reused(first));
	expect_counts(&c, 1, 1, 0, "dialled");
	for (unsigned n = 1; n < 5; n++) {
		ask(&c, u);
		keep(u);
		cr_expect(take(&c, u, n % 2 == 0));
		cr_expect_eq(u->up, first);
		cr_expect(upconn_is_reused(u->up));
		cr_expect_eq(u->up->sent_before, u->up->lane.sent);
		expect_counts(&c, 1, 1, n, "taken");
		cr_expect_not(take(&c, &c.users[1], false), "it is lent");
	}
	upconn_close(&u->up);
	cr_expect_null(u->up);
	upconn_close(&u->up);
	expect_counts(&c, 0, 1, 4, "closed");
	cr_expect_eq(c.origin.accepted, 1);
	cr_expect_null(c.cell->cache, "without connections no cache");
	tear_down(&c);
}

Test(conncache, most_recently_used_first, .timeout = 10)
{
	struct cellar c;
	struct upconn *up[3];

	set_up(&c);
	for (int i = 0; i < 3; i++) {
		dial(&c, &c.users[i]);
		up[i] = c.users[i].up;
	}
	for (int i = 0; i < 3; i++) {
		ask(&c, &c.users[i]);
		keep(&c.users[i]);
	}
	for (int i = 2; i >= 0; i--) {
		cr_expect(take(&c, &c.users[i], false));
		cr_expect_eq(c.users[i].up, up[i]);
	}
	for (int i = 0; i < 3; i++)
		upconn_close(&c.users[i].up);
	tear_down(&c);
}

Test(conncache, keeps_no_more_than_it_may, .timeout = 10)
{
	struct cellar c;

	set_up(&c);
	for (int i = 0; i < 5; i++)
		dial(&c, &c.users[i]);
	for (int i = 0; i < 5; i++) {
		ask(&c, &c.users[i]);
		upconn_keep(&c.users[i].up, IDLE_US, 3);
		cr_expect_null(c.users[i].up);
	}
	expect_counts(&c, 3, 5, 0, "three stay");
	dial(&c, &c.users[0]);
	ask(&c, &c.users[0]);
	upconn_keep(&c.users[0].up, IDLE_US, 0);
	expect_counts(&c, 3, 6, 0, "none may");
	tear_down(&c);
}

static bool
none_open(void *arg)
{
	return stat_get(&((struct cellar *)arg)->cell->conns) == 0;
}

Test(conncache, idle_ends_at_its_limit, .timeout = 10)
{
	struct cellar c;
	uint64_t from;

	set_up(&c);
	for (int i = 0; i < 3; i++)
		dial(&c, &c.users[i]);
	for (int i = 0; i < 3; i++) {
		ask(&c, &c.users[i]);
		upconn_keep(&c.users[i].up, 100 * US_PER_MS, MANY);
	}
	from = clock_mono_us();
	cr_expect_eq(stat_get(&c.cell->conns), 3);
	rig_run_until(c.loop, none_open, &c);
	/* the first was kept a moment before */
	cr_expect_geq(clock_mono_us() - from, 60 * US_PER_MS);
	cr_expect_null(c.cell->cache);
	tear_down(&c);
}

/* ---- owners ---- */

Test(conncache, what_is_owned_is_nobody_elses, .timeout = 10)
{
	struct cellar c;
	struct upowner a = { .idle = { NULL } }, b = { .idle = { NULL } };
	struct user *u = c.users;
	struct upconn *up[3];

	set_up(&c);
	u[0].owner = u[1].owner = &a;
	for (int i = 0; i < 3; i++) {
		dial(&c, &u[i]);
		up[i] = u[i].up;
	}
	for (int i = 0; i < 3; i++) {
		ask(&c, &u[i]);
		keep(&u[i]);
	}
	cr_expect(take(&c, &u[2], true), "that one is anybody's");
	cr_expect_eq(u[2].up, up[2]);
	cr_expect_not(take(&c, &u[3], false), "the others are not");
	u[3].owner = &b;
	cr_expect_not(take(&c, &u[3], false), "not even another owner's");
	for (int i = 1; i >= 0; i--) {
		cr_expect(take(&c, &u[i], true));
		cr_expect_eq(u[i].up, up[i], "most recently used first");
	}
	keep(&u[0]);
	keep(&u[1]);
	upowner_close(&b);
	expect_counts(&c, 3, 3, 3, "b had none");
	upowner_close(&a);
	expect_counts(&c, 1, 3, 3, "a's went with it");
	cr_expect(LIST_EMPTY(&a.idle));
	upconn_close(&u[2].up);
	tear_down(&c);
}

/* All that is idle counts as kept, and goes when the cache is closed. */
Test(conncache, what_is_owned_is_idle_like_the_rest, .timeout = 10)
{
	struct cellar c;
	struct upowner a = { .idle = { NULL } };

	set_up(&c);
	c.users[0].owner = &a;
	dial(&c, &c.users[0]);
	dial(&c, &c.users[1]);
	ask(&c, &c.users[0]);
	ask(&c, &c.users[1]);
	upconn_keep(&c.users[0].up, IDLE_US, 1);
	upconn_keep(&c.users[1].up, IDLE_US, 1);
	expect_counts(&c, 1, 2, 0, "one may be kept");
	upworker_close(&c.w);
	expect_counts(&c, 0, 2, 0, "closed");
	cr_expect(LIST_EMPTY(&a.idle));
	tear_down(&c);
}

/* ---- what the peer does to the idle ---- */

Test(conncache, notices_peers_that_close, .timeout = 10)
{
	static const enum origin_end ends[] = { ORIGIN_FIN, ORIGIN_RST };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct cellar c;

		set_up(&c);
		keep_some(&c, 3);
		origin_hang_up(&c.origin, ends[i]);
		rig_run_until(c.loop, none_open, &c);
		cr_expect_eq(stat_get(&c.cell->stale), 0, "nobody had to look");
		tear_down(&c);
	}
}

Test(conncache, bytes_nobody_asked_for_end_it, .timeout = 10)
{
	struct cellar c;

	set_up(&c);
	keep_some(&c, 2);
	origin_say(&c.origin, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	rig_run_until(c.loop, none_open, &c);
	tear_down(&c);
}

/* Before the loop could tell: the kernel is asked. */
Test(conncache, looks_before_it_lends, .timeout = 10)
{
	static const enum origin_end ends[] = { ORIGIN_FIN, ORIGIN_RST };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct cellar c;
		struct user *u = &c.users[0];

		set_up(&c);
		keep_some(&c, 3);
		/* the instance lends a hand in the same turn */
		origin_hang_up(&c.origin, ends[i]);
		cr_expect_not(take(&c, u, true), "all three are dead");
		cr_expect_eq(stat_get(&c.cell->stale), 3);
		expect_counts(&c, 0, 3, 0, "dropped");
		cr_expect_null(c.cell->cache);
		dial(&c, u);
		upconn_close(&u->up);
		tear_down(&c);
	}
}

Test(conncache, looks_by_itself_after_a_moment, .timeout = 10)
{
	struct cellar c;
	struct user *u = &c.users[0];

	set_up(&c);
	keep_some(&c, 1);
	rig_run_for(c.loop, 250 * US_PER_MS);
	origin_hang_up(&c.origin, ORIGIN_FIN);
	cr_expect_not(take(&c, u, false));
	cr_expect_eq(stat_get(&c.cell->stale), 1);
	tear_down(&c);
}

Test(conncache, within_a_moment_only_the_careful_look, .timeout = 10)
{
	struct cellar c;
	struct user *u = &c.users[0];
	struct pollfd p;

	set_up(&c);
	keep_some(&c, 1);
	cr_assert(take(&c, u, false));
	p = (struct pollfd){ .fd = u->up->lane.conn.fd, .events = POLLRDHUP };
	ask(&c, u);
	keep(u);
	origin_hang_up(&c.origin, ORIGIN_FIN);
	cr_assert_eq(poll(&p, 1, 5000), 1);
	/* a race that is lost is answered by a retry of the safe */
	cr_expect(take(&c, u, false));
	upconn_close(&u->up);
	tear_down(&c);
}

/* ---- what is learned of an instance that closes idle connections ---- */

/* An hour long, a connection is no risk; then it is, until it is forgotten. */
static void
expect_learned(struct cellar *c, const char *why)
{
	struct user *u = &c->users[0];

	cr_assert_neq(c->cell->closed_at_us, 0, "%s", why);
	cr_expect_lt(c->cell->closed_idle_us, 10 * US_PER_S, "%s", why);
	c->cell->closed_idle_us = IDLE_US;
	keep_some(c, 1);
	cr_assert(take(c, u, true), "%s: not idle for long", why);
	ask(c, u);
	keep(u);
	c->cell->closed_idle_us = 1;
	cr_expect_not(take(c, u, true), "%s: it may be closed now", why);
	cr_expect_eq(stat_get(&c->cell->passed_over), 1, "%s", why);
	cr_assert(take(c, u, false), "%s: a safe one may be sent again", why);
	ask(c, u);
	keep(u);
	c->cell->closed_at_us = loop_now_us(c->loop) - 60 * US_PER_S;
	cr_assert(take(c, u, true), "%s: that was long ago", why);
	upconn_close(&u->up);
}

Test(conncache, learns_when_idle_ones_are_closed, .timeout = 10)
{
	static const enum origin_end ends[] = { ORIGIN_FIN, ORIGIN_RST };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct cellar c;

		set_up(&c);
		keep_some(&c, 1);
		cr_expect_eq(c.cell->closed_at_us, 0, "nothing is known yet");
		origin_hang_up(&c.origin, ends[i]);
		rig_run_until(c.loop, none_open, &c);
		expect_learned(&c, "told by the loop");
		tear_down(&c);
	}
}

Test(conncache, learns_when_it_looks, .timeout = 10)
{
	struct cellar c;

	set_up(&c);
	keep_some(&c, 1);
	origin_hang_up(&c.origin, ORIGIN_FIN);
	cr_expect_not(take(&c, &c.users[0], true));
	expect_learned(&c, "found closed");
	tear_down(&c);
}

Test(conncache, learns_from_a_race_that_was_lost, .timeout = 10)
{
	struct cellar c;
	struct user *u = &c.users[0];

	set_up(&c);
	keep_some(&c, 1);
	cr_assert(take(&c, u, false));
	u->up->user = u;
	u->up->lane.user = &asker;
	origin_hang_up(&c.origin, ORIGIN_RST);
	rig_run_until(c.loop, none_open, &c);
	expect_learned(&c, "closed under a request");
	tear_down(&c);
}

/* Its own limit, or the end of a connection never kept, teaches nothing. */
Test(conncache, learns_nothing_from_other_ends, .timeout = 10)
{
	struct cellar c;
	struct user *u = &c.users[0];

	set_up(&c);
	dial(&c, u);
	origin_hang_up(&c.origin, ORIGIN_RST);
	rig_run_until(c.loop, none_open, &c);
	dial(&c, u);
	ask(&c, u);
	upconn_keep(&u->up, US_PER_MS, MANY);
	rig_run_until(c.loop, none_open, &c);
	cr_expect_eq(c.cell->closed_at_us, 0);
	tear_down(&c);
}

/* ---- what the instance says itself ---- */

/* An answer with a Keep-Alive field, or with none. */
static void
hear(struct user *u, const char *said)
{
	static struct http_head h;

	memset(&h, 0, sizeof(h));
	if (said != NULL)
		cr_assert_eq(http_head_add(&h, FIELD_KEEP_ALIVE,
		                 STR("Keep-Alive"), str_of(said)),
		    E_OK);
	upconn_hear(u->up, &h);
}

static uint64_t
left_us(const struct cellar *c, const struct upconn *u)
{
	return u->deadline.due_us - loop_now_us(c->loop);
}

/* clang-format off */
static const struct {
	const char *why, *first, *then;
	uint64_t idle_us; /* the configured one */
	uint64_t kept_us; /* 0: it is closed */
} said[] = {
	{ "nothing", NULL, NULL, 4 * US_PER_S, 4 * US_PER_S },
	{ "less than ours", "timeout=3", NULL, 4 * US_PER_S, 2 * US_PER_S },
	{ "more than ours", "timeout=75", NULL, 4 * US_PER_S, 4 * US_PER_S },
	{ "anew", "timeout=3", "timeout=60", 9 * US_PER_S, 9 * US_PER_S },
	{ "nothing new", "timeout=3", "max=5", 9 * US_PER_S, 2 * US_PER_S },
	{ "not to keep it", "timeout=0", NULL, 4 * US_PER_S, 0 },
	{ "none further", "max=0", NULL, 4 * US_PER_S, 0 },
	{ "none further, then more", "max=0", "max=9", 4 * US_PER_S, 0 },
	{ "one further", "max=1", NULL, 4 * US_PER_S, 4 * US_PER_S },
	{ "as many as it likes", "max=18446744073709551615", NULL,
	    4 * US_PER_S, 4 * US_PER_S },
};
/* clang-format on */

Test(conncache, keeps_as_long_as_the_instance_says, .timeout = 20)
{
	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		struct cellar c;
		struct user *u = &c.users[0];
		struct upconn *up;

		set_up(&c);
		dial(&c, u);
		up = u->up;
		ask(&c, u);
		hear(u, said[i].first);
		hear(u, said[i].then);
		upconn_keep(&u->up, said[i].idle_us, MANY);
		cr_assert_eq(stat_get(&c.cell->conns), said[i].kept_us != 0,
		    "%s", said[i].why);
		if (said[i].kept_us != 0)
			cr_expect_eq(left_us(&c, up), said[i].kept_us,
			    "%s: %lu", said[i].why, left_us(&c, up));
		tear_down(&c);
	}
}

/* max counts from the answer that says it; what is said later adds nothing. */
Test(conncache, is_used_as_often_as_the_instance_says, .timeout = 10)
{
	static const char *const says[] = { "max=2", NULL, "max=9" };
	struct cellar c;
	struct user *u = &c.users[0];

	set_up(&c);
	dial(&c, u);
	for (size_t i = 0; i < ARRAY_LEN(says); i++) {
		ask(&c, u);
		hear(u, says[i]);
		keep(u);
		cr_expect_eq(take(&c, u, true), i < 2, "after answer %zu",
		    i + 1);
	}
	expect_counts(&c, 0, 1, 2, "two further ones");
	tear_down(&c);
}

/* ---- what is not kept ---- */

Test(conncache, keeps_nothing_with_something_in_it, .timeout = 10)
{
	struct cellar c;
	struct user *u = &c.users[0];

	set_up(&c);
	dial(&c, u);
	ask(&c, u);
	cr_assert_eq(lane_send_copy(&u->up->lane, STR("GET")), E_OK);
	keep(u);
	expect_counts(&c, 0, 1, 0, "bytes to be sent");
	dial(&c, u);
	lane_close(&u->up->lane);
	keep(u);
	expect_counts(&c, 0, 2, 0, "closed already");
	/* more than was asked for, in one packet with the answer */
	c.origin.script = (struct origin_script){
		.parts = { "HTTP/1.1 200 OK\r\nContent-Length: "
		           "2\r\n\r\nhiHTTP/1.1" }
	};
	dial(&c, u);
	ask(&c, u);
	keep(u);
	expect_counts(&c, 0, 3, 0, "bytes behind the answer");
	/* the answer and the end in one packet */
	c.origin.script.parts[0] =
	    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
	c.origin.script.end = ORIGIN_FIN;
	dial(&c, u);
	ask(&c, u);
	rig_run_until(c.loop, has_fin, u);
	keep(u);
	expect_counts(&c, 0, 4, 0, "the end behind the answer");
	tear_down(&c);
}

/* clang-format off */
static const struct {
	const char *why;
	bool gone, leaving;
	enum inst_admin admin;
	enum health health;
	bool stays;
} states[] = {
	{ "nothing", false, false, INST_IN, HEALTH_UP, true },
	{ "removed", true, false, INST_IN, HEALTH_UP, false },
	{ "its pool drains", false, true, INST_IN, HEALTH_UP, false },
	{ "it drains", false, false, INST_DRAIN, HEALTH_UP, false },
	{ "maintenance", false, false, INST_MAINT, HEALTH_UP, false },
	{ "down", false, false, INST_IN, HEALTH_DOWN, false },
};
/* clang-format on */

static void
set_state(struct cellar *c, size_t i)
{
	c->inst->gone = states[i].gone;
	c->inst->pool->leaving = states[i].leaving;
	c->inst->admin = (uint8_t)states[i].admin;
	c->inst->health = (uint8_t)states[i].health;
}

Test(conncache, retires_the_idle_of_who_leaves, .timeout = 20)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		struct cellar c;
		struct user *lent;

		set_up(&c);
		keep_some(&c, 4);
		lent = &c.users[0];
		cr_assert(take(&c, lent, true));
		set_state(&c, i);
		upworker_retire(&c.w);
		cr_expect_eq(stat_get(&c.cell->conns), states[i].stays ? 4 : 1,
		    "%s: %lu", states[i].why, stat_get(&c.cell->conns));
		ask(&c, lent); /* what is lent goes on to its end */
		keep(lent);
		cr_expect_eq(stat_get(&c.cell->conns), states[i].stays ? 4 : 0,
		    "%s: and is not kept", states[i].why);
		upworker_retire(&c.w);
		set_state(&c, 0);
		tear_down(&c);
	}
}

/* Before the worker has adopted the view that says so. */
Test(conncache, of_who_leaves_lends_the_careful_none, .timeout = 20)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		struct cellar c;
		struct user *u = &c.users[0];

		set_up(&c);
		keep_some(&c, 2);
		set_state(&c, i);
		cr_expect_eq(take(&c, u, true), states[i].stays, "%s",
		    states[i].why);
		cr_expect_eq(stat_get(&c.cell->passed_over), !states[i].stays,
		    "%s", states[i].why);
		upconn_close(&u->up);
		cr_expect(take(&c, u, false), "%s: it may be tried again",
		    states[i].why);
		upconn_close(&u->up);
		set_state(&c, 0);
		tear_down(&c);
	}
}

/* Its sessions go on there: connections for safe requests are kept. */
Test(conncache, of_a_pool_that_drains, .timeout = 10)
{
	struct cellar c;
	struct user *u = &c.users[0];

	set_up(&c);
	keep_some(&c, 3);
	c.inst->pool->drains = true;
	upworker_retire(&c.w);
	expect_counts(&c, 0, 3, 0, "what was idle at its begin");
	keep_some(&c, 1);
	cr_expect_not(take(&c, u, true), "an unsafe one gets a fresh one");
	cr_expect_eq(stat_get(&c.cell->passed_over), 1);
	cr_assert(take(&c, u, false), "a safe one may be tried again");
	ask(&c, u);
	keep(u);
	c.inst->pool->drains = false;
	cr_expect(take(&c, u, true), "it drains no more");
	upconn_close(&u->up);
	tear_down(&c);
}

/*
 * The whole way of an instance that is removed: idle connections end with
 * the view, then it is freed.  (Address sanitizer looks on.)
 */
Test(conncache, an_instance_goes_with_its_last_connection, .timeout = 20)
{
	for (unsigned n_lent = 0; n_lent < 3; n_lent++) {
		struct cellar c;

		set_up(&c);
		keep_some(&c, 3);
		for (unsigned i = 0; i < n_lent; i++)
			cr_assert(take(&c, &c.users[i], true));
		cfg_unref(&c.cfg);
		c.cfg = house_cfg_of(1, NULL);
		house_apply(c.registry, c.cfg);
		upworker_retire(&c.w);
		cr_expect_eq(stat_get(&c.cell->conns), n_lent);
		registry_collect(c.registry, true);
		for (unsigned i = 0; i < n_lent; i++) {
			registry_collect(c.registry, true);
			cr_expect_eq(stat_get(&c.cell->conns), n_lent - i,
			    "it is still there");
			if (i % 2 == 0)
				keep(&c.users[i]);
			else
				upconn_close(&c.users[i].up);
		}
		registry_collect(c.registry, true);
		c.inst = NULL;
		upworker_retire(&c.w);
		loop_run_deferred(c.loop);
		tear_down(&c);
	}
}

Test(conncache, says_why_it_cannot_dial, .timeout = 10)
{
	struct cellar c;
	struct upconn *up;

	set_up(&c);
	c.inst->addr = rig_addr("255.255.255.255:80");
	cr_expect_eq(upconn_dial(&c.w, c.inst, &(struct upask){ .tls = NULL },
	                 &asker, NULL, &up),
	    E_UNREACH);
	cr_expect_null(up);
	expect_counts(&c, 0, 0, 0, "nothing came about");
	cr_expect_null(c.cell->cache);
	tear_down(&c);
}

Test(conncache, closing_leaves_what_is_lent, .timeout = 10)
{
	struct cellar c;

	set_up(&c);
	keep_some(&c, 3);
	cr_assert(take(&c, &c.users[0], true));
	upworker_close(&c.w);
	cr_expect_eq(stat_get(&c.cell->conns), 1);
	upconn_close(&c.users[0].up);
	tear_down(&c);
}
