#include "proxy/asset.h"

#include "base/hash.h"
#include "http/target.h"
#include "net/loop.h"
#include "proxy/exchange.h"
#include "proxy/route.h"
#include "proxy/worker.h"
#include "upstream/view.h"

#define SEED UINT64_C(0x7a9)

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

static bool
can_serve(const struct view_pool *vp)
{
	return vp->serves && vp->n_eligible > 0;
}

const struct view_pool *
asset_pool(const struct exchange *x, const struct view_service *vs,
    const struct view_pool *vp)
{
	if (word_of(x, vp) != ASSET_LACKS)
		return vp;
	for (size_t i = 0; i < vs->n_pools; i++)
		if (&vs->pools[i] != vp && can_serve(&vs->pools[i]) &&
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

		if (vp->pool == x->pool || !can_serve(vp))
			continue;
		word = word_of(x, vp);
		if (word == ASSET_THERE)
			return vp;
		if (word == ASSET_UNKNOWN)
			maybe = vp;
	}
	return maybe;
}

/* What it lacks it does not find, or it leads to its own (Keycloak: 307). */
static bool
is_lack(unsigned status)
{
	return status == 404 || status == 410 ||
	    (status >= 300 && status < 400 && status != 304);
}

bool
asset_hear(struct exchange *x, unsigned status)
{
	const struct view_service *vs;
	bool lacks = is_lack(status);

	if (!lacks && status != 304 && (status < 200 || status >= 300))
		return false; /* that says nothing */
	assets_hear(&x->service->assets, x->asset, x->pool->name_hash,
	    lacks ? ASSET_LACKS : ASSET_THERE, loop_now_us(x->proxy->env.loop));
	if (!lacks || x->astray)
		return false;
	vs = route_service_now(x);
	return vs != NULL && asset_elsewhere(x, vs) != NULL &&
	    exchange_try_pool(x, status);
}
