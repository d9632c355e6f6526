#include "upstream/probe_judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

bool
probe_status_fits(const struct cfg_probe *cfg, unsigned status)
{
	for (size_t i = 0; i < cfg->n_expect; i++)
		if (cfg->expect[i] == status)
			return true;
	return cfg->n_expect == 0 && status == 200;
}

bool
probe_wants_body(const struct cfg_probe *cfg)
{
	return cfg->body != NULL || cfg->json_field != NULL;
}

/* A field's value as people would write it. */
static bool
value_is(const struct json *v, const char *want)
{
	const char *text = json_text(v);
	char number[24];
	int64_t n;
	bool b;

	if (text != NULL)
		return strcmp(text, want) == 0;
	if (json_truth(v, &b))
		return strcmp(b ? "true" : "false", want) == 0;
	if (!json_int(v, &n))
		return false;
	(void)snprintf(number, sizeof(number), "%" PRId64, n);
	return strcmp(number, want) == 0;
}

enum health_reason
probe_judge_body(const struct cfg_probe *cfg, struct str body)
{
	char why[128];
	struct json *j;
	bool fits;

	if (cfg->body != NULL &&
	    (body.len == 0 ||
	        memmem(body.p, body.len, cfg->body, strlen(cfg->body)) == NULL))
		return HEALTH_WHY_BODY;
	if (cfg->json_field == NULL)
		return HEALTH_WHY_PASSED;
	j = json_read(body, why, sizeof(why));
	if (j == NULL)
		return HEALTH_WHY_JSON;
	fits = value_is(json_path(j, cfg->json_field),
	    cfg->json_value == NULL ? "" : cfg->json_value);
	json_free(&j);
	return fits ? HEALTH_WHY_PASSED : HEALTH_WHY_JSON;
}

enum health
probe_count(enum health now, unsigned *passes, unsigned *fails, bool passed,
    unsigned rise, unsigned fall)
{
	if (passed) {
		*fails = 0;
		if (*passes < UINT32_MAX)
			(*passes)++;
		return now != HEALTH_UP && *passes >= rise ? HEALTH_UP : now;
	}
	*passes = 0;
	if (*fails < UINT32_MAX)
		(*fails)++;
	if (now == HEALTH_UNKNOWN)
		return HEALTH_DOWN;
	return now == HEALTH_UP && *fails >= fall ? HEALTH_DOWN : now;
}
