#include "tls/ocsp.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "tls/cert.h"

/* Clocks differ a little. */
#define SKEW_S 300

static X509 *
issuer_of(const struct tls_cert *c)
{
	for (int i = 0; i < sk_X509_num(c->chain); i++) {
		X509 *x = sk_X509_value(c->chain, i);

		if (X509_check_issued(x, c->leaf) == X509_V_OK)
			return x;
	}
	return NULL;
}

/* By its serial number, and its authority where we know that. */
static bool
is_about(const OCSP_SINGLERESP *one, const struct tls_cert *c, X509 *issuer)
{
	const OCSP_CERTID *id = OCSP_SINGLERESP_get0_id(one);
	OCSP_CERTID *own;
	ASN1_INTEGER *serial;
	ASN1_OBJECT *md;
	bool same;

	if (OCSP_id_get0_info(NULL, &md, NULL, &serial,
	        (OCSP_CERTID *)(uintptr_t)id) != 1 ||
	    ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(c->leaf)) != 0)
		return false;
	if (issuer == NULL)
		return true;
	own = OCSP_cert_to_id(EVP_get_digestbyobj(md), c->leaf, issuer);
	same = own != NULL && OCSP_id_issuer_cmp(own, id) == 0;
	OCSP_CERTID_free(own);
	return same;
}

static OCSP_SINGLERESP *
find(OCSP_BASICRESP *all, const struct tls_cert *c, X509 *issuer)
{
	for (int i = 0; i < OCSP_resp_count(all); i++) {
		OCSP_SINGLERESP *one = OCSP_resp_get0(all, i);

		if (is_about(one, c, issuer))
			return one;
	}
	return NULL;
}

/* By its authority, or by whom that has named for it (RFC 6960 4.2.2.2). */
static bool
is_signed(OCSP_BASICRESP *all, const struct tls_cert *c, X509 *issuer)
{
	X509_STORE *store = X509_STORE_new();
	bool good = store != NULL && X509_STORE_add_cert(store, issuer) == 1 &&
	    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
	    OCSP_basic_verify(all, c->chain, store, 0) == 1;

	X509_STORE_free(store);
	return good;
}

static int64_t
seconds_of(const ASN1_TIME *t, int64_t otherwise)
{
	struct tm tm;

	return t != NULL && ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm)
	                                                 : otherwise;
}

static const char *
judge(OCSP_BASICRESP *all, const struct tls_cert *c, struct tls_ocsp *out)
{
	X509 *issuer = issuer_of(c);
	OCSP_SINGLERESP *one = find(all, c, issuer);
	ASN1_GENERALIZEDTIME *from, *until;
	int status, reason;

	if (one == NULL)
		return "it is not about this certificate";
	if (issuer != NULL && !is_signed(all, c, issuer))
		return "the authority of the certificate has not signed it";
	status = OCSP_single_get0_status(one, &reason, NULL, &from, &until);
	if (status == V_OCSP_CERTSTATUS_REVOKED)
		return "it says that the certificate was revoked";
	if (status != V_OCSP_CERTSTATUS_GOOD)
		return "it does not say that the certificate is good";
	out->from_s = seconds_of(from, INT64_MAX - SKEW_S) - SKEW_S;
	out->until_s = seconds_of(until, INT64_MAX);
	return NULL;
}

static int
keep(struct str der, const struct tls_cert *c, struct tls_ocsp *out)
{
	out->der = malloc(der.len);
	if (out->der == NULL || X509_up_ref(c->leaf) != 1) {
		free(out->der);
		out->der = NULL;
		return E_NOMEM;
	}
	memcpy(out->der, der.p, der.len);
	out->len = der.len;
	out->leaf = c->leaf;
	return E_OK;
}

int
tls_ocsp_read(struct str der, const struct tls_cert *c, struct tls_ocsp *out,
    const char **why)
{
	const unsigned char *p = (const unsigned char *)der.p;
	OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &p, (long)der.len);
	OCSP_BASICRESP *all = NULL;
	int rc = E_SYNTAX;

	*out = (struct tls_ocsp){ .len = 0 };
	*why = "it is no response of OCSP in DER";
	if (r != NULL && p == (const unsigned char *)der.p + der.len) {
		*why = "it tells of a failure";
		if (OCSP_response_status(r) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
			all = OCSP_response_get1_basic(r);
	}
	if (all != NULL)
		*why = judge(all, c, out);
	if (all != NULL && *why == NULL)
		rc = keep(der, c, out);
	OCSP_BASICRESP_free(all);
	OCSP_RESPONSE_free(r);
	ERR_clear_error();
	return rc;
}

void
tls_ocsp_free(struct tls_ocsp *o)
{
	X509_free(o->leaf);
	free(o->der);
	*o = (struct tls_ocsp){ .len = 0 };
}
