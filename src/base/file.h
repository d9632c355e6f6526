/*
 * file - whole files: read, and replace so that a crash leaves old or new.
 *
 * Thread: any; may block on the disk.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

/* Appends the file to out; E_TOOBIG above max bytes, else err_sys(). */
int file_read(const char *path, size_t max, struct buf *out) MUST_CHECK;
int file_read_fd(int fd, size_t max, struct buf *out) MUST_CHECK;

/*
 * Writes text to a temporary file beside path, fsyncs it, renames it over
 * path and fsyncs the directory.  On error the old file is untouched and the
 * temporary one is removed; only when the very last fsync fails is the new
 * file in place, perhaps not for good.  A symbolic link at path is replaced,
 * not followed; mode is cut by the umask.
 */
int file_replace(const char *path, struct str text, mode_t mode) MUST_CHECK;

/* What was made, renamed or removed beside path stays so after a crash. */
int file_sync_directory(const char *path) MUST_CHECK;

/* write(2) until all is written or an error comes. */
int file_write_all(int fd, struct str text) MUST_CHECK;

/*
 * Writes what fd takes without waiting: a pipe, socket or terminal whose reader
 * hangs takes nothing.  Those get whole lines, PIPE_BUF bytes at most in one
 * go, so that lines of several writers do not mix (one that is longer may).
 * Where several write to a pipe it should have O_NONBLOCK.
 *
 * returns  bytes taken, more than 0, or a code; E_AGAIN: not one now
 */
ssize_t file_write_lines(int fd, struct str text) MUST_CHECK;

#endif
