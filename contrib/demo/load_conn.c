/*
 * load_conn - a user's connection: one request at a time, one answer to it.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "contrib/demo/load.h"

static void
timer_in(struct user *u, uint64_t us)
{
	struct timeval tv = { .tv_sec = (time_t)(us / US_PER_S),
		.tv_usec = (suseconds_t)(us % US_PER_S) };

	(void)evtimer_add(u->timer, &tv);
}

void
conn_drop(struct user *u)
{
	if (u->bev != NULL)
		bufferevent_free(u->bev);
	u->bev = NULL;
}

static void
landed(struct user *u)
{
	u->in_flight = false;
	u->load->busy--;
	(void)evtimer_del(u->timer);
}

static void
failed(struct user *u, enum load_failure why, const char *text)
{
	conn_drop(u);
	if (!u->in_flight)
		return;
	landed(u);
	user_failed(u, why, text);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct user *u = arg;

	if (!u->in_flight) {
		/* Nobody asked: a desynchronised connection. */
		conn_drop(u);
		user_failed(u, FAIL_MALFORMED, "bytes between two answers");
		return;
	}
	u->has_bytes = true;
	switch (answer_feed(&u->answer, in)) {
	case ANSWER_MORE:
		return;
	case ANSWER_BAD:
		failed(u, FAIL_MALFORMED, u->answer.why);
		return;
	case ANSWER_DONE:
		break;
	}
	if (evbuffer_get_length(in) > 0) {
		failed(u, FAIL_MALFORMED, "bytes behind the answer");
		return;
	}
	landed(u);
	if (!u->is_keep || u->answer.closes)
		conn_drop(u);
	else
		u->is_reused = true;
	user_answered(u);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct user *u = arg;
	int err = EVUTIL_SOCKET_ERROR();
	const char *text = strerror(err);

	(void)bev;
	if ((what & BEV_EVENT_CONNECTED) != 0)
		return;
	if (!u->in_flight) {
		u->load->stats.idle_closed++;
		conn_drop(u);
		return;
	}
	if ((what & BEV_EVENT_EOF) != 0)
		text = "closed";
	if (u->has_bytes)
		failed(u, FAIL_TRUNCATED, text);
	else if (err == ECONNREFUSED)
		failed(u, FAIL_REFUSED, text);
	else if (u->is_reused)
		failed(u, FAIL_REUSED, text);
	else
		failed(u, FAIL_RESET, text);
}

/* A socket bound to the user's own source address; -1 with errno. */
static int
bound_socket(const struct user *u)
{
	int fd, on = 1, saved;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (u->source.sin_addr.s_addr == 0)
		return fd;
	/* The port is chosen at connect(), so that they never run out. */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
	    sizeof(on));
	if (bind(fd, (const struct sockaddr *)&u->source, sizeof(u->source)) ==
	    0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static bool
conn_open(struct user *u)
{
	struct load *l = u->load;
	int fd = bound_socket(u);

	if (fd == -1)
		return false;
	u->bev = bufferevent_socket_new(l->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (u->bev == NULL) {
		close(fd);
		return false;
	}
	l->stats.connections++;
	u->is_reused = false;
	bufferevent_setcb(u->bev, on_read, NULL, on_event, u);
	(void)bufferevent_enable(u->bev, EV_READ | EV_WRITE);
	return bufferevent_socket_connect(u->bev,
	           (struct sockaddr *)&l->opt.target,
	           sizeof(l->opt.target)) == 0;
}

void
conn_request(struct user *u, const char *text, size_t len)
{
	answer_reset(&u->answer);
	u->has_bytes = false;
	u->in_flight = true;
	u->load->busy++;
	u->load->stats.requests++;
	u->sent_us = clock_mono_us();
	u->sent_wall_us = clock_wall_us();
	timer_in(u, u->load->opt.timeout_us);
	if (u->bev == NULL && !conn_open(u)) {
		failed(u, FAIL_REFUSED, strerror(errno));
		return;
	}
	if (bufferevent_write(u->bev, text, len) == -1)
		failed(u, FAIL_RESET, "cannot write");
}

void
conn_pause(struct user *u, uint64_t us)
{
	timer_in(u, us);
}

void
conn_timer(evutil_socket_t fd, short what, void *arg)
{
	struct user *u = arg;

	(void)fd;
	(void)what;
	if (u->in_flight)
		failed(u, FAIL_TIMEOUT, "deadline");
	else
		user_send(u);
}
