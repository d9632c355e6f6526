/*
 * pages - the operator's own pages: their content, and how one becomes an
 * answer.
 *
 * The files are read by whoever may read them (the master) when the
 * configuration is; from then on their content is a part of it.
 *
 * Thread: any.
 */
#ifndef CONFIG_PAGES_H
#define CONFIG_PAGES_H
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "config/config.h"

#define PAGE_BYTES_MAX 65536                   /* of one page, filled in */
#define PAGES_BYTES_MAX ((size_t)16 << 20)     /* of all of a configuration */
#define PAGES_PACKED_MAX (2 * PAGES_BYTES_MAX) /* between processes */
#define PAGE_ID_MAX 128 /* of a request id, the rest is cut */

/*
 * Reads all files named in c, which nobody else has yet.  Blocks on the disk.
 *
 * said     gets a line for each that cannot be: file and reason
 * returns  E_OK, E_NOENT when one cannot be used, or E_NOMEM
 */
int pages_load(struct cfg *c, const char *origin, struct buf *said) MUST_CHECK;

/*
 * The content of the pages of one configuration for another that was parsed
 * from the same text: out.failed when memory is out; E_SYNTAX when text is not
 * for c.
 */
void pages_pack(const struct cfg *c, struct buf *out);
int pages_unpack(struct cfg *c, struct str text) MUST_CHECK;
/* A line "PATH: new content" for each file of both that has another. */
void pages_diff(const struct cfg *from, const struct cfg *to, struct buf *out);
void pages_free(struct cfg *c); /* the content alone */

/*
 * The page of that list for a status: its own before that of its class; NULL
 * when there is none in that form.
 */
const struct str *page_find(const struct cfg_page *pages, size_t n,
    unsigned status, enum cfg_form);

/*
 * Appends the page with {status}, {reason} and {request_id} filled in, as the
 * form needs them escaped; other braces stay as they are.
 */
void page_fill(struct str page, enum cfg_form, unsigned status,
    const char *reason, struct str request_id, struct buf *out);

#endif
