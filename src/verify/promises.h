/*
 * promises - what a server says of itself, and whether another one keeps it:
 * discovery (OpenID Connect Discovery 1.0, RFC 8414) and keys (RFC 7517).
 *
 * Thread: any.
 */
#ifndef VERIFY_PROMISES_H
#define VERIFY_PROMISES_H
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"

struct json;

/* How much it matters: identifier, name, mark in a list. */
#define PROMISE_GRADES(X)                                                      \
	X(MORE, "more", "+")   /* new, nobody relies on it */                  \
	X(OTHER, "other", "~") /* another value, of a kind that may change */  \
	X(BROKEN, "broken", "!") /* clients may rely on what was */
#define X(id, name, mark) PROMISE_##id,
enum promise_grade { PROMISE_GRADES(X) PROMISE_GRADE_COUNT };
#undef X
const char *promise_grade_name(enum promise_grade);
const char *promise_grade_mark(enum promise_grade);

struct promise {
	enum promise_grade grade;
	const char *where; /* "discovery", "keys"; constant */
	char field[128];   /* or the key's id */
	char text[320];    /* a sentence without it */
};

#define PROMISES_MAX 128
struct promises {
	struct promise list[PROMISES_MAX];
	size_t n, left_out; /* more than there is room for */
	size_t same;        /* fields and keys that are alike */
};

/*
 * What the second says other than the first, both of one issuer.
 *
 * BROKEN is: issuer, an endpoint or jwks_uri of another value or gone; a value
 * of a list gone; a truth gone or false; for keys: one gone, as what it signed
 * does not verify then, or another one of the same id.
 *
 * accepted   names of fields, with commas between: those become OTHER
 */
void promises_discovery(struct promises *, const struct json *was,
    const struct json *is, const char *accepted);
void promises_keys(struct promises *, const struct json *was,
    const struct json *is);
size_t promises_broken(const struct promises *);

#endif
