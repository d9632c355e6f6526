#include "segue/show.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"

#define LONGEST_S (UINT64_C(1) << 40) /* above it a duration is nonsense */

static const char *
dash(char out[SHOW_MAX])
{
	memcpy(out, "-", 2);
	return out;
}

const char *
show_number(int64_t n, char out[SHOW_MAX])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%llu",
	    n < 0 ? 0 - (unsigned long long)n : (unsigned long long)n);
	size_t at = 0;

	if (n < 0)
		out[at++] = '-';
	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

const char *
show_count(const struct json *j, const char *key, char out[SHOW_MAX])
{
	int64_t n;

	return json_int(json_get(j, key), &n) ? show_number(n, out) : dash(out);
}

const char *
show_moment(const struct json *j, const char *key, char out[SHOW_MAX])
{
	const char *time = json_get_text(j, key, "");

	if (strlen(time) < sizeof("2026-11-25T13:24:42") - 1)
		return dash(out);
	(void)snprintf(out, SHOW_MAX, "%.5s %.8s", time + 5, time + 11);
	return out;
}

const char *
show_us(const struct json *j, const char *key, char out[SHOW_MAX])
{
	int64_t n;

	if (!json_int(json_get(j, key), &n) || n < 0)
		return dash(out);
	if (n == 0)
		(void)snprintf(out, SHOW_MAX, "0s");
	else
		units_duration_round((uint64_t)n, out);
	return out;
}

const char *
show_s(const struct json *j, const char *key, char out[SHOW_MAX])
{
	const struct json *v = json_get(j, key);
	int64_t whole;
	double n;

	if (!json_number(v, &n) || !(n >= 0 && n <= (double)LONGEST_S))
		return dash(out);
	if (json_int(v, &whole) && whole < 60) /* as they came */
		(void)snprintf(out, SHOW_MAX, "%ds", (int)whole);
	else
		units_duration_round((uint64_t)(n * US_PER_S), out);
	return out;
}

const char *
show_share(const struct json *j, const char *key, char out[SHOW_MAX])
{
	int64_t n;

	if (!json_int(json_get(j, key), &n) || n < 0 || n > 10000)
		return dash(out);
	units_share((uint32_t)n, out);
	return out;
}

const char *
show_text(const struct json *j, const char *key)
{
	const char *s = json_get_text(j, key, "-");

	return s[0] == '\0' ? "-" : s;
}

bool
show_read_time(const char *iso, uint64_t *us)
{
	struct tm tm = { .tm_isdst = 0 };
	uint64_t unit = US_PER_S / 10, part = 0;
	time_t t;
	int n = 0;

	if (sscanf(iso, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon,
	        &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) != 6)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	if (iso[n] == '.')
		for (n++; iso[n] >= '0' && iso[n] <= '9'; n++, unit /= 10)
			part += unit * (uint64_t)(iso[n] - '0');
	t = timegm(&tm);
	if (strcmp(iso + n, "Z") != 0 || t < 0)
		return false;
	*us = (uint64_t)t * US_PER_S + part;
	return true;
}

const char *
show_age(const char *now, const char *then, char out[SHOW_MAX])
{
	uint64_t a, b;

	if (now == NULL || then == NULL || !show_read_time(now, &a) ||
	    !show_read_time(then, &b))
		return dash(out);
	units_duration_round(a > b ? a - b : 0, out);
	return out;
}
