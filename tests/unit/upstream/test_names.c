/* Instances whose addresses are names, while the answers change. */
#include "upstream/names.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "../net/rig.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/thread.h"
#include "house.h"
#include "net/loop.h"
#include "upstream/board.h"

/* ---- a resolver that a test tells what to say ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *zone; /* "127.0.0.1 127.0.0.2", "": none, NULL: fails */
static unsigned lookups;

static void
now_resolves_to(const char *text)
{
	pthread_mutex_lock(&lock);
	zone = text;
	pthread_mutex_unlock(&lock);
}

static int
look(const struct cfg_addr *a UNUSED, struct addr_list *out)
{
	struct str rest;
	int rc;

	memset(out, 0, sizeof(*out));
	out->list = calloc(8, sizeof(*out->list));
	pthread_mutex_lock(&lock);
	lookups++;
	rest = str_of(zone == NULL ? "" : zone);
	while (rest.len > 0) {
		struct str one = str_split(&rest, ' ');
		char text[64];

		(void)snprintf(text, sizeof(text), STR_FMT ":1", STR_ARG(one));
		out->list[out->n++] = rig_addr(text);
	}
	pthread_mutex_unlock(&lock);
	rc = out->n > 0 ? E_OK : E_NOENT;
	if (rc != E_OK)
		addr_list_free(out);
	return rc;
}

/* ---- the stage ---- */

struct stage {
	struct loop *loop;
	struct names *names;
	struct registry *registry;
	struct board *board;
	struct cfg *cfg;
	unsigned answers, wanted;
};

#define NAMED                                                                  \
	"listeners: \":1\"\nservices:\n- name: s\n  pools:\n"                  \
	"  - { name: v1, instances: [ { name: i, address: \"a.test:1\" } ] "   \
	"}\n"

static void
on_names(void *arg)
{
	((struct stage *)arg)->answers++;
}

static void
begin(struct stage *s, struct board *board, bool again)
{
	thread_become(ROLE_ANY, "test");
	log_set_level(LOG_ERROR);
	*s = (struct stage){ .loop = rig_loop(), .board = board };
	s->cfg = house_cfg("%s", NAMED);
	s->registry = registry_new(1);
	cr_assert_eq(names_new(s->loop, look, on_names, s, &s->names), E_OK);
	registry_use(s->registry, s->names, board, again);
}

static void
end(struct stage *s)
{
	registry_forget_names(s->registry);
	names_free(&s->names);
	registry_free(&s->registry);
	cfg_unref(&s->cfg);
	loop_free(&s->loop);
}

static bool
answered(void *arg)
{
	struct stage *s = arg;

	return s->answers >= s->wanted;
}

/* The next answer, and what it leads to. */
static bool
ask(struct stage *s, uint64_t hold_us)
{
	s->wanted = s->answers + 1;
	names_tick(s->names, 1);
	rig_run_until(s->loop, answered, s);
	return registry_follow(s->registry, hold_us);
}

static struct instance *
present(struct stage *s)
{
	struct instance *i = registry_instance(s->registry, "s", "v1", "i");

	cr_assert_not_null(i);
	cr_expect_null(registry_instance_at(s->registry, i->pool, 1),
	    "one instance, whatever happens");
	return i;
}

static struct instance *
candidate(struct stage *s)
{
	struct pool *p = registry_pool(s->registry, "s", "v1");
	struct instance *i = NULL;

	while ((i = registry_probed_next(s->registry, p, i)) != NULL)
		if (registry_is_candidate(i))
			return i;
	return NULL;
}

#define HOUR (3600 * US_PER_S)

Test(names, an_address_among_the_answers_stays, .timeout = 10)
{
	struct stage s;
	struct instance *i;

	now_resolves_to("127.0.0.1 127.0.0.2");
	begin(&s, NULL, false);
	house_apply(s.registry, s.cfg);
	i = present(&s);
	cr_expect_str_eq(i->addr_text, "127.0.0.1:1", "the first");
	now_resolves_to("127.0.0.3 127.0.0.2 127.0.0.1");
	cr_expect_not(ask(&s, 0), "others before it are no change");
	cr_expect_null(candidate(&s));
	house_apply(s.registry, s.cfg);
	cr_expect_eq(present(&s), i, "nor is a reload");
	cr_expect_eq(registry_stays(s.registry, "s", "v1",
	                 &s.cfg->services[0].pools[0].instances[0]),
	    i);
	end(&s);
}

