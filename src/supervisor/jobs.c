#include "supervisor/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/units.h"
#include "config/config.h"
#include "config/valid.h"
#include "supervisor/job_process.h"
#include "supervisor/privs.h"

/* Of a flood, so much a look: others want to be looked at, too. */
#define READ_MAX ((size_t)256 << 10)
/* So often is looked at what does not say when it is to be looked at. */
#define LOOK_US (50 * US_PER_MS)

struct run {
	LIST_ENTRY(run) link;
	struct run_ask ask;
	struct cfg *cfg;           /* one ref: .job is its */
	const struct cfg_job *job; /* NULL: there is none of that name */
	struct privs privs;
	bool asks_when; /* it is the command that says whether it is needed */
	bool called_off, late;
	pid_t pid;    /* 0: none */
	pid_t group;  /* the last .pid */
	bool left;    /* that has ended, others of its group have not */
	int status;   /* ... with this */
	int out;      /* what it writes; -1: none */
	int epoll;    /* that of all */
	bool watched; /* ... looks at .out */
	uint64_t began_us,
	    end_us;        /* monotonic; .end_us: send TERM, KILL then */
	int sent;          /* SIGTERM, SIGKILL; 0: neither */
	uint64_t again_us; /* monotonic: it is run again then; 0: it is not */
	char tail[RUN_TAIL_MAX];
	size_t n_tail;
	struct run_news news;
};

struct jobs {
	jobs_tell_fn *tell;
	void *arg;
	int epoll;
	LIST_HEAD(, run) runs; /* owned */
};

struct jobs *
jobs_new(jobs_tell_fn *tell, void *arg)
{
	struct jobs *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->tell = tell;
	j->arg = arg;
	LIST_INIT(&j->runs);
	j->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (j->epoll == -1)
		jobs_free(&j);
	else
		(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	return j;
}

/* Out of the epoll first: a network process may hold a copy of it. */
static void
close_output(struct run *r)
{
	if (r->out == -1)
		return;
	(void)epoll_ctl(r->epoll, EPOLL_CTL_DEL, r->out, NULL);
	close(r->out);
	r->out = -1;
}

static void
drop(struct run *r)
{
	LIST_REMOVE(r, link);
	close_output(r);
	cfg_unref(&r->cfg);
	free(r);
}

static bool
is_running(const struct run *r)
{
	return r->pid != 0 || r->left || r->again_us != 0;
}

static bool
group_lives(const struct run *r)
{
	return kill(-r->group, 0) == 0 || errno == EPERM;
}

/* It may not have made the group yet, or just now, and others in it. */
static void
signal_group(const struct run *r, int signal)
{
	if (kill(-r->group, signal) == 0 || r->pid == 0)
		return;
	(void)kill(r->pid, signal);
	(void)kill(-r->group, signal);
}

void
jobs_free(struct jobs **jp)
{
	struct jobs *j = *jp;
	struct run *r;

	if (j == NULL)
		return;
	LIST_FOREACH (r, &j->runs, link)
		if (is_running(r))
			signal_group(r, SIGKILL);
	jobs_leave(jp);
}

void
jobs_leave(struct jobs **jp)
{
	struct jobs *j = *jp;
	struct run *r;

	while ((r = LIST_FIRST(&j->runs)) != NULL) {
		if (r->out != -1)
			close(r->out); /* the epoll is not ours alone */
		r->out = -1;
		drop(r);
	}
	if (j->epoll != -1)
		close(j->epoll);
	free(j);
	*jp = NULL;
}

int
jobs_fd(const struct jobs *j)
{
	return j->epoll;
}

/* ---- what they say ---- */

/* Fit for people's terminals and, as JSON, for a frame. */
static char
plain(char c)
{
	unsigned char u = (unsigned char)c;

	if (c == '\r')
		return '\n'; /* a line that is shown over the one before */
	return c == '\n' || c == '\t' || (u >= ' ' && u != 0x7f) ? c : '?';
}

static void
keep_tail(struct run *r, const char *bytes, size_t n)
{
	size_t cap = sizeof(r->tail) - 1, keep = MIN(n, cap), old;

	bytes += n - keep;
	old = MIN(r->n_tail, cap - keep);
	memmove(r->tail, r->tail + r->n_tail - old, old);
	for (size_t i = 0; i < keep; i++)
		r->tail[old + i] = plain(bytes[i]);
	r->n_tail = old + keep;
	r->tail[r->n_tail] = '\0';
}

static void
read_output(struct run *r)
{
	char bytes[16384];
	size_t sum = 0;
	ssize_t n = 1;

	while (r->out != -1 && sum < READ_MAX && n > 0) {
		n = read(r->out, bytes, sizeof(bytes));
		if (n > 0)
			keep_tail(r, bytes, (size_t)n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			close_output(r);
		sum += n > 0 ? (size_t)n : 0;
	}
}

static void
tell(struct jobs *j, struct run *r)
{
	r->news.key = r->ask.key;
	r->news.pid = r->pid;
	if (!r->news.ended)
		r->news.took_us = r->began_us == 0
		    ? 0
		    : clock_mono_us() - r->began_us;
	memcpy(r->news.tail, r->tail, r->n_tail + 1);
	j->tell(&r->news, j->arg);
}

/* ---- the end ---- */

static void end(struct jobs *, struct run *, enum ro_verdict, int status,
    const char *fmt, ...) PRINTF_LIKE(5, 6);

static void
end(struct jobs *j, struct run *r, enum ro_verdict verdict, int status,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(r->news.why, sizeof(r->news.why), fmt, ap);
	va_end(ap);
	r->news.ended = true;
	r->news.verdict = (uint8_t)verdict;
	r->news.exit = (int16_t)status;
	r->news.took_us = r->began_us == 0 ? 0 : clock_mono_us() - r->began_us;
	r->end_us = 0;
	close_output(r);
	if (verdict == RO_VERDICT_FAILED && r->group != 0)
		signal_group(r, SIGKILL); /* what is left of it */
	log_info("event=job_ended service=%s job=%s run=%u verdict=%s "
	         "took_s=%.3f why=\"%s\"",
	    r->ask.key.service, r->ask.job, r->ask.key.run,
	    run_verdict_name(verdict), (double)r->news.took_us / 1e6,
	    r->news.why);
	tell(j, r);
}

static bool
is_among(const unsigned *list, size_t n, int status)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == (unsigned)status)
			return true;
	return false;
}

