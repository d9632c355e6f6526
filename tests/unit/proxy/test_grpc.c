/* What a call of gRPC is told by, how long it may last, what it is refused. */
#include "proxy/grpc.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "http/head.h"
#include "proxy/exchange.h"
#include "upstream/view.h"

#define TUNNEL_US (3600 * US_PER_S)

static const struct {
	const char *type;
	enum http_method method;
	bool is;
} calls[] = {
	{ "application/grpc", METHOD_POST, true },
	{ "application/grpc+proto", METHOD_POST, true },
	{ "application/grpc;charset=x", METHOD_POST, true },
	{ "Application/gRPC", METHOD_POST, true },
	{ "application/grpc-web", METHOD_POST, false },
	{ "application/grp", METHOD_POST, false },
	{ "", METHOD_POST, false },
	{ "application/grpc", METHOD_GET, false },
};

Test(grpc, is_a_call, .timeout = 10)
{
	static struct http_head h;

	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		memset(&h, 0, sizeof(h));
		h.method = (uint8_t)calls[i].method;
		cr_assert_eq(http_head_add(&h, FIELD_CONTENT_TYPE,
		                 STR("content-type"), str_of(calls[i].type)),
		    E_OK);
		cr_expect_eq(grpc_is(&h), calls[i].is, "%zu: %s", i,
		    calls[i].type);
	}
	memset(&h, 0, sizeof(h));
	h.method = METHOD_POST;
	cr_expect_not(grpc_is(&h), "no type at all");
}

/* One second more than what the client waits; 0: as long as a tunnel. */
static const struct {
	const char *said;
	uint64_t first_byte_us;
} times[] = {
	{ "1H", 0 },
	{ "2M", 121 * US_PER_S },
	{ "5S", 6 * US_PER_S },
	{ "100m", US_PER_S + 100 * US_PER_MS },
	{ "7u", US_PER_S + 7 },
	{ "1500n", US_PER_S + 2 },
	{ "99999999H", 0 },
	{ "00000001S", 2 * US_PER_S },
	{ "000000001S", 0 },
	{ "S", 0 },
	{ "5", 0 },
	{ "", 0 },
	{ "5s", 0 },
	{ "-5S", 0 },
	{ " 5S", 0 },
	{ "5 S", 0 },
	{ "5.0S", 0 },
};

/* A call of a service with a pool of that protocol begins. */
static void
begin(struct exchange *x, enum cfg_protocol protocol, const char *timeout)
{
	static struct view_service vs;
	static struct cfg_pool pool;

	pool.protocol = protocol;
	vs.pools[0].cfg = &pool;
	vs.n_pools = 1;
	memset(x, 0, sizeof(*x));
	x->vs = &vs;
	x->grpc = true;
	x->tunnel_us = TUNNEL_US;
	x->body_max = 7;
	cr_assert_eq(http_head_add(&x->req, FIELD_OTHER, STR("grpc-timeout"),
	                 str_of(timeout)),
	    E_OK);
	grpc_begin(x);
}

Test(grpc, timeout, .timeout = 10)
{
	static struct exchange x;

	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		uint64_t due = times[i].first_byte_us;

		begin(&x, CFG_PROTOCOL_H2C, times[i].said);
		cr_expect_eq(x.first_byte_us, due == 0 ? TUNNEL_US : due,
		    "\"%s\": %lu", times[i].said, x.first_byte_us);
		cr_expect_eq(x.progress_us, TUNNEL_US);
		cr_expect_eq(x.body_max, 0);
	}
	begin(&x, CFG_PROTOCOL_H1, "5S");
	cr_expect_not(x.grpc, "none of its pools speaks HTTP/2");
	cr_expect_eq(x.body_max, 7);
}

static const struct {
	unsigned status;
	enum outcome why;
	enum grpc_status says;
} statuses[] = {
	{ 400, OUT_BAD_REQUEST, GRPC_INTERNAL },
	{ 401, OUT_ANSWERED, GRPC_UNAUTHENTICATED },
	{ 403, OUT_ANSWERED, GRPC_PERMISSION_DENIED },
	{ 404, OUT_NO_SERVICE, GRPC_UNIMPLEMENTED },
	{ 408, OUT_BODY_TIMEOUT, GRPC_UNKNOWN },
	{ 413, OUT_TOO_LARGE, GRPC_RESOURCE_EXHAUSTED },
	{ 429, OUT_RATE_LIMITED, GRPC_UNAVAILABLE },
	{ 431, OUT_TOO_LARGE, GRPC_RESOURCE_EXHAUSTED },
	{ 502, OUT_INSTANCE_RESET, GRPC_UNAVAILABLE },
	{ 503, OUT_NO_INSTANCE, GRPC_UNAVAILABLE },
	{ 503, OUT_INTERNAL, GRPC_INTERNAL },
	{ 504, OUT_CONNECT_TIMEOUT, GRPC_UNAVAILABLE },
	{ 504, OUT_FIRST_BYTE_TIMEOUT, GRPC_DEADLINE_EXCEEDED },
	{ 504, OUT_ANSWER_TIMEOUT, GRPC_DEADLINE_EXCEEDED },
};

Test(grpc, status_of, .timeout = 10)
{
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		cr_expect_eq(grpc_status_of(statuses[i].status,
		                 statuses[i].why),
		    statuses[i].says, "%u %s", statuses[i].status,
		    outcome_name(statuses[i].why));
}

static const struct {
	const char *said;
	uint8_t heard;
} heard[] = {
	{ "0", 0 },
	{ "16", 16 },
	{ "254", 254 },
	{ "255", GRPC_UNSAID },
	{ "256", GRPC_UNSAID },
	{ "-1", GRPC_UNSAID },
	{ "", GRPC_UNSAID },
	{ "5x", GRPC_UNSAID },
};

Test(grpc, hear, .timeout = 10)
{
	static struct exchange x;
	static struct http_head h;

	for (size_t i = 0; i < ARRAY_LEN(heard); i++) {
		memset(&h, 0, sizeof(h));
		x.grpc_status = GRPC_UNSAID;
		cr_assert_eq(http_head_add(&h, FIELD_OTHER, STR("grpc-status"),
		                 str_of(heard[i].said)),
		    E_OK);
		grpc_hear(&x, &h);
		cr_expect_eq(x.grpc_status, heard[i].heard, "\"%s\"",
		    heard[i].said);
	}
}
