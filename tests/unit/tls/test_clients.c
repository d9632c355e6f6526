/* Certificates of clients: who is let in, what a ticket keeps of it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../base/fault.h"
#include "base/attr.h"
#include "base/err.h"
#include "paper.h"
#include "tls/peer.h"
#include "tls/server.h"
#include "tls/stream_int.h"

enum { OWN, ROOT, OTHER, MIDDLE, ANNA, BEN, LATE, STRANGER, SERVER, PAPERS };

static struct paper papers[PAPERS];
static char *lists[2]; /* of ROOT, with BEN revoked, and of MIDDLE */
static struct cfg_certificate certs[1];
static struct cfg_file cas[2], crls[2];
static struct cfg_tls cfg;
static char path[] = "/f.pem";

static struct cfg_file
file(const char *text)
{
	return (struct cfg_file){ path, str_of(text), 0, 0 };
}

static void
up(void)
{
	papers[OWN] = paper_new(PAPER_EC, "own", "DNS:a.org", -DAY_S, DAY_S);
	papers[ROOT] = paper_ca("root", NULL);
	papers[OTHER] = paper_ca("other", NULL);
	papers[MIDDLE] = paper_ca("middle", &papers[ROOT]);
	papers[ANNA] = paper_of(&papers[MIDDLE], "anna", -DAY_S, DAY_S);
	papers[BEN] = paper_of(&papers[ROOT], "ben", -DAY_S, DAY_S);
	papers[LATE] = paper_of(&papers[ROOT], "late", -2 * DAY_S, -DAY_S);
	papers[STRANGER] = paper_of(&papers[OTHER], "x", -DAY_S, DAY_S);
	papers[SERVER] = paper_of(&papers[ROOT], "soon", -DAY_S, 2);
	lists[0] = paper_crl(&papers[ROOT], &papers[BEN], -DAY_S, DAY_S);
	lists[1] = paper_crl(&papers[MIDDLE], NULL, -DAY_S, DAY_S);
	cfg = paper_cfg(certs, papers, 1);
	cas[0] = file(papers[ROOT].cert);
	cas[1] = file(papers[OTHER].cert);
	cfg.client_ca = cas;
	cfg.n_client_ca = 1;
	cfg.crl = crls;
	cfg.verify_client = CFG_VERIFY_REQUIRED;
}

static void
down(void)
{
	for (int i = 0; i < PAPERS; i++)
		paper_free(&papers[i]);
	free(lists[0]);
	free(lists[1]);
}

TestSuite(clients, .init = up, .fini = down, .timeout = 60);

static struct tls_server *
make(void)
{
	struct buf said = BUF_INIT;
	struct tls_server *s;

	cr_assert_eq(tls_server_new(&cfg, "f: tls", time(NULL), &said, &s),
	    E_OK, "%s", said.p);
	buf_free(&said);
	return s;
}

/* ---- both ends in memory ---- */

static SSL_SESSION *kept;

static int
keep(SSL *ssl UNUSED, SSL_SESSION *session)
{
	SSL_SESSION_free(kept);
	kept = session;
	return 1;
}

static X509 *
read_cert(const char *pem)
{
	BIO *b = BIO_new_mem_buf(pem, -1);
	X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);

	BIO_free(b);
	cr_assert_not_null(x);
	return x;
}

static void
show(SSL_CTX *ctx, const struct paper *p, const struct paper *above)
{
	BIO *b = BIO_new_mem_buf(p->key, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
	X509 *x = read_cert(p->cert);

	cr_assert_eq(SSL_CTX_use_certificate(ctx, x), 1);
	cr_assert_eq(SSL_CTX_use_PrivateKey(ctx, key), 1);
	if (above != NULL)
		cr_assert_eq(
		    SSL_CTX_add0_chain_cert(ctx, read_cert(above->cert)), 1);
	X509_free(x);
	EVP_PKEY_free(key);
	BIO_free(b);
}

static SSL_CTX *
client(int version, int paper)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(ctx, keep);
	if (paper >= 0)
		show(ctx, &papers[paper],
		    paper == ANNA ? &papers[MIDDLE] : NULL);
	return ctx;
}

