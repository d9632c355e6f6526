/*
 * probe_judge - what the answer to a probe means; no I/O.
 *
 * Thread: any.
 */
#ifndef UPSTREAM_PROBE_JUDGE_H
#define UPSTREAM_PROBE_JUDGE_H
#include <stdbool.h>

#include "base/attr.h"
#include "base/str.h"
#include "config/config.h"
#include "upstream/model.h"

bool probe_status_fits(const struct cfg_probe *, unsigned status);
/* Must the body be read at all? */
bool probe_wants_body(const struct cfg_probe *);
/* HEALTH_WHY_PASSED, _BODY or _JSON. */
enum health_reason probe_judge_body(const struct cfg_probe *, struct str body);

/*
 * Counts one result; the health that follows.  From unknown, one failure is
 * down and rise passes are up; from up, fall failures are down; from down,
 * rise passes are up.
 */
enum health probe_count(enum health now, unsigned *passes, unsigned *fails,
    bool passed, unsigned rise, unsigned fall) MUST_CHECK;

#endif
