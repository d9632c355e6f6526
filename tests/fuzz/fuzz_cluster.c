/*
 * What one of several proxies reads from Redis: words of the others, and what
 * scripts return to its cluster (members, lease, agreement, state) and to its
 * tally of sessions.  Behind it is all that the control thread has, but for
 * what tests/fuzz/sham stands in for.
 *
 * The first byte says what it does when another one is away: b, it blocks.
 * Then come steps, each up to RS; the first byte of one says what happens:
 *
 *   m     a message is heard
 *   r s   the oldest question, of the cluster or the tally, is answered: values
 *         up to US
 *   x y   ... with an error, and the connection ends
 *   u v   the cluster's bus, or the tally's, can be used
 *   d e   ... not any more
 *   t z   time passes, by a digit; Redis says nothing meanwhile
 *   c     a command, by a digit
 *   f     one is given on to who leads
 *   n     sessions are seen, one for each byte
 *   p     instances, or the disk, are well or not, by a digit
 *   l     a reload, by a digit
 *
 * The hash of a state that comes is right: who can write to Redis can count.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "admin/admin_int.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "config/config.h"
#include "must.h"
#include "rollout/cluster.h"
#include "rollout/drive.h"
#include "sham.h"
#include "store/bus.h"
#include "upstream/registry.h"
#include "upstream/view.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define RS '\x1e'
#define US '\x1f'
#define WORDS_MAX 16 /* that a bus takes */
#define NUMBER_MAX (UINT64_C(1) << 53)
#define STEPS_MAX 80
#define SESSIONS_MOST 64
#define TICK_US (50 * US_PER_MS)

static const char text_of_cfg[] =
    "state_dir: /dev/null\n"
    "listeners: \":1\"\n"
    "store: { type: redis, address: \"unix:/dev/null\" }\n"
    "cluster: { name: c, member: p1, absent: %s }\n"
    "services:\n"
    "  - name: a\n"
    "    match: [ { host: a } ]\n"
    "    sticky: { idle: 12s }\n"
    "    rollout: { steps: [ ready, { step: share, share: 20%% },"
    " { step: pause, for: 1s }, hold, release, promote, drain ] }\n"
    "    pools:\n"
    "      - { name: v1, share: 100%%, probe: { hold: 0 },"
    " instances: [ \"127.0.0.1:1\" ] }\n"
    "      - { name: %s, probe: { hold: 0 },"
    " instances: [ \"127.0.0.1:2\" ] }\n";

enum { HEARS, COUNTS, BUSES }; /* the cluster's, and the tally's */

struct given {
	STAILQ_ENTRY(given) link;
	unsigned came;
};

struct stage {
	struct loop *loop;
	struct cfg *cfgs[2]; /* that goes on, and that blocks */
	struct cfg *other;   /* of other pools */
	/* of one input */
	struct cfg *cfg;
	struct registry *registry;
	struct views *views;
	struct feed *feed;
	struct drive *drive;
	struct cluster *cluster;
	struct admin admin; /* carries out what others were told */
	struct bus *buses[BUSES];
	STAILQ_HEAD(, given) given; /* commands */
	uint64_t version;           /* by which it was served before */
	uint64_t generation;        /* of the state, likewise */
	uint32_t epoch;             /* of the service, likewise */
	uint64_t base;              /* ... that all have agreed on last */
	bool settled;               /* a second has passed, and nothing else */
	bool followed;              /* ... since */
	unsigned commits;           /* asked for */
	unsigned answered;          /* ... of which this one is, now */
};

static struct stage stage;

/* ---- the bus, in the place of the real one ---- */

struct run {
	STAILQ_ENTRY(run) link;
	bus_reply_fn *fn;
	void *arg;
	unsigned commit; /* of .commits; 0: something else */
};

struct bus {
	struct bus_env env;
	bool is_up, is_linked; /* it goes down: no more, but not told yet */
	STAILQ_HEAD(, run) runs;
};

int
bus_new(const struct bus_env *env, struct bus **out)
{
	struct bus *b = calloc(1, sizeof(*b));

	MUST(b != NULL);
	b->env = *env;
	STAILQ_INIT(&b->runs);
	stage.buses[env->channel == NULL ? COUNTS : HEARS] = b;
	*out = b;
	return E_OK;
}

