#include "tls/stream.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "tls/client.h"
#include "tls/peer.h"
#include "tls/stream_int.h"

#define RECORD_BYTES 16384 /* the most that one record holds */
/*
 * Asked of the kernel at once where bytes come in bulk: three full records of
 * TLS 1.3, behind the 3 bytes by which OpenSSL aligns the first.
 */
#define BULK_BYTES (3 + 3 * (RECORD_BYTES + 22))
/* Bytes that may come without any data in them: a flood of them is ended. */
#define IDLE_BYTES_MAX 65536

struct stream {
	SSL *ssl;              /* owned */
	struct tls_kept *kept; /* borrowed; NULL: nothing is to be kept */
	uint64_t settings;     /* of the client's side; 0: we accepted it */
	struct tls_peer *peer; /* owned; NULL: none, or nobody asked yet */
	watch_fn *below;       /* what .watch.fn was */
	uint32_t idle_bytes;   /* came since there was data in them */
	int sys_error;
	bool blocked; /* the kernel had nothing */
	bool emptied; /* ... has nothing: the last read was short */
	bool quiet;   /* ... and we have sent since: a reset has its own edge, a
	                 FIN is .fin_seen of the conn */
	bool sys_eof;
	bool shaken;
	bool dead; /* OpenSSL gave up: no call but SSL_free() */
	bool shut_due;
	bool bulk;     /* the last read gave at least a full record */
	bool more;     /* behind what is being written: no packet of its own */
	bool corked;   /* the kernel may wait for it */
	bool was_full; /* the last time the kernel did not take all */
	bool read_wants_room;   /* conn_recv() goes on when we may send */
	bool write_wants_input; /* conn_sendv() goes on when bytes came */
	bool peer_known;        /* .peer is made, if there is any */
	uint8_t fault;          /* enum tls_fault */
	uint8_t staple;         /* enum tls_staple */
};

static struct stream *
stream_of(const struct conn *c)
{
	return c->over;
}

/* ---- the socket under OpenSSL ---- */

static int
sock_read(BIO *b, char *p, int len)
{
	struct conn *c = BIO_get_data(b);
	struct stream *t = stream_of(c);
	ssize_t n;

	BIO_clear_retry_flags(b);
	if (t->sys_error != 0)
		return -1;
	if (t->quiet && !t->shaken && !c->fin_seen) {
		t->blocked = true;
		BIO_set_retry_read(b);
		return -1;
	}
	do
		n = recv(c->fd, p, (size_t)len, 0);
	while (n == -1 && errno == EINTR);
	t->blocked = n == -1 && errno == EAGAIN;
	t->emptied = t->blocked || (n > 0 && n < len);
	t->quiet = false;
	if (t->blocked)
		BIO_set_retry_read(b);
	else if (n == -1)
		t->sys_error = errno;
	else if (n == 0)
		t->sys_eof = true;
	else
		t->idle_bytes += (uint32_t)n;
	return (int)n;
}

/*
 * Tickets of TLS 1.3 need no packet of their own: nobody waits for them, and
 * most often an answer comes right behind.  The kernel waits for 0.2 s.
 */
static bool
is_ticket(const struct stream *t)
{
	return !t->shaken && SSL_get_state(t->ssl) == TLS_ST_SW_SESSION_TICKET;
}

/*
 * A send buffer that is full may hold less than a segment, as on loopback: then
 * nothing would move for 0.2 s.  Set anew, the option sends what there is.
 */
static void
uncork(struct conn *c)
{
	int one = 1;

	if (stream_of(c)->corked)
		(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one,
		    sizeof(one));
	stream_of(c)->corked = false;
}

