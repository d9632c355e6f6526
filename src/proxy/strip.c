#include "proxy/strip.h"

#include <string.h>

#include "config/edits.h"

enum {
	R_IDENTITY = 1, /* in that profile only */
	R_TWIN = 2,     /* with "_" it is nobody's word */
	R_CERT = 4      /* of a client's certificate */
};

struct row {
	struct str name; /* lower case; with "*": all that begin so */
	unsigned flags;
};

#define NAME(text)                                                             \
	{                                                                      \
		(text), sizeof(text) - 1                                       \
	}

/* By their first letter; those in http/head.h are known by number. */
/* clang-format off */
static const struct row in_b[] = {
	{ NAME("baggage"), R_IDENTITY },
	{ NAME("b3"), R_IDENTITY },
	{ { NULL, 0 }, 0 }
}, in_c[] = {
	{ NAME("client-cert"), R_CERT },
	{ NAME("client-cert-chain"), R_CERT },
	{ NAME("cert-chain*"), R_CERT },
	{ NAME("content-length"), R_TWIN },
	{ { NULL, 0 }, 0 }
}, in_s[] = {
	{ NAME("ssl-client-*"), R_CERT },
	{ { NULL, 0 }, 0 }
}, in_t[] = {
	{ NAME("tracestate"), R_IDENTITY },
	{ NAME("transfer-encoding"), R_TWIN },
	{ { NULL, 0 }, 0 }
}, in_u[] = {
	{ NAME("uber-trace-id"), R_IDENTITY },
	{ { NULL, 0 }, 0 }
}, in_x[] = {
	{ NAME("x-forwarded-*"), R_TWIN },
	{ NAME("x-real-ip"), R_TWIN },
	{ NAME("x-ssl"), R_CERT },
	{ NAME("x-ssl-*"), R_CERT },
	{ NAME("x-client-cert*"), R_CERT },
	{ NAME("x-request-id"), R_TWIN },
	{ NAME("x-original-*"), R_IDENTITY | R_TWIN },
	{ NAME("x-b3-*"), R_IDENTITY },
	{ NAME("x-ot-span-context"), R_IDENTITY },
	{ { NULL, 0 }, 0 }
};
/* clang-format on */

static const struct row *const by_letter[26] = {
	['b' - 'a'] = in_b,
	['c' - 'a'] = in_c,
	['s' - 'a'] = in_s,
	['t' - 'a'] = in_t,
	['u' - 'a'] = in_u,
	['x' - 'a'] = in_x,
};

#define BIT(id) (UINT64_C(1) << FIELD_##id)

static const uint64_t forwarding = BIT(FORWARDED) | BIT(X_FORWARDED_FOR) |
    BIT(X_FORWARDED_PROTO) | BIT(X_FORWARDED_HOST) | BIT(X_FORWARDED_PORT);

static bool
has_underscore(const struct http_field *f)
{
	return memchr(f->name, '_', f->name_len) != NULL;
}

static const struct row *
rows_for(const struct http_field *f)
{
	unsigned letter = (unsigned)((f->name[0] | 0x20) - 'a');

	return letter < ARRAY_LEN(by_letter) ? by_letter[letter] : NULL;
}

static bool
is_stripped(const struct http_field *f, enum cfg_profile profile, bool trusted)
{
	const struct row *r = rows_for(f);

	for (; r != NULL && r->name.p != NULL; r++) {
		if ((r->flags & R_IDENTITY) && profile != CFG_PROFILE_IDENTITY)
			continue;
		if (trusted && !(r->flags & R_TWIN))
			continue;
		if (edit_fits(r->name, str_from(f->name, f->name_len)))
			return !trusted || has_underscore(f);
	}
	return false;
}

static void
strip_others(struct http_head *h, enum cfg_profile profile, bool trusted)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->f[i].id == FIELD_OTHER &&
		    is_stripped(&h->f[i], profile, trusted))
			h->f[i].flags |= HF_DROP;
}

void
strip_request(struct http_head *h, enum cfg_profile profile, bool trusted)
{
	strip_others(h, profile, trusted);
	if (!trusted && profile == CFG_PROFILE_IDENTITY)
		http_head_drop(h, FIELD_TRACEPARENT);
}

void
strip_trailers(struct http_head *h, enum cfg_profile profile)
{
	strip_others(h, profile, false);
	for (unsigned i = 0; i < h->n; i++)
		if (((forwarding >> h->f[i].id) & 1) ||
		    h->f[i].id == FIELD_X_REQUEST_ID ||
		    (h->f[i].id == FIELD_TRACEPARENT &&
		        profile == CFG_PROFILE_IDENTITY))
			h->f[i].flags |= HF_DROP;
}

static bool
is_of_certificate(const struct http_field *f)
{
	const struct row *r = rows_for(f);

	for (; r != NULL && r->name.p != NULL; r++)
		if ((r->flags & R_CERT) &&
		    edit_fits(r->name, str_from(f->name, f->name_len)))
			return true;
	return false;
}

void
strip_certificates(struct http_head *h)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->f[i].id == FIELD_OTHER && is_of_certificate(&h->f[i]))
			h->f[i].flags |= HF_DROP;
}
