/*
 * keyset - while the pools of a service publish different keys for their
 * tokens, a GET for them is answered with all (cfg jwks.union): who checks
 * tokens asks once, and is then shown those of any pool.
 *
 * Thread: worker.
 */
#ifndef PROXY_KEYSET_H
#define PROXY_KEYSET_H
#include <stdbool.h>

struct exchange;

/* True: it was answered. */
bool keyset_answers(struct exchange *);

#endif
