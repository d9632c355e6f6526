#include "rollout/running.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "rollout/steps.h"

/* A run that was asked for; the last one of its service. */
struct seat {
	LIST_ENTRY(seat) link;
	struct run_key key;
	struct run_news news; /* .key.rollout 0: none yet */
	uint64_t asked_us;    /* monotonic */
};

struct running {
	running_tell_fn *tell;
	void *arg;
	LIST_HEAD(, seat) seats; /* owned */
};

struct running *
running_new(running_tell_fn *tell, void *arg)
{
	struct running *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->tell = tell;
	r->arg = arg;
	LIST_INIT(&r->seats);
	return r;
}

static void
drop(struct seat *s)
{
	LIST_REMOVE(s, link);
	free(s);
}

void
running_free(struct running **rp)
{
	struct running *r = *rp;
	struct seat *s, *next;

	if (r == NULL)
		return;
	for (s = LIST_FIRST(&r->seats); s != NULL; s = next) {
		next = LIST_NEXT(s, link);
		free(s);
	}
	free(r);
	*rp = NULL;
}

/* ---- what is wanted ---- */

static struct run_key
key_of(const struct ro_service *svc)
{
	struct run_key k = { .rollout = svc->rollout.id,
		.run = svc->rollout.runs };

	str_copy(str_of(svc->name), k.service, sizeof(k.service));
	return k;
}

static struct seat *
seat_of(const struct running *r, const char *service)
{
	struct seat *s;

	LIST_FOREACH (s, &r->seats, link)
		if (strcmp(s->key.service, service) == 0)
			return s;
	return NULL;
}

/* The pool that most sessions were on when it began, but not the new one. */
static const char *
from_of(const struct ro_rollout *r)
{
	const char *from = "";
	uint32_t most = 0;

	for (size_t i = 0; i < r->n_before; i++) {
		if (r->before[i].share_bp <= most ||
		    strcmp(r->before[i].pool, r->to) == 0)
			continue;
		most = r->before[i].share_bp;
		from = r->before[i].pool;
	}
	return from;
}

/* ---- to the master ---- */

static void
say(struct running *r, enum run_word word, struct buf *text)
{
	if (r->tell != NULL && !text->failed)
		r->tell(word, text->p, r->arg);
	buf_free(text); /* lost: it is asked for again */
}

static void
ask(struct running *r, struct seat *s, const struct ro_service *svc)
{
	const struct ro_rollout *ro = &svc->rollout;
	const struct ro_step *step = &ro->steps[ro->at];
	struct run_ask a = { .key = s->key, .rehearsal = ro->rehearsal };
	struct buf text = BUF_INIT;

	str_copy(str_of(step->job), a.job, sizeof(a.job));
	str_copy(str_of(from_of(ro)), a.from, sizeof(a.from));
	str_copy(str_of(ro->to), a.to, sizeof(a.to));
	str_copy(str_of(ro->version), a.version, sizeof(a.version));
	str_copy(str_of(step->name), a.step, sizeof(a.step));
	if (step->kind == CFG_STEP_ROLL)
		str_copy(str_of(ro->roll.now), a.instance, sizeof(a.instance));
	run_ask_write(&a, &text);
	say(r, RUN_ASK, &text);
}

/* Nobody wants it any more. */
static void
call_off(struct running *r, struct seat *s)
{
	struct buf text = BUF_INIT;

	if (s->news.ended)
		return;
	run_key_write(&s->key, &text);
	say(r, RUN_STOP, &text);
}

/* One that has ended stays, so that it can be looked at. */
static void
drop_unwanted(struct running *r, const struct ro_state *state)
{
	struct seat *s, *next;

	for (s = LIST_FIRST(&r->seats); s != NULL; s = next) {
		const struct ro_service *svc = NULL;
		struct run_key k;

		next = LIST_NEXT(s, link);
		for (size_t i = 0; i < state->n_services; i++)
			if (strcmp(state->services[i].name, s->key.service) ==
			    0)
				svc = &state->services[i];
		k = svc == NULL ? (struct run_key){ .rollout = 0 }
		                : key_of(svc);
		if (svc != NULL && run_key_is(&k, &s->key) &&
		    (s->news.ended || machine_wants_run(svc)))
			continue;
		call_off(r, s);
		drop(s);
	}
}

static struct seat *
take_seat(struct running *r, const struct ro_service *svc)
{
	struct seat *s = seat_of(r, svc->name);

	if (s != NULL)
		return s;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->key = key_of(svc);
	LIST_INSERT_HEAD(&r->seats, s, link);
	return s;
}

uint64_t
running_look(struct running *r, const struct ro_state *state, uint64_t now_us)
{
	uint64_t due = 0;

	drop_unwanted(r, state);
	for (size_t i = 0; i < state->n_services; i++) {
		const struct ro_service *svc = &state->services[i];
		struct seat *s;

		if (!machine_wants_run(svc))
			continue;
		s = take_seat(r, svc);
		if (s != NULL && s->news.ended)
			continue;
		due = now_us + RUNNING_ASK_US;
		if (s == NULL ||
		    (s->asked_us != 0 && now_us - s->asked_us < RUNNING_ASK_US))
			continue;
		s->asked_us = now_us;
		ask(r, s, svc);
	}
	return due;
}

/* ---- from the master ---- */

bool
running_hear(struct running *r, const char *text)
{
	struct run_news *n = calloc(1, sizeof(*n));
	struct seat *s;
	bool ours = false;

	if (n != NULL && run_news_read(text, n)) {
		s = seat_of(r, n->key.service);
		ours = s != NULL && run_key_is(&s->key, &n->key);
		if (ours && !s->news.ended)
			s->news = *n;
	}
	free(n);
	return ours;
}

const struct run_news *
running_news(const struct running *r, const struct ro_service *svc)
{
	const struct seat *s = seat_of(r, svc->name);
	struct run_key k = key_of(svc);

	return s != NULL && s->news.key.rollout != 0 && run_key_is(&s->key, &k)
	    ? &s->news
	    : NULL;
}

void
running_facts(const struct running *r, const struct ro_state *state,
    struct ro_facts_run *rows)
{
	for (size_t i = 0; i < state->n_services; i++) {
		const struct run_news *n = running_news(r, &state->services[i]);

		rows[i] = (struct ro_facts_run){ .rollout = 0 };
		if (n == NULL)
			continue;
		rows[i] = (struct ro_facts_run){ .rollout = n->key.rollout,
			.run = n->key.run,
			.ended = n->ended,
			.verdict = n->verdict,
			.exit = n->exit,
			.took_us = n->took_us };
		run_last_line(n->why, rows[i].why, sizeof(rows[i].why));
		run_last_line(n->tail, rows[i].said, sizeof(rows[i].said));
	}
}
