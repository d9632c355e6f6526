/*
 * board - health words and addresses in memory that outlives the network
 * process, so that the next one knows which instances were proved a moment
 * ago, and where those are whose names do not resolve just then.
 *
 * The memory is the master's; each network process inherits it.  A row is
 * atomic words behind a key that is written last, so a crash tears nothing.
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

/*
 * The same for where an instance is whose address is a name: text is that
 * name.  A row that was being written when the writer died is not found.
 */
void board_note_address(struct board *, const struct instance *,
    const char *text);
bool board_look_address(const struct board *, const struct pool *,
    const char *instance, const char *text, struct addr *out);

#endif
