/*
 * mailbox - messages from any thread to one loop, without a lock.
 *
 * Senders push (one compare-and-swap) and wake the loop when the box was
 * empty; the loop takes all at once, oldest first.
 *
 * Thread: mailbox_post() any; the rest the loop's own.
 */
#ifndef NET_MAILBOX_H
#define NET_MAILBOX_H
#include "base/attr.h"

struct loop;
struct mailbox;

/* Embedded in what is sent; owned by the receiver once posted. */
struct mail {
	struct mail *next;
};

typedef void mailbox_fn(struct mail *, void *arg);

int mailbox_new(struct loop *, mailbox_fn *, void *arg,
    struct mailbox **out) MUST_CHECK;
/* Delivers what is left, then frees. */
void mailbox_free(struct mailbox **);
void mailbox_post(struct mailbox *, struct mail *);

#endif
