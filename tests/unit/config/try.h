/*
 * try - reading a configuration in a test, with all it says as one text.
 */
#ifndef TESTS_CONFIG_TRY_H
#define TESTS_CONFIG_TRY_H
#include <criterion/criterion.h>

#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"

/* What a configuration cannot do without, in one line each. */
#define LISTEN "listeners: \":1\"\n"
#define SERVE                                                                  \
	"services: [ { name: s, pools: [ { name: v1, instances: a:1 } ] } ]\n"

/* Lines of *said (to be freed) are the problems; *out is NULL on error. */
static inline int
try_text(struct str text, struct cfg **out, struct buf *said)
{
	struct cfg_problems p;
	int rc = cfg_parse(text, "f", out, &p);
	size_t errors = 0;

	*said = BUF_INIT;
	for (size_t i = 0; i < p.n; i++) {
		buf_printf(said, "%s\n", p.list[i].text);
		errors += !p.list[i].is_warning;
	}
	buf_add_cstr(said, "");
	if (rc != E_NOMEM) {
		cr_expect_eq(errors, p.errors);
		cr_expect_eq(rc, errors > 0 ? E_SYNTAX : E_OK);
		cr_expect_eq(*out == NULL, errors > 0);
	}
	cfg_problems_free(&p);
	return rc;
}

static inline void
try_free(struct cfg **c, struct buf *said)
{
	cfg_unref(c);
	buf_free(said);
}

/* Must be without any problem. */
static inline struct cfg *
try_good(const char *text, const char *why)
{
	struct buf said;
	struct cfg *c;

	(void)try_text(str_of(text), &c, &said);
	cr_assert_str_eq(said.p, "", "%s: %s", why, said.p);
	cr_assert_not_null(c, "%s", why);
	buf_free(&said);
	return c;
}

/* Dumped, read back and dumped again it is the same. */
static inline void
try_round_trip(const struct cfg *c, const char *why)
{
	struct buf once = BUF_INIT, twice = BUF_INIT, said;
	struct buf live = BUF_INIT, restart = BUF_INIT;
	struct cfg *again;

	cfg_dump(c, &once);
	(void)try_text(buf_str(&once), &again, &said);
	cr_assert_not_null(again, "%s: %s\n%s", why, said.p, once.p);
	cfg_dump(again, &twice);
	cr_expect_str_eq(twice.p, once.p, "%s", why);
	cfg_diff(c, again, &live, &restart);
	cr_expect_eq(live.len + restart.len, 0, "%s: %s%s", why,
	    live.len == 0 ? "" : live.p, restart.len == 0 ? "" : restart.p);
	cr_expect(!live.failed && !restart.failed);
	buf_free(&live);
	buf_free(&restart);
	buf_free(&once);
	buf_free(&twice);
	try_free(&again, &said);
}

#endif
