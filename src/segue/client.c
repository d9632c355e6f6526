#include "segue/client.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/units.h"
#include "segue/interrupt.h"

#define CONNECT_LIMIT_US (10 * US_PER_S)
#define READ_BYTES 65536

const char *
client_end_name(enum client_end end)
{
#define X(id, name, exit) [CLIENT_##id] = (name),
	static const char *const names[] = { CLIENT_ENDS(X) };
#undef X

	return names[end];
}

int
client_end_exit(enum client_end end)
{
#define X(id, name, exit) [CLIENT_##id] = (exit),
	const int exits[] = { CLIENT_ENDS(X) };
#undef X

	return exits[end];
}

static enum client_end fail(struct client_call *, enum client_end,
    const char *fmt, ...) PRINTF_LIKE(3, 4);

static enum client_end
fail(struct client_call *c, enum client_end end, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
	return end;
}

/* ---- which daemon ---- */

/* In /tmp anybody may have made a directory of that name: not in ours. */
static bool
is_own_socket(const char *path)
{
	char dir[PLACE_PATH_MAX];
	struct stat st;

	(void)str_copy(str_of(path), dir, sizeof(dir));
	*strrchr(dir, '/') = '\0';
	return place_is_ours(dir) && stat(path, &st) == 0;
}

const char *
client_socket(const char *given, char own[PLACE_PATH_MAX])
{
	const char *env = getenv("SEGUE_SOCKET");

	if (given != NULL)
		return given;
	if (env != NULL && env[0] != '\0')
		return env;
	if (place_is_users()) {
		place_socket(own);
		if (is_own_socket(own))
			return own;
	}
	return ADMIN_SOCKET_DEFAULT;
}

/* ---- connecting ---- */

static void
explain_denied(const char *path, char *out, size_t cap)
{
	const struct passwd *pw;
	const struct group *gr;
	char user[32], group[32];
	struct stat st;

	if (stat(path, &st) == -1) {
		(void)snprintf(out, cap,
		    "cannot reach segued at %s: permission denied: you may "
		    "not enter its directory",
		    path);
		return;
	}
	pw = getpwuid(st.st_uid);
	gr = getgrgid(st.st_gid);
	(void)snprintf(user, sizeof(user), "%u", (unsigned)st.st_uid);
	(void)snprintf(group, sizeof(group), "%u", (unsigned)st.st_gid);
	(void)snprintf(out, cap,
	    "cannot reach segued at %s: permission denied: the socket belongs "
	    "to user %s and group %s, mode %04o",
	    path, pw == NULL ? user : pw->pw_name,
	    gr == NULL ? group : gr->gr_name, (unsigned)st.st_mode & 07777);
}

void
client_explain(const char *path, int errnum, char *out, size_t cap)
{
	struct stat st;
	const char *why = strerror(errnum);

	switch (errnum) {
	case EACCES:
	case EPERM:
		explain_denied(path, out, cap);
		return;
	case ENOENT:
		why = "there is no such socket (is segued running?)";
		break;
	case ECONNREFUSED:
		why = stat(path, &st) == 0 && !S_ISSOCK(st.st_mode)
		    ? "it is no socket"
		    : "nobody listens there (is segued running?)";
		break;
	case EAGAIN:
		why = "it takes no connection; segued hangs or is overloaded";
		break;
	case ENAMETOOLONG:
		why = "the path is too long for a socket";
		break;
	default:
		break;
	}
	(void)snprintf(out, cap, "cannot reach segued at %s: %s", path, why);
}

