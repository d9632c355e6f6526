/*
 * Two files of metadata, a NUL between them: who is compared with himself
 * differs in nothing, and the verdict is what the differences say.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "compat/compare.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static bool
read_it(struct str text, struct compat_metadata *m)
{
	char why[COMPAT_WHY_MAX];
	int rc = compat_read(text, m, why);

	MUST(rc == E_OK || (rc == E_SYNTAX && why[0] != '\0'));
	MUST(rc == E_OK || m->tree == NULL);
	return rc == E_OK;
}

static void
look(const struct compat_metadata *was, const struct compat_metadata *is,
    enum compat_patch how)
{
	struct compat_result r;
	bool all_roll = true;

	MUST(compat_compare(was, is, how, &r) == E_OK);
	for (size_t i = 0; i < r.n; i++) {
		all_roll &= r.differences[i].rolls;
		MUST(r.differences[i].provider != NULL);
		MUST(was != is);
		MUST(i == 0 ||
		    strcmp(r.differences[i - 1].provider,
		        r.differences[i].provider) <= 0);
	}
	MUST(r.verdict == COMPAT_VERDICT_DISABLED ||
	    (r.verdict == COMPAT_VERDICT_ROLLING) == all_roll);
	compat_result_free(&r);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const unsigned char *nul = size == 0 ? NULL : memchr(data, 0, size);
	size_t len = nul == NULL ? size : (size_t)(nul - data);
	struct str all = str_from((const char *)data, size);
	struct compat_metadata was, is;

	if (!read_it(str_sub(all, 0, len), &was))
		return 0;
	look(&was, &was, COMPAT_PATCH_ON);
	look(&was, &was, COMPAT_PATCH_OFF);
	if (nul != NULL && read_it(str_sub(all, len + 1, size), &is)) {
		for (int how = 0; how < COMPAT_PATCH_COUNT; how++) {
			look(&was, &is, (enum compat_patch)how);
			look(&is, &was, (enum compat_patch)how);
		}
		compat_free(&is);
	}
	compat_free(&was);
	return 0;
}
