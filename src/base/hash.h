/*
 * hash - the 64-bit hash for tables and shares (xxhash behind our own name).
 *
 * Stable over processes and machines: a share decided by it may be stored.
 *
 * Thread: any.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H
#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *bytes, size_t len, uint64_t seed);

#endif
