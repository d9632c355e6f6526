/*
 * master - the child, signals, start and end.
 */
#include "supervisor/master.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/random.h"
#include "base/thread.h"
#include "config/config.h"
#include "config/tlsfiles.h"
#include "ipc/frame.h"
#include "rollout/runs.h"
#include "session/keyring.h"
#include "supervisor/backoff.h"
#include "supervisor/complain.h"
#include "supervisor/doors.h"
#include "supervisor/jobs.h"
#include "supervisor/master_int.h"
#include "supervisor/network.h"
#include "supervisor/notify.h"
#include "supervisor/privs.h"
#include "supervisor/source.h"
#include "upstream/board.h"

#define QUIT_LIMIT_US (3 * US_PER_S)
/* Signals, jobs and limits have their turn, whatever the process says... */
#define FRAMES_A_TURN 16
#define FRAMES_LAST 4096 /* ... more than a socket holds */
#define START_TRIES 3    /* crashes until a start has failed */
/* What a graceful stop may need beyond its own deadline. */
#define STOP_SLACK_US (5 * US_PER_S)

/* ---- the child ---- */

static const char *
origin_of(const struct master *m)
{
	return m->source->path == NULL ? "command line" : m->source->path;
}

/* Never returns to the master's own loop. */
static NORETURN void
be_network(struct master *m, int link)
{
	struct network_env env = { .master = link,
		.doors = &m->doors,
		.privs = &m->privs,
		.cfg = m->cfg,
		.started = m->started,
		.keyring = m->ring,
		.store_password = m->store_password.p,
		.driver = m->driver,
		.board = m->board,
		.origin = origin_of(m),
		.started_wall_us = m->started_wall_us,
		.master_pid = getppid(),
		.before = m->before[0] == '\0' ? NULL : m->before,
		.was_ready = m->ever_ready };

	close(m->signals);
	close(m->doors.state_lock);
	jobs_leave(&m->jobs);
	exit(network_run(&env));
}

static int
start_child(struct master *m)
{
	int fds[2], rc = frame_pair(fds);
	pid_t pid;

	if (rc != E_OK)
		return rc;
	pid = fork();
	if (pid == -1) {
		rc = err_sys();
		close(fds[0]);
		close(fds[1]);
		return rc;
	}
	if (pid == 0) {
		close(fds[0]);
		be_network(m, fds[1]);
	}
	close(fds[1]);
	m->link = fds[0];
	m->child = pid;
	m->child_since_us = clock_mono_us();
	m->restart_us = 0;
	return E_OK;
}

static void
try_start_child(struct master *m)
{
	int rc = start_child(m);
	uint64_t wait;

	if (rc == E_OK)
		return;
	wait = backoff_next(&m->backoff, 0) + BACKOFF_FIRST_US;
	log_error("event=network_not_started why=\"%s\"", err_text(rc));
	m->restart_us = clock_mono_us() + wait;
}

void
master_tell(struct master *m, enum frame_kind kind, const char *text, int fd)
{
	int rc;

	if (m->link == -1)
		return;
	rc = frame_send(m->link, kind, text, fd);
	if (rc != E_OK)
		log_warn("event=frame_lost kind=%s why=\"%s\"",
		    frame_kind_name(kind), err_text(rc));
}

/* ---- stopping ---- */

static void
stop(struct master *m, bool now)
{
	uint64_t patience = now
	    ? QUIT_LIMIT_US
	    : m->cfg->stop_us + m->cfg->linger_us + STOP_SLACK_US;

	if (m->stopping && !now)
		return;
	m->stopping = true;
	m->stop_now = now;
	m->lame_us = 0;
	m->restart_us = 0;
	m->kill_us = clock_mono_us() + patience;
	notify_stopping();
	log_info("event=stop how=%s", now ? "now" : "graceful");
	master_tell(m, now ? FRAME_QUIT : FRAME_STOP, "", -1);
	jobs_stop_all(m->jobs);
	doors_shut(&m->doors, m->started);
}

/* The first signal begins the lame duck, if there is one; the second ends it. */
static void
stop_soon(struct master *m)
{
	if (m->cfg->lame_duck_us == 0 || m->lame_us != 0 || m->child == 0) {
		stop(m, false);
		return;
	}
	m->lame_us = clock_mono_us() + m->cfg->lame_duck_us;
	log_info("event=lame_duck for_s=%.1f",
	    (double)m->cfg->lame_duck_us / 1e6);
	master_tell(m, FRAME_LAME, "", -1);
}

/* ---- what happens ---- */

/* A stop ends them: that is no outcome to act upon. */
static void
tell_of_run(const struct run_news *n, void *arg)
{
	const struct master *m = arg;
	struct buf text = BUF_INIT;

	if (m->stopping)
		return;
	run_news_write(n, &text);
	if (!text.failed) /* else it will be asked for */
		master_tell(arg, FRAME_JOB_NEWS, text.p, -1);
	buf_free(&text);
}

static void
ask_for_run(struct master *m, const char *text)
{
	struct run_ask ask;

	if (!m->stopping && run_ask_read(text, &ask))
		jobs_ask(m->jobs, &ask, m->cfg, &m->privs);
}

