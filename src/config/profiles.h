/*
 * profiles - what an identity server asks of whoever stands in front of it, as
 * settings that a service takes where its own file is silent.
 *
 * Thread: any.
 */
#ifndef CONFIG_PROFILES_H
#define CONFIG_PROFILES_H
#include "base/attr.h"
#include "config/config.h"
#include "config/yaml.h"

/*
 * The settings of a profile: YAML, the keys of a service; the one element of
 * pools is for each of its pools.  NULL for CFG_PRODUCT_NONE.
 */
const char *profile_text(enum cfg_product);
/* What users of it may notice of an upgrade all the same, a sentence; or NULL. */
const char *profile_note(enum cfg_product);

/*
 * Fills in what services with a profile leave open.  Maps are merged key by
 * key; any other value that is written stays, null and the default included;
 * rules of the profile follow those that are written.  A map of another type,
 * as a probe of type tcp, takes nothing.  What is filled in has .profile, and
 * the place of the service's key profile.
 *
 * What is wrong is left alone, for read_map() to tell, and so are services in
 * mode passthrough.
 *
 * returns  E_OK or E_NOMEM
 */
int profiles_apply(struct ynode *root) MUST_CHECK;

#endif
