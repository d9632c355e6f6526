#include "tls/client.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "config/config.h"
#include "tls/cert.h"
#include "tls/fault.h"
#include "tls/stream_int.h"
#include "tls/trust.h"

struct tls_client {
	SSL_CTX *ctx;
	char *name; /* owned; NULL: that of each instance */
	bool verify;
	uint64_t id; /* of the settings and the content of the files */
};

/* What is offered, as it is on the wire, the one we like most first. */
#define ALPN_H1 "\x08http/1.1"
#define ALPN_H2 "\x02h2"
static const struct str offers[] = {
	[CFG_PROTOCOL_H1] = STR(ALPN_H1),
	[CFG_PROTOCOL_H2] = STR(ALPN_H2),
	[CFG_PROTOCOL_H2C] = STR(ALPN_H1),
	[CFG_PROTOCOL_AUTO] = STR(ALPN_H2 ALPN_H1),
};

struct maker {
	const struct cfg_pool_tls *cfg;
	const char *where;
	struct buf *said;
	struct tls_client *client;
};

static int
say(struct maker *m, const char *key, const char *value, const char *why)
{
	buf_printf(m->said, "%s.%s: %s: %s\n", m->where, key, value, why);
	return E_DAMAGED;
}

/* ---- whom we trust ---- */

static int
use_trust(struct maker *m)
{
	SSL_CTX *ctx = m->client->ctx;
	struct tls_trust trust = { .store = SSL_CTX_get_cert_store(ctx) };
	char at[32];
	int rc = E_OK;

	if (!m->cfg->verify)
		return E_OK;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (m->cfg->n_ca == 0)
		return SSL_CTX_set_default_verify_paths(ctx) == 1 ? E_OK
		                                                  : E_NOMEM;
	for (size_t i = 0; i < m->cfg->n_ca && rc == E_OK; i++) {
		const char *why;

		rc = tls_trust_add(&trust, m->cfg->ca[i].text, &why);
		(void)snprintf(at, sizeof(at), "ca[%zu]", i);
		if (rc == E_SYNTAX)
			rc = say(m, at, m->cfg->ca[i].path, why);
	}
	tls_trust_free(&trust);
	return rc;
}

/* ---- as whom we come ---- */

static int
use_own(struct maker *m, int64_t now_s)
{
	const struct cfg_certificate *c = &m->cfg->own;
	struct tls_cert cert;
	const char *why;
	int rc;

	if (c->certificate.path == NULL)
		return E_OK;
	rc = tls_cert_read(c->certificate.text,
	    c->key.path == NULL ? c->certificate.text : c->key.text, now_s,
	    &cert, &why);
	if (rc == E_NOMEM)
		return rc;
	if (rc != E_OK)
		return say(m, "certificate", c->certificate.path, why);
	if (SSL_CTX_use_cert_and_key(m->client->ctx, cert.leaf, cert.key,
	        cert.chain, 1) != 1)
		rc = say(m, "certificate", c->certificate.path,
		    tls_fault_say());
	tls_cert_free(&cert);
	return rc;
}

/* ---- making it ---- */

static void
add_hash(uint64_t *id, const void *p, size_t len)
{
	*id = hash_bytes(p, len, *id);
}

static uint64_t
id_of(const struct cfg_pool_tls *cfg)
{
	uint64_t id = 1;

	for (size_t i = 0; i < cfg->n_ca; i++)
		add_hash(&id, &cfg->ca[i].hash, sizeof(cfg->ca[i].hash));
	add_hash(&id, &cfg->own.certificate.hash, sizeof(uint64_t));
	add_hash(&id, &cfg->own.key.hash, sizeof(uint64_t));
	if (cfg->name != NULL)
		add_hash(&id, cfg->name, strlen(cfg->name));
	add_hash(&id, &cfg->verify, sizeof(cfg->verify));
	add_hash(&id, &cfg->min_version, sizeof(cfg->min_version));
	add_hash(&id, &cfg->protocol, sizeof(cfg->protocol));
	return id;
}

