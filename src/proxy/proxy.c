#include "proxy/proxy.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/slab.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/overload.h"
#include "proxy/holding.h"
#include "proxy/mirror.h"
#include "proxy/park.h"
#include "proxy/queue.h"
#include "proxy/route.h"
#include "proxy/worker.h"
#include "session/digest.h"
#include "session/token.h"
#include "upstream/view.h"

#define SLABS_KEPT 256
#define TIDY_US (1 * US_PER_S)

/* What a burst needed and nobody since. */
static void
on_tidy(struct deadline *d)
{
	struct proxy *p = CONTAINER_OF(d, struct proxy, tidy);

	exchange_tidy(p);
	if (slab_tidy(p->wire.slabs) > 0 || p->n_spare > 0)
		deadline_set(p->env.loop, d,
		    loop_now_us(p->env.loop) + TIDY_US);
}

static void
on_look_again(struct deadline *d UNUSED)
{
	/* the turn it makes will do */
}

int
proxy_new(const struct proxy_env *env, struct proxy **out)
{
	struct proxy *p;

	*out = NULL;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return E_NOMEM;
	p->env = *env;
	p->wire.loop = env->loop;
	p->wire.slabs = slab_store_new(SLABS_KEPT);
	p->listeners = calloc(env->n_listen + 1, sizeof(*p->listeners));
	p->n_accepted = calloc(env->n_listen + 1, sizeof(*p->n_accepted));
	if (p->wire.slabs == NULL || p->listeners == NULL ||
	    p->n_accepted == NULL) {
		slab_store_free(&p->wire.slabs);
		free(p->listeners);
		free(p->n_accepted);
		free(p);
		return E_NOMEM;
	}
	upworker_init(&p->up, &p->wire, env->index);
	TAILQ_INIT(&p->clients);
	TAILQ_INIT(&p->exchanges);
	TAILQ_INIT(&p->ended);
	TAILQ_INIT(&p->spare);
	park_init(p);
	p->look_again.fn = on_look_again;
	p->tidy.fn = on_tidy;
	LIST_INIT(&p->queues);
	LIST_INIT(&p->holdings);
	p->budget.tokens = RETRY_TOKENS_START;
	p->pin_off_us = clock_wall_us() - clock_mono_us();
	accesslog_init(&p->log, env->loop, env->access_fd);
	for (size_t i = 0; i < env->n_listen; i++)
		p->listeners[i].fd = -1;
	*out = p;
	return E_OK;
}

static void
on_accept(struct listener *l, int fd, const struct addr *peer)
{
	client_accept(l->arg, fd, peer, l->index);
}

int
proxy_start(struct proxy *p)
{
	proxy_turn(p);
	for (size_t i = 0; i < p->env.n_listen; i++) {
		int rc;

		p->listeners[i].index = (unsigned)i;
		rc = listener_start(&p->listeners[i], p->env.loop,
		    p->env.listen_fds[i], on_accept, p);
		if (rc != E_OK)
			return rc;
	}
	return E_OK;
}

/* What must follow the keyring of the view. */
static void
adopt_keys(struct proxy *p)
{
	struct keyring *ring = p->view->keyring;

	if (ring == NULL ||
	    (p->sealer != NULL && sealer_keyring(p->sealer) == ring))
		return;
	sealer_free(&p->sealer);
	digester_free(&p->digester);
	p->sealer = sealer_new(ring);
	p->digester = digester_new(ring);
}

/* Ends x if a clock of its pool's drain has run out for it. */
static void
cut_one(struct exchange *x, const struct view_service *vs,
    const struct view_pool *vp)
{
	bool stream = x->in_tunnel || x->is_stream;

	if (x->pool != vp->pool || x->inst == NULL)
		return;
	if (stream && (vp->cut & CUT_STREAMS) != 0)
		tunnel_end(x, STREAM_DRAIN, vs->cfg->drain_spread_us);
	else if (!stream && (vp->cut & CUT_REQUESTS) != 0)
		exchange_cut(x, OUT_DRAIN_CUT);
}

