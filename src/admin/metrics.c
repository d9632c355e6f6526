#include "admin/metrics.h"

#include <stdio.h>
#include <stdlib.h>

#include "upstream/account.h"
#include "admin/admin_int.h"
#include "admin/exposition.h"
#include "admin/process.h"
#include "admin/sums.h"
#include "base/clock.h"
#include "http/h2.h"
#include "rollout/cluster.h"
#include "rollout/drive.h"
#include "rollout/steps.h"
#include "session/pin.h"
#include "store/store.h"
#include "store/stores.h"
#include "upstream/load.h"
#include "upstream/model.h"
#include "upstream/names.h"
#include "upstream/registry.h"

enum scope { OF_PROCESS, OF_SERVICE, OF_POOL, OF_INSTANCE, SCOPE_COUNT };

static const char *const scope_labels[SCOPE_COUNT] = { "", "service",
	"service,pool", "service,pool,instance" };

/* ---- what one answer is written from ---- */

struct seen_service {
	const struct service *service;
	const struct ro_rollout *rollout; /* NULL: of what reached none */
	struct account account; /* read once, so that an answer adds up */
};

struct seen_pool {
	const struct pool *pool;
	const struct ro_pool *ro;
	const struct ro_facts_pool *facts;
};

struct look {
	struct buf *out;
	struct admin *admin;
	struct registry *registry;
	struct process_facts process;
	struct seen_service *services; /* owned */
	size_t n_services;
	struct seen_pool *pools; /* owned */
	size_t n_pools;
	/* the row at work, and the thing it is about, as its scope has it */
	const struct metric *m;
	struct expo_labels labels;
	const struct seen_service *s;
	const struct seen_pool *p;
	const struct instance *i;
	struct cells cells;
};

typedef void metric_fn(struct look *);

struct metric {
	const char *name, *type;
	enum scope scope;
	const char *label; /* one more; NULL: none */
	metric_fn *put;
	size_t at; /* what put_sum() and put_hist() look at */
	const char *help;
};

static void
put(struct look *l, uint64_t n)
{
	expo_u64(l->out, l->m->name, &l->labels, n);
}

static void
put_with(struct look *l, const char *value, uint64_t n)
{
	struct expo_labels with = l->labels;

	expo_add_label(&with, l->m->label, value);
	expo_u64(l->out, l->m->name, &with, n);
}

static void
put_seconds(struct look *l, uint64_t us)
{
	expo_seconds(l->out, l->m->name, &l->labels, us);
}

/* ---- of any cell ---- */

static void
put_sum(struct look *l)
{
	put(l, sum_counter(l->cells, l->m->at));
}

static void
put_hist(struct look *l)
{
	struct hist h;

	sum_hist(l->cells, l->m->at, &h);
	expo_hist(l->out, l->m->name, &l->labels, &h);
}

static void
put_by_status(struct look *l)
{
	static const char *const names[STATUS_N] = { "1xx", "2xx", "3xx", "4xx",
		"5xx" };

	for (size_t i = 0; i < STATUS_N; i++)
		put_with(l, names[i],
		    sum_counter(l->cells, l->m->at + i * sizeof(stat_u64)));
}

/* ---- process ---- */

static void
put_build(struct look *l)
{
	put_with(l, SEGUE_VERSION, 1);
}

static void
put_started(struct look *l)
{
	put_seconds(l, l->admin->env.started_wall_us);
}

static void
put_began(struct look *l)
{
	put_seconds(l, l->admin->began_wall_us);
}

static void
put_workers(struct look *l)
{
	put(l, l->admin->env.n_workers);
}

static void
put_stopping(struct look *l)
{
	put(l, l->admin->stopping);
}

static void
put_lame(struct look *l)
{
	put(l, registry_load(l->registry)->lame);
}

static void
put_memory(struct look *l)
{
	put(l, load_bytes(registry_load(l->registry)));
}

/* ---- of the store ---- */

static struct cells
store_cells(const struct look *l)
{
	struct cells c = { NULL, sizeof(struct store_stats), 0 };

	if (l->admin->env.stores != NULL)
		c.first = stores_cells(l->admin->env.stores, &c.n);
	return c;
}

static void
put_store_sum(struct look *l)
{
	put(l, sum_counter(store_cells(l), l->m->at));
}

static void
put_store_hist(struct look *l)
{
	struct hist h;

	sum_hist(store_cells(l), l->m->at, &h);
	expo_hist(l->out, l->m->name, &l->labels, &h);
}

static void
put_store_states(struct look *l)
{
	struct cells c = store_cells(l);
	const struct store_stats *s = c.first;

	for (int state = 0; state < STORE_STATE_COUNT; state++) {
		uint64_t n = 0;

		for (unsigned i = 0; i < c.n; i++)
			n += atomic_load(&s[i].state) == state;
		put_with(l, store_state_name((enum store_state)state), n);
	}
}