static void
end_killed(struct jobs *j, struct run *r, int signal)
{
	char limit[UNITS_MAX];

	units_duration(r->job->timeout_us, limit);
	if (r->called_off)
		end(j, r, RO_VERDICT_FAILED, -1, "it was called off");
	else if (r->late)
		end(j, r, RO_VERDICT_FAILED, -1, "it took longer than %s",
		    limit);
	else
		end(j, r, RO_VERDICT_FAILED, -1, "killed by signal %d (%s)",
		    signal, strsignal(signal));
}

static void start(struct jobs *, struct run *);

static void
end_exited(struct jobs *j, struct run *r, int status)
{
	if (r->asks_when && status == 0) {
		r->asks_when = false;
		start(j, r);
	} else if (r->asks_when && status == 1) {
		end(j, r, RO_VERDICT_OK, 0, "it is not needed");
	} else if (r->asks_when) {
		end(j, r, RO_VERDICT_FAILED, status,
		    "whether it is needed: exit status %d", status);
	} else if (is_among(r->job->again, r->job->n_again, status)) {
		r->again_us = clock_mono_us() + r->job->every_us;
		tell(j, r);
	} else {
		end(j, r,
		    is_among(r->job->ok, r->job->n_ok, status) ? RO_VERDICT_OK
		        : is_among(r->job->ask, r->job->n_ask, status)
		        ? RO_VERDICT_ASK
		        : RO_VERDICT_FAILED,
		    status, "exit status %d", status);
	}
}

static void
finish(struct jobs *j, struct run *r)
{
	r->left = false;
	read_output(r);
	close_output(r);
	if (r->called_off || r->late || !WIFEXITED(r->status))
		end_killed(j, r,
		    WIFSIGNALED(r->status) ? WTERMSIG(r->status) : 0);
	else
		end_exited(j, r, WEXITSTATUS(r->status));
}

