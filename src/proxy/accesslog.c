#include "proxy/accesslog.h"

#include <sys/types.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/grpc.h"
#include "proxy/preface.h"
#include "proxy/websocket.h"
#include "proxy/worker.h"
#include "session/digest.h"
#include "tls/stream.h"
#include "upstream/view.h"

#define FULL_BYTES 32768
#define KEPT_BYTES 262144 /* of a file that takes nothing */
#define MOMENT_US (250 * US_PER_MS)
#define TARGET_MAX 2048
#define SAID_MAX 255

static void
on_flush(struct deadline *d)
{
	accesslog_flush(CONTAINER_OF(d, struct accesslog, flush));
}

void
accesslog_init(struct accesslog *a, struct loop *loop, int fd)
{
	*a = (struct accesslog){ .loop = loop, .fd = fd, .lines = BUF_INIT };
	a->flush.fn = on_flush;
}

static void
flush_in(struct accesslog *a, uint64_t us)
{
	if (!a->flush.armed)
		deadline_set(a->loop, &a->flush, loop_now_us(a->loop) + us);
}

static void
drop_lines(struct accesslog *a)
{
	for (size_t i = 0; i < a->lines.len; i++)
		a->lost += a->lines.p[i] == '\n';
	buf_free(&a->lines);
}

static void
note_failure(struct accesslog *a, int code)
{
	if (!a->failing)
		log_error("event=access_log_failed why=\"%s\"",
		    code == E_AGAIN ? "its reader hangs" : err_text(code));
	a->failing = true;
}

static void
note_success(struct accesslog *a)
{
	if (a->failing || a->lost > 0)
		log_warn("event=access_log_back lines_lost=%llu",
		    (unsigned long long)a->lost);
	a->failing = false;
	a->lost = 0;
}

void
accesslog_flush(struct accesslog *a)
{
	ssize_t n;

	if (a->lines.failed) {
		note_failure(a, E_NOMEM);
		drop_lines(a);
		return;
	}
	if (a->lines.len == 0)
		return;
	n = file_write_lines(a->fd, buf_str(&a->lines));
	if (n > 0)
		buf_cut(&a->lines, (size_t)n);
	if (n < 0)
		note_failure(a, (int)n);
	if (a->lines.len > 0) {
		flush_in(a, n > 0 ? DEADLINE_TICK_US : MOMENT_US);
		return;
	}
	note_success(a);
	if (a->lines.cap > KEPT_BYTES / 2)
		buf_free(&a->lines);
}

void
accesslog_free(struct accesslog *a)
{
	accesslog_flush(a);
	drop_lines(a);
	if (a->lost > 0)
		log_warn("event=access_log_ends lines_lost=%llu",
		    (unsigned long long)a->lost);
	deadline_clear(a->loop, &a->flush);
}

static uint64_t
span_us(uint64_t from_us, uint64_t to_us)
{
	return from_us == 0 || to_us < from_us ? 0 : to_us - from_us;
}

/* Scheme, host and path alone: parameters and query may hold secrets. */
static struct str
without_secrets(struct str url)
{
	for (size_t i = 0; i < url.len; i++)
		if (url.p[i] == '?' || url.p[i] == ';')
			return str_sub(url, 0, i);
	return url;
}

static struct str
safe_target(const struct exchange *x, char *out)
{
	size_t n;

	if (x->proxy->digester == NULL)
		return str_sub(without_secrets(x->req.target), 0, TARGET_MAX);
	n = digest_target(x->proxy->digester, x->req.target, out, TARGET_MAX);
	return str_from(out, n);
}

/* What a balancer said of the connection, each as far as a line has room. */
static void
write_preface(struct json_out *j, const struct preface *p)
{
	const struct {
		const char *name;
		struct str said;
	} texts[] = { { "via_sni", p->said.authority },
		{ "via_alpn", p->said.alpn },
		{ "via_tls", p->said.tls_version },
		{ "via_id", p->said.unique_id } };

	json_kv_cstr(j, "via", p->via);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].said.len > 0)
			json_kv_str(j, texts[i].name,
			    str_sub(texts[i].said, 0, SAID_MAX));
}

static void
write_tls(struct json_out *j, const struct conn *c)
{
	if (!tls_is_on(c))
		return;
	json_kv_cstr(j, "tls", tls_version_name(tls_version_of(c)));
	json_kv_cstr(j, "cipher", tls_cipher(c));
	if (tls_sni(c).len > 0)
		json_kv_str(j, "sni", tls_sni(c));
}