static int
sock_write(BIO *b, const char *p, int len)
{
	struct conn *c = BIO_get_data(b);
	struct stream *t = stream_of(c);
	int how = MSG_NOSIGNAL | (t->more || is_ticket(t) ? MSG_MORE : 0);
	ssize_t n;

	BIO_clear_retry_flags(b);
	do
		n = send(c->fd, p, (size_t)len, how);
	while (n == -1 && errno == EINTR);
	if (n == -1 && errno == EAGAIN) {
		BIO_set_retry_write(b);
		uncork(c);
	} else if (n == -1) {
		t->sys_error = errno;
	} else {
		t->corked = (how & MSG_MORE) != 0;
	}
	t->quiet = n == len && t->emptied;
	return (int)n;
}

static long
sock_ctrl(BIO *b UNUSED, int what, long num UNUSED, void *p UNUSED)
{
	/* Not BIO_CTRL_EOF: a FIN must not keep us from sending. */
	return what == BIO_CTRL_FLUSH || what == BIO_CTRL_DUP;
}

static int
sock_create(BIO *b)
{
	BIO_set_init(b, 1);
	return 1;
}

static BIO_METHOD *sock_method;

static void
make_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "conn");

	if (m == NULL)
		return;
	if (BIO_meth_set_read(m, sock_read) != 1 ||
	    BIO_meth_set_write(m, sock_write) != 1 ||
	    BIO_meth_set_ctrl(m, sock_ctrl) != 1 ||
	    BIO_meth_set_create(m, sock_create) != 1) {
		BIO_meth_free(m);
		return;
	}
	sock_method = m;
}

static BIO *
sock_new(struct conn *c)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *b;

	(void)pthread_once(&once, make_method);
	b = sock_method == NULL ? NULL : BIO_new(sock_method);
	if (b != NULL)
		BIO_set_data(b, c);
	return b;
}

/* ---- what OpenSSL says ---- */

enum verdict {
	WANT_INPUT,
	WANT_ROOM,
	WANT_CALL, /* a record without data: call again */
	AT_END,
	AT_FIN, /* without close_notify */
	BROKEN
};

