#include "proxy/artifact.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "http/target.h"
#include "net/loop.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/route.h"
#include "proxy/worker.h"
#include "session/artifact.h"
#include "session/digest.h"
#include "session/issuers.h"
#include "session/jwt.h"
#include "upstream/view.h"

/* More than is kept of a form whose length nobody says: it is read in pieces. */
#define FORM_ROOM (ARTIFACT_FORM_MAX + ((size_t)64 << 10))
#define LOOKS_MAX ISSUERS_ASK_MAX
/* So long what the store has said is not asked for again. */
#define HEARD_US (600 * US_PER_S)

/* From which of its bytes what is found: session/artifact. */
typedef void learn_fn(struct str, artifact_fn *, void *arg);

struct forms {
	struct buf request; /* its form */
	struct buf answer;  /* what is learned from */
	learn_fn *learns;   /* of the answer; NULL: nothing */
	size_t counted;     /* bytes of both, in what the proxy has spilled */
	size_t room;        /* ... of the answer */
	uint64_t unknown[LOOKS_MAX][2]; /* keys that the store may know */
	size_t n_unknown;
	bool pins;              /* they came in a query */
	struct issuer_ask *ask; /* under way; NULL: none */
};

static struct forms *
forms_of(struct exchange *x)
{
	if (x->forms == NULL)
		x->forms = calloc(1, sizeof(*x->forms));
	return x->forms;
}

/* A buffer that grows leaves copies behind: it has its size at once. */
static bool
reserve(struct exchange *x, struct buf *b, const struct http_head *h,
    size_t most)
{
	buf_reserve(b, h->framing == FRAMING_LENGTH ? h->body_len : most);
	x->forms->counted += b->cap;
	x->proxy->spilled_bytes += b->cap;
	return !b->failed;
}

void
artifact_free(struct exchange *x)
{
	issuers_forget(x->proxy->env.issuers, &x->forms->ask);
	buf_wipe(&x->forms->request);
	buf_wipe(&x->forms->answer);
	x->proxy->spilled_bytes -= x->forms->counted;
	free(x->forms);
	x->forms = NULL;
}

/* ---- what is asked for ---- */

static enum cfg_shared
shared(const struct exchange *x)
{
	const struct view_service *vs = route_service_now(x);

	return vs == NULL ? CFG_SHARED_FULL : vs->cfg->shared_state;
}

static bool
key_of(const struct exchange *x, struct str value, struct artifact_key *key)
{
	return x->proxy->digester != NULL &&
	    digest_pair(x->proxy->digester, value, key->half);
}

/* Has it users?  Who can make up a token sends nobody to one that has none. */
static bool
has_users(const struct view_service *vs, uint64_t pool)
{
	for (size_t i = 0; i < vs->n_pools; i++)
		if (vs->pools[i].pool->name_hash == pool)
			return vs->pools[i].in_use;
	return false;
}

/*
 * The one pool that has the key by which a token says it is signed; which
 * proves nothing: no session goes elsewhere, or begins, by that.
 */
static uint64_t
pool_by_key(const struct exchange *x, struct str token)
{
	const struct view_service *vs = route_service_now(x);
	char bytes[JWT_KID_MAX];
	struct str kid;
	uint64_t pool;

	if (vs == NULL || x->pinned || vs->cfg->jwks.n_paths == 0 ||
	    vs->cfg->shared_state != CFG_SHARED_NONE)
		return 0;
	kid = jwt_kid(token, bytes);
	if (kid.len == 0)
		return 0;
	pool = jwks_pool_of(&x->service->jwks, kid);
	return has_users(vs, pool) ? pool : 0;
}

