#include "proxy/websocket.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/random.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "upstream/conncache.h"

#define S(n) ((n)*US_PER_S)
#define SLOW_US S(30) /* for what is queued, as long as it moves */

/* How far our closing is. */
enum phase {
	OPEN,      /* it is not meant */
	TURN,      /* its turn has not come: streams do not close all at once */
	ASK,       /* waits for the end of the client's message */
	ASK_LATE,  /* it takes long: the end of its frame will do */
	HEAR,      /* the instance has our Close; its own is waited for */
	TELL,      /* it does not come: waits for the end of its message */
	TELL_LATE, /* of its frame */
	BYE,       /* the client has our Close; its own is waited for */
	LEAVE,     /* the two close by themselves */
	PHASES
};
#define CUT PHASES

/* In each: how long; where either side's bytes are stopped; then what. */
static const struct {
	uint64_t limit_us;
	uint8_t stop_client, stop_instance;
	bool drops_client, drops_instance;
	uint8_t then;
} phases[PHASES] = {
	[OPEN] = { 0 },
	[TURN] = { 0, .then = ASK },
	[ASK] = { S(4), .stop_client = WS_STOP_MESSAGE, .then = ASK_LATE },
	[ASK_LATE] = { S(4), .stop_client = WS_STOP_FRAME, .then = CUT },
	[HEAR] = { S(3), .stop_instance = WS_STOP_CLOSE, .drops_client = true,
	    .then = TELL },
	[TELL] = { S(1), .stop_instance = WS_STOP_MESSAGE | WS_STOP_CLOSE,
	    .drops_client = true, .then = TELL_LATE },
	[TELL_LATE] = { S(4), .stop_instance = WS_STOP_FRAME,
	    .drops_client = true, .then = CUT },
	[BYE] = { S(2), .drops_client = true, .drops_instance = true,
	    .then = CUT },
	[LEAVE] = { S(4), .then = CUT },
};

static const struct {
	enum outcome closed, cut;
	const char *reason;
} whys[] = {
	[STREAM_DRAIN] = { OUT_DRAIN_CLOSED, OUT_DRAIN_CUT, "moving" },
	[STREAM_STOP] = { OUT_STOP_CLOSED, OUT_STOP_CUT, "stopping" },
	[STREAM_SILENT] = { OUT_TUNNEL_TIMEOUT, OUT_TUNNEL_TIMEOUT, "silent" },
};

static const char *const closers[] = {
	[WS_NOBODY] = "",
	[WS_CLIENT] = "client",
	[WS_INSTANCE] = "instance",
	[WS_SEGUE] = "segue",
};

static void on_clock(struct deadline *);
static void go(struct exchange *, enum phase);

/* ---- begin, end ---- */

bool
websocket_is(const struct http_head *h)
{
	return str_caseeq(str_trim(http_head_value(h, FIELD_UPGRADE)),
	    STR("websocket"));
}

void
websocket_begin(struct exchange *x)
{
	struct websocket *ws = calloc(1, sizeof(*ws));

	if (ws == NULL)
		return;
	x->proxy->spilled_bytes += sizeof(*ws);
	ws_track_init(&ws->from_client, true);
	ws_track_init(&ws->from_instance, false);
	ws->clock.fn = on_clock;
	ws->exchange = x;
	x->ws = ws;
}

void
websocket_free(struct exchange *x)
{
	struct websocket *ws = x->ws;

	if (ws == NULL)
		return;
	x->ws = NULL;
	deadline_clear(x->proxy->env.loop, &ws->clock);
	x->proxy->spilled_bytes -= sizeof(*ws);
	free(ws);
}

static bool
has_ended(const struct exchange *x)
{
	return x->step == STEP_ENDED;
}

static void
cut(struct exchange *x)
{
	exchange_cut(x, whys[x->ws->why].cut);
}

/* All is said: the client gets our FIN now and has a moment for its own. */
static void
finish(struct exchange *x)
{
	struct client *c = x->client;

	exchange_end(x, whys[x->ws->why].closed);
	client_exchange_done(c, false);
}

/* ---- our Close frames ---- */

