/*
 * resolver - asks the system for the addresses of names (hosts file, DNS, what
 * nsswitch.conf says) in a thread of its own, so that no loop ever waits.
 *
 * The thread begins with the first question and answers one after the other.
 * The system's resolver cannot be interrupted: a question it hangs in holds
 * up those behind it, never the loop nor resolver_free().
 *
 * Thread: the loop's own.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H
#include <stdint.h>

#include "base/attr.h"
#include "net/addr.h"

struct cfg_addr;
struct loop;
struct resolver;

/* What the thread calls; tests bring their own. */
typedef int resolver_look_fn(const struct cfg_addr *, struct addr_list *out);
/*
 * Called from the loop.  code: E_OK and at least one address, E_NOENT or
 * E_NOMEM.  Who wants the list takes it and clears it.
 */
typedef void resolver_fn(int code, struct addr_list *, void *arg);

/* look: addr_look_up or a test's. */
int resolver_new(struct loop *, resolver_look_fn *look,
    struct resolver **out) MUST_CHECK;
/* What was asked and not answered is forgotten. */
void resolver_free(struct resolver **);

/* fn is called once, unless the resolver is freed before. */
int resolver_ask(struct resolver *, const struct cfg_addr *, resolver_fn *,
    void *arg) MUST_CHECK;
/* The same and waits; E_TIMEOUT: no answer within limit_us. */
int resolver_wait(struct resolver *, const struct cfg_addr *, uint64_t limit_us,
    struct addr_list *out) MUST_CHECK;

#endif
