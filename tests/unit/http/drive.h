/*
 * drive - reads a run of HTTP/1 bytes as a lane would, cut as one likes, and
 * writes down what was told; writes it anew on the way, as a proxy would.
 *
 * Used by the unit tests and the fuzzers.  Whatever must hold for any input is
 * checked here and aborts.
 *
 * Thread: the test's.
 */
#ifndef TESTS_HTTP_DRIVE_H
#define TESTS_HTTP_DRIVE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/str.h"
#include "http/events.h"
#include "http/head.h"

#define MUST(x)                                                                \
	do {                                                                   \
		if (!(x)) {                                                    \
			(void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, \
			    __LINE__, #x);                                     \
			abort();                                               \
		}                                                              \
	} while (0)

/* Whose messages, and within which limits. */
struct drive {
	bool is_response;
	enum http_method asked; /* of a response */
	struct http_limits limits;
};

/* Limits of a listener's defaults. */
#define DRIVE_LIMITS                                                           \
	{                                                                      \
		.head_bytes = 65536, .field_bytes = 16384,                     \
		.target_bytes = 16384, .fields = 100                           \
	}
extern const struct http_limits drive_limits; /* the same */

/* Bytes of the next piece, 1..left. */
typedef size_t drive_cut_fn(void *arg, size_t left);
size_t drive_whole(void *unused, size_t left);
size_t drive_bytes(void *unused, size_t left); /* one by one */
size_t drive_at(void *size, size_t left);      /* in two; clears *size */
size_t drive_random(void *state, size_t left); /* uint64_t, not 0 */

struct drive_out {
	/*
	 * In a line, messages separated by " | ":
	 * request   METHOD TARGET AUTHORITY FRAMING keep|close and flags
	 * response  STATUS [REASON] FRAMING keep|close and flags
	 * then      body=BYTES  trailer=NAME:VALUE  end | cut | bad REASON
	 */
	struct buf said;
	struct buf told;    /* the same with every field */
	struct buf essence; /* what the other side of a proxy must learn */
	struct buf sent;    /* bytes for the other side */
	size_t used;        /* bytes of whole messages */
	enum http_bad bad;
};

/* Reads in until it ends or is bad; out is made, drive_free() frees it. */
void drive(const struct drive *, struct str in, drive_cut_fn *, void *arg,
    struct drive_out *out);
void drive_free(struct drive_out *);

/*
 * All the above for one input: whatever the cut (every one of at most cuts,
 * one by one, some at random by seed) what is told is the same; and what is
 * written for the other side is read there as the same and written as the
 * same bytes.  out is that of the whole input.
 */
void drive_all(const struct drive *, struct str in, size_t cuts, uint64_t seed,
    struct drive_out *out);

#endif
