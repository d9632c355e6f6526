/*
 * model - the long-lived things: service, pool, instance, and the cells in
 * which each worker counts.
 *
 * Made and freed by the control thread only (upstream/registry).  A view
 * refers to them; an exchange keeps its instance alive by being counted in
 * its cell.  Every cell field has one writer, the cell's worker; all threads
 * may read.
 */
#ifndef UPSTREAM_MODEL_H
#define UPSTREAM_MODEL_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/attr.h"
#include "base/stat.h"
#include "net/addr.h"
#include "tls/client.h"
#include "upstream/artifacts.h"
#include "upstream/assets.h"
#include "upstream/copies.h"
#include "upstream/jwks.h"
#include "upstream/logins.h"
#include "upstream/sessions.h"

/* ---- words ---- */
/* clang-format off */
#define HEALTHS(X) X(UNKNOWN, "unknown") X(UP, "up") X(DOWN, "down")
#define INST_ADMINS(X) X(IN, "in") X(DRAIN, "drain") X(MAINT, "maint")
#define POOL_STATES(X)                                                         \
	X(COLD, "cold") X(STARTING, "starting") X(READY, "ready")              \
	X(ACTIVE, "active") X(DRAINING, "draining") X(DRAINED, "drained")      \
	X(RETIRED, "retired") X(FAILED, "failed")
/* Why health is what it is. */
#define HEALTH_REASONS(X)                                                      \
	X(NONE, "not probed yet") X(PASSED, "probe passed")                    \
	X(CARRIED, "proved before a restart")                                  \
	X(CONNECT_REFUSED, "connection refused")                               \
	X(CONNECT_TIMEOUT, "connect timed out")                                \
	X(UNREACHABLE, "address unreachable")                                  \
	X(TIMEOUT, "no answer in time") X(RESET, "connection reset")           \
	X(MALFORMED, "malformed answer") X(STATUS, "unexpected status")        \
	X(BODY, "body text not found") X(JSON, "JSON field differs")           \
	X(GRPC, "gRPC health is not SERVING") X(NO_H2, "speaks no HTTP/2")     \
	X(NAME, "name does not resolve") X(TLS, "TLS handshake failed")        \
	X(CERT, "certificate not accepted") X(INTERNAL, "could not probe")
/* Why an instance is ejected. */
#define EJECT_REASONS(X)                                                       \
	X(NONE, "not ejected") X(CONNECT, "connections failed in a row")       \
	X(FAILURES, "failures in a row")                                       \
	X(RATIO, "too many failures of all") X(SLOW, "slower than the others")
/* clang-format on */

#define X(id, name) HEALTH_##id,
enum health { HEALTHS(X) HEALTH_COUNT };
#undef X
#define X(id, name) INST_##id,
enum inst_admin { INST_ADMINS(X) INST_ADMIN_COUNT };
#undef X
#define X(id, name) POOL_##id,
enum pool_state { POOL_STATES(X) POOL_STATE_COUNT };
#undef X
#define X(id, text) HEALTH_WHY_##id,
enum health_reason { HEALTH_REASONS(X) HEALTH_REASON_COUNT };
#undef X
#define X(id, text) EJECT_##id,
enum eject_reason { EJECT_REASONS(X) EJECT_REASON_COUNT };
#undef X

const char *health_name(enum health);
const char *inst_admin_name(enum inst_admin);
const char *pool_state_name(enum pool_state);
const char *health_reason_text(enum health_reason);
const char *eject_reason_text(enum eject_reason);
/* -1 when no such name. */
int inst_admin_of(const char *name);
int pool_state_of(const char *name);

