/*
 * load_client - one client: its sessions, its requests, what it must be
 * answered.
 */
#include <event2/buffer.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "tests/e2e/load.h"

static struct load *
load_of(const struct lclient *c)
{
	return CONTAINER_OF(c->asker.crowd, struct load, crowd);
}

static void
session_begin(struct lclient *c)
{
	asker_anew(&c->asker);
	c->value = -1;
	c->left = (unsigned)asker_about(load_of(c)->opt.session);
}

static void
pause_then_ask(struct lclient *c)
{
	const struct load_options *o = &load_of(c)->opt;
	bool eager = c->asker.number < o->eager;

	asker_pause(&c->asker, eager ? 0 : asker_about(o->think_us));
}

/* ---- answers ---- */

/* What had begun is lost: the next is a new session. */
void
lclient_failed(struct asker *a, enum fault why, const char *text)
{
	struct lclient *c = CONTAINER_OF(a, struct lclient, asker);

	count_failure(load_of(c), c, why, text);
	session_begin(c);
	pause_then_ask(c);
}

static bool
brings_id_back(const struct lclient *c)
{
	char id[LOAD_ID_MAX], echo[LOAD_ID_MAX];

	load_id_text(load_of(c), c->id, id);
	return answer_field(&c->asker.answer, "X-Echo", 0, echo,
	           sizeof(echo)) &&
	    strcmp(id, echo) == 0;
}

static void
judge_value(struct lclient *c)
{
	char name[TALLY_NAME_MAX];
	struct load *l = load_of(c);
	bool is_session = c->value == -1;
	int v = -1;

	if (answer_field(&c->asker.answer, l->opt.stays, 0, name, sizeof(name)))
		v = tally_value(&l->tally, name);
	if (!is_session && v != c->value)
		count_bounce(l, c, v);
	c->value = v;
	count_answer(l, c, is_session);
}

void
lclient_answered(struct asker *a)
{
	struct lclient *c = CONTAINER_OF(a, struct lclient, asker);
	int status = a->answer.status;

	if (status != 200) {
		lclient_failed(a, status >= 500 ? FAULT_SERVER : FAULT_STATUS,
		    "status");
		return;
	}
	if (!brings_id_back(c)) {
		lclient_failed(a, FAULT_FOREIGN, "another id, or none");
		return;
	}
	asker_keep_cookies(a);
	judge_value(c);
	if (--c->left == 0)
		session_begin(c);
	pause_then_ask(c);
}

/* ---- requests ---- */

void
load_id_text(const struct load *l, uint64_t id, char out[LOAD_ID_MAX])
{
	(void)snprintf(out, LOAD_ID_MAX, "%08x-%" PRIu64,
	    (unsigned)(l->run & 0xffffffffu), id);
}

static void
add_body(struct lclient *c, struct evbuffer *out, size_t len)
{
	char piece[1024];

	memset(piece, 'a' + (int)(c->id % 26), sizeof(piece));
	while (len > 0) {
		size_t n = MIN(len, sizeof(piece));

		(void)evbuffer_add(out, piece, n);
		len -= n;
	}
}

/* Half of the bodies have a length, half come in two chunks. */
static void
add_request(struct lclient *c, struct evbuffer *out)
{
	const struct load *l = load_of(c);
	const struct load_options *o = &l->opt;
	char id[LOAD_ID_MAX], cookies[JAR_LINE_MAX];
	size_t len = c->is_post ? random_below(o->body_max + 1) : 0;
	bool chunked = c->is_post && len > 1 && c->id % 2 == 0;

	load_id_text(l, c->id, id);
	jar_line(&c->asker.jar, cookies);
	(void)evbuffer_add_printf(out,
	    "%s %s?id=%s HTTP/1.1\r\nHost: %s\r\n%s%s",
	    c->is_post ? "POST" : "GET", c->is_post ? o->post : o->get, id,
	    l->crowd.target_text, cookies,
	    c->asker.keeps ? "" : "Connection: close\r\n");
	if (!c->is_post) {
		(void)evbuffer_add(out, "\r\n", 2);
	} else if (!chunked) {
		(void)evbuffer_add_printf(out, "Content-Length: %zu\r\n\r\n",
		    len);
		add_body(c, out, len);
	} else {
		(void)evbuffer_add_printf(out,
		    "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", len / 2);
		add_body(c, out, len / 2);
		(void)evbuffer_add_printf(out, "\r\n%zx\r\n", len - len / 2);
		add_body(c, out, len - len / 2);
		(void)evbuffer_add_printf(out, "\r\n0\r\n\r\n");
	}
}

void
lclient_ask(struct asker *a)
{
	struct lclient *c = CONTAINER_OF(a, struct lclient, asker);
	struct load *l = load_of(c);
	struct evbuffer *out;

	c->is_post = random_below(100) < l->opt.post_pct;
	c->id = ++l->serial;
	l->posts += c->is_post;
	out = asker_request(a);
	if (out != NULL)
		add_request(c, out);
}

void
lclient_start(struct load *l, struct lclient *c, unsigned number)
{
	asker_init(&c->asker, &l->crowd, number);
	session_begin(c);
	pause_then_ask(c);
}
