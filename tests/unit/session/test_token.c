/* Sealed bytes: nobody reads, makes, changes, cuts or misplaces one. */
#include "session/token.h"

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "session/keyring.h"

#define KEY_1                                                                  \
	"1 00112233445566778899aabbccddeeff"                                   \
	"00112233445566778899aabbccddeeff\n"
#define KEY_2                                                                  \
	"2 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"                                   \
	"b0b1b2b3b4b5b6b7b8b9babbbcbdbebf\n"
#define OTHER_1                                                                \
	"1 ff112233445566778899aabbccddeeff"                                   \
	"00112233445566778899aabbccddeeff\n"
#define BARE 30 /* format, key id, nonce, tag */

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static struct sealer *
sealer_of(const char *text)
{
	struct keyring *r;
	struct sealer *s;
	char why[128];

	cr_assert_eq(keyring_parse(str_of(text), "x", &r, why, sizeof(why)),
	    E_OK, "%s", why);
	s = sealer_new(r);
	cr_assert_not_null(s);
	cr_expect_eq(sealer_keyring(s), r);
	keyring_unref(&r); /* the sealer has its own */
	return s;
}

/* The token in memory of exactly its size, so that a sanitizer sees more. */
static ssize_t
open_exact(struct sealer *s, struct str context, struct str text,
    unsigned char plain[TOKEN_PLAIN_MAX])
{
	char *copy = malloc(text.len);
	ssize_t n;

	if (text.len > 0)
		memcpy(copy, text.p, text.len);
	n = token_open(s, context, str_from(copy, text.len), plain);
	free(copy);
	return n;
}

static struct str
seal(struct sealer *s, struct str context, struct str plain,
    char out[TOKEN_TEXT_MAX])
{
	ssize_t n = token_seal(s, context, plain, out);

	cr_assert_gt(n, 0);
	return str_from(out, (size_t)n);
}

Test(token, every_length, .timeout = 5)
{
	struct sealer *s = sealer_of(KEY_1);
	char plain[TOKEN_PLAIN_MAX + 1], text[TOKEN_TEXT_MAX];
	unsigned char back[TOKEN_PLAIN_MAX];

	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (char)(i * 37);
	for (size_t len = 0; len <= TOKEN_PLAIN_MAX; len++) {
		struct str t = seal(s, STR("ctx"), str_from(plain, len), text);

		cr_expect_eq(t.len, ((BARE + len) * 4 + 2) / 3, "%zu", len);
		for (size_t i = 0; i < t.len; i++)
			cr_expect_not_null(strchr(digits, t.p[i]));
		cr_expect_eq(open_exact(s, STR("ctx"), t, back), (ssize_t)len);
		cr_expect_eq(memcmp(back, plain, len), 0, "%zu", len);
	}
	cr_expect_eq(token_seal(s, STR("ctx"),
	                 str_from(plain, TOKEN_PLAIN_MAX + 1), text),
	    E_TOOBIG);
	sealer_free(&s);
	cr_expect_null(s);
	sealer_free(&s);
}

/* Made by another implementation (Python's cryptography): never change it. */
Test(token, format_is_stable, .timeout = 5)
{
	struct sealer *s = sealer_of(KEY_1);
	unsigned char plain[TOKEN_PLAIN_MAX];

	cr_expect_eq(open_exact(s, STR("sso"),
	                 STR("AQGgoaKjpKWmp6ipqqu2URhAL7tmu7Pphgfx9hxJkotqINk"),
	                 plain),
	    5);
	cr_expect_eq(memcmp(plain, "hello", 5), 0);
	cr_expect_eq(open_exact(s, STR(""),
	                 STR("AQGgoaKjpKWmp6ipqqu-gxC-Q4x_u0PLMETugLIN"),
	                 plain),
	    0, "no text, no context");
	sealer_free(&s);
}

/* ---- changed ---- */

/* What a token must be called whose character i is now another. */
static bool
fits(size_t i, ssize_t got)
{
	switch (i) {
	case 0: /* bits of the format alone */
		return got == E_UNSUPPORTED;
	case 1: /* format and key id */
		return got == E_UNSUPPORTED || got == E_NOENT;
	case 2: /* key id and nonce */
		return got == E_NOENT || got == E_DAMAGED;
	default:
		return got == E_DAMAGED || got == E_SYNTAX;
	}
}

