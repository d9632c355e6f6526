/* Whole files: read, and replaced or not. */
#include "base/file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "fault.h"
#include "scratch.h"

TestSuite(file, .init = scratch_begin, .fini = scratch_end, .timeout = 10);

static void
holds(const char *name, const char *want, const char *why)
{
	size_t len;
	char *got = scratch_read(name, &len);

	cr_expect_eq(len, strlen(want), "%s: %zu bytes", why, len);
	cr_expect_str_eq(got, want, "%s", why);
	free(got);
}

/* ---- reading ---- */

static const struct {
	const char *why;
	size_t bytes, max;
	int rc;
} reads[] = {
	{ "empty", 0, 0, E_OK },
	{ "one byte of none allowed", 1, 0, E_TOOBIG },
	{ "just as long", 100, 100, E_OK },
	{ "one too long", 101, 100, E_TOOBIG },
	{ "a whole chunk", 4096, 4096, E_OK },
	{ "a byte into the next chunk", 4097, 4096, E_TOOBIG },
	{ "many chunks", 100000, 200000, E_OK },
};

Test(file, read)
{
	static char text[100000];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 7 % 251);
	for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
		struct buf out = BUF_INIT;

		buf_add_cstr(&out, "before:");
		scratch_write("in", str_from(text, reads[i].bytes));
		cr_expect_eq(file_read(scratch_path("in"), reads[i].max, &out),
		    reads[i].rc, "%s", reads[i].why);
		cr_expect(str_starts(buf_str(&out), STR("before:")),
		    "%s: appends", reads[i].why);
		if (reads[i].rc == E_OK)
			cr_expect(str_eq(str_sub(buf_str(&out), 7, SIZE_MAX),
			              str_from(text, reads[i].bytes)),
			    "%s: content", reads[i].why);
		buf_free(&out);
	}
}

Test(file, read_says_why_not)
{
	struct buf out = BUF_INIT;

	cr_expect_eq(file_read(scratch_path("no"), 10, &out), E_NOENT);
	cr_expect_eq(file_read(scratch_path(""), 10, &out), E_IO,
	    "a directory opens but does not read");
	cr_expect_eq(file_read_fd(-1, 10, &out), E_IO);
	cr_expect_eq(out.len, 0);
	buf_free(&out);
}

Test(file, read_leaves_no_descriptor_open)
{
	struct buf out = BUF_INIT;
	int before = open("/dev/null", O_RDONLY | O_CLOEXEC), after;

	close(before);
	scratch_write("in", STR("text"));
	cr_expect_eq(file_read(scratch_path("in"), 10, &out), E_OK);
	cr_expect_eq(file_read(scratch_path("in"), 1, &out), E_TOOBIG);
	after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(after);
	cr_expect_eq(after, before);
	buf_free(&out);
}

/* Without memory a file without end must not be read for ever. */
Test(file, read_out_of_memory)
{
	struct buf out = BUF_INIT;

	fault_arm(FAULT_REALLOC, 3, ENOMEM);
	cr_expect_eq(file_read("/dev/zero", SIZE_MAX, &out), E_NOMEM);
	cr_expect_eq(file_read("/dev/zero", SIZE_MAX, &out), E_NOMEM,
	    "failed before it began");
	buf_free(&out);
}

Test(file, read_of_a_pipe_in_pieces)
{
	struct buf out = BUF_INIT;
	int p[2];

	cr_assert_eq(pipe2(p, O_CLOEXEC), 0);
	if (fork() == 0) {
		for (int i = 0; i < 5; i++) {
			(void)!write(p[1], "piece ", 6);
			usleep(2000);
		}
		_exit(0);
	}
	close(p[1]);
	cr_expect_eq(file_read_fd(p[0], 100, &out), E_OK);
	cr_expect_str_eq(out.p, "piece piece piece piece piece ");
	close(p[0]);
	buf_free(&out);
}

/* ---- writing ---- */

Test(file, write_all_goes_on_after_short_writes_and_signals)
{
	int fd = open(scratch_path("out"), O_WRONLY | O_CREAT | O_CLOEXEC,
	    0600);

	fault_short(3);
	fault_arm(FAULT_WRITE, 2, EINTR);
	cr_expect_eq(file_write_all(fd, STR("ten bytes.")), E_OK);
	cr_expect_eq(file_write_all(fd, STR("")), E_OK);
	close(fd);
	holds("out", "ten bytes.", "in order, each byte once");
	cr_expect_eq(file_write_all(-1, STR("x")), E_IO);
	cr_expect_eq(file_write_all(-1, str_of(NULL)), E_OK,
	    "nothing to write, nothing to fail");
}

Test(file, replace_makes_and_replaces)
{
	const char *path = scratch_path("state");
	struct stat st;

	(void)umask(022);
	cr_expect_eq(file_replace(path, STR("one"), 0600), E_OK);
	holds("state", "one", "made");
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	cr_expect_eq(file_replace(path, STR("two and more"), 0644), E_OK);
	holds("state", "two and more", "replaced");
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0644, "mode is the new one's");
	cr_expect_eq(file_replace(path, STR(""), 0600), E_OK);
	holds("state", "", "empty");
	cr_expect_eq(scratch_files(), 1, "no temporary file is left");
}

Test(file, replace_without_slash_means_here)
{
	cr_assert_eq(chdir(scratch_path("")), 0);
	cr_expect_eq(file_replace("here", STR("x"), 0600), E_OK);
	holds("here", "x", "in the working directory");
}

