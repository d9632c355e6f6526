#include "upstream/keepalive.h"

#include "base/clock.h"

#define TIMEOUT_MAX_S UINT64_C(31622400) /* a year: as good as unsaid */

static uint64_t
bound_us(uint64_t timeout_s)
{
	if (timeout_s > TIMEOUT_MAX_S)
		return KEEPALIVE_UNSAID;
	return timeout_s == 1 ? US_PER_S / 2
	    : timeout_s == 0  ? 0
	                      : (timeout_s - 1) * US_PER_S;
}

static void
read_item(struct str item, struct keepalive *out)
{
	struct str name = str_split(&item, '=');
	uint64_t n;

	if (!str_u64(str_trim(item), &n))
		return;
	name = str_trim(name);
	if (str_caseeq(name, STR("timeout")))
		out->idle_us = MIN(out->idle_us, bound_us(n));
	else if (str_caseeq(name, STR("max")))
		out->more = MIN(out->more, n);
}

void
keepalive_read(const struct http_head *h, struct keepalive *out)
{
	*out = (struct keepalive){ KEEPALIVE_UNSAID, KEEPALIVE_UNSAID };
	for (unsigned i = 0; i < h->n; i++) {
		struct str rest = str_from(h->f[i].value, h->f[i].value_len);
		struct str item;

		if (h->f[i].id != FIELD_KEEP_ALIVE ||
		    (h->f[i].flags & HF_DROP) != 0)
			continue;
		while (str_list_next(&rest, &item))
			read_item(item, out);
	}
}
