#include "config/check.h"

#include <stdlib.h>
#include <string.h>

#include "config/edits.h"
#include "config/twins.h"
#include "config/valid.h"

struct where
check_where(const struct where *list, size_t i, const char *key)
{
	struct where element = where_item(list, i);

	return where_key(&element, key);
}

static const char *
text_at(const struct texts *t, size_t i)
{
	const char *text;

	memcpy(&text, (const char *)t->array + i * t->size + t->at,
	    sizeof(text));
	return text;
}

void
check_twins(struct problems *p, const struct where *list, const struct texts *t,
    const char *key, const size_t *but_not)
{
	size_t *twins = twins_find(t->array, t->n, t->size, t->at);

	p->no_memory |= twins == NULL;
	for (size_t i = 0; twins != NULL && i < t->n; i++) {
		struct where w;

		if (twins[i] == i || (but_not != NULL && but_not[i] != i))
			continue;
		w = check_where(list, i, key);
		problem_error(p, &w,
		    "%s is that of %s[%zu] already; another "
		    "is expected",
		    text_at(t, i), list->path, twins[i]);
	}
	free(twins);
}

void
check_name(struct problems *p, char **name, const struct cfg_addr *address,
    const struct where *element)
{
	struct where w = where_key(element, "name");
	struct str text = str_of(address->text);

	if (*name != NULL || where_is_given(&w))
		return;
	if (!valid_label(text)) {
		problem_error(p, &w,
		    "is missing; the address is too long or "
		    "strange to be a name too");
		return;
	}
	*name = str_dup(text);
	p->no_memory |= *name == NULL;
}

/* ---- services ---- */

static void
fill_match(struct problems *p, struct cfg_service *s)
{
	if (s->n_match > 0)
		return;
	s->match = calloc(1, sizeof(*s->match));
	if (s->match == NULL) {
		p->no_memory = true;
		return;
	}
	s->n_match = 1;
	s->match[0].host = str_dup(STR("*"));
	s->match[0].path = str_dup(STR("/"));
	p->no_memory |= s->match[0].host == NULL || s->match[0].path == NULL;
}

static void
fill_share_key(struct cfg_service *s)
{
	struct str name;

	/* valid_share_key() has seen it */
	if (share_key_split(str_of(s->share_key_text), &s->share_key, &name) &&
	    name.len > 0)
		s->share_key_name = s->share_key_text +
		    (name.p - s->share_key_text);
}

static void
check_settings(struct problems *p, const struct cfg_service *s,
    const struct where *service)
{
	struct where in = where_key(service, "sticky");
	struct where w = where_key(&in, "idle");

	if (s->sticky_idle_us > s->sticky_max_us)
		problem_warn(p, &w, "this is longer than max");
	in = where_key(service, "retry");
	w = where_key(&in, "budget");
	if (s->retries > 0 && s->retry_budget_pct == 0)
		problem_warn(p, &w,
		    "with nothing to spend there are no retries; "
		    "\"attempts: 0\" says so");
}

/* ---- pages and rules ---- */

static void
check_pages(struct problems *p, const struct cfg_page *pages, size_t n,
    const struct where *owner)
{
	struct where list = where_key(owner, "pages");
	struct texts statuses = { pages, n, sizeof(*pages),
		offsetof(struct cfg_page, status) };

	for (size_t i = 0; i < n; i++) {
		struct where w = where_item(&list, i);
		bool any = false;

		for (int f = 0; f < CFG_FORM_COUNT; f++)
			any |= pages[i].file[f] != NULL;
		if (!any)
			problem_error(p, &w,
			    "has no file; html, json or text is expected");
	}
	if (n > 0)
		check_twins(p, &list, &statuses, "status", NULL);
}

/* A prefix of every path, for everybody: rules behind it mean nothing. */
static bool
decides_all(const struct cfg_rule *r)
{
	const char *path = r->allow != NULL ? r->allow : r->deny;

	return strcmp(path, "/") == 0 && r->n_from == 0 && r->n_methods == 0;
}

static void
check_access(struct problems *p, const struct cfg_service *s,
    const struct where *service)
{
	struct where list = where_key(service, "rules");
	bool decided = false;

	for (size_t i = 0; i < s->n_rules; i++) {
		const struct cfg_rule *r = &s->rules[i];
		struct where w = where_item(&list, i), allow, deny, hide;

		allow = where_key(&w, "allow");
		deny = where_key(&w, "deny");
		hide = where_key(&w, "hide");
		if (where_is_given(&allow) == where_is_given(&deny)) {
			problem_error(p, &w,
			    "either allow or deny is expected, with a path");
			continue;
		}
		if (r->allow == NULL && r->deny == NULL)
			continue; /* told already */
		if (r->hide && r->allow != NULL)
			problem_warn(p, &hide, "this means nothing with allow");
		if (decided && w.node->profile == NULL) /* as meant */
			problem_warn(p, &w,
			    "a rule before it decides everything");
		decided |= decides_all(r);
	}
}