/* ---- outcomes: every exchange ends in exactly one row ---- */
/* class: answered, ours, client, deadline, fault (design.md, invariant 1) */
/* clang-format off */
#define OUTCOMES(X)                                                            \
	X(ANSWERED, answered, "answered", "the instance's answer was delivered") \
	X(TUNNELLED, answered, "tunnelled", "an upgraded connection ended by itself") \
	X(KEYS, answered, "keys", "the keys of all pools were given (jwks.union)") \
	X(BAD_REQUEST, ours, "bad_request", "the request was malformed")       \
	X(NOT_SUPPORTED, ours, "not_supported", "a method, coding or version we refuse") \
	X(TOO_LARGE, ours, "too_large", "head, target or body above its limit") \
	X(NO_SERVICE, ours, "no_service", "no service fits host and path")     \
	X(DENIED, ours, "denied", "a rule of the service forbids it")          \
	X(RATE_LIMITED, ours, "rate_limited", "its client address asks too often") \
	X(NO_INSTANCE, ours, "no_instance", "no instance is ready")            \
	X(STOPPING, ours, "stopping", "we are stopping")                       \
	X(OVERLOAD, ours, "overload", "a bound of ours was reached")           \
	X(HEALTH, ours, "health", "we were asked for our own health")           \
	X(REDIRECTED, ours, "redirected", "a request in clear was led to TLS")  \
	X(ACME, ours, "acme", "an ACME challenge was answered")                \
	X(QUEUE_FULL, ours, "queue_full", "all instances and the queue were full") \
	X(HOLD_FULL, ours, "hold_full", "as many as may be were held already") \
	X(COPY, ours, "copy", "it was held, and given a copy of hold.copies")   \
	X(CLIENT_LEFT, client, "client_left", "the client closed before the end") \
	X(HEAD_TIMEOUT, deadline, "head_timeout", "the request head took too long") \
	X(BODY_TIMEOUT, deadline, "body_timeout", "the request body stood still") \
	X(QUEUE_TIMEOUT, deadline, "queue_timeout", "no instance had a place in time") \
	X(HOLD_TIMEOUT, deadline, "hold_timeout", "it was held as long as it may be") \
	X(CONNECT_TIMEOUT, deadline, "connect_timeout", "no connection to an instance in time") \
	X(FIRST_BYTE_TIMEOUT, deadline, "first_byte_timeout", "no answer in time") \
	X(ANSWER_TIMEOUT, deadline, "answer_timeout", "the answer stood still") \
	X(CLIENT_TIMEOUT, deadline, "client_timeout", "the client took no byte of the answer") \
	X(TUNNEL_TIMEOUT, deadline, "tunnel_timeout", "a tunnel without a byte") \
	X(DRAIN_CUT, deadline, "drain_cut", "cut at a deadline of a drain")    \
	X(STOP_CUT, deadline, "stop_cut", "cut at the deadline of our stop")   \
	X(DRAIN_CLOSED, deadline, "drain_closed", "a WebSocket closed (1001) at a deadline of a drain") \
	X(STOP_CLOSED, deadline, "stop_closed", "a WebSocket closed (1001) as we stop") \
	X(CONNECT_FAILED, fault, "connect_failed", "every try to connect failed") \
	X(INSTANCE_RESET, fault, "instance_reset", "the instance closed before its answer") \
	X(INSTANCE_CUT, fault, "instance_cut", "the instance closed within its answer") \
	X(INSTANCE_MALFORMED, fault, "instance_malformed", "the instance's answer was malformed") \
	X(INTERNAL, fault, "internal", "out of memory or another fault of ours")
/* clang-format on */

#define X(id, class, name, help) OUT_##id,
enum outcome { OUTCOMES(X) OUT_COUNT };
#undef X
const char *outcome_name(enum outcome);
const char *outcome_class(enum outcome);
const char *outcome_help(enum outcome);

/* Which exchanges of a service are held: identifier, name. */
#define HOLDS(X)                                                               \
	X(NONE, "none")                                                        \
	X(WRITES, "writes") /* that may change something */                    \
	X(ALL, "all")
#define X(id, name) HOLD_##id,
enum hold { HOLDS(X) HOLD_COUNT };
#undef X
const char *hold_name(enum hold);
int hold_of(const char *name); /* -1: none */

/* ---- cells: one per worker, written by that worker only ---- */

/* Where the pool of an exchange came from. */
/* clang-format off */
#define POOL_CAUSES(X)                                                         \
	X(SHARE, "share", "a new session, placed by the share")                \
	X(PIN, "pin", "a valid pin")                                           \
	X(MOVED_DEAD, "moved_dead", "pinned, but its pool has no ready instance") \
	X(MOVED_DRAIN, "moved_drain", "moved at a safe point of a drain")      \
	X(MOVED_EVICT, "moved_evict", "its pin was evicted")                   \
	X(MOVED_ORDER, "moved_order", "moved at a safe point, as an operator said") \
	X(UNPINNED, "unpinned", "the service pins nothing")                    \
	X(ASSET, "asset", "a file that another pool has")                      \
	X(ARTIFACT, "artifact", "a code or token that the pool has issued")
/* clang-format on */
#define X(id, name, help) CAUSE_##id,
enum pool_cause { POOL_CAUSES(X) CAUSE_COUNT };
#undef X
/* clang-format off */
/* How streams end. */
#define STREAM_ENDS(X)                                                         \
	X(ENDED, "ended", "by themselves, or for want of life")                \
	X(CLOSED, "closed", "by us, with a Close frame (1001)")                \
	X(CUT, "cut", "by us, at a deadline")
