#include "net/proxyproto.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

#define V2_HEAD 16 /* signature, version and command, family, length */
#define V2_IP4 12
#define V2_IP6 36
#define V2_PATH 108
#define V2_UNIX 216
#define TLV_HEAD 3
#define TLS_HEAD 5 /* of PP2_TYPE_SSL: what the client did, the verdict */

enum { V2_LOCAL = 0x20, V2_PROXY = 0x21 };
enum { FAM_UNSPEC = 0x00, FAM_TCP4 = 0x11, FAM_TCP6 = 0x21, FAM_UNIX = 0x31 };
enum tlv_type {
	TLV_ALPN = 0x01,
	TLV_AUTHORITY = 0x02,
	TLV_CRC32C = 0x03,
	TLV_UNIQUE_ID = 0x05,
	TLV_TLS = 0x20,
	TLV_TLS_VERSION = 0x21,
	TLV_TLS_CN = 0x22,
	TLV_TLS_CIPHER = 0x23
};

static const struct str v1_begin = { "PROXY ", 6 };
static const struct str v2_begin = { "\r\n\r\n\0\r\nQUIT\n", 12 };

#define X(id, text) [PP_##id] = (text),
static const char *const fault_texts[] = { PP_FAULTS(X) };
#undef X

const char *
pp_fault_text(enum pp_fault f)
{
	return fault_texts[f];
}

static int
bad(enum pp_fault *fault, enum pp_fault why)
{
	*fault = why;
	return why == PP_TOO_LONG ? E_TOOBIG : E_SYNTAX;
}

/* ---- addresses ---- */

static void
set_ip4(struct addr *a, const void *bytes, const void *port)
{
	a->in.sin_family = AF_INET;
	memcpy(&a->in.sin_addr, bytes, 4);
	memcpy(&a->in.sin_port, port, 2);
	a->len = sizeof(a->in);
}

static void
set_ip6(struct addr *a, const void *bytes, const void *port)
{
	a->in6.sin6_family = AF_INET6;
	memcpy(&a->in6.sin6_addr, bytes, 16);
	memcpy(&a->in6.sin6_port, port, 2);
	a->len = sizeof(a->in6);
}

static bool
set_path(struct addr *a, const char *bytes)
{
	size_t len = strnlen(bytes, V2_PATH);

	if (len == V2_PATH)
		return false;
	a->un.sun_family = AF_UNIX;
	memcpy(a->un.sun_path, bytes, len + 1);
	a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	return true;
}

/* ---- version 1 ---- */

/* Where the line ends, behind its CRLF; 0: not here yet. */
static ssize_t
line_end(struct str in, enum pp_fault *fault)
{
	for (size_t i = v1_begin.len; i < in.len; i++) {
		unsigned char c = (unsigned char)in.p[i];

		if (i + 2 > PP_V1_MAX)
			return bad(fault, PP_TOO_LONG);
		if (c == '\r' && i + 1 == in.len)
			return 0;
		if (c == '\r' && in.p[i + 1] == '\n')
			return (ssize_t)i + 2;
		if (c < 0x20 || c > 0x7e)
			return bad(fault, PP_BYTE);
	}
	return 0;
}

/* inet_pton(3) has one spelling for IPv4 and those of RFC 4291 for IPv6. */
static bool
read_host(struct str s, int family, void *bytes)
{
	char text[INET6_ADDRSTRLEN];

	if (s.len >= sizeof(text))
		return false;
	str_copy(s, text, sizeof(text));
	return inet_pton(family, text, bytes) == 1;
}

static bool
read_port(struct str s, uint16_t *port)
{
	uint64_t n;

	if (!str_u64(s, &n) || n > UINT16_MAX || (s.len > 1 && s.p[0] == '0'))
		return false;
	*port = htons((uint16_t)n);
	return true;
}