static void
put_store_asked(struct look *l)
{
	for (int a = 0; a < STORE_ANSWER_COUNT; a++)
		put_with(l, store_answer_name((enum store_answer)a),
		    sum_counter(store_cells(l),
		        offsetof(struct store_stats, asked) +
		            (size_t)a * sizeof(stat_u64)));
}

static void
put_store_failed(struct look *l)
{
	for (int w = 1; w < STORE_WHY_COUNT; w++)
		put_with(l, store_why_name((enum store_why)w),
		    sum_counter(store_cells(l),
		        offsetof(struct store_stats, failed) +
		            (size_t)w * sizeof(stat_u64)));
}

/* ---- of the cluster ---- */

static void
put_cluster_roles(struct look *l)
{
	const struct cluster *c = drive_cluster(l->admin->env.drive);

	for (int r = 0; r < CLUSTER_ROLE_COUNT; r++)
		put_with(l, cluster_role_name((enum cluster_role)r),
		    c != NULL && (int)cluster_role(c) == r);
}

static void
put_cluster_members(struct look *l)
{
	const struct cluster *c = drive_cluster(l->admin->env.drive);
	uint64_t up = 0, away = 0, lags = 0;
	struct cluster_member m;

	for (size_t i = 0; c != NULL && cluster_member(c, i, &m); i++) {
		away += m.away;
		lags += !m.away && m.lags;
		up += !m.away && !m.lags;
	}
	put_with(l, "up", up);
	put_with(l, "lags", lags);
	put_with(l, "away", away);
}

static void
put_cluster_version(struct look *l)
{
	const struct cluster *c = drive_cluster(l->admin->env.drive);
	struct cluster_member self = { .version = 0 };

	if (c != NULL)
		(void)cluster_member(c, 0, &self);
	put(l, self.version);
}

static void
put_memory_limit(struct look *l)
{
	uint64_t limit = load_limit(registry_load(l->registry),
	    drive_cfg(l->admin->env.drive)->memory_limit);

	put(l, limit == UINT64_MAX ? 0 : limit);
}

static void
put_load_states(struct look *l)
{
	enum load_state now = load_state(registry_load(l->registry));

	for (int s = 0; s < LOAD_STATE_COUNT; s++)
		put_with(l, load_state_name((enum load_state)s),
		    (enum load_state)s == now);
}

/* One field of each worker. */
static void
put_by_worker(struct look *l)
{
	const struct load *load = registry_load(l->registry);

	for (unsigned w = 0; w < load->n_workers; w++) {
		const char *cell = (const char *)&load->cells[w];
		char index[12];

		(void)snprintf(index, sizeof(index), "%u", w);
		put_with(l, index,
		    stat_get(
		        (const stat_u64 *)(const void *)(cell + l->m->at)));
	}
}

static void
put_generation(struct look *l)
{
	put(l, drive_state(l->admin->env.drive)->generation);
}

static void
put_saved(struct look *l)
{
	put(l, drive_is_saved(l->admin->env.drive));
}

static void
put_save_took(struct look *l)
{
	struct drive_disk disk;

	drive_disk(l->admin->env.drive, &disk);
	expo_hist(l->out, l->m->name, &l->labels, disk.took);
}

static void
put_save_pending(struct look *l)
{
	struct drive_disk disk;

	drive_disk(l->admin->env.drive, &disk);
	put_seconds(l, disk.pending_us);
}

static void
put_saves_failed(struct look *l)
{
	struct drive_disk disk;

	drive_disk(l->admin->env.drive, &disk);
	put(l, disk.failed);
}

static void
put_reload_ok(struct look *l)
{
	put(l, drive_reload_is_ok(l->admin->env.drive));
}

static void
put_events(struct look *l)
{
	put(l, feed_last_id(l->admin->env.feed));
}

static void
put_cpu(struct look *l)
{
	put_seconds(l, l->process.cpu_us);
}

static void
put_resident(struct look *l)
{
	put(l, l->process.resident_bytes);
}

static void
put_virtual(struct look *l)
{
	put(l, l->process.virtual_bytes);
}

static void
put_fds(struct look *l)
{
	put(l, l->process.open_fds);
}

static void
put_max_fds(struct look *l)
{
	put(l, l->process.max_fds);
}

/* ---- services ---- */

static void
put_accepted(struct look *l)
{
	put(l, l->s->account.accepted);
}

static void
put_classes(struct look *l)
{
	for (int c = 0; c < CLASS_COUNT; c++)
		put_with(l, account_class_name((enum account_class)c),
		    l->s->account.class[c]);
}

static void
put_in_flight(struct look *l)
{
	put(l, l->s->account.in_flight);
}

static void
put_held(struct look *l)
{
	put(l, l->s->service->held);
}

static void
put_holds(struct look *l)
{
	put(l, l->s->account.holds);
}

