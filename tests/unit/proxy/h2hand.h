/*
 * h2hand - HTTP/2 of a client by hand: frames put into memory, and the heads
 * of those that come.
 *
 * Fields are written literally, so that they mean the same anywhere.
 */
#ifndef TESTS_PROXY_H2HAND_H
#define TESTS_PROXY_H2HAND_H
#include <stddef.h>
#include <stdint.h>

enum { H2_DATA, H2_HEADERS, H2_RST = 3, H2_SETTINGS, H2_GOAWAY = 7 };
enum { H2_END_STREAM = 1, H2_END_HEADERS = 4 };

#define H2_HEAD 9 /* bytes before a payload */

struct h2_seen {
	uint32_t len, id;
	uint8_t type, flags;
};

struct h2_bytes {
	size_t n;
	char p[4096];
};

/* The preface with empty settings. */
void h2_begin(struct h2_bytes *);
void h2_frame(struct h2_bytes *, unsigned type, unsigned flags, uint32_t id,
    const void *payload, size_t len);
/* "name=value" a line. */
void h2_head(struct h2_bytes *, uint32_t id, unsigned flags, const char *lines);
struct h2_seen h2_read(const char head[H2_HEAD]);

#define H2_WEBSOCKET                                                           \
	":method=CONNECT\n:protocol=websocket\n:scheme=http\n:path=/ws\n"      \
	":authority=x\nsec-websocket-version=13\n"
#define H2_GET ":method=GET\n:scheme=http\n:path=/a\n:authority=x\n"

#endif