static enum pp_fault
read_words(struct str line, int family, struct pp_preface *out)
{
	struct str src = str_split(&line, ' '), dst = str_split(&line, ' ');
	struct str sport = str_split(&line, ' '), dport = str_split(&line, ' ');
	uint16_t src_port, dst_port;
	uint8_t a[16], b[16];

	if (line.p != NULL || dport.len == 0)
		return PP_WORDS;
	if (!read_host(src, family, a) || !read_host(dst, family, b))
		return PP_ADDRESS;
	if (!read_port(sport, &src_port) || !read_port(dport, &dst_port))
		return PP_PORT;
	if (family == AF_INET) {
		set_ip4(&out->src, a, &src_port);
		set_ip4(&out->dst, b, &dst_port);
	} else {
		set_ip6(&out->src, a, &src_port);
		set_ip6(&out->dst, b, &dst_port);
	}
	out->has_addrs = true;
	return PP_NONE;
}

static ssize_t
read_v1(struct str in, struct pp_preface *out, enum pp_fault *fault)
{
	ssize_t end = line_end(in, fault);
	struct str line, family;

	if (end <= 0)
		return end;
	out->version = 1;
	line = str_sub(in, v1_begin.len, (size_t)end - v1_begin.len - 2);
	family = str_split(&line, ' ');
	if (str_eq(family, STR("UNKNOWN")))
		return end;
	if (str_eq(family, STR("TCP4")))
		*fault = read_words(line, AF_INET, out);
	else if (str_eq(family, STR("TCP6")))
		*fault = read_words(line, AF_INET6, out);
	else
		*fault = PP_FAMILY;
	return *fault == PP_NONE ? end : bad(fault, *fault);
}

/* ---- CRC32c ---- */

static uint32_t
crc32c(struct str s)
{
	/* Of four bits at a time: the polynomial 0x82f63b78, reflected. */
	static const uint32_t by[16] = { 0x00000000, 0x105ec76f, 0x20bd8ede,
		0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
		0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4,
		0xd3d3e1ab, 0xe330a81a, 0xf36e6f75 };
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < s.len; i++) {
		crc ^= (unsigned char)s.p[i];
		crc = crc >> 4 ^ by[crc & 15];
		crc = crc >> 4 ^ by[crc & 15];
	}
	return ~crc;
}

/* at lies in bytes[len]: four bytes that count as zero. */
static void
checksum(char *bytes, size_t len, char *at)
{
	uint32_t crc;

	memset(at, 0, sizeof(crc));
	crc = htonl(crc32c(str_from(bytes, len)));
	memcpy(at, &crc, sizeof(crc));
}

static bool
fits_checksum(struct str preface, struct str said)
{
	char copy[PP_MAX];
	char *at = copy + (said.p - preface.p);

	memcpy(copy, preface.p, preface.len);
	checksum(copy, preface.len, at);
	return memcmp(at, said.p, said.len) == 0;
}

/* ---- version 2 ---- */

static uint16_t
two_bytes(const char *p)
{
	return (uint16_t)((unsigned char)p[0] << 8 | (unsigned char)p[1]);
}

/* The next of *rest; false at its end, or (*rest is not empty) cut short. */
static bool
next_tlv(struct str *rest, uint8_t *type, struct str *value)
{
	size_t len;

	if (rest->len < TLV_HEAD)
		return false;
	len = two_bytes(rest->p + 1);
	if (len > rest->len - TLV_HEAD)
		return false;
	*type = (uint8_t)rest->p[0];
	*value = str_sub(*rest, TLV_HEAD, len);
	*rest = str_sub(*rest, TLV_HEAD + len, rest->len);
	return true;
}

static enum pp_fault
take_once(struct str *place, struct str value)
{
	if (place->p != NULL)
		return PP_TWICE;
	*place = value;
	return PP_NONE;
}

static enum pp_fault
read_tls(struct str s, struct pp_preface *out)
{
	enum pp_fault fault = PP_NONE;
	struct str value;
	uint8_t type;

	if (s.len < TLS_HEAD)
		return PP_TLV;
	out->over_tls = (s.p[0] & 1) != 0;
	s = str_sub(s, TLS_HEAD, s.len);
	while (fault == PP_NONE && next_tlv(&s, &type, &value))
		if (type == TLV_TLS_VERSION)
			fault = take_once(&out->tls_version, value);
	return fault == PP_NONE && s.len > 0 ? PP_TLV : fault;
}

