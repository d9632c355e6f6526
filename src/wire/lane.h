/*
 * lane - one stream of HTTP messages over a connection, both ways: reads
 * bytes, runs the codec, tells its user the events of http/events.h, and
 * queues and sends what the user writes.  An HTTP/1 connection is one lane;
 * an HTTP/2 connection will carry many behind the same calls.
 *
 * Bytes are not copied: a data event lends a slice of the lane's input slab,
 * the user queues that slice on the other lane, and the input slab is not
 * touched until the other lane has sent it.  The rule that makes this safe:
 * after a batch of events the user's batch() flushes the other lane and says
 * whether all of it has left; if not, this lane stops reading until
 * lane_resume().  A lane without bytes in transit holds no slab.
 *
 * Who sends without a pause does not keep the thread: a lane reads so much in
 * a turn, then lets the others have theirs.
 *
 * Thread: the loop's.
 */
#ifndef WIRE_LANE_H
#define WIRE_LANE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "http/events.h"
#include "http/h1_read.h"
#include "http/head.h"
#include "net/conn.h"

struct addr;
struct lane;
struct loop;
struct slab;
struct slab_store;
struct stream;
struct trunk;

/* What the lanes of one thread share. */
struct wire {
	struct loop *loop;        /* borrowed */
	struct slab_store *slabs; /* borrowed */
	struct http_head scratch; /* the head being read */
};

/*
 * What a lane tells its user.  Any of these may close the lane; the memory of
 * the lane must stay until the turn's end (loop_defer).
 */
struct lane_user {
	/*
	 * What goes before the first message, of lanes with lane_greets(): a
	 * preface, a handshake.  Called whenever the connection may go on; acts
	 * on .conn itself.  E_OK: done; E_AGAIN: not yet; else why not, which
	 * connected() or broken() is told.
	 */
	int (*greet)(struct lane *);
	/* Dialled lanes: E_OK or why not. */
	void (*connected)(struct lane *, int code);
	/*
	 * Accepted lanes, may be NULL: the first bytes are those of HTTP/2's
	 * preface; once they are whole a trunk may take the connection, else
	 * they are read as HTTP/1.
	 */
	void (*preface)(struct lane *, bool whole);
	/* The first bytes of a message have come. */
	void (*begin)(struct lane *);
	/* h is the wire's scratch: copy what must outlive the call.  The bytes
	 * it points to stay until lane_next() if lane_hold_head() is called
	 * now, else only for the call. */
	void (*head)(struct lane *, struct http_head *h);
	/* False: call batch() before reading on in the same bytes. */
	bool (*data)(struct lane *, struct str);
	void (*trailers)(struct lane *, struct http_head *);
	void (*end)(struct lane *);
	/* All that was lent so far: sent on?  False stops reading. */
	bool (*batch)(struct lane *);
	/* The queue was stuck and is empty now (or was dropped). */
	void (*drained)(struct lane *);
	/* The peer closed where it may: between messages, or a tunnel's half. */
	void (*eof)(struct lane *);
	/* E_SYNTAX (why says what), E_EOF (cut within a message), E_RESET,
	 * E_IO, E_NOMEM.  Told once, in a tunnel perhaps after eof().  Of a
	 * deaf lane any end is told by eof(). */
	void (*broken)(struct lane *, int code, enum http_bad why);
};

struct lane {
	struct conn conn;
	struct wire *wire;            /* borrowed */
	const struct lane_user *user; /* static */
	union {
		struct stream *stream; /* what it runs over; NULL: HTTP/1 */
		struct trunk *trunk;   /* what has taken .conn, and pauses us */
	};
	struct later more;         /* the turn was over, not the bytes */
	struct http_limits limits; /* of what is read */
	struct h1_reader reader;
	struct h1_reader at_body; /* the reader behind the held head */
	struct slab *in;          /* owned; NULL while nothing is unread */
	struct slab *held;        /* owned unless == in: holds the head */
	struct slab *out;         /* owned; NULL while nothing is queued */
	uint64_t sent;            /* bytes the kernel took, ever */
	uint32_t in_base;         /* bytes of in the head occupies */
	uint32_t in_off, in_len;  /* unread bytes are [in_off, in_len) */
	uint8_t method;           /* reading a response: what was asked */
	uint8_t out_framing;      /* of the message being sent */
	/* once in the life of a connection */
	bool dialing : 1;
	bool greeting : 1; /* .user's greet() is not done */
	bool fresh : 1;    /* HTTP/2 may come, nothing else has */
	bool told : 1;     /* broken() was told */
	bool eof_told : 1; /* eof() was told */
	bool mute : 1;     /* sending failed: what is written is dropped */
	bool deaf : 1;     /* bytes are read and thrown away */
	/* all the time */
	bool in_pump;
	bool paused;
	bool begun;      /* begin() was told for this message */
	bool end_due;    /* end() is still to be told */
	bool lent;       /* events since the last batch() */
	bool raw;        /* tunnel: bytes are data */
	bool bulk;       /* a read filled the slab: take large ones */
	bool had_bulk;   /* at some time of this message */
	bool again;      /* a callback moved the reader: look once more */
	bool whole;      /* all since the head still lies in .held */
	bool chunk_open; /* a chunk's tail is still to be sent */
	bool closed;
};

