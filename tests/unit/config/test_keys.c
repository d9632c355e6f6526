/*
 * Every key: its default, that it is read, shown and compared, and whether a
 * running daemon can take a new value over.  A key without a row here fails.
 */
#include "config/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "try.h"

/* The parts of a small configuration; a row puts something else in one. */
enum part {
	TOP,
	LISTENERS,   /* more of them */
	LISTENER_AT, /* its address */
	LISTENER,
	SERVICES,
	SERVICE_NAME,
	SERVICE,
	POOLS,
	POOL_NAME,
	POOL,
	INSTANCES,
	INSTANCE_AT,
	INSTANCE,
	PARTS
};

static const char *const usual[PARTS] = {
	[TOP] = "",
	[LISTENERS] = "",
	[LISTENER_AT] = "address: \":1\"",
	[LISTENER] = "",
	[SERVICES] = "",
	[SERVICE_NAME] = "name: s",
	[SERVICE] = "",
	[POOLS] = "",
	[POOL_NAME] = "name: v1",
	[POOL] = "",
	[INSTANCES] = "",
	[INSTANCE_AT] = "address: \"a:1\"",
	[INSTANCE] = "",
};

#define L "listeners[web]."
#define S "services[s]."
#define P "services[s].pools[v1]."
#define REDIS "store: { type: redis, address: \"r:1\", "
#define REDIS_ON                                                               \
	"store.type: memory -> redis\n"                                        \
	"store.address: none -> \"r:1\"\n"
#define TLS(more)                                                              \
	", tls: { certificates: [ { certificate: /c.pem } ], " more " }"
#define TLS_ON                                                                 \
	L "tls: off -> on\n" L                                                 \
	  "tls.certificates: none -> [ { certificate: /c.pem } ]\n"
#define STEP_AND_JOBS(step, job)                                               \
	", rollout: { steps: [ " step ", promote ], jobs: [ { " job " } ] }"
#define A S "rollout.jobs[a]: none -> present\n"
#define DAY "from: \"00:00\", until: \"00:00\", below: 0"
#define OFF "writes_only: off, no_return: off, surge: off, " DAY
#define BY_JOB "by: job, only: always, " OFF
#define NO_SHARE "0%"
#define NO_TIME                                                                \
	"for: 0, errors: 2%, slower: 0%, logins: 0%, requests: 100, "          \
	"deadline: 0"
#define STEP(step, share, by, time)                                            \
	"{ step: " step ", share: " share ", " by ", " time " }"
#define PROMOTE STEP("promote", NO_SHARE, BY_JOB, NO_TIME)
#define STEPS(list) S "rollout.steps: none -> [ " list " ]\n"
#define JOBS(job) ", rollout: { jobs: [ { " job " } ] }"
#define I "services[s].pools[v1].instances[i]."

