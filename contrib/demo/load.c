/*
 * load - the load driver of the demonstration: options, control, the end.
 *
 *     segue-demo-load --target 127.0.0.1:8080 [--users 100] [--duration 30s]
 *         [--rate N] [--think 50ms] [--rounds 20] [--timeout 10s]
 *         [--sources 127.1.0.1-127.1.255.254 | none] [--moved-ok]
 *         [--json] [--progress-json] [--control]
 *
 * Every second user keeps its connection, the others open one for each
 * request.  A user comes from its own loopback address, another one in each
 * session.  --rate spreads N requests a second over the users.  With
 * --control lines on standard input say "phase NAME" or "stop"; its end stops
 * too.  Exit: 0 nothing failed and nobody bounced, 1 otherwise, 2 usage.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/units.h"
#include "contrib/demo/load.h"

static NORETURN void
usage(const char *why)
{
	if (why != NULL)
		fprintf(stderr, "segue-demo-load: %s\n", why);
	fprintf(stderr,
	    "usage: segue-demo-load --target HOST:PORT [--users N]\n"
	    "           [--duration 30s] [--rate N | --think 50ms]\n"
	    "           [--rounds N] [--timeout 10s] [--sources A-B | none]\n"
	    "           [--moved-ok] [--json] [--progress-json] [--control]\n");
	exit(2);
}

static uint64_t
duration(const char *text)
{
	uint64_t us;

	if (!units_read_duration(str_of(text), &us))
		usage(text);
	return us;
}

static uint64_t
number(const char *text, uint64_t max)
{
	uint64_t n;

	if (!str_u64(str_of(text), &n) || n == 0 || n > max)
		usage(text);
	return n;
}

enum {
	OPT_TARGET,
	OPT_USERS,
	OPT_DURATION,
	OPT_RATE,
	OPT_THINK,
	OPT_ROUNDS,
	OPT_TIMEOUT,
	OPT_SOURCES,
	OPT_MOVED_OK,
	OPT_JSON,
	OPT_PROGRESS,
	OPT_CONTROL
};

/* clang-format off */
static const struct option longs[] = {
	{ "target",        required_argument, NULL, OPT_TARGET },
	{ "users",         required_argument, NULL, OPT_USERS },
	{ "duration",      required_argument, NULL, OPT_DURATION },
	{ "rate",          required_argument, NULL, OPT_RATE },
	{ "think",         required_argument, NULL, OPT_THINK },
	{ "rounds",        required_argument, NULL, OPT_ROUNDS },
	{ "timeout",       required_argument, NULL, OPT_TIMEOUT },
	{ "sources",       required_argument, NULL, OPT_SOURCES },
	{ "moved-ok",      no_argument,       NULL, OPT_MOVED_OK },
	{ "json",          no_argument,       NULL, OPT_JSON },
	{ "progress-json", no_argument,       NULL, OPT_PROGRESS },
	{ "control",       no_argument,       NULL, OPT_CONTROL },
	{ NULL, 0, NULL, 0 },
};
/* clang-format on */

static void
read_option(struct load *l, int c, uint64_t *rate)
{
	struct load_options *o = &l->opt;

	switch (c) {
	case OPT_TARGET:
		if (!crowd_read_target(&l->crowd, optarg))
			usage("--target needs IPV4:PORT");
		break;
	case OPT_USERS:
		o->users = (unsigned)number(optarg, 20000);
		break;
	case OPT_DURATION:
		o->duration_us = duration(optarg);
		break;
	case OPT_RATE:
		*rate = number(optarg, 1000000);
		break;
	case OPT_THINK:
		o->think_us = duration(optarg);
		break;
	case OPT_ROUNDS:
		o->rounds = (unsigned)number(optarg, 1000000);
		break;
	case OPT_TIMEOUT:
		l->crowd.timeout_us = duration(optarg);
		break;
	case OPT_SOURCES:
		if (!crowd_read_sources(&l->crowd, optarg))
			usage("--sources needs FIRST-LAST");
		break;
	case OPT_MOVED_OK:
		o->moved_ok = true;
		break;
	case OPT_JSON:
		o->json = true;
		break;
	case OPT_PROGRESS:
		o->progress = true;
		break;
	case OPT_CONTROL:
		o->control = true;
		break;
	default:
		usage(NULL);
	}
}

static void
read_options(struct load *l, int argc, char **argv)
{
	struct load_options *o = &l->opt;
	uint64_t rate = 0;
	int c;

	*o = (struct load_options){ .users = 100,
		.rounds = 20,
		.think_us = 50 * US_PER_MS };
	l->crowd.timeout_us = 10 * US_PER_S;
	if (!crowd_read_sources(&l->crowd, "127.1.0.1-127.1.255.254"))
		abort();
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		read_option(l, c, &rate);
	if (optind != argc || l->crowd.target_text == NULL)
		usage(NULL);
	if ((ntohl(l->crowd.target.sin_addr.s_addr) >> 24) != 127)
		l->crowd.source_first = 0; /* those reach only loopback */
	if (rate > 0)
		o->think_us = US_PER_S * o->users / rate;
	if (o->duration_us == 0 && !o->control)
		o->duration_us = 30 * US_PER_S;
}

static void
on_line(struct crowd *c, const char *line)
{
	struct load *l = CONTAINER_OF(c, struct load, crowd);

	if (strncmp(line, "phase ", 6) == 0)
		tally_phase(&l->tally, line + 6);
}

static void
on_second(struct crowd *c)
{
	report_second(CONTAINER_OF(c, struct load, crowd));
}

static const struct crowd_story story = {
	.ask = user_ask,
	.answered = user_answered,
	.failed = user_failed,
	.line = on_line,
};

static void
run(struct load *l)
{
	tally_phase(&l->tally, "start");
	tally_second(&l->tally);
	for (unsigned i = 0; i < l->opt.users; i++)
		user_start(l, &l->users[i], i);
	crowd_run(&l->crowd);
	tally_end(&l->tally);
	report_final(l);
}

int
main(int argc, char **argv)
{
	static struct load l = { .crowd.story = &story };

	read_options(&l, argc, argv);
	l.users = calloc(l.opt.users, sizeof(*l.users));
	if (l.users == NULL)
		abort();
	crowd_open(&l.crowd);
	if (l.opt.control)
		crowd_obey_input(&l.crowd);
	if (l.opt.progress)
		crowd_each_second(&l.crowd, on_second);
	l.began_us = clock_mono_us();
	if (l.opt.duration_us != 0)
		l.crowd.until_us = l.began_us + l.opt.duration_us;
	run(&l);
	for (unsigned i = 0; i < l.opt.users; i++)
		asker_end(&l.users[i].asker);
	free(l.users);
	crowd_close(&l.crowd);
	return tally_failed(&l.tally) == 0 && l.tally.bounces == 0 ? 0 : 1;
}
