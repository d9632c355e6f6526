#include "supervisor/master.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/thread.h"
#include "config/config.h"
#include "config/pages.h"
#include "ipc/frame.h"
#include "session/keyring.h"
#include "supervisor/backoff.h"
#include "supervisor/complain.h"
#include "supervisor/doors.h"
#include "supervisor/network.h"
#include "supervisor/notify.h"
#include "supervisor/privs.h"
#include "supervisor/source.h"
#include "upstream/board.h"

#define QUIT_LIMIT_US (3 * US_PER_S)
#define START_TRIES 3 /* crashes until a start has failed */
/* What a graceful stop may need beyond its own deadline. */
#define STOP_SLACK_US (5 * US_PER_S)

struct master {
	const struct source *source;
	struct cfg *started;  /* one ref: the doors are its */
	struct cfg *cfg;      /* one ref: the newest taken over */
	struct cfg *next_cfg; /* one ref: being taken over */
	struct keyring *ring; /* one ref */
	struct keyring *next_ring;
	struct privs privs;
	struct doors doors;
	struct board *board;
	struct backoff backoff;
	struct frame frame;
	uint64_t started_wall_us;
	int signals; /* signalfd */
	int link;    /* our end of the frames; -1: no process */
	pid_t child; /* 0: none */
	uint64_t child_since_us;
	uint64_t restart_us; /* monotonic: start one then; 0: no need */
	uint64_t kill_us;    /* monotonic: patience ends; 0: no stop */
	uint64_t lame_us;    /* monotonic: stop then; 0: no lame duck */
	char before[64];     /* how the last one ended */
	unsigned crashes;    /* before it was ever ready */
	bool ever_ready;
	bool stopping;
	int status; /* of the exit */
};

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
		.board = m->board,
		.origin = origin_of(m),
		.started_wall_us = m->started_wall_us,
		.master_pid = getppid(),
		.before = m->before[0] == '\0' ? NULL : m->before };

	close(m->signals);
	close(m->doors.state_lock);
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

static void
tell(struct master *m, enum frame_kind kind, const char *text, int fd)
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
	m->lame_us = 0;
	m->restart_us = 0;
	m->kill_us = clock_mono_us() + patience;
	notify_stopping();
	log_info("event=stop how=%s", now ? "now" : "graceful");
	tell(m, now ? FRAME_QUIT : FRAME_STOP, "", -1);
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
	tell(m, FRAME_LAME, "", -1);
}

/* ---- a new configuration ---- */

static void
forget_next(struct master *m)
{
	cfg_unref(&m->next_cfg);
	keyring_unref(&m->next_ring);
}

static void
take_next(struct master *m)
{
	if (m->next_cfg == NULL)
		return;
	cfg_unref(&m->cfg);
	m->cfg = m->next_cfg;
	m->next_cfg = NULL;
	if (m->next_ring != NULL) {
		keyring_unref(&m->ring);
		m->ring = m->next_ring;
		m->next_ring = NULL;
	}
	log_set_level((enum log_level)m->cfg->log_level);
}

/* The ring of next_cfg; the network process gets the file. */
static int
pass_keys(struct master *m, char *why, size_t cap)
{
	struct buf path = BUF_INIT;
	int rc, fd = -1;

	source_key_file(m->next_cfg, &path);
	if (path.failed)
		return E_NOMEM;
	rc = keyring_load_or_make(path.p, &m->next_ring, why, cap);
	if (rc == E_OK) {
		fd = open(path.p, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd == -1)
			rc = err_sys();
	}
	if (fd != -1) {
		tell(m, FRAME_KEYS, "", fd);
		close(fd);
	}
	buf_free(&path);
	return rc;
}

static int
pass_text(struct master *m, enum frame_kind kind, struct str text)
{
	int fd = memfd_create(frame_kind_name(kind), MFD_CLOEXEC), rc = E_OK;

	if (fd == -1)
		return err_sys();
	rc = file_write_all(fd, text);
	if (rc == E_OK && lseek(fd, 0, SEEK_SET) == -1)
		rc = err_sys();
	if (rc == E_OK)
		tell(m, kind, "", fd);
	close(fd);
	return rc;
}

static int
pass_pages(struct master *m)
{
	struct buf text = BUF_INIT;
	int rc;

	pages_pack(m->next_cfg, &text);
	rc = text.failed ? E_NOMEM : pass_text(m, FRAME_PAGES, buf_str(&text));
	buf_free(&text);
	return rc;
}

