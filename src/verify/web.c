#include "verify/web.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 5000L

struct web {
	CURL *curl;
	struct web_options o;   /* without the session */
	struct buf names;       /* of its cookies, as a list */
	struct curl_slist *via; /* owned */
	bool moved;
	struct web_call *call; /* the one under way */
};

/* ---- addresses ---- */

/* A part of a URL, to be freed with curl_free(); NULL: it has none. */
static char *
part_of(const char *url, CURLUPart part)
{
	CURLU *u = curl_url();
	char *out = NULL;

	if (u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK)
		(void)curl_url_get(u, part, &out, CURLU_DEFAULT_PORT);
	curl_url_cleanup(u);
	return out;
}

static bool
same_part(const char *a, const char *b, CURLUPart part)
{
	char *x = part_of(a, part), *y = part_of(b, part);
	bool same = x != NULL && y != NULL && str_caseeq(str_of(x), str_of(y));

	curl_free(x);
	curl_free(y);
	return same;
}

bool
web_same_origin(const char *a, const char *b)
{
	return same_part(a, b, CURLUPART_SCHEME) &&
	    same_part(a, b, CURLUPART_HOST) && same_part(a, b, CURLUPART_PORT);
}

bool
web_resolve(const char *base, const char *ref, struct buf *out)
{
	CURLU *u = curl_url();
	char *full = NULL;
	bool ok;

	buf_reset(out);
	ok = u != NULL && curl_url_set(u, CURLUPART_URL, base, 0) == CURLUE_OK;
	if (ok && *ref != '\0')
		ok = curl_url_set(u, CURLUPART_URL, ref, 0) == CURLUE_OK;
	ok = ok && curl_url_get(u, CURLUPART_URL, &full, 0) == CURLUE_OK;
	if (ok)
		buf_add_cstr(out, full);
	curl_free(full);
	curl_url_cleanup(u);
	return ok && !out->failed;
}

void
web_escape(struct buf *out, const char *text)
{
	char *escaped = curl_easy_escape(NULL, text, 0);

	if (escaped == NULL)
		out->failed = true;
	else
		buf_add_cstr(out, escaped);
	curl_free(escaped);
}

void
web_add_param(struct buf *out, const char *name, const char *value)
{
	if (out->len > 0)
		buf_add_char(out, '&');
	web_escape(out, name);
	buf_add_char(out, '=');
	web_escape(out, value);
}

bool
web_param(const char *url, const char *name, struct buf *out)
{
	struct str rest = str_of(url);
	bool found = false;

	buf_reset(out);
	rest = str_split(&rest, '#');
	(void)str_split(&rest, '?');
	while (!found && rest.len > 0) {
		struct str value = str_split(&rest, '&');
		int n = 0;
		char *plain;

		if (!str_eq(str_split(&value, '='), str_of(name)))
			continue;
		plain = curl_easy_unescape(NULL, value.len == 0 ? "" : value.p,
		    (int)value.len, &n);
		if (plain != NULL)
			buf_add(out, plain, (size_t)n);
		curl_free(plain);
		found = true;
	}
	return found && out->len > 0;
}

/* ---- what comes ---- */

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct web_call *c = ((struct web *)arg)->call;

	if (c->body.len + size * n > WEB_BODY_MAX)
		return 0;
	buf_add(&c->body, p, size * n);
	return c->body.failed ? 0 : size * n;
}

static bool
is_ours(const struct web *w, struct str name)
{
	struct str rest = buf_str(&w->names), one;

	while (name.len > 0 && str_list_next(&rest, &one))
		if (str_eq(name, one))
			return true;
	return false;
}

static void
take_location(struct web_call *c, struct str value)
{
	while (value.len > 0 && strchr("\r\n", value.p[value.len - 1]) != NULL)
		value.len--;
	buf_reset(&c->location);
	buf_add_str(&c->location, str_trim(value));
}

