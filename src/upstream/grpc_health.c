#include "upstream/grpc_health.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#define PREFIX 5 /* compressed or not, then the length, big endian */
#define SERVING 1

/* Kinds of fields (wire types). */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

size_t
grpc_health_ask(struct str service, char out[GRPC_HEALTH_ASK_MAX])
{
	size_t n = PREFIX;

	assert(service.len <= GRPC_HEALTH_SERVICE_MAX);
	if (service.len > 0) {
		out[n++] = 1 << 3 | BYTES;
		out[n++] = (char)(service.len & 0x7f);
		if (service.len > 0x7f) {
			out[n - 1] = (char)(out[n - 1] | 0x80);
			out[n++] = (char)(service.len >> 7);
		}
		memcpy(out + n, service.p, service.len);
		n += service.len;
	}
	memset(out, 0, 3);
	out[3] = (char)((n - PREFIX) >> 8);
	out[4] = (char)(n - PREFIX);
	return n;
}

static bool
take_varint(struct str *s, uint64_t *out)
{
	*out = 0;
	for (unsigned shift = 0; shift < 64 && s->len > 0; shift += 7) {
		unsigned char c = (unsigned char)s->p[0];

		*s = str_sub(*s, 1, s->len);
		*out |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80)
			return true;
	}
	return false;
}

static bool
skip(struct str *s, uint64_t n)
{
	if (n > s->len)
		return false;
	*s = str_sub(*s, n, s->len);
	return true;
}

/* One field; the status, when it is that. */
static bool
take_field(struct str *s, uint64_t *status)
{
	uint64_t key, value;

	if (!take_varint(s, &key))
		return false;
	switch (key & 7) {
	case VARINT:
		if (!take_varint(s, &value))
			return false;
		if (key >> 3 == 1)
			*status = value;
		return true;
	case FIXED64:
		return skip(s, 8);
	case BYTES:
		return take_varint(s, &value) && skip(s, value);
	case FIXED32:
		return skip(s, 4);
	default:
		return false;
	}
}

bool
grpc_health_serves(struct str body)
{
	uint64_t status = 0, len = 0;

	if (body.len < PREFIX || body.p[0] != 0)
		return false;
	for (size_t i = 1; i < PREFIX; i++)
		len = len << 8 | (unsigned char)body.p[i];
	body = str_sub(body, PREFIX, body.len);
	if (len != body.len)
		return false;
	while (body.len > 0)
		if (!take_field(&body, &status))
			return false;
	return status == SERVING;
}
