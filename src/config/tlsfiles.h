/*
 * tlsfiles - the content of the files that TLS needs: certificates and keys.
 *
 * Whoever may read them (the master) does, hands the content over, and the
 * content is wiped as soon as it was used: it is nowhere else on a disk, and
 * no copy of it stays in memory.
 *
 * Thread: any.
 */
#ifndef CONFIG_TLSFILES_H
#define CONFIG_TLSFILES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "config/config.h"

#define TLSFILE_BYTES_MAX ((size_t)1 << 20)   /* of one file */
#define TLSFILES_BYTES_MAX ((size_t)64 << 20) /* of all, packed */

/*
 * Reads all files named in c, which nobody else has yet.  Blocks on the disk.
 *
 * said     gets a line for each that cannot be: file and reason
 * returns  E_OK, E_IO when one cannot be read, or E_NOMEM
 */
int tlsfiles_load(struct cfg *c, const char *origin,
    struct buf *said) MUST_CHECK;
/* Content that was used is overwritten and freed. */
void tlsfiles_wipe(struct cfg *);
/* Has it any? */
bool tlsfiles_any(const struct cfg *);

/*
 * The content for another configuration that was parsed from the same text,
 * through a descriptor.  tlsfiles_unpack() gives E_SYNTAX when what is in fd
 * is not for c.
 */
int tlsfiles_pack(const struct cfg *c, int fd) MUST_CHECK;
int tlsfiles_unpack(struct cfg *c, int fd) MUST_CHECK;

/* A line "PATH: new content" for each file of both that has another. */
void tlsfiles_diff(const struct cfg *from, const struct cfg *to,
    struct buf *out);

/*
 * A number that stands for size, time and place of the files that are watched,
 * as they were when they were read, or (blocking on the disk) as they are now;
 * 0 when nothing is watched.
 */
uint64_t tlsfiles_stamp(const struct cfg *);
uint64_t tlsfiles_stamp_now(const struct cfg *);

#endif
