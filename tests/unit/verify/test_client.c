#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "verify/client.h"

#define NEEDED                                                                 \
	"\"client_id\":\"c\",\"redirect_uri\":\"https://c/cb\","               \
	"\"username\":\"mila\",\"password\":\"x\""

static char path[64];

static void
make(void)
{
	(void)snprintf(path, sizeof(path), "/tmp/segue-client-%d",
	    (int)getpid());
}

static void
drop(void)
{
	(void)unlink(path);
}

TestSuite(client, .init = make, .fini = drop);

Test(client, whole)
{
	struct client c;
	char why[300] = "";

	cr_assert_eq(file_replace(path,
	                 STR("{" NEEDED ",\"scope\":\"openid\"}"), 0600),
	    E_OK);
	cr_assert_eq(client_load(path, &c, why, sizeof(why)), E_OK, "%s", why);
	cr_expect_str_eq(c.client_id, "c");
	cr_expect_str_eq(c.scope, "openid");
	cr_expect_null(c.client_secret);
	client_free(&c);
	cr_expect_null(c.doc);
}

Test(client, faults)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "{", "line 1 column 1: " },
		{ "[]", "a JSON object is expected" },
		{ "{" NEEDED ",\"scopes\":\"a\"}",
		    "there is no \"scopes\"; did you mean scope?" },
		{ "{" NEEDED ",\"zebra\":\"a\"}", "there is no \"zebra\"" },
		{ "{" NEEDED ",\"scope\":[\"openid\"]}",
		    "scope is to be a text" },
		{ "{\"client_id\":\"c\"}", "redirect_uri is missing" },
		{ "{}", "client_id is missing" },
	};
	struct client c;
	char why[300];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cr_assert_eq(file_replace(path, str_of(rows[i].text), 0600),
		    E_OK);
		cr_expect_neq(client_load(path, &c, why, sizeof(why)), E_OK);
		cr_expect_not_null(strstr(why, rows[i].why), "%s: %s",
		    rows[i].text, why);
		cr_expect(str_starts(str_of(why), str_of(path)), "%s", why);
		cr_expect_null(c.doc);
	}
	drop();
	cr_expect_neq(client_load(path, &c, why, sizeof(why)), E_OK);
	cr_expect_not_null(strstr(why, "does not exist"), "%s", why);
}
