#include "config/edits.h"

#include "config/config.h"
#include "config/problem.h"

#define VALUES_MAX 16384u /* bytes of a list: its head must fit, too */

#define X(id, name, in_requests) [EDIT_##id] = (name),
static const char *const var_names[] = { [EDIT_TEXT] = "", EDIT_VARS(X) };
#undef X
#define X(id, name, in_requests) [EDIT_##id] = (in_requests),
static const bool var_in_requests[] = { [EDIT_TEXT] = true, EDIT_VARS(X) };
#undef X

/* ---- values ---- */

static bool
is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

/* Length of the name when s begins with one in braces, else 0. */
static size_t
name_in_braces(struct str s)
{
	size_t n = 1;

	if (s.len == 0 || s.p[0] != '{')
		return 0;
	while (n < s.len && is_word_byte(s.p[n]))
		n++;
	return n < s.len && s.p[n] == '}' ? n - 1 : 0;
}

static enum edit_var
var_of(struct str name)
{
	for (int v = EDIT_TEXT + 1; v < EDIT_NO_VAR; v++)
		if (str_eq(name, str_of(var_names[v])))
			return (enum edit_var)v;
	return EDIT_NO_VAR;
}

bool
edit_next(struct str *value, enum edit_var *var, struct str *text)
{
	size_t len = name_in_braces(*value), n = 0;

	if (value->len == 0)
		return false;
	if (len > 0) {
		*text = str_sub(*value, 1, len);
		*var = var_of(*text);
		*value = str_sub(*value, len + 2, value->len);
		return true;
	}
	do
		n++;
	while (n < value->len &&
	    name_in_braces(str_sub(*value, n, value->len)) == 0);
	*var = EDIT_TEXT;
	*text = str_sub(*value, 0, n);
	*value = str_sub(*value, n, value->len);
	return true;
}

/* ---- names ---- */