static void
put_rollout(struct look *l)
{
	for (int s = 0; s < RO_STAND_COUNT && l->s->rollout != NULL; s++)
		put_with(l, steps_stand_name((enum ro_stand)s),
		    l->s->rollout->stand == s);
}

static void
put_outcomes(struct look *l)
{
	struct expo_labels base = l->labels;

	for (int i = 0; i < OUT_COUNT; i++) {
		expo_add_label(&l->labels, "class",
		    outcome_class((enum outcome)i));
		put_with(l, outcome_name((enum outcome)i),
		    l->s->account.outcome[i]);
		l->labels = base;
	}
}

static void
put_artifacts(struct look *l)
{
	put_with(l, "learned", SUM(l->s->service, artifacts_learned));
	put_with(l, "found", SUM(l->s->service, artifacts_found));
	put_with(l, "unknown", SUM(l->s->service, artifacts_unknown));
}

static void
put_recorded(struct look *l)
{
	put(l, atomic_load(&l->s->service->sessions.n));
}

static void
put_unrecorded(struct look *l)
{
	put(l, atomic_load(&l->s->service->sessions.lost));
}

static void
put_pins_bad(struct look *l)
{
	for (size_t v = PIN_OK + 1; v < PIN_VERDICT_COUNT; v++)
		put_with(l, pin_verdict_name((enum pin_verdict)v),
		    SUM(l->s->service, pins_bad[v]));
}

/* They reached no service. */
static void
put_refused(struct look *l)
{
	const struct service *s = registry_unrouted(l->registry);

	for (int r = 0; r < REFUSED_COUNT; r++)
		put_with(l, conn_refusal_name((enum conn_refusal)r),
		    SUM(s, refused[r]));
}

static void
put_h2_ended(struct look *l)
{
	const struct service *s = registry_unrouted(l->registry);

	for (int f = 0; f < H2_FLOOD_COUNT; f++)
		put_with(l, h2_flood_name((enum h2_flood)f),
		    SUM(s, h2_ended[f]));
}

/* ---- handshakes of clients ---- */

/* A field of all workers; at is its place in a cell. */
static uint64_t
sum_load(const struct look *l, size_t at)
{
	const struct load *load = registry_load(l->registry);
	uint64_t sum = 0;

	for (unsigned w = 0; w < load->n_workers; w++) {
		const char *cell = (const char *)&load->cells[w];

		sum += stat_get((const stat_u64 *)(const void *)(cell + at));
	}
	return sum;
}

static void
put_by_version(struct look *l)
{
	for (size_t v = 0; v < TLS_VERSION_COUNT; v++)
		put_with(l, tls_version_name((enum tls_version)v),
		    sum_load(l, l->m->at + v * sizeof(stat_u64)));
}

static void
put_shakes_failed(struct look *l)
{
	for (size_t f = 0; f < TLS_FAULT_COUNT; f++)
		put_with(l, tls_fault_name((enum tls_fault)f),
		    sum_load(l,
		        offsetof(struct load_cell, tls_failed) +
		            f * sizeof(stat_u64)));
}

/* Who did not ask is no number of interest. */
static void
put_staples(struct look *l)
{
	for (size_t s = TLS_STAPLE_STAPLED; s < TLS_STAPLE_COUNT; s++)
		put_with(l, tls_staple_name((enum tls_staple)s),
		    sum_load(l,
		        offsetof(struct load_cell, tls_staples) +
		            s * sizeof(stat_u64)));
}

/* ---- pools ---- */

static void
put_pool_state(struct look *l)
{
	for (int s = 0; s < POOL_STATE_COUNT; s++)
		put_with(l, pool_state_name((enum pool_state)s),
		    l->p->ro->state == s);
}

static void
put_share(struct look *l)
{
	expo_seconds(l->out, l->m->name, &l->labels,
	    (uint64_t)l->p->ro->share_bp * (US_PER_S / CFG_SHARE_ALL));
}

static void
put_ready(struct look *l)
{
	put(l, l->p->facts->ready);
}

static void
put_pool_instances(struct look *l)
{
	put(l, l->p->facts->instances);
}

static void
put_eligible(struct look *l)
{
	put(l, l->p->facts->eligible);
}

static void
put_pool_in_flight(struct look *l)
{
	put(l, l->p->facts->inflight);
}

static void
put_pool_streams(struct look *l)
{
	put(l, l->p->facts->streams);
}

static void
put_streams_ended(struct look *l)
{
	for (size_t i = 0; i < STREAM_END_COUNT; i++)
		put_with(l, stream_end_name((enum stream_end)i),
		    l->p->facts->streams_ended[i]);
}

static void
put_sessions(struct look *l)
{
	put(l, l->p->facts->shown);
}

static void
put_keys(struct look *l)
{
	put(l, l->p->pool->jwks_keys);
}

