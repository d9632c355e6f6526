/*
 * load - the load driver of the demonstration: options, control, clock.
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
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
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

static void
read_target(struct load_options *o, const char *text)
{
	int len = sizeof(o->target);

	o->target_text = text;
	if (evutil_parse_sockaddr_port(text, (struct sockaddr *)&o->target,
	        &len) == -1 ||
	    o->target.sin_family != AF_INET || o->target.sin_port == 0)
		usage("--target needs IPV4:PORT");
}

static void
read_sources(struct load_options *o, const char *text)
{
	char first[INET_ADDRSTRLEN];
	const char *dash = strchr(text, '-');
	struct in_addr a, b;

	o->source_first = o->source_last = 0;
	if (strcmp(text, "none") == 0)
		return;
	if (dash == NULL || (size_t)(dash - text) >= sizeof(first))
		usage("--sources needs FIRST-LAST");
	memcpy(first, text, (size_t)(dash - text));
	first[dash - text] = '\0';
	if (inet_pton(AF_INET, first, &a) != 1 ||
	    inet_pton(AF_INET, dash + 1, &b) != 1 ||
	    ntohl(a.s_addr) > ntohl(b.s_addr))
		usage("--sources needs FIRST-LAST");
	o->source_first = ntohl(a.s_addr);
	o->source_last = ntohl(b.s_addr);
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
read_option(struct load_options *o, int c, uint64_t *rate)
{
	switch (c) {
	case OPT_TARGET:
		read_target(o, optarg);
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
		o->timeout_us = duration(optarg);
		break;
	case OPT_SOURCES:
		read_sources(o, optarg);
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
read_options(struct load_options *o, int argc, char **argv)
{
	uint64_t rate = 0;
	int c;

	*o = (struct load_options){ .users = 100,
		.rounds = 20,
		.think_us = 50 * US_PER_MS,
		.timeout_us = 10 * US_PER_S };
	read_sources(o, "127.1.0.1-127.1.255.254");
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		read_option(o, c, &rate);
	if (optind != argc || o->target_text == NULL)
		usage(NULL);
	if ((ntohl(o->target.sin_addr.s_addr) >> 24) != 127)
		o->source_first = 0; /* loopback sources reach only loopback */
	if (rate > 0)
		o->think_us = US_PER_S * o->users / rate;
	if (o->duration_us == 0 && !o->control)
		o->duration_us = 30 * US_PER_S;
}

static void
stop(struct load *l)
{
	l->stopping = true;
}

static void
on_signal(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	stop(arg);
}

static void
on_second(evutil_socket_t fd, short what, void *arg)
{
	struct load *l = arg;

	(void)fd;
	(void)what;
	if (l->opt.progress && !l->stopping)
		report_second(l);
}

/* Every few milliseconds: is it time to end? */
static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct load *l = arg;

	(void)fd;
	(void)what;
	if (l->opt.duration_us != 0 &&
	    clock_mono_us() - l->stats.began_us >= l->opt.duration_us)
		stop(l);
	/* Requests under way end with an answer or their own deadline. */
	if (l->stopping && l->busy == 0)
		(void)event_base_loopbreak(l->base);
}

static void
on_line(struct load *l, char *line)
{
	if (strncmp(line, "phase ", 6) == 0)
		stats_phase(&l->stats, line + 6);
	else if (strcmp(line, "stop") == 0)
		stop(l);
}

static void
on_control(evutil_socket_t fd, short what, void *arg)
{
	static char buf[256];
	static size_t have;
	struct load *l = arg;
	ssize_t n = read(fd, buf + have, sizeof(buf) - 1 - have);
	char *end;

	(void)what;
	if (n <= 0) {
		stop(l);
		(void)event_del(l->control);
		return;
	}
	have += (size_t)n;
	buf[have] = '\0';
	while ((end = strchr(buf, '\n')) != NULL) {
		*end = '\0';
		on_line(l, buf);
		have -= (size_t)(end + 1 - buf);
		memmove(buf, end + 1, have + 1);
	}
	if (have == sizeof(buf) - 1)
		have = 0;
}

static void
must(bool ok)
{
	if (ok)
		return;
	fprintf(stderr, "segue-demo-load: cannot set up the event loop\n");
	exit(1);
}

static struct event *
watch(struct load *l, evutil_socket_t fd, short what, event_callback_fn fn,
    uint64_t every_us)
{
	struct timeval tv = { .tv_sec = (time_t)(every_us / US_PER_S),
		.tv_usec = (suseconds_t)(every_us % US_PER_S) };
	struct event *ev = event_new(l->base, fd, what | EV_PERSIST, fn, l);

	must(ev != NULL && event_add(ev, every_us > 0 ? &tv : NULL) == 0);
	return ev;
}

static void
many_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
}

static void
run(struct load *l)
{
	struct event *ev[5] = { NULL }; /* the last only with --control */

	ev[0] = watch(l, -1, EV_TIMEOUT, on_second, US_PER_S);
	ev[1] = watch(l, -1, EV_TIMEOUT, on_tick, 10 * US_PER_MS);
	ev[2] = watch(l, SIGINT, EV_SIGNAL, on_signal, 0);
	ev[3] = watch(l, SIGTERM, EV_SIGNAL, on_signal, 0);
	if (l->opt.control)
		l->control = ev[4] = watch(l, STDIN_FILENO, EV_READ, on_control,
		    0);
	for (unsigned i = 0; i < l->opt.users; i++)
		user_start(l, &l->users[i], i);
	(void)event_base_dispatch(l->base);
	l->stats.sent_unanswered = l->busy;
	for (size_t i = 0; i < ARRAY_LEN(ev); i++)
		if (ev[i] != NULL)
			event_free(ev[i]);
}

int
main(int argc, char **argv)
{
	static struct load l;
	bool ok;

	read_options(&l.opt, argc, argv);
	many_files();
	(void)signal(SIGPIPE, SIG_IGN);
	srandom((unsigned)getpid());
	l.base = event_base_new();
	l.users = calloc(l.opt.users, sizeof(*l.users));
	must(l.base != NULL && l.users != NULL);
	l.next_source = l.opt.source_first;
	l.stats.began_us = clock_mono_us();
	stats_phase(&l.stats, "start");
	run(&l);
	stats_end(&l.stats);
	report_final(&l);
	ok = stats_failed(&l.stats) == 0 && l.stats.bounces == 0;
	for (unsigned i = 0; i < l.opt.users; i++) {
		conn_drop(&l.users[i]);
		event_free(l.users[i].timer);
	}
	free(l.users);
	event_base_free(l.base);
	return ok ? 0 : 1;
}
