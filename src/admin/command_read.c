#include "admin/command_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/units.h"
#include "rollout/mark.h"

struct reading {
	struct command_asked *out;
	struct buf *problems;
	bool malformed; /* a key or a type is wrong */
	bool bad;       /* anything is */
};

struct key;
typedef void read_fn(struct reading *, const struct key *, const struct json *);

struct key {
	const char *name;
	read_fn *read;
	size_t at;      /* in struct command_asked */
	size_t given;   /* a bool there, or 0 */
	unsigned verbs; /* that take it */
	unsigned needs; /* that cannot do without */
};

/* ---- faults ---- */

static void fault(struct reading *, bool malformed, const char *key,
    const char *fmt, ...) PRINTF_LIKE(4, 5);

/* What was asked may hold a line's end: a fault is one line all the same. */
static void
hide_controls(struct buf *b, size_t from)
{
	for (size_t i = from; i < b->len; i++)
		if ((unsigned char)b->p[i] < ' ' || b->p[i] == 0x7f)
			b->p[i] = '?';
}

static void
fault(struct reading *r, bool malformed, const char *key, const char *fmt, ...)
{
	size_t from;
	va_list ap;

	if (r->problems->len > 0)
		buf_add_char(r->problems, '\n');
	from = r->problems->len;
	buf_printf(r->problems, "%.64s: ", key);
	va_start(ap, fmt);
	buf_vprintf(r->problems, fmt, ap);
	va_end(ap);
	hide_controls(r->problems, from);
	r->bad = true;
	r->malformed |= malformed;
}

#define SHOWN_MAX 48

/* A value as it may stand in a message. */
static const char *
show(const struct json *v, char out[SHOWN_MAX])
{
	const char *text = json_text(v);
	int64_t n;
	bool b;

	if (text != NULL)
		(void)snprintf(out, SHOWN_MAX, "\"%.40s\"", text);
	else if (json_int(v, &n))
		(void)snprintf(out, SHOWN_MAX, "%lld", (long long)n);
	else if (json_truth(v, &b))
		(void)snprintf(out, SHOWN_MAX, "%s", b ? "true" : "false");
	else if (json_is_array(v))
		(void)snprintf(out, SHOWN_MAX, "a list");
	else if (json_is_object(v))
		(void)snprintf(out, SHOWN_MAX, "an object");
	else
		(void)snprintf(out, SHOWN_MAX, "null or a fraction");
	return out;
}

static void
wrong_type(struct reading *r, const struct key *k, const struct json *v,
    const char *expected)
{
	char shown[SHOWN_MAX];

	fault(r, true, k->name, "%s is not %s", show(v, shown), expected);
}

static const char *
text_of(struct reading *r, const struct key *k, const struct json *v,
    const char *expected)
{
	const char *text = json_text(v);

	if (text == NULL)
		wrong_type(r, k, v, expected);
	return text;
}

static void *
place(struct reading *r, size_t at)
{
	return (char *)r->out + at;
}

/* ---- kinds ---- */

static void
read_name(struct reading *r, const struct key *k, const struct json *v)
{
	const char *text = text_of(r, k, v, "a name in quotes");

	if (text == NULL)
		return;
	if (strlen(text) > CFG_NAME_MAX)
		fault(r, false, k->name, "\"%.20s...\" is longer than %d bytes",
		    text, CFG_NAME_MAX);
	else
		str_copy(str_of(text), place(r, k->at), CFG_NAME_MAX + 1);
}

static void
read_address(struct reading *r, const struct key *k, const struct json *v)
{
	const char *text = text_of(r, k, v, "an address in quotes");

	if (text == NULL)
		return;
	if (strlen(text) >= ADDR_TEXT_MAX)
		fault(r, false, k->name, "\"%.20s...\" is longer than %d bytes",
		    text, ADDR_TEXT_MAX - 1);
	else
		str_copy(str_of(text), place(r, k->at), ADDR_TEXT_MAX);
}

