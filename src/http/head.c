#include "http/head.h"

#include "base/err.h"

#define X(id, safe) [METHOD_##id] = { #id, sizeof(#id) - 1 },
static const struct str method_names[METHOD_COUNT] = { HTTP_METHODS(X) };
#undef X
#define X(id, safe) [METHOD_##id] = (safe),
static const bool method_safe[METHOD_COUNT] = { HTTP_METHODS(X) };
#undef X
#define X(id, name) [FIELD_##id] = { (name), sizeof(name) - 1 },
static const struct str field_names[FIELD_COUNT] = { HTTP_FIELDS(X) };
#undef X

bool
http_method_is_safe(enum http_method m)
{
	return method_safe[m];
}

enum http_method
http_method_of(struct str text)
{
	for (unsigned m = METHOD_OTHER + 1; m < METHOD_COUNT; m++)
		if (str_eq(text, method_names[m]))
			return (enum http_method)m;
	return METHOD_OTHER;
}

struct str
http_field_name(enum http_field_id id)
{
	return field_names[id];
}

/*
 * Candidates by length: at most a few names share one, so that a field is
 * known after one or two comparisons.
 */
/* clang-format off */
#define LEN_MAX 19
static const uint8_t by_len[LEN_MAX + 1][6] = {
	[2] = { FIELD_TE },
	[3] = { FIELD_VIA },
	[4] = { FIELD_HOST, FIELD_DATE },
	[6] = { FIELD_COOKIE, FIELD_ACCEPT, FIELD_EXPECT, FIELD_SERVER },
	[7] = { FIELD_TRAILER, FIELD_UPGRADE, FIELD_REFERER },
	[8] = { FIELD_LOCATION },
	[9] = { FIELD_FORWARDED },
	[10] = { FIELD_CONNECTION, FIELD_USER_AGENT, FIELD_KEEP_ALIVE,
	         FIELD_SET_COOKIE },
	[11] = { FIELD_RETRY_AFTER, FIELD_TRACEPARENT },
	[12] = { FIELD_CONTENT_TYPE, FIELD_X_REQUEST_ID },
	[14] = { FIELD_CONTENT_LENGTH, FIELD_SEC_FETCH_DEST,
	         FIELD_SEC_FETCH_MODE, FIELD_HTTP2_SETTINGS },
	[15] = { FIELD_X_FORWARDED_FOR },
	[16] = { FIELD_X_FORWARDED_HOST, FIELD_X_FORWARDED_PORT,
	         FIELD_PROXY_CONNECTION },
	[17] = { FIELD_TRANSFER_ENCODING, FIELD_X_FORWARDED_PROTO },
	[18] = { FIELD_PROXY_AUTHENTICATE },
	[19] = { FIELD_PROXY_AUTHORIZATION },
};
/* clang-format on */

enum http_field_id
http_field_of(struct str name)
{
	const uint8_t *ids;

	if (name.len > LEN_MAX)
		return FIELD_OTHER;
	ids = by_len[name.len];
	for (unsigned i = 0; i < ARRAY_LEN(by_len[0]) && ids[i] != 0; i++) {
		struct str known = field_names[ids[i]];

		/* The last letters differ most; most write it as we do. */
		if ((name.p[name.len - 1] | 0x20) ==
		        (known.p[known.len - 1] | 0x20) &&
		    (str_eq(name, known) || str_caseeq(name, known)))
			return (enum http_field_id)ids[i];
	}
	return FIELD_OTHER;
}

static struct str
name_of(const struct http_field *f)
{
	return str_from(f->name, f->name_len);
}

static struct str
value_of(const struct http_field *f)
{
	return str_from(f->value, f->value_len);
}

const struct http_field *
http_head_find(const struct http_head *h, enum http_field_id id)
{
	if (!((h->have >> id) & 1))
		return NULL;
	for (unsigned i = 0; i < h->n; i++)
		if (h->f[i].id == id && !(h->f[i].flags & HF_DROP))
			return &h->f[i];
	return NULL;
}

struct str
http_head_value(const struct http_head *h, enum http_field_id id)
{
	const struct http_field *f = http_head_find(h, id);

	return f == NULL ? (struct str){ NULL, 0 } : value_of(f);
}

struct str
http_head_value_of(const struct http_head *h, struct str name)
{
	for (unsigned i = 0; i < h->n; i++)
		if (!(h->f[i].flags & HF_DROP) &&
		    str_caseeq(name_of(&h->f[i]), name))
			return value_of(&h->f[i]);
	return (struct str){ NULL, 0 };
}

