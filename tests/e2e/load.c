/*
 * load - the load driver of the end-to-end tests: options, control, the end.
 *
 *     e2e-load --target 127.0.0.1:8080 [--clients 200] [--think 20ms]
 *         [--eager 0] [--session 20] [--posts 30] [--body 4096]
 *         [--timeout 10s] [--get /get] [--post /post] [--stays X-Version]
 *         [--moved-ok] [--sources 127.1.0.1-127.1.255.254 | none]
 *
 * Lines on standard input: "phase NAME" begins a new stretch and "report"
 * tells all so far; both answer with a line.  "stop", a signal or the end of
 * the input lets what is in flight end; then the report comes once more.
 * Exit: 0 nothing failed and nobody bounced, 1 otherwise, 2 usage.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/str.h"
#include "base/units.h"
#include "tests/e2e/load.h"

static NORETURN void
usage(const char *why)
{
	fprintf(stderr, "e2e-load: %s; its source says how to use it\n", why);
	exit(2);
}

/* ---- options ---- */

static uint64_t
duration(const char *text)
{
	uint64_t us;

	if (!units_read_duration(str_of(text), &us) || us > 3600 * US_PER_S)
		usage(text);
	return us;
}

static unsigned
number(const char *text, uint64_t max)
{
	uint64_t n;

	if (!str_u64(str_of(text), &n) || n > max)
		usage(text);
	return (unsigned)n;
}

/* clang-format off */
static const struct option longs[] = {
	{ "target",   required_argument, NULL, 't' },
	{ "clients",  required_argument, NULL, 'c' },
	{ "eager",    required_argument, NULL, 'e' },
	{ "think",    required_argument, NULL, 'k' },
	{ "session",  required_argument, NULL, 's' },
	{ "posts",    required_argument, NULL, 'p' },
	{ "body",     required_argument, NULL, 'b' },
	{ "timeout",  required_argument, NULL, 'T' },
	{ "get",      required_argument, NULL, 'g' },
	{ "post",     required_argument, NULL, 'P' },
	{ "stays",    required_argument, NULL, 'S' },
	{ "sources",  required_argument, NULL, 'o' },
	{ "moved-ok", no_argument,       NULL, 'm' },
	{ NULL, 0, NULL, 0 },
};
/* clang-format on */

static void
read_option(struct load *l, int c)
{
	struct load_options *o = &l->opt;

	switch (c) {
	case 't':
		if (!crowd_read_target(&l->crowd, optarg))
			usage("--target needs IPV4:PORT");
		break;
	case 'c':
		o->clients = number(optarg, 20000);
		break;
	case 'e':
		o->eager = number(optarg, 20000);
		break;
	case 'k':
		o->think_us = duration(optarg);
		break;
	case 's':
		o->session = number(optarg, 1000000);
		break;
	case 'p':
		o->post_pct = number(optarg, 100);
		break;
	case 'b':
		o->body_max = number(optarg, 16 << 20);
		break;
	case 'T':
		l->crowd.timeout_us = duration(optarg);
		break;
	case 'g':
		o->get = optarg;
		break;
	case 'P':
		o->post = optarg;
		break;
	case 'S':
		o->stays = optarg;
		break;
	case 'o':
		if (!crowd_read_sources(&l->crowd, optarg))
			usage("--sources needs FIRST-LAST");
		break;
	case 'm':
		o->moved_ok = true;
		break;
	default:
		usage("unknown option");
	}
}

static void
read_options(struct load *l, int argc, char **argv)
{
	int c;

	l->opt = (struct load_options){ .get = "/get",
		.post = "/post",
		.stays = "X-Version",
		.clients = 200,
		.session = 20,
		.post_pct = 30,
		.body_max = 4096,
		.think_us = 20 * US_PER_MS };
	l->crowd.timeout_us = 10 * US_PER_S;
	if (!crowd_read_sources(&l->crowd, "127.1.0.1-127.1.255.254"))
		abort();
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		read_option(l, c);
	if (optind != argc || l->crowd.target_text == NULL)
		usage("--target is needed");
}

static void
on_line(struct crowd *c, const char *line)
{
	struct load *l = CONTAINER_OF(c, struct load, crowd);

	if (strncmp(line, "phase ", 6) == 0) {
		tally_phase(&l->tally, line + 6);
		puts("{}");
		(void)fflush(stdout);
	} else if (strcmp(line, "report") == 0) {
		count_report(l);
	}
}

static const struct crowd_story story = {
	.ask = lclient_ask,
	.answered = lclient_answered,
	.failed = lclient_failed,
	.line = on_line,
};

int
main(int argc, char **argv)
{
	static struct load l = { .crowd.story = &story };

	read_options(&l, argc, argv);
	l.clients = calloc(l.opt.clients, sizeof(*l.clients));
	if (l.clients == NULL)
		abort();
	crowd_open(&l.crowd);
	crowd_obey_input(&l.crowd);
	random_bytes(&l.run, sizeof(l.run));
	tally_phase(&l.tally, "start");
	for (unsigned i = 0; i < l.opt.clients; i++)
		lclient_start(&l, &l.clients[i], i);
	crowd_run(&l.crowd);
	count_report(&l);
	for (unsigned i = 0; i < l.opt.clients; i++)
		asker_end(&l.clients[i].asker);
	free(l.clients);
	crowd_close(&l.crowd);
	return tally_failed(&l.tally) == 0 && l.tally.bounces == 0 ? 0 : 1;
}