static enum verdict
judge(struct stream *t, int n)
{
	switch (SSL_get_error(t->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		return t->blocked ? WANT_INPUT : WANT_CALL;
	case SSL_ERROR_WANT_WRITE:
		return WANT_ROOM;
	case SSL_ERROR_ZERO_RETURN:
		return AT_END;
	case SSL_ERROR_SYSCALL:
		if (t->sys_error == 0 && t->sys_eof)
			return AT_FIN;
		t->dead |= t->sys_error == 0;
		return BROKEN;
	default:
		t->dead = true;
		return BROKEN;
	}
}

static ssize_t
fail(struct conn *c)
{
	const struct stream *t = stream_of(c);
	unsigned long e = ERR_peek_error();

	ERR_clear_error();
	c->failed = true;
	c->maybe_input = c->unsure = false;
	if (t->sys_error == ECONNRESET || t->sys_error == EPIPE ||
	    (e != 0 && ERR_GET_REASON(e) > SSL_AD_REASON_OFFSET))
		return E_RESET;
	return E_IO;
}

/* ---- conn_recv() ---- */

/* What the kernel and OpenSSL may still have, after bytes were read. */
static void
note_rest(struct conn *c)
{
	const struct stream *t = stream_of(c);

	if (SSL_has_pending(t->ssl) || !t->emptied || c->fin_seen) {
		c->maybe_input = true;
		return;
	}
	c->maybe_input = false;
	c->unsure = true;
}

static ssize_t
end_of_input(struct conn *c, enum verdict v)
{
	struct stream *t = stream_of(c);

	switch (v) {
	case WANT_INPUT:
		c->maybe_input = c->unsure = false;
		return E_AGAIN;
	case WANT_ROOM:
		t->read_wants_room = true;
		return E_AGAIN;
	case AT_FIN:
		c->torn = true;
		/* fallthrough */
	case AT_END:
		c->eof = true;
		c->maybe_input = c->unsure = false;
		return 0;
	case WANT_CALL:
	case BROKEN:
		break;
	}
	return fail(c);
}

typedef int read_fn(SSL *, void *, int);

/* One read of what is inside; *v only when the result is not > 0. */
static int
read_inside(struct conn *c, read_fn *fn, char *p, size_t len, enum verdict *v)
{
	struct stream *t = stream_of(c);
	int n;

	*v = BROKEN;
	while (!t->dead) {
		ERR_clear_error();
		t->blocked = false;
		n = fn(t->ssl, p, (int)MIN(len, (size_t)INT_MAX));
		if (n > 0) {
			t->idle_bytes = 0;
			return n;
		}
		*v = judge(t, n);
		if (t->idle_bytes > IDLE_BYTES_MAX) {
			t->dead = true;
			*v = BROKEN;
		}
		if (*v != WANT_CALL)
			break;
	}
	return -1;
}

/* For the next buffer: this one is given back when all in it was read. */
static void
expect_more(struct stream *t, size_t got)
{
	bool bulk = got >= RECORD_BYTES;

	if (bulk == t->bulk)
		return;
	t->bulk = bulk;
	SSL_set_default_read_buffer_len(t->ssl, bulk ? BULK_BYTES : 0);
}

static ssize_t
stream_recv(struct conn *c, void *p, size_t len)
{
	size_t got = 0;
	enum verdict v;

	while (got < len) {
		int n = read_inside(c, SSL_read, (char *)p + got, len - got,
		    &v);

		if (n < 0 && got == 0)
			return end_of_input(c, v);
		if (n < 0) {
			/* What comes behind the bytes is told next time. */
			ERR_clear_error();
			expect_more(stream_of(c), got);
			if (v == WANT_INPUT)
				note_rest(c);
			else
				c->maybe_input = true;
			stream_of(c)->read_wants_room |= v == WANT_ROOM;
			return (ssize_t)got;
		}
		got += (size_t)n;
		if (!SSL_has_pending(stream_of(c)->ssl))
			break;
	}
	expect_more(stream_of(c), got);
	note_rest(c);
	return (ssize_t)got;
}

/* ---- conn_sendv() ---- */

/* Where in the vector the next byte is. */
struct cursor {
	const struct iovec *iov;
	int n;
	size_t off;
};

static void
advance(struct cursor *at, size_t bytes)
{
	while (at->n > 0 && bytes >= at->iov->iov_len - at->off) {
		bytes -= at->iov->iov_len - at->off;
		at->iov++;
		at->n--;
		at->off = 0;
	}
	at->off += bytes;
}

/*
 * What goes into the next record: from where it lies when that fills one or is
 * the last, else copied together.  Called again for the same bytes, perhaps
 * with more behind them, it never gives fewer, as OpenSSL demands of a write
 * that is tried again.
 */
static struct str
next_record(struct cursor at, char scratch[RECORD_BYTES])
{
	size_t len = at.iov->iov_len - at.off, n = 0;

	if (len >= RECORD_BYTES || at.n == 1)
		return str_from((char *)at.iov->iov_base + at.off,
		    MIN(len, (size_t)RECORD_BYTES));
	while (at.n > 0 && n < RECORD_BYTES) {
		len = MIN(at.iov->iov_len - at.off, RECORD_BYTES - n);
		memcpy(scratch + n, (char *)at.iov->iov_base + at.off, len);
		n += len;
		advance(&at, len);
	}
	return str_from(scratch, n);
}

static ssize_t
stream_sendv(struct conn *c, const struct iovec *iov, int n)
{
	static _Thread_local char scratch[RECORD_BYTES];
	struct stream *t = stream_of(c);
	struct cursor at = { iov, n, 0 };
	size_t done = 0, all = iov_bytes(iov, n);

	if (t->dead)
		return fail(c);
	advance(&at, 0); /* over empty ones */
	while (at.n > 0) {
		struct str rec = next_record(at, scratch);
		enum verdict v;
		int sent;

		ERR_clear_error();
		t->blocked = true; /* WANT_READ can only mean that */
		t->more = done + rec.len < all && !t->was_full;
		sent = SSL_write(t->ssl, rec.p, (int)rec.len);
		if (sent > 0) {
			done += (size_t)sent;
			advance(&at, (size_t)sent);
			continue;
		}
		t->more = false;
		v = judge(t, sent);
		if (v != WANT_ROOM && v != WANT_INPUT)
			return fail(c);
		t->write_wants_input = v == WANT_INPUT;
		break;
	}
	t->more = false;
	t->was_full = c->no_room = at.n > 0;
	return (ssize_t)done;
}

/* ---- the end ---- */

/*
 * False: the kernel does not take it now.  OpenSSL calls it sent even then, and
 * sends it when it is called once more.
 */
static bool
say_goodbye(struct stream *t)
{
	int n;

	if (!t->shaken || t->dead || t->sys_error != 0 ||
	    (!t->shut_due &&
	        (SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN) != 0))
		return true;
	ERR_clear_error();
	n = SSL_shutdown(t->ssl);
	if (n < 0 && SSL_get_error(t->ssl, n) == SSL_ERROR_WANT_WRITE)
		return false;
	ERR_clear_error();
	return true;
}

static void
stream_shut(struct conn *c)
{
	struct stream *t = stream_of(c);

	t->shut_due = !say_goodbye(t);
	if (!t->shut_due && shutdown(c->fd, SHUT_WR) == -1)
		c->failed = true;
}

static bool
stream_is_stale(struct conn *c)
{
	enum verdict v;
	char byte;

	/* Tickets and new keys come when they like: they are dealt with. */
	if (read_inside(c, SSL_peek, &byte, 1, &v) > 0)
		return true;
	ERR_clear_error();
	return v != WANT_INPUT;
}

static void
stream_free(struct stream *t)
{
	SSL_free(t->ssl);
	ERR_clear_error();
	free(t->peer);
	free(t);
}

static void
stream_close(struct conn *c, bool hard)
{
	struct stream *t = stream_of(c);

	if (!hard && !c->failed)
		(void)say_goodbye(t);
	stream_free(t);
	c->over = NULL;
	conn_plain.close(c, hard);
}

static const struct conn_ops stream_ops = {
	.recv = stream_recv,
	.sendv = stream_sendv,
	.shut = stream_shut,
	.close = stream_close,
	.is_stale = stream_is_stale,
};

/* ---- edges ---- */

static void
on_watch(struct watch *w, unsigned what)
{
	struct conn *c = CONTAINER_OF(w, struct conn, watch);
	struct stream *t = stream_of(c);

	conn_note(c, what);
	if ((what & (WATCH_READ | WATCH_CLOSED)) != 0) {
		t->quiet = t->emptied = false;
		if (t->write_wants_input) {
			t->write_wants_input = c->no_room = false;
			what |= WATCH_WRITE;
		}
	}
	if ((what & WATCH_WRITE) != 0 && t->read_wants_room) {
		t->read_wants_room = false;
		c->maybe_input = true;
		what |= WATCH_READ;
	}
	if ((what & WATCH_WRITE) != 0 && t->shut_due)
		stream_shut(c);
	c->fn(c, what);
}

/* ---- the handshake ---- */

/* Takes ssl over when it is E_OK. */
static int
lay_over(struct conn *c, SSL *ssl, struct stream **out)
{
	struct stream *t = calloc(1, sizeof(*t));
	BIO *b = t == NULL ? NULL : sock_new(c);

	if (b == NULL) {
		ERR_clear_error();
		free(t);
		return E_NOMEM;
	}
	t->ssl = ssl;
	SSL_set_bio(ssl, b, b);
	SSL_set_app_data(ssl, t);
	c->over = t;
	c->ops = &stream_ops;
	t->below = c->watch.fn;
	c->watch.fn = on_watch;
	*out = t;
	return E_OK;
}

int
tls_accept(struct conn *c, struct tls_server *server)
{
	SSL *ssl = tls_server_ssl(server);
	struct stream *t;
	int rc = E_NOMEM;

	if (ssl != NULL)
		rc = lay_over(c, ssl, &t);
	if (rc != E_OK)
		SSL_free(ssl);
	else
		SSL_set_accept_state(ssl);
	ERR_clear_error();
	return rc;
}

int
tls_stream_dial(struct conn *c, SSL *ssl, struct tls_kept *kept, uint64_t id)
{
	struct stream *t;
	int rc = lay_over(c, ssl, &t);

	if (rc != E_OK)
		return rc;
	t->kept = kept;
	t->settings = id;
	SSL_set_connect_state(ssl);
	return E_OK;
}

uint64_t
tls_stream_settings(const struct conn *c)
{
	return c->over == NULL ? 0 : stream_of(c)->settings;
}

int
tls_stream_keep(SSL *ssl, SSL_SESSION *session)
{
	const struct stream *t = SSL_get_app_data(ssl);

	if (t == NULL || t->kept == NULL)
		return 0;
	SSL_SESSION_free(t->kept->session);
	*t->kept = (struct tls_kept){ session, t->settings };
	return 1; /* it is ours now */
}

/* Who sent more before we close would be told of a reset, not of the alert. */
static void
drop_input(const struct conn *c)
{
	char bytes[4096];

	for (int i = 0; i < 8; i++)
		if (recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT) <= 0)
			return;
}

