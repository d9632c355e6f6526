/*
 * answer - a strict little reader of HTTP/1.1 answers.
 */
#include "contrib/load/answer.h"

#include <ctype.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINE_MAX_BYTES 256 /* of a chunk size */

void
answer_reset(struct answer *a)
{
	a->head_len = a->body_kept = 0;
	a->head[0] = a->body[0] = '\0';
	a->status = 0;
	a->is_chunked = a->closes = a->in_chunk = a->in_trailers = false;
	a->left = 0;
	a->why = NULL;
}

static enum answer_state
bad(struct answer *a, const char *why)
{
	a->why = why;
	return ANSWER_BAD;
}

bool
answer_field(const struct answer *a, const char *name, unsigned n, char *out,
    size_t cap)
{
	const char *line = strstr(a->head, "\r\n");
	size_t name_len = strlen(name);

	while (line != NULL) {
		const char *end;

		line += 2;
		end = strstr(line, "\r\n");
		if (end == NULL || end == line)
			return false;
		if (strncasecmp(line, name, name_len) == 0 &&
		    line[name_len] == ':' && n-- == 0) {
			const char *value = line + name_len + 1;
			size_t len;

			value += strspn(value, " \t");
			len = (size_t)(end - value);
			if (len >= cap)
				return false;
			memcpy(out, value, len);
			out[len] = '\0';
			return true;
		}
		line = end;
	}
	return false;
}

bool
answer_json(const struct answer *a, const char *key, char *out, size_t cap)
{
	char quoted[64];
	const char *p;
	size_t len;

	(void)snprintf(quoted, sizeof(quoted), "\"%s\":\"", key);
	p = strstr(a->body, quoted);
	if (p == NULL)
		return false;
	p += strlen(quoted);
	len = strcspn(p, "\"");
	if (len >= cap || p[len] != '"')
		return false;
	memcpy(out, p, len);
	out[len] = '\0';
	return true;
}

static bool
all_digits(const char *s)
{
	return *s != '\0' && strspn(s, "0123456789") == strlen(s) &&
	    strlen(s) < 19;
}

/* What follows the head, by RFC 9112 6.3; stricter where it is in doubt. */
static enum answer_state
framing(struct answer *a)
{
	char length[32], coding[32], conn[64];
	bool has_length = answer_field(a, "Content-Length", 0, length,
	    sizeof(length));
	bool has_coding = answer_field(a, "Transfer-Encoding", 0, coding,
	    sizeof(coding));

	if (answer_field(a, "Connection", 0, conn, sizeof(conn)))
		a->closes = strcasecmp(conn, "close") == 0;
	if (a->status == 204 || a->status == 304)
		return ANSWER_DONE;
	if (has_length == has_coding)
		return bad(a,
		    has_length ? "length and coding both"
		               : "neither length nor coding");
	if (has_coding) {
		if (strcasecmp(coding, "chunked") != 0)
			return bad(a, "unknown transfer coding");
		a->is_chunked = true;
		return ANSWER_MORE;
	}
	if (!all_digits(length))
		return bad(a, "bad Content-Length");
	if (answer_field(a, "Content-Length", 1, coding, sizeof(coding)))
		return bad(a, "Content-Length twice");
	a->left = strtoull(length, NULL, 10);
	return a->left == 0 ? ANSWER_DONE : ANSWER_MORE;
}

static enum answer_state
take_head(struct answer *a, struct evbuffer *in)
{
	struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);

	if (end.pos == -1)
		return evbuffer_get_length(in) > ANSWER_HEAD_MAX
		    ? bad(a, "head too long")
		    : ANSWER_MORE;
	if (end.pos + 4 > ANSWER_HEAD_MAX)
		return bad(a, "head too long");
	a->head_len = (size_t)end.pos + 4;
	(void)evbuffer_remove(in, a->head, a->head_len);
	a->head[a->head_len] = '\0';
	if (strlen(a->head) != a->head_len)
		return bad(a, "NUL in the head");
	if (strncmp(a->head, "HTTP/1.1 ", 9) != 0 ||
	    !isdigit((unsigned char)a->head[9]) ||
	    !isdigit((unsigned char)a->head[10]) ||
	    !isdigit((unsigned char)a->head[11]) || a->head[12] != ' ')
		return bad(a, "bad status line");
	a->status = atoi(a->head + 9);
	if (a->status < 200)
		return bad(a, "an interim answer nobody asked for");
	return framing(a);
}

/* Moves up to a->left bytes out of in, keeping the first of them. */
static void
take_body(struct answer *a, struct evbuffer *in)
{
	size_t n = MIN(evbuffer_get_length(in), a->left);
	size_t keep = MIN(n, ANSWER_BODY_KEPT - a->body_kept);

	(void)evbuffer_remove(in, a->body + a->body_kept, keep);
	a->body_kept += keep;
	a->body[a->body_kept] = '\0';
	(void)evbuffer_drain(in, n - keep);
	a->left -= n;
}

/* One line without its CRLF; -1 when incomplete, -2 when too long. */
static int
take_line(struct evbuffer *in, char line[LINE_MAX_BYTES])
{
	struct evbuffer_ptr end = evbuffer_search(in, "\r\n", 2, NULL);

	if (end.pos == -1)
		return evbuffer_get_length(in) >= LINE_MAX_BYTES ? -2 : -1;
	if (end.pos >= LINE_MAX_BYTES)
		return -2;
	(void)evbuffer_remove(in, line, (size_t)end.pos);
	line[end.pos] = '\0';
	(void)evbuffer_drain(in, 2);
	return (int)end.pos;
}

static enum answer_state
take_chunks(struct answer *a, struct evbuffer *in)
{
	char line[LINE_MAX_BYTES], *end;
	int n;

	for (;;) {
		if (a->in_chunk) {
			take_body(a, in);
			if (a->left > 0 || evbuffer_get_length(in) < 2)
				return ANSWER_MORE;
			if (take_line(in, line) != 0)
				return bad(a, "chunk without its CRLF");
			a->in_chunk = false;
		}
		n = take_line(in, line);
		if (n == -1)
			return ANSWER_MORE;
		if (n == -2)
			return bad(a, "chunk line too long");
		if (a->in_trailers) {
			if (n == 0)
				return ANSWER_DONE;
			continue;
		}
		a->left = strtoull(line, &end, 16);
		if (end == line || (*end != '\0' && *end != ';'))
			return bad(a, "bad chunk size");
		a->in_trailers = a->left == 0;
		a->in_chunk = a->left > 0;
	}
}

enum answer_state
answer_feed(struct answer *a, struct evbuffer *in)
{
	if (a->status == 0) {
		enum answer_state s = take_head(a, in);

		if (s != ANSWER_MORE || a->status == 0)
			return s;
	}
	if (a->is_chunked)
		return take_chunks(a, in);
	take_body(a, in);
	return a->left == 0 ? ANSWER_DONE : ANSWER_MORE;
}
