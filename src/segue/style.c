#include "segue/style.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define X(id, sequence) [STYLE_##id] = (sequence),
static const char *const sequences[] = { STYLES(X) };
#undef X

bool
style_wanted(const char *when, FILE *f)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (when != NULL && strcmp(when, "auto") != 0)
		return strcmp(when, "always") == 0;
	if (no != NULL && no[0] != '\0')
		return false;
	if (term == NULL || strcmp(term, "dumb") == 0)
		return false;
	return isatty(fileno(f)) == 1;
}

void
style_add(struct buf *out, bool colour, enum style style, struct str s)
{
	bool dressed = colour && style != STYLE_PLAIN && s.len > 0;

	if (dressed)
		buf_add_cstr(out, sequences[style]);
	buf_add_str(out, s);
	if (dressed)
		buf_add_cstr(out, "\033[0m");
}

static bool
size_of(FILE *f, struct winsize *ws)
{
	int fd = fileno(f);

	return fd != -1 && isatty(fd) == 1 && ioctl(fd, TIOCGWINSZ, ws) == 0;
}

unsigned
style_columns(FILE *f)
{
	struct winsize ws;

	return size_of(f, &ws) ? ws.ws_col : 0;
}

unsigned
style_rows(FILE *f)
{
	struct winsize ws;

	return size_of(f, &ws) ? ws.ws_row : 0;
}
