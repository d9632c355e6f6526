/* The operator's own pages: read, handed over, found, filled in. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "config/pages.h"
#include "try.h"

static char dir[] = "/tmp/segue-pages-XXXXXX";
static struct buf path;

static const char *
in_dir(const char *name)
{
	buf_reset(&path);
	buf_printf(&path, "%s/%s", dir, name);
	return path.p;
}

static void
write_file(const char *name, struct str text)
{
	cr_assert_eq(file_replace(in_dir(name), text, 0600), E_OK);
}

static void
up(void)
{
	cr_assert_not_null(mkdtemp(dir));
	write_file("a", STR("A {status}"));
	write_file("b", STR("B"));
	write_file("c", STR(""));
}

static void
down(void)
{
	static const char *const names[] = { "a", "b", "c", "big" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)unlink(in_dir(names[i]));
	(void)rmdir(in_dir("pipe"));
	(void)rmdir(dir);
	buf_free(&path);
}

TestSuite(pages, .init = up, .fini = down, .timeout = 10);

/* Pages of the daemon, and of the one service. */
static struct cfg *
parse(const char *top, const char *service)
{
	struct buf text = BUF_INIT;
	struct cfg *c;

	buf_printf(&text,
	    "listeners: [ \":1\" ]\n%s\nservices:\n- name: s\n%s\n"
	    "  pools: [ { name: v1, instances: a:1 } ]\n",
	    top, service);
	c = try_good(text.p, "pages");
	buf_free(&text);
	return c;
}

static struct cfg *
parse_pages(void)
{
	struct buf top = BUF_INIT, service = BUF_INIT;
	struct cfg *c;

	buf_printf(&top,
	    "pages: [ { status: 5xx, text: %s/a, html: %s/b }, "
	    "{ status: 503, text: %s/c } ]",
	    dir, dir, dir);
	buf_printf(&service, "  pages: [ { status: 404, json: %s/b } ]", dir);
	c = parse(top.p, service.p);
	buf_free(&top);
	buf_free(&service);
	return c;
}

static void
expect_page(const struct cfg_page *pages, size_t n, unsigned status,
    enum cfg_form form, const char *want)
{
	const struct str *got = page_find(pages, n, status, form);

	if (want == NULL) {
		cr_expect_null(got, "%u", status);
		return;
	}
	cr_assert_not_null(got, "%u", status);
	cr_expect(str_eq(*got, str_of(want)), "%u: " STR_FMT, status,
	    STR_ARG(*got));
}

static void
expect_pages(const struct cfg *c)
{
	const struct cfg_service *s = &c->services[0];

	expect_page(c->pages, c->n_pages, 500, CFG_FORM_TEXT, "A {status}");
	expect_page(c->pages, c->n_pages, 503, CFG_FORM_TEXT, "");
	expect_page(c->pages, c->n_pages, 503, CFG_FORM_HTML, "B");
	expect_page(c->pages, c->n_pages, 503, CFG_FORM_JSON, NULL);
	expect_page(c->pages, c->n_pages, 404, CFG_FORM_TEXT, NULL);
	expect_page(s->pages, s->n_pages, 404, CFG_FORM_JSON, "B");
	expect_page(s->pages, s->n_pages, 403, CFG_FORM_JSON, NULL);
}

Test(pages, loaded_and_handed_over)
{
	struct cfg *c = parse_pages(), *other = parse_pages();
	struct buf said = BUF_INIT, packed = BUF_INIT;

	expect_page(c->pages, c->n_pages, 500, CFG_FORM_TEXT, NULL);
	cr_assert_eq(pages_load(c, "f", &said), E_OK, "%s", said.p);
	expect_pages(c);
	pages_pack(c, &packed);
	cr_expect_eq(pages_unpack(other, buf_str(&packed)), E_OK);
	expect_pages(other);
	buf_reset(&said);
	pages_diff(c, other, &said);
	cr_expect_eq(said.len, 0);
	write_file("b", STR("C"));
	cr_assert_eq(pages_load(other, "f", &said), E_OK);
	pages_diff(c, other, &said);
	cr_expect_str_eq(said.p,
	    "pages[5xx].html: new content\n"
	    "services[s].pages[404].json: new content\n");
	for (size_t n = 0; n < packed.len; n++)
		cr_expect_eq(pages_unpack(other,
		                 str_sub(buf_str(&packed), 0, n)),
		    E_SYNTAX, "cut after %zu", n);
	buf_add_char(&packed, 'x');
	cr_expect_eq(pages_unpack(other, buf_str(&packed)), E_SYNTAX);
	cfg_unref(&c);
	cfg_unref(&other);
	buf_free(&packed);
	buf_free(&said);
}

