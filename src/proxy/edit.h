/*
 * edit - follows the rules by which a service changes fields
 * (services[].headers in segue.yaml(5)).
 *
 * They come last: on a request after ours are set, on an answer before the
 * cookie that carries the pin, which no rule can take away.  A name is meant in
 * all its spellings (config/edits.h).  Values with variables lie in the
 * exchange's arena.
 *
 * Thread: worker.
 */
#ifndef PROXY_EDIT_H
#define PROXY_EDIT_H
#include "base/attr.h"
#include "http/head.h"

struct exchange;

/*
 * Before the fields of a request that say who asks are replaced, when a rule
 * may want to know.  E_OK or E_NOMEM.
 */
int edit_note_client(struct exchange *) MUST_CHECK;

/* While x->vs is there.  E_OK, E_NOMEM, E_FULL; so do all of these. */
int edit_request(struct exchange *) MUST_CHECK;
/* By the rules of the view of this turn. */
int edit_answer(struct exchange *, struct http_head *) MUST_CHECK;
/*
 * For an answer of our own: h, which is empty, gets what the rules set and
 * add.  What we say ourselves stands; the caller leaves those out.
 */
int edit_own_answer(struct exchange *, struct http_head *h) MUST_CHECK;
/* Trailers: what the profile strips and rules remove. */
void edit_request_trailers(const struct exchange *, struct http_head *);
void edit_answer_trailers(const struct exchange *, struct http_head *);

#endif
