/*
 * view - the immutable snapshot by which workers route.
 *
 * Control builds one (upstream/registry), publishes it, and learns by one
 * acknowledgement per worker when nobody looks at an older one.  A worker
 * adopts the newest between two turns of its loop and holds no reference past
 * a turn, so an old view is freed once every worker has adopted a newer one.
 *
 * Thread: as each function says.
 */
#ifndef UPSTREAM_VIEW_H
#define UPSTREAM_VIEW_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "config/config.h"
#include "net/addr.h"
#include "upstream/edits.h"
#include "upstream/model.h"

struct keyring;
struct load;

/* What becomes of a pin on this pool. */
enum view_pins {
	PINS_KEEP, /* honoured */
	PINS_MOVE, /* honoured until the session's next safe point */
	PINS_EVICT /* not honoured */
};

/* What an operator has ordered for one session. */
#define VIEW_ORDERS_MAX 256 /* of a service */
struct view_order {
	uint64_t session;
	uint32_t epoch; /* of pins older than this */
	uint8_t how;    /* enum view_pins: PINS_MOVE or PINS_EVICT */
	uint8_t to;     /* a pool by its number from 1; 0: by the share */
};

/* What workers end at once on this pool: a drain's clocks have run out. */
enum view_cut { CUT_REQUESTS = 1, CUT_STREAMS = 2 };

struct view_pool {
	struct pool *pool;          /* borrowed, outlives the view */
	const struct cfg_pool *cfg; /* borrowed from view->cfg */
	struct instance **eligible; /* may be picked: up, in, and not ejected
	                                 unless all are; owned array */
	uint32_t *weight_sum;       /* running sum of their weights, a tenth to
	                                 all of each (slow start); owned */
	uint32_t *limits; /* exchanges at a time, of each; owned; NULL: none */
	size_t n_eligible;
	bool even;                 /* their weights are alike */
	struct instance **resting; /* ejected, for who failed at all others;
	                                 owned array */
	size_t n_resting;
	struct instance **pinnable; /* up, not maint; by name_hash; owned */
	size_t n_pinnable;
	uint32_t share_from; /* buckets [from, to) of 0..9999 are ours */
	uint32_t share_to;
	uint32_t mirror_bp;  /* so many of others' requests are copied to it */
	uint32_t min_epoch;  /* pins older than this are void */
	uint32_t move_epoch; /* ... this move at the next safe point */
	int8_t
	    pins_to;  /* these go to the pool of that index; -1: by the share */
	uint8_t pins; /* enum view_pins */
	uint8_t cut;  /* enum view_cut bits */
	bool serves;  /* may be sent anything at all */
	bool in_use;  /* it has, or had, users */
	bool passes;  /* mode passthrough: streams are what it has */
};

/* What may be asked for; the first that fits decides. */
struct view_guard {
	const struct cfg_rule *cfg; /* borrowed from view->cfg */
	struct cidr *from;          /* owned; NULL: any address */
	size_t n_from;
};

struct view_service {
	struct service *service;       /* borrowed, outlives the view */
	const struct cfg_service *cfg; /* borrowed from view->cfg */
	struct view_pool pools[CFG_POOLS_MAX];
	size_t n_pools;
	struct view_guard *guards; /* owned; NULL: none */
	size_t n_guards;
	struct edits request_edits, response_edits; /* owned */
	struct view_order *orders; /* by session; owned; NULL: none */
	size_t n_orders;
	uint32_t orders_epoch; /* an order may be for pins older than this */
	uint32_t epoch;
	uint8_t hold; /* enum hold */
	bool mirrors; /* a pool has .mirror_bp */
	bool watched; /* somebody looks at answers: .mirrors, copies, assets,
	                 logins, artifacts or keys */
	bool cookie_spaces; /* a pool has a namespace for its cookies */
	uint64_t cookie_name_hash;
};

struct view_rule {
	struct str host; /* lower case; "*", "*.x.y" or exact; from view->cfg */
	struct str path; /* prefix */
	struct view_service *service;
};

struct view_rules {
	struct view_rule *list; /* most specific first; owned */
	size_t n;
	size_t n_exact; /* the first so many name one host each */
};

struct view_listener {
	const struct cfg_listener *cfg; /* borrowed from view->cfg */
	struct cidr *trusted;           /* owned */
	size_t n_trusted;
};

struct view {
	uint64_t generation;     /* grows by one with each publish */
	struct cfg *cfg;         /* one ref */
	struct keyring *keyring; /* borrowed: stays until on_free */
	struct view_listener *listeners;
	size_t n_listeners;
	struct view_service *services;
	size_t n_services;
	struct view_rules rules;  /* of HTTP */
	struct view_rules passes; /* mode passthrough: hosts alone count */
	struct service *unrouted; /* counts what reached no service */
	struct load *load;        /* borrowed, outlives the view */
	struct view *older;       /* of views: those still in use */
};

/*
 * The service for a host (lower case, no port) and a normalised path: exact
 * host before wildcard (longest first) before "*", then the longest path.
 * NULL: none.  Any thread that may hold the view.
 */
const struct view_service *view_route(const struct view *, struct str host,
    struct str path);
/* Is there a service for any path of that host? */
bool view_serves_host(const struct view *, struct str host);
/*
 * The service in mode passthrough for the name that a TLS client asks for
 * (lower case; empty: none), by the same order; NULL: none.  shared: services
 * of HTTP have the listener too, and keep the names for which theirs is the
 * more specific host.
 */
const struct view_service *view_passes(const struct view *, struct str name,
    bool shared);
/* Control: brings the rules of a new view into that order. */
void view_sort_rules(struct view_rules *);

/* ---- publishing ---- */
struct views;

struct views *views_new(unsigned n_workers) MUST_CHECK;
void views_free(struct views **); /* after the workers have ended */
/* Control: called with each view just before it is freed. */
typedef void view_gone_fn(struct view *, void *arg);
void views_on_free(struct views *, view_gone_fn *, void *arg);
/* Control: frees a view made by registry (NULL is fine). */
void view_free(struct view **);

/*
 * Control: makes v the newest; takes it over.  Returns its generation.
 * The caller nudges the workers.
 */
uint64_t views_publish(struct views *, struct view *v);
/* Control: frees views nobody uses; the lowest generation in use. */
uint64_t views_collect(struct views *);
/* Control: have all workers adopted that generation? */
bool views_adopted(const struct views *, uint64_t generation);
/* Control: the newest published. */
const struct view *views_newest(const struct views *);
/* Worker: is a newer view than the adopted one published? */
bool views_has_newer(const struct views *, unsigned worker);
/* Worker: between turns; returns the view to use in the coming turn. */
const struct view *views_adopt(struct views *, unsigned worker);
/* Worker: leaves for good; counts as having adopted everything. */
void views_leave(struct views *, unsigned worker);

#endif
