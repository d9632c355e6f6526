#include "ipc/frame.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"

#define X(id, name) [FRAME_##id] = (name),
static const char *const kind_names[] = { FRAME_KINDS(X) };
#undef X

const char *
frame_kind_name(enum frame_kind k)
{
	return kind_names[k];
}

int
frame_pair(int fds[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
	        0, fds) == -1)
		return err_sys();
	return E_OK;
}

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int
frame_send(int sock, enum frame_kind kind, const char *text, int fd)
{
	unsigned char k = (unsigned char)kind;
	size_t len = text == NULL ? 0 : strlen(text);
	struct iovec iov[2] = { { &k, 1 },
		{ (void *)(uintptr_t)text, MIN(len, FRAME_TEXT_MAX - 1) } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	union control ctl = { .bytes = { 0 } };

	if (fd != -1) {
		struct cmsghdr *c;

		msg.msg_control = &ctl;
		msg.msg_controllen = sizeof(ctl);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	if (sendmsg(sock, &msg, MSG_NOSIGNAL) == -1)
		return err_sys();
	return E_OK;
}

static int
received_fd(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int fd = -1;

	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

int
frame_receive(int sock, struct frame *out)
{
	unsigned char kind = 0;
	struct iovec iov[2] = { { &kind, 1 },
		{ out->text, FRAME_TEXT_MAX - 1 } };
	union control ctl;
	struct msghdr msg = { .msg_iov = iov,
		.msg_iovlen = 2,
		.msg_control = &ctl,
		.msg_controllen = sizeof(ctl) };
	ssize_t n;

	out->fd = -1;
	/* A reset is told once, before what had been sent: read on for that. */
	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n == -1 && (errno == EINTR || errno == ECONNRESET));
	if (n == -1)
		return err_sys();
	if (n == 0)
		return E_EOF;
	out->text[n - 1] = '\0';
	out->fd = received_fd(&msg);
	if (kind >= FRAME_KIND_COUNT) {
		if (out->fd != -1)
			close(out->fd);
		out->fd = -1;
		return E_SYNTAX;
	}
	out->kind = (enum frame_kind)kind;
	return E_OK;
}
