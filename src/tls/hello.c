#include "tls/hello.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

#define RECORD_HEAD 5
#define RECORD_MAX 16384 /* RFC 8446 5.1 */
#define TYPE_HANDSHAKE 22
#define TYPE_ALERT 21
#define FATAL 2
#define CLIENT_HELLO 1
#define MESSAGE_HEAD 4
#define RANDOM_BYTES 32
#define SESSION_MAX 32
#define EXT_SERVER_NAME 0
#define NAME_HOST 0

#define X(id, text) [HELLO_##id] = (text),
static const char *const texts[] = { HELLO_FAULTS(X) };
#undef X

const char *
hello_fault_text(enum hello_fault f)
{
	return texts[f];
}

/* ---- fields of a message ---- */

static uint8_t
byte_at(struct str s, size_t at)
{
	return (uint8_t)s.p[at];
}

/* The first n bytes; they leave s.  False: there are not so many. */
static bool
take(struct str *s, size_t n, struct str *out)
{
	if (n > s->len)
		return false;
	*out = str_from(s->p, n);
	*s = str_from(s->p + n, s->len - n);
	return true;
}

/* A number of n bytes, the highest first. */
static bool
take_number(struct str *s, size_t n, size_t *out)
{
	struct str bytes;

	if (!take(s, n, &bytes))
		return false;
	*out = 0;
	for (size_t i = 0; i < n; i++)
		*out = *out << 8 | byte_at(bytes, i);
	return true;
}

/* What a length of n bytes stands before. */
static bool
take_vector(struct str *s, size_t n, struct str *out)
{
	size_t len;

	return take_number(s, n, &len) && take(s, len, out);
}

/* ---- the name ---- */

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	    c == '.' || c == '_';
}

static enum hello_fault
take_name(struct str name, struct hello *out)
{
	if (str_ends(name, STR(".")))
		name.len--; /* the root's */
	if (name.len == 0 || name.len > HELLO_NAME_MAX)
		return HELLO_NAME;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];

		c = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
		if (!is_name_char(c))
			return HELLO_NAME;
		out->name[i] = c;
	}
	out->name[name.len] = '\0';
	out->name_len = name.len;
	return HELLO_NONE;
}

static enum hello_fault
read_names(struct str data, struct hello *out)
{
	struct str list, name;
	size_t type;

	if (!take_vector(&data, 2, &list) || data.len > 0)
		return HELLO_LENGTH;
	if (!take_number(&list, 1, &type))
		return HELLO_LENGTH;
	if (type != NAME_HOST)
		return HELLO_NAME;
	if (!take_vector(&list, 2, &name))
		return HELLO_LENGTH;
	return list.len > 0 ? HELLO_NAME : take_name(name, out);
}

/* ---- the message ---- */

static enum hello_fault
read_extensions(struct str all, struct hello *out)
{
	bool named = false;

	while (all.len > 0) {
		size_t type;
		struct str data;
		enum hello_fault f;

		if (!take_number(&all, 2, &type) ||
		    !take_vector(&all, 2, &data))
			return HELLO_LENGTH;
		if (type != EXT_SERVER_NAME)
			continue;
		if (named)
			return HELLO_TWICE;
		named = true;
		f = read_names(data, out);
		if (f != HELLO_NONE)
			return f;
	}
	return HELLO_NONE;
}

static enum hello_fault
read_body(struct str body, struct hello *out)
{
	struct str fixed, session, ciphers, compressions, extensions;

	if (!take(&body, 2 + RANDOM_BYTES, &fixed) ||
	    !take_vector(&body, 1, &session) || session.len > SESSION_MAX ||
	    !take_vector(&body, 2, &ciphers) || ciphers.len < 2 ||
	    ciphers.len % 2 != 0 || !take_vector(&body, 1, &compressions) ||
	    compressions.len < 1)
		return HELLO_LENGTH;
	if (body.len == 0)
		return HELLO_NONE; /* TLS 1.2 may have none */
	if (!take_vector(&body, 2, &extensions) || body.len > 0)
		return HELLO_LENGTH;
	return read_extensions(extensions, out);
}

/* ---- records ---- */

/* Bytes of the message gathered from records. */
struct parts {
	size_t n;    /* bytes gathered */
	size_t need; /* 0: its head has not come */
	char bytes[MESSAGE_HEAD + HELLO_BODY_MAX];
};

