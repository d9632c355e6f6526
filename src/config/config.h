/*
 * config - the settings of one configuration file, typed and checked.
 *
 * A struct cfg is immutable once made; it is shared by reference and freed by
 * the last holder.  Text is NUL-terminated and owned by the cfg.
 *
 * Thread: any (reference counts are atomic); parsing blocks on nothing.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

#define CFG_NAME_MAX 63         /* bytes of a service, pool or instance name */
#define CFG_POOLS_MAX 8         /* pools of one service */
#define CFG_COOKIE_SPACE_MAX 16 /* bytes of a pool's cookie_namespace */
#define CFG_INSTANCES_MAX 4096  /* instances of all services */
#define CFG_WORKERS_MAX 64
#define CFG_STEPS_MAX 32          /* steps of a rollout */
#define CFG_JOBS_MAX 32           /* jobs of a service */
#define CFG_EDITS_MAX 32          /* rules of a service, each way */
#define CFG_MEMORY_AUTO 0u        /* memory_limit: of the machine */
#define CFG_MEMORY_OFF UINT64_MAX /* memory_limit: none */
#define CFG_SHARE_ALL 10000u      /* 100 % in hundredths of a per cent */

/* host:port, [v6]:port, or unix:/path (then port is 0 and host the path). */
struct cfg_addr {
	char *text; /* as the operator wrote it, normalised */
	char *host; /* lower case; IPv6 keeps its brackets; ":8080": 0.0.0.0 */
	uint16_t port;
	bool is_unix;
};

struct cfg_limits {
	uint64_t head_bytes;   /* default 64 KiB */
	uint64_t field_bytes;  /* default 32 KiB */
	uint64_t target_bytes; /* default 16 KiB */
	unsigned fields;       /* default 100 */
};

/* A file that the master reads, since the network process may not. */
struct cfg_file {
	char *path;      /* NULL: none */
	struct str text; /* owned; .p NULL but between reading and use */
	uint64_t hash;   /* of its content, to see that it changed */
	uint64_t stamp;  /* size, time and place of what was read */
};

struct cfg_certificate {
	struct cfg_file certificate; /* PEM: its own first, then the chain */
	struct cfg_file key;         /* no path: in the same file */
	struct cfg_file ocsp;        /* DER; no path: nothing is stapled */
};

enum cfg_tls_version { CFG_TLS_1_2, CFG_TLS_1_3 };
enum cfg_alpn { CFG_ALPN_HTTP_1_1, CFG_ALPN_H2 };

/* Of one client address, IPv6 by its /64; each 0: no bound. */
struct cfg_clients {
	unsigned connections;         /* open at a time */
	unsigned requests_per_second; /* in the long run */
	unsigned burst;               /* at once: 20 */
};

/* Whether a PROXY preface comes first, from trusted_proxies. */
enum cfg_proxy_protocol {
	CFG_PP_OFF,
	CFG_PP_OPTIONAL, /* where it begins like one */
	CFG_PP_REQUIRED  /* and nobody else is served */
};

/* Whether clients are asked for a certificate. */
enum cfg_verify_client {
	CFG_VERIFY_NONE,
	CFG_VERIFY_OPTIONAL, /* who has none is served, too */
	CFG_VERIFY_REQUIRED
};

struct tls_server; /* tls/server.h */

struct cfg_tls {
	bool on; /* default off */
	struct cfg_certificate *certificates;
	size_t n_certificates;
	enum cfg_tls_version min_version; /* default 1.2 */
	char *ciphers, *ciphersuites, *groups;
	int *alpn; /* enum cfg_alpn, the one we like most first */
	size_t n_alpn;
	bool h2_on;              /* the listener's: else h2 is not offered */
	bool tickets_on;         /* default on */
	struct cfg_file tickets; /* keys; no path: one of our own */
	enum cfg_verify_client verify_client; /* default none */
	struct cfg_file *client_ca;           /* who signs clients' */
	size_t n_client_ca;
	struct cfg_file *crl; /* what they have revoked; none: not asked */
	size_t n_crl;
	bool watch;                /* take changed files over: on */
	struct tls_server *server; /* made of it by tls/make; NULL: not yet */
};

/* Where requests in clear are led to. */
enum cfg_redirect { CFG_REDIRECT_OFF, CFG_REDIRECT_HTTPS };

