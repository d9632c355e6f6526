/*
 * client - asks the daemon: one request over its Unix socket, one answer.
 *
 * Thread: main; blocks, within its deadlines.
 */
#ifndef SEGUE_CLIENT_H
#define SEGUE_CLIENT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin/adminproto.h"
#include "base/attr.h"
#include "base/place.h"
#include "base/str.h"
#include "segue/reply.h"

#define CLIENT_WHY_MAX 512

/*
 * How a call ended: identifier, name in errors, exit code.  DONE says only
 * that there is an answer, whatever its status.
 */
#define CLIENT_ENDS(X)                                                         \
	X(DONE, "done", SEGUE_EXIT_DONE)                                       \
	X(UNREACHABLE, "unreachable", SEGUE_EXIT_UNREACHABLE)                  \
	X(SILENT, "silent", SEGUE_EXIT_UNREACHABLE)                            \
	X(CUT, "cut", SEGUE_EXIT_UNREACHABLE)                                  \
	X(MALFORMED, "malformed", SEGUE_EXIT_FAILED)                           \
	X(NO_MEMORY, "no_memory", SEGUE_EXIT_FAILED)                           \
	X(INTERRUPTED, "interrupted", 128 + interrupt_came())

#define X(id, name, exit) CLIENT_##id,
enum client_end { CLIENT_ENDS(X) };
#undef X

struct client_call {
	const char *method, *path;
	const char *accept; /* media type */
	struct str body;    /* JSON; empty: none */
	/* 0: no bound */
	uint64_t answer_us;  /* until the answer is complete */
	uint64_t silence_us; /* until the next byte */
	/* As in reply.h; E_EOF: enough was read, the answer is complete. */
	reply_body_fn *on_body;
	void *arg;

	/* What came of it. */
	struct reply reply;
	bool sent;                /* the daemon may have the request */
	char why[CLIENT_WHY_MAX]; /* a sentence, when not CLIENT_DONE */
};

/*
 * The socket of the daemon: the one that was given, else $SEGUE_SOCKET, else
 * that of a daemon of this user (base/place.h) where there is one, else the
 * system's.  own is room for its path.
 */
const char *client_socket(const char *given, char own[PLACE_PATH_MAX]);

enum client_end client_call(const char *socket,
    struct client_call *) MUST_CHECK;

const char *client_end_name(enum client_end);
int client_end_exit(enum client_end);

/* Why that socket could not be connected to, for the operator. */
void client_explain(const char *socket, int errnum, char *out, size_t cap);

#endif
