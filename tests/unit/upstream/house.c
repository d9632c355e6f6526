#include "house.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/err.h"
#include "base/thread.h"

/* Every run draws the same lots. */
ssize_t __wrap_getrandom(void *, size_t, unsigned);

ssize_t
__wrap_getrandom(void *out, size_t len, unsigned flags UNUSED)
{
	static _Thread_local unsigned char next = 17;

	for (size_t i = 0; i < len; i++)
		((unsigned char *)out)[i] = next = (unsigned char)(next * 37 +
		    11);
	return (ssize_t)len;
}

struct cfg *
house_cfg(const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	struct cfg_problems p;
	struct cfg *cfg;
	va_list ap;
	int rc;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	rc = cfg_parse(buf_str(&text), "f", &cfg, &p);
	cr_assert_eq(rc, E_OK, "%s", p.n > 0 ? p.list[0].text : "?");
	cfg_problems_free(&p);
	buf_free(&text);
	return cfg;
}

struct cfg *
house_cfg_of(unsigned n, const char *weights)
{
	struct buf text = BUF_INIT;
	struct cfg *cfg;

	for (unsigned i = 0; i < n; i++)
		buf_printf(&text,
		    "    - { name: i%u, address: \"127.0.%u.%u:80\", "
		    "weight: %d }\n",
		    i, i / 250, i % 250 + 1,
		    weights == NULL ? 1 : weights[i] - '0');
	cfg = house_cfg("listeners: \":1\"\n"
	                "services:\n- name: s\n  pools:\n  - name: v1\n"
	                "    instances:\n%s",
	    text.p);
	buf_free(&text);
	return cfg;
}

void
house_apply(struct registry *r, struct cfg *cfg)
{
	char why[160] = "";

	cr_assert_eq(registry_apply(r, cfg, NULL, 0, why, sizeof(why)), E_OK,
	    "%s", why);
}

struct view *
house_view(struct registry *r, struct cfg *cfg, const unsigned *shares)
{
	struct service_plan plans[4];
	struct view *v;

	cr_assert_leq(cfg->n_services, ARRAY_LEN(plans));
	memset(plans, 0, sizeof(plans));
	for (size_t s = 0; s < cfg->n_services; s++) {
		const struct cfg_service *svc = &cfg->services[s];

		(void)snprintf(plans[s].service, sizeof(plans[s].service), "%s",
		    svc->name);
		plans[s].n_pools = svc->n_pools;
		for (size_t i = 0; i < svc->n_pools; i++) {
			struct pool_plan *p = &plans[s].pools[i];

			(void)snprintf(p->pool, sizeof(p->pool), "%s",
			    svc->pools[i].name);
			p->share_bp = shares != NULL ? shares[i]
			    : i == 0                 ? CFG_SHARE_ALL
			                             : 0;
			p->serves = true;
		}
	}
	v = registry_view(r, cfg, NULL, plans, cfg->n_services);
	cr_assert_not_null(v);
	return v;
}

struct instance *
house_instance(struct registry *r, const char *name)
{
	return registry_instance(r, "s", "v1", name);
}

void
house_all_up(struct registry *r)
{
	const struct pool *p = registry_pool(r, "s", "v1");
	struct instance *i = NULL;

	cr_assert_not_null(p);
	while ((i = registry_instance_next(r, p, i)) != NULL)
		i->health = HEALTH_UP;
}
