#include "segue/table.h"

#include <stdint.h>
#include <stdlib.h>

#include "segue/text.h"

#define GAP 2 /* blanks between columns */

struct cell {
	size_t at, len; /* in texts */
	enum style style;
};

struct table {
	const struct table_column *columns; /* borrowed */
	size_t n_columns;
	struct buf texts;
	struct buf cells; /* of struct cell */
};

struct table *
table_new(const struct table_column *columns)
{
	struct table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->columns = columns;
	while (t->n_columns < TABLE_COLUMNS_MAX &&
	    columns[t->n_columns].name != NULL)
		t->n_columns++;
	return t;
}

void
table_free(struct table **tp)
{
	struct table *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	buf_free(&t->texts);
	buf_free(&t->cells);
	free(t);
}

void
table_add(struct table *t, enum style style, struct str text)
{
	struct cell c = { .style = style };

	if (t == NULL)
		return;
	c.at = t->texts.len;
	text_clean(&t->texts, str_trim(text));
	if (t->texts.len == c.at)
		buf_add_char(&t->texts, '-');
	c.len = t->texts.len - c.at;
	buf_add_char(&t->texts, '\n'); /* keeps runs of blanks apart */
	buf_add(&t->cells, &c, sizeof(c));
}

/* ---- reading it back ---- */

static size_t
count_rows(const struct table *t)
{
	size_t cells = t->cells.len / sizeof(struct cell);

	if (t->n_columns == 0)
		return 0;
	return (cells + t->n_columns - 1) / t->n_columns;
}

static struct str
text_of(const struct table *t, size_t row, size_t column, enum style *style)
{
	size_t i = row * t->n_columns + column;
	const struct cell *c = (const struct cell *)(const void *)t->cells.p;

	*style = STYLE_PLAIN;
	if (i >= t->cells.len / sizeof(*c))
		return STR("-");
	*style = c[i].style;
	return str_sub(buf_str(&t->texts), c[i].at, c[i].len);
}

static bool
is_quiet(const struct table *t, size_t column)
{
	const char *quiet = t->columns[column].quiet;
	enum style unused;

	if (quiet == NULL)
		return false;
	for (size_t row = 0; row < count_rows(t); row++) {
		struct str s = text_of(t, row, column, &unused);

		if (!str_eq(s, str_of(quiet)) && !str_eq(s, STR("-")))
			return false;
	}
	return true;
}

/* Columns it needs; 0: it is left out. */
static size_t
width_of(const struct table *t, size_t column)
{
	size_t most = text_width(str_of(t->columns[column].name));
	enum style unused;

	if (is_quiet(t, column))
		return 0;
	for (size_t row = 0; row < count_rows(t); row++)
		most = MAX(most, text_width(text_of(t, row, column, &unused)));
	return most;
}

static void
add_blanks(struct buf *out, size_t n)
{
	while (n-- > 0)
		buf_add_char(out, ' ');
}

struct line {
	const struct table *t;
	const size_t *width;
	bool colour;
	size_t owed; /* blanks before what comes next; none at a line's end */
};

static void
write_cell(struct line *l, size_t column, enum style style, struct str s,
    struct buf *out)
{
	size_t pad = l->width[column] - text_width(s);

	add_blanks(out, l->owed + (l->t->columns[column].right ? pad : 0));
	style_add(out, l->colour, style, s);
	l->owed = GAP + (l->t->columns[column].right ? 0 : pad);
}

void
table_write(const struct table *t, bool colour, size_t indent, struct buf *out)
{
	size_t width[TABLE_COLUMNS_MAX];
	struct line l = { t, width, colour, indent };

	if (t == NULL || t->cells.len == 0)
		return;
	if (t->texts.failed || t->cells.failed) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < t->n_columns; i++)
		width[i] = width_of(t, i);
	for (size_t i = 0; i < t->n_columns; i++)
		if (width[i] > 0)
			write_cell(&l, i, STYLE_DIM, str_of(t->columns[i].name),
			    out);
	buf_add_char(out, '\n');
	for (size_t row = 0; row < count_rows(t); row++) {
		l.owed = indent;
		for (size_t i = 0; i < t->n_columns; i++) {
			enum style style;
			struct str s = text_of(t, row, i, &style);

			if (width[i] > 0)
				write_cell(&l, i, style, s, out);
		}
		buf_add_char(out, '\n');
	}
}
