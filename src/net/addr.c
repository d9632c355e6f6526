#include "net/addr.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "config/config.h"

#define HOST_SEED UINT64_C(0x5e90e)

static int
unix_addr(const char *path, struct addr *out)
{
	size_t len = strlen(path);

	if (len >= sizeof(out->un.sun_path))
		return E_TOOBIG;
	out->un.sun_family = AF_UNIX;
	memcpy(out->un.sun_path, path, len + 1);
	out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len +
	    1);
	return E_OK;
}

/* The host as the system wants it: no brackets, no "*". */
static int
plain_host(const struct cfg_addr *cfg, char out[256])
{
	size_t len = strlen(cfg->host);

	if (len >= 256)
		return E_TOOBIG;
	memcpy(out, cfg->host, len + 1);
	if (len > 2 && out[0] == '[' && out[len - 1] == ']') {
		memmove(out, out + 1, len - 2);
		out[len - 2] = '\0';
	}
	if (out[0] == '\0' || strcmp(out, "*") == 0)
		memcpy(out, "0.0.0.0", 8);
	return E_OK;
}

static int
ask_system(const struct cfg_addr *cfg, int flags, struct addrinfo **found)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV | flags };
	char host[256], port[8];
	int rc = plain_host(cfg, host);

	if (rc != E_OK)
		return rc;
	(void)snprintf(port, sizeof(port), "%u", cfg->port);
	rc = getaddrinfo(host, port, &hints, found);
	return rc == 0 ? E_OK : rc == EAI_MEMORY ? E_NOMEM : E_NOENT;
}

static void
copy_found(const struct addrinfo *found, struct addr *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(&out->sa, found->ai_addr, found->ai_addrlen);
	out->len = found->ai_addrlen;
}

int
addr_literal(const struct cfg_addr *cfg, struct addr *out)
{
	struct addrinfo *found;
	int rc;

	memset(out, 0, sizeof(*out));
	if (cfg->is_unix)
		return unix_addr(cfg->host, out);
	rc = ask_system(cfg, AI_NUMERICHOST, &found);
	if (rc != E_OK)
		return rc;
	copy_found(found, out);
	freeaddrinfo(found);
	return E_OK;
}

int
addr_look_up(const struct cfg_addr *cfg, struct addr_list *out)
{
	struct addrinfo *found;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = ask_system(cfg, 0, &found);
	if (rc != E_OK)
		return rc;
	out->list = calloc(ADDR_LIST_MAX, sizeof(*out->list));
	for (const struct addrinfo *a = found;
	     out->list != NULL && a != NULL && out->n < ADDR_LIST_MAX;
	     a = a->ai_next)
		if (a->ai_addrlen <= sizeof(out->list->un))
			copy_found(a, &out->list[out->n++]);
	freeaddrinfo(found);
	if (out->n > 0)
		return E_OK;
	rc = out->list == NULL ? E_NOMEM : E_NOENT;
	addr_list_free(out);
	return rc;
}

int
addr_of_cfg(const struct cfg_addr *cfg, struct addr *out)
{
	int rc = addr_literal(cfg, out);
	struct addr_list all;

	if (rc != E_NOENT)
		return rc;
	rc = addr_look_up(cfg, &all);
	if (rc == E_OK)
		*out = all.list[0];
	addr_list_free(&all);
	return rc;
}

void
addr_list_free(struct addr_list *l)
{
	free(l->list);
	memset(l, 0, sizeof(*l));
}

bool
addr_list_has(const struct addr_list *l, const struct addr *a)
{
	for (size_t i = 0; i < l->n; i++)
		if (addr_eq(&l->list[i], a))
			return true;
	return false;
}

struct addr
addr_with_port(const struct addr *a, uint16_t port)
{
	struct addr out = *a;

	if (out.sa.sa_family == AF_INET)
		out.in.sin_port = htons(port);
	else if (out.sa.sa_family == AF_INET6)
		out.in6.sin6_port = htons(port);
	return out;
}

uint16_t
addr_port(const struct addr *a)
{
	if (a->sa.sa_family == AF_INET)
		return ntohs(a->in.sin_port);
	if (a->sa.sa_family == AF_INET6)
		return ntohs(a->in6.sin6_port);
	return 0;
}

