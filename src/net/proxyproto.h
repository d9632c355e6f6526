/*
 * proxyproto - the PROXY protocol, versions 1 and 2: who the client of a
 * connection is, said by a balancer before the first byte.  A reader and a
 * writer; no I/O.
 *
 * Thread: any.
 */
#ifndef NET_PROXYPROTO_H
#define NET_PROXYPROTO_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/str.h"
#include "net/addr.h"

#define PP_V1_MAX 107 /* bytes of a line, CRLF and all */
#define PP_MAX 4096   /* of a whole preface of version 2; longer is refused */

/* What is wrong with a preface: identifier, words for the log. */
/* clang-format off */
#define PP_FAULTS(X)                                                           \
	X(NONE, "nothing")                                                     \
	X(MISSING, "it does not begin with a PROXY preface")                   \
	X(TOO_LONG, "it is longer than a preface may be")                      \
	X(BYTE, "a byte that does not belong in a line")                       \
	X(WORDS, "the line does not have the words it should")                 \
	X(FAMILY, "a family or protocol that TCP does not have")               \
	X(ADDRESS, "an address that is none of its family")                    \
	X(PORT, "a port that is no number of 0 to 65535")                      \
	X(VERSION, "a version other than 1 and 2")                             \
	X(COMMAND, "a command other than LOCAL and PROXY")                     \
	X(LENGTH, "it is too short for its addresses")                         \
	X(TLV, "a TLV that does not fit")                                      \
	X(TWICE, "a TLV that says again what was said")                        \
	X(CHECKSUM, "its checksum is wrong")
/* clang-format on */

#define X(id, text) PP_##id,
enum pp_fault { PP_FAULTS(X) PP_FAULT_COUNT };
#undef X
const char *pp_fault_text(enum pp_fault);

struct pp_preface {
	uint8_t version; /* 1 or 2 */
	bool local;      /* LOCAL: the balancer itself, as for a check */
	bool has_addrs;  /* else whom it speaks for is not known */
	bool over_tls;   /* the client used TLS, says PP2_TYPE_SSL */
	struct addr src, dst;
	struct str tlvs; /* all of them, as they came; borrowed */
	/* What some of them say, borrowed; .p NULL: nothing. */
	struct str alpn, authority, unique_id, tls_version;
};

/*
 * Reads a preface.
 *
 * in       what came first on a connection; may be cut anywhere
 * out      out: what it says; texts point into in
 * fault    out: why, when the result is negative
 * returns  > 0 the bytes it has, 0 when it is incomplete, or
 *          E_SYNTAX   malformed, or (PP_MISSING) no preface at all
 *          E_TOOBIG   longer than PP_V1_MAX or PP_MAX
 * source   haproxy.org/download/3.0/doc/proxy-protocol.txt.  We are stricter:
 *          numbers and IPv4 addresses have their one spelling, a line holds
 *          printable ASCII only, Unix paths end with a NUL, TLVs fill the
 *          rest exactly, those we read come once.  Of what LOCAL and UNKNOWN
 *          carry nothing but its length is looked at.
 */
ssize_t pp_read(struct str in, struct pp_preface *out,
    enum pp_fault *fault) MUST_CHECK;

/* TLS of a client that we have ended ourselves; .p NULL: not said. */
struct pp_tls {
	struct str version, cipher;
	struct str cn; /* of its certificate */
	struct str alpn, authority;
	bool has_cert, resumed; /* a verified one; of an earlier connection */
};

/*
 * Appends to out, which has p's TLVs and room for cap bytes, those that say so;
 * what p says already is the word of who was nearer to the client, and stands.
 * The bytes then, or len as it was where they do not fit.
 */
size_t pp_add_tls(const struct pp_tls *, const struct pp_preface *p, char *out,
    size_t len, size_t cap);

/*
 * Writes p as a preface of that version; .version does not matter.
 *
 * IPv4 mapped into IPv6 becomes IPv4.  Addresses that are not of one family
 * (or, in version 1, not of IP) are not said: UNKNOWN.  LOCAL is UNKNOWN in
 * version 1.  TLVs are for version 2; a checksum among them is made anew.
 *
 * returns  bytes written; 0 when TLVs do not fit in PP_MAX
 */
size_t pp_write(unsigned version, const struct pp_preface *p, char out[PP_MAX]);

#endif
