#include "config/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "config/check.h"
#include "config/pages.h"
#include "config/problem.h"
#include "config/profiles.h"
#include "config/read.h"
#include "config/schema.h"
#include "config/tlsfiles.h"
#include "config/yaml.h"

/* ---- life ---- */

void
cfg_problems_free(struct cfg_problems *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->list[i].text);
	free(p->list);
	memset(p, 0, sizeof(*p));
}

static void
cfg_free(struct cfg *c)
{
	if (c->unmake != NULL)
		c->unmake(c);
	pages_free(c);
	tlsfiles_wipe(c);
	schema_free(cfg_schema, c);
	free(c);
}

struct cfg *
cfg_ref(struct cfg *c)
{
	__atomic_add_fetch(&c->refs_, 1, __ATOMIC_RELAXED);
	return c;
}

void
cfg_unref(struct cfg **cp)
{
	struct cfg *c = *cp;

	*cp = NULL;
	if (c != NULL &&
	    __atomic_sub_fetch(&c->refs_, 1, __ATOMIC_ACQ_REL) == 0)
		cfg_free(c);
}

/* ---- reading ---- */

static struct cfg *
read_tree(struct problems *p, const struct ynode *root)
{
	struct where top = where_top(root);
	struct cfg *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		p->no_memory = true;
		return NULL;
	}
	c->refs_ = 1;
	if (root != NULL && root->type != YNODE_MAP && !ynode_is_null(root)) {
		problem_error(p, &top, "the file is not a map of keys");
		return c;
	}
	read_map(p, cfg_schema, c, &top);
	if (!p->no_memory)
		check_all(p, c, &top);
	return c;
}

static int
parse(struct str text, struct problems *p, struct cfg **out,
    struct cfg_problems *problems)
{
	struct yaml_error error;
	struct ynode *root;
	struct cfg *c = NULL;
	int rc = yaml_read(text, &root, &error);

	if (rc == E_OK)
		rc = profiles_apply(root);
	if (rc == E_OK)
		c = read_tree(p, root);
	else if (rc == E_NOMEM)
		p->no_memory = true;
	else
		problem_no_yaml(p, &error);
	ynode_free(&root);
	rc = problems_finish(p, problems);
	if (rc == E_OK)
		*out = c;
	else if (c != NULL)
		cfg_free(c);
	return rc;
}

int
cfg_parse(struct str text, const char *origin, struct cfg **out,
    struct cfg_problems *problems)
{
	struct problems p = { .origin = origin };

	*out = NULL;
	memset(problems, 0, sizeof(*problems));
	return parse(text, &p, out, problems);
}

/* ---- without a file ---- */

static void
add_pool(struct problems *p, const char *spec, struct buf *out)
{
	struct str rest = str_of(spec), name = str_split(&rest, '=');
	struct where none = where_top(NULL);
	char text[PROBLEM_TEXT_MAX];

	if (rest.p == NULL)
		problem_error(p, &none,
		    "%s is not a pool; NAME=HOST:PORT[,HOST:PORT...] is "
		    "expected",
		    problem_text(spec, text));
	buf_add_cstr(out, "      - name: ");
	yaml_add_text(out, name);
	buf_add_cstr(out, "\n        instances:\n");
	while (rest.len > 0) {
		buf_add_cstr(out, "          - ");
		yaml_add_quoted(out, str_trim(str_split(&rest, ',')));
		buf_add_char(out, '\n');
	}
}

/* A line: what comes before the text, and the text. */
static void
add_line(struct buf *out, const char *before, const char *text)
{
	if (text == NULL)
		return;
	buf_add_cstr(out, before);
	yaml_add_quoted(out, str_of(text));
	buf_add_char(out, '\n');
}

static void
make_yaml(struct problems *p, const struct cfg_args *a, struct buf *out)
{
	add_line(out, "state_dir: ", a->state_dir);
	add_line(out, "admin:\n  socket: ", a->socket);
	buf_add_cstr(out, "listeners:\n");
	for (size_t i = 0; i < a->n_listen; i++)
		add_line(out, "  - ", a->listen[i]);
	buf_add_cstr(out, "services:\n  - name: default\n    pools:\n");
	for (size_t i = 0; i < a->n_pools; i++)
		add_pool(p, a->pools[i], out);
}

int
cfg_from_args(const struct cfg_args *args, struct buf *yaml, struct cfg **out,
    struct cfg_problems *problems)
{
	struct problems p = { .origin = "command line", .no_lines = true };
	struct buf text = BUF_INIT;
	int rc;

	*out = NULL;
	memset(problems, 0, sizeof(*problems));
	make_yaml(&p, args, &text);
	p.no_memory |= text.failed;
	rc = parse(buf_str(&text), &p, out, problems);
	if (yaml != NULL)
		buf_add_str(yaml, buf_str(&text));
	buf_free(&text);
	return rc;
}

/* ---- finding ---- */

const struct cfg_service *
cfg_service_find(const struct cfg *c, struct str name)
{
	for (size_t i = 0; i < c->n_services; i++)
		if (str_eq(str_of(c->services[i].name), name))
			return &c->services[i];
	return NULL;
}

const struct cfg_pool *
cfg_pool_find(const struct cfg_service *s, struct str name)
{
	for (size_t i = 0; i < s->n_pools; i++)
		if (str_eq(str_of(s->pools[i].name), name))
			return &s->pools[i];
	return NULL;
}

const struct cfg_job *
cfg_job_find(const struct cfg_service *s, struct str name)
{
	for (size_t i = 0; i < s->rollout.n_jobs; i++)
		if (str_eq(str_of(s->rollout.jobs[i].name), name))
			return &s->rollout.jobs[i];
	return NULL;
}

const char *
cfg_version_of(const struct cfg_service *s, struct str pool)
{
	const struct cfg_pool *p = cfg_pool_find(s, pool);

	if (p == NULL)
		return "";
	return p->version == NULL ? p->name : p->version;
}

static size_t
listener_at(const struct cfg *c, const char *name)
{
	size_t i = 0;

	while (i < c->n_listeners && strcmp(c->listeners[i].name, name) != 0)
		i++;
	return i;
}

/* Those of a that b has not. */
static size_t
missing_listeners(const struct cfg *a, const struct cfg *b, const char *word,
    struct buf *why)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_listeners; i++) {
		if (listener_at(b, a->listeners[i].name) < b->n_listeners)
			continue;
		buf_printf(why,
		    "listeners[%s] is %s: this needs a restart; "
		    "nothing was changed\n",
		    a->listeners[i].name, word);
		n++;
	}
	return n;
}

int
cfg_order_listeners(struct cfg *c, const struct cfg *as, struct buf *why)
{
	size_t n = missing_listeners(c, as, "new", why);

	n += missing_listeners(as, c, "gone", why);
	if (n > 0)
		return E_STATE;
	for (size_t i = 0; i < as->n_listeners; i++) {
		size_t from = listener_at(c, as->listeners[i].name);
		struct cfg_listener moved = c->listeners[from];

		c->listeners[from] = c->listeners[i];
		c->listeners[i] = moved;
	}
	return E_OK;
}