/* Ends what a drain's clocks have run out for. */
static void
cut_pool(struct proxy *p, const struct view_service *vs,
    const struct view_pool *vp)
{
	struct exchange *x, *next;

	for (x = TAILQ_FIRST(&p->exchanges); x != NULL; x = next) {
		next = TAILQ_NEXT(x, link);
		cut_one(x, vs, vp);
	}
}

static const struct view_service *
view_service_of(const struct exchange *x)
{
	const struct view *v = x->proxy->view;

	for (size_t s = 0; s < v->n_services; s++)
		if (v->services[s].service == x->service)
			return &v->services[s];
	return NULL;
}

/* Not all clients shall come back at once, but they do come back in time. */
static void
stop_stream(struct exchange *x)
{
	const struct view_service *vs = view_service_of(x);
	uint64_t now = loop_now_us(x->proxy->env.loop);
	uint64_t end = x->proxy->stop_deadline.due_us;
	uint64_t within_us = vs == NULL ? 0 : vs->cfg->drain_spread_us;

	tunnel_end(x, STREAM_STOP,
	    MIN(within_us, end > now ? (end - now) / 4 : 0));
}

void
proxy_stream_begins(struct exchange *x)
{
	const struct view_service *vs = view_service_of(x);

	if (x->proxy->stopping) {
		stop_stream(x);
		return;
	}
	for (size_t i = 0; vs != NULL && i < vs->n_pools; i++) {
		cut_one(x, vs, &vs->pools[i]);
		if (x->step == STEP_ENDED)
			return;
	}
}

/*
 * Who still knocks where the probes have found nobody goes elsewhere; where
 * there is nobody else, the knock may yet be heard.
 */
static void
leave_dead(struct proxy *p)
{
	struct exchange *x, *next;

	for (x = TAILQ_FIRST(&p->exchanges); x != NULL; x = next) {
		next = TAILQ_NEXT(x, link);
		if (x->step == STEP_CONNECT && x->inst->health == HEALTH_DOWN &&
		    route_has_any(x))
			exchange_try_failed(x, E_UNREACH, OUT_CONNECT_FAILED);
	}
}

static void
adopt(struct proxy *p)
{
	const struct view *v;

	if (p->view != NULL && !views_has_newer(p->env.views, p->env.index))
		return;
	v = views_adopt(p->env.views, p->env.index);
	if (v == NULL)
		return;
	p->view = v;
	upworker_retire(&p->up);
	adopt_keys(p);
	for (size_t s = 0; s < v->n_services; s++)
		for (size_t i = 0; i < v->services[s].n_pools; i++)
			if (v->services[s].pools[i].cut != 0)
				cut_pool(p, &v->services[s],
				    &v->services[s].pools[i]);
	leave_dead(p);
	queue_look_all(p);
	holding_look_all(p);
	p->env.edge(p->env.arg, PROXY_ADOPTED, NULL);
	park_turn(p, true);
}

void
proxy_turn(struct proxy *p)
{
	exchange_trim_spare(p, EXCHANGES_KEPT);
	if (!p->tidy.armed && (p->n_spare > 0 || slab_idle(p->wire.slabs) > 0))
		deadline_set(p->env.loop, &p->tidy,
		    loop_now_us(p->env.loop) + TIDY_US);
	adopt(p);
	park_turn(p, false);
	overload_turn(p);
}

uint64_t
proxy_wall_us(struct proxy *p)
{
	uint64_t now = loop_now_us(p->env.loop);

	if (p->wall_at_us == 0 || now - p->wall_at_us > US_PER_S / 4) {
		p->wall_at_us = now;
		p->wall_off_us = clock_wall_us() - now;
	}
	return now + p->wall_off_us;
}

uint64_t
proxy_pin_s(struct proxy *p)
{
	return (loop_now_us(p->env.loop) + p->pin_off_us) / US_PER_S;
}

