#include "upstream/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/thread.h"

/* What is wanted sooner is asked this often at most. */
#define PAUSE_US (US_PER_S)
/* Without an answer for so long, one counts as failed; a later one counts. */
#define LATE_US (10 * US_PER_S)
/* What nobody refers to is kept so long: a change may be on its way. */
#define FORGET_US (60 * US_PER_S)

TAILQ_HEAD(name_list, name);

struct names {
	/* Who waits is not held up by what is asked again in the background. */
	struct resolver *steady, *urgent;
	struct name_list list;
	names_fn *fn;
	void *arg;
};

/* ---- rows ---- */

static void
row_free(struct name *n)
{
	TAILQ_REMOVE(&n->names->list, n, link);
	addr_list_free(&n->answer);
	cfg_addr_free(&n->addr);
	free(n);
}

static struct name *
row_new(struct names *ns, const struct cfg_addr *a)
{
	struct name *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->names = ns;
	n->addr.port = a->port;
	n->addr.text = strdup(a->text);
	n->addr.host = strdup(a->host);
	TAILQ_INSERT_TAIL(&ns->list, n, link);
	if (n->addr.text == NULL || n->addr.host == NULL) {
		row_free(n);
		return NULL;
	}
	return n;
}

struct name *
names_take(struct names *ns, const struct cfg_addr *a)
{
	struct name *n;

	ON_CONTROL_THREAD();
	TAILQ_FOREACH (n, &ns->list, link)
		if (strcmp(n->addr.text, a->text) == 0)
			return name_ref(n);
	n = row_new(ns, a);
	return n == NULL ? NULL : name_ref(n);
}

struct name *
name_ref(struct name *n)
{
	n->refs++;
	return n;
}

/* It stays until the next tick: a reload may come back to it. */
void
name_unref(struct name **np)
{
	if (*np != NULL)
		(*np)->refs--;
	*np = NULL;
}

/* ---- answers ---- */

static void
note_failed(struct name *n, int code)
{
	n->failed++;
	if (!n->failing)
		log_warn("name=%s event=name_not_resolved why=\"%s\"",
		    n->addr.text,
		    code == E_NOENT ? "this name does not resolve"
		                    : err_text(code));
	n->failing = true;
}

static void
note_answer(struct name *n, int code, struct addr_list *answer)
{
	if (code != E_OK) {
		note_failed(n, code);
		return;
	}
	if (n->failing)
		log_info("name=%s event=name_resolved", n->addr.text);
	n->failing = false;
	addr_list_free(&n->answer);
	n->answer = *answer;
	memset(answer, 0, sizeof(*answer));
	n->answered_us = clock_mono_us();
}

static void
on_answer(int code, struct addr_list *answer, void *arg)
{
	struct name *n = arg;

	n->asked = false;
	/* A late one that is none was counted already. */
	if (code == E_OK || !n->late)
		note_answer(n, code, answer);
	n->late = false;
	n->names->fn(n->names->arg);
}

int
name_await(struct name *n, uint64_t by_us)
{
	uint64_t now = clock_mono_us();
	struct addr_list answer;
	int rc;

	if (n->answered_us != 0)
		return E_OK;
	if (now >= by_us)
		return E_TIMEOUT;
	rc = resolver_wait(n->names->urgent, &n->addr, by_us - now, &answer);
	n->asked_us = now;
	note_answer(n, rc, &answer);
	return rc;
}

/* ---- when ---- */

void
name_ask_by(struct name *n, uint64_t due_us)
{
	if (n->due_us == 0 || due_us < n->due_us)
		n->due_us = due_us;
}

void
names_ask_all(struct names *ns)
{
	struct name *n;

	TAILQ_FOREACH (n, &ns->list, link)
		name_ask_by(n, 1);
}

static bool
is_due(const struct name *n, uint64_t interval_us, uint64_t now)
{
	if (n->due_us != 0 && now >= n->due_us && now - n->asked_us >= PAUSE_US)
		return true;
	return interval_us != 0 && now - n->asked_us >= interval_us;
}

static void
ask(struct name *n, uint64_t now)
{
	int rc = resolver_ask(n->names->steady, &n->addr, on_answer, n);

	n->asked_us = now;
	n->due_us = 0;
	n->asked = rc == E_OK;
	if (rc != E_OK)
		note_failed(n, rc);
}

static void
look_at(struct name *n, uint64_t interval_us, uint64_t now)
{
	if (n->asked) {
		if (!n->late && now - n->asked_us >= LATE_US) {
			n->late = true;
			note_failed(n, E_TIMEOUT);
		}
		return;
	}
	if (n->refs == 0 && now - n->asked_us >= FORGET_US)
		row_free(n);
	else if (n->refs > 0 && is_due(n, interval_us, now))
		ask(n, now);
}

void
names_tick(struct names *ns, uint64_t interval_us)
{
	uint64_t now = clock_mono_us();
	struct name *n, *next;

	for (n = TAILQ_FIRST(&ns->list); n != NULL; n = next) {
		next = TAILQ_NEXT(n, link);
		look_at(n, interval_us, now);
	}
}

/* ---- life ---- */

int
names_new(struct loop *l, resolver_look_fn *look, names_fn *fn, void *arg,
    struct names **out)
{
	struct names *ns = calloc(1, sizeof(*ns));
	int rc;

	*out = NULL;
	if (ns == NULL)
		return E_NOMEM;
	TAILQ_INIT(&ns->list);
	ns->fn = fn;
	ns->arg = arg;
	rc = resolver_new(l, look, &ns->steady);
	if (rc == E_OK)
		rc = resolver_new(l, look, &ns->urgent);
	if (rc != E_OK) {
		names_free(&ns);
		return rc;
	}
	*out = ns;
	return E_OK;
}

void
names_free(struct names **nsp)
{
	struct names *ns = *nsp;
	struct name *n, *next;

	if (ns == NULL)
		return;
	resolver_free(&ns->steady);
	resolver_free(&ns->urgent);
	for (n = TAILQ_FIRST(&ns->list); n != NULL; n = next) {
		next = TAILQ_NEXT(n, link);
		row_free(n);
	}
	free(ns);
	*nsp = NULL;
}
