/*
 * run - one invocation: what was typed, where to ask, how to say it.
 *
 * Standard output gets what was asked for (with --json: one JSON document),
 * standard error what went wrong and how a wait stands.
 *
 * Thread: main.
 */
#ifndef SEGUE_RUN_H
#define SEGUE_RUN_H
#include <stdbool.h>
#include <stdio.h>

#include "admin/adminproto.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/place.h"
#include "base/str.h"
#include "segue/args.h"

struct json;

struct run {
	struct args args;
	const char *socket; /* path; of own_socket, perhaps */
	char own_socket[PLACE_PATH_MAX];
	bool json, quiet;
	bool colour;     /* of out */
	FILE *out, *err; /* borrowed */
};

/* The whole program; the exit code.  out and err are flushed, not closed. */
int run_main(int argc, char *const *argv, FILE *out, FILE *err);

/* A sentence for people on standard output; nothing with --json or -q. */
void run_say(struct run *, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Bytes as they are on standard output. */
void run_print(struct run *, struct str);

/*
 * What went wrong: "segue: SENTENCE" on standard error and, with --json,
 * {error: NAME, message: SENTENCE} on standard output.  Returns exit.
 */
int run_fail(struct run *, int exit, const char *name, const char *fmt, ...)
    PRINTF_LIKE(4, 5) MUST_CHECK;

#endif
