/*
 * idp - a small sample identity service: options, start, warm-up and stop.
 *
 *     segue-demo-idp --listen 127.0.0.1:9101 --version v1 [--warm-up 2s]
 *         [--latency 2ms] [--stop-grace 10s] [--key FILE] [--shared FILE]
 *
 * On SIGTERM it becomes unready at once but still accepts for LEAVE_US, since
 * a proxy needs a moment to see it; then it stops accepting, answers what is
 * in flight, and exits with 0 once nothing has been asked for QUIET_US or the
 * grace is over.  Every answer from SIGTERM on closes its connection.
 */
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "base/units.h"
#include "contrib/demo/idp.h"
#include "contrib/demo/once.h"

#define LEAVE_US (500 * US_PER_MS) /* unready, yet accepting */
#define QUIET_US (200 * US_PER_MS) /* no question for so long: gone */
#define TICK_US (20 * US_PER_MS)
#define IDLE_S 75 /* an idle connection is kept so long */

struct options {
	const char *listen, *version, *key, *shared;
	uint64_t warm_us, latency_us, grace_us;
};

static NORETURN void
usage(void)
{
	fprintf(stderr,
	    "usage: segue-demo-idp --listen HOST:PORT --version NAME\n"
	    "           [--warm-up 2s] [--latency 2ms] [--stop-grace 10s]\n"
	    "           [--key FILE] [--shared FILE]\n");
	exit(2);
}

static NORETURN void
die(const char *what, int code)
{
	fprintf(stderr, "segue-demo-idp: %s: %s\n", what, err_text(code));
	exit(1);
}

static void
read_duration(const char *text, uint64_t *us)
{
	if (!units_read_duration(str_of(text), us)) {
		fprintf(stderr, "segue-demo-idp: %s: not a duration\n", text);
		usage();
	}
}

static void
read_options(int argc, char **argv, struct options *o)
{
	/* clang-format off */
	static const struct option longs[] = {
		{ "listen",     required_argument, NULL, 'l' },
		{ "version",    required_argument, NULL, 'v' },
		{ "warm-up",    required_argument, NULL, 'w' },
		{ "latency",    required_argument, NULL, 'd' },
		{ "stop-grace", required_argument, NULL, 'g' },
		{ "key",        required_argument, NULL, 'k' },
		{ "shared",     required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	/* clang-format on */
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'l':
			o->listen = optarg;
			break;
		case 'v':
			o->version = optarg;
			break;
		case 'w':
			read_duration(optarg, &o->warm_us);
			break;
		case 'd':
			read_duration(optarg, &o->latency_us);
			break;
		case 'g':
			read_duration(optarg, &o->grace_us);
			break;
		case 'k':
			o->key = optarg;
			break;
		case 's':
			o->shared = optarg;
			break;
		default:
			usage();
		}
	}
	if (optind != argc || o->listen == NULL || o->version == NULL ||
	    !grant_word_ok(o->listen) || !grant_word_ok(o->version))
		usage();
}

static void
timer_in(struct event *ev, uint64_t us)
{
	struct timeval tv = { .tv_sec = (time_t)(us / US_PER_S),
		.tv_usec = (suseconds_t)(us % US_PER_S) };

	(void)evtimer_add(ev, &tv);
}

static void
on_warm(evutil_socket_t fd, short what, void *arg)
{
	struct idp *idp = arg;

	(void)fd;
	(void)what;
	if (idp->state != IDP_STARTING)
		return;
	idp->state = IDP_UP;
	printf("%s %s up\n", idp->version, idp->instance);
	fflush(stdout);
}

