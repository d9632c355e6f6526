/*
 * artifact - calls that carry a code or a token go to the pool that has issued
 * it, where the pools of a service do not share what they know: applications
 * call from servers, which bring no cookie.
 *
 * A form is read to its end before it is known where the request goes; it is
 * kept until the exchange has ended, and then wiped.
 *
 * Thread: worker.
 */
#ifndef PROXY_ARTIFACT_H
#define PROXY_ARTIFACT_H
#include <stdbool.h>

#include "base/str.h"

struct exchange;
struct http_head;
struct view_pool;
struct view_service;

#define ARTIFACT_FORM_MAX ((size_t)64 << 10)   /* longer ones are not read */
#define ARTIFACT_ANSWER_MAX ((size_t)64 << 10) /* ... nor answers */

/* ---- of requests ---- */

/*
 * The head is read.  True: it waits, for its form in step FORM, or in step
 * LOOKUP for the store: no longer than that is allowed to take.
 */
bool artifact_begin(struct exchange *);
/* Bytes of it; the exchange may go on, without all of it. */
void artifact_form(struct exchange *, struct str);
/* It is whole: the exchange goes on. */
void artifact_form_end(struct exchange *);
/* What was read of it, to be sent; {NULL, 0}: nothing was. */
struct str artifact_form_read(const struct exchange *);
/* The pool of what it carries, if that can serve; else NULL. */
const struct view_pool *artifact_pool(const struct exchange *,
    const struct view_service *);

/* ---- of answers ---- */

/* The head of a final one, before it is changed for the client. */
void artifact_head(struct exchange *, const struct http_head *);
/* Bytes of its body, and that it is whole, as long as .forms is there. */
void artifact_data(struct exchange *, struct str);
void artifact_end(struct exchange *);

/* Wipes and frees .forms, which is there. */
void artifact_free(struct exchange *);

#endif
