/*
 * log - levelled logfmt lines to standard error or a file.
 *
 * A line is  ts=2026-11-24T10:00:00.123Z level=info thread=control MESSAGE
 * where MESSAGE is logfmt written by the caller: log_info("pool=%s up=%u",...).
 * A line is one write(2); lines of several threads never mix.  Values with
 * spaces are quoted by the caller ("why=\"%s\"").  Control bytes in the
 * message are replaced, so that a peer's bytes cannot start a line.
 *
 * A line never waits: what a full disk, or a pipe whose reader hangs, does not
 * take is lost, and the next line that is taken is preceded by one that says
 * how many.
 *
 * Thread: any.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H
#include <stdbool.h>

#include "base/attr.h"

#define LOG_LINE_MAX 2048 /* bytes; a longer line is cut */

/* One row a level: identifier, name. */
#define LOG_LEVELS(X)                                                          \
	X(ERROR, "error")                                                      \
	X(WARN, "warn")                                                        \
	X(INFO, "info")                                                        \
	X(DEBUG, "debug")

#define X(id, name) LOG_##id,
enum log_level { LOG_LEVELS(X) LOG_LEVEL_COUNT };
#undef X

const char *log_level_name(enum log_level);
/* Level of a name, -1 when there is none. */
int log_level_of(const char *name);

void log_set_level(enum log_level);
bool log_wants(enum log_level);
/* Opens path for append (NULL: standard error); E_OK or a code, old kept. */
int log_open(const char *path) MUST_CHECK;
/* Opens the same path again, for log rotation; the old one stays on error. */
int log_reopen(void) MUST_CHECK;
/* Logs to fd from now on and owns it: a process that may not open files. */
int log_use_fd(int fd) MUST_CHECK;
void log_close(void);

void log_line(enum log_level, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                                                         \
	do {                                                                   \
		if (UNLIKELY(log_wants(LOG_DEBUG)))                            \
			log_line(LOG_DEBUG, __VA_ARGS__);                      \
	} while (0)

#endif
