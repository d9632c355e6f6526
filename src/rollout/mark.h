/*
 * mark - what a plan was made from, in so few characters that people copy
 * them: "c1d4e9-09ab31-77e2f0".  Whoever carries the plan out gives them back,
 * and is told what has moved since.
 *
 * It has a part for each kind of thing that can move (enum ro_mark_part), and
 * each depends on the service and the pool that the plan leads to.  What moves
 * with traffic is in none, nor what a rehearsal leaves behind; a restart that
 * finds all as it was leaves the mark as it was.
 *
 * Thread: any.
 */
#ifndef ROLLOUT_MARK_H
#define ROLLOUT_MARK_H
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "rollout/machine.h"

#define MARK_TEXT_MAX 24

/*
 * Of a plan to that pool of state's service number at, with those steps.  When
 * memory runs out it is not set.
 */
struct ro_mark mark_of(const struct cfg_service *, const struct ro_state *,
    size_t at, const struct ro_facts *, const struct ro_rollout *steps,
    const char *to);

bool mark_is(const struct ro_mark *, const struct ro_mark *) MUST_CHECK;

void mark_write(const struct ro_mark *, char out[MARK_TEXT_MAX]);
/* False: it is no mark. */
bool mark_read(struct str, struct ro_mark *out) MUST_CHECK;

/* What has moved between the two, and how it is now; "" for nothing. */
void mark_explain(const struct ro_mark *then, const struct ro_mark *now,
    const struct ro_state *, size_t at, const struct ro_facts *,
    struct buf *out);

#endif