struct cfg_listener {
	char *name;
	bool passthrough; /* looks for services of that mode: off */
	struct cfg_addr address;
	unsigned backlog;         /* default 1024; needs a restart */
	unsigned max_connections; /* over all workers, 0: no bound */
	enum cfg_proxy_protocol proxy_protocol; /* default off */
	uint64_t preface_us;                    /* a whole PROXY preface: 5 s */
	uint64_t handshake_us;                  /* of TLS: 10 s */
	uint64_t head_us;  /* a whole head, from its first byte: 10 s */
	uint64_t idle_us;  /* between exchanges: 75 s */
	uint64_t body_us;  /* without progress of a request body: 30 s */
	uint64_t write_us; /* client takes no byte of an answer: 30 s */
	struct cfg_limits limits;
	struct cfg_clients clients;
	bool h2_on;                 /* default on */
	unsigned h2_streams;        /* of a connection at a time: 100 */
	enum cfg_redirect redirect; /* default off */
	uint16_t redirect_port;     /* default 443 */
	char *acme_dir;             /* of ACME challenges; NULL: none */
	char *health_path;          /* answered by us; NULL: none */
	char **trusted_proxies;     /* CIDR texts, or unix */
	size_t n_trusted_proxies;
	struct cfg_tls tls;
};

/* The PROXY preface that instances are sent; its version. */
enum cfg_send_proxy {
	CFG_SEND_PROXY_OFF,
	CFG_SEND_PROXY_V1,
	CFG_SEND_PROXY_V2
};

struct tls_client; /* tls/client.h */

/* What its instances are spoken to in. */
enum cfg_protocol {
	CFG_PROTOCOL_H1,
	CFG_PROTOCOL_H2,  /* over TLS, ALPN */
	CFG_PROTOCOL_H2C, /* in the clear, by prior knowledge */
	CFG_PROTOCOL_AUTO /* over TLS: what ALPN chooses */
};

enum cfg_probe_type { CFG_PROBE_HTTP, CFG_PROBE_TCP, CFG_PROBE_GRPC };

struct cfg_field {
	char *name;
	char *value;
};

struct cfg_probe {
	enum cfg_probe_type type;
	uint16_t port; /* 0: the instance's own */
	char *path;    /* default "/" */
	char *host;    /* Host sent; NULL: the instance's address */
	char *service; /* of type grpc; NULL: the server as a whole */
	struct cfg_field *headers;
	size_t n_headers;
	uint16_t *expect; /* statuses that pass; default 200 */
	size_t n_expect;
	char *body;                /* text the body must hold, or NULL */
	char *json_field;          /* dotted path ("status"), or NULL */
	char *json_value;          /* its text ("UP") */
	uint64_t interval_us;      /* default 2 s */
	uint64_t fast_interval_us; /* starting or changing: 500 ms */
	uint64_t timeout_us;       /* default 1 s */
	unsigned rise;             /* passes in a row to be up: 2 */
	unsigned fall;             /* failures in a row to be down: 3 */
	uint64_t hold_us;          /* a pool must stay ready so long: 10 s */
	/* Its pool's, but off where another port is asked; no key. */
	enum cfg_send_proxy send_proxy;
	enum cfg_protocol protocol; /* its pool's, where the port is; no key */
	bool tls;                   /* where the pool has it: on */
	struct tls_client *client;  /* of tls/make: its pool's, or NULL */
};

/* TLS to the instances of a pool. */
struct cfg_pool_tls {
	bool on;             /* default off */
	struct cfg_file *ca; /* whom to trust; none: whom the system trusts */
	size_t n_ca;
	char *name;  /* of the instances, NULL: the host of each address */
	bool verify; /* default on */
	struct cfg_certificate own; /* ours; no path: none */
	enum cfg_tls_version min_version;
	bool watch;                 /* take changed files over: on */
	enum cfg_protocol protocol; /* its pool's; no key */
	struct tls_client *client;  /* made of it by tls/make */
};

struct cfg_instance {
	char *name; /* default: the address's text */
	struct cfg_addr address;
	unsigned weight; /* 1..256, default 1 */
};

enum cfg_balance { CFG_BALANCE_LEAST, CFG_BALANCE_ROUND, CFG_BALANCE_HASH };