static const struct {
	const char *path; /* as cfg_keys() has it */
	enum part part;
	const char *text;           /* what stands there instead */
	const char *live, *restart; /* what cfg_diff() says */
} rows[] = {
	{ "workers", TOP, "workers: 3", "", "workers: auto -> 3\n" },
	{ "user", TOP, "user: segue", "", "user: none -> segue\n" },
	{ "group", TOP, "group: \"42\"", "", "group: none -> \"42\"\n" },
	{ "state_dir", TOP, "state_dir: /srv/s t", "",
	    "state_dir: /var/lib/segue -> \"/srv/s t\"\n" },
	{ "key_file", TOP, "key_file: /etc/segue/keys",
	    "key_file: none -> /etc/segue/keys\n", "" },
	{ "pages", TOP, "pages: [ { status: 503, text: /a } ]",
	    "pages[503]: none -> present\n", "" },
	{ "pages[].status", TOP, "pages: [ { status: 5xx, text: /a } ]",
	    "pages[5xx]: none -> present\n", "" },
	{ "pages[].html", TOP, "pages: [ { status: 400, html: /a.html } ]",
	    "pages[400]: none -> present\n", "" },
	{ "pages[].json", TOP, "pages: [ { status: 4xx, json: /a.json } ]",
	    "pages[4xx]: none -> present\n", "" },
	{ "pages[].text", TOP, "pages: [ { status: 599, text: a.txt } ]",
	    "pages[599]: none -> present\n", "" },
	{ "log.level", TOP, "log: { level: debug }",
	    "log.level: info -> debug\n", "" },
	{ "log.level", TOP, "log: { level: error }",
	    "log.level: info -> error\n", "" },
	{ "log.file", TOP, "log: { file: /a.log }", "",
	    "log.file: none -> /a.log\n" },
	{ "access_log", TOP, "access_log: off", "access_log: on -> off\n", "" },
	{ "access_log", TOP, "access_log: no", "access_log: on -> off\n", "" },
	{ "access_log", TOP, "access_log: on", "", "" },
	{ "access_log", TOP, "access_log:", "", "" },
	{ "access_log.file", TOP, "access_log: { file: /b.log }", "",
	    "access_log.file: none -> /b.log\n" },
	{ "access_log.format", TOP, "access_log: { format: combined }",
	    "access_log.format: json -> combined\n", "" },
	{ "admin.socket", TOP, "admin: { socket: /s }", "",
	    "admin.socket: /run/segue/admin.sock -> /s\n" },
	{ "admin.mode", TOP, "admin: { mode: 600 }", "",
	    "admin.mode: \"0660\" -> \"0600\"\n" },
	{ "admin.group", TOP, "admin: { group: ops }", "",
	    "admin.group: none -> ops\n" },
	{ "admin.http", TOP, "admin: { http: \"localhost:9180\" }", "",
	    "admin.http: none -> \"localhost:9180\"\n" },
	{ "admin.operate.users", TOP, "admin: { operate: { users: ann } }",
	    "admin.operate.users: none -> [ ann ]\n", "" },
	{ "admin.operate.groups", TOP,
	    "admin: { operate: { groups: [ \"100\", ops ] } }",
	    "admin.operate.groups: none -> [ \"100\", ops ]\n", "" },
	{ "admin.view.users", TOP, "admin: { view: { users: [ bob ] } }",
	    "admin.view.users: none -> [ bob ]\n", "" },
	{ "admin.view.groups", TOP, "admin: { view: { groups: [ dev ] } }",
	    "admin.view.groups: none -> [ dev ]\n", "" },
	{ "resolve.interval", TOP, "resolve: { interval: 0 }",
	    "resolve.interval: 30s -> 0\n", "" },
	{ "resolve.hold", TOP, "resolve: { hold: 1m }",
	    "resolve.hold: 10s -> 1m\n", "" },
	{ "memory.limit", TOP, "memory: { limit: 64MiB }",
	    "memory.limit: auto -> 64MiB\n", "" },
	{ "memory.limit", TOP, "memory: { limit: off }",
	    "memory.limit: auto -> off\n", "" },
	{ "store.type", TOP, "store: none", "",
	    "store.type: memory -> none\n" },
	{ "store.memory", TOP, "store: { memory: 1GiB }", "",
	    "store.memory: 64MiB -> 1GiB\n" },
	{ "store.address", TOP, "store: { type: redis, address: \"r:6379\" }",
	    "",
	    "store.type: memory -> redis\n"
	    "store.address: none -> \"r:6379\"\n" },
	{ "store.sentinels", TOP,
	    "store: { type: redis, sentinels: [ \"a:1\", \"b:2\" ], master: m "
	    "}",
	    "",
	    "store.type: memory -> redis\n"
	    "store.sentinels: none -> [ \"a:1\", \"b:2\" ]\n"
	    "store.master: none -> m\n" },
	{ "store.master", TOP,
	    "store: { type: redis, sentinels: [ \"a:1\" ], master: m:2 }", "",
	    "store.type: memory -> redis\n"
	    "store.sentinels: none -> [ \"a:1\" ]\n"
	    "store.master: none -> \"m:2\"\n" },
	{ "store.user", TOP, REDIS "user: u, password_file: /p }", "",
	    REDIS_ON "store.user: none -> u\n"
	             "store.password_file: none -> /p\n" },
	{ "store.password_file", TOP, REDIS "password_file: /p }", "",
	    REDIS_ON "store.password_file: none -> /p\n" },
	{ "store.database", TOP, REDIS "database: 3 }", "",
	    REDIS_ON "store.database: 0 -> 3\n" },
	{ "store.tls", TOP, REDIS "tls: on }", "",
	    REDIS_ON "store.tls: off -> on\n" },
	{ "store.prefix", TOP, "store: { prefix: \"a:\" }", "",
	    "store.prefix: \"segue:\" -> \"a:\"\n" },
	{ "store.timeout", TOP, "store: { timeout: 50ms }", "",
	    "store.timeout: 20ms -> 50ms\n" },
	{ "cluster.name", TOP, REDIS " }\ncluster: a", "",
	    REDIS_ON "cluster.name: none -> a\n" },
	{ "cluster.member", TOP, REDIS " }\ncluster: { name: a, member: b }",
	    "",
	    REDIS_ON "cluster.name: none -> a\ncluster.member: none -> b\n" },
	{ "cluster.timeout", TOP, "cluster: { timeout: 5s }", "",
	    "cluster.timeout: 2s -> 5s\n" },
	{ "cluster.absent", TOP, "cluster: { absent: block }", "",
	    "cluster.absent: fence -> block\n" },
	{ "stop.lame_duck", TOP, "stop: { lame_duck: 10s }",
	    "stop.lame_duck: 0 -> 10s\n", "" },
	{ "stop.deadline", TOP, "stop: { deadline: 90s }",
	    "stop.deadline: 1m -> 1m30s\n", "" },
	{ "stop.linger", TOP, "stop: { linger: 0 }", "stop.linger: 3s -> 0\n",
	    "" },

	{ "listeners", LISTENERS, ", \":2\"", "",
	    "listeners[0.0.0.0:2]: none -> present\n" },
	{ "listeners[].name", LISTENER, ", name: other", "",
	    "listeners[web]: present -> gone\n"
	    "listeners[other]: none -> present\n" },
	{ "listeners[].address", LISTENER_AT, "address: \"[::]:1\"", "",
	    L "address: \"0.0.0.0:1\" -> \"[::]:1\"\n" },
	{ "listeners[].backlog", LISTENER, ", backlog: 64", "",
	    L "backlog: 1024 -> 64\n" },
	{ "listeners[].max_connections", LISTENER, ", max_connections: 5",
	    L "max_connections: 0 -> 5\n", "" },
	{ "listeners[].timeouts.preface", LISTENER,
	    ", timeouts: { preface: 1s }", L "timeouts.preface: 5s -> 1s\n",
	    "" },
	{ "listeners[].timeouts.handshake", LISTENER,
	    ", timeouts: { handshake: 1s }",
	    L "timeouts.handshake: 10s -> 1s\n", "" },
	{ "listeners[].timeouts.head", LISTENER, ", timeouts: { head: 1s }",
	    L "timeouts.head: 10s -> 1s\n", "" },
	{ "listeners[].timeouts.idle", LISTENER, ", timeouts: { idle: 1s }",
	    L "timeouts.idle: 1m15s -> 1s\n", "" },
	{ "listeners[].timeouts.body", LISTENER, ", timeouts: { body: 1s }",
	    L "timeouts.body: 30s -> 1s\n", "" },
	{ "listeners[].timeouts.write", LISTENER, ", timeouts: { write: 1s }",
	    L "timeouts.write: 30s -> 1s\n", "" },
	{ "listeners[].limits.head", LISTENER, ", limits: { head: 40000 }",
	    L "limits.head: 64KiB -> 40000\n", "" },
	{ "listeners[].limits.field", LISTENER, ", limits: { field: 1k }",
	    L "limits.field: 32KiB -> 1KiB\n", "" },
	{ "listeners[].limits.target", LISTENER, ", limits: { target: 8KiB }",
	    L "limits.target: 16KiB -> 8KiB\n", "" },
	{ "listeners[].limits.fields", LISTENER, ", limits: { fields: 128 }",
	    L "limits.fields: 100 -> 128\n", "" },
	{ "listeners[].clients.connections", LISTENER,
	    ", clients: { connections: 100 }",
	    L "clients.connections: 0 -> 100\n", "" },
	{ "listeners[].clients.requests_per_second", LISTENER,
	    ", clients: { requests_per_second: 50 }",
	    L "clients.requests_per_second: 0 -> 50\n", "" },
	{ "listeners[].clients.burst", LISTENER, ", clients: { burst: 1 }",
	    L "clients.burst: 20 -> 1\n", "" },
	{ "listeners[].redirect", LISTENER, ", redirect: https",
	    L "redirect: off -> https\n", "" },
	{ "listeners[].redirect_port", LISTENER, ", redirect_port: 8443",
	    L "redirect_port: 443 -> 8443\n", "" },
	{ "listeners[].acme_dir", LISTENER, ", acme_dir: /a",
	    L "acme_dir: none -> /a\n", "" },
	{ "listeners[].http2", LISTENER, ", http2: off", L "http2: on -> off\n",
	    "" },
	{ "listeners[].limits.streams", LISTENER, ", limits: { streams: 7 }",
	    L "limits.streams: 100 -> 7\n", "" },
	{ "listeners[].health.path", LISTENER,
	    ", health: { path: /.segue/health }",
	    L "health.path: none -> /.segue/health\n", "" },
	{ "listeners[].trusted_proxies", LISTENER,
	    ", trusted_proxies: [ 10.0.0.0/8, fd00::/8, 192.0.2.1 ]",
	    L "trusted_proxies: none -> [ \"10.0.0.0/8\", \"fd00::/8\", "
	      "\"192.0.2.1\" ]\n",
	    "" },
	{ "listeners[].proxy_protocol", LISTENER,
	    ", trusted_proxies: 192.0.2.1, proxy_protocol: required",
	    L "trusted_proxies: none -> [ \"192.0.2.1\" ]\n" L
	      "proxy_protocol: off -> required\n",
	    "" },
	{ "listeners[].tls", LISTENER, ", tls: off", "", "" },
	{ "listeners[].tls", LISTENER, ", tls:", "", "" },
	{ "listeners[].tls.certificates", LISTENER, TLS("watch: on"), TLS_ON,
	    "" },
	{ "listeners[].tls.certificates[].certificate", LISTENER,
	    ", tls: { certificates: [ { certificate: /b }, { certificate: "
	    "/a } "
	    "] }",
	    L "tls: off -> on\n" L "tls.certificates: none -> "
	      "[ { certificate: /b }, { certificate: /a } ]\n",
	    "" },
	{ "listeners[].tls.certificates[].key", LISTENER,
	    ", tls: { certificates: [ { certificate: /b, key: c.key } ] }",
	    L "tls: off -> on\n" L "tls.certificates: none -> "
	      "[ { certificate: /b, key: c.key } ]\n",
	    "" },
	{ "listeners[].tls.certificates[].ocsp", LISTENER,
	    ", tls: { certificates: [ { certificate: /b, ocsp: b.ocsp } ] "
	    "}",
	    L "tls: off -> on\n" L "tls.certificates: none -> "
	      "[ { certificate: /b, ocsp: b.ocsp } ]\n",
	    "" },
	{ "listeners[].tls.min_version", LISTENER, TLS("min_version: 1.3"),
	    TLS_ON L "tls.min_version: 1.2 -> 1.3\n", "" },
	{ "listeners[].tls.ciphers", LISTENER, TLS("ciphers: ECDHE+AES"),
	    TLS_ON L "tls.ciphers: \"ECDHE+AESGCM:ECDHE+CHACHA20\" -> "
	             "\"ECDHE+AES\"\n",
	    "" },
	{ "listeners[].tls.ciphersuites", LISTENER, TLS("ciphersuites: A"),
	    TLS_ON L "tls.ciphersuites: \"TLS_AES_128_GCM_SHA256:"
	             "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256\" -> "
	             "A\n",
	    "" },
	{ "listeners[].tls.groups", LISTENER, TLS("groups: P-521"),
	    TLS_ON L "tls.groups: \"X25519:P-256:P-384\" -> P-521\n", "" },
	{ "listeners[].tls.alpn", LISTENER, TLS("alpn: [ http/1.1, http/1.1 ]"),
	    TLS_ON L "tls.alpn: [ h2, http/1.1 ] -> [ http/1.1, http/1.1 ]\n",
	    "" },
	{ "listeners[].tls.tickets", LISTENER, TLS("tickets: off"),
	    TLS_ON L "tls.tickets: on -> off\n", "" },
	{ "listeners[].tls.tickets.file", LISTENER,
	    TLS("tickets: { file: /t }"),
	    TLS_ON L "tls.tickets.file: none -> /t\n", "" },
	{ "listeners[].tls.verify_client", LISTENER,
	    TLS("client_ca: /p, verify_client: required"),
	    TLS_ON L "tls.verify_client: none -> required\n" L
	             "tls.client_ca: none -> [ /p ]\n",
	    "" },
	{ "listeners[].tls.client_ca", LISTENER,
	    TLS("client_ca: [ /p, /q ], verify_client: optional"),
	    TLS_ON L "tls.verify_client: none -> optional\n" L
	             "tls.client_ca: none -> [ /p, /q ]\n",
	    "" },
	{ "listeners[].tls.crl", LISTENER,
	    TLS("client_ca: /p, verify_client: optional, crl: /r"),
	    TLS_ON L "tls.verify_client: none -> optional\n" L
	             "tls.client_ca: none -> [ /p ]\n" L
	             "tls.crl: none -> [ /r ]\n",
	    "" },
	{ "listeners[].tls.watch", LISTENER, TLS("watch: off"),
	    TLS_ON L "tls.watch: on -> off\n", "" },

	{ "listeners[].passthrough", SERVICE, ", mode: passthrough",
	    L "passthrough: off -> on\n" S "mode: http -> passthrough\n" S
	      "sticky.scope: pool -> none\n" P "probe.type: http -> tcp\n",
	    "" },

	{ "services", SERVICES,
	    ", { name: t, match: t, pools: [ { name: v1, instances: b:1 } "
	    "] }",
	    "services[t]: none -> present\n", "" },
	{ "services[].name", SERVICE_NAME, "name: other",
	    "services[s]: present -> gone\nservices[other]: none -> "
	    "present\n",
	    "" },
	{ "services[].mode", SERVICE, ", mode: passthrough",
	    L "passthrough: off -> on\n" S "mode: http -> passthrough\n" S
	      "sticky.scope: pool -> none\n" P "probe.type: http -> tcp\n",
	    "" },
	{ "services[].match", SERVICE, ", match: a.example.org",
	    S "match: [ { host: \"*\", path: / } ] -> "
	      "[ { host: a.example.org, path: / } ]\n",
	    "" },
	{ "services[].match", SERVICE, ", match: [ a, { host: b } ]",
	    S "match: [ { host: \"*\", path: / } ] -> "
	      "[ { host: a, path: / }, { host: b, path: / } ]\n",
	    "" },
	{ "services[].match[].host", SERVICE,
	    ", match: { host: \"*.Example.ORG\" }",
	    S "match: [ { host: \"*\", path: / } ] -> "
	      "[ { host: \"*.example.org\", path: / } ]\n",
	    "" },
	{ "services[].match[].path", SERVICE, ", match: { path: /auth/ }",
	    S "match: [ { host: \"*\", path: / } ] -> "
	      "[ { host: \"*\", path: /auth/ } ]\n",
	    "" },
	{ "services[].share_key", SERVICE, ", share_key: \"header:X-User\"",
	    S "share_key: source -> \"header:X-User\"\n", "" },
	{ "services[].share_key", SERVICE, ", share_key: request",
	    S "share_key: source -> request\n", "" },
	/* what they stand for is in test_profiles.c */
	{ "services[].profile", SERVICE, ", profile: none", "", "" },
	{ "services[].profile", SERVICE, ", profile: zitadel",
	    S "hold.copies: none -> [ /.well-known/openid-configuration, "
	      "/oauth/v2/keys ]\n" S
	      "logins.begin: none -> [ /oauth/v2/authorize ]\n" S
	      "headers.profile: plain -> identity\n" S
	      "rules: none -> [ { deny: /debug, hide: off } ]\n" P
	      "probe.path: / -> /debug/ready\n" P "protocol: h1 -> h2c\n",
	    "" },

	{ "services[].sticky.scope", SERVICE, ", sticky: { scope: none }",
	    S "sticky.scope: pool -> none\n", "" },
	{ "services[].sticky.scope", SERVICE, ", sticky: { scope: instance }",
	    S "sticky.scope: pool -> instance\n", "" },
	{ "services[].sticky.cookie", SERVICE, ", sticky: { cookie: pin!~ }",
	    S "sticky.cookie: segue -> \"pin!~\"\n", "" },
	{ "services[].sticky.idle", SERVICE, ", sticky: { idle: 1h }",
	    S "sticky.idle: 30m -> 1h\n", "" },
	{ "services[].sticky.max", SERVICE, ", sticky: { max: 10h }",
	    S "sticky.max: 1d -> 10h\n", "" },
	{ "services[].sticky.records", SERVICE, ", sticky: { records: 7 }",
	    S "sticky.records: 1000000 -> 7\n", "" },
	{ "services[].timeouts.connect", SERVICE,
	    ", timeouts: { connect: 1.5s }",
	    S "timeouts.connect: 2s -> 1s500ms\n", "" },
	{ "services[].timeouts.first_byte", SERVICE,
	    ", timeouts: { first_byte: 5s }",
	    S "timeouts.first_byte: 30s -> 5s\n", "" },
	{ "services[].timeouts.progress", SERVICE,
	    ", timeouts: { progress: 5s }", S "timeouts.progress: 1m -> 5s\n",
	    "" },
	{ "services[].timeouts.tunnel", SERVICE, ", timeouts: { tunnel: 5s }",
	    S "timeouts.tunnel: 1h -> 5s\n", "" },
	{ "services[].limits.body", SERVICE, ", limits: { body: 0 }",
	    S "limits.body: 10MiB -> 0\n", "" },
	{ "services[].limits.body", SERVICE, ", limits: { body: 1GiB }",
	    S "limits.body: 10MiB -> 1GiB\n", "" },
	{ "services[].rules", SERVICE, ", rules: [ { deny: / } ]",
	    S "rules: none -> [ { deny: /, hide: off } ]\n", "" },
	{ "services[].rules[].allow", SERVICE, ", rules: [ { allow: /a/ } ]",
	    S "rules: none -> [ { allow: /a/, hide: off } ]\n", "" },
	{ "services[].rules[].deny", SERVICE,
	    ", rules: [ { deny: /a }, { deny: /b } ]",
	    S "rules: none -> [ { deny: /a, hide: off }, "
	      "{ deny: /b, hide: off } ]\n",
	    "" },
	{ "services[].rules[].from", SERVICE,
	    ", rules: [ { deny: /a, from: 10.0.0.0/8 } ]",
	    S "rules: none -> [ { deny: /a, from: [ \"10.0.0.0/8\" ], "
	      "hide: off } ]\n",
	    "" },
	{ "services[].rules[].methods", SERVICE,
	    ", rules: [ { deny: /a, methods: [ GET, POST ] } ]",
	    S "rules: none -> [ { deny: /a, methods: [ GET, POST ], "
	      "hide: off } ]\n",
	    "" },
	{ "services[].rules[].hide", SERVICE,
	    ", rules: [ { deny: /a, hide: on } ]",
	    S "rules: none -> [ { deny: /a, hide: on } ]\n", "" },
	{ "services[].headers.profile", SERVICE, ", headers: identity",
	    S "headers.profile: plain -> identity\n", "" },
	{ "services[].headers.profile", SERVICE,
	    ", headers: { profile: identity }",
	    S "headers.profile: plain -> identity\n", "" },
	{ "services[].headers.forwarded", SERVICE,
	    ", headers: { forwarded: x }", S "headers.forwarded: both -> x\n",
	    "" },
	{ "services[].headers.forwarded", SERVICE,
	    ", headers: { forwarded: rfc7239 }",
	    S "headers.forwarded: both -> rfc7239\n", "" },
	{ "services[].headers.forwarded", SERVICE,
	    ", headers: { forwarded: none }",
	    S "headers.forwarded: both -> none\n", "" },
	{ "services[].headers.prefix", SERVICE, ", headers: { prefix: /auth }",
	    S "headers.prefix: none -> /auth\n", "" },
	{ "services[].headers.client_cert", SERVICE,
	    ", headers: { client_cert: nginx }",
	    S "headers.client_cert: none -> nginx\n", "" },
	{ "services[].headers.client_cert_chain", SERVICE,
	    ", headers: { client_cert_chain: 16 }",
	    S "headers.client_cert_chain: 0 -> 16\n", "" },
	{ "services[].headers.hsts", SERVICE, ", headers: { hsts: on }",
	    S "headers.hsts: off -> on\n", "" },
	{ "services[].headers.hsts.max_age", SERVICE,
	    ", headers: { hsts: { max_age: 1h } }",
	    S "headers.hsts: off -> on\n" S
	      "headers.hsts.max_age: 365d -> 1h\n",
	    "" },
	{ "services[].headers.hsts.subdomains", SERVICE,
	    ", headers: { hsts: { subdomains: on } }",
	    S "headers.hsts: off -> on\n" S
	      "headers.hsts.subdomains: off -> on\n",
	    "" },
	{ "services[].headers.hsts.preload", SERVICE,
	    ", headers: { hsts: { preload: on, subdomains: on } }",
	    S "headers.hsts: off -> on\n" S
	      "headers.hsts.subdomains: off -> on\n" S
	      "headers.hsts.preload: off -> on\n",
	    "" },
	{ "services[].headers.request", SERVICE,
	    ", headers: { request: [ { remove: X-A* } ] }",
	    S "headers.request: none -> [ { remove: \"X-A*\" } ]\n", "" },
	{ "services[].headers.request[].set", SERVICE,
	    ", headers: { request: [ { set: X-A, value: \"{host} {} {\" } "
	    "] }",
	    S "headers.request: none -> [ { set: X-A, value: \"(hidden)\" "
	      "} ]\n",
	    "" },
	{ "services[].headers.request[].add", SERVICE,
	    ", headers: { request: [ { add: X-A, value: \"\" } ] }",
	    S
	    "headers.request: none -> [ { add: X-A, value: \"(hidden)\" } ]\n",
	    "" },
	{ "services[].headers.request[].remove", SERVICE,
	    ", headers: { request: [ { remove: X_A } ] }",
	    S "headers.request: none -> [ { remove: X_A } ]\n", "" },
	{ "services[].headers.request[].value", SERVICE,
	    ", headers: { request: [ { set: X-A, value: b } ] }",
	    S
	    "headers.request: none -> [ { set: X-A, value: \"(hidden)\" } ]\n",
	    "" },
	{ "services[].headers.response", SERVICE,
	    ", headers: { response: [ { remove: Server } ] }",
	    S "headers.response: none -> [ { remove: Server } ]\n", "" },
	{ "services[].headers.response[].set", SERVICE,
	    ", headers: { response: [ { set: X-Pool, value: \"{pool}\" } ] "
	    "}",
	    S "headers.response: none -> [ { set: X-Pool, value: "
	      "\"(hidden)\" } "
	      "]\n",
	    "" },
	{ "services[].headers.response[].add", SERVICE,
	    ", headers: { response: [ { add: Via, value: a } ] }",
	    S
	    "headers.response: none -> [ { add: Via, value: \"(hidden)\" } ]\n",
	    "" },
	{ "services[].headers.response[].remove", SERVICE,
	    ", headers: { response: [ { remove: X-* } ] }",
	    S "headers.response: none -> [ { remove: \"X-*\" } ]\n", "" },
	{ "services[].headers.response[].value", SERVICE,
	    ", headers: { response: [ { add: X-A, value: \"a: b\" } ] }",
	    S
	    "headers.response: none -> [ { add: X-A, value: \"(hidden)\" } ]\n",
	    "" },
	{ "services[].pages", SERVICE, ", pages: [ { status: 404, json: j } ]",
	    S "pages[404]: none -> present\n", "" },
	{ "services[].pages[].status", SERVICE,
	    ", pages: [ { status: 404, json: j } ]",
	    S "pages[404]: none -> present\n", "" },
	{ "services[].pages[].html", SERVICE,
	    ", pages: [ { status: 404, html: j } ]",
	    S "pages[404]: none -> present\n", "" },
	{ "services[].pages[].json", SERVICE,
	    ", pages: [ { status: 404, json: j } ]",
	    S "pages[404]: none -> present\n", "" },
	{ "services[].pages[].text", SERVICE,
	    ", pages: [ { status: 404, text: j } ]",
	    S "pages[404]: none -> present\n", "" },
	{ "services[].retry.attempts", SERVICE, ", retry: { attempts: 0 }",
	    S "retry.attempts: 2 -> 0\n", "" },
	{ "services[].retry.budget", SERVICE, ", retry: { budget: 5 }",
	    S "retry.budget: 20% -> 5%\n", "" },
	{ "services[].retry.statuses", SERVICE,
	    ", retry: { statuses: [ 502, 503 ] }",
	    S "retry.statuses: none -> [ 502, 503 ]\n", "" },
	{ "services[].drain.mode", SERVICE, ", drain: { mode: move }",
	    S "drain.mode: keep -> move\n", "" },
	{ "services[].drain.mode", SERVICE, ", drain: { mode: evict }",
	    S "drain.mode: keep -> evict\n", "" },
	{ "services[].drain.requests", SERVICE, ", drain: { requests: 5s }",
	    S "drain.requests: 1m -> 5s\n", "" },
	{ "services[].drain.flows", SERVICE, ", drain: { flows: 5s }",
	    S "drain.flows: 30m -> 5s\n", "" },
	{ "services[].drain.streams", SERVICE, ", drain: { streams: 5s }",
	    S "drain.streams: 5m -> 5s\n", "" },
	{ "services[].drain.spread", SERVICE, ", drain: { spread: 1m }",
	    S "drain.spread: 5s -> 1m\n", "" },
	{ "services[].hold.max", SERVICE, ", hold: { max: 0 }",
	    S "hold.max: 1000 -> 0\n", "" },
	{ "services[].hold.wait", SERVICE, ", hold: { wait: 1m }",
	    S "hold.wait: 15s -> 1m\n", "" },
	{ "services[].hold.pace", SERVICE, ", hold: { pace: 50 }",
	    S "hold.pace: 500 -> 50\n", "" },
	{ "services[].hold.retry_after", SERVICE,
	    ", hold: { retry_after: 30s }", S "hold.retry_after: 10s -> 30s\n",
	    "" },
	{ "services[].hold.writes", SERVICE, ", hold: { writes: [ /a, /b/ ] }",
	    S "hold.writes: none -> [ /a, /b/ ]\n", "" },
	{ "services[].hold.never", SERVICE, ", hold: { never: /health }",
	    S "hold.never: none -> [ /health ]\n", "" },
	{ "services[].hold.copies", SERVICE, ", hold: { copies: [ /jwks ] }",
	    S "hold.copies: none -> [ /jwks ]\n", "" },
	{ "services[].rollout.strategy", SERVICE,
	    ", rollout: { strategy: canary }",
	    S "rollout.strategy: blue_green -> canary\n", "" },
	{ "services[].rollout.on_failure", SERVICE,
	    ", rollout: { on_failure: pause }",
	    S "rollout.on_failure: rollback -> pause\n", "" },
	{ "services[].rollout.steps", SERVICE,
	    ", rollout: { steps: [ promote ] }", STEPS(PROMOTE), "" },
	{ "services[].rollout.steps[].step", SERVICE,
	    ", rollout: { steps: [ promote, drain ] }",
	    STEPS(PROMOTE ", " STEP("drain", NO_SHARE, BY_JOB, NO_TIME)), "" },
	{ "services[].rollout.steps[].name", SERVICE,
	    ", rollout: { steps: [ { step: promote, name: all } ] }",
	    STEPS(STEP("promote, name: all", NO_SHARE, BY_JOB, NO_TIME)), "" },
	{ "services[].rollout.steps[].share", SERVICE,
	    ", rollout: { steps: [ { step: share, share: 5% }, promote ] }",
	    STEPS(STEP("share", "5%", BY_JOB, NO_TIME) ", " PROMOTE), "" },
	{ "services[].rollout.steps[].for", SERVICE,
	    ", rollout: { steps: [ { step: pause, for: 1m }, promote ] }",
	    STEPS(STEP("pause", NO_SHARE, BY_JOB,
	        "for: 1m, errors: 2%, slower: 0%, logins: 0%, requests: 100, "
	        "deadline: "
	        "0") ","
	             " " PROMOTE),
	    "" },
	{ "services[].rollout.steps[].deadline", SERVICE,
	    ", rollout: { steps: [ { step: promote, deadline: 1m } ] }",
	    STEPS(STEP("promote", NO_SHARE, BY_JOB,
	        "for: 0, errors: 2%, slower: 0%, logins: 0%, requests: 100, "
	        "deadline: "
	        "1m")),
	    "" },
	{ "services[].rollout.steps[].errors", SERVICE,
	    ", rollout: { steps: [ { step: analyze, for: 1m, errors: 5% }, "
	    "promote ] }",
	    STEPS(STEP("analyze", NO_SHARE, BY_JOB,
	        "for: 1m, errors: 5%, slower: 0%, logins: 0%, requests: 100, "
	        "deadline: "
	        "0") ","
	             " " PROMOTE),
	    "" },
	{ "services[].rollout.steps[].slower", SERVICE,
	    ", rollout: { steps: [ { step: analyze, for: 1m, slower: 50% "
	    "}, "
	    "promote ] }",
	    STEPS(STEP("analyze", NO_SHARE, BY_JOB,
	        "for: 1m, errors: 2%, slower: 50%, logins: 0%, requests: 100, "
	        "deadline: "
	        "0") ", " PROMOTE),
	    "" },
	{ "services[].rollout.steps[].logins", SERVICE,
	    ", logins: { begin: /a }, rollout: { steps: [ { step: analyze, "
	    "for: 1m, logins: 20% }, promote ] }",
	    STEPS(STEP("analyze", NO_SHARE, BY_JOB,
	        "for: 1m, errors: 2%, slower: 0%, logins: 20%, requests: 100, "
	        "deadline: 0") ", " PROMOTE) S "logins.begin: none -> [ /a ]\n",
	    "" },
	{ "services[].rollout.steps[].requests", SERVICE,
	    ", rollout: { steps: [ { step: analyze, for: 1m, requests: 9 "
	    "}, "
	    "promote ] }",
	    STEPS(STEP("analyze", NO_SHARE, BY_JOB,
	        "for: 1m, errors: 2%, slower: 0%, logins: 0%, requests: 9, "
	        "deadline: 0") ", " PROMOTE),
	    "" },
	{ "services[].rollout.steps[].job", SERVICE,
	    STEP_AND_JOBS("{ step: check, job: a }", "name: a, command: /a"),
	    STEPS(STEP("check", NO_SHARE, "job: a, " BY_JOB,
	        NO_TIME) ", " PROMOTE) A,
	    "" },
	{ "services[].rollout.steps[].by", SERVICE,
	    ", rollout: { steps: [ { step: check, by: revision }, promote "
	    "] }",
	    STEPS(STEP("check", NO_SHARE, "by: revision, only: always, " OFF,
	        NO_TIME) ", " PROMOTE),
	    "" },
	{ "services[].rollout.steps[].only", SERVICE,
	    ", rollout: { steps: [ { step: check, by: version }, "
	    "{ step: promote, only: rolling } ] }",
	    STEPS(STEP("check", NO_SHARE, "by: version, only: always, " OFF,
	        NO_TIME) ", " STEP("promote", NO_SHARE,
	        "by: job, only: rolling, " OFF, NO_TIME)),
	    "" },
	{ "services[].rollout.steps[].only", SERVICE,
	    ", rollout: { steps: [ { step: check, by: version }, "
	    "{ step: promote, only: recreate } ] }",
	    STEPS(STEP("check", NO_SHARE, "by: version, only: always, " OFF,
	        NO_TIME) ", " STEP("promote", NO_SHARE,
	        "by: job, only: recreate, " OFF, NO_TIME)),
	    "" },
	{ "services[].rollout.steps[].writes_only", SERVICE,
	    ", rollout: { steps: [ { step: hold, writes_only: on }, "
	    "promote, "
	    "release ] }",
	    STEPS(STEP("hold", NO_SHARE,
	        "by: job, only: always, writes_only: on, no_return: off, "
	        "surge: off, " DAY,
	        NO_TIME) ", " PROMOTE
	                 ", " STEP("release", NO_SHARE, BY_JOB, NO_TIME)),
	    "" },
	{ "services[].rollout.steps[].no_return", SERVICE,
	    ", rollout: { steps: [ { step: promote, no_return: on } ] }",
	    STEPS(STEP("promote", NO_SHARE,
	        "by: job, only: always, writes_only: off, no_return: on, "
	        "surge: off, " DAY,
	        NO_TIME)),
	    "" },
	{ "services[].rollout.steps[].surge", SERVICE,
	    STEP_AND_JOBS("{ step: roll, job: a, surge: on }",
	        "name: a, command: /a"),
	    STEPS(STEP("roll", NO_SHARE,
	        "job: a, by: job, only: always, writes_only: off, "
	        "no_return: off, surge: on, " DAY,
	        NO_TIME) ", " PROMOTE) A,
	    "" },
	{ "services[].rollout.steps[].from", SERVICE,
	    ", rollout: { steps: [ { step: window, from: \"22:00\" }, "
	    "promote "
	    "] }",
	    STEPS(STEP("window", NO_SHARE,
	        "by: job, only: always, writes_only: off, no_return: off, "
	        "surge: off, from: \"22:00\", until: \"00:00\", below: 0",
	        NO_TIME) ", " PROMOTE),
	    "" },
	{ "services[].rollout.steps[].until", SERVICE,
	    ", rollout: { steps: [ { step: window, until: \"05:30\" }, "
	    "promote "
	    "] }",
	    STEPS(STEP("window", NO_SHARE,
	        "by: job, only: always, writes_only: off, no_return: off, "
	        "surge: off, from: \"00:00\", until: \"05:30\", below: 0",
	        NO_TIME) ", " PROMOTE),
	    "" },
	{ "services[].rollout.steps[].below", SERVICE,
	    ", rollout: { steps: [ { step: window, below: 9 }, promote ] }",
	    STEPS(STEP("window", NO_SHARE,
	        "by: job, only: always, writes_only: off, no_return: off, "
	        "surge: off, from: \"00:00\", until: \"00:00\", below: 9",
	        NO_TIME) ", " PROMOTE),
	    "" },
	{ "services[].rollout.jobs", SERVICE, JOBS("name: a, command: /a"), A,
	    "" },
	{ "services[].rollout.jobs[].name", SERVICE,
	    JOBS("name: a, command: /a }, { name: b, command: /b"),
	    A S "rollout.jobs[b]: none -> present\n", "" },
	{ "services[].rollout.jobs[].command", SERVICE,
	    JOBS("name: a, command: [ /bin/a b, --to, \"\" ]"), A, "" },
	{ "services[].rollout.jobs[].when", SERVICE,
	    JOBS("name: a, command: /a, when: [ /b, \"c: d\" ]"), A, "" },
	{ "services[].rollout.jobs[].rehearse", SERVICE,
	    JOBS("name: a, command: /a, rehearse: [ /a, --dry-run ]"), A, "" },
	{ "services[].rollout.jobs[].env", SERVICE,
	    JOBS("name: a, command: /a, env: [ _A=b, a1= ]"), A, "" },
	{ "services[].rollout.jobs[].user", SERVICE,
	    JOBS("name: a, command: /a, user: postgres"), A, "" },
	{ "services[].rollout.jobs[].timeout", SERVICE,
	    JOBS("name: a, command: /a, timeout: 1s"), A, "" },
	{ "services[].rollout.jobs[].timeout", SERVICE,
	    JOBS("name: a, command: /a, timeout: 1d"), A, "" },
	{ "services[].rollout.jobs[].once", SERVICE,
	    JOBS("name: a, command: /a, once: lifetime"), A, "" },
	{ "services[].rollout.jobs[].once", SERVICE,
	    JOBS("name: a, command: /a, once: version"), A, "" },
	{ "services[].rollout.jobs[].ok", SERVICE,
	    JOBS("name: a, command: /a, ok: [ 0, 255 ]"), A, "" },
	{ "services[].rollout.jobs[].ask", SERVICE,
	    JOBS("name: a, command: /a, ask: 3"), A, "" },
	{ "services[].rollout.jobs[].again", SERVICE,
	    JOBS("name: a, command: /a, again: [ 1, 255 ]"), A, "" },
	{ "services[].rollout.jobs[].every", SERVICE,
	    JOBS("name: a, command: /a, every: 10ms"), A, "" },
	{ "services[].shared_state", SERVICE, ", shared_state: none",
	    S "shared_state: full -> none\n", "" },
	{ "services[].shared_state", SERVICE, ", shared_state: db",
	    S "shared_state: full -> db\n", "" },
	{ "services[].cookies_shared", POOLS,
	    ", { name: v2, instances: b:1, cookie_namespace: x } ], "
	    "cookies_shared: [ theme, _ga*",
	    S "cookies_shared: none -> [ theme, \"_ga*\" ]\n" S
	      "pools[v2]: none -> present\n",
	    "" },
	{ "services[].jwks.paths", SERVICE, ", jwks: { paths: [ /jwks, /a ] }",
	    S "jwks.paths: none -> [ /jwks, /a ]\n", "" },
	{ "services[].jwks.host", SERVICE,
	    ", jwks: { paths: /a, host: \"id.example.org:8443\" }",
	    S "jwks.paths: none -> [ /a ]\n" S
	      "jwks.host: none -> \"id.example.org:8443\"\n",
	    "" },
	{ "services[].jwks.interval", SERVICE, ", jwks: { interval: 1m }",
	    S "jwks.interval: 10s -> 1m\n", "" },
	{ "services[].jwks.union", SERVICE, ", jwks: { paths: /a, union: on }",
	    S "jwks.paths: none -> [ /a ]\n" S "jwks.union: off -> on\n", "" },
	{ "services[].jwks.required", SERVICE,
	    ", jwks: { paths: /a, required: on }",
	    S "jwks.paths: none -> [ /a ]\n" S "jwks.required: off -> on\n",
	    "" },
	{ "services[].logins.begin", SERVICE,
	    ", logins: { begin: [ /auth, /oauth2/a ] }",
	    S "logins.begin: none -> [ /auth, /oauth2/a ]\n", "" },
	{ "services[].logins.within", SERVICE, ", logins: { within: 30s }",
	    S "logins.within: 2m -> 30s\n", "" },
	{ "services[].logins.cookie", SERVICE, ", logins: { cookie: sid }",
	    S "logins.cookie: none -> sid\n", "" },
	{ "services[].assets", SERVICE, ", assets: [ /resources, /a/ ]",
	    S "assets: none -> [ /resources, /a/ ]\n", "" },
	{ "services[].mirror", SERVICE, ", mirror: [ /a ]",
	    S "mirror: none -> [ /a ]\n", "" },
	{ "services[].via", SERVICE, ", via: FALSE", S "via: on -> off\n", "" },
	{ "services[].via", SERVICE, ", via: yes", "", "" },
	{ "services[].pools", POOLS, ", { name: v2, instances: b:1 }",
	    "services[s].pools[v2]: none -> present\n", "" },

	{ "services[].pools[].name", POOL_NAME, "name: v0",
	    "services[s].pools[v1]: present -> gone\n"
	    "services[s].pools[v0]: none -> present\n",
	    "" },
	{ "services[].pools[].version", POOL, ", version: \"26.6.2\"",
	    P "version: none -> \"26.6.2\"\n", "" },
	{ "services[].pools[].revision", POOL, ", revision: schema-7",
	    P "revision: none -> schema-7\n", "" },
	{ "services[].pools[].requires", POOLS,
	    ", { name: v2, requires: v1, instances: b:1 }",
	    "services[s].pools[v2]: none -> present\n", "" },
	{ "services[].pools[].share", POOLS,
	    ", { name: v2, share: 100, instances: b:1 }",
	    "services[s].pools[v1].share: 100% -> 0%\n"
	    "services[s].pools[v2]: none -> present\n",
	    "" },
	{ "services[].pools[].instances", INSTANCES, ", \"b:1\"",
	    "services[s].pools[v1].instances[b:1]: none -> present\n", "" },
	{ "services[].pools[].keepalive.idle", POOL, ", keepalive: { idle: 0 }",
	    P "keepalive.idle: 4s -> 0\n", "" },
	{ "services[].pools[].keepalive.max_idle", POOL,
	    ", keepalive: { max_idle: 0 }", P "keepalive.max_idle: 256 -> 0\n",
	    "" },
	{ "services[].pools[].balance", POOL, ", balance: hash",
	    P "balance: least_requests -> hash\n", "" },
	{ "services[].pools[].cookie_namespace", POOL, ", cookie_namespace: V2",
	    P "cookie_namespace: none -> V2\n", "" },
	{ "services[].pools[].max_requests", POOL, ", max_requests: 7",
	    P "max_requests: 0 -> 7\n", "" },
	{ "services[].pools[].queue.max", POOL, ", queue: { max: 0 }",
	    P "queue.max: 100 -> 0\n", "" },
	{ "services[].pools[].queue.timeout", POOL, ", queue: { timeout: 1s }",
	    P "queue.timeout: 5s -> 1s\n", "" },
	{ "services[].pools[].send_proxy", POOL, ", send_proxy: v2",
	    P "send_proxy: off -> v2\n", "" },
	{ "services[].pools[].probe.tls", POOL, ", probe: { tls: off }",
	    P "probe.tls: on -> off\n", "" },
	{ "services[].pools[].tls", POOL, ", tls: on", P "tls: off -> on\n",
	    "" },
	{ "services[].pools[].tls.ca", POOL, ", tls: { ca: [ /a, b ] }",
	    P "tls: off -> on\n" P "tls.ca: none -> [ /a, b ]\n", "" },
	{ "services[].pools[].tls.name", POOL, ", tls: { name: a.org }",
	    P "tls: off -> on\n" P "tls.name: none -> a.org\n", "" },
	{ "services[].pools[].tls.verify", POOL, ", tls: { verify: on }",
	    P "tls: off -> on\n", "" },
	{ "services[].pools[].tls.certificate", POOL,
	    ", tls: { certificate: /c }",
	    P "tls: off -> on\n" P "tls.certificate: none -> /c\n", "" },
	{ "services[].pools[].tls.key", POOL,
	    ", tls: { certificate: /c, key: /k }",
	    P "tls: off -> on\n" P "tls.certificate: none -> /c\n" P
	      "tls.key: none -> /k\n",
	    "" },
	{ "services[].pools[].tls.min_version", POOL,
	    ", tls: { min_version: 1.3 }",
	    P "tls: off -> on\n" P "tls.min_version: 1.2 -> 1.3\n", "" },
	{ "services[].pools[].tls.watch", POOL, ", tls: { watch: off }",
	    P "tls: off -> on\n" P "tls.watch: on -> off\n", "" },
	{ "services[].pools[].protocol", POOL, ", protocol: h2c",
	    P "protocol: h1 -> h2c\n", "" },
	{ "services[].pools[].probe.service", POOL,
	    ", protocol: h2c, probe: { type: grpc, service: a.B }",
	    P "probe.type: http -> grpc\n" P "probe.service: none -> a.B\n" P
	      "protocol: h1 -> h2c\n",
	    "" },
	{ "services[].pools[].slow_start", POOL, ", slow_start: 30s",
	    P "slow_start: 0 -> 30s\n", "" },
	{ "services[].pools[].eject.failures", POOL, ", eject: { failures: 3 }",
	    P "eject.failures: 5 -> 3\n", "" },
	{ "services[].pools[].eject.ratio", POOL, ", eject: { ratio: 20% }",
	    P "eject.ratio: 50% -> 20%\n", "" },
	{ "services[].pools[].eject.volume", POOL, ", eject: { volume: 1 }",
	    P "eject.volume: 20 -> 1\n", "" },
	{ "services[].pools[].eject.window", POOL, ", eject: { window: 1s }",
	    P "eject.window: 10s -> 1s\n", "" },
	{ "services[].pools[].eject.status_5xx", POOL,
	    ", eject: { status_5xx: on }", P "eject.status_5xx: off -> on\n",
	    "" },
	{ "services[].pools[].eject.slow", POOL, ", eject: { slow: 4 }",
	    P "eject.slow: 0 -> 4\n", "" },
	{ "services[].pools[].eject.time", POOL, ", eject: { time: 1s }",
	    P "eject.time: 10s -> 1s\n", "" },
	{ "services[].pools[].eject.max_time", POOL,
	    ", eject: { max_time: 1m }", P "eject.max_time: 5m -> 1m\n", "" },
	{ "services[].pools[].eject.share", POOL, ", eject: { share: 0% }",
	    P "eject.share: 50% -> 0%\n", "" },
	{ "services[].pools[].eject.time", POOL, ", eject: off",
	    P "eject: on -> off\n", "" },
	{ "services[].pools[].probe.type", POOL, ", probe: { type: tcp }",
	    P "probe.type: http -> tcp\n", "" },
	{ "services[].pools[].probe.port", POOL, ", probe: { port: 9000 }",
	    P "probe.port: 0 -> 9000\n", "" },
	{ "services[].pools[].probe.path", POOL,
	    ", probe: { path: \"/health/ready?x=%20\" }",
	    P "probe.path: / -> \"/health/ready?x=%20\"\n", "" },
	{ "services[].pools[].probe.host", POOL,
	    ", probe: { host: \"Sso.example.org:8443\" }",
	    P "probe.host: none -> \"Sso.example.org:8443\"\n", "" },
	{ "services[].pools[].probe.headers", POOL,
	    ", probe: { headers: { X-A: b, \"!\": \"\", x-a: \"c\\td\" } }",
	    P "probe.headers: none -> { X-A: \"(hidden)\", \"!\": "
	      "\"(hidden)\", x-a: \"(hidden)\" }\n",
	    "" },
	{ "services[].pools[].probe.expect", POOL, ", probe: { expect: 204 }",
	    P "probe.expect: [ 200 ] -> [ 204 ]\n", "" },
	{ "services[].pools[].probe.expect", POOL,
	    ", probe: { expect: [ 200, 204, 429 ] }",
	    P "probe.expect: [ 200 ] -> [ 200, 204, 429 ]\n", "" },
	{ "services[].pools[].probe.body", POOL,
	    ", probe: { body: \"a\\nb: \\\"c\\\"\" }",
	    P "probe.body: none -> \"a\\x0ab: \\\"c\\\"\"\n", "" },
	{ "services[].pools[].probe.json.field", POOL,
	    ", probe: { json: { field: checks.0.status, value: UP } }",
	    P "probe.json.field: none -> checks.0.status\n" P
	      "probe.json.value: none -> UP\n",
	    "" },
	{ "services[].pools[].probe.json.value", POOL,
	    ", probe: { json: { field: a, value: \"\" } }",
	    P "probe.json.field: none -> a\n" P
	      "probe.json.value: none -> \"\"\n",
	    "" },
	{ "services[].pools[].probe.interval", POOL,
	    ", probe: { interval: 10s }", P "probe.interval: 2s -> 10s\n", "" },
	{ "services[].pools[].probe.fast_interval", POOL,
	    ", probe: { fast_interval: 10ms }",
	    P "probe.fast_interval: 500ms -> 10ms\n", "" },
	{ "services[].pools[].probe.timeout", POOL,
	    ", probe: { timeout: 300ms }", P "probe.timeout: 1s -> 300ms\n",
	    "" },
	{ "services[].pools[].probe.rise", POOL, ", probe: { rise: 1 }",
	    P "probe.rise: 2 -> 1\n", "" },
	{ "services[].pools[].probe.fall", POOL, ", probe: { fall: 1 }",
	    P "probe.fall: 3 -> 1\n", "" },
	{ "services[].pools[].probe.hold", POOL, ", probe: { hold: 0s }",
	    P "probe.hold: 10s -> 0\n", "" },

	{ "services[].pools[].instances[].name", INSTANCE, ", name: kc-1",
	    P "instances[i]: present -> gone\n" P
	      "instances[kc-1]: none -> present\n",
	    "" },
	{ "services[].pools[].instances[].address", INSTANCE_AT,
	    "address: \"unix:/run/a\"",
	    I "address: \"a:1\" -> \"unix:/run/a\"\n" P
	      "probe.host: none -> x\n",
	    "" },
	{ "services[].pools[].instances[].weight", INSTANCE, ", weight: 256",
	    I "weight: 1 -> 256\n", "" },
};

