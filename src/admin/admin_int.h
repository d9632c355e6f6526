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
#include "base/str.h"

struct ask;
struct buf;
struct cluster_from;
struct events;
struct json_out;
struct pool;
struct ro_command;
struct ro_service;
struct ro_state;
struct server;

TAILQ_HEAD(reload_list, reload);
TAILQ_HEAD(waiting_list, waiting);

struct admin {
	struct admin_env env;
	struct server *server;      /* owned */
	struct events *events;      /* owned */
	struct reload_list reloads; /* under way; their clients may be gone */
	struct waiting_list others; /* commands of other proxies, under way */
	uint64_t began_wall_us;     /* this process */
	bool stopping;
};

/* One page: gives the ask its answer, now or later. */
typedef void admin_page_fn(struct admin *, struct ask *);

admin_page_fn page_version, page_status, page_config, page_health, /* pages */
    page_metrics, page_events, page_plan, page_pin, page_sessions, page_command,
    page_reload;

/* A command that another proxy of the cluster was given; arg is the admin. */
void command_of_other(const struct cluster_from *, struct str body,
    const char *who, void *arg);

/* Nobody waits for those of other proxies any more. */
void commands_free(struct admin *);

void status_write(struct admin *, struct buf *out); /* the document */
/* The member "keys" of a pool, which may be NULL. */
void status_put_keys(struct json_out *, const struct pool *);
void reloads_free(struct admin *);

/* ?to=POOL&service=NAME into .pool and .service; false: answered already. */
bool ask_target(struct ask *, struct ro_command *);
/* The service that it names, or the only one; NULL: there is none. */
const struct ro_service *ask_service(const struct ro_state *,
    const struct ro_command *);

#endif
