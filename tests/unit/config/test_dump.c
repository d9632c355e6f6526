/*
 * Dump and comparison: any configuration, made at random by the rows of the
 * schema, comes back equal from its own dump.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"
#include "config/value.h"
#include "config/yaml.h"
#include "try.h"

/* ---- chance, the same in every run ---- */

static uint64_t dice;

static unsigned
roll(unsigned below)
{
	dice ^= dice << 13; /* xorshift64, Marsaglia 2003 */
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (unsigned)(dice >> 11) % below;
}

static unsigned serial;      /* so that names and addresses differ */
static bool passes;          /* the service is in mode passthrough */
static bool in_h2;           /* its profile speaks HTTP/2 */
static unsigned job;         /* of the rollout, down to 1; 0: none */
static unsigned named;       /* number in the last name */
static bool in_cluster;      /* the keys of cluster */
static bool in_store, redis; /* the keys of store, which are for Redis */
static unsigned before;      /* ... of the pool before this; 0: none */

/* Of a rollout: its steps up to this one. */
static struct {
	unsigned left;         /* this one is counted */
	bool held, checked;    /* not released; by one before */
	bool job, hold, check; /* what this one is */
	bool release, roll, window;
	unsigned by; /* of a check; 0: job */
} steps;

/* ---- a value of each kind ---- */

static void
add_number(const struct key *k, struct buf *out)
{
	uint64_t span = k->max - k->min, n;

	switch (roll(4)) {
	case 0:
		n = k->min;
		break;
	case 1:
		n = k->max;
		break;
	default: /* any magnitude */
		n = (uint64_t)roll(1U << 31) << 31 | roll(1U << 31);
		n = k->min + (span == 0 ? 0 : (n >> roll(62)) % span);
		break;
	}
	value_show_number(k, n, out);
}

static void
add_wild_text(const char *begin, struct buf *out)
{
	static const char *const parts[] = { "a", "Z", "0", " ", "\t", "\n",
		"\"", "\\", "'", "#", ": ", "- ", "[", "{", "&", "*", "!", "%",
		"@", "`", "|", ">", "\x01", "\x7f", "\xc3\xa4", "\xc2\x85",
		"\xe2\x80\xa8", "\xef\xbb\xbf", "\xf0\x9f\x8e\xb5", "null", "~",
		"on" };
	struct buf text = BUF_INIT;

	buf_add_cstr(&text, begin);
	for (unsigned n = roll(8); n > 0; n--)
		buf_add_cstr(&text, parts[roll(ARRAY_LEN(parts))]);
	yaml_add_quoted(out, buf_str(&text));
	buf_free(&text);
}

/* Others ask for values, or for an order. */
static void
add_step(struct buf *out)
{
	static const char *const kinds[] = { "ready", "approve", "job", "check",
		"gone", "roll", "window", "hold", "release" };
	unsigned n = roll(ARRAY_LEN(kinds) - 2);

	if (steps.held && (steps.left == 1 || roll(2) == 0))
		n = 8;
	else if (steps.left > 1 && roll(2) == 0)
		n = 7;
	steps.checked |= steps.check;
	steps.check = n == 3;
	steps.by = steps.check ? roll(3) : 0;
	steps.roll = n == 5;
	steps.job = n == 2 || steps.roll || (steps.check && steps.by == 0);
	steps.window = n == 6;
	steps.hold = n == 7;
	steps.release = n == 8;
	steps.held = steps.hold || (steps.held && n != 8);
	buf_add_cstr(out, kinds[n]);
}

