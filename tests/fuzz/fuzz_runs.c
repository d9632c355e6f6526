/*
 * What the network process says to the master of jobs, and the master to it:
 * whatever it is, it is read or refused, stays within its bounds, and what was
 * read is read again the same from what is written of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/frame.h"
#include "rollout/runs.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void
look_at_ask(const char *text)
{
	struct run_ask a, again;
	struct buf b = BUF_INIT;

	if (!run_ask_read(text, &a))
		return;
	MUST(strlen(a.job) < sizeof(a.job) && strlen(a.step) < sizeof(a.step));
	MUST(a.key.rollout > 0 && a.key.run > 0);
	run_ask_write(&a, &b);
	MUST(b.len < FRAME_TEXT_MAX && run_ask_read(b.p, &again));
	MUST(run_key_is(&a.key, &again.key));
	MUST(strcmp(a.job, again.job) == 0 && strcmp(a.from, again.from) == 0 &&
	    strcmp(a.to, again.to) == 0 &&
	    strcmp(a.version, again.version) == 0 &&
	    strcmp(a.step, again.step) == 0);
	buf_free(&b);
}

static void
look_at_key(const char *text)
{
	struct run_key k, again;
	struct buf b = BUF_INIT;

	if (!run_key_read(text, &k))
		return;
	run_key_write(&k, &b);
	MUST(run_key_read(b.p, &again) && run_key_is(&k, &again));
	buf_free(&b);
}

static void
look_at_news(const char *text)
{
	static struct run_news n;
	char line[RO_SAID_MAX];

	if (!run_news_read(text, &n))
		return;
	MUST(n.verdict < RO_VERDICT_COUNT && n.exit >= -1 && n.exit <= 255);
	MUST(strlen(n.tail) < sizeof(n.tail) && strlen(n.why) < sizeof(n.why));
	run_last_line(n.tail, line, sizeof(line));
	for (const char *c = line; *c != '\0'; c++)
		MUST(*c >= ' ' && *c <= '~');
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char text[FRAME_TEXT_MAX];

	size = size < sizeof(text) ? size : sizeof(text) - 1;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	look_at_ask(text);
	look_at_key(text);
	look_at_news(text);
	return 0;
}
