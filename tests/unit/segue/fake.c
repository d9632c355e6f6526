#include "fake.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "segue/run.h"

#define WORDS_MAX 32

struct fake {
	const struct fake_row *rows;
	pthread_t thread;
	char dir[64], path[96];
	int fd, wake[2];
	pthread_mutex_t lock;
	struct buf asked; /* under lock */
	int open;         /* a connection that stays */
};

/* ---- the thread ---- */

/* Reads head and body of one request. */
static void
read_request(int fd, struct buf *in)
{
	for (;;) {
		const char *end = in->p == NULL ? NULL
		                                : strstr(in->p, "\r\n\r\n");
		const char *length;
		char bytes[4096];
		ssize_t n;

		if (end != NULL) {
			length = strstr(in->p, "Content-Length: ");
			if (length == NULL ||
			    in->len >= (size_t)(end + 4 - in->p) +
			            strtoul(length + 16, NULL, 10))
				return;
		}
		n = recv(fd, bytes, sizeof(bytes), 0);
		if (n <= 0)
			return;
		buf_add(in, bytes, (size_t)n);
	}
}

static const struct fake_row *
row_of(const struct fake_row *row, const struct buf *request)
{
	while (row->begin != NULL &&
	    !str_starts(buf_str(request), str_of(row->begin)))
		row++;
	return row;
}

static void
answer(struct fake *f, int fd)
{
	struct buf request = BUF_INIT;
	const struct fake_row *row;

	read_request(fd, &request);
	pthread_mutex_lock(&f->lock);
	buf_add_str(&f->asked, buf_str(&request));
	buf_add_char(&f->asked, '\n');
	pthread_mutex_unlock(&f->lock);
	row = row_of(f->rows, &request);
	buf_free(&request);
	if (row->begin == NULL) {
		close(fd);
		return;
	}
	if (row->answer[0] != '\0')
		(void)!send(fd, row->answer, strlen(row->answer), MSG_NOSIGNAL);
	if (row->then == FAKE_SIGNAL)
		kill(getpid(), SIGINT);
	if (row->then == FAKE_CLOSE)
		close(fd);
	else
		f->open = fd;
}

static void *
serve(void *arg)
{
	struct fake *f = arg;
	int fd;

	while ((fd = accept(f->fd, NULL, NULL)) != -1)
		answer(f, fd);
	return NULL;
}

/* ---- from outside ---- */

struct fake *
fake_start(const struct fake_row *rows)
{
	struct fake *f = calloc(1, sizeof(*f));
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	sigset_t all, before;

	cr_assert_not_null(f);
	f->rows = rows;
	f->open = -1;
	pthread_mutex_init(&f->lock, NULL);
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/segue-test-XXXXXX");
	cr_assert_not_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/s", f->dir);
	(void)str_copy(str_of(f->path), sun.sun_path, sizeof(sun.sun_path));
	f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(f->fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	cr_assert_eq(listen(f->fd, 8), 0);
	/* signals are for the one who waits */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	cr_assert_eq(pthread_create(&f->thread, NULL, serve, f), 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return f;
}

const char *
fake_socket(const struct fake *f)
{
	return f->path;
}

const char *
fake_asked(struct fake *f)
{
	const char *p;

	pthread_mutex_lock(&f->lock);
	buf_add_cstr(&f->asked, "");
	p = f->asked.p;
	pthread_mutex_unlock(&f->lock);
	return p;
}

void
fake_stop(struct fake **fp)
{
	struct fake *f = *fp;

	*fp = NULL;
	shutdown(f->fd, SHUT_RDWR); /* ends accept() */
	pthread_join(f->thread, NULL);
	close(f->fd);
	if (f->open != -1)
		close(f->open);
	unlink(f->path);
	rmdir(f->dir);
	pthread_mutex_destroy(&f->lock);
	buf_free(&f->asked);
	free(f);
}

/* ---- typing ---- */

struct typed
type(const char *socket, const char *line)
{
	char copy[512], *words[WORDS_MAX + 4], *save = NULL, *w;
	struct typed t = { .exit = -1 };
	size_t out_len, err_len;
	FILE *out = open_memstream(&t.out, &out_len);
	FILE *err = open_memstream(&t.err, &err_len);
	int n = 0;

	cr_assert_not_null(out);
	cr_assert_not_null(err);
	words[n++] = strdup("segue");
	if (socket != NULL) {
		words[n++] = strdup("--socket");
		words[n++] = strdup(socket);
	}
	cr_assert_lt(strlen(line), sizeof(copy));
	(void)str_copy(str_of(line), copy, sizeof(copy));
	for (w = strtok_r(copy, " ", &save); w != NULL && n < WORDS_MAX;
	     w = strtok_r(NULL, " ", &save))
		words[n++] = strdup(w);
	words[n] = NULL;
	t.exit = run_main(n, words, out, err);
	fclose(out);
	fclose(err);
	while (n > 0)
		free(words[--n]);
	return t;
}

void
typed_free(struct typed *t)
{
	free(t->out);
	free(t->err);
}