Test(token, any_other_character_anywhere, .timeout = 20)
{
	struct sealer *s = sealer_of(KEY_1 KEY_2);
	char text[TOKEN_TEXT_MAX];
	unsigned char plain[TOKEN_PLAIN_MAX];
	struct str t = seal(s, STR("ctx"), STR("twelve bytes"), text);

	for (size_t i = 0; i < t.len; i++) {
		char was = text[i];

		for (int c = 0; c < 256; c++) {
			ssize_t got;

			text[i] = (char)c;
			if (text[i] == was)
				continue;
			got = open_exact(s, STR("ctx"), t, plain);
			if (c == 0 || strchr(digits, c) == NULL)
				cr_expect_eq(got, E_SYNTAX, "%zu: %d", i, c);
			else if (i != 2)
				cr_expect(fits(i, got), "%zu: %d: %zd", i, c,
				    got);
			cr_expect_lt(got, 0, "%zu: %d opened", i, c);
		}
		text[i] = was;
	}
	cr_expect_eq(open_exact(s, STR("ctx"), t, plain), 12, "still good");
	sealer_free(&s);
}

/* Bits of the sealed bytes, not of their spelling. */
static void
flip(char *text, size_t bit)
{
	size_t at = bit / 6;
	unsigned v = (unsigned)(strchr(digits, text[at]) - digits);

	text[at] = digits[v ^ 32u >> bit % 6];
}

Test(token, every_bit, .timeout = 5)
{
	struct sealer *s = sealer_of(KEY_1);
	char text[TOKEN_TEXT_MAX];
	unsigned char plain[TOKEN_PLAIN_MAX];
	struct str t = seal(s, STR("ctx"), STR("twelve bytes"), text);

	for (size_t bit = 0; bit < (BARE + 12) * 8; bit++) {
		ssize_t want = bit < 8 ? E_UNSUPPORTED
		    : bit < 16         ? E_NOENT
		                       : E_DAMAGED;

		flip(text, bit);
		cr_expect_eq(open_exact(s, STR("ctx"), t, plain), want,
		    "bit %zu", bit);
		flip(text, bit);
	}
	cr_expect_eq(ERR_peek_error(), 0, "TLS would trip over what is left");
	cr_expect_eq(open_exact(s, STR("ctx"), t, plain), 12);
	sealer_free(&s);
}

Test(token, cut_or_longer, .timeout = 5)
{
	struct sealer *s = sealer_of(KEY_1);
	char text[TOKEN_TEXT_MAX], big[4096];
	unsigned char plain[TOKEN_PLAIN_MAX];

	for (size_t len = 0; len <= 12; len++) {
		struct str t = seal(s, STR("c"), str_from("twelve bytes", len),
		    text);

		for (size_t cut = 0; cut < t.len; cut++) {
			ssize_t got = open_exact(s, STR("c"),
			    str_sub(t, 0, cut), plain);

			cr_expect(got == E_SYNTAX || got == E_DAMAGED,
			    "%zu of %zu: %zd", cut, t.len, got);
			got = open_exact(s, STR("c"),
			    str_sub(t, cut + 1, t.len), plain);
			cr_expect_lt(got, 0, "without its first %zu", cut + 1);
		}
		for (size_t more = 1; more < 9; more++) {
			memset(text + t.len, 'A', more);
			cr_expect_lt(open_exact(s, STR("c"),
			                 str_from(text, t.len + more), plain),
			    0, "%zu longer", more);
		}
	}
	memset(big, 'A', sizeof(big));
	big[0] = big[1] = 'A';
	big[1] = 'Q'; /* format 1 */
	for (size_t len = 0; len < sizeof(big); len++)
		cr_expect_lt(open_exact(s, STR("c"), str_from(big, len), plain),
		    0, "%zu", len);
	cr_expect_eq(open_exact(s, STR("c"), str_from(big, sizeof(big)), plain),
	    E_SYNTAX, "oversize");
	sealer_free(&s);
}

/* Two spellings of one token would be two cookies to whoever revokes it. */
Test(token, one_spelling_only, .timeout = 5)
{
	struct sealer *s = sealer_of(KEY_1);
	char text[TOKEN_TEXT_MAX];
	unsigned char plain[TOKEN_PLAIN_MAX];
	struct str t = seal(s, STR("c"), STR("1"), text); /* 31 bytes */
	unsigned v = (unsigned)(strchr(digits, text[t.len - 1]) - digits);

	cr_assert_eq(t.len, 42);
	for (unsigned low = 1; low < 16; low++) {
		text[t.len - 1] = digits[v | low];
		cr_expect_eq(open_exact(s, STR("c"), t, plain), E_SYNTAX, "%u",
		    low);
	}
	text[t.len - 1] = digits[v];
	cr_expect_eq(open_exact(s, STR("c"), t, plain), 1);
	memcpy(text + t.len, "==", 2);
	cr_expect_eq(open_exact(s, STR("c"), str_from(text, t.len + 2), plain),
	    E_SYNTAX, "padding");
	sealer_free(&s);
}