static void
add_scalar(const struct key *k, struct buf *out)
{
	static const char *const share_keys[] = { "source", "request",
		"\"header:X-Id\"", "\"cookie:sid\"" };
	static const char *const hosts[] = { "a", "\"A.example.org:80\"",
		"\"[::1]:80\"", "\"127.0.0.1\"" };
	static const char *const networks[] = { "10.0.0.0/8", "\"fd00::/8\"",
		"192.0.2.1", "\"::/0\"" };
	size_t n = 0;

	if (strcmp(k->name, "below") == 0) {
		buf_printf(out, "%u", 1 + roll(1000)); /* 0: it needs times */
		return;
	}
	if (value_is_number(k) && k->kind != K_SHARE) {
		add_number(k, out);
		return;
	}
	switch (k->kind) {
	case K_TEXT:
		add_wild_text("", out);
		break;
	case K_WORD:
		buf_printf(out, "\"word{%u}\"", roll(100));
		break;
	case K_NAME:
	case K_LABEL:
		if (strcmp(k->name, "job") == 0)
			buf_add_cstr(out, "job-1"); /* there is always one */
		else if (strcmp(k->name, "requires") == 0)
			buf_printf(out, "N%u.a_b-c", before);
		else if (job > 0)
			buf_printf(out, "job-%u", job);
		else
			buf_printf(out, "N%u.a_b-c", ++serial);
		if (strcmp(k->name, "name") == 0 && k->kind == K_NAME)
			named = serial;
		break;
	case K_FILE:
		buf_printf(out, "\"/tmp/a: b #%u\"", ++serial);
		break;
	case K_TARGET:
		buf_printf(out, "\"/a?b=%u&c=[]{}\"", roll(100));
		break;
	case K_PREFIX:
		buf_printf(out, "/a/b.%u%s", ++serial, roll(2) == 0 ? "" : "/");
		break;
	case K_HOST:
		buf_add_cstr(out, hosts[roll(ARRAY_LEN(hosts))]);
		break;
	case K_PATTERN:
		buf_printf(out, "\"%sH%u.example.org\"",
		    roll(2) == 0 ? "" : "*.", ++serial);
		break;
	case K_VALUE:
		buf_printf(out, "\"{host} a\\t%u {} {\"", roll(100));
		break;
	case K_TOKEN:
		if (strcmp(k->name, "set") == 0) {
			buf_printf(out, "X-%u", roll(100));
			break;
		}
		buf_printf(out, "\"!#$%%&'*+-.^_`|~%u\"", roll(100));
		break;
	case K_SPACE:
		buf_printf(out, "v%u", ++serial);
		break;
	case K_SHARE_KEY:
		buf_add_cstr(out, share_keys[roll(ARRAY_LEN(share_keys))]);
		break;
	case K_ANSWER:
		buf_printf(out, "%u", 400 + serial++ % 200);
		break;
	case K_CIDR:
		buf_add_cstr(out, networks[roll(ARRAY_LEN(networks))]);
		break;
	case K_ENUM:
		if (strcmp(k->name, "step") == 0) {
			add_step(out);
			break;
		}
		if (strcmp(k->name, "by") == 0) {
			buf_add_cstr(out, k->names[steps.by]);
			break;
		}
		if (strcmp(k->name, "strategy") == 0) {
			buf_add_cstr(out, k->names[roll(2)]); /* without jobs */
			break;
		}
		while (k->names[n] != NULL)
			n++;
		if (strcmp(k->name, "type") == 0)
			n = 2; /* grpc asks for a protocol */
		n = in_store ? redis : roll((unsigned)n);
		if ((k->flags & KEY_SHORT) != 0)
			in_h2 = n == CFG_PRODUCT_ZITADEL;
		buf_add_cstr(out, k->names[n]);
		break;
	case K_ADDR:
		serial++;
		if (roll(2) == 0)
			buf_printf(out, "\"[2001:db8::%x]:%u\"", serial,
			    serial % 65535 + 1);
		else
			buf_printf(out, "\"Host-%u:%u\"", serial,
			    serial % 65535 + 1);
		break;
	default:
		cr_assert_fail("no value for %s", k->name);
	}
}

/* ---- maps and lists ---- */

static void add_map(const struct key *, struct buf *);

