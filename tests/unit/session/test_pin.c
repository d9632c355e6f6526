/* The cookie that keeps a session on its pool. */
#include "session/pin.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/random.h"
#include "session/keyring.h"

#define KEY_1                                                                  \
	"1 00112233445566778899aabbccddeeff"                                   \
	"00112233445566778899aabbccddeeff\n"
#define KEY_2                                                                  \
	"2 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"                                   \
	"b0b1b2b3b4b5b6b7b8b9babbbcbdbebf\n"
#define NOW_S UINT64_C(1800000000)
#define DAY_S UINT64_C(86400)
#define COOKIE_LEN 91

static struct sealer *s;

static struct sealer *
sealer_of(const char *text)
{
	struct keyring *r;
	struct sealer *made;
	char why[128];

	cr_assert_eq(keyring_parse(str_of(text), "x", &r, why, sizeof(why)),
	    E_OK);
	made = sealer_new(r);
	keyring_unref(&r);
	return made;
}

static void
begin(void)
{
	s = sealer_of(KEY_1);
}

static void
end(void)
{
	sealer_free(&s);
}

static struct pin
sample(uint64_t issued_s)
{
	return (struct pin){
		.session = UINT64_C(0x0123456789abcdef),
		.pool = pin_name_hash(STR("v1")),
		.instance = pin_name_hash(STR("10.0.0.1:8080")),
		.issued_s = issued_s,
		.epoch = 7,
		.bucket = 4321,
	};
}

static bool
same(const struct pin *a, const struct pin *b)
{
	return a->session == b->session && a->pool == b->pool &&
	    a->instance == b->instance && a->issued_s == b->issued_s &&
	    a->epoch == b->epoch && a->bucket == b->bucket &&
	    a->trial == b->trial && a->login == b->login;
}

static struct str
write_pin(const struct pin *p, char out[TOKEN_TEXT_MAX])
{
	ssize_t n = pin_write(s, STR("sso"), p, out);

	cr_assert_eq(n, COOKIE_LEN);
	return str_from(out, (size_t)n);
}

/* Reads into a pin full of rubbish: a refused one must leave nothing. */
static enum pin_verdict
read_pin(struct sealer *with, struct str service, struct str cookie,
    struct pin *out)
{
	static const struct pin none;
	enum pin_verdict v;

	memset(out, 0x55, sizeof(*out));
	v = pin_read(with, service, cookie, NOW_S, DAY_S, out);
	if (v != PIN_OK)
		cr_expect(same(out, &none), "%s leaves something behind",
		    pin_verdict_name(v));
	return v;
}

Test(pin, reads_back_what_it_wrote, .init = begin, .fini = end, .timeout = 5)
{
	struct pin pins[] = {
		sample(NOW_S),
		{ 0, 1, 0, NOW_S, 0, 0, true, PIN_LOGIN_NONE },
		{ UINT64_MAX, UINT64_MAX, UINT64_MAX, NOW_S, UINT32_MAX, 9999,
		    false, PIN_LOGIN_SEEN },
		{ 1, 1, 1, NOW_S, 1, 9999, false, PIN_LOGIN_SENT },
		{ 1, 1, 1, NOW_S, 1, 9999, true, PIN_LOGIN_NONE },
	};
	char text[TOKEN_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(pins); i++) {
		struct pin back;

		cr_expect_eq(read_pin(s, STR("sso"), write_pin(&pins[i], text),
		                 &back),
		    PIN_OK);
		cr_expect(same(&pins[i], &back), "pin %zu", i);
	}
}

/* Made by another implementation: pins must outlive our versions. */
Test(pin, format_is_stable, .init = begin, .fini = end, .timeout = 5)
{
	struct pin want = sample(NOW_S), back;

	cr_expect_eq(
	    read_pin(s, STR("sso"),
	        STR("AQGgoaKjpKWmp6ipqqvfFzFLyefwExnxlnuXdhGcXv_dQXd2T4uF5oeO3"
	            "Ek8y7Z-TzEB8HV_cYxdaJIBrGbV9BUX-rs"),
	        &back),
	    PIN_OK);
	cr_expect(same(&want, &back));
}

Test(pin, reveals_nothing, .init = begin, .fini = end, .timeout = 5)
{
	char a[TOKEN_TEXT_MAX], b[TOKEN_TEXT_MAX];
	struct pin p = sample(NOW_S);
	size_t differ = 0;

	(void)write_pin(&p, a);
	(void)write_pin(&p, b);
	for (size_t i = 3; i < COOKIE_LEN; i++)
		differ += a[i] != b[i];
	cr_expect_gt(differ, 60, "the same pin looks new each time");
}

/* ---- time ---- */

