/*
 * args - the command line: one row an option, read into struct args.
 *
 * Options may stand before and behind the command and its operands; "--" ends
 * them.  An option's argument is the next word or follows "=".  Given twice,
 * the last counts.
 *
 * Thread: main.
 */
#ifndef SEGUE_ARGS_H
#define SEGUE_ARGS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin/adminproto.h"
#include "base/attr.h"

struct command;

/* What an argument is: decides how it is checked and completed. */
enum arg_kind {
	ARG_NONE, /* of an option: it takes none */
	ARG_TEXT, /* anything but nothing */
	ARG_PATH,
	ARG_SERVICE,
	ARG_POOL,
	ARG_INSTANCE,
	ARG_COMMAND,
	ARG_ADDRESS,
	ARG_WORD,     /* one of words */
	ARG_SHARE,    /* number: hundredths of a per cent */
	ARG_DURATION, /* number: microseconds */
	ARG_COUNT     /* number */
};

struct arg_row {
	const char *name; /* as the help shows it; NULL: there is none */
	enum arg_kind kind;
	const char *words; /* of ARG_WORD: "in|drain|maint" */
	const char *key;   /* ... what the daemon calls it, or NULL */
	bool optional;     /* of an operand */
};

/*
 * One row an option: identifier, name, letter or 0, its argument's name, kind
 * and words, help.
 */
/* clang-format off */
#define OPTIONS(X)                                                             \
	X(SOCKET, "socket", 0, "PATH", PATH, NULL,                             \
	    "$SEGUE_SOCKET, your own, or " ADMIN_SOCKET_DEFAULT)               \
	X(SERVICE, "service", 0, "NAME", SERVICE, NULL,                        \
	    "which service, where there are several")                          \
	X(POOL, "pool", 0, "NAME", POOL, NULL,                                 \
	    "which pool, where an instance's name is in several")              \
	X(JSON, "json", 0, NULL, NONE, NULL,                                   \
	    "print the daemon's answer as it is")                              \
	X(TIMEOUT, "timeout", 0, "DURATION", DURATION, NULL,                   \
	    "how long to wait; exit 4 with --wait, else 5")                           \
	X(COLOR, "color", 0, "WHEN", WORD, "auto|always|never",                \
	    "colours: auto (on terminals), always or never")                   \
	X(QUIET, "quiet", 'q', NULL, NONE, NULL,                               \
	    "say nothing but what was asked for, and errors")                  \
	X(HELP, "help", 'h', NULL, NONE, NULL, "print help")                   \
	X(VERSION, "version", 'V', NULL, NONE, NULL,                           \
	    "print the version of this program")                               \
	X(WATCH, "watch", 'w', NULL, NONE, NULL, "again each second")          \
	X(WHEN_READY, "when-ready", 0, NULL, NONE, NULL,                       \
	    "as soon as the pool has proved itself")                           \
	X(DRAIN, "drain", 0, NULL, NONE, NULL,                                 \
	    "then drain the pools that served before")                         \
	X(WAIT, "wait", 0, NULL, NONE, NULL,                                   \
	    "return when what it began has ended")                             \
	X(MODE, "mode", 0, "MODE", WORD, "keep|move|evict",                    \
	    "what becomes of pinned sessions: keep, move or evict")            \
	X(GRACE, "grace", 0, "DURATION", DURATION, NULL,                       \
	    "how long sessions may stay")                                      \
	X(REQUESTS, "requests", 0, "DURATION", DURATION, NULL,                 \
	    "how long requests in flight may last")                            \
	X(STREAMS, "streams", 0, "DURATION", DURATION, NULL,                   \
	    "how long streams may stay open")                                  \
	X(WRITES, "writes", 0, NULL, NONE, NULL,                               \
	    "only requests that may change something")                         \
	X(TO, "to", 0, "POOL", POOL, NULL,                                     \
	    "the pool that is to serve")                                       \
	X(FROM, "from", 0, "POOL", POOL, NULL,                                 \
	    "the pool that serves, to be compared with")                       \
	X(VIA, "via", 0, "HOST:PORT", TEXT, NULL,                              \
	    "connect there, not to the host of the URL")                       \
	X(CA, "ca", 0, "FILE", PATH, NULL,                                     \
	    "authorities to trust, instead of the system's")                   \
	X(LOGIN, "login", 0, "FILE", PATH, NULL,                               \
	    "log in as the client and user in that file")                      \
	X(ACCEPT, "accept", 0, "FIELD[,...]", TEXT, NULL,                      \
	    "fields of discovery that may differ")                             \
	X(BELOW, "below", 0, "DURATION", DURATION, NULL,                       \
	    "not warm before half of the answers are as fast")                 \
	X(REHEARSE, "rehearse", 0, NULL, NONE, NULL,                           \
	    "only try it: no traffic moves, no job but its rehearsal")         \
	X(IF_CHANGED, "if-changed", 0, NULL, NONE, NULL,                       \
	    "not to what serves already")                                      \
	X(RERUN, "rerun", 0, NULL, NONE, NULL,                                 \
	    "jobs that are done once run again")                               \
	X(ALL, "all", 0, NULL, NONE, NULL,                                     \
	    "the sessions of all pools")                                       \
	X(FORCE, "force", 0, NULL, NONE, NULL,                                 \
	    "even if it leaves nobody ready to serve")                         \
	X(NAME, "name", 0, "NAME", TEXT, NULL,                                 \
	    "the instance's name; default its address")                        \
	X(WEIGHT, "weight", 0, "N", COUNT, NULL,                               \
	    "its weight among the pool's instances; default 1")                \
	X(FOLLOW, "follow", 'f', NULL, NONE, NULL,                             \
	    "go on with what happens from now on")                             \
	X(LAST, "last", 0, "N", COUNT, NULL,                                   \
	    "begin with the last N kept ones; default 20")                     \
	X(OLD, "old", 0, "FILE", PATH, NULL,                                   \
	    "metadata of the version that serves")                             \
	X(NEW, "new", 0, "FILE", PATH, NULL,                                   \
	    "metadata of the version that is to serve")                        \
	X(PATCH_ROLLING, "patch-rolling", 0, "WHEN", WORD, "auto|on|off",      \
	    "do patch releases roll: auto, on or off")                         \
	X(SEEN, "seen", 0, "FILE", PATH, NULL,                                 \
	    "what files held when they were recorded")                         \
	X(RECORD, "record", 0, NULL, NONE, NULL,                               \
	    "record what they hold now")
