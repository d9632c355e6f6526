/* Sessions that two proxies count together, by a real Redis. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/thread.h"
#include "config/config.h"
#include "net/loop.h"
#include "rollout/machine.h"
#include "rollout/tally.h"
#include "store/store.h"
#include "tests/unit/net/rig.h"
#include "tests/unit/store/server.h"
#include "tests/unit/upstream/house.h"

#define PROXIES 2
#define EACH 3
#define ALL ((uint64_t)PROXIES * EACH)
/* Without haste it would be twice that; a busy machine needs some of it. */
#define SOON_US (3 * US_PER_S / 2)

struct proxy {
	struct registry *registry;
	struct ro_state state;
	struct tally *tally;
	struct sessions *sessions; /* of its only service */
	uint64_t pool;
	uint64_t since_us; /* what it has heard of Redis before */
};

static struct loop *loop;
static struct cfg *cfg;
static struct cfg_store redis = { .type = CFG_STORE_REDIS };
static struct proxy proxies[PROXIES];
static uint64_t asked_us; /* answers of before are none */

static void
see(struct proxy *p, uint64_t n)
{
	struct session one = { .id = hash_bytes(&n, sizeof(n), 1) | 1,
		.pool = p->pool,
		.ends_s = UINT32_MAX,
		.epoch = 1 };

	sessions_see(p->sessions, &one, clock_mono_us(), 100);
}

static void
begin_proxy(struct proxy *p, uint64_t first)
{
	struct tally_env env = { .loop = loop, .state = &p->state };
	struct store_env store = { .loop = loop, .cfg = &redis };

	p->registry = env.registry = registry_new(1);
	cr_assert_not_null(p->registry);
	house_apply(p->registry, cfg);
	cr_assert_eq(ro_state_new(&p->state), E_OK);
	cr_assert_eq(ro_state_reconcile(&p->state, cfg, 1, NULL), E_OK);
	p->sessions = &registry_service(p->registry, "s")->sessions;
	p->sessions->idle_us = 60 * US_PER_S;
	p->pool = registry_pool(p->registry, "s", "v1")->name_hash;
	cr_assert_eq(tally_new(&env, &p->tally), E_OK);
	cr_assert_eq(tally_share(p->tally, &store, "segue:", "c"), E_OK);
	for (uint64_t n = 0; n < EACH; n++)
		see(p, first + n);
}

static void
set_up(void)
{
	thread_become(ROLE_CONTROL, "control");
	log_set_level(LOG_ERROR);
	loop = rig_loop();
	cfg = house_cfg_of(1, NULL);
	redis.address.host = (char *)(uintptr_t)server_begin();
	redis.address.is_unix = true;
	for (uint64_t i = 0; i < PROXIES; i++)
		begin_proxy(&proxies[i], i * EACH);
}

static void
tear_down(void)
{
	for (size_t i = 0; i < PROXIES; i++) {
		tally_free(&proxies[i].tally);
		ro_state_free(&proxies[i].state);
		registry_free(&proxies[i].registry);
	}
	cfg_unref(&cfg);
	loop_free(&loop);
	server_end();
}

TestSuite(tally, .init = set_up, .fini = tear_down);

static bool
all_are_counted(void *arg UNUSED)
{
	for (size_t i = 0; i < PROXIES; i++) {
		const struct sessions *all = proxies[i].sessions;

		if (all->shared_us < asked_us ||
		    !sessions_are_shared(all, clock_mono_us()) ||
		    sessions_shared_on(all, proxies[i].pool) != ALL)
			return false;
	}
	return true;
}

static bool
all_have_noticed(void *arg UNUSED)
{
	for (size_t i = 0; i < PROXIES; i++)
		if (proxies[i].sessions->shared_since_us == proxies[i].since_us)
			return false;
	return true;
}

static void
until_counted(void)
{
	uint64_t began_us = clock_mono_us();

	asked_us = began_us;
	rig_run_until(loop, all_are_counted, NULL);
	cr_expect_lt(clock_mono_us() - began_us, SOON_US);
}

/* Redis does so; n answers come. */
static void
order(const char *text, size_t n)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char c;

	cr_assert_neq(fd, -1);
	memcpy(to.sun_path, redis.address.host, strlen(redis.address.host) + 1);
	cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	rig_send(fd, text);
	while (n > 0 && read(fd, &c, 1) == 1)
		n -= c == '\n';
	cr_assert_eq(n, 0);
	close(fd);
}

static void
note(void)
{
	for (size_t i = 0; i < PROXIES; i++)
		proxies[i].since_us = proxies[i].sessions->shared_since_us;
}

Test(tally, counts_those_of_all, .timeout = 60)
{
	until_counted();
	see(&proxies[1], 0); /* is at both */
	see(&proxies[0], ALL - 1);
	rig_run_for(loop, US_PER_S);
	until_counted();
}

Test(tally, tells_anew_when_redis_was_emptied, .timeout = 60)
{
	until_counted();
	note();
	order("FLUSHALL\r\n", 1);
	rig_run_until(loop, all_have_noticed, NULL);
	until_counted();
}

/* As a server that has begun anew, without its data. */
Test(tally, tells_at_once_when_redis_is_back, .timeout = 60)
{
	uint64_t began_us;

	until_counted();
	note();
	began_us = clock_mono_us();
	order("FLUSHALL\r\nCLIENT KILL TYPE normal\r\n", 2);
	rig_run_until(loop, all_have_noticed, NULL);
	until_counted();
	cr_expect_lt(clock_mono_us() - began_us, SOON_US);
}
