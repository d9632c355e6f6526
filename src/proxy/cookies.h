/*
 * cookies - keeps the cookies of a service's pools apart where they would
 * overwrite each other's (cookie_namespace in segue.yaml(5)).
 *
 * Which pool a request goes to is known at each try anew: so its head is edited
 * where it is written, and is what it was before once that is done.  An answer
 * goes by the namespace that its pool had when it was picked, whatever a reload
 * has made of that; what is shared goes by the view of the turn.
 *
 * Our own cookie has been taken out of requests before, and out of answers: it
 * has no namespace.  Rules for fields come before this on a request and behind
 * it on an answer: what they set of cookies has a name as they say it.
 *
 * Thread: worker.
 */
#ifndef PROXY_COOKIES_H
#define PROXY_COOKIES_H
#include "base/attr.h"
#include "http/head.h"

struct exchange;
struct lane;
struct view_pool;

/* That pool is picked, of a service with namespaces. */
void cookies_note_pool(struct exchange *, const struct view_pool *);
/*
 * lane_send_head() of the request, with the cookies that are its pool's.
 * E_NOMEM, or what that returns.
 */
int cookies_send_head(struct exchange *, struct lane *,
    unsigned flags) MUST_CHECK;
/* Of an answer's head, 1xx or not: edited in place; E_OK or E_NOMEM. */
int cookies_answer(struct exchange *, struct http_head *) MUST_CHECK;

#endif
