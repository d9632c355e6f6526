/* The body that speaks to Redis, and servers that do what a real one does not
   do when it is asked to. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "fake.h"
#include "site.h"
#include "store/store.h"
#include "tests/unit/net/rig.h"

#define WINDOW 512
#define WINDOW_SLOW 32
#define ASKED_MAX 1024
#define QUEUE_MAX 65536

static struct site s;
static struct fake *f;

static void
begin(void)
{
	site_begin(&s, CFG_STORE_REDIS, "");
	f = fake_new(s.loop);
	(void)str_copy(str_of(fake_path(f)), s.address, sizeof(s.address));
}

static void
begin_up(void)
{
	begin();
	site_open(&s);
	site_until_up(&s);
	fake_forgets(f);
}

static void
end(void)
{
	store_close(&s.store);
	fake_free(&f);
	site_end(&s);
}

static uint64_t
failed(enum store_why why)
{
	return stat_get(&s.stats.failed[why]);
}

static uint64_t
all_failed(void)
{
	uint64_t n = 0;

	for (int i = 0; i < STORE_WHY_COUNT; i++)
		n += failed((enum store_why)i);
	return n;
}

static uint64_t
asked(enum store_answer a)
{
	return stat_get(&s.stats.asked[a]);
}

static void
put_many(unsigned from, unsigned n)
{
	char key[16];

	for (unsigned i = from; i < from + n; i++) {
		(void)snprintf(key, sizeof(key), "%u", i);
		site_put(&s, key, "v", HOUR_MS, STORE_SET);
	}
}

/* ---- what is sent ---- */

Test(store_redis, the_commands, .timeout = 20)
{
	static char user[] = "u", prefix[] = "p:";

	begin();
	s.cfg.user = user;
	s.cfg.database = 3;
	s.cfg.prefix = prefix;
	s.password = "p w";
	site_open(&s);
	cr_expect_eq(s.stats.state, STORE_DOWN);
	cr_expect_eq(s.stats.why, STORE_WHY_CONNECTING);
	site_until_up(&s);
	site_put(&s, "a", "one", 1000, STORE_SET);
	site_put(&s, "b", "two", HOUR_MS, STORE_KEEP);
	site_drop(&s, "a");
	cr_expect_str_eq(site_answer(&s, "a b"), "none");
	cr_expect(str_starts(str_of(fake_log(f)),
	              STR("AUTH u p w\nSELECT 3\nPING\nSET p:a one PX ")),
	    "%s", fake_log(f));
	cr_expect(str_ends(str_of(fake_log(f)),
	              STR(" NX\nDEL p:a\nGETRANGE p:a 0 4096\n"
	                  "GETRANGE p:b 0 4096\n")),
	    "%s", fake_log(f));
	end();
}

Test(store_redis, the_least_greeting, .timeout = 20)
{
	begin();
	site_open(&s);
	site_until_up(&s);
	cr_expect_str_eq(fake_log(f), "PING\n");
	end();
	begin();
	s.password = "pw";
	site_open(&s);
	site_until_up(&s);
	cr_expect_str_eq(fake_log(f), "AUTH pw\nPING\n");
	end();
}

/* What is left of a ms counts as one. */
Test(store_redis, how_long_a_value_lives, .timeout = 20)
{
	begin_up();
	clock_fake(US_PER_S, US_PER_S);
	site_put(&s, "a", "v", 1, STORE_SET);
	site_put(&s, "b", "v", 600000, STORE_KEEP);
	fake_until(f, "SET", 2);
	cr_expect_str_eq(fake_log(f),
	    "SET segue:a v PX 1\nSET segue:b v PX 600000 NX\n");
	fake_forgets(f);
	fake_holds(f, true);
	site_put(&s, "c", "v", 10, STORE_SET);
	fake_until(f, "SET", 1);
	fake_forgets(f);
	fake_hangs_up(f);
	fake_holds(f, false);
	site_until_state(&s, STORE_DOWN, STORE_WHY_CLOSED);
	clock_fake(US_PER_S + 8001, US_PER_S);
	site_until_sent(&s);
	cr_expect_str_eq(fake_log(f), "PING\nSET segue:c v PX 2\n");
	end();
}