/* When an instance whose probe passes gets no traffic for a while. */
struct cfg_eject {
	unsigned failures;  /* in a row: 5; 0: not counted */
	unsigned ratio_pct; /* failed of all in a window: 50; 0: not counted */
	unsigned volume;    /* a window with fewer says nothing: 20 */
	uint64_t window_us; /* default 10 s */
	bool status_5xx;    /* is an answer 5xx a failure?  off */
	unsigned slow;      /* times the pool's median; 0: no bound */
	uint64_t time_us;   /* the first one lasts: 10 s, then doubled */
	uint64_t max_us;    /* up to 5 min */
	unsigned share_pct; /* of the pool's instances at most: 50 */
};

struct cfg_pool {
	char *name;
	char *version;  /* of what its instances run, or NULL: its name */
	char *revision; /* of what may run side by side, or NULL: none */
	char *requires; /* the pool that a rollout comes from, or NULL: any */
	uint32_t share_bp; /* of new sessions, first start only; sum is 10000 */
	bool share_given;
	struct cfg_instance *instances;
	size_t n_instances;
	struct cfg_probe probe;
	uint64_t idle_us;  /* idle upstream connection is kept so long: 4 s */
	unsigned max_idle; /* idle connections per instance and worker: 256 */
	enum cfg_send_proxy send_proxy; /* default off */
	enum cfg_protocol protocol;     /* default h1 */
	struct cfg_pool_tls tls;
	enum cfg_balance balance; /* default least_requests */
	unsigned max_requests;    /* in flight per instance, 0: no bound */
	unsigned queue_max;       /* waiting per worker: 100 */
	uint64_t queue_us;        /* at most so long: 5 s */
	uint64_t slow_start_us;   /* from a tenth to all: 0, off */
	char *cookie_namespace;   /* of what its instances set, or NULL */
	bool eject_on;            /* default on */
	struct cfg_eject eject;
};

enum cfg_sticky_scope { CFG_STICKY_NONE, CFG_STICKY_POOL, CFG_STICKY_INSTANCE };
enum cfg_share_key {
	CFG_KEY_SOURCE,  /* client address */
	CFG_KEY_REQUEST, /* each cookie-less request anew */
	CFG_KEY_HEADER,
	CFG_KEY_COOKIE
};
enum cfg_drain_mode { CFG_DRAIN_KEEP, CFG_DRAIN_MOVE, CFG_DRAIN_EVICT };

struct cfg_match {
	char *host; /* lower case; "*": any; "*.a.org": one or more labels */
	char *path; /* prefix on segment borders; "/" any */
};

/* One of allow and deny is set; the first that fits a request decides. */
struct cfg_rule {
	char *allow, *deny; /* prefix on segment borders, or NULL */
	char **from;        /* CIDR texts; none: any address */
	size_t n_from;
	char **methods; /* none: any */
	size_t n_methods;
	bool hide; /* 404 rather than 403 */
};

/* Which strangers' fields go no further; see proxy/strip.h. */
enum cfg_profile { CFG_PROFILE_PLAIN, CFG_PROFILE_IDENTITY };
/* How instances are told of a client's certificate; see http/client_cert.h. */
enum cfg_client_cert {
	CFG_CLIENT_CERT_NONE,
	CFG_CLIENT_CERT_RFC9440,
	CFG_CLIENT_CERT_NGINX,
	CFG_CLIENT_CERT_HAPROXY
};
/* How instances are told who asks. */
enum cfg_forwarded {
	CFG_FORWARDED_BOTH,
	CFG_FORWARDED_X,       /* X-Forwarded-* */
	CFG_FORWARDED_RFC7239, /* Forwarded */
	CFG_FORWARDED_NONE
};

/* One of set, add and remove is a name; see config/edits.h. */
struct cfg_edit {
	char *set, *add, *remove;
	char *value; /* of set and add */
};

/* The forms of our own answers. */
enum cfg_form { CFG_FORM_TEXT, CFG_FORM_JSON, CFG_FORM_HTML, CFG_FORM_COUNT };

/* An operator's page for a status; see config/pages.h for its content. */
struct cfg_page {
	char *status; /* "503", or "4xx" or "5xx" for those without their own */
	char *file[CFG_FORM_COUNT];      /* as written; NULL: none */
	struct str body[CFG_FORM_COUNT]; /* owned; .p NULL until loaded */
};

/* Who ends the TLS of a service: we, or its instances, unread by us. */
enum cfg_mode { CFG_MODE_HTTP, CFG_MODE_PASSTHROUGH };