static size_t
count_instances(const struct cfg_service *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_pools; i++)
		n += s->pools[i].n_instances;
	return n;
}

/* ---- what services may not have in common ---- */

struct rule {
	char *text; /* owned */
	size_t service, match;
};

static char *
join(const char *a, const char *b)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "%s %s", a, b);
	return buf_take(&text);
}

/* What must be unlike in two services; NULL: it does not matter. */
typedef char *rule_text_fn(struct problems *, const struct cfg_service *,
    const struct cfg_match *);

static char *
text_of_rule(struct problems *p, const struct cfg_service *s,
    const struct cfg_match *m)
{
	char *text;

	if (m->host == NULL || m->path == NULL)
		return NULL;
	/* Names of TLS and hosts of HTTP are two worlds. */
	text = join(m->host,
	    s->mode == CFG_MODE_PASSTHROUGH ? "passthrough" : m->path);
	p->no_memory |= text == NULL;
	return text;
}

static char *
text_of_cookie(struct problems *p, const struct cfg_service *s,
    const struct cfg_match *m)
{
	char *text;

	if (s->sticky_scope == CFG_STICKY_NONE || s->sticky_cookie == NULL ||
	    m->host == NULL)
		return NULL;
	text = join(m->host, s->sticky_cookie);
	p->no_memory |= text == NULL;
	return text;
}

static struct rule *
collect_rules(struct problems *p, const struct cfg *c, rule_text_fn *text,
    size_t *n)
{
	struct rule *rules;

	*n = 0;
	for (size_t i = 0; i < c->n_services; i++)
		*n += c->services[i].n_match;
	rules = calloc(*n + 1, sizeof(*rules));
	p->no_memory |= rules == NULL;
	if (rules == NULL)
		return NULL;
	*n = 0;
	for (size_t i = 0; i < c->n_services; i++) {
		const struct cfg_service *s = &c->services[i];

		for (size_t j = 0; j < s->n_match; j++)
			rules[(*n)++] = (struct rule){ text(p, s, &s->match[j]),
				i, j };
	}
	return rules;
}

static void
say_same_rule(struct problems *p, const struct cfg *c, const struct rule *r,
    const struct rule *first, const struct where *list)
{
	const struct cfg_match *m = &c->services[r->service].match[r->match];
	struct where w = check_where(list, r->service, "match");

	w = where_item(&w, r->match);
	problem_error(p, &w,
	    "host %s with path %s leads to services[%zu] "
	    "already",
	    m->host, m->path, first->service);
}

/* Each would overwrite the other's pins, and sessions would bounce. */
static void
say_same_cookie(struct problems *p, const struct cfg *c, const struct rule *r,
    const struct rule *first, const struct where *list)
{
	const struct cfg_service *s = &c->services[r->service];
	struct where w = check_where(list, r->service, "sticky");

	if (r->service == first->service)
		return;
	w = where_key(&w, "cookie");
	problem_warn(p, &w,
	    "%s is the cookie of services[%zu] too, for the "
	    "same host %s; they would overwrite each other's pins",
	    s->sticky_cookie, first->service, s->match[r->match].host);
}

typedef void rule_twin_fn(struct problems *, const struct cfg *,
    const struct rule *, const struct rule *first, const struct where *list);

static void
check_rules(struct problems *p, const struct cfg *c, const struct where *list,
    rule_text_fn *text, rule_twin_fn *say)
{
	size_t n, *twins = NULL;
	struct rule *rules = collect_rules(p, c, text, &n);

	if (rules != NULL)
		twins = twins_find(rules, n, sizeof(*rules),
		    offsetof(struct rule, text));
	p->no_memory |= twins == NULL;
	for (size_t i = 0; twins != NULL && i < n; i++)
		if (twins[i] != i)
			say(p, c, &rules[i], &rules[twins[i]], list);
	for (size_t i = 0; rules != NULL && i < n; i++)
		free(rules[i].text);
	free(rules);
	free(twins);
}

