#include "segue/reply.h"

#include <string.h>

#include "base/err.h"

enum step {
	STATUS_LINE,
	FIELDS,
	BODY, /* left bytes, or until the peer closes */
	CHUNK_SIZE,
	CHUNK,
	CHUNK_END, /* its CRLF */
	TRAILERS,
	DONE
};

void
reply_init(struct reply *r, reply_body_fn *body, void *arg)
{
	*r = (struct reply){ .step = STATUS_LINE, .body = body, .arg = arg };
}

/* ---- lines ---- */

/*
 * Takes bytes up to LF off *in.  E_OK: *line is a whole one without its CRLF,
 * borrowed until the next call; E_AGAIN: it is not complete.
 */
static int
take_line(struct reply *r, struct str *in, struct str *line)
{
	ssize_t lf = str_find(*in, '\n');
	size_t n = lf == -1 ? in->len : (size_t)lf + 1;

	r->head_bytes += n;
	if (r->line_len + n > sizeof(r->line) || r->head_bytes > REPLY_HEAD_MAX)
		return E_TOOBIG;
	memcpy(r->line + r->line_len, in->p, n);
	r->line_len += n;
	*in = str_sub(*in, n, in->len);
	if (lf == -1)
		return E_AGAIN;
	*line = str_from(r->line, r->line_len - 1);
	if (str_ends(*line, STR("\r")))
		line->len--;
	r->line_len = 0;
	return E_OK;
}

/* "HTTP/1.1 200 OK" */
static int
read_status(struct reply *r, struct str line)
{
	struct str version = str_split(&line, ' ');
	struct str digits = str_split(&line, ' ');
	uint64_t status;

	if (!str_starts(version, STR("HTTP/1.")) || digits.len != 3 ||
	    !str_u64(digits, &status) || status < 100 || status > 599)
		return E_SYNTAX;
	r->status = (int)status;
	r->type[0] = '\0';
	r->chunked = r->has_length = false;
	r->step = FIELDS;
	return E_OK;
}

static int
read_length(struct reply *r, struct str value)
{
	uint64_t n;

	if (!str_u64(value, &n))
		return E_SYNTAX;
	if (r->has_length && n != r->left)
		return E_SYNTAX;
	r->has_length = true;
	r->left = n;
	return E_OK;
}

static int
read_field(struct reply *r, struct str line)
{
	struct str name, value = line;

	if (str_find(line, ':') == -1)
		return E_SYNTAX;
	name = str_split(&value, ':');
	value = str_trim(value);
	if (str_caseeq(name, STR("Content-Length")))
		return read_length(r, value);
	if (str_caseeq(name, STR("Transfer-Encoding"))) {
		if (!str_caseeq(value, STR("chunked")))
			return E_SYNTAX;
		r->chunked = true;
	} else if (str_caseeq(name, STR("Content-Type"))) {
		str_copy(str_trim(str_split(&value, ';')), r->type,
		    sizeof(r->type));
	}
	return E_OK;
}

static int
end_head(struct reply *r)
{
	r->head_bytes = 0;
	if (r->chunked && r->has_length)
		return E_SYNTAX;
	if (r->status < 200) {
		r->status = 0;
		r->step = STATUS_LINE;
	} else if (r->status == 204 || r->status == 304) {
		r->step = DONE;
	} else if (r->chunked) {
		r->step = CHUNK_SIZE;
	} else {
		r->step = r->has_length && r->left == 0 ? DONE : BODY;
	}
	return E_OK;
}

static int
hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 1*HEXDIG, then perhaps an extension (RFC 9112 7.1). */
static int
read_chunk_size(struct reply *r, struct str line)
{
	struct str digits = str_trim(str_split(&line, ';'));

	if (digits.len == 0)
		return E_SYNTAX;
	r->left = 0;
	for (size_t i = 0; i < digits.len; i++) {
		int h = hex_of(digits.p[i]);

		if (h == -1)
			return E_SYNTAX;
		if (r->left > UINT64_MAX >> 5)
			return E_RANGE;
		r->left = r->left << 4 | (unsigned)h;
	}
	r->head_bytes = 0;
	r->step = r->left == 0 ? TRAILERS : CHUNK;
	return E_OK;
}

static int
read_line(struct reply *r, struct str line)
{
	switch (r->step) {
	case STATUS_LINE:
		return read_status(r, line);
	case FIELDS:
		if (line.len > 0)
			return read_field(r, line);
		return end_head(r);
	case CHUNK_SIZE:
		return read_chunk_size(r, line);
	case CHUNK_END:
		r->step = CHUNK_SIZE;
		return line.len == 0 ? E_OK : E_SYNTAX;
	default: /* TRAILERS */
		if (line.len == 0)
			r->step = DONE;
		return E_OK;
	}
}

/* ---- the body ---- */

static int
take_body(struct reply *r, struct str *in)
{
	bool counted = r->step == CHUNK || r->has_length;
	size_t n = in->len;
	struct str piece;

	if (counted && n > r->left)
		n = (size_t)r->left;
	piece = str_sub(*in, 0, n);
	*in = str_sub(*in, n, in->len);
	if (counted) {
		r->left -= n;
		if (r->left == 0)
			r->step = r->step == CHUNK ? CHUNK_END : DONE;
	}
	return r->body(piece, r->arg);
}

int
reply_feed(struct reply *r, struct str in)
{
	struct str line;
	int rc = E_OK;

	while (rc == E_OK && r->step != DONE && in.len > 0) {
		if (r->step == BODY || r->step == CHUNK) {
			rc = take_body(r, &in);
			continue;
		}
		rc = take_line(r, &in, &line);
		if (rc == E_OK)
			rc = read_line(r, line);
	}
	if (rc != E_OK)
		return rc;
	return r->step == DONE ? E_OK : E_AGAIN;
}

int
reply_close(struct reply *r)
{
	if (r->step == DONE)
		return E_OK;
	if (r->step != BODY || r->has_length)
		return E_EOF;
	r->step = DONE;
	return E_OK;
}
