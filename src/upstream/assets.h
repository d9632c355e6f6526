/*
 * assets - which pool of a service has which of its files: pages of one version
 * name files that the other does not have.
 *
 * What was heard is kept in a table of fixed size; what falls out, or was long
 * ago, is found out again.
 *
 * Thread: any.
 */
#ifndef UPSTREAM_ASSETS_H
#define UPSTREAM_ASSETS_H
#include <pthread.h>
#include <stdint.h>

#define ASSETS_MAX 512 /* of a service: a power of two */
#define ASSET_LACK_US (UINT64_C(30) * 1000000) /* a lack is believed so long */
#define ASSET_THERE_US (UINT64_C(600) * 1000000) /* ... that it is there */

enum asset_word { ASSET_UNKNOWN, ASSET_THERE, ASSET_LACKS };

struct asset_row {
	uint64_t key; /* of tag and pool; 0: none */
	uint64_t heard_us;
	uint8_t word; /* enum asset_word */
};

struct assets {
	pthread_mutex_t mutex;
	struct asset_row *rows; /* owned; NULL: nothing was heard yet */
};

void assets_init(struct assets *);
void assets_free(struct assets *);
/* tag, pool: hashes of what it is and of the pool's name; now: monotonic. */
enum asset_word assets_ask(struct assets *, uint64_t tag, uint64_t pool,
    uint64_t now_us);
/* Without memory it is forgotten at once. */
void assets_hear(struct assets *, uint64_t tag, uint64_t pool, enum asset_word,
    uint64_t now_us);

#endif
