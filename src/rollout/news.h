/*
 * news - what drive tells the feed and the log, in words.
 *
 * Thread: control.
 */
#ifndef ROLLOUT_NEWS_H
#define ROLLOUT_NEWS_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "rollout/feed.h"
#include "rollout/machine.h"
#include "upstream/model.h"

/* A command as it was given, with its result; also the audit line. */
void news_command(struct feed *, const struct ro_state *,
    const struct ro_command *, enum ro_refusal, const char *why);
/* Every pool whose state, share or life differs. */
void news_changes(struct feed *, struct ro_state *before,
    const struct ro_state *after);
/* It was ejected, or is in again. */
void news_eject(struct feed *, const struct instance *);
void news_health(struct feed *, const struct instance *, enum health from);
/*
 * So many keys of other pools it does not publish at that path; 0: it has all
 * now.  united: they are given there all the same.
 */
void news_keys(struct feed *, const struct pool *, const char *path,
    unsigned lacks, bool united);
/* It has taken the place of the one at the address before. */
void news_address(struct feed *, const struct instance *);
/* why: NULL when the configuration was taken over. */
void news_reload(struct feed *, const char *why, uint64_t generation);

#endif