Test(store_redis, who_flushes_need_not_wait_for_a_turn, .timeout = 20)
{
	begin_up();
	site_put(&s, "a", "one", HOUR_MS, STORE_SET);
	cr_expect_not(fake_has_input(f));
	store_flush(s.store);
	cr_expect(fake_has_input(f));
	store_flush(s.store);
	site_until(&s, &s.stats.put, 1);
	cr_expect_eq(fake_count(f, "SET"), 1u);
	store_flush(s.store);
	fake_is_gone(f);
	site_put(&s, "b", "two", HOUR_MS, STORE_SET);
	store_flush(s.store); /* to a connection that is closed */
	site_until_state(&s, STORE_DOWN, STORE_WHY_REFUSED);
	store_flush(s.store);
	cr_expect_eq(stat_get(&s.stats.queued), 1u);
	end();
}

/* ---- the greeting ---- */

/* clang-format off */
static const struct {
	const char *word, *text;
	enum store_why why;
} greetings[] = {
	{ "PING", "-NOAUTH Authentication required.\r\n", STORE_WHY_AUTH },
	{ "AUTH", "-WRONGPASS invalid username-password pair\r\n",
	    STORE_WHY_AUTH },
	{ "AUTH", "-ERR invalid password\r\n", STORE_WHY_AUTH },
	{ "AUTH", "-ERR AUTH <password> called without any password\r\n",
	    STORE_WHY_AUTH },
	{ "AUTH", "-ERR Client sent AUTH, but no password is set\r\n",
	    STORE_WHY_AUTH },
	{ "SELECT", "-ERR DB index is out of range\r\n", STORE_WHY_DATABASE },
	{ "SELECT", "-ERR invalid DB index\r\n", STORE_WHY_DATABASE },
	{ "SELECT", "-NOPERM this user has no permissions\r\n",
	    STORE_WHY_DENIED },
	{ "PING", "-LOADING Redis is loading the dataset\r\n",
	    STORE_WHY_LOADING },
	{ "PING", "-BUSY Redis is busy running a script\r\n",
	    STORE_WHY_LOADING },
	{ "PING", "-MASTERDOWN Link with MASTER is down\r\n",
	    STORE_WHY_LOADING },
	{ "AUTH", "-DENIED Redis is running in protected mode\r\n",
	    STORE_WHY_PROTECTED },
	{ "AUTH", "-ERR max number of clients reached\r\n",
	    STORE_WHY_CLIENTS },
	{ "PING", "-ERR unknown command 'PING'\r\n", STORE_WHY_STRANGE },
	{ "PING", "-\r\n", STORE_WHY_STRANGE },
	{ "PING", "HTTP/1.1 400 Bad Request\r\n\r\n", STORE_WHY_BROKEN },
	{ "AUTH", "\x15\x03\x01", STORE_WHY_BROKEN },
	{ "PING", "$-2\r\n", STORE_WHY_BROKEN },
	{ "PING", "*x\r\n", STORE_WHY_BROKEN },
	{ "PING", "+PO", STORE_WHY_NO_ANSWER },
	{ "SELECT", "", STORE_WHY_NO_ANSWER },
};
/* clang-format on */

Test(store_redis, a_greeting_that_goes_wrong, .timeout = 120)
{
	for (size_t i = 0; i < ARRAY_LEN(greetings); i++) {
		begin();
		s.password = "pw";
		s.cfg.database = 1;
		fake_says(f, greetings[i].word, greetings[i].text);
		site_open(&s);
		site_put(&s, "a", "one", HOUR_MS, STORE_SET);
		site_until_state(&s, STORE_DOWN, greetings[i].why);
		cr_expect_str_eq(site_answer(&s, "a"), "away", "%s",
		    greetings[i].text);
		cr_expect_eq(stat_get(&s.stats.connects), 0u);
		cr_expect_eq(fake_count(f, "SET"), 0u, "%s", greetings[i].text);
		fake_says_no_more(f);
		site_until(&s, &s.stats.put, 1);
		cr_expect_eq(s.stats.state, STORE_UP, "%s", greetings[i].text);
		cr_expect_eq(stat_get(&s.stats.connects), 1u);
		end();
	}
}

Test(store_redis, it_closes_during_the_greeting, .timeout = 20)
{
	begin();
	fake_holds(f, true);
	site_open(&s);
	fake_until(f, "PING", 1);
	fake_hangs_up(f);
	site_until_state(&s, STORE_DOWN, STORE_WHY_CLOSED);
	fake_holds(f, false);
	site_until_up(&s);
	end();
	begin();
	fake_holds(f, true);
	site_open(&s);
	fake_until(f, "PING", 1);
	end(); /* while it is greeted */
}

