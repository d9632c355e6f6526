#include "session/artifact.h"

#include <stddef.h>

#include "base/attr.h"
#include "base/json.h"
#include "http/chars.h"
#include "http/target.h"
#include "session/page.h"

#define X(id, name, ttl_s, of_flow, born)                                      \
	[ARTIFACT_##id] = { { (name), sizeof(name) - 1 }, (ttl_s), (of_flow),  \
		(born) },
static const struct {
	struct str name;
	uint64_t ttl_s;
	bool of_flow;
	unsigned born; /* enum artifact_birth */
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
	NAME("id_token_hint"), NAME("state"), NAME("RelayState") };
/* What nobody sends but who asks a login server. */
static const struct str askings[] = { NAME("client_id"), NAME("SAMLRequest"),
	NAME("post_logout_redirect_uri") };

/* How parameters are written. */
struct script {
	bool (*next)(struct str *rest, struct str *name, struct str *value);
	/* {NULL, 0}: it is empty or too long */
	struct str (*decode)(struct str value, char *out, size_t cap);
};

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

/* application/x-www-form-urlencoded */
static struct str
decode(struct str s, char *out, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (n == cap)
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

static const struct script of_forms = { target_param_next, decode };
static const struct script of_pages = { page_field_next, page_value };

static int
kind_of(struct str name)
{
	for (int k = 0; k < ARTIFACT_COUNT; k++)
		if (str_eq(name, kinds[k].name))
			return k;
	return -1;
}

static bool
is_among(struct str name, const struct str *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(name, names[i]))
			return true;
	return false;
}

/* As one asks a login server, not as that answers. */
static bool
asks(struct str params, const struct script *s)
{
	struct str name, value;

	while (s->next(&params, &name, &value))
		if (is_among(name, askings, ARRAY_LEN(askings)))
			return true;
	return false;
}

bool
artifact_is_state(enum artifact a)
{
	return a == ARTIFACT_STATE || a == ARTIFACT_RELAY_STATE;
}

static bool
is_issued(enum artifact kind, struct str value, const struct script *s,
    unsigned born)
{
	bool any_length = s == &of_forms && !artifact_is_state(kind);

	return value.p != NULL && (kinds[kind].born & born) != 0 &&
	    (any_length || value.len >= ARTIFACT_LEAST);
}

/* Of what leads a browser on; *told: bits of those that were found. */
static void
in_params(struct str rest, const struct script *s, unsigned *told,
    artifact_fn *fn, void *arg)
{
	unsigned born = BORN_BACK | (asks(rest, s) ? BORN_AWAY : 0);
	char bytes[ARTIFACT_VALUE_MAX];
	struct str name, value;

	while (s->next(&rest, &name, &value)) {
		int kind = kind_of(name);

		if (kind == -1 || (*told & 1u << kind) != 0)
			continue;
		value = s->decode(value, bytes, sizeof(bytes));
		if (!is_issued((enum artifact)kind, value, s, born))
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
	in_params(query, &of_forms, &told, fn, arg);
	in_params(fragment, &of_forms, &told, fn, arg);
}

void
artifact_in_page(struct str html, artifact_fn *fn, void *arg)
{
	unsigned told = 0;

	in_params(html, &of_pages, &told, fn, arg);
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

		if ((kinds[k].born & BORN_JSON) == 0)
			continue; /* "code" there is an error's */
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

static bool
names_state(struct str name)
{
	int kind = kind_of(name);

	return kind != -1 && artifact_is_state((enum artifact)kind);
}

/*
 * The state of an application, in what it asks, comes back to it, not to us:
 * it is looked for once.
 */
static struct str
next(struct str all, bool states, struct str *rest, name_fn *is_meant,
    char out[ARTIFACT_VALUE_MAX])
{
	bool known = !states;
	struct str name, value, one;

	while (target_param_next(rest, &name, &value)) {
		if (!is_meant(name))
			continue;
		if (names_state(name)) {
			if (value.len < ARTIFACT_LEAST)
				continue;
			states = states && (known || !asks(all, &of_forms));
			known = true;
			if (!states)
				continue;
		}
		one = decode(value, out, ARTIFACT_VALUE_MAX);
		if (one.p != NULL)
			return one;
	}
	return (struct str){ NULL, 0 };
}

struct str
artifact_in_form(struct str all, bool states, struct str *rest,
    char out[ARTIFACT_VALUE_MAX])
{
	return next(all, states, rest, is_of_form, out);
}

struct str
artifact_in_query(struct str all, bool states, struct str *rest,
    char out[ARTIFACT_VALUE_MAX])
{
	return next(all, states, rest, is_of_query, out);
}
