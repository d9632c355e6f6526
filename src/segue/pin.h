/*
 * pin - a session of a pool, asked of the daemon, and a web that shows it.
 *
 * Thread: main; blocks.
 */
#ifndef SEGUE_PIN_H
#define SEGUE_PIN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "segue/args.h"

struct run;
struct web;

#define PIN_CALL_LIMIT_US (UINT64_C(10) * 1000000) /* of one call */

/* What the option says, else the environment that a job has; NULL: nothing. */
const char *pin_option(const struct run *, enum option, const char *env);

/*
 * A web for that URL as --via and --ca say, that shows a session of the pool,
 * or none when that is NULL.  The exit code, DONE with *out.
 */
int pin_web(struct run *, const char *url, const char *pool, uint64_t limit_us,
    struct web **out) MUST_CHECK;

/* Could a session of the pool be served now?  Else why not, as a sentence. */
bool pin_can(struct run *, const char *pool, char *why, size_t cap);

/* Was it that pool all the time?  The exit code; said when it was not. */
int pin_check(struct run *, const struct web *, const char *pool) MUST_CHECK;

#endif
