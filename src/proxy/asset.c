#include "proxy/asset.h"

#include "base/clock.h"
#include "base/hash.h"
#include "net/loop.h"
#include "proxy/exchange.h"
#include "proxy/route.h"
#include "proxy/worker.h"
#include "upstream/view.h"

#define SEED UINT64_C(0x7a9)
#define ASSET_TRIES_MAX 50 /* a second, of a worker */

uint64_t
asset_tag(const struct cfg_service *cfg, struct str path)
{
	for (size_t i = 0; i < cfg->n_assets; i++) {
		struct str prefix = str_of(cfg->assets[i]), rest;

		if (!str_starts(path, prefix))
			continue;
		rest = str_sub(path, prefix.len, path.len);
		if (rest.len > 0 && rest.p[0] == '/')
			rest = str_sub(rest, 1, rest.len);
		else if (!str_ends(prefix, STR("/")))
			continue; /* another word that begins so */
		rest = str_split(&rest, '/');
		if (rest.len > 0)
			return hash_bytes(rest.p, rest.len, SEED + i) | 1;
	}
	return 0;
}

static enum asset_word
word_of(const struct exchange *x, const struct view_pool *vp)
{
	return assets_ask(&x->service->assets, x->asset, vp->pool->name_hash,
	    loop_now_us(x->proxy->env.loop));
}

static void
note(struct exchange *x, enum asset_word word)
{
	assets_hear(&x->service->assets, x->asset, x->pool->name_hash, word,
	    loop_now_us(x->proxy->env.loop));
}

/* Users are not sent to a pool that has none yet, be it for a file. */
static bool
can_serve(const struct exchange *x, const struct view_pool *vp)
{
	return vp->serves && vp->n_eligible > 0 &&
	    (vp->in_use || (x->pinned && x->pin.trial));
}

const struct view_pool *
asset_pool(const struct exchange *x, const struct view_service *vs,
    const struct view_pool *vp)
{
	if (x->home_asked || word_of(x, vp) != ASSET_LACKS)
		return vp;
	for (size_t i = 0; i < vs->n_pools; i++)
		if (&vs->pools[i] != vp && can_serve(x, &vs->pools[i]) &&
		    word_of(x, &vs->pools[i]) == ASSET_THERE)
			return &vs->pools[i];
	return vp;
}

const struct view_pool *
asset_elsewhere(const struct exchange *x, const struct view_service *vs)
{
	const struct view_pool *maybe = NULL;

	for (size_t i = 0; i < vs->n_pools; i++) {
		const struct view_pool *vp = &vs->pools[i];
		enum asset_word word;

		if (vp->pool == x->pool || !can_serve(x, vp))
			continue;
		word = word_of(x, vp);
		if (word == ASSET_THERE)
			return vp;
		if (word == ASSET_UNKNOWN)
			maybe = vp;
	}
	return maybe;
}

/*
 * What is asked twice is work that strangers make by asking for what nobody
 * has; so much of it a second is done.
 */
static bool
spend(struct proxy *p)
{
	uint64_t now_s = loop_now_us(p->env.loop) / US_PER_S;

	if (p->assets_s != now_s) {
		p->assets_s = now_s;
		p->n_assets = 0;
	}
	return p->n_assets++ < ASSET_TRIES_MAX;
}

/* Its session's pool was asked, and lacks it. */
static bool
leave_home(struct exchange *x, unsigned status)
{
	const struct view_service *vs = route_service_now(x);

	note(x, ASSET_LACKS);
	return vs != NULL && asset_elsewhere(x, vs) != NULL &&
	    spend(x->proxy) && exchange_try_pool(x, status);
}

/* Another was asked by what was heard of it, and failed it, or lacks it. */
static bool
go_home(struct exchange *x, unsigned status)
{
	note(x, ASSET_LACKS);
	return !x->home_asked && spend(x->proxy) &&
	    exchange_try_pool(x, status);
}

bool
asset_hear(struct exchange *x, unsigned status)
{
	bool leads = status >= 300 && status < 400 && status != 304;
	bool missing = status == 404 || status == 410;
	enum asset_word was = assets_ask(&x->service->assets, x->asset,
	    x->pool->name_hash, loop_now_us(x->proxy->env.loop));

	if (x->astray && (leads || missing || status >= 500))
		return go_home(x, status);
	x->home_asked |= !x->astray;
	/* Of a version that is there, one file may be missing. */
	if (leads || (missing && was != ASSET_THERE))
		return leave_home(x, status);
	if ((status >= 200 && status < 300) || status == 304)
		note(x, ASSET_THERE);
	return false;
}