Test(file, replace_does_not_follow_a_link)
{
	struct stat st;

	scratch_write("target", STR("precious"));
	cr_assert_eq(symlink(scratch_path("target"), scratch_path("link")), 0);
	cr_expect_eq(file_replace(scratch_path("link"), STR("new"), 0600),
	    E_OK);
	holds("target", "precious", "what the link named");
	cr_assert_eq(lstat(scratch_path("link"), &st), 0);
	cr_expect(S_ISREG(st.st_mode));
}

/* Every step that can fail: the old file stays and nothing is left behind. */
static const struct {
	const char *why;
	enum fault fault;
	unsigned nth;
	int errnum, rc;
} steps[] = {
	{ "disk full at once", FAULT_WRITE, 1, ENOSPC, E_FULL },
	{ "disk full later", FAULT_WRITE, 3, ENOSPC, E_FULL },
	{ "quota", FAULT_WRITE, 2, EDQUOT, E_FULL },
	{ "bytes do not reach the disk", FAULT_FSYNC, 1, EIO, E_IO },
	{ "rename refused", FAULT_RENAME, 1, EACCES, E_PERM },
};

Test(file, replace_that_fails_changes_nothing)
{
	scratch_write("state", STR("old"));
	fault_short(4);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		fault_arm(steps[i].fault, steps[i].nth, steps[i].errnum);
		cr_expect_eq(file_replace(scratch_path("state"),
		                 STR("the new text"), 0600),
		    steps[i].rc, "%s", steps[i].why);
		fault_arm(steps[i].fault, 0, 0);
		holds("state", "old", steps[i].why);
		cr_expect_eq(scratch_files(), 1, "%s: left behind",
		    steps[i].why);
	}
}

Test(file, replace_tells_when_the_rename_may_not_last)
{
	scratch_write("state", STR("old"));
	fault_arm(FAULT_FSYNC, 2, EIO);
	cr_expect_eq(file_replace(scratch_path("state"), STR("new"), 0600),
	    E_IO);
	holds("state", "new", "documented: in place, perhaps not for good");
	fault_arm(FAULT_FSYNC, 2, EINVAL);
	cr_expect_eq(file_replace(scratch_path("state"), STR("newer"), 0600),
	    E_OK, "a file system without fsync for directories");
}

Test(file, replace_where_there_is_no_directory)
{
	cr_expect_eq(file_replace(scratch_path("no/state"), STR("x"), 0600),
	    E_NOENT);
	scratch_write("plain", STR(""));
	cr_expect_eq(file_replace(scratch_path("plain/state"), STR("x"), 0600),
	    E_NOENT);
	cr_expect_eq(scratch_files(), 1);
}

Test(file, replace_takes_no_descriptors_with_it)
{
	int before = open("/dev/null", O_RDONLY | O_CLOEXEC), after;

	close(before);
	cr_expect_eq(file_replace(scratch_path("a"), STR("x"), 0600), E_OK);
	fault_arm(FAULT_FSYNC, 1, EIO);
	cr_expect_eq(file_replace(scratch_path("a"), STR("y"), 0600), E_IO);
	fault_arm(FAULT_RENAME, 1, EIO);
	cr_expect_eq(file_replace(scratch_path("a"), STR("z"), 0600), E_IO);
	after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(after);
	cr_expect_eq(after, before);
}

/* ---- lines for who may not read ---- */

Test(file, lines_to_a_file)
{
	int fd = open(scratch_path("out"), O_WRONLY | O_CREAT, 0600);
	static char text[20000];

	cr_assert_neq(fd, -1);
	memset(text, 'x', sizeof(text));
	cr_expect_eq(file_write_lines(fd, str_from(text, sizeof(text))),
	    (ssize_t)sizeof(text), "all in one go");
	fault_arm(FAULT_WRITE, 1, ENOSPC);
	cr_expect_eq(file_write_lines(fd, STR("a\n")), E_FULL);
	fault_short(1);
	cr_expect_eq(file_write_lines(fd, STR("abc\n")), 4);
	fault_arm(FAULT_WRITE, 3, ENOSPC);
	cr_expect_eq(file_write_lines(fd, STR("abc\n")), 2, "what it took");
	fault_short(0);
	close(fd);
}

/* Whole lines until it is full, then none, and no waiting. */
Test(file, lines_to_a_pipe)
{
	static char text[400000], got[400000];
	size_t all = 0, len;
	ssize_t n;
	int fds[2];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 100 == 99 ? '\n' : 'a';
	cr_assert_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	n = file_write_lines(fds[1], str_from(text, sizeof(text)));
	cr_expect_gt(n, 0);
	cr_expect_lt(n, (ssize_t)sizeof(text), "it is full");
	cr_expect_eq(n % 100, 0, "whole lines");
	cr_expect_eq(file_write_lines(fds[1], str_from(text, 100)), E_AGAIN);
	while ((len = (size_t)n) > 0) {
		ssize_t r = read(fds[0], got + all, len);

		cr_assert_gt(r, 0);
		all += (size_t)r;
		n -= r;
	}
	cr_expect_eq(memcmp(got, text, all), 0);
	cr_expect_eq(file_write_lines(fds[1], str_from(text, 100)), 100);
	close(fds[0]);
	close(fds[1]);
}
