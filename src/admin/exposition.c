#include "admin/exposition.h"

#include <assert.h>
#include <stdio.h>

#include "base/clock.h"

#define OCTAVE_FIRST 8 /* 2^8 - 1 us */
#define OCTAVE_LAST 26

void
expo_add_label(struct expo_labels *l, const char *name, const char *value)
{
	assert(l->n < EXPO_LABELS_MAX);
	l->list[l->n++] = (struct expo_label){ name, value };
}

void
expo_family(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Backslash, quote and new line would end the value early. */
static void
add_value(struct buf *b, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '\\' || *value == '"')
			buf_add_char(b, '\\');
		if (*value == '\n')
			buf_add_cstr(b, "\\n");
		else
			buf_add_char(b, *value);
	}
}

static void
begin_sample(struct buf *b, const char *name, const char *suffix,
    const struct expo_labels *l)
{
	buf_printf(b, "%s%s", name, suffix);
	for (size_t i = 0; i < l->n; i++) {
		buf_printf(b, "%c%s=\"", i == 0 ? '{' : ',', l->list[i].name);
		add_value(b, l->list[i].value);
		buf_add_char(b, '"');
	}
	buf_add_cstr(b, l->n > 0 ? "} " : " ");
}

static void
end_u64(struct buf *b, uint64_t n)
{
	buf_printf(b, "%llu\n", (unsigned long long)n);
}

static void
end_seconds(struct buf *b, uint64_t us)
{
	buf_printf(b, "%llu.%06llu\n", (unsigned long long)(us / US_PER_S),
	    (unsigned long long)(us % US_PER_S));
}

void
expo_u64(struct buf *b, const char *name, const struct expo_labels *l,
    uint64_t n)
{
	begin_sample(b, name, "", l);
	end_u64(b, n);
}

void
expo_seconds(struct buf *b, const char *name, const struct expo_labels *l,
    uint64_t us)
{
	begin_sample(b, name, "", l);
	end_seconds(b, us);
}

static void
add_bucket(struct buf *b, const char *name, const struct expo_labels *l,
    const char *le, uint64_t n)
{
	struct expo_labels with = *l;

	expo_add_label(&with, "le", le);
	begin_sample(b, name, "_bucket", &with);
	end_u64(b, n);
}

void
expo_hist(struct buf *b, const char *name, const struct expo_labels *l,
    const struct hist *h)
{
	uint64_t total = hist_total(h);
	char le[32];

	for (int octave = OCTAVE_FIRST; octave <= OCTAVE_LAST; octave++) {
		uint64_t us = (UINT64_C(1) << octave) - 1;

		(void)snprintf(le, sizeof(le), "%llu.%06llu",
		    (unsigned long long)(us / US_PER_S),
		    (unsigned long long)(us % US_PER_S));
		add_bucket(b, name, l, le, hist_at_most(h, us));
	}
	add_bucket(b, name, l, "+Inf", total);
	begin_sample(b, name, "_sum", l);
	end_seconds(b, stat_get(&h->sum_us));
	begin_sample(b, name, "_count", l);
	end_u64(b, total);
}
