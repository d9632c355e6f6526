#include "upstream/probe.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/random.h"
#include "base/thread.h"
#include "net/loop.h"
#include "upstream/ask.h"
#include "upstream/grpc_health.h"
#include "upstream/probe_judge.h"

#define HURRY_US (50 * US_PER_MS)
/* So long after it went down an instance is asked at the fast interval. */
#define EAGER_US (120 * US_PER_S)

struct probe {
	struct cfg_probe cfg;  /* borrowed from .owner */
	struct cfg *owner;     /* one ref: keeps cfg's texts */
	struct instance *inst; /* borrowed; owns us */
	struct loop *loop;
	probe_edge_fn *edge;
	void *arg;
	struct alarm *next; /* when to ask */
	struct ask *ask;    /* owned */
	struct defer freeing;
	uint64_t asked_us;
	uint64_t finished_us; /* 0: never asked */
	bool faulty;          /* the last question failed on our side */
	bool suspect; /* a worker could not connect since the last answer */
	bool freed;   /* waits for the turn's end */
};

/* ---- when ---- */

static bool
is_eager(const struct probe *p)
{
	const struct instance *i = p->inst;

	switch ((enum health)i->health) {
	case HEALTH_UP:
		return i->fails > 0;
	case HEALTH_DOWN:
		return i->passes > 0 ||
		    clock_mono_us() - i->health_since_us < EAGER_US;
	default:
		return true;
	}
}

/*
 * An interval after the last answer.  Steady ones vary by a tenth, so that
 * probes do not fall in step.
 */
static void
plan_next(struct probe *p)
{
	uint64_t since = clock_mono_us() - p->finished_us;
	uint64_t in = p->cfg.fast_interval_us;

	if (!is_eager(p)) {
		in = p->cfg.interval_us;
		in = in - in / 10 + random_below((uint32_t)(in / 5) + 1);
	}
	alarm_set(p->next, in > since ? in - since : 0);
}

/* ---- the end of one ---- */

static void
set_health(struct probe *p, enum health to, enum health_reason why)
{
	struct instance *i = p->inst;
	enum health from = i->health;

	i->health = (uint8_t)to;
	i->reason = (uint8_t)why;
	if (from == to)
		return;
	i->health_since_us = clock_mono_us();
	log_info("service=%s pool=%s instance=%s from=%s to=%s why=\"%s\" "
	         "status=%u",
	    i->pool->service->name, i->pool->name, i->name, health_name(from),
	    health_name(to), health_reason_text(why), i->last_status);
	p->edge(i, from, p->arg);
}

/*
 * Failures that make it down.  Nobody listens there, as a worker and now the
 * probe have found: the sessions there need not wait for more witnesses.
 */
static unsigned
fall_of(const struct probe *p, enum health_reason why)
{
	bool refused = why == HEALTH_WHY_CONNECT_REFUSED ||
	    why == HEALTH_WHY_UNREACHABLE;

	return refused && p->suspect ? 1 : p->cfg.fall;
}

/* The instance has answered, or failed to. */
static void
judge(struct probe *p, enum health_reason why)
{
	struct instance *i = p->inst;
	enum health to;

	i->last_probe_us = p->finished_us;
	i->probe_took_us = p->finished_us - p->asked_us;
	i->last_status = ask_status(p->ask);
	i->probes++;
	i->probes_failed += why != HEALTH_WHY_PASSED;
	to = probe_count(i->health, &i->passes, &i->fails,
	    why == HEALTH_WHY_PASSED, p->cfg.rise, fall_of(p, why));
	p->suspect = false;
	/* A reason is kept as long as it explains the present health. */
	if (to != (enum health)i->health || why != HEALTH_WHY_PASSED ||
	    to == HEALTH_UP)
		set_health(p, to, why);
}

/* We could not ask: that says nothing about the instance. */
static void
note_fault(struct probe *p)
{
	struct instance *i = p->inst;

	if (i->health == HEALTH_UNKNOWN)
		i->reason = HEALTH_WHY_INTERNAL;
	if (!p->faulty)
		log_warn("service=%s pool=%s instance=%s event=probe_fault "
		         "why=\"%s\"",
		    i->pool->service->name, i->pool->name, i->name,
		    health_reason_text(HEALTH_WHY_INTERNAL));
}

static bool
is_grpc(const struct probe *p)
{
	return p->cfg.type == CFG_PROBE_GRPC;
}

