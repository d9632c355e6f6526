/*
 * answer - our own answers: status, headers and a page in the form the client
 * likes best (HTML, JSON or text); the operator's, where there is one.
 *
 * Thread: worker.
 */
#ifndef PROXY_ANSWER_H
#define PROXY_ANSWER_H
#include "base/attr.h"
#include "base/str.h"

struct exchange;

/*
 * Queues the whole answer on the client's lane.  E_OK or E_NOMEM.
 */
int answer_send(struct exchange *, unsigned status) MUST_CHECK;

#endif