/* Whose settings a service takes where it has none: identifier, name. */
#define CFG_PRODUCTS(X)                                                        \
	X(NONE, "none")                                                        \
	X(KEYCLOAK, "keycloak")                                                \
	X(ZITADEL, "zitadel")                                                  \
	X(KRATOS, "kratos")                                                    \
	X(HYDRA, "hydra")                                                      \
	X(NEVIS, "nevis")                                                      \
	X(OIDC, "oidc")
#define X(id, name) CFG_PRODUCT_##id,
enum cfg_product { CFG_PRODUCTS(X) CFG_PRODUCT_COUNT };
#undef X

/* What a step of a rollout does (rollout/state.h): identifier, name. */
#define CFG_STEPS(X)                                                           \
	X(READY, "ready")                                                      \
	X(SHARE, "share")                                                      \
	X(PAUSE, "pause")                                                      \
	X(APPROVE, "approve")                                                  \
	X(ANALYZE, "analyze")                                                  \
	X(HOLD, "hold")                                                        \
	X(RELEASE, "release")                                                  \
	X(GONE, "gone")                                                        \
	X(JOB, "job")                                                          \
	X(WARM, "warm")                                                        \
	X(VERIFY, "verify")                                                    \
	X(MIRROR, "mirror")                                                    \
	X(NOTIFY, "notify")                                                    \
	X(ROLL, "roll")                                                        \
	X(WINDOW, "window")                                                    \
	X(CHECK, "check")                                                      \
	X(PROMOTE, "promote")                                                  \
	X(DRAIN, "drain")                                                      \
	X(RETIRE, "retire")
#define X(id, name) CFG_STEP_##id,
enum cfg_step_kind { CFG_STEPS(X) CFG_STEP_COUNT };
#undef X

/* In which rollouts there is a step: identifier, name. */
#define CFG_ONLYS(X)                                                           \
	X(ALWAYS, "always")                                                    \
	X(ROLLING, "rolling") /* where a check found that both may run */      \
	X(RECREATE, "recreate")
#define X(id, name) CFG_ONLY_##id,
enum cfg_only { CFG_ONLYS(X) CFG_ONLY_COUNT };
#undef X

/* What a check goes by: identifier, name. */
#define CFG_BYS(X)                                                             \
	X(JOB, "job")           /* the exit status of one */                   \
	X(REVISION, "revision") /* rolling where the pools have the same */    \
	X(VERSION, "version")   /* the same of versions */
#define X(id, name) CFG_BY_##id,
enum cfg_by { CFG_BYS(X) CFG_BY_COUNT };
#undef X

/* How often a job may have been done: identifier, name. */
#define CFG_ONCES(X)                                                           \
	X(NO, "no")           /* in every rollout */                           \
	X(VERSION, "version") /* for each version that one leads to */         \
	X(LIFETIME, "lifetime")
#define X(id, name) CFG_ONCE_##id,
enum cfg_once { CFG_ONCES(X) CFG_ONCE_COUNT };
#undef X

/* A command of the operator's that a rollout runs. */
struct cfg_job {
	char *name;
	char **command; /* the program's path, then its arguments */
	size_t n_command;
	char **when; /* the same: is it needed?  None: yes */
	size_t n_when;
	char **rehearse; /* the same: instead of it, in a rehearsal.  None: it
	                    is not run then */
	size_t n_rehearse;
	char **env; /* NAME=value */
	size_t n_env;
	char *user;          /* or NULL: who the daemon serves as */
	uint64_t timeout_us; /* default 10 m */
	enum cfg_once once;  /* default no */
	unsigned *ok;        /* exit statuses with which it is done: 0 */
	size_t n_ok;
	unsigned *ask; /* ... after which an operator is asked: none */
	size_t n_ask;
	unsigned
	    *again; /* ... with which it is run again after a while: none */
	size_t n_again;
	uint64_t every_us; /* that while: 5 s */
};

struct cfg_step {
	enum cfg_step_kind kind;
	char *name;        /* what people call it, or NULL */
	uint32_t share_bp; /* of SHARE */
	bool share_given;
	char *job;            /* of the kinds that run one: its name */
	bool optional;        /* of a preset: only where there is that job */
	bool writes_only;     /* of HOLD */
	bool no_return;       /* no way back once it has begun */
	bool surge;           /* of ROLL: another one stands in */
	unsigned from, until; /* of WINDOW: minutes of the day; alike: any */
	unsigned below;       /* of WINDOW: requests a second; 0: any */
	enum cfg_only only;   /* default always */
	enum cfg_by by;       /* of CHECK: job */
	uint64_t for_us;      /* of PAUSE, ANALYZE, HOLD and ROLL */
	unsigned errors_pct;  /* of ANALYZE: so much worse may it be: 2 */
	unsigned slower_pct;  /* ... and so much slower; 0: any */
	unsigned logins_pct;  /* ... so many fewer logins completed; 0: any */
	unsigned requests;    /* ... after so many at least: 100 */
	uint64_t deadline_us; /* 0: that of its kind */
};

