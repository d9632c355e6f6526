/* What is stapled to a certificate, and what is refused or held back. */
#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/attr.h"
#include "base/err.h"
#include "paper.h"
#include "tls/server.h"
#include "tls/stream_int.h"

static struct paper root, other, twin, leaf, sister;
static char *chain; /* the leaf, then the root */
static struct cfg_certificate certs[1];
static struct cfg_tls cfg;
static char path[] = "/f.ocsp";

static void
up(void)
{
	root = paper_ca("root", NULL);
	other = paper_ca("other", NULL);
	twin = paper_ca("root", NULL); /* another key */
	leaf = paper_of(&root, "leaf", -DAY_S, DAY_S);
	sister = paper_of(&root, "sister", -DAY_S, DAY_S);
	cfg = paper_cfg(certs, &leaf, 1);
	chain = malloc(strlen(leaf.cert) + strlen(root.cert) + 1);
	strcpy(chain, leaf.cert);
	strcat(chain, root.cert);
	certs[0].certificate.text = str_of(chain);
	certs[0].ocsp.path = path;
}

static void
down(void)
{
	paper_free(&root);
	paper_free(&other);
	paper_free(&twin);
	paper_free(&leaf);
	paper_free(&sister);
	free(chain);
}

TestSuite(ocsp, .init = up, .fini = down, .timeout = 60);

/* The bytes a client that asks is given; {NULL, 0}: none. */
static bool
is_stapled(struct tls_server *s, bool asks, struct str want)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *client = SSL_new(ctx), *server = tls_server_ssl(s);
	const unsigned char *p = NULL;
	int rc[2] = { 0, 0 };
	bool same;
	BIO *a, *b;
	long n;

	cr_assert_eq(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	SSL_set_bio(client, a, a);
	SSL_set_bio(server, b, b);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	if (asks)
		SSL_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp);
	for (int i = 0; i < 10 && (rc[0] != 1 || rc[1] != 1); i++) {
		rc[0] = SSL_do_handshake(client);
		rc[1] = SSL_do_handshake(server);
	}
	cr_assert_eq(rc[0], 1);
	n = SSL_get_tlsext_status_ocsp_resp(client, &p);
	same = str_eq(n > 0 ? str_from((const char *)p, (size_t)n)
	                    : (struct str){ NULL, 0 },
	    want);
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(ctx);
	return same;
}

static struct tls_server *
make(struct str der)
{
	struct buf said = BUF_INIT;
	struct tls_server *s;

	certs[0].ocsp.text = der;
	cr_assert_eq(tls_server_new(&cfg, "f: tls", time(NULL), &said, &s),
	    E_OK, "%s", said.p);
	buf_free(&said);
	return s;
}

Test(ocsp, to_who_asks)
{
	struct str der = paper_ocsp(&root, &root, &leaf, V_OCSP_CERTSTATUS_GOOD,
	    -DAY_S, DAY_S);
	struct tls_server *s = make(der);

	cr_expect(is_stapled(s, true, der));
	cr_expect(is_stapled(s, false, STR("")));
	tls_server_free(&s);
	/* Without the authority's certificate nobody can say who signed it. */
	certs[0].certificate.text = str_of(leaf.cert);
	s = make(der);
	cr_expect(is_stapled(s, true, der));
	tls_server_free(&s);
	certs[0].ocsp.path = NULL;
	s = make(der);
	cr_expect(is_stapled(s, true, STR("")));
	tls_server_free(&s);
	free((void *)(uintptr_t)der.p);
}

static const struct {
	const char *why;
	long from_s, to_s;
	bool given;
} times[] = {
	{ "now", -10, 60, true },
	{ "overdue", -DAY_S, -1, false },
	{ "a clock that is a little ahead", 60, DAY_S, true },
	{ "one that is far ahead", 3600, DAY_S, false },
};

/* Out of its time it is kept back, and the server made all the same. */
Test(ocsp, times)
{
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		struct str der = paper_ocsp(&root, &root, &leaf,
		    V_OCSP_CERTSTATUS_GOOD, times[i].from_s, times[i].to_s);
		struct tls_server *s = make(der);

		cr_expect(is_stapled(s, true, times[i].given ? der : STR("")),
		    "%s", times[i].why);
		tls_server_free(&s);
		free((void *)(uintptr_t)der.p);
	}
}

static void
refused(struct str der, const char *why)
{
	struct buf b = BUF_INIT, want = BUF_INIT;
	struct tls_server *s;

	certs[0].ocsp.text = der;
	buf_printf(&want, "f: tls.certificates[0].ocsp: /f.ocsp: %s\n", why);
	cr_expect_eq(tls_server_new(&cfg, "f: tls", time(NULL), &b, &s),
	    E_DAMAGED, "%s", why);
	cr_expect_null(s);
	cr_expect(str_eq(buf_str(&b), buf_str(&want)), "%s", b.p);
	buf_free(&b);
	buf_free(&want);
}

static const struct {
	const char *why;
	struct paper *ca, *by, *about;
	int status;
} wrong[] = {
	{ "it is not about this certificate", &root, &root, &sister,
	    V_OCSP_CERTSTATUS_GOOD },
	{ "it is not about this certificate", &other, &other, &leaf,
	    V_OCSP_CERTSTATUS_GOOD },
	{ "the authority of the certificate has not signed it", &root, &twin,
	    &leaf, V_OCSP_CERTSTATUS_GOOD },
	{ "the authority of the certificate has not signed it", &root, &leaf,
	    &leaf, V_OCSP_CERTSTATUS_GOOD },
	{ "it says that the certificate was revoked", &root, &root, &leaf,
	    V_OCSP_CERTSTATUS_REVOKED },
	{ "it does not say that the certificate is good", &root, &root, &leaf,
	    V_OCSP_CERTSTATUS_UNKNOWN },
};

Test(ocsp, wrong_ones)
{
	struct str der = paper_ocsp(&root, &root, &leaf, V_OCSP_CERTSTATUS_GOOD,
	    -DAY_S, DAY_S);
	OCSP_RESPONSE *r = OCSP_response_create(OCSP_RESPONSE_STATUS_TRYLATER,
	    NULL);
	unsigned char *later = NULL;
	int n = i2d_OCSP_RESPONSE(r, &later);

	refused(STR(""), "it is no response of OCSP in DER");
	refused(STR("garbage"), "it is no response of OCSP in DER");
	for (size_t cut = 1; cut < der.len; cut += 7)
		refused(str_sub(der, 0, cut),
		    "it is no response of OCSP in DER");
	refused(str_from((char *)later, (size_t)n), "it tells of a failure");
	free((void *)(uintptr_t)der.p);
	OPENSSL_free(later);
	OCSP_RESPONSE_free(r);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		der = paper_ocsp(wrong[i].ca, wrong[i].by, wrong[i].about,
		    wrong[i].status, -DAY_S, DAY_S);
		refused(der, wrong[i].why);
		free((void *)(uintptr_t)der.p);
	}
}
