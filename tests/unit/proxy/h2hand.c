#include "h2hand.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/str.h"
#include "http/h2.h"

static void
put(struct h2_bytes *b, const void *p, size_t n)
{
	cr_assert_leq(n, sizeof(b->p) - b->n);
	if (n > 0)
		memcpy(b->p + b->n, p, n);
	b->n += n;
}

void
h2_frame(struct h2_bytes *b, unsigned type, unsigned flags, uint32_t id,
    const void *payload, size_t len)
{
	const char head[H2_HEAD] = { (char)(len >> 16), (char)(len >> 8),
		(char)len, (char)type, (char)flags, (char)(id >> 24),
		(char)(id >> 16), (char)(id >> 8), (char)id };

	put(b, head, sizeof(head));
	put(b, payload, len);
}

void
h2_begin(struct h2_bytes *b)
{
	b->n = 0;
	put(b, H2_PREFACE, sizeof(H2_PREFACE) - 1);
	h2_frame(b, H2_SETTINGS, 0, 0, NULL, 0);
}

/* RFC 7541 6.2.2, with a text of less than 127 bytes. */
static void
put_text(struct h2_bytes *b, struct str s)
{
	char len = (char)s.len;

	cr_assert_lt(s.len, 127);
	put(b, &len, 1);
	put(b, s.p, s.len);
}

void
h2_head(struct h2_bytes *b, uint32_t id, unsigned flags, const char *lines)
{
	struct h2_bytes fields = { .n = 0 };
	struct str rest = str_of(lines);

	while (rest.len > 0) {
		struct str value = str_split(&rest, '\n');
		struct str name = str_split(&value, '=');

		put(&fields, "", 1);
		put_text(&fields, name);
		put_text(&fields, value);
	}
	h2_frame(b, H2_HEADERS, flags | H2_END_HEADERS, id, fields.p, fields.n);
}

struct h2_seen
h2_read(const char head[H2_HEAD])
{
	const unsigned char *p = (const unsigned char *)head;

	return (struct h2_seen){
		.len = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2],
		.type = p[3],
		.flags = p[4],
		.id = (uint32_t)p[5] << 24 | (uint32_t)p[6] << 16 |
		    (uint32_t)p[7] << 8 | p[8],
	};
}
