#include "tests/bench/secure.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "tests/bench/sock.h"

struct secure {
	SSL *ssl;             /* NULL: no connection */
	SSL_SESSION *session; /* one ref; NULL: none yet */
};

static SSL_CTX *ctx;

/* A ticket has come; 1: its session is ours. */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct secure *s = SSL_get_app_data(ssl);

	SSL_SESSION_free(s->session);
	s->session = session;
	return 1;
}

static void
start(void)
{
	ctx = SSL_CTX_new(TLS_client_method());
	if (ctx == NULL ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1)
		sock_die("TLS");
	SSL_CTX_set_mode(ctx,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
	        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx,
	    SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
}

struct secure *
secure_new(void)
{
	struct secure *s = calloc(1, sizeof(*s));

	if (ctx == NULL)
		start();
	if (s == NULL)
		sock_die("calloc");
	return s;
}

void
secure_begin(struct secure *s, int fd, bool resume)
{
	s->ssl = SSL_new(ctx);
	if (s->ssl == NULL || SSL_set_fd(s->ssl, fd) != 1 ||
	    SSL_set_app_data(s->ssl, s) != 1)
		sock_die("TLS");
	SSL_set_connect_state(s->ssl);
	if (resume && s->session != NULL &&
	    SSL_set_session(s->ssl, s->session) != 1)
		sock_die("session");
}

/* What n of OpenSSL is in the words of send() and recv(). */
static ssize_t
as_of_socket(const struct secure *s, int n)
{
	if (n > 0)
		return n;
	switch (SSL_get_error(s->ssl, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		errno = ECONNRESET;
		return -1;
	}
}

ssize_t
secure_send(struct secure *s, const void *p, size_t len)
{
	ERR_clear_error();
	return as_of_socket(s, SSL_write(s->ssl, p, (int)MIN(len, INT_MAX)));
}

ssize_t
secure_recv(struct secure *s, void *p, size_t len)
{
	ERR_clear_error();
	return as_of_socket(s, SSL_read(s->ssl, p, (int)MIN(len, INT_MAX)));
}

bool
secure_is_resumed(const struct secure *s)
{
	return SSL_session_reused(s->ssl) == 1;
}

void
secure_end(struct secure *s)
{
	if (s->ssl == NULL)
		return;
	ERR_clear_error();
	(void)SSL_shutdown(s->ssl); /* without it the session is void */
	SSL_free(s->ssl);
	s->ssl = NULL;
}