Test(token, forged_text_is_wiped, .timeout = 5)
{
	struct sealer *s = sealer_of(KEY_1);
	char text[TOKEN_TEXT_MAX];
	unsigned char plain[TOKEN_PLAIN_MAX];
	struct str t = seal(s, STR("c"), STR("twelve bytes"), text);

	memset(plain, 0x55, sizeof(plain));
	flip(text, (BARE + 12) * 8 - 1); /* the tag: the text still decrypts */
	cr_expect_eq(open_exact(s, STR("c"), t, plain), E_DAMAGED);
	for (size_t i = 0; i < 12; i++)
		cr_expect_eq(plain[i], 0, "byte %zu", i);
	sealer_free(&s);
}

/* ---- contexts and keys ---- */

Test(token, other_contexts, .timeout = 5)
{
	static const char *const others[] = { "", "s", "ss", "sso2", "ssp",
		"SSO", "sso ", "a much longer one than the one it had" };
	struct sealer *s = sealer_of(KEY_1);
	char text[TOKEN_TEXT_MAX];
	unsigned char plain[TOKEN_PLAIN_MAX];
	struct str t = seal(s, STR("sso"), STR("x"), text);

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		cr_expect_eq(open_exact(s, str_of(others[i]), t, plain),
		    E_DAMAGED, "%s", others[i]);
		cr_expect_eq(open_exact(s, STR("sso"), t, plain), 1,
		    "a forgery before it spoils nothing");
	}
	sealer_free(&s);
}

Test(token, rotation, .timeout = 5)
{
	struct sealer *old = sealer_of(KEY_1), *both = sealer_of(KEY_2 KEY_1);
	struct sealer *young = sealer_of(KEY_2), *other = sealer_of(OTHER_1);
	char a_text[TOKEN_TEXT_MAX], b_text[TOKEN_TEXT_MAX];
	unsigned char plain[TOKEN_PLAIN_MAX];
	struct str a = seal(old, STR("c"), STR("a"), a_text);
	struct str b = seal(both, STR("c"), STR("b"), b_text);

	cr_expect_eq(open_exact(both, STR("c"), a, plain), 1, "both open it");
	cr_expect_eq(open_exact(young, STR("c"), b, plain), 1, "first seals");
	cr_expect_eq(open_exact(young, STR("c"), a, plain), E_NOENT,
	    "a retired key");
	cr_expect_eq(open_exact(old, STR("c"), b, plain), E_NOENT,
	    "a proxy that has not the new key yet");
	cr_expect_eq(open_exact(other, STR("c"), a, plain), E_DAMAGED,
	    "the same id, other bytes");
	sealer_free(&old);
	sealer_free(&both);
	sealer_free(&young);
	sealer_free(&other);
}

/* The key id is authenticated: it cannot point to another key. */
Test(token, key_id_swapped, .timeout = 5)
{
	struct sealer *s = sealer_of(KEY_2 KEY_1);
	char text[TOKEN_TEXT_MAX];
	unsigned char plain[TOKEN_PLAIN_MAX];
	struct str t = seal(s, STR("c"), STR("x"), text);

	flip(text, 14);
	flip(text, 15); /* 2 becomes 1 */
	cr_expect_eq(open_exact(s, STR("c"), t, plain), E_DAMAGED);
	sealer_free(&s);
}

/* ---- nonces ---- */

#define NONCES 20000
#define SEALERS 3

static int
by_text(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

/* One nonce used twice under a key gives the key's secret away. */
Test(token, nonces_never_repeat, .timeout = 20)
{
	char(*all)[16] = malloc((size_t)16 * NONCES * SEALERS);
	char text[TOKEN_TEXT_MAX];

	for (size_t i = 0; i < SEALERS; i++) {
		struct sealer *s = sealer_of(KEY_1);

		for (size_t j = 0; j < NONCES; j++) {
			(void)seal(s, STR("c"), STR("same"), text);
			memcpy(all[i * NONCES + j], text + 3, 16);
		}
		sealer_free(&s);
	}
	qsort(all, (size_t)NONCES * SEALERS, 16, by_text);
	for (size_t i = 1; i < (size_t)NONCES * SEALERS; i++)
		cr_assert_neq(memcmp(all[i - 1], all[i], 16), 0);
	free(all);
}

Test(token, nonces_differ_after_fork, .timeout = 5)
{
	struct sealer *s = sealer_of(KEY_1);
	char ours[TOKEN_TEXT_MAX], theirs[TOKEN_TEXT_MAX];
	struct str t = seal(s, STR("c"), STR("x"), ours);
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	if (fork() == 0) {
		t = seal(s, STR("c"), STR("x"), theirs);
		_exit(write(fds[1], t.p, t.len) != (ssize_t)t.len);
	}
	t = seal(s, STR("c"), STR("x"), ours);
	cr_expect_eq(read(fds[0], theirs, t.len), (ssize_t)t.len);
	(void)wait(NULL);
	cr_expect_neq(memcmp(ours, theirs, t.len), 0);
	close(fds[0]);
	close(fds[1]);
	sealer_free(&s);
}