/* Of commands a path comes first; a variable has a name. */
static const char *
begin_of(const struct key *k, unsigned item)
{
	if (strcmp(k->name, "env") == 0)
		return "A_1=";
	return item == 0 ? "/" : "";
}

/* An exit status says one thing alone. */
static unsigned
status_of(const struct key *k)
{
	return strcmp(k->name, "ok") == 0 ? roll(80)
	    : strcmp(k->name, "ask") == 0 ? 80 + roll(80)
	                                  : 160 + roll(96);
}

static void
add_items(const struct key *k, struct buf *out)
{
	unsigned n = (unsigned)k->min + roll(3);

	if (n == 0 &&
	    (strcmp(k->name, "trusted_proxies") == 0 ||
	        strcmp(k->name, "client_ca") == 0))
		n = 1;
	buf_add_cstr(out, "[");
	for (unsigned i = 0; i < n; i++) {
		buf_add_cstr(out, i > 0 ? ", " : "");
		if (k->sub->kind == K_TEXT)
			add_wild_text(begin_of(k, i), out);
		else if (job > 0)
			buf_printf(out, "%u", status_of(k));
		else
			add_scalar(k->sub, out);
	}
	buf_add_cstr(out, "]");
}

static void
add_fields(struct buf *out)
{
	buf_add_cstr(out, "{");
	for (unsigned n = roll(3); n > 0; n--) {
		buf_printf(out, "\"X!%u\": ", ++serial);
		buf_printf(out, "\"a\\t: b %u\"%s", roll(10),
		    n > 1 ? ", " : "");
	}
	buf_add_cstr(out, "}");
}

static void
add_list(const struct key *k, struct buf *out)
{
	unsigned n = 1 + roll(3);

	before = 0;
	memset(&steps, 0, sizeof(steps));
	buf_add_cstr(out, "[");
	for (; n > 0; n--) {
		job = strcmp(k->name, "jobs") == 0 ? n : 0;
		steps.left = n;
		add_map(k->sub, out);
		before = named; /* of pools */
		buf_add_cstr(out, n > 1 ? ", " : "");
	}
	job = 0;
	buf_add_cstr(out, "]");
}

/* Keys that only some others allow are left out. */
static bool
is_wanted(const struct key *k)
{
	if (passes &&
	    ((k->flags & KEY_HTTP) != 0 || strcmp(k->name, "share_key") == 0))
		return false;
	if (passes && k->kind == K_PATTERN)
		return true; /* there is no path that makes a difference */
	if ((k->flags & KEY_MODE) != 0 || strcmp(k->name, "passthrough") == 0)
		return true;
	if (k->kind == K_SHARE)
		return false;
	if (strcmp(k->name, "allow") == 0)
		return false; /* it or deny */
	if (strcmp(k->name, "for") == 0)
		return false; /* of steps that pause */
	if (strcmp(k->name, "job") == 0)
		return steps.job;
	if (strcmp(k->name, "by") == 0)
		return steps.check;
	if (strcmp(k->name, "only") == 0 && (!steps.checked || steps.release))
		return false; /* what is held is released on every way */
	if (strcmp(k->name, "writes_only") == 0)
		return steps.hold;
	if (strcmp(k->name, "surge") == 0)
		return steps.roll;
	if (strcmp(k->name, "from") == 0 || strcmp(k->name, "until") == 0)
		return steps.window && roll(2) == 0;
	if (strcmp(k->name, "below") == 0)
		return steps.window;
	if (strcmp(k->name, "once") == 0 && job == 1)
		return false; /* checks are made by it */
	if (strcmp(k->name, "requires") == 0 && before == 0)
		return false;
	if (strcmp(k->name, "trusted_proxies") == 0)
		return true; /* proxy_protocol asks for one */
	if (strcmp(k->name, "client_ca") == 0 ||
	    strcmp(k->name, "verify_client") == 0)
		return true; /* both or none */
	if (strcmp(k->name, "add") == 0 || strcmp(k->name, "remove") == 0)
		return false; /* they or set */
	if (strcmp(k->name, "set") == 0)
		return true;
	if (strcmp(k->name, "html") == 0)
		return true; /* one form at least */
	if (strcmp(k->name, "certificate") == 0)
		return true; /* of the key */
	if (in_cluster && k->kind == K_NAME)
		return false; /* it needs a store of type redis */
	if (in_store)
		return k->kind == K_ENUM || /* type */
		    ((k->kind == K_SIZE) != redis && k->kind != K_BOOL &&
		        k->kind != K_ITEMS);
	if (strcmp(k->name, "protocol") == 0)
		return false; /* it and tls have to fit */
	if (strcmp(k->name, "send_proxy") == 0 && in_h2)
		return false;
	if ((k->flags & KEY_REQUIRED) != 0 || k->kind == K_LIST ||
	    k->kind == K_PREFIX) /* or rules would be alike */
		return true;
	if (strcmp(k->name, "field") == 0 || strcmp(k->name, "value") == 0)
		return true; /* both or none */
	return roll(2) == 0;
}

