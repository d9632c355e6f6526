/*
 * runs - what the control thread and the master say to each other of jobs, as
 * texts of frames (ipc/frame.h): "run that, or tell me how it stands", and how
 * it stands.  A run has a name of its own, so that to ask again for what runs,
 * or has ended, is not to run it again.
 *
 * Thread: any.
 */
#ifndef ROLLOUT_RUNS_H
#define ROLLOUT_RUNS_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/buf.h"
#include "config/config.h"
#include "rollout/machine.h"

#define RUN_TAIL_MAX 2048 /* bytes of output, the last ones */
#define RUN_WHY_MAX 120

/* What the control thread says: a struct run_ask, a struct run_key. */
enum run_word { RUN_ASK, RUN_STOP };

/* Which run. */
struct run_key {
	char service[CFG_NAME_MAX + 1];
	uint64_t rollout; /* id */
	uint32_t run;
};

struct run_ask {
	struct run_key key;
	char job[CFG_NAME_MAX + 1]; /* in the configuration */
	bool rehearsal;             /* its command for that, or none */
	/* what it is told in its environment: */
	char from[CFG_NAME_MAX + 1]; /* pool; empty: there was none */
	char to[CFG_NAME_MAX + 1];
	char version[CFG_NAME_MAX + 1];
	char step[CFG_NAME_MAX + 1];     /* its name, or "" */
	char instance[CFG_NAME_MAX + 1]; /* of .to, or "": it is for none */
	/* the master's own: not in the text */
	char from_version[CFG_NAME_MAX + 1];
	const char *address; /* of .instance, in the run's cfg; or "" */
};

struct run_news {
	struct run_key key;
	pid_t pid; /* 0: none any more */
	bool ended;
	uint8_t verdict; /* enum ro_verdict */
	int16_t exit;    /* -1: by a signal, or it was not begun */
	uint64_t took_us;
	char why[RUN_WHY_MAX];       /* "exit status 3" */
	char tail[3 * RUN_TAIL_MAX]; /* of its output; bytes that are no UTF-8
	                                have grown */
};

bool run_key_is(const struct run_key *, const struct run_key *) MUST_CHECK;

void run_ask_write(const struct run_ask *, struct buf *out);
void run_key_write(const struct run_key *, struct buf *out);
void run_news_write(const struct run_news *, struct buf *out);
/* False: it is no such text; *out is undefined then. */
bool run_ask_read(const char *text, struct run_ask *out) MUST_CHECK;
bool run_key_read(const char *text, struct run_key *out) MUST_CHECK;
bool run_news_read(const char *text, struct run_news *out) MUST_CHECK;

const char *run_verdict_name(enum ro_verdict);

/*
 * The last line of a tail that says something, cut to cap; in plain ASCII, with
 * ? for the rest, so that no cut makes it longer where it is kept.
 */
void run_last_line(const char *tail, char *out, size_t cap);

#endif