static bool
has(const char *text, const char *word)
{
	return strstr(text, word) != NULL;
}

static void
write_yaml(enum part part, const char *text, struct buf *yaml)
{
	const char *at[PARTS];
	bool passes = text != NULL && has(text, "mode: passthrough");

	memcpy(at, usual, sizeof(at));
	if (part < PARTS)
		at[part] = text;
	buf_printf(yaml, "%s\nlisteners: [ { %s%s%s%s }%s ]\n", at[TOP],
	    has(at[LISTENER], "name:") ? "" : "name: web, ", at[LISTENER_AT],
	    at[LISTENER], passes ? ", passthrough: on" : "", at[LISTENERS]);
	buf_printf(yaml, "services: [ { %s%s, pools: [ { %s%s, ",
	    at[SERVICE_NAME], at[SERVICE], at[POOL_NAME], at[POOL]);
	if (has(at[INSTANCE_AT], "unix:"))
		buf_add_cstr(yaml, "probe: { host: x }, ");
	if (passes)
		buf_add_cstr(yaml, "probe: { type: tcp }, ");
	if (has(at[POOLS], "share:"))
		buf_add_cstr(yaml, "share: 0%, ");
	buf_printf(yaml, "instances: [ { %s%s%s }%s ] }%s ] }%s ]\n",
	    has(at[INSTANCE], "name:") ? "" : "name: i, ", at[INSTANCE_AT],
	    at[INSTANCE], at[INSTANCES], at[POOLS], at[SERVICES]);
}

