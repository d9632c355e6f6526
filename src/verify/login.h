/*
 * login - what a user does, step by step: the token kept from before, the
 * authorization code flow with PKCE through the login pages, token, userinfo,
 * refresh, logout (OpenID Connect Core 1.0 3.1, RFC 6749, RFC 7636,
 * RP-Initiated Logout 1.0).
 *
 * Thread: the owner; blocks.
 */
#ifndef VERIFY_LOGIN_H
#define VERIFY_LOGIN_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct client;
struct json;
struct web;

#define LOGIN_STEPS(X)                                                         \
	X(KEPT, "kept token", use_kept)                                        \
	X(PAGES, "login", go_through_pages)                                    \
	X(TOKEN, "token", get_tokens)                                          \
	X(USERINFO, "userinfo", get_userinfo)                                  \
	X(REFRESH, "refresh", refresh)                                         \
	X(KEEP, "keep", keep)                                                  \
	X(LOGOUT, "logout", log_out)

#define X(id, name, fn) LOGIN_##id,
enum login_step { LOGIN_STEPS(X) LOGIN_STEP_COUNT };
#undef X
const char *login_step_name(enum login_step);

enum login_outcome { LOGIN_DONE, LOGIN_PASSED, LOGIN_FAILED };

/* why: what is wrong, or what was passed for; "" when done. */
typedef void login_tell_fn(enum login_step, enum login_outcome,
    uint64_t took_us, const char *why, void *arg);

/*
 * Goes through the steps and tells of each; the first that fails ends it.
 *
 * web        fresh, so that nobody is logged in
 * issuer     as the server's discovery has it
 * returns    none has failed
 */
bool login_run(struct web *, const struct json *discovery, const char *issuer,
    const struct client *, login_tell_fn *, void *arg) MUST_CHECK;

#endif
