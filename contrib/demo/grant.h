/*
 * grant - signed strings: login flows, codes, sessions, access and refresh
 * tokens of the sample identity service.
 *
 * A grant says all there is to know about itself, so that every instance with
 * the same key accepts what any other issued, of whichever version.  This is
 * what a shared session store does for a real identity server.
 *
 *     KIND~VERSION~INSTANCE~SUBJECT~ID~EXPIRES~MAC
 *
 * ID is 64 random bits, EXPIRES the wall clock in seconds, MAC the first half
 * of HMAC-SHA256 over what stands before it, all in hexadecimal.
 *
 * Thread: any.
 */
#ifndef DEMO_GRANT_H
#define DEMO_GRANT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* One row a kind: identifier, letter in the string, seconds it lives. */
#define GRANT_KINDS(X)                                                         \
	X(FLOW, 'f', 600)                                                      \
	X(CODE, 'c', 60)                                                       \
	X(SESSION, 's', 3600)                                                  \
	X(ACCESS, 'a', 300)                                                    \
	X(REFRESH, 'r', 3600)

#define X(id, letter, lives) GRANT_##id,
enum grant_kind { GRANT_KINDS(X) GRANT_KIND_COUNT };
#undef X

enum grant_verdict { GRANT_OK, GRANT_FORGED, GRANT_EXPIRED };

#define GRANT_WORD_MAX 48 /* bytes of version, instance and subject, with NUL */
#define GRANT_MAX 256     /* bytes of the whole string, with NUL */
#define GRANT_KEY_MAX 64
#define GRANT_KEY_MIN 16

struct grant_key {
	unsigned char bytes[GRANT_KEY_MAX];
	size_t len;
};

struct grant {
	char version[GRANT_WORD_MAX];
	char instance[GRANT_WORD_MAX];
	char subject[GRANT_WORD_MAX]; /* user; of a flow: the caller's state */
	uint64_t id;
	uint64_t expires_s; /* wall clock */
};

/* The key in a file of GRANT_KEY_MIN bytes or more; path NULL: a random one. */
int grant_key_read(const char *path, struct grant_key *out) MUST_CHECK;

/* Letters, digits and "._:-[]", 1 to GRANT_WORD_MAX - 1 of them. */
bool grant_word_ok(const char *word);

/*
 * Issues a grant of kind with a new id.  The words must be grant_word_ok().
 * *out becomes the string.
 */
void grant_issue(const struct grant_key *, enum grant_kind, const char *version,
    const char *instance, const char *subject, char out[GRANT_MAX]);

/* Checks signature, kind and age; *out is set when the result is GRANT_OK. */
enum grant_verdict grant_read(const struct grant_key *, enum grant_kind,
    const char *text, struct grant *out);

/* Seconds a grant of this kind lives. */
unsigned grant_lives_s(enum grant_kind);

#endif
