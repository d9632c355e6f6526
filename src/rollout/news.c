#include "rollout/news.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/units.h"
#include "rollout/facts.h"
#include "rollout/mark.h"
#include "rollout/steps.h"

static void
set_name(char out[FEED_NAME_MAX], const char *name)
{
	str_copy(str_of(name), out, FEED_NAME_MAX);
}

/* Ends e with the text, cut to its room, and tells it. */
static void
tell(struct feed *f, struct feed_event *e, struct buf *text)
{
	str_copy(buf_str(text), e->text, sizeof(e->text));
	buf_free(text);
	feed_tell(f, e);
}

/* ---- commands ---- */

static void
add_clock(struct buf *out, const char *name, uint64_t us)
{
	char text[UNITS_MAX];

	units_duration(us, text);
	buf_printf(out, " --%s %s", name, text);
}

static void
add_clocks(struct buf *out, const struct ro_drain *d)
{
	if (d->mode <= CFG_DRAIN_EVICT)
		buf_printf(out, " --mode %s", ro_drain_mode_name(d->mode));
	add_clock(out, "grace", d->flows_us);
	add_clock(out, "requests", d->requests_us);
	add_clock(out, "streams", d->streams_us);
}

static void
add_share(struct buf *out, uint32_t bp)
{
	char text[UNITS_MAX];

	units_share(bp, text);
	buf_add_cstr(out, text);
}

/* What stands behind the verb of those about instances. */
static void
add_instance(struct buf *out, const struct ro_command *c)
{
	if (c->verb != RO_ADD_INSTANCE) {
		buf_printf(out, " %s", c->instance);
		if (c->verb == RO_INSTANCE && c->admin < INST_ADMIN_COUNT)
			buf_printf(out, " %s",
			    inst_admin_name((enum inst_admin)c->admin));
		buf_printf(out, " --pool %s", c->pool);
		return;
	}
	buf_printf(out, " %s %s", c->pool, c->address);
	if (strcmp(c->instance, c->address) != 0)
		buf_printf(out, " --name %s", c->instance);
	if (c->weight > 0)
		buf_printf(out, " --weight %u", c->weight);
}

static void
add_rollout(struct buf *out, const struct ro_command *c)
{
	char mark[MARK_TEXT_MAX];

	if (c->mark.set) {
		mark_write(&c->mark, mark);
		buf_printf(out, " %s", mark);
	} else if (c->action < RO_ACTION_COUNT)
		buf_printf(out, " %s",
		    ro_action_name((enum ro_action)c->action));
	if (c->action == RO_ACTION_START)
		buf_printf(out, " --to %s", c->pool);
	if (c->rehearse)
		buf_add_cstr(out, " --rehearse");
	if (c->if_changed)
		buf_add_cstr(out, " --if-changed");
	if (c->rerun)
		buf_add_cstr(out, " --rerun");
}

static void
add_sessions(struct buf *out, const struct ro_command *c)
{
	char key[STR_HEX64_MAX];

	buf_add_cstr(out, c->evict ? " evict" : " move");
	if (c->session != 0)
		buf_printf(out, " %s", str_put_hex64(c->session, key));
	if (c->all)
		buf_add_cstr(out, " --all");
	if (c->pool[0] != '\0')
		buf_printf(out, " --pool %s", c->pool);
	if (c->to[0] != '\0')
		buf_printf(out, " --to %s", c->to);
}

/* The command as one would type it. */
static void
add_command(struct buf *out, const struct ro_command *c)
{
	buf_add_cstr(out, c->mark.set ? "apply" : ro_verb_name(c->verb));
	if (c->verb == RO_ROLLOUT)
		add_rollout(out, c);
	else if (c->verb == RO_SESSIONS)
		add_sessions(out, c);
	else if (c->instance[0] != '\0')
		add_instance(out, c);
	else
		buf_printf(out, " %s", c->pool);
	if (c->verb == RO_SHARE) {
		buf_add_char(out, ' ');
		add_share(out, c->share_bp);
	}
	if (c->verb == RO_SWITCH && c->when_ready)
		buf_add_cstr(out, " --when-ready");
	if (c->verb == RO_SWITCH && c->drain)
		buf_add_cstr(out, " --drain");
	if (c->verb == RO_DRAIN || (c->verb == RO_SWITCH && c->drain))
		add_clocks(out, &c->clocks);
	if (c->writes_only)
		buf_add_cstr(out, " --writes");
	if (c->force)
		buf_add_cstr(out, " --force");
}

