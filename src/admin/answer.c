#include "admin/answer.h"

#include <stdarg.h>
#include <string.h>

#include "admin/server.h"
#include "base/clock.h"

#define TYPE_JSON "application/json"

#define X(id, name, status, exit) [ANSWER_##id] = { (name), (status) },
static const struct {
	const char *name;
	unsigned status;
} rows[] = { ADMIN_ERRORS(X) };
#undef X

const char *
answer_error_name(enum answer_error e)
{
	return rows[e].name;
}

unsigned
answer_status(const char *error)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].name, error) == 0)
			return rows[i].status;
	return 409;
}

/* ---- JSON ---- */

void
json_kv_lines(struct json_out *j, const char *key, const char *lines)
{
	struct str rest = str_of(lines);

	json_key(j, key);
	json_begin_array(j);
	while (rest.len > 0) {
		struct str line = str_split(&rest, '\n');

		if (line.len > 0)
			json_str(j, line);
	}
	json_end_array(j);
}

void
json_kv_time(struct json_out *j, const char *key, uint64_t wall_us)
{
	char text[CLOCK_ISO_MAX];

	if (wall_us > 0)
		clock_iso(wall_us, text);
	json_kv_cstr(j, key, wall_us > 0 ? text : NULL);
}

void
answer_put_error(struct json_out *j, const char *error, const char *message,
    const char *problems)
{
	json_kv_cstr(j, "error", error);
	json_kv_cstr(j, "message", message);
	if (problems != NULL && problems[0] != '\0')
		json_kv_lines(j, "problems", problems);
}

/* ---- answers ---- */

void
answer_json(struct ask *k, unsigned status, struct buf *b)
{
	static const struct str no_memory = STR(
	    "{\"error\":\"no_memory\",\"message\":\"out of memory\"}\n");

	buf_add_char(b, '\n');
	if (b->failed)
		ask_answer(k, rows[ANSWER_NO_MEMORY].status, TYPE_JSON,
		    no_memory);
	else
		ask_answer(k, status, TYPE_JSON, buf_str(b));
	buf_free(b);
}

void
answer_problems(struct ask *k, enum answer_error e, const char *message,
    const char *problems)
{
	struct buf b = BUF_INIT;
	struct json_out j;

	json_begin(&j, &b);
	json_begin_object(&j);
	answer_put_error(&j, rows[e].name, message, problems);
	json_end_object(&j);
	answer_json(k, rows[e].status, &b);
}

void
answer_error(struct ask *k, enum answer_error e, const char *fmt, ...)
{
	struct buf message = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&message, fmt, ap);
	va_end(ap);
	answer_problems(k, e, message.failed ? "out of memory" : message.p,
	    NULL);
	buf_free(&message);
}