static void
on_frame(struct master *m, const struct frame *f)
{
	struct run_key key;

	if (f->fd != -1)
		close(f->fd);
	switch (f->kind) {
	case FRAME_READY:
		m->ever_ready = true;
		if (m->lame_us != 0)
			master_tell(m, FRAME_LAME, "", -1); /* a new process */
		if (!m->stopping)
			notify_ready();
		break;
	case FRAME_RELOAD_PLEASE:
		master_reload(m);
		break;
	case FRAME_JOB:
		ask_for_run(m, f->text);
		break;
	case FRAME_JOB_STOP:
		if (run_key_read(f->text, &key))
			jobs_stop(m->jobs, &key);
		break;
	case FRAME_RELOADED:
		if (f->text[0] == '\0')
			master_take_next(m);
		master_forget_next(m);
		if (!m->stopping)
			notify_ready();
		break;
	default:
		log_warn("event=frame_unexpected kind=%s",
		    frame_kind_name(f->kind));
	}
}

/* So many at most; whoever says more is heard in the next turn. */
static void
on_link(struct master *m, unsigned most)
{
	int rc = E_OK;

	while (most-- > 0 && (rc == E_OK || rc == E_SYNTAX)) {
		rc = frame_receive(m->link, &m->frame);
		if (rc == E_OK)
			on_frame(m, &m->frame);
	}
	if (rc == E_OK || rc == E_SYNTAX || rc == E_AGAIN)
		return;
	/* It is dying: SIGCHLD will say how. */
	close(m->link);
	m->link = -1;
}

static void
describe_end(struct master *m, int status)
{
	if (WIFSIGNALED(status))
		(void)snprintf(m->before, sizeof(m->before),
		    "killed by signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else
		(void)snprintf(m->before, sizeof(m->before),
		    "ended with status %d", WEXITSTATUS(status));
}

static void
on_child_end(struct master *m, int status)
{
	bool well = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
	uint64_t now = clock_mono_us(), wait;

	if (m->link != -1)
		on_link(m, FRAMES_LAST); /* what it said last */
	if (m->link != -1)
		close(m->link);
	m->link = -1;
	m->child = 0;
	master_forget_next(m);
	describe_end(m, status);
	if (m->stopping) {
		m->status = well ? EXIT_SUCCESS : EXIT_FAILURE;
		m->kill_us = 0;
		/* Jobs may keep us; there is nobody to answer any more. */
		doors_shut_admin(&m->doors, m->started);
		return;
	}
	if (!m->ever_ready &&
	    (WIFEXITED(status) || ++m->crashes == START_TRIES)) {
		/* A process that can say why it does not start has said so. */
		if (WIFSIGNALED(status))
			complain("the network process was %s", m->before);
		m->stopping = true;
		m->status = EXIT_FAILURE;
		return;
	}
	wait = backoff_next(&m->backoff, now - m->child_since_us);
	log_error("event=network_died how=\"%s\" restart_in_ms=%llu", m->before,
	    (unsigned long long)(wait / US_PER_MS));
	m->restart_us = now + wait;
}

static void
reap(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!jobs_reap(m->jobs, pid, status) && pid == m->child)
			on_child_end(m, status);
}

static void
on_signal(struct master *m)
{
	struct signalfd_siginfo s;

	while (read(m->signals, &s, sizeof(s)) == (ssize_t)sizeof(s)) {
		switch (s.ssi_signo) {
		case SIGCHLD:
			reap(m);
			break;
		case SIGTERM:
			stop_soon(m);
			break;
		case SIGHUP:
			master_reload(m);
			break;
		case SIGUSR1:
			master_reopen_logs(m);
			break;
		default:
			stop(m, true);
		}
	}
}

static int
wait_ms(const struct master *m)
{
	uint64_t now = clock_mono_us();
	uint64_t due = m->kill_us != 0 ? m->kill_us : m->restart_us;

	if (m->lame_us != 0 && (due == 0 || m->lame_us < due))
		due = m->lame_us;
	if (m->look_us != 0 && (due == 0 || m->look_us < due))
		due = m->look_us;
	if (m->jobs_us != 0 && (due == 0 || m->jobs_us < due))
		due = m->jobs_us;
	if (due == 0)
		return -1;
	return due <= now ? 0 : (int)((due - now) / US_PER_MS) + 1;
}

/* Jobs have their ten seconds, unless somebody is in a hurry. */
static bool
goes_on(const struct master *m)
{
	return !m->stopping || m->child != 0 ||
	    (!m->stop_now && jobs_are_ending(m->jobs));
}