bool
proxy_may_tell(struct proxy *p, uint64_t *told_us)
{
	uint64_t now = loop_now_us(p->env.loop);

	if (*told_us != 0 && now - *told_us < US_PER_S)
		return false;
	*told_us = now;
	return true;
}

struct str
proxy_date(struct proxy *p)
{
	uint64_t now = proxy_wall_us(p) / US_PER_S;

	if (now != p->date_s) {
		time_t t = (time_t)now;
		struct tm tm;

		p->date_s = now;
		gmtime_r(&t, &tm);
		(void)strftime(p->date, sizeof(p->date),
		    "%a, %d %b %Y %H:%M:%S GMT", &tm);
	}
	return str_of(p->date);
}

/* ---- stopping ---- */

void
proxy_client_gone(struct proxy *p)
{
	if (!p->stopping || p->stop_told || p->n_clients > 0)
		return;
	p->stop_told = true;
	deadline_clear(p->env.loop, &p->stop_deadline);
	accesslog_flush(&p->log);
	p->env.edge(p->env.arg, PROXY_STOPPED, NULL);
}

/* Ends every exchange, with an answer where none has begun, and closes every
 * client. */
static void
cut_all(struct proxy *p)
{
	struct exchange *x, *next;
	struct client *c;

	for (x = TAILQ_FIRST(&p->exchanges); x != NULL; x = next) {
		next = TAILQ_NEXT(x, link);
		if (x->answer_sent || !x->held_head)
			continue;
		x->client->stop_asked = true;
		exchange_cut(x, OUT_STOP_CUT);
	}
	while ((x = TAILQ_FIRST(&p->exchanges)) != NULL) {
		struct client *owner = x->client;

		exchange_end(x, OUT_STOP_CUT);
		client_cut(owner);
	}
	while ((c = TAILQ_FIRST(&p->clients)) != NULL)
		client_close(c);
}

static void
on_stop_deadline(struct deadline *d)
{
	cut_all(CONTAINER_OF(d, struct proxy, stop_deadline));
}

static void
stop_streams(struct proxy *p)
{
	struct exchange *x, *next;

	for (x = TAILQ_FIRST(&p->exchanges); x != NULL; x = next) {
		next = TAILQ_NEXT(x, link);
		if (x->in_tunnel || x->is_stream)
			stop_stream(x);
	}
}

void
proxy_stop(struct proxy *p, uint64_t linger_us, uint64_t deadline_us)
{
	uint64_t now = loop_now_us(p->env.loop);
	struct client *c, *next;

	if (p->stopping)
		return;
	p->linger_us = linger_us;
	for (size_t i = 0; i < p->env.n_listen; i++)
		listener_stop(&p->listeners[i]);
	p->stopping = true;
	p->stop_deadline.fn = on_stop_deadline;
	deadline_set(p->env.loop, &p->stop_deadline, now + deadline_us);
	for (c = TAILQ_FIRST(&p->clients); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		client_stop(c);
	}
	stop_streams(p);
	proxy_client_gone(p);
}

void
proxy_free(struct proxy **pp)
{
	struct proxy *p = *pp;

	if (p == NULL)
		return;
	for (size_t i = 0; i < p->env.n_listen; i++)
		listener_stop(&p->listeners[i]);
	p->stop_told = true;
	cut_all(p);
	park_end(p);
	mirror_end_all(p);
	upworker_close(&p->up);
	deadline_clear(p->env.loop, &p->stop_deadline);
	deadline_clear(p->env.loop, &p->look_again);
	deadline_clear(p->env.loop, &p->tidy);
	accesslog_free(&p->log);
	exchange_trim_spare(p, 0);
	sealer_free(&p->sealer);
	digester_free(&p->digester);
	views_leave(p->env.views, p->env.index);
	loop_run_deferred(p->env.loop);
	slab_store_free(&p->wire.slabs);
	free(p->listeners);
	free(p->n_accepted);
	free(p);
	*pp = NULL;
}
