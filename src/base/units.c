#include "base/units.h"

#include <stdio.h>

#include "base/clock.h"

/* whole + part / scale, exactly as written. */
struct decimal {
	uint64_t whole;
	uint64_t part;
	uint64_t scale; /* a power of ten, up to 10^FRACTION_MAX */
};

#define FRACTION_MAX 18 /* digits */

/* Largest first; the writers use the same rows. */
static const struct unit {
	const char *name;
	uint64_t size;
} durations[] = {
	{ "d", 86400 * US_PER_S },
	{ "h", 3600 * US_PER_S },
	{ "m", 60 * US_PER_S },
	{ "s", US_PER_S },
	{ "ms", US_PER_MS },
	{ "us", 1 },
};

static const struct unit sizes[] = {
	{ "GiB", UINT64_C(1) << 30 },
	{ "MiB", UINT64_C(1) << 20 },
	{ "KiB", UINT64_C(1) << 10 },
};

static struct str
take_digits(struct str *s)
{
	struct str out;
	size_t i = 0;

	while (i < s->len && s->p[i] >= '0' && s->p[i] <= '9')
		i++;
	out = str_sub(*s, 0, i);
	*s = str_sub(*s, i, s->len);
	return out;
}

static struct str
take_letters(struct str *s)
{
	struct str out;
	size_t i = 0;

	while (i < s->len && (s->p[i] | 0x20) >= 'a' && (s->p[i] | 0x20) <= 'z')
		i++;
	out = str_sub(*s, 0, i);
	*s = str_sub(*s, i, s->len);
	return out;
}

/* Reads "12", "1.5" from the front of s; a dot has digits on both sides. */
static bool
take_number(struct str *s, struct decimal *d)
{
	struct str digits;

	*d = (struct decimal){ 0, 0, 1 };
	if (!str_u64(take_digits(s), &d->whole))
		return false;
	if (!str_starts(*s, STR(".")))
		return true;
	*s = str_sub(*s, 1, s->len);
	digits = take_digits(s);
	if (digits.len > FRACTION_MAX || !str_u64(digits, &d->part))
		return false;
	for (size_t i = 0; i < digits.len; i++)
		d->scale *= 10;
	return true;
}

/* d of these units, rounded to one; false when 64 bits do not hold it. */
static bool
times(const struct decimal *d, uint64_t unit, uint64_t *out)
{
	unsigned __int128 part = (unsigned __int128)d->part * unit;
	uint64_t n;

	if (__builtin_mul_overflow(d->whole, unit, &n))
		return false;
	part = (part + d->scale / 2) / d->scale;
	return !__builtin_add_overflow(n, (uint64_t)part, out);
}

static bool
duration_unit(struct str name, uint64_t *size)
{
	for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
		if (str_eq(name, str_of(durations[i].name))) {
			*size = durations[i].size;
			return true;
		}
	}
	return false;
}

bool
units_read_duration(struct str s, uint64_t *us)
{
	uint64_t total = 0;

	if (str_eq(s, STR("0"))) {
		*us = 0;
		return true;
	}
	if (s.len == 0)
		return false;
	while (s.len > 0) {
		struct decimal d;
		uint64_t unit, part;

		if (!take_number(&s, &d) ||
		    !duration_unit(take_letters(&s), &unit) ||
		    !times(&d, unit, &part) ||
		    __builtin_add_overflow(total, part, &total))
			return false;
	}
	*us = total;
	return true;
}

/* Nothing, or K, M, G with or without iB, in either case. */
static bool
size_unit(struct str name, uint64_t *size)
{
	*size = 1;
	if (name.len == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct str full = str_of(sizes[i].name);

		if (str_caseeq(name, full) ||
		    str_caseeq(name, str_sub(full, 0, 1))) {
			*size = sizes[i].size;
			return true;
		}
	}
	return false;
}

bool
units_read_size(struct str s, uint64_t *bytes)
{
	struct decimal d;
	uint64_t unit;

	return take_number(&s, &d) && size_unit(take_letters(&s), &unit) &&
	    s.len == 0 && times(&d, unit, bytes);
}

bool
units_read_share(struct str s, uint32_t *bp)
{
	struct decimal d;
	uint64_t n;

	if (!take_number(&s, &d) || (s.len > 0 && !str_eq(s, STR("%"))))
		return false;
	/* hundredths hold it exactly: a tiny share must not become none */
	if ((unsigned __int128)d.part * 100 % d.scale != 0)
		return false;
	if (!times(&d, 100, &n) || n > 10000)
		return false;
	*bp = (uint32_t)n;
	return true;
}

size_t
units_duration(uint64_t us, char out[UNITS_MAX])
{
	size_t len = 0;

	if (us == 0)
		return (size_t)snprintf(out, UNITS_MAX, "0");
	for (size_t i = 0; i < ARRAY_LEN(durations) && us > 0; i++) {
		uint64_t n = us / durations[i].size;

		if (n == 0)
			continue;
		us %= durations[i].size;
		len += (size_t)snprintf(out + len, UNITS_MAX - len, "%llu%s",
		    (unsigned long long)n, durations[i].name);
	}
	return len;
}

size_t
units_size(uint64_t bytes, char out[UNITS_MAX])
{
	for (size_t i = 0; i < ARRAY_LEN(sizes) && bytes > 0; i++)
		if (bytes % sizes[i].size == 0)
			return (size_t)snprintf(out, UNITS_MAX, "%llu%s",
			    (unsigned long long)(bytes / sizes[i].size),
			    sizes[i].name);
	return (size_t)snprintf(out, UNITS_MAX, "%llu",
	    (unsigned long long)bytes);
}

size_t
units_share(uint32_t bp, char out[UNITS_MAX])
{
	if (bp % 100 == 0)
		return (size_t)snprintf(out, UNITS_MAX, "%u%%", bp / 100);
	if (bp % 10 == 0)
		return (size_t)snprintf(out, UNITS_MAX, "%u.%u%%", bp / 100,
		    bp % 100 / 10);
	return (size_t)snprintf(out, UNITS_MAX, "%u.%02u%%", bp / 100,
	    bp % 100);
}

/* n / size, rounded half up. */
static unsigned long long
nearest(uint64_t n, uint64_t size)
{
	return n / size + (n % size >= size / 2);
}

/* The bounds are where the next form's rounding begins: never "60.0s". */
size_t
units_duration_round(uint64_t us, char out[UNITS_MAX])
{
	unsigned long long s = nearest(us, US_PER_S), m;
	int n;

	if (us < US_PER_MS)
		n = snprintf(out, UNITS_MAX, "%lluus", (unsigned long long)us);
	else if (us < 99950)
		n = snprintf(out, UNITS_MAX, "%.1fms", (double)us / 1e3);
	else if (us < 999500)
		n = snprintf(out, UNITS_MAX, "%llums", nearest(us, US_PER_MS));
	else if (us < 59950000)
		n = snprintf(out, UNITS_MAX, "%.1fs", (double)us / 1e6);
	else if (s < 3600)
		n = snprintf(out, UNITS_MAX, "%llum%02llus", s / 60, s % 60);
	else {
		m = nearest(us, 60 * US_PER_S);
		n = snprintf(out, UNITS_MAX, "%lluh%02llum", m / 60, m % 60);
	}
	return (size_t)n;
}