Test(store_redis, nobody_is_there, .timeout = 20)
{
	begin();
	fake_is_gone(f); /* but its socket */
	site_open(&s);
	site_until_state(&s, STORE_DOWN, STORE_WHY_REFUSED);
	rig_sweep();
	site_until_state(&s, STORE_DOWN, STORE_WHY_NO_FILE);
	cr_expect_str_eq(site_answer(&s, "a"), "away");
	cr_expect_eq(asked(STORE_AWAY), 1u);
	end();
}

/* ---- answers to who asks ---- */

#define THOUSAND_AND_24(c)                                                     \
	c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define KIB THOUSAND_AND_24("0123456789abcdef0123456789abcdef") /* 1024 bytes */

/* clang-format off */
static const struct {
	const char *why, *text;
	enum store_answer answer;
	uint64_t strange;
} replies[] = {
	{ "no such key", "$0\r\n\r\n", STORE_NONE, 0 },
	{ "a value", "$1\r\nx\r\n", STORE_FOUND, 0 },
	{ "as long as may be", "$4096\r\n" KIB KIB KIB KIB "\r\n",
	    STORE_FOUND, 0 },
	{ "longer", "$4097\r\n" KIB KIB KIB KIB "x\r\n", STORE_NONE, 1 },
	{ "much longer", "$5120\r\n" KIB KIB KIB KIB KIB "\r\n",
	    STORE_NONE, 1 },
	{ "another type of key",
	    "-WRONGTYPE Operation against a key holding the wrong kind\r\n",
	    STORE_NONE, 1 },
	{ "nil", "$-1\r\n", STORE_NONE, 1 },
	{ "no list", "*-1\r\n", STORE_NONE, 1 },
	{ "a number", ":1\r\n", STORE_NONE, 1 },
	{ "a status", "+OK\r\n", STORE_NONE, 1 },
	{ "an empty list", "*0\r\n", STORE_NONE, 1 },
	{ "a list of a value", "*1\r\n$1\r\nx\r\n", STORE_NONE, 1 },
	{ "lists in lists", "*2\r\n*1\r\n*1\r\n:1\r\n*0\r\n", STORE_NONE, 1 },
};
/* clang-format on */

Test(store_redis, what_a_question_is_answered_with, .timeout = 60)
{
	static struct asked a;

	begin_up();
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		uint64_t before = stat_get(&s.stats.strange);

		fake_says(f, "GETRANGE", replies[i].text);
		site_ask(&s, "a", &a);
		site_await(&s, &a);
		cr_expect_eq(a.answer, replies[i].answer, "%s: %s",
		    replies[i].why, store_answer_name(a.answer));
		cr_expect_eq(stat_get(&s.stats.strange) - before,
		    replies[i].strange, "%s", replies[i].why);
		cr_expect_eq(s.stats.state, STORE_UP, "%s", replies[i].why);
		fake_says_no_more(f);
	}
	cr_expect_eq(all_failed(), 0u);
	cr_expect_eq(stat_get(&s.stats.connects), 1u);
	end();
}

/* Keys are asked for in one go: a strange one hides no other. */
Test(store_redis, a_strange_value_before_a_good_one, .timeout = 20)
{
	static struct asked a;

	begin_up();
	fake_holds(f, true);
	fake_says(f, "GETRANGE", ":1\r\n");
	site_ask(&s, "a b c", &a);
	fake_until(f, "GETRANGE", 3);
	fake_lets_out(f, 4);
	site_run_ms(&s, 20);
	cr_expect_eq(a.came, 0u);
	cr_expect_eq(stat_get(&s.stats.strange), 1u);
	fake_hangs_up(f);
	site_await(&s, &a);
	cr_expect_eq(a.answer, STORE_AWAY);
	end();
}

static const struct {
	const char *why, *text;
} garbage[] = {
	{ "no mark", "hello\r\n" },
	{ "no mark, no line", "hello" },
	{ "an end of line alone", "\r\n" },
	{ "a length that is none", "$x\r\n\r\n" },
	{ "a length below nothing", "$-2\r\n" },
	{ "a length above all", "$99999999999999999999\r\n" },
	{ "a list above all", "*99999999999\r\n" },
	{ "no number", ":1x\r\n" },
	{ "lists too deep",
	    "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"
	    "*1\r\n*1\r\n:1\r\n" },
	{ "in a list", "*2\r\n$1\r\nx\r\n?\r\n" },
};

