/*
 * edges - what workers tell the control thread, brought from their threads to
 * its loop; what is told again before it was heard is told once.
 *
 * Thread: edges_tell() workers; the rest control.
 */
#ifndef SUPERVISOR_EDGES_H
#define SUPERVISOR_EDGES_H
#include "base/attr.h"
#include "proxy/proxy.h"

struct drive;
struct edges;
struct instance;
struct loop;

/* stopped is called once every worker has said that it stopped. */
int edges_new(struct loop *, unsigned n_workers, void (*stopped)(void *arg),
    void *arg, struct edges **out) MUST_CHECK;
/* Whom to tell; NULL: nobody. */
void edges_set_drive(struct edges *, struct drive *);
/* For proxy_env: arg is what edges_seat() gives. */
void *edges_seat(struct edges *, unsigned worker);
void edges_tell(void *seat, enum proxy_edge, struct instance *);
void edges_free(struct edges **); /* after the workers have ended */

#endif
