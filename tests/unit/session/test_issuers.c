/* Who has issued a code or token, as all proxies know it. */
#include "session/issuers.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/attr.h"
#include "base/clock.h"
#include "config/config.h"
#include "session/pin.h"
#include "store/store.h"
#include "tests/unit/store/fake.h"
#include "tests/unit/store/site.h"

#define A                                                                      \
	{                                                                      \
		1, 2                                                           \
	}
#define B                                                                      \
	{                                                                      \
		1, 3                                                           \
	}
#define C                                                                      \
	{                                                                      \
		4, 2                                                           \
	}
#define D                                                                      \
	{                                                                      \
		UINT64_MAX, 0                                                  \
	}

static struct site site;
static struct issuers *issuers;

static void
begin(enum cfg_store_type type)
{
	site_begin(&site, type, NULL);
	site_open(&site);
	issuers = issuers_new(site.store);
	cr_assert_not_null(issuers);
}

static void
end(void)
{
	issuers_free(&issuers);
	cr_expect_null(issuers);
	site_end(&site);
}

struct heard {
	unsigned came;
	uint64_t pool;
};

static void
on_heard(uint64_t pool, void *arg)
{
	struct heard *h = arg;

	h->came++;
	h->pool = pool;
}

static void
tell(const char *service, uint64_t high, uint64_t low, const char *pool,
    uint64_t ttl_s)
{
	const uint64_t hash[2] = { high, low };

	issuers_tell(issuers, str_of(service), hash, str_of(pool), ttl_s);
}

/* As a store that answers at once has it. */
static uint64_t
ask(const char *service, const uint64_t (*hashes)[2], size_t n)
{
	struct heard h = { 0, 1 };

	cr_expect_null(issuers_ask(issuers, str_of(service), hashes, n,
	    on_heard, &h));
	cr_expect_eq(h.came, 1u);
	return h.pool;
}

static void
expect(const char *why, const char *service, uint64_t high, uint64_t low,
    const char *pool)
{
	const uint64_t hash[1][2] = { { high, low } };

	cr_expect_eq(ask(service, hash, 1),
	    pool == NULL ? 0 : pin_name_hash(str_of(pool)), "%s", why);
}

Test(issuers, who_was_told_knows)
{
	begin(CFG_STORE_MEMORY);
	expect("not told yet", "s", 1, 2, NULL);
	tell("s", 1, 2, "v1", 60);
	expect("told", "s", 1, 2, "v1");
	expect("its second half is another", "s", 1, 3, NULL);
	expect("its first half is another", "s", 4, 2, NULL);
	expect("the other way about", "s", 2, 1, NULL);
	expect("of another service", "t", 1, 2, NULL);
	expect("of a longer one", "s:", 1, 2, NULL);
	tell("s", 1, 2, "v2", 60);
	expect("the first one stays", "s", 1, 2, "v1");
	tell("t", 1, 2, "v2", 60);
	expect("services have their own", "t", 1, 2, "v2");
	expect("services have their own", "s", 1, 2, "v1");
	tell("s", UINT64_MAX, 0, "v3", 60);
	expect("the greatest", "s", UINT64_MAX, 0, "v3");
	issuers_flush(issuers);
	end();
}

static const struct {
	const char *why;
	uint64_t hashes[ISSUERS_ASK_MAX][2];
	size_t n;
	const char *pool;
} firsts[] = {
	{ "one", { A }, 1, "v1" },
	{ "two", { A, B }, 2, "v1" },
	{ "the order is that of who asks", { B, A }, 2, "v2" },
	{ "the second", { C, B }, 2, "v2" },
	{ "the last of as many as there may be", { C, D, C, A }, 4, "v1" },
	{ "what stands behind is not asked for", { C, A }, 1, NULL },
	{ "none", { C, D, C, D }, 4, NULL },
};

Test(issuers, the_first_that_is_known)
{
	begin(CFG_STORE_MEMORY);
	tell("s", 1, 2, "v1", 60);
	tell("s", 1, 3, "v2", 60);
	for (size_t i = 0; i < ARRAY_LEN(firsts); i++)
		cr_expect_eq(ask("s", firsts[i].hashes, firsts[i].n),
		    firsts[i].pool == NULL
		        ? 0
		        : pin_name_hash(str_of(firsts[i].pool)),
		    "%s", firsts[i].why);
	end();
}

