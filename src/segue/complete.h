/*
 * complete - what could stand where the cursor is, for the shells' completion
 * (contrib/completion).
 *
 * "segue --complete WORD ..." prints a candidate a line, a tab and a few words
 * of help behind it; the last WORD is the one that is being typed.  A line
 * ":files" asks the shell for names of files.  Names of pools and instances
 * come from the daemon, if it answers at once; nothing is ever said of errors.
 *
 * Thread: main; blocks for a second at most.
 */
#ifndef SEGUE_COMPLETE_H
#define SEGUE_COMPLETE_H
#include <stdio.h>

#include "base/attr.h"
#include "base/buf.h"

#define COMPLETE_WORD "--complete"
#define COMPLETE_FILES ":files"

struct json;

/*
 * Appends the candidates for the last of words[n].  ask(socket, arg) is called
 * once at most, when names are needed; it gives the status document (borrowed)
 * or NULL.  socket is what the words say, or NULL.
 */
typedef const struct json *complete_ask_fn(const char *socket, void *arg);
void complete_write(int n, char *const *words, complete_ask_fn *ask, void *arg,
    struct buf *out);

/* The hidden command; the exit code is always 0. */
int complete_run(int n, char *const *words, FILE *out);

#endif
