/* The tree: what is in it, where it stood, what is refused and where. */
#include "config/yaml.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* The tree as one text: {key@line:col=value}, [value], value@line:col. */
static void
draw(const struct ynode *n, struct buf *out)
{
	if (n->key != NULL)
		buf_printf(out, "%s@%u:%u=", n->key, n->key_line,
		    n->key_column);
	if (n->type == YNODE_SCALAR) {
		buf_printf(out, n->quoted ? "'%s'" : "%s", n->text);
	} else {
		buf_add_char(out, n->type == YNODE_MAP ? '{' : '[');
		for (const struct ynode *i = n->first; i != NULL; i = i->next) {
			draw(i, out);
			if (i->next != NULL)
				buf_add_char(out, ' ');
		}
		buf_add_char(out, n->type == YNODE_MAP ? '}' : ']');
	}
	buf_printf(out, "@%u:%u", n->line, n->column);
	if (n->first_one != NULL)
		buf_printf(out, "!%u", n->first_one->key_line);
}

static const struct {
	const char *why, *in, *tree;
} trees[] = {
	{ "nothing", "", "" },
	{ "a comment", "# x\n", "" },
	{ "block map", "a: 1\nb:\n  c: x y\n",
	    "{a@1:1=1@1:4 b@2:1={c@3:3=x y@3:6}@3:3}@1:1" },
	{ "order is kept", "z: 1\ny: 2\nx: 3",
	    "{z@1:1=1@1:4 y@2:1=2@2:4 x@3:1=3@3:4}@1:1" },
	{ "flow", "{a: [1, \"2\"], b: {}}",
	    "{a@1:2=[1@1:6 '2'@1:9]@1:5 b@1:15={}@1:18}@1:1" },
	{ "block list", "- a\n- - b\n", "[a@1:3 [b@2:5]@2:3]@1:1" },
	{ "nothing is a value", "a:\nb: ~\n", "{a@1:1=@1:3 b@2:1=~@2:4}@1:1" },
	{ "one quote and folded text", "a: 'it''s'\nb: >\n  x\n  y\n",
	    "{a@1:1='it's'@1:4 b@2:1='x y\n'@2:4}@1:1" },
	{ "columns count characters", "{\"\xc3\xa4\xc3\xb6\": x}",
	    "{\xc3\xa4\xc3\xb6@1:2=x@1:8}@1:1" },
	{ "a mark of byte order is skipped",
	    "\xef\xbb\xbf"
	    "a: 1",
	    "{a@1:1=1@1:4}@1:1" },
	{ "DOS line ends", "a: 1\r\nb: 2\r\n",
	    "{a@1:1=1@1:4 b@2:1=2@2:4}@1:1" },
	{ "a key again: both are kept", "a: 1\nb: 2\na: 3\na: 4\n",
	    "{a@1:1=1@1:4 b@2:1=2@2:4 a@3:1=3@3:4!1 a@4:1=4@4:4!1}@1:1" },
	{ "the same key in another map is another", "a: {a: 1}\nb: {a: 2}",
	    "{a@1:1={a@1:5=1@1:8}@1:4 b@2:1={a@2:5=2@2:8}@2:4}@1:1" },
	{ "document marks", "---\na: 1\n...\n", "{a@2:1=1@2:4}@2:1" },
};

Test(yaml, trees, .timeout = 10)
{
	for (size_t i = 0; i < ARRAY_LEN(trees); i++) {
		struct buf got = BUF_INIT;
		struct yaml_error e;
		struct ynode *n;

		cr_assert_eq(yaml_read(str_of(trees[i].in), &n, &e), E_OK,
		    "%s: %s", trees[i].why, e.why);
		buf_add_cstr(&got, "");
		if (n != NULL)
			draw(n, &got);
		cr_expect_str_eq(got.p, trees[i].tree, "%s", trees[i].why);
		buf_free(&got);
		ynode_free(&n);
		cr_expect_null(n);
	}
}

