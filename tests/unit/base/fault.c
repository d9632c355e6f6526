#include "fault.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/types.h>

static _Atomic unsigned calls[FAULT_COUNT], countdown[FAULT_COUNT];
static _Atomic int errnums[FAULT_COUNT];
static _Atomic size_t short_most;

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
ssize_t __real_write(int, const void *, size_t);
int __real_fsync(int);
int __real_rename(const char *, const char *);
int __real_dup3(int, int, int);
ssize_t __real_getrandom(void *, size_t, unsigned);

void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
ssize_t __wrap_write(int, const void *, size_t);
int __wrap_fsync(int);
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

static bool
fails(enum fault f)
{
	calls[f]++;
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

ssize_t
__wrap_write(int fd, const void *p, size_t n)
{
	return fails(FAULT_WRITE) ? -1 : __real_write(fd, p, shortened(n));
}

int
__wrap_fsync(int fd)
{
	return fails(FAULT_FSYNC) ? -1 : __real_fsync(fd);
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
