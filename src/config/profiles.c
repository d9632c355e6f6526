#include "config/profiles.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "config/value.h"

/* ---- the profiles; segue.yaml(5) shows the same, and a test compares ---- */

/* clang-format off */
/*
 * Keycloak's guides on health and on reverse proxies: only /realms, /resources
 * and /.well-known need be public; the consoles are left to the operator.
 * Health is on the management port, which clients do not reach; before version
 * 25, and by an option, it is on the main one.  Logins in progress are in the
 * caches of one cluster: all its nodes have them, one of them at hand.
 */
static const char keycloak[] =
	"headers: { profile: identity }\n"
	"sticky: { scope: instance }\n"
	"assets: [ /resources ]\n"
	"logins: { begin: [ /protocol/openid-connect/auth ] }\n"
	"hold:\n"
	"  max: 2000\n"
	"  wait: 25s\n"
	"  pace: 200\n"
	"  retry_after: 30s\n"
	"  copies:\n"
	"    - /.well-known/openid-configuration\n"
	"    - /protocol/openid-connect/certs\n"
	"drain: { mode: move, flows: 10m }\n"
	"rules:\n"
	"  - deny: /metrics\n"
	"  - deny: /health\n"
	"pools:\n"
	"  - probe:\n"
	"      { type: http, port: 9000, path: /health/ready, body: '\"UP\"' }\n";

/*
 * ZITADEL's internal/api: gRPC and all else are on one port, in HTTP/2.
 * /debug/ready is 412 until it is 200, /debug/validate 200 whatever it finds.
 */
static const char zitadel[] =
	"headers: { profile: identity }\n"
	"hold: { copies: [ /.well-known/openid-configuration, /oauth/v2/keys ] }\n"
	"logins: { begin: [ /oauth/v2/authorize ] }\n"
	"rules:\n"
	"  - deny: /debug\n"
	"pools:\n"
	"  - protocol: h2c\n"
	"    probe: { type: http, path: /debug/ready }\n";

/*
 * Ory's healthx and guides to production: all state is in the database, so that
 * no session needs to stay.  Ready is asked at the admin port, and is 503 while
 * migrations are pending.  Flows begin with a GET that writes; so do those end
 * that another provider sends back.  Kratos takes no body that is longer.
 */
static const char kratos[] =
	"headers: { profile: identity }\n"
	"limits: { body: 5MiB }\n"
	"retry: { attempts: 0 }\n"
	"hold:\n"
	"  max: 5000\n"
	"  wait: 20s\n"
	"  retry_after: 30s\n"
	"  never: [ /health, /.well-known ]\n"
	"  writes:\n"
	"    - /self-service/login\n"
	"    - /self-service/registration\n"
	"    - /self-service/recovery\n"
	"    - /self-service/verification\n"
	"    - /self-service/settings\n"
	"    - /self-service/logout\n"
	"    - /self-service/methods\n"
	"logins:\n"
	"  begin: [ /self-service/login/browser ]\n"
	"  cookie: ory_kratos_session\n"
	"drain: { mode: evict, requests: 30s }\n"
	"rules:\n"
	"  - deny: /admin\n"
	"  - deny: /metrics\n"
	"pools:\n"
	"  - probe:\n"
	"      { type: http, port: 4434, path: /health/ready, body: '\"ok\"' }\n";

static const char hydra[] =
	"headers: { profile: identity }\n"
	"retry: { attempts: 0 }\n"
	"hold:\n"
	"  max: 5000\n"
	"  wait: 20s\n"
	"  retry_after: 30s\n"
	"  never: [ /health ]\n"
	"  copies:\n"
	"    - /.well-known/openid-configuration\n"
	"    - /.well-known/jwks.json\n"
	"  writes: [ /oauth2/auth, /oauth2/device, /oauth2/sessions/logout ]\n"
	"logins: { begin: [ /oauth2/auth ] }\n"
	"drain: { mode: evict, requests: 30s }\n"
	"rules:\n"
	"  - deny: /admin\n"
	"  - deny: /metrics\n"
	"pools:\n"
	"  - probe:\n"
	"      { type: http, port: 4445, path: /health/ready, body: '\"ok\"' }\n";