/* clang-format on */

#define X(id, name, letter, arg, kind, words, help) OPT_##id,
enum option { OPTIONS(X) OPT_COUNT };
#undef X

#define OPT_BIT(i) (UINT64_C(1) << (i))
#define OPT(id) OPT_BIT(OPT_##id)
/* What every command understands. */
#define OPT_COMMON                                                             \
	(OPT(SOCKET) | OPT(SERVICE) | OPT(JSON) | OPT(TIMEOUT) | OPT(COLOR) |  \
	    OPT(QUIET) | OPT(HELP) | OPT(VERSION))

struct option_row {
	const char *name;
	char letter;
	struct arg_row arg; /* arg.name is NULL when it takes none */
	const char *help;
};
extern const struct option_row option_rows[OPT_COUNT];

#define OPERANDS_MAX 2

struct args {
	const struct command *command; /* NULL: none was named */
	size_t n_operands;
	const char *operand[OPERANDS_MAX]; /* borrowed from argv */
	uint64_t operand_number[OPERANDS_MAX];
	const char *option[OPT_COUNT]; /* "" for a flag; NULL: not given */
	uint64_t number[OPT_COUNT];    /* of options that have one */
	char problem[256];             /* what is wrong, a sentence */
};

/*
 * Reads argv[1..argc).  Without a command, or with --help or --version, the
 * rest is not asked for.  E_OK, or E_SYNTAX with .problem filled in.
 */
int args_parse(int argc, char *const *argv, struct args *out) MUST_CHECK;

static inline bool
args_has(const struct args *a, enum option o)
{
	return a->option[o] != NULL;
}

/* Does word stand in "a|b|c"? */
bool args_word_in(const char *word, const char *words);

/*
 * Is word an option?  Then *o is which (OPT_COUNT: an unknown one) and *value
 * what follows its "=", or NULL.  For whoever reads lines half typed.
 */
bool args_is_option(const char *word, enum option *o, const char **value);

#endif
