/*
 * The rows of all keys, innermost maps first; see config/schema.h.
 */
#include "base/log.h"
#include "config/config.h"
#include "config/schema.h"

#define MS UINT64_C(1000) /* in microseconds */
#define S (1000 * MS)
#define H (3600 * S)
#define D (24 * H)

#define AT(member) offsetof(STRUCT, member)
/* Where the number of elements goes, and how big one is. */
#define EACH(count, list)                                                      \
	.aux = AT(count), .size = sizeof(*((const STRUCT *)0)->list)
#define END                                                                    \
	{                                                                      \
		.name = NULL                                                   \
	}

/* ---- words, by value ---- */

#define X(id, name) [LOG_##id] = (name),
static const char *const levels[] = { LOG_LEVELS(X)[LOG_LEVEL_COUNT] = NULL };
#undef X

/* clang-format off */
static const char *const formats[] = {
	[CFG_ACCESS_JSON] = "json",
	[CFG_ACCESS_COMBINED] = "combined",
	NULL
};
static const char *const scopes[] = {
	[CFG_STICKY_NONE] = "none",
	[CFG_STICKY_POOL] = "pool",
	[CFG_STICKY_INSTANCE] = "instance",
	NULL
};
static const char *const shareds[] = {
	[CFG_SHARED_FULL] = "full",
	[CFG_SHARED_DB] = "db",
	[CFG_SHARED_NONE] = "none",
	NULL
};
static const char *const drain_modes[] = {
	[CFG_DRAIN_KEEP] = "keep",
	[CFG_DRAIN_MOVE] = "move",
	[CFG_DRAIN_EVICT] = "evict",
	NULL
};
static const char *const profiles[] = {
	[CFG_PROFILE_PLAIN] = "plain",
	[CFG_PROFILE_IDENTITY] = "identity",
	NULL
};
static const char *const forwardeds[] = {
	[CFG_FORWARDED_BOTH] = "both",
	[CFG_FORWARDED_X] = "x",
	[CFG_FORWARDED_RFC7239] = "rfc7239",
	[CFG_FORWARDED_NONE] = "none",
	NULL
};
static const char *const balances[] = {
	[CFG_BALANCE_LEAST] = "least_requests",
	[CFG_BALANCE_ROUND] = "round_robin",
	[CFG_BALANCE_HASH] = "hash",
	NULL
};
static const char *const send_proxies[] = {
	[CFG_SEND_PROXY_OFF] = "off",
	[CFG_SEND_PROXY_V1] = "v1",
	[CFG_SEND_PROXY_V2] = "v2",
	NULL
};
static const char *const proxy_protocols[] = {
	[CFG_PP_OFF] = "off",
	[CFG_PP_OPTIONAL] = "optional",
	[CFG_PP_REQUIRED] = "required",
	NULL
};
static const char *const tls_versions[] = {
	[CFG_TLS_1_2] = "1.2",
	[CFG_TLS_1_3] = "1.3",
	NULL
};
static const char *const verify_clients[] = {
	[CFG_VERIFY_NONE] = "none",
	[CFG_VERIFY_OPTIONAL] = "optional",
	[CFG_VERIFY_REQUIRED] = "required",
	NULL
};
static const char *const client_certs[] = {
	[CFG_CLIENT_CERT_NONE] = "none",
	[CFG_CLIENT_CERT_RFC9440] = "rfc9440",
	[CFG_CLIENT_CERT_NGINX] = "nginx",
	[CFG_CLIENT_CERT_HAPROXY] = "haproxy",
	NULL
};
static const char *const absents[] = {
	[CFG_ABSENT_FENCE] = "fence",
	[CFG_ABSENT_BLOCK] = "block",
	NULL
};
static const char *const store_types[] = {
	[CFG_STORE_MEMORY] = "memory",
	[CFG_STORE_REDIS] = "redis",
	[CFG_STORE_NONE] = "none",
	NULL
};
static const char *const redirects[] = {
	[CFG_REDIRECT_OFF] = "off",
	[CFG_REDIRECT_HTTPS] = "https",
	NULL
};
/* What we speak to instances. */
static const char *const protocols[] = {
	[CFG_PROTOCOL_H1] = "h1",
	[CFG_PROTOCOL_H2] = "h2",
	[CFG_PROTOCOL_H2C] = "h2c",
	[CFG_PROTOCOL_AUTO] = "auto",
	NULL
};
static const char *const alpns[] = {
	[CFG_ALPN_HTTP_1_1] = "http/1.1",
	[CFG_ALPN_H2] = "h2",
	NULL
};
static const char *const modes[] = {
	[CFG_MODE_HTTP] = "http",
	[CFG_MODE_PASSTHROUGH] = "passthrough",
	NULL
};
#define X(id, name) [CFG_PRODUCT_##id] = (name),
static const char *const products[] = { CFG_PRODUCTS(X)[CFG_PRODUCT_COUNT] = NULL };
#undef X
static const char *const probe_types[] = {
	[CFG_PROBE_HTTP] = "http",
	[CFG_PROBE_TCP] = "tcp",
	[CFG_PROBE_GRPC] = "grpc",
	NULL
};

static const char *const strategies[] = {
	[CFG_STRATEGY_BLUE_GREEN] = "blue_green",
	[CFG_STRATEGY_CANARY] = "canary",
	[CFG_STRATEGY_ROLLING] = "rolling",
	[CFG_STRATEGY_RECREATE] = "recreate",
	[CFG_STRATEGY_AUTO] = "auto",
	[CFG_STRATEGY_EXPLICIT] = "explicit",
	[CFG_STRATEGY_RECREATE_ON_CHANGE] = "recreate_on_change",
	NULL
};
static const char *const on_failures[] = {
	[CFG_FAILURE_ROLLBACK] = "rollback",
	[CFG_FAILURE_PAUSE] = "pause",
	NULL
};
#define X(id, name) [CFG_STEP_##id] = (name),
static const char *const step_kinds[] = { CFG_STEPS(X)[CFG_STEP_COUNT] = NULL };
#undef X
#define X(id, name) [CFG_ONLY_##id] = (name),
static const char *const onlys[] = { CFG_ONLYS(X)[CFG_ONLY_COUNT] = NULL };
#undef X
#define X(id, name) [CFG_BY_##id] = (name),
static const char *const bys[] = { CFG_BYS(X)[CFG_BY_COUNT] = NULL };
#undef X
#define X(id, name) [CFG_ONCE_##id] = (name),
static const char *const onces[] = { CFG_ONCES(X)[CFG_ONCE_COUNT] = NULL };
#undef X

/* ---- what lists are made of ---- */

static const struct key word_item = { "", K_WORD, 0, NULL, 0, 255, 0, .help = NULL };
static const struct key cidr_item = { "", K_CIDR, 0, NULL, 0, 0, 0, .help = NULL };
static const struct key bad_status_item = { "", K_STATUS, 0, NULL, 400, 599, 0, .help = NULL };
static const struct key status_item = { "", K_STATUS, 0, NULL, 100, 599, 0, .help = NULL };

static const struct key text_item = { "", K_TEXT, 0, NULL, 0, 4096, 0, .help = NULL };
static const struct key exit_item = { "", K_UINT, 0, NULL, 0, 255, 0, .help = NULL };
static const struct key file_item = { "", K_FILE, 0, NULL, 0, 4095, 0, .help = NULL };
static const struct key alpn_item = { "", K_ENUM, 0, NULL, 0, 0, 0, .help = NULL, .names = alpns };
static const struct key prefix_item = { "", K_PREFIX, 0, NULL, 0, 1024, 0, .help = NULL };
static const struct key addr_item = { "", K_ADDR, 0, NULL, 0, 0, 0, .help = NULL };
static const struct key cookie_item = { "", K_TOKEN, 0, NULL, 0, 0, 0, .help = NULL };
static const struct key method_item = { "", K_TOKEN, 0, NULL, 0, 0, 0, .help = NULL };

/* ---- pages ---- */

