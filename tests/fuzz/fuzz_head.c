/*
 * Heads from strangers and from instances.  The first byte says whose:
 *
 *   q  requests            n  requests within narrow limits
 *   r  answers to a GET    h  to a HEAD    c  to a CONNECT
 *
 * What must hold for any input stands in tests/unit/http/drive.[ch]; of a
 * request that is read, the parts are read on as the proxy does.
 */
#include <string.h>

#include "base/err.h"
#include "tests/unit/http/drive.h"
#include "http/cookie.h"
#include "http/h1_read.h"
#include "http/target.h"

#define CUTS 6

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static const struct http_limits narrow = {
	.head_bytes = 120,
	.field_bytes = 40,
	.target_bytes = 20,
	.fields = 4,
};

static bool
setup(char kind, struct drive *d)
{
	*d = (struct drive){ .asked = METHOD_GET, .limits = drive_limits };
	d->is_response = strchr("rhc", kind) != NULL;
	switch (kind) {
	case 'n':
		d->limits = narrow;
		return true;
	case 'h':
		d->asked = METHOD_HEAD;
		return true;
	case 'c':
		d->asked = METHOD_CONNECT;
		return true;
	default:
		return kind == 'q' || kind == 'r';
	}
}

/* Cuts of its own for each input, and the same ones each time. */
static uint64_t
seed_of(struct str in)
{
	uint64_t seed = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < in.len; i++)
		seed = (seed ^ (unsigned char)in.p[i]) *
		    UINT64_C(0x100000001b3);
	return seed | 1;
}

static void
try_path(struct str target)
{
	static char once[70000], twice[70000];
	struct str path, query, name, value;
	bool ambiguous;
	size_t total = 0;
	ssize_t n, m;

	target_split(target, &path, &query);
	MUST(path.len + query.len + (query.p != NULL) == target.len);
	n = target_normalise(path, once, sizeof(once), &ambiguous);
	MUST(n > 0 || n == E_SYNTAX);
	if (n > 0) {
		MUST(once[0] == '/' && (size_t)n <= path.len + 1);
		MUST(memmem(once, (size_t)n, "//", 2) == NULL);
		MUST(memmem(once, (size_t)n, "/../", 4) == NULL);
		m = target_normalise(str_from(once, (size_t)n), twice,
		    sizeof(twice), &ambiguous);
		MUST(m == n && memcmp(once, twice, (size_t)n) == 0);
	}
	while (target_param_next(&query, &name, &value))
		total += name.len + value.len + 1;
	MUST(total <= target.len);
}

static void
try_cookies(const struct http_head *h)
{
	static char out[70000];

	for (unsigned i = 0; i < h->n; i++) {
		struct str v = str_from(h->f[i].value, h->f[i].value_len);
		struct str rest = v, name, value;
		ssize_t n;

		if (h->f[i].id != FIELD_COOKIE)
			continue;
		while (cookie_next(&rest, &name, &value))
			if (name.len > 0)
				MUST(cookie_find(h, name).p != NULL);
		n = cookie_without(v, STR("segue"), out, v.len);
		MUST(n >= 0 && (size_t)n <= v.len);
		rest = str_from(out, (size_t)n);
		while (cookie_next(&rest, &name, &value))
			MUST(!str_eq(name, STR("segue")));
	}
}

static void
try_parts(const struct drive *d, struct str in)
{
	static struct http_head h;
	struct h1_reader r;
	struct str host;
	uint16_t port;

	h1_reader_init(&r, false);
	if (h1_read_head(&r, in, &d->limits, METHOD_OTHER, &h) <= 0)
		return;
	MUST(h.authority.len == 0 ||
	    target_authority(h.authority, &host, &port));
	try_path(h.target);
	try_cookies(&h);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct drive_out out;
	struct drive d;
	struct str in;

	if (size == 0 || !setup((char)data[0], &d))
		return 0;
	in = str_from((const char *)data + 1, size - 1);
	drive_all(&d, in, CUTS, seed_of(in), &out);
	drive_free(&out);
	if (!d.is_response)
		try_parts(&d, in);
	return 0;
}