Test(store_redis, who_does_not_speak_the_protocol, .timeout = 60)
{
	static struct asked a;

	for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
		begin_up();
		fake_says(f, "GETRANGE", garbage[i].text);
		site_ask(&s, "a", &a);
		site_put(&s, "b", "two", HOUR_MS, STORE_SET);
		site_until_state(&s, STORE_DOWN, STORE_WHY_BROKEN);
		cr_expect_eq(a.came, 1u, "%s", garbage[i].why);
		cr_expect_eq(a.answer, STORE_AWAY, "%s", garbage[i].why);
		fake_says_no_more(f);
		site_until(&s, &s.stats.put, 1);
		cr_expect_eq(stat_get(&s.stats.connects), 2u, "%s",
		    garbage[i].why);
		end();
	}
}

Test(store_redis, bytes_come_one_by_one, .timeout = 60)
{
	begin();
	fake_in_pieces(f, true);
	s.password = "pw";
	site_open(&s);
	site_until_up(&s);
	fake_says_str(f, "GETRANGE", STR("$10\r\na\r\n\0b$1\r\nc\r\n"));
	site_put(&s, "a", "one", HOUR_MS, STORE_SET);
	site_put(&s, "b", "two", HOUR_MS, STORE_KEEP);
	cr_expect_str_eq(site_answer(&s, "a"), "found a\r\n");
	fake_says(f, "GETRANGE", "$-1\r\n");
	cr_expect_str_eq(site_answer(&s, "a b c d"), "none");
	fake_says(f, "GETRANGE", "$4096\r\n" KIB KIB KIB KIB "\r\n");
	cr_expect_str_eq(site_answer(&s, "a"), "found " KIB KIB KIB KIB);
	cr_expect_eq(stat_get(&s.stats.put), 2u);
	cr_expect_eq(stat_get(&s.stats.strange), 4u);
	end();
}

/* ---- answers to who puts ---- */

/* clang-format off */
static const struct {
	const char *text;
	enum store_why why;
	bool again; /* of the whole server: on another connection, once more */
} refusals[] = {
	{ "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
	    STORE_WHY_FULL, false },
	{ "-MISCONF Redis is configured to save RDB snapshots\r\n",
	    STORE_WHY_DISK, false },
	{ "-MOVED 3999 127.0.0.1:6381\r\n", STORE_WHY_CLUSTERED, false },
	{ "-CLUSTERDOWN The cluster is down\r\n",
	    STORE_WHY_CLUSTERED, false },
	{ "-NOPERM this user has no permissions to run 'set'\r\n",
	    STORE_WHY_DENIED, false },
	{ "-ERR unknown command 'SET'\r\n", STORE_WHY_STRANGE, false },
	{ "-NOREPLICAS Not enough good replicas to write.\r\n",
	    STORE_WHY_STRANGE, false },
	{ "-\r\n", STORE_WHY_STRANGE, false },
	{ "-READONLY You can't write against a read only replica.\r\n",
	    STORE_WHY_READ_ONLY, true },
	{ "-LOADING Redis is loading the dataset in memory\r\n",
	    STORE_WHY_LOADING, true },
	{ "-MASTERDOWN Link with MASTER is down\r\n", STORE_WHY_LOADING, true },
	{ "-NOAUTH Authentication required.\r\n", STORE_WHY_AUTH, true },
	{ "-WRONGPASS invalid username-password pair\r\n",
	    STORE_WHY_AUTH, true },
};
/* clang-format on */

Test(store_redis, what_is_put_is_refused, .timeout = 60)
{
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		const char *text = refusals[i].text;
		bool again = refusals[i].again;

		begin_up();
		fake_says(f, "SET", text);
		site_put(&s, "a", "one", HOUR_MS, STORE_SET);
		site_put(&s, "b", "two", HOUR_MS, STORE_KEEP);
		if (again)
			site_until_state(&s, STORE_DOWN, refusals[i].why);
		else
			site_until(&s, &s.stats.failed[refusals[i].why], 2);
		fake_says_no_more(f);
		fake_forgets(f);
		site_put(&s, "c", "three", HOUR_MS, STORE_SET);
		site_until(&s, &s.stats.put, again ? 3 : 1);
		cr_expect_eq(all_failed(), again ? 0u : 2u, "%s", text);
		cr_expect_eq(fake_count(f, "SET"), again ? 3u : 1u, "%s: %s",
		    text, fake_log(f));
		cr_expect_eq(stat_get(&s.stats.connects), again ? 2u : 1u, "%s",
		    text);
		cr_expect_eq(s.stats.state, STORE_UP, "%s", text);
		cr_expect_eq(stat_get(&s.stats.queued), 0u, "%s", text);
		end();
	}
}

