/*
 * load_client - one client: its session, its connection, its requests.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "tests/e2e/load.h"

static void send_next(struct lclient *);

/* ---- session ---- */

static unsigned
around(unsigned mean)
{
	unsigned n = mean / 2 + random_below(mean + 1);

	return MAX(n, 1u);
}

static void
drop(struct lclient *c)
{
	if (c->bev != NULL)
		bufferevent_free(c->bev);
	c->bev = NULL;
}

/* Somebody else: another address, another connection, no cookies. */
static void
session_begin(struct lclient *c)
{
	struct load *l = c->load;

	drop(c);
	c->n_cookies = 0;
	c->value = -1;
	c->left = around(l->opt.session);
	c->source = (struct sockaddr_in){ .sin_family = AF_INET };
	if (l->opt.source_first == 0)
		return;
	c->source.sin_addr.s_addr = htonl(l->next_source);
	if (l->next_source++ == l->opt.source_last)
		l->next_source = l->opt.source_first;
}

static void
cookie_put(struct lclient *c, const char *line)
{
	size_t name_len = strcspn(line, "=;");
	const char *value = line + name_len + 1;
	size_t value_len = line[name_len] == '=' ? strcspn(value, ";") : 0;
	struct load_cookie *k = NULL;

	if (value_len == 0 || name_len >= sizeof(k->name) ||
	    value_len >= sizeof(k->value))
		return;
	for (unsigned i = 0; i < c->n_cookies && k == NULL; i++)
		if (strlen(c->cookies[i].name) == name_len &&
		    memcmp(c->cookies[i].name, line, name_len) == 0)
			k = &c->cookies[i];
	if (k == NULL) {
		if (c->n_cookies == LOAD_COOKIES_MAX)
			return;
		k = &c->cookies[c->n_cookies++];
	}
	memcpy(k->name, line, name_len);
	k->name[name_len] = '\0';
	memcpy(k->value, value, value_len);
	k->value[value_len] = '\0';
}

static void
cookie_line(const struct lclient *c, char *out, size_t cap)
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < c->n_cookies && n < cap; i++)
		n += (size_t)snprintf(out + n, cap - n, "%s%s=%s",
		    i == 0 ? "Cookie: " : "; ", c->cookies[i].name,
		    c->cookies[i].value);
	if (n > 0 && n < cap)
		(void)snprintf(out + n, cap - n, "\r\n");
}

/* ---- pauses and deadlines ---- */

static void
timer_in(struct lclient *c, uint64_t us)
{
	struct timeval tv = { .tv_sec = (time_t)(us / US_PER_S),
		.tv_usec = (suseconds_t)(us % US_PER_S) };

	(void)evtimer_add(c->timer, &tv);
}

static void
pause_then_send(struct lclient *c)
{
	timer_in(c, around((unsigned)c->load->opt.think_us));
}

static void
landed(struct lclient *c)
{
	c->in_flight = false;
	c->load->busy--;
	(void)evtimer_del(c->timer);
}

/* What had begun is lost: the next is a new session. */
static void
failed(struct lclient *c, enum load_failure why, const char *text)
{
	drop(c);
	if (!c->in_flight)
		return;
	count_failure(&c->load->stats, c, why, text);
	landed(c);
	session_begin(c);
	pause_then_send(c);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct lclient *c = arg;

	(void)fd;
	(void)what;
	if (c->in_flight)
		failed(c, FAIL_TIMEOUT, "deadline");
	else
		send_next(c);
}

/* ---- answers ---- */

static bool
brings_id_back(const struct lclient *c)
{
	char id[LOAD_ID_MAX], echo[LOAD_ID_MAX];

	load_id_text(c->load, c->id, id);
	return answer_field(&c->answer, "X-Echo", 0, echo, sizeof(echo)) &&
	    strcmp(id, echo) == 0;
}

static void
judge_value(struct lclient *c)
{
	char name[LOAD_NAME_MAX];
	struct load *l = c->load;
	bool is_session = c->value == -1;
	int v = -1;

	if (answer_field(&c->answer, l->opt.stays, 0, name, sizeof(name)))
		v = count_value(&l->stats, name);
	if (!is_session && v != c->value)
		count_bounce(&l->stats, c, v, l->opt.moved_ok);
	c->value = v;
	count_answer(&l->stats, c, is_session);
}

