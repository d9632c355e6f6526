/*
 * asker - one client of a load driver: its connection, its cookies, one
 * request at a time and the answer to it.
 *
 * Thread: everything runs on the one event loop.
 */
#ifndef LOAD_ASKER_H
#define LOAD_ASKER_H
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "contrib/load/answer.h"
#include "contrib/load/jar.h"

struct bufferevent;
struct crowd;
struct evbuffer;
struct event;

struct asker {
	struct crowd *crowd; /* borrowed */
	unsigned number;
	bool keeps; /* its connection, between requests: every second does */
	bool in_flight; /* a request is out */
	bool is_reused; /* on a connection that had served before */
	bool has_bytes; /* of the present answer */
	uint64_t sent_us, sent_wall_us;
	struct bufferevent *bev; /* owned; NULL: no connection */
	struct event *timer;     /* owned: pause, or deadline of an answer */
	struct sockaddr_in source;
	struct jar jar;
	struct answer answer;
};

/* It does nothing before its first asker_pause(). */
void asker_init(struct asker *, struct crowd *, unsigned number);
void asker_end(struct asker *);
/* Somebody else: no cookies, the next source address, a new connection. */
void asker_anew(struct asker *);
/* After so long the story's ask() is called. */
void asker_pause(struct asker *, uint64_t us);
/*
 * Begins a request, connecting if need be: its bytes go into what is returned,
 * NULL when there is no connection, which failed() has heard already.
 */
struct evbuffer *asker_request(struct asker *) MUST_CHECK;
/* The Set-Cookie fields of the answer go into the jar. */
void asker_keep_cookies(struct asker *);
/* Half to one and a half of the mean, at least 1. */
uint64_t asker_about(uint64_t mean);

#endif