/* Until it is not refused any more. */
Test(store_redis, what_it_refuses_is_known, .timeout = 20)
{
	begin_up();
	fake_says(f, "SET", "-OOM command not allowed\r\n");
	fake_says(f, "GETRANGE", "-NOPERM this user has no permissions\r\n");
	site_put(&s, "a", "one", HOUR_MS, STORE_SET);
	cr_expect_str_eq(site_answer(&s, "a"), "none");
	cr_expect_eq(s.stats.refuses_puts, STORE_WHY_FULL);
	cr_expect_eq(s.stats.refuses_looks, STORE_WHY_DENIED);
	cr_expect_eq(failed(STORE_WHY_FULL), 1u);
	cr_expect_eq(failed(STORE_WHY_DENIED), 1u);
	cr_expect_eq(stat_get(&s.stats.strange), 0u);
	cr_expect_eq(s.stats.state, STORE_UP);
	fake_says_no_more(f);
	site_put(&s, "a", "one", HOUR_MS, STORE_SET);
	cr_expect_str_eq(site_answer(&s, "a"), "none");
	cr_expect_eq(s.stats.refuses_puts, STORE_WHY_NOTHING);
	cr_expect_eq(s.stats.refuses_looks, STORE_WHY_NOTHING);
	cr_expect_eq(all_failed(), 2u);
	end();
}

/* A key that is kept is nil to SET NX: that is no refusal. */
Test(store_redis, what_is_kept_is_taken, .timeout = 20)
{
	begin_up();
	fake_says(f, "SET", "$-1\r\n");
	site_put(&s, "a", "one", HOUR_MS, STORE_KEEP);
	site_until(&s, &s.stats.put, 1);
	cr_expect_eq(all_failed(), 0u);
	end();
}

/* ---- a server that does not answer ---- */

Test(store_redis, who_asks_waits_so_long_and_no_longer, .timeout = 60)
{
	static struct asked a[4];
	uint64_t began;

	begin();
	s.cfg.timeout_us = 400 * US_PER_MS;
	site_open(&s);
	site_until_up(&s);
	fake_holds(f, true);
	began = clock_mono_us();
	site_ask(&s, "a", &a[0]);
	site_ask(&s, "b c", &a[1]);
	site_await(&s, &a[0]);
	site_await(&s, &a[1]);
	cr_expect_eq(a[0].answer, STORE_LATE);
	cr_expect_eq(a[1].answer, STORE_LATE);
	/* A little before, so that nobody waits for longer. */
	cr_expect(clock_mono_us() - began >= s.cfg.timeout_us / 2);
	if (clock_mono_us() - began < 3 * s.cfg.timeout_us)
		cr_expect_eq(s.stats.state, STORE_UP, "two are not enough");
	site_ask(&s, "d", &a[2]);
	if (a[2].came == 0)
		site_await(&s, &a[2]);
	site_until_state(&s, STORE_SLOW, STORE_WHY_LATE);
	site_ask(&s, "e", &a[3]);
	cr_expect_eq(a[3].came, 1u, "at once");
	cr_expect_eq(a[3].answer, STORE_AWAY);
	/* Nobody waits for a put. */
	put_many(0, WINDOW_SLOW + 10);
	fake_until(f, "SET", WINDOW_SLOW);
	site_run_ms(&s, 50);
	if (s.stats.state == STORE_SLOW)
		cr_expect_eq(fake_count(f, "SET"), (size_t)WINDOW_SLOW);
	fake_holds(f, false);
	site_until_up(&s);
	site_until(&s, &s.stats.put, WINDOW_SLOW + 10);
	for (size_t i = 0; i < 4; i++)
		cr_expect_eq(a[i].came, 1u, "%zu", i);
	cr_expect_str_eq(site_answer(&s, "a"), "none");
	end();
}

/* Two that are late, and two more: not three in a row. */
Test(store_redis, an_answer_in_between_begins_anew, .timeout = 60)
{
	static struct asked a[2];
	uint64_t began;

	begin();
	s.cfg.timeout_us = 300 * US_PER_MS;
	site_open(&s);
	site_until_up(&s);
	for (unsigned i = 1; i <= 3; i++) {
		fake_holds(f, true);
		began = clock_mono_us();
		site_ask(&s, "a", &a[0]);
		site_ask(&s, "a", &a[1]);
		site_await(&s, &a[0]);
		site_await(&s, &a[1]);
		/* On a slow machine there are others that are late. */
		if (clock_mono_us() - began < 3 * s.cfg.timeout_us &&
		    asked(STORE_LATE) == 2 * i)
			cr_expect_eq(s.stats.state, STORE_UP, "%u", i);
		fake_holds(f, false);
		site_until_sent(&s);
		site_until_up(&s);
		while (strcmp(site_answer(&s, "b"), "none") != 0)
			site_until_up(&s);
	}
	end();
}

