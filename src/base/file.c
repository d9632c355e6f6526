#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

int
file_read_fd(int fd, size_t max, struct buf *out)
{
	char chunk[4096];
	size_t start = out->len;

	if (out->failed)
		return E_NOMEM;
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_sys();
		if (n == 0)
			return E_OK;
		if (out->len - start + (size_t)n > max)
			return E_TOOBIG;
		buf_add(out, chunk, (size_t)n);
		if (out->failed)
			return E_NOMEM; /* the file may have no end */
	}
}

int
file_read(const char *path, size_t max, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

	if (fd == -1)
		return err_sys();
	rc = file_read_fd(fd, max, out);
	close(fd);
	return rc;
}

int
file_write_all(int fd, struct str text)
{
	while (text.len > 0) {
		ssize_t n = write(fd, text.p, text.len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_sys();
		text = str_sub(text, (size_t)n, text.len);
	}
	return E_OK;
}

static bool
is_regular(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static bool
would_wait(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 0;
}

/* As many whole lines as go in one write that nothing comes between. */
static struct str
some_lines(struct str text)
{
	struct str some = str_sub(text, 0, PIPE_BUF);

	for (size_t n = some.len; n > 0; n--)
		if (some.p[n - 1] == '\n')
			return str_sub(some, 0, n);
	return some;
}

ssize_t
file_write_lines(int fd, struct str text)
{
	bool regular = is_regular(fd);
	ssize_t taken = 0, n = 0;

	while (text.len > 0) {
		struct str some = regular ? text : some_lines(text);

		if (!regular && would_wait(fd))
			return taken > 0 ? taken : E_AGAIN;
		n = write(fd, some.p, some.len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return taken > 0 ? taken : err_sys();
		taken += n;
		text = str_sub(text, (size_t)n, text.len);
	}
	return taken;
}

/* The directory path lies in, a descriptor or a code. */
static int
open_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash == NULL ? strdup(".")
	    : slash == path       ? strdup("/")
	                          : strndup(path, (size_t)(slash - path));
	int fd;

	if (dir == NULL)
		return E_NOMEM;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		fd = err_sys();
	free(dir);
	return fd;
}

/* Some file systems have no fsync(2) for directories and say EINVAL. */
static int
sync_directory(int fd)
{
	return fsync(fd) == 0 || errno == EINVAL ? E_OK : err_sys();
}

int
file_sync_directory(const char *path)
{
	int fd = open_directory(path), rc;

	if (fd < 0)
		return fd;
	rc = sync_directory(fd);
	close(fd);
	return rc;
}

/* Writes a new file; what it began it removes on error. */
static int
write_new(const char *path, struct str text, mode_t mode)
{
	int fd, rc;

	(void)unlink(path); /* of a thread of our number that died */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd == -1)
		return err_sys();
	rc = file_write_all(fd, text);
	if (rc == E_OK && fsync(fd) == -1)
		rc = err_sys();
	if (close(fd) == -1 && rc == E_OK)
		rc = err_sys();
	if (rc != E_OK)
		(void)unlink(path);
	return rc;
}

int
file_replace(const char *path, struct str text, mode_t mode)
{
	char *tmp;
	int dir, rc;

	/* First of all, so that it cannot fail when all is done. */
	dir = open_directory(path);
	if (dir < 0)
		return dir;
	if (asprintf(&tmp, "%s.new.%ld", path, (long)gettid()) == -1) {
		rc = E_NOMEM;
		goto out;
	}
	rc = write_new(tmp, text, mode);
	if (rc == E_OK && rename(tmp, path) == -1) {
		rc = err_sys();
		(void)unlink(tmp);
	}
	if (rc == E_OK)
		rc = sync_directory(dir);
	free(tmp);
out:
	close(dir);
	return rc;
}
