/*
 * schema - one row per key of the configuration: the reader, the dump, the
 * comparison and the manual all work from these rows.
 *
 * Thread: any; constant.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"

/*
 * One row a kind: identifier, C type at key.at, name in the manual, what a
 * person is told is expected.
 */
/* clang-format off */
#define KEY_KINDS(X)                                                           \
	X(TEXT, char *, "text", "a text")                                      \
	X(WORD, char *, "word", "a word without spaces")                       \
	X(NAME, char *, "name", "a name of at most 63 letters, digits, \".\", "\
	    "\"_\" and \"-\"")                                                 \
	X(LABEL, char *, "label", "a name of at most 63 letters, digits, "     \
	    "\".\", \"_\", \"-\", \":\", \"/\", \"%\" and brackets")           \
	X(FILE, char *, "file", "the path of a file")                          \
	X(TARGET, char *, "target", "a path that begins with \"/\" and has no "\
	    "spaces")                                                          \
	X(PREFIX, char *, "path", "a path that begins with \"/\", as it is "   \
	    "after normalisation: no \"%\", \"?\", \"#\", \";\", \"//\", "     \
	    "\"/./\" or \"/../\"")                                             \
	X(HOST, char *, "host", "a host, with or without a port")              \
	X(PATTERN, char *, "pattern", "a host without port, \"*.DOMAIN\" or "  \
	    "\"*\"")                                                           \
	X(TOKEN, char *, "token", "a name that HTTP allows, of at most 63 "    \
	    "bytes")                                                           \
	X(SPACE, char *, "word", "1 to 16 letters and digits")                 \
	X(SHARE_KEY, char *, "source", "source, request, header:NAME or "      \
	    "cookie:NAME")                                                     \
	X(VALUE, char *, "text", "the value of a field: no control "           \
	    "characters, no spaces at its ends")                               \
	X(BOOL, bool, "switch", "on or off")                                   \
	X(UINT, unsigned, "number", "a whole number")                          \
	X(PORT, uint16_t, "port", "a port")                                    \
	X(ANSWER, char *, "answer", "a status from 400 to 599, 4xx or 5xx")    \
	X(STATUS, uint16_t, "status", "a status from 100 to 599")              \
	X(WORKERS, unsigned, "number", "a whole number, or auto")              \
	X(MODE, unsigned, "mode", "an octal mode such as \"0660\"")            \
	X(DURATION, uint64_t, "duration", "a duration such as 500ms, 30s or "  \
	    "5m")                                                              \
	X(SIZE, uint64_t, "size", "a size such as 512, 16KiB or 10MiB")        \
	X(MEMORY, uint64_t, "size", "a size such as 512MiB, auto or off")      \
	X(CLOCK, unsigned, "time of day",                                      \
	    "a time of day such as \"02:30\", between quotes")                 \
	X(PERCENT, unsigned, "percentage", "a whole percentage such as 20%")   \
	X(SHARE, uint32_t, "percentage", "a percentage up to 100%, such "      \
	    "as 10% or 12.5%")                                                \
	X(ENUM, int, "word", "one of the words")                               \
	X(ADDR, struct cfg_addr, "address", "an address such as "              \
	    "127.0.0.1:8080, [::1]:8080 or unix:/path")                        \
	X(CIDR, char *, "network", "a network such as 10.0.0.0/8, "       \
	    "fd00::/8, or unix") \
	X(ITEMS, void *, "list", "a list")                                     \
	X(FIELDS, struct cfg_field *, "map", "a map of field names and values")\
	X(MAP, void, "map", "a map")                                           \
	X(LIST, void *, "list", "a list")
/* clang-format on */

#define X(id, type, name, expected) K_##id,
enum key_kind { KEY_KINDS(X) KEY_KIND_COUNT };
#undef X

enum {
	KEY_REQUIRED = 1,
	KEY_RESTART = 2,  /* a running daemon cannot take a new value over */
	KEY_OFF = 4,      /* a map that may be "off": .aux is the bool */
	KEY_OF_OWNER = 8, /* default: the text of the address beside it */
	KEY_GIVEN = 16,   /* with KEY_OFF: on only where it is written */
	KEY_MODE = 32,    /* an enum cfg_mode, for all rows beside and below */
	KEY_HTTP = 64,   /* means nothing in mode passthrough: an error there */
	KEY_SHORT = 128, /* for values of others, which are shown instead */
	KEY_SECRET = 256 /* may hold a password: not for logs and messages */
};

struct key {
	const char *name;
	enum key_kind kind;
	size_t at;            /* offset in its struct */
	const char *fallback; /* default as written; NULL: none; of ITEMS
	                         with a space between two */
	/*
	 * Numbers: least and most, in base units; both 0: any.  Texts: max is
	 * of bytes, 0: any.  ITEMS, FIELDS, LIST: of elements.
	 */
	uint64_t min, max;
	unsigned flags;
	const char *help;
	/* by kind */
	const struct key *sub;    /* MAP, LIST: the keys inside; ITEMS: one */
	const char *const *names; /* ENUM: by value, NULL-terminated */
	size_t aux;               /* of a count; "was given" of SHARE */
	size_t size;              /* LIST, ITEMS, FIELDS: of one element */
	const char *scalar;       /* LIST, MAP: key a bare scalar stands for */
	const char *label;        /* LIST: key that tells elements apart */
};

/* All of a configuration, ended by a row without name. */
extern const struct key cfg_schema[];

const char *key_kind_name(enum key_kind);
const char *key_kind_expected(enum key_kind);
/* The row of that name, NULL when there is none. */
const struct key *key_find(const struct key *keys, const char *name);
/* Frees and clears what the rows own. */
void schema_free(const struct key *keys, void *base);

/* Where the value, or the array of a list, is. */
static inline void *
key_at(const struct key *k, const void *base)
{
	return (char *)(uintptr_t)base + k->at;
}

static inline size_t *
key_count(const struct key *k, const void *base)
{
	return (size_t *)((uintptr_t)base + k->aux);
}

static inline bool *
key_flag(const struct key *k, const void *base)
{
	return (bool *)((uintptr_t)base + k->aux);
}

/* The array of a LIST, ITEMS or FIELDS; each has its own pointer type. */
static inline char *
key_array(const struct key *k, const void *base)
{
	char *array;

	memcpy(&array, key_at(k, base), sizeof(array));
	return array;
}

static inline void
key_set_array(const struct key *k, void *base, void *array)
{
	memcpy(key_at(k, base), &array, sizeof(array));
}

static inline void *
key_element(const struct key *k, const void *base, size_t i)
{
	return key_array(k, base) + i * k->size;
}

/* Does one of the rows say that what is in base passes connections through? */
bool schema_passes(const struct key *keys, const void *base);
/* Is it a map that is switched off? */
static inline bool
key_is_off(const struct key *k, const void *base)
{
	return (k->flags & KEY_OFF) != 0 && !*key_flag(k, base);
}

#endif
