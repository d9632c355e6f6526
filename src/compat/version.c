#include "compat/version.h"

#include "base/str.h"

/* A number and what ends it: a dot, a hyphen (a word follows), the end. */
static bool
read_part(struct str *rest, uint64_t *out, bool *last)
{
	size_t n = 0;

	while (n < rest->len && rest->p[n] >= '0' && rest->p[n] <= '9')
		n++;
	*last = n == rest->len || rest->p[n] == '-';
	if ((!*last && rest->p[n] != '.') ||
	    !str_u64(str_sub(*rest, 0, n), out))
		return false;
	*rest = str_sub(*rest, *last ? rest->len : n + 1, rest->len);
	return true;
}

bool
compat_read_version(const char *text, struct compat_version *v)
{
	struct str rest;
	bool last;

	*v = (struct compat_version){ .major = 0 };
	if (text == NULL)
		return false;
	rest = str_of(text);
	if (!read_part(&rest, &v->major, &last) || last ||
	    !read_part(&rest, &v->minor, &last))
		return false;
	return last || read_part(&rest, &v->patch, &last);
}

bool
compat_same_minor(const struct compat_version *a,
    const struct compat_version *b)
{
	return a->major == b->major && a->minor == b->minor;
}
