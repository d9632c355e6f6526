/*
 * artifact - codes and tokens that a login server issues, found in what it
 * answers and in what it is asked.
 *
 * Source: RFC 6749 4.1.2, 4.1.3, 5.1, 6; RFC 8628 3.2, 3.4; RFC 9126 2.2, 4;
 * RFC 7009 2.1; RFC 7662 2.1; RFC 8693 2.1; OpenID Connect Core 1.0 3.3.2.5,
 * RP-Initiated Logout 1.0 2, CIBA Core 1.0 7.3, 10.1.
 *
 * Thread: any.
 */
#ifndef SESSION_ARTIFACT_H
#define SESSION_ARTIFACT_H
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define ARTIFACT_VALUE_MAX 16384 /* what is longer is none */

/*
 * One row a kind: identifier, name where it is issued, how long it is
 * remembered where nobody says so (seconds), part of a login under way.
 */
#define ARTIFACTS(X)                                                           \
	X(CODE, "code", 600, true)                                             \
	X(DEVICE_CODE, "device_code", 1800, true)                              \
	X(USER_CODE, "user_code", 1800, true)                                  \
	X(REQUEST_URI, "request_uri", 600, true)                               \
	X(AUTH_REQ_ID, "auth_req_id", 1800, true)                              \
	X(ACCESS_TOKEN, "access_token", 86400, false)                          \
	X(REFRESH_TOKEN, "refresh_token", 2592000, false)                      \
	X(ID_TOKEN, "id_token", 86400, false)
#define X(id, name, ttl_s, of_flow) ARTIFACT_##id,
enum artifact { ARTIFACTS(X) ARTIFACT_COUNT };
#undef X

/* One that was found: its value, decoded, is borrowed for the call. */
typedef void artifact_fn(enum artifact, struct str value, uint64_t ttl_s,
    void *arg);

/*
 * In the parameters behind "?" and "#" of a redirection: a code, an access
 * token and an ID token, the first of each.
 */
void artifact_in_location(struct str location, artifact_fn *, void *arg);
/* In an answer of JSON; with expires_in where it says so. */
void artifact_in_json(struct str text, artifact_fn *, void *arg);

/*
 * Takes parameters off *rest up to the next that is one in a request, decoded
 * into out; {NULL, 0}: there is none.  In a form that is what was issued, or
 * the names it goes by there (token, id_token_hint, subject_token,
 * actor_token); in a query request_uri, user_code and id_token_hint.
 */
struct str artifact_in_form(struct str *rest, char out[ARTIFACT_VALUE_MAX]);
struct str artifact_in_query(struct str *rest, char out[ARTIFACT_VALUE_MAX]);

bool artifact_is_of_flow(enum artifact);

#endif
