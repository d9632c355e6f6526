/* Who gets which certificate, and what a server is not made of. */
#include "tls/server.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../base/fault.h"
#include "base/attr.h"
#include "base/err.h"
#include "paper.h"
#include "tls/stream_int.h"

enum { FIRST, FIRST_RSA, WILD, EXACT, PAPERS };

static struct paper papers[PAPERS];
static struct cfg_certificate certs[PAPERS];
static struct cfg_tls cfg;
static SSL_CTX *client_ctx;

static void
up(void)
{
	papers[FIRST] = paper_new(PAPER_EC, "first", "DNS:a.org,DNS:b.org",
	    -DAY_S, DAY_S);
	papers[FIRST_RSA] = paper_new(PAPER_RSA, "first-rsa", "DNS:a.org",
	    -DAY_S, DAY_S);
	papers[WILD] = paper_new(PAPER_EC, "wild", "DNS:*.a.org", -DAY_S,
	    DAY_S);
	papers[EXACT] = paper_new(PAPER_EC, "exact", "DNS:x.a.org,DNS:a.org",
	    -DAY_S, DAY_S);
	cfg = paper_cfg(certs, papers, PAPERS);
	client_ctx = SSL_CTX_new(TLS_client_method());
}

static void
down(void)
{
	SSL_CTX_free(client_ctx);
	for (int i = 0; i < PAPERS; i++)
		paper_free(&papers[i]);
}

TestSuite(server, .init = up, .fini = down, .timeout = 60);

static struct tls_server *
make(void)
{
	struct buf said = BUF_INIT;
	struct tls_server *s;

	cr_assert_eq(tls_server_new(&cfg, "f: tls", time(NULL), &said, &s),
	    E_OK, "%s", said.p);
	cr_expect_eq(said.len, 0);
	buf_free(&said);
	return s;
}

static SSL_SESSION *kept; /* to resume; NULL: none */

struct meeting {
	SSL *client, *server;
	bool well;
	char subject[64]; /* of the certificate the client got */
};

/* Both ends in memory, until neither has a word left. */
static void
meet(struct meeting *m, struct tls_server *s, const char *sni,
    const char *ciphers, const char *alpn)
{
	BIO *a, *b;
	int rc[2] = { 0, 0 };

	cr_assert_eq(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	m->client = SSL_new(client_ctx);
	m->server = tls_server_ssl(s);
	cr_assert_not_null(m->server);
	SSL_set_bio(m->client, a, a);
	SSL_set_bio(m->server, b, b);
	SSL_set_connect_state(m->client);
	SSL_set_accept_state(m->server);
	if (sni != NULL)
		cr_assert_eq(SSL_set_tlsext_host_name(m->client,
		                 (char *)(uintptr_t)sni),
		    1);
	if (ciphers != NULL) {
		cr_assert_eq(SSL_set_cipher_list(m->client, ciphers), 1);
		SSL_set_max_proto_version(m->client, TLS1_2_VERSION);
	}
	if (kept != NULL)
		cr_assert_eq(SSL_set_session(m->client, kept), 1);
	if (alpn != NULL)
		cr_assert_eq(SSL_set_alpn_protos(m->client,
		                 (const unsigned char *)alpn,
		                 (unsigned)strlen(alpn)),
		    0);
	for (int i = 0; i < 10 && (rc[0] != 1 || rc[1] != 1); i++) {
		rc[0] = SSL_do_handshake(m->client);
		rc[1] = SSL_do_handshake(m->server);
	}
	m->well = rc[0] == 1 && rc[1] == 1;
	m->subject[0] = '\0';
	if (m->well) {
		X509 *x = SSL_get1_peer_certificate(m->client);

		X509_NAME_get_text_by_NID(X509_get_subject_name(x),
		    NID_commonName, m->subject, sizeof(m->subject));
		X509_free(x);
	}
	ERR_clear_error();
}

static void
part(struct meeting *m)
{
	/* Else OpenSSL holds the session for spoilt. */
	SSL_set_shutdown(m->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(m->client);
	SSL_free(m->server);
}

static const struct {
	const char *why, *sni, *ciphers, *subject;
} choices[] = {
	{ "nobody named: the first", NULL, NULL, "first" },
	{ "by its name", "a.org", NULL, "first" },
	{ "in any case", "A.ORG", NULL, "first" },
	{ "only the first has it", "b.org", NULL, "first" },
	{ "a wildcard", "y.a.org", NULL, "wild" },
	{ "exact before wildcard", "x.a.org", NULL, "exact" },
	{ "a stranger gets the first", "z.org", NULL, "first" },
	{ "who can only check RSA", "a.org", "aRSA", "first-rsa" },
	{ "also where nobody is named", NULL, "aRSA", "first-rsa" },
	{ "who can only check ECDSA", "a.org", "aECDSA", "first" },
	{ "there is none of that kind for this name", "y.a.org", "aRSA", "" },
	{ "nor for this one", "b.org", "aRSA", "" },
};

Test(server, choices)
{
	struct tls_server *s = make();

	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		struct meeting m;

		meet(&m, s, choices[i].sni, choices[i].ciphers, NULL);
		cr_expect_str_eq(m.subject, choices[i].subject, "%s",
		    choices[i].why);
		part(&m);
	}
	tls_server_free(&s);
	cr_expect_null(s);
	tls_server_free(&s);
}

static const struct {
	const char *why, *sni, *host;
	bool serves;
} hosts[] = {
	{ "its own name", "b.org", "b.org", true },
	{ "another of the same certificate", "b.org", "a.org", true },
	{ "one of another", "b.org", "x.a.org", false },
	{ "another for the same wildcard", "y.a.org", "z.a.org", true },
	{ "the wildcard is not for the domain", "y.a.org", "a.org", false },
	{ "what the exact one has too", "x.a.org", "a.org", true },
	{ "not the wildcard beside it", "x.a.org", "y.a.org", false },
	{ "all of the first, whoever asked for it", "z.org", "a.org", true },
	{ "not what nobody has", "b.org", "z.org", false },
};

Test(server, hosts_of_the_chosen)
{
	struct tls_server *s = make();

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct meeting m;

		meet(&m, s, hosts[i].sni, NULL, NULL);
		cr_assert(m.well);
		cr_expect_eq(tls_context_serves(SSL_get_SSL_CTX(m.server),
		                 str_of(hosts[i].host)),
		    hosts[i].serves, "%s", hosts[i].why);
		part(&m);
	}
	tls_server_free(&s);
}

