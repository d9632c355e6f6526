/* What TLS to instances is not made of; who is believed is in the end-to-end
 * tests (test_tls_instances.py). */
#include "tls/client.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../base/fault.h"
#include "base/attr.h"
#include "base/err.h"
#include "net/conn.h"
#include "paper.h"

static struct paper good, other;
static struct cfg_file ca[2];
static struct cfg_pool_tls cfg;

static void
up(void)
{
	static char a[] = "/a.pem", b[] = "/b.pem", c[] = "/c.pem",
	            k[] = "/c.key";

	good = paper_new(PAPER_EC, "a.org", "DNS:a.org", -DAY_S, DAY_S);
	other = paper_new(PAPER_EC, "b.org", "DNS:b.org", -DAY_S, DAY_S);
	ca[0] = (struct cfg_file){ a, str_of(good.cert), 1, 0 };
	ca[1] = (struct cfg_file){ b, str_of(other.cert), 2, 0 };
	cfg = (struct cfg_pool_tls){ .on = true,
		.ca = ca,
		.n_ca = 2,
		.verify = true,
		.own = { .certificate = { c, str_of(good.cert), 3, 0 },
		    .key = { k, str_of(good.key), 4, 0 } } };
}

static void
down(void)
{
	paper_free(&good);
	paper_free(&other);
}

TestSuite(client, .init = up, .fini = down, .timeout = 60);

static struct tls_client *
make(void)
{
	struct buf said = BUF_INIT;
	struct tls_client *c;

	cr_assert_eq(tls_client_new(&cfg, "f: tls", time(NULL), &said, &c),
	    E_OK, "%s", said.p);
	buf_free(&said);
	return c;
}

static void
refused(const char *said)
{
	struct buf b = BUF_INIT;
	struct tls_client *c;

	cr_expect_eq(tls_client_new(&cfg, "f: tls", time(NULL), &b, &c),
	    E_DAMAGED, "%s", said);
	cr_expect_null(c);
	cr_expect_str_eq(b.p, said);
	buf_free(&b);
}

Test(client, that_cannot_be_made)
{
	struct tls_client *c = make();

	tls_client_free(&c);
	cr_expect_null(c);
	tls_client_free(&c);
	ca[1].text = STR("hello");
	refused("f: tls.ca[1]: /b.pem: there is no certificate in it\n");
	ca[1].text = str_of(other.cert);
	cfg.own.key.text = str_of(other.key);
	refused("f: tls.certificate: /c.pem: the key is not that of the "
	        "certificate\n");
}

/* A plain connection fits no settings, and none fit it. */
Test(client, fits)
{
	struct conn plain = { .over = NULL };
	struct tls_client *c = make();

	cr_expect(tls_fits(&plain, NULL));
	cr_expect(!tls_fits(&plain, c));
	tls_client_free(&c);
}

/* One call in hundreds fails: a client or none, never half of one. */
Test(client, without_memory)
{
	struct tls_client *c = make(); /* what is made once is made now */

	tls_client_free(&c);
	for (int f = FAULT_MALLOC; f <= FAULT_REALLOC; f++) {
		unsigned n = 1, before;

		do {
			struct buf said = BUF_INIT;
			int rc;

			before = fault_calls((enum fault)f);
			fault_arm((enum fault)f, n, ENOMEM);
			rc = tls_client_new(&cfg, "f", time(NULL), &said, &c);
			fault_arm((enum fault)f, 0, 0);
			cr_expect_eq(c != NULL, rc == E_OK, "%u", n);
			tls_client_free(&c);
			buf_free(&said);
			n += n < 100 ? 1 : 29;
		} while (fault_calls((enum fault)f) - before >= n);
	}
}