static void
put_keys_lacking(struct look *l)
{
	put(l, l->p->pool->jwks_lacks);
}

static void
put_keys_unread(struct look *l)
{
	put(l, l->p->pool->jwks_unread);
}

static void
put_causes(struct look *l)
{
	for (size_t c = 0; c < CAUSE_COUNT; c++)
		put_with(l, pool_cause_name((enum pool_cause)c),
		    SUM(l->p->pool, cause[c]));
}

static void
put_logins(struct look *l)
{
	put_with(l, "begun", SUM(l->p->pool, logins.begun_ever));
	put_with(l, "done", SUM(l->p->pool, logins.done_ever));
}

static void
put_mirrored(struct look *l)
{
	uint64_t other = SUM(l->p->pool, mirrored_bad);
	uint64_t all = SUM(l->p->pool, mirrored);

	put_with(l, "same", all - MIN(all, other));
	put_with(l, "other", other);
}

/* ---- instances ---- */

static void
put_up(struct look *l)
{
	put(l, l->i->health == HEALTH_UP);
}

static void
put_health(struct look *l)
{
	for (int h = 0; h < HEALTH_COUNT; h++)
		put_with(l, health_name((enum health)h), l->i->health == h);
}

static void
put_admin(struct look *l)
{
	for (int a = 0; a < INST_ADMIN_COUNT; a++)
		put_with(l, inst_admin_name((enum inst_admin)a),
		    l->i->admin == a);
}

static void
put_ejected(struct look *l)
{
	put(l, l->i->eject.until_us != 0);
}

static void
put_ejections(struct look *l)
{
	put(l, l->i->eject.ejections);
}

static void
put_weight(struct look *l)
{
	put(l, l->i->weight);
}

static void
put_probes(struct look *l)
{
	put(l, l->i->probes);
}

static void
put_probes_failed(struct look *l)
{
	put(l, l->i->probes_failed);
}

static void
put_resolve_failed(struct look *l)
{
	const struct name *n = registry_name(l->i);

	put(l, n == NULL ? 0 : n->failed);
}

static void
put_probe_took(struct look *l)
{
	put_seconds(l, l->i->probe_took_us);
}

/* ---- the table ---- */

#define C "counter"
#define G "gauge"
#define H "histogram"
#define S(field) offsetof(struct service_cell, field)
#define P(field) offsetof(struct pool_cell, field)
#define L(field) offsetof(struct load_cell, field)
#define I(field) offsetof(struct inst_cell, field)
#define ST(field) offsetof(struct store_stats, field)

