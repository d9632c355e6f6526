/* Log lines, whole and in the right file. */
#include "base/log.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/thread.h"
#include "fault.h"
#include "scratch.h"

#define WALL_US UINT64_C(1795514400123456)
#define HEAD(level) "ts=2026-11-24T10:00:00.123Z level=" level " thread=t "

static void
begin(void)
{
	scratch_begin();
	thread_become(ROLE_ANY, "t");
	clock_fake(0, WALL_US);
	cr_assert_eq(log_open(scratch_path("log")), E_OK);
}

static void
end(void)
{
	log_close();
	scratch_end();
}

TestSuite(log, .init = begin, .fini = end, .timeout = 30);

static void
holds(const char *name, const char *want)
{
	size_t len;
	char *got = scratch_read(name, &len);

	cr_expect_eq(len, strlen(want), "%s: %zu bytes", name, len);
	cr_expect_str_eq(got, want, "%s holds %s", name, got);
	free(got);
}

/* ---- levels ---- */

Test(log, names_of_levels)
{
	for (int i = 0; i < LOG_LEVEL_COUNT; i++)
		cr_expect_eq(log_level_of(log_level_name((enum log_level)i)),
		    i);
	cr_expect_str_eq(log_level_name(LOG_WARN), "warn");
	cr_expect_eq(log_level_of("WARN"), -1);
	cr_expect_eq(log_level_of(""), -1);
	cr_expect_eq(log_level_of("warning"), -1);
}

Test(log, info_is_the_level_of_the_beginning)
{
	cr_expect(log_wants(LOG_INFO));
	cr_expect_not(log_wants(LOG_DEBUG));
}

Test(log, a_level_lets_itself_and_the_graver_through)
{
	for (int set = 0; set < LOG_LEVEL_COUNT; set++) {
		log_set_level((enum log_level)set);
		for (int l = 0; l < LOG_LEVEL_COUNT; l++)
			cr_expect_eq(log_wants((enum log_level)l), l <= set,
			    "set %d, asked %d", set, l);
	}
	log_set_level(LOG_WARN);
	log_error("a=%d", 1);
	log_warn("b=%d", 2);
	log_info("c=%d", 3);
	log_debug("d=%d", 4);
	holds("log", HEAD("error") "a=1\n" HEAD("warn") "b=2\n");
}

static int evaluated;

static int
dear(void)
{
	return ++evaluated;
}

Test(log, debug_that_is_off_costs_nothing)
{
	log_debug("x=%d", dear());
	cr_expect_eq(evaluated, 0, "not even its arguments");
	cr_expect_eq(fault_calls(FAULT_WRITE), 0);
	log_set_level(LOG_DEBUG);
	log_debug("x=%d", dear());
	cr_expect_eq(evaluated, 1);
	holds("log", HEAD("debug") "x=1\n");
}

/* ---- the line ---- */

Test(log, a_line_is_one_write)
{
	log_info("pool=%s up=%u", "blue", 3u);
	cr_expect_eq(fault_calls(FAULT_WRITE), 1);
	holds("log", HEAD("info") "pool=blue up=3\n");
}

Test(log, a_peers_bytes_cannot_start_a_line)
{
	log_info("why=\"%s\"", "x\nts=forged\r\t\x1b[31m\x7f\x01 \xc3\xa9");
	holds("log", HEAD("info") "why=\"x?ts=forged???[31m?? \xc3\xa9\"\n");
}

/* Lengths around the limit: whole up to it, cut beyond, one line always. */
Test(log, a_long_line_is_cut)
{
	size_t head = strlen(HEAD("info"));

	for (size_t n = LOG_LINE_MAX - 80; n < LOG_LINE_MAX + 80; n++) {
		char *message = calloc(1, n + 1), *got;
		size_t len, want = MIN(head + n + 1, LOG_LINE_MAX - 1);

		memset(message, 'm', n);
		cr_assert_eq(truncate(scratch_path("log"), 0), 0);
		log_info("%s", message);
		got = scratch_read("log", &len);
		cr_expect_eq(len, want, "%zu: %zu", n, len);
		cr_expect_eq(got[len - 1], '\n');
		cr_expect_eq(strchr(got, '\n'), got + len - 1);
		cr_expect_eq(strspn(got + head, "m"), want - head - 1);
		free(got);
		free(message);
	}
}

Test(log, errno_survives)
{
	errno = ENOSPC;
	fault_arm(FAULT_WRITE, 1, EIO);
	log_error("write=failed");
	cr_expect_eq(errno, ENOSPC, "the caller may log first and ask then");
}

