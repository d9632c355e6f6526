/*
 * Paths that want past a rule.  The first byte says what the rest is:
 *
 *   p  a path: where it is allowed, no reading of it that an instance may have
 *      lies under what is denied
 *   e  how to write a denied path: it stays denied
 *
 * The readings here are made one step at a time, in any order of decoding and
 * stripping, and share no code with those that are judged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "config/config.h"
#include "http/target.h"
#include "proxy/guard.h"
#include "upstream/view.h"
#include "must.h"

#define DENIED "/admin"
#define EXCEPT "/admin/health"
#define LEVELS 4 /* of decoding */
#define PATH_MAX_LEN 512

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static char except[] = EXCEPT, denied[] = DENIED;
static const struct cfg_rule rules[] = { { .allow = except },
	{ .deny = denied } };
static const struct view_guard guards[] = { { .cfg = &rules[0] },
	{ .cfg = &rules[1] } };

static enum guard_verdict
judge(struct str path)
{
	size_t which = 2;
	enum guard_verdict v = guard_judge(guards, 2, path, STR("GET"), NULL,
	    &which);

	MUST((v == GUARD_DENY) == (which == 1));
	return v;
}

/* ---- an instance's way of reading, in steps ---- */

static int
hex(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits) % 16;
}

static void
decode(char *s)
{
	char *out = s;

	while (*s != '\0') {
		if (*s == '%' && hex(s[1]) >= 0 && hex(s[2]) >= 0) {
			*out++ = (char)(hex(s[1]) * 16 + hex(s[2]));
			s += 3;
		} else {
			*out++ = *s++;
		}
	}
	*out = '\0';
}

/* Parameters of each segment. */
static void
strip(char *s)
{
	char *out = s;
	bool in = false;

	for (; *s != '\0'; s++) {
		if (*s == ';')
			in = true;
		else if (*s == '/')
			in = false;
		if (!in)
			*out++ = *s;
	}
	*out = '\0';
}

static void
turn_slashes(char *s)
{
	for (; *s != '\0'; s++)
		if (*s == '\\')
			*s = '/';
}

static void
collapse(char *s)
{
	char *out = s;

	for (; *s != '\0'; s++)
		if (*s != '/' || s[1] != '/')
			*out++ = *s;
	*out = '\0';
}

static void
resolve(char *s)
{
	char from[PATH_MAX_LEN], *word, *rest = NULL;
	size_t len = 0;

	(void)str_copy(str_of(s), from, sizeof(from));
	for (word = strtok_r(from, "/", &rest); word != NULL;
	     word = strtok_r(NULL, "/", &rest)) {
		if (strcmp(word, ".") == 0)
			continue;
		if (strcmp(word, "..") == 0) {
			while (len > 0 && s[--len] != '/')
				;
			continue;
		}
		len += (size_t)sprintf(s + len, "/%s", word);
	}
	s[len] = '\0';
}

static void
cut(char *s, const char *at)
{
	s[strcspn(s, at)] = '\0';
}

static bool
is_under(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) == 0 && (s[n] == '/' || s[n] == '\0');
}

/* The last steps, a bit each. */
#define ENDS 16u

static void
finish(char *s, unsigned how)
{
	if ((how & 1) != 0)
		turn_slashes(s);
	if ((how & 2) != 0)
		strip(s);
	if ((how & 4) != 0)
		cut(s, ";?#");
	collapse(s);
	if ((how & 8) != 0)
		resolve(s);
}

static void
must_not_be_denied(const char *path, const char *so_far)
{
	for (unsigned how = 0; how < ENDS; how++) {
		char s[PATH_MAX_LEN];

		(void)str_copy(str_of(so_far), s, sizeof(s));
		finish(s, how);
		if (!is_under(s, DENIED) || is_under(s, EXCEPT))
			continue;
		(void)fprintf(stderr, "%s is allowed and read as %s\n", path,
		    s);
		abort();
	}
}

/*
 * All the ways on from here: an instance may decode, may strip, may strip and
 * then decode, level after level.  A step that changes nothing leads to where
 * its neighbour has been.
 */
static void
read_on(const char *path, const char *so_far, unsigned level)
{
	char stripped[PATH_MAX_LEN], s[PATH_MAX_LEN];

	if (level == LEVELS) {
		must_not_be_denied(path, so_far);
		return;
	}
	read_on(path, so_far, level + 1);
	(void)str_copy(str_of(so_far), s, sizeof(s));
	decode(s);
	if (strcmp(s, so_far) != 0)
		read_on(path, s, level + 1);
	(void)str_copy(str_of(so_far), stripped, sizeof(stripped));
	strip(stripped);
	if (strcmp(stripped, so_far) == 0)
		return;
	read_on(path, stripped, level + 1);
	(void)str_copy(str_of(stripped), s, sizeof(s));
	decode(s);
	if (strcmp(s, stripped) != 0)
		read_on(path, s, level + 1);
}

static void
try_path(const char *path)
{
	if (judge(str_of(path)) == GUARD_ALLOW)
		read_on(path, path, 0);
}

/* ---- what comes ---- */

/* What a target is made of, http/chars.h. */
static bool
is_target(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '?' && c != '#';
}

static void
try_bytes(const unsigned char *data, size_t size)
{
	char path[PATH_MAX_LEN] = "/";
	size_t len = 1;

	for (size_t i = 0; i < size && len + 1 < sizeof(path); i++)
		if (is_target(data[i]))
			path[len++] = (char)data[i];
	path[len] = '\0';
	try_path(path);
}

/* One byte of the path, written in a way that an instance undoes. */
static size_t
encode(char *out, char c, unsigned how)
{
	static const char *const slashes[] = { "/", "//", "/./", "%2f", "%2F",
		"\\", "%5c", ";x/", "/;/", "%252f", "/x/../", "/%2e/", ";a=b//",
		"%5C", "/;a/", "%25%32%66" };

	if (c == '/')
		return (size_t)sprintf(out, "%s", slashes[how % 16]);
	switch (how % 8) {
	case 0:
		return (size_t)sprintf(out, "%%%02x", (unsigned)c);
	case 1:
		return (size_t)sprintf(out, "%%%02X", (unsigned)c);
	case 2:
		return (size_t)sprintf(out, "%%25%02x", (unsigned)c);
	case 3:
		return (size_t)sprintf(out, "%%%%3%c%x", '0' + c / 16,
		    (unsigned)c % 16);
	default:
		*out = c;
		return 1;
	}
}

static void
try_encoding(const unsigned char *data, size_t size)
{
	static const char path[] = "/admin/users";
	char text[PATH_MAX_LEN] = "/";
	size_t len = 1;

	for (size_t i = 0; path[i] != '\0'; i++)
		len += encode(text + len, path[i], i < size ? data[i] : 7u);
	text[len] = '\0';
	MUST(judge(str_of(text)) != GUARD_ALLOW);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] == 'p')
		try_bytes(data + 1, size - 1);
	else if (data[0] == 'e')
		try_encoding(data + 1, size - 1);
	return 0;
}
