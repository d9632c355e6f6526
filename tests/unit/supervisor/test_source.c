#include <criterion/criterion.h>
#include <string.h>

#include "base/err.h"
#include "supervisor/source.h"
#include "tests/unit/base/scratch.h"

#define GOOD                                                                   \
	"listeners: \":1\"\n"                                                  \
	"services: [ { name: s, pools: [ { name: v1, instances: a:1 } ] } ]\n"

static const struct {
	const char *why, *text, *says;
	int rc;
} rows[] = {
	{ "all is well", GOOD, "", E_OK },
	{ "an unknown key, with its place", GOOD "wrong: 1\n", ":3:1: wrong",
	    E_SYNTAX },
	{ "no YAML", "a: [", ":1:", E_SYNTAX },
	{ "nothing at all", "", "listeners", E_SYNTAX },
};

Test(source, file)
{
	const char *path;

	scratch_begin();
	path = scratch_path("segue.yaml");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct source s = { .path = path };
		struct buf text = BUF_INIT, said = BUF_INIT;
		struct cfg *c;

		scratch_write("segue.yaml", str_of(rows[i].text));
		cr_expect_eq(source_read(&s, &text, &said, &c), rows[i].rc,
		    "%s", rows[i].why);
		cr_expect_eq(c != NULL, rows[i].rc == E_OK, "%s", rows[i].why);
		buf_add_cstr(&said, "");
		cr_expect(strstr(said.p, rows[i].says) != NULL, "%s: %s",
		    rows[i].why, said.p);
		cfg_unref(&c);
		buf_free(&text);
		buf_free(&said);
	}
	scratch_end();
}

Test(source, file_that_is_not_there)
{
	struct source s = { .path = "/nonexistent/segue.yaml" };
	struct buf text = BUF_INIT, said = BUF_INIT;
	struct cfg *c;

	cr_expect_eq(source_read(&s, &text, &said, &c), E_NOENT);
	cr_expect_null(c);
	cr_expect_str_eq(said.p,
	    "/nonexistent/segue.yaml: cannot be read: does not exist\n");
	buf_free(&text);
	buf_free(&said);
}

Test(source, arguments)
{
	struct source s = { .listen = { ":8080" },
		.n_listen = 1,
		.pools = { "v1=127.0.0.1:1,127.0.0.1:2", "v2=127.0.0.1:3" },
		.n_pools = 2 };
	struct buf text = BUF_INIT, said = BUF_INIT, keys = BUF_INIT;
	struct cfg *c;

	cr_assert_eq(source_read(&s, &text, &said, &c), E_OK);
	cr_expect_eq(said.len, 0);
	cr_expect_eq(c->services[0].n_pools, 2);
	cr_expect_eq(c->services[0].pools[0].n_instances, 2);
	source_key_file(c, &keys);
	cr_expect_str_eq(keys.p, "/var/lib/segue/keys");
	cfg_unref(&c);
	buf_free(&text);
	buf_free(&said);
	buf_free(&keys);
}
