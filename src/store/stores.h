/*
 * stores - the stores of a process: one for each thread, and what they share.
 *
 * Thread: control; before and after the others.
 */
#ifndef STORE_STORES_H
#define STORE_STORES_H
#include "base/attr.h"

struct cfg;
struct cfg_store;
struct loop;
struct store;
struct store_env;
struct store_stats;
struct stores;

#define STORES_FILE "store" /* in the state directory */

/*
 * At most so many, of that configuration, which is kept.  password: copied;
 * NULL: none.  *out is to be freed whatever the result.
 */
int stores_new(struct cfg *, const char *password, unsigned most,
    struct stores **out) MUST_CHECK;
/*
 * What an earlier process has saved, beside what is known since; what cannot be
 * read is told in the log.  Takes a second for some 200 MiB.
 */
void stores_load(struct stores *);
/* Saves what is in memory; all stores are closed. */
void stores_free(struct stores **);
/* What leads to it: all but .stats; it is borrowed from the stores. */
struct store_env stores_env(const struct stores *, struct loop *,
    const char *name);
/* For a thread with that loop; name: borrowed, for the log. */
int stores_open(struct stores *, struct loop *, const char *name,
    struct store **out) MUST_CHECK;
/* Of those that were opened. */
const struct store_stats *stores_cells(const struct stores *, unsigned *n);
const struct cfg_store *stores_cfg(const struct stores *);

#endif