int
http_head_add(struct http_head *h, enum http_field_id id, struct str name,
    struct str value)
{
	if (h->n >= ARRAY_LEN(h->f) || name.len > UINT16_MAX ||
	    value.len > UINT32_MAX)
		return E_FULL;
	h->f[h->n++] = (struct http_field){
		.name = name.p,
		.name_len = (uint16_t)name.len,
		.value = value.p,
		.value_len = (uint32_t)value.len,
		.id = (uint8_t)id,
	};
	h->have |= UINT64_C(1) << id;
	return E_OK;
}

void
http_head_drop(struct http_head *h, enum http_field_id id)
{
	if (!((h->have >> id) & 1))
		return;
	for (unsigned i = 0; i < h->n; i++)
		if (h->f[i].id == id)
			h->f[i].flags |= HF_DROP;
	h->have &= ~(UINT64_C(1) << id);
}

/* ---- hop by hop ---- */

#define BIT(id) (UINT64_C(1) << FIELD_##id)

static const uint64_t hop_by_hop = BIT(CONNECTION) | BIT(KEEP_ALIVE) |
    BIT(PROXY_CONNECTION) | BIT(TE) | BIT(TRANSFER_ENCODING) | BIT(UPGRADE) |
    BIT(HTTP2_SETTINGS) | BIT(PROXY_AUTHENTICATE) | BIT(PROXY_AUTHORIZATION);

/* What a Connection field cannot make us drop, though it names it. */
static const uint64_t protected = BIT(HOST) | BIT(CONTENT_LENGTH) |
    BIT(EXPECT) | BIT(COOKIE) | BIT(FORWARDED) | BIT(X_FORWARDED_FOR) |
    BIT(X_FORWARDED_PROTO) | BIT(X_FORWARDED_HOST) | BIT(X_FORWARDED_PORT);

/* Fields of one connection need no name to go, and ->have keeps Upgrade. */
static void
drop_named(struct http_head *h, struct str name)
{
	const uint64_t not_here = protected | hop_by_hop;

	if (str_caseeq(name, STR("authorization")))
		return;
	for (unsigned i = 0; i < h->n; i++) {
		struct http_field *f = &h->f[i];

		if (((not_here >> f->id) & 1) || !str_caseeq(name_of(f), name))
			continue;
		f->flags |= HF_DROP;
		if (f->id != FIELD_OTHER)
			h->have &= ~(UINT64_C(1) << f->id);
	}
}

static void
drop_named_by_connection(struct http_head *h)
{
	for (unsigned i = 0; i < h->n; i++) {
		struct str rest = value_of(&h->f[i]), name;

		if (h->f[i].id != FIELD_CONNECTION)
			continue;
		while (str_list_next(&rest, &name))
			if (!str_caseeq(name, STR("close")) &&
			    !str_caseeq(name, STR("keep-alive")))
				drop_named(h, name);
	}
}

void
http_head_drop_hop_by_hop(struct http_head *h)
{
	if (!(h->have & hop_by_hop))
		return;
	if (HTTP_HAS(h, CONNECTION))
		drop_named_by_connection(h);
	for (unsigned i = 0; i < h->n; i++)
		if ((hop_by_hop >> h->f[i].id) & 1)
			h->f[i].flags |= HF_DROP;
	/* Upgrade can be brought back by the writer, so it stays known. */
	h->have &= ~(hop_by_hop & ~BIT(UPGRADE));
}

/* ---- reasons ---- */

/* clang-format off */
static const struct { unsigned status; const char *reason; } reasons[] = {
	{ 100, "Continue" }, { 101, "Switching Protocols" },
	{ 102, "Processing" }, { 103, "Early Hints" }, { 200, "OK" },
	{ 201, "Created" }, { 202, "Accepted" }, { 204, "No Content" },
	{ 206, "Partial Content" }, { 301, "Moved Permanently" },
	{ 302, "Found" }, { 303, "See Other" }, { 304, "Not Modified" },
	{ 307, "Temporary Redirect" }, { 308, "Permanent Redirect" },
	{ 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" },
	{ 404, "Not Found" }, { 405, "Method Not Allowed" },
	{ 408, "Request Timeout" }, { 409, "Conflict" }, { 410, "Gone" },
	{ 412, "Precondition Failed" }, { 413, "Content Too Large" },
	{ 414, "URI Too Long" }, { 415, "Unsupported Media Type" },
	{ 417, "Expectation Failed" }, { 421, "Misdirected Request" },
	{ 422, "Unprocessable Content" }, { 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" }, { 501, "Not Implemented" },
	{ 502, "Bad Gateway" }, { 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" }, { 505, "HTTP Version Not Supported" },
	{ 508, "Loop Detected" },
};
/* clang-format on */

const char *
http_reason(unsigned status)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}
