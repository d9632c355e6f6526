/*
 * metadata - what one version of a server says of itself, for the question
 * whether another may run beside it: the file that Keycloak's
 * `update-compatibility metadata` writes.  An object of providers, each an
 * object of texts; the values of "feature-compatibility" are JSON once more.
 *
 * Source: the metadata command of Keycloak 26.
 *
 * Thread: any; constant once read.
 */
#ifndef COMPAT_METADATA_H
#define COMPAT_METADATA_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

#define COMPAT_BYTES_MAX ((size_t)1 << 20) /* of one file */
#define COMPAT_WHY_MAX 256

#define COMPAT_KEYCLOAK "keycloak"
#define COMPAT_CACHE "cacheEmbedded"
#define COMPAT_FEATURES "feature-compatibility"

/* What a feature says of servers that differ in it: identifier, its name. */
#define COMPAT_POLICIES(X)                                                     \
	X(ROLLING, "ROLLING")                       /* nothing */              \
	X(ROLLING_NO_UPGRADE, "ROLLING_NO_UPGRADE") /* not two versions */     \
	X(SHUTDOWN, "SHUTDOWN")                     /* not on beside off */
#define X(id, name) COMPAT_##id,
enum compat_policy { COMPAT_POLICIES(X) COMPAT_POLICY_COUNT };
#undef X
const char *compat_policy_name(enum compat_policy);

struct compat_value {
	const char *key;
	const char *text;
};

struct compat_feature {
	const char *key;
	int64_t version; /* 0: it does not say */
	enum compat_policy policy;
	bool enabled;
};

struct compat_provider {
	const char *id;
	struct compat_value *values; /* by key, as strcmp(3) sorts */
	size_t n;
};

/* All texts are its own. */
struct compat_metadata {
	struct compat_provider *providers; /* by id; features among them */
	size_t n;
	struct compat_feature *features; /* by key */
	size_t n_features;
	struct json *tree; /* owned */
};

/*
 * Reads a file's text.  A value null counts as absent, as does a provider.
 *
 * why      out: what is wrong and where, a sentence's end
 * returns  E_OK, E_NOMEM, or E_SYNTAX; *out is empty then
 */
int compat_read(struct str text, struct compat_metadata *out,
    char why[COMPAT_WHY_MAX]) MUST_CHECK;
void compat_free(struct compat_metadata *);

/* NULL: there is none. */
const struct compat_provider *compat_provider(const struct compat_metadata *,
    const char *id);
const char *compat_value(const struct compat_provider *, const char *key);
const struct compat_feature *compat_feature(const struct compat_metadata *,
    const char *key);

#endif