static int
fill(struct maker *m, int64_t now_s)
{
	const struct cfg_pool_tls *cfg = m->cfg;
	struct tls_client *c = m->client;
	int rc;

	c->verify = cfg->verify;
	c->id = id_of(cfg);
	if (cfg->name != NULL) {
		c->name = strdup(cfg->name);
		if (c->name == NULL)
			return E_NOMEM;
	}
	rc = tls_context_init(c->ctx, cfg->min_version);
	if (rc != E_OK)
		return rc;
	SSL_CTX_set_session_cache_mode(c->ctx,
	    SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c->ctx, tls_stream_keep);
	if (SSL_CTX_set_alpn_protos(c->ctx,
	        (const unsigned char *)offers[cfg->protocol].p,
	        (unsigned)offers[cfg->protocol].len) != 0)
		return E_NOMEM;
	rc = use_trust(m);
	return rc == E_OK ? use_own(m, now_s) : rc;
}

int
tls_client_new(const struct cfg_pool_tls *cfg, const char *where, int64_t now_s,
    struct buf *said, struct tls_client **out)
{
	struct maker m = { cfg, where, said, calloc(1, sizeof(*m.client)) };
	int rc = E_NOMEM;

	*out = m.client;
	if (m.client == NULL)
		return E_NOMEM;
	ERR_clear_error();
	m.client->ctx = SSL_CTX_new(TLS_client_method());
	if (m.client->ctx != NULL)
		rc = fill(&m, now_s);
	ERR_clear_error();
	if (rc != E_OK)
		tls_client_free(out);
	return rc;
}

void
tls_client_free(struct tls_client **cp)
{
	struct tls_client *c = *cp;

	if (c == NULL)
		return;
	SSL_CTX_free(c->ctx);
	free(c->name);
	free(c);
	*cp = NULL;
}

void
tls_kept_drop(struct tls_kept *k)
{
	SSL_SESSION_free(k->session);
	*k = (struct tls_kept){ NULL, 0 };
}

/* ---- using it ---- */

/* SNI has names only (RFC 6066 3); an address is verified, too. */
static bool
set_name(const struct tls_client *c, SSL *ssl, const char *host)
{
	char name[256];
	size_t len = str_copy(str_of(host), name, sizeof(name));
	X509_VERIFY_PARAM *v = SSL_get0_param(ssl);

	if (name[0] == '[' && len > 2) {
		memmove(name, name + 1, len - 2);
		name[len - 2] = '\0';
	}
	if (X509_VERIFY_PARAM_set1_ip_asc(v, name) == 1)
		return true;
	ERR_clear_error();
	X509_VERIFY_PARAM_set_hostflags(v,
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set_tlsext_host_name(ssl, name) == 1 &&
	    (!c->verify || SSL_set1_host(ssl, name) == 1);
}

int
tls_connect(struct conn *conn, const struct tls_client *c, const char *host,
    bool h1, struct tls_kept *kept)
{
	struct str offer = offers[CFG_PROTOCOL_H1];
	SSL *ssl = SSL_new(c->ctx);
	int rc = E_NOMEM;

	if (ssl != NULL && h1 &&
	    SSL_set_alpn_protos(ssl, (const unsigned char *)offer.p,
	        (unsigned)offer.len) != 0) {
		SSL_free(ssl);
		ssl = NULL;
	}
	if (ssl != NULL && set_name(c, ssl, c->name == NULL ? host : c->name)) {
		if (kept != NULL && kept->session != NULL &&
		    kept->of == c->id &&
		    SSL_SESSION_is_resumable(kept->session))
			(void)SSL_set_session(ssl, kept->session);
		rc = tls_stream_dial(conn, ssl, kept, c->id);
	}
	if (rc != E_OK)
		SSL_free(ssl);
	ERR_clear_error();
	return rc;
}

bool
tls_fits(const struct conn *conn, const struct tls_client *c)
{
	return tls_stream_settings(conn) == (c == NULL ? 0 : c->id);
}
