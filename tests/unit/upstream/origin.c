#include "origin.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/conn.h"
#include "net/loop.h"
#include "tests/unit/net/rig.h"

struct origin_conn {
	struct origin_conn *next;
	struct origin *origin;
	struct origin_script script;
	struct conn conn;
	struct alarm *pause;
	size_t part;
	bool begun, ended;
};

static void
end_conn(struct origin_conn *c, enum origin_end how)
{
	if (c->ended)
		return;
	c->ended = true;
	c->origin->open--;
	alarm_clear(c->pause);
	if (how == ORIGIN_RST)
		conn_reset(&c->conn);
	else
		conn_close(&c->conn);
}

static void
say(struct origin_conn *c, const char *text)
{
	ssize_t n = conn_sendv(&c->conn,
	    &(struct iovec){ (void *)(uintptr_t)text, strlen(text) }, 1);

	c->origin->said += n > 0 ? (size_t)n : 0;
	if (n < 0)
		end_conn(c, ORIGIN_FIN);
}

/* The next part, or the end; false when there is no more to do. */
static bool
do_part(struct origin_conn *c)
{
	const struct origin_script *s = &c->script;
	const char *text = s->parts[c->part];

	if (text == NULL) {
		if (s->end != ORIGIN_STAYS)
			end_conn(c, s->end);
		return false;
	}
	say(c, text);
	if (!s->never_ends || s->parts[c->part + 1] != NULL)
		c->part++;
	return !c->ended;
}

static void
go_on(void *arg)
{
	struct origin_conn *c = arg;

	if (c->ended)
		return;
	while (c->script.at_once && do_part(c))
		;
	if (!c->script.at_once && do_part(c))
		alarm_set(c->pause, MAX(c->script.moment_ms, 1u) * US_PER_MS);
}

static void
begin(struct origin_conn *c)
{
	if (c->begun)
		return;
	c->begun = true;
	c->part = 0;
	go_on(c);
}

static void
hear(struct origin_conn *c, const char *bytes, size_t len)
{
	struct origin *o = c->origin;
	size_t room = sizeof(o->seen) - 1 - o->seen_len;

	memcpy(o->seen + o->seen_len, bytes, MIN(len, room));
	o->seen_len += MIN(len, room);
	o->seen[o->seen_len] = '\0';
	if (strstr(o->seen, "\r\n\r\n") == NULL)
		return;
	o->seen_len = 0;
	c->begun = c->script.speaks_first; /* another request */
	begin(c);
}

static void
on_conn(struct conn *conn, unsigned what UNUSED)
{
	struct origin_conn *c = CONTAINER_OF(conn, struct origin_conn, conn);
	char bytes[4096];

	if (c->script.speaks_first)
		begin(c);
	while (!c->ended && (conn->maybe_input || conn->unsure)) {
		ssize_t n = conn_recv(conn, bytes, sizeof(bytes));

		if (n > 0)
			hear(c, bytes, (size_t)n);
		else if (n != E_AGAIN)
			end_conn(c, ORIGIN_FIN);
	}
}

static void
on_accept(struct listener *l, int fd, const struct addr *peer UNUSED)
{
	struct origin *o = l->arg;
	struct origin_conn *c = calloc(1, sizeof(*c));

	cr_assert_not_null(c);
	c->origin = o;
	c->script = o->script;
	c->pause = alarm_new(o->loop, go_on, c);
	cr_assert_not_null(c->pause);
	cr_assert_eq(conn_init(&c->conn, o->loop, fd, on_conn), E_OK);
	c->next = o->conns;
	o->conns = c;
	o->accepted++;
	o->open++;
}

void
origin_open(struct origin *o, struct loop *l, const struct origin_script *s)
{
	struct addr any = rig_addr("127.0.0.1:1");

	*o = (struct origin){ .loop = l, .at = { .len = sizeof(o->at.un) } };
	if (s != NULL)
		o->script = *s;
	any = addr_with_port(&any, 0);
	cr_assert_eq(listener_open(&any, 64, &o->fd, 1), E_OK);
	cr_assert_eq(getsockname(o->fd, &o->at.sa, &o->at.len), 0);
	cr_assert_eq(listener_start(&o->listener, l, o->fd, on_accept, o),
	    E_OK);
}

void
origin_hang_up(struct origin *o, enum origin_end how)
{
	for (struct origin_conn *c = o->conns; c != NULL; c = c->next)
		end_conn(c, how);
}

void
origin_say(struct origin *o, const char *text)
{
	for (struct origin_conn *c = o->conns; c != NULL; c = c->next)
		if (!c->ended)
			say(c, text);
}

void
origin_close(struct origin *o)
{
	struct origin_conn *c;

	listener_stop(&o->listener);
	origin_hang_up(o, ORIGIN_FIN);
	while ((c = o->conns) != NULL) {
		o->conns = c->next;
		alarm_free(&c->pause);
		free(c);
	}
	close(o->fd);
}