static void
add_map(const struct key *keys, struct buf *out)
{
	const char *comma = "";

	if (keys[1].name != NULL && (keys[1].flags & KEY_MODE) != 0)
		passes = roll(4) == 0;
	in_store = strcmp(keys[0].name, "type") == 0 &&
	    strcmp(keys[1].name, "memory") == 0;
	redis = in_store && roll(2) == 0;
	in_cluster = keys[1].name != NULL &&
	    strcmp(keys[1].name, "member") == 0;
	in_h2 &= keys[1].name == NULL || (keys[1].flags & KEY_MODE) == 0;
	buf_add_cstr(out, "{");
	for (const struct key *k = keys; k->name != NULL; k++) {
		if (!is_wanted(k))
			continue;
		buf_printf(out, "%s%s: ", comma, k->name);
		comma = ", ";
		if ((k->flags & KEY_MODE) != 0)
			buf_add_cstr(out, passes ? "passthrough" : "http");
		else if (strcmp(k->name, "passthrough") == 0)
			buf_add_cstr(out, "on"); /* or none would get there */
		else if ((k->flags & KEY_OFF) != 0 && roll(3) == 0)
			buf_add_cstr(out, "off");
		else if (k->kind == K_MAP)
			add_map(k->sub, out);
		else if (k->kind == K_LIST)
			add_list(k, out);
		else if (k->kind == K_ITEMS)
			add_items(k, out);
		else if (k->kind == K_FIELDS)
			add_fields(out);
		else
			add_scalar(k, out);
	}
	in_store = in_cluster = false;
	buf_add_cstr(out, "}");
}

Test(dump, anything_comes_back, .timeout = 120)
{
	dice = UINT64_C(0x9e3779b97f4a7c15);
	for (int round = 0; round < 400; round++) {
		struct buf yaml = BUF_INIT, said;
		struct cfg *c;

		serial = 0;
		add_map(cfg_schema, &yaml);
		(void)try_text(buf_str(&yaml), &c, &said);
		cr_assert_not_null(c, "round %d: %s\n%s", round, said.p,
		    yaml.p);
		try_round_trip(c, yaml.p);
		try_free(&c, &said);
		buf_free(&yaml);
	}
}

/* How many settings changed, beside those of maps that may be switched off. */
static unsigned
count_changes(const struct buf *b)
{
	struct str rest = buf_str(b);
	unsigned n = 0;

	while (rest.len > 0) {
		struct str line = str_split(&rest, '\n');

		n += !str_starts(line, STR("access_log")) &&
		    memmem(line.p, line.len, "].eject", 7) == NULL &&
		    memmem(line.p, line.len, "s.hsts", 6) == NULL &&
		    memmem(line.p, line.len, "].tls", 5) == NULL;
	}
	return n;
}

