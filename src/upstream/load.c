#include "upstream/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "config/config.h"

#define X(id, name, help) [LOAD_##id] = (name),
static const char *const state_names[] = { LOAD_STATES(X) };
#undef X

const char *
load_state_name(enum load_state s)
{
	return state_names[s];
}

struct load *
load_new(unsigned n_workers)
{
	struct load *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->n_workers = n_workers;
	l->cells = aligned_alloc(_Alignof(struct load_cell),
	    n_workers * sizeof(*l->cells));
	if (l->cells == NULL) {
		free(l);
		return NULL;
	}
	memset(l->cells, 0, n_workers * sizeof(*l->cells));
	l->machine_bytes = load_machine_bytes("");
	return l;
}

void
load_free(struct load **lp)
{
	struct load *l = *lp;

	if (l == NULL)
		return;
	free(l->cells);
	free(l);
	*lp = NULL;
}

uint64_t
load_bytes(const struct load *l)
{
	uint64_t sum = 0;

	for (unsigned w = 0; w < l->n_workers; w++)
		sum += stat_get(&l->cells[w].bytes);
	return sum;
}

enum load_state
load_state(const struct load *l)
{
	uint64_t most = LOAD_NORMAL;

	for (unsigned w = 0; w < l->n_workers; w++)
		most = MAX(most, stat_get(&l->cells[w].state));
	return (enum load_state)most;
}

uint64_t
load_limit(const struct load *l, uint64_t setting)
{
	if (setting != CFG_MEMORY_AUTO)
		return setting;
	return l->machine_bytes == 0 ? UINT64_MAX : l->machine_bytes / 4 * 3;
}

enum load_state
load_next(enum load_state now, uint64_t bytes, uint64_t limit)
{
	uint64_t eighth = limit / 8;
	uint64_t full = limit > UINT64_MAX - eighth ? UINT64_MAX
	                                            : limit + eighth;

	if (bytes > full || (now == LOAD_FULL && bytes > limit))
		return LOAD_FULL;
	if (bytes > limit || (now != LOAD_NORMAL && bytes > limit - eighth))
		return LOAD_SHEDDING;
	return LOAD_NORMAL;
}

/* ---- the machine ---- */

/* A number in a file of the kernel; "max" and what cannot be read: no bound. */
static uint64_t
read_bound(const char *root, const char *dir, struct str group,
    const char *name)
{
	struct buf path = BUF_INIT, text = BUF_INIT;
	uint64_t n = UINT64_MAX;
	struct str rest;

	buf_printf(&path, "%s%s" STR_FMT "/%s", root, dir, STR_ARG(group),
	    name);
	if (!path.failed && file_read(path.p, 64, &text) == E_OK) {
		rest = buf_str(&text);
		if (!str_u64(str_split(&rest, '\n'), &n))
			n = UINT64_MAX;
	}
	buf_free(&path);
	buf_free(&text);
	return n;
}

/* The least bound of a group and those around it. */
static uint64_t
bound_of_group(const char *root, const char *dir, struct str group,
    const char *name)
{
	uint64_t least = read_bound(root, dir, (struct str){ "", 0 }, name);

	while (group.len > 0) {
		uint64_t bound = UINT64_MAX;

		if (group.p[group.len - 1] != '/')
			bound = read_bound(root, dir, group, name);
		least = MIN(least, bound);
		while (group.len > 0 && group.p[group.len - 1] != '/')
			group.len--;
		if (group.len > 0)
			group.len--;
	}
	return least;
}

/* A line is "number:controllers:path"; without controllers of version 2. */
static uint64_t
bound_of_line(const char *root, struct str line)
{
	struct str number = str_split(&line, ':');
	struct str controllers = str_split(&line, ':');

	if (number.len > 0 && controllers.len == 0)
		return bound_of_group(root, "/sys/fs/cgroup", line,
		    "memory.max");
	if (str_eq(controllers, STR("memory")))
		return bound_of_group(root, "/sys/fs/cgroup/memory", line,
		    "memory.limit_in_bytes");
	return UINT64_MAX;
}

static uint64_t
bound_of_groups(const char *root)
{
	struct buf path = BUF_INIT, text = BUF_INIT;
	uint64_t least = UINT64_MAX, bound;
	struct str rest;

	buf_printf(&path, "%s/proc/self/cgroup", root);
	if (!path.failed && file_read(path.p, 65536, &text) == E_OK)
		rest = buf_str(&text);
	else
		rest = (struct str){ NULL, 0 };
	while (rest.len > 0) {
		bound = bound_of_line(root, str_split(&rest, '\n'));
		least = MIN(least, bound);
	}
	buf_free(&path);
	buf_free(&text);
	return least;
}

uint64_t
load_machine_bytes(const char *root)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	uint64_t bytes = bound_of_groups(root);

	if (pages > 0 && page > 0)
		bytes = MIN(bytes, (uint64_t)pages * (uint64_t)page);
	return bytes == UINT64_MAX ? 0 : bytes;
}
