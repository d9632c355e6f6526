#include "config/tlsfiles.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/units.h"

/* ---- all files of a configuration, in its order ---- */

/* where: of what the file is, as "listeners[0].tls.certificates[0].key". */
typedef int file_fn(struct cfg_file *, const char *where, void *arg);

static int
call(struct cfg_file *f, const char *owner, const char *key, file_fn *fn,
    void *arg)
{
	struct buf where = BUF_INIT;
	int rc = E_NOMEM;

	if (f->path == NULL)
		return E_OK;
	buf_printf(&where, "%s.%s", owner, key);
	if (!where.failed)
		rc = fn(f, where.p, arg);
	buf_free(&where);
	return rc;
}

/* A list of files under one key. */
static int
call_each(struct cfg_file *list, size_t n, const char *owner, const char *key,
    file_fn *fn, void *arg)
{
	char at[48];
	int rc = E_OK;

	for (size_t i = 0; i < n && rc == E_OK; i++) {
		(void)snprintf(at, sizeof(at), "%s[%zu]", key, i);
		rc = call(&list[i], owner, at, fn, arg);
	}
	return rc;
}

static int
each_of_clients(struct cfg_listener *l, file_fn *fn, void *arg)
{
	struct buf owner = BUF_INIT;
	int rc = E_NOMEM;

	buf_printf(&owner, "listeners[%s].tls", l->name);
	if (!owner.failed)
		rc = call_each(l->tls.client_ca, l->tls.n_client_ca, owner.p,
		    "client_ca", fn, arg);
	if (rc == E_OK)
		rc = call_each(l->tls.crl, l->tls.n_crl, owner.p, "crl", fn,
		    arg);
	buf_free(&owner);
	return rc;
}

static int
each_of_listener(struct cfg_listener *l, file_fn *fn, void *arg)
{
	struct buf owner = BUF_INIT;
	int rc = each_of_clients(l, fn, arg);

	for (size_t i = 0; i < l->tls.n_certificates && rc == E_OK; i++) {
		struct cfg_certificate *c = &l->tls.certificates[i];

		buf_reset(&owner);
		buf_printf(&owner, "listeners[%s].tls.certificates[%zu]",
		    l->name, i);
		rc = owner.failed
		    ? E_NOMEM
		    : call(&c->certificate, owner.p, "certificate", fn, arg);
		if (rc == E_OK)
			rc = call(&c->key, owner.p, "key", fn, arg);
		if (rc == E_OK)
			rc = call(&c->ocsp, owner.p, "ocsp", fn, arg);
	}
	buf_reset(&owner);
	buf_printf(&owner, "listeners[%s].tls.tickets", l->name);
	if (owner.failed)
		rc = E_NOMEM;
	if (rc == E_OK && l->tls.tickets_on)
		rc = call(&l->tls.tickets, owner.p, "file", fn, arg);
	buf_free(&owner);
	return rc;
}

static int
each_of_pool(struct cfg_service *s, struct cfg_pool *p, file_fn *fn, void *arg)
{
	struct buf owner = BUF_INIT;
	int rc = E_OK;

	buf_printf(&owner, "services[%s].pools[%s].tls", s->name, p->name);
	if (owner.failed)
		rc = E_NOMEM;
	if (rc == E_OK)
		rc = call_each(p->tls.ca, p->tls.n_ca, owner.p, "ca", fn, arg);
	if (rc == E_OK)
		rc = call(&p->tls.own.certificate, owner.p, "certificate", fn,
		    arg);
	if (rc == E_OK)
		rc = call(&p->tls.own.key, owner.p, "key", fn, arg);
	buf_free(&owner);
	return rc;
}

static int
each_file(struct cfg *c, file_fn *fn, void *arg)
{
	int rc = E_OK;

	for (size_t s = 0; s < c->n_services && rc == E_OK; s++)
		for (size_t i = 0; i < c->services[s].n_pools && rc == E_OK;
		     i++)
			if (c->services[s].pools[i].tls.on)
				rc = each_of_pool(&c->services[s],
				    &c->services[s].pools[i], fn, arg);
	for (size_t i = 0; i < c->n_listeners && rc == E_OK; i++)
		if (c->listeners[i].tls.on)
			rc = each_of_listener(&c->listeners[i], fn, arg);
	return rc;
}

static int
each_const(const struct cfg *c, file_fn *fn, void *arg)
{
	return each_file((struct cfg *)(uintptr_t)c, fn, arg);
}

/* ---- content ---- */