/* Presets of steps; a list of steps is one's own. */
enum cfg_strategy {
	CFG_STRATEGY_BLUE_GREEN,
	CFG_STRATEGY_CANARY,
	CFG_STRATEGY_ROLLING,
	CFG_STRATEGY_RECREATE,
	CFG_STRATEGY_AUTO,
	CFG_STRATEGY_EXPLICIT,
	CFG_STRATEGY_RECREATE_ON_CHANGE
};
/* What follows when a step of a rollout fails. */
enum cfg_on_failure { CFG_FAILURE_ROLLBACK, CFG_FAILURE_PAUSE };

struct cfg_rollout {
	enum cfg_strategy strategy;     /* default blue_green */
	enum cfg_on_failure on_failure; /* default rollback */
	struct cfg_step *steps;         /* none: those of the strategy */
	size_t n_steps;
	struct cfg_job *jobs;
	size_t n_jobs;
};

/* Exchanges that wait until an operator, or a rollout, releases them. */
struct cfg_hold {
	unsigned max;      /* at a time, of all workers: 1000 */
	uint64_t wait_us;  /* at most so long: 15 s */
	unsigned pace;     /* released a second, 0: no bound; 500 */
	uint64_t retry_us; /* Retry-After of what is refused: 10 s */
	char **writes;     /* prefixes of paths whose safe requests write */
	size_t n_writes;
	char **never; /* ... that are never held */
	size_t n_never;
	char **copies; /* ends of paths whose answers are kept */
	size_t n_copies;
};

/* What pools of a service know of each other's. */
enum cfg_shared {
	CFG_SHARED_FULL, /* all */
	CFG_SHARED_DB,   /* what is done, not what is under way */
	CFG_SHARED_NONE
};

/* What is counted of logins, to compare pools by. */
struct cfg_logins {
	char **begin; /* ends of paths where one begins */
	size_t n_begin;
	char *cookie; /* is set when one is complete, beside codes; or NULL */
	uint64_t within_us; /* later it is given up: 2 m */
};

#define CFG_JWKS_PATHS_MAX 8

/* The keys that its pools publish for the tokens they sign. */
struct cfg_jwks {
	char **paths; /* where; none: they are not read */
	size_t n_paths;
	char *host;           /* asked for there; NULL: that of the probe */
	uint64_t interval_us; /* so often each is read: 10 s */
	bool united;          /* key union: all are given there: off */
	bool required; /* no share by a rollout while pools differ: off */
};

