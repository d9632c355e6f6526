/*
 * worker - what the modules of this room share: the struct behind proxy.h.
 *
 * Thread: worker.
 */
#ifndef PROXY_WORKER_H
#define PROXY_WORKER_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/attr.h"
#include "net/listener.h"
#include "net/loop.h"
#include "proxy/accesslog.h"
#include "proxy/proxy.h"
#include "proxy/retry.h"
#include "upstream/conncache.h"
#include "wire/lane.h"

struct client;
struct digester;
struct exchange;
struct sealer;
struct view;

TAILQ_HEAD(client_list, client);
TAILQ_HEAD(exchange_list, exchange);
LIST_HEAD(queue_list, queue);
LIST_HEAD(holding_list, holding);
LIST_HEAD(mirror_list, mirror);

struct proxy {
	struct proxy_env env;
	struct wire wire;
	struct upworker up;
	const struct view *view;    /* of this turn; never kept past it */
	struct sealer *sealer;      /* owned; for the view's keyring */
	struct digester *digester;  /* owned; for the view's keyring */
	struct listener *listeners; /* owned; [env.n_listen] */
	unsigned *n_accepted;       /* owned; open clients per listener */
	struct client_list clients;
	size_t n_clients;
	size_t n_tls;         /* of these, over TLS */
	size_t n_shaking;     /* of these, in their handshake */
	size_t n_streams;     /* of HTTP/2 clients */
	size_t n_trunks;      /* HTTP/2 clients */
	size_t n_exchanges;   /* in the three lists below */
	size_t n_spare;       /* in the last two */
	size_t spilled_bytes; /* of their arenas; struct websocket, forms */
	size_t preface_bytes; /* of what balancers said of clients */
	size_t proof_bytes;   /* of what clients' certificates say */
	struct exchange_list
	    exchanges;               /* those that began and have not ended */
	struct exchange_list ended;  /* in this turn: still looked at */
	struct exchange_list spare;  /* for reuse */
	struct exchange_list parked; /* proxy/park */
	size_t n_parked;
	bool park_stale; /* one of them knows an old view only */
	struct deadline park_deadline;
	struct queue_list queues;     /* in which exchanges wait */
	struct holding_list holdings; /* ... are held */
	struct mirror_list mirrors;
	size_t n_mirrors;
	struct retry_budget budget;
	uint64_t assets_s; /* in that second so many were asked twice */
	unsigned n_assets;
	struct accesslog log;
	struct deadline stop_deadline;
	struct deadline tidy;       /* set while something is spare */
	uint64_t refusal_told_us;   /* when a refused connection was logged */
	uint64_t shake_told_us;     /* when a failed handshake was */
	struct deadline look_again; /* overload */
	uint64_t looked_at_us;      /* at what all workers use */
	uint64_t looked_bytes;      /* what we used then */
	uint8_t load_state;         /* enum load_state */
	uint64_t linger_us;         /* while stopping: of idle clients */
	bool stopping;
	bool stop_told;
	uint64_t wall_off_us; /* wall clock minus monotonic */
	uint64_t pin_off_us;  /* the same, as it was at the start */
	uint64_t wall_at_us;  /* when that was read */
	uint64_t date_s;      /* second that date[] shows */
	char date[32];        /* IMF-fixdate */
};

/* Wall clock of this turn, without asking the system each time. */
uint64_t proxy_wall_us(struct proxy *);
/*
 * Seconds of a wall clock that nobody sets while we run: pins that expired, or
 * came from the future, all at once would move every session.
 */
uint64_t proxy_pin_s(struct proxy *);
/* The Date field's value for now; valid until the next call. */
struct str proxy_date(struct proxy *);
/* A tunnel begins where they end already: the pool's clock, or a stop. */
void proxy_stream_begins(struct exchange *);
/*
 * Of what may come in floods, one line of the log a second: may it be told now?
 * told_us: when it was last, 0: never.
 */
bool proxy_may_tell(struct proxy *, uint64_t *told_us);
/* A client is gone: tells the control thread when it was the last. */
void proxy_client_gone(struct proxy *);

#endif