/* .artifact is who has issued it, if that is known. */
static void
look_up(struct exchange *x, struct str value, bool by_key)
{
	struct artifact_key key;
	bool several;

	if (!key_of(x, value, &key))
		return;
	x->artifact = artifacts_get(&x->service->artifacts, key,
	    loop_now_us(x->proxy->env.loop));
	several = x->artifact == ARTIFACTS_SEVERAL;
	if (several)
		x->artifact = 0;
	else if (x->artifact == 0 && by_key)
		x->artifact = pool_by_key(x, value);
	if (x->artifact != 0)
		stat_add(&x->scell->artifacts_found, 1);
	else if (several || x->proxy->env.issuers == NULL ||
	    forms_of(x) == NULL || x->forms->n_unknown == LOOKS_MAX)
		stat_add(&x->scell->artifacts_unknown, 1);
	else
		memcpy(x->forms->unknown[x->forms->n_unknown++], key.half,
		    sizeof(key.half));
}

typedef struct str next_fn(struct str all, bool states, struct str *rest,
    char out[ARTIFACT_VALUE_MAX]);

/*
 * The first of a few that is known.  A pin knows better than a state, which
 * is anybody's who is led to somewhere.
 */
static void
look_in(struct exchange *x, struct str params, next_fn *next, bool by_key)
{
	char bytes[ARTIFACT_VALUE_MAX];
	struct str rest = params, value;

	for (int i = 0; i < LOOKS_MAX && x->artifact == 0; i++) {
		value = next(params, !x->pinned, &rest, bytes);
		if (value.p == NULL)
			return;
		look_up(x, value, by_key);
		explicit_bzero(bytes, value.len);
	}
}

/* RFC 6750 2.1 */
static struct str
bearer(const struct exchange *x)
{
	struct str v = http_head_value_of(&x->req, STR("authorization"));
	struct str scheme = str_split(&v, ' ');

	return str_caseeq(scheme, STR("bearer")) ||
	        str_caseeq(scheme, STR("dpop"))
	    ? str_trim(v)
	    : (struct str){ NULL, 0 };
}

static bool
is_of_type(const struct http_head *h, struct str type)
{
	struct str value = http_head_value(h, FIELD_CONTENT_TYPE);

	return str_caseeq(str_trim(str_split(&value, ';')), type);
}

/* One whose end is to come. */
static bool
has_form(const struct exchange *x)
{
	const struct http_head *h = &x->req;

	return h->method == METHOD_POST && !x->tunnel_asked &&
	    http_head_value_of(h, STR("trailer")).len == 0 &&
	    (h->framing == FRAMING_CHUNKED ||
	        (h->framing == FRAMING_LENGTH && h->body_len > 0 &&
	            h->body_len <= ARTIFACT_FORM_MAX)) &&
	    is_of_type(h, STR("application/x-www-form-urlencoded"));
}

/* Of a browser's session, which goes to another pool only between pages. */
static void
look_in_query(struct exchange *x)
{
	struct str path, query;

	if (x->pinned && !route_is_safe_point(x))
		return;
	target_split(x->req.target, &path, &query);
	look_in(x, query, artifact_in_query, false);
	x->artifact_pins = x->artifact != 0;
	if (x->forms != NULL)
		x->forms->pins = true;
}

/* ---- what the store knows ---- */

static void
note_heard(struct exchange *x, uint64_t pool)
{
	uint64_t now = loop_now_us(x->proxy->env.loop);
	struct forms *f = x->forms;
	struct artifact_key key;

	x->artifact = pool;
	if (pool == 0) {
		stat_add(&x->scell->artifacts_unknown, f->n_unknown);
		return;
	}
	stat_add(&x->scell->artifacts_found, 1);
	x->artifact_pins = f->pins;
	if (f->n_unknown > 1)
		return; /* one of them */
	memcpy(key.half, f->unknown[0], sizeof(key.half));
	artifacts_put(&x->service->artifacts, ARTIFACTS_TOKEN, key, pool,
	    now + HEARD_US, now);
}

