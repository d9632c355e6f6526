#include "store/redis_dial.h"

#include <errno.h>
#include <hiredis/adapters/libevent.h>
#include <hiredis/async.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"
#include "config/config.h"
#include "net/addr.h"
#include "net/loop.h"
#include "net/resolver.h"

#define PARTS_MAX 1024 /* of a reply */

/* hiredis frees the context itself once this returns. */
static void
lost(const redisAsyncContext *ac, enum store_why why)
{
	struct redis_dial *d = ac->data;

	if (d == NULL)
		return; /* it was given up */
	d->ac = NULL;
	d->gone(d, why);
}

/* hiredis tells what the system said by its text alone. */
static enum store_why
why_of_text(const char *text)
{
	static const struct {
		int error;
		enum store_why why;
	} rows[] = { { ECONNREFUSED, STORE_WHY_REFUSED },
		{ ENOENT, STORE_WHY_NO_FILE }, { EACCES, STORE_WHY_FORBIDDEN },
		{ ECONNRESET, STORE_WHY_CLOSED } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(text, strerrordesc_np(rows[i].error)) == 0)
			return rows[i].why;
	return STORE_WHY_UNREACHABLE;
}

static enum store_why
why_of(const redisAsyncContext *ac)
{
	switch (ac->c.err) {
	case REDIS_ERR_EOF:
		return STORE_WHY_CLOSED;
	case REDIS_ERR_PROTOCOL:
	case REDIS_ERR_OOM: /* a reply that was refused below, mostly */
		return STORE_WHY_BROKEN;
	default:
		return why_of_text(ac->c.errstr);
	}
}

static void
on_connect(const redisAsyncContext *ac, int status)
{
	struct redis_dial *d = ac->data;

	if (status != REDIS_OK)
		lost(ac, why_of(ac));
	else if (d != NULL)
		d->connected(d);
}

static void
on_disconnect(const redisAsyncContext *ac, int status)
{
	lost(ac, status == REDIS_OK ? STORE_WHY_CLOSED : why_of(ac));
}

/*
 * ---- replies that hiredis makes are looked at first: it asserts that somebody
 * waits for each, and that what a channel says has the form that it has, and
 * makes room for as many parts as one says it has ----
 */

static _Thread_local redisReplyObjectFunctions theirs, ours;

static bool
is_waited_for(const redisReadTask *t)
{
	const redisAsyncContext *ac = t->privdata;

	return t->parent != NULL || t->type == REDIS_REPLY_ERROR ||
	    ac->replies.head != NULL || (ac->c.flags & REDIS_SUBSCRIBED) != 0;
}

#define SAID_PARTS 3 /* a word, the channel, and what the word is of */

/* A reply, or a part of one, that a channel and no command has led to. */
static bool
is_heard(const redisReadTask *t)
{
	const redisAsyncContext *ac = t->privdata;

	return (ac->c.flags & REDIS_SUBSCRIBED) != 0 &&
	    ac->replies.head == NULL;
}

/*
 * Word and channel are texts, and we hear no other words: hiredis would act on
 * "unsubscribe".  text.p is NULL: it is no text.
 */
static bool
may_be_part(const redisReadTask *t, struct str text)
{
	if (!is_heard(t) || t->parent == NULL || t->parent->parent != NULL ||
	    t->idx > 1)
		return true;
	if (t->type != REDIS_REPLY_STRING || text.p == NULL)
		return false;
	return t->idx == 1 || str_eq(text, STR("subscribe")) ||
	    str_eq(text, STR("message"));
}

static bool
may_be(const redisReadTask *t, struct str text)
{
	return is_waited_for(t) && may_be_part(t, text);
}

static const struct str no_text = { NULL, 0 };

static void *
make_string(const redisReadTask *t, char *p, size_t len)
{
	return may_be(t, str_from(p, len)) ? theirs.createString(t, p, len)
	                                   : NULL;
}

static void *
make_array(const redisReadTask *t, int n)
{
	if (!may_be(t, no_text) || n > PARTS_MAX)
		return NULL;
	if (t->parent == NULL && is_heard(t) && n != SAID_PARTS)
		return NULL;
	return theirs.createArray(t, n);
}

static void *
make_integer(const redisReadTask *t, long long n)
{
	return may_be(t, no_text) ? theirs.createInteger(t, n) : NULL;
}

static void *
make_nil(const redisReadTask *t)
{
	return may_be(t, no_text) ? theirs.createNil(t) : NULL;
}

static void
guard(redisAsyncContext *ac)
{
	redisReader *r = ac->c.reader;

	theirs = *r->fn;
	ours = theirs;
	ours.createString = make_string;
	ours.createArray = make_array;
	ours.createInteger = make_integer;
	ours.createNil = make_nil;
	r->fn = &ours;
	r->privdata = ac;
}

static void
use(struct redis_dial *d, redisAsyncContext *ac)
{
	enum store_why why = STORE_WHY_UNREACHABLE;

	if (ac != NULL && ac->err == 0 &&
	    redisLibeventAttach(ac, loop_base(d->loop)) == REDIS_OK) {
		guard(ac);
		ac->data = d;
		d->ac = ac;
		(void)redisAsyncSetConnectCallback(ac, on_connect);
		(void)redisAsyncSetDisconnectCallback(ac, on_disconnect);
		return;
	}
	if (ac != NULL) {
		why = why_of(ac);
		redisAsyncFree(ac);
	}
	d->gone(d, why);
}

static void
use_addr(struct redis_dial *d, const struct addr *a, uint16_t port)
{
	char host[ADDR_TEXT_MAX];

	(void)addr_host(a, host);
	use(d, redisAsyncConnect(host, port));
}

static void
on_addresses(int code, struct addr_list *list, void *arg)
{
	struct redis_dial *d = arg;

	d->asking = false;
	if (d->port == 0)
		return; /* of a try that was given up */
	if (code != E_OK)
		d->gone(d, STORE_WHY_NO_NAME);
	else
		use_addr(d, &list->list[d->turn % list->n], d->port);
}

void
redis_dial_begin(struct redis_dial *d, const struct cfg_addr *to)
{
	struct addr literal;
	int rc = E_OK;

	d->port = 0;
	if (to->is_unix) {
		use(d, redisAsyncConnectUnix(to->host));
		return;
	}
	if (addr_literal(to, &literal) == E_OK) {
		use_addr(d, &literal, to->port);
		return;
	}
	if (d->asking) /* one question at a time, be it of an earlier try */
		rc = E_AGAIN;
	if (rc == E_OK && d->resolver == NULL)
		rc = resolver_new(d->loop, addr_look_up, &d->resolver);
	if (rc == E_OK)
		rc = resolver_ask(d->resolver, to, on_addresses, d);
	if (rc != E_OK) {
		d->gone(d, STORE_WHY_NO_NAME);
		return;
	}
	d->asking = true;
	d->port = to->port;
}

/* What was given up must not come late, once the network is there again. */
static void
forget_unsent(const redisAsyncContext *ac)
{
	struct linger none = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(ac->c.fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

void
redis_dial_drop(struct redis_dial *d)
{
	if (d->ac != NULL)
		forget_unsent(d->ac);
	redis_dial_end(d);
}

void
redis_dial_end(struct redis_dial *d)
{
	redisAsyncContext *ac = d->ac;

	d->port = 0;
	d->ac = NULL;
	if (ac == NULL)
		return;
	ac->data = NULL;
	redisAsyncFree(ac);
}

void
redis_dial_free(struct redis_dial *d)
{
	redis_dial_end(d);
	resolver_free(&d->resolver);
}