/* Nobody asks: what was put tells it. */
Test(store_redis, a_put_that_is_not_answered, .timeout = 60)
{
	begin();
	s.cfg.timeout_us = 20 * US_PER_MS;
	site_open(&s);
	site_until_up(&s);
	fake_holds(f, true);
	site_put(&s, "a", "one", HOUR_MS, STORE_SET);
	site_until_state(&s, STORE_SLOW, STORE_WHY_LATE);
	fake_holds(f, false);
	site_until_up(&s);
	cr_expect_eq(stat_get(&s.stats.put), 1u);
	cr_expect_eq(stat_get(&s.stats.asked[STORE_LATE]), 0u);
	end();
}

Test(store_redis, one_that_hangs_is_given_up, .timeout = 60)
{
	static struct asked a;

	begin_up();
	fake_holds(f, true);
	site_put(&s, "a", "one", HOUR_MS, STORE_SET);
	site_ask(&s, "a", &a);
	site_until_state(&s, STORE_DOWN, STORE_WHY_NO_ANSWER);
	cr_expect_eq(a.came, 1u);
	cr_expect_neq(a.answer, STORE_NONE);
	fake_hangs_up(f);
	fake_holds(f, false);
	site_until(&s, &s.stats.put, 1);
	cr_expect_eq(fake_count(f, "SET"), 2u, "once on each");
	end();
}

/* Even if nothing is done it is asked whether it is there. */
Test(store_redis, one_that_is_idle_is_looked_after, .timeout = 60)
{
	begin_up();
	fake_until(f, "PING", 2);
	cr_expect_eq(stat_get(&s.stats.connects), 1u);
	fake_holds(f, true);
	fake_until(f, "PING", 3);
	site_until_state(&s, STORE_DOWN, STORE_WHY_NO_ANSWER);
	fake_hangs_up(f);
	fake_holds(f, false);
	site_until_up(&s);
	end();
}

/* ---- a server that goes ---- */

/* What was put and not taken goes out anew, in order, until it has ended. */
Test(store_redis, it_closes_in_the_middle, .timeout = 20)
{
	static struct asked a;

	begin_up();
	clock_fake(US_PER_S, US_PER_S);
	fake_holds(f, true);
	site_put(&s, "taken", "1", 100000, STORE_SET);
	site_put(&s, "a", "1", 100000, STORE_KEEP);
	site_ask(&s, "a", &a);
	site_put(&s, "ends", "1", 1000, STORE_SET);
	site_drop(&s, "a");
	site_put(&s, "b", "1", 100000, STORE_SET);
	fake_until(f, "SET", 4);
	fake_lets_out(f, strlen("+OK\r\n"));
	site_until(&s, &s.stats.put, 1);
	fake_forgets(f);
	fake_hangs_up(f);
	fake_holds(f, false);
	site_until_state(&s, STORE_DOWN, STORE_WHY_CLOSED);
	cr_expect_eq(a.came, 1u);
	cr_expect_eq(a.answer, STORE_AWAY);
	cr_expect_eq(stat_get(&s.stats.queued), 4u);
	site_put(&s, "c", "1", 100000, STORE_SET);
	clock_fake(3 * US_PER_S, 3 * US_PER_S);
	site_until_sent(&s);
	cr_expect_str_eq(fake_log(f),
	    "PING\n"
	    "SET segue:a 1 PX 98000 NX\n"
	    "DEL segue:a\n"
	    "SET segue:b 1 PX 98000\n"
	    "SET segue:c 1 PX 98000\n");
	cr_expect_eq(stat_get(&s.stats.put), 4u);
	cr_expect_eq(all_failed() + stat_get(&s.stats.dropped), 0u);
	end();
}

