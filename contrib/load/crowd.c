/*
 * crowd - whom the clients ask, from where, until when; loop and control.
 */
#include "contrib/load/crowd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/util.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"

#define TICK_US (5 * US_PER_MS)

/* ---- options ---- */

bool
crowd_read_target(struct crowd *c, const char *text)
{
	int len = sizeof(c->target);

	c->target_text = text;
	return evutil_parse_sockaddr_port(text, (struct sockaddr *)&c->target,
	           &len) == 0 &&
	    c->target.sin_family == AF_INET && c->target.sin_port != 0;
}

bool
crowd_read_sources(struct crowd *c, const char *text)
{
	char first[INET_ADDRSTRLEN];
	size_t len = strcspn(text, "-");
	struct in_addr a, b;

	c->source_first = c->source_last = c->source_next = 0;
	if (strcmp(text, "none") == 0)
		return true;
	if (text[len] == '\0' || len >= sizeof(first))
		return false;
	memcpy(first, text, len);
	first[len] = '\0';
	if (inet_pton(AF_INET, first, &a) != 1 ||
	    inet_pton(AF_INET, text + len + 1, &b) != 1 ||
	    ntohl(a.s_addr) > ntohl(b.s_addr))
		return false;
	c->source_first = c->source_next = ntohl(a.s_addr);
	c->source_last = ntohl(b.s_addr);
	return true;
}

struct sockaddr_in
crowd_source(struct crowd *c)
{
	struct sockaddr_in from = { .sin_family = AF_INET };

	if (c->source_first == 0)
		return from;
	from.sin_addr.s_addr = htonl(c->source_next);
	if (c->source_next++ == c->source_last)
		c->source_next = c->source_first;
	return from;
}

/* ---- control ---- */

static void
on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct crowd *c = arg;

	(void)fd;
	(void)what;
	c->stopping = true;
}

/* Requests under way end with an answer or their own deadline. */
static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct crowd *c = arg;

	(void)fd;
	(void)what;
	if (c->until_us != 0 && clock_mono_us() >= c->until_us)
		c->stopping = true;
	if (c->stopping && c->busy == 0)
		(void)event_base_loopbreak(c->base);
}

static void
on_second(evutil_socket_t fd, short what, void *arg)
{
	struct crowd *c = arg;

	(void)fd;
	(void)what;
	if (!c->stopping)
		c->on_second(c);
}

static void
on_line(struct crowd *c, const char *line)
{
	if (strcmp(line, "stop") == 0)
		c->stopping = true;
	else
		c->story->line(c, line);
}

static void
on_input(evutil_socket_t fd, short what, void *arg)
{
	static char buf[256];
	static size_t have;
	struct crowd *c = arg;
	ssize_t n = read(fd, buf + have, sizeof(buf) - 1 - have);
	char *end;

	(void)what;
	if (n <= 0) {
		c->stopping = true;
		(void)event_del(c->control);
		return;
	}
	have += (size_t)n;
	buf[have] = '\0';
	while ((end = strchr(buf, '\n')) != NULL) {
		*end = '\0';
		on_line(c, buf);
		have -= (size_t)(end + 1 - buf);
		memmove(buf, end + 1, have + 1);
	}
	if (have == sizeof(buf) - 1)
		have = 0;
}

/* ---- the loop ---- */

static void
must(bool ok)
{
	if (ok)
		return;
	fprintf(stderr, "%s: cannot set up the event loop\n",
	    program_invocation_short_name);
	exit(1);
}

static struct event *
watch(struct crowd *c, evutil_socket_t fd, short what, event_callback_fn fn,
    uint64_t every_us)
{
	struct timeval tv = { .tv_sec = (time_t)(every_us / US_PER_S),
		.tv_usec = (suseconds_t)(every_us % US_PER_S) };
	struct event *ev = event_new(c->base, fd, what | EV_PERSIST, fn, c);

	must(ev != NULL && c->n_events < CROWD_EVENTS_MAX);
	must(event_add(ev, every_us > 0 ? &tv : NULL) == 0);
	c->events[c->n_events++] = ev;
	return ev;
}

static void
many_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
}

void
crowd_open(struct crowd *c)
{
	many_files();
	(void)signal(SIGPIPE, SIG_IGN);
	c->base = event_base_new();
	must(c->base != NULL);
	(void)watch(c, -1, EV_TIMEOUT, on_tick, TICK_US);
	(void)watch(c, SIGINT, EV_SIGNAL, on_signal, 0);
	(void)watch(c, SIGTERM, EV_SIGNAL, on_signal, 0);
}

void
crowd_obey_input(struct crowd *c)
{
	c->control = watch(c, STDIN_FILENO, EV_READ, on_input, 0);
}

void
crowd_each_second(struct crowd *c, crowd_fn *fn)
{
	c->on_second = fn;
	(void)watch(c, -1, EV_TIMEOUT, on_second, US_PER_S);
}

void
crowd_run(struct crowd *c)
{
	(void)event_base_dispatch(c->base);
}

void
crowd_close(struct crowd *c)
{
	while (c->n_events > 0)
		event_free(c->events[--c->n_events]);
	event_base_free(c->base);
}

void
crowd_tell(const struct crowd *c, struct json_out *j)
{
	json_kv_u64(j, "requests", c->requests);
	json_kv_u64(j, "in_flight", c->busy);
	json_kv_u64(j, "connections", c->connections);
	json_kv_u64(j, "idle_closed", c->idle_closed);
}
