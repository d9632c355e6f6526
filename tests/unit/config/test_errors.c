/* What is said about a file that is wrong: every word of it, and where. */
#include <stdio.h>
#include <stdlib.h>

#include "try.h"

/* A service around one pool's settings, around one probe's, and so on. */
#define SERVICE(text) LISTEN "services:\n- name: s\n  " text "\n"
#define POOLS "pools: [ { name: v1, instances: a:1 } ]"
#define POOL(text)                                                             \
	SERVICE("pools:\n  - name: v1\n    instances: a:1\n    " text)
#define PROBE(text) POOL("probe: { " text " }")
#define LISTENER(text) "listeners:\n- address: \":1\"\n  " text "\n" SERVE

#define RULE(text) SERVICE(POOLS "\n  headers: { request: [ { " text " } ] }")
#define A100                                                                   \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A1000 A100 A100 A100 A100 A100 A100 A100 A100 A100 A100
#define LONG                                                                   \
	"{ add: X-A, value: " A1000 A1000 A1000 A1000 A1000 A1000 A1000 A1000  \
	" }"

/* A service with a rollout: its first steps, beside a job; a job's settings. */
#define STEPS(text)                                                            \
	SERVICE("rollout: { steps: [ " text ", promote ], jobs: [ "            \
	        "{ name: migrate, command: /a } ] }\n  " POOLS)
#define JOB(text) SERVICE("rollout: { jobs: [ { " text " } ] }\n  " POOLS)

/* A service in mode passthrough: text is the rest of it. */
#define PASS(text)                                                             \
	"listeners: [ { address: \":1\", passthrough: on } ]\n"                \
	"services:\n- name: s\n  mode: passthrough\n  " text "\n"
#define TCP_POOLS_AND(more)                                                    \
	"  pools: [ { name: v1, instances: a:1, probe: { type: tcp }, " more   \
	" } ]"
#define TCP_POOLS                                                              \
	"pools: [ { name: v1, instances: a:1, probe: { type: tcp } } ]"
#define NO_HTTP "means nothing in mode passthrough: no HTTP is seen\n"