static struct cfg *
make(enum part part, const char *text, const char *why)
{
	struct buf yaml = BUF_INIT;
	struct cfg *c;

	write_yaml(part, text, &yaml);
	c = try_good(yaml.p, why);
	buf_free(&yaml);
	return c;
}

Test(keys, each_is_read_shown_and_compared, .timeout = 20)
{
	struct cfg *base = make(PARTS, NULL, "base");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cfg *c = make(rows[i].part, rows[i].text, rows[i].text);
		struct buf live = BUF_INIT, restart = BUF_INIT;

		buf_add_cstr(&live, "");
		buf_add_cstr(&restart, "");
		cfg_diff(base, c, &live, &restart);
		cr_expect_str_eq(live.p, rows[i].live, "%s: live:\n%s",
		    rows[i].text, live.p);
		cr_expect_str_eq(restart.p, rows[i].restart, "%s: restart:\n%s",
		    rows[i].text, restart.p);
		try_round_trip(c, rows[i].text);
		buf_free(&live);
		buf_free(&restart);
		cfg_unref(&c);
	}
	cfg_unref(&base);
}

/* ---- the table of keys ---- */

static bool
has_row(struct str path)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_eq(path, str_of(rows[i].path)))
			return true;
	return false;
}

Test(keys, each_has_a_row_above)
{
	struct buf keys = BUF_INIT;
	struct str rest;
	size_t n = 0;

	cfg_keys(&keys);
	rest = buf_str(&keys);
	while (rest.len > 0) {
		struct str line = str_split(&rest, '\n'), column = line;
		struct str path = str_split(&column, '\t');
		struct str kind = str_split(&column, '\t');

		n++;
		if (!str_eq(kind, STR("map")) ||
		    str_ends(path, STR("probe.headers")))
			cr_expect(has_row(path), STR_FMT, STR_ARG(path));
	}
	cr_expect_gt(n, 90);
	buf_free(&keys);
}

