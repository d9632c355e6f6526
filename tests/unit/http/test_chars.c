/* The table of bytes, made again from the words of the RFCs. */
#include "http/chars.h"

#include <criterion/criterion.h>
#include <string.h>

static bool
is_alnum(unsigned c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z');
}

static bool
is_one_of(unsigned c, const char *set)
{
	return c != 0 && c < 128 && strchr(set, (int)c) != NULL;
}

static bool
is_hex(unsigned c)
{
	return is_alnum(c) && (c <= '9' || (c | 0x20) <= 'f');
}

Test(chars, table)
{
	for (unsigned c = 0; c < 256; c++) {
		char b = (char)c;

		cr_expect_eq(ch_is(b, CH_TOKEN),
		    is_alnum(c) || is_one_of(c, "!#$%&'*+-.^_`|~"),
		    "token %02x", c);
		cr_expect_eq(ch_is(b, CH_VALUE),
		    c == '\t' || (c >= ' ' && c != 0x7f), "value %02x", c);
		cr_expect_eq(ch_is(b, CH_TARGET),
		    is_alnum(c) ||
		        is_one_of(c,
		            "-._~"
		            "!$&'()*+,;="
		            ":@/?%"
		            "[]\\^`{|}"),
		    "target %02x", c);
		cr_expect_eq(ch_is(b, CH_HEX), is_hex(c), "hex %02x", c);
		cr_expect_eq(ch_is(b, CH_UNRESERVED),
		    is_alnum(c) || is_one_of(c, "-._~"), "unreserved %02x", c);
	}
}

Test(chars, value_of_digits)
{
	static const char digits[] = "0123456789abcdef",
	                  upper[] = "0123456789ABCDEF";

	for (unsigned i = 0; i < 16; i++) {
		cr_expect_eq(ch_hex(digits[i]), i);
		cr_expect_eq(ch_hex(upper[i]), i);
	}
}
