/*
 * fake - a server that speaks Redis's protocol as a script says, on the loop
 * of who connects to it; stores nothing.
 *
 * Without a script it answers as a Redis that has no keys.
 *
 * Thread: the loop's own.
 */
#ifndef TESTS_STORE_FAKE_H
#define TESTS_STORE_FAKE_H
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct fake;
struct loop;

/* Listens on a Unix socket in the test's directory. */
struct fake *fake_new(struct loop *);
const char *fake_path(const struct fake *);
/* With the test's directory. */
void fake_free(struct fake **);

/*
 * ---- the script: from now on ----
 */
/* To commands of that first word; text: as it is sent, to live on. */
void fake_says(struct fake *, const char *word, const char *text);
void fake_says_str(struct fake *, const char *word, struct str text);
void fake_says_no_more(struct fake *); /* as without a script */
/* What it would say is kept until this is false again; one byte a turn. */
void fake_holds(struct fake *, bool);
void fake_in_pieces(struct fake *, bool);
/* Nobody is let in; who comes is let in when it ends. */
void fake_accepts(struct fake *, bool);

/* ---- at once ---- */
void fake_lets_out(struct fake *, size_t bytes);   /* of what it holds */
void fake_pushes(struct fake *, const char *text); /* that nobody asked for */
void fake_hangs_up(struct fake *);                 /* on all */
void fake_is_gone(struct fake *); /* nobody listens there any more */

/* ---- what it has seen ---- */
/* A line a command since fake_forgets(), words with a space between two. */
const char *fake_log(const struct fake *);
/* Those lines that begin so; n of that first word. */
size_t fake_count(const struct fake *, const char *word);
void fake_forgets(struct fake *);
size_t fake_most_held(const struct fake *); /* commands, ever */
bool fake_has_input(const struct fake *);   /* not read yet */
/* Turns until it has seen so many of that word. */
void fake_until(struct fake *, const char *word, size_t n);

#endif
