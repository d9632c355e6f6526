#include "base/err.h"

#include <errno.h>
#include <stddef.h>

#define X(id, name, text) [ERR_NUM_##id] = (name),
static const char *const names[] = { ERR_CODES(X) };
#undef X
#define X(id, name, text) [ERR_NUM_##id] = (text),
static const char *const texts[] = { ERR_CODES(X) };
#undef X

static size_t
index_of(int code)
{
	return code <= 0 && code > -ERR_COUNT ? (size_t)-code
	                                      : (size_t)ERR_NUM_INTERNAL;
}

const char *
err_name(int code)
{
	return names[index_of(code)];
}

const char *
err_text(int code)
{
	return texts[index_of(code)];
}

/* clang-format off */
static const struct { int errnum, code; } rows[] = {
	{ ENOMEM, E_NOMEM }, { EAGAIN, E_AGAIN }, { EINTR, E_AGAIN },
	{ ECONNREFUSED, E_CONNREFUSED }, { ECONNRESET, E_RESET },
	{ EPIPE, E_RESET }, { EHOSTUNREACH, E_UNREACH },
	{ ENETUNREACH, E_UNREACH }, { EADDRNOTAVAIL, E_UNREACH },
	{ ETIMEDOUT, E_TIMEOUT }, { EEXIST, E_EXISTS }, { ENOENT, E_NOENT },
	{ ENOTDIR, E_NOENT }, { EACCES, E_PERM }, { EPERM, E_PERM },
	{ EROFS, E_PERM }, { EADDRINUSE, E_INUSE }, { ENOSPC, E_FULL },
	{ EDQUOT, E_FULL }, { EMFILE, E_NOFILES }, { ENFILE, E_NOFILES },
	{ ENOTSUP, E_UNSUPPORTED }, { EAFNOSUPPORT, E_UNSUPPORTED },
};
/* clang-format on */

int
err_from_errno(int errnum)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].errnum == errnum)
			return rows[i].code;
	return E_IO;
}

int
err_sys(void)
{
	return err_from_errno(errno);
}