/* clang-format off */
static const struct { const char *why, *zone; } nothing[] = {
	{ "an empty answer", "" },
	{ "a failed one", NULL },
};
/* clang-format on */

Test(names, what_does_not_resolve_changes_nothing, .timeout = 10)
{
	struct stage s;
	struct instance *i;

	now_resolves_to("127.0.0.1");
	begin(&s, NULL, false);
	house_apply(s.registry, s.cfg);
	i = present(&s);
	i->health = HEALTH_UP;
	for (size_t n = 0; n < ARRAY_LEN(nothing); n++) {
		now_resolves_to(nothing[n].zone);
		cr_expect_not(ask(&s, 0), "%s", nothing[n].why);
		cr_expect_eq(present(&s), i, "%s", nothing[n].why);
		cr_expect_eq((enum health)i->health, HEALTH_UP);
		cr_expect_eq(registry_name(i)->failed, n + 1);
		house_apply(s.registry, s.cfg);
		cr_expect_eq(present(&s), i, "%s: a reload", nothing[n].why);
	}
	cr_expect(registry_name(i)->failing);
	now_resolves_to("127.0.0.1");
	cr_expect_not(ask(&s, 0));
	cr_expect_not(registry_name(i)->failing);
	end(&s);
}

Test(names, a_new_address_proves_itself_before_the_old_one_leaves,
    .timeout = 10)
{
	struct board *board = board_new();
	struct stage s;
	struct instance *old, *c;
	struct addr noted;

	now_resolves_to("127.0.0.1");
	begin(&s, board, false);
	house_apply(s.registry, s.cfg);
	old = present(&s);
	old->health = HEALTH_UP;
	now_resolves_to("127.0.0.2");
	cr_expect_not(ask(&s, HOUR), "not seen for the hold time");
	cr_expect_null(candidate(&s));
	cr_expect(ask(&s, 0));
	c = candidate(&s);
	cr_assert_not_null(c);
	cr_expect_str_eq(c->addr_text, "127.0.0.2:1");
	cr_expect_eq(present(&s), old);
	cr_expect_not(ask(&s, 0), "there is one already");
	registry_collect(s.registry, true);
	cr_expect_eq(candidate(&s), c, "it is not collected");
	house_apply(s.registry, s.cfg);
	cr_expect_eq(candidate(&s), c, "a reload keeps it");

	c->health = HEALTH_UP;
	old->admin = INST_DRAIN;
	registry_promote(s.registry, c);
	cr_expect_eq(present(&s), c);
	cr_expect(old->gone);
	cr_expect_eq(c->admin, INST_DRAIN, "what operators said stays");
	cr_expect_null(candidate(&s));
	cr_expect(board_look_address(board, c->pool, "i", "a.test:1", &noted));
	cr_expect(addr_eq(&noted, &c->addr));
	registry_collect(s.registry, true);
	cr_expect_eq(present(&s), c);
	end(&s);
	board_free(&board);
}

Test(names, who_is_down_is_not_waited_for, .timeout = 10)
{
	struct stage s;

	now_resolves_to("127.0.0.1");
	begin(&s, NULL, false);
	house_apply(s.registry, s.cfg);
	present(&s)->health = HEALTH_DOWN;
	now_resolves_to("127.0.0.2");
	cr_expect(ask(&s, HOUR));
	cr_expect_not_null(candidate(&s));
	end(&s);
}

