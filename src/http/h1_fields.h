/*
 * h1_fields - field lines of HTTP/1 heads and trailers.  Inside http only.
 *
 * Thread: any.
 */
#ifndef HTTP_H1_FIELDS_H
#define HTTP_H1_FIELDS_H
#include <stddef.h>

#include "base/attr.h"
#include "http/events.h"
#include "http/head.h"

/*
 * Reads one field line at p, which is not the empty line.
 *
 * p, end   the bytes there are; a CRLF may be missing
 * f        out, with the result BAD_NONE and *next != NULL
 * next     out: behind the CRLF; NULL when the line is not complete
 * returns  BAD_NONE or what is wrong; wrong bytes are told before the line is
 *          complete
 * source   RFC 9112 5; no folding (5.2), no bare CR or LF (2.2)
 */
enum http_bad h1_field_line(const char *p, const char *end,
    struct http_field *f, const char **next) MUST_CHECK;

#endif