static void
read_bool(struct reading *r, const struct key *k, const struct json *v)
{
	if (!json_truth(v, place(r, k->at)))
		wrong_type(r, k, v, "true or false");
}

static void
read_share(struct reading *r, const struct key *k, const struct json *v)
{
	const char *text = text_of(r, k, v, "a share in quotes, as \"10%\"");

	if (text != NULL && !units_read_share(str_of(text), place(r, k->at)))
		fault(r, false, k->name,
		    "\"%.40s\" is no share; 0%% to 100%% is expected, in "
		    "steps of 0.01%%",
		    text);
}

static void
read_duration(struct reading *r, const struct key *k, const struct json *v)
{
	const char *text = text_of(r, k, v, "a duration in quotes, as \"30s\"");
	uint64_t us;

	if (text == NULL)
		return;
	if (!units_read_duration(str_of(text), &us))
		fault(r, false, k->name,
		    "\"%.40s\" is no duration; one such as 500ms, 30s or 1h30m "
		    "is expected",
		    text);
	else if (us > RO_CLOCK_MAX_US)
		fault(r, false, k->name, "\"%.40s\" is more than a year", text);
	else
		*(uint64_t *)place(r, k->at) = us;
}

static void
read_mark(struct reading *r, const struct key *k, const struct json *v)
{
	const char *text = text_of(r, k, v, "a plan's mark in quotes");

	if (text != NULL && !mark_read(str_of(text), place(r, k->at)))
		fault(r, false, k->name,
		    "\"%.40s\" is no mark of a plan; \"segue plan\" prints "
		    "one such as c1d4e9-09ab31-77e2f0",
		    text);
}

/* False: told. */
static bool
read_number(struct reading *r, const struct key *k, const struct json *v,
    int64_t min, int64_t max, int64_t *n)
{
	if (!json_int(v, n)) {
		wrong_type(r, k, v, "a whole number");
		return false;
	}
	if (*n >= min && *n <= max)
		return true;
	fault(r, false, k->name, "%lld is not in %lld..%lld", (long long)*n,
	    (long long)min, (long long)max);
	return false;
}

static void
read_weight(struct reading *r, const struct key *k, const struct json *v)
{
	int64_t n;

	if (read_number(r, k, v, 1, RO_WEIGHT_MAX, &n))
		*(unsigned *)place(r, k->at) = (unsigned)n;
}

static void
read_us(struct reading *r, const struct key *k, const struct json *v)
{
	int64_t n;

	if (read_number(r, k, v, 0, (int64_t)RO_CLOCK_MAX_US, &n))
		*(uint64_t *)place(r, k->at) = (uint64_t)n;
}

/* ---- words ---- */

/* Which of names[n]; -1, and told, when it is none. */
static int
read_word(struct reading *r, const char *key, const struct json *v,
    const char *const *names, int n)
{
	const char *text = json_text(v), *near = NULL;
	struct buf list = BUF_INIT;
	char shown[SHOWN_MAX];

	for (int i = 0; text != NULL && i < n; i++)
		if (strcmp(names[i], text) == 0)
			return i;
	for (int i = 0; i < n; i++)
		buf_printf(&list, "%s%s", i == 0 ? "" : ", ", names[i]);
	buf_add_cstr(&list, "");
	if (text != NULL)
		near = str_nearest(str_of(text), names, (size_t)n);
	fault(r, text == NULL, key, "%s is none of %s%s%s%s", show(v, shown),
	    list.failed ? "the known" : list.p,
	    near == NULL ? "" : "; did you mean ", near == NULL ? "" : near,
	    near == NULL ? "" : "?");
	buf_free(&list);
	return -1;
}

#define X(id, name) [RO_##id] = (name),
static const char *const verb_names[] = { RO_VERBS(X) };
#undef X
#define X(id, name) [INST_##id] = (name),
static const char *const admin_names[] = { INST_ADMINS(X) };
#undef X
static const char *const mode_names[] = { "keep", "move", "evict" };
static const char *const how_names[] = { "move", "evict" };
#define X(id, name) [RO_ACTION_##id] = (name),
static const char *const action_names[] = { RO_ACTIONS(X) };
#undef X