static void
answered(struct lclient *c)
{
	char line[700];
	int status = c->answer.status;

	if (status != 200) {
		failed(c, status >= 500 ? FAIL_SERVER : FAIL_STATUS, "status");
		return;
	}
	if (!brings_id_back(c)) {
		failed(c, FAIL_FOREIGN, "another id, or none");
		return;
	}
	for (unsigned i = 0;
	     answer_field(&c->answer, "Set-Cookie", i, line, sizeof(line)); i++)
		cookie_put(c, line);
	judge_value(c);
	landed(c);
	c->is_reused = true;
	if (!c->keeps || c->answer.closes)
		drop(c);
	if (--c->left == 0)
		session_begin(c);
	pause_then_send(c);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct lclient *c = arg;
	enum answer_state s;

	if (!c->in_flight) {
		c->in_flight = true; /* it is a failure, of no request */
		c->load->busy++;
		failed(c, FAIL_MALFORMED, "bytes between two answers");
		return;
	}
	c->has_bytes = true;
	s = answer_feed(&c->answer, in);
	if (s == ANSWER_MORE)
		return;
	if (s == ANSWER_BAD)
		failed(c, FAIL_MALFORMED, c->answer.why);
	else if (evbuffer_get_length(in) > 0)
		failed(c, FAIL_MALFORMED, "bytes behind the answer");
	else
		answered(c);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct lclient *c = arg;
	int err = EVUTIL_SOCKET_ERROR();
	const char *text = (what & BEV_EVENT_EOF) != 0 ? "closed"
	                                               : strerror(err);

	(void)bev;
	if ((what & BEV_EVENT_CONNECTED) != 0)
		return;
	if (!c->in_flight) {
		c->load->stats.idle_closed++;
		drop(c);
		return;
	}
	if (c->has_bytes)
		failed(c, FAIL_CUT, text);
	else if ((what & BEV_EVENT_EOF) == 0 && err == ECONNREFUSED)
		failed(c, FAIL_CONNECT, text);
	else
		failed(c, c->is_reused ? FAIL_REUSED : FAIL_RESET, text);
}

/* ---- requests ---- */

/* A socket bound to the session's own source address; -1 with errno. */
static int
bound_socket(const struct lclient *c)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, saved;

	if (fd == -1)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (c->source.sin_addr.s_addr == 0)
		return fd;
	/* The port is chosen at connect(), so that they never run out. */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
	    sizeof(on));
	if (bind(fd, (const struct sockaddr *)&c->source, sizeof(c->source)) ==
	    0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static bool
open_connection(struct lclient *c)
{
	struct load *l = c->load;
	int fd = bound_socket(c);

	if (fd == -1)
		return false;
	c->bev = bufferevent_socket_new(l->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (c->bev == NULL) {
		close(fd);
		return false;
	}
	l->stats.connections++;
	c->is_reused = false;
	bufferevent_setcb(c->bev, on_read, NULL, on_event, c);
	(void)bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	return bufferevent_socket_connect(c->bev,
	           (struct sockaddr *)&l->opt.target,
	           sizeof(l->opt.target)) == 0;
}

void
load_id_text(const struct load *l, uint64_t id, char out[LOAD_ID_MAX])
{
	(void)snprintf(out, LOAD_ID_MAX, "%08x-%" PRIu64,
	    (unsigned)(l->run & 0xffffffffu), id);
}

static void
add_body(struct lclient *c, struct evbuffer *out, size_t len)
{
	char piece[1024];

	memset(piece, 'a' + (int)(c->id % 26), sizeof(piece));
	while (len > 0) {
		size_t n = MIN(len, sizeof(piece));

		(void)evbuffer_add(out, piece, n);
		len -= n;
	}
}

/* Half of the bodies have a length, half come in two chunks. */
static void
add_request(struct lclient *c, struct evbuffer *out)
{
	const struct load_options *o = &c->load->opt;
	char id[LOAD_ID_MAX], cookies[1400];
	size_t len = c->is_post ? random_below(o->body_max + 1) : 0;
	bool chunked = c->is_post && len > 1 && c->id % 2 == 0;

	load_id_text(c->load, c->id, id);
	cookie_line(c, cookies, sizeof(cookies));
	(void)evbuffer_add_printf(out,
	    "%s %s?id=%s HTTP/1.1\r\nHost: %s\r\n%s%s",
	    c->is_post ? "POST" : "GET", c->is_post ? o->post : o->get, id,
	    o->target_text, cookies, c->keeps ? "" : "Connection: close\r\n");
	if (!c->is_post) {
		(void)evbuffer_add(out, "\r\n", 2);
	} else if (!chunked) {
		(void)evbuffer_add_printf(out, "Content-Length: %zu\r\n\r\n",
		    len);
		add_body(c, out, len);
	} else {
		(void)evbuffer_add_printf(out,
		    "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", len / 2);
		add_body(c, out, len / 2);
		(void)evbuffer_add_printf(out, "\r\n%zx\r\n", len - len / 2);
		add_body(c, out, len - len / 2);
		(void)evbuffer_add_printf(out, "\r\n0\r\n\r\n");
	}
}

static void
send_next(struct lclient *c)
{
	struct load *l = c->load;

	if (l->stopping)
		return;
	answer_reset(&c->answer);
	c->has_bytes = false;
	c->in_flight = true;
	c->is_post = random_below(100) < l->opt.post_pct;
	c->id = ++l->serial;
	l->busy++;
	l->stats.requests++;
	l->stats.posts += c->is_post;
	c->sent_us = clock_mono_us();
	c->sent_wall_us = clock_wall_us();
	timer_in(c, l->opt.timeout_us);
	if (c->bev == NULL && !open_connection(c)) {
		failed(c, FAIL_CONNECT, strerror(errno));
		return;
	}
	add_request(c, bufferevent_get_output(c->bev));
}

void
lclient_start(struct load *l, struct lclient *c, unsigned number)
{
	c->load = l;
	c->number = number;
	c->keeps = number % 2 == 0;
	c->timer = evtimer_new(l->base, on_timer, c);
	if (c->timer == NULL)
		abort();
	session_begin(c);
	pause_then_send(c);
}

void
lclient_free(struct lclient *c)
{
	drop(c);
	event_free(c->timer);
}