struct meeting {
	SSL *client, *server;
	bool well;
	long verified;
};

static void
meet(struct meeting *m, struct tls_server *s, SSL_CTX *ctx)
{
	BIO *a, *b;
	int rc[2] = { 0, 0 };
	char c;

	cr_assert_eq(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	m->client = SSL_new(ctx);
	m->server = tls_server_ssl(s);
	SSL_set_bio(m->client, a, a);
	SSL_set_bio(m->server, b, b);
	SSL_set_connect_state(m->client);
	SSL_set_accept_state(m->server);
	if (kept != NULL)
		cr_assert_eq(SSL_set_session(m->client, kept), 1);
	for (int i = 0; i < 10 && (rc[0] != 1 || rc[1] != 1); i++) {
		rc[0] = SSL_do_handshake(m->client);
		rc[1] = SSL_do_handshake(m->server);
	}
	m->well = rc[1] == 1;
	m->verified = SSL_get_verify_result(m->server);
	if (m->well)
		cr_assert_lt(SSL_read(m->client, &c, 1), 1); /* tickets */
	ERR_clear_error();
}

static void
part(struct meeting *m)
{
	SSL_set_shutdown(m->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(m->client);
	SSL_free(m->server);
}

static const struct {
	const char *why;
	int paper;
	bool with_lists, optional, well;
	long verified;
} rows[] = {
	{ "nobody, where one must", -1, false, false, false, X509_V_OK },
	{ "nobody, where one may", -1, false, true, true, X509_V_OK },
	{ "through a middle one", ANNA, false, false, true, X509_V_OK },
	{ "directly", BEN, false, false, true, X509_V_OK },
	{ "not revoked", ANNA, true, false, true, X509_V_OK },
	{ "revoked", BEN, true, false, false, X509_V_ERR_CERT_REVOKED },
	{ "revoked is no better where one may", BEN, true, true, false,
	    X509_V_ERR_CERT_REVOKED },
	{ "expired", LATE, false, true, false, X509_V_ERR_CERT_HAS_EXPIRED },
	{ "of another authority", STRANGER, false, true, false,
	    X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY },
	{ "signed by itself", OWN, false, true, false,
	    X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT },
};

static void
use_lists(size_t n)
{
	crls[0] = file(lists[0]);
	crls[1] = file(lists[1]);
	cfg.n_crl = n;
}

Test(clients, who_is_let_in)
{
	static const int vs[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		size_t r = i / 2;
		SSL_CTX *ctx = client(vs[i % 2], rows[r].paper);
		struct tls_server *s;
		struct meeting m;

		use_lists(rows[r].with_lists ? 2 : 0);
		cfg.verify_client = rows[r].optional ? CFG_VERIFY_OPTIONAL
		                                     : CFG_VERIFY_REQUIRED;
		s = make();
		meet(&m, s, ctx);
		cr_expect_eq(m.well, rows[r].well, "%s", rows[r].why);
		cr_expect_eq(m.verified, rows[r].verified, "%s: %ld",
		    rows[r].why, m.verified);
		part(&m);
		SSL_CTX_free(ctx);
		tls_server_free(&s);
		SSL_SESSION_free(kept);
		kept = NULL;
	}
}

/* ---- what is known of it ---- */

static bool
is_der(struct str der, int paper)
{
	X509 *x = read_cert(papers[paper].cert);
	unsigned char *p = NULL;
	int n = i2d_X509(x, &p);
	bool same = n > 0 && str_eq(der, str_from((char *)p, (size_t)n));

	OPENSSL_free(p);
	X509_free(x);
	return same;
}

static void
expect_anna(SSL *ssl, const char *why)
{
	struct tls_peer *p;

	cr_assert_eq(tls_peer_make(ssl, &p), E_OK);
	cr_assert_not_null(p, "%s", why);
	cr_expect(is_der(p->der, ANNA), "%s", why);
	cr_assert_eq(p->n_chain, 1, "%s: %zu", why, p->n_chain);
	cr_expect(is_der(p->chain[0], MIDDLE), "%s", why);
	cr_expect(str_eq(p->subject, STR("CN=anna")), "%s", why);
	cr_expect(str_eq(p->issuer, STR("CN=middle")), "%s", why);
	cr_expect(str_eq(p->cn, STR("anna")), "%s", why);
	cr_expect_gt(p->bytes, sizeof(*p) + p->der.len + p->chain[0].len);
	free(p);
}

static bool
resumes(struct tls_server *s, SSL_CTX *ctx, const char *why)
{
	struct meeting m;
	bool resumed;

	meet(&m, s, ctx);
	cr_assert(m.well, "%s", why);
	resumed = SSL_session_reused(m.server) == 1;
	expect_anna(m.server, why);
	part(&m);
	return resumed;
}

/* A ticket is good where the same would be asked, and nowhere else. */
Test(clients, tickets)
{
	static const int vs[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_server *none, *optional, *required, *again, *more, *listed;

	required = make();
	again = make();
	cfg.n_client_ca = 2;
	more = make();
	cfg.n_client_ca = 1;
	cfg.verify_client = CFG_VERIFY_OPTIONAL;
	optional = make();
	use_lists(2);
	listed = make();
	cfg.verify_client = CFG_VERIFY_NONE;
	none = make();
	for (size_t v = 0; v < ARRAY_LEN(vs); v++) {
		SSL_CTX *ctx = client(vs[v], ANNA);
		struct meeting m;
		struct tls_peer *p;

		meet(&m, none, ctx);
		cr_assert(m.well);
		cr_assert_eq(tls_peer_make(m.server, &p), E_OK);
		cr_expect_null(p, "nobody was asked");
		part(&m);
		cr_expect(!resumes(required, ctx, "of who asks nobody"));
		cr_expect(resumes(required, ctx, "its own"));
		cr_expect(resumes(again, ctx, "another one alike"));
		cr_expect(resumes(again, ctx, "that came of a resumption"));
		cr_expect(!resumes(optional, ctx, "who asks otherwise"));
		cr_expect(!resumes(required, ctx, "and back"));
		cr_expect(!resumes(more, ctx, "of fewer authorities"));
		cr_expect(!resumes(listed, ctx, "from before the lists"));
		cr_expect(resumes(listed, ctx, "with lists"));
		SSL_SESSION_free(kept);
		kept = NULL;
		SSL_CTX_free(ctx);
	}
	tls_server_free(&none);
	tls_server_free(&optional);
	tls_server_free(&required);
	tls_server_free(&again);
	tls_server_free(&more);
	tls_server_free(&listed);
}

/* A session whose certificate has expired since is not resumed. */
Test(clients, an_old_ticket)
{
	struct tls_server *s = make();
	SSL_CTX *ctx = client(TLS1_3_VERSION, SERVER);
	struct meeting m;
	struct timespec ms = { 0, 50000000 };
	X509 *x = read_cert(papers[SERVER].cert);

	meet(&m, s, ctx);
	cr_assert(m.well);
	part(&m);
	cr_assert_not_null(kept);
	/* What is waited for is the certificate's own end. */
	while (X509_cmp_current_time(X509_get0_notAfter(x)) > 0)
		(void)nanosleep(&ms, NULL);
	meet(&m, s, ctx);
	cr_expect(!m.well);
	cr_expect_eq(m.verified, X509_V_ERR_CERT_HAS_EXPIRED);
	part(&m);
	X509_free(x);
	SSL_SESSION_free(kept);
	kept = NULL;
	SSL_CTX_free(ctx);
	tls_server_free(&s);
}

/* ---- what a server is not made of ---- */

static void
refused(const char *said)
{
	struct buf b = BUF_INIT;
	struct tls_server *s;

	cr_expect_eq(tls_server_new(&cfg, "f: tls", time(NULL), &b, &s),
	    E_DAMAGED, "%s", said);
	cr_expect_null(s);
	cr_expect_eq(strncmp(b.p == NULL ? "" : b.p, said, strlen(said)), 0,
	    "%s", b.p);
	buf_free(&b);
}

Test(clients, that_cannot_be_asked)
{
	char *late = paper_crl(&papers[ROOT], NULL, -2 * DAY_S, -DAY_S);
	char *early = paper_crl(&papers[ROOT], NULL, DAY_S, 2 * DAY_S);
	struct paper twin = paper_ca("root", NULL);
	char *forged = paper_crl(&twin, NULL, -DAY_S, DAY_S), *cut;

	cfg.n_client_ca = 2;
	cas[1] = file("");
	refused("f: tls.client_ca[1]: /f.pem: there is no certificate in it\n");
	cut = strdup(papers[OTHER].cert);
	cut[strlen(cut) - 40] = '\0';
	cas[1] = file(cut);
	refused("f: tls.client_ca[1]: /f.pem: ");
	cas[1] = file(papers[OTHER].cert);
	use_lists(1);
	refused("f: tls.crl: there is none of /CN=other, so that nobody it "
	        "certifies would be let in\n");
	cfg.n_client_ca = 1;
	crls[0] = file(papers[ROOT].cert);
	refused("f: tls.crl[0]: /f.pem: there is no list (CRL) in it\n");
	crls[0] = file(late);
	refused("f: tls.crl[0]: /f.pem: it is overdue");
	crls[0] = file(early);
	refused("f: tls.crl[0]: /f.pem: it is not valid yet\n");
	crls[0] = file(forged);
	refused("f: tls.crl[0]: /f.pem: its authority has not signed it\n");
	paper_free(&twin);
	free(late);
	free(early);
	free(forged);
	free(cut);
}

/* ---- when memory is out ---- */

/* One call in many fails: a server or none, never half of one. */
Test(clients, without_memory)
{
	struct tls_server *s;
	unsigned n = 1, before, failed = 0;

	use_lists(2);
	s = make(); /* what is made once is made now */
	tls_server_free(&s);
	do {
		struct buf said = BUF_INIT;
		int rc;

		before = fault_calls(FAULT_MALLOC);
		fault_arm(FAULT_MALLOC, n, ENOMEM);
		rc = tls_server_new(&cfg, "f", time(NULL), &said, &s);
		fault_arm(FAULT_MALLOC, 0, 0);
		cr_expect_eq(s != NULL, rc == E_OK, "%u", n);
		failed += rc != E_OK;
		if (s != NULL)
			tls_server_free(&s);
		buf_free(&said);
		n += n < 100 ? 1 : 29;
	} while (fault_calls(FAULT_MALLOC) - before >= n);
	cr_expect_gt(failed, 0);
}

/* The certificate of a connection: all of it, or a code. */
Test(clients, peer_without_memory)
{
	struct tls_server *s = make();
	SSL_CTX *ctx = client(TLS1_3_VERSION, ANNA);
	struct meeting m;
	struct tls_peer *p;
	unsigned n = 0, before;

	meet(&m, s, ctx);
	cr_assert(m.well);
	expect_anna(m.server, "with memory");
	do {
		int rc;

		before = fault_calls(FAULT_MALLOC);
		fault_arm(FAULT_MALLOC, ++n, ENOMEM);
		rc = tls_peer_make(m.server, &p);
		fault_arm(FAULT_MALLOC, 0, 0);
		cr_expect_eq(rc, p != NULL ? E_OK : E_NOMEM, "%u", n);
		cr_expect(p == NULL || p->n_chain == 1);
		cr_expect(p == NULL || p->cn.len == 4, "%u", n);
		free(p);
	} while (fault_calls(FAULT_MALLOC) - before >= n);
	cr_expect_gt(n, 2);
	part(&m);
	SSL_SESSION_free(kept);
	kept = NULL;
	SSL_CTX_free(ctx);
	tls_server_free(&s);
}
