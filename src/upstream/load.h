/*
 * load - how much the workers have on their hands, and what follows: above the
 * memory limit new exchanges are refused, above a second mark nobody is let in.
 *
 * The number is made of what workers lend and keep, without a look at malloc
 * or the kernel: slabs lent, clients, exchanges, connections to instances.
 *
 * Thread: cells: their worker; the rest: control; any may read.
 */
#ifndef UPSTREAM_LOAD_H
#define UPSTREAM_LOAD_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/stat.h"
#include "tls/fault.h"
#include "tls/stream.h"

/* One row a state: identifier, name, what happens in it. */
/* clang-format off */
#define LOAD_STATES(X)                                                         \
	X(NORMAL, "normal", "all are served")                                  \
	X(SHEDDING, "shedding", "above the memory limit: new exchanges are refused") \
	X(FULL, "full", "an eighth above it: no new connections are taken in")
/* clang-format on */
#define X(id, name, help) LOAD_##id,
enum load_state { LOAD_STATES(X) LOAD_STATE_COUNT };
#undef X

const char *load_state_name(enum load_state);

/* Of one worker. */
struct load_cell {
	stat_u64 bytes;   /* memory in use, as counted */
	stat_u64 clients; /* connections of clients */
	stat_u64 state;   /* enum load_state it is in */
	stat_u64 shed;    /* exchanges refused for memory */
	stat_u64 fulls;   /* times it went LOAD_FULL */
	/* handshakes of clients */
	stat_u64 tls_shaken[TLS_VERSION_COUNT];
	stat_u64 tls_resumed[TLS_VERSION_COUNT]; /* of these */
	stat_u64 tls_failed[TLS_FAULT_COUNT];
	stat_u64 tls_staples[TLS_STAPLE_COUNT];
} CACHE_ALIGNED;

struct load {
	unsigned n_workers;
	uint64_t machine_bytes; /* memory we may count on; 0: unknown */
	_Atomic bool lame;      /* control: we shall stop soon */
	struct load_cell *cells;
};

struct load *load_new(unsigned n_workers) MUST_CHECK;
void load_free(struct load **);

/* Sum of what all workers count. */
uint64_t load_bytes(const struct load *);
/* The highest of the workers' states. */
enum load_state load_state(const struct load *);
/*
 * What is allowed, from the setting (CFG_MEMORY_AUTO: three quarters of the
 * machine); UINT64_MAX: anything.
 */
uint64_t load_limit(const struct load *, uint64_t setting);
/*
 * The state that follows: up at the limit and an eighth above it, down an
 * eighth below where it went up.
 */
enum load_state load_next(enum load_state now, uint64_t bytes,
    uint64_t limit) MUST_CHECK;
/*
 * Memory of the machine, or what a control group leaves of it to us; 0 when
 * neither can be read.  Blocks on files of the kernel.  root: "" but in tests.
 */
uint64_t load_machine_bytes(const char *root);

#endif