static enum pp_fault
read_tlvs(struct str preface, struct pp_preface *out)
{
	struct str rest = out->tlvs, value, sum = { NULL, 0 },
	           tls = { NULL, 0 };
	enum pp_fault fault = PP_NONE;
	uint8_t type;

	while (fault == PP_NONE && next_tlv(&rest, &type, &value)) {
		switch ((enum tlv_type)type) {
		case TLV_ALPN:
			fault = take_once(&out->alpn, value);
			break;
		case TLV_AUTHORITY:
			fault = take_once(&out->authority, value);
			break;
		case TLV_UNIQUE_ID:
			fault = take_once(&out->unique_id, value);
			break;
		case TLV_CRC32C:
			fault = take_once(&sum, value);
			break;
		case TLV_TLS:
			fault = take_once(&tls, value);
			break;
		case TLV_TLS_VERSION: /* inside of TLV_TLS only */
		case TLV_TLS_CN:
		case TLV_TLS_CIPHER:
			break;
		}
	}
	if (fault != PP_NONE)
		return fault;
	if (rest.len > 0 || (sum.p != NULL && sum.len != sizeof(uint32_t)))
		return PP_TLV;
	if (sum.p != NULL && !fits_checksum(preface, sum))
		return PP_CHECKSUM;
	return tls.p != NULL ? read_tls(tls, out) : PP_NONE;
}

/* What of the first bytes of a head can be judged already. */
static enum pp_fault
judge_head(struct str in)
{
	unsigned char command = 0, family = 0;

	if (in.len > 12)
		command = (unsigned char)in.p[12];
	if (in.len > 13)
		family = (unsigned char)in.p[13];
	if (in.len > 12 && command >> 4 != 2)
		return PP_VERSION;
	if (in.len > 12 && command != V2_LOCAL && command != V2_PROXY)
		return PP_COMMAND;
	if (command == V2_PROXY && family != FAM_UNSPEC && family != FAM_TCP4 &&
	    family != FAM_TCP6 && family != FAM_UNIX)
		return PP_FAMILY;
	return PP_NONE;
}

/* s is what follows the head. */
static enum pp_fault
read_addrs(struct str s, unsigned family, struct pp_preface *out)
{
	static const size_t need[] = { [FAM_UNSPEC] = 0,
		[FAM_TCP4] = V2_IP4,
		[FAM_TCP6] = V2_IP6,
		[FAM_UNIX] = V2_UNIX };
	const char *p = s.p;

	if (s.len < need[family])
		return PP_LENGTH;
	out->tlvs = str_sub(s, need[family], s.len);
	out->has_addrs = family != FAM_UNSPEC;
	if (family == FAM_TCP4) {
		set_ip4(&out->src, p, p + 8);
		set_ip4(&out->dst, p + 4, p + 10);
	} else if (family == FAM_TCP6) {
		set_ip6(&out->src, p, p + 32);
		set_ip6(&out->dst, p + 16, p + 34);
	} else if (family == FAM_UNIX) {
		if (!set_path(&out->src, p) ||
		    !set_path(&out->dst, p + V2_PATH))
			return PP_ADDRESS;
	}
	return PP_NONE;
}

static ssize_t
read_v2(struct str in, struct pp_preface *out, enum pp_fault *fault)
{
	size_t all;

	*fault = judge_head(in);
	if (*fault != PP_NONE)
		return bad(fault, *fault);
	if (in.len < V2_HEAD)
		return 0;
	all = V2_HEAD + two_bytes(in.p + 14);
	if (all > PP_MAX)
		return bad(fault, PP_TOO_LONG);
	if (in.len < all)
		return 0;
	in.len = all;
	out->version = 2;
	out->local = in.p[12] == V2_LOCAL;
	if (out->local)
		return (ssize_t)all;
	*fault = read_addrs(str_sub(in, V2_HEAD, all), (uint8_t)in.p[13], out);
	if (*fault == PP_NONE)
		*fault = read_tlvs(in, out);
	return *fault == PP_NONE ? (ssize_t)all : bad(fault, *fault);
}

