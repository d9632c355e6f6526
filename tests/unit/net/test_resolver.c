/* Questions to the system's resolver, and one that hangs. */
#include "net/resolver.h"

#include <criterion/criterion.h>
#include <semaphore.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "config/config.h"
#include "net/loop.h"
#include "rig.h"

static sem_t go_on; /* what "hangs" waits for */

/* "n.N": N addresses; "hangs": one, some time; others: none. */
static int
look(const struct cfg_addr *a, struct addr_list *out)
{
	memset(out, 0, sizeof(*out));
	if (strcmp(a->host, "hangs") == 0)
		sem_wait(&go_on);
	else if (a->host[0] != 'n')
		return E_NOENT;
	out->n = a->host[0] == 'n' ? (size_t)(a->host[2] - '0') : 1;
	out->list = calloc(out->n, sizeof(*out->list));
	for (size_t i = 0; i < out->n; i++)
		out->list[i] = rig_addr(i == 0 ? "127.0.0.1:1" : "127.0.0.2:1");
	return E_OK;
}

struct asked {
	unsigned came;
	int code;
	struct addr_list answer;
};

static void
on_answer(int code, struct addr_list *answer, void *arg)
{
	struct asked *a = arg;

	a->came++;
	a->code = code;
	a->answer = *answer;
	memset(answer, 0, sizeof(*answer));
}

static bool
has_come(void *arg)
{
	return ((struct asked *)arg)->came > 0;
}

static struct cfg_addr
name_of(const char *text)
{
	struct cfg_addr a;

	cr_assert_eq(cfg_addr_parse(str_of(text), &a), E_OK);
	return a;
}

static void
expect(struct resolver *r, struct loop *l, const char *text, int code, size_t n)
{
	struct cfg_addr name = name_of(text);
	struct asked a = { 0 };

	cr_assert_eq(resolver_ask(r, &name, on_answer, &a), E_OK);
	cfg_addr_free(&name); /* a copy was taken */
	rig_run_until(l, has_come, &a);
	cr_expect_eq(a.code, code, "%s", text);
	cr_expect_eq(a.answer.n, n, "%s: %zu", text, a.answer.n);
	addr_list_free(&a.answer);
}

Test(resolver, answers_come_to_the_loop, .timeout = 10)
{
	struct loop *l = rig_loop();
	struct resolver *r;

	cr_assert_eq(resolver_new(l, look, &r), E_OK);
	expect(r, l, "n.1:1", E_OK, 1);
	expect(r, l, "n.2:1", E_OK, 2);
	expect(r, l, "other:1", E_NOENT, 0);
	resolver_free(&r);
	cr_expect_null(r);
	resolver_free(&r);
	loop_free(&l);
}

Test(resolver, the_system_knows_this_machine, .timeout = 10)
{
	struct loop *l = rig_loop();
	struct resolver *r;
	struct cfg_addr name = name_of("localhost:80");
	struct addr_list all;
	struct addr v4 = rig_addr("127.0.0.1:80"), v6 = rig_addr("[::1]:80");

	cr_assert_eq(resolver_new(l, addr_look_up, &r), E_OK);
	cr_assert_eq(resolver_wait(r, &name, 5 * US_PER_S, &all), E_OK);
	cr_expect(addr_list_has(&all, &v4) || addr_list_has(&all, &v6));
	addr_list_free(&all);
	cfg_addr_free(&name);
	resolver_free(&r);
	loop_free(&l);
}

/* Whoever waits goes on; who asked before and after gets nothing twice. */
Test(resolver, a_question_that_hangs_holds_up_nobody_who_waits, .timeout = 10)
{
	struct loop *l = rig_loop();
	struct resolver *r;
	struct cfg_addr hangs = name_of("hangs:1"), good = name_of("n.1:1");
	struct addr_list all;
	struct asked a = { 0 };

	sem_init(&go_on, 0, 0);
	cr_assert_eq(resolver_new(l, look, &r), E_OK);
	cr_expect_eq(resolver_wait(r, &hangs, 20 * US_PER_MS, &all), E_TIMEOUT);
	cr_expect_eq(all.n, 0u);
	cr_assert_eq(resolver_ask(r, &good, on_answer, &a), E_OK);
	cr_expect_eq(resolver_wait(r, &good, 20 * US_PER_MS, &all), E_TIMEOUT,
	    "it stands behind");
	sem_post(&go_on);
	rig_run_until(l, has_come, &a);
	cr_expect_eq(a.came, 1u);
	cr_expect_eq(a.code, E_OK);
	addr_list_free(&a.answer);
	cr_expect_eq(resolver_wait(r, &good, 5 * US_PER_S, &all), E_OK);
	addr_list_free(&all);
	resolver_free(&r);
	cfg_addr_free(&hangs);
	cfg_addr_free(&good);
	loop_free(&l);
}

Test(resolver, freeing_waits_for_no_answer, .timeout = 10)
{
	struct loop *l = rig_loop();
	struct resolver *r;
	struct cfg_addr hangs = name_of("hangs:1");
	struct asked a = { 0 };

	sem_init(&go_on, 0, 0);
	cr_assert_eq(resolver_new(l, look, &r), E_OK);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(resolver_ask(r, &hangs, on_answer, &a), E_OK);
	resolver_free(&r);
	sem_post(&go_on);
	cfg_addr_free(&hangs);
	loop_free(&l);
	cr_expect_eq(a.came, 0u);
}
