/*
 * strip - the fields by which a stranger could say who he is, and that go no
 * further for that.
 *
 * An instance that speaks CGI or its kin knows X_Forwarded_For and
 * X-Forwarded-For as one field, so the list is meant in all spellings: in any
 * case, "_" for "-".  What a trusted proxy sends stands, but not in the
 * spelling with "_": proxies pass that on from whoever sent it.
 *
 *	profile     from strangers
 *	plain       Forwarded, X-Forwarded-*, X-Real-IP; certificates as
 *	            Client-Cert, Client-Cert-Chain (RFC 9440), SSL-Client-*,
 *	            X-SSL, X-SSL-*, X-Client-Cert*, Cert-Chain*
 *	identity    these and X-Original-*; of tracing Traceparent, Tracestate,
 *	            Baggage, B3, X-B3-*, Uber-Trace-Id, X-OT-Span-Context
 *
 * Content_Length, Transfer_Encoding and X_Request_ID, written like that, go
 * no further in any profile, whoever sends them.
 *
 * Thread: any; pure.
 */
#ifndef PROXY_STRIP_H
#define PROXY_STRIP_H
#include <stdbool.h>

#include "base/attr.h"
#include "config/config.h"
#include "http/head.h"

/* Of a request as it came, before we add our own. */
void strip_request(struct http_head *, enum cfg_profile, bool trusted);
/*
 * Of its trailers: there nobody says who asks, whether he is trusted or not;
 * programs that fold trailers into the head would believe it.
 */
void strip_trailers(struct http_head *, enum cfg_profile);

/* What says of a certificate, whoever sends it: we know better. */
void strip_certificates(struct http_head *);

#endif
