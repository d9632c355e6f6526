#include "admin/audit.h"

#include "admin/role.h"
#include "base/buf.h"
#include "base/log.h"

/* A quote would end the log's value early, a new line the line. */
static void
make_plain(struct buf *b)
{
	for (size_t i = 0; i < b->len; i++)
		if (b->p[i] == '"')
			b->p[i] = '\'';
		else if (b->p[i] == '\n')
			b->p[i] = ';';
}

void
audit_line(const char *what, const struct peer *p, const char *result,
    const char *why)
{
	struct buf reason = BUF_INIT;
	char who[RO_WHO_MAX];

	peer_who(p, who);
	buf_add_cstr(&reason, why);
	make_plain(&reason);
	log_info("audit=%s who=\"%s\" result=%s why=\"" STR_FMT "\"", what, who,
	    result, STR_ARG(buf_str(&reason)));
	buf_free(&reason);
}
