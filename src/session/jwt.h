/*
 * jwt - by which key a token is signed, as its header says (RFC 7515 4.1.4).
 * Nothing is proved by that: who takes the token does.
 *
 * Thread: any.
 */
#ifndef SESSION_JWT_H
#define SESSION_JWT_H
#include "base/str.h"

#define JWT_HEADER_MAX 1024 /* bytes of its JSON; longer ones are not read */
#define JWT_KID_MAX 256

/* The kid, in out; .len 0: it is no JWT, or names no key. */
struct str jwt_kid(struct str token, char out[JWT_KID_MAX]);

#endif
