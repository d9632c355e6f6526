/*
 * check - what no single row can say: names twice, rules twice, shares that
 * do not add up, limits that contradict each other.  Fills in what depends on
 * other values.
 *
 * Thread: any.
 */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H
#include <stddef.h>

#include "config/config.h"
#include "config/problem.h"

/* top is where c was read from. */
void check_all(struct problems *, struct cfg *, const struct where *top);
void check_pools(struct problems *, struct cfg_service *,
    const struct where *service);

/* Of a service: what its mode does not have, and what follows from it. */
void check_mode(struct problems *, struct cfg_service *,
    const struct where *service);
/* Of a service: namespaces of its pools' cookies, and what is shared. */
void check_cookies(struct problems *, const struct cfg_service *,
    const struct where *service);
/* Of a service: where the keys of its tokens are. */
void check_jwks(struct problems *, const struct cfg_service *,
    const struct where *service);
/* Of a service: its steps. */
void check_rollout(struct problems *, const struct cfg_service *,
    const struct where *service);
/* Do listeners and services of mode passthrough belong together? */
void check_passthrough(struct problems *, const struct cfg *,
    const struct where *top);

/* An array of structs that have a text each. */
struct texts {
	const void *array;
	size_t n, size; /* elements; bytes of one */
	size_t at;      /* offset of the char * */
};
#define TEXTS_OF(array, n, member)                                             \
	((struct texts){ (array), (n), sizeof(*(array)),                       \
	    (size_t)((const char *)&(array)->member -                          \
	        (const char *)(array)) })

/*
 * Each text of the elements of list must be another: it stands at key.  The
 * elements in but_not[] (an array of twins_find(), or NULL) are passed over.
 */
void check_twins(struct problems *, const struct where *list,
    const struct texts *, const char *key, const size_t *but_not);
/* An absent name becomes that of the address, where that can be one. */
void check_name(struct problems *, char **name, const struct cfg_addr *,
    const struct where *element);
/* The place of key i of element; for short. */
struct where check_where(const struct where *list, size_t i, const char *key);

#endif
