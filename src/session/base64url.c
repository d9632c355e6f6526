#include "session/base64url.h"

#include <stdbool.h>

#include "base/err.h"

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t
base64url_write(const uint8_t *in, size_t len, char *out)
{
	size_t n = 0;
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | in[i];
		for (have += 8; have >= 6; have -= 6)
			out[n++] = digits[bits >> (have - 6) & 63];
	}
	if (have > 0)
		out[n++] = digits[bits << (6 - have) & 63];
	return n;
}

/* One more than the value of each digit, 0 for what is none. */
/* clang-format off */
static const uint8_t values[256] = {
	['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
	19, 20, 21, 22, 23, 24, 25, 26,
	['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42,
	43, 44, 45, 46, 47, 48, 49, 50, 51, 52,
	['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
	['-'] = 63, ['_'] = 64,
};
/* clang-format on */

static inline uint32_t
value_of(char c)
{
	return values[(unsigned char)c];
}

/* Four digits are three bytes. */
static bool
decode_four(const char *in, uint8_t out[3])
{
	uint32_t a = value_of(in[0]), b = value_of(in[1]);
	uint32_t c = value_of(in[2]), d = value_of(in[3]);
	uint32_t bits = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);

	out[0] = (uint8_t)(bits >> 16);
	out[1] = (uint8_t)(bits >> 8);
	out[2] = (uint8_t)bits;
	return a != 0 && b != 0 && c != 0 && d != 0;
}

ssize_t
base64url_read(struct str in, uint8_t *out, size_t cap)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0, i = 0;

	if (in.len % 4 == 1)
		return E_SYNTAX;
	for (; in.len - i >= 4 && cap - n >= 3; i += 4, n += 3)
		if (!decode_four(in.p + i, out + n))
			return E_SYNTAX;
	for (; i < in.len; i++) {
		uint32_t v = value_of(in.p[i]);

		if (v == 0)
			return E_SYNTAX;
		bits = bits << 6 | (v - 1);
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (n == cap)
			return E_SYNTAX;
		out[n++] = (uint8_t)(bits >> have);
	}
	return (bits & ((1u << have) - 1)) == 0 ? (ssize_t)n : E_SYNTAX;
}