/* clang-format off */
static const struct metric metrics[] = {
	/* name, type, scope, label, put, at,
	 *	help */
	{ "segue_build_info", G, OF_PROCESS, "version", put_build, 0,
		"Always 1; the label says what runs." },
	{ "segue_start_time_seconds", G, OF_PROCESS, NULL, put_started, 0,
		"When the master started, as Unix time." },
	{ "segue_workers", G, OF_PROCESS, NULL, put_workers, 0,
		"Worker threads." },
	{ "segue_stopping", G, OF_PROCESS, NULL, put_stopping, 0,
		"1 while a graceful stop is under way." },
	{ "segue_lame_duck", G, OF_PROCESS, NULL, put_lame, 0,
		"1 while all is served but health paths answer 503, since a stop is near." },
	{ "segue_memory_bytes", G, OF_PROCESS, NULL, put_memory, 0,
		"Memory that traffic takes, as counted for memory.limit." },
	{ "segue_memory_limit_bytes", G, OF_PROCESS, NULL, put_memory_limit, 0,
		"What it may take; 0 is no bound." },
	{ "segue_store_threads", G, OF_PROCESS, "state", put_store_states, 0,
		"Threads whose way to the store is in that state." },
	{ "segue_store_asked_total", C, OF_PROCESS, "answer", put_store_asked, 0,
		"Requests that waited for the store, by its answer: found, none, late, or away, which does not wait." },
	{ "segue_store_put_total", C, OF_PROCESS, NULL, put_store_sum, ST(put),
		"Values that the store has taken." },
	{ "segue_store_refused_total", C, OF_PROCESS, "reason", put_store_failed, 0,
		"Values that the store has refused, by why." },
	{ "segue_store_dropped_total", C, OF_PROCESS, NULL, put_store_sum, ST(dropped),
		"Values that had no place in our queue any more." },
	{ "segue_store_queued", G, OF_PROCESS, NULL, put_store_sum, ST(queued),
		"Commands that wait for the store, or for its answer." },
	{ "segue_store_strange_total", C, OF_PROCESS, NULL, put_store_sum, ST(strange),
		"Values under our keys that are none of ours." },
	{ "segue_store_commands_total", C, OF_PROCESS, NULL, put_store_sum, ST(commands),
		"Commands sent to Redis." },
	{ "segue_store_connections_total", C, OF_PROCESS, NULL, put_store_sum, ST(connects),
		"Connections to Redis that were ready." },
	{ "segue_store_latency_seconds", H, OF_PROCESS, NULL, put_store_hist, ST(latency),
		"From a command sent to Redis to its answer." },
	{ "segue_cluster_role", G, OF_PROCESS, "role", put_cluster_roles, 0,
		"1 for the role that this proxy has in its cluster." },
	{ "segue_cluster_members", G, OF_PROCESS, "state", put_cluster_members, 0,
		"Proxies of the cluster, this one too, by how they are." },
	{ "segue_cluster_version", G, OF_PROCESS, NULL, put_cluster_version, 0,
		"Version of the agreed state by which this proxy routes; the same at all." },
	{ "segue_load_state", G, OF_PROCESS, "state", put_load_states, 0,
		"1 for the state that memory.limit has us in." },
	{ "segue_clients", G, OF_PROCESS, "worker", put_by_worker, L(clients),
		"Connections of clients, by worker." },
	{ "segue_shed_total", C, OF_PROCESS, "worker", put_by_worker, L(shed),
		"Exchanges refused since memory.limit was reached." },
	{ "segue_accept_paused_total", C, OF_PROCESS, "worker", put_by_worker, L(fulls),
		"Times no connection was taken in since memory.limit was passed by an eighth." },
	{ "segue_state_generation", G, OF_PROCESS, NULL, put_generation, 0,
		"Grows with each change of the state on disk." },
	{ "segue_state_saved", G, OF_PROCESS, NULL, put_saved, 0,
		"0 after a change that could not be written to the state file; it is tried again." },
	{ "segue_state_save_seconds", H, OF_PROCESS, NULL, put_save_took, 0,
		"How long it took to write the state file." },
	{ "segue_state_save_pending_seconds", G, OF_PROCESS, NULL, put_save_pending, 0,
		"How long the state file is being written now; 0: it is not." },
	{ "segue_state_saves_failed_total", C, OF_PROCESS, NULL, put_saves_failed, 0,
		"Times the state file could not be written." },
	{ "segue_reload_ok", G, OF_PROCESS, NULL, put_reload_ok, 0,
		"0 after a reload that was refused: what runs is not what the file says." },
	{ "segue_events_total", C, OF_PROCESS, NULL, put_events, 0,
		"Events told since this process began." },
	{ "segue_connections_refused_total", C, OF_PROCESS, "reason", put_refused, 0,
		"Client connections closed before they were read, by reason." },
	{ "segue_http2_ended_total", C, OF_PROCESS, "reason", put_h2_ended, 0,
		"HTTP/2 connections ended for what their client did: against the rules, or too much of what does no work." },
	{ "segue_tls_handshakes_total", C, OF_PROCESS, "version", put_by_version, L(tls_shaken),
		"Handshakes of clients that came to their end, by version." },
	{ "segue_tls_resumed_total", C, OF_PROCESS, "version", put_by_version, L(tls_resumed),
		"Those of segue_tls_handshakes_total that went on with an earlier session." },
	{ "segue_tls_handshakes_failed_total", C, OF_PROCESS, "reason", put_shakes_failed, 0,
		"Handshakes of clients that failed, by reason." },
	{ "segue_tls_staples_total", C, OF_PROCESS, "state", put_staples, 0,
		"Clients that asked for the status (OCSP) of a certificate with an ocsp file: stapled, or not, as it was overdue." },

	{ "segue_accepted_total", C, OF_SERVICE, NULL, put_accepted, 0,
		"Exchanges accepted: the sum of segue_ended_total and segue_in_flight. Service - has those that reached none." },
	{ "segue_ended_total", C, OF_SERVICE, "class", put_classes, 0,
		"Exchanges ended, by class of outcome." },
	{ "segue_in_flight", G, OF_SERVICE, NULL, put_in_flight, 0,
		"Exchanges accepted and not ended." },
	{ "segue_accounting_holds", G, OF_SERVICE, NULL, put_holds, 0,
		"1 while what workers have at hand agrees with segue_in_flight; 0 is a fault of Segue." },
	{ "segue_held", G, OF_SERVICE, NULL, put_held, 0,
		"Exchanges that wait since the service is held." },
	{ "segue_held_total", C, OF_SERVICE, NULL, put_sum, S(held_ever),
		"Exchanges that had to wait for that reason." },
	{ "segue_released_total", C, OF_SERVICE, NULL, put_sum, S(released),
		"Those that were sent on when they were released." },
	{ "segue_rollout", G, OF_SERVICE, "stand", put_rollout, 0,
		"1 for how its last rollout stands, 0 for the others." },
	{ "segue_outcomes_total", C, OF_SERVICE, "outcome", put_outcomes, 0,
		"Exchanges ended, by outcome; the label class has its class." },
	{ "segue_sessions_recorded", G, OF_SERVICE, NULL, put_recorded, 0,
		"Sessions that have a record, of all pools." },
	{ "segue_sessions_lost_total", C, OF_SERVICE, NULL, put_unrecorded, 0,
		"Times that one found no room to be recorded (sticky.records), and was served." },
	{ "segue_retries_total", C, OF_SERVICE, NULL, put_sum, S(retries),
		"Tries after the first." },
	{ "segue_retries_denied_total", C, OF_SERVICE, NULL, put_sum, S(retries_denied),
		"Tries that the retry budget did not allow." },
	{ "segue_received_bytes_total", C, OF_SERVICE, NULL, put_sum, S(bytes_in),
		"Bytes of bodies from clients, of exchanges ended." },
	{ "segue_sent_bytes_total", C, OF_SERVICE, NULL, put_sum, S(bytes_out),
		"Bytes of bodies to clients, of exchanges ended." },
	{ "segue_artifacts_total", C, OF_SERVICE, "what", put_artifacts, 0,
		"Codes and tokens: learned from answers; found, or unknown, when requests carried them." },
	{ "segue_pins_bad_total", C, OF_SERVICE, "verdict", put_pins_bad, 0,
		"Pin cookies not honoured, by what was wrong with them." },

	{ "segue_pool_state", G, OF_POOL, "state", put_pool_state, 0,
		"1 for the state the pool is in." },
	{ "segue_pool_share_ratio", G, OF_POOL, NULL, put_share, 0,
		"Part of new sessions that goes to the pool, 0 to 1." },
	{ "segue_pool_ready", G, OF_POOL, NULL, put_ready, 0,
		"1 when all its instances that are in are up, and were for the hold time." },
	{ "segue_pool_instances", G, OF_POOL, NULL, put_pool_instances, 0,
		"Instances, configured and added." },
	{ "segue_pool_eligible_instances", G, OF_POOL, NULL, put_eligible, 0,
		"Instances that are up and in." },
	{ "segue_pool_in_flight", G, OF_POOL, NULL, put_pool_in_flight, 0,
		"Exchanges at its instances, streams not counted." },
	{ "segue_pool_streams", G, OF_POOL, NULL, put_pool_streams, 0,
		"Upgraded connections at its instances." },
	{ "segue_pool_streams_ended_total", C, OF_POOL, "how", put_streams_ended, 0,
		"Upgraded connections ended: by themselves, closed with 1001, or cut." },
	{ "segue_pool_sessions", G, OF_POOL, NULL, put_sessions, 0,
		"Sessions recorded: seen within the sticky idle time, and not moved since." },
	{ "segue_pool_sessions_new_total", C, OF_POOL, NULL, put_sum, P(sessions_new),
		"Sessions begun here." },
	{ "segue_pool_keys", G, OF_POOL, NULL, put_keys, 0,
		"Keys that it publishes for its tokens; 0 where they are not read (jwks)." },
	{ "segue_pool_keys_lacking", G, OF_POOL, NULL, put_keys_lacking, 0,
		"Keys that other pools of the service publish, and it does not." },
	{ "segue_pool_keys_unread", G, OF_POOL, NULL, put_keys_unread, 0,
		"Paths of jwks at which its keys could not be read, last time." },
	{ "segue_pool_queued", G, OF_POOL, NULL, put_sum, P(queued),
		"Exchanges that wait for a place at an instance." },
	{ "segue_pool_queued_total", C, OF_POOL, NULL, put_sum, P(queued_ever),
		"Exchanges that had to wait for one." },
	{ "segue_pool_routed_total", C, OF_POOL, "cause", put_causes, 0,
		"Exchanges routed here, by why." },
	{ "segue_pool_answers_total", C, OF_POOL, "status", put_by_status, P(status),
		"Final answers, by class of status." },
	{ "segue_pool_logins_total", C, OF_POOL, "point", put_logins, 0,
		"Logins, by how far they got." },
	{ "segue_pool_mirrored_total", C, OF_POOL, "answer", put_mirrored, 0,
		"Requests copied to it by a step mirror, by whether it answered as the pool that serves." },
	{ "segue_pool_latency_seconds", H, OF_POOL, NULL, put_hist, P(latency),
		"From the head read to the last byte of the answer." },

	{ "segue_instance_up", G, OF_INSTANCE, NULL, put_up, 0,
		"1 when its probe passes." },
	{ "segue_instance_health", G, OF_INSTANCE, "health", put_health, 0,
		"1 for the health it has." },
	{ "segue_instance_admin", G, OF_INSTANCE, "admin", put_admin, 0,
		"1 for the admin word it has." },
	{ "segue_instance_ejected", G, OF_INSTANCE, NULL, put_ejected, 0,
		"1 while it is ejected for failures." },
	{ "segue_instance_ejections_total", C, OF_INSTANCE, NULL, put_ejections, 0,
		"Times it was ejected." },
	{ "segue_instance_weight", G, OF_INSTANCE, NULL, put_weight, 0,
		"Its weight within the pool." },
	{ "segue_instance_in_flight", G, OF_INSTANCE, NULL, put_sum, I(inflight),
		"Exchanges at hand, streams not counted." },
	{ "segue_instance_streams", G, OF_INSTANCE, NULL, put_sum, I(streams),
		"Connections that were upgraded or passed through." },
	{ "segue_instance_requests_total", C, OF_INSTANCE, NULL, put_sum, I(requests),
		"Requests sent, and connections passed through." },
	{ "segue_instance_passed_through_total", C, OF_INSTANCE, NULL, put_sum, I(passed),
		"Connections passed through that it said something on." },
	{ "segue_instance_answers_total", C, OF_INSTANCE, "status", put_by_status, I(status),
		"Final answers, by class of status." },
	{ "segue_instance_latency_seconds", H, OF_INSTANCE, NULL, put_hist, I(latency),
		"From the head read to the last byte of the answer." },
	{ "segue_instance_connections", G, OF_INSTANCE, NULL, put_sum, I(conns),
		"Connections open." },
	{ "segue_instance_connections_opened_total", C, OF_INSTANCE, NULL, put_sum, I(conns_opened),
		"Connections opened." },
	{ "segue_instance_connections_reused_total", C, OF_INSTANCE, NULL, put_sum, I(conns_reused),
		"Times an idle connection was used again." },
	{ "segue_instance_tls_handshakes_total", C, OF_INSTANCE, NULL, put_sum, I(tls_shaken),
		"Handshakes with it that came to their end." },
	{ "segue_instance_tls_resumed_total", C, OF_INSTANCE, NULL, put_sum, I(tls_resumed),
		"Those of segue_instance_tls_handshakes_total that went on with an earlier session." },
	{ "segue_instance_tls_failed_total", C, OF_INSTANCE, NULL, put_sum, I(tls_failed),
		"Handshakes with it that failed; connections that could not be made, too." },
	{ "segue_instance_connect_failed_total", C, OF_INSTANCE, NULL, put_sum, I(connect_failed),
		"Tries to connect that failed." },
	{ "segue_instance_stale_total", C, OF_INSTANCE, NULL, put_sum, I(stale),
		"Idle connections found closed before use." },
	{ "segue_instance_passed_over_total", C, OF_INSTANCE, NULL, put_sum, I(passed_over),
		"Times an idle connection was left for a fresh one, as the instance may be closing it and the request may not be sent twice." },
	{ "segue_instance_raced_total", C, OF_INSTANCE, NULL, put_sum, I(raced),
		"Connections closed under a request when used again." },
	{ "segue_instance_lost_total", C, OF_INSTANCE, NULL, put_sum, I(lost),
		"Requests that failed as their connection was closed under them when used again, and that were not sent twice." },
	{ "segue_instance_resets_total", C, OF_INSTANCE, NULL, put_sum, I(resets),
		"Connections that died before an answer." },
	{ "segue_instance_malformed_total", C, OF_INSTANCE, NULL, put_sum, I(malformed),
		"Answers that were no HTTP." },
	{ "segue_instance_failures_total", C, OF_INSTANCE, NULL, put_sum, I(failures),
		"Tries that failed by its fault, of any kind; what ejects counts these." },
	{ "segue_instance_retried_away_total", C, OF_INSTANCE, NULL, put_sum, I(retried_away),
		"Requests that were tried again after this instance." },
	{ "segue_instance_probes_total", C, OF_INSTANCE, NULL, put_probes, 0,
		"Probes." },
	{ "segue_instance_probes_failed_total", C, OF_INSTANCE, NULL, put_probes_failed, 0,
		"Probes that failed." },
	{ "segue_instance_probe_duration_seconds", G, OF_INSTANCE, NULL, put_probe_took, 0,
		"How long the last probe took." },
	{ "segue_instance_resolve_failed_total", C, OF_INSTANCE, NULL, put_resolve_failed, 0,
		"Times its name did not resolve; the address before is kept then." },

	{ "process_cpu_seconds_total", C, OF_PROCESS, NULL, put_cpu, 0,
		"Processor time of the network process, user and system." },
	{ "process_resident_memory_bytes", G, OF_PROCESS, NULL, put_resident, 0,
		"Its memory that is in use." },
	{ "process_virtual_memory_bytes", G, OF_PROCESS, NULL, put_virtual, 0,
		"Its memory that is mapped." },
	{ "process_open_fds", G, OF_PROCESS, NULL, put_fds, 0,
		"Its open descriptors." },
	{ "process_max_fds", G, OF_PROCESS, NULL, put_max_fds, 0,
		"How many it may open." },
	{ "process_start_time_seconds", G, OF_PROCESS, NULL, put_began, 0,
		"When it began, as Unix time." },
};
/* clang-format on */