#define STRUCT struct cfg_page
static const struct key page_keys[] = {
	{ "status", K_ANSWER, AT(status), NULL, 0, 0, KEY_REQUIRED,
	    .help = "The answer it is for: a status, or 4xx or 5xx for all that have no page of their own." },
	{ "html", K_FILE, AT(file[CFG_FORM_HTML]), NULL, 0, 4095, 0,
	    .help = "File with the page for browsers." },
	{ "json", K_FILE, AT(file[CFG_FORM_JSON]), NULL, 0, 4095, 0,
	    .help = "File with the page for clients that accept JSON." },
	{ "text", K_FILE, AT(file[CFG_FORM_TEXT]), NULL, 0, 4095, 0,
	    .help = "File with the page for all others." },
	END
};
#undef STRUCT

/* ---- pools ---- */

#define STRUCT struct cfg_probe
static const struct key probe_json_keys[] = {
	{ "field", K_WORD, AT(json_field), NULL, 0, 255, 0,
	    .help = "Dotted path of the field, such as status or checks.0.status." },
	{ "value", K_TEXT, AT(json_value), NULL, 0, 0, 0,
	    .help = "What the field must be: a text, a whole number, true or false." },
	END
};
static const struct key probe_keys[] = {
	{ "type", K_ENUM, AT(type), "http", 0, 0, 0,
	    .help = "What is asked for: the answer to a GET request; only a connection; or that grpc.health.v1 says SERVING, which needs HTTP/2.",
	    .names = probe_types },
	{ "port", K_PORT, AT(port), "0", 0, 65535, 0,
	    .help = "Port to ask, on the instance's host; 0 is the instance's own." },
	{ "tls", K_BOOL, AT(tls), "on", 0, 0, 0,
	    .help = "Whether it is asked over TLS where the pool has that." },
	{ "path", K_TARGET, AT(path), "/", 0, 4096, 0,
	    .help = "Target of the request." },
	{ "host", K_HOST, AT(host), NULL, 0, 0, 0,
	    .help = "Host field of the request; by default the instance's address, localhost for a Unix socket." },
	{ "service", K_WORD, AT(service), NULL, 0, 255, 0,
	    .help = "Service that grpc.health.v1 is asked about; by default the whole server." },
	{ "headers", K_FIELDS, AT(headers), NULL, 0, 32, KEY_SECRET,
	    .help = "Further fields of the request.",
	    EACH(n_headers, headers) },
	{ "expect", K_ITEMS, AT(expect), "200", 1, 64, 0,
	    .help = "Statuses that pass.",
	    .sub = &status_item, EACH(n_expect, expect) },
	{ "body", K_TEXT, AT(body), NULL, 0, 4096, 0,
	    .help = "Text that the first 64 KiB of the body must hold." },
	{ "json", K_MAP, 0, NULL, 0, 0, 0,
	    .help = "A field that the JSON body must have; both keys belong together.",
	    .sub = probe_json_keys },
	{ "interval", K_DURATION, AT(interval_us), "2s", 10 * MS, H, 0,
	    .help = "Time between probes while nothing changes; it varies by a tenth." },
	{ "fast_interval", K_DURATION, AT(fast_interval_us), "500ms", 10 * MS, H, 0,
	    .help = "Time between probes while the instance is unknown, changing, or down since less than two minutes." },
	{ "timeout", K_DURATION, AT(timeout_us), "1s", MS, H, 0,
	    .help = "A probe that takes longer has failed." },
	{ "rise", K_UINT, AT(rise), "2", 1, 100, 0,
	    .help = "Passes in a row after which an instance is up." },
	{ "fall", K_UINT, AT(fall), "3", 1, 100, 0,
	    .help = "Failures in a row after which an instance is down." },
	{ "hold", K_DURATION, AT(hold_us), "10s", 0, H, 0,
	    .help = "A pool is ready only after all its instances have been up so long." },
	END
};
#undef STRUCT

#define STRUCT struct cfg_instance
static const struct key instance_keys[] = {
	{ "name", K_LABEL, AT(name), NULL, 0, 0, KEY_OF_OWNER,
	    .help = "Name in commands, logs and metrics." },
	{ "address", K_ADDR, AT(address), NULL, 0, 0, KEY_REQUIRED,
	    .help = "Where it listens." },
	{ "weight", K_UINT, AT(weight), "1", 1, 256, 0,
	    .help = "Its part of the exchanges, compared with the others of its pool." },
	END
};
#undef STRUCT

#define STRUCT struct cfg_pool
static const struct key keepalive_keys[] = {
	{ "idle", K_DURATION, AT(idle_us), "4s", 0, H, 0,
	    .help = "An unused connection to an instance is kept so long, or for a second less than its Keep-Alive field says; keep it below the instance's own limit." },
	{ "max_idle", K_UINT, AT(max_idle), "256", 0, 65536, 0,
	    .help = "Unused connections kept per instance and worker." },
	END
};
static const struct key queue_keys[] = {
	{ "max", K_UINT, AT(queue_max), "100", 0, 65536, 0,
	    .help = "So many wait per worker; what comes then is answered 503." },
	{ "timeout", K_DURATION, AT(queue_us), "5s", MS, H, 0,
	    .help = "What has waited so long is answered 503." },
	END
};
static const struct key eject_keys[] = {
	{ "failures", K_UINT, AT(eject.failures), "5", 0, 1000, 0,
	    .help = "So many failures in a row eject; 0 is never." },
	{ "ratio", K_PERCENT, AT(eject.ratio_pct), "50%", 0, 100, 0,
	    .help = "So much of a window failed ejects; 0% is never." },
	{ "volume", K_UINT, AT(eject.volume), "20", 1, 1000000, 0,
	    .help = "A window with fewer exchanges says nothing by ratio or slow." },
	{ "window", K_DURATION, AT(eject.window_us), "10s", S, H, 0,
	    .help = "Length of a window." },
	{ "status_5xx", K_BOOL, AT(eject.status_5xx), "off", 0, 0, KEY_HTTP,
	    .help = "Whether an answer 5xx is a failure; identity servers answer 500 to what users do, too." },
	{ "slow", K_UINT, AT(eject.slow), "0", 0, 1000, KEY_HTTP,
	    .help = "An instance whose median answer takes so many times that of the pool's other instances, in a window, is ejected; 0 is never." },
	{ "time", K_DURATION, AT(eject.time_us), "10s", 10 * MS, H, 0,
	    .help = "How long the first ejection lasts; each further one twice as long as the last." },
	{ "max_time", K_DURATION, AT(eject.max_us), "5m", 10 * MS, D, 0,
	    .help = "How long one lasts at most." },
	{ "share", K_PERCENT, AT(eject.share_pct), "50%", 0, 100, 0,
	    .help = "So much of the pool's ready instances is ejected at most; one always stays." },
	END
};
static const struct key pool_tls_keys[] = {
	{ "ca", K_ITEMS, AT(tls.ca), NULL, 0, 64, 0,
	    .help = "PEM files with the authorities that are trusted, all of them; by default those of the system.",
	    .sub = &file_item, EACH(tls.n_ca, tls.ca) },
	{ "name", K_WORD, AT(tls.name), NULL, 0, 253, 0,
	    .help = "Name that is asked for (SNI) and that the certificate must have; by default the host of each address." },
	{ "verify", K_BOOL, AT(tls.verify), "on", 0, 0, 0,
	    .help = "Whether the certificate must be valid, of a trusted authority and for that name." },
	{ "certificate", K_FILE, AT(tls.own.certificate.path), NULL, 0, 4095, 0,
	    .help = "PEM file with our own certificate, then those it was signed with; by default we have none." },
	{ "key", K_FILE, AT(tls.own.key.path), NULL, 0, 4095, 0,
	    .help = "PEM file with its private key; by default it is in the same file." },
	{ "min_version", K_ENUM, AT(tls.min_version), "1.2", 0, 0, 0,
	    .help = "Oldest version of TLS that is spoken.",
	    .names = tls_versions },
	{ "watch", K_BOOL, AT(tls.watch), "on", 0, 0, 0,
	    .help = "Whether changes of these files are seen and taken over without a reload." },
	END
};
static const struct key pool_keys[] = {
	{ "name", K_NAME, AT(name), NULL, 0, 0, KEY_REQUIRED,
	    .help = "Name of the pool." },
	{ "version", K_LABEL, AT(version), NULL, 0, 0, 0,
	    .help = "What its instances run, for jobs and for people; by default the name." },
	{ "revision", K_LABEL, AT(revision), NULL, 0, 0, 0,
	    .help = "Pools of one revision may run side by side, for a step check that goes by it." },
	{ "requires", K_NAME, AT(requires), NULL, 0, 0, 0,
	    .help = "A rollout to this pool begins only while that one serves alone and nothing depends on any other; by default it does from wherever." },
	{ "share", K_SHARE, AT(share_bp), NULL, 0, CFG_SHARE_ALL, 0,
	    .help = "Part of the new sessions at the very first start; from then on the state file knows. Shares of a service add up to 100%; where no pool has one, the first has all.",
	    .aux = AT(share_given) },
	{ "instances", K_LIST, AT(instances), NULL, 0, CFG_INSTANCES_MAX, 0,
	    .help = "Its instances: addresses, or maps.",
	    .sub = instance_keys, EACH(n_instances, instances), .scalar = "address", .label = "name" },
	{ "probe", K_MAP, AT(probe), NULL, 0, 0, 0,
	    .help = "How its instances prove that they are ready.",
	    .sub = probe_keys },
	{ "keepalive", K_MAP, 0, NULL, 0, 0, KEY_HTTP,
	    .help = "Connections to instances that are kept for reuse.",
	    .sub = keepalive_keys },
	{ "send_proxy", K_ENUM, AT(send_proxy), "off", 0, 0, 0,
	    .help = "Whether connections to its instances begin with a PROXY preface that names the client, and of which version. Such a connection is kept for that client's only.",
	    .names = send_proxies },
	{ "protocol", K_ENUM, AT(protocol), "h1", 0, 0, 0,
	    .help = "What its instances are spoken to in: HTTP/1.1; HTTP/2 over TLS; HTTP/2 in the clear, by prior knowledge; or whichever of the first two an instance chooses by ALPN.",
	    .names = protocols },
	{ "tls", K_MAP, 0, NULL, 0, 0, KEY_OFF | KEY_GIVEN,
	    .help = "TLS to its instances; by default it is plain.",
	    .sub = pool_tls_keys, .aux = AT(tls.on) },
	{ "balance", K_ENUM, AT(balance), "least_requests", 0, 0, 0,
	    .help = "Which instance takes an exchange: of two drawn the one with less to do; each in turn; or the one that the share key leads to.",
	    .names = balances },
	{ "max_requests", K_UINT, AT(max_requests), "0", 0, 1000000, 0,
	    .help = "Exchanges an instance has at a time, over all workers, upgraded connections not counted; what is too much waits. Each worker has its part of it, one at least; 0 is no bound." },
	{ "queue", K_MAP, 0, NULL, 0, 0, 0,
	    .help = "Where exchanges wait while all instances have max_requests.",
	    .sub = queue_keys },
	{ "cookie_namespace", K_SPACE, AT(cookie_namespace), NULL, 0, 0, KEY_HTTP,
	    .help = "What clients know its instances' cookies by: v2 makes SESSION v2~SESSION; by default they have their own names." },
	{ "slow_start", K_DURATION, AT(slow_start_us), "0", 0, H, 0,
	    .help = "An instance that comes up grows from a tenth of its weight and max_requests to all of it in so long; so do all instances of a pool that begins to take sessions." },
	{ "eject", K_MAP, 0, NULL, 0, 0, KEY_OFF,
	    .help = "When an instance gets no traffic for a while although its probe passes; \"eject: off\" is never.",
	    .sub = eject_keys, .aux = AT(eject_on) },
	END
};
#undef STRUCT