static void
check_services(struct problems *p, struct cfg *c, const struct where *top)
{
	struct where list = where_key(top, "services");
	struct texts names;
	size_t instances = 0;

	if (c->n_services == 0)
		return; /* told already */
	for (size_t i = 0; i < c->n_services; i++) {
		struct cfg_service *s = &c->services[i];
		struct where w = where_item(&list, i);

		if (s->name == NULL)
			continue;
		fill_match(p, s);
		fill_share_key(s);
		check_settings(p, s, &w);
		check_mode(p, s, &w);
		check_access(p, s, &w);
		check_edits(p, s, &w);
		check_pages(p, s->pages, s->n_pages, &w);
		check_rollout(p, s, &w);
		check_pools(p, s, &w);
		check_cookies(p, s, &w);
		check_jwks(p, s, &w);
		instances += count_instances(s);
	}
	if (instances > CFG_INSTANCES_MAX)
		problem_error(p, &list,
		    "%zu instances in all are too many; at "
		    "most %d are possible",
		    instances, CFG_INSTANCES_MAX);
	names = TEXTS_OF(c->services, c->n_services, name);
	check_twins(p, &list, &names, "name", NULL);
	check_rules(p, c, &list, text_of_rule, say_same_rule);
	check_rules(p, c, &list, text_of_cookie, say_same_cookie);
}

/* ---- listeners ---- */

static bool
trusts_unix(const struct cfg_listener *l)
{
	for (size_t i = 0; i < l->n_trusted_proxies; i++)
		if (strcmp(l->trusted_proxies[i], "unix") == 0)
			return true;
	return false;
}

/* Whoever is heard says who the client is: that must not be anybody. */
static void
check_proxy_protocol(struct problems *p, const struct cfg_listener *l,
    const struct where *listener)
{
	struct where w = where_key(listener, "proxy_protocol");

	if (l->proxy_protocol == CFG_PP_OFF)
		return;
	if (l->address.is_unix && !trusts_unix(l))
		problem_error(p, &w,
		    "trusted_proxies must have unix, for peers on this "
		    "socket");
	else if (l->n_trusted_proxies == 0)
		problem_error(p, &w,
		    "trusted_proxies must name who may send a preface");
}

static void
check_tls(struct problems *p, const struct cfg_tls *t,
    const struct where *listener)
{
	struct where in = where_key(listener, "tls");
	struct where w = where_key(&in, "certificates");

	if (!t->on)
		return;
	if (!where_is_given(&w))
		problem_error(p, &w, "is missing; a list is expected");
	w = where_key(&in, "verify_client");
	if (t->n_client_ca > 0 && !where_is_given(&w))
		problem_error(p, &w,
		    "is missing; with client_ca, optional or required is "
		    "expected");
	else if (t->n_client_ca > 0 && t->verify_client == CFG_VERIFY_NONE)
		problem_warn(p, &w, "client_ca is for nothing then");
	w = where_key(&in, "client_ca");
	if (t->n_client_ca == 0 && t->verify_client != CFG_VERIFY_NONE)
		problem_error(p, &w,
		    "is missing; who is verified must be certified by "
		    "somebody");
	w = where_key(&in, "crl");
	if (t->n_crl > 0 && t->n_client_ca == 0)
		problem_error(p, &w, "client_ca is missing");
}

static void
check_listener(struct problems *p, struct cfg_listener *l,
    const struct where *listener)
{
	struct where in = where_key(listener, "limits");
	struct where w = where_key(&in, "field");

	check_name(p, &l->name, &l->address, listener);
	if (l->limits.field_bytes > l->limits.head_bytes)
		problem_warn(p, &w,
		    "this is more than the whole head may have");
	w = where_key(&in, "target");
	if (l->limits.target_bytes > l->limits.head_bytes)
		problem_warn(p, &w,
		    "this is more than the whole head may have");
	check_proxy_protocol(p, l, listener);
	w = where_key(listener, "redirect");
	if (l->redirect != CFG_REDIRECT_OFF && l->tls.on)
		problem_warn(p, &w,
		    "this means nothing on a listener with TLS");
	l->tls.h2_on = l->h2_on;
	check_tls(p, &l->tls, listener);
	in = where_key(listener, "trusted_proxies");
	for (size_t i = 0; i < l->n_trusted_proxies; i++) {
		w = where_item(&in, i);
		if (str_ends(str_of(l->trusted_proxies[i]), STR("/0")))
			problem_warn(p, &w, "every client is believed");
	}
}

static void
check_listeners(struct problems *p, struct cfg *c, const struct where *top)
{
	struct where list = where_key(top, "listeners");
	struct texts addresses, names;
	size_t *twins;

	if (c->n_listeners == 0)
		return; /* told already */
	for (size_t i = 0; i < c->n_listeners; i++) {
		struct where w = where_item(&list, i);

		if (c->listeners[i].address.text != NULL)
			check_listener(p, &c->listeners[i], &w);
	}
	addresses = TEXTS_OF(c->listeners, c->n_listeners, address.text);
	names = TEXTS_OF(c->listeners, c->n_listeners, name);
	twins = twins_find(c->listeners, addresses.n, addresses.size,
	    addresses.at);
	p->no_memory |= twins == NULL;
	check_twins(p, &list, &addresses, "address", NULL);
	check_twins(p, &list, &names, "name", twins);
	free(twins);
}

/* ---- the daemon ---- */