Test(log, a_signal_does_not_lose_the_line)
{
	fault_arm(FAULT_WRITE, 1, EINTR);
	log_info("a=1");
	holds("log", HEAD("info") "a=1\n");
}

/* ---- files ---- */

Test(log, appends_and_is_not_for_the_world)
{
	struct stat st;

	log_info("a=1");
	log_close();
	cr_assert_eq(log_open(scratch_path("log")), E_OK);
	log_info("b=2");
	holds("log", HEAD("info") "a=1\n" HEAD("info") "b=2\n");
	cr_assert_eq(stat(scratch_path("log"), &st), 0);
	cr_expect_eq(st.st_mode & 07, 0);
}

Test(log, reopen_follows_a_rotation)
{
	log_info("a=1");
	cr_assert_eq(rename(scratch_path("log"), scratch_path("log.1")), 0);
	log_info("b=2");
	cr_expect_eq(log_reopen(), E_OK);
	log_info("c=3");
	holds("log.1", HEAD("info") "a=1\n" HEAD("info") "b=2\n");
	holds("log", HEAD("info") "c=3\n");
}

Test(log, open_moves_to_another_file)
{
	log_info("a=1");
	cr_expect_eq(log_open(scratch_path("other")), E_OK);
	log_info("b=2");
	cr_expect_eq(log_reopen(), E_OK);
	log_info("c=3");
	holds("log", HEAD("info") "a=1\n");
	holds("other", HEAD("info") "b=2\n" HEAD("info") "c=3\n");
}

Test(log, what_cannot_be_opened_leaves_the_old)
{
	cr_expect_eq(log_open(scratch_path("no/such")), E_NOENT);
	log_info("a=1");
	fault_arm(FAULT_DUP3, 1, EMFILE);
	cr_expect_eq(log_open(scratch_path("other")), E_NOFILES);
	log_info("b=2");
	cr_assert_eq(rename(scratch_path("log"), scratch_path("log.1")), 0);
	fault_arm(FAULT_DUP3, 1, EMFILE);
	cr_expect_eq(log_reopen(), E_NOFILES);
	log_info("c=3");
	cr_expect_eq(log_reopen(), E_OK, "and the old path is still known");
	log_info("d=4");
	holds("log.1",
	    HEAD("info") "a=1\n" HEAD("info") "b=2\n" HEAD("info") "c=3\n");
	holds("log", HEAD("info") "d=4\n");
}

Test(log, a_busy_number_is_tried_again)
{
	fault_arm(FAULT_DUP3, 1, EBUSY);
	cr_expect_eq(log_reopen(), E_OK);
	fault_arm(FAULT_DUP3, 1, EINTR);
	cr_expect_eq(log_reopen(), E_OK);
}