/* What of a client's certificate was not right. */
static uint8_t
fault_of_verify(long result)
{
	switch (result) {
	case X509_V_ERR_CERT_REVOKED:
		return TLS_FAULT_REVOKED;
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TLS_FAULT_EXPIRED;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_UNTRUSTED:
		return TLS_FAULT_UNKNOWN_CA;
	case X509_V_ERR_UNABLE_TO_GET_CRL:
	case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_CRL_NOT_YET_VALID:
	case X509_V_ERR_CRL_SIGNATURE_FAILURE:
		return TLS_FAULT_CRL;
	default:
		return TLS_FAULT_CERTIFICATE;
	}
}

static int
shake_failed(struct conn *c, enum verdict v)
{
	struct stream *t = stream_of(c);

	t->dead = c->failed = true;
	if (v == AT_FIN || v == AT_END) {
		t->fault = TLS_FAULT_CLOSED;
		return E_EOF;
	}
	if (t->sys_error != 0) {
		t->fault = TLS_FAULT_RESET;
		ERR_clear_error();
		return E_RESET;
	}
	t->fault = tls_fault_take();
	if (t->fault == TLS_FAULT_CERTIFICATE && t->settings == 0)
		t->fault = fault_of_verify(SSL_get_verify_result(t->ssl));
	drop_input(c);
	return t->fault == TLS_FAULT_MEMORY ? E_NOMEM : E_SYNTAX;
}

