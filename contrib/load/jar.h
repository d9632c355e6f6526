/*
 * jar - the cookies of one client: name and value, nothing of their scope.
 *
 * Thread: the owner.
 */
#ifndef LOAD_JAR_H
#define LOAD_JAR_H
#include <stddef.h>

#define JAR_COOKIES_MAX 8
#define JAR_NAME_MAX 64 /* with the NUL, as the next */
#define JAR_VALUE_MAX 1024
#define JAR_LINE_MAX (JAR_COOKIES_MAX * (JAR_NAME_MAX + JAR_VALUE_MAX + 2) + 16)

struct jar_cookie {
	char name[JAR_NAME_MAX];
	char value[JAR_VALUE_MAX];
};

struct jar {
	struct jar_cookie cookies[JAR_COOKIES_MAX];
	unsigned n;
};

void jar_clear(struct jar *);
/*
 * Takes the value of a Set-Cookie field in; an empty one takes the cookie
 * out.  What does not fit, or is no cookie, is left alone.
 */
void jar_put(struct jar *, const char *line);
/* "Cookie: a=1; b=2" with its CRLF; "" when there is none. */
void jar_line(const struct jar *, char out[JAR_LINE_MAX]);

#endif
