/*
 * door - a Unix socket behind which the fuzzer plays a server, and the loop of
 * who comes there.
 *
 * Thread: the fuzzer's own.
 */
#ifndef FUZZ_DOOR_H
#define FUZZ_DOOR_H
#include <stdbool.h>

#include "base/str.h"

#define DOOR_TURNS_MAX 64 /* so many until somebody comes, or is ready */

struct loop;

/* Opens it, the first time; name: of the fuzzer. */
struct loop *door_open(const char *name);
/* Where it is. */
char *door_path(void);
/* Who has come; -1: nobody. */
int door_come(void);
/* -1 is nobody, and may be told anything. */
void door_say(int fd, struct str text);
/* The first half of it; the rest. */
struct str door_half(struct str text, bool first);
/* So many turns, none of which waits; fn: at the end of each, true: enough. */
typedef bool door_turn_fn(void *arg);
void door_turns(unsigned n, door_turn_fn *fn, void *arg);
/* Closes what is open of n, and what came and was not asked for. */
void door_let_go(const int *fds, int n);

#endif