/* What is under way stays, also what it was chosen from. */
Test(server, streams_outlive_it)
{
	struct tls_server *s = make();
	struct meeting m;

	meet(&m, s, "y.a.org", NULL, NULL);
	tls_server_free(&s);
	cr_expect(tls_context_serves(SSL_get_SSL_CTX(m.server),
	    STR("q.a.org")));
	cr_expect_eq(SSL_write(m.server, "x", 1), 1);
	part(&m);
}

static const struct {
	const char *why, *offer;
	bool well;
	const char *chosen;
} offers[] = {
	{ "nothing is offered", NULL, true, "" },
	{ "ours alone", "\010http/1.1", true, "http/1.1" },
	{ "ours among others", "\002h9\010http/1.1\002h8", true, "http/1.1" },
	{ "none of ours", "\002h9", false, "" },
};

Test(server, protocols)
{
	struct tls_server *s = make();

	for (size_t i = 0; i < ARRAY_LEN(offers); i++) {
		const unsigned char *p = NULL;
		struct meeting m;
		unsigned n = 0;

		meet(&m, s, NULL, NULL, offers[i].offer);
		cr_expect_eq(m.well, offers[i].well, "%s", offers[i].why);
		if (m.well)
			SSL_get0_alpn_selected(m.server, &p, &n);
		cr_expect(str_eq(str_from((const char *)p, n),
		              str_of(offers[i].chosen)),
		    "%s", offers[i].why);
		part(&m);
	}
	tls_server_free(&s);
}

static void
refused(const char *said)
{
	struct buf b = BUF_INIT;
	struct tls_server *s;

	cr_expect_eq(tls_server_new(&cfg, "f: tls", time(NULL), &b, &s),
	    E_DAMAGED, "%s", said);
	cr_expect_null(s);
	cr_expect_eq(strncmp(b.p, said, strlen(said)), 0, "%s", b.p);
	buf_free(&b);
}

Test(server, that_cannot_be_made)
{
	static char no_cipher[] = "NO-SUCH", two[] = "/two.pem";
	struct str key = certs[1].key.text;

	certs[1].key.text = certs[0].key.text;
	certs[1].certificate.path = two;
	refused("f: tls.certificates[1]: /two.pem: the key is not that of the "
	        "certificate\n");
	certs[1].key.text = key;
	cfg.ciphers = no_cipher;
	refused("f: tls.ciphers: NO-SUCH: ");
	cfg = paper_cfg(certs, papers, PAPERS);
	cfg.ciphersuites = no_cipher;
	refused("f: tls.ciphersuites: NO-SUCH: ");
	cfg = paper_cfg(certs, papers, PAPERS);
	cfg.groups = no_cipher;
	refused("f: tls.groups: NO-SUCH: ");
}

/* ---- tickets ---- */

static int
keep_session(SSL *ssl UNUSED, SSL_SESSION *session)
{
	SSL_SESSION_free(kept);
	kept = session;
	return 1;
}

