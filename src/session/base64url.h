/*
 * base64url - bytes as text for URLs and cookies, without padding (RFC 4648 5).
 *
 * Thread: any.
 */
#ifndef SESSION_BASE64URL_H
#define SESSION_BASE64URL_H
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/str.h"

/* Characters of so many bytes. */
#define BASE64URL_LEN(bytes) (((bytes)*4 + 2) / 3)

/* Characters written. */
size_t base64url_write(const uint8_t *, size_t len, char *out);
/* Bytes, or E_SYNTAX; only the one canonical spelling is taken, and no more
 * than fits. */
ssize_t base64url_read(struct str, uint8_t *out, size_t cap) MUST_CHECK;

#endif
