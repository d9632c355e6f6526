/*
 * /v1/pin: a cookie that leads to a pool, for who wants to see it before, or
 * while, users do.
 */
#include "session/pin.h"

#include <string.h>

#include "admin/admin_int.h"
#include "admin/answer.h"
#include "admin/audit.h"
#include "admin/server.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/random.h"
#include "config/config.h"
#include "rollout/drive.h"
#include "upstream/registry.h"

#define SECURE_PREFIX "__Host-" /* of our cookie's name over TLS */

static const struct ro_pool *
pool_of(const struct ro_service *s, const char *name)
{
	for (size_t i = 0; i < s->n_pools; i++)
		if (strcmp(s->pools[i].name, name) == 0)
			return &s->pools[i];
	return NULL;
}

/* One that could serve, another each time; NULL: none could. */
static const struct instance *
any_instance(struct registry *r, const struct pool *p)
{
	const struct instance *i = NULL, *found = NULL;
	uint32_t n = 0;

	while (p != NULL && (i = registry_instance_next(r, p, i)) != NULL)
		if (i->health == HEALTH_UP && i->admin == INST_IN &&
		    random_below(++n) == 0)
			found = i;
	return found;
}

static int
seal(struct keyring *ring, const struct ro_service *s,
    const struct instance *to, char out[TOKEN_TEXT_MAX])
{
	struct pin pin = { .pool = to->pool->name_hash,
		.instance = to->name_hash,
		.issued_s = clock_wall_us() / US_PER_S,
		.epoch = s->epoch,
		.bucket = (uint16_t)random_below(CFG_SHARE_ALL),
		.trial = true };
	struct sealer *sealer = ring == NULL ? NULL : sealer_new(ring);
	ssize_t n;

	if (sealer == NULL)
		return E_NOMEM;
	random_bytes(&pin.session, sizeof(pin.session));
	n = pin_write(sealer, str_of(s->name), &pin, out);
	sealer_free(&sealer);
	if (n < 0)
		return (int)n;
	out[n] = '\0';
	return E_OK;
}

static void
answer_pin(struct ask *k, const struct cfg_service *cfg,
    const struct ro_service *s, const struct ro_pool *p, const char *value)
{
	static const struct str prefix = STR(SECURE_PREFIX);
	bool secure = str_starts(str_of(cfg->sticky_cookie), prefix);
	struct buf b = BUF_INIT, name = BUF_INIT;
	struct json_out j;

	buf_printf(&name, "%s%s", secure ? "" : SECURE_PREFIX,
	    cfg->sticky_cookie);
	json_begin(&j, &b);
	json_begin_object(&j);
	json_kv_cstr(&j, "service", cfg->name);
	json_kv_cstr(&j, "to", p->name);
	json_kv_u64(&j, "share_bp", p->share_bp);
	json_kv_cstr(&j, "held",
	    p->share_bp == 0 ? hold_name(HOLD_NONE)
	                     : hold_name((enum hold)s->hold));
	json_kv_cstr(&j, "cookie", cfg->sticky_cookie);
	json_kv_str(&j, "cookie_tls", buf_str(&name));
	json_kv_cstr(&j, "value", value);
	json_kv_u64(&j, "max_age_s", cfg->sticky_max_us / US_PER_S);
	json_end_object(&j);
	b.failed |= name.failed;
	buf_free(&name);
	audit_line("pin", ask_peer(k), "done", p->name);
	answer_json(k, 200, &b);
}

/* The service is there, and so is the pool. */
static void
give(struct admin *a, struct ask *k, const struct ro_service *s,
    const struct ro_pool *p)
{
	const struct cfg_service *cfg = cfg_service_find(
	    drive_cfg(a->env.drive), str_of(s->name));
	struct registry *r = drive_registry(a->env.drive);
	const struct instance *to = any_instance(r,
	    registry_pool(r, s->name, p->name));
	char value[TOKEN_TEXT_MAX + 1];

	if (cfg == NULL || cfg->sticky_scope == CFG_STICKY_NONE)
		answer_error(k, ANSWER_BAD_VALUE,
		    "%s keeps no sessions by a cookie: its sticky.scope is "
		    "none",
		    s->name);
	else if (p->state != POOL_READY && p->state != POOL_ACTIVE &&
	    p->state != POOL_DRAINING)
		answer_error(k, ANSWER_NOT_SERVING,
		    "%s is %s: nobody is sent to it, whatever his cookie",
		    p->name, pool_state_name((enum pool_state)p->state));
	else if (to == NULL)
		answer_error(k, ANSWER_NOT_SERVING,
		    "no instance of %s is up and in", p->name);
	else if (seal(drive_keyring(a->env.drive), s, to, value) != E_OK)
		answer_error(k, ANSWER_INTERNAL, "the cookie cannot be sealed");
	else
		answer_pin(k, cfg, s, p, value);
}

void
page_pin(struct admin *a, struct ask *k)
{
	struct ro_command c = { .verb = RO_SHARE };
	const struct ro_service *s;
	const struct ro_pool *p;

	if (!ask_target(k, &c))
		return;
	s = ask_service(drive_state(a->env.drive), &c);
	p = s == NULL ? NULL : pool_of(s, c.pool);
	if (s == NULL)
		answer_error(k, ANSWER_NO_SERVICE, "%s",
		    ro_refusal_text(RO_NO_NO_SERVICE));
	else if (p == NULL)
		answer_error(k, ANSWER_NO_POOL, "%s has no pool \"%s\"",
		    s->name, c.pool);
	else
		give(a, k, s, p);
}
