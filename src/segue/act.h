/*
 * act - a change, as it is asked for and as its result is told.
 *
 * Thread: main.
 */
#ifndef SEGUE_ACT_H
#define SEGUE_ACT_H
#include "base/attr.h"
#include "base/buf.h"
#include "segue/args.h"

struct json;

/*
 * Writes the body of POST /v1/command.  pool is where --pool or an operand
 * names none; NULL or "" leaves it out.
 */
void act_write_body(const struct args *, const char *pool, struct buf *out);

/* What is done now, a sentence without its full stop: "v1 drains". */
void act_write_done(const struct args *, struct buf *out);

/* The action, to speak of: "the drain of v1". */
void act_write_name(const struct args *, struct buf *out);

/*
 * Where an instance of that name is: its pool, when it is one (borrowed from
 * the document); else NULL with what is wrong in why[cap].
 */
const char *act_pool_of(const struct json *status, const struct args *,
    const char *instance, char *why, size_t cap);

#endif