/* Reads all that the network process may not; it decides. */
static int
prepare_reload(struct master *m, struct buf *said)
{
	struct buf text = BUF_INIT;
	char why[256] = "";
	int rc;

	if (m->source->path == NULL) {
		buf_add_cstr(said,
		    "segued was started without a file: there "
		    "is nothing to read anew");
		return E_UNSUPPORTED;
	}
	rc = source_read(m->source, &text, said, &m->next_cfg);
	if (rc == E_OK) {
		rc = pass_keys(m, why, sizeof(why));
		if (rc != E_OK)
			buf_printf(said, "%s\n",
			    why[0] == '\0' ? err_text(rc) : why);
		else
			rc = pass_pages(m);
	} else if (rc == E_SYNTAX) {
		buf_reset(said); /* it finds and says the same */
		rc = E_OK;
	}
	if (rc == E_OK)
		rc = pass_text(m, FRAME_RELOAD, buf_str(&text));
	buf_free(&text);
	return rc;
}

static void
reload(struct master *m)
{
	struct buf said = BUF_INIT;
	int rc;

	if (m->stopping)
		return;
	notify_reloading();
	forget_next(m);
	rc = prepare_reload(m, &said);
	if (rc != E_OK) {
		forget_next(m);
		if (said.len == 0)
			buf_add_cstr(&said, err_text(rc));
		log_error("event=reload_refused why=\"%s\"", said.p);
		tell(m, FRAME_RELOAD, said.p, -1);
		notify_ready();
	} else if (m->child == 0) {
		take_next(m);
		notify_ready();
	}
	buf_free(&said);
}

/* ---- logs ---- */

static void
reopen_logs(struct master *m)
{
	int rc = log_reopen(), fd;

	if (rc == E_OK)
		rc = doors_reopen_access(&m->doors, m->started);
	if (rc != E_OK)
		log_error("event=logs_not_reopened why=\"%s\"", err_text(rc));
	if (m->started->log_file != NULL) {
		fd = open(m->started->log_file,
		    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
		if (fd != -1) {
			tell(m, FRAME_LOG_FILE, "", fd);
			close(fd);
		}
	}
	if (m->started->access_file != NULL)
		tell(m, FRAME_ACCESS_FILE, "", m->doors.access_fd);
	log_info("event=logs_reopened");
}

/* ---- what happens ---- */

static void
on_frame(struct master *m, const struct frame *f)
{
	if (f->fd != -1)
		close(f->fd);
	switch (f->kind) {
	case FRAME_READY:
		m->ever_ready = true;
		if (m->lame_us != 0)
			tell(m, FRAME_LAME, "", -1); /* a new process */
		if (!m->stopping)
			notify_ready();
		break;
	case FRAME_RELOAD_PLEASE:
		reload(m);
		break;
	case FRAME_RELOADED:
		if (f->text[0] == '\0')
			take_next(m);
		forget_next(m);
		if (!m->stopping)
			notify_ready();
		break;
	default:
		log_warn("event=frame_unexpected kind=%s",
		    frame_kind_name(f->kind));
	}
}

static void
on_link(struct master *m)
{
	int rc;

	for (;;) {
		rc = frame_receive(m->link, &m->frame);
		if (rc == E_OK)
			on_frame(m, &m->frame);
		else if (rc != E_SYNTAX)
			break;
	}
	if (rc == E_AGAIN)
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
		on_link(m); /* what it said last */
	if (m->link != -1)
		close(m->link);
	m->link = -1;
	m->child = 0;
	forget_next(m);
	describe_end(m, status);
	if (m->stopping) {
		m->status = well ? EXIT_SUCCESS : EXIT_FAILURE;
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
		if (pid == m->child)
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
			reload(m);
			break;
		case SIGUSR1:
			reopen_logs(m);
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
	if (due == 0)
		return -1;
	return due <= now ? 0 : (int)((due - now) / US_PER_MS) + 1;
}

static void
run(struct master *m)
{
	while (!m->stopping || m->child != 0) {
		struct pollfd p[2] = { { .fd = m->signals, .events = POLLIN },
			{ .fd = m->link, .events = POLLIN } };
		uint64_t now;

		if (poll(p, 2, wait_ms(m)) == -1 && errno != EINTR)
			log_error("event=poll why=\"%s\"", err_text(err_sys()));
		if (p[1].revents != 0 && m->link != -1)
			on_link(m);
		if (p[0].revents != 0)
			on_signal(m);
		now = clock_mono_us();
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
	if (rc != E_OK)
		return rc;
	m->board = board_new();
	if (m->board == NULL)
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
	m->link = m->signals = -1;
	m->doors.admin_fd = m->doors.http_fd = -1;
	m->doors.access_fd = m->doors.state_lock = -1;
	m->started_wall_us = clock_wall_us();
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
	forget_next(m);
	keyring_unref(&m->ring);
	cfg_unref(&m->cfg);
	cfg_unref(&m->started);
	log_close();
	free(m);
	return status;
}
