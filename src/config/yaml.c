#include "config/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/err.h"

#define BYTE_ORDER_MARK STR("\xef\xbb\xbf")

struct reading {
	yaml_parser_t parser;
	struct str text;
	struct yaml_error *error;
	unsigned depth;
};

/* ---- what is wrong ---- */

static int
fail_at(struct reading *r, const yaml_mark_t *at, const char *why)
{
	r->error->line = (unsigned)at->line + 1;
	r->error->column = (unsigned)at->column + 1;
	(void)snprintf(r->error->why, sizeof(r->error->why), "%s", why);
	return E_SYNTAX;
}

/* Line and column, which libyaml does not tell, of a byte it cannot read. */
static int
fail_at_byte(struct reading *r, const char *why)
{
	yaml_mark_t at = { 0 };
	char text[120];

	for (size_t i = 0; i < r->parser.problem_offset && i < r->text.len;
	     i++) {
		unsigned char c = (unsigned char)r->text.p[i];

		if (c == '\n') {
			at.line++;
			at.column = 0;
		} else if ((c & 0xc0) != 0x80) {
			at.column++;
		}
	}
	(void)snprintf(text, sizeof(text), "%s (0x%02X)", why,
	    (unsigned)r->parser.problem_value);
	return fail_at(r, &at, text);
}

static bool
is_tab_at(struct str text, const yaml_mark_t *at)
{
	struct str rest = text;

	for (size_t i = 0; i < at->line; i++)
		(void)str_split(&rest, '\n');
	/* before a tab that stops the scanner stands nothing but blanks */
	return at->column < rest.len && rest.p[at->column] == '\t';
}

static int
fail_parser(struct reading *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *why = p->problem == NULL ? "this is no YAML" : p->problem;
	char text[200];

	if (p->error == YAML_MEMORY_ERROR)
		return E_NOMEM;
	if (p->error == YAML_READER_ERROR)
		return fail_at_byte(r, why);
	if (is_tab_at(r->text, &p->problem_mark))
		return fail_at(r, &p->problem_mark,
		    "a tab cannot indent; spaces are expected");
	/* The two slips behind it; its own words do not tell beginners. */
	if (strcmp(why, "mapping values are not allowed in this context") == 0)
		return fail_at(r, &p->problem_mark,
		    "a key cannot stand here; is a space missing behind a "
		    "colon above, or a line indented wrongly?");
	if (p->context == NULL)
		return fail_at(r, &p->problem_mark, why);
	(void)snprintf(text, sizeof(text), "%s (%s that begins in line %zu)",
	    why, p->context, p->context_mark.line + 1);
	return fail_at(r, &p->problem_mark, text);
}

static int
next_event(struct reading *r, yaml_event_t *ev)
{
	return yaml_parser_parse(&r->parser, ev) == 1 ? E_OK : fail_parser(r);
}

/* ---- nodes ---- */

static struct ynode *
node_new(enum ynode_type type, const yaml_mark_t *at)
{
	struct ynode *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->type = type;
	n->line = (unsigned)at->line + 1;
	n->column = (unsigned)at->column + 1;
	return n;
}

void
ynode_free(struct ynode **np)
{
	struct ynode *n = *np;

	*np = NULL;
	while (n != NULL) {
		struct ynode *next = n->next;

		ynode_free(&n->first); /* as deep as YAML_DEPTH_MAX */
		free(n->key);
		free(n->text);
		free(n);
		n = next;
	}
}

static bool
copy_text(char **to, const char *from)
{
	*to = from == NULL ? NULL : str_dup(str_of(from));
	return from == NULL || *to != NULL;
}

struct ynode *
ynode_copy(const struct ynode *n)
{
	struct ynode *copy = malloc(sizeof(*copy)), **tail;

	if (copy == NULL)
		return NULL;
	*copy = *n;
	copy->first_one = NULL;
	copy->next = copy->first = NULL;
	copy->key = copy->text = NULL;
	tail = &copy->first;
	if (!copy_text(&copy->key, n->key) || !copy_text(&copy->text, n->text))
		goto fail;
	for (const struct ynode *i = n->first; i != NULL; i = i->next) {
		*tail = ynode_copy(i); /* as deep as YAML_DEPTH_MAX */
		if (*tail == NULL)
			goto fail;
		tail = &(*tail)->next;
	}
	return copy;
fail:
	ynode_free(&copy);
	return NULL;
}