/* Two at random differ, each way, in the same places. */
Test(dump, comparison_is_symmetric, .timeout = 120)
{
	dice = 42;
	for (int round = 0; round < 50; round++) {
		struct cfg *c[2];
		struct buf diff[2][2];

		for (int i = 0; i < 2; i++) {
			struct buf yaml = BUF_INIT, said;

			serial = 0;
			add_map(cfg_schema, &yaml);
			(void)try_text(buf_str(&yaml), &c[i], &said);
			cr_assert_not_null(c[i], "%s", said.p);
			buf_free(&said);
			buf_free(&yaml);
			diff[i][0] = diff[i][1] = BUF_INIT;
		}
		cfg_diff(c[0], c[1], &diff[0][0], &diff[0][1]);
		cfg_diff(c[1], c[0], &diff[1][0], &diff[1][1]);
		cr_expect_gt(count_changes(&diff[0][0]), 0);
		for (int i = 0; i < 2; i++)
			cr_expect_eq(count_changes(&diff[0][i]),
			    count_changes(&diff[1][i]));
		for (int i = 0; i < 4; i++)
			buf_free(&diff[i / 2][i % 2]);
		cfg_unref(&c[0]);
		cfg_unref(&c[1]);
	}
}

/* ---- the form ---- */

Test(dump, form)
{
	static const char want[] = "listeners:\n"
	                           "  - name: web\n"
	                           "    address: \"0.0.0.0:8080\"\n"
	                           "    backlog: 1024\n"
	                           "    max_connections: 0\n"
	                           "    timeouts:\n"
	                           "      preface: 5s\n"
	                           "      handshake: 10s\n"
	                           "      head: 10s\n"
	                           "      idle: 1m15s\n"
	                           "      body: 30s\n"
	                           "      write: 30s\n"
	                           "    limits:\n"
	                           "      head: 64KiB\n"
	                           "      field: 32KiB\n"
	                           "      target: 16KiB\n"
	                           "      fields: 100\n"
	                           "      streams: 100\n"
	                           "    clients:\n"
	                           "      connections: 0\n"
	                           "      requests_per_second: 0\n"
	                           "      burst: 20\n"
	                           "    http2: on\n"
	                           "    redirect: off\n"
	                           "    redirect_port: 443\n"
	                           "    trusted_proxies: [ \"10.0.0.0/8\" ]\n"
	                           "    proxy_protocol: off\n"
	                           "    tls: off\n"
	                           "    passthrough: off\n"
	                           "services:\n"
	                           "  - name: sso\n"
	                           "    mode: http\n"
	                           "    match:\n"
	                           "      - host: sso.example.org\n"
	                           "        path: /\n";
	struct cfg *c = try_good(
	    "access_log: off\nlisteners:\n- name: web\n"
	    "  address: \":8080\"\n  trusted_proxies: 10.0.0.0/8\nservices:\n"
	    "- name: sso\n  match: SSO.example.org\n  pools:\n  - name: v1\n"
	    "    instances: a:1\n",
	    "form");
	struct buf out = BUF_INIT;
	const char *at;

	cfg_dump(c, &out);
	cr_expect_eq(strstr(out.p, "workers: auto\nstate_dir: "), out.p,
	    "what is absent is left out");
	cr_expect_not_null(strstr(out.p, "\naccess_log: off\n"));
	at = strstr(out.p, "listeners:\n");
	cr_assert_not_null(at);
	cr_expect_eq(strncmp(at, want, sizeof(want) - 1), 0, "%s", at);
	cr_expect_not_null(strstr(out.p, "        share: 100%\n"));
	cr_expect_null(strstr(out.p, "\n\n"));
	buf_reset(&out);
	cfg_dump_service(&c->services[0], &out);
	cr_expect_eq(strstr(out.p, "name: sso\nmode: http\nmatch:\n  - host: "),
	    out.p, "one service: %s", out.p);
	cr_expect_not_null(strstr(out.p, "    share: 100%\n"));
	buf_free(&out);
	cfg_unref(&c);
}

