/*
 * Any bytes as a configuration: taken or refused with what is wrong.  What is
 * taken is dumped, and the dump means the same and dumps the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "config/config.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define SHOWN_MAX 100 /* problems; one more line says how many are not */

/* Each is one line that names the file; errors is how many are no warnings. */
static void
try_problems(const struct cfg_problems *p)
{
	static const char origin[] = "in";
	size_t errors = 0;

	MUST(p->n <= SHOWN_MAX + 1);
	for (size_t i = 0; i < p->n; i++) {
		const char *text = p->list[i].text;

		MUST(strncmp(text, origin, strlen(origin)) == 0);
		for (const char *s = text; *s != '\0'; s++)
			MUST((unsigned char)*s >= ' ' && *s != 0x7f);
		errors += !p->list[i].is_warning;
	}
	MUST(p->n > SHOWN_MAX ? errors <= p->errors + 1 : errors == p->errors);
}

static struct cfg *
parse(struct str text)
{
	struct cfg_problems problems;
	struct cfg *c;
	int rc = cfg_parse(text, "in", &c, &problems);

	MUST(rc == E_OK || rc == E_SYNTAX);
	MUST((rc == E_OK) == (c != NULL));
	MUST((rc == E_OK) == (problems.errors == 0));
	try_problems(&problems);
	cfg_problems_free(&problems);
	return c;
}

static void
try_equal(const struct cfg *a, const struct cfg *b)
{
	struct buf live = BUF_INIT, restart = BUF_INIT;

	cfg_diff(a, b, &live, &restart);
	if (live.len + restart.len > 0)
		(void)fprintf(stderr, "%s%s\n", live.len > 0 ? live.p : "",
		    restart.len > 0 ? restart.p : "");
	MUST(!live.failed && live.len == 0 && restart.len == 0);
	buf_free(&live);
	buf_free(&restart);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct buf once = BUF_INIT, twice = BUF_INIT;
	struct cfg *c, *again;

	c = parse(str_from((const char *)data, size));
	if (c == NULL)
		return 0;
	cfg_dump(c, &once);
	MUST(!once.failed);
	again = parse(buf_str(&once));
	MUST(again != NULL);
	try_equal(c, again);
	cfg_dump(again, &twice);
	MUST(str_eq(buf_str(&once), buf_str(&twice)));
	buf_free(&once);
	buf_free(&twice);
	cfg_unref(&c);
	cfg_unref(&again);
	return 0;
}