/* clang-format on */
#define X(id, name, help) STREAM_##id,
enum stream_end { STREAM_ENDS(X) STREAM_END_COUNT };
#undef X
const char *stream_end_name(enum stream_end);
const char *pool_cause_name(enum pool_cause);
const char *pool_cause_help(enum pool_cause);

enum { STATUS_1XX, STATUS_2XX, STATUS_3XX, STATUS_4XX, STATUS_5XX, STATUS_N };

/* Why a connection was closed before it was read. */
/* clang-format off */
#define CONN_REFUSALS(X)                                                       \
	X(LISTENER, "listener", "the listener has as many as it may")          \
	X(ADDRESS, "address", "the client's address has as many as it may")    \
	X(MEMORY, "memory", "memory is out")                                   \
	X(PREFACE_SOURCE, "preface_source", "a preface is required, and its address may not send one") \
	X(PREFACE_BAD, "preface_bad", "its PROXY preface is malformed, cut or missing") \
	X(PREFACE_TIMEOUT, "preface_timeout", "its PROXY preface took too long") \
	X(HELLO_BAD, "hello_bad", "its ClientHello is malformed, cut or none")  \
	X(HELLO_NAME, "hello_name", "it asks by TLS for a name that nobody has") \
	X(HELLO_TIMEOUT, "hello_timeout", "its ClientHello took too long")
/* clang-format on */
#define X(id, name, help) REFUSED_##id,
enum conn_refusal { CONN_REFUSALS(X) REFUSED_COUNT };
#undef X
const char *conn_refusal_name(enum conn_refusal);

struct service_cell {
	stat_u64 begun;               /* exchanges that reached it */
	stat_u64 active;              /* of these, not ended yet */
	stat_u64 outcome[OUT_COUNT];  /* exchanges ended, by row */
	stat_u64 pins_bad[8];         /* by enum pin_verdict */
	stat_u64 retries;             /* tries after the first */
	stat_u64 retries_denied;      /* the budget said no */
	stat_u64 bytes_in, bytes_out; /* bodies: from and to clients */
	/* of what reached no service: connections that were not taken */
	stat_u64 refused[REFUSED_COUNT];
	/* ... HTTP/2 ones ended for what the client did, by enum h2_flood */
	stat_u64 h2_ended[9];
	stat_u64 held_ever, released; /* exchanges: held, and sent on again */
	/* codes and tokens: noted; asked for by who knew them, and not */
	stat_u64 artifacts_learned, artifacts_found, artifacts_unknown;
	struct holding *holding; /* the worker's own; NULL: none is held */
} CACHE_ALIGNED;

struct pool_cell {
	stat_u64 cause[CAUSE_COUNT]; /* exchanges routed here, by cause */
	stat_u64 sessions_new;       /* sessions begun here */
	stat_u64 queued;             /* exchanges that wait now */
	stat_u64 queued_ever;        /* that had to wait */
	stat_u64 writes; /* in flight now, of those a hold of writes is for */
	stat_u64 streams_ended[STREAM_END_COUNT];
	stat_u64 status[STATUS_N]; /* final answers by class */
	stat_u64 failures;         /* as those of its instances, ever */
	stat_u64 spoiled;
	stat_u64 mirrored;     /* requests copied to it that have ended */
	stat_u64 mirrored_bad; /* ... answered otherwise than the original */
	struct logins logins;  /* of the service's .logins */
	struct hist latency;   /* head read to last byte, us */

	struct queue *queue; /* the worker's own, NULL while none waits */
	uint32_t turn;       /* the worker's own: round robin */
} CACHE_ALIGNED;

struct conncache; /* upstream/conncache.h */
struct queue;     /* proxy/queue.h */
struct holding;   /* proxy/holding.h */

struct inst_cell {
	stat_u64 inflight; /* exchanges now, tunnels not counted */
	stat_u64 streams;  /* tunnels now */
	stat_u64 requests; /* exchanges sent here */
	stat_u64 status[STATUS_N];
	stat_u64 conns; /* connections open now */
	stat_u64 conns_opened;
	stat_u64 conns_reused;
	stat_u64 connect_failed;
	stat_u64 stale;       /* idle connections found closed */
	stat_u64 passed_over; /* too risky for what may not be sent twice */
	stat_u64 raced;       /* closed under a request on reuse */
	stat_u64 lost;        /* of these, not sent again: it failed */
	stat_u64 resets;      /* died before an answer */
	stat_u64 malformed;
	stat_u64 retried_away; /* tries that went elsewhere after us */
	stat_u64 failures;     /* tries that failed by its fault, of any kind */
	stat_u64 spoiled;      /* of .status: cut, or stood still, since */
	stat_u64 passed; /* connections passed through that it has answered */
	struct hist latency;
	int64_t credit;          /* the worker's own: round robin by weight */
	struct conncache *cache; /* the worker's own, NULL until used */
	/* the worker's own: the shortest time after which an idle connection
	 * was closed of late, and when it was, 0 for never */
	uint64_t closed_idle_us, closed_at_us;
	struct tls_kept tls_kept; /* the worker's own: to resume */
	stat_u64 tls_shaken;      /* handshakes that came to their end */
	stat_u64 tls_resumed;     /* of these */
	stat_u64 tls_failed;
} CACHE_ALIGNED;

