/*
 * tokens - the few things of OAuth that need cryptography or its encodings.
 *
 * Thread: any.
 */
#ifndef VERIFY_TOKENS_H
#define VERIFY_TOKENS_H
#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"

#define TOKENS_SECRET_MAX 44 /* 32 bytes in base64url, with NUL */

/* A secret nobody can guess: state, nonce, code_verifier (RFC 7636 4.1). */
void tokens_secret(char out[TOKENS_SECRET_MAX]);
/* The S256 challenge of a verifier (RFC 7636 4.2). */
bool tokens_challenge(const char *verifier,
    char out[TOKENS_SECRET_MAX]) MUST_CHECK;
/*
 * The claims of a JWT as JSON text; its signature is not looked at.  False: it
 * is none.
 */
bool tokens_claims(const char *jwt, struct buf *out) MUST_CHECK;

#endif