Test(keys, six_columns_and_a_sentence)
{
	struct buf keys = BUF_INIT;
	struct str rest;

	cfg_keys(&keys);
	rest = buf_str(&keys);
	while (rest.len > 0) {
		struct str line = str_split(&rest, '\n'), column = line, last;
		struct str reload = line;

		for (int i = 0; i < 5; i++) {
			reload = str_split(&column, '\t');
			cr_expect_not_null(column.p, STR_FMT, STR_ARG(line));
		}
		cr_expect(str_eq(reload, STR("live")) ||
		        str_eq(reload, STR("restart")),
		    STR_FMT, STR_ARG(line));
		last = column;
		cr_expect_eq(str_find(last, '\t'), -1, STR_FMT, STR_ARG(line));
		cr_expect(str_ends(last, STR(".")), STR_FMT, STR_ARG(line));
	}
	buf_free(&keys);
}

static const char *
keys_line(const struct buf *keys, const char *path, char out[256])
{
	struct str rest = buf_str(keys);

	while (rest.len > 0) {
		struct str line = str_split(&rest, '\n'), column = line;

		if (str_eq(str_split(&column, '\t'), str_of(path))) {
			str_copy(line, out, 256);
			return out;
		}
	}
	return "none";
}

/* One of each form that the columns take. */
Test(keys, columns)
{
	static const char *const lines[][2] = {
		{ "workers",
		    "workers\tnumber\tauto\t1..64\trestart\tWorker "
		    "threads; auto is one per core." },
		{ "log.level",
		    "log.level\tword\tinfo\terror|warn|info|debug\t"
		    "live\tLeast level that is logged." },
		{ "log", "log\tmap\t\t\tlive\tThe log of the daemon itself." },
		{ "admin.mode",
		    "admin.mode\tmode\t0660\t\"0000\"..\"0777\"\t"
		    "restart\tMode of the socket." },
		{ "admin.group",
		    "admin.group\tword\tnone\tat most 255 bytes\t"
		    "restart\tGroup that owns the socket; by "
		    "default the daemon's own." },
		{ "services[].name",
		    "services[].name\tname\trequired\t\tlive\t"
		    "Name in commands, logs and metrics." },
		{ "services[].pools",
		    "services[].pools\tlist\trequired\t"
		    "1..8 elements\tlive\tIts versions, "
		    "oldest first." },
		{ "services[].pools[].instances[].name",
		    "services[].pools[].instances[].name\tlabel\tthe address\t"
		    "\tlive\tName in commands, logs and metrics." },
		{ "services[].pools[].probe.expect",
		    "services[].pools[].probe.expect\tstatus list\t200\t"
		    "1..64 elements\tlive\tStatuses that pass." },
		{ "services[].retry.budget",
		    "services[].retry.budget\tpercentage\t20%\t0%..100%\tlive\t"
		    "Retries may be so much of the traffic." },
	};
	struct buf keys = BUF_INIT;
	char line[256];

	cfg_keys(&keys);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		cr_expect_str_eq(keys_line(&keys, lines[i][0], line),
		    lines[i][1]);
	buf_free(&keys);
}