static struct run *
take_run(struct bus *b)
{
	struct run *r = STAILQ_FIRST(&b->runs);

	if (r != NULL)
		STAILQ_REMOVE_HEAD(&b->runs, link);
	return r;
}

/* Nobody who asked is told. */
void
bus_free(struct bus **bp)
{
	struct bus *b = *bp;
	struct run *r;

	if (b == NULL)
		return;
	while ((r = take_run(b)) != NULL)
		free(r);
	stage.buses[b == stage.buses[HEARS] ? HEARS : COUNTS] = NULL;
	free(b);
	*bp = NULL;
}

bool
bus_is_up(const struct bus *b)
{
	return b->is_up;
}

/* What others are told they can read. */
void
bus_tell(struct bus *b, struct str text)
{
	char why[160];
	struct json *j;

	MUST(b == stage.buses[HEARS]);
	if (!b->is_linked)
		return;
	j = json_read(text, why, sizeof(why));
	MUST(j != NULL);
	MUST(json_get_text(j, "type", NULL) != NULL);
	/* It is the last one, and no other, that Redis has taken. */
	MUST(strcmp(json_get_text(j, "type", ""), "commit") != 0 ||
	    stage.answered == stage.commits);
	MUST(json_get_text(j, "boot", "")[0] != '\0');
	json_free(&j);
}

/* Nothing is committed but by a lease, and nothing that is older. */
static void
try_commit(const struct str *words)
{
	struct str id = STR("p1/1111111111111111 "), head = words[4];
	uint64_t generation;

	MUST(str_starts(words[2], id));
	MUST(cluster_role(stage.cluster) == CLUSTER_LEADER);
	MUST(str_starts(head, STR("segue-state 1 ")));
	head = str_sub(head, 14, head.len);
	MUST(str_u64(str_split(&head, ' '), &generation));
	MUST(generation >= stage.base);
	stage.commits++;
}

void
bus_run(struct bus *b, const char *script, const struct str *words,
    size_t n_keys, size_t n, bus_reply_fn *fn, void *arg)
{
	bool commits = strstr(script, "'HSET'") != NULL;
	struct run *r;

	MUST(n_keys > 0 && n_keys <= n && n <= WORDS_MAX);
	for (size_t i = 0; i < n_keys; i++)
		MUST(str_starts(words[i], STR("segue:")));
	if (commits)
		try_commit(words);
	if (!b->is_linked) {
		fn(NULL, 0, arg);
		return;
	}
	r = calloc(1, sizeof(*r));
	MUST(r != NULL);
	r->fn = fn;
	r->arg = arg;
	r->commit = commits ? stage.commits : 0;
	STAILQ_INSERT_TAIL(&b->runs, r, link);
}

void
bus_flush(struct bus *b UNUSED)
{
}

static void
turn_up(struct bus *b)
{
	if (b->is_up)
		return;
	b->is_up = b->is_linked = true;
	b->env.turned(true, STORE_WHY_NOTHING, b->env.arg);
}

static void
answer_none(struct bus *b)
{
	struct run *r;

	while ((r = take_run(b)) != NULL) {
		r->fn(NULL, 0, r->arg);
		free(r);
	}
}

static void
tell_down(struct bus *b)
{
	if (!b->is_up)
		return;
	b->is_up = false;
	b->env.turned(false, STORE_WHY_CLOSED, b->env.arg);
}

/* Who asked is told before that it is down. */
static void
turn_down(struct bus *b)
{
	b->is_linked = false;
	answer_none(b);
	tell_down(b);
}

void
bus_drop(struct bus *b)
{
	turn_down(b);
}

/* A copy that ends where it ends. */
static struct str
copy(struct str s)
{
	char *p = malloc(s.len > 0 ? s.len : 1);

	MUST(p != NULL);
	if (s.len > 0)
		memcpy(p, s.p, s.len);
	return str_from(p, s.len);
}

static void
drop(struct str s)
{
	free((void *)(uintptr_t)s.p);
}

static void
reply(struct bus *b, struct str text)
{
	struct run *r = b->is_linked ? take_run(b) : NULL;
	struct str values[BUS_VALUES_MAX];
	size_t n = 0;

	if (r == NULL)
		return;
	while (text.p != NULL && n < BUS_VALUES_MAX)
		values[n++] = copy(str_split(&text, US));
	stage.answered = r->commit;
	r->fn(values, n, r->arg);
	stage.answered = 0;
	free(r);
	for (size_t i = 0; i < n; i++)
		drop(values[i]);
}

