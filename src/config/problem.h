/*
 * problem - where something stands in the file, and what is wrong with it.
 *
 * Thread: any.
 */
#ifndef CONFIG_PROBLEM_H
#define CONFIG_PROBLEM_H
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "config/config.h"
#include "config/yaml.h"

#define WHERE_PATH_MAX 256
#define PROBLEMS_MAX 100 /* shown; more are counted */

/* A place in the tree, whether something is written there or not. */
struct where {
	const struct ynode *node;  /* borrowed; NULL: a default holds */
	const struct ynode *near;  /* it, or what it would stand in; or NULL */
	char path[WHERE_PATH_MAX]; /* "services[0].name"; "" at the top */
};

struct where where_top(const struct ynode *root); /* NULL: an empty file */
struct where where_key(const struct where *, const char *name);
/* A scalar or map where a list is meant is its item 0. */
struct where where_item(const struct where *, size_t i);
/* Its item i, known to be n (or NULL). */
struct where where_nth(const struct where *, const struct ynode *n, size_t i);
/* Is something written there, other than null? */
bool where_is_given(const struct where *);

struct problem {
	unsigned line, column; /* 0: of no place */
	size_t seq;
	char *text; /* owned */
	bool is_warning;
};

struct problems {
	const char *origin; /* borrowed; the file's name in messages */
	bool no_lines;      /* no file: lines would mean nothing */
	struct problem *list;
	size_t n, cap;
	size_t errors; /* also those that are not shown */
	size_t left_out;
	bool no_memory; /* whatever else: the result is E_NOMEM */
};

/*
 * "ORIGIN:LINE:COLUMN: PATH: ..."; the place is that of the value, or of what
 * it would stand in; of what a profile has, that of the key "profile", and its
 * name stands behind.  problem_at_key(): that of the key of the map entry n.
 */
void problem_error(struct problems *, const struct where *, const char *fmt,
    ...) PRINTF_LIKE(3, 4);
void problem_warn(struct problems *, const struct where *, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void problem_at_key(struct problems *, const struct where *map,
    const struct ynode *n, const char *fmt, ...) PRINTF_LIKE(4, 5);
void problem_no_yaml(struct problems *, const struct yaml_error *);

/*
 * The result of it all: problems in the order of the file go to *out, and
 * *p is emptied.
 *
 * returns  E_OK, E_SYNTAX when there are errors, or E_NOMEM
 */
int problems_finish(struct problems *p, struct cfg_problems *out) MUST_CHECK;

/* s as it may stand in a message: cut, no control bytes, never empty. */
#define PROBLEM_TEXT_MAX 96
const char *problem_text(const char *s, char out[PROBLEM_TEXT_MAX]);
/* "; did you mean X?", or "" when near is NULL. */
const char *problem_did_you_mean(const char *near, char out[PROBLEM_TEXT_MAX]);

#endif