static const struct {
	const char *why, *in, *said;
} rows[] = {
	/* ---- YAML ---- */
	{ "not YAML", "a: [",
	    "f:2:1: did not find expected node content (while parsing a flow "
	    "node that begins in line 2)\n" },
	{ "no text", "a: \"\\0\"", "f:1:4: this text holds a NUL\n" },
	{ "not a map", "- a\n", "f:1:1: the file is not a map of keys\n" },
	{ "a word", "hello\n", "f:1:1: the file is not a map of keys\n" },
	{ "nothing at all", "",
	    "f: listeners: is missing; a list is expected\n"
	    "f: services: is missing; a list is expected\n" },

	/* ---- keys ---- */
	{ "unknown, with a near one", LISTEN SERVE "worker: 3\n",
	    "f:3:1: worker: there is no such key; did you mean workers?\n" },
	{ "unknown, with none near", LISTEN SERVE "quux: 3\n",
	    "f:3:1: quux: there is no such key\n" },
	{ "unknown, deep inside", PROBE("intervall: 2s"),
	    "f:7:14: services[0].pools[0].probe.intervall: there is no such "
	    "key; did you mean interval?\n" },
	{ "unknown, and what is inside is not looked at",
	    LISTEN SERVE "quux: { a: { b: [ 1 ] } }\n",
	    "f:3:1: quux: there is no such key\n" },
	{ "unknown, long and strange",
	    LISTEN SERVE "? \"\\ta-key-that-goes-on-and-on-and-on-and-on-and-on"
	                 "-and-on-and-on-and-on-and-on-and-on-and-on\"\n: 1\n",
	    "f:3:3: ?a-key-that-goes-on-and-on-and-on-and-on-and-on-and-on-"
	    "and-on-and-on-and-on-and-on-and-o...: there is no such key\n" },
	{ "merge keys are none of ours", LISTEN SERVE "<<: { a: 1 }\n",
	    "f:3:1: <<: there is no such key\n" },
	{ "twice", LISTEN SERVE "workers: 1\nworkers: 2\n",
	    "f:4:1: workers: stands here a second time; line 3 has it "
	    "already\n" },
	{ "twice, inside", LISTENER("timeouts: { head: 1s, head: 2s }"),
	    "f:3:25: listeners[0].timeouts.head: stands here a second time; "
	    "line 3 has it already\n" },
	{ "twice, of a field", PROBE("headers: { X-A: a, X-A: b }"),
	    "f:7:33: services[0].pools[0].probe.headers.X-A: stands here a "
	    "second time; line 7 has it already\n" },
	{ "missing: a name", LISTEN "services:\n- " POOLS "\n",
	    "f:3:3: services[0].name: is missing; a name of at most 63 "
	    "letters, digits, \".\", \"_\" and \"-\" is expected\n" },
	{ "missing: null is nothing",
	    LISTEN "services:\n- name: ~\n  " POOLS "\n",
	    "f:3:9: services[0].name: is missing; a name of at most 63 "
	    "letters, digits, \".\", \"_\" and \"-\" is expected\n" },
	{ "missing: an address", "listeners: [ { name: a } ]\n" SERVE,
	    "f:1:14: listeners[0].address: is missing; an address such as "
	    "127.0.0.1:8080, [::1]:8080 or unix:/path is expected\n" },
	{ "missing: pools", SERVICE(""),
	    "f:3:3: services[0].pools: is missing; a list is expected\n" },
	{ "missing: listeners", SERVE,
	    "f:1:1: listeners: is missing; a list is expected\n" },

	/* ---- mode passthrough ---- */
	{ "a mode that is none", SERVICE("mode: tcp\n  " POOLS),
	    "f:4:9: services[0].mode: tcp is not one of http, passthrough; "
	    "did you mean http?\n" },
	{ "nothing leads there", SERVICE("mode: passthrough\n  " TCP_POOLS),
	    "f:4:9: services[0].mode: no listener has \"passthrough: on\"; "
	    "nothing would lead here\n" },
	{ "nobody is there", LISTENER("passthrough: on"),
	    "f:3:16: warning: listeners[0].passthrough: no service is in mode "
	    "passthrough\n" },
	{ "what only HTTP has, wherever it stands",
	    PASS("sticky: { scope: pool }\n  limits: { body: 1 }\n  via: on\n"
	         "  headers: identity\n  rules: [ { deny: / } ]\n"
	         "  pages: [ { status: 4xx, html: a } ]\n"
	         "  retry: { statuses: [ 503 ], attempts: 1 }\n"
	         "  drain: { mode: keep, flows: 1s, streams: 1s }\n"
	         "  match: [ a, { host: b, path: / } ]\n" TCP_POOLS_AND(
	             "keepalive: { idle: 1s }, "
	             "eject: { status_5xx: on, slow: 3, failures: 2 }")),
	    "f:5:11: services[0].sticky: " NO_HTTP
	    "f:6:11: services[0].limits: " NO_HTTP
	    "f:7:8: services[0].via: " NO_HTTP
	    "f:8:12: services[0].headers: " NO_HTTP
	    "f:9:10: services[0].rules: " NO_HTTP
	    "f:10:10: services[0].pages: " NO_HTTP
	    "f:11:22: services[0].retry.statuses: " NO_HTTP
	    "f:12:18: services[0].drain.mode: " NO_HTTP
	    "f:12:31: services[0].drain.flows: " NO_HTTP
	    "f:13:32: services[0].match[1].path: " NO_HTTP
	    "f:14:73: services[0].pools[0].keepalive: " NO_HTTP
	    "f:14:108: services[0].pools[0].eject.status_5xx: " NO_HTTP
	    "f:14:118: services[0].pools[0].eject.slow: " NO_HTTP },
	{ "a share key that is not seen",
	    PASS("share_key: \"header:X-User\"\n"
	         "  " TCP_POOLS),
	    "f:5:14: services[0].share_key: header:X-User is not seen in mode "
	    "passthrough; source or request is expected\n" },
	{ "a probe in clear", PASS(POOLS),
	    "f:5:12: warning: services[0].pools[0].probe: asks in clear; for "
	    "instances that speak TLS, tls of the pool, another port or type "
	    "tcp is expected\n" },
	{ "health of a listener without HTTP",
	    "listeners: [ { address: \":1\", passthrough: on, "
	    "health: { path: /up } } ]\n"
	    "services:\n- name: s\n"
	    "  mode: passthrough\n  " TCP_POOLS "\n",
	    "f:1:56: warning: listeners[0].health: means nothing with "
	    "passthrough and without tls: no HTTP is seen\n" },
	{ "a name twice",
	    PASS("match: a\n  " TCP_POOLS "\n- name: t\n"
	         "  mode: passthrough\n  match: a\n  " TCP_POOLS),
	    "f:9:10: services[1].match[0]: host a with path / leads to "
	    "services[0] already\n" },
	{ "but not of two modes",
	    PASS("match: a\n  " TCP_POOLS "\n- name: t\n"
	         "  match: a\n  " POOLS),
	    "" },

	/* ---- kinds ---- */
	{ "a map where a number is meant", LISTEN SERVE "workers: { a: 1 }\n",
	    "f:3:10: workers: a map is not a whole number, or auto\n" },
	{ "a list where a number is meant", LISTEN SERVE "workers: [ 1 ]\n",
	    "f:3:10: workers: a list is not a whole number, or auto\n" },
	{ "a scalar where a map is meant", LISTEN SERVE "log: debug\n",
	    "f:3:6: log: debug is not a map\n" },
	{ "a list where a map is meant", LISTEN SERVE "log: [ a ]\n",
	    "f:3:6: log: a list is not a map\n" },
	{ "a scalar where a map or off is meant",
	    LISTEN SERVE "access_log: /var/log/a\n",
	    "f:3:13: access_log: /var/log/a is not a map or off\n" },
	{ "a scalar where a list is meant", LISTEN "services: s\n",
	    "f:2:11: services: s is not a list; each element begins with "
	    "\"- \"\n" },
	{ "a map where a list is meant", LISTEN "services: { name: s }\n",
	    "f:2:11: services: a map is not a list; each element begins with "
	    "\"- \"\n" },
	{ "no space behind a colon", "services:\n  - name:a\n    pools: b\n",
	    "f:3:10: a key cannot stand here; is a space missing behind a "
	    "colon "
	    "above, or a line indented wrongly?\n" },
	{ "a scalar as an element", LISTEN "services: [ s ]\n",
	    "f:2:13: services[0]: s is not a map\n" },
	{ "a list as an element", "listeners: [ [ \":1\" ] ]\n" SERVE,
	    "f:1:14: listeners[0]: a list is not a map\n" },
	{ "nothing as an element", LISTEN "services:\n-\n",
	    "f:3:2: services[0]: is empty; a map is expected\n" },
	{ "an empty text as an element", "listeners: [ \"\" ]\n" SERVE,
	    "f:1:14: listeners[0].address: \"\" is not an address such as "
	    "127.0.0.1:8080, [::1]:8080 or unix:/path\n" },
	{ "nothing as an address", "listeners: [ ~ ]\n" SERVE,
	    "f:1:14: listeners[0].address: is missing; an address such as "
	    "127.0.0.1:8080, [::1]:8080 or unix:/path is expected\n" },
	{ "an empty list", "listeners: []\n" SERVE,
	    "f:1:12: listeners: 0 elements are too few; at least 1 is "
	    "expected\n" },
	{ "no pools", SERVICE("pools: []"),
	    "f:4:10: services[0].pools: 0 elements are too few; at least 1 "
	    "is expected\n" },
	{ "too many pools",
	    SERVICE("pools: [ { name: a, instances: a:1 }, { name: b }, "
	            "{ name: c }, { name: d }, { name: e }, { name: f }, "
	            "{ name: g }, { name: h }, { name: i } ]"),
	    "f:4:10: services[0].pools: 9 elements are too many; at most 8 are "
	    "possible\n"
	    "f:4:41: warning: services[0].pools[1]: there is no instance; "
	    "\"segue add-instance\" can bring some\n"
	    "f:4:54: warning: services[0].pools[2]: there is no instance; "
	    "\"segue add-instance\" can bring some\n"
	    "f:4:67: warning: services[0].pools[3]: there is no instance; "
	    "\"segue add-instance\" can bring some\n"
	    "f:4:80: warning: services[0].pools[4]: there is no instance; "
	    "\"segue add-instance\" can bring some\n"
	    "f:4:93: warning: services[0].pools[5]: there is no instance; "
	    "\"segue add-instance\" can bring some\n"
	    "f:4:106: warning: services[0].pools[6]: there is no instance; "
	    "\"segue add-instance\" can bring some\n"
	    "f:4:119: warning: services[0].pools[7]: there is no instance; "
	    "\"segue add-instance\" can bring some\n" },
	{ "a list of the wrong things",
	    LISTENER("trusted_proxies: [ 10.0.0.0/8, { a: b } ]"),
	    "f:3:34: listeners[0].trusted_proxies[1]: a map is not a network "
	    "such as 10.0.0.0/8, fd00::/8, or unix\n" },
	{ "a map where a list of scalars is meant",
	    LISTENER("trusted_proxies: { a: b }"),
	    "f:3:20: listeners[0].trusted_proxies: a map is not a list\n" },

	/* ---- values ---- */
	{ "a number", LISTEN SERVE "workers: many\n",
	    "f:3:10: workers: many is not a whole number, or auto\n" },
	{ "a number below", LISTEN SERVE "workers: 0\n",
	    "f:3:10: workers: 0 is not a whole number, or auto\n" },
	{ "a number above", LISTEN SERVE "workers: 65\n",
	    "f:3:10: workers: 65 is not in 1..64\n" },
	{ "a number with a sign", LISTENER("backlog: -1"),
	    "f:3:12: listeners[0].backlog: -1 is not a whole number\n" },
	{ "a number with a point", LISTENER("backlog: 1.5"),
	    "f:3:12: listeners[0].backlog: 1.5 is not a whole number\n" },
	{ "a number above 16 bits", LISTENER("backlog: 70000"),
	    "f:3:12: listeners[0].backlog: 70000 is not in 1..65535\n" },
	{ "a number above 64 bits", LISTENER("backlog: 18446744073709551617"),
	    "f:3:12: listeners[0].backlog: 18446744073709551617 is not a "
	    "whole number\n" },
	{ "a duration without unit", LISTENER("timeouts: { head: 10 }"),
	    "f:3:21: listeners[0].timeouts.head: 10 is not a duration such as "
	    "500ms, 30s or 5m\n" },
	{ "a duration of nothing", LISTENER("timeouts: { head: \"\" }"),
	    "f:3:21: listeners[0].timeouts.head: \"\" is not a duration such "
	    "as 500ms, 30s or 5m\n" },
	{ "a duration below", LISTENER("timeouts: { head: 0 }"),
	    "f:3:21: listeners[0].timeouts.head: 0 is not in 1ms..1h\n" },
	{ "a duration above", LISTENER("timeouts: { head: 61m }"),
	    "f:3:21: listeners[0].timeouts.head: 61m is not in 1ms..1h\n" },
	{ "a size", LISTENER("limits: { head: big }"),
	    "f:3:19: listeners[0].limits.head: big is not a size such as 512, "
	    "16KiB or 10MiB\n" },
	{ "a size above", LISTENER("limits: { head: 1MiB }"),
	    "f:3:19: listeners[0].limits.head: 1MiB is not in 1KiB..64KiB\n" },
	{ "a status", SERVICE(POOLS "\n  pages: [ { status: 302, text: a } ]"),
	    "f:5:22: services[0].pages[0].status: 302 is not a status from "
	    "400 to 599, 4xx or 5xx\n" },
	{ "a page twice",
	    SERVICE(POOLS "\n  pages: [ { status: 5xx, text: a }, { status: "
	                  "5xx, html: b } ]"),
	    "f:5:48: services[0].pages[1].status: 5xx is that of "
	    "services[0].pages[0] already; another is expected\n" },
	{ "a page without a file",
	    SERVICE(POOLS "\n  pages: [ { status: 5xx } ]"),
	    "f:5:12: services[0].pages[0]: has no file; html, json or text is "
	    "expected\n" },
	{ "neither allow nor deny",
	    SERVICE(POOLS "\n  rules: [ { hide: on } ]"),
	    "f:5:12: services[0].rules[0]: either allow or deny is expected, "
	    "with a path\n" },
	{ "both allow and deny",
	    SERVICE(POOLS "\n  rules: [ { allow: /a, deny: /b } ]"),
	    "f:5:12: services[0].rules[0]: either allow or deny is expected, "
	    "with a path\n" },
	{ "a rule that no path can fit",
	    SERVICE(POOLS "\n  rules: [ { deny: /a;b } ]"),
	    "f:5:20: services[0].rules[0].deny: /a;b is not a path that begins "
	    "with \"/\", as it is after normalisation: no \"%\", \"?\", \"#\", "
	    "\";\", \"//\", \"/./\" or \"/../\"\n" },
	{ "no profile", SERVICE(POOLS "\n  headers: identty"),
	    "f:5:12: services[0].headers.profile: identty is not one of plain, "
	    "identity; did you mean identity?\n" },
	{ "neither a profile nor a map", SERVICE(POOLS "\n  headers: [ a ]"),
	    "f:5:12: services[0].headers: a list is not a map\n" },
	{ "no style", SERVICE(POOLS "\n  headers: { forwarded: X }"),
	    "f:5:25: services[0].headers.forwarded: X is not one of both, x, "
	    "rfc7239, none; did you mean x?\n" },
	{ "a rule that does nothing", RULE("value: a"),
	    "f:5:25: services[0].headers.request[0]: one of set, add and "
	    "remove is expected, with a name\n" },
	{ "a rule that does two things",
	    RULE("set: X-A, remove: X-B, value: a"),
	    "f:5:25: services[0].headers.request[0]: one of set, add and "
	    "remove is expected, with a name\n" },
	{ "no value to set", RULE("set: X-A"),
	    "f:5:25: services[0].headers.request[0].value: is missing; a text "
	    "is expected\n" },
	{ "a value to remove", RULE("remove: X-A, value: a"),
	    "f:5:47: services[0].headers.request[0].value: remove has no "
	    "value\n" },
	{ "no name of a field", RULE("set: X A, value: a"),
	    "f:5:32: services[0].headers.request[0].set: X A is not a name "
	    "that HTTP allows, of at most 63 bytes\n" },
	{ "a colon in a name", RULE("set: \"X-A:\", value: a"),
	    "f:5:32: services[0].headers.request[0].set: X-A: is not a name "
	    "that HTTP allows, of at most 63 bytes\n" },
	{ "a value with a line of its own",
	    RULE("set: X-A, value: \"a\\r\\nX-B: b\""),
	    "f:5:44: services[0].headers.request[0].value: this is not the "
	    "value of a field: no control characters, no spaces at its "
	    "ends\n" },
	{ "a value that ends in a space", RULE("set: X-A, value: \"a \""),
	    "f:5:44: services[0].headers.request[0].value: this is not the "
	    "value of a field: no control characters, no spaces at its "
	    "ends\n" },
	{ "a value with NUL", RULE("set: X-A, value: \"a\\0\""),
	    "f:5:44: this text holds a NUL\n" },
	{ "no such variable", RULE("set: X-A, value: \"a {hostt} {x.y}\""),
	    "f:5:44: services[0].headers.request[0].value: there is no "
	    "variable {hostt}; did you mean host?\n"
	    "f:5:44: services[0].headers.request[0].value: there is no "
	    "variable {x.y}\n" },
	{ "a pool is chosen later", RULE("set: X-A, value: \"{pool}\""),
	    "f:5:44: services[0].headers.request[0].value: {pool} is not known "
	    "yet when a request is changed\n" },
	{ "all of several set", RULE("set: X-*, value: a"),
	    "f:5:32: services[0].headers.request[0].set: X-*: only remove may "
	    "name several fields\n" },
	{ "all fields", RULE("remove: \"*\""),
	    "f:5:35: services[0].headers.request[0].remove: *: a \"*\" stands "
	    "at the end of the beginning of a name\n" },
	{ "a * inside", RULE("remove: X-*-Y"),
	    "f:5:35: services[0].headers.request[0].remove: X-*-Y: a \"*\" "
	    "stands at the end of the beginning of a name\n" },
	{ "framing", RULE("set: content_length, value: 5"),
	    "f:5:32: services[0].headers.request[0].set: no rule may name "
	    "Content-Length: it says where the message ends\n" },
	{ "a connection's", RULE("remove: connection"),
	    "f:5:35: services[0].headers.request[0].remove: no rule may name "
	    "Connection: it belongs to one connection\n" },
	{ "the host", RULE("set: HOST, value: a"),
	    "f:5:32: services[0].headers.request[0].set: no rule may name "
	    "Host: instances are told the host as the client asked\n" },
	{ "Via", RULE("remove: Via"),
	    "f:5:35: services[0].headers.request[0].remove: no rule may name "
	    "Via: it ends circles; \"via: off\" leaves it out\n" },
	{ "framing of an answer",
	    SERVICE(POOLS "\n  headers: { response: { set: Transfer-Encoding, "
	                  "value: gzip } }"),
	    "f:5:24: services[0].headers.response: a map is not a list; each "
	    "element begins with \"- \"\n" },
	{ "framing of an answer, in a list",
	    SERVICE(POOLS "\n  headers: { response: [ { set: "
	                  "Transfer-Encoding, value: gzip } ] }"),
	    "f:5:33: services[0].headers.response[0].set: no rule may name "
	    "Transfer-Encoding: it says where the message ends\n" },
	{ "values that no head can hold",
	    SERVICE(POOLS "\n  headers: { request: [ " LONG ", " LONG ", " LONG
	                  " ] }"),
	    "f:5:23: services[0].headers.request: the values come to 24000 "
	    "bytes; at most 16384 are possible\n" },
	{ "a prefix that is none", SERVICE(POOLS "\n  headers: { prefix: a }"),
	    "f:5:22: services[0].headers.prefix: a is not a path that begins "
	    "with \"/\", as it is after normalisation: no \"%\", \"?\", "
	    "\"#\", \";\", \"//\", \"/./\" or \"/../\"\n" },
	{ "a percentage", SERVICE(POOLS "\n  retry: { budget: lots }"),
	    "f:5:20: services[0].retry.budget: lots is not a whole percentage "
	    "such as 20%\n" },
	{ "a percentage with a part",
	    SERVICE(POOLS "\n  retry: { budget: 2.5% }"),
	    "f:5:20: services[0].retry.budget: 2.5% is not a whole percentage "
	    "such as 20%\n" },
	{ "a share", POOL("share: half"),
	    "f:7:12: services[0].pools[0].share: half is not a percentage up "
	    "to 100%, such as 10% or 12.5%\n" },
	{ "a share above all", POOL("share: 101%"),
	    "f:7:12: services[0].pools[0].share: 101% is not a percentage up "
	    "to 100%, such as 10% or 12.5%\n" },
	{ "a switch", SERVICE("via: maybe\n  " POOLS),
	    "f:4:8: services[0].via: maybe is not on or off\n" },
	{ "a word of several, with a near one",
	    LISTEN SERVE "log: { level: warning }\n",
	    "f:3:15: log.level: warning is not one of error, warn, info, "
	    "debug; did you mean warn?\n" },
	{ "a word of several, with none near",
	    LISTEN SERVE "log: { level: 7 }\n",
	    "f:3:15: log.level: 7 is not one of error, warn, info, debug\n" },
	{ "a mode", LISTEN SERVE "admin: { mode: rw }\n",
	    "f:3:16: admin.mode: rw is not an octal mode such as \"0660\"\n" },
	{ "a mode that is not octal", LISTEN SERVE "admin: { mode: 0668 }\n",
	    "f:3:16: admin.mode: 0668 is not an octal mode such as "
	    "\"0660\"\n" },
	{ "a mode with more than it takes",
	    LISTEN SERVE "admin: { mode: 4660 }\n",
	    "f:3:16: admin.mode: 4660 is not in \"0000\"..\"0777\"\n" },
	{ "a name with a space",
	    LISTEN "services: [ { name: a b, " POOLS " } ]\n",
	    "f:2:21: services[0].name: a b is not a name of at most 63 "
	    "letters, digits, \".\", \"_\" and \"-\"\n" },
	{ "a name of nothing but signs",
	    LISTEN "services: [ { name: \"-\", " POOLS " } ]\n",
	    "f:2:21: services[0].name: - is not a name of at most 63 letters, "
	    "digits, \".\", \"_\" and \"-\"\n" },
	{ "a name too long",
	    LISTEN "services: [ { name: "
	           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	           "aaaaa, " POOLS " } ]\n",
	    "f:2:21: services[0].name: "
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
	    "is not a name of at most 63 letters, digits, \".\", \"_\" and "
	    "\"-\"\n" },
	{ "a name with a quote",
	    "listeners: [ { name: \"a\\\"b\", address: \":1\" } ]\n" SERVE,
	    "f:1:22: listeners[0].name: a\"b is not a name of at most 63 "
	    "letters, digits, \".\", \"_\", \"-\", \":\", \"/\", \"%\" and "
	    "brackets\n" },
	{ "a file of nothing", LISTEN SERVE "state_dir: \"\"\n",
	    "f:3:12: state_dir: \"\" is not the path of a file\n" },
	{ "a file with a line break", LISTEN SERVE "state_dir: \"/a\\nb\"\n",
	    "f:3:12: state_dir: /a?b is not the path of a file\n" },
	{ "a socket too long",
	    LISTEN SERVE
	    "admin: { socket: "
	    "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa }\n",
	    "f:3:18: admin.socket: "
	    "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaa... is longer than 107 bytes\n" },
	{ "a word with a space", LISTEN SERVE "user: \"a b\"\n",
	    "f:3:7: user: a b is not a word without spaces\n" },
	{ "an address", "listeners: [ 8080 ]\n" SERVE,
	    "f:1:14: listeners[0].address: 8080 is not an address such as "
	    "127.0.0.1:8080, [::1]:8080 or unix:/path\n" },
	{ "an address whose port is too big",
	    "listeners: [ \"a:65536\" ]\n" SERVE,
	    "f:1:14: listeners[0].address: a:65536 has a port that is not in "
	    "1..65535\n" },
	{ "an ephemeral port", "listeners: [ \":0\" ]\n" SERVE,
	    "f:1:14: listeners[0].address: :0 has a port that is not in "
	    "1..65535\n" },
	{ "a network with too many bits",
	    LISTENER("trusted_proxies: 10.0.0.0/33"),
	    "f:3:20: listeners[0].trusted_proxies[0]: 10.0.0.0/33 is not a "
	    "network such as 10.0.0.0/8, fd00::/8, or unix\n" },
	{ "a network by name", LISTENER("trusted_proxies: [ lb.example.org ]"),
	    "f:3:22: listeners[0].trusted_proxies[0]: lb.example.org is not a "
	    "network such as 10.0.0.0/8, fd00::/8, or unix\n" },
	{ "a host with a port", SERVICE("match: a.example.org:8443\n  " POOLS),
	    "f:4:10: services[0].match[0].host: a.example.org:8443 is not a "
	    "host without port, \"*.DOMAIN\" or \"*\"\n" },
	{ "a star in the middle", SERVICE("match: a.*.org\n  " POOLS),
	    "f:4:10: services[0].match[0].host: a.*.org is not a host without "
	    "port, \"*.DOMAIN\" or \"*\"\n" },
	{ "a path without slash", SERVICE("match: { path: auth }\n  " POOLS),
	    "f:4:18: services[0].match[0].path: auth is not a path that begins "
	    "with \"/\", as it is after normalisation: no \"%\", \"?\", \"#\", "
	    "\";\", \"//\", \"/./\" or \"/../\"\n" },
	{ "a path that no request has",
	    SERVICE("match: { path: /a/../b }\n  " POOLS),
	    "f:4:18: services[0].match[0].path: /a/../b is not a path that "
	    "begins with \"/\", as it is after normalisation: no \"%\", \"?\", "
	    "\"#\", \";\", \"//\", \"/./\" or \"/../\"\n" },
	{ "a key of shares", SERVICE("share_key: ip\n  " POOLS),
	    "f:4:14: services[0].share_key: ip is not source, request, "
	    "header:NAME or cookie:NAME\n" },
	{ "a key of shares without its name",
	    SERVICE("share_key: \"header:\"\n  " POOLS),
	    "f:4:14: services[0].share_key: header: is not source, request, "
	    "header:NAME or cookie:NAME\n" },
	{ "a cookie with a space", SERVICE("sticky: { cookie: a b }\n  " POOLS),
	    "f:4:21: services[0].sticky.cookie: a b is not a name that HTTP "
	    "allows, of at most 63 bytes\n" },
	{ "a probe's path with a space", PROBE("path: /a b"),
	    "f:7:20: services[0].pools[0].probe.path: /a b is not a path that "
	    "begins with \"/\" and has no spaces\n" },
	{ "a probe's host with a break", PROBE("host: \"a\\r\\nX: y\""),
	    "f:7:20: services[0].pools[0].probe.host: a??X: y is not a host, "
	    "with or without a port\n" },
	{ "a status", PROBE("expect: [ 200, 600 ]"),
	    "f:7:29: services[0].pools[0].probe.expect[1]: 600 is not in "
	    "100..599\n" },
	{ "no status would pass", PROBE("expect: []"),
	    "f:7:22: services[0].pools[0].probe.expect: 0 elements are too "
	    "few; at least 1 is expected\n" },
	{ "a field's name", PROBE("headers: { \"X A\": b }"),
	    "f:7:25: services[0].pools[0].probe.headers.X A: this is not the "
	    "name of a field\n" },
	{ "a field's value that begins another field",
	    PROBE("headers: { X-A: \"b\\r\\nX-B: c\" }"),
	    "f:7:30: services[0].pools[0].probe.headers.X-A: this is not the "
	    "value of a field\n" },
	{ "a field's value that is a list", PROBE("headers: { X-A: [ b ] }"),
	    "f:7:30: services[0].pools[0].probe.headers.X-A: a list is not the "
	    "value of a field\n" },
	{ "fields that are no map", PROBE("headers: [ a ]"),
	    "f:7:23: services[0].pools[0].probe.headers: a list is not a map "
	    "of field names and values\n" },
	{ "text is cut between characters",
	    LISTEN SERVE
	    "workers: \xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	    "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	    "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	    "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	    "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	    "x\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\n",
	    "f:3:10: workers: "
	    "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	    "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	    "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	    "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	    "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	    "x\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4... is not a whole number, or "
	    "auto\n" },

	/* ---- what no row can say ---- */
	{ "two listeners on one address",
	    "listeners: [ \":1\", \"*:1\" ]\n" SERVE,
	    "f:1:20: listeners[1].address: 0.0.0.0:1 is that of listeners[0] "
	    "already; another is expected\n" },
	{ "two listeners of one name",
	    "listeners: [ { name: a, address: \":1\" }, "
	    "{ name: a, address: \":2\" } ]\n" SERVE,
	    "f:1:50: listeners[1].name: a is that of listeners[0] already; "
	    "another is expected\n" },
	{ "a name taken from an address",
	    "listeners:\n- \"a:1\"\n- name: a:1\n"
	    "  address: \"a:2\"\n" SERVE,
	    "f:3:9: listeners[1].name: a:1 is that of listeners[0] already; "
	    "another is expected\n" },
	{ "an address that can be no name",
	    "listeners: [ \"unix:/a b\" ]\n" SERVE,
	    "f:1:14: listeners[0].name: is missing; the address is too long or "
	    "strange to be a name too\n" },
	{ "a field above the head",
	    LISTENER("limits: { head: 1KiB, field: 2KiB, target: 1KiB }"),
	    "f:3:32: warning: listeners[0].limits.field: this is more than the "
	    "whole head may have\n" },
	{ "a target above the head",
	    LISTENER("limits: { head: 1KiB, field: 1KiB, target: 2KiB }"),
	    "f:3:46: warning: listeners[0].limits.target: this is more than "
	    "the whole head may have\n" },
	{ "everybody is trusted",
	    LISTENER("trusted_proxies: [ 10.0.0.0/8, 0.0.0.0/0 ]"),
	    "f:3:34: warning: listeners[0].trusted_proxies[1]: every client is "
	    "believed\n" },
	{ "nobody may send a preface", LISTENER("proxy_protocol: required"),
	    "f:3:19: listeners[0].proxy_protocol: trusted_proxies must name "
	    "who may send a preface\n" },
	{ "nor where it is optional",
	    LISTENER("proxy_protocol: optional\n  trusted_proxies: []"),
	    "f:3:19: listeners[0].proxy_protocol: trusted_proxies must name "
	    "who may send a preface\n" },
	{ "a preface on a Unix socket",
	    "listeners:\n- { address: \"unix:/run/a\", trusted_proxies: "
	    "10.0.0.1, "
	    "proxy_protocol: optional }\n" SERVE,
	    "f:2:72: listeners[0].proxy_protocol: trusted_proxies must have "
	    "unix, for peers on this socket\n" },
	{ "TLS without a certificate", LISTENER("tls: on"),
	    "f:3:8: listeners[0].tls.certificates: is missing; a list is "
	    "expected\n" },
	{ "an empty list of them", LISTENER("tls: { certificates: [] }"),
	    "f:3:24: listeners[0].tls.certificates: 0 elements are too few; "
	    "at least 1 is expected\n" },
	{ "a key without its certificate",
	    LISTENER("tls: { certificates: [ { key: /a } ] }"),
	    "f:3:26: listeners[0].tls.certificates[0].certificate: is missing; "
	    "the path of a file is expected\n" },
	{ "a protocol that is not spoken",
	    LISTENER("tls: { certificates: [ { certificate: /a } ], "
	             "alpn: [ h9 ] }"),
	    "f:3:57: listeners[0].tls.alpn[0]: h9 is not one of http/1.1, h2; "
	    "did "
	    "you mean h2?\n" },
	{ "a key of ours without a certificate",
	    LISTEN "services: [ { name: s, pools: [ { name: v1, "
	           "tls: { key: /k }, instances: a:1 } ] } ]\n",
	    "f:2:57: services[0].pools[0].tls.key: certificate is missing; a "
	    "key alone proves nothing\n" },
	{ "what cannot be verified",
	    LISTEN "services: [ { name: s, pools: [ { name: v1, "
	           "tls: on, instances: \"unix:/a\" } ] } ]\n",
	    "f:2:50: services[0].pools[0].tls.name: is missing; a Unix socket "
	    "has no name that could be verified\n" },
	{ "what is not verified",
	    LISTEN "services: [ { name: s, pools: [ { name: v1, "
	           "tls: { verify: off }, instances: a:1 } ] } ]\n",
	    "f:2:60: warning: services[0].pools[0].tls.verify: whoever "
	    "answers is believed\n" },
	{ "led from TLS to TLS",
	    LISTENER("tls: { certificates: [ { certificate: /a } ] }\n  "
	             "redirect: https"),
	    "f:4:13: warning: listeners[0].redirect: this means nothing on a "
	    "listener with TLS\n" },
	{ "authorities of clients that nobody is asked for",
	    LISTENER("tls: { certificates: [ { certificate: /a } ], "
	             "client_ca: /p }"),
	    "f:3:8: listeners[0].tls.verify_client: is missing; with "
	    "client_ca, optional or required is expected\n" },
	{ "on purpose, too",
	    LISTENER("tls: { certificates: [ { certificate: /a } ], "
	             "client_ca: /p, verify_client: none }"),
	    "f:3:79: warning: listeners[0].tls.verify_client: client_ca is for "
	    "nothing then\n" },
	{ "clients verified by nobody",
	    LISTENER("tls: { certificates: [ { certificate: /a } ], "
	             "verify_client: optional }"),
	    "f:3:8: listeners[0].tls.client_ca: is missing; who is verified "
	    "must be certified by somebody\n" },
	{ "lists of nobody",
	    LISTENER("tls: { certificates: [ { certificate: /a } ], "
	             "crl: /r }"),
	    "f:3:54: listeners[0].tls.crl: client_ca is missing\n" },
	{ "TLS that is neither on nor off", LISTENER("tls: maybe"),
	    "f:3:8: listeners[0].tls: maybe is not a map or off\n" },
	{ "two services of one name",
	    LISTEN "services:\n- { name: s, match: a, " POOLS " }\n"
	           "- { name: s, match: b, " POOLS " }\n",
	    "f:4:11: services[1].name: s is that of services[0] already; "
	    "another is expected\n" },
	{ "two services with one rule",
	    LISTEN "services:\n- { name: s, match: a, " POOLS " }\n"
	           "- { name: t, match: [ b, { host: A, path: / } ], "
	           "sticky: { scope: none }, " POOLS " }\n",
	    "f:4:26: services[1].match[1]: host a with path / leads to "
	    "services[0] already\n" },
	{ "two services for everything",
	    LISTEN "services:\n- { name: s, sticky: { scope: none }, " POOLS
	           " }\n- { name: t, " POOLS " }\n",
	    "f:4:3: services[1].match[0]: host * with path / leads to "
	    "services[0] already\n" },
	{ "one rule twice", SERVICE("match: [ a, A ]\n  " POOLS),
	    "f:4:15: services[0].match[1]: host a with path / leads to "
	    "services[0] already\n" },
	{ "two services that share a cookie",
	    LISTEN "services:\n- { name: s, match: a, " POOLS " }\n"
	           "- { name: t, match: { host: a, path: /t }, " POOLS " }\n",
	    "f:4:3: warning: services[1].sticky.cookie: segue is the cookie of "
	    "services[0] too, for the same host a; they would overwrite each "
	    "other's pins\n" },
	{ "two pools of one name",
	    SERVICE("pools: [ { name: v1, instances: a:1 }, "
	            "{ name: v1, instances: b:1 } ]"),
	    "f:4:50: services[0].pools[1].name: v1 is that of "
	    "services[0].pools[0] already; another is expected\n" },
	{ "shares that leave a rest",
	    SERVICE("pools: [ { name: v1, share: 90%, instances: a:1 }, "
	            "{ name: v2, share: 9.5%, instances: b:1 } ]"),
	    "f:4:10: services[0].pools: the shares add up to 99.5%; 100% is "
	    "expected\n" },
	{ "shares that are too much",
	    SERVICE("pools: [ { name: v1, share: 100%, instances: a:1 }, "
	            "{ name: v2, share: 1%, instances: b:1 } ]"),
	    "f:4:10: services[0].pools: the shares add up to 101%; 100% is "
	    "expected\n" },
	{ "one share, and not all", POOL("share: 50%"),
	    "f:5:3: services[0].pools: the shares add up to 50%; 100% is "
	    "expected\n" },
	{ "a share and nobody to serve it", SERVICE("pools: [ { name: v1 } ]"),
	    "f:4:12: services[0].pools[0]: there is no instance; a pool with a "
	    "share of 100% needs one\n" },
	{ "neither share nor instance",
	    SERVICE("pools: [ { name: v1, instances: a:1 }, { name: v2 } ]"),
	    "f:4:42: warning: services[0].pools[1]: there is no instance; "
	    "\"segue add-instance\" can bring some\n" },
	{ "one address twice in a pool",
	    SERVICE("pools: [ { name: v1, instances: [ a:1, { name: b, "
	            "address: A:1 } ] } ]"),
	    "f:4:62: services[0].pools[0].instances[1].address: a:1 is that of "
	    "services[0].pools[0].instances[0] already; another is "
	    "expected\n" },
	{ "one name twice in a pool",
	    SERVICE("pools: [ { name: v1, instances: [ { name: k, address: "
	            "a:1 }, { name: k, address: a:2 } ] } ]"),
	    "f:4:72: services[0].pools[0].instances[1].name: k is that of "
	    "services[0].pools[0].instances[0] already; another is "
	    "expected\n" },
	{ "one address in two pools",
	    SERVICE("pools: [ { name: v1, instances: a:1 }, "
	            "{ name: v2, instances: [ b:1, a:1 ] } ]"),
	    "f:4:72: warning: services[0].pools[1].instances[1]: a:1 is in "
	    "pools[0] too\n" },
	{ "an instance that is everywhere",
	    SERVICE("pools: [ { name: v1, instances: \":1\" } ]"),
	    "f:4:35: warning: services[0].pools[0].instances[0].address: "
	    "0.0.0.0:1 is this machine itself; 127.0.0.1 would say so\n" },
	{ "a session that ends later than its pin",
	    SERVICE("sticky: { idle: 2h, max: 1h }\n  " POOLS),
	    "f:4:19: warning: services[0].sticky.idle: this is longer than "
	    "max\n" },
	{ "a rule behind one for everything",
	    SERVICE("rules: [ { deny: / }, { allow: /a } ]\n  " POOLS),
	    "f:4:25: warning: services[0].rules[1]: a rule before it decides "
	    "everything\n" },
	{ "a prefix that is not sent",
	    SERVICE("headers: { forwarded: rfc7239, prefix: /a }\n  " POOLS),
	    "f:4:42: warning: services[0].headers.prefix: this means nothing "
	    "where no X-Forwarded-* is sent\n" },
	{ "nothing to hide",
	    SERVICE("rules: [ { allow: /a, hide: on } ]\n  " POOLS),
	    "f:4:31: warning: services[0].rules[0].hide: this means nothing "
	    "with allow\n" },
	{ "a share without its share",
	    SERVICE(
	        "rollout: { steps: [ { step: share }, promote ] }\n  " POOLS),
	    "f:4:23: services[0].rollout.steps[0].share: is missing; a "
	    "percentage is expected\n" },
	{ "a pause without its time",
	    SERVICE("rollout: { steps: [ pause, promote ] }\n  " POOLS),
	    "f:4:23: services[0].rollout.steps[0].for: is missing; a duration "
	    "is expected\n" },
	{ "a share that is none",
	    SERVICE("rollout: { steps: [ { step: promote, share: 5% } ] }\n"
	            "  " POOLS),
	    "f:4:47: services[0].rollout.steps[0].share: this step has no such "
	    "value\n" },
	{ "a step that does not exist",
	    SERVICE("rollout: { steps: [ promot ] }\n  " POOLS),
	    "f:4:21: warning: services[0].rollout.steps: without promote both "
	    "pools serve when it is done\n"
	    "f:4:23: services[0].rollout.steps[0].step: promot is not one of "
	    "ready, share, pause, approve, analyze, hold, release, gone, job, "
	    "warm, verify, mirror, notify, roll, window, check, promote, "
	    "drain, retire; did you mean promote?\n" },
	{ "a drain of those that serve",
	    SERVICE("rollout: { steps: [ drain, promote ] }\n  " POOLS),
	    "f:4:23: services[0].rollout.steps[0]: the others would drain "
	    "while "
	    "they serve; promote comes first\n" },
	{ "a share after all",
	    SERVICE("rollout: { steps: [ promote, { step: share, share: 5% } ] "
	            "}\n  " POOLS),
	    "f:4:32: services[0].rollout.steps[1]: it has all of new sessions "
	    "since promote\n" },
	{ "steps that end half way",
	    SERVICE("rollout: { steps: [ ready ] }\n  " POOLS),
	    "f:4:21: warning: services[0].rollout.steps: without promote both "
	    "pools serve when it is done\n" },
	{ "a strategy without its jobs",
	    SERVICE("rollout: { strategy: auto }\n  " POOLS),
	    "f:4:24: services[0].rollout.strategy: it runs a job check, and "
	    "there is none of that name among the jobs\n"
	    "f:4:24: services[0].rollout.strategy: it runs a job stop, and "
	    "there is none of that name among the jobs\n"
	    "f:4:24: services[0].rollout.strategy: it runs a job start, and "
	    "there is none of that name among the jobs\n" },
	{ "a strategy whose job is done once",
	    SERVICE("rollout: { strategy: rolling, jobs: [ { name: restart, "
	            "command: /a, once: version } ] }\n  " POOLS),
	    "f:4:24: services[0].rollout.strategy: it runs job restart as "
	    "often "
	    "as it is needed, and that is done once\n" },
	{ "steps and a strategy",
	    SERVICE(
	        "rollout: { strategy: canary, steps: [ promote ] }\n  " POOLS),
	    "f:4:24: warning: services[0].rollout.strategy: this means nothing "
	    "where steps are listed\n" },

	/* ---- jobs ---- */
	{ "a job without its name", STEPS("{ step: job }"),
	    "f:4:23: services[0].rollout.steps[0].job: is missing; the name of "
	    "a job is expected\n" },
	{ "a check without its job", STEPS("check"),
	    "f:4:23: services[0].rollout.steps[0].job: is missing; the name of "
	    "a job is expected\n" },
	{ "a job of a step that has none",
	    STEPS("{ step: ready, job: migrate }"),
	    "f:4:43: services[0].rollout.steps[0].job: this step has no such "
	    "value\n" },
	{ "a job that is none, with a near one",
	    STEPS("{ step: job, job: migrat }"),
	    "f:4:41: services[0].rollout.steps[0].job: there is no job migrat; "
	    "did you mean migrate?\n" },
	{ "a job that is none, with none near",
	    STEPS("{ step: check, job: quux }"),
	    "f:4:43: services[0].rollout.steps[0].job: there is no job "
	    "quux\n" },
	{ "a job where there are none",
	    SERVICE("rollout: { steps: [ { step: job, job: a }, promote ] }\n"
	            "  " POOLS),
	    "f:4:41: services[0].rollout.steps[0].job: there is no job a\n" },
	{ "a window that is always open",
	    STEPS(
	        "window, { step: window, from: \"01:00\", until: \"01:00\" }"),
	    "f:4:23: services[0].rollout.steps[0]: a window needs from and "
	    "until, or below; else it is always open\n"
	    "f:4:31: services[0].rollout.steps[1]: a window needs from and "
	    "until, or below; else it is always open\n" },
	{ "windows over midnight and for few requests",
	    STEPS("{ step: window, from: \"22:00\", until: \"05:30\" }, "
	          "{ step: window, below: 20 }"),
	    "" },
	{ "no time of day", STEPS("{ step: window, from: \"24:00\" }"),
	    "f:4:45: services[0].rollout.steps[0].from: 24:00 is not a time of "
	    "day such as \"02:30\", between quotes\n" },
	{ "a time of day that YAML has counted",
	    STEPS("{ step: window, from: 1:00 }"),
	    "f:4:45: services[0].rollout.steps[0].from: 1:00 is not a time of "
	    "day such as \"02:30\", between quotes\n" },
	{ "a window of a pause",
	    STEPS("{ step: pause, for: 1m, from: \"01:00\", until: \"02:00\", "
	          "below: 3 }"),
	    "f:4:53: services[0].rollout.steps[0].from: this step has no such "
	    "value\n"
	    "f:4:69: services[0].rollout.steps[0].until: this step has no such "
	    "value\n"
	    "f:4:85: services[0].rollout.steps[0].below: this step has no such "
	    "value\n" },
	{ "a job once for many instances",
	    SERVICE("rollout: { steps: [ { step: roll, job: a } ], "
	            "jobs: [ { name: a, command: /a, once: version } ] }\n"
	            "  " POOLS),
	    "f:4:42: services[0].rollout.steps[0].job: each instance needs a "
	    "run of it, and a is done once\n" },
	{ "instances are renewed by nobody", STEPS("roll"),
	    "f:4:23: services[0].rollout.steps[0].job: is missing; the name "
	    "of a job is expected\n" },
	{ "one stands in for a pause",
	    STEPS("{ step: pause, for: 1m, surge: on }"),
	    "f:4:54: services[0].rollout.steps[0].surge: this step has no "
	    "such value\n" },
	{ "a roll that takes its time",
	    STEPS("{ step: roll, job: migrate, for: 1m, surge: on }"), "" },
	{ "a check by a job that is done once",
	    SERVICE("rollout: { steps: [ { step: check, job: a }, promote ], "
	            "jobs: [ { name: a, command: /a, once: lifetime } ] }\n"
	            "  " POOLS),
	    "f:4:43: services[0].rollout.steps[0].job: this step is made "
	    "each time, and a is done once\n" },
	{ "a proof by a job that is done once",
	    SERVICE("rollout: { steps: [ { step: verify, job: a }, promote ], "
	            "jobs: [ { name: a, command: /a, once: version } ] }\n"
	            "  " POOLS),
	    "f:4:44: services[0].rollout.steps[0].job: this step is made "
	    "each time, and a is done once\n" },
	{ "nothing is drained yet", STEPS("promote, retire"),
	    "f:4:32: services[0].rollout.steps[1]: only a drained pool is "
	    "retired; drain comes first\n" },
	{ "copies of nothing",
	    SERVICE("rollout: { steps: [ { step: mirror, for: 1m }, promote ] "
	            "}\n  " POOLS),
	    "f:4:23: services[0].rollout.steps[0]: the service says of no path "
	    "that its requests may be copied (mirror)\n" },
	{ "copies for no time",
	    SERVICE("mirror: /a\n  rollout: { steps: [ mirror, promote ] "
	            "}\n  " POOLS),
	    "f:5:23: services[0].rollout.steps[0].for: is missing; a duration "
	    "is expected\n" },
	{ "a start that does what is done once",
	    SERVICE("rollout: { jobs: [ { name: setup, command: /a, once: "
	            "version }, { name: start, command: [ /zitadel, "
	            "start-from-init ] } ] }\n  " POOLS),
	    "f:4:91: warning: services[0].rollout.jobs[1].command: each start "
	    "does init and setup again, which job setup does once; ZITADEL's "
	    "command for that is start\n" },
	{ "a gate that is mistyped, and is none",
	    SERVICE("rollout: { jobs: [ { name: verfy, command: /a }, { name: "
	            "backup, command: /b } ] }\n  " POOLS),
	    "f:4:30: warning: services[0].rollout.jobs[0].name: no step of "
	    "the strategy runs it; did you mean verify?\n" },
	{ "logins that nobody counts",
	    STEPS("{ step: analyze, for: 1m, logins: 20% }, promote"),
	    "f:4:57: warning: services[0].rollout.steps[0].logins: none is "
	    "counted: the service does not say where they begin "
	    "(logins.begin)\n" },
	{ "logins that have no pin",
	    SERVICE("sticky: { scope: none }\n  logins: { begin: /a }\n  "
	            "rollout: { steps: [ { step: analyze, for: 1m, logins: "
	            "20% }, promote ] }\n  " POOLS),
	    "f:6:57: warning: services[0].rollout.steps[0].logins: none is "
	    "counted: the service pins no session\n" },
	{ "logins of a step that counts none",
	    STEPS("{ step: pause, for: 1m, logins: 20% }, promote"),
	    "f:4:55: warning: services[0].rollout.steps[0].logins: this step "
	    "does not look at it\n" },
	{ "a job that nobody runs, beside one of nearly that name",
	    SERVICE("rollout: { jobs: [ { name: verfy, command: /a }, { name: "
	            "verify, command: /b } ] }\n  " POOLS),
	    "" },
	{ "a word to nobody", STEPS("notify, promote"),
	    "f:4:23: services[0].rollout.steps[0].job: is missing; the name "
	    "of a job is expected\n" },
	{ "a word that has to be in time",
	    SERVICE("rollout: { steps: [ { step: notify, job: a, deadline: 1m "
	            "}, promote ], jobs: [ { name: a, command: /a } ] }\n"
	            "  " POOLS),
	    "f:4:57: services[0].rollout.steps[0].deadline: this step has no "
	    "such value\n" },
	{ "a strategy with a job that is done once",
	    SERVICE("rollout: { strategy: canary, "
	            "jobs: [ { name: warm, command: /a, once: version } ] }\n"
	            "  " POOLS),
	    "f:4:24: services[0].rollout.strategy: it runs job warm as often "
	    "as it is needed, and that is done once\n" },
	{ "a check by what is given has no job",
	    STEPS("{ step: check, by: version, job: migrate }"),
	    "f:4:56: services[0].rollout.steps[0].job: this step has no such "
	    "value\n" },
	{ "a step that is no check goes by nothing",
	    STEPS("{ step: ready, by: revision }"),
	    "f:4:42: services[0].rollout.steps[0].by: this step has no such "
	    "value\n" },
	{ "a way before any check",
	    STEPS("{ step: ready, only: rolling }, "
	          "{ step: check, by: version, only: recreate }"),
	    "f:4:44: services[0].rollout.steps[0].only: no step check before "
	    "it says which it is\n"
	    "f:4:89: services[0].rollout.steps[1].only: no step check before "
	    "it says which it is\n" },
	{ "a way behind a check",
	    STEPS("{ step: check, by: version }, "
	          "{ step: ready, only: recreate }"),
	    "" },

	/* ---- holds ---- */
	{ "what is held for ever", STEPS("hold"),
	    "f:4:21: services[0].rollout.steps: what is held must be released: "
	    "a step release is missing\n" },
	{ "what is held again for ever", STEPS("hold, release, hold"),
	    "f:4:21: services[0].rollout.steps: what is held must be released: "
	    "a step release is missing\n" },
	{ "what is held and released", STEPS("hold, gone, hold, release"), "" },
	{ "what is held for ever where they must not run side by side",
	    STEPS("{ step: check, by: version }, hold, "
	          "{ step: release, only: rolling }"),
	    "f:4:21: services[0].rollout.steps: what is held must be released: "
	    "a step release is missing where the versions must not run side by "
	    "side\n" },
	{ "what is held for ever where they may",
	    STEPS("{ step: check, by: version }, hold, "
	          "{ step: release, only: recreate }"),
	    "f:4:21: services[0].rollout.steps: what is held must be released: "
	    "a step release is missing where the versions may run side by "
	    "side\n" },
	{ "what is held and released on one way",
	    STEPS("{ step: check, by: version }, "
	          "{ step: hold, only: recreate }, "
	          "{ step: release, only: recreate }"),
	    "" },
	{ "a release of nothing", STEPS("release, hold, release, release"),
	    "f:4:23: services[0].rollout.steps[0]: nothing is held before it\n"
	    "f:4:47: services[0].rollout.steps[3]: nothing is held before "
	    "it\n" },
	{ "gone before a hold, and behind it",
	    STEPS("gone, hold, release, gone"),
	    "f:4:23: warning: services[0].rollout.steps[0]: requests are not "
	    "held while those that serve are gone\n"
	    "f:4:44: warning: services[0].rollout.steps[3]: requests are not "
	    "held while those that serve are gone\n" },
	{ "gone while reads go on",
	    STEPS("{ step: hold, writes_only: on }, gone, release"),
	    "f:4:56: warning: services[0].rollout.steps[1]: requests are not "
	    "held while those that serve are gone\n" },
	{ "writes of a step that holds nothing",
	    STEPS("{ step: ready, writes_only: on }"),
	    "f:4:51: services[0].rollout.steps[0].writes_only: this step has "
	    "no such value\n" },
	{ "a hold for a time",
	    STEPS("{ step: hold, for: 1m, writes_only: on }, release"), "" },

	/* ---- cookies of pools ---- */
	{ "a namespace of other characters", POOL("cookie_namespace: v2-1"),
	    "f:7:23: services[0].pools[0].cookie_namespace: v2-1 is not 1 to "
	    "16 "
	    "letters and digits\n" },
	{ "a namespace with the mark in it", POOL("cookie_namespace: \"v2~\""),
	    "f:7:23: services[0].pools[0].cookie_namespace: v2~ is not 1 to 16 "
	    "letters and digits\n" },
	{ "no namespace", POOL("cookie_namespace: \"\""),
	    "f:7:23: services[0].pools[0].cookie_namespace: \"\" is not 1 to "
	    "16 letters and digits\n" },
	{ "a namespace that is too long",
	    POOL("cookie_namespace: a2345678901234567"),
	    "f:7:23: services[0].pools[0].cookie_namespace: a2345678901234567 "
	    "is not 1 to 16 letters and digits\n" },
	{ "a namespace of 16", POOL("cookie_namespace: a234567890123456"), "" },
	{ "one namespace twice",
	    SERVICE("pools: [ { name: v1, instances: a:1, cookie_namespace: x "
	            "}, { name: v2, instances: b:1, cookie_namespace: x } ]"),
	    "f:4:109: services[0].pools[1].cookie_namespace: x is that of "
	    "services[0].pools[0] already; another is expected\n" },
	{ "a pin in a namespace",
	    SERVICE("sticky: { cookie: x~pin }\n  pools: [ { name: v1, "
	            "instances: a:1, cookie_namespace: x } ]"),
	    "f:4:21: services[0].sticky.cookie: x~pin is a name of the "
	    "cookie_namespace of pools[0]; another is expected\n" },
	{ "a pin in a namespace, behind a prefix",
	    SERVICE("sticky: { cookie: __Host-x~pin }\n  pools: [ { name: v1, "
	            "instances: a:1, cookie_namespace: x } ]"),
	    "f:4:21: services[0].sticky.cookie: __Host-x~pin is a name of the "
	    "cookie_namespace of pools[0]; another is expected\n" },
	{ "a pin that only looks like it",
	    SERVICE("sticky: { cookie: xx~pin }\n  pools: [ { name: v1, "
	            "instances: a:1, cookie_namespace: x } ]"),
	    "" },
	{ "no pins at all, where one would be in a namespace",
	    SERVICE(
	        "sticky: { cookie: x~pin, scope: none }\n  pools: [ { name: "
	        "v1, instances: a:1, cookie_namespace: x } ]"),
	    "" },
	{ "shared in a namespace, and all",
	    SERVICE("cookies_shared: [ x~a, \"*\" ]\n  pools: [ { name: v1, "
	            "instances: a:1, cookie_namespace: x } ]"),
	    "f:4:21: services[0].cookies_shared[0]: x~a is a name of the "
	    "cookie_namespace of pools[0]; another is expected\n"
	    "f:4:26: services[0].cookies_shared[1]: * would be all of them; "
	    "the "
	    "begin of a name is expected\n" },
	{ "shared, and no namespace",
	    SERVICE("cookies_shared: theme\n  " POOLS),
	    "f:4:19: warning: services[0].cookies_shared: this means nothing "
	    "without a cookie_namespace of a pool\n" },
	{ "shared, and no name", SERVICE("cookies_shared: a=b\n  " POOLS),
	    "f:4:19: services[0].cookies_shared[0]: a=b is not a name that "
	    "HTTP "
	    "allows, of at most 63 bytes\n" },
	{ "a namespace where no HTTP is seen",
	    PASS("pools: [ { name: v1, instances: a:1, probe: { type: tcp }, "
	         "cookie_namespace: x } ]"),
	    "f:5:80: services[0].pools[0].cookie_namespace: " NO_HTTP },

	/* ---- keys of tokens ---- */
	{ "keys of nowhere", SERVICE("jwks: { union: on }\n  " POOLS),
	    "f:4:9: warning: services[0].jwks: this means nothing without "
	    "paths\n" },
	{ "a path twice", SERVICE("jwks: { paths: [ /a, /b, /a ] }\n  " POOLS),
	    "f:4:28: services[0].jwks.paths[2]: /a is there already\n" },
	{ "keys where no HTTP is seen",
	    PASS("jwks: { paths: /a }\n  pools: [ { name: v1, instances: a:1, "
	         "probe: { type: tcp } } ]"),
	    "f:5:9: services[0].jwks: " NO_HTTP },

	/* ---- pools that follow others ---- */
	{ "a pool that follows none that is there",
	    SERVICE("pools: [ { name: v1, instances: a:1, requires: v0 } ]"),
	    "f:4:50: services[0].pools[0].requires: there is no pool v0\n" },
	{ "a pool that follows itself",
	    SERVICE("pools: [ { name: v1, instances: a:1, requires: v1 } ]"),
	    "f:4:50: services[0].pools[0].requires: it is this one\n" },
	{ "a pool that follows a later one",
	    SERVICE("pools: [ { name: v1, instances: a:1, requires: v2 }, "
	            "{ name: v2, instances: b:1 } ]"),
	    "" },
	{ "a job without a name", JOB("command: /a"),
	    "f:4:22: services[0].rollout.jobs[0].name: is missing; a name of "
	    "at most 63 letters, digits, \".\", \"_\" and \"-\" is "
	    "expected\n" },
	{ "a job without a command", JOB("name: a"),
	    "f:4:22: services[0].rollout.jobs[0].command: is missing; a list "
	    "is expected\n" },
	{ "two jobs of one name",
	    SERVICE("rollout: { jobs: [ { name: a, command: /a }, "
	            "{ name: a, command: /b } ] }\n  " POOLS),
	    "f:4:56: services[0].rollout.jobs[1].name: a is that of "
	    "services[0].rollout.jobs[0] already; another is expected\n" },
	{ "a command that is looked for",
	    JOB("name: a, command: [ migrate, /a ]"),
	    "f:4:44: services[0].rollout.jobs[0].command[0]: migrate is not "
	    "the path of a program, which begins with \"/\"\n" },
	{ "no command", JOB("name: a, command: \"\""),
	    "f:4:42: services[0].rollout.jobs[0].command[0]: \"\" is not the "
	    "path of a program, which begins with \"/\"\n" },
	{ "a condition that is looked for",
	    JOB("name: a, command: /a, when: [ ./b ]"),
	    "f:4:54: services[0].rollout.jobs[0].when[0]: ./b is not the path "
	    "of a program, which begins with \"/\"\n" },
	{ "a rehearsal that is looked for",
	    JOB("name: a, command: /a, rehearse: [ b ]"),
	    "f:4:58: services[0].rollout.jobs[0].rehearse[0]: b is not the "
	    "path "
	    "of a program, which begins with \"/\"\n" },
	{ "a command that a shell would read",
	    JOB("name: a, command: /bin/migrate --to v2, when: /bin/is new"),
	    "f:4:42: warning: services[0].rollout.jobs[0].command[0]: "
	    "/bin/migrate --to v2 is one program's path; arguments are "
	    "elements of their own, as in [/bin/sh, -c, TEXT]\n"
	    "f:4:70: warning: services[0].rollout.jobs[0].when[0]: /bin/is new "
	    "is one program's path; arguments are elements of their own, as in "
	    "[/bin/sh, -c, TEXT]\n" },
	{ "but a path may have spaces",
	    JOB("name: a, command: [ /my programs/a, b ]"), "" },
	{ "variables that are none",
	    JOB("name: a, command: /a, env: [ A, =b, 1A=b, A-B=c, \"\" ]"),
	    "f:4:53: services[0].rollout.jobs[0].env[0]: this is not "
	    "NAME=value\n"
	    "f:4:56: services[0].rollout.jobs[0].env[1]: this is not "
	    "NAME=value\n"
	    "f:4:60: services[0].rollout.jobs[0].env[2]: this is not "
	    "NAME=value\n"
	    "f:4:66: services[0].rollout.jobs[0].env[3]: this is not "
	    "NAME=value\n"
	    "f:4:73: services[0].rollout.jobs[0].env[4]: this is not "
	    "NAME=value\n" },
	{ "variables of ours",
	    JOB("name: a, command: /a, env: [ _=, SEGUE_A=b, SEGUE=c ]"),
	    "f:4:57: services[0].rollout.jobs[0].env[1]: names that begin with "
	    "SEGUE_ are segued's own\n" },
	{ "a job that takes days", JOB("name: a, command: /a, timeout: 25h"),
	    "f:4:55: services[0].rollout.jobs[0].timeout: 25h is not in "
	    "1s..1d\n" },
	{ "exit statuses that are none",
	    JOB("name: a, command: /a, ok: [ 0, 256 ], ask: -1"),
	    "f:4:55: services[0].rollout.jobs[0].ok[1]: 256 is not in 0..255\n"
	    "f:4:67: services[0].rollout.jobs[0].ask[0]: -1 is not a whole "
	    "number\n" },
	{ "an exit status that says two things",
	    JOB("name: a, command: /a, ask: [ 0, 2 ], again: [ 3, 2, 0 ]"),
	    "f:4:51: services[0].rollout.jobs[0].ask: 0 is in ok, too\n"
	    "f:4:68: services[0].rollout.jobs[0].again: 2 is in ok or ask, "
	    "too\n"
	    "f:4:68: services[0].rollout.jobs[0].again: 0 is in ok or ask, "
	    "too\n" },
	{ "what stands behind a wrong element is not taken for it",
	    JOB("name: a, command: [ {}, -c ], env: [ {}, SEGUE_A=b ]"),
	    "f:4:44: services[0].rollout.jobs[0].command[0]: a map is not a "
	    "text\n"
	    "f:4:61: services[0].rollout.jobs[0].env[0]: a map is not a "
	    "text\n" },
	{ "retries with no budget", SERVICE("retry: { budget: 0% }\n  " POOLS),
	    "f:4:20: warning: services[0].retry.budget: with nothing to spend "
	    "there are no retries; \"attempts: 0\" says so\n" },
	{ "ejections that get shorter",
	    SERVICE("pools: [ { name: v1, instances: a:1, eject: { time: 2m, "
	            "max_time: 1m } } ]"),
	    "f:4:69: warning: services[0].pools[0].eject.max_time: this is "
	    "shorter than time\n" },
	{ "a probe that outlives its interval", PROBE("timeout: 3s"),
	    "f:7:23: warning: services[0].pools[0].probe.timeout: this is "
	    "longer than interval; the next probe waits\n" },
	{ "fast is slower", PROBE("fast_interval: 3s"),
	    "f:7:29: warning: services[0].pools[0].probe.fast_interval: this "
	    "is longer than interval\n" },
	{ "fast is slower, since the interval is short",
	    PROBE("interval: 100ms, timeout: 50ms"),
	    "f:7:12: warning: services[0].pools[0].probe.fast_interval: this "
	    "is longer than interval\n" },
	{ "half of a JSON condition", PROBE("json: { field: status }"),
	    "f:7:20: services[0].pools[0].probe.json: field and value belong "
	    "together\n" },
	{ "a Host as a field", PROBE("headers: { host: a }"),
	    "f:7:23: services[0].pools[0].probe.headers: Host is set by us; it "
	    "cannot be given but as host\n" },
	{ "framing as a field", PROBE("headers: { content-length: 3 }"),
	    "f:7:23: services[0].pools[0].probe.headers: Content-Length is set "
	    "by us; it cannot be given\n" },
	{ "a path for a connection", PROBE("type: tcp, path: /health"),
	    "f:7:31: warning: services[0].pools[0].probe.path: this means "
	    "nothing with type tcp\n" },
	{ "a port of a Unix socket",
	    SERVICE("pools: [ { name: v1, instances: unix:/a, "
	            "probe: { host: a, port: 90 } } ]"),
	    "f:4:68: services[0].pools[0].probe.port: unix:/a has no ports\n" },
	{ "an open admin port", LISTEN SERVE "admin: { http: \":9180\" }\n",
	    "f:3:16: warning: admin.http: 0.0.0.0:9180 is no loopback address; "
	    "whoever reaches it may look\n" },
	{ "a Unix admin port", LISTEN SERVE "admin: { http: \"unix:/a\" }\n",
	    "f:3:16: admin.http: unix:/a is no TCP address; the Unix socket is "
	    "admin.socket\n" },
	{ "an admin port that is a listener's",
	    "listeners: \"localhost:1\"\n" SERVE
	    "admin: { http: \"localhost:1\" }\n",
	    "f:3:16: admin.http: localhost:1 is the address of listeners[0] "
	    "already\n" },
	{ "an admin socket that is a listener's",
	    "listeners: unix:/run/segue/admin.sock\n" SERVE,
	    "f:1:1: admin.socket: /run/segue/admin.sock is the address of "
	    "listeners[0] already\n" },
	{ "a store that is nowhere", LISTEN SERVE "store: redis\n",
	    "f:3:8: store.address: is missing; of type redis, it or sentinels "
	    "is expected\n" },
	{ "a store of another kind", LISTEN SERVE "store: memcached\n",
	    "f:3:8: store.type: memcached is not one of memory, redis, "
	    "none\n" },
	{ "a store in two places",
	    LISTEN SERVE
	    "store: { type: redis, address: \"r:1\", sentinels: \"s:1\", "
	    "master: m }\n",
	    "f:3:32: store.address: sentinels say where it is; one of the two "
	    "is expected\n" },
	{ "sentinels without a name",
	    LISTEN SERVE "store: { type: redis, sentinels: \"s:1\" }\n",
	    "f:3:8: store.master: is missing; with sentinels, the name of the "
	    "master is expected\n" },
	{ "a password in the address",
	    LISTEN SERVE "store: { type: redis, address: "
	                 "\"redis://:hush@h:6379\" }\n",
	    "f:3:32: store.address: this is not an address such as "
	    "127.0.0.1:8080, [::1]:8080 or unix:/path\n" },
	{ "a user without a password",
	    LISTEN SERVE "store: { type: redis, address: \"r:1\", user: u }\n",
	    "f:3:45: store.user: password_file is missing; a user needs a "
	    "password\n" },
	{ "an address of no Redis",
	    LISTEN SERVE "store: { address: \"r:1\" }\n",
	    "f:3:19: store.address: \"type: redis\" is expected with it\n" },
	{ "a password of no Redis",
	    LISTEN SERVE "store: { password_file: /p }\n",
	    "f:3:25: warning: store.password_file: this is of type redis\n" },
	{ "a cluster without Redis", LISTEN SERVE "cluster: sso\n",
	    "f:3:10: cluster.name: proxies find each other through Redis; a "
	    "store of type redis is expected\n" },
	{ "a member of nothing", LISTEN SERVE "cluster: { member: a }\n",
	    "f:3:20: warning: cluster.member: the cluster has no name; one is "
	    "expected\n" },
	{ "a linger beyond the end", LISTEN SERVE "stop: { deadline: 1s }\n",
	    "f:3:7: warning: stop.linger: this is longer than deadline\n" },

	/* ---- profiles ---- */
	{ "a profile that is none", SERVICE("profile: keycloack\n  " POOLS),
	    "f:4:12: services[0].profile: keycloack is not one of none, "
	    "keycloak, zitadel, kratos, hydra, nevis, oidc; did you mean "
	    "keycloak?\n" },
	{ "a profile that is a list", SERVICE("profile: [ hydra ]\n  " POOLS),
	    "f:4:12: services[0].profile: a list is not one of the words\n" },
	{ "two profiles",
	    SERVICE("profile: hydra\n  profile: kratos\n  " POOLS),
	    "f:5:3: services[0].profile: stands here a second time; line 4 "
	    "has it already\n" },
	{ "a profile of what is passed through",
	    PASS("profile: keycloak\n  " TCP_POOLS),
	    "f:5:12: services[0].profile: " NO_HTTP },
	{ "what a profile has is told as its own",
	    SERVICE("profile: keycloak\n  pools: [ { name: v1, instances: "
	            "\"unix:/a\" } ]"),
	    "f:4:12: services[0].pools[0].probe.port: unix:/a has no ports "
	    "(of profile keycloak)\n" },
	{ "what a profile has, with what is written",
	    SERVICE("profile: nevis\n  pools: [ { name: v1, instances: a:1, "
	            "probe: { interval: 1s } } ]"),
	    "f:4:12: warning: services[0].pools[0].probe.timeout: this is "
	    "longer than interval; the next probe waits (of profile nevis)\n" },
	{ "what is wrong is not taken for what is missing",
	    SERVICE("profile: hydra\n  hold: 3\n  rules: 4\n  pools: [ "
	            "{ name: v1, instances: a:1, probe: [ 5 ] }, 6 ]"),
	    "f:5:9: services[0].hold: 3 is not a map\n"
	    "f:6:10: services[0].rules: 4 is not a list; each element begins "
	    "with \"- \"\n"
	    "f:7:47: services[0].pools[0].probe: a list is not a map\n"
	    "f:7:56: services[0].pools[1]: 6 is not a map\n" },
	{ "a preface where the profile speaks HTTP/2",
	    SERVICE("profile: zitadel\n  pools: [ { name: v1, instances: a:1, "
	            "send_proxy: v2 } ]"),
	    "f:5:52: services[0].pools[0].send_proxy: a connection of HTTP/2 "
	    "carries many clients, and a preface names one; needs protocol: "
	    "h1\n" },

	/* ---- together ---- */
	{ "all of it in one go, in the order of the file",
	    "services:\n- name: s\n  via: x\n  pools:\n  - name: v1\n"
	    "    share: 10%\n    instances: [ a:1, a:1, b ]\nworkers: x\n"
	    "stop: { linger: 2m }\n",
	    "f:1:1: listeners: is missing; a list is expected\n"
	    "f:3:8: services[0].via: x is not on or off\n"
	    "f:7:23: services[0].pools[0].instances[1].address: a:1 is that of "
	    "services[0].pools[0].instances[0] already; another is expected\n"
	    "f:7:28: services[0].pools[0].instances[2].address: b is not an "
	    "address such as 127.0.0.1:8080, [::1]:8080 or unix:/path\n"
	    "f:8:10: workers: x is not a whole number, or auto\n"
	    "f:9:17: warning: stop.linger: this is longer than deadline\n" },
	{ "a wrong value is not judged by its default, too",
	    SERVICE("match: [ { path: x }, { path: y } ]\n  " POOLS),
	    "f:4:20: services[0].match[0].path: x is not a path that begins "
	    "with \"/\", as it is after normalisation: no \"%\", \"?\", \"#\", "
	    "\";\", \"//\", \"/./\" or \"/../\"\n"
	    "f:4:33: services[0].match[1].path: y is not a path that begins "
	    "with \"/\", as it is after normalisation: no \"%\", \"?\", \"#\", "
	    "\";\", \"//\", \"/./\" or \"/../\"\n" },
};

