#include "config/valid.h"

#include <arpa/inet.h>

#define LABEL_MAX 63 /* RFC 1035 2.3.4 */
#define HOSTNAME_MAX 253

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9');
}

/* Is every byte a letter, a digit or one of more? */
static bool
is_made_of(struct str s, const char *more)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.p[i]) &&
		    (s.p[i] == '\0' || strchr(more, s.p[i]) == NULL))
			return false;
	return true;
}

static bool
is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool
has_alnum(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (is_alnum(s.p[i]))
			return true;
	return false;
}

bool
valid_text(struct str s UNUSED)
{
	return true;
}

bool
valid_word(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (is_control(s.p[i]) || s.p[i] == ' ')
			return false;
	return s.len > 0;
}

bool
valid_file(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (is_control(s.p[i]))
			return false;
	return s.len > 0;
}

/* One letter or digit at least: "-" is our own word for no service. */
bool
valid_name(struct str s)
{
	return s.len <= CFG_NAME_MAX && has_alnum(s) && is_made_of(s, "._-");
}

bool
valid_label(struct str s)
{
	return s.len <= CFG_NAME_MAX && has_alnum(s) &&
	    is_made_of(s, "._-:/[]%");
}

bool
valid_token(struct str s)
{
	return s.len > 0 && is_made_of(s, "!#$%&'*+-.^_`|~");
}

bool
valid_field(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (is_control(s.p[i]) && s.p[i] != '\t')
			return false;
	return true;
}

bool
valid_value(struct str s)
{
	return valid_field(s) && str_trim(s).len == s.len;
}

bool
valid_cookie(struct str s)
{
	return s.len <= CFG_NAME_MAX && valid_token(s);
}

bool
valid_space(struct str s)
{
	return s.len > 0 && s.len <= CFG_COOKIE_SPACE_MAX && is_made_of(s, "");
}

bool
valid_answer(struct str s)
{
	uint64_t n;

	if (str_eq(s, STR("4xx")) || str_eq(s, STR("5xx")))
		return true;
	return s.len == 3 && str_u64(s, &n) && n >= 400 && n <= 599;
}

/* ---- paths ---- */

bool
valid_target(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] <= ' ' ||
		    (unsigned char)s.p[i] >= 0x7f || s.p[i] == '#')
			return false;
	return s.len > 0 && s.p[0] == '/';
}

bool
valid_prefix(struct str s)
{
	struct str rest = s, segment;

	if (!valid_target(s) || str_find(s, '%') >= 0 ||
	    str_find(s, '?') >= 0 || str_find(s, ';') >= 0 ||
	    str_find(s, '\\') >= 0)
		return false;
	(void)str_split(&rest, '/');
	while (rest.len > 0) {
		segment = str_split(&rest, '/');
		if (segment.len == 0 || str_eq(segment, STR(".")) ||
		    str_eq(segment, STR("..")))
			return false;
	}
	return true;
}

/* ---- hosts ---- */

static bool
is_ip(int family, struct str s)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char bytes[16];

	if (s.len >= sizeof(text))
		return false;
	str_copy(s, text, sizeof(text));
	return inet_pton(family, text, bytes) == 1;
}

/* Only digits and dots: an address or nothing. */
static bool
is_numeric(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] != '.' && !(s.p[i] >= '0' && s.p[i] <= '9'))
			return false;
	return true;
}

bool
valid_hostname(struct str s)
{
	struct str rest = s;

	if (s.len == 0 || s.len > HOSTNAME_MAX)
		return false;
	if (is_numeric(s))
		return is_ip(AF_INET, s);
	if (s.p[s.len - 1] == '.')
		rest.len--; /* the root, so that no search list is tried */
	do {
		struct str label = str_split(&rest, '.');

		if (label.len == 0 || label.len > LABEL_MAX ||
		    label.p[0] == '-' || label.p[label.len - 1] == '-' ||
		    !is_made_of(label, "-_"))
			return false;
	} while (rest.p != NULL);
	return true;
}

static bool
is_bracketed_ip(struct str s)
{
	return s.len > 2 && s.p[0] == '[' && s.p[s.len - 1] == ']' &&
	    is_ip(AF_INET6, str_sub(s, 1, s.len - 2));
}

bool
valid_host(struct str s)
{
	struct str host = s, port;
	uint64_t n;

	for (size_t i = s.len; i > 0 && s.p[i - 1] != ']'; i--) {
		if (s.p[i - 1] != ':')
			continue;
		host = str_sub(s, 0, i - 1);
		port = str_sub(s, i, s.len);
		if (port.len > 5 || !str_u64(port, &n) || n == 0 || n > 65535)
			return false;
		break;
	}
	return is_bracketed_ip(host) || valid_hostname(host);
}

/* Hosts of requests come without a port and are looked up in lower case. */
bool
valid_pattern(struct str s)
{
	if (str_eq(s, STR("*")) || is_bracketed_ip(s))
		return true;
	if (str_starts(s, STR("*.")))
		s = str_sub(s, 2, s.len);
	return valid_hostname(s) && s.p[s.len - 1] != '.';
}

bool
valid_cidr(struct str s)
{
	struct str bits = s, host = str_split(&bits, '/');
	uint64_t n, max;

	if (str_eq(s, STR("unix")))
		return true;
	if (is_ip(AF_INET, host))
		max = 32;
	else if (is_ip(AF_INET6, host))
		max = 128;
	else
		return false;
	return host.len == s.len ||
	    (bits.len <= 3 && str_u64(bits, &n) && n <= max);
}

/* ---- keys of shares ---- */

bool
share_key_split(struct str s, enum cfg_share_key *key, struct str *name)
{
	static const struct {
		const char *word;
		enum cfg_share_key key;
		bool named;
	} rows[] = { { "source", CFG_KEY_SOURCE, false },
		{ "request", CFG_KEY_REQUEST, false },
		{ "header:", CFG_KEY_HEADER, true },
		{ "cookie:", CFG_KEY_COOKIE, true } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str word = str_of(rows[i].word);

		if (!str_starts(s, word))
			continue;
		*name = str_sub(s, word.len, s.len);
		*key = rows[i].key;
		return rows[i].named ? valid_token(*name) : name->len == 0;
	}
	return false;
}

bool
valid_share_key(struct str s)
{
	enum cfg_share_key key;
	struct str name;

	return share_key_split(s, &key, &name);
}
