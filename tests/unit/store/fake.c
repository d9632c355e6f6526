#include "fake.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "net/loop.h"
#include "tests/unit/net/rig.h"

#define CONNS_MAX 8
#define ROWS_MAX 8
#define WORDS_MAX 8

struct conn {
	struct watch watch;
	struct later more;
	struct fake *fake;
	int fd; /* -1: free */
	struct buf in, out;
};

struct row {
	const char *word;
	struct str text;
};

struct fake {
	struct loop *loop;
	struct watch door;
	int fd; /* -1: gone */
	bool accepts, holds, in_pieces;
	char path[108];
	struct conn conns[CONNS_MAX];
	struct row rows[ROWS_MAX];
	size_t n_rows;
	struct buf log;
	size_t held, most_held; /* commands */
};

/* Without a script. */
static const struct row usual[] = {
	{ "PING", { "+PONG\r\n", 7 } },
	{ "AUTH", { "+OK\r\n", 5 } },
	{ "SELECT", { "+OK\r\n", 5 } },
	{ "SET", { "+OK\r\n", 5 } },
	{ "DEL", { ":1\r\n", 4 } },
	{ "GETRANGE", { "$0\r\n\r\n", 6 } },
};

/* ---- connections ---- */

static void
hang_up(struct conn *c)
{
	if (c->fd == -1)
		return;
	watch_del(&c->watch);
	later_cancel(&c->more);
	close(c->fd);
	c->fd = -1;
	buf_free(&c->in);
	buf_free(&c->out);
}

/* At most so much; what it does not take now goes in the next turn. */
static void
let_out(struct conn *c, size_t most)
{
	size_t len = MIN(c->out.len, most);
	ssize_t n;

	if (len == 0)
		return;
	n = send(c->fd, c->out.p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0)
		buf_cut(&c->out, (size_t)n);
	else if (errno != EAGAIN)
		buf_reset(&c->out); /* it is gone, as will be read */
}

static void speak(struct conn *);

static void
on_more(struct later *l)
{
	speak(CONTAINER_OF(l, struct conn, more));
}

static void
speak(struct conn *c)
{
	struct fake *f = c->fake;

	if (f->holds)
		return;
	f->held = 0;
	let_out(c, f->in_pieces ? 1 : c->out.len);
	if (c->out.len > 0)
		loop_later(f->loop, &c->more, on_more);
}

/* ---- commands ---- */

static struct str
answer_to(const struct fake *f, struct str word)
{
	for (size_t i = 0; i < f->n_rows; i++)
		if (str_eq(word, str_of(f->rows[i].word)))
			return f->rows[i].text;
	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		if (str_eq(word, str_of(usual[i].word)))
			return usual[i].text;
	return STR("-ERR unknown command\r\n");
}

/* "$3", after the mark; false: it is not there yet. */
static bool
take_number(struct str *rest, char mark, uint64_t *out)
{
	ssize_t end = str_find(*rest, '\n');

	if (end == -1)
		return false;
	cr_assert(end > 2 && rest->p[0] == mark && rest->p[end - 1] == '\r');
	cr_assert(str_u64(str_from(rest->p + 1, (size_t)end - 2), out));
	*rest = str_sub(*rest, (size_t)end + 1, rest->len);
	return true;
}

/* One command in words; how long it is, 0: it is not all there. */
static size_t
take_command(struct str in, struct str words[WORDS_MAX], uint64_t *n)
{
	struct str rest = in;
	uint64_t len;

	if (!take_number(&rest, '*', n))
		return 0;
	cr_assert(*n > 0 && *n <= WORDS_MAX);
	for (uint64_t i = 0; i < *n; i++) {
		if (!take_number(&rest, '$', &len) || rest.len < len + 2)
			return 0;
		words[i] = str_from(rest.p, len);
		rest = str_sub(rest, len + 2, rest.len);
	}
	return in.len - rest.len;
}

static void
obey(struct conn *c, const struct str *words, uint64_t n)
{
	struct fake *f = c->fake;

	for (uint64_t i = 0; i < n; i++) {
		buf_add_str(&f->log, words[i]);
		buf_add_char(&f->log, i + 1 < n ? ' ' : '\n');
	}
	buf_add_str(&c->out, answer_to(f, words[0]));
	if (++f->held > f->most_held && f->holds)
		f->most_held = f->held;
}

static void
on_input(struct watch *w, unsigned what UNUSED)
{
	struct conn *c = CONTAINER_OF(w, struct conn, watch);
	struct str words[WORDS_MAX], rest;
	char bytes[65536];
	ssize_t got = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	uint64_t n;
	size_t len;

	if (got == -1 && errno == EAGAIN)
		return;
	if (got <= 0) {
		hang_up(c);
		return;
	}
	buf_add(&c->in, bytes, (size_t)got);
	rest = buf_str(&c->in);
	while ((len = take_command(rest, words, &n)) > 0) {
		obey(c, words, n);
		rest = str_sub(rest, len, rest.len);
	}
	buf_cut(&c->in, c->in.len - rest.len);
	speak(c);
}

