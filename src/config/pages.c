#include "config/pages.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"

/* ---- all pages of a configuration, in the order of the file ---- */

typedef int page_fn(struct str *body, const char *file, void *arg);

static int
each_body(struct cfg_page *pages, size_t n, page_fn *fn, void *arg)
{
	int rc = E_OK;

	for (size_t i = 0; i < n && rc == E_OK; i++)
		for (int f = 0; f < CFG_FORM_COUNT && rc == E_OK; f++)
			if (pages[i].file[f] != NULL)
				rc = fn(&pages[i].body[f], pages[i].file[f],
				    arg);
	return rc;
}

static int
each_page(struct cfg *c, page_fn *fn, void *arg)
{
	int rc = each_body(c->pages, c->n_pages, fn, arg);

	for (size_t i = 0; i < c->n_services && rc == E_OK; i++)
		rc = each_body(c->services[i].pages, c->services[i].n_pages, fn,
		    arg);
	return rc;
}

static int
free_body(struct str *body, const char *file UNUSED, void *arg UNUSED)
{
	free((char *)(uintptr_t)body->p);
	*body = (struct str){ NULL, 0 };
	return E_OK;
}

void
pages_free(struct cfg *c)
{
	(void)each_page(c, free_body, NULL);
}

static int
set_body(struct str *body, struct str text)
{
	char *p = str_dup(text);

	if (p == NULL)
		return E_NOMEM;
	free((char *)(uintptr_t)body->p);
	*body = str_from(p, text.len);
	return E_OK;
}

/* ---- filling in ---- */

#define BLANKS(X)                                                              \
	X(STATUS, "{status}")                                                  \
	X(REASON, "{reason}")                                                  \
	X(REQUEST_ID, "{request_id}")

#define X(id, text) BLANK_##id,
enum blank { BLANKS(X) BLANK_COUNT };
#undef X
#define X(id, text) [BLANK_##id] = { (text), sizeof(text) - 1 },
static const struct str blanks[] = { BLANKS(X) };
#undef X

/* What stands before the next blank, taken off *rest with it. */
static struct str
next_blank(struct str *rest, enum blank *which)
{
	struct str all = *rest;

	*which = BLANK_COUNT;
	for (size_t i = 0; i < all.len; i++) {
		const char *brace = memchr(all.p + i, '{', all.len - i);

		if (brace == NULL)
			break;
		i = (size_t)(brace - all.p);
		for (int b = 0; b < BLANK_COUNT; b++) {
			if (!str_starts(str_sub(all, i, all.len), blanks[b]))
				continue;
			*which = (enum blank)b;
			*rest = str_sub(all, i + blanks[b].len, all.len);
			return str_sub(all, 0, i);
		}
	}
	*rest = (struct str){ NULL, 0 };
	return all;
}

/* No byte of a client becomes markup, also not in an attribute. */
static void
add_html(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c >= 0x7f)
			buf_add_char(out, '?');
		else if (strchr("&<>\"'`=", c) != NULL)
			buf_printf(out, "&#%u;", c);
		else
			buf_add_char(out, (char)c);
	}
}

static void
add_text(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		buf_add_char(out, c < 0x20 || c >= 0x7f ? '?' : (char)c);
	}
}

static void
add_escaped(struct buf *out, enum cfg_form form, struct str s)
{
	switch (form) {
	case CFG_FORM_HTML:
		add_html(out, s);
		return;
	case CFG_FORM_JSON:
		json_escape(out, s);
		return;
	case CFG_FORM_TEXT:
	case CFG_FORM_COUNT:
		break;
	}
	add_text(out, s);
}

void
page_fill(struct str page, enum cfg_form form, unsigned status,
    const char *reason, struct str request_id, struct buf *out)
{
	struct str id = str_sub(request_id, 0, PAGE_ID_MAX);
	enum blank which;

	while (page.len > 0) {
		buf_add_str(out, next_blank(&page, &which));
		if (which == BLANK_STATUS)
			buf_add_u64(out, status);
		else if (which == BLANK_REASON)
			add_escaped(out, form, str_of(reason));
		else if (which == BLANK_REQUEST_ID)
			add_escaped(out, form, id);
	}
}

/* ---- finding ---- */

static bool
is_for(const struct cfg_page *p, const char *status)
{
	return strcmp(p->status, status) == 0;
}

const struct str *
page_find(const struct cfg_page *pages, size_t n, unsigned status,
    enum cfg_form form)
{
	char own[4] = { (char)('0' + status / 100),
		(char)('0' + status / 10 % 10), (char)('0' + status % 10),
		'\0' };
	const char class[4] = { own[0], 'x', 'x', '\0' };
	const struct str *found = NULL;

	for (size_t i = 0; i < n; i++) {
		if (pages[i].body[form].p == NULL)
			continue;
		if (is_for(&pages[i], own))
			return &pages[i].body[form];
		if (is_for(&pages[i], class))
			found = &pages[i].body[form];
	}
	return found;
}

/* ---- loading ---- */

struct load {
	const char *origin;
	struct buf *said;
	size_t total;
	bool failed;
};

