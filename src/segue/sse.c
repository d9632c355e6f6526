#include "segue/sse.h"

#include "base/err.h"

void
sse_init(struct sse *s, sse_event_fn *fn, void *arg)
{
	*s = (struct sse){ .fn = fn, .arg = arg };
}

void
sse_free(struct sse *s)
{
	buf_free(&s->line);
	buf_free(&s->id);
	buf_free(&s->event);
	buf_free(&s->data);
}

static const char *
text_of(const struct buf *b)
{
	return b->p == NULL ? "" : b->p;
}

static int
dispatch(struct sse *s)
{
	int rc = E_OK;

	if (s->has_data)
		rc = s->fn(text_of(&s->id),
		    s->event.len == 0 ? "message" : s->event.p,
		    str_from(text_of(&s->data), s->data.len), s->arg);
	buf_reset(&s->event);
	buf_reset(&s->data);
	s->has_data = false;
	return rc;
}

static void
set(struct buf *b, struct str value)
{
	buf_reset(b);
	buf_add_str(b, value);
	buf_add_cstr(b, "");
}

static void
take_field(struct sse *s, struct str line)
{
	struct str value = line, name = str_split(&value, ':');

	if (str_starts(value, STR(" ")))
		value = str_sub(value, 1, value.len);
	if (str_eq(name, STR("data"))) {
		if (s->has_data)
			buf_add_char(&s->data, '\n');
		buf_add_str(&s->data, value);
		s->has_data = true;
	} else if (str_eq(name, STR("event"))) {
		set(&s->event, value);
	} else if (str_eq(name, STR("id")) && str_find(value, '\0') == -1) {
		set(&s->id, value);
	}
}

static int
end_line(struct sse *s)
{
	struct str line = buf_str(&s->line);
	int rc = E_OK;

	if (!s->began && str_starts(line, STR("\xEF\xBB\xBF")))
		line = str_sub(line, 3, line.len);
	s->began = true;
	if (line.len == 0)
		rc = dispatch(s);
	else if (line.p[0] != ':')
		take_field(s, line);
	buf_reset(&s->line);
	if (s->line.failed || s->data.failed || s->id.failed || s->event.failed)
		return E_NOMEM;
	return rc;
}

int
sse_feed(struct sse *s, struct str in)
{
	int rc = E_OK;

	for (size_t i = 0; rc == E_OK && i < in.len; i++) {
		char c = in.p[i];
		bool joined = c == '\n' && s->after_cr;

		s->after_cr = c == '\r';
		if (joined)
			continue;
		if (c == '\n' || c == '\r')
			rc = end_line(s);
		else if (s->line.len + s->data.len >= SSE_EVENT_MAX)
			rc = E_TOOBIG;
		else
			buf_add_char(&s->line, c);
	}
	return rc;
}
