/*
 * addr - socket addresses: parse, print, compare, trust.
 *
 * Thread: any.
 */
#ifndef NET_ADDR_H
#define NET_ADDR_H
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/attr.h"
#include "base/str.h"

struct cfg_addr;

struct addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
	socklen_t len;
};

#define ADDR_TEXT_MAX 120

#define ADDR_LIST_MAX 64 /* addresses of a name beyond these are not seen */
struct addr_list {
	struct addr *list; /* owned */
	size_t n;
};
void addr_list_free(struct addr_list *);
bool addr_list_has(const struct addr_list *, const struct addr *);

/* An IP address or Unix path, at once.  E_NOENT: it is a name. */
int addr_literal(const struct cfg_addr *, struct addr *out) MUST_CHECK;
/*
 * All addresses of a name or literal through the system's resolver, in its
 * order; blocks for as long as that likes (net/resolver does not).
 * E_NOENT: none; E_NOMEM.
 */
int addr_look_up(const struct cfg_addr *, struct addr_list *out) MUST_CHECK;
/* The first of these, for listeners; may block. */
int addr_of_cfg(const struct cfg_addr *, struct addr *out) MUST_CHECK;
/* Same address with another port. */
struct addr addr_with_port(const struct addr *, uint16_t port);
/* "127.0.0.1:80", "[::1]:80", "unix:/path"; returns the length. */
size_t addr_text(const struct addr *, char out[ADDR_TEXT_MAX]);
/* Host part alone, without port and brackets. */
size_t addr_host(const struct addr *, char out[ADDR_TEXT_MAX]);
uint16_t addr_port(const struct addr *);
bool addr_eq(const struct addr *, const struct addr *);
/* Hash of the host part alone: the key of shares by source. */
uint64_t addr_host_hash(const struct addr *);

/*
 * "10.0.0.0/8", "::1"; "::ffff:10.0.0.0/104" is the first of these; "unix":
 * peers on a Unix socket.
 */
struct cidr {
	uint8_t bytes[16];
	uint8_t bits;
	uint8_t family; /* AF_INET, AF_INET6 or AF_UNIX */
};
bool cidr_parse(struct str, struct cidr *out) MUST_CHECK;
/* An IPv4 address mapped into IPv6 counts as IPv4. */
bool cidr_has(const struct cidr *, const struct addr *);

#endif