static char
fold(char c)
{
	if (c == '_')
		return '-';
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool
edit_fits(struct str pattern, struct str name)
{
	size_t n = pattern.len;
	bool prefix = n > 0 && pattern.p[n - 1] == '*';

	n -= prefix;
	if (prefix ? name.len < n : name.len != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (fold(name.p[i]) != fold(pattern.p[i]))
			return false;
	return true;
}

enum { IN_REQUESTS = 1, IN_ANSWERS = 2, IN_BOTH = 3 };

#define FRAMES "it says where the message ends"
#define HOP "it belongs to one connection"

/* What no rule may name, and why. */
static const struct {
	const char *name, *why;
	unsigned in;
} ours[] = {
	{ "Content-Length", FRAMES, IN_BOTH },
	{ "Transfer-Encoding", FRAMES, IN_BOTH },
	{ "Trailer", FRAMES, IN_BOTH },
	{ "Connection", HOP, IN_BOTH },
	{ "Keep-Alive", HOP, IN_BOTH },
	{ "Proxy-Connection", HOP, IN_BOTH },
	{ "Proxy-Authenticate", HOP, IN_BOTH },
	{ "Proxy-Authorization", HOP, IN_BOTH },
	{ "TE", HOP, IN_BOTH },
	{ "Upgrade", HOP, IN_BOTH },
	{ "HTTP2-Settings", HOP, IN_BOTH },
	{ "Expect", HOP, IN_BOTH },
	{ "Host", "instances are told the host as the client asked", IN_BOTH },
	{ "Via", "it ends circles; \"via: off\" leaves it out", IN_REQUESTS },
	{ "X-Request-ID", "by it log and instance mean the same exchange",
	    IN_REQUESTS },
};

/* ---- the rules of a service ---- */

static void
check_name_of(struct problems *p, const char *name, bool is_remove, unsigned in,
    const struct where *w)
{
	struct str s = str_of(name);
	ssize_t star = str_find(s, '*');
	char text[PROBLEM_TEXT_MAX];

	if (star >= 0 && !is_remove) {
		problem_error(p, w, "%s: only remove may name several fields",
		    problem_text(name, text));
		return;
	}
	if (star == 0 || (star > 0 && (size_t)star + 1 < s.len)) {
		problem_error(p, w,
		    "%s: a \"*\" stands at the end of the beginning of a name",
		    problem_text(name, text));
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if ((ours[i].in & in) && edit_fits(s, str_of(ours[i].name)) &&
		    star < 0)
			problem_error(p, w, "no rule may name %s: %s",
			    ours[i].name, ours[i].why);
}

static void
say_no_var(struct problems *p, struct str name, const struct where *w)
{
	char mean[PROBLEM_TEXT_MAX];

	problem_error(p, w, "there is no variable {" STR_FMT "}%s",
	    STR_ARG(name),
	    problem_did_you_mean(
	        str_nearest(name, var_names + 1, EDIT_NO_VAR - 1), mean));
}

static void
check_value(struct problems *p, const char *value, unsigned in,
    const struct where *w)
{
	struct str rest = str_of(value), text;
	enum edit_var var;

	while (edit_next(&rest, &var, &text)) {
		if (var == EDIT_NO_VAR)
			say_no_var(p, text, w);
		else if (in == IN_REQUESTS && !var_in_requests[var])
			problem_error(p, w,
			    "{" STR_FMT "} is not known yet when a request "
			    "is changed",
			    STR_ARG(text));
	}
}

/* One of the three is given: its name and place. */
static const char *
name_of(const struct cfg_edit *e, const struct where *rule, struct where *w,
    unsigned *given)
{
	static const char *const verbs[] = { "set", "add", "remove" };
	const char *const names[] = { e->set, e->add, e->remove };
	const char *name = NULL;

	*given = 0;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		struct where verb = where_key(rule, verbs[i]);

		if (!where_is_given(&verb))
			continue;
		++*given;
		*w = verb;
		name = names[i];
	}
	return name;
}

static void
check_edit(struct problems *p, const struct cfg_edit *e, unsigned in,
    const struct where *rule)
{
	struct where value = where_key(rule, "value"), w;
	bool has_value = where_is_given(&value);
	unsigned given;
	const char *name = name_of(e, rule, &w, &given);

	if (given != 1) {
		problem_error(p, rule,
		    "one of set, add and remove is expected, with a name");
		return;
	}
	if (name != NULL)
		check_name_of(p, name, e->remove != NULL, in, &w);
	if (e->remove != NULL && has_value)
		problem_error(p, &value, "remove has no value");
	else if (e->remove == NULL && name != NULL && !has_value)
		problem_error(p, &value, "is missing; a text is expected");
	else if (e->value != NULL)
		check_value(p, e->value, in, &value);
}

#define PRELOAD_US (UINT64_C(365) * 24 * 3600000000)

static void
check_list(struct problems *p, const struct cfg_edit *edits, size_t n,
    unsigned in, const struct where *list)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++) {
		struct where w = where_item(list, i);

		check_edit(p, &edits[i], in, &w);
		bytes += str_of(edits[i].value).len;
	}
	if (bytes > VALUES_MAX)
		problem_error(p, list,
		    "the values come to %zu bytes; at most %u are possible",
		    bytes, VALUES_MAX);
}

void
check_edits(struct problems *p, const struct cfg_service *s,
    const struct where *service)
{
	struct where headers = where_key(service, "headers");
	struct where request = where_key(&headers, "request");
	struct where response = where_key(&headers, "response");
	struct where prefix = where_key(&headers, "prefix");
	struct where hsts = where_key(&headers, "hsts");
	struct where preload = where_key(&hsts, "preload");

	check_list(p, s->request_edits, s->n_request_edits, IN_REQUESTS,
	    &request);
	check_list(p, s->response_edits, s->n_response_edits, IN_ANSWERS,
	    &response);
	if (s->prefix != NULL && s->forwarded != CFG_FORWARDED_BOTH &&
	    s->forwarded != CFG_FORWARDED_X)
		problem_warn(p, &prefix,
		    "this means nothing where no X-Forwarded-* is sent");
	if (s->hsts_on && s->hsts_preload &&
	    (!s->hsts_subdomains || s->hsts_us < PRELOAD_US))
		problem_warn(p, &preload,
		    "browsers take only hosts with subdomains and a max_age "
		    "of 365d at least into their lists");
}