/*
 * Nevis' guide to the management of nevisAuth: it answers once it has heard of
 * its session store, whose own deadline is two seconds; a probe that gives up
 * sooner fails before it knows.
 */
static const char nevis[] =
	"headers: { profile: identity }\n"
	"drain: { streams: 10m }\n"
	"pools:\n"
	"  - probe:\n"
	"      type: http\n"
	"      port: 8997\n"
	"      path: /nevisauth/liveness\n"
	"      body: '\"UP\"'\n"
	"      interval: 6s\n"
	"      timeout: 5s\n";

/*
 * What any provider has: OpenID Connect Discovery 1.0, 3 and 4.  Nobody knows
 * where it keeps logins, so they may end where they began.
 */
static const char oidc[] =
	"headers: { profile: identity }\n"
	"hold: { copies: [ /.well-known/openid-configuration, /jwks ] }\n"
	"logins: { begin: [ /auth, /authorize ] }\n"
	"drain: { flows: 1h }\n"
	"pools:\n"
	"  - probe:\n"
	"      type: http\n"
	"      path: /.well-known/openid-configuration\n"
	"      body: '\"issuer\"'\n";

static const char *const texts[CFG_PRODUCT_COUNT] = {
	[CFG_PRODUCT_KEYCLOAK] = keycloak,
	[CFG_PRODUCT_ZITADEL] = zitadel,
	[CFG_PRODUCT_KRATOS] = kratos,
	[CFG_PRODUCT_HYDRA] = hydra,
	[CFG_PRODUCT_NEVIS] = nevis,
	[CFG_PRODUCT_OIDC] = oidc,
};
/* clang-format on */

#define X(id, name) [CFG_PRODUCT_##id] = (name),
static const char *const names[CFG_PRODUCT_COUNT] = { CFG_PRODUCTS(X) };
#undef X

const char *
profile_text(enum cfg_product product)
{
	return texts[product];
}

/* Keycloak's guide on update compatibility, limits of rolling updates. */
static const char *const notes[CFG_PRODUCT_COUNT] = {
	[CFG_PRODUCT_KEYCLOAK] = "who has the Account or the Admin Console "
	                         "open may have to reload it",
};

const char *
profile_note(enum cfg_product product)
{
	return notes[product];
}

/* ---- merging ---- */

static struct ynode *
find(const struct ynode *map, const char *key)
{
	return (struct ynode *)(uintptr_t)ynode_get(map, key);
}

static int
append(struct ynode *to, const struct ynode *given)
{
	struct ynode **tail = &to->first;

	while (*tail != NULL)
		tail = &(*tail)->next;
	*tail = ynode_copy(given);
	return *tail == NULL ? E_NOMEM : E_OK;
}

/* Nothing where a map or a list is meant is an empty one. */
static void
open_null(struct ynode *n, enum ynode_type type)
{
	if (!ynode_is_null(n))
		return;
	free(n->text);
	n->text = NULL;
	n->type = type;
}

/* Keys of a probe mean something with its type only. */
static bool
is_of_another_type(const struct ynode *mine, const struct ynode *given)
{
	const struct ynode *a = ynode_get(mine, "type");
	const struct ynode *b = ynode_get(given, "type");

	return a != NULL && b != NULL && a->type == YNODE_SCALAR &&
	    !ynode_is_null(a) && strcmp(a->text, b->text) != 0;
}

typedef int merge_fn(struct ynode *mine, const struct ynode *given);

static int
merge_each(struct ynode *mine, const struct ynode *given, merge_fn *merge)
{
	int rc = E_OK;

	for (const struct ynode *g = given->first; g != NULL && rc == E_OK;
	     g = g->next)
		rc = merge(mine, g);
	return rc;
}

static int merge_map(struct ynode *mine, const struct ynode *given);

