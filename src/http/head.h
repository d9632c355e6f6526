/*
 * head - a request or response head as the proxy sees it, whatever protocol
 * carried it.
 *
 * Names and values are borrowed: they point into the bytes the codec read,
 * into an arena of the owner, or at constants.  Field names from HTTP/2 are
 * lower case, from HTTP/1 as sent; compare by .id or without case.
 *
 * Thread: the owner.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

#define HTTP_FIELDS_MAX 128 /* hard bound; the configured one is lower */
#define HTTP_EXTRA_MAX 48   /* room for fields the proxy adds */

/* Methods we treat by name; all others are METHOD_OTHER and kept as text. */
#define HTTP_METHODS(X)                                                        \
	X(GET, true)                                                           \
	X(HEAD, true)                                                          \
	X(POST, false)                                                         \
	X(PUT, false)                                                          \
	X(DELETE, false)                                                       \
	X(OPTIONS, true)                                                       \
	X(PATCH, false)                                                        \
	X(TRACE, true)                                                         \
	X(CONNECT, false)

#define X(id, safe) METHOD_##id,
enum http_method { METHOD_OTHER, HTTP_METHODS(X) METHOD_COUNT };
#undef X

/* Safe as RFC 9110 9.2.1 says; METHOD_OTHER is not. */
bool http_method_is_safe(enum http_method);
enum http_method http_method_of(struct str text);

/* Fields known by number; everything else is FIELD_OTHER. */
/* clang-format off */
#define HTTP_FIELDS(X)                                                         \
	X(HOST, "Host")                                                        \
	X(CONNECTION, "Connection")                                            \
	X(CONTENT_LENGTH, "Content-Length")                                    \
	X(TRANSFER_ENCODING, "Transfer-Encoding")                              \
	X(TE, "TE")                                                            \
	X(TRAILER, "Trailer")                                                  \
	X(UPGRADE, "Upgrade")                                                  \
	X(EXPECT, "Expect")                                                    \
	X(KEEP_ALIVE, "Keep-Alive")                                            \
	X(PROXY_CONNECTION, "Proxy-Connection")                                \
	X(PROXY_AUTHENTICATE, "Proxy-Authenticate")                            \
	X(PROXY_AUTHORIZATION, "Proxy-Authorization")                          \
	X(HTTP2_SETTINGS, "HTTP2-Settings")                                    \
	X(COOKIE, "Cookie")                                                    \
	X(SET_COOKIE, "Set-Cookie")                                            \
	X(DATE, "Date")                                                        \
	X(SERVER, "Server")                                                    \
	X(LOCATION, "Location")                                                \
	X(CONTENT_TYPE, "Content-Type")                                        \
	X(USER_AGENT, "User-Agent")                                            \
	X(REFERER, "Referer")                                                  \
	X(ACCEPT, "Accept")                                                    \
	X(VIA, "Via")                                                          \
	X(FORWARDED, "Forwarded")                                              \
	X(X_FORWARDED_FOR, "X-Forwarded-For")                                  \
	X(X_FORWARDED_PROTO, "X-Forwarded-Proto")                              \
	X(X_FORWARDED_HOST, "X-Forwarded-Host")                                \
	X(X_FORWARDED_PORT, "X-Forwarded-Port")                                \
	X(X_REQUEST_ID, "X-Request-ID")                                        \
	X(TRACEPARENT, "Traceparent")                                          \
	X(RETRY_AFTER, "Retry-After")                                          \
	X(SEC_FETCH_DEST, "Sec-Fetch-Dest")                                    \
	X(SEC_FETCH_MODE, "Sec-Fetch-Mode")
/* clang-format on */

#define X(id, name) FIELD_##id,
enum http_field_id { FIELD_OTHER, HTTP_FIELDS(X) FIELD_COUNT };
#undef X

enum http_field_id http_field_of(struct str name); /* case ignored */
struct str http_field_name(enum http_field_id);

enum { HF_DROP = 1 }; /* flag of a field: not forwarded */

struct http_field {
	const char *name;
	const char *value; /* no white space at either end */
	uint32_t value_len;
	uint16_t name_len;
	uint8_t id;    /* enum http_field_id */
	uint8_t flags; /* HF_DROP */
};

/* How the end of the body is known. */
enum http_framing {
	FRAMING_NONE,    /* no body */
	FRAMING_LENGTH,  /* .body_len bytes */
	FRAMING_CHUNKED, /* chunked, or HTTP/2 without content-length */
	FRAMING_CLOSE    /* until the connection closes; responses only */
};

struct http_head {
	struct str method_text; /* request */
	struct str target;      /* request: path?query or "*", never absolute */
	struct str authority;   /* request: host[:port]; empty: 1.0 without */
	struct str reason;      /* response; may be empty */
	uint64_t body_len;      /* with FRAMING_LENGTH */
	uint16_t status;        /* response: 100..599; 0 for a request */
	uint8_t method;         /* enum http_method */
	uint8_t minor;          /* the sender's HTTP/1.minor: 0, 1; 1 for h2 */
	bool h2;                /* it came by HTTP/2: for logs and Via */
	uint8_t framing;        /* enum http_framing */
	bool keep_alive;        /* the sender lets this connection go on */
	bool expect_continue;   /* request: Expect: 100-continue, minor 1 */
	bool upgrade;           /* Connection: upgrade and an Upgrade field;
	                           with .h2 we have put the latter there */
	bool te_trailers;       /* request: TE: trailers */
	bool has_authority;     /* request: a Host field or absolute target */
	uint16_t n;             /* fields in use */
	uint64_t have;          /* bit 1 << id for each field id not dropped */
	struct http_field f[HTTP_FIELDS_MAX + HTTP_EXTRA_MAX];
};

_Static_assert((int)FIELD_COUNT <= 64, "->have has a bit for each id");
#define HTTP_HAS(head, ID) (((head)->have >> FIELD_##ID) & 1)

/* First field of that id not dropped; NULL when there is none. */
const struct http_field *http_head_find(const struct http_head *,
    enum http_field_id);
/* Value of the above, {NULL, 0} when there is none. */
struct str http_head_value(const struct http_head *, enum http_field_id);
/* By any name, case ignored. */
struct str http_head_value_of(const struct http_head *, struct str name);

/*
 * Appends a field; name and value are borrowed.  E_FULL past the arrays' end.
 */
int http_head_add(struct http_head *, enum http_field_id, struct str name,
    struct str value);
/* Marks every field of that id as dropped. */
void http_head_drop(struct http_head *, enum http_field_id);
/*
 * Drops what belongs to one connection only: Connection and the fields it
 * names, Keep-Alive, Proxy-Connection, TE, Transfer-Encoding, Upgrade,
 * HTTP2-Settings, Proxy-Authenticate, Proxy-Authorization (RFC 9110 7.6.1).
 * Content-Length and Trailer stay.  Names in Connection that would remove
 * end-to-end fields we rely on (Host, Content-Length, Expect, Cookie,
 * Authorization, Forwarded, X-Forwarded-*) are ignored.  ->have forgets what
 * is dropped, but for Upgrade, which the writer can bring back.
 */
void http_head_drop_hop_by_hop(struct http_head *);

/* Standard reason phrase of a status; "" when unknown. */
const char *http_reason(unsigned status);

#endif
