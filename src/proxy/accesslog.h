/*
 * accesslog - one line per exchange, JSON or combined; secrets digested.
 *
 * Lines gather in a buffer of the worker and are written whole with one
 * write(2) when it is full or a moment has passed.  What the file does not
 * take (its disk is full, the reader of a pipe hangs) is kept up to a bound
 * and tried again; lines beyond that are lost, counted and told.  A worker
 * never waits for it.
 *
 * Thread: worker.
 */
#ifndef PROXY_ACCESSLOG_H
#define PROXY_ACCESSLOG_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "net/loop.h"

struct exchange;
struct loop;

struct accesslog {
	struct loop *loop; /* borrowed */
	struct deadline flush;
	struct buf lines;
	int fd;        /* borrowed; -1: none */
	bool failing;  /* it took nothing, or not all, the last time */
	uint64_t lost; /* lines since then */
};

void accesslog_init(struct accesslog *, struct loop *, int fd);
void accesslog_write(struct accesslog *, const struct exchange *);
void accesslog_flush(struct accesslog *);
void accesslog_free(struct accesslog *); /* flushes */

#endif