static void
on_heard(uint64_t pool, void *arg)
{
	struct exchange *x = arg;

	note_heard(x, pool);
	if (x->step != STEP_LOOKUP)
		return; /* it was answered at once */
	x->forms->ask = NULL;
	x->step = STEP_HEAD;
	exchange_go_on(x);
}

/* True: it waits for the store, in step LOOKUP. */
static bool
ask_store(struct exchange *x)
{
	struct forms *f = x->forms;

	if (x->artifact != 0 || f == NULL || f->n_unknown == 0)
		return false;
	f->ask = issuers_ask(x->proxy->env.issuers, str_of(x->service->name),
	    f->unknown, f->n_unknown, on_heard, x);
	if (f->ask == NULL)
		return false;
	x->step = STEP_LOOKUP;
	x->vs = NULL; /* the view is not ours beyond this turn */
	client_wait_for(x->client, WAIT_NONE);
	lane_pause(&x->client->lane);
	return true;
}

/* By our 100, in place of the instance's (RFC 9110 10.1.1). */
static bool
ask_for_it(struct exchange *x)
{
	struct http_head h;

	memset(&h, 0, offsetof(struct http_head, f));
	h.status = 100;
	h.reason = STR("Continue");
	x->awaits_continue = x->req.expect_continue = false;
	http_head_drop(&x->req, FIELD_EXPECT);
	return lane_send_head(&x->client->lane, &h, FRAMING_NONE, 0) == E_OK &&
	    lane_flush(&x->client->lane) == E_OK;
}

bool
artifact_begin(struct exchange *x)
{
	struct str token;

	if (shared(x) == CFG_SHARED_FULL || x->asset != 0 ||
	    (x->pinned && x->pin.trial))
		return false;
	token = bearer(x);
	if (token.len > 0)
		look_up(x, token, true);
	else if (http_method_is_safe(x->req.method))
		look_in_query(x);
	if (x->artifact != 0)
		return false;
	if (!has_form(x))
		return ask_store(x);
	if (forms_of(x) == NULL ||
	    !reserve(x, &x->forms->request, &x->req, FORM_ROOM))
		return false;
	x->step = STEP_FORM;
	x->vs = NULL; /* the view is not ours beyond this turn */
	if (x->awaits_continue && !ask_for_it(x))
		exchange_abort(x, 503, OUT_INTERNAL);
	else
		client_wait_for(x->client, WAIT_BODY);
	return true;
}

static void
go_on(struct exchange *x)
{
	x->step = STEP_HEAD;
	client_wait_for(x->client, WAIT_NONE);
	exchange_go(x);
}

void
artifact_form(struct exchange *x, struct str bytes)
{
	struct buf *form = &x->forms->request;

	client_wait_for(x->client, WAIT_BODY);
	buf_add_str(form, bytes);
	if (form->failed)
		exchange_abort(x, 503, OUT_INTERNAL);
	else if (form->len > ARTIFACT_FORM_MAX)
		go_on(x);
}

void
artifact_form_end(struct exchange *x)
{
	look_in(x, buf_str(&x->forms->request), artifact_in_form, true);
	if (ask_store(x))
		return;
	go_on(x);
	if (x->step == STEP_SEND)
		(void)exchange_flush_up(x);
}

struct str
artifact_form_read(const struct exchange *x)
{
	return x->forms == NULL ? (struct str){ NULL, 0 }
	                        : buf_str(&x->forms->request);
}

const struct view_pool *
artifact_pool(const struct exchange *x, const struct view_service *vs)
{
	for (size_t i = 0; i < vs->n_pools; i++)
		if (vs->pools[i].pool->name_hash == x->artifact)
			return vs->pools[i].serves &&
			        vs->pools[i].n_eligible > 0
			    ? &vs->pools[i]
			    : NULL;
	return NULL;
}

/* ---- what is learned ---- */

struct lesson {
	struct exchange *x;
	enum cfg_shared shared;
};