/* It was read before all others. */
static void
read_verb(struct reading *r UNUSED, const struct key *k UNUSED,
    const struct json *v UNUSED)
{
}

static void
read_admin(struct reading *r, const struct key *k, const struct json *v)
{
	int n = read_word(r, k->name, v, admin_names, INST_ADMIN_COUNT);

	if (n != -1)
		*(uint8_t *)place(r, k->at) = (uint8_t)n;
}

static void
read_action(struct reading *r, const struct key *k, const struct json *v)
{
	int n = read_word(r, k->name, v, action_names, RO_ACTION_COUNT);

	if (n != -1)
		*(uint8_t *)place(r, k->at) = (uint8_t)n;
}

static void
read_how(struct reading *r, const struct key *k, const struct json *v)
{
	int n = read_word(r, k->name, v, how_names, ARRAY_LEN(how_names));

	*(bool *)place(r, k->at) = n == 1;
}

static void
read_session(struct reading *r, const struct key *k, const struct json *v)
{
	const char *text = text_of(r, k, v, "a key in quotes");

	if (text != NULL &&
	    (!str_hex64(str_of(text), place(r, k->at)) ||
	        *(uint64_t *)place(r, k->at) == 0))
		fault(r, false, k->name,
		    "\"%.40s\" is no key of a session; one such as "
		    "8c1f00d2a94be673 is expected, as \"segue sessions list\" "
		    "and the access log have them",
		    text);
}

static void
read_mode(struct reading *r, const struct key *k, const struct json *v)
{
	int n = read_word(r, k->name, v, mode_names, ARRAY_LEN(mode_names));
	uint8_t *mode = place(r, k->at);

	if (n != -1)
		*mode = (uint8_t)ro_drain_mode_of(mode_names[n]);
}

/* ---- keys ---- */

#define AT(field) offsetof(struct command_asked, field)
#define V(id) (1u << RO_##id)
#define ALL ((1u << RO_VERB_COUNT) - 1)
#define INSTANCES (V(INSTANCE) | V(ADD_INSTANCE) | V(REMOVE_INSTANCE))
#define DRAINS (V(SWITCH) | V(DRAIN))

/* clang-format off */
static const struct key keys[] = {
	/* name        kind          place           given         verbs needs */
	{ "verb",       read_verb,     0,                0, ALL, ALL },
	{ "service",    read_name,     AT(cmd.service),  0, ALL, 0 },
	{ "pool",       read_name,     AT(cmd.pool),     0, ALL, ALL & ~(V(ROLLOUT) | V(HOLD) | V(RELEASE) | V(SESSIONS)) },
	{ "how",        read_how,      AT(cmd.evict),    0, V(SESSIONS), V(SESSIONS) },
	{ "session",    read_session,  AT(cmd.session),  0, V(SESSIONS), 0 },
	{ "all",        read_bool,     AT(cmd.all),      0, V(SESSIONS), 0 },
	{ "to",         read_name,     AT(cmd.to),       0, V(SESSIONS), 0 },
	{ "action",     read_action,   AT(cmd.action),   0, V(ROLLOUT), V(ROLLOUT) },
	{ "rehearse",   read_bool,     AT(cmd.rehearse), 0, V(ROLLOUT), 0 },
	{ "rerun",      read_bool,     AT(cmd.rerun),    0, V(ROLLOUT), 0 },
	{ "if_changed", read_bool,     AT(cmd.if_changed), 0, V(ROLLOUT), 0 },
	{ "plan",       read_mark,     AT(cmd.mark),     0, V(ROLLOUT), 0 },
	{ "instance",   read_name,     AT(cmd.instance), 0, INSTANCES, INSTANCES },
	{ "address",    read_address,  AT(cmd.address),  0, V(ADD_INSTANCE), V(ADD_INSTANCE) },
	{ "weight",     read_weight,   AT(cmd.weight),   0, V(ADD_INSTANCE), 0 },
	{ "share",      read_share,    AT(cmd.share_bp), 0, V(SHARE), V(SHARE) },
	{ "admin",      read_admin,    AT(cmd.admin),    0, V(INSTANCE), V(INSTANCE) },
	{ "writes",     read_bool,     AT(cmd.writes_only), 0, V(HOLD), 0 },
	{ "when_ready", read_bool,     AT(cmd.when_ready), 0, V(SWITCH), 0 },
	{ "drain",      read_bool,     AT(cmd.drain),    0, V(SWITCH), 0 },
	{ "mode",       read_mode,     AT(clocks.mode),  AT(mode), DRAINS, 0 },
	{ "flows",      read_duration, AT(clocks.flows_us), AT(flows), DRAINS, 0 },
	{ "requests",   read_duration, AT(clocks.requests_us), AT(requests), DRAINS, 0 },
	{ "streams",    read_duration, AT(clocks.streams_us), AT(streams), DRAINS, 0 },
	{ "force",      read_bool,     AT(cmd.force),    0, ALL, 0 },
	{ "wait",       read_bool,     AT(wait),         0, ALL, 0 },
	{ "wait_us",    read_us,       AT(wait_us),      0, ALL, 0 },
};
/* clang-format on */

