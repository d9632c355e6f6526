#include "fault.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>

static _Atomic unsigned calls[FAULT_COUNT], countdown[FAULT_COUNT];
static _Atomic int errnums[FAULT_COUNT];
static _Atomic size_t short_most;
static pthread_mutex_t hold_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t hold_over = PTHREAD_COND_INITIALIZER;
static _Atomic bool held[FAULT_COUNT];

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
ssize_t __real_write(int, const void *, size_t);
int __real_fsync(int);
int __real_fdatasync(int);
int __real_rename(const char *, const char *);
int __real_dup3(int, int, int);
ssize_t __real_getrandom(void *, size_t, unsigned);

void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
ssize_t __wrap_write(int, const void *, size_t);
int __wrap_fsync(int);
int __wrap_fdatasync(int);
int __wrap_rename(const char *, const char *);
int __wrap_dup3(int, int, int);
ssize_t __wrap_getrandom(void *, size_t, unsigned);

void
fault_arm(enum fault f, unsigned nth, int errnum)
{
	errnums[f] = errnum;
	countdown[f] = nth;
}

unsigned
fault_calls(enum fault f)
{
	return calls[f];
}

void
fault_short(size_t most)
{
	short_most = most;
}

static size_t
shortened(size_t n)
{
	size_t most = short_most;

	return most > 0 && n > most ? most : n;
}

void
fault_hold(enum fault f, bool yes)
{
	pthread_mutex_lock(&hold_lock);
	held[f] = yes;
	pthread_cond_broadcast(&hold_over);
	pthread_mutex_unlock(&hold_lock);
}

static void
wait_while_held(enum fault f)
{
	if (!held[f])
		return;
	pthread_mutex_lock(&hold_lock);
	while (held[f])
		pthread_cond_wait(&hold_over, &hold_lock);
	pthread_mutex_unlock(&hold_lock);
}

static bool
fails(enum fault f)
{
	calls[f]++;
	wait_while_held(f);
	if (countdown[f] == 0 || --countdown[f] > 0)
		return false;
	errno = errnums[f];
	return true;
}

void *
__wrap_malloc(size_t n)
{
	return fails(FAULT_MALLOC) ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails(FAULT_CALLOC) ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
	return fails(FAULT_REALLOC) ? NULL : __real_realloc(p, n);
}

/* An eventfd is of no type; it is no disk, and never fails. */
static bool
wakes_a_loop(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == 0;
}

ssize_t
__wrap_write(int fd, const void *p, size_t n)
{
	if (wakes_a_loop(fd))
		return __real_write(fd, p, n);
	return fails(FAULT_WRITE) ? -1 : __real_write(fd, p, shortened(n));
}

int
__wrap_fsync(int fd)
{
	return fails(FAULT_FSYNC) ? -1 : __real_fsync(fd);
}

int
__wrap_fdatasync(int fd)
{
	return fails(FAULT_FSYNC) ? -1 : __real_fdatasync(fd);
}

int
__wrap_rename(const char *from, const char *to)
{
	return fails(FAULT_RENAME) ? -1 : __real_rename(from, to);
}

int
__wrap_dup3(int from, int to, int flags)
{
	return fails(FAULT_DUP3) ? -1 : __real_dup3(from, to, flags);
}

ssize_t
__wrap_getrandom(void *p, size_t n, unsigned flags)
{
	return fails(FAULT_GETRANDOM)
	    ? -1
	    : __real_getrandom(p, shortened(n), flags);
}