/* ---- what counts as a change ---- */

#define TWO_POOLS(a, b)                                                        \
	LISTEN "services: [ { name: s, pools: [ " a ", " b " ] } ]\n"
#define V1 "{ name: v1, share: 100%, instances: [ { name: i, address: a:1 } ] }"
#define V2 "{ name: v2, share: 0%, instances: b:1 }"
#define JOB(text)                                                              \
	"services: [ { name: s, rollout: { jobs: [ { name: j, " text           \
	" } ] }, pools: [ " V1 " ] } ]\n"
#define J "services[s].rollout.jobs[j]."

#define SECRETS(secret)                                                        \
	"services: [ { name: s, headers: { request: [ { set: Authorization, "  \
	"value: " secret " } ] }, rollout: { jobs: [ { name: j, command: /a, " \
	"env: A=" secret                                                       \
	" } ] }, pools: [ { name: v1, instances: a:1, probe: "                 \
	"{ headers: { Cookie: " secret " } } } ] } ]\n"
#define S "services[s]."

static const struct {
	const char *why, *from, *to, *live, *restart;
} changes[] = {
	{ "nothing", LISTEN SERVE, LISTEN SERVE, "", "" },
	{ "another spelling", LISTEN SERVE "stop: { deadline: 1m }",
	    "listeners: [ { address: \"0.0.0.0:1\" } ]\n" SERVE, "", "" },
	{ "another order", TWO_POOLS(V1, V2), TWO_POOLS(V2, V1), "", "" },
	{ "a new service with all that is in it",
	    LISTEN "services: [ { name: a, match: a, pools: [ " V1 " ] } ]\n",
	    LISTEN "services: [ { name: b, match: b, pools: [ " V1 " ] }, "
	           "{ name: a, match: a, pools: [ " V1 " ] } ]\n",
	    "services[b]: none -> present\n", "" },
	{ "an instance that moved to another pool",
	    TWO_POOLS("{ name: v1, instances: [ a:1, c:1 ] }",
	        "{ name: v2, instances: b:1 }"),
	    TWO_POOLS("{ name: v1, instances: [ a:1 ] }",
	        "{ name: v2, instances: [ b:1, c:1 ] }"),
	    "services[s].pools[v1].instances[c:1]: present -> gone\n"
	    "services[s].pools[v2].instances[c:1]: none -> present\n",
	    "" },
	{ "a job", LISTEN JOB("command: /a"),
	    LISTEN JOB("command: [ /a, -v ], when: /b, rehearse: /c, env: A=b, "
	               "user: u, "
	               "timeout: 1s, once: version, ok: [ 1, 2 ], ask: 3"),
	    J "command: [ /a ] -> [ /a, \"-v\" ]\n" J "when: none -> [ /b ]\n" J
	      "rehearse: none -> [ /c ]\n" J
	      "env: none -> [ \"A=(hidden)\" ]\n" J "user: none -> u\n" J
	      "timeout: 10m -> 1s\n" J "once: no -> version\n" J
	      "ok: [ 0 ] -> [ 1, 2 ]\n" J "ask: none -> [ 3 ]\n",
	    "" },
	{ "passwords", LISTEN SECRETS("b64=="), LISTEN SECRETS("other="),
	    S
	    "rollout.jobs[j].env: [ \"A=(hidden)\" ] -> [ \"A=(hidden)\" ]\n" S
	    "headers.request: [ { set: Authorization, value: \"(hidden)\" } "
	    "] -> [ { set: Authorization, value: \"(hidden)\" } ]\n" S
	    "pools[v1].probe.headers: { Cookie: \"(hidden)\" } -> { Cookie: "
	    "\"(hidden)\" }\n",
	    "" },
	{ "live and restart together", LISTEN SERVE,
	    "listeners: [ { address: \":1\", backlog: 5, "
	    "timeouts: { idle: 1s } } ]\n" SERVE,
	    "listeners[0.0.0.0:1].timeouts.idle: 1m15s -> 1s\n",
	    "listeners[0.0.0.0:1].backlog: 1024 -> 5\n" },
	{ "a log that is switched off", LISTEN SERVE "access_log: { file: /a }",
	    LISTEN SERVE "access_log: off", "access_log: on -> off\n", "" },
	{ "a log that is switched on", LISTEN SERVE "access_log: off",
	    LISTEN SERVE "access_log: { file: /a }", "access_log: off -> on\n",
	    "access_log.file: none -> /a\n" },
};

