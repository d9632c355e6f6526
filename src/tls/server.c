#include "tls/server.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "tls/cert.h"
#include "tls/clients.h"
#include "tls/fault.h"
#include "tls/ocsp.h"
#include "tls/stream_int.h"
#include "tls/tickets.h"

/* Certificates that are offered together: at most one of a kind of key. */
struct set {
	SSL_CTX *ctx;           /* owned, but the first set's: its owner is the
	                             struct tls_server of the caller */
	struct tls_names names; /* of all of them */
	size_t *certs;          /* owned; indexes */
	size_t n_certs;
	struct shelf *shelf;    /* of the first set: owned */
	const struct shelf *of; /* borrowed: who has the set has the first */
};

/* All sets of one server.  Lives as long as the context of the first. */
struct shelf {
	struct tls_names names; /* .of: which set */
	struct set **sets;      /* owned, but the first */
	size_t n_sets;
	struct tls_tickets tickets;
	struct tls_ocsp *ocsp;  /* owned; of each certificate, perhaps empty */
	size_t n_ocsp;          /* 0: there is none at all */
	unsigned char alpn[64]; /* as it is on the wire, ours first */
	unsigned alpn_len;
};

/* One reference to the context of the first set; that is all. */
struct tls_server {
	SSL_CTX *ctx;
};

/* ---- a set hangs on its context and goes with it ---- */

static void
shelf_free(struct shelf *s)
{
	if (s == NULL)
		return;
	for (size_t i = 1; i < s->n_sets; i++)
		SSL_CTX_free(s->sets[i]->ctx);
	free(s->sets);
	tls_names_free(&s->names);
	for (size_t i = 0; i < s->n_ocsp; i++)
		tls_ocsp_free(&s->ocsp[i]);
	free(s->ocsp);
	explicit_bzero(&s->tickets, sizeof(s->tickets));
	free(s);
}

static void
set_free(struct set *s)
{
	if (s == NULL)
		return;
	shelf_free(s->shelf);
	tls_names_free(&s->names);
	free(s->certs);
	free(s);
}

static void
on_ctx_free(void *ctx UNUSED, void *p, CRYPTO_EX_DATA *data UNUSED,
    int idx UNUSED, long argl UNUSED, void *argp UNUSED)
{
	set_free(p);
}

static int set_index = -1;

static void
make_index(void)
{
	set_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_ctx_free);
}

static bool
has_index(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, make_index);
	return set_index >= 0;
}

static struct set *
set_of(const SSL_CTX *ctx)
{
	return SSL_CTX_get_ex_data(ctx, set_index);
}

bool
tls_context_serves(const SSL_CTX *ctx, struct str host)
{
	const struct set *s = set_of(ctx);

	return s != NULL && tls_names_find(&s->names, host) != NULL;
}

/* ---- what OpenSSL asks in a handshake ---- */

