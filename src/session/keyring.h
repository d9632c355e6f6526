/*
 * keyring - the keys that seal pins and digest secrets, newest first.
 *
 * File: one key a line, "ID HEX64 [comment]"; ID is 1..255, HEX64 is 32 bytes.
 * The first line seals, every line opens, so rotation is: put a new line
 * first, reload, remove the last one when its pins are gone.  Empty lines and
 * "#" lines are skipped.  Must not be readable by others.
 *
 * Thread: any; immutable, shared by reference.
 */
#ifndef SESSION_KEYRING_H
#define SESSION_KEYRING_H
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

#define KEYRING_KEY_BYTES 32
#define KEYRING_MAX 16

struct keyring;

struct keyring_key {
	uint8_t id;
	uint8_t bytes[KEYRING_KEY_BYTES];
};

/* why[cap] gets "FILE:LINE: what is wrong" unless the result is E_OK. */
int keyring_parse(struct str text, const char *origin, struct keyring **out,
    char *why, size_t cap) MUST_CHECK;
int keyring_load(const char *path, struct keyring **out, char *why,
    size_t cap) MUST_CHECK;
/* Loads path, or makes it (mode 0600, one new key) when it does not exist. */
int keyring_load_or_make(const char *path, struct keyring **out, char *why,
    size_t cap) MUST_CHECK;
struct keyring *keyring_ref(struct keyring *);
void keyring_unref(struct keyring **); /* wipes with the last one */

size_t keyring_count(const struct keyring *);
/* i = 0 is the sealing key. */
const struct keyring_key *keyring_at(const struct keyring *, size_t i);
/* NULL when no key has that id. */
const struct keyring_key *keyring_find(const struct keyring *, uint8_t id);

#endif