#define REASON_MAX 32 /* of the longest there is */
#define ESCAPED_MAX 6 /* bytes that one byte may become */

/* No answer may become larger than a page may be. */
static bool
may_outgrow(struct str page)
{
	size_t most = page.len;
	enum blank which;

	while (page.len > 0) {
		(void)next_blank(&page, &which);
		if (which == BLANK_REASON)
			most += REASON_MAX;
		else if (which == BLANK_REQUEST_ID)
			most += (size_t)PAGE_ID_MAX * ESCAPED_MAX;
	}
	return most > PAGE_BYTES_MAX;
}

/* O_NONBLOCK: a FIFO in its place must not stop us. */
static int
read_page(const char *file, struct buf *out)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc;
	struct stat st;

	if (fd == -1)
		return err_sys();
	rc = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? E_OK : E_UNSUPPORTED;
	if (rc == E_OK)
		rc = file_read_fd(fd, PAGE_BYTES_MAX, out);
	close(fd);
	return rc;
}

static int
load_body(struct str *body, const char *file, void *arg)
{
	struct load *l = arg;
	struct buf text = BUF_INIT;
	const char *why = NULL;
	int rc = read_page(file, &text);

	if (rc == E_UNSUPPORTED)
		why = "it is not a regular file";
	else if (rc == E_TOOBIG || (rc == E_OK && may_outgrow(buf_str(&text))))
		why = "it may have 64KiB at most, filled in";
	else if (rc != E_OK)
		why = err_text(rc);
	l->total += text.len;
	if (why == NULL && l->total > PAGES_BYTES_MAX)
		why = "all pages together may have 16MiB at most";
	if (why != NULL) {
		buf_printf(l->said, "%s: page %s cannot be used: %s\n",
		    l->origin, file, why);
		l->failed = true;
	}
	rc = why == NULL ? set_body(body, buf_str(&text)) : E_OK;
	buf_free(&text);
	return rc;
}

int
pages_load(struct cfg *c, const char *origin, struct buf *said)
{
	struct load l = { .origin = origin, .said = said };
	int rc = each_page(c, load_body, &l);

	if (rc != E_OK)
		return rc;
	return l.failed ? E_NOENT : E_OK;
}

/* ---- comparing ---- */

static const struct cfg_page *
same_page(const struct cfg_page *pages, size_t n, const char *status)
{
	for (size_t i = 0; i < n; i++)
		if (is_for(&pages[i], status))
			return &pages[i];
	return NULL;
}

/* service is NULL for those of the daemon. */
static void
diff_pages(const struct cfg_page *from, size_t n_from,
    const struct cfg_page *to, size_t n_to, const char *service,
    struct buf *out)
{
	static const char *const forms[] = { [CFG_FORM_TEXT] = "text",
		[CFG_FORM_JSON] = "json",
		[CFG_FORM_HTML] = "html" };

	for (size_t i = 0; i < n_to; i++) {
		const struct cfg_page *was = same_page(from, n_from,
		    to[i].status);

		for (int f = CFG_FORM_COUNT - 1; was != NULL && f >= 0; f--) {
			if (was->file[f] == NULL || to[i].file[f] == NULL ||
			    str_eq(was->body[f], to[i].body[f]))
				continue;
			if (service != NULL)
				buf_printf(out, "services[%s].", service);
			buf_printf(out, "pages[%s].%s: new content\n",
			    to[i].status, forms[f]);
		}
	}
}

void
pages_diff(const struct cfg *from, const struct cfg *to, struct buf *out)
{
	diff_pages(from->pages, from->n_pages, to->pages, to->n_pages, NULL,
	    out);
	for (size_t i = 0; i < to->n_services; i++) {
		const struct cfg_service *is = &to->services[i];
		const struct cfg_service *was = cfg_service_find(from,
		    str_of(is->name));

		if (was != NULL)
			diff_pages(was->pages, was->n_pages, is->pages,
			    is->n_pages, is->name, out);
	}
}

/* ---- from one process to the other ---- */

static int
pack_body(struct str *body, const char *file UNUSED, void *arg)
{
	struct buf *out = arg;

	buf_add_u64(out, body->len);
	buf_add_char(out, '\n');
	buf_add_str(out, *body);
	return E_OK;
}

void
pages_pack(const struct cfg *c, struct buf *out)
{
	(void)each_page((struct cfg *)(uintptr_t)c, pack_body, out);
}

static int
unpack_body(struct str *body, const char *file UNUSED, void *arg)
{
	struct str *rest = arg;
	uint64_t len;

	if (!str_u64(str_split(rest, '\n'), &len) || len > rest->len)
		return E_SYNTAX;
	if (set_body(body, str_sub(*rest, 0, len)) != E_OK)
		return E_NOMEM;
	*rest = str_sub(*rest, len, rest->len);
	return E_OK;
}

int
pages_unpack(struct cfg *c, struct str text)
{
	int rc = each_page(c, unpack_body, &text);

	return rc == E_OK && text.len > 0 ? E_SYNTAX : rc;
}
