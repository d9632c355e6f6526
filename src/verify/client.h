/*
 * client - the client and the person that a scripted login is done with: a
 * JSON file of the operator's.
 *
 *   client_id       required
 *   client_secret   without it the client is a public one
 *   redirect_uri    required; nobody goes there
 *   username, password   required
 *   scope           default "openid"
 *   post_logout_redirect_uri   nobody goes there either
 *   keep            file for a refresh token: the one in it is used up first,
 *                   a new one is left; nobody logs out then
 *
 * Thread: any.
 */
#ifndef VERIFY_CLIENT_H
#define VERIFY_CLIENT_H
#include <stddef.h>

#include "base/attr.h"

struct json;

#define CLIENT_WORDS(X)                                                        \
	X(client_id, true)                                                     \
	X(client_secret, false)                                                \
	X(redirect_uri, true)                                                  \
	X(username, true)                                                      \
	X(password, true)                                                      \
	X(scope, false)                                                        \
	X(post_logout_redirect_uri, false)                                     \
	X(keep, false)

struct client {
	struct json *doc; /* owned */
#define X(name, needed) const char *name;
	CLIENT_WORDS(X) /* of .doc; NULL: not given */
#undef X
};

/* E_OK, or a code with a sentence in why[cap] and *out empty. */
int client_load(const char *path, struct client *out, char *why,
    size_t cap) MUST_CHECK;
void client_free(struct client *);

#endif
