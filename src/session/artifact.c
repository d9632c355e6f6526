#include "session/artifact.h"

#include <stddef.h>

#include "base/attr.h"
#include "base/json.h"
#include "http/chars.h"
#include "http/target.h"

#define X(id, name, ttl_s, of_flow)                                            \
	[ARTIFACT_##id] = { { (name), sizeof(name) - 1 }, (ttl_s), (of_flow) },
static const struct {
	struct str name;
	uint64_t ttl_s;
	bool of_flow;
} kinds[] = { ARTIFACTS(X) };
#undef X

/* As they are called in requests, beside the names of .kinds. */
#define NAME(text)                                                             \
	{                                                                      \
		(text), sizeof(text) - 1                                       \
	}
static const struct str asked[] = { NAME("token"), NAME("id_token_hint"),
	NAME("subject_token"), NAME("actor_token") };
/* What leads a browser to a page. */
static const struct str in_queries[] = { NAME("request_uri"), NAME("user_code"),
	NAME("id_token_hint") };

bool
artifact_is_of_flow(enum artifact a)
{
	return kinds[a].of_flow;
}

static bool
is_escape(struct str s, size_t at)
{
	return s.p[at] == '%' && at + 2 < s.len && ch_is(s.p[at + 1], CH_HEX) &&
	    ch_is(s.p[at + 2], CH_HEX);
}

/* application/x-www-form-urlencoded; {NULL, 0}: it is empty or too long. */
static struct str
decode(struct str s, char out[ARTIFACT_VALUE_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (n == ARTIFACT_VALUE_MAX)
			return (struct str){ NULL, 0 };
		if (is_escape(s, i)) {
			out[n++] = (char)(ch_hex(s.p[i + 1]) << 4 |
			    ch_hex(s.p[i + 2]));
			i += 2;
		} else {
			out[n++] = (char)(s.p[i] == '+' ? ' ' : s.p[i]);
		}
	}
	return n == 0 ? (struct str){ NULL, 0 } : str_from(out, n);
}

static int
kind_of(struct str name)
{
	for (int k = 0; k < ARTIFACT_COUNT; k++)
		if (str_eq(name, kinds[k].name))
			return k;
	return -1;
}

/* Of a redirection; *told: bits of those that were found. */
static void
in_params(struct str rest, unsigned *told, artifact_fn *fn, void *arg)
{
	static const unsigned issued = 1u << ARTIFACT_CODE |
	    1u << ARTIFACT_ACCESS_TOKEN | 1u << ARTIFACT_ID_TOKEN;
	char bytes[ARTIFACT_VALUE_MAX];
	struct str name, value;

	while (target_param_next(&rest, &name, &value)) {
		int kind = kind_of(name);

		if (kind == -1 || (issued & ~*told & 1u << kind) == 0)
			continue;
		value = decode(value, bytes);
		if (value.p == NULL)
			continue;
		*told |= 1u << kind;
		fn((enum artifact)kind, value, kinds[kind].ttl_s, arg);
	}
}

void
artifact_in_location(struct str location, artifact_fn *fn, void *arg)
{
	struct str fragment = location, query = str_split(&fragment, '#');
	unsigned told = 0;

	(void)str_split(&query, '?');
	in_params(query, &told, fn, arg);
	in_params(fragment, &told, fn, arg);
}

void
artifact_in_json(struct str text, artifact_fn *fn, void *arg)
{
	char why[128];
	struct json *doc = json_read(text, why, sizeof(why));
	int64_t lives_s = json_get_int(doc, "expires_in", 0);

	for (int k = 0; k < ARTIFACT_COUNT; k++) {
		const char *value = json_get_text(doc, kinds[k].name.p, "");
		uint64_t ttl_s = kinds[k].ttl_s;

		if (k == ARTIFACT_CODE)
			continue; /* it comes by redirection; there, an error's */
		/* It is said of the one that is short-lived; an ID token that
		 * has expired is a hint still. */
		if (lives_s > 0 && k != ARTIFACT_REFRESH_TOKEN &&
		    k != ARTIFACT_ID_TOKEN)
			ttl_s = MIN((uint64_t)lives_s, ttl_s);
		if (value[0] != '\0')
			fn((enum artifact)k, str_of(value), ttl_s, arg);
	}
	json_free(&doc);
}

static bool
is_among(struct str name, const struct str *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(name, names[i]))
			return true;
	return false;
}

typedef bool name_fn(struct str name);

static bool
is_of_form(struct str name)
{
	return kind_of(name) != -1 || is_among(name, asked, ARRAY_LEN(asked));
}

static bool
is_of_query(struct str name)
{
	return is_among(name, in_queries, ARRAY_LEN(in_queries));
}

static struct str
next(struct str *rest, name_fn *is_meant, char out[ARTIFACT_VALUE_MAX])
{
	struct str name, value, one;

	while (target_param_next(rest, &name, &value)) {
		if (!is_meant(name))
			continue;
		one = decode(value, out);
		if (one.p != NULL)
			return one;
	}
	return (struct str){ NULL, 0 };
}

struct str
artifact_in_form(struct str *rest, char out[ARTIFACT_VALUE_MAX])
{
	return next(rest, is_of_form, out);
}

struct str
artifact_in_query(struct str *rest, char out[ARTIFACT_VALUE_MAX])
{
	return next(rest, is_of_query, out);
}
