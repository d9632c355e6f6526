/*
 * What a server sends to who verifies it: a page becomes a form that leads
 * somewhere and is as it would be sent, or none; claims are read, or are none;
 * and who is compared with himself breaks no promise.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "verify/form.h"
#include "verify/promises.h"
#include "verify/tokens.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void
look_at_page(struct str html)
{
	static const struct form_person who = { "mila", "a&b=c" };
	struct form f;
	char title[40];

	if (form_find(html, "https://sso.example/ui?x=1", &who, &f)) {
		MUST(f.action.len > 0 && f.fields.failed == false);
		for (size_t i = 0; i < f.fields.len; i++)
			MUST((unsigned char)f.fields.p[i] > ' ' &&
			    (unsigned char)f.fields.p[i] < 0x7f);
	}
	form_free(&f);
	form_page_title(html, title, sizeof(title));
	MUST(strlen(title) < sizeof(title));
}

static void
look_at_promises(struct str text)
{
	static struct promises p;
	char why[160];
	struct json *doc = json_read(text, why, sizeof(why));

	if (doc == NULL)
		return;
	p = (struct promises){ .n = 0 };
	promises_discovery(&p, doc, doc, "");
	promises_keys(&p, doc, doc);
	MUST(p.n == 0 && p.left_out == 0);
	json_free(&doc);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct str all = str_from((const char *)data, size);
	struct buf text = BUF_INIT, claims = BUF_INIT;

	look_at_page(all);
	look_at_promises(all);
	buf_add_str(&text, all);
	if (text.p != NULL && tokens_claims(text.p, &claims))
		look_at_promises(buf_str(&claims));
	buf_free(&text);
	buf_free(&claims);
	return 0;
}
