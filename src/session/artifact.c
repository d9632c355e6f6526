#include "session/artifact.h"

#include <stddef.h>

#include "base/attr.h"
#include "base/json.h"
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

bool
artifact_is_of_flow(enum artifact a)
{
	return kinds[a].of_flow;
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* application/x-www-form-urlencoded; {NULL, 0}: it is empty or too long. */
static struct str
decode(struct str s, char out[ARTIFACT_VALUE_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		int high = i + 2 < s.len ? digit(s.p[i + 1]) : -1;
		int low = i + 2 < s.len ? digit(s.p[i + 2]) : -1;

		if (n == ARTIFACT_VALUE_MAX)
			return (struct str){ NULL, 0 };
		if (s.p[i] == '%' && high >= 0 && low >= 0) {
			out[n++] = (char)(high * 16 + low);
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

static void
in_params(struct str rest, artifact_fn *fn, void *arg)
{
	char bytes[ARTIFACT_VALUE_MAX];
	struct str name, value;

	while (target_param_next(&rest, &name, &value)) {
		int kind = kind_of(name);

		value = kind == -1 ? (struct str){ NULL, 0 }
		                   : decode(value, bytes);
		if (value.p != NULL)
			fn((enum artifact)kind, value, kinds[kind].ttl_s, arg);
	}
}

void
artifact_in_location(struct str location, artifact_fn *fn, void *arg)
{
	struct str fragment = location, query = str_split(&fragment, '#');

	(void)str_split(&query, '?');
	in_params(query, fn, arg);
	in_params(fragment, fn, arg);
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
		/* It is said of the one that is short-lived. */
		if (lives_s > 0 && k != ARTIFACT_REFRESH_TOKEN)
			ttl_s = MIN((uint64_t)lives_s, ttl_s);
		if (value[0] != '\0')
			fn((enum artifact)k, str_of(value), ttl_s, arg);
	}
	json_free(&doc);
}

static bool
is_asked(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		if (str_eq(name, asked[i]))
			return true;
	return kind_of(name) != -1;
}

struct str
artifact_asked(struct str params, char out[ARTIFACT_VALUE_MAX])
{
	struct str name, value;

	while (target_param_next(&params, &name, &value)) {
		value = is_asked(name) ? decode(value, out)
		                       : (struct str){ NULL, 0 };
		if (value.p != NULL)
			return value;
	}
	return (struct str){ NULL, 0 };
}
