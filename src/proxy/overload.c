#include "proxy/overload.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/slab.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "tls/stream.h"
#include "upstream/conncache.h"
#include "upstream/load.h"
#include "upstream/view.h"
#include "wire/trunk.h"

/* The others' numbers cost a cache miss each: looked at so often at most, */
#define LOOK_US (1 * US_PER_MS)
/* or when this part of the limit came here meanwhile. */
#define LOOK_PART 64

uint64_t
overload_bytes(const struct proxy *p)
{
	return slab_lent_bytes(p->wire.slabs) +
	    (p->n_clients + p->n_streams) * sizeof(struct client) +
	    (p->n_trunks + p->up.n_trunks) * TRUNK_BYTES +
	    p->n_exchanges * sizeof(struct exchange) + p->spilled_bytes +
	    p->preface_bytes + p->proof_bytes +
	    p->up.n_conns * sizeof(struct upconn) +
	    (p->n_tls + p->up.n_tls) * TLS_STREAM_BYTES +
	    p->n_shaking * TLS_SHAKE_BYTES;
}

bool
overload_sheds(const struct proxy *p)
{
	return p->load_state != LOAD_NORMAL;
}

static void
go(struct proxy *p, enum load_state to, uint64_t bytes, uint64_t limit)
{
	struct load_cell *cell = &p->view->load->cells[p->env.index];

	log_warn("event=overload worker=%u from=%s to=%s bytes=%llu "
	         "limit=%llu",
	    p->env.index, load_state_name((enum load_state)p->load_state),
	    load_state_name(to), (unsigned long long)bytes,
	    (unsigned long long)limit);
	p->load_state = (uint8_t)to;
	atomic_store_explicit(&cell->state, to, memory_order_release);
	stat_add(&cell->fulls, to == LOAD_FULL);
	for (size_t i = 0; i < p->env.n_listen; i++)
		listener_hold(&p->listeners[i], to == LOAD_FULL);
}

static void
set(stat_u64 *s, uint64_t n)
{
	if (stat_get(s) != n)
		atomic_store_explicit(s, n, memory_order_release);
}

void
overload_turn(struct proxy *p)
{
	const struct load *l = p->view->load;
	struct load_cell *cell = &l->cells[p->env.index];
	uint64_t mine = overload_bytes(p), now = loop_now_us(p->env.loop);
	uint64_t limit, all;
	enum load_state to;

	set(&cell->bytes, mine);
	set(&cell->clients, p->n_clients);
	limit = load_limit(l, p->view->cfg->memory_limit);
	if (now - p->looked_at_us < LOOK_US &&
	    mine < p->looked_bytes + limit / LOOK_PART)
		return;
	p->looked_at_us = now;
	p->looked_bytes = mine;
	all = load_bytes(l);
	to = load_next((enum load_state)p->load_state, all, limit);
	if (to != p->load_state)
		go(p, to, all, limit);
	/* A worker without traffic has no turns: it must look again. */
	if (to != LOAD_NORMAL)
		deadline_set(p->env.loop, &p->look_again, now + LOOK_US);
}
