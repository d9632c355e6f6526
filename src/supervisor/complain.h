/*
 * complain - why a start fails, for the person who typed it and for the log.
 *
 * Thread: master; control while it starts.
 */
#ifndef SUPERVISOR_COMPLAIN_H
#define SUPERVISOR_COMPLAIN_H
#include "base/attr.h"

/* "segued: SENTENCE" on standard error, and in the log where that is a file. */
void complain(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* From now on the log is a file. */
void complain_also_to_log(void);

#endif
