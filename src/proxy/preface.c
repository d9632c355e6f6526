#include "proxy/preface.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "config/config.h"
#include "proxy/client.h"
#include "proxy/proof.h"
#include "proxy/worker.h"
#include "tls/peer.h"
#include "tls/stream.h"
#include "upstream/conncache.h"
#include "upstream/view.h"

/* Of version 2 at most: its head, and two paths of Unix sockets. */
#define PP_ADDRESSES 232

bool
preface_is_heard(const struct view_listener *l, bool trusted)
{
	return l->cfg->proxy_protocol != CFG_PP_OFF && trusted;
}

bool
preface_is_needed(const struct view_listener *l)
{
	return l->cfg->proxy_protocol == CFG_PP_REQUIRED;
}

bool
preface_says_tls(const struct client *c)
{
	return c->preface != NULL && c->preface->said.over_tls;
}

void
preface_free(struct client *c)
{
	if (c->preface == NULL)
		return;
	c->proxy->preface_bytes -= c->preface->bytes;
	free(c->preface);
	c->preface = NULL;
}

/* A text of the preface, where its copy has it. */
static void
move(struct str *s, const struct pp_preface *from, const char *to)
{
	if (s->p != NULL)
		s->p = to + (s->p - from->tlvs.p);
}

static int
keep(struct client *c, const struct pp_preface *said)
{
	size_t bytes = sizeof(struct preface) + said->tlvs.len;
	struct preface *p = malloc(bytes);

	if (p == NULL) {
		client_note_refusal(c, REFUSED_MEMORY, "");
		return E_NOMEM;
	}
	p->said = *said;
	p->bytes = bytes;
	str_copy(str_of(c->peer_text), p->via, sizeof(p->via));
	if (said->tlvs.len > 0)
		memcpy(p->tlvs, said->tlvs.p, said->tlvs.len);
	move(&p->said.alpn, said, p->tlvs);
	move(&p->said.authority, said, p->tlvs);
	move(&p->said.unique_id, said, p->tlvs);
	move(&p->said.tls_version, said, p->tlvs);
	move(&p->said.tlvs, said, p->tlvs);
	c->preface = p;
	c->proxy->preface_bytes += bytes;
	return E_OK;
}

/* From now on the connection is the client's, whoever that is. */
static int
believe(struct client *c, const struct pp_preface *said)
{
	int rc;

	if (said->local)
		return E_OK;
	if (said->has_addrs || said->tlvs.len > 0) {
		rc = keep(c, said);
		if (rc != E_OK)
			return rc;
	}
	if (!said->has_addrs) {
		c->trusted = false; /* it speaks for somebody */
		return E_OK;
	}
	client_set_peer(c, &said->src);
	return client_is_welcome(c) ? E_OK : E_STATE;
}

static int
refuse(struct client *c, enum conn_refusal why, const char *detail)
{
	client_note_refusal(c, why, detail);
	return E_SYNTAX;
}

/* There are bytes, but not all: will the rest come? */
static int
wait_for_rest(struct client *c)
{
	if (c->lane.conn.fin_seen)
		return refuse(c, REFUSED_PREFACE_BAD, "it is cut short");
	if (c->wait != WAIT_PREFACE)
		client_wait_for(c, WAIT_PREFACE);
	return E_AGAIN;
}

int
preface_stage(struct client *c)
{
	struct conn *conn = &c->lane.conn;
	char bytes[PP_MAX];
	struct pp_preface said;
	enum pp_fault fault;
	ssize_t n, used;

	if (!c->hears_preface)
		return E_OK;
	n = conn_peek(conn, bytes, sizeof(bytes));
	if (n <= 0)
		return n == 0 ? E_EOF : (int)n;
	used = pp_read(str_from(bytes, (size_t)n), &said, &fault);
	if (used == 0)
		return wait_for_rest(c);
	if (used < 0 && fault == PP_MISSING &&
	    !preface_is_needed(client_listener(c)))
		return E_OK;
	if (used < 0)
		return refuse(c, REFUSED_PREFACE_BAD, pp_fault_text(fault));
	/* The texts of what was said point to these same bytes. */
	if (conn_recv(conn, bytes, (size_t)used) != used)
		return E_IO;
	return believe(c, &said);
}

/* ---- to instances ---- */

static bool
is_ip(const struct addr *a)
{
	return a->sa.sa_family == AF_INET || a->sa.sa_family == AF_INET6;
}

/* What we saw ourselves: who came, and where to. */
static void
say_seen(const struct client *c, struct pp_preface *p)
{
	p->src = c->peer;
	p->dst.len = sizeof(p->dst.un);
	p->has_addrs = is_ip(&p->src) &&
	    getsockname(client_conn(c)->fd, &p->dst.sa, &p->dst.len) == 0;
}

/* Of the client's TLS, where we have ended it; p->tlvs lie in room then. */
static int
say_tls(struct client *c, struct pp_preface *p, char room[PP_MAX])
{
	const struct conn *conn = client_conn(c);
	const struct tls_peer *peer;
	struct pp_tls tls = { .resumed = tls_is_resumed(conn) };
	size_t len = p->tlvs.len;
	int rc = proof_look(c, &peer);

	if (rc != E_OK)
		return rc;
	tls.version = str_of(tls_version_name(tls_version_of(conn)));
	tls.cipher = str_of(tls_cipher(conn));
	if (tls_alpn(conn).len > 0)
		tls.alpn = tls_alpn(conn);
	if (tls_sni(conn).len > 0)
		tls.authority = tls_sni(conn);
	if (peer != NULL) {
		tls.has_cert = true;
		if (peer->cn.len > 0)
			tls.cn = peer->cn;
	}
	if (len > 0)
		memcpy(room, p->tlvs.p, len);
	len = pp_add_tls(&tls, p, room, len, PP_MAX - PP_ADDRESSES);
	p->tlvs = str_from(room, len);
	return E_OK;
}

int
preface_send(struct client *c, enum cfg_send_proxy version, struct upconn *u)
{
	struct pp_preface p = { .has_addrs = false };
	char bytes[PP_MAX], room[PP_MAX];
	struct iovec rest;
	ssize_t n;
	size_t len;
	int rc;

	if (version == CFG_SEND_PROXY_OFF || u->introduced)
		return E_OK;
	if (c->preface != NULL)
		p = c->preface->said;
	else
		say_seen(c, &p);
	if (version == CFG_SEND_PROXY_V2 && !p.local &&
	    tls_is_on(client_conn(c))) {
		rc = say_tls(c, &p, room);
		if (rc != E_OK)
			return rc;
	}
	len = pp_write(version == CFG_SEND_PROXY_V1 ? 1 : 2, &p, bytes);
	assert(len > 0); /* what came in goes out */
	rest = (struct iovec){ bytes + u->greeted, len - u->greeted };
	n = conn_plain.sendv(&u->lane.conn, &rest, 1); /* before any TLS */
	if (n < 0)
		return (int)n;
	u->greeted = (uint16_t)(u->greeted + n);
	u->introduced = u->greeted == len;
	return u->introduced ? E_OK : E_AGAIN;
}
