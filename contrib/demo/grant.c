/*
 * grant - signed strings of the sample identity service.
 */
#include "contrib/demo/grant.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/err.h"

#define MAC_HEX 32 /* 16 bytes */
#define PARTS 7

static const struct {
	char letter;
	unsigned lives_s;
} kinds[GRANT_KIND_COUNT] = {
#define X(id, letter, lives) [GRANT_##id] = { letter, lives },
	GRANT_KINDS(X)
#undef X
};

unsigned
grant_lives_s(enum grant_kind kind)
{
	return kinds[kind].lives_s;
}

static uint64_t
now_s(void)
{
	return clock_wall_us() / US_PER_S;
}

int
grant_key_read(const char *path, struct grant_key *out)
{
	FILE *f;
	int rc = E_OK;

	out->len = 0;
	if (path == NULL) {
		if (getrandom(out->bytes, 32, 0) != 32)
			return err_sys();
		out->len = 32;
		return E_OK;
	}
	f = fopen(path, "re");
	if (f == NULL)
		return err_sys();
	out->len = fread(out->bytes, 1, sizeof(out->bytes), f);
	if (ferror(f))
		rc = E_IO;
	else if (out->len < GRANT_KEY_MIN)
		rc = E_RANGE;
	fclose(f);
	return rc;
}

bool
grant_word_ok(const char *word)
{
	size_t n = strlen(word);

	return n > 0 && n < GRANT_WORD_MAX &&
	    strspn(word,
	        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	        "0123456789._:-[]") == n;
}

static void
sign(const struct grant_key *key, const char *text, size_t len,
    char out[MAC_HEX + 1])
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned mac_len = 0;

	if (HMAC(EVP_sha256(), key->bytes, (int)key->len,
	        (const unsigned char *)text, len, mac, &mac_len) == NULL)
		abort(); /* only when memory is out */
	for (unsigned i = 0; i < MAC_HEX / 2; i++)
		snprintf(out + 2 * (size_t)i, 3, "%02x", mac[i]);
}

void
grant_issue(const struct grant_key *key, enum grant_kind kind,
    const char *version, const char *instance, const char *subject,
    char out[GRANT_MAX])
{
	uint64_t id;
	int n;

	if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
		abort();
	n = snprintf(out, GRANT_MAX, "%c~%s~%s~%s~%016" PRIx64 "~%" PRIx64 "~",
	    kinds[kind].letter, version, instance, subject, id,
	    now_s() + kinds[kind].lives_s);
	sign(key, out, (size_t)n, out + n);
}

static bool
take_word(const char *from, size_t len, char out[GRANT_WORD_MAX])
{
	if (len == 0 || len >= GRANT_WORD_MAX)
		return false;
	memcpy(out, from, len);
	out[len] = '\0';
	return true;
}

enum grant_verdict
grant_read(const struct grant_key *key, enum grant_kind kind, const char *text,
    struct grant *out)
{
	const char *part[PARTS];
	size_t n = 0, len = strlen(text), head;
	char mac[MAC_HEX + 1];

	part[n++] = text;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p != '~')
			continue;
		if (n == PARTS)
			return GRANT_FORGED;
		part[n++] = p + 1;
	}
	if (n != PARTS || text[0] != kinds[kind].letter || text[1] != '~')
		return GRANT_FORGED;
	head = (size_t)(part[6] - text);
	if (len - head != MAC_HEX)
		return GRANT_FORGED;
	sign(key, text, head, mac);
	if (CRYPTO_memcmp(mac, part[6], MAC_HEX) != 0)
		return GRANT_FORGED;
	if (!take_word(part[1], (size_t)(part[2] - part[1] - 1),
	        out->version) ||
	    !take_word(part[2], (size_t)(part[3] - part[2] - 1),
	        out->instance) ||
	    !take_word(part[3], (size_t)(part[4] - part[3] - 1), out->subject))
		return GRANT_FORGED;
	out->id = strtoull(part[4], NULL, 16);
	out->expires_s = strtoull(part[5], NULL, 16);
	return out->expires_s > now_s() ? GRANT_OK : GRANT_EXPIRED;
}