struct cfg_service {
	char *name;
	enum cfg_mode mode; /* default http */
	/* As written; its settings are in all the others: see profiles.h. */
	enum cfg_product product;
	struct cfg_match *match;
	size_t n_match;
	enum cfg_share_key share_key;
	char *share_key_text; /* as written */
	char *share_key_name; /* of the header or cookie; inside the text */
	enum cfg_sticky_scope sticky_scope; /* default pool */
	char *sticky_cookie;                /* default "segue" */
	uint64_t sticky_idle_us; /* a session unseen so long has ended: 30 m */
	uint64_t sticky_max_us;  /* a pin lives no longer: 24 h */
	unsigned sticky_records; /* sessions that are recorded: 1,000,000 */
	uint64_t connect_us;     /* default 2 s */
	uint64_t first_byte_us;  /* default 30 s */
	uint64_t progress_us;    /* answer body without progress: 60 s */
	uint64_t tunnel_us;      /* tunnel without a byte: 1 h */
	uint64_t body_bytes;     /* request body at most: 10 MiB; 0: no bound */
	unsigned retries;        /* further tries after the first: 2 */
	unsigned retry_budget_pct; /* of requests: 20 */
	uint16_t *retry_statuses;  /* of a safe request: none */
	size_t n_retry_statuses;
	enum cfg_drain_mode drain_mode;     /* default keep */
	uint64_t drain_requests_us;         /* default 60 s */
	uint64_t drain_flows_us;            /* grace of kept pins: 30 m */
	uint64_t drain_streams_us;          /* default 300 s */
	uint64_t drain_spread_us;           /* of closing WebSockets: 5 s */
	bool via;                           /* Via on requests: on */
	enum cfg_profile profile;           /* default plain */
	enum cfg_forwarded forwarded;       /* default both */
	char *prefix;                       /* X-Forwarded-Prefix, or NULL */
	enum cfg_client_cert client_cert;   /* default none */
	unsigned client_cert_chain;         /* so many beside it at most: 0 */
	bool hsts_on;                       /* default off */
	uint64_t hsts_us;                   /* default 365 d */
	bool hsts_subdomains, hsts_preload; /* default off */
	struct cfg_edit *request_edits;     /* in this order */
	size_t n_request_edits;
	struct cfg_edit *response_edits;
	size_t n_response_edits;
	struct cfg_rule *rules;
	size_t n_rules;
	struct cfg_page *pages; /* before those of the whole daemon */
	size_t n_pages;
	struct cfg_rollout rollout;
	struct cfg_hold hold;
	char **mirror; /* prefixes of paths that may be copied */
	size_t n_mirror;
	char **assets; /* prefixes of paths of files that versions differ in */
	size_t n_assets;
	struct cfg_logins logins;
	enum cfg_shared shared_state; /* default full */
	char **cookies_shared; /* names without the namespace of a pool; "*"
	                          at the end: all that begin so */
	size_t n_cookies_shared;
	struct cfg_jwks jwks;
	struct cfg_pool *pools;
	size_t n_pools;
};

enum cfg_access_format { CFG_ACCESS_JSON, CFG_ACCESS_COMBINED };

enum cfg_store_type { CFG_STORE_MEMORY, CFG_STORE_REDIS, CFG_STORE_NONE };
#define CFG_STORE_PREFIX_MAX 64

/* What sessions need that outlives a start, or that several proxies share. */
struct cfg_store {
	enum cfg_store_type type; /* default memory */
	uint64_t memory;          /* bytes, of type memory: 64 MiB */
	struct cfg_addr address;  /* of Redis; .text NULL: by sentinels */
	struct cfg_addr *sentinels;
	size_t n_sentinels;
	char *master;        /* the name that sentinels know it by */
	char *user;          /* of its ACL; NULL: the default one */
	char *password_file; /* NULL: none is needed */
	unsigned database;   /* default 0 */
	char *prefix;        /* of all keys: "segue:" */
	uint64_t timeout_us; /* no request waits longer: 20 ms */
	bool tls;            /* default off */
};

/* What a change does about a proxy that does not acknowledge it. */
enum cfg_absent { CFG_ABSENT_FENCE, CFG_ABSENT_BLOCK };

/* Proxies that are commanded as one. */
struct cfg_cluster {
	char *name;             /* NULL: there is none */
	char *member;           /* NULL: the host's name */
	uint64_t timeout_us;    /* who is silent for so long is away: 2 s */
	enum cfg_absent absent; /* default fence */
};

struct cfg_principal_list {
	char **users; /* names or numeric ids */
	size_t n_users;
	char **groups;
	size_t n_groups;
};

struct cfg {
	unsigned refs_;     /* atomic; cfg_ref(), cfg_unref() */
	unsigned workers;   /* 0: auto, one a core */
	char *user, *group; /* to become when started as root, or NULL */
	char *state_dir;    /* default /var/lib/segue */
	char *key_file;     /* NULL: made in the state directory */
	char *log_file;     /* NULL: standard error */
	int log_level;      /* enum log_level */
	bool access_on;     /* default on */
	char *access_file;  /* NULL: standard output */
	enum cfg_access_format access_format; /* default json */
	char *admin_socket;         /* default /run/segue/admin.sock */
	unsigned admin_mode;        /* default 0660 */
	char *admin_group;          /* owner group of the socket, or NULL */
	struct cfg_addr admin_http; /* .text NULL: no TCP port */
	struct cfg_principal_list operate; /* besides root and our own user */
	struct cfg_principal_list view;    /* empty: whoever can connect */
	uint64_t resolve_interval_us;      /* of names: 30 s; 0: not again */
	uint64_t resolve_hold_us; /* a new address lasts so long: 10 s */
	uint64_t memory_limit;    /* bytes, CFG_MEMORY_AUTO or _OFF */
	struct cfg_store store;
	struct cfg_cluster cluster;
	uint64_t stop_us;      /* graceful stop at most: 60 s */
	uint64_t lame_duck_us; /* before: serving, but unhealthy: 0 */
	uint64_t linger_us; /* stopping: idle clients may ask once more: 3 s */
	struct cfg_page *pages;
	size_t n_pages;
	struct cfg_listener *listeners;
	size_t n_listeners;
	struct cfg_service *services;
	size_t n_services;
	/* Frees what others made of it (tls/make); NULL: nothing. */
	void (*unmake)(struct cfg *);
};

