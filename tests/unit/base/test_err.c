/* The table of codes and its way from errno. */
#include "base/err.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

Test(err, every_code_has_a_name_and_a_sentence)
{
	for (int i = 0; i < ERR_COUNT; i++) {
		cr_expect_gt(strlen(err_name(-i)), 0, "code %d", -i);
		cr_expect_gt(strlen(err_text(-i)), 0, "code %d", -i);
		for (int j = 0; j < i; j++)
			cr_expect_str_neq(err_name(-i), err_name(-j),
			    "%d and %d look alike in a log", -i, -j);
	}
	cr_expect_str_eq(err_name(E_TIMEOUT), "timeout");
	cr_expect_str_eq(err_text(E_TIMEOUT), "took too long");
}

Test(err, success_is_zero_and_failures_are_negative)
{
	cr_expect_eq(E_OK, 0);
	cr_expect_lt(E_NOMEM, 0);
	cr_expect_lt(E_INTERNAL, 0);
}

Test(err, a_number_that_is_no_code_is_an_internal_fault)
{
	static const int strays[] = { 1, INT_MAX, -ERR_COUNT, INT_MIN };

	for (size_t i = 0; i < ARRAY_LEN(strays); i++) {
		cr_expect_str_eq(err_name(strays[i]), "internal");
		cr_expect_str_eq(err_text(strays[i]), "internal fault");
	}
}

static const struct {
	const char *why;
	int errnum, code;
} rows[] = {
	{ "memory", ENOMEM, E_NOMEM },
	{ "nothing to read yet", EAGAIN, E_AGAIN },
	{ "the other name of EAGAIN", EWOULDBLOCK, E_AGAIN },
	{ "a signal came", EINTR, E_AGAIN },
	{ "nobody listens", ECONNREFUSED, E_CONNREFUSED },
	{ "RST", ECONNRESET, E_RESET },
	{ "write after RST", EPIPE, E_RESET },
	{ "no route to the host", EHOSTUNREACH, E_UNREACH },
	{ "no route to the net", ENETUNREACH, E_UNREACH },
	{ "no such local address, or no port left", EADDRNOTAVAIL, E_UNREACH },
	{ "SYN unanswered", ETIMEDOUT, E_TIMEOUT },
	{ "O_EXCL", EEXIST, E_EXISTS },
	{ "no file", ENOENT, E_NOENT },
	{ "no directory on the way", ENOTDIR, E_NOENT },
	{ "permission bits", EACCES, E_PERM },
	{ "capability", EPERM, E_PERM },
	{ "read-only file system", EROFS, E_PERM },
	{ "port taken", EADDRINUSE, E_INUSE },
	{ "disk full", ENOSPC, E_FULL },
	{ "quota used up", EDQUOT, E_FULL },
	{ "our descriptors", EMFILE, E_NOFILES },
	{ "the system's descriptors", ENFILE, E_NOFILES },
	{ "not supported", ENOTSUP, E_UNSUPPORTED },
	{ "no IPv6 here", EAFNOSUPPORT, E_UNSUPPORTED },
	{ "anything else", EIO, E_IO },
	{ "never success, whatever errno holds", 0, E_IO },
	{ "a number of the future", 9999, E_IO },
};

Test(err, errno_maps_to_the_code_that_fits)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cr_expect_eq(err_from_errno(rows[i].errnum), rows[i].code, "%s",
		    rows[i].why);
		errno = rows[i].errnum;
		cr_expect_eq(err_sys(), rows[i].code, "%s: err_sys",
		    rows[i].why);
	}
}
