/*
 * account - invariant 1 in numbers: each exchange a service accepted has ended
 * in one row of the outcome table, or is in flight.
 *
 * Thread: control; the cells are the workers'.
 */
#ifndef UPSTREAM_ACCOUNT_H
#define UPSTREAM_ACCOUNT_H
#include <stdbool.h>
#include <stdint.h>

#include "upstream/model.h"

/* Classes of outcomes, as in OUTCOMES(): identifier, name. */
#define ACCOUNT_CLASSES(X)                                                     \
	X(answered, "answered")                                                \
	X(ours, "ours")                                                        \
	X(client, "client")                                                    \
	X(deadline, "deadline")                                                \
	X(fault, "fault")

#define X(id, name) CLASS_##id,
enum account_class { ACCOUNT_CLASSES(X) CLASS_COUNT };
#undef X

const char *account_class_name(enum account_class);

struct account {
	uint64_t accepted; /* = all outcomes + in_flight; never falls */
	uint64_t outcome[OUT_COUNT];
	uint64_t class[CLASS_COUNT];
	uint64_t in_flight;
	bool holds; /* what workers hold agrees with it, see account_of() */
};

/*
 * Reads the cells of a service while workers go on counting.
 *
 * accepted is what workers counted as begun, and in_flight is what of that has
 * not ended; so the sum is right by definition.  holds compares it with a
 * number that is written apart: active, the exchanges a worker has at hand.
 * It is false only when exchanges got lost or were counted twice.
 *
 * unrouted  the service that counts what reached none: its exchanges begin
 *           when they end, and active there are heads still being read
 */
void account_of(const struct service *, bool unrouted, struct account *out);

/* An empty account holds. */
struct account account_empty(void);
void account_add(struct account *sum, const struct account *);

#endif
