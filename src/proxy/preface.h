/*
 * preface - what a balancer says in front of a connection (PROXY protocol):
 * reads it, believes it or not, keeps it for the connection's life.
 *
 * Only a peer among the listener's trusted_proxies is heard; what others send
 * is never looked at for a preface.  Where a client is named, the connection
 * is that client's from then on: its address counts for bounds, rules, shares
 * and logs, and forwarding fields are believed only if that address is among
 * trusted_proxies as well, since a balancer that passes bytes on did not look
 * at them.
 *
 * Thread: worker.
 */
#ifndef PROXY_PREFACE_H
#define PROXY_PREFACE_H
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "config/config.h"
#include "net/addr.h"
#include "net/proxyproto.h"

struct client;
struct upconn;
struct view_listener;

struct preface {
	struct pp_preface said;  /* its texts lie in .tlvs */
	char via[ADDR_TEXT_MAX]; /* host of the balancer */
	size_t bytes;            /* of all of this */
	char tlvs[];
};

/* Is a preface looked for on a connection from there? */
bool preface_is_heard(const struct view_listener *, bool trusted);
/* Must there be one? */
bool preface_is_needed(const struct view_listener *);
/*
 * A stage of the client's greeting: takes the preface, and not a byte more,
 * off its connection.  E_OK, E_AGAIN, or why it ends: E_EOF without a word,
 * else counted and told.
 */
int preface_stage(struct client *) MUST_CHECK;
void preface_free(struct client *);
/*
 * Says to an instance whose connection it is, on a connection that has said
 * nothing yet: the client's address, what a preface said of it and, in version
 * 2, what we know of its TLS.  E_OK, E_AGAIN: not all of it yet; else why it
 * cannot.
 */
int preface_send(struct client *, enum cfg_send_proxy,
    struct upconn *) MUST_CHECK;
/* Does the balancer say that the client used TLS? */
bool preface_says_tls(const struct client *);

#endif