/* ---- rows of the schema ---- */

static void
walk(const struct key *keys, unsigned *n)
{
	for (const struct key *k = keys; k->name != NULL; k++) {
		bool is_many = k->kind == K_LIST || k->kind == K_ITEMS ||
		    k->kind == K_FIELDS;

		(*n)++;
		cr_expect_eq(key_find(keys, k->name), k, "%s stands there once",
		    k->name);
		cr_expect_not_null(k->help, "%s", k->name);
		if (is_many) {
			cr_expect_gt(k->size, 0, "%s", k->name);
			cr_expect_gt(k->max, 0, "%s has a bound", k->name);
		}
		if (k->scalar != NULL)
			cr_expect_not_null(key_find(k->sub, k->scalar));
		if (k->kind == K_LIST && k->label != NULL)
			cr_expect_not_null(key_find(k->sub, k->label));
		cr_expect_eq(k->names != NULL, k->kind == K_ENUM, "%s",
		    k->name);
		if (k->kind == K_MAP || k->kind == K_LIST)
			walk(k->sub, n);
	}
}

Test(keys, rows_of_the_schema)
{
	unsigned n = 0;

	walk(cfg_schema, &n);
	cr_expect_gt(n, 90);
}

/* ---- defaults, as config.h promises them ---- */

