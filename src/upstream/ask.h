/*
 * ask - asks an instance one question, over a connection of its own: dials,
 * speaks TLS, PROXY and HTTP/1 or HTTP/2 as it is told, and reads the answer.
 *
 * Time counts while this thread looks: a stall of ours is no silence of theirs.
 *
 * Thread: control.
 */
#ifndef UPSTREAM_ASK_H
#define UPSTREAM_ASK_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "config/config.h"
#include "net/addr.h"
#include "upstream/model.h"

struct ask;
struct loop;

#define ASK_BODY_MAX 65536 /* what follows is not read */

/* All borrowed for as long as it is under way. */
struct ask_what {
	/* how: type, port, path, host, headers, timeout, send_proxy,
	 * protocol, client; what else is there says what to think of it */
	const struct cfg_probe *cfg;
	const struct addr *addr; /* the instance's */
	const char *host;        /* its name, for TLS */
};

struct ask_user {
	/* The answer's head is there: is its body wanted? */
	bool (*wants)(unsigned status, void *arg);
	/*
	 * Once for each that was begun.  PASSED: there is an answer (TCP: a
	 * connection); else why there is none.  Not from within ask_begin()
	 * unless it failed at once.
	 */
	void (*ended)(enum health_reason, void *arg);
};

int ask_new(struct loop *, const struct ask_user *, void *arg,
    struct ask **out) MUST_CHECK;
/* Ends what is under way without a word; may be called from ended(). */
void ask_free(struct ask **);
/* None is under way. */
void ask_begin(struct ask *, const struct ask_what *);
bool ask_is_under_way(const struct ask *);

/* ---- of the last answer, from within ended() ---- */

uint16_t ask_status(const struct ask *); /* 0: none was read */
struct str ask_said(const struct ask *);
bool ask_grpc_ok(const struct ask *); /* grpc-status is 0 */
/* The sentence of TLS about a handshake that failed. */
const char *ask_tls_why(const struct ask *);

#endif