/* Takes fd over.  limits bound what the peer may send. */
int lane_accept(struct lane *, struct wire *, int fd, const struct lane_user *,
    const struct http_limits *) MUST_CHECK;
/* Reads responses.  connected() follows from the loop, or at once E_*. */
int lane_dial(struct lane *, struct wire *, const struct addr *,
    const struct lane_user *, const struct http_limits *) MUST_CHECK;
/* Right after one of the two: greet() comes before any message. */
void lane_greets(struct lane *);
/* Gives slabs back and closes; idempotent. */
void lane_close(struct lane *);
/* The same with a reset, so that the peer sees the message was cut. */
void lane_reset(struct lane *);

/* ---- reading ---- */
/* Keeps the head's bytes in place until lane_next(); from head() only. */
void lane_hold_head(struct lane *);
/* The message is dealt with: gives the head's bytes back, reads the next. */
void lane_next(struct lane *);
/* Gives the head's bytes back before the message's end. */
void lane_release_head(struct lane *);
/* Does every byte read since the held head still lie in our slab? */
bool lane_can_rewind(const struct lane *);
/*
 * Goes back behind the held head, so that body and end are told again after
 * lane_resume().  Only when lane_can_rewind() and nothing lent is in use.
 */
void lane_rewind(struct lane *);
void lane_pause(struct lane *);
void lane_resume(struct lane *);
/* From now on bytes are not messages any more (after 101). */
void lane_go_raw(struct lane *);
/* From now on bytes are thrown away (lingering close). */
void lane_go_deaf(struct lane *);
/* What looks like a preface is waited for no longer: it is read as HTTP/1. */
void lane_no_preface(struct lane *);
/* Reader between messages with nothing unread: fit for reuse or idle. */
bool lane_is_idle(const struct lane *);
/* Bytes wait unread in our own slab. */
static inline bool
lane_has_unread(const struct lane *l)
{
	return l->in_len > l->in_off;
}

/* ---- writing: all of it queues; lane_flush() sends ---- */
/* flags as enum h1_write_flags; E_NOMEM, E_TOOBIG, E_SYNTAX. */
int lane_send_head(struct lane *, const struct http_head *, enum http_framing,
    unsigned flags) MUST_CHECK;
/* bytes are borrowed until the queue is empty.  E_NOMEM. */
int lane_send_data(struct lane *, struct str bytes) MUST_CHECK;
/* bytes are copied: our own short answers. */
int lane_send_copy(struct lane *, struct str bytes) MUST_CHECK;
/* Ends the message; trailers may be NULL. */
int lane_send_end(struct lane *, const struct http_head *trailers) MUST_CHECK;
/*
 * Sends what the socket takes.  E_OK (see lane_pending), or E_RESET, E_IO:
 * then the queue is dropped, and what is written from now on too.
 */
int lane_flush(struct lane *) MUST_CHECK;
/*
 * After lane_flush() failed: reads on, as the peer may have answered before it
 * stopped listening; eof() or broken() follows.
 */
void lane_hear_out(struct lane *);
/*
 * A number that changes whenever the peer's system takes bytes of ours; tells
 * a slow reader from one that has stopped.  One ioctl(2).
 */
uint64_t lane_taken(const struct lane *);
/* Is the queue so full that the source should be flushed first? */
bool lane_is_full(const struct lane *);
static inline bool
lane_pending(const struct lane *l)
{
	return l->out != NULL;
}

#endif
