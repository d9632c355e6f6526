/*
 * PROXY prefaces.  The first byte says what the rest is:
 *
 *   r  what comes first on a connection
 *   c  the same, and its checksum (if it has one) is made right first
 *
 * What must hold for any: no byte behind the end is looked at or used up; each
 * cut of a good one waits; a bad one is bad for the same reason whatever
 * follows; texts lie in the TLVs; and what is written for a good one, in
 * both versions, reads back as what it was.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "net/proxyproto.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* Reads bytes that are alone in their memory, for the sanitizer. */
static ssize_t
read_alone(struct str in, enum pp_fault *fault)
{
	char *alone = malloc(in.len == 0 ? 1 : in.len);
	struct pp_preface p;
	ssize_t used;

	MUST(alone != NULL);
	if (in.len > 0)
		memcpy(alone, in.p, in.len);
	used = pp_read(str_from(alone, in.len), &p, fault);
	free(alone);
	return used;
}

static void
check_text(const struct pp_preface *p, struct str s)
{
	if (s.p == NULL)
		return;
	MUST(p->version == 2 && !p->local);
	MUST(s.p >= p->tlvs.p && s.p + s.len <= p->tlvs.p + p->tlvs.len);
}

static bool
same_host(const struct addr *a, const struct addr *b)
{
	if (a->sa.sa_family == AF_UNIX)
		return addr_eq(a, b);
	return addr_host_hash(a) == addr_host_hash(b) &&
	    addr_port(a) == addr_port(b);
}

static bool
same_text(struct str a, struct str b)
{
	if (a.p == NULL || b.p == NULL)
		return a.p == b.p;
	return str_eq(a, b);
}

static void
check_v1(const struct pp_preface *p)
{
	char out[PP_MAX];
	struct pp_preface back;
	enum pp_fault fault;
	size_t len = pp_write(1, p, out);

	MUST(len > 0 && len <= PP_V1_MAX);
	MUST(pp_read(str_from(out, len), &back, &fault) == (ssize_t)len);
	MUST(back.version == 1);
	MUST(!back.has_addrs || p->has_addrs);
	MUST(!back.has_addrs ||
	    (same_host(&back.src, &p->src) && same_host(&back.dst, &p->dst)));
	MUST(back.has_addrs || !p->has_addrs || p->src.sa.sa_family == AF_UNIX);
}

static void
check_v2(const struct pp_preface *p)
{
	char out[PP_MAX];
	struct pp_preface back;
	enum pp_fault fault;
	size_t len = pp_write(2, p, out);

	MUST(len > 0 && len <= PP_MAX);
	MUST(pp_read(str_from(out, len), &back, &fault) == (ssize_t)len);
	MUST(back.version == 2);
	MUST(back.local == p->local && back.has_addrs == p->has_addrs);
	MUST(!p->has_addrs ||
	    (same_host(&back.src, &p->src) && same_host(&back.dst, &p->dst)));
	MUST(back.over_tls == p->over_tls && back.tlvs.len == p->tlvs.len);
	MUST(same_text(back.alpn, p->alpn));
	MUST(same_text(back.authority, p->authority));
	MUST(same_text(back.unique_id, p->unique_id));
	MUST(same_text(back.tls_version, p->tls_version));
}

static void
check_good(struct str in, ssize_t used, const struct pp_preface *p)
{
	enum pp_fault fault;

	MUST((size_t)used <= in.len && used <= PP_MAX);
	MUST(p->version == 2 || used <= PP_V1_MAX);
	for (ssize_t n = 0; n < used; n++)
		MUST(read_alone(str_sub(in, 0, (size_t)n), &fault) == 0);
	MUST(read_alone(str_sub(in, 0, (size_t)used), &fault) == used);
	check_text(p, p->alpn);
	check_text(p, p->authority);
	check_text(p, p->unique_id);
	check_text(p, p->tls_version);
	check_v1(p);
	check_v2(p);
}

/* It was told as early as it could be, or later: never otherwise. */
static void
check_bad(struct str in, enum pp_fault why)
{
	enum pp_fault fault;
	bool told = false;

	MUST(why != PP_NONE);
	for (size_t n = 0; n <= in.len; n++) {
		ssize_t used = read_alone(str_sub(in, 0, n), &fault);

		MUST(used <= 0);
		MUST(used == 0 || fault == why);
		MUST(!told || used < 0);
		told = used < 0;
	}
	MUST(told);
}

/* Writes what it says anew, so that its checksum is right. */
static size_t
mend(struct str in, char out[PP_MAX])
{
	struct pp_preface p = { .has_addrs = false };

	if (in.len < 28 || in.len > PP_MAX)
		return 0;
	p.has_addrs = true;
	p.src.in.sin_family = p.dst.in.sin_family = AF_INET;
	memcpy(&p.src.in.sin_addr, in.p + 16, 4);
	memcpy(&p.dst.in.sin_addr, in.p + 20, 4);
	memcpy(&p.src.in.sin_port, in.p + 24, 2);
	memcpy(&p.dst.in.sin_port, in.p + 26, 2);
	p.tlvs = str_sub(in, 28, in.len);
	return pp_write(2, &p, out);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char mended[PP_MAX];
	struct pp_preface p;
	enum pp_fault fault;
	struct str in;
	ssize_t used;

	if (size == 0)
		return 0;
	in = str_from((const char *)data + 1, size - 1);
	if (data[0] == 'c')
		in = str_from(mended, mend(in, mended));
	else if (data[0] != 'r')
		return 0;
	used = pp_read(in, &p, &fault);
	if (used > 0)
		check_good(in, used, &p);
	else if (used < 0)
		check_bad(in, fault);
	return 0;
}