/* ... however often. */
Test(store_redis, it_closes_again_and_again, .timeout = 60)
{
	char key[16], expected[64 * 40] = "";
	size_t len = 0;

	begin_up();
	clock_fake(US_PER_S, US_PER_S);
	fake_holds(f, true);
	for (int i = 0; i < 64; i++) {
		(void)snprintf(key, sizeof(key), "%d", i);
		len += (size_t)snprintf(expected + len, sizeof(expected) - len,
		    "SET segue:%d v PX 9000\n", i);
		site_put(&s, key, "v", 9000, STORE_SET);
		if (i % 16 != 15)
			continue;
		fake_until(f, "SET", (size_t)i + 1);
		fake_forgets(f);
		fake_hangs_up(f);
		site_until_state(&s, STORE_DOWN, STORE_WHY_CLOSED);
		fake_holds(f, false);
		fake_says(f, "SET", "");
		site_until_up(&s);
		fake_until(f, "SET", (size_t)i + 1);
	}
	fake_forgets(f);
	fake_hangs_up(f);
	fake_says_no_more(f);
	site_until_sent(&s);
	cr_expect_str_eq(fake_log(f) + strlen("PING\n"), expected);
	cr_expect_eq(stat_get(&s.stats.put), 64u);
	end();
}

/* A drop that is not done is worth as much as a value that is not taken. */
Test(store_redis, what_is_dropped_is_refused, .timeout = 20)
{
	begin_up();
	fake_says(f, "DEL", "-READONLY You can't write against a replica.\r\n");
	site_drop(&s, "a");
	site_until_state(&s, STORE_DOWN, STORE_WHY_READ_ONLY);
	fake_says_no_more(f);
	fake_forgets(f);
	site_until_up(&s);
	site_until_sent(&s);
	cr_expect_str_eq(fake_log(f), "PING\nDEL segue:a\n");
	end();
}

/* The server cannot say whether there is one: that is not "none". */
Test(store_redis, an_error_is_no_value_that_is_not_there, .timeout = 20)
{
	static const char *const texts[] = {
		"-LOADING Redis is loading the dataset in memory\r\n",
		"-MASTERDOWN Link with MASTER is down\r\n",
		"-NOAUTH Authentication required.\r\n",
	};
	static struct asked a;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		begin_up();
		fake_says(f, "GETRANGE", texts[i]);
		site_ask(&s, "a", &a);
		site_await(&s, &a);
		cr_expect_eq(a.answer, STORE_AWAY, "%s: %s", texts[i],
		    store_answer_name(a.answer));
		cr_expect_eq(stat_get(&s.stats.strange), 0u, "%s", texts[i]);
		end();
	}
}

static const struct {
	const char *why, *text;
} pushes[] = {
	{ "a status", "+HELLO\r\n" },
	{ "a number", ":1\r\n" },
	{ "a value", "$1\r\nx\r\n" },
	{ "nil", "$-1\r\n" },
	{ "a list", "*1\r\n:1\r\n" },
	{ "an empty list", "*0\r\n" },
};

/* An answer to nothing ends the connection, and nothing else. */
Test(store_redis, an_answer_that_nobody_waits_for, .timeout = 60)
{
	for (size_t i = 0; i < ARRAY_LEN(pushes); i++) {
		begin_up();
		cr_expect_str_eq(site_answer(&s, "a"), "none");
		fake_pushes(f, pushes[i].text);
		site_until(&s, &s.stats.connects, 2);
		cr_expect_str_eq(site_answer(&s, "a"), "none", "%s",
		    pushes[i].why);
		end();
	}
}

/* As to a client too many. */
Test(store_redis, an_error_that_nobody_waits_for, .timeout = 20)
{
	begin_up();
	fake_pushes(f, "-ERR max number of clients reached\r\n");
	site_until(&s, &s.stats.connects, 2);
	cr_expect_str_eq(site_answer(&s, "a"), "none");
	end();
}

/* ... nor is there place for as many as it says there are. */
Test(store_redis, a_list_without_end, .timeout = 20)
{
	static struct asked a;

	begin_up();
	fake_says(f, "GETRANGE", "*999999999\r\n:1\r\n");
	site_ask(&s, "a", &a);
	site_until_state(&s, STORE_DOWN, STORE_WHY_BROKEN);
	cr_expect_eq(a.came, 1u);
	cr_expect_eq(a.answer, STORE_AWAY);
	end();
}

/* ---- forgetting ---- */

struct pair {
	struct store_ask asks[2];
	unsigned came;
};

static void
on_first_of_two(enum store_answer a UNUSED, struct str v UNUSED, void *arg)
{
	struct pair *p = arg;

	p->came++;
	store_forget(s.store, &p->asks[0]);
	store_forget(s.store, &p->asks[1]);
}

/* Whichever way they are answered, the first one forgets the other. */
static void
ask_two(struct pair *p)
{
	*p = (struct pair){ .asks = { { on_first_of_two, p, NULL },
		                { on_first_of_two, p, NULL } } };
	store_first(s.store, &STR("a"), 1, &p->asks[0]);
	store_first(s.store, &STR("b"), 1, &p->asks[1]);
}

