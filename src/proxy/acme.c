#include "proxy/acme.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "upstream/view.h"

#define PREFIX STR("/.well-known/acme-challenge/")
#define TOKEN_MAX 128
#define FILE_MAX 1024 /* a token and a hash, 43 bytes each at least */

/* base64url, RFC 8555 8.3. */
static bool
is_token(struct str s)
{
	if (s.len == 0 || s.len > TOKEN_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') &&
		    (c < '0' || c > '9') && c != '-' && c != '_')
			return false;
	}
	return true;
}

/* The bytes as they came: what is escaped is no token. */
static bool
token_of(const struct exchange *x, char out[TOKEN_MAX + 1])
{
	struct str target = x->req.target, token;

	if ((x->req.method != METHOD_GET && x->req.method != METHOD_HEAD) ||
	    !str_starts(target, PREFIX))
		return false;
	token = str_sub(target, PREFIX.len, target.len);
	if (!is_token(token))
		return false;
	(void)str_copy(token, out, TOKEN_MAX + 1);
	return true;
}

static int
open_file(const char *dir, const char *name)
{
	int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), fd, error;

	if (at == -1)
		return -1;
	/* O_NONBLOCK: a FIFO in its place must not stop us. */
	fd = openat(at, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	error = errno;
	close(at);
	errno = error;
	return fd;
}

static int
read_file(struct exchange *x, int fd)
{
	struct stat st;
	ssize_t n;
	char *p;

	if (fstat(fd, &st) == -1)
		return err_sys();
	if (!S_ISREG(st.st_mode))
		return E_UNSUPPORTED;
	if (st.st_size > FILE_MAX)
		return E_TOOBIG;
	p = exchange_alloc(x, FILE_MAX);
	if (p == NULL)
		return E_NOMEM;
	n = read(fd, p, FILE_MAX);
	if (n == -1)
		return err_sys();
	x->own_body = str_from(p, (size_t)n);
	return E_OK;
}

static void
tell(struct exchange *x, const char *dir, const char *name, int rc)
{
	if (proxy_may_tell(x->proxy, &x->proxy->refusal_told_us))
		log_warn("event=acme_unreadable file=\"%s/%s\" why=\"%s\"", dir,
		    name, err_text(rc));
}

bool
acme_is_asked(struct exchange *x, const struct cfg_listener *l)
{
	const char *dir = l->acme_dir;
	char name[TOKEN_MAX + 1];
	int fd, rc;

	if (!token_of(x, name))
		return false;
	fd = open_file(dir, name);
	if (fd == -1 && errno == ENOENT)
		return false;
	rc = fd == -1 ? err_sys() : read_file(x, fd);
	if (fd != -1)
		close(fd);
	if (rc != E_OK)
		tell(x, dir, name, rc);
	return rc == E_OK;
}
