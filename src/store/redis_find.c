#include "store/redis_find.h"

#include <hiredis/async.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "config/config.h"
#include "net/loop.h"
#include "store/redis_link.h"

#define ANSWER_US (500 * US_PER_MS) /* of one sentinel */

static void ask_one(struct redis_find *);

/* The next one is asked later: this one's callbacks are under way. */
static void
ask_next(struct redis_find *f)
{
	redis_dial_end(&f->dial);
	f->at = (f->at + 1) % f->cfg->n_sentinels;
	f->asked++;
	alarm_set(f->clock, 0);
}

static void
on_clock(void *arg)
{
	struct redis_find *f = arg;

	if (f->dial.ac != NULL || f->dial.port != 0)
		ask_next(f); /* it has not answered */
	else if (f->asked < f->cfg->n_sentinels)
		ask_one(f);
	else
		f->found(f, NULL);
}

static void
on_gone(struct redis_dial *d, enum store_why why UNUSED)
{
	ask_next(CONTAINER_OF(d, struct redis_find, dial));
}

/* "127.0.0.1" and "6379", or a name. */
static int
read_master(const redisReply *r, struct cfg_addr *out)
{
	char *host;
	unsigned long port;

	if (r == NULL || r->type != REDIS_REPLY_ARRAY || r->elements != 2 ||
	    r->element[0]->type != REDIS_REPLY_STRING ||
	    r->element[1]->type != REDIS_REPLY_STRING)
		return E_NOENT;
	port = strtoul(r->element[1]->str, NULL, 10);
	host = r->element[0]->str;
	if (port == 0 || port > UINT16_MAX || r->element[0]->len == 0)
		return E_NOENT;
	*out = (struct cfg_addr){ .host = host, .port = (uint16_t)port };
	return E_OK;
}

static void
on_reply(redisAsyncContext *ac, void *reply, void *arg UNUSED)
{
	struct redis_dial *d = ac->data;
	struct cfg_addr master;
	struct redis_find *f;

	if (d == NULL || reply == NULL)
		return; /* it was given up, or is about to be told so */
	f = CONTAINER_OF(d, struct redis_find, dial);
	f->answered |= redis_why(reply) == STORE_WHY_NOTHING;
	if (read_master(reply, &master) != E_OK) {
		ask_next(f);
		return;
	}
	redis_find_end(f);
	f->found(f, &master);
}

static void
on_connected(struct redis_dial *d)
{
	struct redis_find *f = CONTAINER_OF(d, struct redis_find, dial);

	if (redisAsyncCommand(d->ac, on_reply, NULL,
	        "SENTINEL get-master-addr-by-name %s",
	        f->cfg->master) != REDIS_OK)
		ask_next(f);
}

static void
ask_one(struct redis_find *f)
{
	alarm_set(f->clock, ANSWER_US);
	redis_dial_begin(&f->dial, &f->cfg->sentinels[f->at]);
}

int
redis_find_init(struct redis_find *f)
{
	f->dial.connected = on_connected;
	f->dial.gone = on_gone;
	f->clock = alarm_new(f->dial.loop, on_clock, f);
	return f->clock == NULL ? E_NOMEM : E_OK;
}

void
redis_find_begin(struct redis_find *f)
{
	f->asked = 0;
	f->answered = false;
	ask_one(f);
}

void
redis_find_other(struct redis_find *f)
{
	if (f->cfg->n_sentinels > 0)
		f->at = (f->at + 1) % f->cfg->n_sentinels;
}

void
redis_find_end(struct redis_find *f)
{
	alarm_clear(f->clock);
	redis_dial_end(&f->dial);
}

void
redis_find_free(struct redis_find *f)
{
	redis_dial_free(&f->dial);
	alarm_free(&f->clock);
}