static void
write_json(struct buf *out, const struct exchange *x, const char *when,
    const char *peer, uint64_t now)
{
	char target[TARGET_MAX], session[STR_HEX64_MAX];
	struct json_out j;

	json_begin(&j, out);
	json_begin_object(&j);
	json_kv_cstr(&j, "time", when);
	json_kv_cstr(&j, "client", peer);
	if (x->client->preface != NULL)
		write_preface(&j, x->client->preface);
	write_tls(&j, client_conn(x->client));
	if (x->req.method_text.len > 0) {
		json_kv_str(&j, "method", x->req.method_text);
		json_kv_str(&j, "host", x->req.authority);
		json_kv_str(&j, "target", safe_target(x, target));
	}
	if (x->passes) {
		json_kv_bool(&j, "passthrough", true);
		json_kv_str(&j, "sni", x->req.authority);
	}
	json_kv_u64(&j, "status", x->status);
	json_kv_cstr(&j, "outcome", outcome_name(x->outcome));
	if (x->bad != BAD_NONE)
		json_kv_cstr(&j, "reason", http_bad_name(x->bad));
	if (x->rule != 0)
		json_kv_u64(&j, "rule", x->rule);
	json_kv_cstr(&j, "service", x->service->name);
	if (x->pool != NULL) {
		json_kv_cstr(&j, "pool", x->pool->name);
		json_kv_cstr(&j, "cause", pool_cause_name(x->cause));
		if (x->scope != CFG_STICKY_NONE && !x->astray)
			json_kv_cstr(&j, "session",
			    str_put_hex64(x->pin.session, session));
	}
	if (x->inst != NULL || x->failed_at != NULL)
		json_kv_cstr(&j, "instance",
		    x->inst != NULL ? x->inst->name : x->failed_at);
	if (x->ws != NULL && websocket_code(x->ws) != 0) {
		json_kv_u64(&j, "close_code", websocket_code(x->ws));
		json_kv_cstr(&j, "closed_by", websocket_closer(x->ws));
	}
	if (x->grpc && x->grpc_status != GRPC_UNSAID)
		json_kv_u64(&j, "grpc_status", x->grpc_status);
	json_kv_u64(&j, "retries", x->retries);
	json_kv_u64(&j, "bytes_in", x->bytes_in);
	json_kv_u64(&j, "bytes_out", x->bytes_out);
	json_kv_micro(&j, "head_s", span_us(x->begun_us, x->head_us));
	json_kv_micro(&j, "first_byte_s", span_us(x->picked_us, x->first_us));
	json_kv_micro(&j, "total_s", span_us(x->begun_us, now));
	if (x->req.method_text.len > 0) {
		json_kv_str(&j, "request_id",
		    http_head_value(&x->req, FIELD_X_REQUEST_ID));
		json_kv_str(&j, "user_agent",
		    http_head_value(&x->req, FIELD_USER_AGENT));
	}
	json_end_object(&j);
	buf_add_char(out, '\n');
}

/* Quotes and controls of the combined format are escaped. */
static void
escaped(struct buf *out, struct str s)
{
	size_t from = 0;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x20 && c != '"' && c != '\\' && c < 0x7f)
			continue;
		buf_add_str(out, str_sub(s, from, i - from));
		buf_printf(out, "\\x%02x", c);
		from = i + 1;
	}
	buf_add_str(out, str_sub(s, from, s.len));
}

static void
quoted(struct buf *out, struct str s)
{
	buf_add_char(out, '"');
	escaped(out, s.len == 0 ? STR("-") : s);
	buf_add_char(out, '"');
}

static void
write_combined(struct buf *out, const struct exchange *x, const char *when,
    const char *peer)
{
	char target[TARGET_MAX];

	buf_add_cstr(out, peer);
	buf_add_cstr(out, " - - [");
	buf_add_cstr(out, when);
	buf_add_cstr(out, "] \"");
	if (x->req.method_text.len > 0) {
		escaped(out, x->req.method_text);
		buf_add_char(out, ' ');
		escaped(out, safe_target(x, target));
		buf_add_cstr(out,
		    x->req.h2               ? " HTTP/2.0"
		        : x->req.minor == 0 ? " HTTP/1.0"
		                            : " HTTP/1.1");
	} else {
		buf_add_char(out, '-');
	}
	buf_add_cstr(out, "\" ");
	buf_add_u64(out, x->status);
	buf_add_char(out, ' ');
	buf_add_u64(out, x->bytes_out);
	buf_add_char(out, ' ');
	if (x->req.method_text.len > 0) {
		quoted(out,
		    without_secrets(http_head_value(&x->req, FIELD_REFERER)));
		buf_add_char(out, ' ');
		quoted(out, http_head_value(&x->req, FIELD_USER_AGENT));
	} else {
		buf_add_cstr(out, "\"-\" \"-\"");
	}
	buf_add_char(out, '\n');
}

void
accesslog_write(struct accesslog *a, const struct exchange *x)
{
	const struct cfg *cfg = x->proxy->view->cfg;
	const char *peer = x->client->peer_text;
	char when[CLOCK_ISO_MAX];
	uint64_t now;

	if (a->fd == -1 || !cfg->access_on)
		return;
	if (a->lines.len >= KEPT_BYTES) {
		a->lost++;
		return;
	}
	now = loop_now_us(a->loop);
	clock_iso(proxy_wall_us(x->proxy) - (now - x->begun_us), when);
	if (cfg->access_format == CFG_ACCESS_JSON)
		write_json(&a->lines, x, when, peer, now);
	else
		write_combined(&a->lines, x, when, peer);
	if (a->lines.len >= FULL_BYTES && !a->failing)
		accesslog_flush(a);
	else
		flush_in(a, MOMENT_US);
}
