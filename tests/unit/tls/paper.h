/*
 * paper - certificates and keys made for tests, as PEM.
 */
#ifndef TESTS_TLS_PAPER_H
#define TESTS_TLS_PAPER_H
#include <stddef.h>

#include "base/str.h"
#include "config/config.h"

#define DAY_S 86400L

enum paper_key { PAPER_EC, PAPER_RSA };

struct paper {
	char *cert, *key; /* owned */
};

/*
 * A certificate signed by itself; names as OpenSSL writes them
 * ("DNS:a.org,IP:10.0.0.1"), NULL: none.  Valid from and to so many seconds
 * from now.
 */
struct paper paper_new(enum paper_key, const char *subject, const char *names,
    long from_s, long to_s);
/* One that an authority made by paper_ca() has signed. */
struct paper paper_of(const struct paper *ca, const char *subject, long from_s,
    long to_s);
/* An authority; above: who signed it, NULL: itself. */
struct paper paper_ca(const char *subject, const struct paper *above);
/* Its list, with one certificate revoked or none (NULL); free(3). */
char *paper_crl(const struct paper *ca, const struct paper *revoked,
    long from_s, long to_s);
/* What by says of one that ca has signed, in DER; free(3) its .p. */
struct str paper_ocsp(const struct paper *ca, const struct paper *by,
    const struct paper *about, int status, long from_s, long to_s);
void paper_free(struct paper *);
/* The key with a passphrase; free(3). */
char *paper_lock_key(const struct paper *);
/* Settings that have these papers; what they point to stays the caller's. */
struct cfg_tls paper_cfg(struct cfg_certificate *rows,
    const struct paper *papers, size_t n);

#endif