void
admin_metrics_names(struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(metrics); i++) {
		const struct metric *m = &metrics[i];
		const char *scope = scope_labels[m->scope];
		const char *class = m->put == put_outcomes ? ",class" : "";

		buf_printf(out, "%s\t%s\t%s%s%s%s\t%s\n", m->name, m->type,
		    scope, class,
		    m->label != NULL && scope[0] != '\0' ? "," : "",
		    m->label == NULL ? "" : m->label, m->help);
	}
}

/* ---- looking ---- */

/* NULL: the state does not have it yet. */
static const struct ro_rollout *
rollout_of(const struct ro_state *state, const char *service)
{
	for (size_t i = 0; i < state->n_services; i++)
		if (strcmp(state->services[i].name, service) == 0)
			return &state->services[i].rollout;
	return NULL;
}

static void
see_services(struct look *l)
{
	const struct ro_state *state = drive_state(l->admin->env.drive);
	const struct service *s;

	for (size_t i = 0; (s = registry_service_at(l->registry, i)) != NULL;
	     i++) {
		struct seen_service *seen = &l->services[l->n_services++];

		seen->service = s;
		seen->rollout = rollout_of(state, s->name);
		account_of(s, false, &seen->account);
	}
	s = registry_unrouted(l->registry);
	l->services[l->n_services].service = s;
	l->services[l->n_services].rollout = NULL;
	account_of(s, true, &l->services[l->n_services++].account);
}

