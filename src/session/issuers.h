/*
 * issuers - which pool has issued a code or token, as all proxies know it: the
 * store's part of artifacts.
 *
 * Keys are keyed hashes, "a:SERVICE:HEX32"; the value is the pool's name.
 *
 * Thread: the store's.
 */
#ifndef SESSION_ISSUERS_H
#define SESSION_ISSUERS_H
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct issuer_ask;
struct issuers;
struct store;

#define ISSUERS_ASK_MAX 4

/* pool: pin_name_hash() of its name; 0: nobody knows, or none can say now. */
typedef void issuers_fn(uint64_t pool, void *arg);

/* store: borrowed.  NULL: out of memory. */
struct issuers *issuers_new(struct store *store) MUST_CHECK;
void issuers_free(struct issuers **);

/*
 * Of the first of n hashes (1 to ISSUERS_ASK_MAX) of which it is known.  fn is
 * called once; if before this returns, that is NULL.
 */
struct issuer_ask *issuers_ask(struct issuers *, struct str service,
    const uint64_t (*hashes)[2], size_t n, issuers_fn *fn,
    void *arg) MUST_CHECK;
/* fn will not be called; NULL is fine.  Not from within fn. */
void issuers_forget(struct issuers *, struct issuer_ask **);
/*
 * Whoever is known to have issued it stays.  It leaves with issuers_flush(),
 * which is to be called before others can ask.
 */
void issuers_tell(struct issuers *, struct str service, const uint64_t hash[2],
    struct str pool, uint64_t ttl_s);
void issuers_flush(struct issuers *);

#endif
