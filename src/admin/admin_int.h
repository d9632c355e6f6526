/*
 * admin_int - what the pages of the admin share.  Only admin/ includes it.
 *
 * Thread: control.
 */
#ifndef ADMIN_ADMIN_INT_H
#define ADMIN_ADMIN_INT_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "admin/admin.h"

struct ask;
struct buf;
struct events;
struct ro_command;
struct ro_service;
struct ro_state;
struct server;

TAILQ_HEAD(reload_list, reload);

struct admin {
	struct admin_env env;
	struct server *server;      /* owned */
	struct events *events;      /* owned */
	struct reload_list reloads; /* under way; their clients may be gone */
	uint64_t began_wall_us;     /* this process */
	bool stopping;
};

/* One page: gives the ask its answer, now or later. */
typedef void admin_page_fn(struct admin *, struct ask *);

admin_page_fn page_version, page_status, page_config, page_health, /* pages */
    page_metrics, page_events, page_plan, page_pin, page_command, page_reload;

void status_write(struct admin *, struct buf *out); /* the document */
void reloads_free(struct admin *);

/* ?to=POOL&service=NAME into .pool and .service; false: answered already. */
bool ask_target(struct ask *, struct ro_command *);
/* The service that it names, or the only one; NULL: there is none. */
const struct ro_service *ask_service(const struct ro_state *,
    const struct ro_command *);

#endif
