/*
 * wskey - the key with which a client asks for a WebSocket, and the word by
 * which a server shows that it has read it.  Neither is a secret: they tell
 * who speaks WebSocket from who does not.
 *
 * Thread: any.  Source: RFC 6455 4.1, 4.2.2.
 */
#ifndef SESSION_WSKEY_H
#define SESSION_WSKEY_H
#include "base/attr.h"
#include "base/str.h"

#define WSKEY_LEN 24        /* of 16 random bytes, in base64 */
#define WSKEY_ACCEPT_LEN 28 /* of a SHA-1 */

/* A fresh one; no NUL. */
void wskey_make(char out[WSKEY_LEN]);
/* The value of Sec-WebSocket-Accept for it; no NUL.  E_NOMEM. */
int wskey_accept(const char key[WSKEY_LEN],
    char out[WSKEY_ACCEPT_LEN]) MUST_CHECK;

#endif
