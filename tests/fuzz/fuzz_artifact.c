/*
 * What a login server answers and applications ask: codes and tokens are found
 * in any bytes without a byte too many, and what was issued is found again in
 * a form that carries it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/buf.h"
#include "session/artifact.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* As a form has it, with everything escaped. */
static void
ask_for(enum artifact kind UNUSED, struct str value, uint64_t ttl_s,
    void *arg UNUSED)
{
	static char out[ARTIFACT_VALUE_MAX];
	struct buf form = BUF_INIT;
	struct str back, all, rest;

	MUST(value.len > 0 && ttl_s > 0);
	buf_add_cstr(&form, "a=b&code=");
	for (size_t i = 0; i < value.len; i++)
		buf_printf(&form, "%%%02x", (unsigned char)value.p[i]);
	rest = all = buf_str(&form);
	back = artifact_in_form(all, true, &rest, out);
	if (value.len <= ARTIFACT_VALUE_MAX)
		MUST(str_eq(back, value));
	else
		MUST(back.p == NULL);
	buf_free(&form);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static char out[ARTIFACT_VALUE_MAX];
	struct str text = str_from((const char *)data, size);
	struct str form = text, query = text, one;

	while ((one = artifact_in_form(text, true, &form, out)).p != NULL)
		MUST(one.len > 0 && one.len <= ARTIFACT_VALUE_MAX);
	while ((one = artifact_in_query(text, true, &query, out)).p != NULL)
		MUST(one.len > 0 && one.len <= ARTIFACT_VALUE_MAX);
	artifact_in_location(text, ask_for, NULL);
	artifact_in_page(text, ask_for, NULL);
	artifact_in_json(text, ask_for, NULL);
	return 0;
}
