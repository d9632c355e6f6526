/*
 * scratch - a directory of its own for a test that needs files.
 *
 * Thread: the test's.
 */
#ifndef TESTS_BASE_SCRATCH_H
#define TESTS_BASE_SCRATCH_H
#include <stddef.h>

#include "base/str.h"

void scratch_begin(void); /* makes it; asserts that it could */
void scratch_end(void);   /* removes it with all files in it */
/* Path of name in it; one of a few buffers that take turns. */
const char *scratch_path(const char *name);
size_t scratch_files(void); /* how many are in it */
/* The content of a file, NUL-terminated, and its length; free() it. */
char *scratch_read(const char *name, size_t *len);
void scratch_write(const char *name, struct str text);

#endif