static void
wipe(struct str *s)
{
	char *p = (char *)(uintptr_t)s->p;

	if (p != NULL)
		explicit_bzero(p, s->len);
	free(p);
	*s = (struct str){ NULL, 0 };
}

static void
wipe_pool(struct cfg_pool_tls *t)
{
	for (size_t i = 0; i < t->n_ca; i++)
		wipe(&t->ca[i].text);
	wipe(&t->own.certificate.text);
	wipe(&t->own.key.text);
}

void
tlsfiles_wipe(struct cfg *c)
{
	for (size_t s = 0; s < c->n_services; s++)
		for (size_t i = 0; i < c->services[s].n_pools; i++)
			wipe_pool(&c->services[s].pools[i].tls);
	/* Not each_file(), which may fail. */
	for (size_t i = 0; i < c->n_listeners; i++) {
		struct cfg_tls *t = &c->listeners[i].tls;

		for (size_t j = 0; j < t->n_certificates; j++) {
			wipe(&t->certificates[j].certificate.text);
			wipe(&t->certificates[j].key.text);
			wipe(&t->certificates[j].ocsp.text);
		}
		wipe(&t->tickets.text);
		for (size_t j = 0; j < t->n_client_ca; j++)
			wipe(&t->client_ca[j].text);
		for (size_t j = 0; j < t->n_crl; j++)
			wipe(&t->crl[j].text);
	}
}

static void
set_text(struct cfg_file *f, struct str text)
{
	wipe(&f->text);
	f->text = text;
	f->hash = hash_bytes(text.p, text.len, 0);
}

static int
any(struct cfg_file *f UNUSED, const char *where UNUSED, void *arg UNUSED)
{
	return E_EXISTS;
}

bool
tlsfiles_any(const struct cfg *c)
{
	return each_const(c, any, NULL) == E_EXISTS;
}

/* ---- reading ---- */

static int
read_bytes(int fd, char *p, size_t len)
{
	for (size_t n = 0; n < len;) {
		ssize_t got = read(fd, p + n, len - n);

		if (got == -1)
			return err_sys();
		if (got == 0)
			return E_EOF;
		n += (size_t)got;
	}
	return E_OK;
}

static uint64_t
stamp_of(const struct stat *st)
{
	uint64_t facts[] = { (uint64_t)st->st_dev, (uint64_t)st->st_ino,
		(uint64_t)st->st_size, (uint64_t)st->st_mtim.tv_sec,
		(uint64_t)st->st_mtim.tv_nsec };

	return hash_bytes(facts, sizeof(facts), 1);
}

/* As long as its size says, in one piece: a buffer that grows leaves copies. */
static int
read_whole(int fd, size_t max, struct str *out, uint64_t *stamp)
{
	struct stat st;
	char *p;
	int rc;

	*out = (struct str){ NULL, 0 };
	if (fstat(fd, &st) == -1)
		return err_sys();
	if (!S_ISREG(st.st_mode))
		return E_UNSUPPORTED;
	if (st.st_size < 0 || (size_t)st.st_size > max)
		return E_TOOBIG;
	p = malloc((size_t)st.st_size + 1);
	if (p == NULL)
		return E_NOMEM;
	*out = str_from(p, (size_t)st.st_size);
	*stamp = stamp_of(&st);
	rc = read_bytes(fd, p, out->len);
	if (rc != E_OK)
		wipe(out);
	return rc;
}

struct load {
	const char *origin;
	struct buf *said;
	bool failed;
};

/* O_NONBLOCK: a FIFO in its place must not stop us. */
static int
read_file(const char *path, struct str *out, uint64_t *stamp)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc;

	*out = (struct str){ NULL, 0 };
	if (fd == -1)
		return err_sys();
	rc = read_whole(fd, TLSFILE_BYTES_MAX, out, stamp);
	close(fd);
	return rc;
}

static const char *
why_not(int rc)
{
	switch (rc) {
	case E_UNSUPPORTED:
		return "it is not a regular file";
	case E_TOOBIG:
		return "it may have 1MiB at most";
	case E_EOF:
		return "it became shorter while it was read";
	default:
		return err_text(rc);
	}
}

static int
load_file(struct cfg_file *f, const char *where, void *arg)
{
	struct load *l = arg;
	struct str text;
	int rc = read_file(f->path, &text, &f->stamp);

	if (rc == E_OK) {
		set_text(f, text);
		return E_OK;
	}
	buf_printf(l->said, "%s: %s: %s cannot be read: %s\n", l->origin, where,
	    f->path, why_not(rc));
	l->failed = true;
	return rc == E_NOMEM ? rc : E_OK;
}

