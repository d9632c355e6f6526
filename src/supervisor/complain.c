#include "supervisor/complain.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/log.h"

static bool also_to_log;

void
complain_also_to_log(void)
{
	also_to_log = true;
}

void
complain(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "segued: %s\n", text);
	if (also_to_log)
		log_error("event=start_failed why=\"%s\"", text);
}
