#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/thread.h"

#define X(id, name) [LOG_##id] = (name),
static const char *const level_names[] = { LOG_LEVELS(X) };
#undef X

static _Atomic int level = LOG_INFO;
static _Atomic int log_fd = STDERR_FILENO;
/*
 * Guards the path.  The number stays ours once a file was opened: a thread
 * that has just read it may write at any time, so it is never closed, only
 * pointed elsewhere.
 */
static pthread_mutex_t path_lock = PTHREAD_MUTEX_INITIALIZER;
static char *log_path;

const char *
log_level_name(enum log_level l)
{
	return level_names[l];
}

int
log_level_of(const char *name)
{
	for (int i = 0; i < LOG_LEVEL_COUNT; i++)
		if (strcmp(level_names[i], name) == 0)
			return i;
	return -1;
}

void
log_set_level(enum log_level l)
{
	atomic_store_explicit(&level, (int)l, memory_order_relaxed);
}

bool
log_wants(enum log_level l)
{
	return (int)l <= atomic_load_explicit(&level, memory_order_relaxed);
}

static int
open_append(const char *path)
{
	return open(path,
	    O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0640);
}

/* Makes number another name of fd, in one step for all threads. */
static int
rename_fd(int fd, int number)
{
	int n;

	do {
		n = dup3(fd, number, O_CLOEXEC);
	} while (n == -1 && (errno == EINTR || errno == EBUSY));
	return n == -1 ? err_sys() : E_OK;
}

/* Logs to fd from now on, under the number in use if there is one. */
static int
use_fd(int fd)
{
	int rc = E_OK;

	if (log_fd == STDERR_FILENO) {
		log_fd = fd;
		return E_OK;
	}
	rc = rename_fd(fd, log_fd);
	close(fd);
	return rc;
}

int
log_open(const char *path)
{
	char *copy;
	int fd, rc;

	if (path == NULL) {
		log_close();
		return E_OK;
	}
	copy = strdup(path);
	if (copy == NULL)
		return E_NOMEM;
	fd = open_append(path);
	if (fd == -1) {
		rc = err_sys();
		free(copy);
		return rc;
	}
	pthread_mutex_lock(&path_lock);
	rc = use_fd(fd);
	if (rc == E_OK) {
		char *old = log_path;

		log_path = copy;
		copy = old;
	}
	pthread_mutex_unlock(&path_lock);
	free(copy);
	return rc;
}

int
log_reopen(void)
{
	int rc = E_OK, fd;

	pthread_mutex_lock(&path_lock);
	if (log_path != NULL) {
		fd = open_append(log_path);
		if (fd == -1)
			rc = err_sys();
		else
			rc = use_fd(fd);
	}
	pthread_mutex_unlock(&path_lock);
	return rc;
}

int
log_use_fd(int fd)
{
	int rc;

	pthread_mutex_lock(&path_lock);
	rc = use_fd(fd);
	pthread_mutex_unlock(&path_lock);
	return rc;
}

void
log_close(void)
{
	pthread_mutex_lock(&path_lock);
	free(log_path);
	log_path = NULL;
	if (log_fd != STDERR_FILENO && rename_fd(STDERR_FILENO, log_fd) != E_OK)
		log_fd = STDERR_FILENO; /* there is none: let it fail there */
	pthread_mutex_unlock(&path_lock);
}

/* ---- lines that were not taken ---- */

static _Atomic uint64_t lost;
static _Atomic bool torn; /* part of one was */

static bool
write_line(const char *line, size_t len)
{
	struct pollfd p = { .fd = log_fd, .events = POLLOUT };
	ssize_t n;

	if (poll(&p, 1, 0) == 0)
		return false;
	do
		n = write(log_fd, line, len);
	while (n == -1 && errno == EINTR);
	if (n > 0 && (size_t)n < len)
		atomic_store(&torn, true);
	return n == (ssize_t)len;
}

/* Before the next line; false: it would be lost, too. */
static bool
tell_lost(const char *when)
{
	uint64_t n = atomic_exchange(&lost, 0);
	char line[160];
	int len;

	if (n == 0)
		return true;
	len = snprintf(line, sizeof(line),
	    "%sts=%s level=warn thread=%s event=log_lines_lost lines=%llu\n",
	    atomic_exchange(&torn, false) ? "\n" : "", when, thread_name(),
	    (unsigned long long)n);
	if (write_line(line, (size_t)len))
		return true;
	atomic_fetch_add(&lost, n);
	return false;
}

/* A peer's bytes must not start a line or steer a terminal. */
static void
replace_controls(char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
			p[i] = '?';
}

void
log_line(enum log_level l, const char *fmt, ...)
{
	char line[LOG_LINE_MAX], when[CLOCK_ISO_MAX];
	int n, saved = errno;
	size_t head, len;
	va_list ap;

	if (!log_wants(l))
		return;
	clock_iso(clock_wall_us(), when);
	n = snprintf(line, sizeof(line), "ts=%s level=%s thread=%s ", when,
	    level_names[l], thread_name());
	head = (size_t)n;
	va_start(ap, fmt);
	n = vsnprintf(line + head, sizeof(line) - head - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	len = head + (size_t)n;
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	replace_controls(line + head, len - head);
	line[len++] = '\n';
	if (!tell_lost(when) || !write_line(line, len))
		atomic_fetch_add(&lost, 1);
	errno = saved; /* the caller may log first and ask then */
}
