/*
 * exchange - one request and its response: named steps from the first byte of
 * the request to exactly one row of the outcome table.
 *
 * An exchange looks at the view only within one turn, when it routes and
 * picks; from then on it is counted in its instance's cell, which keeps
 * service, pool and instance alive.
 *
 * Thread: worker.
 */
#ifndef PROXY_EXCHANGE_H
#define PROXY_EXCHANGE_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/attr.h"
#include "config/config.h"
#include "http/events.h"
#include "http/head.h"
#include "session/pin.h"
#include "upstream/model.h"

struct client;
struct copy;
struct deadline;
struct forms;
struct holding;
struct lane_user;
struct proxy;
struct queue;
struct upconn;
struct view_service;
struct websocket;

#define EXCHANGE_MAGIC 0x5e60eec5u
#define EXCHANGE_TRIES_MAX 8
#define EXCHANGE_ARENA 1024

/* One row a step: identifier, name shown in logs. */
#define EXCHANGE_STEPS(X)                                                      \
	X(HEAD, "head")       /* the request head is being read */             \
	X(FORM, "form")       /* its form says where it goes */                \
	X(LOOKUP, "lookup")   /* the store is asked where it goes */           \
	X(PARK, "park")       /* all refuse: waits for the next view */        \
	X(QUEUE, "queue")     /* waits for a place at an instance */           \
	X(HOLD, "hold")       /* its service is held */                        \
	X(CONNECT, "connect") /* waits for a connection to the instance */     \
	X(SEND, "send")       /* the request is on its way, no answer yet */   \
	X(ANSWER, "answer")   /* the answer is on its way */                   \
	X(FLUSH, "flush")     /* all is read; the client takes the rest */     \
	X(TUNNEL, "tunnel")   /* both ways are raw bytes */                    \
	X(ENDED, "ended")

#define X(id, name) STEP_##id,
enum exchange_step { EXCHANGE_STEPS(X) EXCHANGE_STEP_COUNT };
#undef X

#define EXCHANGES_KEPT 256 /* spare ones, per worker */

struct spill { /* arena overflow, freed with the exchange */
	struct spill *next;
	size_t bytes;
	char data[];
};

struct exchange {
	unsigned magic;
	uint8_t step;    /* enum exchange_step */
	uint8_t outcome; /* once ended */
	uint8_t cause;   /* enum pool_cause, once routed */
	uint8_t bad;     /* enum http_bad when we refused it */
	bool passes;     /* a whole connection, proxy/passthrough */
	bool aged;       /* spare since before the last exchange_tidy() */
	TAILQ_ENTRY(exchange) link;
	struct proxy *proxy;     /* borrowed */
	struct client *client;   /* borrowed: outlives its exchanges */
	struct service *service; /* counts us from routing to end */
	struct service_cell *scell;
	struct pool *pool;
	struct pool_cell *pcell;
	struct instance *inst; /* held by our place in its cell */
	struct inst_cell *icell;
	struct upconn *up;             /* owned from pick to end */
	struct websocket *ws;          /* owned; NULL: no known frames */
	char *ws_key;                  /* in our arena; NULL: no bridge */
	const struct view_service *vs; /* of this turn's view; else NULL */

	/* what the view said when we routed */
	uint64_t connect_us, first_byte_us, progress_us, tunnel_us;
	uint64_t body_max; /* 0: no bound */
	uint64_t up_idle_us;
	uint64_t source_hash; /* of the client's address; 0: of its
	                                 connection's */
	unsigned up_max_idle;
	enum cfg_send_proxy send_proxy;
	const struct tls_client *up_tls; /* of the turn of the pick */
	enum cfg_protocol up_protocol;
	uint32_t epoch;
	bool via;
	uint8_t scope;          /* enum cfg_sticky_scope */
	uint8_t profile;        /* enum cfg_profile */
	bool watched;           /* as view_service.watched */
	bool edits_request;     /* there are rules for fields */
	bool edits_answer;      /* ... of the answer */
	uint16_t service_at;    /* where the view had the service, a hint */
	struct str location;    /* of our own answer; .p NULL: none */
	struct str own_body;    /* its content; .p NULL: a page */
	struct str told_client; /* for such rules; .p NULL: not read yet */

	/* all instances are full */
	struct queue *queue; /* where we wait; NULL: nowhere */
	TAILQ_ENTRY(exchange) queue_link;
	uint64_t queue_due_us;
	struct pool *full; /* of E_FULL: whose instances are, and its bounds */
	uint64_t full_us;
	unsigned full_max;