/* ---- services ---- */

#define STRUCT struct cfg_match
static const struct key match_keys[] = {
	{ "host", K_PATTERN, AT(host), "*", 0, 0, 0,
	    .help = "Host of the request, in any case: one host, \"*.example.org\" for all below it, or \"*\" for any." },
	{ "path", K_PREFIX, AT(path), "/", 0, 1024, KEY_HTTP,
	    .help = "Prefix of the path, matched on borders of segments." },
	END
};
#undef STRUCT

#define STRUCT struct cfg_rule
static const struct key rule_keys[] = {
	{ "allow", K_PREFIX, AT(allow), NULL, 0, 1024, 0,
	    .help = "Prefix of the path, matched on borders of segments, that may be asked for." },
	{ "deny", K_PREFIX, AT(deny), NULL, 0, 1024, 0,
	    .help = "The same for what may not." },
	{ "from", K_ITEMS, AT(from), NULL, 0, 256, 0,
	    .help = "Networks of the clients it is for; by default all.",
	    .sub = &cidr_item, EACH(n_from, from) },
	{ "methods", K_ITEMS, AT(methods), NULL, 0, 32, 0,
	    .help = "Methods it is for; by default all.",
	    .sub = &method_item, EACH(n_methods, methods) },
	{ "hide", K_BOOL, AT(hide), "off", 0, 0, 0,
	    .help = "Whether what is denied is answered with 404 rather than 403." },
	END
};
#undef STRUCT

#define STRUCT struct cfg_edit
static const struct key edit_keys[] = {
	{ "set", K_TOKEN, AT(set), NULL, 0, 0, 0,
	    .help = "Name of a field that has this value alone." },
	{ "add", K_TOKEN, AT(add), NULL, 0, 0, 0,
	    .help = "Name of a field that is added to those of its name." },
	{ "remove", K_TOKEN, AT(remove), NULL, 0, 0, 0,
	    .help = "Name of a field that goes no further; with \"*\" at its end, of all that begin so." },
	{ "value", K_VALUE, AT(value), NULL, 0, 8192, KEY_SECRET,
	    .help = "Value of what is set or added; variables stand in braces." },
	END
};
#undef STRUCT

