/*
 * pin - the decision that a session stays on a pool (or an instance), as the
 * cookie carries it.
 *
 * Names are carried as 64-bit hashes (pin_name_hash), so that a pin reveals
 * no address and outlives any table of numbers.
 *
 * Thread: the sealer's owner.
 */
#ifndef SESSION_PIN_H
#define SESSION_PIN_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/str.h"
#include "session/token.h"

/* The first login of a session. */
enum pin_login {
	PIN_LOGIN_NONE, /* or it is complete */
	PIN_LOGIN_SEEN, /* its page was asked for */
	PIN_LOGIN_SENT  /* the user has sent something */
};

struct pin {
	uint64_t session;  /* random; one per session */
	uint64_t pool;     /* pin_name_hash() of the pool's name */
	uint64_t instance; /* of the instance's name; 0: none */
	uint64_t issued_s; /* wall clock, seconds */
	uint32_t epoch;    /* of the service when issued */
	uint16_t bucket;   /* 0..9999: where the session stands in the share */
	bool trial;        /* an operator's, to try a pool with */
	uint8_t login;     /* enum pin_login; of none that is a trial */
};

/* One row a reason why a cookie is no valid pin. */
#define PIN_VERDICTS(X)                                                        \
	X(OK, "ok")                                                            \
	X(MALFORMED, "malformed")                                              \
	X(FORMAT, "format")                                                    \
	X(KEY_UNKNOWN, "key_unknown")                                          \
	X(FORGED, "forged")                                                    \
	X(FUTURE, "future")                                                    \
	X(EXPIRED, "expired")

#define X(id, name) PIN_##id,
enum pin_verdict { PIN_VERDICTS(X) PIN_VERDICT_COUNT };
#undef X

const char *pin_verdict_name(enum pin_verdict);

#define PIN_SKEW_S 300 /* issue times so far ahead are taken as clock skew */

uint64_t pin_name_hash(struct str name); /* never 0 */

/* Length of the cookie value written to out; the service is its context. */
ssize_t pin_write(struct sealer *, struct str service, const struct pin *,
    char out[TOKEN_TEXT_MAX]) MUST_CHECK;
/*
 * now_s      wall clock
 * max_age_s  a pin older than that is PIN_EXPIRED
 * out        all zero unless PIN_OK
 */
enum pin_verdict pin_read(struct sealer *, struct str service,
    struct str cookie, uint64_t now_s, uint64_t max_age_s,
    struct pin *out) MUST_CHECK;

#endif
