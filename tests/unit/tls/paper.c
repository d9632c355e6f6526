#include "paper.h"

#include <criterion/criterion.h>
#include <openssl/ec.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

static char *
text_of(BIO *b)
{
	char *p, *copy;
	long n = BIO_get_mem_data(b, &p);

	copy = malloc((size_t)n + 1); /* strndup() wants a NUL behind it */
	cr_assert_not_null(copy);
	memcpy(copy, p, (size_t)n);
	copy[n] = '\0';
	BIO_free(b);
	return copy;
}

static void
add_ext(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	cr_assert_not_null(e, "%s", value);
	cr_assert_eq(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

static X509 *
read_cert(const struct paper *p)
{
	BIO *b = BIO_new_mem_buf(p->cert, -1);
	X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);

	cr_assert_not_null(x);
	BIO_free(b);
	return x;
}

static EVP_PKEY *
read_key(const struct paper *p)
{
	BIO *b = BIO_new_mem_buf(p->key, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);

	cr_assert_not_null(key);
	BIO_free(b);
	return key;
}

/* Without a signature. */
static X509 *
blank(EVP_PKEY *key, const char *subject, long from_s, long to_s)
{
	static long serial;
	X509 *x = X509_new();

	cr_assert_not_null(key);
	cr_assert_not_null(x);
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(x), from_s);
	X509_gmtime_adj(X509_getm_notAfter(x), to_s);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
	    (const unsigned char *)subject, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	return x;
}

/* Takes both over. */
static struct paper
sign(X509 *x, EVP_PKEY *key, const struct paper *ca)
{
	BIO *b[2] = { BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()) };
	EVP_PKEY *by = ca == NULL ? key : read_key(ca);
	struct paper p;

	if (ca != NULL) {
		X509 *above = read_cert(ca);

		X509_set_issuer_name(x, X509_get_subject_name(above));
		X509_free(above);
	}
	cr_assert_gt(X509_sign(x, by, EVP_sha256()), 0);
	cr_assert_eq(PEM_write_bio_X509(b[0], x), 1);
	cr_assert_eq(
	    PEM_write_bio_PrivateKey(b[1], key, NULL, NULL, 0, NULL, NULL), 1);
	p.cert = text_of(b[0]);
	p.key = text_of(b[1]);
	X509_free(x);
	if (by != key)
		EVP_PKEY_free(by);
	EVP_PKEY_free(key);
	return p;
}

struct paper
paper_new(enum paper_key kind, const char *subject, const char *names,
    long from_s, long to_s)
{
	EVP_PKEY *key = kind == PAPER_EC ? EVP_EC_gen("P-256")
	                                 : EVP_RSA_gen(2048);
	X509 *x = blank(key, subject, from_s, to_s);

	if (names != NULL)
		add_ext(x, NID_subject_alt_name, names);
	return sign(x, key, NULL);
}

struct paper
paper_of(const struct paper *ca, const char *subject, long from_s, long to_s)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	return sign(blank(key, subject, from_s, to_s), key, ca);
}

struct paper
paper_ca(const char *subject, const struct paper *above)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = blank(key, subject, -DAY_S, DAY_S);

	add_ext(x, NID_basic_constraints, "critical,CA:TRUE");
	return sign(x, key, above);
}

char *
paper_crl(const struct paper *ca, const struct paper *revoked, long from_s,
    long to_s)
{
	X509 *above = read_cert(ca);
	EVP_PKEY *key = read_key(ca);
	X509_CRL *list = X509_CRL_new();
	ASN1_TIME *t = ASN1_TIME_new();
	BIO *b = BIO_new(BIO_s_mem());

	X509_CRL_set_version(list, 1);
	X509_CRL_set_issuer_name(list, X509_get_subject_name(above));
	X509_CRL_set1_lastUpdate(list, X509_gmtime_adj(t, from_s));
	if (revoked != NULL) {
		X509 *x = read_cert(revoked);
		X509_REVOKED *r = X509_REVOKED_new();

		X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(x));
		X509_REVOKED_set_revocationDate(r, t);
		X509_CRL_add0_revoked(list, r);
		X509_free(x);
	}
	X509_CRL_set1_nextUpdate(list, X509_gmtime_adj(t, to_s));
	cr_assert_gt(X509_CRL_sign(list, key, EVP_sha256()), 0);
	cr_assert_eq(PEM_write_bio_X509_CRL(b, list), 1);
	ASN1_TIME_free(t);
	X509_CRL_free(list);
	EVP_PKEY_free(key);
	X509_free(above);
	return text_of(b);
}

struct str
paper_ocsp(const struct paper *ca, const struct paper *by,
    const struct paper *about, int status, long from_s, long to_s)
{
	X509 *issuer = read_cert(ca), *x = read_cert(about);
	X509 *signer = read_cert(by);
	EVP_PKEY *key = read_key(by);
	OCSP_BASICRESP *all = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), x, issuer);
	ASN1_TIME *from = X509_gmtime_adj(NULL, from_s);
	ASN1_TIME *to = X509_gmtime_adj(NULL, to_s);
	OCSP_RESPONSE *r;
	unsigned char *der = NULL;
	char *copy;
	int n;

	cr_assert_not_null(OCSP_basic_add1_status(all, id, status, 0,
	    status == V_OCSP_CERTSTATUS_REVOKED ? from : NULL, from, to));
	cr_assert_eq(OCSP_basic_sign(all, signer, key, EVP_sha256(), NULL, 0),
	    1);
	r = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, all);
	n = i2d_OCSP_RESPONSE(r, &der);
	cr_assert_gt(n, 0);
	copy = malloc((size_t)n);
	cr_assert_not_null(copy);
	memcpy(copy, der, (size_t)n);
	OPENSSL_free(der);
	OCSP_RESPONSE_free(r);
	OCSP_BASICRESP_free(all);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	EVP_PKEY_free(key);
	X509_free(issuer);
	X509_free(signer);
	X509_free(x);
	return str_from(copy, (size_t)n);
}

void
paper_free(struct paper *p)
{
	free(p->cert);
	free(p->key);
	p->cert = p->key = NULL;
}

char *
paper_lock_key(const struct paper *p)
{
	BIO *in = BIO_new_mem_buf(p->key, -1), *out = BIO_new(BIO_s_mem());
	EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);

	cr_assert_eq(PEM_write_bio_PrivateKey(out, key, EVP_aes_128_cbc(),
	                 (const unsigned char *)"secret", 6, NULL, NULL),
	    1);
	EVP_PKEY_free(key);
	BIO_free(in);
	return text_of(out);
}

struct cfg_tls
paper_cfg(struct cfg_certificate *rows, const struct paper *papers, size_t n)
{
	static int alpn[] = { CFG_ALPN_HTTP_1_1 };
	static char ciphers[] = "ECDHE+AESGCM", groups[] = "X25519:P-256",
	            suites[] = "TLS_AES_128_GCM_SHA256", path[] = "/a.pem",
	            key[] = "/a.key";

	for (size_t i = 0; i < n; i++)
		rows[i] = (struct cfg_certificate){
			.certificate = { path, str_of(papers[i].cert), 0, 0 },
			.key = { key, str_of(papers[i].key), 0, 0 },
			.ocsp = { NULL, { NULL, 0 }, 0, 0 },
		};
	return (struct cfg_tls){ .on = true,
		.certificates = rows,
		.n_certificates = n,
		.ciphers = ciphers,
		.ciphersuites = suites,
		.groups = groups,
		.alpn = alpn,
		.n_alpn = 1,
		.tickets_on = true };
}