static const struct {
	const char *why, *in, *message;
} refused[] = {
	{ "cut list", "a: [1,\n",
	    "2:1 did not find expected node content (while parsing a flow "
	    "node that begins in line 2)" },
	{ "wrong indent", "a:\n  b: 1\n c: 2\n",
	    "3:2 did not find expected key (while parsing a block mapping "
	    "that begins in line 1)" },
	{ "a tab to indent", "a:\n\tb: 1\n",
	    "2:1 a tab cannot indent; spaces are expected" },
	{ "an open quote", "a: \"x",
	    "1:6 found unexpected end of stream (while scanning a quoted "
	    "scalar that begins in line 1)" },
	{ "a bad escape", "a: \"\\q\"",
	    "1:5 found unknown escape character (while parsing a quoted "
	    "scalar that begins in line 1)" },
	{ "no UTF-8", "a: 1\nb: \xc3\xa4\xff\n",
	    "2:5 invalid leading UTF-8 octet (0xFF)" },
	{ "a control byte", "a: \x01\n",
	    "1:4 control characters are not allowed (0x01)" },
	{ "a NUL in a value", "a: \"x\\0y\"", "1:4 this text holds a NUL" },
	{ "a NUL in a key", "\"a\\0b\": 1", "1:1 this text holds a NUL" },
	{ "an anchor", "a: &x 1", "1:4 anchors (&) are not supported" },
	{ "an anchor on a list", "a: &x [ 1 ]",
	    "1:4 anchors (&) are not supported" },
	{ "an anchor on a map", "a: &x { b: 1 }",
	    "1:4 anchors (&) are not supported" },
	{ "an anchor on a key", "&x a: 1",
	    "1:1 anchors (&) are not supported" },
	{ "an alias: no billion laughs", "a: *x",
	    "1:4 aliases (*) are not supported" },
	{ "an alias as a key", "*x : 1", "1:1 a key must be a word" },
	{ "a tag", "a: !!int 1", "1:4 tags (!) are not supported" },
	{ "a tag on a list", "a: !x [ 1 ]", "1:4 tags (!) are not supported" },
	{ "a tag on a map", "!x { a: 1 }", "1:1 tags (!) are not supported" },
	{ "a tag on a key", "!x a: 1", "1:1 tags (!) are not supported" },
	{ "a map as a key", "{ a: 1 }: 2", "1:1 a key must be a word" },
	{ "a list as a key", "? [ a ]\n: 2", "1:3 a key must be a word" },
	{ "two documents", "a: 1\n---\nb: 2\n",
	    "2:1 only one document is expected" },
	{ "two documents, the first empty", "---\n---\nb: 2\n",
	    "2:1 only one document is expected" },
};

Test(yaml, refused, .timeout = 10)
{
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct yaml_error e;
		struct ynode *n;
		char got[256];

		cr_expect_eq(yaml_read(str_of(refused[i].in), &n, &e), E_SYNTAX,
		    "%s", refused[i].why);
		cr_expect_null(n);
		(void)snprintf(got, sizeof(got), "%u:%u %s", e.line, e.column,
		    e.why);
		cr_expect_str_eq(got, refused[i].message, "%s", refused[i].why);
	}
}

/* ---- bounds ---- */

static int
read_repeated(const char *before, const char *part, size_t n, const char *after,
    struct yaml_error *e)
{
	struct buf text = BUF_INIT;
	struct ynode *tree;
	int rc;

	buf_add_cstr(&text, before);
	for (size_t i = 0; i < n; i++) {
		buf_add_cstr(&text, part);
		if (part[0] == 'k')
			buf_printf(&text, "%zu: 1\n", i);
	}
	buf_add_cstr(&text, after);
	rc = yaml_read(buf_str(&text), &tree, e);
	ynode_free(&tree);
	buf_free(&text);
	return rc;
}

Test(yaml, bounds, .timeout = 20)
{
	struct yaml_error e;
	char deep[YAML_DEPTH_MAX + 2];

	memset(deep, ']', sizeof(deep));
	deep[YAML_DEPTH_MAX] = '\0';
	cr_expect_eq(read_repeated("", "[", YAML_DEPTH_MAX, deep, &e), E_OK);
	cr_expect_eq(read_repeated("", "[", YAML_DEPTH_MAX + 1, "", &e),
	    E_SYNTAX);
	cr_expect_str_eq(e.why, "this is nested too deeply");
	cr_expect_eq(e.column, YAML_DEPTH_MAX + 1);
	/* this many would overflow the stack of a reader without bounds */
	cr_expect_eq(read_repeated("", "[", 500000, "", &e), E_SYNTAX);
	cr_expect_eq(read_repeated("", "- ", 500000, "", &e), E_SYNTAX);

	cr_expect_eq(read_repeated("", "k", YAML_KEYS_MAX, "", &e), E_OK);
	cr_expect_eq(read_repeated("", "k", YAML_KEYS_MAX + 1, "", &e),
	    E_SYNTAX);
	cr_expect_str_eq(e.why, "this map has too many keys");
	cr_expect_eq(e.line, 1);

	cr_expect_eq(read_repeated("", "- a\n", YAML_BYTES_MAX / 4, "", &e),
	    E_OK, "as long as may be");
	cr_expect_eq(read_repeated("#", "- a\n", YAML_BYTES_MAX / 4, "", &e),
	    E_SYNTAX);
	cr_expect_str_eq(e.why, "the file is longer than 1 MiB");
	cr_expect_eq(e.line, 0, "it has no place");
}

/* ---- null ---- */

Test(yaml, null)
{
	static const struct {
		const char *in;
		bool null;
	} rows[] = { { "a:", true }, { "a: ~", true }, { "a: null", true },
		{ "a: \"\"", false }, { "a: 'null'", false },
		{ "a: NULL", false }, { "a: []", false }, { "a: {}", false } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct yaml_error e;
		struct ynode *n;

		cr_assert_eq(yaml_read(str_of(rows[i].in), &n, &e), E_OK);
		cr_expect_eq(ynode_is_null(ynode_get(n, "a")), rows[i].null,
		    "%s", rows[i].in);
		cr_expect_null(ynode_get(n, "b"));
		ynode_free(&n);
	}
}