/* Does in, as far as it goes, begin like that? */
static bool
begins(struct str in, struct str like)
{
	return str_starts(like, str_sub(in, 0, like.len));
}

ssize_t
pp_read(struct str in, struct pp_preface *out, enum pp_fault *fault)
{
	memset(out, 0, sizeof(*out));
	*fault = PP_NONE;
	if (in.len == 0)
		return 0;
	if (begins(in, v1_begin))
		return in.len < v1_begin.len ? 0 : read_v1(in, out, fault);
	if (begins(in, v2_begin))
		return in.len < v2_begin.len ? 0 : read_v2(in, out, fault);
	return bad(fault, PP_MISSING);
}

/* ---- writing ---- */

static bool
is_mapped(const struct addr *a)
{
	return a->sa.sa_family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr);
}

static void
unmap(struct addr *a)
{
	struct in6_addr from = a->in6.sin6_addr;
	uint16_t port = a->in6.sin6_port;

	memset(a, 0, sizeof(*a));
	set_ip4(a, from.s6_addr + 12, &port);
}

/* Their common family; AF_UNSPEC when there is none to speak of. */
static int
pair(const struct pp_preface *p, struct addr *src, struct addr *dst)
{
	if (!p->has_addrs || p->local)
		return AF_UNSPEC;
	*src = p->src;
	*dst = p->dst;
	if (is_mapped(src) && (is_mapped(dst) || dst->sa.sa_family == AF_INET))
		unmap(src);
	if (is_mapped(dst) && src->sa.sa_family == AF_INET)
		unmap(dst);
	return src->sa.sa_family == dst->sa.sa_family ? src->sa.sa_family
	                                              : AF_UNSPEC;
}

static size_t
write_v1(const struct pp_preface *p, char *out)
{
	char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX];
	struct addr src, dst;
	int family = pair(p, &src, &dst);

	if (family != AF_INET && family != AF_INET6)
		return (size_t)snprintf(out, PP_MAX, "PROXY UNKNOWN\r\n");
	addr_host(&src, a);
	addr_host(&dst, b);
	return (size_t)snprintf(out, PP_MAX, "PROXY %s %s %s %u %u\r\n",
	    family == AF_INET ? "TCP4" : "TCP6", a, b, addr_port(&src),
	    addr_port(&dst));
}

/* Returns its length. */
static size_t
write_addrs(int family, const struct addr *src, const struct addr *dst, char *p)
{
	switch (family) {
	case AF_INET:
		memcpy(p, &src->in.sin_addr, 4);
		memcpy(p + 4, &dst->in.sin_addr, 4);
		memcpy(p + 8, &src->in.sin_port, 2);
		memcpy(p + 10, &dst->in.sin_port, 2);
		return V2_IP4;
	case AF_INET6:
		memcpy(p, &src->in6.sin6_addr, 16);
		memcpy(p + 16, &dst->in6.sin6_addr, 16);
		memcpy(p + 32, &src->in6.sin6_port, 2);
		memcpy(p + 34, &dst->in6.sin6_port, 2);
		return V2_IP6;
	case AF_UNIX:
		memset(p, 0, V2_UNIX);
		str_copy(str_of(src->un.sun_path), p, V2_PATH);
		str_copy(str_of(dst->un.sun_path), p + V2_PATH, V2_PATH);
		return V2_UNIX;
	default:
		return 0;
	}
}

static char
family_byte(int family)
{
	switch (family) {
	case AF_INET:
		return FAM_TCP4;
	case AF_INET6:
		return FAM_TCP6;
	case AF_UNIX:
		return FAM_UNIX;
	default:
		return FAM_UNSPEC;
	}
}

static void
renew_checksum(char *out, size_t len, size_t tlvs_at)
{
	struct str rest = str_from(out + tlvs_at, len - tlvs_at), value;
	uint8_t type;

	while (next_tlv(&rest, &type, &value))
		if (type == TLV_CRC32C && value.len == sizeof(uint32_t)) {
			checksum(out, len, out + (value.p - out));
			return;
		}
}

