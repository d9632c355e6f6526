#include "verify/form.h"

#include <libxml/HTMLparser.h>
#include <libxml/tree.h>
#include <string.h>

#include "verify/web.h"

/* ---- reading the tree ---- */

static htmlDocPtr
parse(struct str html)
{
	if (html.len == 0 || html.len > WEB_BODY_MAX)
		return NULL;
	return htmlReadMemory(html.p, (int)html.len, NULL, NULL,
	    HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
	        HTML_PARSE_NONET | HTML_PARSE_COMPACT);
}

static bool
is_element(const xmlNode *n, const char *name)
{
	return n->type == XML_ELEMENT_NODE &&
	    str_caseeq(str_of((const char *)n->name), str_of(name));
}

/* The value of an attribute, NULL when it is not there; to be freed. */
static char *
attribute(const xmlNode *n, const char *name)
{
	return (char *)xmlGetProp(n, (const xmlChar *)name);
}

static bool
has_attribute(const xmlNode *n, const char *name)
{
	return xmlHasProp(n, (const xmlChar *)name) != NULL;
}

/* The next element in the order of the text, within top. */
static xmlNode *
next_node(const xmlNode *top, xmlNode *at)
{
	if (at->children != NULL && at->type == XML_ELEMENT_NODE)
		return at->children;
	while (at != top && at->next == NULL)
		at = at->parent;
	return at == top ? NULL : at->next;
}

/* ---- what a field is ---- */

enum field_kind { NO_FIELD, SENT_AS_IS, NAME_FIELD, PASSWORD_FIELD, BUTTON };

static bool
word_in(const char *word, const char *const *list)
{
	for (; *list != NULL; list++)
		if (str_caseeq(str_of(word), str_of(*list)))
			return true;
	return false;
}

static enum field_kind
kind_of_input(const char *type, const xmlNode *n)
{
	static const char *const texts[] = { "text", "email", "tel", NULL };
	static const char *const boxes[] = { "checkbox", "radio", NULL };
	static const char *const buttons[] = { "submit", "image", NULL };
	static const char *const none[] = { "button", "reset", "file", NULL };

	if (word_in(type, texts))
		return NAME_FIELD;
	if (str_caseeq(str_of(type), STR("password")))
		return PASSWORD_FIELD;
	if (word_in(type, boxes))
		return has_attribute(n, "checked") ? SENT_AS_IS : NO_FIELD;
	if (word_in(type, buttons))
		return BUTTON;
	return word_in(type, none) ? NO_FIELD : SENT_AS_IS;
}

static enum field_kind
kind_of(const xmlNode *n)
{
	char *type;
	enum field_kind kind = NO_FIELD;

	if (n->type != XML_ELEMENT_NODE || has_attribute(n, "disabled"))
		return NO_FIELD;
	if (is_element(n, "textarea"))
		return SENT_AS_IS;
	type = attribute(n, "type");
	if (is_element(n, "input"))
		kind = kind_of_input(type == NULL ? "text" : type, n);
	else if (is_element(n, "button") &&
	    (type == NULL || str_caseeq(str_of(type), STR("submit"))))
		kind = BUTTON;
	xmlFree(type);
	return kind;
}

static bool
holds(const char *text, const char *word)
{
	return text != NULL && strcasestr(text, word) != NULL;
}

/* Whoever presses it gives up. */
static bool
says_no(const xmlNode *n)
{
	static const char *const words[] = { "cancel", "deny", "reject",
		"abort", "decline" };
	char *name = attribute(n, "name"), *value = attribute(n, "value");
	char *text = (char *)xmlNodeGetContent(n);
	bool no = value != NULL && str_caseeq(str_of(value), STR("no"));

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		no |= holds(name, words[i]) || holds(value, words[i]) ||
		    holds(text, words[i]);
	xmlFree(name);
	xmlFree(value);
	xmlFree(text);
	return no;
}

/* ---- which form ---- */

