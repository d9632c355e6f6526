/*
 * compare - may a new version of a server take over instance by instance from
 * an old one, or must every old one be gone before the first new one starts?
 *
 * Rules, of which each difference names the one that judged it:
 *
 *   version   keycloak.version: with patch rolling the same major and minor,
 *             and a patch that is not lower
 *   cache     versions of cacheEmbedded: with patch rolling major and minor
 *   feature   as its policy says, enum compat_policy
 *   provider  one that the new version does not know
 *   value     anything else: differs at all
 *
 * Source: the check command of Keycloak 26.
 *
 * Thread: any.
 */
#ifndef COMPAT_COMPARE_H
#define COMPAT_COMPARE_H
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "compat/metadata.h"

/* Do patch releases roll?  Identifier, word. */
#define COMPAT_PATCHES(X)                                                      \
	X(AUTO, "auto") /* since 26.6, or where the new one rolls at 2 */      \
	X(ON, "on")                                                            \
	X(OFF, "off")
#define X(id, name) COMPAT_PATCH_##id,
enum compat_patch { COMPAT_PATCHES(X) COMPAT_PATCH_COUNT };
#undef X

#define COMPAT_RULES(X)                                                        \
	X(VERSION, "version")                                                  \
	X(CACHE, "cache")                                                      \
	X(FEATURE, "feature")                                                  \
	X(PROVIDER, "provider")                                                \
	X(VALUE, "value")
#define X(id, name) COMPAT_RULE_##id,
enum compat_rule { COMPAT_RULES(X) COMPAT_RULE_COUNT };
#undef X
const char *compat_rule_name(enum compat_rule);

/* What follows: identifier, exit code, name. */
#define COMPAT_VERDICTS(X)                                                     \
	X(ROLLING, 0, "rolling")                                               \
	X(RECREATE, 3, "recreate")                                             \
	X(DISABLED, 4, "disabled") /* the new one does not roll at all */
#define X(id, exit, name) COMPAT_VERDICT_##id,
enum compat_verdict { COMPAT_VERDICTS(X) COMPAT_VERDICT_COUNT };
#undef X
const char *compat_verdict_name(enum compat_verdict);
int compat_verdict_exit(enum compat_verdict);

/* Texts are those of the two, or static; NULL: absent there. */
struct compat_difference {
	const char *provider, *key; /* key NULL: the provider as a whole */
	const char *was, *is;
	enum compat_rule rule;
	bool rolls; /* they may run side by side in spite of it */
};

struct compat_result {
	enum compat_verdict verdict;
	bool patches_roll;
	struct compat_difference *differences; /* in order of provider, key */
	size_t n;
};

/* All differences.  E_OK or E_NOMEM; borrows from both until it is freed. */
int compat_compare(const struct compat_metadata *was,
    const struct compat_metadata *is, enum compat_patch,
    struct compat_result *out) MUST_CHECK;
void compat_result_free(struct compat_result *);

#endif
