#include "paper.h"

#include <criterion/criterion.h>
#include <openssl/ec.h>
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
add_names(X509 *x, const char *names)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL,
	    NID_subject_alt_name, names);

	cr_assert_not_null(e, "%s", names);
	cr_assert_eq(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

struct paper
paper_new(enum paper_key kind, const char *subject, const char *names,
    long from_s, long to_s)
{
	EVP_PKEY *key = kind == PAPER_EC ? EVP_EC_gen("P-256")
	                                 : EVP_RSA_gen(2048);
	X509 *x = X509_new();
	BIO *b[2] = { BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()) };
	struct paper p;

	cr_assert_not_null(key);
	cr_assert_not_null(x);
	X509_set_version(x, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(x), from_s);
	X509_gmtime_adj(X509_getm_notAfter(x), to_s);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
	    (const unsigned char *)subject, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	if (names != NULL)
		add_names(x, names);
	cr_assert_gt(X509_sign(x, key, EVP_sha256()), 0);
	cr_assert_eq(PEM_write_bio_X509(b[0], x), 1);
	cr_assert_eq(
	    PEM_write_bio_PrivateKey(b[1], key, NULL, NULL, 0, NULL, NULL), 1);
	p.cert = text_of(b[0]);
	p.key = text_of(b[1]);
	X509_free(x);
	EVP_PKEY_free(key);
	return p;
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