static void
put_close(struct exchange *x, struct lane *to, bool masked)
{
	struct websocket *ws = x->ws;
	char frame[WS_CLOSE_MAX];
	uint8_t key[4];
	size_t n;

	random_bytes(key, sizeof(key)); /* RFC 6455 5.3: unpredictable */
	n = ws_write_close(WS_GOING_AWAY, str_of(whys[ws->why].reason),
	    masked ? key : NULL, frame);
	if (ws->closer == WS_NOBODY)
		ws->closer = WS_SEGUE;
	if (lane_send_copy(to, str_from(frame, n)) != E_OK)
		exchange_cut(x, OUT_INTERNAL);
}

static void
flush_client(struct exchange *x)
{
	int rc = lane_flush(&x->client->lane);

	if (rc != E_OK)
		exchange_client_broken(x, rc, BAD_NONE);
	else
		exchange_wait_client(x);
}

/* The instance shall close. */
static void
ask(struct exchange *x)
{
	if (ws_at_frame(&x->ws->from_client) && !x->up_shut)
		put_close(x, &x->up->lane, true);
	if (has_ended(x))
		return;
	x->ws->phase = HEAR;
	(void)exchange_flush_up(x); /* what stays is sent when there is room */
	if (!has_ended(x) && x->ws->phase == HEAR)
		go(x, HEAR);
}

/* The instance has said all: the client shall close. */
static void
tell(struct exchange *x)
{
	if (x->client_shut) {
		go(x, BYE);
		return;
	}
	if (!ws_at_frame(&x->ws->from_instance)) {
		cut(x);
		return;
	}
	put_close(x, &x->client->lane, false);
	if (has_ended(x))
		return;
	x->ws->told = true;
	flush_client(x);
	if (!has_ended(x))
		go(x, BYE);
}

static bool
is_at(const struct ws_track *t, unsigned stop)
{
	return ((stop & WS_STOP_FRAME) != 0 && ws_at_frame(t)) ||
	    ((stop & WS_STOP_MESSAGE) != 0 && ws_at_message(t));
}

/* The client has our Close: has it said its own, and is ours on its way? */
static bool
is_over(const struct exchange *x)
{
	const struct ws_track *t = &x->ws->from_client;

	return (t->closed || t->blind || x->client_eof) &&
	    !lane_pending(&x->client->lane);
}

/* Does what the phase waits for, if it is so. */
static void
look(struct exchange *x)
{
	struct websocket *ws = x->ws;
	enum phase at = ws->phase;

	switch (at) {
	case ASK:
	case ASK_LATE:
		if (ws->from_client.blind || ws->from_instance.blind)
			cut(x);
		else if (ws->from_client.closed || ws->from_instance.closed)
			go(x, LEAVE);
		else if (is_at(&ws->from_client, phases[at].stop_client) ||
		    x->client_eof || x->up_shut)
			ask(x);
		return;
	case HEAR:
	case TELL:
	case TELL_LATE:
		if (ws->from_instance.blind)
			cut(x);
		else if (x->up_eof ||
		    is_at(&ws->from_instance, phases[at].stop_instance))
			tell(x);
		return;
	case BYE:
		if (is_over(x))
			finish(x);
		return;
	case OPEN:
	case TURN:
	case LEAVE:
	case PHASES:
		return;
	}
}

/* Is something queued for a side, which takes of it, if slowly? */
static bool
still_takes(struct exchange *x)
{
	const struct lane *lanes[] = { &x->up->lane, &x->client->lane };
	uint64_t before = x->ws->taken, taken = 0;
	bool queued = false;

	for (size_t i = 0; i < ARRAY_LEN(lanes); i++) {
		uint64_t n = lane_taken(lanes[i]);

		queued |= lane_pending(lanes[i]) || n != lanes[i]->sent;
		taken += n;
	}
	x->ws->taken = taken;
	return queued && taken != before;
}

/* The time of the phase begins. */
static void
set_clock(struct exchange *x)
{
	struct loop *loop = x->proxy->env.loop;

	deadline_set(loop, &x->ws->clock,
	    loop_now_us(loop) + phases[x->ws->phase].limit_us);
}

static void
go(struct exchange *x, enum phase to)
{
	x->ws->phase = (uint8_t)to;
	(void)still_takes(x); /* from now on */
	set_clock(x);
	look(x);
}

