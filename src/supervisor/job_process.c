#include "supervisor/job_process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "config/config.h"
#include "rollout/runs.h"
#include "supervisor/privs.h"

#define FILES_SOFT 1024 /* as services usually have: some close them all */

/* Who it shall be. */
struct who {
	bool change; /* else: as we are */
	uid_t uid;
	gid_t gid;
	char *name, *home; /* owned, or NULL: unknown */
};

/* ---- who ---- */

/* Of that name, or of that number; NULL: errno may say why. */
static const struct passwd *
look_up(const char *user)
{
	const struct passwd *pw;
	uint64_t n;

	errno = 0;
	pw = getpwnam(user);
	if (pw == NULL && str_u64(str_of(user), &n) && n < UINT32_MAX)
		pw = getpwuid((uid_t)n);
	return pw;
}

/* E_NOENT: there is no such user; others: that could not be found out. */
static int
find_who(const struct cfg_job *job, const struct privs *privs, struct who *w)
{
	const struct passwd *pw;

	*w = (struct who){ .change = privs->change != 0,
		.uid = privs->uid,
		.gid = privs->gid };
	errno = 0;
	pw = job->user == NULL ? getpwuid(w->uid) : look_up(job->user);
	if (pw == NULL && (err_sys() == E_NOMEM || err_sys() == E_NOFILES))
		return err_sys();
	if (pw == NULL)
		return job->user == NULL ? E_OK : E_NOENT;
	if (job->user != NULL) {
		w->change = pw->pw_uid != getuid() || getuid() == 0;
		w->uid = pw->pw_uid;
		w->gid = pw->pw_gid;
	}
	w->name = strdup(pw->pw_name);
	w->home = strdup(pw->pw_dir);
	return w->name == NULL || w->home == NULL ? E_NOMEM : E_OK;
}

static void
forget_who(struct who *w)
{
	free(w->name);
	free(w->home);
}

/* For good; in the new process. */
static int
become(const struct who *w)
{
	if (!w->change)
		return 0;
	/* Some open them anew, by the name /dev/stderr. */
	if (fchown(STDOUT_FILENO, w->uid, w->gid) == -1)
		return -1;
	if (w->name == NULL ? setgroups(1, &w->gid)
	                    : initgroups(w->name, w->gid))
		return -1;
	return setresgid(w->gid, w->gid, w->gid) == -1 ||
	        setresuid(w->uid, w->uid, w->uid) == -1
	    ? -1
	    : 0;
}

/* ---- environment ---- */

struct env {
	char **all; /* owned, and so is each; ends with NULL */
	size_t n;
	bool failed;
};

/* Takes text over; there is always room for the NULL behind it. */
static void
append(struct env *e, char *text)
{
	char **all = text == NULL ? NULL
	                          : realloc(e->all, (e->n + 2) * sizeof(*all));

	if (all == NULL) {
		e->failed = true;
		free(text);
		return;
	}
	e->all = all;
	all[e->n++] = text;
	all[e->n] = NULL;
}

static void
add(struct env *e, const char *name, const char *value)
{
	char *text = NULL;

	if (value == NULL)
		return;
	if (asprintf(&text, "%s=%s", name, value) == -1)
		text = NULL;
	append(e, text);
}

static void
free_env(struct env *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->all[i]);
	free(e->all);
}

static bool
has(const struct env *e, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < e->n; i++)
		if (strncmp(e->all[i], name, n) == 0 && e->all[i][n] == '=')
			return true;
	return false;
}

/* What is not said otherwise. */
static void
add_defaults(struct env *e, const struct who *w)
{
	const char *const rows[][2] = {
		{ "PATH",
		    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:"
		    "/bin" },
		{ "LANG", "C.UTF-8" },
		{ "HOME", w->home },
		{ "USER", w->name },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!has(e, rows[i][0]))
			add(e, rows[i][0], rows[i][1]);
}