Test(errors, rows, .timeout = 20)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf said;
		struct cfg *c;

		(void)try_text(str_of(rows[i].in), &c, &said);
		cr_expect_str_eq(said.p, rows[i].said, "%s:\n%s", rows[i].why,
		    said.p);
		try_free(&c, &said);
	}
}

/* ---- many ---- */

Test(errors, a_flood_is_dammed, .timeout = 20)
{
	struct buf text = BUF_INIT;
	struct cfg_problems p;
	struct cfg *c;

	buf_add_cstr(&text, LISTEN SERVE);
	for (int i = 0; i < 150; i++)
		buf_printf(&text, "wrong%d: 1\n", i);
	cr_assert_eq(cfg_parse(buf_str(&text), "f", &c, &p), E_SYNTAX);
	cr_expect_eq(p.errors, 150, "all are counted");
	cr_expect_eq(p.n, 101);
	cr_expect_str_eq(p.list[100].text, "f: 50 more problems are not shown");
	cr_expect_str_eq(p.list[99].text,
	    "f:102:1: wrong99: there is no such "
	    "key");
	cr_expect(!p.list[100].is_warning);
	cfg_problems_free(&p);
	buf_free(&text);
}

Test(errors, a_flood_of_warnings_is_no_error, .timeout = 20)
{
	struct buf text = BUF_INIT;
	struct cfg_problems p;
	struct cfg *c;

	buf_add_cstr(&text, LISTEN "services:\n");
	for (int i = 0; i < 150; i++)
		buf_printf(&text,
		    "- { name: s%d, match: h%d, retry: { budget: "
		    "0%% }, " POOLS " }\n",
		    i, i);
	cr_assert_eq(cfg_parse(buf_str(&text), "f", &c, &p), E_OK);
	cr_expect_eq(p.errors, 0);
	cr_expect_eq(p.n, 101);
	cr_expect(p.list[100].is_warning);
	cfg_problems_free(&p);
	cfg_unref(&c);
	buf_free(&text);
}