static int
take_text(struct reading *r, const yaml_event_t *ev, char **out)
{
	struct str s = str_from((const char *)ev->data.scalar.value,
	    ev->data.scalar.length);

	if (str_find(s, '\0') >= 0)
		return fail_at(r, &ev->start_mark, "this text holds a NUL");
	*out = str_dup(s);
	return *out == NULL ? E_NOMEM : E_OK;
}

static int
read_scalar(struct reading *r, const yaml_event_t *ev, struct ynode **out)
{
	struct ynode *n = node_new(YNODE_SCALAR, &ev->start_mark);

	*out = n;
	if (n == NULL)
		return E_NOMEM;
	n->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	return take_text(r, ev, &n->text);
}

static int read_node(struct reading *, yaml_event_t *, struct ynode **);

static int
read_list(struct reading *r, struct ynode *list)
{
	struct ynode **tail = &list->first;

	for (;;) {
		yaml_event_t ev;
		int rc = next_event(r, &ev);

		if (rc != E_OK)
			return rc;
		if (ev.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&ev);
			return E_OK;
		}
		rc = read_node(r, &ev, tail);
		yaml_event_delete(&ev);
		if (rc != E_OK)
			return rc;
		tail = &(*tail)->next;
	}
}

static const char *
why_refused(const yaml_char_t *anchor, const yaml_char_t *tag)
{
	return anchor != NULL ? "anchors (&) are not supported"
	    : tag != NULL     ? "tags (!) are not supported"
	                      : NULL;
}

static int
read_key(struct reading *r, const yaml_event_t *ev, char **key)
{
	const char *why;

	if (ev->type != YAML_SCALAR_EVENT)
		return fail_at(r, &ev->start_mark, "a key must be a word");
	why = why_refused(ev->data.scalar.anchor, ev->data.scalar.tag);
	if (why != NULL)
		return fail_at(r, &ev->start_mark, why);
	return take_text(r, ev, key);
}

/* One "key: value", or the end of the map: then *out stays NULL. */
static int
read_pair(struct reading *r, const struct ynode *map, struct ynode **out)
{
	yaml_event_t ev;
	char *key = NULL;
	yaml_mark_t at;
	bool is_end;
	int rc = next_event(r, &ev);

	if (rc != E_OK)
		return rc;
	at = ev.start_mark;
	is_end = ev.type == YAML_MAPPING_END_EVENT;
	if (!is_end)
		rc = read_key(r, &ev, &key);
	yaml_event_delete(&ev);
	if (rc != E_OK || is_end)
		return rc;
	rc = next_event(r, &ev);
	if (rc == E_OK) {
		const struct ynode *before = ynode_get(map, key);

		rc = read_node(r, &ev, out);
		yaml_event_delete(&ev);
		if (*out != NULL)
			(*out)->first_one = before;
	}
	if (*out == NULL) {
		free(key);
		return rc;
	}
	(*out)->key = key;
	(*out)->key_line = (unsigned)at.line + 1;
	(*out)->key_column = (unsigned)at.column + 1;
	return rc;
}

static int
read_map(struct reading *r, struct ynode *map, const yaml_mark_t *at)
{
	struct ynode **tail = &map->first;

	for (unsigned n = 0;; n++) {
		int rc = read_pair(r, map, tail);

		if (rc != E_OK || *tail == NULL)
			return rc;
		if (n == YAML_KEYS_MAX)
			return fail_at(r, at, "this map has too many keys");
		tail = &(*tail)->next;
	}
}

static int
read_inside(struct reading *r, const yaml_event_t *ev, enum ynode_type type,
    struct ynode **out)
{
	int rc;

