/*
 * asker - one client: its connection, one request at a time, its answer.
 */
#include "contrib/load/asker.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "contrib/load/crowd.h"

uint64_t
asker_about(uint64_t mean)
{
	uint64_t n = mean / 2 + random_below((uint32_t)mean + 1);

	return MAX(n, 1u);
}

void
asker_pause(struct asker *a, uint64_t us)
{
	struct timeval tv = { .tv_sec = (time_t)(us / US_PER_S),
		.tv_usec = (suseconds_t)(us % US_PER_S) };

	(void)evtimer_add(a->timer, &tv);
}

static void
drop(struct asker *a)
{
	if (a->bev != NULL)
		bufferevent_free(a->bev);
	a->bev = NULL;
}

void
asker_anew(struct asker *a)
{
	drop(a);
	jar_clear(&a->jar);
	a->source = crowd_source(a->crowd);
}

static void
landed(struct asker *a)
{
	a->in_flight = false;
	a->crowd->busy--;
	(void)evtimer_del(a->timer);
}

static void
failed(struct asker *a, enum fault why, const char *text)
{
	drop(a);
	landed(a);
	a->crowd->story->failed(a, why, text);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct asker *a = arg;

	(void)fd;
	(void)what;
	if (a->in_flight)
		failed(a, FAULT_TIMEOUT, "deadline");
	else if (!a->crowd->stopping)
		a->crowd->story->ask(a);
}

/* ---- answers ---- */

void
asker_keep_cookies(struct asker *a)
{
	char line[JAR_NAME_MAX + JAR_VALUE_MAX + 300];

	for (unsigned i = 0;
	     answer_field(&a->answer, "Set-Cookie", i, line, sizeof(line)); i++)
		jar_put(&a->jar, line);
}

static void
answered(struct asker *a)
{
	landed(a);
	a->crowd->story->answered(a);
	a->is_reused = true;
	if (!a->keeps || a->answer.closes)
		drop(a);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct asker *a = arg;
	enum answer_state s;

	if (!a->in_flight) {
		/* Nobody asked: a desynchronised connection. */
		drop(a);
		a->crowd->story->failed(a, FAULT_MALFORMED,
		    "bytes between two answers");
		return;
	}
	a->has_bytes = true;
	s = answer_feed(&a->answer, in);
	if (s == ANSWER_MORE)
		return;
	if (s == ANSWER_BAD)
		failed(a, FAULT_MALFORMED, a->answer.why);
	else if (evbuffer_get_length(in) > 0)
		failed(a, FAULT_MALFORMED, "bytes behind the answer");
	else
		answered(a);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct asker *a = arg;
	int err = EVUTIL_SOCKET_ERROR();
	bool is_eof = (what & BEV_EVENT_EOF) != 0;
	const char *text = is_eof ? "closed" : strerror(err);

	(void)bev;
	if ((what & BEV_EVENT_CONNECTED) != 0)
		return;
	if (!a->in_flight) {
		a->crowd->idle_closed++;
		drop(a);
		return;
	}
	if (a->has_bytes)
		failed(a, FAULT_CUT, text);
	else if (!is_eof && err == ECONNREFUSED)
		failed(a, FAULT_CONNECT, text);
	else
		failed(a, a->is_reused ? FAULT_REUSED : FAULT_RESET, text);
}

/* ---- requests ---- */

/* A socket bound to the asker's own source address; -1 with errno. */
static int
bound_socket(const struct asker *a)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, saved;

	if (fd == -1)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (a->source.sin_addr.s_addr == 0)
		return fd;
	/* The port is chosen at connect(), so that they never run out. */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
	    sizeof(on));
	if (bind(fd, (const struct sockaddr *)&a->source, sizeof(a->source)) ==
	    0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static bool
open_connection(struct asker *a)
{
	struct crowd *c = a->crowd;
	int fd = bound_socket(a);

	if (fd == -1)
		return false;
	a->bev = bufferevent_socket_new(c->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (a->bev == NULL) {
		close(fd);
		return false;
	}
	c->connections++;
	a->is_reused = false;
	bufferevent_setcb(a->bev, on_read, NULL, on_event, a);
	(void)bufferevent_enable(a->bev, EV_READ | EV_WRITE);
	return bufferevent_socket_connect(a->bev, (struct sockaddr *)&c->target,
	           sizeof(c->target)) == 0;
}

struct evbuffer *
asker_request(struct asker *a)
{
	answer_reset(&a->answer);
	a->has_bytes = false;
	a->in_flight = true;
	a->crowd->busy++;
	a->crowd->requests++;
	a->sent_us = clock_mono_us();
	a->sent_wall_us = clock_wall_us();
	asker_pause(a, a->crowd->timeout_us);
	if (a->bev == NULL && !open_connection(a)) {
		failed(a, FAULT_CONNECT, strerror(errno));
		return NULL;
	}
	return bufferevent_get_output(a->bev);
}

void
asker_init(struct asker *a, struct crowd *c, unsigned number)
{
	a->crowd = c;
	a->number = number;
	a->keeps = number % 2 == 0;
	a->timer = evtimer_new(c->base, on_timer, a);
	if (a->timer == NULL)
		abort();
}

void
asker_end(struct asker *a)
{
	drop(a);
	event_free(a->timer);
}