static void
see_pools(struct look *l)
{
	const struct ro_state *state = drive_state(l->admin->env.drive);
	const struct ro_facts *facts = drive_facts(l->admin->env.drive);

	for (size_t s = 0; s < state->n_services; s++) {
		const struct ro_service *svc = &state->services[s];

		for (size_t p = 0; p < svc->n_pools; p++) {
			const struct pool *pool = registry_pool(l->registry,
			    svc->name, svc->pools[p].name);

			if (pool != NULL)
				l->pools[l->n_pools++] =
				    (struct seen_pool){ pool, &svc->pools[p],
					    ro_facts_of(facts, s, p) };
		}
	}
}

static bool
see(struct look *l)
{
	const struct ro_state *state = drive_state(l->admin->env.drive);
	size_t n_services = 1, n_pools = 1;

	while (registry_service_at(l->registry, n_services - 1) != NULL)
		n_services++;
	for (size_t s = 0; s < state->n_services; s++)
		n_pools += state->services[s].n_pools;
	l->services = calloc(n_services, sizeof(*l->services));
	l->pools = calloc(n_pools, sizeof(*l->pools));
	if (l->services == NULL || l->pools == NULL)
		return false;
	process_look(&l->process);
	see_services(l);
	see_pools(l);
	return true;
}