static const struct {
	const char *why;
	uint64_t issued_s, now_s, max_age_s;
	enum pin_verdict verdict;
} ages[] = {
	{ "just made", NOW_S, NOW_S, DAY_S, PIN_OK },
	{ "as old as may be", NOW_S - DAY_S, NOW_S, DAY_S, PIN_OK },
	{ "one second older", NOW_S - DAY_S - 1, NOW_S, DAY_S, PIN_EXPIRED },
	{ "no age allowed, none had", NOW_S, NOW_S, 0, PIN_OK },
	{ "no age allowed, one had", NOW_S - 1, NOW_S, 0, PIN_EXPIRED },
	{ "another's clock is ahead", NOW_S + 1, NOW_S, DAY_S, PIN_OK },
	{ "just skew", NOW_S + PIN_SKEW_S, NOW_S, DAY_S, PIN_OK },
	{ "skew with no age allowed", NOW_S + 1, NOW_S, 0, PIN_OK },
	{ "beyond skew", NOW_S + PIN_SKEW_S + 1, NOW_S, DAY_S, PIN_FUTURE },
	{ "the end of time", UINT64_MAX, NOW_S, DAY_S, PIN_FUTURE },
	{ "now at the end of time", NOW_S, UINT64_MAX, DAY_S, PIN_EXPIRED },
	{ "both there", UINT64_MAX, UINT64_MAX - 5, DAY_S, PIN_OK },
	{ "from 1970", 0, NOW_S, DAY_S, PIN_EXPIRED },
	{ "lives for ever", 0, UINT64_MAX, UINT64_MAX, PIN_OK },
	{ "clock stands at zero", 0, 0, DAY_S, PIN_OK },
};

Test(pin, age, .init = begin, .fini = end, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(ages); i++) {
		struct pin p = sample(ages[i].issued_s), back;
		char text[TOKEN_TEXT_MAX];
		enum pin_verdict v = pin_read(s, STR("sso"),
		    write_pin(&p, text), ages[i].now_s, ages[i].max_age_s,
		    &back);

		cr_expect_eq(v, ages[i].verdict, "%s: %s", ages[i].why,
		    pin_verdict_name(v));
		cr_expect_eq(same(&p, &back), v == PIN_OK, "%s", ages[i].why);
	}
}

/* ---- not ours ---- */

Test(pin, another_service_or_key, .init = begin, .fini = end, .timeout = 5)
{
	struct sealer *later = sealer_of(KEY_2), *both = sealer_of(KEY_2 KEY_1);
	struct pin p = sample(NOW_S), back;
	char text[TOKEN_TEXT_MAX];
	struct str t = write_pin(&p, text);

	cr_expect_eq(read_pin(s, STR("shop"), t, &back), PIN_FORGED);
	cr_expect_eq(read_pin(s, STR("sso2"), t, &back), PIN_FORGED);
	cr_expect_eq(read_pin(s, STR(""), t, &back), PIN_FORGED);
	cr_expect_eq(read_pin(later, STR("sso"), t, &back), PIN_KEY_UNKNOWN);
	cr_expect_eq(read_pin(both, STR("sso"), t, &back), PIN_OK,
	    "while the old key is still on the ring");
	sealer_free(&later);
	sealer_free(&both);
}

Test(pin, changed_cut_or_longer, .init = begin, .fini = end, .timeout = 10)
{
	struct pin p = sample(NOW_S), back;
	char text[TOKEN_TEXT_MAX];
	struct str t = write_pin(&p, text);

	for (size_t i = 0; i < t.len; i++) {
		char was = text[i];

		for (unsigned bit = 0; bit < 8; bit++) {
			text[i] = (char)(was ^ 1 << bit);
			cr_expect_neq(read_pin(s, STR("sso"), t, &back), PIN_OK,
			    "bit %u of byte %zu", bit, i);
		}
		text[i] = was;
		cr_expect_neq(read_pin(s, STR("sso"), str_sub(t, 0, i), &back),
		    PIN_OK, "cut at %zu", i);
	}
	memset(text + t.len, 'A', sizeof(text) - t.len);
	for (size_t len = t.len + 1; len <= sizeof(text); len++)
		cr_expect_neq(read_pin(s, STR("sso"), str_from(text, len),
		                  &back),
		    PIN_OK, "%zu bytes long", len);
	cr_expect_eq(read_pin(s, STR("sso"), t, &back), PIN_OK, "still good");
}

