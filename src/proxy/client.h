/*
 * client - a downstream connection: its waits, its exchanges one after the
 * other, its end.  Of an HTTP/2 connection each stream is a client as well,
 * with one exchange; the connection itself then has none (client_h2.c).
 *
 * Thread: worker.
 */
#ifndef PROXY_CLIENT_H
#define PROXY_CLIENT_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/attr.h"
#include "net/addr.h"
#include "net/loop.h"
#include "upstream/conncache.h"
#include "wire/lane.h"

struct exchange;
struct preface;
struct proxy;
struct trunk;
struct view_listener;

/* What a client connection waits for; each wait has its deadline. */
enum client_wait {
	WAIT_NONE,      /* the exchange has its own deadlines */
	WAIT_PREFACE,   /* a balancer's word on who the client is */
	WAIT_HANDSHAKE, /* of TLS, or the hello of one not ours */
	WAIT_REQUEST,   /* idle between requests */
	WAIT_HEAD,      /* the rest of a head */
	WAIT_BODY,      /* progress of a request body */
	WAIT_WRITE,     /* the client takes bytes of the answer */
	WAIT_LINGER     /* its FIN, after our last byte */
};

struct client {
	struct lane lane;
	TAILQ_ENTRY(client) link;
	struct proxy *proxy;       /* borrowed */
	struct exchange *exchange; /* owned; NULL while idle */
	struct preface *preface;   /* owned; NULL: nothing was said */
	struct upowner ups;    /* to instances that are told whose they are */
	struct trunk *trunk;   /* owned: HTTP/2; else NULL */
	struct client *parent; /* of a stream; else NULL */
	struct deadline deadline;
	struct defer freeing;
	struct addr peer;
	char peer_text[ADDR_TEXT_MAX /
	    2];                  /* its host, as logs and fields say it */
	uint64_t taken;          /* lane_taken() when last looked at */
	uint64_t stuck_since_us; /* WAIT_WRITE: no byte was taken since */
	uint64_t noted_id;       /* the session that was recorded last, */
	uint64_t noted_pool;     /* ... on that pool, then */
	uint64_t noted_us;
	uint32_t served;      /* exchanges ended */
	uint32_t place;       /* for callers_leave() */
	uint32_t proof_bytes; /* see proxy/proof.h; the connection's */
	uint16_t listener;    /* index */
	uint8_t wait;         /* enum client_wait */
	uint8_t stage;        /* of the greeting that is next */
	bool proof_read;      /* counted in .proof_bytes */
	bool hears_preface;   /* the first stage is due */
	bool passes;          /* its bytes are for an instance, unread */
	bool trusted;         /* among the listener's trusted_proxies */
	bool over_tls;        /* counted in .n_tls */
	bool shaking;         /* counted in .n_shaking */
	bool stop_asked;      /* we stop: the next answer says so */
};

/* The connection itself, of a stream as of any other. */
static inline struct client *
client_connection(struct client *c)
{
	return c->parent != NULL ? c->parent : c;
}

/* Its connection below: the same for all streams. */
static inline const struct conn *
client_conn(const struct client *c)
{
	return c->parent != NULL ? &c->parent->lane.conn : &c->lane.conn;
}

/* A FIN while its request waits: it will read no answer. */
static inline bool
client_has_left(const struct client *c)
{
	return c->lane.conn.fin_seen || c->lane.conn.failed;
}

/* Takes fd over. */
void client_accept(struct proxy *, int fd, const struct addr *peer,
    unsigned listener);
/* The exchange has ended and its answer has left, which said whether the
 * connection is kept: on, or close. */
void client_exchange_done(struct client *, bool keep_alive);
/* The exchange cannot end well: cut so that the client notices. */
void client_cut(struct client *);
/* Closes at once, but orderly; not while an exchange is under way. */
void client_close(struct client *);
void client_wait_for(struct client *, enum client_wait);
/* The proxy begins to stop. */
void client_stop(struct client *);
/* ---- for the stages of a greeting ---- */
/* Counts, and logs, that it is refused before its first request. */
void client_note_refusal(struct client *, enum conn_refusal,
    const char *detail);
/* Whose connection it is, as a balancer says. */
void client_set_peer(struct client *, const struct addr *);
/* Is there room for one more of that peer?  If not, it is counted. */
bool client_is_welcome(struct client *) MUST_CHECK;

/* Closes in order, with time for the client to read what was sent last. */
void client_linger(struct client *);
/* The lane tells of HTTP/2's preface (struct lane_user). */
void client_preface(struct lane *, bool whole);
/* HTTP/2: the connection is the lane's again, or was never taken. */
void client_drop_trunk(struct client *);
/* HTTP/2: the deadline of a connection without streams has passed. */
void client_trunk_idle(struct client *);
extern const struct lane_user client_user;
struct http_limits client_limits(const struct client *);
/* The listener's settings in the view of this turn. */
const struct view_listener *client_listener(const struct client *);

#endif