/* ---- walking ---- */

static void
about_process(struct look *l)
{
	l->labels.n = 0;
	l->m->put(l);
}

static void
about_services(struct look *l)
{
	for (size_t i = 0; i < l->n_services; i++) {
		l->s = &l->services[i];
		l->cells = CELLS_OF(l->s->service);
		l->labels.n = 0;
		expo_add_label(&l->labels, "service", l->s->service->name);
		l->m->put(l);
	}
}

static void
label_pool(struct look *l, size_t i)
{
	l->p = &l->pools[i];
	l->labels.n = 0;
	expo_add_label(&l->labels, "service", l->p->pool->service->name);
	expo_add_label(&l->labels, "pool", l->p->pool->name);
}

static void
about_pools(struct look *l)
{
	for (size_t i = 0; i < l->n_pools; i++) {
		label_pool(l, i);
		l->cells = CELLS_OF(l->p->pool);
		l->m->put(l);
	}
}

static void
about_instances(struct look *l)
{
	for (size_t i = 0; i < l->n_pools; i++) {
		struct instance *inst = NULL;

		while ((inst = registry_instance_next(l->registry,
		            l->pools[i].pool, inst)) != NULL) {
			label_pool(l, i);
			l->i = inst;
			l->cells = CELLS_OF(inst);
			expo_add_label(&l->labels, "instance", inst->name);
			l->m->put(l);
		}
	}
}

static void (*const about[SCOPE_COUNT])(struct look *) = {
	[OF_PROCESS] = about_process,
	[OF_SERVICE] = about_services,
	[OF_POOL] = about_pools,
	[OF_INSTANCE] = about_instances,
};

void
metrics_write(struct admin *a, struct buf *out)
{
	struct look l = { .out = out,
		.admin = a,
		.registry = drive_registry(a->env.drive) };

	if (see(&l)) {
		for (size_t i = 0; i < ARRAY_LEN(metrics); i++) {
			l.m = &metrics[i];
			expo_family(out, l.m->name, l.m->type, l.m->help);
			about[l.m->scope](&l);
		}
	} else {
		out->failed = true;
	}
	free(l.services);
	free(l.pools);
}
