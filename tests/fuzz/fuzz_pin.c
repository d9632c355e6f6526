/*
 * Pins from strangers.  The first byte says what the rest is:
 *
 *   c  a cookie: is no pin unless it is the one of the corpus, to the byte
 *   p  what stands inside a sealed token: a pin, or refused by its form
 *   m  pairs of place and change, made to a good cookie: refused if it differs
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "session/keyring.h"
#include "session/pin.h"
#include "must.h"

#define NOW_S UINT64_C(1800000000)
#define MAX_AGE_S UINT64_C(86400)
#define PIN_BYTES 38

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static const struct str service = { "sso", 3 };
static const struct str good = {
	"AQGgoaKjpKWmp6ipqqvfFzFLyefwExnxlnuXdhGcXv_dQXd2T4uF5oeO3Ek8y7Z-TzEB"
	"8HV_cYxdaJIBrGbV9BUX-rs",
	91
};

static struct sealer *
make_sealer(void)
{
	static const struct str keys = STR(
	    "1 00112233445566778899aabbccddeeff"
	    "00112233445566778899aabbccddeeff\n"
	    "2 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
	    "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf\n");
	struct keyring *ring;
	struct sealer *s;
	char why[128];

	MUST(keyring_parse(keys, "keys", &ring, why, sizeof(why)) == E_OK);
	s = sealer_new(ring);
	MUST(s != NULL);
	keyring_unref(&ring);
	return s;
}

static bool
is_empty(const struct pin *p)
{
	return p->session == 0 && p->pool == 0 && p->instance == 0 &&
	    p->issued_s == 0 && p->epoch == 0 && p->bucket == 0;
}

static enum pin_verdict
read_pin(struct sealer *s, struct str cookie, struct pin *out)
{
	enum pin_verdict v;

	memset(out, 0x55, sizeof(*out));
	v = pin_read(s, service, cookie, NOW_S, MAX_AGE_S, out);
	MUST(v < PIN_VERDICT_COUNT);
	MUST(v == PIN_OK || is_empty(out));
	return v;
}

static void
try_cookie(struct sealer *s, struct str cookie)
{
	struct pin p;

	MUST((read_pin(s, cookie, &p) == PIN_OK) == str_eq(cookie, good));
}

static void
try_plain(struct sealer *s, struct str plain)
{
	unsigned char back[TOKEN_PLAIN_MAX];
	char text[TOKEN_TEXT_MAX];
	ssize_t n = token_seal(s, service, plain, text);
	struct str t = str_from(text, (size_t)n);
	enum pin_verdict v;
	struct pin p, again;

	MUST((n == E_TOOBIG) == (plain.len > TOKEN_PLAIN_MAX));
	if (n < 0)
		return;
	MUST(token_open(s, service, t, back) == (ssize_t)plain.len);
	MUST(memcmp(back, plain.p, plain.len) == 0);
	v = read_pin(s, t, &p);
	if (plain.len != PIN_BYTES) {
		MUST(v == PIN_FORMAT);
		return;
	}
	MUST(v == PIN_OK || v == PIN_FORMAT || v == PIN_FUTURE ||
	    v == PIN_EXPIRED);
	if (v != PIN_OK)
		return;
	n = pin_write(s, service, &p, text);
	MUST(n > 0);
	MUST(read_pin(s, str_from(text, (size_t)n), &again) == PIN_OK);
	MUST(token_open(s, service, str_from(text, (size_t)n), back) ==
	    PIN_BYTES);
	MUST(memcmp(back, plain.p, PIN_BYTES) == 0);
}

static void
try_changes(struct sealer *s, const unsigned char *change, size_t n)
{
	char text[TOKEN_TEXT_MAX] = { 0 };
	struct str t = { text, good.len };

	memcpy(text, good.p, good.len);
	for (; n >= 2; n -= 2, change += 2) {
		if (change[0] < TOKEN_TEXT_MAX)
			text[change[0]] = (char)(text[change[0]] ^ change[1]);
		else
			t.len = MIN(change[1], TOKEN_TEXT_MAX);
	}
	try_cookie(s, t);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct sealer *s;
	struct str rest;

	if (s == NULL)
		s = make_sealer();
	if (size == 0)
		return 0;
	rest = str_from((const char *)data + 1, size - 1);
	if (data[0] == 'c')
		try_cookie(s, rest);
	else if (data[0] == 'p')
		try_plain(s, rest);
	else if (data[0] == 'm')
		try_changes(s, data + 1, size - 1);
	return 0;
}
