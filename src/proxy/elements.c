#include "proxy/elements.h"

#include <string.h>

struct text {
	char *p;
	size_t len;
};

static void
put(struct text *t, struct str s)
{
	if (s.len > 0)
		memcpy(t->p + t->len, s.p, s.len);
	t->len += s.len;
}

size_t
elements_room(const struct http_head *h)
{
	size_t room = http_head_value(h, FIELD_X_FORWARDED_HOST).len +
	    http_head_value(h, FIELD_X_FORWARDED_PROTO).len +
	    sizeof(";host=\"\";proto=");

	/* No element takes more beside its address. */
	room += ELEMENTS_MAX * sizeof(", for=unknown\"[]\"");
	for (unsigned i = 0; i < h->n; i++)
		if (h->f[i].id == FIELD_X_FORWARDED_FOR)
			room += h->f[i].value_len;
	return room;
}

static bool
is_made_of(struct str s, const char *bytes)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == '\0' || strchr(bytes, s.p[i]) == NULL)
			return false;
	return s.len > 0;
}

/* RFC 7239 6: IPv6 in brackets; those and ports in quotes. */
static void
put_node(struct text *t, struct str node)
{
	struct str rest = node;

	if (!is_made_of(node, "0123456789abcdefABCDEF.:[]")) {
		put(t, STR("unknown"));
		return;
	}
	(void)str_split(&rest, ':');
	if (rest.p == NULL) {
		put(t, node);
	} else if (node.p[0] == '[' || str_find(rest, ':') < 0) {
		put(t, STR("\""));
		put(t, node);
		put(t, STR("\""));
	} else {
		put(t, STR("\"["));
		put(t, node);
		put(t, STR("]\""));
	}
}

#define ALNUM "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static void
put_how(struct text *t, const struct http_head *h)
{
	struct str host = http_head_value(h, FIELD_X_FORWARDED_HOST);
	struct str proto = http_head_value(h, FIELD_X_FORWARDED_PROTO);

	if (is_made_of(host, ALNUM "-._~%!$&'()*+;=:[]")) {
		put(t, STR(";host=\""));
		put(t, host);
		put(t, STR("\""));
	}
	if (is_made_of(proto, ALNUM "+-.")) {
		put(t, STR(";proto="));
		put(t, proto);
	}
}

size_t
elements_write(const struct http_head *h, char *out)
{
	struct text t = { .len = 0 };
	struct str item;
	unsigned n = 0;

	t.p = out;
	for (unsigned i = 0; i < h->n; i++) {
		struct str rest = str_from(h->f[i].value, h->f[i].value_len);

		if (h->f[i].id != FIELD_X_FORWARDED_FOR ||
		    (h->f[i].flags & HF_DROP))
			continue;
		while (str_list_next(&rest, &item)) {
			if (n == ELEMENTS_MAX)
				return 0;
			put(&t, n == 0 ? STR("for=") : STR(", for="));
			put_node(&t, item);
			if (n++ == 0)
				put_how(&t, h);
		}
	}
	return t.len;
}