/* Each with what it is read from. */
static void
expect_refused(const char *file, const char *why)
{
	struct buf top = BUF_INIT, said = BUF_INIT, want = BUF_INIT;
	struct cfg *c;

	buf_printf(&top, "pages: [ { status: 4xx, html: %s/%s } ]", dir, file);
	buf_printf(&want, "f: page %s/%s cannot be used: %s\n", dir, file, why);
	c = parse(top.p, "");
	cr_expect_eq(pages_load(c, "f", &said), E_NOENT, "%s", file);
	cr_expect_str_eq(said.p, want.p);
	cfg_unref(&c);
	buf_free(&top);
	buf_free(&said);
	buf_free(&want);
}

Test(pages, that_cannot_be_used)
{
	struct buf big = BUF_INIT;

	expect_refused("none", "does not exist");
	expect_refused("", "it is not a regular file");
	cr_assert_eq(mkdir(in_dir("pipe"), 0700), 0);
	expect_refused("pipe", "it is not a regular file");
	while (big.len < PAGE_BYTES_MAX)
		buf_add_char(&big, 'x');
	write_file("big", buf_str(&big));
	{
		struct buf top = BUF_INIT, said = BUF_INIT;
		struct cfg *c;

		buf_printf(&top, "pages: [ { status: 4xx, html: %s/big } ]",
		    dir);
		c = parse(top.p, "");
		cr_expect_eq(pages_load(c, "f", &said), E_OK, "just fits");
		cfg_unref(&c);
		buf_free(&top);
		buf_free(&said);
	}
	buf_add_char(&big, 'x');
	write_file("big", buf_str(&big));
	expect_refused("big", "it may have 64KiB at most, filled in");
	big.len = PAGE_BYTES_MAX - 20;
	buf_add_cstr(&big, "{request_id}");
	write_file("big", buf_str(&big));
	expect_refused("big", "it may have 64KiB at most, filled in");
	buf_free(&big);
}

static const struct {
	const char *why, *page, *id;
	enum cfg_form form;
	const char *want;
} fills[] = {
	{ "all three", "{status} {reason} {request_id}", "r1", CFG_FORM_TEXT,
	    "503 Service Unavailable r1" },
	{ "side by side, twice", "{status}{status}", "", CFG_FORM_TEXT,
	    "503503" },
	{ "other braces stay", "p { color: {x} } {statu} {{status}} {", "",
	    CFG_FORM_HTML, "p { color: {x} } {statu} {503} {" },
	{ "no id", "[{request_id}]", "", CFG_FORM_TEXT, "[]" },
	{ "an id is no markup", "<b id='{request_id}'>", "'><script>&\"",
	    CFG_FORM_HTML, "<b id='&#39;&#62;&#60;script&#62;&#38;&#34;'>" },
	{ "an id is no JSON", "{\"id\":\"{request_id}\"}", "\",\"a\\\t",
	    CFG_FORM_JSON, "{\"id\":\"\\\",\\\"a\\\\\\t\"}" },
	{ "an id is no line", "{request_id}", "a\r\nb\x1b[", CFG_FORM_TEXT,
	    "a??b?[" },
	{ "an id is no page", "{request_id}", "{status}", CFG_FORM_TEXT,
	    "{status}" },
};

Test(pages, filled_in)
{
	char id[300];
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(fills); i++) {
		buf_reset(&out);
		page_fill(str_of(fills[i].page), fills[i].form, 503,
		    "Service Unavailable", str_of(fills[i].id), &out);
		cr_expect_str_eq(out.p == NULL ? "" : out.p, fills[i].want,
		    "%s: %s", fills[i].why, out.p);
	}
	memset(id, '"', sizeof(id));
	for (int f = 0; f < CFG_FORM_COUNT; f++) {
		buf_reset(&out);
		page_fill(STR("{request_id}"), (enum cfg_form)f, 503, "",
		    str_from(id, sizeof(id)), &out);
		cr_expect_leq(out.len, PAGE_ID_MAX * 6);
		cr_expect_geq(out.len, PAGE_ID_MAX);
	}
	buf_free(&out);
}
