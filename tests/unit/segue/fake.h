/*
 * fake - a daemon that says what the test wants, and the command typed at it.
 */
#ifndef TESTS_SEGUE_FAKE_H
#define TESTS_SEGUE_FAKE_H
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"

/* How the connection goes on after the answer. */
enum fake_then {
	FAKE_CLOSE,
	FAKE_STAY,  /* open, silent, until fake_stop() */
	FAKE_SIGNAL /* then a SIGINT comes, as if typed */
};

/* What is answered to "GET /v1/status"; rows end with one without a begin. */
struct fake_row {
	const char *begin;  /* of the request line */
	const char *answer; /* all bytes of it; "" for none */
	enum fake_then then;
};

struct fake;

/* Listens in a directory of its own; each connection carries one request. */
struct fake *fake_start(const struct fake_row *rows) MUST_CHECK;
const char *fake_socket(const struct fake *);
/* What was asked, heads and bodies; whole once the answer was read. */
const char *fake_asked(struct fake *);
void fake_stop(struct fake **);

/* A response with that JSON body. */
#define FAKE_HEAD "HTTP/1.1 "
#define FAKE_JSON(status, body)                                                \
	FAKE_HEAD status "\r\nContent-Type: application/json\r\n"              \
	                 "Connection: close\r\n\r\n" body
#define FAKE_STREAM(events)                                                    \
	FAKE_HEAD "200 OK\r\nContent-Type: text/event-stream\r\n\r\n" events

/* What a typed line came to. */
struct typed {
	int exit;
	char *out, *err; /* owned */
};

/* Words are parted by blanks; --socket is put in front when it is not NULL. */
struct typed type(const char *socket, const char *line);
void typed_free(struct typed *);

#endif
