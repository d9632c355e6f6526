#include "tls/cert.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "base/err.h"
#include "tls/fault.h"

/* A key with a passphrase must not ask for it on the terminal. */
static int
no_passphrase(char *p UNUSED, int len UNUSED, int rw UNUSED, void *arg)
{
	bool *asked = arg;

	*asked = true;
	return -1;
}

static BIO *
bio_of(struct str s)
{
	return BIO_new_mem_buf(s.p, (int)s.len);
}

void
tls_cert_settle(X509 *x)
{
	(void)X509_check_purpose(x, -1, 0);
	ERR_clear_error();
}

bool
tls_pem_is_at_end(void)
{
	unsigned long e = ERR_peek_last_error();
	bool end = e == 0 ||
	    (ERR_GET_LIB(e) == ERR_LIB_PEM &&
	        ERR_GET_REASON(e) == PEM_R_NO_START_LINE);

	if (end)
		ERR_clear_error();
	return end;
}

static int
read_chain(struct str pem, struct tls_cert *c, const char **why)
{
	BIO *b = bio_of(pem);
	bool asked = false;
	X509 *x;
	int rc = E_NOMEM;

	c->chain = sk_X509_new_null();
	if (b == NULL || c->chain == NULL)
		goto out;
	c->leaf = PEM_read_bio_X509_AUX(b, NULL, no_passphrase, &asked);
	rc = E_SYNTAX;
	if (c->leaf == NULL) {
		*why = tls_pem_is_at_end() ? "there is no certificate in it"
		                           : tls_fault_say();
		goto out;
	}
	tls_cert_settle(c->leaf);
	while ((x = PEM_read_bio_X509(b, NULL, no_passphrase, &asked)) !=
	    NULL) {
		tls_cert_settle(x);
		if (sk_X509_push(c->chain, x) == 0) {
			X509_free(x);
			rc = E_NOMEM;
			goto out;
		}
	}
	if (tls_pem_is_at_end())
		rc = E_OK;
	else
		*why = tls_fault_say();
out:
	BIO_free(b);
	return rc;
}

static int
read_key(struct str pem, struct tls_cert *c, const char **why)
{
	BIO *b = bio_of(pem);
	bool asked = false;

	if (b == NULL)
		return E_NOMEM;
	c->key = PEM_read_bio_PrivateKey(b, NULL, no_passphrase, &asked);
	BIO_free(b);
	if (c->key != NULL) {
		ERR_clear_error();
		return E_OK;
	}
	if (asked)
		*why = "its key has a passphrase, which nobody can give";
	else
		*why = "there is no private key that can be read; \"key\" "
		       "names its "
		       "file";
	ERR_clear_error();
	return E_SYNTAX;
}

static int
judge(struct tls_cert *c, int64_t now_s, const char **why)
{
	time_t now = (time_t)now_s;

	*why = NULL;
	if (X509_check_private_key(c->leaf, c->key) != 1)
		*why = "the key is not that of the certificate";
	else if (X509_cmp_time(X509_get0_notAfter(c->leaf), &now) < 0)
		*why = "it has expired";
	else if (X509_cmp_time(X509_get0_notBefore(c->leaf), &now) > 0)
		*why = "it is not valid yet";
	ERR_clear_error();
	return *why == NULL ? E_OK : E_SYNTAX;
}

static int
add_name(struct tls_cert *c, const ASN1_STRING *s)
{
	return tls_names_add(&c->names,
	    str_from((const char *)ASN1_STRING_get0_data(s),
	        (size_t)ASN1_STRING_length(s)),
	    0);
}

/* The subject's name counts only where there are no others: RFC 6125 6.4.4. */
static int
add_subject(struct tls_cert *c)
{
	const X509_NAME *subject = X509_get_subject_name(c->leaf);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	if (at < 0)
		return E_OK;
	return add_name(c,
	    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

static int
read_names(struct tls_cert *c)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(c->leaf, NID_subject_alt_name,
	    NULL, NULL);
	bool any = false;
	int rc = E_OK;

	for (int i = 0; i < sk_GENERAL_NAME_num(all) && rc == E_OK; i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);

		if (g->type != GEN_DNS)
			continue;
		any = true;
		rc = add_name(c, g->d.dNSName);
	}
	GENERAL_NAMES_free(all);
	ERR_clear_error();
	if (rc == E_OK && !any)
		rc = add_subject(c);
	tls_names_sort(&c->names);
	return rc;
}

int
tls_cert_read(struct str certificate, struct str key, int64_t now_s,
    struct tls_cert *out, const char **why)
{
	int rc;

	*out = (struct tls_cert){ .leaf = NULL };
	*why = NULL;
	ERR_clear_error();
	rc = read_chain(certificate, out, why);
	if (rc == E_OK)
		rc = read_key(key, out, why);
	if (rc == E_OK)
		rc = judge(out, now_s, why);
	if (rc == E_OK)
		rc = read_names(out);
	if (rc != E_OK)
		tls_cert_free(out);
	return rc;
}

void
tls_cert_free(struct tls_cert *c)
{
	X509_free(c->leaf);
	sk_X509_pop_free(c->chain, X509_free);
	EVP_PKEY_free(c->key);
	tls_names_free(&c->names);
	*c = (struct tls_cert){ .leaf = NULL };
}