Test(store_redis, who_is_told_forgets_others, .timeout = 20)
{
	struct pair p;

	begin();
	s.cfg.timeout_us = 100 * US_PER_MS;
	site_open(&s);
	site_until_up(&s);
	ask_two(&p); /* answered */
	site_until_sent(&s);
	site_run_ms(&s, 20);
	cr_expect_eq(p.came, 1u);
	site_until_up(&s);
	fake_holds(f, true);
	ask_two(&p); /* late */
	site_run_ms(&s, 150);
	cr_expect_eq(p.came, 1u);
	fake_holds(f, false);
	site_until_sent(&s);
	site_until_up(&s);
	fake_holds(f, true);
	ask_two(&p); /* closed */
	fake_hangs_up(f);
	site_until(&s, &s.stats.connects, 1);
	site_run_ms(&s, 20);
	cr_expect_eq(p.came, 1u);
	end();
}

/* ---- bounds ---- */

/* Each is there once, in order. */
static void
expect_keys(unsigned from, unsigned to)
{
	struct str rest = str_of(fake_log(f));
	char words[32];
	unsigned i = from, wrong = 0;

	while (rest.len > 0) {
		struct str line = str_split(&rest, '\n');

		if (!str_starts(line, STR("SET")))
			continue;
		(void)snprintf(words, sizeof(words), "SET segue:%u v ", i++);
		wrong += !str_starts(line, str_of(words));
	}
	cr_expect_eq(i, to, "%u", i);
	cr_expect_eq(wrong, 0u, "%u", wrong);
}

Test(store_redis, the_oldest_goes_where_too_many_wait, .timeout = 60)
{
	begin();
	fake_accepts(f, false);
	site_open(&s);
	put_many(0, QUEUE_MAX);
	cr_expect_eq(stat_get(&s.stats.dropped), 0u);
	cr_expect_eq(stat_get(&s.stats.queued), (uint64_t)QUEUE_MAX);
	put_many(QUEUE_MAX, 10);
	cr_expect_eq(stat_get(&s.stats.dropped), 10u);
	cr_expect_eq(stat_get(&s.stats.queued), (uint64_t)QUEUE_MAX);
	fake_accepts(f, true);
	site_until_up(&s);
	for (unsigned i = 1; i <= 8; i++)
		site_until(&s, &s.stats.put, QUEUE_MAX / 8 * i);
	site_until_sent(&s);
	expect_keys(10, QUEUE_MAX + 10);
	cr_expect_eq(stat_get(&s.stats.put), (uint64_t)QUEUE_MAX);
	end();
}

Test(store_redis, so_many_are_under_way_and_no_more, .timeout = 60)
{
	static struct asked asks[ASKED_MAX + 1];
	const size_t last = ARRAY_LEN(asks) - 1;

	begin_up();
	fake_holds(f, true);
	put_many(0, 2 * WINDOW + 100);
	fake_until(f, "SET", WINDOW);
	site_run_ms(&s, 50);
	cr_expect_eq(fake_count(f, "SET"), (size_t)WINDOW);
	cr_expect_eq(stat_get(&s.stats.queued), 2u * WINDOW + 100);
	/* Who asks does not stand behind those. */
	for (size_t i = 0; i < last; i++)
		site_ask(&s, "a", &asks[i]);
	fake_until(f, "GETRANGE", last);
	site_ask(&s, "a", &asks[last]);
	cr_expect_eq(asks[last].came, 1u);
	cr_expect_eq(asks[last].answer, STORE_AWAY);
	cr_expect_eq(fake_most_held(f), (size_t)WINDOW + ASKED_MAX);
	fake_holds(f, false);
	site_until_sent(&s);
	for (size_t i = 0; i < last; i++)
		cr_assert_eq(asks[i].came, 1u, "%zu", i);
	expect_keys(0, 2 * WINDOW + 100);
	end();
}

/* What is under way when it closes waits before what waits. */
Test(store_redis, the_window_closes, .timeout = 60)
{
	begin_up();
	fake_holds(f, true);
	put_many(0, WINDOW + 100);
	fake_until(f, "SET", WINDOW);
	fake_hangs_up(f);
	fake_forgets(f);
	fake_holds(f, false);
	site_until(&s, &s.stats.put, WINDOW + 100);
	expect_keys(0, WINDOW + 100);
	cr_expect_eq(stat_get(&s.stats.dropped), 0u);
	end();
}
