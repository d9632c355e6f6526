/*
 * Keys of tokens: where they are read, and what else is said of that.
 */
#include <string.h>

#include "config/check.h"

static void
check_path(struct problems *p, const struct cfg_jwks *j, size_t at,
    const struct where *list)
{
	struct where w = where_item(list, at);

	for (size_t i = 0; i < at; i++)
		if (j->paths[i] != NULL &&
		    strcmp(j->paths[i], j->paths[at]) == 0)
			problem_error(p, &w, "%s is there already",
			    j->paths[at]);
}

void
check_jwks(struct problems *p, const struct cfg_service *s,
    const struct where *service)
{
	const struct cfg_jwks *j = &s->jwks;
	struct where w = where_key(service, "jwks");
	struct where list = where_key(&w, "paths");

	for (size_t i = 0; i < j->n_paths; i++)
		if (j->paths[i] != NULL)
			check_path(p, j, i, &list);
	if (j->n_paths == 0 && (j->united || j->required || j->host != NULL))
		problem_warn(p, &w, "this means nothing without paths");
}