/* Of a connection that we dialled. */
static int
code_for_caller(const struct stream *t, int code)
{
	if (t->settings == 0 || code == E_NOMEM)
		return code;
	return tls_fault_is_of_peer(t->fault) ? E_CERT : E_TLS;
}

int
tls_shake(struct conn *c)
{
	struct stream *t = stream_of(c);
	enum verdict v = BROKEN;
	int n = -1;

	if (!t->dead) {
		ERR_clear_error();
		t->blocked = false;
		n = SSL_do_handshake(t->ssl);
		if (n != 1)
			v = judge(t, n);
	}
	if (n == 1) {
		t->shaken = true;
		t->idle_bytes = 0;
		note_rest(c);
		return E_OK;
	}
	if (v == WANT_INPUT || v == WANT_ROOM)
		return E_AGAIN;
	return code_for_caller(t, shake_failed(c, v));
}

void
tls_drop(struct conn *c)
{
	struct stream *t = stream_of(c);

	c->ops = &conn_plain;
	c->watch.fn = t->below;
	c->over = NULL;
	c->failed = t->sys_error != 0;
	c->maybe_input = true;
	stream_free(t);
}

/* ---- about a conn ---- */

#define X(id, name) [TLS_##id] = (name),
static const char *const version_names[] = { TLS_VERSIONS(X) };
#undef X

