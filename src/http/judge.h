/*
 * judge - what the fields of a head that is read say of host, framing and the
 * connection.  Inside http only.
 *
 * Thread: any.
 */
#ifndef HTTP_JUDGE_H
#define HTTP_JUDGE_H
#include "base/attr.h"
#include "http/events.h"
#include "http/head.h"

/*
 * Fields, method, target and minor are read; fills in the rest.  BAD_NONE, or
 * why the head must be refused.
 */
enum http_bad http_judge_request(struct http_head *) MUST_CHECK;
/* The same of an answer to a request with that method. */
enum http_bad http_judge_response(struct http_head *,
    enum http_method asked) MUST_CHECK;

#endif