static size_t
on_field(char *p, size_t size, size_t n, void *arg)
{
	struct web *w = arg;
	struct str value = str_from(p, size * n);
	struct str name = str_split(&value, ':');

	if (str_caseeq(name, STR("set-cookie")))
		w->moved |= is_ours(w, str_trim(str_split(&value, '=')));
	else if (str_caseeq(name, STR("location")))
		take_location(w->call, value);
	return size * n;
}

/* ---- life ---- */

static void
set_session(struct web *w)
{
	char *host = part_of(w->o.url, CURLUPART_HOST);
	bool secure = str_casestarts(str_of(w->o.url), STR("https:"));
	struct buf line = BUF_INIT;

	buf_printf(&w->names, "%s,%s", w->o.cookie, w->o.cookie_tls);
	if (host != NULL && host[0] == '[') { /* libcurl's jar has none */
		memmove(host, host + 1, strlen(host));
		host[strcspn(host, "]")] = '\0';
	}
	if (host != NULL)
		buf_printf(&line, "%s\tFALSE\t/\t%s\t0\t%s\t%s", host,
		    secure ? "TRUE" : "FALSE",
		    secure ? w->o.cookie_tls : w->o.cookie, w->o.value);
	if (line.len > 0 && !line.failed)
		(void)curl_easy_setopt(w->curl, CURLOPT_COOKIELIST, line.p);
	buf_free(&line);
	curl_free(host);
}

static bool
set_via(struct web *w)
{
	char *host = part_of(w->o.url, CURLUPART_HOST);
	struct buf row = BUF_INIT;

	if (host != NULL)
		buf_printf(&row, "%s::%s", host, w->o.via);
	if (row.len > 0 && !row.failed)
		w->via = curl_slist_append(NULL, row.p);
	buf_free(&row);
	curl_free(host);
	return w->via != NULL &&
	    curl_easy_setopt(w->curl, CURLOPT_CONNECT_TO, w->via) == CURLE_OK;
}