static const struct key *
key_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static void
unknown_key(struct reading *r, const char *name)
{
	const char *names[ARRAY_LEN(keys)], *near;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		names[i] = keys[i].name;
	near = str_nearest(str_of(name), names, ARRAY_LEN(names));
	fault(r, true, name, "there is no such key%s%s%s",
	    near == NULL ? "" : "; did you mean ", near == NULL ? "" : near,
	    near == NULL ? "" : "?");
}

static void
read_member(struct reading *r, const char *name, const struct json *v,
    enum ro_verb verb)
{
	const struct key *k = key_of(name);

	if (k == NULL) {
		unknown_key(r, name);
	} else if ((k->verbs & 1u << verb) == 0) {
		fault(r, true, name, "%s takes no such key", verb_names[verb]);
	} else {
		if (k->given != 0)
			*(bool *)place(r, k->given) = true;
		k->read(r, k, v);
	}
}

static void
check_missing(struct reading *r, const struct json *root, enum ro_verb verb)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if ((keys[i].needs & 1u << verb) != 0 &&
		    json_get(root, keys[i].name) == NULL)
			fault(r, true, keys[i].name, "%s needs it",
			    verb_names[verb]);
}

static void
check_clocks(struct reading *r)
{
	const struct command_asked *c = r->out;

	if (c->cmd.verb != RO_SWITCH || c->cmd.drain)
		return;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i].given != 0 && *(bool *)place(r, keys[i].given))
			fault(r, true, keys[i].name,
			    "only with \"drain\": true");
}

static void
read_object(struct reading *r, const struct json *root)
{
	const struct json *verb = json_get(root, "verb"), *v;
	const char *name;
	int which;

	if (verb == NULL) {
		fault(r, true, "verb", "it is missing");
		return;
	}
	which = read_word(r, "verb", verb, verb_names, RO_VERB_COUNT);
	if (which == -1)
		return; /* what the other keys may be depends on it */
	r->out->cmd.verb = (enum ro_verb)which;
	for (size_t i = 0; json_member(root, i, &name, &v); i++)
		read_member(r, name, v, (enum ro_verb)which);
	check_missing(r, root, (enum ro_verb)which);
	check_clocks(r);
}

bool
command_read(struct str body, struct command_asked *out,
    enum answer_error *error, struct buf *problems)
{
	struct reading r = { .out = out, .problems = problems };
	char why[160] = "";
	struct json *root;

	memset(out, 0, sizeof(*out));
	root = json_read(body, why, sizeof(why));
	if (root == NULL)
		fault(&r, true, "body", "this is no JSON: %s", why);
	else if (!json_is_object(root))
		fault(&r, true, "body", "an object is expected");
	else
		read_object(&r, root);
	json_free(&root);
	*error = r.malformed ? ANSWER_BAD_REQUEST : ANSWER_BAD_VALUE;
	return !r.bad;
}
