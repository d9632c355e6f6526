#include "tls/clients.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "config/config.h"
#include "tls/trust.h"

struct maker {
	const struct cfg_tls *cfg;
	const char *where;
	struct buf *said;
	struct tls_trust trust;
};

static int
say(struct maker *m, const char *list, size_t i, const char *path,
    const char *why)
{
	buf_printf(m->said, "%s.%s[%zu]: %s: %s\n", m->where, list, i, path,
	    why);
	return E_DAMAGED;
}

static int
add_cas(struct maker *m)
{
	int all = E_OK;

	for (size_t i = 0; i < m->cfg->n_client_ca; i++) {
		const struct cfg_file *f = &m->cfg->client_ca[i];
		const char *why;
		int rc = tls_trust_add(&m->trust, f->text, &why);

		if (rc == E_NOMEM)
			return rc;
		if (rc != E_OK)
			all = say(m, "client_ca", i, f->path, why);
	}
	return all;
}

static int
add_lists(struct maker *m, int64_t now_s)
{
	char name[256];
	int all = E_OK, rc;

	if (m->cfg->n_crl == 0)
		return E_OK;
	for (size_t i = 0; i < m->cfg->n_crl; i++) {
		const struct cfg_file *f = &m->cfg->crl[i];
		const char *why;

		rc = tls_trust_add_lists(&m->trust, f->text, now_s, &why);
		if (rc == E_NOMEM)
			return rc;
		if (rc != E_OK)
			all = say(m, "crl", i, f->path, why);
	}
	if (all != E_OK)
		return all;
	rc = tls_trust_ask_lists(&m->trust, name, sizeof(name));
	if (rc != E_SYNTAX)
		return rc;
	buf_printf(m->said,
	    "%s.crl: there is none of %s, so that nobody it certifies would "
	    "be let in\n",
	    m->where, name);
	return E_DAMAGED;
}

/* ---- what a ticket must agree with ---- */

static bool
digest_files(EVP_MD_CTX *d, const struct cfg_file *list, size_t n)
{
	if (EVP_DigestUpdate(d, &n, sizeof(n)) != 1)
		return false;
	for (size_t i = 0; i < n; i++)
		if (EVP_DigestUpdate(d, &list[i].text.len,
		        sizeof(list[i].text.len)) != 1 ||
		    EVP_DigestUpdate(d, list[i].text.p, list[i].text.len) != 1)
			return false;
	return true;
}

static int
make_sid(struct tls_clients *c, const struct cfg_tls *cfg)
{
	EVP_MD_CTX *d = EVP_MD_CTX_new();
	bool good = d != NULL &&
	    EVP_DigestInit_ex(d, EVP_sha256(), NULL) == 1 &&
	    EVP_DigestUpdate(d, &c->mode, sizeof(c->mode)) == 1 &&
	    digest_files(d, cfg->client_ca, cfg->n_client_ca) &&
	    digest_files(d, cfg->crl, cfg->n_crl) &&
	    EVP_DigestFinal_ex(d, c->sid, &c->sid_len) == 1;

	EVP_MD_CTX_free(d);
	return good ? E_OK : E_NOMEM;
}

/* ---- making it ---- */

static int
add_names(struct tls_clients *c, const struct tls_trust *t)
{
	c->names = sk_X509_NAME_new_null();
	if (c->names == NULL)
		return E_NOMEM;
	for (int i = 0; i < sk_X509_num(t->cas); i++) {
		X509_NAME *name = X509_NAME_dup(
		    X509_get_subject_name(sk_X509_value(t->cas, i)));

		if (name == NULL || sk_X509_NAME_push(c->names, name) == 0) {
			X509_NAME_free(name);
			return E_NOMEM;
		}
	}
	return E_OK;
}

static int
ask(struct tls_clients *c, struct maker *m, int64_t now_s)
{
	int rc;

	c->mode = SSL_VERIFY_PEER;
	if (m->cfg->verify_client == CFG_VERIFY_REQUIRED)
		c->mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	m->trust.store = c->store = X509_STORE_new();
	if (c->store == NULL)
		return E_NOMEM;
	rc = add_cas(m);
	if (rc == E_OK)
		rc = add_lists(m, now_s);
	if (rc == E_OK)
		rc = add_names(c, &m->trust);
	if (rc == E_OK)
		rc = make_sid(c, m->cfg);
	return rc;
}

int
tls_clients_make(struct tls_clients *c, const struct cfg_tls *cfg,
    const char *where, int64_t now_s, struct buf *said)
{
	static const char nobody[] = "segue";
	struct maker m = { .cfg = cfg, .where = where, .said = said };
	int rc;

	*c = (struct tls_clients){ .mode = SSL_VERIFY_NONE };
	if (cfg->verify_client == CFG_VERIFY_NONE) {
		c->sid_len = sizeof(nobody) - 1;
		memcpy(c->sid, nobody, c->sid_len);
		return E_OK;
	}
	rc = ask(c, &m, now_s);
	tls_trust_free(&m.trust);
	if (rc != E_OK)
		tls_clients_free(c);
	return rc;
}

int
tls_clients_use(const struct tls_clients *c, SSL_CTX *ctx)
{
	STACK_OF(X509_NAME) * names;

	if (SSL_CTX_set_session_id_context(ctx, c->sid, c->sid_len) != 1)
		return E_NOMEM;
	if (c->store == NULL)
		return E_OK;
	names = SSL_dup_CA_list(c->names);
	if (names == NULL)
		return E_NOMEM;
	SSL_CTX_set1_cert_store(ctx, c->store);
	SSL_CTX_set_client_CA_list(ctx, names); /* takes it over */
	SSL_CTX_set_verify(ctx, c->mode, NULL);
	return E_OK;
}

void
tls_clients_free(struct tls_clients *c)
{
	X509_STORE_free(c->store);
	sk_X509_NAME_pop_free(c->names, X509_NAME_free);
	*c = (struct tls_clients){ .store = NULL };
}
