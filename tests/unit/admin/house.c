#include "house.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/thread.h"
#include "config/config.h"
#include "net/listener.h"
#include "net/loop.h"
#include "rollout/feed.h"
#include "upstream/registry.h"
#include "upstream/view.h"

#define PATIENCE_S 5

/* One at a time: Criterion gives each test a process. */
static struct {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool ready, done;
	house_fn *job;
	void *job_arg;
	char admin_keys[512];
	int unix_fd, http_fd;
} theirs = { .mutex = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER };

/* ---- the control thread ---- */

static void
on_turn(void *arg)
{
	pthread_mutex_lock(&theirs.mutex);
	if (theirs.job != NULL) {
		theirs.job(arg, theirs.job_arg);
		theirs.job = NULL;
		pthread_cond_broadcast(&theirs.changed);
	}
	pthread_mutex_unlock(&theirs.mutex);
}

static void
nudge(void *arg)
{
	struct house *h = arg;

	(void)views_adopt(h->views, 0);
	if (h->drive != NULL)
		drive_poke(h->drive);
}

static void
reload(admin_reload_fn *done, void *done_arg, void *arg)
{
	struct house *h = arg;

	h->reloads++;
	h->reload_done = done;
	h->reload_arg = done_arg;
	if (!h->hold_reload)
		done(&h->reload, done_arg);
}

static void
read_cfg(struct house *h)
{
	struct cfg_problems problems;
	struct buf b = BUF_INIT;

	buf_printf(&b,
	    "state_dir: %s\n"
	    "admin: { http: \"127.0.0.1:9180\"%s%s }\n"
	    "listeners: \"127.0.0.1:1\"\n"
	    "services:\n"
	    "  - name: sso\n"
	    "    pools:\n"
	    "      - { name: v1, instances: [ { name: a, "
	    "address: \"127.0.0.1:1\" } ] }\n"
	    "      - { name: v2, instances: [ { name: b, "
	    "address: \"127.0.0.1:2\" } ] }\n",
	    h->dir, theirs.admin_keys[0] == '\0' ? "" : ", ",
	    theirs.admin_keys);
	if (cfg_parse(buf_str(&b), "house", &h->cfg, &problems) != E_OK)
		cr_assert_fail("%s",
		    problems.n == 0 ? "no memory" : problems.list[0].text);
	cfg_problems_free(&problems);
	buf_free(&b);
}

static void
build(struct house *h)
{
	struct drive_env drive = { .nudge = nudge, .arg = h };
	struct admin_env admin = { .unix_fd = theirs.unix_fd,
		.http_fd = theirs.http_fd,
		.n_workers = 1,
		.started_wall_us = HOUSE_STARTED_US,
		.master_pid = HOUSE_PID,
		.reload = reload,
		.arg = h };
	char why[512];

	cr_assert_eq(loop_new(&h->loop), E_OK);
	loop_on_turn(h->loop, on_turn, h);
	h->registry = registry_new(1);
	h->views = views_new(1);
	h->feed = feed_new();
	read_cfg(h);
	drive.loop = h->loop;
	drive.registry = h->registry;
	drive.views = h->views;
	drive.feed = h->feed;
	drive.cfg = h->cfg;
	cr_assert_eq(drive_new(&drive, &h->drive, why, sizeof(why)), E_OK, "%s",
	    why);
	admin.loop = h->loop;
	admin.drive = h->drive;
	admin.feed = h->feed;
	cr_assert_eq(admin_new(&admin, &h->admin), E_OK);
	h->a = registry_instance(h->registry, "sso", "v1", "a");
	h->b = registry_instance(h->registry, "sso", "v2", "b");
}

static void
tear_down(struct house *h)
{
	admin_free(&h->admin);
	drive_free(&h->drive);
	views_free(&h->views);
	registry_free(&h->registry);
	feed_free(&h->feed);
	cfg_unref(&h->cfg);
}

static void *
control(void *arg)
{
	struct house *h = arg;

	thread_become(ROLE_ANY, "control"); /* and its own worker */
	build(h);
	pthread_mutex_lock(&theirs.mutex);
	theirs.ready = true;
	pthread_cond_broadcast(&theirs.changed);
	pthread_mutex_unlock(&theirs.mutex);
	loop_run(h->loop);
	tear_down(h);
	return NULL;
}

/* ---- for tests ---- */

