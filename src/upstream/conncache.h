/*
 * conncache - a worker's connections to instances: lends them to exchanges,
 * keeps idle ones for reuse, retires them in time.
 *
 * What is lent is a connection of HTTP/1, or a stream of one of HTTP/2
 * (upstream/uptrunk): whoever borrows it cannot tell.
 *
 * Most recently used first.  An idle connection is looked at before reuse
 * when the request may not be sent twice or the connection has been idle
 * longer than a moment; within a moment the loop itself would have seen a
 * close.
 *
 * A close that is on its way cannot be seen.  So the shortest time after which
 * an instance closed an idle connection is remembered for a minute, and a
 * request that may not be sent twice gets none that has been idle for half of
 * it: it gets a fresh one.  So it does while its pool drains, or its instance
 * leaves: that is when processes end.
 *
 * What an instance says of itself in Keep-Alive bounds how long, and how
 * often, we use its connections.
 *
 * Thread: worker.
 */
#ifndef UPSTREAM_CONNCACHE_H
#define UPSTREAM_CONNCACHE_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/attr.h"
#include "config/config.h"
#include "http/events.h"
#include "net/loop.h"
#include "upstream/model.h"
#include "wire/lane.h"

struct upconn;
struct uptrunk;

/*
 * Who has connections of its own, because they have said in a PROXY preface
 * for whom they are: nobody else may have them.  Zeroed is empty.
 */
struct upowner {
	LIST_HEAD(, upconn) idle; /* most recently used first */
};

/* What the caches of one worker share; embedded in the worker. */
struct upworker {
	struct wire *wire;             /* borrowed */
	unsigned index;                /* which cell is ours */
	int fd_max;                    /* from here on they are for others */
	struct http_limits limits;     /* of what instances send */
	LIST_HEAD(, conncache) caches; /* of instances with connections */
	size_t n_conns;                /* of all of them, streams counted */
	size_t n_trunks;               /* of these, HTTP/2 */
	uint64_t tls_told_us;          /* that one failed, in the log */
	size_t n_tls;                  /* of these, over TLS */
};

struct upconn {
	struct lane lane;
	struct instance *inst;  /* borrowed: inst->conns counts us */
	struct inst_cell *cell; /* ours */
	struct conncache *cache;
	union {
		struct upowner *owner; /* borrowed; NULL: anybody may have it */
		struct uptrunk *trunk; /* borrowed, of a stream; owned, of the
		                          connection of streams */
	};
	union {
		TAILQ_ENTRY(upconn) link; /* while idle */
		struct {
			uint64_t sent_before; /* lane.sent when lent */
			uint64_t lent_us;     /* when; of a stream */
		};
	};
	struct deadline deadline; /* idle limit, or what the user sets */
	union {
		LIST_ENTRY(upconn) owner_link; /* while idle, of an owner's */
		TAILQ_ENTRY(upconn)
		wait_link;            /* a stream, until .trunk is
		                                  connected */
		struct defer freeing; /* once closed */
	};
	void *user; /* the exchange; NULL while idle */
	union {
		uint64_t idle_since_us; /* while idle */
		uint64_t was_idle_us;   /* when it was lent; 0: it was fresh */
	};
	uint32_t uses;
	uint32_t said_uses;    /* the instance's bounds, as it said last; */
	uint32_t said_idle_ms; /* ... UINT32_MAX: none */
	uint16_t greeted;      /* bytes of a preface that have left */
	bool introduced : 1;   /* all of it */
	bool over_tls : 1;     /* counted in .n_tls */
	bool is_stream : 1;    /* of a .trunk */
	bool waits : 1;        /* ... that is not connected yet */
	bool is_trunk : 1;     /* carries streams, is never lent */
	bool closed : 1;
};

/* What a connection is to be like. */
struct upask {
	const struct tls_client *tls; /* made by these settings; NULL: plain */
	struct upowner *owner;        /* its own; NULL: one that is nobody's */
	enum cfg_protocol protocol;   /* other than h1: without an owner */
	bool careful;                 /* what is asked may not be sent twice */
};

void upworker_init(struct upworker *, struct wire *, unsigned index);
/* Closes all idle connections; lent ones are the exchanges' to close. */
void upworker_close(struct upworker *);

/*
 * An idle connection to inst, now the caller's, who is counted in its cell
 * already; NULL: none is fit.  Its deadline is armed: set it anew.
 */
struct upconn *upconn_take(struct upworker *, struct instance *,
    const struct upask *) MUST_CHECK;
/*
 * A new connection, the owner's if there is one; user->connected() follows,
 * and has to call upconn_connected().  With tls it may greet: user->greet()
 * shakes hands (upconn_shake).  E_* when it cannot even begin; E_NOFILES also
 * before the last of 16 descriptors are touched: probes and operators need
 * some, and a client of HTTP/2 may want many at once.
 */
int upconn_dial(struct upworker *, struct instance *, const struct upask *,
    const struct lane_user *user, void *arg, struct upconn **out) MUST_CHECK;
/* Goes on with a handshake, if there is any, and counts how it ends. */
int upconn_shake(struct upconn *) MUST_CHECK;
/*
 * It is connected.  Has the instance chosen HTTP/2, *up becomes a stream of
 * it; E_NOMEM.
 */
int upconn_connected(struct upconn **) MUST_CHECK;
/* Takes note of the bounds in the head of an answer, if there are any. */
void upconn_hear(struct upconn *, const struct http_head *);
/*
 * The exchange is over and the connection at a message border: keeps it for
 * idle_us, or less if the instance said so; or closes it when max_idle are
 * kept, when it was used as often as it may be, or its instance is leaving.
 */
void upconn_keep(struct upconn **, uint64_t idle_us, unsigned max_idle);
/* The owner goes, and with it its idle connections. */
void upowner_close(struct upowner *);
/* Closes; frees after this turn. */
void upconn_close(struct upconn **);
/* Has the connection been used before by another exchange? */
static inline bool
upconn_is_reused(const struct upconn *u)
{
	return u->uses > 1;
}
/*
 * It has broken: because it had been kept, or because the connection that it
 * was one stream of ends, and not by what the instance did to its request?
 */
bool upconn_is_raced(const struct upconn *) MUST_CHECK;
/*
 * Closes idle connections to instances that take no more exchanges, or whose
 * pool drains; to be called after a new view was adopted.
 */
void upworker_retire(struct upworker *);

#endif