static enum artifacts_part
part_of(enum artifact kind)
{
	if (artifact_is_state(kind))
		return ARTIFACTS_STATE;
	return artifact_is_of_flow(kind) ? ARTIFACTS_FLOW : ARTIFACTS_TOKEN;
}

static void
learn(enum artifact kind, struct str value, uint64_t ttl_s, void *arg)
{
	const struct lesson *l = arg;
	struct exchange *x = l->x;
	uint64_t now = loop_now_us(x->proxy->env.loop);
	struct artifact_key key;

	if (value.len > ARTIFACT_VALUE_MAX ||
	    (l->shared == CFG_SHARED_DB && !artifact_is_of_flow(kind)) ||
	    !key_of(x, value, &key))
		return;
	artifacts_put(&x->service->artifacts, part_of(kind), key,
	    x->pool->name_hash, now + ttl_s * US_PER_S, now);
	if (x->proxy->env.issuers != NULL)
		issuers_tell(x->proxy->env.issuers, str_of(x->service->name),
		    key.half, str_of(x->pool->name), ttl_s);
	stat_add(&x->scell->artifacts_learned, 1);
}

/* Before the client can know it. */
static void
tell_store(struct exchange *x)
{
	if (x->proxy->env.issuers != NULL)
		issuers_flush(x->proxy->env.issuers);
}

static bool
is_readable(const struct http_head *h)
{
	return (h->framing == FRAMING_CHUNKED || h->framing == FRAMING_CLOSE ||
	           (h->framing == FRAMING_LENGTH &&
	               h->body_len <= ARTIFACT_ANSWER_MAX)) &&
	    http_head_value_of(h, STR("content-encoding")).len == 0;
}

/*
 * OAuth's answers with a code or token are JSON, to a POST, or for a browser a
 * page whose form it sends on.  NULL: it is none of these.
 */
static learn_fn *
teaches(const struct exchange *x, const struct http_head *h)
{
	bool posts = x->req.method == METHOD_POST;

	if (h->status == 200 && (posts || x->req.method == METHOD_GET) &&
	    is_of_type(h, STR("text/html")) && is_readable(h))
		return artifact_in_page;
	if (posts && (h->status == 200 || h->status == 201) &&
	    is_of_type(h, STR("application/json")) && is_readable(h))
		return artifact_in_json;
	return NULL;
}

void
artifact_head(struct exchange *x, const struct http_head *h)
{
	struct lesson l = { x, shared(x) };
	learn_fn *fn;

	if (l.shared == CFG_SHARED_FULL)
		return;
	if (HTTP_HAS(h, LOCATION) && h->status / 100 == 3) {
		artifact_in_location(http_head_value(h, FIELD_LOCATION), learn,
		    &l);
		tell_store(x);
	}
	fn = teaches(x, h);
	if (fn == NULL || forms_of(x) == NULL)
		return;
	if (reserve(x, &x->forms->answer, h, ARTIFACT_ANSWER_MAX))
		x->forms->learns = fn;
	x->forms->room = x->forms->answer.cap;
}

/* Its client may take its time; that is no reason to keep it. */
static void
forget_answer(struct exchange *x)
{
	struct forms *f = x->forms;

	f->learns = NULL;
	f->counted -= f->room;
	x->proxy->spilled_bytes -= f->room;
	f->room = 0;
	buf_wipe(&f->answer);
}

void
artifact_data(struct exchange *x, struct str bytes)
{
	struct buf *b = &x->forms->answer;

	if (x->forms->learns == NULL)
		return;
	if (b->len + bytes.len > ARTIFACT_ANSWER_MAX)
		forget_answer(x);
	else
		buf_add_str(b, bytes);
}

void
artifact_end(struct exchange *x)
{
	struct lesson l = { x, shared(x) };
	struct forms *f = x->forms;

	if (f->learns == NULL)
		return;
	if (!f->answer.failed)
		f->learns(buf_str(&f->answer), learn, &l);
	forget_answer(x);
	tell_store(x);
}
