/*
 * try - a row of HTTP/1 bytes and what is to be told of it, cut everywhere.
 */
#ifndef TESTS_HTTP_TRY_H
#define TESTS_HTTP_TRY_H
#include <criterion/criterion.h>

#include "drive.h"

struct try_row {
	const char *why, *in, *said; /* said: see struct drive_out */
};

static inline void
try_bytes(const struct drive *d, const char *why, struct str in,
    const char *said)
{
	struct drive_out out;

	drive_all(d, in, SIZE_MAX, 88172645463325252, &out);
	cr_expect_str_eq(out.said.p, said, "%s: \"%s\", not \"%s\"", why,
	    out.said.p, said);
	drive_free(&out);
}

static inline void
try_rows(const struct drive *d, const struct try_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		try_bytes(d, rows[i].why, str_of(rows[i].in), rows[i].said);
}

#endif