/* connect(2) and send(2) give up then with EAGAIN. */
static int
limit_sending(int fd, uint64_t us)
{
	struct timeval tv = { .tv_sec = (time_t)(us / US_PER_S),
		.tv_usec = (suseconds_t)(us % US_PER_S) };

	return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

/* A descriptor, or -1 with errno. */
static int
dial(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, saved;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (limit_sending(fd, CONNECT_LIMIT_US) == 0 &&
	    connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* ---- asking ---- */

static void
write_request(const struct client_call *c, struct buf *out)
{
	buf_printf(out,
	    "%s %s HTTP/1.1\r\nHost: segue\r\nAccept: %s\r\n"
	    "User-Agent: segue/" SEGUE_VERSION "\r\nConnection: close\r\n",
	    c->method, c->path, c->accept);
	if (strcmp(c->method, "POST") == 0)
		buf_printf(out,
		    "Content-Type: application/json\r\nContent-Length: %zu\r\n",
		    c->body.len);
	buf_add_cstr(out, "\r\n");
	buf_add_str(out, c->body);
}

/*
 * An answer may be there although the daemon took not all of the request (it
 * refused the peer): whoever reads will see.  False: it takes nothing.
 */
static bool
send_all(int fd, struct client_call *c, struct str bytes)
{
	while (bytes.len > 0) {
		ssize_t n = send(fd, bytes.p, bytes.len, MSG_NOSIGNAL);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return errno != EAGAIN;
		c->sent = true;
		bytes = str_sub(bytes, (size_t)n, bytes.len);
	}
	return true;
}

static uint64_t
left_until(uint64_t at, uint64_t now)
{
	return at > now ? at - now : 0;
}

static enum client_end
too_late(struct client_call *c, bool silent)
{
	char text[UNITS_MAX];

	units_duration_round(silent ? c->silence_us : c->answer_us, text);
	return fail(c, CLIENT_SILENT,
	    c->reply.status == 0
	        ? "segued took the connection, but did not answer within %s"
	        : silent ? "segued has said nothing for %s"
	                 : "segued began to answer, but did not end within %s",
	    text);
}

/* Waits until there is something to read. */
static enum client_end
await(int fd, struct client_call *c, uint64_t began)
{
	uint64_t limit = UINT64_MAX;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	bool silent;
	int n = 0;

	if (c->answer_us > 0)
		limit = left_until(began + c->answer_us, clock_mono_us());
	silent = c->silence_us > 0 && c->silence_us < limit;
	if (silent)
		limit = c->silence_us;
	if (limit > 0)
		n = interrupt_poll(&pfd, 1, limit);
	if (n == 0)
		return too_late(c, silent);
	if (n == -1 && errno != EINTR)
		return fail(c, CLIENT_CUT, "poll: %s", strerror(errno));
	if (n == -1 && interrupt_came() != 0)
		return fail(c, CLIENT_INTERRUPTED, "interrupted");
	return CLIENT_DONE; /* or some other signal: then look again */
}

/* CLIENT_DONE: the answer is complete. */
static enum client_end
judge(struct client_call *c, int rc)
{
	switch (rc) {
	case E_OK:
	case E_EOF: /* of on_body: it has what it wants */
		return CLIENT_DONE;
	case E_NOMEM:
		return fail(c, CLIENT_NO_MEMORY, "out of memory");
	default:
		return fail(c, CLIENT_MALFORMED,
		    "segued's answer cannot be read: %s; is it segued that "
		    "listens there?",
		    err_text(rc));
	}
}

static enum client_end
at_end(struct client_call *c)
{
	if (reply_close(&c->reply) == E_OK)
		return CLIENT_DONE;
	return fail(c, CLIENT_CUT,
	    "segued closed the connection before its answer was complete");
}

static enum client_end
receive(int fd, struct client_call *c, uint64_t began)
{
	char bytes[READ_BYTES];

	for (;;) {
		enum client_end end = await(fd, c, began);
		ssize_t n;
		int rc;

		if (end != CLIENT_DONE)
			return end;
		n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return at_end(c);
		rc = reply_feed(&c->reply, str_from(bytes, (size_t)n));
		if (rc != E_AGAIN)
			return judge(c, rc);
	}
}

enum client_end
client_call(const char *path, struct client_call *c)
{
	uint64_t began = clock_mono_us();
	struct buf request = BUF_INIT;
	enum client_end end;
	int fd = dial(path);

	c->why[0] = '\0';
	c->sent = false;
	reply_init(&c->reply, c->on_body, c->arg);
	if (fd == -1) {
		client_explain(path, errno, c->why, sizeof(c->why));
		return CLIENT_UNREACHABLE;
	}
	write_request(c, &request);
	if (request.failed)
		end = fail(c, CLIENT_NO_MEMORY, "out of memory");
	else if (!send_all(fd, c, buf_str(&request)))
		end = fail(c, CLIENT_SILENT,
		    "segued took the connection, but not the request");
	else
		end = receive(fd, c, began);
	buf_free(&request);
	close(fd);
	return end;
}
