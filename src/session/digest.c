#include "session/digest.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "session/keyring.h"

#define MAC_BYTES 32

struct digester {
	EVP_MAC_CTX *keyed; /* owned; copied for each digest, never changed */
};

/* ---- the digest ---- */

static EVP_MAC_CTX *
keyed_mac(EVP_MAC *mac, const uint8_t *key, size_t len)
{
	char sha256[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256,
		    0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);

	if (ctx != NULL && EVP_MAC_init(ctx, key, len, params) == 1)
		return ctx;
	EVP_MAC_CTX_free(ctx);
	return NULL;
}

static bool
finish(EVP_MAC_CTX *ctx, struct str s, uint8_t out[MAC_BYTES])
{
	size_t n;

	return (s.len == 0 ||
	           EVP_MAC_update(ctx, (const uint8_t *)s.p, s.len) == 1) &&
	    EVP_MAC_final(ctx, out, &n, MAC_BYTES) == 1 && n == MAC_BYTES;
}

/* A key of its own, so that what seals pins does not also make logs. */
static EVP_MAC_CTX *
derived_mac(const struct keyring_key *k)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ring, *ours = NULL;
	uint8_t derived[MAC_BYTES];

	if (mac == NULL)
		return NULL;
	ring = keyed_mac(mac, k->bytes, sizeof(k->bytes));
	if (ring != NULL && finish(ring, STR("segue log digest"), derived))
		ours = keyed_mac(mac, derived, sizeof(derived));
	OPENSSL_cleanse(derived, sizeof(derived));
	EVP_MAC_CTX_free(ring);
	EVP_MAC_free(mac); /* the contexts hold it */
	return ours;
}

struct digester *
digester_new(const struct keyring *ring)
{
	struct digester *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->keyed = derived_mac(keyring_at(ring, keyring_count(ring) - 1));
	if (d->keyed == NULL) {
		ERR_clear_error();
		digester_free(&d);
	}
	return d;
}

/* OpenSSL wipes the key in its context. */
void
digester_free(struct digester **dp)
{
	struct digester *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	EVP_MAC_CTX_free(d->keyed);
	free(d);
}

static bool
mac_of(const struct digester *d, struct str secret, uint8_t out[MAC_BYTES])
{
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(d->keyed);
	bool ok = ctx != NULL && finish(ctx, secret, out);

	EVP_MAC_CTX_free(ctx);
	if (!ok)
		ERR_clear_error();
	return ok;
}

bool
digest_pair(const struct digester *d, struct str secret, uint64_t out[2])
{
	uint8_t mac[MAC_BYTES];

	if (!mac_of(d, secret, mac))
		return false;
	memcpy(out, mac, 2 * sizeof(*out));
	return true;
}

void
digest_secret(const struct digester *d, struct str secret,
    char out[DIGEST_TEXT_LEN + 1])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t mac[MAC_BYTES];

	if (!mac_of(d, secret, mac))
		memset(mac, 0, sizeof(mac));
	for (size_t i = 0; i < DIGEST_TEXT_LEN; i++)
		out[i] = hex[mac[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
	out[DIGEST_TEXT_LEN] = '\0';
}

/* ---- which names ---- */

/* clang-format off */
#define N(literal) { literal, sizeof(literal) - 1 }
static const struct str secret_names[] = {
	N("apikey"), N("assertion"), N("authrequest"), N("authrequestid"),
	N("authorization"), N("code"), N("device_code"), N("execution"),
	N("flow"), N("id_token_hint"), N("jsessionid"), N("jwt"), N("key"),
	N("login_hint"), N("nonce"), N("otp"), N("passwd"), N("password"),
	N("relaystate"), N("request"), N("request_uri"), N("samlart"),
	N("samlrequest"), N("samlresponse"), N("secret"), N("session"),
	N("session_code"), N("session_id"), N("session_state"), N("sid"),
	N("signature"), N("state"), N("tab_id"), N("ticket"), N("token"),
	N("user_code"),
};
static const struct str secret_ends[] = {
	N("-token"), N("_assertion"), N("_challenge"), N("_key"), N("_secret"),
	N("_token"), N("_verifier"),
};
/* clang-format on */
#undef N

/* Both of the same length, b in lower case; most differ at once. */
static bool
same_name(const char *a, struct str b)
{
	return (a[0] | 0x20) == (b.p[0] | 0x20) &&
	    str_caseeq(str_from(a, b.len), b);
}

bool
digest_is_secret(struct str name)
{
	ssize_t list = str_find(name, '['); /* some write code[]= */

	if (list > 0)
		name.len = (size_t)list;
	for (size_t i = 0; i < ARRAY_LEN(secret_names); i++)
		if (name.len == secret_names[i].len &&
		    same_name(name.p, secret_names[i]))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(secret_ends); i++) {
		struct str end = secret_ends[i];

		if (name.len > end.len &&
		    same_name(name.p + name.len - end.len, end))
			return true;
	}
	return false;
}