Test(keys, defaults_in_the_struct)
{
	struct cfg *c = try_good(LISTEN SERVE, "defaults");
	const struct cfg_listener *l = &c->listeners[0];
	const struct cfg_service *s = &c->services[0];
	const struct cfg_pool *p = &s->pools[0];

	cr_expect_eq(c->workers, 0);
	cr_expect_null(c->user);
	cr_expect_null(c->group);
	cr_expect_null(c->key_file);
	cr_expect_null(c->log_file);
	cr_expect_null(c->access_file);
	cr_expect(c->access_on);
	cr_expect_eq(c->access_format, CFG_ACCESS_JSON);
	cr_expect_eq(c->admin_mode, 0660);
	cr_expect_null(c->admin_http.text);
	cr_expect_eq(c->stop_us, 60000000);
	cr_expect_eq(c->linger_us, 3000000);
	cr_expect_str_eq(l->name, "0.0.0.0:1", "the address");
	cr_expect_eq(l->address.port, 1);
	cr_expect_eq(l->limits.head_bytes, 65536);
	cr_expect_eq(l->limits.fields, 100);
	cr_expect_eq(s->n_match, 1);
	cr_expect_str_eq(s->match[0].host, "*");
	cr_expect_str_eq(s->match[0].path, "/");
	cr_expect_eq(s->share_key, CFG_KEY_SOURCE);
	cr_expect_null(s->share_key_name);
	cr_expect_eq(s->sticky_scope, CFG_STICKY_POOL);
	cr_expect_str_eq(s->sticky_cookie, "segue");
	cr_expect_eq(s->retries, 2);
	cr_expect_eq(s->drain_mode, CFG_DRAIN_KEEP);
	cr_expect(s->via);
	cr_expect_eq(p->share_bp, CFG_SHARE_ALL, "the first pool has all");
	cr_expect_str_eq(p->instances[0].name, "a:1", "the address");
	cr_expect_eq(p->instances[0].weight, 1);
	cr_expect_eq(p->probe.n_expect, 1);
	cr_expect_eq(p->probe.expect[0], 200);
	cr_expect_str_eq(p->probe.path, "/");
	cr_expect_eq(p->probe.hold_us, 10000000);
	cr_expect_eq(p->idle_us, 4000000);
	cr_expect_eq(p->max_idle, 256);
	cr_expect_null(p->version);
	cr_expect_eq(s->rollout.n_jobs, 0);
	cfg_unref(&c);
}

