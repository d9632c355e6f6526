#include "segue/screen.h"

#include <stdint.h>

#include "segue/text.h"

void
screen_fit(struct buf *out, struct str text, unsigned rows, unsigned columns)
{
	size_t left = rows == 0 ? SIZE_MAX : rows - 1;

	buf_add_cstr(out, "\033[H");
	while (text.len > 0) {
		struct str line = str_split(&text, '\n');
		size_t width = text_width(line);
		size_t needs = width == 0 ? 1 : (width - 1) / columns + 1;

		if (needs > left) {
			buf_add_cstr(out, "...\033[K");
			break;
		}
		left -= needs;
		buf_add_str(out, line);
		if (width == 0 || width % columns != 0)
			buf_add_cstr(out, "\033[K");
		buf_add_char(out, '\n');
	}
	buf_add_cstr(out, "\033[J");
}
