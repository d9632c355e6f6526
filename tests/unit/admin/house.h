/*
 * house - a control thread as in the daemon, with registry, drive, feed and
 * admin, in a thread of the test; and clients that talk to it over sockets.
 *
 * One service, sso, with pools v1 (instance a) and v2 (instance b); nobody
 * listens at their addresses, so all is down.  One worker, who adopts each
 * view at once; what it would count, tests count.
 */
#ifndef TESTS_ADMIN_HOUSE_H
#define TESTS_ADMIN_HOUSE_H
#include <stdbool.h>
#include <stddef.h>

#include "admin/admin.h"
#include "rollout/drive.h"
#include "upstream/model.h"

#define HOUSE_PID 4711
#define HOUSE_STARTED_US UINT64_C(1600000000000000)

struct house {
	struct loop *loop;
	struct registry *registry;
	struct views *views;
	struct feed *feed;
	struct drive *drive;
	struct admin *admin;
	struct cfg *cfg;
	struct instance *a, *b;
	char dir[64], socket[96], log[96];
	int port; /* of the TCP door */

	/* What a reload says, set by the test; with hold it says it later. */
	struct admin_reload_result reload;
	bool hold_reload;
	admin_reload_fn *reload_done;
	void *reload_arg;
	_Atomic unsigned reloads;
};

/* Text of admin's keys, as "operate: {users: [bob]}"; "" for none. */
void house_open(struct house *, const char *admin_keys);
void house_close(struct house *); /* all is freed */

/*
 * A test of the static struct house h.  The house is closed in the test's body:
 * Criterion does not count what fails in a .fini.
 */
#define HOUSE_TEST(suite, name, admin_keys)                                    \
	static void suite##_##name##_in_house(void);                           \
	Test(suite, name, .timeout = 20)                                       \
	{                                                                      \
		house_open(&h, admin_keys);                                    \
		suite##_##name##_in_house();                                   \
		house_close(&h);                                               \
	}                                                                      \
	static void suite##_##name##_in_house(void)

/* Has the log that text? */
bool house_logged(const struct house *, const char *text);

/* Runs fn in the control thread, between turns, and waits for it. */
typedef void house_fn(struct house *, void *arg);
void house_do(struct house *, house_fn *, void *arg);
/* Waits until fn, run so, says true; fails the test after 5 s. */
typedef bool house_is_fn(struct house *, void *arg);
void house_until(struct house *, house_is_fn *, void *arg);

/* ---- clients ---- */
struct client {
	int fd;
	size_t len;
	char text[1 << 20]; /* all that came, NUL-terminated */
};

void client_open(struct client *, const struct house *, bool tcp);
void client_close(struct client *);
void client_send(struct client *, const char *bytes, size_t len);
/* METHOD PATH with more fields (each with CRLF) and a body (NULL: none). */
void client_ask(struct client *, const char *method, const char *path,
    const char *fields, const char *body);
/* Reads until the text holds that; false when the other end closed first. */
bool client_reads(struct client *, const char *needle);
void client_reads_all(struct client *); /* until it closes */

/* One whole request on a connection of its own; returns the status. */
int client_get(struct client *, const struct house *, const char *path);
int client_post(struct client *, const struct house *, const char *path,
    const char *body);
int client_status(const struct client *);
/* The body of an answer with a Content-Length. */
const char *client_body(const struct client *);

#endif