bool
jobs_reap(struct jobs *j, pid_t pid, int status)
{
	struct run *r;

	LIST_FOREACH (r, &j->runs, link)
		if (r->pid == pid)
			break;
	if (r == NULL)
		return false;
	r->pid = 0;
	r->status = status;
	/* A shell dies of TERM at once; what it runs may have to tidy up. */
	r->left = r->sent == SIGTERM && group_lives(r);
	if (!r->left)
		finish(j, r);
	return true;
}

/* ---- calling off ---- */

static void
ask_to_end(struct run *r, uint64_t now_us)
{
	if (!is_running(r) || r->again_us != 0)
		return; /* no process is there now */
	r->sent = r->sent == 0 ? SIGTERM : SIGKILL;
	r->end_us = now_us + JOBS_GRACE_US;
	signal_group(r, r->sent);
}

/* Who was told already keeps the time that is left. */
static void
call_off(struct run *r)
{
	r->called_off = true;
	if (r->sent == 0)
		ask_to_end(r, clock_mono_us());
}

/* ---- the beginning ---- */

/* In a rehearsal nothing but what is there for it. */
static char *const *
words_of(const struct run *r, size_t *n)
{
	if (r->ask.rehearsal) {
		*n = r->job->n_rehearse;
		return r->job->rehearse;
	}
	*n = r->asks_when ? r->job->n_when : r->job->n_command;
	return r->asks_when ? r->job->when : r->job->command;
}

static void
start(struct jobs *j, struct run *r)
{
	size_t n;
	char *const *words = words_of(r, &n);
	struct epoll_event e = { .events = EPOLLIN };
	char why[RUN_WHY_MAX];
	int rc = job_process_start(r->job, words, n, &r->ask,
	    r->cfg->admin_socket, &r->privs, &r->pid, &r->out, why,
	    sizeof(why));

	if (rc != E_OK) {
		r->pid = 0;
		end(j, r, RO_VERDICT_FAILED, -1, "%s", why);
		return;
	}
	r->group = r->pid;
	r->watched = epoll_ctl(j->epoll, EPOLL_CTL_ADD, r->out, &e) == 0;
	if (r->began_us == 0) {
		r->began_us = clock_mono_us();
		r->end_us = r->began_us + r->job->timeout_us;
	}
	log_info("event=job_began service=%s job=%s run=%u pid=%d program=%s",
	    r->ask.key.service, r->ask.job, r->ask.key.run, (int)r->pid,
	    words[0]);
	tell(j, r);
}

static struct run *
find(struct jobs *j, const struct run_key *k)
{
	struct run *r;

	LIST_FOREACH (r, &j->runs, link)
		if (run_key_is(&r->ask.key, k))
			return r;
	return NULL;
}

/*
 * Those of the service that have ended go; does one still run?  It is wanted
 * no more: the network process knows of one run of a service, and has died
 * before it could say so.
 */
static bool
make_way(struct jobs *j, const char *service)
{
	struct run *r, *next;
	bool runs = false;

	for (r = LIST_FIRST(&j->runs); r != NULL; r = next) {
		next = LIST_NEXT(r, link);
		if (strcmp(r->ask.key.service, service) != 0)
			continue;
		if (is_running(r)) {
			call_off(r);
			runs = true;
		} else {
			drop(r);
		}
	}
	return runs;
}

/* Of the instance that it is for; "" for none, NULL: there is none such. */
static const char *
address_of(const struct cfg_service *svc, const struct run_ask *ask)
{
	const struct cfg_pool *p = cfg_pool_find(svc, str_of(ask->to));

	if (ask->instance[0] == '\0')
		return "";
	for (size_t i = 0; p != NULL && i < p->n_instances; i++)
		if (strcmp(p->instances[i].name, ask->instance) == 0)
			return p->instances[i].address.text;
	return NULL;
}