/* One key of a map. */
static int
merge_key(struct ynode *map, const struct ynode *given)
{
	struct ynode *mine = find(map, given->key);

	if (mine == NULL)
		return append(map, given);
	if (given->type != YNODE_MAP)
		return E_OK;
	open_null(mine, YNODE_MAP);
	return mine->type == YNODE_MAP ? merge_map(mine, given) : E_OK;
}

static int
merge_map(struct ynode *mine, const struct ynode *given)
{
	return is_of_another_type(mine, given)
	    ? E_OK
	    : merge_each(mine, given, merge_key);
}

static int
merge_rules(struct ynode *service, const struct ynode *given)
{
	struct ynode *mine = find(service, given->key);

	if (mine == NULL)
		return append(service, given);
	open_null(mine, YNODE_LIST);
	return mine->type == YNODE_LIST ? merge_each(mine, given, append)
	                                : E_OK;
}

static bool
has_tls(const struct ynode *pool)
{
	const struct ynode *tls = ynode_get(pool, "tls");
	bool on = true;

	if (tls == NULL || ynode_is_null(tls))
		return false;
	return tls->type != YNODE_SCALAR ||
	    (value_read_bool(str_of(tls->text), &on) && on);
}

/* h2c is HTTP/2 in the clear; what a profile means by it is h2 over TLS. */
static void
fit_to_tls(struct ynode *pool)
{
	struct ynode *protocol = find(pool, "protocol");

	if (protocol != NULL && protocol->profile != NULL && has_tls(pool) &&
	    strcmp(protocol->text, "h2c") == 0)
		protocol->text[2] = '\0';
}

static int
merge_pools(struct ynode *service, const struct ynode *given)
{
	struct ynode *mine = find(service, given->key);
	int rc = E_OK;

	if (mine == NULL || mine->type != YNODE_LIST)
		return E_OK;
	for (struct ynode *m = mine->first; m != NULL && rc == E_OK;
	     m = m->next) {
		if (m->type != YNODE_MAP)
			continue;
		rc = merge_map(m, given->first);
		if (rc == E_OK)
			fit_to_tls(m);
	}
	return rc;
}

static int
merge_member(struct ynode *service, const struct ynode *given)
{
	merge_fn *merge = strcmp(given->key, "rules") == 0 ? merge_rules
	    : strcmp(given->key, "pools") == 0             ? merge_pools
	                                                   : merge_key;

	return merge(service, given);
}

/* ---- which services ---- */

static void
stamp(struct ynode *n, const struct ynode *at, const char *profile)
{
	for (; n != NULL; n = n->next) {
		n->line = n->key_line = at->line;
		n->column = n->key_column = at->column;
		n->profile = profile;
		stamp(n->first, at, profile);
	}
}

static bool
is_scalar(const struct ynode *n, const char *text)
{
	return n != NULL && n->type == YNODE_SCALAR &&
	    strcmp(n->text, text) == 0;
}

static int
apply(struct ynode *service, const struct ynode *at, enum cfg_product product)
{
	struct yaml_error error;
	struct ynode *given;
	int rc = yaml_read(str_of(texts[product]), &given, &error);

	assert(rc != E_SYNTAX);
	if (rc != E_OK)
		return rc;
	stamp(given, at, names[product]);
	rc = merge_each(service, given, merge_member);
	ynode_free(&given);
	return rc;
}

static int
apply_to(struct ynode *service)
{
	const struct ynode *at;

	if (service->type != YNODE_MAP ||
	    is_scalar(ynode_get(service, "mode"), "passthrough"))
		return E_OK;
	at = ynode_get(service, "profile");
	for (int i = 0; i < CFG_PRODUCT_COUNT; i++)
		if (texts[i] != NULL && is_scalar(at, names[i]))
			return apply(service, at, (enum cfg_product)i);
	return E_OK;
}

int
profiles_apply(struct ynode *root)
{
	struct ynode *services;
	int rc = E_OK;

	if (root == NULL || root->type != YNODE_MAP)
		return E_OK;
	services = find(root, "services");
	if (services == NULL || services->type != YNODE_LIST)
		return E_OK;
	for (struct ynode *s = services->first; s != NULL && rc == E_OK;
	     s = s->next)
		rc = apply_to(s);
	return rc;
}
