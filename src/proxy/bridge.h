/*
 * bridge - a WebSocket that a client of HTTP/2 asks for, towards an instance
 * that speaks HTTP/1 (RFC 8441 5).
 *
 * The codec has made a GET with Upgrade of the extended CONNECT.  HTTP/2 has no
 * Sec-WebSocket-Key and no Sec-WebSocket-Accept: the key is made here, one for
 * each try, and the instance's word on it is for us.
 *
 * Thread: worker.
 */
#ifndef PROXY_BRIDGE_H
#define PROXY_BRIDGE_H
#include <stdbool.h>

#include "base/attr.h"

struct exchange;
struct http_head;

/* Is it one of these?  Also where its instance cannot open a tunnel. */
bool bridge_is_on(const struct exchange *);
/*
 * Makes room for our key in the request; what the client calls one goes no
 * further, in any spelling.  E_NOMEM, E_FULL.
 */
int bridge_request(struct exchange *) MUST_CHECK;
/* Before each try: a key that no other has seen (RFC 6455 4.1). */
void bridge_renew_key(struct exchange *);
/*
 * Does that 101 open the WebSocket that was asked for (RFC 6455 4.1)?  Its
 * words of the handshake are dropped.
 */
bool bridge_agrees(struct exchange *, struct http_head *) MUST_CHECK;
/*
 * A final answer that would tell the client that its WebSocket is open, as any
 * 2xx does over HTTP/2: the instance has not understood.
 */
bool bridge_is_misled(const struct exchange *, unsigned status);

#endif
