/*
 * jar - the cookies of one client: name and value, nothing of their scope.
 */
#include "contrib/load/jar.h"

#include <stdio.h>
#include <string.h>

void
jar_clear(struct jar *j)
{
	j->n = 0;
}

static struct jar_cookie *
find(struct jar *j, const char *name, size_t len)
{
	for (unsigned i = 0; i < j->n; i++)
		if (strlen(j->cookies[i].name) == len &&
		    memcmp(j->cookies[i].name, name, len) == 0)
			return &j->cookies[i];
	return NULL;
}

static void
take_out(struct jar *j, struct jar_cookie *c)
{
	if (c != NULL)
		*c = j->cookies[--j->n];
}

void
jar_put(struct jar *j, const char *line)
{
	size_t name_len = strcspn(line, "=;"), value_len;
	const char *value = line + name_len + 1;
	struct jar_cookie *c;

	if (name_len == 0 || name_len >= JAR_NAME_MAX || line[name_len] != '=')
		return;
	value_len = strcspn(value, ";");
	if (value_len >= JAR_VALUE_MAX)
		return;
	c = find(j, line, name_len);
	if (value_len == 0) {
		take_out(j, c);
		return;
	}
	if (c == NULL) {
		if (j->n == JAR_COOKIES_MAX)
			return;
		c = &j->cookies[j->n++];
	}
	memcpy(c->name, line, name_len);
	c->name[name_len] = '\0';
	memcpy(c->value, value, value_len);
	c->value[value_len] = '\0';
}

void
jar_line(const struct jar *j, char out[JAR_LINE_MAX])
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < j->n; i++)
		n += (size_t)snprintf(out + n, JAR_LINE_MAX - n, "%s%s=%s",
		    i == 0 ? "Cookie: " : "; ", j->cookies[i].name,
		    j->cookies[i].value);
	if (n > 0)
		(void)snprintf(out + n, JAR_LINE_MAX - n, "\r\n");
}