static bool
set_up(struct web *w, char *why, size_t cap)
{
	CURL *c = w->curl;
	char *host = part_of(w->o.url, CURLUPART_HOST);
	bool known = host != NULL &&
	    (str_casestarts(str_of(w->o.url), STR("http:")) ||
	        str_casestarts(str_of(w->o.url), STR("https:")));

	curl_free(host);
	if (!known) {
		(void)snprintf(why, cap,
		    "\"%.200s\" is no URL that begins with https:// or http://",
		    w->o.url);
		return false;
	}
	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c, CURLOPT_COOKIEFILE, ""); /* a jar in memory */
	(void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(c, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(c, CURLOPT_USERAGENT, "segue-verify");
	(void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	(void)curl_easy_setopt(c, CURLOPT_TIMEOUT_MS,
	    (long)(w->o.limit_us / 1000));
	(void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(c, CURLOPT_WRITEDATA, w);
	(void)curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_field);
	(void)curl_easy_setopt(c, CURLOPT_HEADERDATA, w);
	if (w->o.ca != NULL)
		(void)curl_easy_setopt(c, CURLOPT_CAINFO, w->o.ca);
	if (w->o.value != NULL)
		set_session(w);
	if (w->o.via != NULL && !set_via(w)) {
		(void)snprintf(why, cap, "\"%.200s\" cannot be connected to",
		    w->o.via);
		return false;
	}
	return true;
}

struct web *
web_new(const struct web_options *o, char *why, size_t cap)
{
	struct web *w = calloc(1, sizeof(*w));

	if (w != NULL) {
		w->o = *o;
		w->curl = curl_easy_init();
	}
	if (w == NULL || w->curl == NULL)
		(void)snprintf(why, cap, "out of memory");
	else if (set_up(w, why, cap)) {
		w->o.cookie = w->o.cookie_tls = w->o.value = NULL;
		return w;
	}
	web_free(&w);
	return NULL;
}

void
web_free(struct web **wp)
{
	struct web *w = *wp;

	if (w == NULL)
		return;
	curl_easy_cleanup(w->curl);
	curl_slist_free_all(w->via);
	buf_free(&w->names);
	free(w);
	*wp = NULL;
}

bool
web_was_moved(const struct web *w)
{
	return w->moved;
}

/* ---- a call ---- */

static void
set_request(CURL *c, const struct web_call *call)
{
	if (call->form.len > 0) {
		(void)curl_easy_setopt(c, CURLOPT_POST, 1L);
		(void)curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE,
		    (long)call->form.len);
		(void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, call->form.p);
	} else {
		(void)curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
	}
	(void)curl_easy_setopt(c, CURLOPT_URL, call->url);
	(void)curl_easy_setopt(c, CURLOPT_USERNAME, call->user);
	(void)curl_easy_setopt(c, CURLOPT_PASSWORD, call->secret);
	(void)curl_easy_setopt(c, CURLOPT_HTTPAUTH,
	    call->bearer != NULL ? CURLAUTH_BEARER : CURLAUTH_BASIC);
	(void)curl_easy_setopt(c, CURLOPT_XOAUTH2_BEARER, call->bearer);
}

static struct curl_slist *
fields_of(const struct web_call *call)
{
	struct buf line = BUF_INIT;
	struct curl_slist *list = NULL;

	if (call->accept != NULL)
		buf_printf(&line, "Accept: %s", call->accept);
	if (line.len > 0 && !line.failed)
		list = curl_slist_append(NULL, line.p);
	buf_free(&line);
	return list;
}

/*
 * That of an app ("com.example:/back") stays as it is, and is nothing that
 * libcurl could read.
 */
static void
complete(struct web_call *c)
{
	const char *text = c->location.p;
	size_t scheme = strcspn(text, ":/?#");
	struct buf full = BUF_INIT;

	if (scheme > 0 && text[scheme] == ':')
		return;
	if (!web_resolve(c->url, text, &full))
		buf_reset(&full);
	buf_free(&c->location);
	c->location = full;
}

static void
take_answer(CURL *c, struct web_call *call)
{
	char *text = NULL;
	curl_off_t us = 0;

	(void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &call->status);
	(void)curl_easy_getinfo(c, CURLINFO_TOTAL_TIME_T, &us);
	call->took_us = (uint64_t)us;
	if (call->status < 300 || call->status > 399)
		buf_reset(&call->location);
	if (call->location.len > 0)
		complete(call);
	(void)curl_easy_getinfo(c, CURLINFO_CONTENT_TYPE, &text);
	call->is_html = text != NULL &&
	    (str_casestarts(str_of(text), STR("text/html")) ||
	        str_casestarts(str_of(text), STR("application/xhtml")));
}

bool
web_call(struct web *w, struct web_call *call)
{
	char error[CURL_ERROR_SIZE] = "";
	struct curl_slist *fields = fields_of(call);
	CURLcode rc;

	buf_reset(&call->body);
	buf_reset(&call->location);
	call->why[0] = '\0';
	w->call = call;
	set_request(w->curl, call);
	(void)curl_easy_setopt(w->curl, CURLOPT_HTTPHEADER, fields);
	(void)curl_easy_setopt(w->curl, CURLOPT_ERRORBUFFER, error);
	rc = curl_easy_perform(w->curl);
	(void)curl_easy_setopt(w->curl, CURLOPT_ERRORBUFFER, NULL);
	(void)curl_easy_setopt(w->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(fields);
	w->call = NULL;
	if (rc == CURLE_OK)
		take_answer(w->curl, call);
	else
		(void)snprintf(call->why, sizeof(call->why), "%s",
		    error[0] != '\0' ? error : curl_easy_strerror(rc));
	return rc == CURLE_OK;
}

void
web_call_free(struct web_call *call)
{
	buf_free(&call->body);
	buf_free(&call->location);
}
