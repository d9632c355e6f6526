/*
 * version - "26.4.1", "15.0.19.Final": three numbers and perhaps a word.
 *
 * Thread: any.
 */
#ifndef COMPAT_VERSION_H
#define COMPAT_VERSION_H
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct compat_version {
	uint64_t major, minor, patch; /* patch 0 where there is none */
};

/* NULL is no version. */
bool compat_read_version(const char *text, struct compat_version *) MUST_CHECK;
bool compat_same_minor(const struct compat_version *,
    const struct compat_version *);

#endif