/* The others who asked are told after it is. */
static void
fail(struct bus *b)
{
	reply(b, (struct str){ NULL, 0 });
	b->is_linked = false;
	tell_down(b);
	answer_none(b);
}

static void
hear(struct str text)
{
	struct bus *b = stage.buses[HEARS];
	struct str whole = copy(text);

	if (b->is_up)
		b->env.message(whole, b->env.arg);
	drop(whole);
}

/* ---- states that come ---- */

int __real_ro_state_read(struct str, struct ro_state *, char *, size_t);
int __wrap_ro_state_read(struct str, struct ro_state *, char *, size_t);

/* With length and hash as they have to be, if it has a first line. */
static bool
seal(struct str text, struct buf *out)
{
	struct str line = str_split(&text, '\n');
	uint64_t generation;

	(void)str_split(&line, ' ');
	(void)str_split(&line, ' ');
	if (!str_u64(str_split(&line, ' '), &generation))
		return false;
	buf_printf(out, "segue-state 1 %llu %zu %016llx\n",
	    (unsigned long long)generation, text.len,
	    (unsigned long long)ro_state_hash(text, generation));
	buf_add_str(out, text);
	return true;
}

/* What is read is written, and then read, as the same. */
static void
try_state(const struct ro_state *s)
{
	struct buf once = BUF_INIT, twice = BUF_INIT;
	struct ro_state again;
	char why[CLUSTER_WHY_MAX];

	MUST(ro_state_new(&again) == E_OK);
	MUST(ro_state_text(s, &once) == E_OK);
	MUST(__real_ro_state_read(buf_str(&once), &again, why, sizeof(why)) ==
	    E_OK);
	MUST(ro_state_text(&again, &twice) == E_OK);
	MUST(str_eq(buf_str(&once), buf_str(&twice)));
	ro_state_free(&again);
	buf_free(&once);
	buf_free(&twice);
}

int
__wrap_ro_state_read(struct str text, struct ro_state *s, char *why, size_t cap)
{
	struct buf sealed = BUF_INIT;
	int rc;

	rc = __real_ro_state_read(seal(text, &sealed) ? buf_str(&sealed) : text,
	    s, why, cap);
	MUST(rc == E_OK || rc == E_DAMAGED || rc == E_UNSUPPORTED);
	if (rc == E_OK)
		try_state(s);
	buf_free(&sealed);
	return rc;
}

void __real_cluster_followed(struct cluster *, uint64_t version);
void __wrap_cluster_followed(struct cluster *, uint64_t version);

void
__wrap_cluster_followed(struct cluster *c, uint64_t version)
{
	MUST(cluster_role(c) != CLUSTER_LEADER);
	stage.followed = true;
	stage.base = drive_state(stage.drive)->generation;
	__real_cluster_followed(c, version);
}

/* ---- what must be so after each step ---- */

static void
try_members(const struct cluster *c)
{
	struct cluster_member m;
	char behind[CLUSTER_WHY_MAX];
	size_t i = 0;

	for (; cluster_member(c, i, &m); i++) {
		MUST(m.self == (i == 0));
		MUST(m.role < CLUSTER_ROLE_COUNT && m.name[0] != '\0');
		MUST(memchr(m.name, '\0', sizeof(m.name)) != NULL);
		MUST(m.version <= NUMBER_MAX && m.in_flight <= NUMBER_MAX);
	}
	MUST(i > 0 && i <= 1 + CLUSTER_MEMBERS_MAX);
	cluster_others_behind(c, behind, sizeof(behind));
	MUST(strlen(behind) < sizeof(behind));
}

static void
try_cluster(struct stage *g)
{
	struct cluster_member self;
	struct cluster_facts f;

	cluster_look_at(g->cluster, &f);
	MUST(f.role < CLUSTER_ROLE_COUNT);
	MUST((f.role == CLUSTER_ALONE) == (f.why[0] != '\0'));
	MUST(f.version <= NUMBER_MAX);
	MUST(cluster_member(g->cluster, 0, &self));
	MUST(self.version >= g->version);
	g->version = self.version;
	try_members(g->cluster);
}