/* ---- a target ---- */

/*
 * A target may carry another one in a value (return_to=%2Fauth%3Fcode%3D...),
 * escaped once or more; so names are looked for at every depth of escaping.
 */
struct symbol {
	char c;         /* with all escapes undone */
	unsigned depth; /* how often it was escaped */
	size_t len;     /* bytes it takes in the target */
};

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The symbol at t[at]; a bad escape stands for its "%". */
static struct symbol
symbol_at(struct str t, size_t at)
{
	struct symbol s = { t.p[at], 0, 1 };
	size_t i = at + 1;
	unsigned depth = 1;
	int hi, lo;

	if (s.c != '%')
		return s;
	for (; i + 3 < t.len && t.p[i] == '2' && t.p[i + 1] == '5'; i += 2)
		depth++;
	if (i + 1 >= t.len)
		return s;
	hi = hex_digit(t.p[i]);
	lo = hex_digit(t.p[i + 1]);
	if (hi < 0 || lo < 0)
		return s;
	return (struct symbol){ (char)(hi << 4 | lo), depth, i + 2 - at };
}

#define NAME_MAX_LEN 64

struct scan {
	const struct digester *d;
	struct str t;
	size_t at;
	size_t copied; /* up to here; the rest before at is due */
	bool in_query;
	bool naming;             /* the bytes since a border are a name */
	unsigned depth;          /* of that border */
	char name[NAME_MAX_LEN]; /* so far, escapes undone */
	size_t name_len;
	char *out;
	size_t len, cap;
};

static void
put(struct scan *s, struct str bytes)
{
	size_t n = MIN(bytes.len, s->cap - s->len);

	if (n > 0)
		memcpy(s->out + s->len, bytes.p, n);
	s->len += n;
}

static void
put_due(struct scan *s)
{
	put(s, str_sub(s->t, s->copied, s->at - s->copied));
	s->copied = s->at;
}

/* What does not fit is not looked at: digests cost time. */
static bool
is_full(const struct scan *s)
{
	return s->at - s->copied >= s->cap - s->len;
}

/*
 * Where the value at s->at ends: rather too late than too early, hence not
 * at ";" nor at a border that is escaped more often than the name's own.
 */
static size_t
value_end(const struct scan *s)
{
	size_t i = s->at;

	while (i < s->t.len) {
		struct symbol y = symbol_at(s->t, i);
		bool ends = s->in_query ? y.c == '&' : y.c == '/' || y.c == '?';

		if (ends && y.depth <= s->depth)
			break;
		i += y.len;
	}
	return i;
}

static void
put_value(struct scan *s)
{
	char digest[DIGEST_TEXT_LEN + 1];
	size_t end = value_end(s);

	if (end == s->at || is_full(s))
		return;
	put_due(s);
	digest_secret(s->d, str_sub(s->t, s->at, end - s->at), digest);
	put(s, STR("~"));
	put(s, str_of(digest));
	s->at = s->copied = end;
}

static bool
is_border(char c)
{
	return c == '?' || c == '&' || c == ';' || c == '#';
}

static void
step(struct scan *s)
{
	struct symbol y = symbol_at(s->t, s->at);

	s->at += y.len;
	if (is_border(y.c)) {
		s->in_query |= y.c == '?' && y.depth == 0;
		s->naming = true;
		s->depth = y.depth;
		s->name_len = 0;
	} else if (s->naming && y.c == '=') {
		s->naming = false;
		if (digest_is_secret(str_from(s->name, s->name_len)))
			put_value(s);
	} else if (s->naming) {
		s->naming = s->name_len < NAME_MAX_LEN;
		if (s->naming)
			s->name[s->name_len++] = y.c;
	}
}

size_t
digest_target(const struct digester *d, struct str target, char *out,
    size_t cap)
{
	struct scan s = { .d = d, .t = target, .cap = cap };

	s.out = out;
	while (s.at < target.len && !is_full(&s))
		step(&s);
	put_due(&s);
	return s.len;
}
