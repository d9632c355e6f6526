/*
 * Namespaces of cookies: no two may be mistaken for one another, nor for what
 * has none.
 */
#include "config/check.h"

/* Would a cookie of that name be one of the namespace's, as cookie_space of
 * http has it? */
static bool
is_in_space(struct str name, const char *space)
{
	static const char *const prefixes[] = { "__Host-Http-", "__Host-",
		"__Secure-", "__Http-" };

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		struct str prefix = str_of(prefixes[i]);

		if (!str_casestarts(name, prefix))
			continue;
		name = str_sub(name, prefix.len, name.len);
		break;
	}
	return str_find(name, '~') == (ssize_t)str_of(space).len &&
	    str_starts(name, str_of(space));
}

static void
check_name_of(struct problems *p, const struct cfg_service *s,
    const char *cookie, const struct where *w)
{
	for (size_t i = 0; i < s->n_pools; i++) {
		const char *space = s->pools[i].cookie_namespace;

		if (space != NULL && is_in_space(str_of(cookie), space))
			problem_error(p, w,
			    "%s is a name of the cookie_namespace of "
			    "pools[%zu]; another is expected",
			    cookie, i);
	}
}

void
check_cookies(struct problems *p, const struct cfg_service *s,
    const struct where *service)
{
	struct where pools = where_key(service, "pools");
	struct where shared = where_key(service, "cookies_shared");
	struct where sticky = where_key(service, "sticky");
	struct texts spaces;
	bool any = false;

	if (s->n_pools == 0)
		return; /* told already */
	for (size_t i = 0; i < s->n_pools; i++)
		any |= s->pools[i].cookie_namespace != NULL;
	spaces = TEXTS_OF(s->pools, s->n_pools, cookie_namespace);
	check_twins(p, &pools, &spaces, "cookie_namespace", NULL);
	if (!any && s->n_cookies_shared > 0)
		problem_warn(p, &shared,
		    "this means nothing without a cookie_namespace of a pool");
	sticky = where_key(&sticky, "cookie");
	if (s->sticky_scope != CFG_STICKY_NONE && s->sticky_cookie != NULL)
		check_name_of(p, s, s->sticky_cookie, &sticky);
	for (size_t i = 0; i < s->n_cookies_shared; i++) {
		struct where w = where_item(&shared, i);

		if (s->cookies_shared[i] == NULL)
			continue; /* told already */
		if (str_eq(str_of(s->cookies_shared[i]), STR("*")))
			problem_error(p, &w,
			    "* would be all of them; the begin of a name is "
			    "expected");
		check_name_of(p, s, s->cookies_shared[i], &w);
	}
}
