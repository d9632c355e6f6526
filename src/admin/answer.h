/*
 * answer - the two forms every answer of the admin has: a JSON document, or an
 * error by a row of ADMIN_ERRORS.
 *
 * Thread: control.
 */
#ifndef ADMIN_ANSWER_H
#define ADMIN_ANSWER_H
#include "admin/adminproto.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/json.h"

struct ask;

#define X(id, name, status, exit) ANSWER_##id,
enum answer_error { ADMIN_ERRORS(X) ANSWER_ERROR_COUNT };
#undef X

const char *answer_error_name(enum answer_error);
/* The status of an error's name; 409, a refusal's, when it has no row. */
unsigned answer_status(const char *error);

/* The document, or no_memory when it failed; frees it. */
void answer_json(struct ask *, unsigned status, struct buf *document);
void answer_error(struct ask *, enum answer_error, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* As it, with a list of problems: lines, or "". */
void answer_problems(struct ask *, enum answer_error, const char *message,
    const char *problems);

/* Members {error, message, problems?} of an object that is open. */
void answer_put_error(struct json_out *, const char *error, const char *message,
    const char *problems);

/* ---- what JSON here has in common ---- */
/* The lines of a text as an array of strings; NULL is none. */
void json_kv_lines(struct json_out *, const char *key, const char *lines);
/* ISO 8601; null when 0. */
void json_kv_time(struct json_out *, const char *key, uint64_t wall_us);

#endif
