/* Where a user's own daemon keeps its things. */
#include "base/place.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

static char top[] = "/tmp/segue-place-XXXXXX";

static void
begin(void)
{
	cr_assert_not_null(mkdtemp(top));
}

static void
end(void)
{
	char command[64];

	(void)snprintf(command, sizeof(command), "rm -r %s", top);
	cr_assert_eq(system(command), 0);
}

TestSuite(place, .init = begin, .fini = end, .timeout = 10);

static void
set(const char *variable, const char *value)
{
	if (value == NULL)
		cr_assert_eq(unsetenv(variable), 0);
	else
		cr_assert_eq(setenv(variable, value, 1), 0);
}

/* "%": the directory of the test; "#": our number. */
static const char *
fill(const char *text, char out[PLACE_PATH_MAX])
{
	size_t n = 0;

	if (text == NULL)
		return NULL;
	for (; *text != '\0'; text++) {
		if (*text == '%')
			n += (size_t)sprintf(out + n, "%s", top);
		else if (*text == '#')
			n += (size_t)sprintf(out + n, "%u",
			    (unsigned)geteuid());
		else
			out[n++] = *text;
	}
	out[n] = '\0';
	return out;
}

static const struct {
	const char *why, *runtime, *want;
} sockets[] = {
	{ "the user's runtime directory", "%", "%/segue/admin.sock" },
	{ "none", NULL, "/tmp/segue-#/admin.sock" },
	{ "one that is not there (su without a login)", "%/gone",
	    "/tmp/segue-#/admin.sock" },
	{ "one where all may write", "%/open", "/tmp/segue-#/admin.sock" },
	{ "a link to one", "%/link", "/tmp/segue-#/admin.sock" },
	{ "no absolute path", "run", "/tmp/segue-#/admin.sock" },
	{ "empty", "", "/tmp/segue-#/admin.sock" },
};

Test(place, socket)
{
	char path[PLACE_PATH_MAX], got[PLACE_PATH_MAX], other[PLACE_PATH_MAX];

	cr_assert_eq(mkdir(fill("%/open", path), 0700), 0);
	cr_assert_eq(chmod(path, 0777), 0);
	cr_assert_eq(symlink(top, fill("%/link", path)), 0);
	for (size_t i = 0; i < ARRAY_LEN(sockets); i++) {
		set("XDG_RUNTIME_DIR", fill(sockets[i].runtime, path));
		place_socket(got);
		cr_expect_str_eq(got, fill(sockets[i].want, other), "%s",
		    sockets[i].why);
	}
}

static const struct {
	const char *why, *state, *home, *want;
} states[] = {
	{ "as it is said", "/s", "/h", "/s/segue" },
	{ "beneath the home", NULL, "/h", "/h/.local/state/segue" },
	{ "no absolute path counts as none", "s", "/h",
	    "/h/.local/state/segue" },
	{ "no home", NULL, NULL, "/tmp/segue-#/state" },
};

Test(place, state)
{
	char got[PLACE_PATH_MAX], want[PLACE_PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		set("XDG_STATE_HOME", states[i].state);
		set("HOME", states[i].home);
		place_state(got);
		cr_expect_str_eq(got, fill(states[i].want, want), "%s",
		    states[i].why);
	}
}

static const struct {
	const char *why, *dir;
	int rc;
} dirs[] = {
	{ "with all above it", "%/a/b/c", E_OK },
	{ "again", "%/a/b/c", E_OK },
	{ "a slash at the end", "%/a/d/", E_OK },
	{ "one where all may write", "%/open", E_PERM },
	{ "a link that somebody put there", "%/link", E_PERM },
	{ "a file", "%/file", E_PERM },
	{ "below a file", "%/file/a", E_NOENT },
};

Test(place, make)
{
	char path[PLACE_PATH_MAX];
	struct stat st;
	FILE *f;

	cr_assert_eq(mkdir(fill("%/open", path), 0700), 0);
	cr_assert_eq(chmod(path, 0777), 0);
	cr_assert_eq(symlink(top, fill("%/link", path)), 0);
	f = fopen(fill("%/file", path), "w");
	cr_assert_not_null(f);
	(void)fclose(f);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		int rc = place_make(fill(dirs[i].dir, path));

		cr_expect_eq(rc, dirs[i].rc, "%s: %s", dirs[i].why,
		    err_name(rc));
		if (rc != E_OK)
			continue;
		cr_expect(place_is_ours(path), "%s", dirs[i].why);
		cr_expect_eq(stat(path, &st), 0);
		cr_expect_eq(st.st_mode & 07777, 0700, "%s", dirs[i].why);
	}
	cr_expect_not(place_is_ours(fill("%/nothing", path)));
}