static void
stderr_to(const char *name)
{
	int fd = open(scratch_path(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_neq(fd, -1);
	cr_assert_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
}

Test(log, close_goes_back_to_standard_error)
{
	int saved = dup(STDERR_FILENO);

	stderr_to("err");
	log_close();
	log_info("a=1");
	cr_expect_eq(log_reopen(), E_OK, "nothing to reopen is no failure");
	log_info("b=2");
	cr_assert_eq(log_open(scratch_path("log")), E_OK);
	log_info("c=3");
	cr_assert_eq(log_open(NULL), E_OK);
	log_info("d=4");
	dup2(saved, STDERR_FILENO);
	close(saved);
	holds("err",
	    HEAD("info") "a=1\n" HEAD("info") "b=2\n" HEAD("info") "d=4\n");
	holds("log", HEAD("info") "c=3\n");
}

Test(log, no_standard_error_to_go_back_to)
{
	int saved = dup(STDERR_FILENO);

	close(STDERR_FILENO);
	log_close();
	log_info("a=1"); /* into nothing, not into the closed file */
	dup2(saved, STDERR_FILENO);
	close(saved);
	holds("log", "");
}

/* ---- threads ---- */

#define THREADS 4
#define LINES 3000

static _Atomic unsigned running;

static void *
write_lines(void *arg)
{
	char name[16];
	int id = *(const int *)arg;

	(void)snprintf(name, sizeof(name), "w%d", id);
	thread_become(ROLE_WORKER, name);
	for (int i = 0; i < LINES; i++)
		log_info("id=%d i=%d end", id, i);
	running--;
	return NULL;
}

/* Counts the whole lines of a file; next[id] is the line due of a thread. */
static void
check_lines(const char *name, int next[THREADS])
{
	size_t len;
	char *text = scratch_read(name, &len), *save = NULL, *line;

	for (line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		int id = -1, i = -1, used = 0, thread = -1;

		(void)sscanf(line,
		    "ts=2026-11-24T10:00:00.123Z level=info thread=w%d "
		    "id=%d i=%d end%n",
		    &thread, &id, &i, &used);
		cr_assert(used > 0 && line[used] == '\0', "mixed: %s", line);
		cr_assert(id >= 0 && id < THREADS && id == thread);
		cr_assert_eq(i, next[id], "lost or out of order: %s", line);
		next[id]++;
	}
	free(text);
}

/* Rotation under load: not a line is lost, torn or written elsewhere. */
Test(log, threads_and_rotation)
{
	static int ids[THREADS];
	pthread_t t[THREADS];
	char name[32];
	int next[THREADS] = { 0 }, n = 0;

	running = THREADS;
	for (int i = 0; i < THREADS; i++) {
		ids[i] = i;
		cr_assert_eq(pthread_create(&t[i], NULL, write_lines, &ids[i]),
		    0);
	}
	while (running > 0 && n < 500) {
		(void)snprintf(name, sizeof(name), "log.%d", n++);
		cr_assert_eq(rename(scratch_path("log"), scratch_path(name)),
		    0);
		cr_assert_eq(log_reopen(), E_OK);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "log.%d", i);
		check_lines(name, next);
	}
	check_lines("log", next);
	for (int i = 0; i < THREADS; i++)
		cr_expect_eq(next[i], LINES, "thread %d: %d", i, next[i]);
}

/* Closing while others write: no write may meet a closed number. */
Test(log, threads_and_close)
{
	static int ids[THREADS];
	pthread_t t[THREADS];
	int saved = dup(STDERR_FILENO), next[THREADS] = { 0 };
	size_t len, lines = 0;
	char *text;

	cr_assert_eq(truncate(scratch_path("log"), 0), 0);
	cr_assert_neq(saved, -1);
	{
		int fd = open(scratch_path("log"),
		    O_WRONLY | O_APPEND | O_CLOEXEC);

		dup2(fd, STDERR_FILENO); /* both roads lead there */
		close(fd);
	}
	running = THREADS;
	for (int i = 0; i < THREADS; i++) {
		ids[i] = i;
		cr_assert_eq(pthread_create(&t[i], NULL, write_lines, &ids[i]),
		    0);
	}
	while (running > 0) {
		log_close();
		cr_assert_eq(log_open(scratch_path("log")), E_OK);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	dup2(saved, STDERR_FILENO);
	close(saved);
	text = scratch_read("log", &len);
	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	free(text);
	cr_expect_eq(lines, THREADS * LINES, "%zu", lines);
	check_lines("log", next);
}

/* ---- a log that takes nothing ---- */

Test(log, lines_lost_are_told)
{
	log_info("a=1");
	fault_arm(FAULT_WRITE, 1, ENOSPC);
	log_info("a=2");
	fault_arm(FAULT_WRITE, 1, ENOSPC);
	log_info("a=3");
	log_info("a=4");
	log_info("a=5");
	holds("log",
	    HEAD("info") "a=1\n" HEAD(
	        "warn") "event=log_lines_lost "
	                "lines=2\n" HEAD("info") "a=4\n" HEAD("info") "a=5\n");
}

Test(log, a_torn_line_ends)
{
	fault_short(3);
	log_info("a=1");
	fault_short(0);
	log_info("a=2");
	holds("log",
	    "ts=\n" HEAD("warn") "event=log_lines_lost lines=1\n" HEAD(
	        "info") "a=2\n");
}

Test(log, a_reader_that_hangs_stops_nobody)
{
	char text[4096];
	ssize_t n;
	int fds[2];

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	cr_assert_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0, "our end alone");
	cr_assert_eq(log_use_fd(fds[1]), E_OK);
	for (int i = 0; i < 10000; i++)
		log_info("a=%d", i);
	while (read(fds[0], text, sizeof(text)) > 0)
		;
	log_info("b=1");
	n = read(fds[0], text, sizeof(text) - 1);
	cr_assert_gt(n, 0);
	text[n] = '\0';
	cr_expect(str_starts(str_of(text),
	              STR(HEAD("warn") "event=log_lines_lost lines=")),
	    "%s", text);
	cr_expect(str_ends(str_of(text), STR("\n" HEAD("info") "b=1\n")), "%s",
	    text);
	close(fds[0]);
}