static bool
is_loopback(const struct cfg_addr *a)
{
	return str_starts(str_of(a->host), STR("127.")) ||
	    strcmp(a->host, "[::1]") == 0 || strcmp(a->host, "localhost") == 0;
}

static void
check_admin(struct problems *p, const struct cfg *c, const struct where *top)
{
	struct where admin = where_key(top, "admin");
	struct where http = where_key(&admin, "http");
	struct where path = where_key(&admin, "socket");
	const struct cfg_addr *a = &c->admin_http;

	if (a->text != NULL && a->is_unix)
		problem_error(p, &http,
		    "%s is no TCP address; the Unix socket "
		    "is admin.socket",
		    a->text);
	else if (a->text != NULL && !is_loopback(a))
		problem_warn(p, &http,
		    "%s is no loopback address; whoever "
		    "reaches it may look",
		    a->text);
	for (size_t i = 0; i < c->n_listeners; i++) {
		const struct cfg_addr *l = &c->listeners[i].address;

		if (l->text == NULL)
			continue;
		if (a->text != NULL && strcmp(a->text, l->text) == 0)
			problem_error(p, &http,
			    "%s is the address of "
			    "listeners[%zu] already",
			    a->text, i);
		if (l->is_unix && c->admin_socket != NULL &&
		    strcmp(l->host, c->admin_socket) == 0)
			problem_error(p, &path,
			    "%s is the address of "
			    "listeners[%zu] already",
			    l->host, i);
	}
}

static void
check_stop(struct problems *p, const struct cfg *c, const struct where *top)
{
	struct where stop = where_key(top, "stop");
	struct where w = where_key(&stop, "linger");

	if (c->linger_us > c->stop_us)
		problem_warn(p, &w, "this is longer than deadline");
}

/* How the server is found: one way, and whole. */
static void
check_redis(struct problems *p, const struct cfg_store *s,
    const struct where *store)
{
	struct where address = where_key(store, "address");
	struct where master = where_key(store, "master");
	struct where user = where_key(store, "user");

	if (!where_is_given(&address) && s->n_sentinels == 0)
		problem_error(p, &address,
		    "is missing; of type redis, it or sentinels is expected");
	if (s->address.text != NULL && s->n_sentinels > 0)
		problem_error(p, &address,
		    "sentinels say where it is; one of the two is expected");
	if (s->n_sentinels > 0 && !where_is_given(&master))
		problem_error(p, &master,
		    "is missing; with sentinels, the name of the master is "
		    "expected");
	if (s->n_sentinels == 0 && s->master != NULL)
		problem_warn(p, &master, "this is for sentinels");
	if (s->user != NULL && s->password_file == NULL)
		problem_error(p, &user,
		    "password_file is missing; a user needs a password");
}

/* What only Redis has, of another type; a word that it is meant is an error. */
static void
check_not_redis(struct problems *p, const struct cfg_store *s,
    const struct where *store)
{
	const struct {
		const char *key, *value;
	} rest[] = { { "master", s->master }, { "user", s->user },
		{ "password_file", s->password_file } };
	struct where address = where_key(store, "address");
	struct where sentinels = where_key(store, "sentinels");

	if (where_is_given(&address))
		problem_error(p, &address,
		    "\"type: redis\" is expected with it");
	if (s->n_sentinels > 0)
		problem_error(p, &sentinels,
		    "\"type: redis\" is expected with it");
	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
		struct where w = where_key(store, rest[i].key);

		if (rest[i].value != NULL)
			problem_warn(p, &w, "this is of type redis");
	}
}

static void
check_store(struct problems *p, const struct cfg *c, const struct where *top)
{
	struct where store = where_key(top, "store");

	if (c->store.type == CFG_STORE_REDIS)
		check_redis(p, &c->store, &store);
	else
		check_not_redis(p, &c->store, &store);
}

static void
check_cluster(struct problems *p, const struct cfg *c, const struct where *top)
{
	struct where cluster = where_key(top, "cluster");
	struct where name = where_key(&cluster, "name");
	struct where member = where_key(&cluster, "member");

	if (c->cluster.name != NULL && c->store.type != CFG_STORE_REDIS)
		problem_error(p, &name,
		    "proxies find each other through Redis; a store of type "
		    "redis is expected");
	if (c->cluster.name == NULL && c->cluster.member != NULL)
		problem_warn(p, &member,
		    "the cluster has no name; one is expected");
}

void
check_all(struct problems *p, struct cfg *c, const struct where *top)
{
	check_admin(p, c, top);
	check_store(p, c, top);
	check_cluster(p, c, top);
	check_stop(p, c, top);
	check_pages(p, c->pages, c->n_pages, top);
	check_listeners(p, c, top);
	check_services(p, c, top);
	check_passthrough(p, c, top);
}
