/* What is said of certificates and keys that cannot be used. */
#include "tls/cert.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "paper.h"

static struct paper good, other, old, early;
static char *locked;

static void
up(void)
{
	good = paper_new(PAPER_EC, "a.org", "DNS:a.org,DNS:*.b.org,IP:10.0.0.1",
	    -DAY_S, DAY_S);
	other = paper_new(PAPER_EC, "c.org", NULL, -DAY_S, DAY_S);
	old = paper_new(PAPER_EC, "d.org", NULL, -2 * DAY_S, -DAY_S);
	early = paper_new(PAPER_EC, "e.org", NULL, DAY_S, 2 * DAY_S);
	locked = paper_lock_key(&good);
}

static void
down(void)
{
	paper_free(&good);
	paper_free(&other);
	paper_free(&old);
	paper_free(&early);
	free(locked);
}

TestSuite(cert, .init = up, .fini = down, .timeout = 20);

Test(cert, that_cannot_be_used)
{
	const struct {
		const char *cert, *key, *why;
	} rows[] = {
		{ "", good.key, "there is no certificate in it" },
		{ "hello", good.key, "there is no certificate in it" },
		{ good.key, good.key, "there is no certificate in it" },
		{ good.cert, "",
		    "there is no private key that can be read; \"key\" names "
		    "its file" },
		{ good.cert, good.cert,
		    "there is no private key that can be read; \"key\" names "
		    "its file" },
		{ good.cert, locked,
		    "its key has a passphrase, which nobody can give" },
		{ good.cert, other.key,
		    "the key is not that of the certificate" },
		{ old.cert, old.key, "it has expired" },
		{ early.cert, early.key, "it is not valid yet" },
		{ "-----BEGIN CERTIFICATE-----\nMIIB\n"
		  "-----END CERTIFICATE-----\n",
		    good.key, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tls_cert c;
		const char *why = NULL;

		cr_expect_eq(tls_cert_read(str_of(rows[i].cert),
		                 str_of(rows[i].key), time(NULL), &c, &why),
		    E_SYNTAX, "%zu", i);
		cr_expect_not_null(why, "%zu", i);
		if (rows[i].why != NULL)
			cr_expect_str_eq(why, rows[i].why);
		cr_expect_null(c.leaf);
		tls_cert_free(&c); /* an empty one is fine */
	}
}

Test(cert, its_names)
{
	struct tls_cert c;
	const char *why;

	cr_assert_eq(tls_cert_read(str_of(good.cert), str_of(good.key),
	                 time(NULL), &c, &why),
	    E_OK, "%s", why);
	cr_expect_eq(c.names.n, 2, "the address is none");
	cr_expect_not_null(tls_names_find(&c.names, STR("x.b.org")));
	tls_cert_free(&c);
	cr_assert_eq(tls_cert_read(str_of(other.cert), str_of(other.key),
	                 time(NULL), &c, &why),
	    E_OK, "%s", why);
	cr_expect_not_null(tls_names_find(&c.names, STR("c.org")),
	    "the subject, where there is nothing else");
	tls_cert_free(&c);
}

Test(cert, in_one_file_with_its_chain)
{
	struct buf all = BUF_INIT;
	struct tls_cert c;
	const char *why;

	buf_printf(&all, "a word\n%s%s%s%s", good.cert, other.cert, old.cert,
	    good.key);
	cr_assert_eq(tls_cert_read(buf_str(&all), buf_str(&all), time(NULL), &c,
	                 &why),
	    E_OK, "%s", why);
	cr_expect_eq(sk_X509_num(c.chain), 2);
	tls_cert_free(&c);
	buf_free(&all);
}

/* A file that is still being written: refused, or as good as whole. */
Test(cert, cut_at_every_byte)
{
	struct str cert = str_of(good.cert);

	for (size_t n = 0; n < cert.len; n++) {
		struct tls_cert c;
		const char *why = NULL;
		int rc = tls_cert_read(str_sub(cert, 0, n), str_of(good.key),
		    time(NULL), &c, &why);

		cr_expect(rc == E_SYNTAX || n + 1 == cert.len, "%zu", n);
		tls_cert_free(&c);
	}
}
