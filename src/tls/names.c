#include "tls/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define NAME_MAX_BYTES 253 /* RFC 1035 2.3.4 */

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Letters that may stand in a name; "_" is seen in the wild. */
static bool
is_name(struct str s)
{
	if (str_starts(s, STR("*.")))
		s = str_sub(s, 2, s.len);
	if (s.len == 0 || s.len > NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = lower(s.p[i]);

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' &&
		    c != '.' && c != '_')
			return false;
	}
	return true;
}

int
tls_names_add(struct tls_names *n, struct str name, size_t of)
{
	char *text;

	if (!is_name(name))
		return E_OK;
	if (n->n == n->cap) {
		size_t cap = n->cap == 0 ? 4 : 2 * n->cap;
		struct tls_name *list = realloc(n->list, cap * sizeof(*list));

		if (list == NULL)
			return E_NOMEM;
		n->list = list;
		n->cap = cap;
	}
	text = str_dup(name);
	if (text == NULL)
		return E_NOMEM;
	for (char *p = text; *p != '\0'; p++)
		*p = lower(*p);
	n->list[n->n++] = (struct tls_name){ text, of };
	return E_OK;
}

static int
by_text(const void *pa, const void *pb)
{
	const struct tls_name *a = pa, *b = pb;
	int order = strcmp(a->text, b->text);

	return order != 0 ? order : (a->of > b->of) - (a->of < b->of);
}

void
tls_names_sort(struct tls_names *n)
{
	size_t kept = 0;

	if (n->n == 0)
		return;
	qsort(n->list, n->n, sizeof(*n->list), by_text);
	for (size_t i = 1; i < n->n; i++) {
		if (strcmp(n->list[kept].text, n->list[i].text) != 0)
			n->list[++kept] = n->list[i];
		else
			free(n->list[i].text);
	}
	n->n = kept + 1;
}

static const struct tls_name *
find(const struct tls_names *n, struct str prefix, struct str rest)
{
	char text[NAME_MAX_BYTES + 3];
	struct tls_name key = { text, 0 };
	size_t lo = 0, hi = n->n;

	memcpy(text, prefix.p, prefix.len);
	for (size_t i = 0; i < rest.len; i++)
		text[prefix.len + i] = lower(rest.p[i]);
	text[prefix.len + rest.len] = '\0';
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int order = strcmp(n->list[mid].text, key.text);

		if (order == 0)
			return &n->list[mid];
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

const struct tls_name *
tls_names_find(const struct tls_names *n, struct str host)
{
	const struct tls_name *found;
	ssize_t dot;

	if (host.len > 0 && host.p[host.len - 1] == '.')
		host.len--; /* the root */
	if (!is_name(host) || host.p[0] == '*')
		return NULL;
	found = find(n, STR(""), host);
	dot = str_find(host, '.');
	if (found != NULL || dot <= 0)
		return found;
	return find(n, STR("*."), str_sub(host, (size_t)dot + 1, host.len));
}

void
tls_names_free(struct tls_names *n)
{
	for (size_t i = 0; i < n->n; i++)
		free(n->list[i].text);
	free(n->list);
	*n = (struct tls_names){ NULL, 0, 0 };
}