/*
 * Services and pools are those of the configuration, somebody has the share or
 * nobody, and a pin of now is not void.
 */
static void
try_service(const struct ro_service *s, const struct cfg_service *cfg)
{
	uint32_t sum = 0;

	MUST(strcmp(s->name, cfg->name) == 0 && s->n_pools == cfg->n_pools);
	for (size_t i = 0; i < s->n_pools; i++) {
		MUST(strcmp(s->pools[i].name, cfg->pools[i].name) == 0);
		MUST(s->pools[i].min_epoch <= s->epoch);
		MUST(s->pools[i].move_epoch <= s->epoch);
		sum += s->pools[i].share_bp;
	}
	MUST(sum == 0 || sum == CFG_SHARE_ALL);
}

/* A state that others have agreed on alone may be older than ours. */
static void
try_drive(struct stage *g)
{
	const struct ro_state *s = drive_state(g->drive);
	const struct cfg *cfg = drive_cfg(g->drive);

	MUST(s->n_services == cfg->n_services);
	for (size_t i = 0; i < s->n_services; i++)
		try_service(&s->services[i], &cfg->services[i]);
	MUST(s->generation >= g->generation || g->followed);
	MUST(s->services[0].epoch >= g->epoch || g->followed);
	g->generation = s->generation;
	g->epoch = s->services[0].epoch;
	g->followed = false;
}

static bool
has_pool(struct registry *r, const struct service *s, uint64_t name_hash)
{
	struct pool *p;

	for (size_t i = 0; (p = registry_pool_at(r, s, i)) != NULL; i++)
		if (p->name_hash == name_hash)
			return true;
	return false;
}

/* What Redis counts is of pools that there are, or were a second ago. */
static void
try_sessions(struct stage *g, const struct service *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < SESSIONS_POOLS; i++) {
		const struct session_pool *of = &s->sessions.pools[i];

		MUST(of->shared == 0 || !g->settled ||
		    has_pool(g->registry, s, of->pool));
		n += of->n;
	}
	MUST(n == s->sessions.n);
}

static void
try_facts(struct stage *g)
{
	const struct ro_facts *f = drive_facts(g->drive);
	const uint64_t most = (uint64_t)CLUSTER_MEMBERS_MAX * UINT32_MAX;

	for (size_t i = 0; i < g->cfg->n_services; i++)
		for (size_t p = 0; p < g->cfg->services[i].n_pools; p++) {
			const struct ro_facts_pool *of =
			    &f->pools[i * CFG_POOLS_MAX + p];

			MUST(of->inflight <= most && of->streams <= most);
			MUST(of->writes <= most);
			MUST(of->sessions <= most + SESSIONS_MOST);
		}
}

/* A document can be read. */
static void
try_json(struct str text)
{
	char why[160];
	struct json *j = json_read(text, why, sizeof(why));

	MUST(json_is_object(j));
	json_free(&j);
}

/* What was written can be loaded at the next start. */
static void
try_disk(void)
{
	struct ro_state s;
	char why[CLUSTER_WHY_MAX];

	if (sham_disk().len == 0)
		return;
	MUST(ro_state_new(&s) == E_OK);
	MUST(__real_ro_state_read(sham_disk(), &s, why, sizeof(why)) == E_OK);
	ro_state_free(&s);
}

/* What operators are shown. */
static void
try_status(struct stage *g)
{
	struct buf b = BUF_INIT;

	status_write(&g->admin, &b);
	MUST(!b.failed);
	try_json(buf_str(&b));
	buf_free(&b);
}

static void
try_all(struct stage *g)
{
	struct service *s = NULL;

	try_cluster(g);
	try_drive(g);
	while ((s = registry_service_next(g->registry, s)) != NULL)
		try_sessions(g, s);
}

/* ---- commands ---- */

static struct given *
give(struct stage *g)
{
	struct given *one = calloc(1, sizeof(*one));

	MUST(one != NULL);
	STAILQ_INSERT_TAIL(&g->given, one, link);
	return one;
}

static void
on_done(const struct drive_result *r, void *arg)
{
	struct given *one = arg;

	MUST(one->came++ == 0);
	MUST(r->refusal < RO_REFUSAL_COUNT && r->sentence != NULL);
}

