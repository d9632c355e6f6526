#include "store/stores.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "store/shelf.h"
#include "store/store.h"

struct stores {
	struct cfg *cfg;           /* one ref */
	char *password;            /* owned, wiped */
	struct shelf *shelf;       /* owned; of type memory */
	char *path;                /* owned; where that is saved */
	struct store_stats *cells; /* owned; [most] */
	unsigned n, most;
};

static int
open_shelf(struct stores *s)
{
	if (asprintf(&s->path, "%s/" STORES_FILE, s->cfg->state_dir) == -1)
		s->path = NULL;
	s->shelf = shelf_new(s->cfg->store.memory);
	if (s->shelf == NULL || s->path == NULL)
		return E_NOMEM;
	return E_OK;
}

/* It is kept, for who can read it. */
static void
put_aside(const struct stores *s)
{
	char *aside;

	if (asprintf(&aside, "%s.damaged", s->path) == -1)
		return;
	if (rename(s->path, aside) == -1)
		log_error("event=store_not_aside file=%s", s->path);
	free(aside);
}

void
stores_load(struct stores *s)
{
	int rc = s->shelf == NULL ? E_NOENT : shelf_load(s->shelf, s->path);

	if (rc == E_OK)
		log_info("event=store_loaded values=%zu",
		    shelf_count(s->shelf));
	else if (rc != E_NOENT)
		log_warn("event=store_not_loaded file=%s why=\"%s\" values=%zu",
		    s->path, err_text(rc), shelf_count(s->shelf));
	if (rc == E_DAMAGED)
		put_aside(s);
}

int
stores_new(struct cfg *cfg, const char *password, unsigned most,
    struct stores **out)
{
	struct stores *s = calloc(1, sizeof(*s));
	size_t bytes = most * sizeof(*s->cells);
	int rc = E_OK;

	*out = s;
	if (s == NULL)
		return E_NOMEM;
	s->cells = aligned_alloc(_Alignof(struct store_stats), bytes);
	if (s->cells == NULL)
		return E_NOMEM;
	memset(s->cells, 0, bytes);
	s->most = most;
	s->cfg = cfg_ref(cfg);
	if (password != NULL) {
		s->password = str_dup(str_of(password));
		rc = s->password == NULL ? E_NOMEM : E_OK;
	}
	if (rc == E_OK && cfg->store.type == CFG_STORE_MEMORY)
		rc = open_shelf(s);
	return rc;
}

static void
save(const struct stores *s)
{
	int rc = shelf_save(s->shelf, s->path);

	if (rc == E_OK)
		log_info("event=store_saved values=%zu", shelf_count(s->shelf));
	else
		log_error("event=store_not_saved file=%s why=\"%s\" values=%zu",
		    s->path, err_text(rc), shelf_count(s->shelf));
}

void
stores_free(struct stores **sp)
{
	struct stores *s = *sp;

	if (s == NULL)
		return;
	if (s->shelf != NULL && s->path != NULL && s->n > 0)
		save(s);
	shelf_free(&s->shelf);
	if (s->password != NULL)
		explicit_bzero(s->password, strlen(s->password));
	free(s->password);
	free(s->path);
	free(s->cells);
	cfg_unref(&s->cfg);
	free(s);
	*sp = NULL;
}

struct store_env
stores_env(const struct stores *s, struct loop *loop, const char *name)
{
	return (struct store_env){ .loop = loop,
		.cfg = &s->cfg->store,
		.password = s->password,
		.shelf = s->shelf,
		.name = name };
}

int
stores_open(struct stores *s, struct loop *loop, const char *name,
    struct store **out)
{
	struct store_env env = stores_env(s, loop, name);

	assert(s->n < s->most);
	env.stats = &s->cells[s->n++];
	return store_open(&env, out);
}

const struct store_stats *
stores_cells(const struct stores *s, unsigned *n)
{
	*n = s->n;
	return s->cells;
}

const struct cfg_store *
stores_cfg(const struct stores *s)
{
	return &s->cfg->store;
}