/* Is what the first one gave good for the second one? */
static bool
resumes(struct tls_server *first, struct tls_server *second, int version)
{
	struct meeting m;
	bool resumed;
	char c;

	SSL_CTX_set_session_cache_mode(client_ctx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(client_ctx, keep_session);
	SSL_CTX_set_max_proto_version(client_ctx, version);
	SSL_SESSION_free(kept);
	kept = NULL;
	for (int i = 0; i < 2; i++) {
		meet(&m, i == 0 ? first : second, "y.a.org", NULL, NULL);
		cr_assert(m.well);
		/* Tickets of TLS 1.3 come behind the handshake. */
		cr_assert_lt(SSL_read(m.client, &c, 1), 1);
		resumed = SSL_session_reused(m.server) == 1;
		part(&m);
		if (i == 0 && kept == NULL)
			return false;
	}
	return resumed;
}

static struct tls_server *
with_keys(const char *keys, size_t len)
{
	static char path[] = "/t";

	cfg.tickets.path = keys == NULL ? NULL : path;
	cfg.tickets.text = str_from(keys, len);
	return make();
}

Test(server, tickets)
{
	static const int vs[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	char keys[3 * 80];
	struct tls_server *s[5];

	for (size_t i = 0; i < sizeof(keys); i++)
		keys[i] = (char)(i * 7 + i / 80);
	s[0] = with_keys(NULL, 0);
	s[1] = with_keys(NULL, 0);
	s[2] = with_keys(keys, 80);       /* A */
	s[3] = with_keys(keys + 80, 160); /* B C */
	s[4] = with_keys(keys, 160);      /* A B */
	for (size_t v = 0; v < ARRAY_LEN(vs); v++) {
		cr_expect(resumes(s[0], s[1], vs[v]), "after a reload");
		cr_expect(resumes(s[2], s[4], vs[v]), "first and first");
		cr_expect(resumes(s[3], s[4], vs[v]), "the older opens");
		cr_expect(!resumes(s[2], s[3], vs[v]), "no key in common");
		cr_expect(!resumes(s[0], s[2], vs[v]), "our own is not there");
	}
	for (int i = 0; i < 5; i++)
		tls_server_free(&s[i]);
	cfg.tickets_on = false;
	s[0] = make();
	for (size_t v = 0; v < ARRAY_LEN(vs); v++) {
		SSL_SESSION_free(kept);
		kept = NULL;
		cr_expect(!resumes(s[0], s[0], vs[v]), "they are off");
	}
	tls_server_free(&s[0]);
	SSL_SESSION_free(kept);
	kept = NULL;
}

Test(server, ticket_files)
{
	static const size_t lens[] = { 0, 1, 48, 79, 81, 17 * 80 };
	static char path[] = "/t", keys[17 * 80];

	cfg.tickets.path = path;
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		cfg.tickets.text = str_from(keys, lens[i]);
		refused("f: tls.tickets.file: /t: 1 to 16 keys of 80 bytes");
	}
}

/* ---- when memory is out ---- */

/* So that fault.c has OpenSSL's calls, too. */
static void *
some(size_t n, const char *file UNUSED, int line UNUSED)
{
	return malloc(n);
}

static void *
more(void *p, size_t n, const char *file UNUSED, int line UNUSED)
{
	return realloc(p, n);
}

static void
none(void *p, const char *file UNUSED, int line UNUSED)
{
	free(p);
}

/* Before OpenSSL takes its first byte. */
__attribute__((constructor)) static void
take_over(void)
{
	if (CRYPTO_set_mem_functions(some, more, none) != 1)
		abort();
}

/* One call in thousands fails: a server or none, never half of one. */
Test(server, without_memory)
{
	struct tls_server *s = make(); /* what is made once is made now */

	tls_server_free(&s);
	cfg = paper_cfg(certs, papers + WILD, 2);
	for (int f = FAULT_MALLOC; f <= FAULT_REALLOC; f++) {
		unsigned n = 1, before, failed = 0;

		do {
			struct buf said = BUF_INIT;
			int rc;

			before = fault_calls((enum fault)f);
			fault_arm((enum fault)f, n, ENOMEM);
			rc = tls_server_new(&cfg, "f", time(NULL), &said, &s);
			fault_arm((enum fault)f, 0, 0);
			cr_expect_eq(s != NULL, rc == E_OK, "%u", n);
			failed += rc != E_OK;
			if (s != NULL)
				tls_server_free(&s);
			buf_free(&said);
			n += n < 100 ? 1 : 29;
		} while (fault_calls((enum fault)f) - before >= n);
		cr_expect_gt(failed, 0);
	}
}