/* ---- things ---- */
struct service {
	char *name; /* owned */
	unsigned n_workers;
	struct service_cell *cells; /* [n_workers] */
	_Atomic unsigned held;      /* exchanges now, of all workers */
	struct copies copies;       /* of hold.copies */
	struct artifacts artifacts; /* of shared_state */
	struct assets assets;       /* which pool has which */
	struct sessions sessions;   /* which are on which pool */
	struct jwks jwks;           /* whose keys sign which tokens */
};

struct pool {
	char *name;              /* owned */
	struct service *service; /* borrowed, lives longer */
	uint64_t name_hash;      /* pin_name_hash(name) */
	unsigned n_workers;
	struct pool_cell *cells; /* [n_workers] */
	_Atomic bool leaving;    /* control; workers tell when one ends */
	_Atomic bool drains;     /* control; from a drain's begin to undrain */
	uint64_t ready_since_us; /* control; monotonic, 0: not ready */
	uint64_t window_us;      /* control; the one of eject began then */
	bool shares;             /* control; has a share in the newest view */
	/* control, of cfg jwks, over all paths: */
	unsigned jwks_keys;     /* it publishes */
	unsigned jwks_lacks;    /* others of its service do, and it does not */
	uint32_t jwks_lacks_of; /* ... and which, by places as bits */
	bool jwks_united;       /* all are given, wherever it lacks some */
	unsigned jwks_unread;   /* paths that could not be read, or not yet */
	unsigned jwks_unknown;  /* ... at which nothing was ever read */
	uint64_t jwks_read_us;  /* monotonic, of what was read last; 0: never */
};

/* An instance's record of failures: control only; see upstream/eject.h. */
struct eject {
	uint64_t until_us; /* ejected until then, monotonic; 0: it is in */
	uint64_t since_us; /* ejected, or in, since */
	uint64_t last_us;  /* how long the last ejection was */
	uint64_t ok, failed, connect;        /* sums when last looked at */
	uint64_t row_from, row_connect_from; /* sums when the row began */
	uint64_t window_ok, window_failed;   /* sums then */
	uint64_t ejections;                  /* ever */
	struct hist *window_latency;         /* then; owned; NULL: not needed */
	uint8_t reason;                      /* enum eject_reason */
	uint8_t level;   /* the next one is doubled so often */
	bool counts_5xx; /* .failed has answers 5xx */
};

struct instance {
	char *name;        /* owned */
	struct pool *pool; /* borrowed, lives longer */
	struct addr addr;
	char addr_text[ADDR_TEXT_MAX];
	char *host; /* owned; of the address as configured */
	uint64_t name_hash;
	_Atomic uint32_t weight; /* control */
	_Atomic uint8_t health;  /* control; enum health */
	_Atomic uint8_t admin;   /* control; enum inst_admin */
	_Atomic bool gone;       /* control; removed, but maybe in use */
	/* control only: */
	uint8_t reason;           /* enum health_reason */
	uint16_t last_status;     /* of the last probe, 0: none */
	uint64_t health_since_us; /* monotonic */
	uint64_t last_probe_us;   /* monotonic, 0: never */
	uint64_t probe_took_us;
	uint64_t probes, probes_failed; /* ever */
	unsigned passes, fails;         /* in a row */
	struct eject eject;             /* upstream/eject */
	uint64_t warm_from_us;          /* slow start began; 0: it is warm */
	uint8_t warm_tenths;            /* in the newest view */
	bool late;                      /* made after the start */
	bool runtime;                   /* added by a command */
	struct probe *probe;            /* owned by registry; NULL: none */
	unsigned n_workers;
	struct inst_cell *cells; /* [n_workers] */
};

/* Without one it is down: its name does not resolve, and never did. */
bool inst_has_address(const struct instance *);
/* Sums over workers; any thread. */
uint64_t inst_inflight(const struct instance *);
uint64_t inst_streams(const struct instance *);

#endif
