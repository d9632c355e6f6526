#include "proxy/gate.h"

#include <arpa/inet.h>

#include "base/clock.h"
#include "http/target.h"
#include "proxy/callers.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/guard.h"
#include "proxy/worker.h"
#include "upstream/view.h"

/* ---- whose request is it? ---- */

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80" */
static bool
read_address(struct str s, struct addr *out)
{
	char text[INET6_ADDRSTRLEN];

	*out = (struct addr){ .len = 0 };
	if (s.len > 0 && s.p[0] == '[') {
		ssize_t end = str_find(s, ']');

		s = end < 0 ? s : str_sub(s, 1, (size_t)end - 1);
	} else if (str_find(s, '.') > 0 && str_find(s, ':') > 0) {
		struct str rest = s, host = str_split(&rest, ':');

		s = str_find(rest, ':') < 0 ? host
		                            : s; /* else ::ffff:1.2.3.4 */
	}
	if (s.len >= sizeof(text))
		return false;
	str_copy(s, text, sizeof(text));
	if (inet_pton(AF_INET, text, &out->in.sin_addr) == 1)
		out->in.sin_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &out->in6.sin6_addr) == 1)
		out->in6.sin6_family = AF_INET6;
	else
		return false;
	return true;
}

static bool
is_trusted(const struct view_listener *l, const struct addr *a)
{
	for (size_t i = 0; i < l->n_trusted; i++)
		if (cidr_has(&l->trusted[i], a))
			return true;
	return false;
}

/*
 * The last address in X-Forwarded-For that is no trusted proxy itself: what
 * stands before it is but said by a stranger.  The first one when all are
 * trusted; false when it is no address.
 */
static bool
forwarded_for(const struct exchange *x, struct addr *out)
{
	const struct view_listener *l = client_listener(x->client);
	const struct http_head *h = &x->req;
	bool known = false, any = false;
	struct str item;

	for (unsigned i = 0; i < h->n; i++) {
		struct str rest = str_from(h->f[i].value, h->f[i].value_len);

		if (h->f[i].id != FIELD_X_FORWARDED_FOR)
			continue;
		while (str_list_next(&rest, &item)) {
			struct addr a;
			bool is_one = read_address(item, &a);

			if (any && is_one && is_trusted(l, &a))
				continue;
			*out = a;
			known = is_one;
			any = true;
		}
	}
	return known;
}

const struct addr *
gate_source(const struct exchange *x, struct addr *room)
{
	if (!x->client->trusted || !HTTP_HAS(&x->req, X_FORWARDED_FOR))
		return &x->client->peer;
	return forwarded_for(x, room) ? room : NULL;
}

/* ---- the address ---- */

bool
gate_connection(struct proxy *p, const struct addr *peer, unsigned listener,
    bool trusted, uint32_t *place)
{
	unsigned max = p->view->listeners[listener].cfg->clients.connections;

	*place = 0;
	if (max == 0 || trusted || p->env.callers == NULL)
		return true;
	return callers_enter(p->env.callers,
	    callers_key(p->env.callers, peer, listener), max, place);
}

bool
gate_is_too_fast(struct exchange *x, const struct cfg_listener *l)
{
	const struct client *c = x->client;
	const struct cfg_clients *cfg = &l->clients;
	struct callers *callers = x->proxy->env.callers;
	const struct addr *from;
	struct addr room;
	uint64_t wait_us;

	if (cfg->requests_per_second == 0 || callers == NULL)
		return false;
	from = gate_source(x, &room);
	if (from == NULL)
		from = &c->peer; /* all that say nonsense count as one */
	wait_us = callers_ask(callers, callers_key(callers, from, c->listener),
	    cfg, loop_now_us(x->proxy->env.loop));
	x->retry_s = (uint32_t)((wait_us + US_PER_S - 1) / US_PER_S);
	return wait_us > 0;
}

/* ---- the rules ---- */

unsigned
gate_refuses(struct exchange *x, enum outcome *why)
{
	const struct view_service *vs = x->vs;
	struct str path, query;
	struct addr room;
	size_t which;

	if (vs->n_guards == 0)
		return 0;
	target_split(x->req.target, &path, &query);
	if (path.len == 0 || str_eq(path, STR("*")))
		path = STR("/");
	*why = OUT_DENIED;
	switch (guard_judge(vs->guards, vs->n_guards, path, x->req.method_text,
	    gate_source(x, &room), &which)) {
	case GUARD_ALLOW:
		return 0;
	case GUARD_UNCLEAR:
		x->bad = BAD_TARGET;
		*why = OUT_BAD_REQUEST;
		return 400;
	case GUARD_HIDE:
		x->rule = (uint16_t)(which + 1);
		return 404;
	case GUARD_DENY:
		break;
	}
	x->rule = (uint16_t)(which + 1);
	return 403;
}
