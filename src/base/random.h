/*
 * random - unpredictable bytes for secrets, quick numbers for choices.
 *
 * Thread: any; random_quick() keeps its state per thread.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H
#include <stddef.h>
#include <stdint.h>

void random_bytes(void *out, size_t len); /* getrandom(2); aborts on failure */
uint64_t random_quick(void);              /* not for secrets */
uint32_t random_below(uint32_t n);        /* 0..n-1, quick; n > 0 */

#endif
