/*
 * valid - what a text of each kind may look like.
 *
 * Thread: any; pure.
 */
#ifndef CONFIG_VALID_H
#define CONFIG_VALID_H
#include <stdbool.h>

#include "base/attr.h"
#include "base/str.h"
#include "config/config.h"

bool valid_text(struct str);      /* anything */
bool valid_word(struct str);      /* not empty, no spaces, no controls */
bool valid_name(struct str);      /* [A-Za-z0-9._-]+, one letter or digit */
bool valid_label(struct str);     /* ... and what addresses are made of */
bool valid_file(struct str);      /* not empty, no controls */
bool valid_target(struct str);    /* RFC 9112 3.2.1 origin-form */
bool valid_prefix(struct str);    /* a normalised path */
bool valid_hostname(struct str);  /* labels of letters, digits, "-", "_" */
bool valid_host(struct str);      /* RFC 9110 7.2, never empty */
bool valid_pattern(struct str);   /* host, "*.domain", "*" */
bool valid_cookie(struct str);    /* token of at most 63 bytes */
bool valid_space(struct str);     /* 1 to 16 letters and digits */
bool valid_share_key(struct str); /* source, request, header:X, cookie:X */
bool valid_answer(struct str);    /* "503", "4xx", "5xx" */
bool valid_cidr(struct str);      /* as net/addr's cidr_parse() has it */
bool valid_token(struct str);     /* RFC 9110 5.6.2 */
bool valid_field(struct str);     /* RFC 9110 5.5: no controls but HTAB */
bool valid_value(struct str);     /* the same, no spaces at its ends */

/* The parts of a share key; name (inside s) is what follows the colon. */
bool share_key_split(struct str s, enum cfg_share_key *,
    struct str *name) MUST_CHECK;

#endif