static const struct {
	const char *why, *cookie;
	enum pin_verdict verdict;
} rubbish[] = {
	{ "empty", "", PIN_MALFORMED },
	{ "a word", "deleted", PIN_MALFORMED },
	{ "of another program", "kc-1.9a8b7c6d", PIN_MALFORMED },
	{ "quoted", "\"AQGgoaKjpKWmp6ipqqu-gxC-Q4x_u0PLMETugLIN\"",
	    PIN_MALFORMED },
	{ "standard base64", "AQGgoaKjpKWmp6ipqqu+gxC+Q4x/u0PLMETugLIN",
	    PIN_MALFORMED },
	{ "all zeros", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	    PIN_FORMAT },
	{ "format 2", "AgGgoaKjpKWmp6ipqqu-gxC-Q4x_u0PLMETugLIN", PIN_FORMAT },
	{ "key 0", "AQCgoaKjpKWmp6ipqqu-gxC-Q4x_u0PLMETugLIN",
	    PIN_KEY_UNKNOWN },
	{ "made up", "AQGAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	    PIN_FORGED },
};

Test(pin, not_one_of_ours, .init = begin, .fini = end, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(rubbish); i++) {
		struct pin back;
		enum pin_verdict v = read_pin(s, STR("sso"),
		    str_of(rubbish[i].cookie), &back);

		cr_expect_eq(v, rubbish[i].verdict, "%s: %s", rubbish[i].why,
		    pin_verdict_name(v));
	}
}

Test(pin, random_cookies, .init = begin, .fini = end, .timeout = 10)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
	                             "abcdefghijklmnopqrstuvwxyz0123456789";

	for (int i = 0; i < 20000; i++) {
		size_t len = random_below(400);
		char *text = malloc(len + 1);
		struct pin back;

		for (size_t j = 0; j < len; j++)
			text[j] = i % 2 == 0 ? (char)random_below(256)
			                     : digits[random_below(64)];
		if (i % 4 == 1 && len > 3)
			memcpy(text, "AQE", 3); /* our format and key */
		cr_expect_neq(read_pin(s, STR("sso"), str_from(text, len),
		                  &back),
		    PIN_OK);
		free(text);
	}
}

/* Sealed by us, but not a pin as this version writes them. */
Test(pin, of_another_version, .init = begin, .fini = end, .timeout = 5)
{
	char plain[TOKEN_PLAIN_MAX] = { 0 }, text[TOKEN_TEXT_MAX];

	for (size_t len = 0; len <= sizeof(plain); len++) {
		ssize_t n = token_seal(s, STR("sso"), str_from(plain, len),
		    text);
		struct pin back;
		enum pin_verdict v = read_pin(s, STR("sso"),
		    str_from(text, (size_t)n), &back);

		/* 38 zeros are a pin, of 1970 */
		cr_expect_eq(v, len == 38 ? PIN_EXPIRED : PIN_FORMAT,
		    "%zu bytes: %s", len, pin_verdict_name(v));
	}
}

Test(pin, bucket_out_of_range, .init = begin, .fini = end, .timeout = 5)
{
	static const struct {
		unsigned char hi, lo;
		enum pin_verdict verdict;
	} buckets[] = { { 0x27, 0x0f, PIN_EXPIRED }, /* 9999, of 1970 */
		{ 0x27, 0x10, PIN_FORMAT }, { 0xff, 0xff, PIN_FORMAT } };

	for (size_t i = 0; i < ARRAY_LEN(buckets); i++) {
		char plain[38] = { 0 }, text[TOKEN_TEXT_MAX];
		struct pin back;
		ssize_t n;

		plain[36] = (char)buckets[i].hi;
		plain[37] = (char)buckets[i].lo;
		n = token_seal(s, STR("sso"), str_from(plain, sizeof(plain)),
		    text);
		cr_expect_eq(read_pin(s, STR("sso"), str_from(text, (size_t)n),
		                 &back),
		    buckets[i].verdict, "row %zu", i);
	}
}

/* ---- names ---- */

/* From another implementation of XXH64: pins and shares rest on them. */
Test(pin, name_hashes_are_stable, .timeout = 5)
{
	cr_expect_eq(pin_name_hash(STR("")), UINT64_C(0x2eb52964d1510240));
	cr_expect_eq(pin_name_hash(STR("v1")), UINT64_C(0x96cdaf32f89f9066));
	cr_expect_eq(pin_name_hash(STR("v2")), UINT64_C(0x9b4554889a443b0c));
	cr_expect_eq(pin_name_hash(STR("10.0.0.1:8080")),
	    UINT64_C(0x9e3920f69bbc1c94));
	cr_expect_eq(
	    pin_name_hash(STR("sso-blue.example.internal:8443/pool-of-many")),
	    UINT64_C(0x97743cbd30e374e8), "above 32 bytes");
}

Test(pin, verdict_names, .timeout = 5)
{
	cr_expect_str_eq(pin_verdict_name(PIN_OK), "ok");
	cr_expect_str_eq(pin_verdict_name(PIN_KEY_UNKNOWN), "key_unknown");
	cr_expect_str_eq(pin_verdict_name(PIN_EXPIRED), "expired");
	for (unsigned v = 0; v < PIN_VERDICT_COUNT; v++)
		cr_expect_not_null(pin_verdict_name((enum pin_verdict)v));
}
