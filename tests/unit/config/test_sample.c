/*
 * conf/segue.yaml: it is good, names every key, and what its comments call a
 * default is one.  SRCDIR is the top of the source tree.
 */
#include <stdlib.h>

#include "base/file.h"
#include "try.h"

static void
read_sample(struct buf *out)
{
	const char *top = getenv("srcdir");
	struct buf path = BUF_INIT;

	buf_printf(&path, "%s/conf/segue.yaml", top == NULL ? SRCDIR : top);
	cr_assert_eq(file_read(path.p, 1 << 20, out), E_OK, "%s", path.p);
	buf_free(&path);
}

/* Is it a default: a "#" with a key right behind it? */
static bool
is_default(struct str line)
{
	struct str s = str_trim(line);

	return s.len > 1 && s.p[0] == '#' && s.p[1] >= 'a' && s.p[1] <= 'z';
}

/* The sample with its defaults written out. */
static unsigned
uncomment(struct str in, struct buf *out)
{
	unsigned n = 0;

	while (in.len > 0) {
		struct str line = str_split(&in, '\n');

		if (is_default(line)) {
			ssize_t at = str_find(line, '#');

			buf_add_str(out, str_sub(line, 0, (size_t)at));
			line = str_sub(line, (size_t)at + 1, line.len);
			n++;
		}
		buf_add_str(out, line);
		buf_add_char(out, '\n');
	}
	return n;
}

Test(sample, is_good_and_comes_back)
{
	struct buf text = BUF_INIT;
	struct cfg *c;

	read_sample(&text);
	c = try_good(text.p, "as it is");
	try_round_trip(c, "as it is");
	cr_expect_eq(c->services[0].n_pools, 2);
	cr_expect_str_eq(c->services[0].pools[0].probe.json_value, "UP");
	cfg_unref(&c);
	buf_free(&text);
}

Test(sample, its_defaults_are_the_defaults)
{
	struct buf text = BUF_INIT, more = BUF_INIT;
	struct buf dump[2] = { BUF_INIT, BUF_INIT };
	struct cfg *c[2];

	read_sample(&text);
	cr_expect_gt(uncomment(buf_str(&text), &more), 45);
	c[0] = try_good(text.p, "as it is");
	c[1] = try_good(more.p, "with all defaults");
	cfg_dump(c[0], &dump[0]);
	cfg_dump(c[1], &dump[1]);
	cr_expect_str_eq(dump[1].p, dump[0].p);
	for (int i = 0; i < 2; i++) {
		cfg_unref(&c[i]);
		buf_free(&dump[i]);
	}
	buf_free(&more);
	buf_free(&text);
}

/* Does a line with the key of path come after the lines of what it is in? */
static bool
is_in(struct str text, struct str path)
{
	while (path.len > 0) {
		struct str key = str_split(&path, '.');
		bool found = false;

		if (str_ends(key, STR("[]")))
			key.len -= 2;
		while (text.len > 0 && !found) {
			struct str line = str_trim(str_split(&text, '\n'));

			if (line.len > 0 && line.p[0] == '#')
				line = str_sub(line, 1, line.len);
			if (str_starts(line, STR("  "))) /* of an example */
				line = str_trim(line);
			if (str_starts(line, STR("- ")))
				line = str_sub(line, 2, line.len);
			found = str_starts(line, key) && line.len > key.len &&
			    line.p[key.len] == ':';
		}
		if (!found)
			return false;
	}
	return true;
}

Test(sample, has_every_key)
{
	struct buf text = BUF_INIT, keys = BUF_INIT;
	struct str rest;
	unsigned n = 0;

	read_sample(&text);
	cfg_keys(&keys);
	rest = buf_str(&keys);
	while (rest.len > 0) {
		struct str line = str_split(&rest, '\n');
		struct str path = str_split(&line, '\t');

		cr_expect(is_in(buf_str(&text), path), STR_FMT, STR_ARG(path));
		n++;
	}
	cr_expect_gt(n, 90);
	cr_expect(!is_in(buf_str(&text), STR("admin.operate.quux")));
	buf_free(&text);
	buf_free(&keys);
}

/* The key of a line, "#" or not; empty when it is prose or nothing. */
static struct str
key_of(struct str line)
{
	struct str s = str_trim(line);
	ssize_t colon;

	if (s.len > 1 && s.p[0] == '#' && s.p[1] != ' ')
		s = str_sub(s, 1, s.len);
	if (str_starts(s, STR("- ")))
		s = str_sub(s, 2, s.len);
	colon = str_find(s, ':');
	if (colon <= 0 || s.p[0] == '#')
		return STR("");
	return str_sub(s, 0, (size_t)colon);
}

/* Does a key of that name need a restart, wherever it stands? */
static bool
needs_restart(struct str name, struct str keys)
{
	while (keys.len > 0) {
		struct str line = str_split(&keys, '\n'), path, last = STR("");

		path = str_split(&line, '\t');
		while (path.len > 0)
			last = str_split(&path, '.');
		for (int i = 0; i < 3; i++)
			(void)str_split(&line, '\t');
		if (str_eq(last, name) &&
		    str_eq(str_split(&line, '\t'), STR("restart")))
			return true;
	}
	return false;
}

/* A mark stands on the line of its key, or in the comment above it. */
Test(sample, marks_what_needs_a_restart, .timeout = 10)
{
	struct buf text = BUF_INIT, keys = BUF_INIT;
	bool marked = false;
	struct str rest;
	unsigned n = 0;

	read_sample(&text);
	cfg_keys(&keys);
	rest = buf_str(&text);
	while (rest.len > 0) {
		struct str line = str_split(&rest, '\n');
		struct str key = key_of(line);

		marked |= str_ends(str_trim(line), STR("[restart]"));
		if (!marked || key.len == 0)
			continue;
		cr_expect(needs_restart(key, buf_str(&keys)), STR_FMT,
		    STR_ARG(key));
		marked = false;
		n++;
	}
	cr_expect_eq(n, 24, "%u keys are marked", n);
	cr_expect(!needs_restart(STR("share"), buf_str(&keys)));
	buf_free(&text);
	buf_free(&keys);
}
