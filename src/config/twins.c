#include "config/twins.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	const char *text;
	size_t i;
};

static int
by_text(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = strcmp(x->text, y->text);

	if (c != 0)
		return c;
	return x->i < y->i ? -1 : x->i > y->i;
}

size_t *
twins_find(const void *array, size_t n, size_t size, size_t at)
{
	struct entry *entries = calloc(n + 1, sizeof(*entries));
	size_t *first = calloc(n + 1, sizeof(*first)), used = 0;

	if (entries == NULL || first == NULL) {
		free(entries);
		free(first);
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		const char *text;

		memcpy(&text, (const char *)array + i * size + at,
		    sizeof(text));
		first[i] = i;
		if (text != NULL)
			entries[used++] = (struct entry){ text, i };
	}
	if (used > 0)
		qsort(entries, used, sizeof(*entries), by_text);
	for (size_t e = 1; e < used; e++)
		if (strcmp(entries[e].text, entries[e - 1].text) == 0)
			first[entries[e].i] = first[entries[e - 1].i];
	free(entries);
	return first;
}