/* ---- the door ---- */

static void
on_door(struct watch *w, unsigned what UNUSED)
{
	struct fake *f = CONTAINER_OF(w, struct fake, door);
	struct conn *c = f->conns;

	while (c->fd != -1)
		cr_assert(++c < f->conns + CONNS_MAX, "too many come");
	c->fd = accept4(f->fd, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_neq(c->fd, -1);
	cr_assert_eq(watch_add_level(&c->watch, f->loop, c->fd, on_input),
	    E_OK);
}

struct fake *
fake_new(struct loop *loop)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct fake *f = calloc(1, sizeof(*f));

	cr_assert_not_null(f);
	f->loop = loop;
	for (size_t i = 0; i < CONNS_MAX; i++) {
		f->conns[i].fake = f;
		f->conns[i].fd = -1;
	}
	(void)str_copy(str_of(rig_path("fake.sock")), f->path, sizeof(f->path));
	memcpy(at.sun_path, f->path, sizeof(f->path));
	f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_neq(f->fd, -1);
	cr_assert_eq(bind(f->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	cr_assert_eq(listen(f->fd, 64), 0);
	fake_accepts(f, true);
	return f;
}

const char *
fake_path(const struct fake *f)
{
	return f->path;
}

void
fake_free(struct fake **fp)
{
	struct fake *f = *fp;

	fake_is_gone(f);
	buf_free(&f->log);
	free(f);
	*fp = NULL;
	rig_sweep();
}

/* ---- the script ---- */

void
fake_says_str(struct fake *f, const char *word, struct str text)
{
	cr_assert(f->n_rows < ROWS_MAX);
	memmove(f->rows + 1, f->rows, f->n_rows++ * sizeof(f->rows[0]));
	f->rows[0] = (struct row){ word, text };
}

void
fake_says(struct fake *f, const char *word, const char *text)
{
	fake_says_str(f, word, str_of(text));
}

void
fake_says_no_more(struct fake *f)
{
	f->n_rows = 0;
}

void
fake_holds(struct fake *f, bool yes)
{
	f->holds = yes;
	for (size_t i = 0; !yes && i < CONNS_MAX; i++)
		if (f->conns[i].fd != -1)
			speak(&f->conns[i]);
}

void
fake_in_pieces(struct fake *f, bool yes)
{
	f->in_pieces = yes;
}

void
fake_accepts(struct fake *f, bool yes)
{
	if (yes && !f->accepts)
		cr_assert_eq(watch_add_level(&f->door, f->loop, f->fd, on_door),
		    E_OK);
	else if (!yes && f->accepts)
		watch_del(&f->door);
	f->accepts = yes;
}

void
fake_lets_out(struct fake *f, size_t bytes)
{
	for (size_t i = 0; i < CONNS_MAX; i++)
		if (f->conns[i].fd != -1)
			let_out(&f->conns[i], bytes);
}

void
fake_pushes(struct fake *f, const char *text)
{
	for (size_t i = 0; i < CONNS_MAX; i++)
		if (f->conns[i].fd != -1) {
			buf_add_cstr(&f->conns[i].out, text);
			speak(&f->conns[i]);
		}
}

void
fake_hangs_up(struct fake *f)
{
	for (size_t i = 0; i < CONNS_MAX; i++)
		hang_up(&f->conns[i]);
	f->held = 0;
}

void
fake_is_gone(struct fake *f)
{
	fake_hangs_up(f);
	if (f->fd == -1)
		return;
	fake_accepts(f, false);
	close(f->fd);
	f->fd = -1;
}

/* ---- what it has seen ---- */

const char *
fake_log(const struct fake *f)
{
	return f->log.p == NULL ? "" : f->log.p;
}

size_t
fake_count(const struct fake *f, const char *word)
{
	struct str rest = buf_str(&f->log);
	size_t n = 0;

	while (rest.len > 0)
		n += str_starts(str_split(&rest, '\n'), str_of(word));
	return n;
}

void
fake_forgets(struct fake *f)
{
	buf_reset(&f->log);
}

size_t
fake_most_held(const struct fake *f)
{
	return f->most_held;
}

bool
fake_has_input(const struct fake *f)
{
	for (size_t i = 0; i < CONNS_MAX; i++) {
		struct pollfd p = { f->conns[i].fd, POLLIN, 0 };

		if (p.fd != -1 && poll(&p, 1, 0) == 1)
			return true;
	}
	return false;
}

struct until {
	const struct fake *fake;
	const char *word;
	size_t n;
};

static bool
has_seen(void *arg)
{
	const struct until *u = arg;

	return fake_count(u->fake, u->word) >= u->n;
}

void
fake_until(struct fake *f, const char *word, size_t n)
{
	struct until u = { f, word, n };

	rig_run_until(f->loop, has_seen, &u);
}
