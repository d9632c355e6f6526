#include "upstream/edits.h"

#include <stdlib.h>

#include "base/err.h"
#include "config/config.h"
#include "http/head.h"

static bool
is_fixed(struct str value)
{
	enum edit_var var;
	struct str text;

	while (edit_next(&value, &var, &text))
		if (var != EDIT_TEXT)
			return false;
	return true;
}

static int
make_parts(struct edit *e, struct str value)
{
	struct str rest = value;
	struct edit_part part;
	size_t n = 0;

	while (edit_next(&rest, &part.var, &part.text))
		n++;
	e->parts = calloc(n + 1, sizeof(*e->parts));
	if (e->parts == NULL)
		return E_NOMEM;
	while (edit_next(&value, &part.var, &part.text))
		e->parts[e->n_parts++] = part;
	return E_OK;
}

static int
make_edit(const struct cfg_edit *cfg, struct edit *e)
{
	struct str value = str_of(cfg->value);

	e->verb = cfg->set != NULL ? EDIT_SET
	    : cfg->add != NULL     ? EDIT_ADD
	                           : EDIT_REMOVE;
	e->name = str_of(cfg->set != NULL ? cfg->set
	        : cfg->add != NULL        ? cfg->add
	                                  : cfg->remove);
	e->id = (uint8_t)http_field_of(e->name);
	e->fixed = value;
	return is_fixed(value) ? E_OK : make_parts(e, value);
}

int
edits_make(const struct cfg_edit *cfg, size_t n, struct edits *out)
{
	if (n == 0)
		return E_OK;
	out->list = calloc(n, sizeof(*out->list));
	if (out->list == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < n; i++)
		if (make_edit(&cfg[i], &out->list[out->n++]) != E_OK)
			return E_NOMEM;
	return E_OK;
}

void
edits_free(struct edits *es)
{
	for (size_t i = 0; i < es->n; i++)
		free(es->list[i].parts);
	free(es->list);
	es->list = NULL;
	es->n = 0;
}
