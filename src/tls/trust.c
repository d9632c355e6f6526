#include "tls/trust.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <time.h>

#include "base/err.h"
#include "tls/cert.h"
#include "tls/fault.h"

static BIO *
bio_of(struct str s)
{
	return BIO_new_mem_buf(s.p, (int)s.len);
}

/* Behind the last one: was it the last, and was there any? */
static int
judge_end(int count, const char *none, const char **why)
{
	if (!tls_pem_is_at_end()) {
		*why = tls_fault_say();
		return E_SYNTAX;
	}
	*why = none;
	return count > 0 ? E_OK : E_SYNTAX;
}

/* ---- authorities ---- */

/* Takes x over. */
static int
add_ca(struct tls_trust *t, X509 *x)
{
	tls_cert_settle(x);
	if (t->cas == NULL)
		t->cas = sk_X509_new_null();
	if (t->cas == NULL || X509_STORE_add_cert(t->store, x) != 1 ||
	    sk_X509_push(t->cas, x) == 0) {
		X509_free(x);
		return E_NOMEM;
	}
	return E_OK;
}

int
tls_trust_add(struct tls_trust *t, struct str pem, const char **why)
{
	BIO *b = bio_of(pem);
	int rc = E_OK, n = 0;
	X509 *x;

	*why = NULL;
	if (b == NULL)
		return E_NOMEM;
	ERR_clear_error();
	while (rc == E_OK &&
	    (x = PEM_read_bio_X509_AUX(b, NULL, NULL, NULL)) != NULL) {
		rc = add_ca(t, x);
		n++;
	}
	BIO_free(b);
	if (rc == E_OK)
		rc = judge_end(n, "there is no certificate in it", why);
	ERR_clear_error();
	return rc;
}

/* ---- what they have revoked ---- */

/* Of an authority that we do not have: it may be below one of ours. */
static bool
is_signed(const struct tls_trust *t, X509_CRL *list)
{
	const X509_NAME *of = X509_CRL_get_issuer(list);
	bool ours = false;

	for (int i = 0; i < sk_X509_num(t->cas); i++) {
		X509 *ca = sk_X509_value(t->cas, i);

		if (X509_NAME_cmp(X509_get_subject_name(ca), of) != 0)
			continue;
		ours = true;
		if (X509_CRL_verify(list, X509_get0_pubkey(ca)) == 1)
			return true;
	}
	return !ours;
}

static const char *
what_is_wrong(const struct tls_trust *t, X509_CRL *list, int64_t now_s)
{
	const ASN1_TIME *next = X509_CRL_get0_nextUpdate(list);
	time_t now = (time_t)now_s;

	if (next != NULL && X509_cmp_time(next, &now) < 0)
		return "it is overdue: the time of its next update has passed";
	if (X509_cmp_time(X509_CRL_get0_lastUpdate(list), &now) > 0)
		return "it is not valid yet";
	if (!is_signed(t, list))
		return "its authority has not signed it";
	return NULL;
}

/*
 * Takes list over.  Sorted here: else the first thread that looks for a number
 * in it sorts it, while others look.
 */
static int
add_list(struct tls_trust *t, X509_CRL *list, int64_t now_s, const char **why)
{
	int rc = E_SYNTAX;

	*why = what_is_wrong(t, list, now_s);
	if (*why != NULL)
		goto fail;
	sk_X509_REVOKED_sort(X509_CRL_get_REVOKED(list));
	rc = E_NOMEM;
	if (t->lists == NULL)
		t->lists = sk_X509_CRL_new_null();
	if (t->lists == NULL || X509_STORE_add_crl(t->store, list) != 1 ||
	    sk_X509_CRL_push(t->lists, list) == 0)
		goto fail;
	return E_OK;
fail:
	X509_CRL_free(list);
	return rc;
}

int
tls_trust_add_lists(struct tls_trust *t, struct str pem, int64_t now_s,
    const char **why)
{
	BIO *b = bio_of(pem);
	int rc = E_OK, n = 0;
	X509_CRL *list;

	*why = NULL;
	if (b == NULL)
		return E_NOMEM;
	ERR_clear_error();
	while (rc == E_OK &&
	    (list = PEM_read_bio_X509_CRL(b, NULL, NULL, NULL)) != NULL) {
		rc = add_list(t, list, now_s, why);
		n++;
	}
	BIO_free(b);
	if (rc == E_OK)
		rc = judge_end(n, "there is no list (CRL) in it", why);
	ERR_clear_error();
	return rc;
}

static bool
has_list(const struct tls_trust *t, const X509_NAME *of)
{
	for (int i = 0; i < sk_X509_CRL_num(t->lists); i++)
		if (X509_NAME_cmp(
		        X509_CRL_get_issuer(sk_X509_CRL_value(t->lists, i)),
		        of) == 0)
			return true;
	return false;
}

int
tls_trust_ask_lists(struct tls_trust *t, char *name, size_t cap)
{
	for (int i = 0; i < sk_X509_num(t->cas); i++) {
		const X509_NAME *of = X509_get_subject_name(
		    sk_X509_value(t->cas, i));

		if (has_list(t, of))
			continue;
		(void)X509_NAME_oneline(of, name, (int)cap);
		return E_SYNTAX;
	}
	return X509_STORE_set_flags(t->store,
	           X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) == 1
	    ? E_OK
	    : E_NOMEM;
}

void
tls_trust_free(struct tls_trust *t)
{
	sk_X509_pop_free(t->cas, X509_free);
	sk_X509_CRL_pop_free(t->lists, X509_CRL_free);
	*t = (struct tls_trust){ .store = NULL };
}
