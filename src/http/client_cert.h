/*
 * client_cert - a client's certificate as fields for instances, in the styles
 * that they read.
 *
 *	style      fields
 *	rfc9440    Client-Cert, and Client-Cert-Chain when there is one: byte
 *	           sequences of RFC 8941 3.3.5, as RFC 9440 2.2 and 2.3 say
 *	nginx      SSL-Client-Verify: SUCCESS, SSL-Client-Cert (PEM, escaped as
 *	           in URLs), SSL-Client-Subject-DN, SSL-Client-Issuer-DN
 *	haproxy    X-SSL-Client-Verify: 0, X-SSL-Client-Cert (DER in base64),
 *	           X-SSL-Client-DN, X-SSL-Issuer, and X-SSL-Client-Cert-Chain
 *	           (all of it as one run of DER, in base64)
 *
 * proxy/strip drops all of these from clients, whether we write them or not.
 *
 * Thread: any; pure.
 */
#ifndef HTTP_CLIENT_CERT_H
#define HTTP_CLIENT_CERT_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/str.h"

struct http_head;

/* Who terminates TLS fills this in; all is borrowed. */
struct client_cert {
	bool verified;  /* its chain leads to a CA we were told to believe */
	struct str der; /* the certificate of the client itself */
	/* What leads from it to the CA, without the latter: each certifies the
	 * one before it. */
	const struct str *chain;
	size_t n_chain;
	struct str subject, issuer; /* RFC 4514; empty: not told */
};

enum client_cert_style {
	CLIENT_CERT_RFC9440,
	CLIENT_CERT_NGINX,
	CLIENT_CERT_HAPROXY
};

#define CLIENT_CERT_BYTES_MAX 32768 /* of all fields: heads are bounded */

/*
 * Bytes that client_cert_add() wants.
 *
 * chain_max  as many certificates beside the client's are sent; 0: none is
 * returns    0 without a certificate, or one that is not verified;
 *            E_RANGE  the chain is longer than chain_max, which is not 0
 *            E_TOOBIG  the fields were longer than CLIENT_CERT_BYTES_MAX
 *            E_SYNTAX  a name holds what no field value may
 *            For these three the request is to be refused: an instance would
 *            take it for one without a certificate.
 */
ssize_t client_cert_room(const struct client_cert *, enum client_cert_style,
    unsigned chain_max) MUST_CHECK;
/*
 * Appends the fields to h; their values lie in room, which has as many bytes
 * as client_cert_room() said with the same arguments.  E_OK or E_FULL.
 */
int client_cert_add(const struct client_cert *, enum client_cert_style,
    unsigned chain_max, char *room, struct http_head *h) MUST_CHECK;

#endif
