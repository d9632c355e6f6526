/*
 * command - one row a command: read by parser, help, completion and the test
 * of the manual.
 *
 * Thread: main.
 */
#ifndef SEGUE_COMMAND_H
#define SEGUE_COMMAND_H
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "segue/args.h"

struct run;

/* Carries it out; the exit code. */
typedef int command_fn(struct run *);

struct command {
	const char *name;
	struct arg_row operands[OPERANDS_MAX];
	uint64_t options; /* bits OPT(...), besides OPT_COMMON */
	const char *help; /* a line */
	const char *more; /* more lines for "help COMMAND", or NULL */
	command_fn *run;
};

/* All of them, in the order of the help. */
const struct command *command_rows(size_t *n);
const struct command *command_find(const char *name); /* NULL: none */
const char *command_nearest(const char *name);        /* NULL: none near */

/* "share POOL PERCENT [OPTION ...]" */
void command_synopsis(const struct command *, struct buf *out);

#endif