static void
begin(struct jobs *j, const struct run_ask *ask, struct cfg *cfg,
    const struct privs *privs)
{
	const struct cfg_service *svc = cfg_service_find(cfg,
	    str_of(ask->key.service));
	struct run *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return; /* it will be asked for again */
	r->ask = *ask;
	r->cfg = cfg_ref(cfg);
	r->privs = *privs;
	r->out = -1;
	r->epoll = j->epoll;
	if (svc != NULL) {
		r->job = cfg_job_find(svc, str_of(ask->job));
		str_copy(str_of(cfg_version_of(svc, str_of(ask->from))),
		    r->ask.from_version, sizeof(r->ask.from_version));
	}
	r->ask.address = svc == NULL ? NULL : address_of(svc, &r->ask);
	LIST_INSERT_HEAD(&j->runs, r, link);
	if (r->job == NULL || r->ask.address == NULL) {
		end(j, r, RO_VERDICT_FAILED, -1,
		    "the configuration has no such %s any more",
		    r->job == NULL ? "job" : "instance");
		drop(r); /* there is no end of such names */
		return;
	}
	r->asks_when = r->job->n_when > 0 && !ask->rehearsal;
	if (ask->rehearsal && r->job->n_rehearse == 0)
		end(j, r, RO_VERDICT_FAILED, -1,
		    "the configuration has no command for its rehearsal any "
		    "more");
	else
		start(j, r);
}

static bool
holds(const char *text, bool (*valid)(struct str), bool or_nothing)
{
	size_t len = strlen(text);

	return len == 0 ? or_nothing : valid(str_from(text, len));
}

/* All of it gets into an environment, and perhaps before a shell. */
static bool
is_proper(const struct run_ask *a)
{
	return holds(a->key.service, valid_name, false) &&
	    holds(a->job, valid_name, false) &&
	    holds(a->from, valid_name, true) &&
	    holds(a->to, valid_name, false) &&
	    holds(a->version, valid_label, true) &&
	    holds(a->step, valid_label, true) &&
	    holds(a->instance, valid_label, true);
}

void
jobs_ask(struct jobs *j, const struct run_ask *ask, struct cfg *cfg,
    const struct privs *privs)
{
	struct run *r = find(j, &ask->key);

	if (!is_proper(ask))
		log_warn("event=job_refused why=\"the network process names "
		         "what cannot be\"");
	else if (r != NULL)
		tell(j, r);
	else if (!make_way(j, ask->key.service))
		begin(j, ask, cfg, privs);
}

/* ---- ending them ---- */

void
jobs_stop(struct jobs *j, const struct run_key *k)
{
	struct run *r = find(j, k);

	if (r != NULL)
		call_off(r);
}

void
jobs_stop_all(struct jobs *j)
{
	struct run *r;

	LIST_FOREACH (r, &j->runs, link)
		call_off(r);
}

bool
jobs_are_ending(const struct jobs *j)
{
	const struct run *r;

	LIST_FOREACH (r, &j->runs, link)
		if (is_running(r) && r->sent == SIGTERM)
			return true;
	return false;
}

/* Between two times of one that is run again. */
static void
look_again(struct jobs *j, struct run *r, uint64_t now_us)
{
	r->late |= now_us >= r->end_us;
	if (!r->late && !r->called_off && now_us < r->again_us)
		return;
	r->again_us = 0;
	if (r->late || r->called_off)
		end_killed(j, r, 0);
	else
		start(j, r);
}

/* When to look at it again; 0: no need. */
static uint64_t
look_at(struct jobs *j, struct run *r, uint64_t now_us)
{
	if (r->again_us != 0) {
		look_again(j, r, now_us);
		return r->again_us != 0 ? MIN(r->again_us, r->end_us)
		                        : r->end_us;
	}
	if (r->end_us != 0 && now_us >= r->end_us) {
		r->late |= !r->called_off;
		ask_to_end(r, now_us);
	}
	if (r->left && (r->sent == SIGKILL || !group_lives(r)))
		finish(j, r);
	if (r->left || (r->out != -1 && !r->watched))
		return MIN(r->end_us, now_us + LOOK_US);
	return r->end_us;
}

uint64_t
jobs_look(struct jobs *j, uint64_t now_us)
{
	uint64_t due = 0;
	struct run *r;

	LIST_FOREACH (r, &j->runs, link) {
		uint64_t next;

		read_output(r);
		next = look_at(j, r, now_us);
		if (next != 0 && (due == 0 || next < due))
			due = next;
	}
	return due;
}