#define STRUCT struct cfg_service
static const struct key hsts_keys[] = {
	{ "max_age", K_DURATION, AT(hsts_us), "365d", 0, 3650 * D, 0,
	    .help = "Clients speak TLS alone with the host for so long; 0 makes them forget it." },
	{ "subdomains", K_BOOL, AT(hsts_subdomains), "off", 0, 0, 0,
	    .help = "Whether it is for all below the host as well (includeSubDomains)." },
	{ "preload", K_BOOL, AT(hsts_preload), "off", 0, 0, 0,
	    .help = "Whether browsers may come with the host in their lists (preload)." },
	END
};
static const struct key headers_keys[] = {
	{ "profile", K_ENUM, AT(profile), "plain", 0, 0, 0,
	    .help = "Which fields of strangers go no further: those that say who asks, or also those of tracing and rewriting.",
	    .names = profiles },
	{ "forwarded", K_ENUM, AT(forwarded), "both", 0, 0, 0,
	    .help = "What tells instances who asks: X-Forwarded-*, Forwarded (rfc7239), both or none.",
	    .names = forwardeds },
	{ "prefix", K_PREFIX, AT(prefix), NULL, 0, 1024, 0,
	    .help = "Value of X-Forwarded-Prefix; by default none is sent." },
	{ "client_cert", K_ENUM, AT(client_cert), "none", 0, 0, 0,
	    .help = "Fields in which instances are told of the certificate that a client proved to have, on a listener that verifies it: those of RFC 9440, or those that go with nginx or HAProxy. From clients they never pass.",
	    .names = client_certs },
	{ "client_cert_chain", K_UINT, AT(client_cert_chain), "0", 0, 16, 0,
	    .help = "Certificates that are told beside the client's own, those between it and its authority; a request with more is refused, and 0 tells none." },
	{ "hsts", K_MAP, 0, NULL, 0, 0, KEY_OFF | KEY_GIVEN,
	    .help = "Strict-Transport-Security on all answers over TLS, in place of an instance's.",
	    .sub = hsts_keys, .aux = AT(hsts_on) },
	{ "request", K_LIST, AT(request_edits), NULL, 0, CFG_EDITS_MAX, 0,
	    .help = "Rules for the fields of requests, in this order.",
	    .sub = edit_keys, EACH(n_request_edits, request_edits) },
	{ "response", K_LIST, AT(response_edits), NULL, 0, CFG_EDITS_MAX, 0,
	    .help = "The same for answers.",
	    .sub = edit_keys, EACH(n_response_edits, response_edits) },
	END
};
static const struct key sticky_keys[] = {
	{ "scope", K_ENUM, AT(sticky_scope), "pool", 0, 0, 0,
	    .help = "What a session stays on.",
	    .names = scopes },
	{ "cookie", K_TOKEN, AT(sticky_cookie), "segue", 0, 0, 0,
	    .help = "Name of the cookie that carries the pin." },
	{ "idle", K_DURATION, AT(sticky_idle_us), "30m", S, 30 * D, 0,
	    .help = "A session that was not seen for so long has ended." },
	{ "max", K_DURATION, AT(sticky_max_us), "24h", S, 365 * D, 0,
	    .help = "A pin older than this is void." },
	{ "records", K_UINT, AT(sticky_records), "1000000", 0, 100000000, 0,
	    .help = "So many sessions are recorded, some 50 bytes each; more are served, and not counted." },
	END
};
static const struct key service_timeout_keys[] = {
	{ "connect", K_DURATION, AT(connect_us), "2s", MS, H, 0,
	    .help = "For a connection to an instance." },
	{ "first_byte", K_DURATION, AT(first_byte_us), "30s", MS, D, 0,
	    .help = "From the last byte of the request to the first of the answer." },
	{ "progress", K_DURATION, AT(progress_us), "60s", MS, D, 0,
	    .help = "The body of an answer may stand still so long." },
	{ "tunnel", K_DURATION, AT(tunnel_us), "1h", MS, 30 * D, 0,
	    .help = "An upgraded connection may be silent so long; then a WebSocket is closed, another is cut." },
	END
};
static const struct key service_limit_keys[] = {
	{ "body", K_SIZE, AT(body_bytes), "10MiB", 0, UINT64_C(1) << 50, 0,
	    .help = "Largest body of a request; 0 is no bound." },
	END
};
static const struct key retry_keys[] = {
	{ "attempts", K_UINT, AT(retries), "2", 0, 8, 0,
	    .help = "Further tries after the first; never of what may have reached an instance, unless its method is safe." },
	{ "budget", K_PERCENT, AT(retry_budget_pct), "20%", 0, 100, 0,
	    .help = "Retries may be so much of the traffic." },
	{ "statuses", K_ITEMS, AT(retry_statuses), NULL, 0, 64, KEY_HTTP,
	    .help = "Answers with which a safe request without a body is tried at another instance instead; by default none.",
	    .sub = &bad_status_item, EACH(n_retry_statuses, retry_statuses) },
	END
};
static const struct key hold_keys[] = {
	{ "max", K_UINT, AT(hold.max), "1000", 0, 1000000, 0,
	    .help = "So many are held at a time, over all workers; what comes then is answered 503." },
	{ "wait", K_DURATION, AT(hold.wait_us), "15s", MS, H, 0,
	    .help = "What was held so long is answered 503." },
	{ "pace", K_UINT, AT(hold.pace), "500", 0, 1000000, 0,
	    .help = "So many a second are sent on when they are released, oldest first; 0 is all at once." },
	{ "retry_after", K_DURATION, AT(hold.retry_us), "10s", S, D, KEY_HTTP,
	    .help = "When those that are answered 503 are told to come again." },
	{ "writes", K_ITEMS, AT(hold.writes), NULL, 0, 64, KEY_HTTP,
	    .help = "Prefixes of paths whose requests count as writes whatever their method is; else those do that are neither GET, HEAD, OPTIONS nor TRACE.",
	    .sub = &prefix_item, EACH(hold.n_writes, hold.writes) },
	{ "never", K_ITEMS, AT(hold.never), NULL, 0, 64, KEY_HTTP,
	    .help = "Prefixes of paths whose requests are never held.",
	    .sub = &prefix_item, EACH(hold.n_never, hold.never) },
	{ "copies", K_ITEMS, AT(hold.copies), NULL, 0, 16, KEY_HTTP,
	    .help = "Ends of paths that are public and the same for all, as discovery and keys are: what was answered there last, 64 KiB at most, is given to who would have to wait.",
	    .sub = &prefix_item, EACH(hold.n_copies, hold.copies) },
	END
};
static const struct key jwks_keys[] = {
	{ "paths", K_ITEMS, AT(jwks.paths), NULL, 0, CFG_JWKS_PATHS_MAX, KEY_HTTP,
	    .help = "Where its pools publish the keys of the tokens that they sign (JWKS), as /jwks: these are read from each pool. With shared_state none a token leads to the one pool that has its key.",
	    .sub = &prefix_item, EACH(jwks.n_paths, jwks.paths) },
	{ "host", K_HOST, AT(jwks.host), NULL, 0, 0, KEY_HTTP,
	    .help = "Host that is asked for there; by default that of the pool's probe." },
	{ "interval", K_DURATION, AT(jwks.interval_us), "10s", 200 * MS, H, KEY_HTTP,
	    .help = "So often each pool's are read." },
	{ "union", K_BOOL, AT(jwks.united), "off", 0, 0, KEY_HTTP,
	    .help = "Whether a GET there is answered with the keys of all pools while they differ, whichever pool its session is on: who checks tokens of one pool then knows those of the others." },
	{ "required", K_BOOL, AT(jwks.required), "off", 0, 0, KEY_HTTP,
	    .help = "Whether the steps share and promote of a rollout wait until each pool that has a share, or gets one, can be read and publishes all keys of these and of those that drain, or all are given with union." },
	END
};
static const struct key drain_keys[] = {
	{ "mode", K_ENUM, AT(drain_mode), "keep", 0, 0, KEY_HTTP,
	    .help = "What becomes of sessions pinned to a draining pool.",
	    .names = drain_modes },
	{ "requests", K_DURATION, AT(drain_requests_us), "60s", 0, D, 0,
	    .help = "Exchanges in flight may take so long once no pin leads there." },
	{ "flows", K_DURATION, AT(drain_flows_us), "30m", 0, 30 * D, KEY_HTTP,
	    .help = "The grace: in mode keep, pins are honoured for so long at most." },
	{ "streams", K_DURATION, AT(drain_streams_us), "300s", 0, 30 * D, 0,
	    .help = "Upgraded connections (streams) may go on for so long after the drain began." },
	{ "spread", K_DURATION, AT(drain_spread_us), "5s", 0, H, 0,
	    .help = "WebSockets whose time is over are closed at moments spread over so long, so that not all clients come back at once." },
	END
};
#undef STRUCT
#define STRUCT struct cfg_step
static const struct key step_keys[] = {
	{ "step", K_ENUM, AT(kind), NULL, 0, 0, KEY_REQUIRED,
	    .help = "ready: the new pool proves itself; share: it gets that much of new sessions; pause: for a time; approve: until somebody does; analyze: for a time, in which it must not fail more often than the others; hold: requests wait, and it waits until those on their way have ended; gone: until all instances that served when it began refuse connections; release: those that wait are sent on; job: a command of yours runs; warm and verify: the same, once the new pool is ready, to make it fast and to prove it, as with segue warm and segue verify; notify: the same, and whatever comes of it, the rollout goes on; mirror: for a time requests that only read are asked of the new pool, too, and its answers compared; roll: the pool's instances one by one are taken out, renewed by a job and taken in again once they have proved themselves; window: it waits for a time of day, or until little is asked; check: whether the versions may run side by side: a job says so with exit status 0, that they must not with 3 or 4, and any other asks an operator; where they must not and no later step is there for recreate, it has failed; promote: it gets all; drain: the others drain; retire: those that are drained are no more to be counted on.",
	    .names = step_kinds },
	{ "name", K_LABEL, AT(name), NULL, 0, 0, 0,
	    .help = "What people call it." },
	{ "share", K_SHARE, AT(share_bp), NULL, 0, CFG_SHARE_ALL, 0,
	    .help = "Of step share: how much; of step mirror: how many of the requests, all by default.", .aux = AT(share_given) },
	{ "job", K_NAME, AT(job), NULL, 0, 0, 0,
	    .help = "Of steps job, warm, verify, notify, roll and check: the name of the job." },
	{ "by", K_ENUM, AT(by), "job", 0, 0, 0,
	    .help = "Of step check: what it goes by; where the pools' revisions or versions are the same they may run side by side.",
	    .names = bys },
	{ "only", K_ENUM, AT(only), "always", 0, 0, 0,
	    .help = "In which rollouts the step is taken: where the step check before it found that the versions may run side by side (rolling), or that they must not (recreate), or always.",
	    .names = onlys },
	{ "writes_only", K_BOOL, AT(writes_only), "off", 0, 0, 0,
	    .help = "Of step hold: whether only requests wait that may change something." },
	{ "no_return", K_BOOL, AT(no_return), "off", 0, 0, 0,
	    .help = "Whether there is no way back once it has begun: what fails then waits for an operator." },
	{ "surge", K_BOOL, AT(surge), "off", 0, 0, 0,
	    .help = "Of step roll: whether an instance that is in maintenance stands in meanwhile: it is renewed first and taken in, and at the end taken out again." },
	{ "from", K_CLOCK, AT(from), "00:00", 0, 24 * 60 - 1, 0,
	    .help = "Of step window: it is open from this time of day on, where the daemon lives." },
	{ "until", K_CLOCK, AT(until), "00:00", 0, 24 * 60 - 1, 0,
	    .help = "Of step window: ... until this one, which may be of the next day; where both are the same it is always open." },
	{ "below", K_UINT, AT(below), "0", 0, 1000000000, 0,
	    .help = "Of step window: the service has fewer requests a second than that, over ten seconds; 0 is as many as may be." },
	{ "for", K_DURATION, AT(for_us), "0", 0, 30 * D, 0,
	    .help = "Of steps pause, analyze and mirror: how long; of step hold: a rollout that has not released them after so long has failed, 0 is no such bound; of step roll: so long an instance keeps the sessions that it has before it is taken out." },
	{ "errors", K_PERCENT, AT(errors_pct), "2%", 0, 100, 0,
	    .help = "Of step analyze: so much more of its requests may fail than of the others'; answers 5xx count, and tries that failed as they do for eject. Of step mirror: so much may be answered with another status. Five that fail are never too many." },
	{ "slower", K_PERCENT, AT(slower_pct), "0%", 0, 1000, 0,
	    .help = "Of step analyze: so much longer than of the others may it take until nine of ten answers have come; 5ms more are never too many. 0% is as long as may be." },
	{ "logins", K_PERCENT, AT(logins_pct), "0%", 0, 100, 0,
	    .help = "Of step analyze: so many fewer logins may come to their end than at the others, of those whose sessions began since then; what chance may do is never too many, and after fewer than 20 nothing is concluded: when the time is over then, it pauses. 0% is as many as may be." },
	{ "requests", K_UINT, AT(requests), "100", 1, 1000000, 0,
	    .help = "Of steps analyze and mirror: after fewer nothing is concluded; when the time is over then, it pauses." },
	{ "deadline", K_DURATION, AT(deadline_us), "0", 0, 30 * D, 0,
	    .help = "A step that takes longer has failed; 0 is 10m for ready, 10m for roll, where it is the time for each instance to prove itself, 5m for gone, 30m for warm and verify, 1m for share, promote, hold and release, the drain's own clocks and a minute for drain, and none for the others." },
	END
};
#undef STRUCT
#define STRUCT struct cfg_job
static const struct key job_keys[] = {
	{ "name", K_NAME, AT(name), NULL, 0, 0, KEY_REQUIRED,
	    .help = "Name in steps, logs and reports." },
	{ "command", K_ITEMS, AT(command), NULL, 1, 64, KEY_REQUIRED,
	    .help = "The path of a program, then its arguments; no shell reads them.",
	    .sub = &text_item, EACH(n_command, command) },
	{ "when", K_ITEMS, AT(when), NULL, 1, 64, 0,
	    .help = "A command that runs first: with exit status 0 the job is needed, with 1 it is not and counts as done.",
	    .sub = &text_item, EACH(n_when, when) },
	{ "rehearse", K_ITEMS, AT(rehearse), NULL, 1, 64, 0,
	    .help = "A command that runs instead of it in a rehearsal of the rollout; without one the job is not run then.",
	    .sub = &text_item, EACH(n_rehearse, rehearse) },
	{ "env", K_ITEMS, AT(env), NULL, 0, 64, KEY_SECRET,
	    .help = "Its environment, as NAME=value, beside PATH, LANG and what begins with SEGUE_; that of the daemon is not its.",
	    .sub = &text_item, EACH(n_env, env) },
	{ "user", K_WORD, AT(user), NULL, 0, 255, 0,
	    .help = "Who it runs as; by default who the daemon serves as." },
	{ "timeout", K_DURATION, AT(timeout_us), "10m", S, D, 0,
	    .help = "It has so long; then it is ended, with all processes of its group, and has failed." },
	{ "once", K_ENUM, AT(once), "no", 0, 0, 0,
	    .help = "Whether it runs in every rollout, once for each version that one leads to, or once in the life of the state file.",
	    .names = onces },
	{ "ok", K_ITEMS, AT(ok), "0", 1, 64, 0,
	    .help = "Exit statuses with which it is done.",
	    .sub = &exit_item, EACH(n_ok, ok) },
	{ "ask", K_ITEMS, AT(ask), NULL, 0, 64, 0,
	    .help = "Exit statuses after which the rollout waits for an operator; with all others it has failed.",
	    .sub = &exit_item, EACH(n_ask, ask) },
	{ "again", K_ITEMS, AT(again), NULL, 0, 64, 0,
	    .help = "Exit statuses with which it is run again, until it ends with another or timeout is over: a question that is asked until the answer is yes.",
	    .sub = &exit_item, EACH(n_again, again) },
	{ "every", K_DURATION, AT(every_us), "5s", 10 * MS, H, 0,
	    .help = "So long after it has ended it is run again." },
	END
};
#undef STRUCT
#define STRUCT struct cfg_service
static const struct key rollout_keys[] = {
	{ "strategy", K_ENUM, AT(rollout.strategy), "blue_green", 0, 0, 0,
	    .help = "The steps where none are listed. blue_green: ready, promote, drain; canary: ready, shares of 5%, 25% and 50%, each analyzed for 10m, promote, drain; rolling: roll with a job restart; recreate: requests wait while a job stop and a job start run; auto, explicit and recreate_on_change: a job check, the revisions or the versions decide between that and a canary of 10% that job start starts.",
	    .names = strategies },
	{ "steps", K_LIST, AT(rollout.steps), NULL, 0, CFG_STEPS_MAX, 0,
	    .help = "The steps, in this order: words, or maps.",
	    .sub = step_keys, EACH(rollout.n_steps, rollout.steps), .scalar = "step" },
	{ "jobs", K_LIST, AT(rollout.jobs), NULL, 0, CFG_JOBS_MAX, 0,
	    .help = "Commands for the steps job, roll and check.",
	    .sub = job_keys, EACH(rollout.n_jobs, rollout.jobs), .label = "name" },
	{ "on_failure", K_ENUM, AT(rollout.on_failure), "rollback", 0, 0, 0,
	    .help = "When a step fails, or the new pool can serve no more: rollback gives the shares of before back and drains the new pool; pause waits for an operator.",
	    .names = on_failures },
	END
};
static const struct key logins_keys[] = {
	{ "begin", K_ITEMS, AT(logins.begin), NULL, 0, 16, KEY_HTTP,
	    .help = "Ends of paths where a login begins, such as that of the authorization endpoint.",
	    .sub = &prefix_item, EACH(logins.n_begin, logins.begin) },
	{ "cookie", K_TOKEN, AT(logins.cookie), NULL, 0, 0, KEY_HTTP,
	    .help = "The cookie that an answer sets when a login is complete; a redirection with a code, a token or a SAML response is one, too." },
	{ "within", K_DURATION, AT(logins.within_us), "2m", S, H, KEY_HTTP,
	    .help = "One that takes longer from the begin of its session counts as given up." },
	END
};
static const struct key service_keys[] = {
	{ "name", K_NAME, AT(name), NULL, 0, 0, KEY_REQUIRED,
	    .help = "Name in commands, logs and metrics." },
	{ "mode", K_ENUM, AT(mode), "http", 0, 0, KEY_MODE,
	    .help = "http; or passthrough: connections whose TLS asks for its hosts go to an instance unread, on listeners with passthrough.",
	    .names = modes },
	{ "profile", K_ENUM, AT(product), "none", 0, 0, KEY_HTTP | KEY_SHORT,
	    .help = "The identity server behind it, whose settings hold where none are written.",
	    .names = products },
	{ "match", K_LIST, AT(match), NULL, 0, 256, 0,
	    .help = "Hosts and paths that lead here: hosts, or maps. By default all.",
	    .sub = match_keys, EACH(n_match, match), .scalar = "host" },
	{ "share_key", K_SHARE_KEY, AT(share_key_text), "source", 0, 255, 0,
	    .help = "What places a session without a pin: the client's address, each request anew, or the value of a field or cookie." },
	{ "sticky", K_MAP, 0, NULL, 0, 0, KEY_HTTP,
	    .help = "How sessions stay where they began.",
	    .sub = sticky_keys },
	{ "timeouts", K_MAP, 0, NULL, 0, 0, 0,
	    .help = "Deadlines towards instances.",
	    .sub = service_timeout_keys },
	{ "limits", K_MAP, 0, NULL, 0, 0, KEY_HTTP,
	    .help = "Bounds of requests.",
	    .sub = service_limit_keys },
	{ "retry", K_MAP, 0, NULL, 0, 0, 0,
	    .help = "Tries after the first.",
	    .sub = retry_keys },
	{ "drain", K_MAP, 0, NULL, 0, 0, 0,
	    .help = "How its pools drain, unless the command says otherwise.",
	    .sub = drain_keys },
	{ "hold", K_MAP, 0, NULL, 0, 0, 0,
	    .help = "How its requests wait while the service is held.",
	    .sub = hold_keys },
	{ "rollout", K_MAP, 0, NULL, 0, 0, 0,
	    .help = "How a rollout takes it from one pool to the next.",
	    .sub = rollout_keys },
	{ "assets", K_ITEMS, AT(assets), NULL, 0, 16, KEY_HTTP,
	    .help = "Prefixes of paths of files that versions differ in; what comes next in the path is the tag by which it is known which pool has them.",
	    .sub = &prefix_item, EACH(n_assets, assets) },
	{ "shared_state", K_ENUM, AT(shared_state), "full", 0, 0, KEY_HTTP,
	    .help = "What its pools know of what the others have issued: full; db: tokens, but neither codes nor what else is part of a login under way; none. What is not shared leads to the pool that has issued it.",
	    .names = shareds },
	{ "cookies_shared", K_ITEMS, AT(cookies_shared), NULL, 0, 32, KEY_HTTP,
	    .help = "Names of cookies that no cookie_namespace of a pool is for: what scripts in pages or other applications of the host set; with \"*\" at the end all that begin so.",
	    .sub = &cookie_item, EACH(n_cookies_shared, cookies_shared) },
	{ "jwks", K_MAP, 0, NULL, 0, 0, KEY_HTTP,
	    .help = "The keys that its pools sign tokens with.",
	    .sub = jwks_keys },
	{ "logins", K_MAP, 0, NULL, 0, 0, KEY_HTTP,
	    .help = "What tells how far logins get, for the step analyze.",
	    .sub = logins_keys },
	{ "mirror", K_ITEMS, AT(mirror), NULL, 0, 16, KEY_HTTP,
	    .help = "Prefixes of paths whose GET and HEAD may be copied to a pool that is tried: what reads alone, whoever asks.",
	    .sub = &prefix_item, EACH(n_mirror, mirror) },
	{ "via", K_BOOL, AT(via), "on", 0, 0, KEY_HTTP,
	    .help = "Whether requests to instances carry a Via field." },
	{ "headers", K_MAP, 0, NULL, 0, 0, KEY_HTTP,
	    .help = "What becomes of fields: a profile, or a map.",
	    .sub = headers_keys, .scalar = "profile" },
	{ "rules", K_LIST, AT(rules), NULL, 0, 256, KEY_HTTP,
	    .help = "What may be asked for; the first rule that fits decides, and what none fits is allowed.",
	    .sub = rule_keys, EACH(n_rules, rules) },
	{ "pages", K_LIST, AT(pages), NULL, 0, 64, KEY_HTTP,
	    .help = "Its own pages for answers that come from us; the daemon's are looked at next.",
	    .sub = page_keys, EACH(n_pages, pages), .label = "status" },
	{ "pools", K_LIST, AT(pools), NULL, 1, CFG_POOLS_MAX, KEY_REQUIRED,
	    .help = "Its versions, oldest first.",
	    .sub = pool_keys, EACH(n_pools, pools), .label = "name" },
	END
};
#undef STRUCT

