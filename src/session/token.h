/*
 * token - seals a few bytes so that only we can read or make them:
 * AES-256-GCM under a keyring, base64url without padding.
 *
 * Sealed form: format (1 byte, 1), key id (1), nonce (12), ciphertext, tag
 * (16).  Format and key id, and the caller's context, are authenticated.
 *
 * A sealer keeps prepared cipher contexts: one per thread and keyring.
 *
 * Thread: the sealer's owner.
 */
#ifndef SESSION_TOKEN_H
#define SESSION_TOKEN_H
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/str.h"

struct keyring;
struct sealer;

#define TOKEN_PLAIN_MAX 128
#define TOKEN_TEXT_MAX 224

/* Takes a reference on the keyring. */
struct sealer *sealer_new(struct keyring *) MUST_CHECK;
void sealer_free(struct sealer **);
/* The keyring it was made for, to notice a rotation. */
const struct keyring *sealer_keyring(const struct sealer *);

/* Text length written to out, or E_TOOBIG, E_INTERNAL. */
ssize_t token_seal(struct sealer *, struct str context, struct str plain,
    char out[TOKEN_TEXT_MAX]) MUST_CHECK;
/*
 * Bytes written to plain, or E_SYNTAX (not base64url or too short or long),
 * E_UNSUPPORTED (another format), E_NOENT (no such key), E_DAMAGED (forged,
 * cut, or another context).
 */
ssize_t token_open(struct sealer *, struct str context, struct str text,
    unsigned char plain[TOKEN_PLAIN_MAX]) MUST_CHECK;

#endif