static void
on_result(unsigned status, struct str body, void *arg)
{
	struct given *one = arg;

	MUST(one->came++ == 0);
	MUST(status == 0 || (status >= 100 && status <= 599));
	MUST(body.len == 0 || body.p != NULL);
}

/* Commands that change what is agreed on, by their digit. */
static const struct {
	enum ro_verb verb;
	const char *pool;
	uint32_t share_bp;
	uint8_t action;
	bool force;
} commands[] = {
	{ RO_SWITCH, "v2", 0, 0, false },
	{ RO_SWITCH, "v1", 0, 0, true },
	{ RO_SHARE, "v2", 2500, 0, false },
	{ RO_DRAIN, "v1", 0, 0, true },
	{ RO_UNDRAIN, "v1", 0, 0, false },
	{ RO_HOLD, "", 0, 0, true },
	{ RO_RELEASE, "", 0, 0, false },
	{ RO_ROLLOUT, "v2", 0, RO_ACTION_START, false },
	{ RO_ROLLOUT, "", 0, RO_ACTION_ROLLBACK, true },
	{ RO_ROLLOUT, "", 0, RO_ACTION_ABORT, false },
};

static void
command(struct stage *g, unsigned n)
{
	struct ro_command c = { .verb = commands[n].verb,
		.service = "a",
		.share_bp = commands[n].share_bp,
		.action = commands[n].action,
		.force = commands[n].force,
		.clocks = drive_clocks(g->drive, "a", NULL),
		.who = "fuzz" };

	(void)str_copy(str_of(commands[n].pool), c.pool, sizeof(c.pool));
	(void)drive_command(g->drive, &c, n % 2 == 0, 0, on_done, give(g));
}

static void
on_reloaded(int code UNUSED, const char *why UNUSED, void *arg)
{
	struct given *one = arg;

	MUST(one->came++ == 0);
}

static void
forward(struct stage *g)
{
	if (cluster_role(g->cluster) == CLUSTER_FOLLOWER)
		MUST(cluster_forward(g->cluster, STR("{}"), "fuzz", on_result,
		         give(g)) != 0);
}

/* What another one was told is carried out by who leads. */
static void
on_command(const struct cluster_from *from, struct str body, const char *who,
    void *arg)
{
	MUST(memchr(from->member, '\0', sizeof(from->member)) != NULL);
	MUST(memchr(from->boot, '\0', sizeof(from->boot)) != NULL);
	MUST(from->id <= NUMBER_MAX && who != NULL);
	command_of_other(from, body, who, arg);
}

/* ---- the world ---- */

/* Of each digit a session: on v1, or v2; every other one with a newer pin. */
static void
see(struct stage *g, struct str digits)
{
	struct service *s = registry_service(g->registry, "a");
	struct pool *p;

	for (size_t i = 0; i < digits.len && i < SESSIONS_MOST; i++) {
		unsigned n = (unsigned char)digits.p[i];
		struct session one = { .id = i + 1,
			.ends_s = UINT32_MAX,
			.epoch = 1 + n / 2 % 4 };

		p = registry_pool_at(g->registry, s, n % 2);
		MUST(p != NULL);
		one.pool = p->name_hash;
		sessions_see(&s->sessions, &one, clock_mono_us(),
		    SESSIONS_MOST);
	}
}

static void
change_world(unsigned n)
{
	if (n / 2 % 2 == 0)
		sham_be_up(n % 2 == 0);
	else
		sham_disk_fails(n % 2 == 1);
}

/* A second or more for digits above 5. */
static uint64_t
time_of(unsigned n)
{
	return n < 6 ? (n + 1) * TICK_US : (n - 5) * US_PER_S;
}

/* By what passes between two looks; our own word comes back, or does not. */
static void
pass(unsigned n, bool answers)
{
	uint64_t left = time_of(n);

	while (left > 0) {
		uint64_t us = MIN(left, US_PER_S / 2);

		if (answers)
			hear(STR("{\"boot\":\"1111111111111111\"}"));
		sham_pass(us);
		left -= us;
	}
}

/* ---- steps ---- */

