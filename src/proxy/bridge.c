#include "proxy/bridge.h"

#include "base/err.h"
#include "config/edits.h"
#include "http/head.h"
#include "proxy/exchange.h"
#include "proxy/websocket.h"
#include "session/wskey.h"

#define KEY "Sec-WebSocket-Key"
#define ACCEPT "Sec-WebSocket-Accept"

/* What HTTP/2 has not, in any spelling. */
static void
drop_handshake(struct http_head *h)
{
	for (unsigned i = 0; i < h->n; i++) {
		struct str name = str_from(h->f[i].name, h->f[i].name_len);

		if (edit_fits(STR("sec-websocket-key"), name) ||
		    edit_fits(STR("sec-websocket-accept"), name))
			h->f[i].flags |= HF_DROP;
	}
}

bool
bridge_is_on(const struct exchange *x)
{
	return x->req.h2 && x->req.upgrade;
}

int
bridge_request(struct exchange *x)
{
	drop_handshake(&x->req);
	x->ws_key = exchange_alloc(x, WSKEY_LEN);
	if (x->ws_key == NULL)
		return E_NOMEM;
	bridge_renew_key(x);
	return http_head_add(&x->req, FIELD_OTHER, STR(KEY),
	    str_from(x->ws_key, WSKEY_LEN));
}

void
bridge_renew_key(struct exchange *x)
{
	if (x->ws_key != NULL)
		wskey_make(x->ws_key);
}

/* Exactly one field, of that value. */
static bool
says_once(const struct http_head *h, struct str name, struct str value)
{
	unsigned n = 0, fit = 0;

	for (unsigned i = 0; i < h->n; i++) {
		const struct http_field *f = &h->f[i];

		if (!str_caseeq(str_from(f->name, f->name_len), name))
			continue;
		n++;
		fit += str_eq(str_from(f->value, f->value_len), value);
	}
	return n == 1 && fit == 1;
}

bool
bridge_agrees(struct exchange *x, struct http_head *h)
{
	char accept[WSKEY_ACCEPT_LEN];
	bool agrees = h->upgrade && websocket_is(h) &&
	    wskey_accept(x->ws_key, accept) == E_OK &&
	    says_once(h, STR(ACCEPT), str_from(accept, sizeof(accept)));

	drop_handshake(h);
	return agrees;
}

bool
bridge_is_misled(const struct exchange *x, unsigned status)
{
	return bridge_is_on(x) && status / 100 == 2;
}