/* A quote would end the log's value early. */
static void
unquote(struct buf *b)
{
	for (size_t i = 0; i < b->len; i++)
		if (b->p[i] == '"')
			b->p[i] = '\'';
}

static void
write_audit(const char *service, const struct ro_command *c, enum ro_refusal r,
    const char *why, uint64_t generation)
{
	struct buf who = BUF_INIT, what = BUF_INIT, result = BUF_INIT;

	buf_add_cstr(&who, c->who);
	add_command(&what, c);
	buf_add_cstr(&result, why);
	unquote(&who);
	unquote(&what);
	unquote(&result);
	log_info("audit=command who=\"" STR_FMT "\" service=%s "
	         "command=\"" STR_FMT "\" result=%s why=\"" STR_FMT "\" "
	         "generation=%llu",
	    STR_ARG(who), service, STR_ARG(what),
	    r == RO_NO_NONE ? "done" : ro_refusal_name(r), STR_ARG(result),
	    (unsigned long long)generation);
	buf_free(&who);
	buf_free(&what);
	buf_free(&result);
}

/* A switch that waits has not happened. */
static bool
is_put_off(const struct ro_state *s, const struct ro_command *c,
    const char *service)
{
	for (size_t i = 0; i < s->n_services; i++)
		if (strcmp(s->services[i].name, service) == 0)
			return c->verb == RO_SWITCH &&
			    strcmp(s->services[i].pending.pool, c->pool) == 0;
	return false;
}

void
news_command(struct feed *f, const struct ro_state *s,
    const struct ro_command *c, enum ro_refusal r, const char *why)
{
	struct feed_event e = { .type = FEED_COMMAND };
	const char *service = facts_service_of(s, c);
	struct buf text = BUF_INIT;

	set_name(e.service, service);
	set_name(e.pool, c->pool);
	set_name(e.instance, c->instance);
	set_name(e.who, c->who);
	add_command(&text, c);
	buf_printf(&text, ": %s",
	    r != RO_NO_NONE                 ? ro_refusal_name(r)
	        : is_put_off(s, c, service) ? "waits until it is ready"
	                                    : "done");
	if (why[0] != '\0')
		buf_printf(&text, ": %s", why);
	tell(f, &e, &text);
	write_audit(service, c, r, why, s->generation);
}

/* ---- pools ---- */

static void
add_state_change(struct buf *out, const struct ro_pool *was,
    const struct ro_pool *is)
{
	buf_printf(out, "%s -> %s",
	    pool_state_name((enum pool_state)was->state),
	    pool_state_name((enum pool_state)is->state));
}

static void
add_share_change(struct buf *out, const struct ro_pool *was,
    const struct ro_pool *is)
{
	if (out->len > 0)
		buf_add_cstr(out, ", ");
	buf_add_cstr(out, "share ");
	add_share(out, was->share_bp);
	buf_add_cstr(out, " -> ");
	add_share(out, is->share_bp);
}

/* Those that were never able to serve are told by their instances' health. */
static void
add_life_change(struct buf *out, const struct ro_pool *was,
    const struct ro_pool *is)
{
	if (out->len > 0)
		buf_add_cstr(out, ", ");
	if (is->life == RO_LIFE_DEAD)
		buf_add_cstr(out, "no ready instance: sessions move away");
	else if (was->life == RO_LIFE_DEAD)
		buf_add_cstr(out, "can serve again");
	else
		buf_add_cstr(out, "can serve");
}

static void
tell_pool(struct feed *f, const char *service, const struct ro_pool *was,
    const struct ro_pool *is)
{
	struct feed_event e = { .type = FEED_POOL };
	struct buf text = BUF_INIT;

	if (was->state != is->state)
		add_state_change(&text, was, is);
	if (was->share_bp != is->share_bp)
		add_share_change(&text, was, is);
	if (was->life != is->life && is->life != RO_LIFE_UNKNOWN)
		add_life_change(&text, was, is);
	if (text.len == 0) {
		buf_free(&text);
		return;
	}
	log_info("service=%s pool=%s change=\"" STR_FMT "\"", service, is->name,
	    STR_ARG(text));
	set_name(e.service, service);
	set_name(e.pool, is->name);
	tell(f, &e, &text);
}

/* ---- rollouts ---- */

