/*
 * acme - answers the challenges by which an ACME server sees who has a host
 * (RFC 8555 8.3, HTTP-01), from the directory where its client puts them.
 *
 * The file is read in the turn of the loop that answers: it is small, and
 * local, and asked for a few times a month.  The network process reads it as
 * its own user.
 *
 * Thread: worker.
 */
#ifndef PROXY_ACME_H
#define PROXY_ACME_H
#include <stdbool.h>

#include "base/attr.h"

struct cfg_listener;
struct exchange;

/*
 * Is it a GET or HEAD of a challenge that lies in the listener's directory,
 * which it has?
 * Then x->own_body has it.  A name is of letters, digits, "-" and "_" alone
 * and its file no symbolic link, so that nothing else can be asked for.
 */
bool acme_is_asked(struct exchange *, const struct cfg_listener *);

#endif
