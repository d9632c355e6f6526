#include "store/redis_link.h"

#include <hiredis/async.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/random.h"
#include "config/config.h"
#include "net/loop.h"
#include "store/redis_dial.h"
#include "store/redis_find.h"

#define READY_US US_PER_S        /* to find, connect and greet, each */
#define PROVED_US (5 * US_PER_S) /* then it was a good one */
#define AGAIN_LEAST_US (50 * US_PER_MS)
#define AGAIN_MOST_US US_PER_S

enum phase { PHASE_REST, PHASE_FIND, PHASE_CONNECT, PHASE_GREET, PHASE_UP };

struct redis_link {
	struct redis_link_env env; /* but .store */
	const struct cfg_store *cfg;
	const char *password;
	enum phase phase;
	struct redis_find find;
	struct redis_dial dial;
	struct alarm *clock; /* of the phase */
	unsigned vain;       /* tries in a row */
	unsigned greetings;  /* not answered yet */
};

/* ---- what errors mean ---- */

/* One row an error that Redis answers with, by its first word. */
static const struct {
	const char *word;
	enum store_why why;
} errors[] = {
	{ "NOAUTH", STORE_WHY_AUTH },
	{ "WRONGPASS", STORE_WHY_AUTH },
	{ "ERR invalid password", STORE_WHY_AUTH },
	{ "ERR AUTH", STORE_WHY_AUTH },
	{ "ERR Client sent AUTH", STORE_WHY_AUTH },
	{ "ERR DB index", STORE_WHY_DATABASE },
	{ "ERR invalid DB", STORE_WHY_DATABASE },
	{ "NOPERM", STORE_WHY_DENIED },
	{ "READONLY", STORE_WHY_READ_ONLY },
	{ "OOM", STORE_WHY_FULL },
	{ "MISCONF", STORE_WHY_DISK },
	{ "DENIED", STORE_WHY_PROTECTED },
	{ "ERR max number of clients", STORE_WHY_CLIENTS },
	{ "MOVED", STORE_WHY_CLUSTERED },
	{ "ASK", STORE_WHY_CLUSTERED },
	{ "CROSSSLOT", STORE_WHY_CLUSTERED },
	{ "CLUSTERDOWN", STORE_WHY_CLUSTERED },
	{ "WRONGTYPE", STORE_WHY_WRONG_TYPE },
	{ "LOADING", STORE_WHY_LOADING },
	{ "BUSY", STORE_WHY_LOADING },
	{ "MASTERDOWN", STORE_WHY_LOADING },
	{ "TRYAGAIN", STORE_WHY_LOADING },
};

enum store_why
redis_why(const struct redisReply *r)
{
	if (r->type != REDIS_REPLY_ERROR)
		return STORE_WHY_NOTHING;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strncmp(r->str, errors[i].word, strlen(errors[i].word)) ==
		    0)
			return errors[i].why;
	return STORE_WHY_STRANGE;
}

/* ---- again ---- */

/* From half to all of it: proxies must not come back all at once. */
static uint64_t
pause_us(const struct redis_link *l)
{
	unsigned doubled = l->vain < 6 ? l->vain : 6;
	uint64_t most = MIN(AGAIN_LEAST_US << doubled, AGAIN_MOST_US);

	return most / 2 + random_below((uint32_t)(most / 2));
}

static void
fail(struct redis_link *l, enum store_why why)
{
	if (l->phase == PHASE_REST)
		return;
	if (l->phase != PHASE_UP && l->phase != PHASE_FIND)
		redis_find_other(&l->find); /* that one was wrong */
	l->phase = PHASE_REST;
	redis_find_end(&l->find);
	redis_dial_drop(&l->dial);
	alarm_set(l->clock, pause_us(l));
	l->vain++;
	l->dial.turn++;
	l->env.down(why, l->env.arg);
}

/* ---- the greeting ---- */

static void
be_up(struct redis_link *l)
{
	l->phase = PHASE_UP;
	alarm_set(l->clock, PROVED_US);
	l->env.up(l->env.arg);
}

/* ROLE's answer; sentinels may lag behind. */
static bool
is_master(const redisReply *r)
{
	return r->type == REDIS_REPLY_ARRAY && r->elements > 0 &&
	    r->element[0]->type == REDIS_REPLY_STRING &&
	    strcmp(r->element[0]->str, "master") == 0;
}

