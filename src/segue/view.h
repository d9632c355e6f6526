/*
 * view - what people see of the status document: the one screen, and lists.
 *
 * Thread: any; no I/O.
 */
#ifndef SEGUE_VIEW_H
#define SEGUE_VIEW_H
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"

struct json;

/* What to show of it, and how. */
struct view {
	const char *service, *pool; /* only this one; NULL: all */
	bool colour;
};

typedef void view_fn(const struct json *status, const struct view *,
    struct buf *out);

view_fn view_status; /* who serves, how healthy, what moves, what blocks */
view_fn view_pools;
view_fn view_instances;
view_fn view_sessions;
view_fn view_records; /* of another document: single sessions */
view_fn view_cluster; /* the proxies of it */
view_fn view_rollout; /* the steps of each service's, and where it is */
view_fn view_report;  /* what it has come to */
view_fn view_history; /* those before it, too */
view_fn view_page;    /* the report as a page of HTML, whole in itself */

/*
 * Does the document have what the view is limited to?  If not, why[cap] says
 * so, with the nearest name.
 */
bool view_fits(const struct json *status, const struct view *, char *why,
    size_t cap);

/*
 * "accepted 12,345 = answered 12,340 + ours 3 + ...; adds up": invariant 1 as
 * a line without its end.
 */
void view_accounting(const struct json *accounting, bool colour,
    struct buf *out);

#endif
