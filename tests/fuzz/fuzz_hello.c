/*
 * ClientHellos.  The first byte says what the rest is:
 *
 *   r  what comes first on a connection
 *   1..9, a..z  the body of a message, put into records of about so many bytes
 *
 * What must hold for any: each cut of a good one waits, a bad one is bad for
 * the same reason whatever follows, names are names, and how a message is put
 * into records does not change what it says.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tls/hello.h"
#include "must.h"

#define BODY_MAX 1024

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

struct verdict {
	ssize_t used;
	enum hello_fault fault;
	struct hello hello;
};

/* Reads bytes that are alone in their memory, for the sanitizer. */
static struct verdict
read_alone(struct str in)
{
	char *alone = malloc(in.len == 0 ? 1 : in.len);
	struct verdict v;

	MUST(alone != NULL);
	if (in.len > 0)
		memcpy(alone, in.p, in.len);
	v.used = hello_read(str_from(alone, in.len), &v.hello, &v.fault);
	free(alone);
	return v;
}

static void
check_good(struct str in, const struct verdict *v)
{
	MUST(v->fault == HELLO_NONE && (size_t)v->used <= in.len);
	MUST(v->used <= HELLO_MAX && v->hello.name_len <= HELLO_NAME_MAX);
	MUST(strlen(v->hello.name) == v->hello.name_len);
	for (const char *p = v->hello.name; *p != '\0'; p++)
		MUST(islower((unsigned char)*p) || isdigit((unsigned char)*p) ||
		    strchr("-._", *p) != NULL);
}

/* Told as early as it could be, or later: never otherwise. */
static struct verdict
check(struct str in)
{
	struct verdict v = read_alone(in);
	size_t step = 1 + in.len / 128;
	bool told = false;

	if (v.used > 0)
		check_good(in, &v);
	/* Of long ones not each cut. */
	for (size_t left = in.len + 1; left > 0; left -= MIN(left, step)) {
		size_t n = in.len - (left - 1);
		struct verdict cut = read_alone(str_sub(in, 0, n));

		MUST(!told || cut.used == v.used);
		MUST(cut.used == 0 ||
		    (cut.used == v.used && cut.fault == v.fault));
		MUST(cut.used <= (ssize_t)n);
		told |= cut.used != 0;
	}
	MUST(!told || v.used != 0);
	return v;
}

static size_t
put_records(struct str message, size_t part, char *out)
{
	size_t n = 0;

	for (size_t at = 0; at < message.len; at += part) {
		struct str s = str_sub(message, at, part);

		memcpy(out + n, "\x16\3\1", 3);
		out[n + 3] = (char)(s.len >> 8);
		out[n + 4] = (char)s.len;
		memcpy(out + n + 5, s.p, s.len);
		n += 5 + s.len;
	}
	return n;
}

static void
check_body(struct str body, size_t part)
{
	char message[4 + BODY_MAX], out[6 * (4 + BODY_MAX)];
	struct verdict one, many;

	if (body.len > BODY_MAX)
		return;
	message[0] = 1;
	message[1] = 0;
	message[2] = (char)(body.len >> 8);
	message[3] = (char)body.len;
	if (body.len > 0)
		memcpy(message + 4, body.p, body.len);
	body = str_from(message, 4 + body.len);
	one = check(str_from(out, put_records(body, sizeof(message), out)));
	many = check(str_from(out, put_records(body, part, out)));
	MUST(one.used != 0 && one.fault == many.fault);
	MUST((one.used > 0) == (many.used > 0));
	MUST(one.used < 0 || strcmp(one.hello.name, many.hello.name) == 0);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct str in;

	if (size == 0 || size > 4096)
		return 0;
	in = str_from((const char *)data + 1, size - 1);
	if (data[0] == 'r')
		(void)check(in);
	else if (isalnum(data[0]))
		check_body(in, 1 + data[0] % 61);
	return 0;
}