int
tlsfiles_load(struct cfg *c, const char *origin, struct buf *said)
{
	struct load l = { .origin = origin, .said = said };
	int rc = each_file(c, load_file, &l);

	if (rc != E_OK)
		return rc;
	return l.failed ? E_IO : E_OK;
}

/* ---- from one process to the other ---- */

static int
pack_file(struct cfg_file *f, const char *where UNUSED, void *arg)
{
	const int *fd = arg;
	struct buf len = BUF_INIT;
	int rc = E_NOMEM;

	buf_printf(&len, "%zu\n", f->text.len);
	if (!len.failed)
		rc = file_write_all(*fd, buf_str(&len));
	buf_free(&len);
	return rc == E_OK ? file_write_all(*fd, f->text) : rc;
}

int
tlsfiles_pack(const struct cfg *c, int fd)
{
	return each_const(c, pack_file, &fd);
}

static int
unpack_file(struct cfg_file *f, const char *where UNUSED, void *arg)
{
	struct str *rest = arg;
	uint64_t len;
	char *text;

	if (!str_u64(str_split(rest, '\n'), &len) || len > rest->len)
		return E_SYNTAX;
	text = malloc(len + 1);
	if (text == NULL)
		return E_NOMEM;
	memcpy(text, rest->p, len);
	set_text(f, str_from(text, len));
	*rest = str_sub(*rest, len, rest->len);
	return E_OK;
}

int
tlsfiles_unpack(struct cfg *c, int fd)
{
	struct str all, rest;
	uint64_t stamp;
	int rc = read_whole(fd, TLSFILES_BYTES_MAX, &all, &stamp);

	if (rc != E_OK)
		return rc;
	rest = all;
	rc = each_file(c, unpack_file, &rest);
	if (rc == E_OK && rest.len > 0)
		rc = E_SYNTAX;
	wipe(&all);
	return rc;
}

/* ---- comparing ---- */

struct note {
	const struct cfg *from;
	struct buf *out;
};

struct twin {
	const char *where;
	uint64_t hash;
	bool found;
};

static int
find_twin(struct cfg_file *f, const char *where, void *arg)
{
	struct twin *t = arg;

	if (strcmp(where, t->where) != 0)
		return E_OK;
	t->found = true;
	t->hash = f->hash;
	return E_EXISTS; /* look no further */
}

static int
note_change(struct cfg_file *f, const char *where, void *arg)
{
	struct note *n = arg;
	struct twin twin = { .where = where };

	if (each_const(n->from, find_twin, &twin) == E_EXISTS && twin.found &&
	    twin.hash != f->hash)
		buf_printf(n->out, "%s: new content\n", where);
	return E_OK;
}

void
tlsfiles_diff(const struct cfg *from, const struct cfg *to, struct buf *out)
{
	struct note n = { .from = from, .out = out };

	if (each_const(to, note_change, &n) != E_OK)
		out->failed = true;
}

/* ---- watching ---- */

static int
stamp_read(struct cfg_file *f, const char *where UNUSED, void *arg)
{
	uint64_t *stamp = arg;

	*stamp = hash_bytes(&f->stamp, sizeof(f->stamp), *stamp);
	return E_OK;
}

static int
stamp_now(struct cfg_file *f, const char *where UNUSED, void *arg)
{
	uint64_t *stamp = arg, now = 0;
	struct stat st;

	if (stat(f->path, &st) == 0)
		now = stamp_of(&st);
	*stamp = hash_bytes(&now, sizeof(now), *stamp);
	return E_OK;
}

static uint64_t
stamp_with(const struct cfg *c, file_fn *fn)
{
	uint64_t stamp = 0;
	int rc = E_OK;

	for (size_t s = 0; s < c->n_services && rc == E_OK; s++)
		for (size_t i = 0; i < c->services[s].n_pools && rc == E_OK;
		     i++)
			if (c->services[s].pools[i].tls.on &&
			    c->services[s].pools[i].tls.watch)
				rc = each_of_pool(&c->services[s],
				    &c->services[s].pools[i], fn, &stamp);
	for (size_t i = 0; i < c->n_listeners && rc == E_OK; i++)
		if (c->listeners[i].tls.on && c->listeners[i].tls.watch)
			rc = each_of_listener(&c->listeners[i], fn, &stamp);
	return rc == E_OK ? stamp : 0;
}

uint64_t
tlsfiles_stamp(const struct cfg *c)
{
	return stamp_with(c, stamp_read);
}

uint64_t
tlsfiles_stamp_now(const struct cfg *c)
{
	return stamp_with(c, stamp_now);
}
