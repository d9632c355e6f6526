/*
 * Bodies and what follows them.  The first byte says how they are framed:
 *
 *   q  chunked, of a request     n  the same within narrow limits
 *   r  chunked, of an answer     x  of an answer, until its connection ends
 *   l  the second byte is the length
 *   w  payload that we frame: pieces of as many bytes as their first says
 *
 * What must hold for any input stands in tests/unit/http/drive.[ch].
 */
#include <string.h>

#include "tests/unit/http/drive.h"
#include "http/h1_write.h"

#define CUTS 6
#define CHUNKED "Transfer-Encoding: chunked\r\n\r\n"
#define REQUEST "POST / HTTP/1.1\r\nHost: a\r\n"
#define ANSWER "HTTP/1.1 200 OK\r\n"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static const struct http_limits narrow = {
	.head_bytes = 80,
	.field_bytes = 40,
	.target_bytes = 20,
	.fields = 4,
};

static const struct drive requests = { .limits = DRIVE_LIMITS };

static void
try_behind(struct drive d, const char *head, struct str body)
{
	struct buf in = BUF_INIT;
	struct drive_out out;

	buf_add_cstr(&in, head);
	buf_add_str(&in, body);
	MUST(!in.failed);
	drive_all(&d, buf_str(&in), CUTS, 1 + body.len, &out);
	drive_free(&out);
	buf_free(&in);
}

static void
try_length(struct str body)
{
	char head[128];

	if (body.len == 0)
		return;
	(void)snprintf(head, sizeof(head), REQUEST "Content-Length: %u\r\n\r\n",
	    (unsigned char)body.p[0]);
	try_behind(requests, head, str_sub(body, 1, body.len));
}

/* What we frame is read as what it was. */
static void
try_writing(struct str rest)
{
	struct buf in = BUF_INIT, want = BUF_INIT;
	struct drive_out out;

	buf_add_cstr(&in, REQUEST CHUNKED);
	buf_add_cstr(&want, "POST / a chunked keep");
	while (rest.len > 1) {
		char head[H1_CHUNK_HEAD_MAX];
		struct str part = str_sub(rest, 1,
		    1 + (size_t)(unsigned char)rest.p[0]);

		if (want.len == sizeof("POST / a chunked keep") - 1)
			buf_add_cstr(&want, " body=");
		buf_add(&in, head, h1_write_chunk_head(part.len, head));
		buf_add_str(&in, part);
		buf_add_cstr(&in, H1_CHUNK_TAIL);
		buf_add_str(&want, part);
		rest = str_sub(rest, 1 + part.len, rest.len);
	}
	buf_add_cstr(&in, H1_LAST_CHUNK);
	buf_add_cstr(&want, " end");
	MUST(!in.failed && !want.failed);
	drive_all(&requests, buf_str(&in), CUTS, 1 + in.len, &out);
	MUST(str_eq(buf_str(&out.said), buf_str(&want)));
	MUST(out.used == in.len);
	drive_free(&out);
	buf_free(&want);
	buf_free(&in);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct drive narrowed = { .limits = narrow };
	struct drive answers = requests;
	struct str rest;

	if (size == 0)
		return 0;
	answers.is_response = true;
	answers.asked = METHOD_GET;
	rest = str_from((const char *)data + 1, size - 1);
	if (data[0] == 'q')
		try_behind(requests, REQUEST CHUNKED, rest);
	else if (data[0] == 'n')
		try_behind(narrowed, REQUEST CHUNKED, rest);
	else if (data[0] == 'r')
		try_behind(answers, ANSWER CHUNKED, rest);
	else if (data[0] == 'x')
		try_behind(answers, ANSWER "\r\n", rest);
	else if (data[0] == 'l')
		try_length(rest);
	else if (data[0] == 'w')
		try_writing(rest);
	return 0;
}