	/* a file of a page */
	uint64_t asset;  /* hash of its tag; 0: it asks for none */
	bool astray;     /* at a pool that has it, or has issued what it
	                    carries, not its session's */
	bool home_asked; /* its session's pool was */
	bool reroute;    /* the next try is at the other of the two */
	bool was_astray, was_reroute; /* before the last choice */

	/* what its service has issued */
	struct forms *forms; /* owned; NULL: none are read */
	uint64_t artifact;   /* pool that has issued what it carries; 0: nobody
	                        knows, or it carries nothing */
	bool artifact_pins;  /* its session stays there */

	struct copy *copy; /* one ref: made of the answer, or the answer */

	/* its service is held */
	struct holding *holding; /* where we wait; NULL: nowhere */
	TAILQ_ENTRY(exchange) hold_link;
	uint64_t hold_due_us; /* then it is refused; 0: it never was held */
	bool writes; /* it may change something: in .pcell while it has an
	                instance */

	/* the session */
	struct pin pin; /* what the cookie says or will say */
	bool pin_new;   /* answer with a Set-Cookie */
	bool pin_due;   /* ... of a pin that is decided anew */
	char cookie_name[CFG_NAME_MAX + sizeof("__Host-")];

	/* cookies of instances */
	bool cookie_spaces; /* a pool of the service has a namespace */
	char cookie_space[CFG_COOKIE_SPACE_MAX + 1]; /* then: that of the
	                                                present pool, or "" */

	/* tries */
	struct instance *tried[EXCHANGE_TRIES_MAX];
	uint8_t n_tried;
	uint8_t tries_left;
	uint8_t retries;
	bool parked;        /* in the proxy's list */
	bool last_waits;    /* there, before its last try */
	uint8_t parked_for; /* enum outcome, should it wait in vain */
	uint64_t parked_us; /* when it was first, 0: never */
	uint64_t view_gen;  /* of the view of the last pick */
	TAILQ_ENTRY(exchange) park_link;

	/* progress */
	uint8_t n_interims;   /* that came, on the present connection */
	bool held_head;       /* req points into the client's slab */
	bool body_taken;      /* a body byte was handed on */
	bool req_done;        /* the request is read to its end */
	bool req_trailed;     /* its trailers were handed on */
	bool refused;         /* the answer is our own */
	bool shed;            /* it began above the memory limit */
	bool interim;         /* the last head read was a 1xx */
	bool awaits_continue; /* the client waits for our 100 */
	bool answer_trailed;
	bool sent_head;    /* queued on the present connection */
	bool answer_begun; /* a byte came on the present connection */
	bool answer_sent;  /* a head went to the client's queue */
	bool answer_done;  /* the answer is read to its end */
	bool keep_client, keep_up;
	bool retry_by_status; /* there are answers to ask elsewhere after */
	bool tunnel_asked;
	bool in_tunnel;
	bool grpc;                 /* a call of gRPC */
	bool is_stream;            /* ... that is counted as a stream */
	bool client_eof, up_eof;   /* in a tunnel: no more bytes from it */
	bool client_shut, up_shut; /* in a tunnel: no more bytes to it */
	bool tls_client;           /* it used TLS, or its trusted proxy says
	                              so */
	bool pinned;               /* .pin was read from a valid cookie */
	bool routed;               /* counted in the cell of a service */
	bool named;                /* its X-Request-ID is the one that counts */
	uint16_t status;           /* final one sent to the client */
	uint16_t rule;             /* 1..: of the service's, which denied */
	uint32_t retry_s;          /* our answer says to come again then */
	const char *failed_at;     /* name of the instance that made us
	                                 refuse, for the log; or NULL */

	uint64_t begun_us, head_us, picked_us, first_us, begun_wall_us;
	uint64_t bytes_in, bytes_out; /* bodies, tunnel bytes */
	uint64_t up_taken;            /* lane_taken() when last looked at */
	uint64_t ends_us;             /* a tunnel whose time is over ends
	                                 then, 0: it is not */
	uint8_t ends_as;              /* enum outcome */
	uint8_t grpc_status;          /* said to the client, or GRPC_UNSAID */

	struct spill *spill;
	uint32_t arena_used;
	char arena[EXCHANGE_ARENA];
	struct http_head req; /* last: large, never cleared */
};

const char *exchange_step_name(enum exchange_step);

