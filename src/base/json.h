/*
 * json - writing JSON into a buf; reading is jansson behind json_read().
 *
 * (Names are chosen not to clash with those libjansson exports.)
 *
 * The writer keeps track of commas: call json_key() before each member of an
 * object.  Strings are escaped; bytes that are not UTF-8 become U+FFFD.
 *
 * Thread: the owner.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

#define JSON_DEPTH_MAX 32

struct json_out {
	struct buf *out; /* borrowed */
	unsigned depth;
	bool started[JSON_DEPTH_MAX + 1]; /* an element was written here */
	bool after_key;
};

void json_begin(struct json_out *, struct buf *out);
void json_begin_object(struct json_out *);
void json_end_object(struct json_out *);
void json_begin_array(struct json_out *);
void json_end_array(struct json_out *);
void json_key(struct json_out *, const char *key);
void json_str(struct json_out *, struct str);
void json_cstr(struct json_out *, const char *); /* NULL writes null */
/* What is above INT64_MAX is that: no reader takes more, ours included. */
void json_u64(struct json_out *, uint64_t);
void json_i64(struct json_out *, int64_t);
void json_num(struct json_out *, double); /* not finite: null */
/* Millionths as a number, so many times cheaper than a double. */
void json_micro(struct json_out *, uint64_t);
void json_bool(struct json_out *, bool);
void json_put_null(struct json_out *);
/* key and value in one go */
void json_kv_str(struct json_out *, const char *key, struct str);
void json_kv_cstr(struct json_out *, const char *key, const char *);
void json_kv_u64(struct json_out *, const char *key, uint64_t);
void json_kv_num(struct json_out *, const char *key, double);
void json_kv_micro(struct json_out *, const char *key, uint64_t);
void json_kv_bool(struct json_out *, const char *key, bool);

/* Appends s as the inside of a JSON string, without the quotes. */
void json_escape(struct buf *, struct str s);

/* ---- reading ---- */
struct json; /* a value; opaque (jansson's json_t) */

/* The tree of text; NULL with a sentence in why[cap] when it is not JSON. */
struct json *json_read(struct str text, char *why, size_t cap) MUST_CHECK;
void json_free(struct json **);
/* Borrowed from the tree; NULL when absent or of another type. */
const struct json *json_get(const struct json *, const char *key);
const struct json *json_at(const struct json *, size_t index);
size_t json_len(const struct json *); /* array elements or object members */
bool json_is_array(const struct json *);
bool json_is_object(const struct json *);
bool json_is_null(const struct json *); /* or absent */
/* Text of a string value, NULL when it is none. */
const char *json_text(const struct json *);
bool json_int(const struct json *, int64_t *out);
/* From 0 to UINT32_MAX, whatever strangers say: no sum of these wraps. */
uint64_t json_count(const struct json *);
bool json_number(const struct json *, double *out); /* whole or not */
bool json_truth(const struct json *, bool *out);
/* By key, with a fallback when absent or of another type. */
const char *json_get_text(const struct json *, const char *key,
    const char *fallback);
int64_t json_get_int(const struct json *, const char *key, int64_t fallback);
bool json_get_truth(const struct json *, const char *key, bool fallback);
/*
 * The n-th member of an object in insertion order: key (borrowed) and value;
 * false past the end.
 */
bool json_member(const struct json *, size_t n, const char **key,
    const struct json **value);
/* Of the same type and worth; two that are absent are. */
bool json_same(const struct json *, const struct json *);
/* Appends the value as text on one line; nothing when it is absent. */
void json_print(struct buf *, const struct json *);
/*
 * The value at a dotted path ("checks.0.status"), NULL when there is none.
 */
const struct json *json_path(const struct json *, const char *path);

#endif
