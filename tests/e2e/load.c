/*
 * load - the load driver of the end-to-end tests: options, control, the end.
 *
 *     e2e-load --target 127.0.0.1:8080 [--clients 200] [--think 20ms]
 *         [--session 20] [--posts 30] [--body 4096] [--timeout 10s]
 *         [--get /get] [--post /post] [--stays X-Version] [--moved-ok]
 *         [--sources 127.1.0.1-127.1.255.254 | none]
 *
 * Lines on standard input: "phase NAME" begins a new stretch and "report"
 * tells all so far; both answer with a line.  "stop", a signal or the end of
 * the input lets what is in flight end; then the report comes once more.
 * Exit: 0 nothing failed and nobody bounced, 1 otherwise, 2 usage.
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
#include "base/random.h"
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
	size_t len = strcspn(text, "-");
	struct in_addr a, b;

	o->source_first = o->source_last = 0;
	if (strcmp(text, "none") == 0)
		return;
	if (text[len] == '\0' || len >= sizeof(first))
		usage("--sources needs FIRST-LAST");
	memcpy(first, text, len);
	first[len] = '\0';
	if (inet_pton(AF_INET, first, &a) != 1 ||
	    inet_pton(AF_INET, text + len + 1, &b) != 1 ||
	    ntohl(a.s_addr) > ntohl(b.s_addr))
		usage("--sources needs FIRST-LAST");
	o->source_first = ntohl(a.s_addr);
	o->source_last = ntohl(b.s_addr);
}

/* clang-format off */
static const struct option longs[] = {
	{ "target",   required_argument, NULL, 't' },
	{ "clients",  required_argument, NULL, 'c' },
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
read_option(struct load_options *o, int c)
{
	switch (c) {
	case 't':
		read_target(o, optarg);
		break;
	case 'c':
		o->clients = number(optarg, 20000);
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
		o->timeout_us = duration(optarg);
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
		read_sources(o, optarg);
		break;
	case 'm':
		o->moved_ok = true;
		break;
	default:
		usage("unknown option");
	}
}

static void
read_options(struct load_options *o, int argc, char **argv)
{
	int c;

	*o = (struct load_options){ .get = "/get",
		.post = "/post",
		.stays = "X-Version",
		.clients = 200,
		.session = 20,
		.post_pct = 30,
		.body_max = 4096,
		.think_us = 20 * US_PER_MS,
		.timeout_us = 10 * US_PER_S };
	read_sources(o, "127.1.0.1-127.1.255.254");
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		read_option(o, c);
	if (optind != argc || o->target_text == NULL)
		usage("--target is needed");
}

/* ---- control ---- */

static void
on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct load *l = arg;

	(void)fd;
	(void)what;
	l->stopping = true;
}

/* Requests under way end with an answer or their own deadline. */
static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct load *l = arg;

	(void)fd;
	(void)what;
	if (l->stopping && l->busy == 0)
		(void)event_base_loopbreak(l->base);
}

static void
on_line(struct load *l, const char *line)
{
	if (strncmp(line, "phase ", 6) == 0) {
		count_phase(&l->stats, line + 6);
		puts("{}");
		(void)fflush(stdout);
	} else if (strcmp(line, "report") == 0) {
		count_report(l);
	} else if (strcmp(line, "stop") == 0) {
		l->stopping = true;
	}
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
		l->stopping = true;
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
	fprintf(stderr, "e2e-load: cannot set up the event loop\n");
	exit(1);
}

static struct event *
watch(struct load *l, evutil_socket_t fd, short what, event_callback_fn fn,
    uint64_t every_us)
{
	struct timeval tv = { .tv_usec = (suseconds_t)every_us };
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
	struct event *ev[4];

	ev[0] = watch(l, -1, EV_TIMEOUT, on_tick, 5 * US_PER_MS);
	ev[1] = watch(l, SIGINT, EV_SIGNAL, on_signal, 0);
	ev[2] = watch(l, SIGTERM, EV_SIGNAL, on_signal, 0);
	ev[3] = l->control = watch(l, STDIN_FILENO, EV_READ, on_control, 0);
	for (unsigned i = 0; i < l->opt.clients; i++)
		lclient_start(l, &l->clients[i], i);
	(void)event_base_dispatch(l->base);
	for (size_t i = 0; i < ARRAY_LEN(ev); i++)
		event_free(ev[i]);
}

static bool
all_well(const struct load_stats *s)
{
	for (unsigned i = 0; i < FAIL_COUNT; i++)
		if (s->failures[0][i] + s->failures[1][i] > 0)
			return false;
	return s->bounces == 0;
}

int
main(int argc, char **argv)
{
	static struct load l;

	read_options(&l.opt, argc, argv);
	many_files();
	(void)signal(SIGPIPE, SIG_IGN);
	l.base = event_base_new();
	l.clients = calloc(l.opt.clients, sizeof(*l.clients));
	must(l.base != NULL && l.clients != NULL);
	l.next_source = l.opt.source_first;
	random_bytes(&l.run, sizeof(l.run));
	count_phase(&l.stats, "start");
	run(&l);
	count_report(&l);
	for (unsigned i = 0; i < l.opt.clients; i++)
		lclient_free(&l.clients[i]);
	free(l.clients);
	event_base_free(l.base);
	return all_well(&l.stats) ? 0 : 1;
}