size_t
addr_host(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	out[0] = '\0';
	if (a->sa.sa_family == AF_INET)
		(void)inet_ntop(AF_INET, &a->in.sin_addr, out, ADDR_TEXT_MAX);
	else if (a->sa.sa_family == AF_INET6)
		(void)inet_ntop(AF_INET6, &a->in6.sin6_addr, out,
		    ADDR_TEXT_MAX);
	else if (a->sa.sa_family == AF_UNIX)
		(void)snprintf(out, ADDR_TEXT_MAX, "unix");
	return strlen(out);
}

size_t
addr_text(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	char host[ADDR_TEXT_MAX];

	if (a->sa.sa_family == AF_UNIX) {
		(void)snprintf(out, ADDR_TEXT_MAX, "unix:%s", a->un.sun_path);
		return strlen(out);
	}
	addr_host(a, host);
	(void)snprintf(out, ADDR_TEXT_MAX,
	    a->sa.sa_family == AF_INET6 ? "[%.100s]:%u" : "%.100s:%u", host,
	    addr_port(a));
	return strlen(out);
}

bool
addr_eq(const struct addr *a, const struct addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family || addr_port(a) != addr_port(b))
		return false;
	switch (a->sa.sa_family) {
	case AF_INET:
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	case AF_INET6:
		return a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
		    memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16) == 0;
	case AF_UNIX:
		return strcmp(a->un.sun_path, b->un.sun_path) == 0;
	default:
		return false;
	}
}

/* The address's bytes; an IPv4 address mapped into IPv6 counts as IPv4. */
static size_t
host_bytes(const struct addr *a, const uint8_t **bytes, uint8_t *family)
{
	*family = (uint8_t)a->sa.sa_family;
	if (a->sa.sa_family == AF_INET) {
		*bytes = (const uint8_t *)&a->in.sin_addr;
		return 4;
	}
	if (a->sa.sa_family == AF_INET6) {
		*bytes = a->in6.sin6_addr.s6_addr;
		if (!IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
			return 16;
		*bytes += 12;
		*family = AF_INET;
		return 4;
	}
	*bytes = NULL;
	return 0;
}

uint64_t
addr_host_hash(const struct addr *a)
{
	const uint8_t *bytes;
	uint8_t family;
	size_t len = host_bytes(a, &bytes, &family);

	return hash_bytes(len == 0 ? (const uint8_t *)"" : bytes, len,
	    HOST_SEED);
}

/* Addresses are compared as IPv4 where they are mapped, so are blocks. */
static void
unmap(struct cidr *c)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (c->family != AF_INET6 || c->bits < 96 ||
	    memcmp(c->bytes, mapped, sizeof(mapped)) != 0)
		return;
	memmove(c->bytes, c->bytes + 12, 4);
	memset(c->bytes + 4, 0, 12);
	c->family = AF_INET;
	c->bits = (uint8_t)(c->bits - 96);
}

bool
cidr_parse(struct str s, struct cidr *out)
{
	struct str rest = s, host = str_split(&rest, '/');
	char text[64];
	uint64_t bits;

	memset(out, 0, sizeof(*out));
	if (str_eq(s, STR("unix"))) {
		out->family = AF_UNIX;
		return true;
	}
	if (host.len >= sizeof(text))
		return false;
	str_copy(host, text, sizeof(text));
	if (inet_pton(AF_INET, text, out->bytes) == 1)
		out->family = AF_INET;
	else if (inet_pton(AF_INET6, text, out->bytes) == 1)
		out->family = AF_INET6;
	else
		return false;
	bits = out->family == AF_INET ? 32 : 128;
	if (host.len < s.len) {
		uint64_t given;

		if (!str_u64(rest, &given) || given > bits)
			return false;
		bits = given;
	}
	out->bits = (uint8_t)bits;
	unmap(out);
	return true;
}

bool
cidr_has(const struct cidr *c, const struct addr *a)
{
	const uint8_t *bytes;
	uint8_t family, mask;
	size_t whole = c->bits / 8, len = host_bytes(a, &bytes, &family);

	if (family != c->family)
		return false;
	if (len == 0)
		return family == AF_UNIX;
	if (memcmp(bytes, c->bytes, whole) != 0)
		return false;
	if (c->bits % 8 == 0)
		return true;
	mask = (uint8_t)(0xff << (8 - c->bits % 8));
	return ((bytes[whole] ^ c->bytes[whole]) & mask) == 0;
}