const char *
tls_version_name(enum tls_version v)
{
	return version_names[v];
}

#define X(id, name) [TLS_STAPLE_##id] = (name),
static const char *const staple_names[] = { TLS_STAPLES(X) };
#undef X

const char *
tls_staple_name(enum tls_staple s)
{
	return staple_names[s];
}

void
tls_stream_note_staple(SSL *ssl, enum tls_staple s)
{
	struct stream *t = SSL_get_app_data(ssl);

	if (t != NULL)
		t->staple = (uint8_t)s;
}

enum tls_staple
tls_staple_of(const struct conn *c)
{
	return c->over == NULL ? TLS_STAPLE_NONE
	                       : (enum tls_staple)stream_of(c)->staple;
}

enum tls_fault
tls_fault_of(const struct conn *c)
{
	return c->over == NULL ? TLS_FAULT_PROTOCOL
	                       : (enum tls_fault)stream_of(c)->fault;
}

const char *
tls_why(const struct conn *c)
{
	long verified = c->over == NULL
	    ? X509_V_OK
	    : SSL_get_verify_result(stream_of(c)->ssl);

	if (verified != X509_V_OK && tls_fault_is_of_peer(tls_fault_of(c)))
		return X509_verify_cert_error_string(verified);
	return tls_fault_text(tls_fault_of(c));
}

enum tls_version
tls_version_of(const struct conn *c)
{
	return c->over != NULL &&
	        SSL_version(stream_of(c)->ssl) == TLS1_2_VERSION
	    ? TLS_1_2
	    : TLS_1_3;
}

const char *
tls_cipher(const struct conn *c)
{
	return c->over == NULL ? "" : SSL_get_cipher_name(stream_of(c)->ssl);
}

struct str
tls_alpn(const struct conn *c)
{
	const unsigned char *p = NULL;
	unsigned len = 0;

	if (c->over != NULL)
		SSL_get0_alpn_selected(stream_of(c)->ssl, &p, &len);
	return str_from((const char *)p, len);
}

bool
tls_is_resumed(const struct conn *c)
{
	return c->over != NULL && SSL_session_reused(stream_of(c)->ssl) == 1;
}

struct str
tls_sni(const struct conn *c)
{
	if (c->over == NULL)
		return (struct str){ NULL, 0 };
	return str_of(SSL_get_servername(stream_of(c)->ssl,
	    TLSEXT_NAMETYPE_host_name));
}

int
tls_peer_of(const struct conn *c, const struct tls_peer **out)
{
	struct stream *t = stream_of(c);
	int rc;

	*out = NULL;
	if (t == NULL || !t->shaken || t->settings != 0)
		return E_OK;
	if (!t->peer_known) {
		rc = tls_peer_make(t->ssl, &t->peer);
		if (rc != E_OK)
			return rc;
		t->peer_known = true;
	}
	*out = t->peer;
	return E_OK;
}

size_t
tls_peer_weight(const struct conn *c)
{
	const struct stream *t = stream_of(c);
	int n;

	if (t == NULL || t->settings != 0 ||
	    SSL_get0_peer_certificate(t->ssl) == NULL)
		return 0;
	/* The last one is the authority, and ours. */
	n = sk_X509_num(SSL_get0_verified_chain(t->ssl)) - 1;
	return (size_t)MAX(n, 1) * TLS_PEER_CERT_BYTES;
}

bool
tls_serves(const struct conn *c, struct str host)
{
	struct str sni = tls_sni(c);

	if (sni.len == 0 || str_caseeq(sni, host))
		return true;
	return tls_context_serves(SSL_get_SSL_CTX(stream_of(c)->ssl), host);
}
