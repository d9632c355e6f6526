/*
 * health - what a balancer in front of us is told about ourselves: whether to
 * send clients here.  Never forwarded; counted in a row of its own.
 *
 * Thread: worker.
 */
#ifndef PROXY_HEALTH_H
#define PROXY_HEALTH_H
#include <stdbool.h>

#include "base/attr.h"

struct cfg_listener;
struct exchange;
struct proxy;

/* Is its target the listener's health path, which there is? */
bool health_is_asked(const struct exchange *, const struct cfg_listener *);
/* 200; 503 when we stop, are about to, or no service can serve. */
unsigned health_status(const struct proxy *);

#endif