Test(diff, changes)
{
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct cfg *from, *to;
		struct buf live = BUF_INIT, restart = BUF_INIT, said;

		(void)try_text(str_of(changes[i].from), &from, &said);
		buf_free(&said);
		(void)try_text(str_of(changes[i].to), &to, &said);
		cr_assert_not_null(from, "%s", changes[i].why);
		cr_assert_not_null(to, "%s: %s", changes[i].why, said.p);
		buf_add_cstr(&live, "");
		buf_add_cstr(&restart, "");
		cfg_diff(from, to, &live, &restart);
		cr_expect_str_eq(live.p, changes[i].live, "%s: %s",
		    changes[i].why, live.p);
		cr_expect_str_eq(restart.p, changes[i].restart, "%s: %s",
		    changes[i].why, restart.p);
		buf_free(&live);
		buf_free(&restart);
		buf_free(&said);
		cfg_unref(&from);
		cfg_unref(&to);
	}
}

/* As file and daemon have it, and as people see it. */
Test(dump, passwords)
{
	struct cfg *c = try_good(LISTEN SECRETS("b64=="), "passwords");
	struct buf whole = BUF_INIT, shown = BUF_INIT;

	cfg_dump(c, &whole);
	cfg_dump_hiding(c, &shown);
	cr_expect_not_null(strstr(whole.p, "value: \"b64==\""));
	cr_expect_not_null(strstr(whole.p, "Cookie: \"b64==\""));
	cr_expect_not_null(strstr(whole.p, "[ \"A=b64==\" ]"));
	cr_expect_null(strstr(shown.p, "b64"), "%s", shown.p);
	cr_expect_not_null(strstr(shown.p, "value: \"(hidden)\""));
	cr_expect_not_null(strstr(shown.p, "Cookie: \"(hidden)\""));
	cr_expect_not_null(strstr(shown.p, "[ \"A=(hidden)\" ]"));
	buf_free(&whole);
	buf_free(&shown);
	cfg_unref(&c);
}

/* As many instances as there may be, all of them new: quick, and each told. */
Test(diff, many_instances, .timeout = 30)
{
	struct cfg *c[2];
	struct buf live = BUF_INIT, restart = BUF_INIT;
	struct str rest;
	size_t lines = 0;

	for (int i = 0; i < 2; i++) {
		struct buf yaml = BUF_INIT;

		buf_add_cstr(&yaml,
		    LISTEN "services: [ { name: s, pools: "
		           "[ { name: v1, instances: [");
		for (int n = 0; n < CFG_INSTANCES_MAX; n++)
			buf_printf(&yaml, "%s\"h%d:%d\"", n == 0 ? " " : ", ",
			    i, n + 1);
		buf_add_cstr(&yaml, " ] } ] } ]\n");
		c[i] = try_good(yaml.p, "many");
		buf_free(&yaml);
	}
	cfg_diff(c[0], c[1], &live, &restart);
	rest = buf_str(&live);
	while (rest.len > 0) {
		(void)str_split(&rest, '\n');
		lines++;
	}
	cr_expect_eq(lines, 2 * CFG_INSTANCES_MAX);
	cr_expect_eq(restart.len, 0);
	buf_free(&live);
	cfg_unref(&c[0]);
	cfg_unref(&c[1]);
}
