/*
 * disk - writes one file, again and again, in a thread of its own: a disk that
 * is slow, or hangs, holds up nobody but who waits for it.
 *
 * One text at a time; the next one is taken when the last was told.  A text is
 * on disk when it is told, in the file or in its journal (base/journal.h): who
 * reads the file reads both.  Some time after the last one, and at the end, the
 * file has it.
 *
 * Thread: control; the writing is its own thread's ("disk").
 */
#ifndef ROLLOUT_DISK_H
#define ROLLOUT_DISK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

struct disk;
struct loop;

/*
 * Called from the loop, once for each disk_write().
 *
 * code     of journal_write()
 * took_us  how long it was under way
 */
typedef void disk_done_fn(int code, uint64_t took_us, void *arg);

/*
 * path is borrowed; the file gets mode 0600.  max: of the text that is there,
 * in bytes; nobody else changes the file from now on.
 */
int disk_new(struct loop *, const char *path, size_t max, disk_done_fn *,
    void *arg, struct disk **out) MUST_CHECK;
/* Waits for what is under way, and tells it; NULL is fine. */
void disk_free(struct disk **);
/* Takes the text (not empty), leaves an empty buf; must not be busy. */
void disk_write(struct disk *, struct buf *text);
bool disk_is_busy(const struct disk *);
/* For tests: the file has the last text, or that failed; nothing goes on. */
bool disk_rests(const struct disk *);
/* How long what is under way has been so; 0: nothing is. */
uint64_t disk_pending_us(const struct disk *);

#endif