static int
on_name(SSL *ssl, int *alert UNUSED, void *arg)
{
	const struct shelf *s = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct tls_name *found;

	if (name == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	found = tls_names_find(&s->names, str_of(name));
	if (found != NULL && found->of != 0 &&
	    SSL_set_SSL_CTX(ssl, s->sets[found->of]->ctx) == NULL)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	/* Also for a name we do not know: it gets the first certificate. */
	return SSL_TLSEXT_ERR_OK;
}

static int
on_alpn(SSL *ssl UNUSED, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned in_len, void *arg)
{
	const struct shelf *s = arg;
	unsigned char *chosen;

	if (SSL_select_next_proto(&chosen, out_len, s->alpn, s->alpn_len, in,
	        in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 3.2 */
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* The client asks what the authority says of the certificate it gets. */
static int
on_status(SSL *ssl, void *arg)
{
	const struct shelf *s = arg;
	const X509 *own = SSL_get_certificate(ssl);
	int64_t now_s = (int64_t)(clock_wall_us() / US_PER_S);

	for (size_t i = 0; i < s->n_ocsp; i++) {
		const struct tls_ocsp *o = &s->ocsp[i];
		unsigned char *copy;

		if (o->len == 0 || o->leaf != own)
			continue;
		if (!tls_ocsp_is_timely(o, now_s)) {
			tls_stream_note_staple(ssl, TLS_STAPLE_OVERDUE);
			break;
		}
		copy = OPENSSL_memdup(o->der, o->len);
		if (copy == NULL ||
		    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)o->len) !=
		        1)
			break;
		tls_stream_note_staple(ssl, TLS_STAPLE_STAPLED);
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seals)
{
	const struct set *s = set_of(SSL_get_SSL_CTX(ssl));
	int rc = tls_tickets_use(&s->of->tickets, name, iv, cipher, mac, seals);

	/* There a ticket is good for once (RFC 8446 C.4): give another one. */
	return rc == 1 && !seals && SSL_version(ssl) == TLS1_3_VERSION ? 2 : rc;
}

SSL *
tls_server_ssl(struct tls_server *s)
{
	return SSL_new(s->ctx);
}

/* ---- making it ---- */

struct maker {
	const struct cfg_tls *cfg;
	const char *where;
	struct buf *said;
	struct tls_cert *certs; /* owned; [cfg->n_certificates] */
	struct tls_clients clients;
	struct shelf *shelf; /* borrowed: of the first set */
	bool faulty;         /* something was said */
};

static void
say(struct maker *m, const char *key, const char *value, const char *why)
{
	buf_printf(m->said, "%s.%s: %s: %s\n", m->where, key, value, why);
	m->faulty = true;
}

static int
read_certs(struct maker *m, int64_t now_s)
{
	size_t n = m->cfg->n_certificates;

	m->certs = calloc(n + 1, sizeof(*m->certs));
	if (m->certs == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct cfg_certificate *c = &m->cfg->certificates[i];
		struct str key = c->key.path == NULL ? c->certificate.text
		                                     : c->key.text;
		const char *why;
		char at[48];
		int rc = tls_cert_read(c->certificate.text, key, now_s,
		    &m->certs[i], &why);

		if (rc == E_NOMEM)
			return rc;
		(void)snprintf(at, sizeof(at), "certificates[%zu]", i);
		if (rc != E_OK)
			say(m, at, c->certificate.path, why);
	}
	return m->faulty ? E_DAMAGED : E_OK;
}

/* One that is overdue is no fault: it is not handed on, which is told. */
static int
read_ocsp(struct maker *m, size_t i, int64_t now_s)
{
	const struct cfg_file *f = &m->cfg->certificates[i].ocsp;
	struct tls_ocsp *o = &m->shelf->ocsp[i];
	const char *why;
	char at[48];
	int rc;

	if (f->path == NULL)
		return E_OK;
	rc = tls_ocsp_read(f->text, &m->certs[i], o, &why);
	if (rc == E_SYNTAX) {
		(void)snprintf(at, sizeof(at), "certificates[%zu].ocsp", i);
		say(m, at, f->path, why);
		return E_DAMAGED;
	}
	if (rc == E_OK && !tls_ocsp_is_timely(o, now_s))
		log_warn("event=ocsp_overdue file=\"%s\"", f->path);
	return rc;
}

static int
read_all_ocsp(struct maker *m, int64_t now_s)
{
	size_t n = m->cfg->n_certificates;
	bool any = false;
	int all = E_OK;

	for (size_t i = 0; i < n; i++)
		any |= m->cfg->certificates[i].ocsp.path != NULL;
	if (!any)
		return E_OK;
	m->shelf->ocsp = calloc(n, sizeof(*m->shelf->ocsp));
	if (m->shelf->ocsp == NULL)
		return E_NOMEM;
	m->shelf->n_ocsp = n;
	for (size_t i = 0; i < n && all != E_NOMEM; i++) {
		int rc = read_ocsp(m, i, now_s);

		all = rc == E_OK ? all : rc;
	}
	return all;
}

static const char *const alpn_names[] = {
	[CFG_ALPN_HTTP_1_1] = "http/1.1",
	[CFG_ALPN_H2] = "h2",
};

unsigned
tls_alpn_list(const int *alpn, size_t n, bool h2, unsigned char *out,
    size_t cap)
{
	unsigned len = 0;

	for (size_t i = 0; i < n; i++) {
		struct str name = str_of(alpn_names[alpn[i]]);

		if (alpn[i] == CFG_ALPN_H2 && !h2)
			continue;
		if (len + 1 + name.len > cap)
			break;
		out[len++] = (unsigned char)name.len;
		memcpy(out + len, name.p, name.len);
		len += (unsigned)name.len;
	}
	return len;
}

int
tls_context_init(SSL_CTX *ctx, enum cfg_tls_version min)
{
	SSL_CTX_set_options(ctx,
	    SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	/* Reads take what is there; what was read to its end is given back. */
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_mode(ctx,
	    SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
	        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* A record without data comes back to us, so that a flood is seen. */
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	return SSL_CTX_set_min_proto_version(ctx,
	           min == CFG_TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1
	    ? E_OK
	    : E_NOMEM;
}

/* What all contexts of servers have in common. */
static int
use_settings(struct maker *m, SSL_CTX *ctx)
{
	const struct cfg_tls *cfg = m->cfg;

	SSL_CTX_set_options(ctx,
	    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (tls_context_init(ctx, cfg->min_version) != E_OK ||
	    tls_clients_use(&m->clients, ctx) != E_OK)
		return E_NOMEM;
	if (SSL_CTX_set_cipher_list(ctx, cfg->ciphers) != 1)
		say(m, "ciphers", cfg->ciphers, tls_fault_say());
	if (SSL_CTX_set_ciphersuites(ctx, cfg->ciphersuites) != 1)
		say(m, "ciphersuites", cfg->ciphersuites, tls_fault_say());
	if (SSL_CTX_set1_groups_list(ctx, cfg->groups) != 1)
		say(m, "groups", cfg->groups,
		    "there is a group in it that is not known");
	ERR_clear_error();
	return m->faulty ? E_DAMAGED : E_OK;
}

static int
use_cert(struct maker *m, SSL_CTX *ctx, size_t i)
{
	const struct tls_cert *c = &m->certs[i];
	char at[48];

	if (SSL_CTX_use_cert_and_key(ctx, c->leaf, c->key, c->chain, 0) == 1)
		return E_OK;
	(void)snprintf(at, sizeof(at), "certificates[%zu]", i);
	say(m, at, m->cfg->certificates[i].certificate.path, tls_fault_say());
	return E_DAMAGED;
}

/* A context of its own with a set in it; NULL: out of memory. */
static struct set *
set_new(size_t n_certs)
{
	struct set *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->certs = calloc(n_certs + 1, sizeof(*s->certs));
	s->ctx = SSL_CTX_new(TLS_server_method());
	if (s->certs == NULL || s->ctx == NULL ||
	    SSL_CTX_set_ex_data(s->ctx, set_index, s) != 1) {
		SSL_CTX_free(s->ctx); /* without the set: NULL there */
		set_free(s);
		return NULL;
	}
	return s;
}

static int
fill_set(struct maker *m, struct set *s, const size_t *certs, size_t n)
{
	int rc = use_settings(m, s->ctx);

	s->of = m->shelf;
	if (m->shelf->n_ocsp > 0) {
		(void)SSL_CTX_set_tlsext_status_cb(s->ctx, on_status);
		(void)SSL_CTX_set_tlsext_status_arg(s->ctx, m->shelf);
	}
	if (m->shelf->alpn_len > 0)
		SSL_CTX_set_alpn_select_cb(s->ctx, on_alpn, m->shelf);
	for (size_t i = 0; i < n && rc == E_OK; i++) {
		const struct tls_names *names = &m->certs[certs[i]].names;

		s->certs[s->n_certs++] = certs[i];
		rc = use_cert(m, s->ctx, certs[i]);
		for (size_t j = 0; j < names->n && rc == E_OK; j++)
			rc = tls_names_add(&s->names,
			    str_of(names->list[j].text), certs[i]);
	}
	tls_names_sort(&s->names);
	return rc;
}

static bool
has_name(const struct tls_cert *c, const char *name)
{
	for (size_t i = 0; i < c->names.n; i++)
		if (strcmp(c->names.list[i].text, name) == 0)
			return true;
	return false;
}

/* The certificates for a name, one of a kind of key, in the file's order. */
static size_t
certs_for(const struct maker *m, const char *name, size_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < m->cfg->n_certificates; i++) {
		bool same_kind = false;

		for (size_t j = 0; j < n; j++)
			same_kind |= EVP_PKEY_get_base_id(
			                 m->certs[out[j]].key) ==
			    EVP_PKEY_get_base_id(m->certs[i].key);
		if (!same_kind && has_name(&m->certs[i], name))
			out[n++] = i;
	}
	return n;
}

static int
add_set(struct maker *m, const size_t *certs, size_t n, size_t *index)
{
	struct shelf *s = m->shelf;
	struct set *fresh, **sets;

	for (size_t i = 0; i < s->n_sets; i++) {
		*index = i;
		if (s->sets[i]->n_certs == n &&
		    memcmp(s->sets[i]->certs, certs, n * sizeof(*certs)) == 0)
			return E_OK;
	}
	sets = realloc(s->sets, (s->n_sets + 1) * sizeof(*sets));
	if (sets == NULL)
		return E_NOMEM;
	s->sets = sets;
	fresh = set_new(n);
	if (fresh == NULL)
		return E_NOMEM;
	*index = s->n_sets;
	s->sets[s->n_sets++] = fresh;
	return fill_set(m, fresh, certs, n);
}

/* A set for each name of each certificate; most are the same few. */
static int
add_names(struct maker *m, size_t *scratch)
{
	for (size_t i = 0; i < m->cfg->n_certificates; i++) {
		const struct tls_names *names = &m->certs[i].names;

		for (size_t j = 0; j < names->n; j++) {
			const char *name = names->list[j].text;
			size_t n = certs_for(m, name, scratch), index;
			int rc = add_set(m, scratch, n, &index);

			if (rc == E_OK)
				rc = tls_names_add(&m->shelf->names,
				    str_of(name), index);
			if (rc != E_OK)
				return rc;
		}
	}
	tls_names_sort(&m->shelf->names);
	return E_OK;
}

/* The first certificate, and those beside it. */
static size_t
first_certs(const struct maker *m, size_t *out)
{
	const struct tls_names *names = &m->certs[0].names;

	if (names->n > 0)
		for (size_t i = 0; i < names->n; i++)
			if (certs_for(m, names->list[i].text, out) > 0 &&
			    out[0] == 0)
				return certs_for(m, names->list[i].text, out);
	out[0] = 0;
	return 1;
}

static int
use_tickets(struct maker *m, SSL_CTX *ctx)
{
	const struct cfg_tls *cfg = m->cfg;
	bool good;

	if (!cfg->tickets_on) {
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
		return SSL_CTX_set_num_tickets(ctx, 0) == 1 ? E_OK : E_NOMEM;
	}
	if (cfg->tickets.path == NULL)
		good = tls_tickets_own(&m->shelf->tickets);
	else
		good = tls_tickets_read(&m->shelf->tickets, cfg->tickets.text);
	if (!good) {
		say(m, "tickets.file",
		    cfg->tickets.path == NULL ? "none" : cfg->tickets.path,
		    "1 to 16 keys of 80 bytes are expected");
		return E_DAMAGED;
	}
	if (m->clients.store != NULL &&
	    SSL_CTX_set_session_ticket_cb(ctx, tls_peer_pack, tls_peer_unpack,
	        NULL) != 1)
		return E_NOMEM;
	return SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1
	    ? E_OK
	    : E_NOMEM;
}

/* The first set is there: its context is what *out refers to. */
static int
fill_shelf(struct maker *m, struct set *first, int64_t now_s)
{
	size_t *scratch = calloc(m->cfg->n_certificates + 1, sizeof(*scratch));
	int rc = E_NOMEM;

	m->shelf = first->shelf = calloc(1, sizeof(*first->shelf));
	if (scratch == NULL || m->shelf == NULL)
		goto out;
	m->shelf->sets = calloc(1, sizeof(struct set *));
	if (m->shelf->sets == NULL)
		goto out;
	m->shelf->sets[m->shelf->n_sets++] = first;
	m->shelf->alpn_len = tls_alpn_list(m->cfg->alpn, m->cfg->n_alpn,
	    m->cfg->h2_on, m->shelf->alpn, sizeof(m->shelf->alpn));
	SSL_CTX_set_tlsext_servername_callback(first->ctx, on_name);
	SSL_CTX_set_tlsext_servername_arg(first->ctx, m->shelf);
	rc = read_all_ocsp(m, now_s);
	if (rc == E_OK)
		rc = use_tickets(m, first->ctx);
	if (rc == E_OK)
		rc = fill_set(m, first, scratch, first_certs(m, scratch));
	if (rc == E_OK)
		rc = add_names(m, scratch);
out:
	free(scratch);
	return rc;
}

static int
make(struct maker *m, int64_t now_s, struct tls_server **out)
{
	struct set *first;
	int rc;

	*out = calloc(1, sizeof(**out));
	first = has_index() ? set_new(m->cfg->n_certificates) : NULL;
	if (*out == NULL || first == NULL) {
		if (first != NULL)
			SSL_CTX_free(first->ctx);
		free(*out);
		*out = NULL;
		return E_NOMEM;
	}
	(*out)->ctx = first->ctx;
	rc = fill_shelf(m, first, now_s);
	if (rc != E_OK)
		tls_server_free(out);
	return rc;
}

int
tls_server_new(const struct cfg_tls *cfg, const char *where, int64_t now_s,
    struct buf *said, struct tls_server **out)
{
	struct maker m = { .cfg = cfg, .where = where, .said = said };
	int rc = read_certs(&m, now_s);

	*out = NULL;
	if (rc != E_NOMEM) { /* all faults in one go */
		int more = tls_clients_make(&m.clients, cfg, where, now_s,
		    said);

		rc = more == E_OK ? rc : more;
	}
	if (rc == E_OK)
		rc = make(&m, now_s, out);
	tls_clients_free(&m.clients);
	for (size_t i = 0; m.certs != NULL && i < cfg->n_certificates; i++)
		tls_cert_free(&m.certs[i]);
	free(m.certs);
	ERR_clear_error();
	return rc;
}

void
tls_server_free(struct tls_server **sp)
{
	struct tls_server *s = *sp;

	if (s == NULL)
		return;
	SSL_CTX_free(s->ctx);
	free(s);
	*sp = NULL;
}
