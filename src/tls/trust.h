/*
 * trust - the authorities that are believed, and what they have revoked.
 *
 * Thread: who makes it; a store that was made is constant, any may verify
 * with it.
 */
#ifndef TLS_TRUST_H
#define TLS_TRUST_H
#include <openssl/x509.h>

#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

struct tls_trust {
	X509_STORE *store;    /* borrowed */
	STACK_OF(X509) * cas; /* owned; NULL: none yet */
	STACK_OF(X509_CRL) * lists;
};

/*
 * Adds all certificates of a PEM text.
 *
 * why      out: what is wrong, for people
 * returns  E_OK, E_NOMEM, or E_SYNTAX with *why
 */
int tls_trust_add(struct tls_trust *, struct str pem,
    const char **why) MUST_CHECK;
/*
 * Adds all lists of revoked certificates (CRL) of a PEM text, after all
 * authorities.  E_SYNTAX also when one is overdue, or says that it is of one
 * of the authorities and none of them has signed it.
 */
int tls_trust_add_lists(struct tls_trust *, struct str pem, int64_t now_s,
    const char **why) MUST_CHECK;
/*
 * From now on whom a list names is not believed, nor is anybody whose
 * authority has none.  So each has to have one: E_SYNTAX, with the name of
 * the first that does not in name, cut there.
 */
int tls_trust_ask_lists(struct tls_trust *, char *name, size_t cap) MUST_CHECK;
void tls_trust_free(struct tls_trust *); /* not the store */

#endif
