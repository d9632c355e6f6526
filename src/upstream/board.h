/*
 * board - health words in memory that outlives the network process, so that
 * the next one knows which instances were proved a moment ago.
 *
 * The memory is the master's; each network process inherits it.  A row is one
 * atomic word, so a crash can tear nothing.
 *
 * Thread: control; one process at a time.
 */
#ifndef UPSTREAM_BOARD_H
#define UPSTREAM_BOARD_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "upstream/model.h"

struct board;

/*
 * Shared memory for the most instances there can be; those noted longest ago
 * make room for more.  NULL when there is none.
 */
struct board *board_new(void) MUST_CHECK;
void board_free(struct board **);

/* Notes what the last probe of that instance said, at that time. */
void board_note(struct board *, const struct instance *, uint64_t mono_us);
/* True with the health noted no longer than max_age_us ago. */
bool board_look(const struct board *, const struct instance *, uint64_t mono_us,
    uint64_t max_age_us, enum health *out);

#endif