/* ---- the client's side ---- */
struct exchange *exchange_begin(struct client *) MUST_CHECK;
void exchange_head(struct exchange *, const struct http_head *);
bool exchange_body(struct exchange *, struct str);
void exchange_trailers(struct exchange *, struct http_head *);
void exchange_request_end(struct exchange *);
bool exchange_flush_up(struct exchange *); /* batch of the client lane */
void exchange_client_drained(struct exchange *);
void exchange_client_broken(struct exchange *, int code, enum http_bad);
void exchange_client_eof(struct exchange *);
/* A named deadline ran out. */
void exchange_timed_out(struct exchange *, enum outcome);
/* There is no memory for it: refused. */
void exchange_shed(struct exchange *);
/* Ends it now: status when nothing was answered, else a cut. */
void exchange_abort(struct exchange *, unsigned status, enum outcome);
/* The same with the status that fits the outcome. */
void exchange_cut(struct exchange *, enum outcome);

/* ---- shared by this room ---- */
/* Says anew for what the client is waited; after each step. */
void exchange_wait_client(struct exchange *);
/* len bytes that live as long as the exchange; NULL when memory is out. */
char *exchange_alloc(struct exchange *, size_t len) MUST_CHECK;
/* Our own answer; ends the exchange once it has left. */
void exchange_refuse(struct exchange *, unsigned status, enum outcome);
/* The one end of every exchange. */
void exchange_end(struct exchange *, enum outcome);
/* Picks an instance and sends, waits for a place, or refuses. */
void exchange_go(struct exchange *);
/* The same for one that was parked, as if nothing had been tried. */
void exchange_go_anew(struct exchange *);
/* The same outside of the client's events: what was read goes on, too. */
void exchange_go_on(struct exchange *);
/*
 * The answer has a status after which another instance is asked: true, and the
 * exchange has gone there; false: this is the answer.
 */
bool exchange_try_elsewhere(struct exchange *, unsigned status);
/* The answer with that status is not this one: true, and another pool is asked. */
bool exchange_try_pool(struct exchange *, unsigned status);
/* The instance failed the present try, and it is none of the rest. */
void exchange_note_fault(struct exchange *);
/* Notes the instance's name: it outlives our place in its cell. */
void exchange_note_instance(struct exchange *);
/* From now on it has its place among the streams, whatever it may change. */
void exchange_become_stream(struct exchange *);
/* Gives connection and place in the cell back. */
void exchange_release(struct exchange *, bool keep);
/* The present try failed for that reason: again, or answer for it. */
void exchange_try_failed(struct exchange *, int code, enum outcome);
/* The status that tells a client of that outcome. */
unsigned exchange_status(enum outcome);
/* Counts a status in its class of the five cells. */
void exchange_count_status(stat_u64 *cells, unsigned status);
/* Counts an answer in pool and instance, before they are released. */
void exchange_account_instance(struct exchange *);
/* Between turns: those that ended are spare now, those that are many go. */
void exchange_trim_spare(struct proxy *, size_t keep);
/* Drops spare ones that were not used since the last call. */
void exchange_tidy(struct proxy *);

/* ---- tunnel.c ---- */
/* The stream's time is over; within_us is for those that close orderly. */
enum stream_why { STREAM_DRAIN, STREAM_STOP, STREAM_SILENT };
void tunnel_begin(struct exchange *);
/* What it ends in when either side leaves, or its connection breaks. */
enum outcome tunnel_outcome(const struct exchange *);
void tunnel_account(struct exchange *); /* of its outcome */
void tunnel_end(struct exchange *, enum stream_why, uint64_t within_us);
/* No byte came for as long as it may be silent, or its time is over. */
void tunnel_silent(struct exchange *);
bool tunnel_from_client(struct exchange *, struct str);
bool tunnel_from_instance(struct exchange *, struct str);
void tunnel_eof(struct exchange *, bool from_client);
void tunnel_drained(struct exchange *, bool to_client);

/* ---- exchange_up.c: the instance's side ---- */
extern const struct lane_user exchange_up_user;
/* It asks for an upgrade, and its instance is spoken to in HTTP/1 then. */
static inline bool
exchange_may_upgrade(const struct exchange *x)
{
	return x->tunnel_asked &&
	    (x->up_protocol == CFG_PROTOCOL_H1 ||
	        x->up_protocol == CFG_PROTOCOL_AUTO);
}
/* The instance's connection is waited for so long from now. */
void exchange_up_waits(struct exchange *, uint64_t limit_us);
void exchange_up_deadline(struct deadline *);
/* The client took bytes: the instance's clock starts anew. */
void exchange_up_progress(struct exchange *);
/* Its connection failed with that code. */
void exchange_up_broken(struct exchange *, int code);
/* Queues the head on x->up. */
void exchange_send(struct exchange *);
/* The answer is read to its end and the client has it all. */
void exchange_maybe_finish(struct exchange *);

#endif
