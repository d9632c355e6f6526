/*
 * source - where the configuration comes from: a file, or the command line.
 *
 * Whom root starts has the default places.  Whom a user starts without a file
 * has the user's own (base/place.h), so that it just runs.
 *
 * Thread: master.
 */
#ifndef SUPERVISOR_SOURCE_H
#define SUPERVISOR_SOURCE_H
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "config/config.h"

#define SOURCE_BYTES_MAX ((size_t)1 << 20)
#define SOURCE_ARGS_MAX 64

struct keyring;

/* All is borrowed from the arguments of the program. */
struct source {
	const char *path; /* NULL: the command line says it all */
	const char *listen[SOURCE_ARGS_MAX];
	size_t n_listen;
	const char *pools[SOURCE_ARGS_MAX];
	size_t n_pools;
};

/*
 * Appends the YAML text, parses it and reads the pages and certificates it
 * names; the content of the latter is to be wiped (config/tlsfiles.h).
 *
 * said     gets a line for each warning and error, with its newline
 * returns  E_OK with one reference in *out, else *out is NULL: E_SYNTAX for
 *          wrong content, E_DAMAGED for certificates that cannot be used, or
 *          why the file or one it names cannot be read
 */
int source_read(const struct source *, struct buf *text, struct buf *said,
    struct cfg **out) MUST_CHECK;

/* The certificates alone, of a configuration nobody else has yet. */
int source_make_tls(struct cfg *, const char *origin,
    struct buf *said) MUST_CHECK;

/*
 * Makes the user's own places for a start without a file; says what fails.
 * Whoever names places in a file makes them.
 */
int source_make_places(const struct source *, const struct cfg *) MUST_CHECK;

/* The path of the key ring of that configuration; "" when memory is out. */
void source_key_file(const struct cfg *, struct buf *out);

/*
 * Can the store be had as it is configured?  Its password, with a NUL behind;
 * nothing where none is named.  why[cap] says what is wrong.
 */
int source_store(const struct cfg *, struct buf *out, char *why,
    size_t cap) MUST_CHECK;
/* The same for who does not start it. */
int source_test_store(const struct cfg *, char *why, size_t cap) MUST_CHECK;
/* Are the keys fit?  A start makes them where there are none; and who may not
 * read them may ask all the same. */
int source_test_keys(const struct cfg *, char *why, size_t cap) MUST_CHECK;

/* Parses text that source_read() gave, without its pages; results as there. */
int source_parse(struct str text, const char *origin, struct buf *said,
    struct cfg **out) MUST_CHECK;

#endif
