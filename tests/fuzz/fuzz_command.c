/*
 * Any bytes as the body of an admin command: a command within its bounds, or
 * at least one fault, each on a line of its own that begins with its key.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/command_read.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void
try_text(const char *text, size_t room)
{
	MUST(memchr(text, '\0', room) != NULL);
}

static void
try_clocks(const struct ro_drain *d)
{
	MUST(d->requests_us <= RO_CLOCK_MAX_US);
	MUST(d->flows_us <= RO_CLOCK_MAX_US);
	MUST(d->streams_us <= RO_CLOCK_MAX_US);
}

static void
try_command(const struct command_asked *a)
{
	const struct ro_command *c = &a->cmd;

	MUST(c->verb < RO_VERB_COUNT);
	try_text(c->service, sizeof(c->service));
	try_text(c->pool, sizeof(c->pool));
	try_text(c->instance, sizeof(c->instance));
	try_text(c->address, sizeof(c->address));
	MUST(c->share_bp <= CFG_SHARE_ALL);
	MUST(c->weight <= RO_WEIGHT_MAX);
	MUST(c->admin < INST_ADMIN_COUNT);
	MUST(c->who[0] == '\0');
	MUST(a->wait_us <= RO_CLOCK_MAX_US);
	try_clocks(&a->clocks);
}

static void
try_lines(struct str text)
{
	struct str line;

	MUST(text.len > 0);
	while (text.len > 0) {
		const char *end = memchr(text.p, '\n', text.len);

		line = str_from(text.p,
		    end == NULL ? text.len : (size_t)(end - text.p));
		MUST(memmem(line.p, line.len, ": ", 2) != NULL);
		for (size_t i = 0; i < line.len; i++)
			MUST((unsigned char)line.p[i] >= ' ' &&
			    line.p[i] != 0x7f);
		if (end == NULL)
			return;
		text = str_from(end + 1, text.len - line.len - 1);
	}
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct str body = str_from((const char *)data, size);
	enum answer_error error = ANSWER_ERROR_COUNT;
	struct buf problems = BUF_INIT;
	struct command_asked asked;

	memset(&asked, 0x55, sizeof(asked));
	if (command_read(body, &asked, &error, &problems)) {
		MUST(problems.len == 0);
		try_command(&asked);
	} else {
		MUST(error == ANSWER_BAD_VALUE || error == ANSWER_BAD_REQUEST);
		try_lines(buf_str(&problems));
	}
	buf_free(&problems);
	return 0;
}
