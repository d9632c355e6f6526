/*
 * yaml - YAML text as a tree with lines and columns, and texts as YAML.  The
 * only door to libyaml.
 *
 * Read is one document of maps, lists and scalars.  Anchors, aliases, tags,
 * NUL bytes and a second document are refused; size, depth and keys per map
 * are bounded, so that memory and time are.
 *
 * Thread: any.
 */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

#define YAML_DEPTH_MAX 16
#define YAML_KEYS_MAX 512 /* of one map */
#define YAML_BYTES_MAX ((size_t)1 << 20)

enum ynode_type { YNODE_SCALAR, YNODE_LIST, YNODE_MAP };

struct ynode {
	enum ynode_type type;
	unsigned line, column;         /* where the value begins, from 1 */
	unsigned key_line, key_column; /* in a map: where the key begins */
	const struct ynode *first_one; /* borrowed: the same key stood there */
	char *key;                     /* in a map: its name; owned */
	char *text;                    /* scalar: the value; owned */
	bool quoted;                   /* scalar: so "null" is a text */
	const char *profile;           /* whose it is; NULL: the text's own */
	struct ynode *next;            /* sibling; owned */
	struct ynode *first;           /* child; owned */
};

struct yaml_error {
	unsigned line, column; /* line 0: of no place */
	char why[200];
};

/*
 * E_OK with *out to be freed (NULL for an empty document), E_NOMEM, or
 * E_SYNTAX with *error filled.  A key given twice is no error here: the later
 * one is in the tree too and has .first_one.
 */
int yaml_read(struct str text, struct ynode **out,
    struct yaml_error *error) MUST_CHECK;
void ynode_free(struct ynode **); /* NULL inside is fine */
/* One like it, and all inside, without siblings; NULL when memory is out. */
struct ynode *ynode_copy(const struct ynode *) MUST_CHECK;

/* First child of that name; NULL when there is none. */
const struct ynode *ynode_get(const struct ynode *map, const char *key);
/* Is it a scalar that stands for nothing (~, null, empty)? */
bool ynode_is_null(const struct ynode *);

/*
 * Appends s, which must be UTF-8, as a scalar that yaml_read() reads back
 * equal: in quotes, or bare where any YAML reader takes it for a text.
 */
void yaml_add_quoted(struct buf *, struct str s);
void yaml_add_text(struct buf *, struct str s);

#endif
