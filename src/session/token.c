#include "session/token.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/random.h"
#include "session/base64url.h"
#include "session/keyring.h"

#define FORMAT 1
#define HEAD_BYTES 2 /* format, key id */
#define NONCE_BYTES 12
#define TAG_BYTES 16
#define BARE_BYTES (HEAD_BYTES + NONCE_BYTES + TAG_BYTES) /* around the text */
#define SEALED_MAX (BARE_BYTES + TOKEN_PLAIN_MAX)

_Static_assert(BASE64URL_LEN(SEALED_MAX) <= TOKEN_TEXT_MAX, "text fits");

struct opener {
	uint8_t id;
	EVP_CIPHER_CTX *ctx; /* owned; keyed once and for all */
};

struct sealer {
	struct keyring *ring; /* one ref */
	EVP_CIPHER_CTX *seal; /* owned; of the first key */
	size_t n;
	struct opener open[KEYRING_MAX];
};

enum { OPEN, SEAL }; /* as EVP_CipherInit_ex2() wants them */

/* A context that needs but a nonce for each token. */
static EVP_CIPHER_CTX *
prepare(const EVP_CIPHER *cipher, const struct keyring_key *k, int way)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (ctx == NULL)
		return NULL;
	if (EVP_CipherInit_ex2(ctx, cipher, k->bytes, NULL, way, NULL) == 1)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

static bool
prepare_all(struct sealer *s, const EVP_CIPHER *cipher)
{
	s->seal = prepare(cipher, keyring_at(s->ring, 0), SEAL);
	if (s->seal == NULL)
		return false;
	for (; s->n < keyring_count(s->ring); s->n++) {
		const struct keyring_key *k = keyring_at(s->ring, s->n);
		struct opener *o = &s->open[s->n];

		o->id = k->id;
		o->ctx = prepare(cipher, k, OPEN);
		if (o->ctx == NULL)
			return false;
	}
	return true;
}

struct sealer *
sealer_new(struct keyring *ring)
{
	struct sealer *s = calloc(1, sizeof(*s));
	EVP_CIPHER *cipher;

	if (s == NULL)
		return NULL;
	s->ring = keyring_ref(ring);
	cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	if (cipher == NULL || !prepare_all(s, cipher)) {
		ERR_clear_error();
		sealer_free(&s);
	}
	EVP_CIPHER_free(cipher); /* the contexts hold it */
	return s;
}

/* OpenSSL wipes the keys in its contexts. */
void
sealer_free(struct sealer **sp)
{
	struct sealer *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	EVP_CIPHER_CTX_free(s->seal);
	for (size_t i = 0; i < s->n; i++)
		EVP_CIPHER_CTX_free(s->open[i].ctx);
	keyring_unref(&s->ring);
	free(s);
}

const struct keyring *
sealer_keyring(const struct sealer *s)
{
	return s->ring;
}

/* ---- sealing ---- */

/* The nonce, and what is authenticated without being there to read. */
static bool
begin(EVP_CIPHER_CTX *ctx, const uint8_t *sealed, struct str context)
{
	int n;

	return EVP_CipherInit_ex2(ctx, NULL, NULL, sealed + HEAD_BYTES, -1,
	           NULL) == 1 &&
	    EVP_CipherUpdate(ctx, NULL, &n, sealed, HEAD_BYTES) == 1 &&
	    (context.len == 0 ||
	        EVP_CipherUpdate(ctx, NULL, &n, (const uint8_t *)context.p,
	            (int)context.len) == 1);
}

static bool
run(EVP_CIPHER_CTX *ctx, const void *in, size_t len, uint8_t *out)
{
	int n;

	return len == 0 || EVP_CipherUpdate(ctx, out, &n, in, (int)len) == 1;
}

ssize_t
token_seal(struct sealer *s, struct str context, struct str plain,
    char out[TOKEN_TEXT_MAX])
{
	uint8_t sealed[SEALED_MAX];
	uint8_t *nonce = sealed + HEAD_BYTES, *text = nonce + NONCE_BYTES;
	uint8_t *tag = text + plain.len;
	int last;

	if (plain.len > TOKEN_PLAIN_MAX || context.len > INT_MAX)
		return E_TOOBIG;
	sealed[0] = FORMAT;
	sealed[1] = s->open[0].id;
	random_bytes(nonce, NONCE_BYTES);
	if (!begin(s->seal, sealed, context) ||
	    !run(s->seal, plain.p, plain.len, text) ||
	    EVP_CipherFinal_ex(s->seal, tag, &last) != 1 ||
	    EVP_CIPHER_CTX_ctrl(s->seal, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES,
	        tag) != 1) {
		ERR_clear_error();
		return E_INTERNAL;
	}
	return (ssize_t)base64url_write(sealed, BARE_BYTES + plain.len, out);
}

static EVP_CIPHER_CTX *
opener_of(const struct sealer *s, uint8_t id)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->open[i].id == id)
			return s->open[i].ctx;
	return NULL;
}

ssize_t
token_open(struct sealer *s, struct str context, struct str text,
    unsigned char plain[TOKEN_PLAIN_MAX])
{
	uint8_t sealed[SEALED_MAX], rest[TAG_BYTES];
	ssize_t len = base64url_read(text, sealed, sizeof(sealed));
	EVP_CIPHER_CTX *ctx;
	size_t n;
	int last;

	if (len < BARE_BYTES)
		return E_SYNTAX;
	if (sealed[0] != FORMAT)
		return E_UNSUPPORTED;
	ctx = opener_of(s, sealed[1]);
	if (ctx == NULL)
		return E_NOENT;
	n = (size_t)len - BARE_BYTES;
	if (context.len <= INT_MAX && begin(ctx, sealed, context) &&
	    run(ctx, sealed + HEAD_BYTES + NONCE_BYTES, n, plain) &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES,
	        sealed + len - TAG_BYTES) == 1 &&
	    EVP_CipherFinal_ex(ctx, rest, &last) == 1)
		return (ssize_t)n;
	/* Nobody may use, or trip over, what is not proved. */
	OPENSSL_cleanse(plain, n);
	if (ERR_peek_error() != 0)
		ERR_clear_error();
	return E_DAMAGED;
}