/* What the answer means. */
static enum health_reason
weigh(const struct probe *p)
{
	unsigned status = ask_status(p->ask);

	if (p->cfg.type == CFG_PROBE_TCP)
		return HEALTH_WHY_PASSED;
	if (is_grpc(p) && status != 200)
		return HEALTH_WHY_STATUS;
	if (is_grpc(p))
		return ask_grpc_ok(p->ask) &&
		        grpc_health_serves(ask_said(p->ask))
		    ? HEALTH_WHY_PASSED
		    : HEALTH_WHY_GRPC;
	if (!probe_status_fits(&p->cfg, status))
		return HEALTH_WHY_STATUS;
	return probe_wants_body(&p->cfg)
	    ? probe_judge_body(&p->cfg, ask_said(p->ask))
	    : HEALTH_WHY_PASSED;
}

/* Of gRPC its end says how it is. */
static bool
wants(unsigned status, void *arg)
{
	const struct probe *p = arg;

	return is_grpc(p)
	    ? status == 200
	    : probe_status_fits(&p->cfg, status) && probe_wants_body(&p->cfg);
}

static void
note_tls(const struct probe *p)
{
	log_info("service=%s pool=%s instance=%s event=probe_tls_failed "
	         "why=\"%s\"",
	    p->inst->pool->service->name, p->inst->pool->name, p->inst->name,
	    ask_tls_why(p->ask));
}

static void
ended(enum health_reason why, void *arg)
{
	struct probe *p = arg;

	if (why == HEALTH_WHY_TLS || why == HEALTH_WHY_CERT)
		note_tls(p);
	if (why == HEALTH_WHY_PASSED)
		why = weigh(p);
	p->finished_us = clock_mono_us();
	if (why == HEALTH_WHY_INTERNAL)
		note_fault(p);
	else
		judge(p, why);
	p->faulty = why == HEALTH_WHY_INTERNAL;
	if (!p->freed) /* by whom we told */
		plan_next(p);
}

static const struct ask_user ask_user = {
	.wants = wants,
	.ended = ended,
};

static void
on_time(void *arg)
{
	struct probe *p = arg;
	struct ask_what what = { .cfg = &p->cfg,
		.addr = &p->inst->addr,
		.host = p->inst->host };

	if (ask_is_under_way(p->ask))
		return;
	p->asked_us = clock_mono_us();
	ask_begin(p->ask, &what);
}

/* ---- life ---- */

int
probe_new(struct loop *loop, struct cfg *owner, const struct cfg_probe *cfg,
    struct instance *inst, probe_edge_fn *edge, void *arg, struct probe **out)
{
	struct probe *p = calloc(1, sizeof(*p));

	ON_CONTROL_THREAD();
	*out = NULL;
	if (p == NULL)
		return E_NOMEM;
	p->owner = cfg_ref(owner);
	p->cfg = *cfg;
	p->inst = inst;
	p->loop = loop;
	p->edge = edge;
	p->arg = arg;
	p->next = alarm_new(loop, on_time, p);
	if (p->next == NULL || ask_new(loop, &ask_user, p, &p->ask) != E_OK) {
		probe_free(&p);
		return E_NOMEM;
	}
	*out = p;
	return E_OK;
}

void
probe_start(struct probe *p)
{
	alarm_set(p->next, 0);
}

void
probe_configure(struct probe *p, struct cfg *owner, const struct cfg_probe *cfg)
{
	struct cfg *old = p->owner;

	p->owner = cfg_ref(owner);
	p->cfg = *cfg;
	cfg_unref(&old);
	if (!ask_is_under_way(p->ask))
		plan_next(p);
}

void
probe_hurry(struct probe *p)
{
	uint64_t since = clock_mono_us() - p->finished_us;

	p->suspect = true;
	if (!ask_is_under_way(p->ask))
		alarm_set(p->next, since < HURRY_US ? HURRY_US - since : 0);
}

void
probe_carry(struct probe *p, enum health h)
{
	p->inst->passes = p->cfg.rise;
	set_health(p, h, HEALTH_WHY_CARRIED);
}

static void
free_later(struct defer *d)
{
	struct probe *p = CONTAINER_OF(d, struct probe, freeing);

	cfg_unref(&p->owner);
	free(p);
}

void
probe_free(struct probe **pp)
{
	struct probe *p = *pp;

	if (p == NULL)
		return;
	*pp = NULL;
	p->freed = true;
	ask_free(&p->ask);
	alarm_free(&p->next);
	loop_defer(p->loop, &p->freeing, free_later);
}
