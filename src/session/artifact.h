/*
 * artifact - codes and tokens that a login server issues, found in what it
 * answers and in what it is asked.
 *
 * Source: RFC 6749 4.1.1 to 4.1.3, 5.1, 6; RFC 8628 3.2, 3.4; RFC 9126 2.2, 4;
 * RFC 7009 2.1; RFC 7662 2.1; RFC 8693 2.1; OpenID Connect Core 1.0 3.3.2.5,
 * RP-Initiated Logout 1.0 2, CIBA Core 1.0 7.3, 10.1; OAuth 2.0 Form Post
 * Response Mode; SAML 2.0 Bindings 3.4.3, 3.5.3.
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
 * Shorter ones are no state, nor issued by a page: "1" is a field of many
 * forms, and would lead others astray.
 */
#define ARTIFACT_LEAST 16

/* Where one is issued, bits. */
enum artifact_birth {
	BORN_BACK = 1, /* leading back to an application, by redirection or
	                  by a page whose form is sent on */
	BORN_JSON = 2,
	BORN_AWAY = 4 /* as BORN_BACK, but asking another server, which is to
	                 send the browser back with it */
};

/*
 * One row a kind: identifier, name where it is issued, how long it is
 * remembered where nobody says so (seconds), part of a login under way, where
 * it is issued.
 */
#define ARTIFACTS(X)                                                           \
	X(CODE, "code", 600, true, BORN_BACK)                                  \
	X(DEVICE_CODE, "device_code", 1800, true, BORN_JSON)                   \
	X(USER_CODE, "user_code", 1800, true, BORN_JSON)                       \
	X(REQUEST_URI, "request_uri", 600, true, BORN_JSON)                    \
	X(AUTH_REQ_ID, "auth_req_id", 1800, true, BORN_JSON)                   \
	X(STATE, "state", 3600, true, BORN_AWAY)                               \
	X(RELAY_STATE, "RelayState", 3600, true, BORN_AWAY)                    \
	X(ACCESS_TOKEN, "access_token", 86400, false, BORN_BACK | BORN_JSON)   \
	X(REFRESH_TOKEN, "refresh_token", 2592000, false, BORN_JSON)           \
	X(ID_TOKEN, "id_token", 86400, false, BORN_BACK | BORN_JSON)
#define X(id, name, ttl_s, of_flow, born) ARTIFACT_##id,
enum artifact { ARTIFACTS(X) ARTIFACT_COUNT };
#undef X

/* One that was found: its value, decoded, is borrowed for the call. */
typedef void artifact_fn(enum artifact, struct str value, uint64_t ttl_s,
    void *arg);

/*
 * In the parameters behind "?" and "#" of a redirection, the first of each: a
 * code, an access token, an ID token; state and RelayState where it asks
 * another server (it has client_id, SAMLRequest or post_logout_redirect_uri):
 * that of an answer is the application's, and comes back to it, not to us.
 */
void artifact_in_location(struct str location, artifact_fn *, void *arg);
/* The same in the fields of the forms on a page; no short ones. */
void artifact_in_page(struct str html, artifact_fn *, void *arg);
/* In an answer of JSON; with expires_in where it says so. */
void artifact_in_json(struct str text, artifact_fn *, void *arg);

/*
 * Takes parameters off *rest, which begins as all, up to the next that is one
 * in a request, decoded into out; {NULL, 0}: there is none.  In a form that is
 * what was issued, or the names it goes by there (token, id_token_hint,
 * subject_token, actor_token); in a query request_uri, user_code,
 * id_token_hint, state and RelayState.  The last two with states, and not where
 * all asks us, as an application does.
 */
struct str artifact_in_form(struct str all, bool states, struct str *rest,
    char out[ARTIFACT_VALUE_MAX]);
struct str artifact_in_query(struct str all, bool states, struct str *rest,
    char out[ARTIFACT_VALUE_MAX]);

bool artifact_is_of_flow(enum artifact);
bool artifact_is_state(enum artifact);

#endif