/* As much of it as the message needs; how much that was. */
static size_t
gather(struct parts *g, struct str part)
{
	size_t n = MIN(part.len,
	    (g->need == 0 ? MESSAGE_HEAD : g->need) - g->n);

	memcpy(g->bytes + g->n, part.p, n);
	g->n += n;
	return n;
}

/* The head of the message is there: how long is it? */
static enum hello_fault
judge_head(struct parts *g)
{
	struct str head = str_from(g->bytes, g->n);
	size_t type, len;

	if (g->n >= 1 && byte_at(head, 0) != CLIENT_HELLO)
		return HELLO_NOT_HELLO;
	if (g->need > 0 || !take_number(&head, 1, &type) ||
	    !take_number(&head, 3, &len))
		return HELLO_NONE;
	if (len > HELLO_BODY_MAX)
		return HELLO_TOO_LONG;
	g->need = MESSAGE_HEAD + len;
	return HELLO_NONE;
}

/* The head of a record, as far as it has come. */
static enum hello_fault
judge_record(struct str head, bool first)
{
	enum hello_fault other = first ? HELLO_NOT_TLS : HELLO_RECORD;
	size_t len;

	if (head.len >= 1 && byte_at(head, 0) != TYPE_HANDSHAKE)
		return other;
	if (head.len >= 2 && byte_at(head, 1) != 3)
		return other;
	if (head.len < RECORD_HEAD)
		return HELLO_NONE;
	len = (size_t)byte_at(head, 3) << 8 | byte_at(head, 4);
	return len == 0 || len > RECORD_MAX ? HELLO_RECORD : HELLO_NONE;
}

/* What there is of a record's part; *used: as much as is the message's. */
static enum hello_fault
read_part(struct parts *g, struct str part, size_t *used)
{
	enum hello_fault f;

	*used = gather(g, part);
	f = judge_head(g);
	if (f != HELLO_NONE || g->n < MESSAGE_HEAD || *used == part.len)
		return f;
	*used += gather(g, str_sub(part, *used, part.len));
	return HELLO_NONE;
}

static bool
is_whole(const struct parts *g)
{
	return g->need > 0 && g->n == g->need;
}

/* Gathers the message; *used: bytes up to its end, or all there are. */
static enum hello_fault
read_records(struct parts *g, struct str in, size_t *used)
{
	size_t at = 0;

	while (!is_whole(g) && at < in.len) {
		struct str head = str_sub(in, at, RECORD_HEAD);
		enum hello_fault f = judge_record(head, at == 0);
		size_t len, n;

		if (f != HELLO_NONE)
			return f;
		if (head.len < RECORD_HEAD)
			break;
		len = (size_t)byte_at(head, 3) << 8 | byte_at(head, 4);
		at += RECORD_HEAD;
		f = read_part(g, str_sub(in, at, len), &n);
		if (f != HELLO_NONE)
			return f;
		at += is_whole(g) ? n : len;
	}
	*used = MIN(at, in.len);
	return HELLO_NONE;
}

ssize_t
hello_read(struct str in, struct hello *out, enum hello_fault *fault)
{
	struct parts g;
	size_t used = 0;
	bool cut = in.len >= HELLO_MAX;

	g.n = g.need = 0;
	out->name_len = 0;
	out->name[0] = '\0';
	*fault = read_records(&g, str_sub(in, 0, HELLO_MAX), &used);
	if (*fault == HELLO_NONE && is_whole(&g))
		*fault = read_body(str_from(g.bytes + MESSAGE_HEAD,
		                       g.need - MESSAGE_HEAD),
		    out);
	else if (*fault == HELLO_NONE && cut)
		*fault = HELLO_TOO_LONG;
	else if (*fault == HELLO_NONE)
		return 0;
	if (*fault == HELLO_NONE)
		return (ssize_t)used;
	return *fault == HELLO_TOO_LONG ? E_TOOBIG : E_SYNTAX;
}

void
hello_alert(enum hello_alert why, char out[HELLO_ALERT])
{
	const char bytes[HELLO_ALERT] = { TYPE_ALERT, 3, 3, 0, 2, FATAL,
		(char)why };

	memcpy(out, bytes, sizeof(bytes));
}
