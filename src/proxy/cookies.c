#include "proxy/cookies.h"

#include <string.h>

#include "base/err.h"
#include "config/config.h"
#include "http/cookie_space.h"
#include "proxy/exchange.h"
#include "proxy/route.h"
#include "upstream/view.h"
#include "wire/lane.h"

void
cookies_note_pool(struct exchange *x, const struct view_pool *vp)
{
	const char *name = vp->cfg->cookie_namespace;

	str_copy(name == NULL ? STR("") : str_of(name), x->cookie_space,
	    sizeof(x->cookie_space));
}

/* As the pool sees it; all[] is the caller's. */
static struct cookie_space
space_of(const struct exchange *x, struct str all[CFG_POOLS_MAX])
{
	const struct view_service *vs = route_service_now(x);
	struct cookie_space s = { .own = str_of(x->cookie_space), .all = all };

	if (vs == NULL)
		return s; /* it is gone: then nothing is shared */
	for (size_t i = 0; i < vs->n_pools; i++)
		if (vs->pools[i].cfg->cookie_namespace != NULL)
			all[s.n_all++] = str_of(
			    vs->pools[i].cfg->cookie_namespace);
	s.shared = vs->cfg->cookies_shared;
	s.n_shared = vs->cfg->n_cookies_shared;
	return s;
}

/* ---- requests ---- */

/* Dropped for the time of one head, while the first one stands for all. */
enum { HF_ASIDE = 2 };
_Static_assert((HF_ASIDE & HF_DROP) == 0, "another flag");

/* The first Cookie field, and what it was. */
struct aside {
	struct http_field *first;
	struct http_field was;
};

static bool
is_live(const struct http_field *f)
{
	return f->id == FIELD_COOKIE && (f->flags & HF_DROP) == 0;
}

static size_t
room_needed(const struct http_head *h)
{
	size_t room = 0;

	for (unsigned i = 0; i < h->n; i++)
		if (is_live(&h->f[i]))
			room += h->f[i].value_len + STR("; ").len;
	return room;
}

/* All of them become one, in out. */
static int
join(struct http_head *h, const struct cookie_space *s, char *out, size_t cap,
    struct aside *aside)
{
	size_t len = 0;

	for (unsigned i = 0; i < h->n; i++) {
		struct http_field *f = &h->f[i];
		size_t from = len > 0 ? len + STR("; ").len : 0;
		ssize_t n;

		if (!is_live(f))
			continue;
		n = cookie_space_to_server(s, str_from(f->value, f->value_len),
		    out + from, cap - from);
		if (n < 0)
			return (int)n;
		if (n > 0 && from > 0)
			(void)memcpy(out + len, "; ", from - len);
		if (n > 0)
			len = from + (size_t)n;
		if (aside->first == NULL) {
			aside->first = f;
			aside->was = *f;
		} else {
			f->flags |= HF_DROP | HF_ASIDE;
		}
	}
	if (aside->first == NULL)
		return E_OK;
	aside->first->value = out;
	aside->first->value_len = (uint32_t)len;
	if (len == 0)
		aside->first->flags |= HF_DROP;
	return E_OK;
}

static void
put_back(struct http_head *h, const struct aside *aside)
{
	if (aside->first == NULL)
		return;
	*aside->first = aside->was;
	for (unsigned i = 0; i < h->n; i++)
		if ((h->f[i].flags & HF_ASIDE) != 0)
			h->f[i].flags &= (uint8_t) ~(HF_DROP | HF_ASIDE);
}

int
cookies_send_head(struct exchange *x, struct lane *l, unsigned flags)
{
	struct http_head *h = &x->req;
	size_t room = room_needed(h);
	struct aside aside = { .first = NULL };
	int rc = E_OK;

	if (room > 0) {
		struct str all[CFG_POOLS_MAX];
		struct cookie_space s = space_of(x, all);
		char *out = exchange_alloc(x, room);

		rc = out == NULL ? E_NOMEM : join(h, &s, out, room, &aside);
	}
	if (rc == E_OK)
		rc = lane_send_head(l, h, h->framing, flags);
	put_back(h, &aside);
	return rc;
}

/* ---- answers ---- */

int
cookies_answer(struct exchange *x, struct http_head *h)
{
	struct str all[CFG_POOLS_MAX];
	struct cookie_space s;

	if (x->cookie_space[0] == '\0' || !HTTP_HAS(h, SET_COOKIE))
		return E_OK;
	s = space_of(x, all);
	for (unsigned i = 0; i < h->n; i++) {
		struct http_field *f = &h->f[i];
		size_t room = f->value_len + s.own.len + COOKIE_SPACE_MARK;
		char *out;
		ssize_t n;

		if (f->id != FIELD_SET_COOKIE || (f->flags & HF_DROP) != 0)
			continue;
		out = exchange_alloc(x, room);
		if (out == NULL)
			return E_NOMEM;
		n = cookie_space_to_client(&s, str_from(f->value, f->value_len),
		    out, room);
		if (n < 0)
			return (int)n;
		f->value = out;
		f->value_len = (uint32_t)n;
		if (n == 0)
			f->flags |= HF_DROP;
	}
	return E_OK;
}