/* ---- listeners ---- */

#define STRUCT struct cfg_certificate
static const struct key certificate_keys[] = {
	{ "certificate", K_FILE, AT(certificate.path), NULL, 0, 4095, KEY_REQUIRED,
	    .help = "PEM file with the certificate, then those it was signed with." },
	{ "key", K_FILE, AT(key.path), NULL, 0, 4095, 0,
	    .help = "PEM file with its private key; by default it is in the same file." },
	{ "ocsp", K_FILE, AT(ocsp.path), NULL, 0, 4095, 0,
	    .help = "File with its authority's word that it was not revoked, in DER, which clients that ask get with it (OCSP stapling); by default none." },
	END
};
#undef STRUCT

#define STRUCT struct cfg_listener
static const struct key listener_timeout_keys[] = {
	{ "preface", K_DURATION, AT(preface_us), "5s", MS, H, 0,
	    .help = "For a whole PROXY preface: from the beginning of the connection where one is required, else from its first byte." },
	{ "handshake", K_DURATION, AT(handshake_us), "10s", MS, H, 0,
	    .help = "For the whole handshake of TLS, from the connection on; of one that is passed through, for the ClientHello." },
	{ "head", K_DURATION, AT(head_us), "10s", MS, H, 0,
	    .help = "For the whole head of a request, from its first byte." },
	{ "idle", K_DURATION, AT(idle_us), "75s", MS, D, 0,
	    .help = "Between the requests of a connection." },
	{ "body", K_DURATION, AT(body_us), "30s", MS, H, 0,
	    .help = "The body of a request may stand still so long." },
	{ "write", K_DURATION, AT(write_us), "30s", MS, H, 0,
	    .help = "The client may take no byte of an answer for so long." },
	END
};
static const struct key listener_limit_keys[] = {
	{ "head", K_SIZE, AT(limits.head_bytes), "64KiB", 1024, 65536, 0,
	    .help = "Largest head of a request." },
	{ "field", K_SIZE, AT(limits.field_bytes), "32KiB", 256, 65536, 0,
	    .help = "Largest single field." },
	{ "target", K_SIZE, AT(limits.target_bytes), "16KiB", 64, 65536, 0,
	    .help = "Longest target." },
	{ "fields", K_UINT, AT(limits.fields), "100", 1, 128, 0,
	    .help = "Most fields." },
	{ "streams", K_UINT, AT(h2_streams), "100", 1, 10000, 0,
	    .help = "Requests under way on one HTTP/2 connection, open WebSockets among them." },
	END
};
static const struct key listener_client_keys[] = {
	{ "connections", K_UINT, AT(clients.connections), "0", 0, 1000000, 0,
	    .help = "Connections open at a time; 0 is no bound. Proxies in trusted_proxies have none." },
	{ "requests_per_second", K_UINT, AT(clients.requests_per_second), "0", 0, 1000000, 0,
	    .help = "Requests in the long run; 0 is no bound." },
	{ "burst", K_UINT, AT(clients.burst), "20", 1, 1000000, 0,
	    .help = "Requests at once, after a time of silence." },
	END
};
static const struct key listener_health_keys[] = {
	{ "path", K_PREFIX, AT(health_path), NULL, 0, 1024, 0,
	    .help = "Path that is answered by the daemon and never forwarded: 200 while it serves, 503 when it stops or no service can serve; by default none." },
	END
};
static const struct key ticket_keys[] = {
	{ "file", K_FILE, AT(tls.tickets.path), NULL, 0, 4095, 0,
	    .help = "File with their keys, 80 random bytes each: the first one seals, all open. Proxies that share it resume each other's sessions; by default a key is made at the start." },
	END
};
static const struct key listener_tls_keys[] = {
	{ "certificates", K_LIST, AT(tls.certificates), NULL, 1, 256, 0,
	    .help = "Certificates: a client gets the one for the name it asks for, else the first; RSA and ECDSA may stand side by side.",
	    .sub = certificate_keys, EACH(tls.n_certificates, tls.certificates) },
	{ "min_version", K_ENUM, AT(tls.min_version), "1.2", 0, 0, 0,
	    .help = "Oldest version of TLS that is spoken.",
	    .names = tls_versions },
	{ "ciphers", K_WORD, AT(tls.ciphers), "ECDHE+AESGCM:ECDHE+CHACHA20", 0, 4095, 0,
	    .help = "Ciphers of TLS 1.2, in the words of OpenSSL; see ciphers(1)." },
	{ "ciphersuites", K_WORD, AT(tls.ciphersuites), "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256", 0, 4095, 0,
	    .help = "Ciphers of TLS 1.3." },
	{ "groups", K_WORD, AT(tls.groups), "X25519:P-256:P-384", 0, 4095, 0,
	    .help = "Groups for the exchange of keys." },
	{ "alpn", K_ITEMS, AT(tls.alpn), "h2 http/1.1", 1, 8, 0,
	    .help = "Protocols that are offered to clients, the one we like most first; without http2, h2 is none.",
	    .sub = &alpn_item, EACH(tls.n_alpn, tls.alpn) },
	{ "tickets", K_MAP, 0, NULL, 0, 0, KEY_OFF,
	    .help = "Tickets by which clients resume sessions; \"tickets: off\" gives none.",
	    .sub = ticket_keys, .aux = AT(tls.tickets_on) },
	{ "verify_client", K_ENUM, AT(tls.verify_client), "none", 0, 0, 0,
	    .help = "Whether clients are asked for a certificate: not; yes, but who has none is served as well; or only who has one is served.",
	    .names = verify_clients },
	{ "client_ca", K_ITEMS, AT(tls.client_ca), NULL, 0, 64, 0,
	    .help = "PEM files with the authorities that are trusted to certify clients, all of them.",
	    .sub = &file_item, EACH(tls.n_client_ca, tls.client_ca) },
	{ "crl", K_ITEMS, AT(tls.crl), NULL, 0, 64, 0,
	    .help = "PEM files with what these authorities have revoked: each must have a list here, that is not overdue; by default nobody is asked.",
	    .sub = &file_item, EACH(tls.n_crl, tls.crl) },
	{ "watch", K_BOOL, AT(tls.watch), "on", 0, 0, 0,
	    .help = "Whether changes of these files are seen and taken over without a reload." },
	END
};
static const struct key listener_keys[] = {
	{ "name", K_LABEL, AT(name), NULL, 0, 0, KEY_OF_OWNER,
	    .help = "Name in logs and metrics." },
	{ "address", K_ADDR, AT(address), NULL, 0, 0, KEY_REQUIRED | KEY_RESTART,
	    .help = "Where clients connect; \":8080\" is port 8080 of every IPv4 address." },
	{ "backlog", K_UINT, AT(backlog), "1024", 1, 65535, KEY_RESTART,
	    .help = "Connections that the system queues for us, per worker." },
	{ "max_connections", K_UINT, AT(max_connections), "0", 0, 10000000, 0,
	    .help = "Most client connections, over all workers; 0 is no bound." },
	{ "timeouts", K_MAP, 0, NULL, 0, 0, 0,
	    .help = "Deadlines towards clients.",
	    .sub = listener_timeout_keys },
	{ "limits", K_MAP, 0, NULL, 0, 0, 0,
	    .help = "Bounds of the heads of requests.",
	    .sub = listener_limit_keys },
	{ "clients", K_MAP, 0, NULL, 0, 0, 0,
	    .help = "Bounds of what one client address may do, over all workers.",
	    .sub = listener_client_keys },
	{ "http2", K_BOOL, AT(h2_on), "on", 0, 0, 0,
	    .help = "HTTP/2 with clients that begin with its preface." },
	{ "redirect", K_ENUM, AT(redirect), "off", 0, 0, 0,
	    .help = "Whether requests in clear are led to the same place over TLS, once their service is known: GET and HEAD with 301, all others with 308.",
	    .names = redirects },
	{ "redirect_port", K_PORT, AT(redirect_port), "443", 1, 65535, 0,
	    .help = "Port they are led to." },
	{ "acme_dir", K_FILE, AT(acme_dir), NULL, 0, 4000, 0,
	    .help = "Directory with the challenges of an ACME client (HTTP-01), which are answered before anything else; by default none." },
	{ "health", K_MAP, 0, NULL, 0, 0, 0,
	    .help = "For a balancer in front of us.",
	    .sub = listener_health_keys },
	{ "trusted_proxies", K_ITEMS, AT(trusted_proxies), NULL, 0, 256, 0,
	    .help = "Networks of proxies in front of us, whose forwarding fields are believed; unix is whoever may open the listener's Unix socket.",
	    .sub = &cidr_item, EACH(n_trusted_proxies, trusted_proxies) },
	{ "proxy_protocol", K_ENUM, AT(proxy_protocol), "off", 0, 0, 0,
	    .help = "Whether connections from trusted_proxies begin with a PROXY preface, version 1 or 2, that names the client: never; if they begin like one; or always, and then connections from elsewhere are refused.",
	    .names = proxy_protocols },
	{ "tls", K_MAP, 0, NULL, 0, 0, KEY_OFF | KEY_GIVEN,
	    .help = "TLS on this listener; by default it is plain.",
	    .sub = listener_tls_keys, .aux = AT(tls.on) },
	{ "passthrough", K_BOOL, AT(passthrough), "off", 0, 0, 0,
	    .help = "Whether it is looked which name a client asks for: those of services in mode passthrough are passed through. Without tls nothing else is served." },
	END
};
#undef STRUCT