/* Bounds over all services, and how long the largest file takes. */
Test(errors, instances_in_all, .timeout = 60)
{
	for (int over = 0; over < 2; over++) {
		struct buf text = BUF_INIT;
		struct cfg_problems p;
		struct cfg *c;

		buf_add_cstr(&text, LISTEN "services:\n");
		for (int s = 0; s < 4; s++) {
			buf_printf(&text,
			    "- { name: s%d, match: h%d, pools: "
			    "[ { name: v, instances: [",
			    s, s);
			for (int i = 0; i < CFG_INSTANCES_MAX / 4; i++)
				buf_printf(&text, " \"h%d:%d\",", s, i + 1);
			if (s == 3 && over == 1)
				buf_add_cstr(&text, " \"x:1\"");
			buf_add_cstr(&text, " ] } ] }\n");
		}
		cr_expect_eq(cfg_parse(buf_str(&text), "f", &c, &p),
		    over == 1 ? E_SYNTAX : E_OK);
		cr_assert_eq(p.n, (size_t)over);
		if (over == 1)
			cr_expect_str_eq(p.list[0].text,
			    "f:3:1: services: 4097 instances in all are too "
			    "many; at most 4096 are possible");
		cfg_problems_free(&p);
		cfg_unref(&c);
		buf_free(&text);
	}
}
