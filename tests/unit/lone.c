/*
 * lone - runs Criterion's tests without Criterion's runner: each in a process
 * forked from this one, which ends by exit(3), so that a sanitizer has its
 * say.  ThreadSanitizer needs it: the runner's arena wants addresses that are
 * not to be had beside the sanitizer's own.
 *
 * Takes the place of libcriterion at link time and speaks as it does.  Of the
 * options it knows --filter SUITE/TEST (a pattern) and -jN.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 16
/* Sanitizers are slow, and so are machines that run many. */
#define PATIENCE 10
#define PATIENCE_S 120

extern struct criterion_test *__start_cr_tst[], *__stop_cr_tst[];
/* There need not be one. */
extern struct criterion_suite *__start_cr_sts[] __attribute__((weak));
extern struct criterion_suite *__stop_cr_sts[] __attribute__((weak));

struct criterion_options criterion_options;

struct job {
	pid_t pid; /* 0: free */
	const struct criterion_test *test;
	double began;
};

static const struct criterion_test *current;
static bool has_failed;
static const char *filter = "*";
static struct job jobs[JOBS_MAX];
static unsigned n_jobs = 1, tested, passing, failing, crashing;

/* What its suite says; all zero when it has none. */
static const struct criterion_test_extra_data *
suite_of(const struct criterion_test *t)
{
	static const struct criterion_test_extra_data none;

	for (struct criterion_suite **s = __start_cr_sts; s < __stop_cr_sts;
	     s++)
		if (*s != NULL && (*s)->data != NULL &&
		    strcmp((*s)->name, t->category) == 0)
			return (*s)->data;
	return &none;
}

/* ---- what the macros of a test call ---- */

void
criterion_internal_test_setup(void)
{
	if (suite_of(current)->init != NULL)
		suite_of(current)->init();
	if (current->data->init != NULL)
		current->data->init();
}

void
criterion_internal_test_main(void (*fn)(void))
{
	fn();
}

void
criterion_internal_test_teardown(void)
{
	if (current->data->fini != NULL)
		current->data->fini();
	if (suite_of(current)->fini != NULL)
		suite_of(current)->fini();
}

void
criterion_send_assert(struct criterion_assert_stats *s)
{
	if (s->passed)
		return;
	has_failed = true;
	(void)fprintf(stderr, "[----] %s:%u: Assertion Failed\n[----]   %s\n",
	    s->file, s->line, s->message);
}

void
cri_asserts_passed_incr(void)
{
}

void
criterion_continue_test(void)
{
}

void
criterion_abort_test(void)
{
	exit(EXIT_FAILURE);
}

int
cr_asprintf(char **out, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(out, fmt, ap);
	va_end(ap);
	return n;
}

void
cr_asprintf_free(char *text)
{
	free(text);
}

char *cr_translate_assert_msg(int index, ...);

char *
cr_translate_assert_msg(int index, ...)
{
	const char *expression;
	char *text;
	va_list ap;

	(void)index;
	va_start(ap, index);
	expression = va_arg(ap, const char *);
	va_end(ap);
	if (asprintf(&text, "not so: %s", expression) == -1)
		abort();
	return text;
}

/* ---- running ---- */

static double
seconds(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* In the process of its own. */
static void
run(const struct criterion_test *t)
{
	double limit = (t->data->timeout > 0 ? t->data->timeout
	                                     : suite_of(t)->timeout) *
	    PATIENCE;

	current = t;
	(void)alarm(limit > 0 && limit < PATIENCE_S ? (unsigned)limit + 1
	                                            : PATIENCE_S);
	t->test();
	exit(has_failed ? EXIT_FAILURE : EXIT_SUCCESS);
}

static void
judge(const struct job *j, int status)
{
	const struct criterion_test_extra_data *d = j->test->data;
	int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	tested++;
	if (signal == d->signal &&
	    (signal != 0 || WEXITSTATUS(status) == d->exit_code)) {
		passing++;
		return;
	}
	if (signal != 0)
		crashing++;
	else
		failing++;
	(void)fprintf(stderr, "[FAIL] %s::%s: %s %d (%.2fs)\n",
	    j->test->category, j->test->name,
	    signal != 0 ? "signal" : "exit status",
	    signal != 0 ? signal : WEXITSTATUS(status), seconds() - j->began);
}

/* Waits for one to end; NULL when none runs. */
static struct job *
reap(void)
{
	int status;
	pid_t pid;

	do
		pid = wait(&status);
	while (pid == -1 && errno == EINTR);
	for (unsigned i = 0; pid != -1 && i < n_jobs; i++) {
		if (jobs[i].pid != pid)
			continue;
		judge(&jobs[i], status);
		jobs[i].pid = 0;
		return &jobs[i];
	}
	return NULL;
}

static struct job *
free_job(void)
{
	for (unsigned i = 0; i < n_jobs; i++)
		if (jobs[i].pid == 0)
			return &jobs[i];
	return reap();
}

static void
start(const struct criterion_test *t)
{
	struct job *j = free_job();

	if (j == NULL)
		abort();
	(void)fflush(NULL);
	j->test = t;
	j->began = seconds();
	j->pid = fork();
	if (j->pid == 0)
		run(t);
	if (j->pid == -1)
		abort();
}

static bool
is_meant(const struct criterion_test *t)
{
	char name[256];

	(void)snprintf(name, sizeof(name), "%s/%s", t->category, t->name);
	return !t->data->disabled && !suite_of(t)->disabled &&
	    fnmatch(filter, name, 0) == 0;
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc)
			filter = argv[++i];
		else if (strncmp(argv[i], "-j", 2) == 0)
			n_jobs = (unsigned)atoi(argv[i] + 2);
	}
	if (n_jobs == 0 || n_jobs > JOBS_MAX)
		n_jobs = JOBS_MAX;
	for (struct criterion_test **t = __start_cr_tst; t < __stop_cr_tst; t++)
		if (*t != NULL && is_meant(*t))
			start(*t);
	while (reap() != NULL)
		;
	(void)fprintf(stderr,
	    "[====] Synthesis: Tested: %u | Passing: %u | Failing: %u | "
	    "Crashing: %u \n",
	    tested, passing, failing, crashing);
	return failing + crashing == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
