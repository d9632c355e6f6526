/* When is it too much, and how much is there? */
#include "upstream/load.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "config/config.h"

#define MIB (UINT64_C(1) << 20)

static const struct {
	const char *why;
	enum load_state now;
	uint64_t bytes, limit;
	enum load_state next;
} rows[] = {
	{ "nothing", LOAD_NORMAL, 0, 800, LOAD_NORMAL },
	{ "at the limit", LOAD_NORMAL, 800, 800, LOAD_NORMAL },
	{ "above it", LOAD_NORMAL, 801, 800, LOAD_SHEDDING },
	{ "a little less again", LOAD_SHEDDING, 701, 800, LOAD_SHEDDING },
	{ "an eighth less", LOAD_SHEDDING, 700, 800, LOAD_NORMAL },
	{ "at the second mark", LOAD_SHEDDING, 900, 800, LOAD_SHEDDING },
	{ "above it", LOAD_SHEDDING, 901, 800, LOAD_FULL },
	{ "at once", LOAD_NORMAL, 901, 800, LOAD_FULL },
	{ "a little less again", LOAD_FULL, 801, 800, LOAD_FULL },
	{ "back at the limit", LOAD_FULL, 800, 800, LOAD_SHEDDING },
	{ "all gone at once", LOAD_FULL, 0, 800, LOAD_NORMAL },
	{ "no limit", LOAD_NORMAL, UINT64_MAX - 1, UINT64_MAX, LOAD_NORMAL },
};

Test(load, next)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		cr_expect_eq(load_next(rows[i].now, rows[i].bytes,
		                 rows[i].limit),
		    rows[i].next, "row %zu: %s", i, rows[i].why);
}

Test(load, sums_and_limits)
{
	struct load *l = load_new(3);

	cr_assert_not_null(l);
	atomic_store(&l->cells[0].bytes, 5);
	atomic_store(&l->cells[2].bytes, 7);
	atomic_store(&l->cells[1].state, LOAD_SHEDDING);
	cr_expect_eq(load_bytes(l), 12);
	cr_expect_eq(load_state(l), LOAD_SHEDDING);
	cr_expect_gt(l->machine_bytes, 64 * MIB, "of this machine");
	l->machine_bytes = 1024 * MIB;
	cr_expect_eq(load_limit(l, CFG_MEMORY_AUTO), 768 * MIB);
	cr_expect_eq(load_limit(l, 5 * MIB), 5 * MIB);
	cr_expect_eq(load_limit(l, CFG_MEMORY_OFF), UINT64_MAX);
	l->machine_bytes = 0;
	cr_expect_eq(load_limit(l, CFG_MEMORY_AUTO), UINT64_MAX, "unknown");
	load_free(&l);
	cr_expect_null(l);
	load_free(&l);
}

/* ---- control groups: a tree of files as the kernel has it ---- */

static char root[] = "/tmp/segue-load-XXXXXX";

static void
lay(const char *path, const char *text)
{
	char full[256], cmd[600];
	FILE *f;

	(void)snprintf(full, sizeof(full), "%s%s", root, path);
	(void)snprintf(cmd, sizeof(cmd), "mkdir -p \"$(dirname %s)\"", full);
	cr_assert_eq(system(cmd), 0);
	f = fopen(full, "w");
	cr_assert_not_null(f);
	(void)fputs(text, f);
	(void)fclose(f);
}

static void
make_root(void)
{
	cr_assert_not_null(mkdtemp(root));
}

static void
remove_root(void)
{
	char cmd[64];

	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", root);
	cr_expect_eq(system(cmd), 0);
}

TestSuite(groups, .init = make_root, .fini = remove_root);

Test(groups, version_2_the_least_of_all_around)
{
	lay("/proc/self/cgroup", "0::/a/b\n");
	lay("/sys/fs/cgroup/a/b/memory.max", "max\n");
	lay("/sys/fs/cgroup/a/memory.max", "33554432\n");
	lay("/sys/fs/cgroup/memory.max", "67108864\n");
	cr_expect_eq(load_machine_bytes(root), 32 * MIB);
}

Test(groups, version_2_in_a_container)
{
	lay("/proc/self/cgroup", "0::/\n");
	lay("/sys/fs/cgroup/memory.max", "16777216\n");
	cr_expect_eq(load_machine_bytes(root), 16 * MIB);
}

Test(groups, version_1)
{
	lay("/proc/self/cgroup", "9:cpu,cpuacct:/x\n4:memory:/y\n");
	lay("/sys/fs/cgroup/memory/y/memory.limit_in_bytes", "8388608\n");
	lay("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "1\n");
	cr_expect_eq(load_machine_bytes(root), 8 * MIB);
}

Test(groups, none)
{
	cr_expect_eq(load_machine_bytes(root), load_machine_bytes("/none"));
	cr_expect_gt(load_machine_bytes(root), 64 * MIB, "the machine's");
}