static int
worth(xmlNode *form)
{
	int best = 0;

	for (xmlNode *n = form; n != NULL; n = next_node(form, n)) {
		enum field_kind kind = kind_of(n);

		if (kind == PASSWORD_FIELD)
			best = 3;
		else if (kind == NAME_FIELD && best < 2)
			best = 2;
		else if (kind == BUTTON && best < 1)
			best = 1;
	}
	return best;
}

static xmlNode *
best_form(xmlNode *root)
{
	xmlNode *best = NULL;
	int most = 0;

	for (xmlNode *n = root; n != NULL; n = next_node(root, n)) {
		int is = is_element(n, "form") ? worth(n) : 0;

		if (is > most) {
			most = is;
			best = n;
		}
	}
	return best;
}

/* ---- filling it in ---- */

static void
add_field(struct form *f, const xmlNode *n, const char *value)
{
	char *name = attribute(n, "name");

	if (name != NULL && *name != '\0')
		web_add_param(&f->fields, name, value == NULL ? "" : value);
	xmlFree(name);
}

static void
add_as_is(struct form *f, const xmlNode *n)
{
	char *value = is_element(n, "textarea") ? (char *)xmlNodeGetContent(n)
	                                        : attribute(n, "value");
	bool box = value == NULL && has_attribute(n, "checked");

	add_field(f, n, box ? "on" : value);
	xmlFree(value);
}

/* A name that stands there already and that nobody has another for stays. */
static void
add_name(struct form *f, const xmlNode *n, const struct form_person *who)
{
	if (f->asks_name || who->username == NULL) {
		add_as_is(f, n);
		return;
	}
	f->asks_name = true;
	add_field(f, n, who->username);
}

static void
fill_in(struct form *f, xmlNode *form, const struct form_person *who)
{
	const xmlNode *button = NULL;

	for (xmlNode *n = form; n != NULL; n = next_node(form, n)) {
		switch (kind_of(n)) {
		case SENT_AS_IS:
			add_as_is(f, n);
			break;
		case NAME_FIELD:
			add_name(f, n, who);
			break;
		case PASSWORD_FIELD:
			f->asks_password = true;
			add_field(f, n, who->password);
			break;
		case BUTTON:
			if (button == NULL && !says_no(n))
				button = n;
			break;
		case NO_FIELD:
			break;
		}
	}
	if (button != NULL)
		add_as_is(f, button);
}

static bool
read_form(struct form *f, xmlNode *form, const char *url,
    const struct form_person *who)
{
	char *action = attribute(form, "action");
	char *method = attribute(form, "method");
	bool ok = web_resolve(url, action == NULL ? "" : action, &f->action);

	f->is_post = method != NULL && str_caseeq(str_of(method), STR("post"));
	if (ok)
		fill_in(f, form, who);
	xmlFree(action);
	xmlFree(method);
	return ok && !f->fields.failed;
}

bool
form_find(struct str html, const char *page_url, const struct form_person *who,
    struct form *out)
{
	htmlDocPtr doc = parse(html);
	xmlNode *root = doc == NULL ? NULL : xmlDocGetRootElement(doc);
	xmlNode *form = root == NULL ? NULL : best_form(root);
	bool ok;

	*out = (struct form){ .action = BUF_INIT, .fields = BUF_INIT };
	ok = form != NULL && read_form(out, form, page_url, who);
	xmlFreeDoc(doc);
	return ok;
}

void
form_free(struct form *f)
{
	buf_free(&f->action);
	buf_free(&f->fields);
}

void
form_page_title(struct str html, char *out, size_t cap)
{
	htmlDocPtr doc = parse(html);
	xmlNode *root = doc == NULL ? NULL : xmlDocGetRootElement(doc);
	char *text = NULL;

	for (xmlNode *n = root; n != NULL && text == NULL;
	     n = next_node(root, n))
		if (is_element(n, "title"))
			text = (char *)xmlNodeGetContent(n);
	(void)str_copy(str_trim(str_of(text)), out, cap);
	xmlFree(text);
	xmlFreeDoc(doc);
}
