/*
 * keeping - answers at the paths of hold.copies are kept as they pass by, and
 * given to who would have to wait.
 *
 * Thread: worker.
 */
#ifndef PROXY_KEEPING_H
#define PROXY_KEEPING_H
#include <stdbool.h>

#include "base/str.h"

struct exchange;
struct http_head;
struct view_service;

/* The head of an answer, before it is changed for the client. */
void keeping_head(struct exchange *, const struct http_head *);
/* Bytes of its body, as long as .copy is there. */
void keeping_data(struct exchange *, struct str);
/* It is whole. */
void keeping_end(struct exchange *);
/*
 * What it asks for was kept: it is answered with that.  For a service that is
 * held, of which there may be no instance any more.
 */
bool keeping_answers(struct exchange *, const struct view_service *);

#endif