/* One line for people: "segue.yaml:14:12: listeners[0].backlog: ...". */
struct cfg_problem {
	char *text;
	bool is_warning;
};

struct cfg_problems {
	struct cfg_problem *list; /* owned */
	size_t n;
	size_t errors; /* those that are no warnings */
};

void cfg_problems_free(struct cfg_problems *);

/*
 * Reads YAML text; origin is the name shown in messages.  All problems are
 * found in one go and come in the order of the file.  E_OK with *out holding
 * one reference (there may be warnings); E_SYNTAX with *out NULL and at least
 * one error; or E_NOMEM.  cfg_problems_free() in any case.
 */
int cfg_parse(struct str text, const char *origin, struct cfg **out,
    struct cfg_problems *) MUST_CHECK;

/* A start without a file, as the arguments say it; all is borrowed. */
struct cfg_args {
	const char *const *listen; /* addresses */
	size_t n_listen;
	/* Each "NAME=HOST:PORT[,HOST:PORT...]"; all of the share is the first's. */
	const char *const *pools;
	size_t n_pools;
	const char *state_dir, *socket; /* NULL: the default of the key */
};

/*
 * The configuration of a start without a file.  Makes YAML and parses it, so that one path checks
 * everything; *yaml (may be NULL) receives the text made.  Results are those
 * of cfg_parse().
 */
int cfg_from_args(const struct cfg_args *, struct buf *yaml, struct cfg **out,
    struct cfg_problems *) MUST_CHECK;

struct cfg *cfg_ref(struct cfg *);
void cfg_unref(struct cfg **); /* frees with the last one; NULL is fine */

/* The effective configuration as YAML that cfg_parse() reads back equal. */
void cfg_dump(const struct cfg *, struct buf *out);
/* The same for people to look at: passwords that it holds are hidden. */
void cfg_dump_hiding(const struct cfg *, struct buf *out);
/* As it stands there, of one service alone. */
void cfg_dump_service(const struct cfg_service *, struct buf *out);

/*
 * Compares two configurations.  Each changed setting gives one line
 * "PATH: OLD -> NEW", passwords hidden; what a running daemon cannot take over
 * goes to *restart, the rest to *live.  Equal: both stay empty.  Listeners, services,
 * pools and instances are told apart by name ("services[sso].pools[v2]"), so
 * that their order is no change; a new or vanished one gives one line.  When
 * memory runs out live->failed is set.
 */
void cfg_diff(const struct cfg *from, const struct cfg *to, struct buf *live,
    struct buf *restart);

/*
 * Brings the listeners of c, which nobody else has yet, into the order that
 * "as" has them in.  E_STATE with a line in why for each that only one of them
 * has: sockets cannot come or go without a restart.
 */
int cfg_order_listeners(struct cfg *c, const struct cfg *as,
    struct buf *why) MUST_CHECK;

/*
 * The table of keys for manual, completion and tests, as lines of
 * "PATH\tKIND\tDEFAULT\tRANGE\tRELOAD\tHELP" in file order.
 */
void cfg_keys(struct buf *out);

/*
 * Reads "host:port", "[v6]:port", ":port" or "unix:/path"; a missing port is
 * E_SYNTAX, one out of range E_RANGE.  cfg_addr_free() when E_OK.
 */
int cfg_addr_parse(struct str, struct cfg_addr *out) MUST_CHECK;
void cfg_addr_free(struct cfg_addr *);

const struct cfg_service *cfg_service_find(const struct cfg *, struct str name);
const struct cfg_pool *cfg_pool_find(const struct cfg_service *,
    struct str name);
const struct cfg_job *cfg_job_find(const struct cfg_service *, struct str name);
/* "" for a pool that is not there. */
const char *cfg_version_of(const struct cfg_service *, struct str pool);

#endif
