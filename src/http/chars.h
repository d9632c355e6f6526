/*
 * chars - classes of bytes, one table.
 *
 * Thread: any.  Source: RFC 9110 5.6.2 (tchar), 5.5 (field values);
 * RFC 3986 2.2, 2.3 (targets).
 */
#ifndef HTTP_CHARS_H
#define HTTP_CHARS_H
#include <stdbool.h>
#include <stdint.h>

enum {
	CH_TOKEN = 1,  /* tchar */
	CH_VALUE = 2,  /* VCHAR, SP, HTAB, obs-text */
	CH_TARGET = 4, /* unreserved, sub-delims, : @ / ? % and what browsers
	                  leave as it is in queries: [ ] \ ^ ` { | } */
	CH_HEX = 8,
	CH_UNRESERVED = 16 /* ALPHA DIGIT - . _ ~ */
};

extern const uint8_t http_chars[256];

static inline bool
ch_is(char c, unsigned classes)
{
	return (http_chars[(unsigned char)c] & classes) != 0;
}

/* Value of a hexadecimal digit. */
static inline unsigned
ch_hex(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

#endif