static void
run(struct master *m)
{
	master_look(m, clock_mono_us());
	while (goes_on(m)) {
		struct pollfd p[] = { { .fd = m->signals, .events = POLLIN },
			{ .fd = m->link, .events = POLLIN },
			{ .fd = jobs_fd(m->jobs), .events = POLLIN } };
		uint64_t now;

		if (poll(p, ARRAY_LEN(p), wait_ms(m)) == -1 && errno != EINTR)
			log_error("event=poll why=\"%s\"", err_text(err_sys()));
		if (p[1].revents != 0 && m->link != -1)
			on_link(m, FRAMES_A_TURN);
		if (p[0].revents != 0)
			on_signal(m);
		now = clock_mono_us();
		master_look(m, now);
		m->jobs_us = jobs_look(m->jobs, now);
		if (m->lame_us != 0 && now >= m->lame_us)
			stop(m, false);
		if (m->restart_us != 0 && now >= m->restart_us)
			try_start_child(m);
		if (m->kill_us != 0 && now >= m->kill_us && m->child != 0) {
			log_error("event=network_killed why=\"it did not "
			          "end in time\"");
			(void)kill(m->child, SIGKILL);
			m->kill_us = now + QUIT_LIMIT_US;
		}
	}
}

/* ---- start ---- */

static int
watch_signals(int *fd)
{
	static const int ours[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1,
		SIGCHLD };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		sigaddset(&set, ours[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == -1)
		return err_sys();
	/* Who started us may ignore it: then nobody would ever be reaped. */
	(void)signal(SIGCHLD, SIG_DFL);
	/* A reader that left, a file as large as it may be: codes, not ends. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	*fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return *fd == -1 ? err_sys() : E_OK;
}

static void
raise_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		return;
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) == -1)
		log_warn("event=files_limit why=\"%s\"", err_text(err_sys()));
}

static unsigned
count_workers(const struct cfg *c)
{
	cpu_set_t cpus;

	if (c->workers != 0)
		return c->workers;
	CPU_ZERO(&cpus);
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == -1)
		return 1;
	return MIN((unsigned)CPU_COUNT(&cpus), CFG_WORKERS_MAX);
}

static int
open_log(const struct cfg *c)
{
	int rc = log_open(c->log_file);

	log_set_level((enum log_level)c->log_level);
	if (rc != E_OK) {
		complain("log.file: %s: %s", c->log_file, err_text(rc));
		return rc;
	}
	if (c->log_file != NULL)
		complain_also_to_log();
	return E_OK;
}

static int
load_ring(struct master *m)
{
	struct buf path = BUF_INIT;
	char why[256] = "out of memory";
	int rc = E_NOMEM;

	source_key_file(m->cfg, &path);
	if (!path.failed)
		rc = keyring_load_or_make(path.p, &m->ring, why, sizeof(why));
	if (rc != E_OK)
		complain("key_file: %s", why);
	buf_free(&path);
	return rc;
}

static int
load_store_password(struct master *m)
{
	char why[512];
	int rc = source_store(m->cfg, &m->store_password, why, sizeof(why));

	if (rc != E_OK)
		complain("%s", why);
	return rc;
}

static int
prepare(struct master *m)
{
	char why[160];
	int rc = open_log(m->cfg);

	if (rc != E_OK)
		return rc;
	rc = privs_find(m->cfg, &m->privs, why, sizeof(why));
	if (rc != E_OK) {
		complain("%s", why);
		return rc;
	}
	raise_files();
	rc = source_make_places(m->source, m->cfg);
	if (rc != E_OK)
		return rc;
	rc = doors_open(m->cfg, &m->privs, count_workers(m->cfg), &m->doors);
	if (rc == E_OK)
		rc = load_ring(m);
	if (rc == E_OK)
		rc = load_store_password(m);
	if (rc != E_OK)
		return rc;
	m->board = board_new();
	m->jobs = jobs_new(tell_of_run, m);
	if (m->board == NULL || m->jobs == NULL)
		rc = E_NOMEM;
	if (rc == E_OK)
		rc = watch_signals(&m->signals);
	if (rc != E_OK)
		complain("%s", err_text(rc));
	return rc;
}

int
master_run(const struct source *source, struct cfg *cfg)
{
	struct master *m = calloc(1, sizeof(*m));
	int status = EXIT_FAILURE;

	thread_become(ROLE_MASTER, "master");
	if (m == NULL) {
		cfg_unref(&cfg);
		return EXIT_FAILURE;
	}
	m->source = source;
	m->cfg = cfg;
	m->started = cfg_ref(cfg);
	tlsfiles_wipe(cfg); /* what was made of them stays */
	m->link = m->signals = -1;
	m->doors.admin_fd = m->doors.http_fd = -1;
	m->doors.access_fd = m->doors.state_lock = -1;
	m->started_wall_us = clock_wall_us();
	random_bytes(&m->driver, sizeof(m->driver));
	m->driver = m->driver >> 1 | 1; /* whole numbers of JSON have a sign */
	if (prepare(m) == E_OK) {
		int rc = start_child(m);

		if (rc == E_OK) {
			run(m);
			status = m->status;
		} else
			complain("%s", err_text(rc));
	}
	doors_close(&m->doors, m->started);
	if (m->signals != -1)
		close(m->signals);
	board_free(&m->board);
	jobs_free(&m->jobs);
	master_forget_next(m);
	keyring_unref(&m->ring);
	buf_wipe(&m->store_password);
	cfg_unref(&m->cfg);
	cfg_unref(&m->started);
	log_close();
	free(m);
	return status;
}
