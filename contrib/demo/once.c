/*
 * once - the register of grants that were used up.
 */
#include "contrib/demo/once.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

#define MAGIC UINT64_C(0x313065636e6f6773) /* "sgonce01" */
#define SLOTS 262144u                      /* 4 MiB; sparse until used */
#define PROBES 128u                        /* slots an id may stand in */

struct slot {
	uint64_t id;
	uint64_t expires_s; /* 0 or past: free */
};

struct table {
	uint64_t magic;
	uint64_t replays;
	struct slot slots[SLOTS];
};

struct once {
	int fd;              /* -1: private memory */
	struct table *table; /* mapped */
};

static void
lock(const struct once *o, int how)
{
	if (o->fd != -1)
		while (flock(o->fd, how) == -1)
			continue; /* only a signal can interrupt it */
}

/* Makes the file as large as the table; the first one writes the magic. */
static int
prepare(struct once *o)
{
	struct stat st;
	int rc = E_OK;

	lock(o, LOCK_EX);
	if (fstat(o->fd, &st) == -1)
		rc = err_sys();
	else if (st.st_size != 0 && st.st_size != (off_t)sizeof(struct table))
		rc = E_DAMAGED;
	else if (st.st_size == 0 &&
	    ftruncate(o->fd, (off_t)sizeof(struct table)) == -1)
		rc = err_sys();
	lock(o, LOCK_UN);
	return rc;
}

int
once_open(const char *path, struct once **out)
{
	struct once *o;
	int flags = MAP_SHARED, rc;

	*out = NULL;
	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return E_NOMEM;
	o->fd = -1;
	if (path == NULL) {
		flags = MAP_PRIVATE | MAP_ANONYMOUS;
	} else {
		o->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (o->fd == -1) {
			rc = err_sys();
			goto fail_mem;
		}
		rc = prepare(o);
		if (rc != E_OK)
			goto fail_fd;
	}
	o->table = mmap(NULL, sizeof(*o->table), PROT_READ | PROT_WRITE, flags,
	    o->fd, 0);
	if (o->table == MAP_FAILED) {
		rc = err_sys();
		goto fail_fd;
	}
	if (o->table->magic == 0)
		o->table->magic = MAGIC;
	if (o->table->magic != MAGIC) {
		munmap(o->table, sizeof(*o->table));
		rc = E_DAMAGED;
		goto fail_fd;
	}
	*out = o;
	return E_OK;
fail_fd:
	if (o->fd != -1)
		close(o->fd);
fail_mem:
	free(o);
	return rc;
}

void
once_close(struct once **op)
{
	struct once *o = *op;

	*op = NULL;
	if (o == NULL)
		return;
	munmap(o->table, sizeof(*o->table));
	if (o->fd != -1)
		close(o->fd);
	free(o);
}

/*
 * Where id stands (*found), or the first free slot it may take; NULL when
 * all its slots are taken by others.  Under the lock.
 */
static struct slot *
find(const struct once *o, uint64_t id, bool *found)
{
	uint64_t now = clock_wall_us() / US_PER_S;
	struct slot *free_slot = NULL;

	*found = false;
	for (unsigned i = 0; i < PROBES; i++) {
		struct slot *s = &o->table->slots[(id + i) % SLOTS];

		if (s->expires_s <= now) {
			if (free_slot == NULL)
				free_slot = s;
		} else if (s->id == id) {
			*found = true;
			return s;
		}
	}
	return free_slot;
}

enum once_verdict
once_claim(struct once *o, uint64_t id, uint64_t expires_s)
{
	enum once_verdict verdict = ONCE_FIRST;
	struct slot *s;
	bool found;

	lock(o, LOCK_EX);
	s = find(o, id, &found);
	if (found) {
		verdict = ONCE_AGAIN;
		o->table->replays++;
	} else if (s == NULL) {
		verdict = ONCE_FULL;
	} else {
		s->id = id;
		s->expires_s = expires_s; /* makes it count */
	}
	lock(o, LOCK_UN);
	return verdict;
}

bool
once_has(struct once *o, uint64_t id)
{
	bool found;

	lock(o, LOCK_SH);
	(void)find(o, id, &found);
	lock(o, LOCK_UN);
	return found;
}

uint64_t
once_replays(const struct once *o)
{
	return o->table->replays;
}