static void
on_clock(struct deadline *d)
{
	struct websocket *ws = CONTAINER_OF(d, struct websocket, clock);
	struct exchange *x = ws->exchange;

	if (ws->phase == OPEN)
		return;
	if (ws->phase == TURN && ws->why == STREAM_DRAIN &&
	    !atomic_load_explicit(&x->pool->drains, memory_order_relaxed)) {
		ws->phase = OPEN; /* the pool serves again */
		return;
	}
	if (ws->phase == TURN) {
		ws->until_us = loop_now_us(x->proxy->env.loop) + SLOW_US;
	} else if (loop_now_us(x->proxy->env.loop) < ws->until_us &&
	    still_takes(x)) {
		set_clock(x);
		return;
	}
	/* A client that has our Close and does not say its own has its FIN. */
	if (ws->phase == BYE && !lane_pending(&x->client->lane))
		finish(x);
	else if (phases[ws->phase].then == CUT)
		cut(x);
	else
		go(x, (enum phase)phases[ws->phase].then);
}

bool
websocket_may_close(const struct exchange *x)
{
	return x->ws->phase == OPEN || x->ws->phase == TURN;
}

void
websocket_close(struct exchange *x, enum stream_why why, uint64_t within_us)
{
	struct websocket *ws = x->ws;
	struct loop *loop = x->proxy->env.loop;
	uint64_t at;

	if (ws == NULL || ws->from_client.blind || ws->from_instance.blind) {
		exchange_cut(x, whys[why].cut);
		return;
	}
	if (!websocket_may_close(x))
		return;
	at = loop_now_us(loop) + within_us * random_below(1024) / 1024;
	if (ws->phase == TURN && (ws->why == why || ws->clock.due_us <= at))
		return;
	ws->phase = TURN;
	ws->why = (uint8_t)why;
	deadline_set(loop, &ws->clock, at);
}

/* ---- what the tunnel hears ---- */

/* The rest of what it is handed, which goes nowhere, is followed, too. */
static void
follow(struct websocket *ws, struct ws_track *t, struct str bytes, bool client)
{
	(void)ws_track_feed(t, bytes, 0);
	if (t->closed && ws->closer == WS_NOBODY)
		ws->closer = client ? WS_CLIENT : WS_INSTANCE;
}

static void
lend(struct exchange *x, struct str bytes, bool from_client)
{
	struct lane *to = from_client ? &x->up->lane : &x->client->lane;

	if (from_client)
		x->bytes_in += bytes.len;
	else
		x->bytes_out += bytes.len;
	if (lane_send_data(to, bytes) != E_OK)
		exchange_cut(x, OUT_INTERNAL);
}

void
websocket_data(struct exchange *x, struct str bytes, bool from_client)
{
	struct websocket *ws = x->ws;
	struct ws_track *t = from_client ? &ws->from_client
	                                 : &ws->from_instance;
	unsigned at = ws->phase;
	unsigned stop = from_client ? phases[at].stop_client
	                            : phases[at].stop_instance;
	bool drops = from_client ? phases[at].drops_client
	                         : phases[at].drops_instance;
	size_t n = drops ? 0 : ws_track_feed(t, bytes, stop);
	struct str rest = str_sub(bytes, n, bytes.len - n);

	if (t->closed && ws->closer == WS_NOBODY)
		ws->closer = from_client ? WS_CLIENT : WS_INSTANCE;
	if (n > 0)
		lend(x, str_sub(bytes, 0, n), from_client);
	if (at == OPEN || has_ended(x))
		return;
	if (!drops && rest.len > 0 && (at == HEAR || at == TELL))
		tell(x); /* in place of the Close that begins here */
	else
		look(x);
	if (!has_ended(x) && rest.len > 0) {
		follow(ws, t, rest, from_client);
		look(x);
	}
}

bool
websocket_is_closing(const struct exchange *x)
{
	unsigned at = x->ws->phase;

	return at != OPEN && at != TURN && at != LEAVE;
}

void
websocket_heard(struct exchange *x)
{
	look(x);
}

void
websocket_up_broken(struct exchange *x)
{
	x->up_eof = x->up_shut = true;
	look(x);
}

enum outcome
websocket_outcome(const struct websocket *ws)
{
	return ws->told ? whys[ws->why].closed : OUT_TUNNELLED;
}

unsigned
websocket_code(const struct websocket *ws)
{
	switch ((enum ws_closer)ws->closer) {
	case WS_CLIENT:
		return ws->from_client.code;
	case WS_INSTANCE:
		return ws->from_instance.code;
	case WS_SEGUE:
		return WS_GOING_AWAY;
	case WS_NOBODY:
		break;
	}
	return 0;
}

const char *
websocket_closer(const struct websocket *ws)
{
	return closers[ws->closer];
}