/* A step is told when it comes, not again when its action was carried out. */
static void
tell_rollout(struct feed *f, const char *service, const struct ro_rollout *was,
    const struct ro_rollout *is)
{
	struct feed_event e = { .type = FEED_ROLLOUT };
	struct buf text = BUF_INIT;

	if (was->id == is->id && was->stand == is->stand && was->at == is->at &&
	    strcmp(was->roll.now, is->roll.now) == 0)
		return;
	buf_printf(&text, "to %s: ", is->to);
	steps_where(is, &text);
	unquote(&text);
	log_info("service=%s rollout=%llu change=\"" STR_FMT "\"", service,
	    (unsigned long long)is->id, STR_ARG(text));
	set_name(e.service, service);
	set_name(e.pool, is->to);
	tell(f, &e, &text);
}

void
news_changes(struct feed *f, struct ro_state *before,
    const struct ro_state *after)
{
	static const struct ro_rollout never = { .stand = RO_STAND_NONE };
	static const struct ro_pool none = { .state = POOL_COLD };

	for (size_t s = 0; s < after->n_services; s++) {
		const struct ro_service *svc = &after->services[s];
		struct ro_service *old = ro_service_find(before, svc->name);

		for (size_t p = 0; p < svc->n_pools; p++) {
			const struct ro_pool *was = old == NULL
			    ? NULL
			    : ro_pool_find(old, svc->pools[p].name);

			tell_pool(f, svc->name, was == NULL ? &none : was,
			    &svc->pools[p]);
		}
		tell_rollout(f, svc->name, old == NULL ? &never : &old->rollout,
		    &svc->rollout);
	}
}

/* ---- the rest ---- */

void
news_health(struct feed *f, const struct instance *i, enum health from)
{
	struct feed_event e = { .type = FEED_HEALTH };
	char why[FACTS_WHY_MAX];
	struct buf text = BUF_INIT;

	set_name(e.service, i->pool->service->name);
	set_name(e.pool, i->pool->name);
	set_name(e.instance, i->name);
	buf_printf(&text, "%s -> %s: %s", health_name(from),
	    health_name((enum health)i->health), facts_why(i, why));
	if (i->last_status != 0 && i->reason != HEALTH_WHY_STATUS)
		buf_printf(&text, ", status %u", i->last_status);
	tell(f, &e, &text);
}

void
news_keys(struct feed *f, const struct pool *p, const char *path,
    unsigned lacks, bool united)
{
	struct feed_event e = { .type = FEED_KEYS };
	struct buf text = BUF_INIT;

	if (p == NULL)
		return; /* it has just gone */
	set_name(e.service, p->service->name);
	set_name(e.pool, p->name);
	if (lacks == 0)
		buf_printf(&text, "publishes the keys of the others at %s",
		    path);
	else
		buf_printf(&text, "lacks %u of the others' keys at %s: %s",
		    lacks, path,
		    united ? "all are given there"
		           : "who asks it refuses their tokens");
	log_line(lacks == 0 || united ? LOG_INFO : LOG_WARN,
	    "event=jwks_%s service=%s pool=%s text=\"" STR_FMT "\"",
	    lacks == 0 ? "same" : "differ", e.service, e.pool,
	    STR_ARG(buf_str(&text)));
	tell(f, &e, &text);
}

void
news_address(struct feed *f, const struct instance *i)
{
	struct feed_event e = { .type = FEED_HEALTH };
	struct buf text = BUF_INIT;

	set_name(e.service, i->pool->service->name);
	set_name(e.pool, i->pool->name);
	set_name(e.instance, i->name);
	buf_printf(&text, "its name resolves to %s now, and it is up there",
	    i->addr_text);
	tell(f, &e, &text);
}

void
news_eject(struct feed *f, const struct instance *i)
{
	struct feed_event e = { .type = FEED_EJECT };
	struct buf text = BUF_INIT;
	char lasts[UNITS_MAX];

	set_name(e.service, i->pool->service->name);
	set_name(e.pool, i->pool->name);
	set_name(e.instance, i->name);
	units_duration(i->eject.last_us, lasts);
	if (i->eject.until_us != 0)
		buf_printf(&text, "ejected for %s: %s", lasts,
		    eject_reason_text((enum eject_reason)i->eject.reason));
	else
		buf_add_cstr(&text, "in again after its ejection");
	log_info("service=%s pool=%s instance=%s change=\"" STR_FMT "\"",
	    e.service, e.pool, e.instance, STR_ARG(buf_str(&text)));
	tell(f, &e, &text);
}

void
news_reload(struct feed *f, const char *why, uint64_t generation)
{
	struct feed_event e = { .type = FEED_RELOAD };
	struct buf text = BUF_INIT;

	if (why == NULL)
		buf_printf(&text, "done, generation %llu",
		    (unsigned long long)generation);
	else
		buf_printf(&text, "refused: %s", why);
	tell(f, &e, &text);
}