/* ---- texts ---- */

static const struct {
	const char *in,
	    *bare; /* how it is written where it need not be quoted */
} texts[] = {
	{ "sso", "sso" },
	{ "/var/lib/segue", "/var/lib/segue" },
	{ "kc-2.example.org", "kc-2.example.org" },
	{ "a_b", "a_b" },
	{ "", "\"\"" },
	{ "on", "\"on\"" },
	{ "No", "\"No\"" },
	{ "null", "\"null\"" },
	{ "10.0.0.1:80", "\"10.0.0.1:80\"" },
	{ "42", "\"42\"" },
	{ "-x", "\"-x\"" },
	{ "a b", "\"a b\"" },
	{ "a: b # c", "\"a: b # c\"" },
	{ "\"quoted\" and \\back", "\"\\\"quoted\\\" and \\\\back\"" },
	{ "tab\tand\nline\r", "\"tab\\x09and\\x0aline\\x0d\"" },
	{ "\x7f", "\"\\x7f\"" },
	{ "Z\xc3\xbcrich", "\"Z\xc3\xbcrich\"" },
	{ "\xe2\x82\xac \xf0\x9f\x8e\xb5",
	    "\"\xe2\x82\xac \xf0\x9f\x8e\xb5\"" },
	{ "\xc2\x80\xc2\x85\xc2\x9f", "\"\\x80\\x85\\x9f\"" },
	{ "\xc2\xa0", "\"\xc2\xa0\"" },
	{ "\xe2\x80\xa8\xe2\x80\xa9", "\"\\u2028\\u2029\"" },
	{ "\xef\xbb\xbf\xef\xbf\xbe\xef\xbf\xbf", "\"\\ufeff\\ufffe\\uffff\"" },
};

Test(yaml, texts_come_back, .timeout = 10)
{
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct buf text = BUF_INIT;
		struct yaml_error e;
		struct ynode *n;

		yaml_add_text(&text, str_of(texts[i].in));
		cr_expect_str_eq(text.p, texts[i].bare, "%s", texts[i].in);
		cr_assert_eq(yaml_read(buf_str(&text), &n, &e), E_OK, "%s: %s",
		    text.p, e.why);
		cr_expect_str_eq(n->text, texts[i].in, "%s", text.p);
		cr_expect(!ynode_is_null(n), "%s", text.p);
		ynode_free(&n);

		/* in a flow list and always in quotes, too */
		buf_reset(&text);
		buf_add_cstr(&text, "[ ");
		yaml_add_quoted(&text, str_of(texts[i].in));
		buf_add_cstr(&text, ", x ]");
		cr_assert_eq(yaml_read(buf_str(&text), &n, &e), E_OK, "%s: %s",
		    text.p, e.why);
		cr_expect_str_eq(n->first->text, texts[i].in, "%s", text.p);
		ynode_free(&n);
		buf_free(&text);
	}
}

/* Every character of the first planes, so that no break or mark is missed. */
Test(yaml, every_character_comes_back, .timeout = 60)
{
	for (unsigned point = 1; point < 0x11000; point++) {
		char in[8] = "x";
		struct buf text = BUF_INIT;
		struct yaml_error e;
		struct ynode *n;
		size_t len = 1;

		if (point >= 0xd800 && point < 0xe000)
			continue; /* no characters */
		if (point < 0x80) {
			in[len++] = (char)point;
		} else if (point < 0x800) {
			in[len++] = (char)(0xc0 | point >> 6);
			in[len++] = (char)(0x80 | (point & 0x3f));
		} else if (point < 0x10000) {
			in[len++] = (char)(0xe0 | point >> 12);
			in[len++] = (char)(0x80 | (point >> 6 & 0x3f));
			in[len++] = (char)(0x80 | (point & 0x3f));
		} else {
			in[len++] = (char)(0xf0 | point >> 18);
			in[len++] = (char)(0x80 | (point >> 12 & 0x3f));
			in[len++] = (char)(0x80 | (point >> 6 & 0x3f));
			in[len++] = (char)(0x80 | (point & 0x3f));
		}
		yaml_add_text(&text, str_from(in, len));
		cr_assert_eq(yaml_read(buf_str(&text), &n, &e), E_OK,
		    "U+%04X: %s", point, e.why);
		cr_assert_str_eq(n->text, in, "U+%04X", point);
		ynode_free(&n);
		buf_free(&text);
	}
}

Test(yaml, bytes_that_are_no_text_are_not_read_past)
{
	static const char *const rows[] = { "\xff", "a\xc3", "\xe2\x82",
		"\xf0\x9f\x8e", "\x80", "\xf8\x80\x80\x80\x80" };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		/* at the very end of its memory, for the sanitizer */
		size_t len = strlen(rows[i]);
		char *exact = malloc(len);
		struct buf text = BUF_INIT;

		cr_assert_not_null(exact);
		memcpy(exact, rows[i], len);
		yaml_add_quoted(&text, str_from(exact, len));
		cr_expect_geq(text.len, len + 2);
		buf_free(&text);
		free(exact);
	}
}
