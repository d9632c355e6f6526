/*
 * digest - short keyed digests that stand for secrets in logs, so that lines
 * can be joined but the secret not be found (HMAC-SHA-256, 64 bits shown).
 *
 * Thread: any; the digester is immutable.
 */
#ifndef SESSION_DIGEST_H
#define SESSION_DIGEST_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

struct keyring;
struct digester;

#define DIGEST_TEXT_LEN 16 /* hex digits, no NUL counted */

/* From the keyring's oldest key, so that rotation changes it last. */
struct digester *digester_new(const struct keyring *) MUST_CHECK;
void digester_free(struct digester **);

/* All zeros when memory is out. */
void digest_secret(const struct digester *, struct str secret,
    char out[DIGEST_TEXT_LEN + 1]);

/* 128 bits of it, for tables; false when memory is out. */
bool digest_pair(const struct digester *, struct str secret,
    uint64_t out[2]) MUST_CHECK;

/*
 * Whether the value of a query or form parameter of that name is secret:
 * apikey, assertion, authRequest, authRequestID, authorization, code,
 * device_code, execution, flow, id_token_hint, jsessionid, jwt, key,
 * login_hint, nonce, otp, passwd, password, RelayState, request, request_uri,
 * SAMLart, SAMLRequest, SAMLResponse, secret, session, session_code,
 * session_id, session_state, sid, Signature, state, tab_id, ticket, token,
 * user_code, and whatever ends in -token, _assertion, _challenge, _key,
 * _secret, _token or _verifier.  ASCII case, and "[...]" behind the name, are
 * ignored.
 */
bool digest_is_secret(struct str name);

/*
 * Copies a request target into out[cap], every secret value of its query, of
 * its path's ";parameters" and of a target inside one of its values (escaped
 * once or more) replaced by "~" and the digest of the bytes as they stand
 * there; an empty value stays empty.  Cut at cap; returns bytes written.
 */
size_t digest_target(const struct digester *, struct str target, char *out,
    size_t cap);

#endif
