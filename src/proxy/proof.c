#include "proxy/proof.h"

#include "base/err.h"
#include "config/config.h"
#include "http/client_cert.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/strip.h"
#include "proxy/worker.h"
#include "tls/peer.h"
#include "upstream/view.h"

static const enum client_cert_style styles[] = {
	[CFG_CLIENT_CERT_RFC9440] = CLIENT_CERT_RFC9440,
	[CFG_CLIENT_CERT_NGINX] = CLIENT_CERT_NGINX,
	[CFG_CLIENT_CERT_HAPROXY] = CLIENT_CERT_HAPROXY,
};

static void
count(struct client *c, size_t bytes)
{
	c->proof_bytes += (uint32_t)bytes;
	c->proxy->proof_bytes += bytes;
}

int
proof_look(struct client *of, const struct tls_peer **peer)
{
	struct client *c = client_connection(of);
	int rc = tls_peer_of(client_conn(c), peer);

	if (*peer != NULL && !c->proof_read)
		count(c, (*peer)->bytes);
	c->proof_read |= *peer != NULL;
	return rc;
}

static int
write_fields(struct exchange *x, const struct client_cert *c)
{
	const struct cfg_service *cfg = x->vs->cfg;
	enum client_cert_style style = styles[cfg->client_cert];
	ssize_t n = client_cert_room(c, style, cfg->client_cert_chain);
	char *room;

	if (n < 0)
		return E_TOOBIG;
	room = exchange_alloc(x, (size_t)n);
	if (room == NULL)
		return E_NOMEM;
	strip_certificates(&x->req);
	return client_cert_add(c, style, cfg->client_cert_chain, room, &x->req);
}

int
proof_add(struct exchange *x)
{
	const struct tls_peer *peer;
	struct client_cert c = { .verified = true };
	int rc;

	rc = proof_look(x->client, &peer);
	if (rc != E_OK || peer == NULL)
		return rc;
	c.der = peer->der;
	c.chain = peer->chain;
	c.n_chain = peer->n_chain;
	c.subject = peer->subject;
	c.issuer = peer->issuer;
	return write_fields(x, &c);
}

void
proof_note(struct client *c)
{
	count(c, tls_peer_weight(&c->lane.conn));
}

void
proof_forget(struct client *c)
{
	c->proxy->proof_bytes -= c->proof_bytes;
	c->proof_bytes = 0;
}
