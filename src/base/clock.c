#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static _Atomic bool faked;
static _Atomic uint64_t fake_mono_us, fake_wall_us;

static uint64_t
read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * US_PER_S + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t
clock_mono_us(void)
{
	if (atomic_load_explicit(&faked, memory_order_relaxed))
		return fake_mono_us;
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t
clock_wall_us(void)
{
	if (atomic_load_explicit(&faked, memory_order_relaxed))
		return fake_wall_us;
	return read_clock(CLOCK_REALTIME);
}

/* "2026-11-24T10:00:00." of a second; gmtime_r() alone takes a lock. */
static const char *
second_text(time_t t)
{
	static _Thread_local char text[CLOCK_ISO_MAX];
	static _Thread_local time_t text_of;
	struct tm tm;

	if (text[0] != '\0' && t == text_of)
		return text;
	gmtime_r(&t, &tm);
	(void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.",
	    (tm.tm_year + 1900) % 10000, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
	    tm.tm_min, tm.tm_sec);
	text_of = t;
	return text;
}

size_t
clock_iso(uint64_t wall_us, char out[CLOCK_ISO_MAX])
{
	unsigned ms = (unsigned)(wall_us % US_PER_S / US_PER_MS);
	size_t n = sizeof("2026-11-24T10:00:00.") - 1;

	memcpy(out, second_text((time_t)(wall_us / US_PER_S)), n);
	out[n++] = (char)('0' + ms / 100);
	out[n++] = (char)('0' + ms / 10 % 10);
	out[n++] = (char)('0' + ms % 10);
	out[n++] = 'Z';
	out[n] = '\0';
	return n;
}

void
clock_fake(uint64_t mono_us, uint64_t wall_us)
{
	fake_mono_us = mono_us;
	fake_wall_us = wall_us;
	faked = true;
}

void
clock_real(void)
{
	faked = false;
}