/* ---- the daemon ---- */

#define STRUCT struct cfg
static const struct key log_keys[] = {
	{ "level", K_ENUM, AT(log_level), "info", 0, 0, 0,
	    .help = "Least level that is logged.",
	    .names = levels },
	{ "file", K_FILE, AT(log_file), NULL, 0, 4095, KEY_RESTART,
	    .help = "File for the log; by default standard error." },
	END
};
static const struct key access_keys[] = {
	{ "file", K_FILE, AT(access_file), NULL, 0, 4095, KEY_RESTART,
	    .help = "File for the access log; by default standard output." },
	{ "format", K_ENUM, AT(access_format), "json", 0, 0, 0,
	    .help = "Form of its lines.",
	    .names = formats },
	END
};
static const struct key operate_keys[] = {
	{ "users", K_ITEMS, AT(operate.users), NULL, 0, 256, 0,
	    .help = "User names or numbers.",
	    .sub = &word_item, EACH(operate.n_users, operate.users) },
	{ "groups", K_ITEMS, AT(operate.groups), NULL, 0, 256, 0,
	    .help = "Group names or numbers.",
	    .sub = &word_item, EACH(operate.n_groups, operate.groups) },
	END
};
static const struct key view_keys[] = {
	{ "users", K_ITEMS, AT(view.users), NULL, 0, 256, 0,
	    .help = "User names or numbers.",
	    .sub = &word_item, EACH(view.n_users, view.users) },
	{ "groups", K_ITEMS, AT(view.groups), NULL, 0, 256, 0,
	    .help = "Group names or numbers.",
	    .sub = &word_item, EACH(view.n_groups, view.groups) },
	END
};
static const struct key admin_keys[] = {
	{ "socket", K_FILE, AT(admin_socket), "/run/segue/admin.sock", 0, 107, KEY_RESTART,
	    .help = "Unix socket for operators." },
	{ "mode", K_MODE, AT(admin_mode), "0660", 0, 0777, KEY_RESTART,
	    .help = "Mode of the socket." },
	{ "group", K_WORD, AT(admin_group), NULL, 0, 255, KEY_RESTART,
	    .help = "Group that owns the socket; by default the daemon's own." },
	{ "http", K_ADDR, AT(admin_http), NULL, 0, 0, KEY_RESTART,
	    .help = "Address for metrics, dashboard and read-only JSON over TCP; by default none." },
	{ "operate", K_MAP, 0, NULL, 0, 0, 0,
	    .help = "Who may change things, besides root and the daemon's own user.",
	    .sub = operate_keys },
	{ "view", K_MAP, 0, NULL, 0, 0, 0,
	    .help = "Who may look; where nobody is named, whoever may open the socket.",
	    .sub = view_keys },
	END
};
static const struct key resolve_keys[] = {
	{ "interval", K_DURATION, AT(resolve_interval_us), "30s", 0, D, 0,
	    .help = "Names in addresses of instances are resolved again so often; 0 is never." },
	{ "hold", K_DURATION, AT(resolve_hold_us), "10s", 0, H, 0,
	    .help = "A new address is gone to when it has been among the answers so long, or the present one is down." },
	END
};
static const struct key memory_keys[] = {
	{ "limit", K_MEMORY, AT(memory_limit), "auto", UINT64_C(1) << 20, UINT64_C(1) << 50, 0,
	    .help = "Memory for traffic, over all workers. Above it new exchanges are answered 503, and an eighth above it no connection is taken in; auto is three quarters of the machine or control group." },
	END
};
static const struct key store_keys[] = {
	{ "type", K_ENUM, AT(store.type), "memory", 0, 0, KEY_RESTART,
	    .help = "What keeps it: memory, which is written to state_dir when the daemon stops; redis; or none.",
	    .names = store_types },
	{ "memory", K_SIZE, AT(store.memory), "64MiB", UINT64_C(1) << 16, UINT64_C(1) << 30, KEY_RESTART,
	    .help = "Of type memory: so much; where it is full, the oldest goes." },
	{ "address", K_ADDR, AT(store.address), NULL, 0, 0, KEY_RESTART,
	    .help = "Of type redis: the server, by TCP or on a Unix socket." },
	{ "sentinels", K_ITEMS, AT(store.sentinels), NULL, 0, 16, KEY_RESTART,
	    .help = "Instead of address: who is asked where the master is.",
	    .sub = &addr_item, EACH(store.n_sentinels, store.sentinels) },
	{ "master", K_LABEL, AT(store.master), NULL, 0, 63, KEY_RESTART,
	    .help = "The name by which sentinels know the master." },
	{ "user", K_WORD, AT(store.user), NULL, 0, 255, KEY_RESTART,
	    .help = "User of Redis's ACL; by default its default user." },
	{ "password_file", K_FILE, AT(store.password_file), NULL, 0, 4095, KEY_RESTART,
	    .help = "File with the password in its first line; by default none is sent." },
	{ "database", K_UINT, AT(store.database), "0", 0, 65535, KEY_RESTART,
	    .help = "Number of the database." },
	{ "prefix", K_WORD, AT(store.prefix), "segue:", 0, CFG_STORE_PREFIX_MAX, KEY_RESTART,
	    .help = "What all keys begin with; proxies that share must have the same." },
	{ "timeout", K_DURATION, AT(store.timeout_us), "20ms", 5 * MS, S, KEY_RESTART,
	    .help = "A request waits no longer for an answer." },
	{ "tls", K_BOOL, AT(store.tls), "off", 0, 0, KEY_RESTART,
	    .help = "TLS to Redis; this build has none." },
	END
};
static const struct key cluster_keys[] = {
	{ "name", K_NAME, AT(cluster.name), NULL, 0, 0, KEY_RESTART,
	    .help = "Proxies with the same name, and the same store of type redis, are commanded as one; by default there is no cluster." },
	{ "member", K_NAME, AT(cluster.member), NULL, 0, 0, KEY_RESTART,
	    .help = "What this proxy is called there; by default the host's name." },
	{ "timeout", K_DURATION, AT(cluster.timeout_us), "2s", S, 60 * S, KEY_RESTART,
	    .help = "Who is not heard of for so long is away, and does not lead any more." },
	{ "absent", K_ENUM, AT(cluster.absent), "fence", 0, 0, KEY_RESTART,
	    .help = "While a proxy is away: fence, changes are made without it, and it follows when it is back; block, they are refused.",
	    .names = absents },
	END
};
static const struct key stop_keys[] = {
	{ "lame_duck", K_DURATION, AT(lame_duck_us), "0", 0, H, 0,
	    .help = "Before it stops, the daemon serves as ever for so long, while health paths answer 503." },
	{ "deadline", K_DURATION, AT(stop_us), "60s", 0, D, 0,
	    .help = "A graceful stop takes no longer; what is left then is cut." },
	{ "linger", K_DURATION, AT(linger_us), "3s", 0, H, 0,
	    .help = "While the daemon stops, idle clients may ask once more for so long." },
	END
};
const struct key cfg_schema[] = {
	{ "workers", K_WORKERS, AT(workers), "auto", 1, CFG_WORKERS_MAX, KEY_RESTART,
	    .help = "Worker threads; auto is one per core." },
	{ "user", K_WORD, AT(user), NULL, 0, 255, KEY_RESTART,
	    .help = "User to become when started as root." },
	{ "group", K_WORD, AT(group), NULL, 0, 255, KEY_RESTART,
	    .help = "Group to become when started as root; by default the user's." },
	{ "state_dir", K_FILE, AT(state_dir), "/var/lib/segue", 0, 4000, KEY_RESTART,
	    .help = "Directory for what must survive a crash." },
	{ "key_file", K_FILE, AT(key_file), NULL, 0, 4095, 0,
	    .help = "Key ring for pins and for digests in logs; by default one is made in state_dir." },
	{ "log", K_MAP, 0, NULL, 0, 0, 0,
	    .help = "The log of the daemon itself.",
	    .sub = log_keys },
	{ "access_log", K_MAP, 0, NULL, 0, 0, KEY_OFF,
	    .help = "The log of exchanges; \"access_log: off\" writes none.",
	    .sub = access_keys, .aux = AT(access_on) },
	{ "admin", K_MAP, 0, NULL, 0, 0, 0,
	    .help = "The door for operators.",
	    .sub = admin_keys },
	{ "resolve", K_MAP, 0, NULL, 0, 0, 0,
	    .help = "How changes of names are followed.",
	    .sub = resolve_keys },
	{ "memory", K_MAP, 0, NULL, 0, 0, 0,
	    .help = "How much memory traffic may take.",
	    .sub = memory_keys },
	{ "store", K_MAP, 0, NULL, 0, 0, 0,
	    .help = "What keeps who has issued which code or token, over a restart and for several proxies.",
	    .sub = store_keys, .scalar = "type" },
	{ "cluster", K_MAP, 0, NULL, 0, 0, 0,
	    .help = "Several proxies that are commanded as one.",
	    .sub = cluster_keys, .scalar = "name" },
	{ "stop", K_MAP, 0, NULL, 0, 0, 0,
	    .help = "How the daemon stops.",
	    .sub = stop_keys },
	{ "pages", K_LIST, AT(pages), NULL, 0, 64, 0,
	    .help = "Pages for answers that come from us and not from an instance.",
	    .sub = page_keys, EACH(n_pages, pages), .label = "status" },
	{ "listeners", K_LIST, AT(listeners), NULL, 1, 64, KEY_REQUIRED | KEY_RESTART,
	    .help = "Where clients connect: addresses, or maps.",
	    .sub = listener_keys, EACH(n_listeners, listeners), .scalar = "address", .label = "name" },
	{ "services", K_LIST, AT(services), NULL, 1, 1024, KEY_REQUIRED,
	    .help = "What hosts and paths lead to.",
	    .sub = service_keys, EACH(n_services, services), .label = "name" },
	END
};
/* clang-format on */