static void
take_step(struct stage *g, char what, struct str text)
{
	unsigned digit = text.len == 0 ? 0
	                               : (unsigned char)(text.p[0] - '0') % 10;
	struct bus *hears = g->buses[HEARS], *counts = g->buses[COUNTS];

	g->settled = false;
	switch (what) {
	case 'm':
		hear(text);
		try_facts(g);
		break;
	case 'r':
		reply(hears, text);
		break;
	case 's':
		reply(counts, text);
		break;
	case 'x':
		fail(hears);
		break;
	case 'y':
		fail(counts);
		break;
	case 'u':
		turn_up(hears);
		break;
	case 'd':
		turn_down(hears);
		break;
	case 'v':
		turn_up(counts);
		break;
	case 'e':
		turn_down(counts);
		break;
	case 't':
	case 'z':
		pass(digit, what == 't');
		g->settled = time_of(digit) >= US_PER_S;
		break;
	case 'c':
		command(g, digit);
		break;
	case 'f':
		forward(g);
		break;
	case 'n':
		see(g, text);
		break;
	case 'l':
		drive_reload(g->drive, digit % 2 == 0 ? g->cfg : g->other, NULL,
		    on_reloaded, give(g));
		break;
	case 'p':
		change_world(digit);
		break;
	default:
		return;
	}
	sham_turn();
	try_all(g);
}

static void
take_steps(struct stage *g, struct str text)
{
	for (int i = 0; i < STEPS_MAX && text.len > 0; i++) {
		struct str step = str_split(&text, RS);

		if (step.len > 0)
			take_step(g, step.p[0], str_sub(step, 1, step.len));
	}
}

/* ---- life ---- */

static struct cfg *
configure(const char *absent, const char *pool)
{
	struct cfg_problems problems;
	struct buf text = BUF_INIT;
	struct cfg *cfg;
	int rc;

	buf_printf(&text, text_of_cfg, absent, pool);
	rc = cfg_parse(buf_str(&text), "fuzz", &cfg, &problems);
	for (size_t i = 0; i < problems.n; i++)
		(void)fprintf(stderr, "%s\n", problems.list[i].text);
	MUST(rc == E_OK);
	cfg_problems_free(&problems);
	buf_free(&text);
	return cfg;
}

/* The workers have adopted it at once. */
static void
on_nudge(void *arg)
{
	struct stage *g = arg;

	(void)views_adopt(g->views, 0);
	if (g->drive != NULL)
		drive_poke(g->drive);
}

static void
begin(struct stage *g)
{
	struct drive_env env = { .cfg = g->cfg,
		.driver = 1,
		.nudge = on_nudge,
		.arg = g };
	struct store_env store = { .cfg = &g->cfg->store, .name = "fuzz" };
	char why[512];

	env.loop = store.loop = g->loop;
	env.registry = g->registry = registry_new(1);
	env.views = g->views = views_new(1);
	env.feed = g->feed = feed_new();
	MUST(g->registry != NULL && g->views != NULL && g->feed != NULL);
	MUST(drive_new(&env, &g->drive, why, sizeof(why)) == E_OK);
	MUST(drive_join(g->drive, g->cfg, &store) == E_OK);
	g->cluster = drive_cluster(g->drive);
	g->admin.env.drive = g->drive;
	TAILQ_INIT(&g->admin.others);
	STAILQ_INIT(&g->given);
	cluster_on_command(g->cluster, on_command, &g->admin);
	sham_be_up(true);
	sham_turn();
	g->generation = g->base = drive_state(g->drive)->generation;
	g->version = g->epoch = 0;
	g->commits = 0;
}

/* Each that was given has ended, and once. */
static void
end(struct stage *g)
{
	struct given *one;

	commands_free(&g->admin);
	cluster_on_command(g->cluster, NULL, NULL);
	drive_free(&g->drive);
	views_free(&g->views);
	registry_free(&g->registry);
	feed_free(&g->feed);
	while ((one = STAILQ_FIRST(&g->given)) != NULL) {
		MUST(one->came == 1);
		STAILQ_REMOVE_HEAD(&g->given, link);
		free(one);
	}
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct stage *g = &stage;

	if (size == 0)
		return 0;
	g->loop = sham_begin();
	if (g->cfgs[0] == NULL) {
		g->cfgs[0] = configure("fence", "v2");
		g->cfgs[1] = configure("block", "v2");
		g->other = configure("fence", "v3");
	}
	g->cfg = g->cfgs[data[0] == 'b'];
	begin(g);
	take_steps(g, str_from((const char *)data + 1, size - 1));
	try_status(g);
	end(g);
	try_disk();
	return 0;
}
