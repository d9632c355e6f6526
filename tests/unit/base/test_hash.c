/* The hash for tables and shares. */
#include "base/hash.h"

#include <criterion/criterion.h>
#include <string.h>

/*
 * Published XXH64 values: a share decided by the hash may be stored, so
 * another algorithm must not slip in.
 */
Test(hash, is_stable)
{
	cr_expect_eq(hash_bytes("", 0, 0), UINT64_C(0xef46db3751d8e999));
	cr_expect_eq(hash_bytes("abc", 3, 0), UINT64_C(0x44bc2cf5ad770999));
}

Test(hash, nothing_may_be_null)
{
	cr_expect_eq(hash_bytes(NULL, 0, 0), hash_bytes("x", 0, 0));
}

Test(hash, seed_and_length_count)
{
	cr_expect_neq(hash_bytes("abc", 3, 0), hash_bytes("abc", 3, 1));
	cr_expect_neq(hash_bytes("abc", 3, 0), hash_bytes("abc", 2, 0));
	cr_expect_neq(hash_bytes("\0", 1, 0), hash_bytes("\0\0", 2, 0));
}

Test(hash, any_alignment)
{
	char raw[64 + 8];
	uint64_t want = 0;

	for (size_t shift = 0; shift < 8; shift++) {
		uint64_t got;

		memset(raw, 0, sizeof(raw));
		for (size_t i = 0; i < 64; i++)
			raw[shift + i] = (char)(i * 7);
		got = hash_bytes(raw + shift, 64, 9);
		if (shift == 0)
			want = got;
		cr_expect_eq(got, want, "shift %zu", shift);
	}
}
