/*
 * overload - a worker's part in keeping to the memory limit: counts what it
 * uses, sees what all use, refuses new exchanges and stops accepting.  What
 * has begun is never touched.
 *
 * Memory in use =   slabs lent, 16 KiB or 72 KiB each
 *                 + clients and their streams * sizeof(struct client)
 *                 + HTTP/2 connections * TRUNK_BYTES
 *                 + exchanges, spare ones too, * sizeof(struct exchange)
 *                 + their spilled arenas, and what follows their frames
 *                 + connections to instances * sizeof(struct upconn)
 *                 + connections of TLS * TLS_STREAM_BYTES
 *                 + handshakes of clients * TLS_SHAKE_BYTES
 *
 * Thread: worker.
 */
#ifndef PROXY_OVERLOAD_H
#define PROXY_OVERLOAD_H
#include <stdbool.h>
#include <stdint.h>

struct proxy;

/* Counts, judges, pauses or resumes the listeners: at the end of a turn. */
void overload_turn(struct proxy *);
/* Memory this worker uses now. */
uint64_t overload_bytes(const struct proxy *);
/* Must an exchange that begins now be refused? */
bool overload_sheds(const struct proxy *);

#endif
