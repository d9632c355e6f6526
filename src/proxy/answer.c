#include "proxy/answer.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "http/h1_write.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

/* One row a status: a sentence for people, and whether to come again. */
/* clang-format off */
static const struct page {
	unsigned status;
	const char *sentence;
	const char *retry_after; /* seconds, or NULL */
} pages[] = {
	{ 400, "The request is malformed.", NULL },
	{ 404, "There is no service at this address.", NULL },
	{ 405, "This method is not supported here.", NULL },
	{ 408, "The request took too long to arrive.", NULL },
	{ 413, "The request is too large.", NULL },
	{ 414, "The address is too long.", NULL },
	{ 417, "This expectation cannot be met.", NULL },
	{ 431, "The request's header fields are too large.", NULL },
	{ 501, "The request needs something not supported here.", NULL },
	{ 502, "The service gave no valid answer.", NULL },
	{ 503, "The service is not available right now. Please try again in a moment.", "1" },
	{ 504, "The service took too long to answer.", NULL },
	{ 505, "This version of HTTP is not supported.", NULL },
	{ 508, "The request goes in a circle.", NULL },
};
/* clang-format on */

static const struct page *
page_of(unsigned status)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		if (pages[i].status == status)
			return &pages[i];
	return &pages[0];
}

enum form { FORM_TEXT, FORM_JSON, FORM_HTML };

static enum form
form_for(const struct exchange *x)
{
	struct str accept;

	if (!x->held_head)
		return FORM_TEXT;
	accept = http_head_value(&x->req, FIELD_ACCEPT);
	if (accept.len == 0)
		return FORM_TEXT;
	if (memmem(accept.p, accept.len, "text/html", 9) != NULL)
		return FORM_HTML;
	if (memmem(accept.p, accept.len, "json", 4) != NULL)
		return FORM_JSON;
	return FORM_TEXT;
}

static const char *const form_types[] = {
	[FORM_TEXT] = "text/plain; charset=utf-8",
	[FORM_JSON] = "application/json",
	[FORM_HTML] = "text/html; charset=utf-8",
};

#define BODY_MAX 512

static size_t
write_body(const struct page *pg, enum form form, char out[BODY_MAX])
{
	const char *reason = http_reason(pg->status);
	int n = 0;

	switch (form) {
	case FORM_TEXT:
		n = snprintf(out, BODY_MAX, "%u %s\n%s\n", pg->status, reason,
		    pg->sentence);
		break;
	case FORM_JSON:
		n = snprintf(out, BODY_MAX,
		    "{\"status\":%u,\"error\":\"%s\",\"message\":\"%s\"}\n",
		    pg->status, reason, pg->sentence);
		break;
	case FORM_HTML:
		n = snprintf(out, BODY_MAX,
		    "<!doctype html>\n<html lang=\"en\"><meta "
		    "charset=\"utf-8\">"
		    "<title>%u %s</title>\n<h1>%s</h1>\n<p>%s</p>\n</html>\n",
		    pg->status, reason, reason, pg->sentence);
		break;
	}
	return (size_t)n;
}

/* The answer's head, small enough not to need struct http_head. */
int
answer_send(struct exchange *x, unsigned status)
{
	const struct page *pg = page_of(status);
	enum form form = form_for(x);
	char body[BODY_MAX], head[BODY_MAX];
	size_t body_len = write_body(pg, form, body);
	struct lane *l = &x->client->lane;
	bool close = !x->keep_client || x->client->stop_asked;
	int n, rc;

	if (close)
		x->keep_client = false;
	n = snprintf(head, sizeof(head),
	    "HTTP/1.1 %u %s\r\nDate: %s\r\nContent-Type: %s\r\n"
	    "Content-Length: %zu\r\nCache-Control: no-store\r\n%s%s%s%s%s\r\n",
	    status, http_reason(status), proxy_date(x->proxy).p,
	    form_types[form], body_len,
	    pg->retry_after != NULL ? "Retry-After: " : "",
	    pg->retry_after != NULL ? pg->retry_after : "",
	    pg->retry_after != NULL ? "\r\n" : "",
	    status == 405 ? "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, "
	                    "PATCH, TRACE\r\n"
	                  : "",
	    close                   ? "Connection: close\r\n"
	        : x->req.minor == 0 ? "Connection: keep-alive\r\n"
	                            : "");
	rc = lane_send_copy(l, str_from(head, (size_t)n));
	if (rc == E_OK && x->req.method != METHOD_HEAD) {
		rc = lane_send_copy(l, str_from(body, body_len));
		x->bytes_out = body_len;
	}
	return rc;
}