Test(keys, defaults_of_a_job)
{
	struct cfg *c = make(SERVICE, JOBS("name: a, command: /a"), "a job");
	const struct cfg_job *j = &c->services[0].rollout.jobs[0];

	cr_expect_eq(j->n_command, 1);
	cr_expect_str_eq(j->command[0], "/a");
	cr_expect_eq(j->n_when, 0);
	cr_expect_eq(j->n_rehearse, 0);
	cr_expect_eq(j->n_env, 0);
	cr_expect_null(j->user);
	cr_expect_eq(j->timeout_us, 600000000);
	cr_expect_eq(j->once, CFG_ONCE_NO);
	cr_expect_eq(j->n_ok, 1);
	cr_expect_eq(j->ok[0], 0);
	cr_expect_eq(j->n_ask, 0);
	cr_expect_eq(j->n_again, 0);
	cr_expect_eq(j->every_us, 5000000);
	cfg_unref(&c);
}

Test(keys, share_keys_in_the_struct)
{
	static const struct {
		const char *text, *name;
		enum cfg_share_key key;
	} keys[] = { { "source", NULL, CFG_KEY_SOURCE },
		{ "request", NULL, CFG_KEY_REQUEST },
		{ "header:X-User", "X-User", CFG_KEY_HEADER },
		{ "cookie:sid", "sid", CFG_KEY_COOKIE } };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		char text[128];
		struct cfg *c;

		(void)snprintf(text, sizeof(text), ", share_key: \"%s\"",
		    keys[i].text);
		c = make(SERVICE, text, text);
		cr_expect_eq(c->services[0].share_key, keys[i].key);
		cr_expect_str_eq(c->services[0].share_key_text, keys[i].text);
		if (keys[i].name == NULL)
			cr_expect_null(c->services[0].share_key_name);
		else
			cr_expect_str_eq(c->services[0].share_key_name,
			    keys[i].name);
		cfg_unref(&c);
	}
}

/* ---- bounds: the least and the most are taken, as shown ---- */

/* Where a key of that path stands: that of the longest prefix. */
static enum part
part_of(struct str path)
{
	static const struct {
		const char *prefix;
		enum part part;
	} parts[] = { { "services[].pools[].instances[].", INSTANCE },
		{ "services[].pools[].", POOL }, { "services[].", SERVICE },
		{ "listeners[].", LISTENER }, { "", TOP } };
	size_t i = 0;

	while (!str_starts(path, str_of(parts[i].prefix)))
		i++;
	return parts[i].part;
}

/* Warnings may come of extremes; errors may not. */
static void
try_bound(struct str path, struct str value)
{
	struct buf text = BUF_INIT, yaml = BUF_INIT, said;
	struct str rest = path;
	enum part part = part_of(path);
	struct cfg *c;
	unsigned maps = 0;

	for (int at; (at = str_find(rest, ']')) >= 0;)
		rest = str_sub(rest, (size_t)at + 2, rest.len);
	if (part != TOP)
		buf_add_cstr(&text, ", ");
	while (rest.p != NULL) {
		struct str name = str_split(&rest, '.');

		buf_printf(&text, STR_FMT ": %s", STR_ARG(name),
		    rest.p != NULL ? "{ " : "");
		maps += rest.p != NULL;
	}
	buf_add(&text, value.p, value.len);
	for (; maps > 0; maps--)
		buf_add_cstr(&text, " }");
	write_yaml(part, text.p, &yaml);
	(void)try_text(buf_str(&yaml), &c, &said);
	cr_assert_not_null(c, "%s: %s", text.p, said.p);
	try_round_trip(c, text.p);
	try_free(&c, &said);
	buf_free(&yaml);
	buf_free(&text);
}

Test(keys, bounds_are_inside, .timeout = 20)
{
	struct buf keys = BUF_INIT;
	struct str rest;
	unsigned n = 0;

	cfg_keys(&keys);
	rest = buf_str(&keys);
	while (rest.len > 0) {
		struct str column = str_split(&rest, '\n');
		struct str path = str_split(&column, '\t');
		struct str range;
		const char *dots;

		(void)str_split(&column, '\t');
		(void)str_split(&column, '\t');
		range = str_split(&column, '\t');
		dots = range.len == 0 ? NULL
		                      : memmem(range.p, range.len, "..", 2);
		/* half a share alone would be wrong, as a value of a step or
		 * job alone */
		if (dots == NULL || str_ends(range, STR("elements")) ||
		    str_ends(path, STR(".share")) ||
		    str_starts(path, STR("services[].rollout.steps[].")) ||
		    str_starts(path, STR("services[].rollout.jobs[].")))
			continue;
		try_bound(path, str_from(range.p, (size_t)(dots - range.p)));
		try_bound(path,
		    str_sub(range, (size_t)(dots - range.p) + 2, range.len));
		n++;
	}
	cr_expect_gt(n, 35);
	buf_free(&keys);
}