Test(names, a_candidate_goes_when_its_reason_does, .timeout = 10)
{
	struct stage s;
	struct instance *old;

	now_resolves_to("127.0.0.1");
	begin(&s, NULL, false);
	house_apply(s.registry, s.cfg);
	old = present(&s);
	old->health = HEALTH_UP;
	now_resolves_to("127.0.0.2");
	cr_expect(ask(&s, 0));
	now_resolves_to("127.0.0.3");
	cr_expect(ask(&s, 0), "another comes instead");
	cr_expect_str_eq(candidate(&s)->addr_text, "127.0.0.3:1");
	now_resolves_to("127.0.0.1");
	cr_expect_not(ask(&s, 0));
	cr_expect_null(candidate(&s), "the old address is back");
	now_resolves_to("127.0.0.2");
	cr_expect(ask(&s, 0));
	cfg_unref(&s.cfg);
	s.cfg = house_cfg("listeners: \":1\"\nservices:\n- name: s\n  pools:\n"
	                  "  - { name: v1, instances: [ { name: i, address: "
	                  "\"127.0.0.1:1\" } ] }\n");
	house_apply(s.registry, s.cfg);
	cr_expect_eq(present(&s), old, "the address itself: no other instance");
	cr_expect_null(registry_name(old));
	cr_expect_null(candidate(&s), "its name is gone");
	registry_collect(s.registry, true);
	end(&s);
}

/* ---- starts ---- */

Test(names, a_first_start_wants_an_answer, .timeout = 10)
{
	struct stage s;
	char why[160] = "";

	now_resolves_to(NULL);
	begin(&s, NULL, false);
	cr_expect_eq(registry_apply(s.registry, s.cfg, NULL, 0, why,
	                 sizeof(why)),
	    E_NOENT);
	cr_expect_str_eq(why, "i: a.test:1: this name does not resolve");
	end(&s);
}

Test(names, after_a_crash_an_instance_is_where_it_was, .timeout = 10)
{
	struct board *board = board_new();
	struct stage s;

	now_resolves_to("127.0.0.7");
	begin(&s, board, false);
	house_apply(s.registry, s.cfg);
	end(&s);
	now_resolves_to(NULL);
	lookups = 0;
	begin(&s, board, true);
	house_apply(s.registry, s.cfg);
	cr_expect_str_eq(present(&s)->addr_text, "127.0.0.7:1");
	cr_expect_eq((enum health)present(&s)->health, HEALTH_UNKNOWN);
	cr_expect_eq(lookups, 0u, "nobody was asked");
	cr_expect_not(ask(&s, 0));
	cr_expect_str_eq(present(&s)->addr_text, "127.0.0.7:1");
	end(&s);
	board_free(&board);
}

Test(names, without_an_address_it_is_down_until_there_is_one, .timeout = 10)
{
	struct board *board = board_new();
	struct stage s;
	struct instance *i;

	now_resolves_to(NULL);
	begin(&s, board, true);
	house_apply(s.registry, s.cfg);
	i = present(&s);
	cr_expect_eq((enum health)i->health, HEALTH_DOWN);
	cr_expect_eq(i->reason, HEALTH_WHY_NAME);
	cr_expect_not(inst_has_address(i));
	cr_expect_str_eq(i->addr_text, "a.test:1");
	now_resolves_to("127.0.0.5");
	cr_expect(ask(&s, HOUR), "at once: there is nothing to lose");
	cr_expect_neq(present(&s), i);
	cr_expect_str_eq(present(&s)->addr_text, "127.0.0.5:1");
	cr_expect_eq((enum health)present(&s)->health, HEALTH_UNKNOWN);
	end(&s);
	board_free(&board);
}

/* The rest of a configuration may still be refused. */
Test(names, another_that_does_not_resolve_leaves_all_as_it_was, .timeout = 10)
{
	struct stage s;
	struct instance *i;
	struct cfg *more;
	char why[160] = "";

	now_resolves_to("127.0.0.1");
	begin(&s, NULL, false);
	house_apply(s.registry, s.cfg);
	i = present(&s);
	now_resolves_to("");
	more = house_cfg(NAMED "  - { name: v2, instances: b.test:1 }\n");
	cr_expect_eq(registry_check_names(s.registry, more, why, sizeof(why)),
	    E_NOENT);
	cr_expect_not_null(strstr(why, "b.test:1: "), "%s", why);
	cr_expect_eq(registry_apply(s.registry, more, NULL, 0, why,
	                 sizeof(why)),
	    E_NOENT);
	cfg_unref(&more);
	cr_expect_eq(present(&s), i);
	cr_expect_not_null(registry_name(i));
	end(&s);
}
