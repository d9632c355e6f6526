/*
 * read - fills settings from a tree by the rows of the schema, and collects
 * what is wrong.
 *
 * Thread: any.
 */
#ifndef CONFIG_READ_H
#define CONFIG_READ_H
#include "config/problem.h"
#include "config/schema.h"

/*
 * Reads the map at w (none there: all defaults) into base, which is zeroes.
 * A number that is wrong leaves the default, a text or address leaves NULL.
 * An element of a list that could not be read is left in zeroes, so that
 * indices stay those of the file.
 */
void read_map(struct problems *, const struct key *keys, void *base,
    const struct where *w);

#endif
