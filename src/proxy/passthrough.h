/*
 * passthrough - connections whose TLS their instance ends: looks which name a
 * client asks for, leaves its bytes where they are, and makes one exchange of
 * the whole connection: routed and tried as any other, a tunnel from the first
 * byte on.
 *
 * Nothing has been read when an instance is picked, so another one can be asked
 * as long as connecting fails.  What a client is told before its bytes went
 * anywhere is an alert of TLS in clear.
 *
 * Thread: worker.
 */
#ifndef PROXY_PASSTHROUGH_H
#define PROXY_PASSTHROUGH_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "upstream/model.h"

struct client;
struct exchange;
struct view_listener;
struct view_service;

/* Is a ClientHello looked for on connections there? */
bool passthrough_looks(const struct client *);
/*
 * A stage of the client's greeting: finds the service, leaves all bytes where
 * they are.  With .passes set the connection is an exchange's, or has been
 * told an alert and lingers; else what follows is ours to read.  E_OK,
 * E_AGAIN, or E_EOF: it ends without a word.
 */
int passthrough_stage(struct client *) MUST_CHECK;
/* The hello has not come whole in time. */
void passthrough_late(struct client *);
/* Does a connection of its own for that host lead past us? */
bool passthrough_has(const struct client *, struct str host);

/* ---- for exchanges that .passes ---- */
/* Queues what tells the client that there is nobody. */
int passthrough_answer(struct exchange *) MUST_CHECK;
/* The instance is connected. */
void passthrough_connected(struct exchange *);
/* Bytes of the instance: the first ones prove something. */
void passthrough_hears(struct exchange *);
/* What it ends in when either side is gone. */
enum outcome passthrough_outcome(const struct exchange *);
/* So long may both sides be silent. */
uint64_t passthrough_silence_us(const struct exchange *);
/* They were. */
enum outcome passthrough_silent(const struct exchange *);
/* Faults of its instance, at its end. */
void passthrough_account(struct exchange *);

#endif
