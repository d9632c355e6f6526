/*
 * Names that want past the list of what strangers may not say, and values of
 * rules.  The first byte says what the rest is:
 *
 *   p, i  names of fields, a line each, in the profile plain or identity: what
 *         goes on is no spelling of a name in the list
 *   P, I  the same from a trusted proxy: nothing with "-" is lost
 *   v     a value with variables: its parts are the value again
 *
 * Here a name is folded as a whole and then compared with the names as the
 * manual has them; no code is shared with what is judged.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "config/edits.h"
#include "proxy/strip.h"
#include "must.h"

#define NAME_MAX_LEN 128
#define VALUE_MAX 4096

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static const char *const plain[] = { "x-forwarded-*", "x-real-ip",
	"client-cert", "client-cert-chain", "ssl-client-*", "x-ssl", "x-ssl-*",
	"x-client-cert*", "cert-chain*", NULL };
static const char *const identity[] = { "x-original-*", "traceparent",
	"tracestate", "baggage", "b3", "x-b3-*", "uber-trace-id",
	"x-ot-span-context", NULL };
/* With "_" in them only. */
static const char *const twins[] = { "content-length", "transfer-encoding",
	"x-request-id", NULL };
/* Those that forward.c replaces. */
static const char *const replaced[] = { "x-forwarded-for", "x-forwarded-proto",
	"x-forwarded-host", "x-forwarded-port", NULL };

static bool
is_in(const char *const *list, const char *folded)
{
	for (; *list != NULL; list++) {
		size_t n = strlen(*list);

		if ((*list)[n - 1] == '*' ? strncmp(*list, folded, n - 1) == 0
		                          : strcmp(*list, folded) == 0)
			return true;
	}
	return false;
}

static bool
fold(const char *name, char *out)
{
	bool twin = strchr(name, '_') != NULL;

	for (; *name != '\0'; name++)
		*out++ = (char)(*name == '_' ? '-'
		                             : tolower((unsigned char)*name));
	*out = '\0';
	return twin;
}

static void
judge(const char *name, enum cfg_profile profile, bool trusted, bool gone)
{
	char folded[NAME_MAX_LEN];
	bool twin = fold(name, folded);
	bool listed = is_in(plain, folded) ||
	    (profile == CFG_PROFILE_IDENTITY && is_in(identity, folded));

	if (trusted)
		MUST(!gone || twin);
	else if (listed && (twin || !is_in(replaced, folded)))
		MUST(gone);
	else
		MUST(gone == (twin && is_in(twins, folded)));
	if (twin && (is_in(twins, folded) || is_in(replaced, folded)))
		MUST(gone);
}

static struct http_head head;
static char names[HTTP_FIELDS_MAX][NAME_MAX_LEN];

static void
try_names(struct str text, enum cfg_profile profile, bool trusted)
{
	head = (struct http_head){ .n = 0 };
	while (text.len > 0 && head.n < HTTP_FIELDS_MAX) {
		struct str line = str_split(&text, '\n'), name;
		char *to = names[head.n];

		if (line.len == 0 || memchr(line.p, '\0', line.len) != NULL)
			continue;
		name = str_from(to, str_copy(line, to, NAME_MAX_LEN));
		MUST(http_head_add(&head, http_field_of(name), name,
		         STR("evil")) == E_OK);
	}
	strip_request(&head, profile, trusted);
	for (unsigned i = 0; i < head.n; i++)
		judge(names[i], profile, trusted, head.f[i].flags & HF_DROP);
	strip_trailers(&head, profile);
	for (unsigned i = 0; i < head.n; i++) {
		char folded[NAME_MAX_LEN];

		(void)fold(names[i], folded);
		if (is_in(plain, folded) || strcmp(folded, "forwarded") == 0)
			MUST(head.f[i].flags & HF_DROP);
	}
}

static void
try_value(struct str value)
{
	char again[VALUE_MAX];
	struct str rest = str_sub(value, 0, sizeof(again)), text;
	struct str whole = rest;
	size_t len = 0;
	enum edit_var var;

	while (edit_next(&rest, &var, &text)) {
		MUST(text.len > 0);
		if (var != EDIT_TEXT)
			again[len++] = '{';
		memcpy(again + len, text.p, text.len);
		len += text.len;
		if (var != EDIT_TEXT)
			again[len++] = '}';
	}
	MUST(str_eq(whole, str_from(again, len)));
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct str text = str_from((const char *)data, size);
	char what;

	if (size == 0)
		return 0;
	what = text.p[0];
	text = str_sub(text, 1, text.len);
	if (what == 'v')
		try_value(text);
	else if (memchr("piPI", what, 4) != NULL)
		try_names(text,
		    (what | 0x20) == 'i' ? CFG_PROFILE_IDENTITY
		                         : CFG_PROFILE_PLAIN,
		    what == 'P' || what == 'I');
	return 0;
}
