/*
 * show - fields of the daemon's documents as people read them.
 *
 * A field that is absent or of another type (an older or a newer daemon) shows
 * as "-".  Each writes into out and returns it.
 *
 * Thread: any.
 */
#ifndef SEGUE_SHOW_H
#define SEGUE_SHOW_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define SHOW_MAX 48

struct json;

/* "12,345" */
const char *show_number(int64_t n, char out[SHOW_MAX]);
const char *show_count(const struct json *, const char *key,
    char out[SHOW_MAX]);
/* "12.3ms", "4.2s", "3m05s" of microseconds or seconds */
const char *show_us(const struct json *, const char *key, char out[SHOW_MAX]);
const char *show_s(const struct json *, const char *key, char out[SHOW_MAX]);
/* "12.5%" of hundredths of a per cent */
const char *show_share(const struct json *, const char *key,
    char out[SHOW_MAX]);
/* The text itself, borrowed; "-" also for an empty one. */
const char *show_text(const struct json *, const char *key);

/* Reads "2026-11-25T13:23:42.123Z" (UTC); microseconds since 1970. */
bool show_read_time(const char *iso, uint64_t *us) MUST_CHECK;
/* "11-25 13:24:42" of such a text */
const char *show_moment(const struct json *, const char *key,
    char out[SHOW_MAX]);
/* How long before now (both texts as above; NULL is fine). */
const char *show_age(const char *now, const char *then, char out[SHOW_MAX]);

#endif
