#include "session/pin.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"

#define BUCKETS 10000
/* Two bits beside the bucket. */
#define KIND_SHIFT 14
enum { KIND_PLAIN, KIND_SEEN, KIND_TRIAL, KIND_SENT };

#define NAME_SEED UINT64_C(0x7069c0de)

#define X(id, name) [PIN_##id] = (name),
static const char *const verdict_names[] = { PIN_VERDICTS(X) };
#undef X

const char *
pin_verdict_name(enum pin_verdict v)
{
	return verdict_names[v];
}

uint64_t
pin_name_hash(struct str name)
{
	uint64_t h = hash_bytes(name.p, name.len, NAME_SEED);

	return h == 0 ? 1 : h;
}

/* ---- the plain form: numbers, most significant byte first ---- */

#define PLAIN_BYTES (8 + 8 + 8 + 8 + 4 + 2)

static char *
put(char *p, uint64_t n, unsigned bytes)
{
	while (bytes-- > 0)
		*p++ = (char)(n >> (8 * bytes));
	return p;
}

static uint64_t
get(const unsigned char **p, unsigned bytes)
{
	uint64_t n = 0;

	while (bytes-- > 0)
		n = n << 8 | *(*p)++;
	return n;
}

static unsigned
kind_of(const struct pin *pin)
{
	static const uint8_t kinds[] = { [PIN_LOGIN_NONE] = KIND_PLAIN,
		[PIN_LOGIN_SEEN] = KIND_SEEN,
		[PIN_LOGIN_SENT] = KIND_SENT };

	return pin->trial ? KIND_TRIAL : kinds[pin->login];
}

ssize_t
pin_write(struct sealer *s, struct str service, const struct pin *pin,
    char out[TOKEN_TEXT_MAX])
{
	char plain[PLAIN_BYTES], *p = plain;

	assert(pin->bucket < BUCKETS);
	p = put(p, pin->session, 8);
	p = put(p, pin->pool, 8);
	p = put(p, pin->instance, 8);
	p = put(p, pin->issued_s, 8);
	p = put(p, pin->epoch, 4);
	p = put(p, pin->bucket | (uint64_t)kind_of(pin) << KIND_SHIFT, 2);
	assert(p == plain + PLAIN_BYTES);
	return token_seal(s, service, str_from(plain, PLAIN_BYTES), out);
}

static void
read_plain(const unsigned char *p, struct pin *out)
{
	unsigned kind;

	out->session = get(&p, 8);
	out->pool = get(&p, 8);
	out->instance = get(&p, 8);
	out->issued_s = get(&p, 8);
	out->epoch = (uint32_t)get(&p, 4);
	out->bucket = (uint16_t)get(&p, 2);
	kind = out->bucket >> KIND_SHIFT;
	out->bucket &= (1u << KIND_SHIFT) - 1;
	out->trial = kind == KIND_TRIAL;
	out->login = kind == KIND_SEEN ? PIN_LOGIN_SEEN
	    : kind == KIND_SENT        ? PIN_LOGIN_SENT
	                               : PIN_LOGIN_NONE;
}

static enum pin_verdict
verdict_of(ssize_t code)
{
	switch (code) {
	case E_UNSUPPORTED:
		return PIN_FORMAT;
	case E_NOENT:
		return PIN_KEY_UNKNOWN;
	case E_DAMAGED:
		return PIN_FORGED;
	default:
		return PIN_MALFORMED;
	}
}

static enum pin_verdict
check_age(uint64_t issued_s, uint64_t now_s, uint64_t max_age_s)
{
	if (issued_s > now_s)
		return issued_s - now_s > PIN_SKEW_S ? PIN_FUTURE : PIN_OK;
	return now_s - issued_s > max_age_s ? PIN_EXPIRED : PIN_OK;
}

enum pin_verdict
pin_read(struct sealer *s, struct str service, struct str cookie,
    uint64_t now_s, uint64_t max_age_s, struct pin *out)
{
	unsigned char plain[TOKEN_PLAIN_MAX];
	ssize_t n = token_open(s, service, cookie, plain);
	enum pin_verdict verdict;
	struct pin pin;

	*out = (struct pin){ 0 };
	if (n < 0)
		return verdict_of(n);
	if (n != PLAIN_BYTES) /* ours, of another version of us */
		return PIN_FORMAT;
	read_plain(plain, &pin);
	if (pin.bucket >= BUCKETS)
		return PIN_FORMAT;
	verdict = check_age(pin.issued_s, now_s, max_age_s);
	if (verdict == PIN_OK)
		*out = pin;
	return verdict;
}
