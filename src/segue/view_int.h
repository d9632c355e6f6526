/*
 * view_int - what the files of view share.
 */
#ifndef SEGUE_VIEW_INT_H
#define SEGUE_VIEW_INT_H
#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "segue/show.h"
#include "segue/table.h"
#include "segue/view.h"

/* The style of a pool's state, of an instance's health. */
enum style view_style_state(const char *state);
enum style view_style_health(const char *health);

/* Is this the one called name?  NULL: each is. */
bool view_is_wanted(const struct json *, const char *name);

typedef void view_pool_fn(const struct json *service, const struct json *pool,
    void *arg);
/* Each pool that is wanted, in order. */
void view_each_pool(const struct json *status, const struct view *,
    view_pool_fn *, void *arg);

/* A cell of the table from a field; as in show.h. */
void view_cell(struct table *, enum style, const char *text);
void view_cell_text(struct table *, const struct json *, const char *key);
void view_cell_count(struct table *, const struct json *, const char *key);
void view_cell_us(struct table *, const struct json *, const char *key);
/* A quantile of {p50_us, ..., n}: "-" when nothing was measured. */
void view_cell_quantile(struct table *, const struct json *latency,
    const char *key);
/* Numbers of errors in {"5xx": n, ...}. */
void view_cell_5xx(struct table *, const struct json *of);

/* The rows of pools of one service (NULL: each) with their head. */
void view_pool_table(const struct json *status, const struct view *,
    size_t indent, struct buf *out);

/* Of each service that has had a rollout, as v limits them. */
typedef void view_one_fn(const struct json *status, const struct json *service,
    bool colour, struct buf *out);
void view_each_rollout(const struct json *status, const struct view *,
    view_one_fn *, struct buf *out);
/* "web to v2: step 2 of 3, promote; begun 5s ago by root(0)" */
void view_rollout_head(const struct json *status, const struct json *service,
    const struct json *rollout, bool colour, struct buf *out);

/* What a daemon counted, as JSON has it; it never is below zero. */
uint64_t view_counted(const struct json *, const char *key);

/*
 * Whether anything was lost, a sentence.  What cannot be vouched for is not
 * said: a daemon that was restarted has forgotten, and an account that does not
 * hold is a fault of Segue.
 */
void view_verdict(const struct json *report, struct buf *out);

#endif
