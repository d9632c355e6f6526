/* Frames between our processes. */
#include "ipc/frame.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"

static void
set_up(int ends[2])
{
	cr_assert_eq(frame_pair(ends), E_OK);
}

static void
tear_down(const int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

static int
lowest_free_fd(void)
{
	int fd = dup(0);

	cr_assert_neq(fd, -1);
	close(fd);
	return fd;
}

Test(frame, each_kind_arrives_with_its_text)
{
	int ends[2];
	struct frame f;

	set_up(ends);
	for (int k = 0; k < FRAME_KIND_COUNT; k++) {
		const char *name = frame_kind_name((enum frame_kind)k);

		cr_expect_gt(strlen(name), 0);
		cr_expect_eq(frame_send(ends[0], (enum frame_kind)k, name, -1),
		    E_OK);
	}
	for (int k = 0; k < FRAME_KIND_COUNT; k++) {
		cr_assert_eq(frame_receive(ends[1], &f), E_OK);
		cr_expect_eq((int)f.kind, k, "in order");
		cr_expect_str_eq(f.text, frame_kind_name((enum frame_kind)k));
		cr_expect_eq(f.fd, -1);
	}
	cr_expect_eq(frame_receive(ends[1], &f), E_AGAIN);
	tear_down(ends);
}

/* clang-format off */
static const struct {
	const char *why;
	size_t len, arrives;
} lengths[] = {
	{ "none", 0, 0 },
	{ "one", 1, 1 },
	{ "the longest", FRAME_TEXT_MAX - 1, FRAME_TEXT_MAX - 1 },
	{ "one too many is cut", FRAME_TEXT_MAX, FRAME_TEXT_MAX - 1 },
	{ "far too many are cut", 4 * FRAME_TEXT_MAX, FRAME_TEXT_MAX - 1 },
};
/* clang-format on */

Test(frame, text_of_any_length)
{
	static char text[5 * FRAME_TEXT_MAX];
	int ends[2];
	struct frame f;

	set_up(ends);
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		memset(text, 'x', lengths[i].len);
		text[lengths[i].len] = '\0';
		cr_assert_eq(frame_send(ends[0], FRAME_RELOADED, text, -1),
		    E_OK);
		memset(&f, 'y', sizeof(f));
		cr_assert_eq(frame_receive(ends[1], &f), E_OK);
		cr_expect_eq(strlen(f.text), lengths[i].arrives, "%s",
		    lengths[i].why);
	}
	cr_assert_eq(frame_send(ends[0], FRAME_READY, NULL, -1), E_OK);
	cr_assert_eq(frame_receive(ends[1], &f), E_OK);
	cr_expect_str_eq(f.text, "", "NULL is none");
	tear_down(ends);
}

Test(frame, a_descriptor_travels_and_is_not_inherited)
{
	int ends[2], p[2];
	struct frame f;
	char byte = 0;

	set_up(ends);
	cr_assert_eq(pipe(p), 0);
	cr_assert_eq(frame_send(ends[0], FRAME_RELOAD, "f", p[0]), E_OK);
	close(p[0]);
	cr_assert_eq(frame_receive(ends[1], &f), E_OK);
	cr_assert_neq(f.fd, -1);
	cr_expect_eq(fcntl(f.fd, F_GETFD), FD_CLOEXEC);
	cr_assert_eq(write(p[1], "z", 1), 1);
	cr_expect_eq(read(f.fd, &byte, 1), 1);
	cr_expect_eq(byte, 'z');
	close(f.fd);
	close(p[1]);
	tear_down(ends);
}

Test(frame, both_ends_close_on_exec_and_do_not_block)
{
	int ends[2];

	set_up(ends);
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(fcntl(ends[i], F_GETFD), FD_CLOEXEC);
		cr_expect(fcntl(ends[i], F_GETFL) & O_NONBLOCK);
	}
	tear_down(ends);
}

Test(frame, a_full_pipe_refuses_and_loses_nothing, .timeout = 10)
{
	int ends[2], sent = 0, got = 0;
	struct frame f;

	set_up(ends);
	while (frame_send(ends[0], FRAME_RELOADED, "text", -1) == E_OK)
		cr_assert_lt(++sent, 1000000);
	cr_expect_eq(frame_send(ends[0], FRAME_RELOADED, "text", -1), E_AGAIN);
	cr_expect_gt(sent, 0);
	while (frame_receive(ends[1], &f) == E_OK)
		got++;
	cr_expect_eq(got, sent);
	tear_down(ends);
}

Test(frame, the_other_end_is_gone)
{
	int ends[2];
	struct frame f;

	set_up(ends);
	cr_assert_eq(frame_send(ends[0], FRAME_READY, "last words", -1), E_OK);
	close(ends[0]);
	cr_assert_eq(frame_receive(ends[1], &f), E_OK);
	cr_expect_str_eq(f.text, "last words");
	cr_expect_eq(frame_receive(ends[1], &f), E_EOF);
	cr_expect_eq(frame_receive(ends[1], &f), E_EOF, "for good");
	cr_expect_eq(frame_send(ends[1], FRAME_STOP, "", -1), E_RESET);
	close(ends[1]);
}

/* A process that dies before it has read all resets, whatever it had said. */
Test(frame, last_words_of_who_did_not_listen)
{
	int ends[2];
	struct frame f;

	set_up(ends);
	cr_assert_eq(frame_send(ends[1], FRAME_STOP, "unread", -1), E_OK);
	cr_assert_eq(frame_send(ends[0], FRAME_RELOADED, "", -1), E_OK);
	close(ends[0]);
	cr_expect_eq(frame_receive(ends[1], &f), E_OK);
	cr_expect_eq(f.kind, FRAME_RELOADED);
	cr_expect_eq(frame_receive(ends[1], &f), E_EOF);
	close(ends[1]);
}

Test(frame, a_stranger_kind_leaks_no_descriptor)
{
	int ends[2], low;
	struct frame f;

	set_up(ends);
	cr_assert_eq(frame_send(ends[0], FRAME_KIND_COUNT, "?", ends[0]), E_OK);
	cr_assert_eq(frame_send(ends[0], FRAME_READY, "", -1), E_OK);
	low = lowest_free_fd();
	cr_expect_eq(frame_receive(ends[1], &f), E_SYNTAX);
	cr_expect_eq(f.fd, -1);
	cr_expect_eq(lowest_free_fd(), low);
	cr_expect_eq(frame_receive(ends[1], &f), E_OK, "the next is fine");
	tear_down(ends);
}