Test(issuers, for_so_many_seconds)
{
	begin(CFG_STORE_MEMORY);
	clock_fake(US_PER_S, US_PER_S);
	tell("s", 1, 2, "v1", 2);
	tell("s", 1, 3, "v1", 0);
	expect("no second", "s", 1, 3, NULL);
	clock_fake(US_PER_S + 1999 * US_PER_MS, US_PER_S);
	expect("nearly two", "s", 1, 2, "v1");
	clock_fake(US_PER_S + 2000 * US_PER_MS, US_PER_S);
	expect("two", "s", 1, 2, NULL);
	tell("s", 1, 2, "v2", 2);
	expect("nobody is known any more", "s", 1, 2, "v2");
	end();
}

Test(issuers, the_longest_names)
{
	char service[CFG_NAME_MAX + 1] = "", pool[CFG_NAME_MAX + 1] = "";

	memset(service, 's', CFG_NAME_MAX);
	memset(pool, 'p', CFG_NAME_MAX);
	begin(CFG_STORE_MEMORY);
	tell(service, UINT64_MAX, 1, pool, 60);
	expect("as long", service, UINT64_MAX, 1, pool);
	expect("the hash is not cut", service, UINT64_MAX, 2, NULL);
	end();
}

Test(issuers, without_a_store_nobody_is_known)
{
	struct issuer_ask *none = NULL;

	begin(CFG_STORE_NONE);
	tell("s", 1, 2, "v1", 60);
	issuers_flush(issuers);
	expect("told", "s", 1, 2, NULL);
	issuers_forget(issuers, &none);
	end();
}

/* ---- a store that answers later ---- */

static struct fake *
begin_with_fake(void)
{
	struct fake *f;

	site_begin(&site, CFG_STORE_REDIS, "");
	f = fake_new(site.loop);
	(void)str_copy(str_of(fake_path(f)), site.address,
	    sizeof(site.address));
	site.cfg.timeout_us = 200 * US_PER_MS;
	site_open(&site);
	issuers = issuers_new(site.store);
	cr_assert_not_null(issuers);
	return f;
}

static void
end_with_fake(struct fake **f)
{
	store_close(&site.store);
	fake_free(f);
	end();
}

static struct issuer_ask *
ask_later(struct heard *h)
{
	static const uint64_t hashes[2][2] = { A, D };

	*h = (struct heard){ 0, 1 };
	return issuers_ask(issuers, STR("s"), hashes, 2, on_heard, h);
}

Test(issuers, the_keys, .timeout = 20)
{
	struct fake *f = begin_with_fake();
	struct heard h;

	site_until_up(&site);
	fake_forgets(f);
	tell("s", 1, UINT64_C(0xabcdef0123456789), "v1", 60);
	site_until(&site, &site.stats.put, 1);
	cr_expect_not_null(ask_later(&h));
	site_until_sent(&site);
	cr_expect(str_starts(str_of(fake_log(f)),
	              STR("SET segue:a:s:0000000000000001abcdef0123456789 v1 "
	                  "PX ")),
	    "%s", fake_log(f));
	cr_expect(str_ends(str_of(fake_log(f)),
	              STR(" NX\n"
	                  "GETRANGE segue:a:s:00000000000000010000000000000002 "
	                  "0 4096\n"
	                  "GETRANGE segue:a:s:ffffffffffffffff0000000000000000 "
	                  "0 4096\n")),
	    "%s", fake_log(f));
	end_with_fake(&f);
}

Test(issuers, an_answer_that_comes_later, .timeout = 20)
{
	struct fake *f = begin_with_fake();
	struct issuer_ask *forgotten;
	struct heard away, told, other, late;

	cr_expect_null(ask_later(&away), "there is no connection yet");
	cr_expect_eq(away.came, 1u);
	cr_expect_eq(away.pool, 0u);
	site_until_up(&site);
	fake_says(f, "GETRANGE", "$2\r\nv1\r\n");
	fake_holds(f, true);
	cr_expect_not_null(ask_later(&told));
	forgotten = ask_later(&other);
	cr_expect_not_null(forgotten);
	issuers_forget(issuers, &forgotten);
	cr_expect_null(forgotten);
	issuers_forget(issuers, &forgotten);
	cr_expect_eq(told.came, 0u);
	fake_holds(f, false);
	site_until_sent(&site);
	cr_expect_eq(told.came, 1u);
	/* On a slow machine it may be late. */
	cr_expect_eq(told.pool,
	    stat_get(&site.stats.asked[STORE_LATE]) > 0
	        ? 0
	        : pin_name_hash(STR("v1")));
	cr_expect_eq(other.came, 0u);
	site_until_up(&site);
	fake_holds(f, true);
	cr_expect_not_null(ask_later(&late));
	site_run_ms(&site, 400);
	cr_expect_eq(late.came, 1u);
	cr_expect_eq(late.pool, 0u);
	fake_holds(f, false);
	site_until_sent(&site);
	cr_expect_eq(late.came, 1u);
	end_with_fake(&f);
}
