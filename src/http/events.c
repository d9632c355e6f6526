#include "http/events.h"

#define X(id, name, status) [BAD_##id] = (name),
static const char *const names[BAD_COUNT] = { [BAD_NONE] = "none",
	HTTP_BAD(X) };
#undef X
#define X(id, name, status) [BAD_##id] = (status),
static const unsigned statuses[BAD_COUNT] = { [BAD_NONE] = 400, HTTP_BAD(X) };
#undef X

const char *
http_bad_name(enum http_bad b)
{
	return names[b];
}

unsigned
http_bad_status(enum http_bad b)
{
	return statuses[b];
}
