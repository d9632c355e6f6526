/*
 * shelf - the embedded store: keys and values in the memory of this process,
 * bounded; where it is full, what was put first goes first.  What lives for an
 * hour at most and what lives longer have half of it each: many of the one kind
 * leave the other alone.
 *
 * Thread: any, but shelf_save(): after the others.
 */
#ifndef STORE_SHELF_H
#define STORE_SHELF_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

struct shelf;

/* bytes: of keys, values and what they need around them. */
struct shelf *shelf_new(size_t bytes) MUST_CHECK;
void shelf_free(struct shelf **);

/* Copies at most cap bytes; its length, or -1: there is none. */
ptrdiff_t shelf_get(struct shelf *, struct str key, char *out, size_t cap);
/* False: there is no place for it; keep: what is there stays. */
bool shelf_put(struct shelf *, struct str key, struct str value,
    uint64_t ttl_ms, bool keep);
void shelf_drop(struct shelf *, struct str key);
size_t shelf_count(struct shelf *);

/*
 * A file: a line "segue-store 1", then for each, in the order in which they
 * were put, a line of when it ends (ms of the wall clock), the lengths of key
 * and value, the key and the value, with a space between two.
 *
 * load  E_NOENT: there is none; E_DAMAGED: what stands before the damage is
 *       there
 */
int shelf_load(struct shelf *, const char *path) MUST_CHECK;
int shelf_save(struct shelf *, const char *path) MUST_CHECK;

#endif
