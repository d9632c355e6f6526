/*
 * make - what TLS of a configuration needs, made once and kept in it: views,
 * and who accepts, find it there, and it goes with the configuration.
 *
 * Thread: who made the configuration, before anybody else has it.
 */
#ifndef TLS_MAKE_H
#define TLS_MAKE_H
#include "base/attr.h"
#include "base/buf.h"

struct cfg;

/*
 * Of a configuration whose files are loaded (config/tlsfiles.h); they may be
 * wiped then.
 *
 * said     gets a line for each fault: file and reason, with origin before it
 * returns  E_OK, E_DAMAGED when something was said, or E_NOMEM
 */
int tls_make(struct cfg *, const char *origin, struct buf *said) MUST_CHECK;

#endif
