/*
 * artifacts - which pool has issued a code or a token: calls of servers carry
 * it, and no cookie.
 *
 * Keys are keyed hashes (session/artifact); what was issued is kept nowhere.
 * The table has a fixed size: where it is full, what was learned first goes
 * first.  (Not what ends first: that would always be the codes.)
 *
 * Thread: any.
 */
#ifndef UPSTREAM_ARTIFACTS_H
#define UPSTREAM_ARTIFACTS_H
#include <pthread.h>
#include <stdint.h>

#define ARTIFACTS_MAX 524288 /* of each part of a service; 32 bytes each */
#define ARTIFACTS_WAYS 8     /* that one key may stand at */

/* Many of one part leave those of the others alone. */
enum artifacts_part {
	ARTIFACTS_FLOW, /* codes of logins under way */
	ARTIFACTS_STATE,
	ARTIFACTS_TOKEN,
	ARTIFACTS_PARTS
};
#define ARTIFACTS_SEVERAL UINT64_MAX /* a state that two pools have chosen */

struct artifact_key {
	uint64_t half[2];
};

struct artifact_row {
	struct artifact_key key;
	uint64_t pool;           /* hash of its name; 0: the row is free */
	uint32_t ends_s, told_s; /* monotonic, rounded down */
};

struct artifacts {
	pthread_mutex_t mutex;
	/* owned; NULL: nothing was learned yet */
	struct artifact_row *rows[ARTIFACTS_PARTS];
};

void artifacts_init(struct artifacts *);
void artifacts_free(struct artifacts *);
/* The pool's hash; 0: nobody knows; ARTIFACTS_SEVERAL: it says nothing. */
uint64_t artifacts_get(struct artifacts *, struct artifact_key,
    uint64_t now_us);
/*
 * Until then, at most; without memory it is forgotten at once.  Who is known to
 * have issued it stays: another pool only repeats it.  But a state that another
 * one has chosen too, a constant or a page to come back to, says nothing more.
 */
void artifacts_put(struct artifacts *, enum artifacts_part, struct artifact_key,
    uint64_t pool, uint64_t ends_us, uint64_t now_us);

#endif