/* Ticks from SIGTERM to the end. */
static void
on_leave(evutil_socket_t fd, short what, void *arg)
{
	struct idp *idp = arg;
	uint64_t now = clock_mono_us();

	(void)fd;
	(void)what;
	if (idp->door != NULL && now - idp->stop_us >= LEAVE_US) {
		evhttp_del_accept_socket(idp->http, idp->door);
		idp->door = NULL;
	}
	if (now - idp->stop_us >= idp->grace_us ||
	    (idp->door == NULL && idp->in_flight == 0 &&
	        now - idp->last_us >= QUIET_US)) {
		(void)event_base_loopbreak(idp->base);
		return;
	}
	timer_in(idp->leave, TICK_US);
}

static void
on_term(evutil_socket_t fd, short what, void *arg)
{
	struct idp *idp = arg;

	(void)fd;
	(void)what;
	if (idp->state == IDP_STOPPING)
		return;
	idp->state = IDP_STOPPING;
	idp->stop_us = clock_mono_us();
	printf("%s %s stopping\n", idp->version, idp->instance);
	fflush(stdout);
	timer_in(idp->leave, TICK_US);
}

static void
start_listening(struct idp *idp)
{
	struct evconnlistener *listener;
	struct sockaddr_storage sa;
	int len = sizeof(sa);

	memset(&sa, 0, sizeof(sa));
	if (evutil_parse_sockaddr_port(idp->instance, (struct sockaddr *)&sa,
	        &len) == -1)
		die(idp->instance, E_SYNTAX);
	listener = evconnlistener_new_bind(idp->base, NULL, NULL,
	    LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
	    1024, (struct sockaddr *)&sa, len);
	if (listener == NULL)
		die(idp->instance, err_sys());
	idp->door = evhttp_bind_listener(idp->http, listener);
	if (idp->door == NULL)
		die(idp->instance, E_NOMEM);
}

static void
start(struct idp *idp, const struct options *o)
{
	int rc;

	*idp = (struct idp){ .version = o->version,
		.instance = o->listen,
		.state = IDP_STARTING,
		.began_us = clock_mono_us(),
		.latency_us = o->latency_us,
		.grace_us = o->grace_us };
	rc = grant_key_read(o->key, &idp->key);
	if (rc != E_OK)
		die(o->key, rc);
	rc = once_open(o->shared, &idp->once);
	if (rc != E_OK)
		die(o->shared, rc);
	idp->base = event_base_new();
	if (idp->base != NULL)
		idp->http = evhttp_new(idp->base);
	if (idp->http == NULL)
		die("start", E_NOMEM);
	evhttp_set_gencb(idp->http, idp_serve, idp);
	evhttp_set_allowed_methods(idp->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST);
	evhttp_set_max_body_size(idp->http, IDP_BODY_MAX);
	evhttp_set_max_headers_size(idp->http, IDP_BODY_MAX);
	evhttp_set_timeout(idp->http, IDLE_S);
	start_listening(idp);
	idp->warm = evtimer_new(idp->base, on_warm, idp);
	idp->leave = evtimer_new(idp->base, on_leave, idp);
	if (idp->warm == NULL || idp->leave == NULL)
		die("start", E_NOMEM);
	timer_in(idp->warm, o->warm_us);
}

int
main(int argc, char **argv)
{
	struct options o = { .grace_us = 10 * US_PER_S };
	struct event *term, *intr;
	struct idp idp;

	read_options(argc, argv, &o);
	(void)signal(SIGPIPE, SIG_IGN);
	start(&idp, &o);
	term = evsignal_new(idp.base, SIGTERM, on_term, &idp);
	intr = evsignal_new(idp.base, SIGINT, on_term, &idp);
	if (term == NULL || intr == NULL || event_add(term, NULL) == -1 ||
	    event_add(intr, NULL) == -1)
		die("signals", E_NOMEM);
	printf("%s %s listening\n", idp.version, idp.instance);
	fflush(stdout);
	(void)event_base_dispatch(idp.base);
	event_free(term);
	event_free(intr);
	event_free(idp.warm);
	event_free(idp.leave);
	evhttp_free(idp.http);
	event_base_free(idp.base);
	once_close(&idp.once);
	return 0;
}