static int
open_tcp(int *port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	cr_assert_neq(fd, -1);
	cr_assert_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	cr_assert_eq(listen(fd, 16), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*port = ntohs(in.sin_port);
	return fd;
}

void
house_open(struct house *h, const char *admin_keys)
{
	memset(h, 0, sizeof(*h));
	str_copy(STR("/tmp/segue-admin-XXXXXX"), h->dir, sizeof(h->dir));
	cr_assert_not_null(mkdtemp(h->dir));
	(void)snprintf(h->socket, sizeof(h->socket), "%s/s", h->dir);
	(void)snprintf(h->log, sizeof(h->log), "%s/log", h->dir);
	cr_assert_eq(log_open(h->log), E_OK);
	str_copy(str_of(admin_keys), theirs.admin_keys,
	    sizeof(theirs.admin_keys));
	cr_assert_eq(listener_open_unix(h->socket, 0600, &theirs.unix_fd),
	    E_OK);
	theirs.http_fd = open_tcp(&h->port);
	theirs.ready = false;
	cr_assert_eq(pthread_create(&theirs.thread, NULL, control, h), 0);
	pthread_mutex_lock(&theirs.mutex);
	while (!theirs.ready)
		pthread_cond_wait(&theirs.changed, &theirs.mutex);
	pthread_mutex_unlock(&theirs.mutex);
}

void
house_close(struct house *h)
{
	char path[128];

	loop_stop(h->loop);
	pthread_join(theirs.thread, NULL);
	loop_free(&h->loop); /* not before loop_stop() has let go of it */
	/* They were borrowed, so they are still ours. */
	cr_expect_eq(close(theirs.unix_fd), 0);
	cr_expect_eq(close(theirs.http_fd), 0);
	(void)snprintf(path, sizeof(path), "%s/state.json", h->dir);
	cr_expect_eq(unlink(path), 0);
	(void)snprintf(path, sizeof(path), "%s/state.json.journal", h->dir);
	cr_expect_eq(unlink(path), 0);
	cr_expect_eq(unlink(h->socket), 0);
	log_close();
	cr_expect_eq(unlink(h->log), 0);
	cr_expect_eq(rmdir(h->dir), 0);
}

bool
house_logged(const struct house *h, const char *text)
{
	struct buf b = BUF_INIT;
	bool found;

	cr_assert_eq(file_read(h->log, 1u << 24, &b), E_OK);
	found = b.len > 0 && strstr(b.p, text) != NULL;
	buf_free(&b);
	return found;
}

void
house_do(struct house *h, house_fn *fn, void *arg)
{
	pthread_mutex_lock(&theirs.mutex);
	theirs.job = fn;
	theirs.job_arg = arg;
	loop_wake(h->loop);
	while (theirs.job != NULL)
		pthread_cond_wait(&theirs.changed, &theirs.mutex);
	pthread_mutex_unlock(&theirs.mutex);
}

struct question {
	house_is_fn *fn;
	void *arg;
	bool answer;
};

static void
ask_one(struct house *h, void *arg)
{
	struct question *q = arg;

	q->answer = q->fn(h, q->arg);
}

void
house_until(struct house *h, house_is_fn *fn, void *arg)
{
	uint64_t give_up = clock_mono_us() + PATIENCE_S * US_PER_S;
	struct question q = { .fn = fn, .arg = arg };

	for (;;) {
		house_do(h, ask_one, &q);
		if (q.answer)
			return;
		cr_assert_lt(clock_mono_us(), give_up, "it does not come");
		usleep(1000);
	}
}

/* ---- clients ---- */

static int
connect_to(const struct house *h, bool tcp)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)h->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(tcp ? AF_INET : AF_UNIX, SOCK_STREAM, 0);

	str_copy(str_of(h->socket), un.sun_path, sizeof(un.sun_path));
	cr_assert_neq(fd, -1);
	cr_assert_eq(tcp ? connect(fd, (struct sockaddr *)&in, sizeof(in))
	                 : connect(fd, (struct sockaddr *)&un, sizeof(un)),
	    0);
	return fd;
}

void
client_open(struct client *c, const struct house *h, bool tcp)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };

	c->len = 0;
	c->text[0] = '\0';
	c->fd = connect_to(h, tcp);
	cr_assert_eq(setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
	                 sizeof(patience)),
	    0);
}

void
client_close(struct client *c)
{
	close(c->fd);
	c->fd = -1;
}

void
client_send(struct client *c, const char *bytes, size_t len)
{
	/* It may have been refused before all of it was sent. */
	(void)!send(c->fd, bytes, len, MSG_NOSIGNAL);
}

void
client_ask(struct client *c, const char *method, const char *path,
    const char *fields, const char *body)
{
	char head[1024];
	int n = snprintf(head, sizeof(head),
	    "%s %s HTTP/1.1\r\nHost: localhost\r\n%s", method, path, fields);

	if (body != NULL)
		n += snprintf(head + n, sizeof(head) - (size_t)n,
		    "Content-Length: %zu\r\n", strlen(body));
	n += snprintf(head + n, sizeof(head) - (size_t)n, "\r\n");
	client_send(c, head, (size_t)n);
	if (body != NULL)
		client_send(c, body, strlen(body));
}

/* False at the end. */
static bool
read_some(struct client *c)
{
	ssize_t n = recv(c->fd, c->text + c->len, sizeof(c->text) - 1 - c->len,
	    0);

	cr_assert(n != -1 || errno == ECONNRESET, "nothing comes: %s", c->text);
	if (n <= 0)
		return false;
	c->len += (size_t)n;
	c->text[c->len] = '\0';
	return true;
}

bool
client_reads(struct client *c, const char *needle)
{
	while (memmem(c->text, c->len, needle, strlen(needle)) == NULL)
		if (!read_some(c))
			return false;
	return true;
}

void
client_reads_all(struct client *c)
{
	while (read_some(c))
		;
}

int
client_status(const struct client *c)
{
	int status = 0;

	return sscanf(c->text, "HTTP/1.1 %d ", &status) == 1 ? status : 0;
}

const char *
client_body(const struct client *c)
{
	const char *end = strstr(c->text, "\r\n\r\n");

	return end == NULL ? "" : end + 4;
}

static int
once(struct client *c, const struct house *h, const char *method,
    const char *path, const char *body)
{
	client_open(c, h, false);
	client_ask(c, method, path, "Connection: close\r\n", body);
	client_reads_all(c);
	client_close(c);
	return client_status(c);
}

int
client_get(struct client *c, const struct house *h, const char *path)
{
	return once(c, h, "GET", path, NULL);
}

int
client_post(struct client *c, const struct house *h, const char *path,
    const char *body)
{
	return once(c, h, "POST", path, body);
}