	*out = node_new(type, &ev->start_mark);
	if (*out == NULL)
		return E_NOMEM;
	if (++r->depth > YAML_DEPTH_MAX)
		return fail_at(r, &ev->start_mark, "this is nested too deeply");
	rc = type == YNODE_MAP ? read_map(r, *out, &ev->start_mark)
	                       : read_list(r, *out);
	r->depth--;
	return rc;
}

static int
read_node(struct reading *r, yaml_event_t *ev, struct ynode **out)
{
	const char *why = "aliases (*) are not supported";

	*out = NULL;
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		why = why_refused(ev->data.scalar.anchor, ev->data.scalar.tag);
		if (why != NULL)
			break;
		return read_scalar(r, ev, out);
	case YAML_SEQUENCE_START_EVENT:
		why = why_refused(ev->data.sequence_start.anchor,
		    ev->data.sequence_start.tag);
		if (why != NULL)
			break;
		return read_inside(r, ev, YNODE_LIST, out);
	case YAML_MAPPING_START_EVENT:
		why = why_refused(ev->data.mapping_start.anchor,
		    ev->data.mapping_start.tag);
		if (why != NULL)
			break;
		return read_inside(r, ev, YNODE_MAP, out);
	default:
		break;
	}
	return fail_at(r, &ev->start_mark, why);
}

/* ---- the document ---- */

static int
skip_event(struct reading *r, yaml_event_type_t *type, yaml_mark_t *at)
{
	yaml_event_t ev;
	int rc = next_event(r, &ev);

	if (rc != E_OK)
		return rc;
	*type = ev.type;
	*at = ev.start_mark;
	yaml_event_delete(&ev);
	return E_OK;
}

static int
read_document(struct reading *r, struct ynode **out)
{
	yaml_event_type_t type;
	yaml_event_t ev;
	yaml_mark_t at;
	int rc;

	rc = skip_event(r, &type, &at); /* start of the stream */
	if (rc == E_OK)
		rc = skip_event(r, &type, &at); /* a document, or the end */
	if (rc != E_OK || type == YAML_STREAM_END_EVENT)
		return rc;
	rc = next_event(r, &ev);
	if (rc != E_OK)
		return rc;
	rc = read_node(r, &ev, out);
	yaml_event_delete(&ev);
	if (rc == E_OK)
		rc = skip_event(r, &type, &at); /* end of the document */
	if (rc == E_OK)
		rc = skip_event(r, &type, &at);
	if (rc == E_OK && type != YAML_STREAM_END_EVENT)
		rc = fail_at(r, &at, "only one document is expected");
	return rc;
}

int
yaml_read(struct str text, struct ynode **out, struct yaml_error *error)
{
	struct reading r = { .text = text, .error = error };
	int rc;

	*out = NULL;
	memset(error, 0, sizeof(*error));
	if (text.len > YAML_BYTES_MAX) {
		(void)snprintf(error->why, sizeof(error->why),
		    "the file is longer than 1 MiB");
		return E_SYNTAX;
	}
	if (yaml_parser_initialize(&r.parser) != 1)
		return E_NOMEM;
	if (str_starts(text, BYTE_ORDER_MARK)) /* it is in no column */
		r.text = str_sub(text, BYTE_ORDER_MARK.len, text.len);
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser,
	    (const unsigned char *)(r.text.len == 0 ? "" : r.text.p),
	    r.text.len);
	rc = read_document(&r, out);
	yaml_parser_delete(&r.parser);
	if (rc != E_OK)
		ynode_free(out);
	return rc;
}

const struct ynode *
ynode_get(const struct ynode *map, const char *key)
{
	for (const struct ynode *n = map->first; n != NULL; n = n->next)
		if (n->key != NULL && strcmp(n->key, key) == 0)
			return n;
	return NULL;
}

bool
ynode_is_null(const struct ynode *n)
{
	return n->type == YNODE_SCALAR && !n->quoted &&
	    (n->text[0] == '\0' || strcmp(n->text, "~") == 0 ||
	        strcmp(n->text, "null") == 0);
}