static int
make_env(const struct cfg_job *job, const struct run_ask *ask,
    const char *socket, const struct who *w, struct env *e)
{
	char id[24];

	(void)snprintf(id, sizeof(id), "%llu",
	    (unsigned long long)ask->key.rollout);
	add(e, "SEGUE_SERVICE", ask->key.service);
	add(e, "SEGUE_ROLLOUT", id);
	add(e, "SEGUE_JOB", ask->job);
	add(e, "SEGUE_STEP", ask->step);
	add(e, "SEGUE_FROM", ask->from);
	add(e, "SEGUE_TO", ask->to);
	add(e, "SEGUE_FROM_VERSION", ask->from_version);
	add(e, "SEGUE_VERSION", ask->version);
	add(e, "SEGUE_INSTANCE", ask->instance);
	add(e, "SEGUE_ADDRESS", ask->address);
	add(e, "SEGUE_SOCKET", socket);
	add(e, "SEGUE_REHEARSAL", ask->rehearsal ? "1" : NULL);
	for (size_t i = 0; i < job->n_env; i++)
		append(e, strdup(job->env[i]));
	add_defaults(e, w);
	return e->failed ? E_NOMEM : E_OK;
}

/* ---- the new process ---- */

/* What we ignore, and what we were started with. */
static void
restore_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	for (int s = 1; s <= SIGRTMAX; s++)
		(void)signal(s, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
restore_files_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		return;
	r.rlim_cur = MIN(r.rlim_max, FILES_SOFT);
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

/*
 * Its own streams and nothing of ours.  out may be one of the three, where we
 * have none, and there may be no descriptor left beside it.
 */
static int
use_streams(int out)
{
	if (dup2(out, STDOUT_FILENO) == -1 || dup2(out, STDERR_FILENO) == -1 ||
	    fcntl(STDOUT_FILENO, F_SETFD, 0) == -1 ||
	    fcntl(STDERR_FILENO, F_SETFD, 0) == -1 ||
	    close_range(STDERR_FILENO + 1, ~0U, 0) == -1)
		return -1;
	(void)close(STDIN_FILENO);
	return open("/dev/null", O_RDONLY) == STDIN_FILENO ? 0 : -1;
}

/* What it cannot, or NULL; errno says why. */
static const char *
prepare(const struct who *w, int out, pid_t master)
{
	(void)setsid();
	restore_signals();
	restore_files_limit();
	if (use_streams(out) == -1)
		return "cannot have streams of its own";
	if (become(w) == -1)
		return "cannot run as that user";
	/* After the change of user, which would clear it. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != master)
		_exit(127);
	return chdir("/") == -1 ? "cannot leave its directory" : NULL;
}

static NORETURN void
be_job(char *const *argv, char *const *env, const struct who *w, int out,
    pid_t master)
{
	const char *what = prepare(w, out, master);

	if (what == NULL) {
		(void)execve(argv[0], argv, env);
		what = "cannot be run";
	}
	(void)dprintf(STDERR_FILENO, "%s %s: %s\n", argv[0], what,
	    strerror(errno));
	_exit(127);
}

static int
start(char *const *argv, char *const *env, const struct who *w, pid_t *pid,
    int *out)
{
	pid_t master = getpid();
	int fds[2], rc = E_OK;

	if (pipe2(fds, O_CLOEXEC) == -1)
		return err_sys();
	if (fcntl(fds[0], F_SETFL, O_NONBLOCK) == -1 || (*pid = fork()) == -1)
		rc = err_sys();
	else if (*pid == 0)
		be_job(argv, env, w, fds[1], master);
	close(fds[1]);
	if (rc == E_OK)
		*out = fds[0];
	else
		close(fds[0]);
	return rc;
}

int
job_process_start(const struct cfg_job *job, char *const *words, size_t n,
    const struct run_ask *ask, const char *socket, const struct privs *privs,
    pid_t *pid, int *out, char *why, size_t cap)
{
	char **argv = calloc(n + 1, sizeof(*argv));
	struct env env = { .all = NULL };
	struct who w = { .name = NULL };
	int rc = argv == NULL ? E_NOMEM : find_who(job, privs, &w);

	*out = -1;
	why[0] = '\0';
	if (rc == E_NOENT)
		(void)snprintf(why, cap, "there is no user %s", job->user);
	if (rc == E_OK)
		rc = make_env(job, ask, socket, &w, &env);
	if (rc == E_OK) {
		memcpy(argv, words, n * sizeof(*argv));
		rc = start(argv, env.all, &w, pid, out);
	}
	if (rc != E_OK && why[0] == '\0')
		(void)snprintf(why, cap, "it cannot be started: %s",
		    err_text(rc));
	free_env(&env);
	forget_who(&w);
	free(argv);
	return rc;
}
