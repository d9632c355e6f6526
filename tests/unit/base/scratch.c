#include "scratch.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATH_BYTES 512

static char dir[PATH_BYTES / 2];

void
scratch_begin(void)
{
	const char *tmp = getenv("TMPDIR");
	int n;

	n = snprintf(dir, sizeof(dir), "%s/segue-base-XXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	cr_assert(n > 0 && (size_t)n < sizeof(dir), "TMPDIR is too long");
	cr_assert_not_null(mkdtemp(dir));
}

/* Calls each(name) for the files; returns how many there are. */
static size_t
walk(int (*each)(const char *))
{
	DIR *d = opendir(dir);
	struct dirent *e;
	size_t n = 0;

	cr_assert_not_null(d);
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		n++;
		if (each != NULL)
			(void)each(scratch_path(e->d_name));
	}
	closedir(d);
	return n;
}

void
scratch_end(void)
{
	(void)walk(remove);
	cr_assert_eq(rmdir(dir), 0);
}

const char *
scratch_path(const char *name)
{
	static char paths[4][PATH_BYTES];
	static unsigned turn;
	char *p = paths[turn++ % 4];
	int n;

	n = snprintf(p, PATH_BYTES, "%s/%s", dir, name);
	cr_assert(n > 0 && n < PATH_BYTES);
	return p;
}

size_t
scratch_files(void)
{
	return walk(NULL);
}

char *
scratch_read(const char *name, size_t *len)
{
	FILE *f = fopen(scratch_path(name), "re");
	size_t cap = (size_t)1 << 22;
	char *p = malloc(cap);

	cr_assert(f != NULL && p != NULL, "%s cannot be read", name);
	*len = fread(p, 1, cap - 1, f);
	p[*len] = '\0';
	fclose(f);
	return p;
}

void
scratch_write(const char *name, struct str text)
{
	FILE *f = fopen(scratch_path(name), "we");

	cr_assert_not_null(f);
	cr_assert_eq(fwrite(text.p, 1, text.len, f), text.len);
	cr_assert_eq(fclose(f), 0);
}
