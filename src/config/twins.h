/*
 * twins - which texts stand in an array more than once.
 *
 * Thread: any; pure.
 */
#ifndef CONFIG_TWINS_H
#define CONFIG_TWINS_H
#include <stddef.h>

#include "base/attr.h"

/*
 * array has n structs of size bytes with a char * at offset at.  The result,
 * to be freed, has n indices: that of the first struct with an equal text,
 * hence its own where there is none before.  NULL texts equal nothing.  NULL
 * when memory is out.
 */
size_t *twins_find(const void *array, size_t n, size_t size,
    size_t at) MUST_CHECK;

#endif
