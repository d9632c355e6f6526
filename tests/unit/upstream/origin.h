/*
 * origin - a scripted instance on a free port, in the loop of the test.
 */
#ifndef TESTS_UPSTREAM_ORIGIN_H
#define TESTS_UPSTREAM_ORIGIN_H
#include <stdbool.h>
#include <stddef.h>

#include "net/addr.h"
#include "net/listener.h"

struct loop;

enum origin_end { ORIGIN_STAYS, ORIGIN_FIN, ORIGIN_RST };

/* What is said on each connection, once a request head has come. */
struct origin_script {
	const char *parts[8]; /* one packet each, a moment apart */
	unsigned moment_ms;   /* 0: 1 ms */
	bool speaks_first;    /* without waiting for a request */
	bool at_once;         /* all parts and the end in one go */
	bool never_ends;      /* says the last part again and again */
	enum origin_end end;  /* ... of the connection, after the last part */
};

struct origin {
	struct listener listener;
	struct loop *loop;
	struct origin_script script; /* of connections yet to come */
	struct addr at;
	int fd;
	char seen[8192]; /* the last request, NUL-terminated */
	size_t seen_len;
	unsigned accepted, open;
	size_t said; /* bytes sent, all in all */
	struct origin_conn *conns;
};

void origin_open(struct origin *, struct loop *, const struct origin_script *);
/* Closes the listening socket and all connections. */
void origin_close(struct origin *);
/* Ends the connections, not the listening. */
void origin_hang_up(struct origin *, enum origin_end);
/* Says something on every connection. */
void origin_say(struct origin *, const char *);

#endif