static void
on_greeted(redisAsyncContext *ac, void *reply, void *arg UNUSED)
{
	struct redis_dial *d = ac->data;
	struct redis_link *l;
	enum store_why why;

	if (d == NULL || reply == NULL)
		return; /* it was given up, or is about to be told so */
	l = CONTAINER_OF(d, struct redis_link, dial);
	why = redis_why(reply);
	if (why != STORE_WHY_NOTHING)
		fail(l, why);
	else if (--l->greetings > 0)
		return;
	else if (l->cfg->n_sentinels > 0 && !is_master(reply))
		fail(l, STORE_WHY_READ_ONLY);
	else
		be_up(l);
}

static void
greet_with(struct redis_link *l, const char *const *words, int n)
{
	l->greetings++;
	(void)redisAsyncCommandArgv(l->dial.ac, on_greeted, NULL, n,
	    (const char **)(uintptr_t)words, NULL);
}

static void
on_connected(struct redis_dial *d)
{
	struct redis_link *l = CONTAINER_OF(d, struct redis_link, dial);
	const char *user = l->cfg->user, *password = l->password;
	char database[16];

	l->phase = PHASE_GREET;
	l->greetings = 0;
	alarm_set(l->clock, READY_US);
	if (password != NULL && user != NULL)
		greet_with(l, (const char *[]){ "AUTH", user, password }, 3);
	else if (password != NULL)
		greet_with(l, (const char *[]){ "AUTH", password }, 2);
	(void)snprintf(database, sizeof(database), "%u", l->cfg->database);
	if (l->cfg->database != 0)
		greet_with(l, (const char *[]){ "SELECT", database }, 2);
	if (l->cfg->n_sentinels > 0)
		greet_with(l, (const char *[]){ "ROLE" }, 1);
	else
		greet_with(l, (const char *[]){ "PING" }, 1);
}

/* ---- finding and connecting ---- */

static void
on_gone(struct redis_dial *d, enum store_why why)
{
	fail(CONTAINER_OF(d, struct redis_link, dial), why);
}

static void
connect_to(struct redis_link *l, const struct cfg_addr *a)
{
	l->phase = PHASE_CONNECT;
	alarm_set(l->clock, READY_US);
	redis_dial_begin(&l->dial, a);
}

static void
on_found(struct redis_find *f, const struct cfg_addr *master)
{
	struct redis_link *l = CONTAINER_OF(f, struct redis_link, find);

	if (master == NULL)
		fail(l,
		    f->answered ? STORE_WHY_NO_MASTER : STORE_WHY_NO_SENTINEL);
	else
		connect_to(l, master);
}

static void
begin(struct redis_link *l)
{
	if (l->cfg->n_sentinels == 0) {
		connect_to(l, &l->cfg->address);
		return;
	}
	l->phase = PHASE_FIND; /* which has clocks of its own */
	redis_find_begin(&l->find);
}

static void
on_clock(void *arg)
{
	struct redis_link *l = arg;

	if (l->phase == PHASE_REST)
		begin(l);
	else if (l->phase == PHASE_UP)
		l->vain = 0; /* it has proved itself */
	else
		fail(l,
		    l->phase != PHASE_CONNECT ? STORE_WHY_NO_ANSWER
		        : l->dial.ac == NULL  ? STORE_WHY_NO_NAME
		                              : STORE_WHY_UNREACHABLE);
}

/* ---- outside ---- */

int
redis_link_new(const struct redis_link_env *env, struct redis_link **out)
{
	struct loop *loop = env->store->loop;
	struct redis_link *l = calloc(1, sizeof(*l));

	*out = l;
	if (l == NULL)
		return E_NOMEM;
	l->env = *env;
	l->cfg = env->store->cfg;
	l->password = env->store->password;
	l->find.dial.loop = l->dial.loop = loop;
	l->find.cfg = l->cfg;
	l->find.found = on_found;
	l->dial.connected = on_connected;
	l->dial.gone = on_gone;
	l->clock = alarm_new(loop, on_clock, l);
	if (l->clock == NULL || redis_find_init(&l->find) != E_OK) {
		redis_link_free(out);
		return E_NOMEM;
	}
	alarm_set(l->clock, 0);
	return E_OK;
}

void
redis_link_free(struct redis_link **lp)
{
	struct redis_link *l = *lp;

	if (l == NULL)
		return;
	l->phase = PHASE_REST;
	redis_find_free(&l->find);
	redis_dial_free(&l->dial);
	alarm_free(&l->clock);
	free(l);
	*lp = NULL;
}

struct redisAsyncContext *
redis_link_context(const struct redis_link *l)
{
	return l->phase == PHASE_UP ? l->dial.ac : NULL;
}

void
redis_link_drop(struct redis_link *l, enum store_why why)
{
	fail(l, why);
}
