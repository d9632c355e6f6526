/*
 * mirror - while a rollout is at a step mirror, some requests that only read
 * are asked of the new pool, too, for comparison: the answer is thrown away,
 * and nobody waits for it.
 *
 * Copied are GET and HEAD under the service's mirror paths, with the fields
 * that say what is wanted and by which name the service was asked; never with
 * cookies, authorization or anything else that says who asks.
 *
 * Thread: worker.
 */
#ifndef PROXY_MIRROR_H
#define PROXY_MIRROR_H

struct exchange;
struct proxy;

#define MIRRORS_MAX 64 /* at a time, of a worker; more are not made */

/* It has an answer of that status, and its request is still there. */
void mirror_begin(struct exchange *, unsigned status);
/* Those under way end here. */
void mirror_end_all(struct proxy *);

#endif