static size_t
write_v2(const struct pp_preface *p, char *out)
{
	struct addr src, dst;
	int family = pair(p, &src, &dst);
	struct str tlvs = p->local ? (struct str){ NULL, 0 } : p->tlvs;
	size_t len = V2_HEAD;
	uint16_t rest;

	memcpy(out, v2_begin.p, v2_begin.len);
	out[12] = p->local ? V2_LOCAL : V2_PROXY;
	out[13] = family_byte(family);
	len += write_addrs(family, &src, &dst, out + V2_HEAD);
	if (tlvs.len > PP_MAX - len)
		return 0;
	if (tlvs.len > 0)
		memcpy(out + len, tlvs.p, tlvs.len);
	len += tlvs.len;
	rest = htons((uint16_t)(len - V2_HEAD));
	memcpy(out + 14, &rest, sizeof(rest));
	renew_checksum(out, len, len - tlvs.len);
	return len;
}

/* ---- TLVs of our own ---- */

/* Where they are written; what does not fit makes .failed. */
struct tlvs {
	char *p;
	size_t len, cap;
	bool failed;
};

static void
put_bytes(struct tlvs *t, const void *p, size_t n)
{
	t->failed |= n > t->cap - t->len;
	if (t->failed || n == 0)
		return;
	memcpy(t->p + t->len, p, n);
	t->len += n;
}

static void
put_tlv(struct tlvs *t, enum tlv_type type, struct str value)
{
	char head[TLV_HEAD] = { (char)type, (char)(value.len >> 8),
		(char)(value.len & 255) };

	if (value.p == NULL)
		return;
	t->failed |= value.len > UINT16_MAX;
	put_bytes(t, head, sizeof(head));
	put_bytes(t, value.p, value.len);
}

enum { BY_TLS = 1, CERT_NOW = 2, CERT_ONCE = 4 };

static void
put_tls(struct tlvs *t, const struct pp_tls *tls)
{
	char bits = BY_TLS, unverified[4] = { 0, 0, 0, 1 };
	size_t at = t->len, len;

	if (tls->has_cert) {
		bits |= tls->resumed ? CERT_ONCE : CERT_NOW | CERT_ONCE;
		unverified[3] = 0;
	}
	put_tlv(t, TLV_TLS, STR(""));
	put_bytes(t, &bits, 1);
	put_bytes(t, unverified, sizeof(unverified));
	put_tlv(t, TLV_TLS_VERSION, tls->version);
	put_tlv(t, TLV_TLS_CN, tls->cn);
	put_tlv(t, TLV_TLS_CIPHER, tls->cipher);
	if (t->failed)
		return;
	len = t->len - at - TLV_HEAD; /* below cap, which is below 64 KiB */
	t->p[at + 1] = (char)(len >> 8);
	t->p[at + 2] = (char)(len & 255);
}

static bool
says(struct str tlvs, enum tlv_type what)
{
	struct str value;
	uint8_t type;

	while (next_tlv(&tlvs, &type, &value))
		if (type == what)
			return true;
	return false;
}

size_t
pp_add_tls(const struct pp_tls *tls, const struct pp_preface *p, char *out,
    size_t len, size_t cap)
{
	struct tlvs t = { .len = len, .cap = MIN(cap, PP_MAX) };

	t.p = out;
	t.failed = len > t.cap;
	if (!says(p->tlvs, TLV_ALPN))
		put_tlv(&t, TLV_ALPN, tls->alpn);
	if (!says(p->tlvs, TLV_AUTHORITY))
		put_tlv(&t, TLV_AUTHORITY, tls->authority);
	if (!says(p->tlvs, TLV_TLS))
		put_tls(&t, tls);
	return t.failed ? len : t.len;
}

size_t
pp_write(unsigned version, const struct pp_preface *p, char out[PP_MAX])
{
	return version == 1 ? write_v1(p, out) : write_v2(p, out);
}
