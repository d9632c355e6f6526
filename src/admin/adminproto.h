/*
 * adminproto - what segued and segue say to each other, one row a thing.
 *
 * HTTP/1.1 over the admin socket; bodies are JSON unless said otherwise.
 * Field names end in their unit (_us, _s, _bp); times are ISO 8601 in UTC.
 * Fields may be added; what is here keeps its meaning while ADMIN_PROTOCOL
 * stays.
 *
 *   GET  /v1/version   {version, protocol, pid, started, uptime_s}
 *   GET  /v1/status    everything there is to see, see below
 *   GET  /v1/config    the effective configuration, as YAML (text); "(hidden)"
 *                      stands for values of fields and of jobs' variables
 *   GET  /v1/events    text/event-stream: those that are kept, then those that
 *                      come.  ?after=ID begins behind that event (as
 *                      Last-Event-ID does; an ID never told, from before a
 *                      restart, with the first kept one), ?last=N with the
 *                      last N kept ones, ?follow=0 ends when the kept ones are
 *                      told.  Each event's data is {id, time, type, service?,
 *                      pool?, instance?, who?, text}
 *   GET  /v1/plan      what a rollout would do: ?to=POOL&service=NAME
 *                      {service, to, mark, refused: NAME | null, message,
 *                      steps: [{step, text, limit_s | null}],
 *                      pools: [{name, state, share_bp, sessions, in_flight,
 *                      streams, ready, unready, keys, keys_hold, drains}],
 *                      outage: {step, writes_only, perhaps, at_most_s | null,
 *                      last_s | null} | null, drain: {mode, flows_us,
 *                      requests_us, streams_us}, note: SENTENCE | null};
 *                      keys_hold: no share grows while they are as they are;
 *                      drains: it would be drained; outage: a step holds requests; perhaps: on one of the ways that
 *                      a check may find; last_s: how long they were held last
 *                      time; mark: for a command that is to carry out this
 *                      plan and no other
 *   GET  /v1/pin       a session of a pool: ?to=POOL&service=NAME
 *                      {service, to, share_bp, held, cookie, cookie_tls,
 *                      value, max_age_s}; held: what of such a session is;
 *                      who shows the cookie of that value, by the other name
 *                      over TLS, is served by that pool, whatever its share.
 *                      For who may operate, over the Unix socket
 *   GET  /v1/sessions  those of a service that were seen last, by this proxy:
 *                      ?service=NAME&pool=POOL&last=N (20), or ?session=KEY
 *                      {service, now, n, lost, sessions: [{key, pool,
 *                      first_seen, last_seen, ends, order: "move" | "evict" |
 *                      null, to: POOL | null}]}; n: how many are recorded;
 *                      lost: found no room since the start; ends: its pin
 *                      does; order: given for it, and it has not come since.
 *                      For the Unix socket
 *   GET  /metrics      Prometheus text format 0.0.4
 *   GET  /healthz      204 while the control thread lives
 *   POST /v1/command   {verb, service?, pool?, instance?, address?, share?,
 *                      weight?, admin?, action?, how?, session?, all?, to?, plan?, rehearse?,
 *                      if_changed?, rerun?, when_ready?, drain?, force?,
 *                      writes?, mode?, flows?, requests?, streams?, wait?, wait_us?}
 *                      verb, admin, action and mode are the words of
 *                      rollout/machine.h and config; share is text ("10%");
 *                      flows, requests and streams are durations as text
 *                      ("30s"); plan is the mark of one, for the action
 *                      start: refused ("moved") when it would be another now.
 *                      rehearse makes a start a rehearsal; with if_changed
 *                      one to what serves already is refused ("unchanged");
 *                      with rerun, jobs that were done once are done again.
 *                      how is "move" or "evict" of the verb sessions, which
 *                      is about those of a pool, all, or session, a KEY.
 *                      Unknown keys,
 *                      and those the verb does not use, are refused; service,
 *                      force, wait and wait_us go with each verb, mode and the
 *                      three durations with a drain or a switch with drain.
 *                      200 {result: "done", generation, took_us, message,
 *                      behind?: names of proxies of the cluster that may
 *                      still serve as before}
 *                      With Accept: text/event-stream the answer is 200 at
 *                      once (but for a request that is refused before it is
 *                      tried) and events: "progress" {lasts_us, in_flight,
 *                      streams, sessions, holds} while it waits, then one
 *                      "result" whose data is {status, ...what the answer
 *                      would have been}.  Who hangs up only stops waiting.
 *   POST /v1/reload    200 {result: "done", generation, changed: [line],
 *                      restart: [line], warnings: [line]}
 *
 * Any other outcome is {error: NAME, message: SENTENCE, problems?: [line]},
 * its status by ADMIN_ERRORS; of a command that was tried with generation and
 * took_us, too.  (What is no HTTP at all gets a bare 400 or 413.)
 *
 * Over TCP nothing can be changed, /v1/config is not shown (a probe's headers
 * may hold credentials), and Host must be localhost, a loopback address or the
 * host of admin.http.
 *
 * /v1/status:
 *   {version, pid, now, started, uptime_s, workers, stopping,
 *    generation, changed_at, changed_by,
 *    state_disk: {pending_s, waiting,         the save under way; who waits
 *                 failed, saved},             since the start; of the present
 *    load: {state, memory_bytes, memory_limit, clients, shed, lame_duck},
 *                                            limit 0: no bound
 *    store: {type, state: "up" | "slow" | "down", why, text, since, refuses,
 *            threads, threads_up, queued, dropped, refused},
 *                                            of its worst thread; why it does
 *                                            not take or tell values; those
 *                                            that wait, found no place, were
 *                                            refused
 *    cluster: {name, member, role: "alone" | "follower" | "leader", leader,
 *              version, why, refused, since, members: [{name, self, role, away, lags,
 *              differs, version, silent_s, in_flight}]} | null,
 *                                            version: of the state, counted
 *                                            by Redis; a member's is what its
 *                                            workers route by
 *    accounting: {accepted, answered, ours, client, deadline, fault,
 *                 in_flight, holds},         invariant 1, over all services
 *                                            and what reached none
 *    unrouted: {reading, in_flight, ..., outcomes}    what reached no service,
 *                                            as below; reading: heads
 *    services: [{name, epoch, in_flight, retries, retries_denied,
 *      bytes_in, bytes_out, pins_bad, accounting: {as above},
 *      outcomes: {NAME: n},                  those that are not 0
 *      pending: {pool, drain} | null,        a switch that waits
 *      hold: {what: "none" | "writes" | "all", since | null, held, max,
 *             held_ever, released},          exchanges: now, since the start
 *      rollout: {id, to, stand, rehearsal, failed, where, why, holds, who,
 *                began, since, ended, left_s | null,
 *                analysis: {own, others: {requests, failed, p90_us,
 *                logins_begun, logins_done}, logins: are any counted} | null,
 *                run: {pid, ended, verdict | null, why, took_s,
 *                output} | null,             the last run of a job
 *                held_s, no_return: {step, passed} | null, version,
 *                report: {whole, counted_since, accepted, answered, ours,
 *                client, deadline, fault, in_flight, holds, refused (of ours:
 *                for want of anybody or any room), retries, held,
 *                released, moved, streams_ended: {as below}, pools: [{name,
 *                requests, failed}],
 *                piece_s, timeline: [{began, whole, pools: [{name, requests,
 *                failed}]}]},                pieces so long, the last shorter,
 *                                            of pools that there were when it
 *                                            began; not whole: a process that
 *                                            counted some of it is no more;
 *                                            since it began, up to its end;
 *                                            not whole: since counted_since
 *                past: [{id, to, version, stand, rehearsal, who, why, began,
 *                ended, held_s,
 *                accepted, fault}],          those before it, oldest first
 *                at, steps: [{step, text, skipped, lasted_s, exit?, took_s?, said?}]}
 *                | null,                     the last;
 *                                            at: the step it is at, from 0;
 *                                            since when, and for how long at
 *                                            most; where: all that as text
 *      conditions: [{type, status: "True" | "False" | "Unknown", reason,
 *                    message, lastTransitionTime | null}],
 *                                            Ready, Progressing, Degraded,
 *                                            RecreateUpdateUsed
 *      pools: [{name, state, since, share, share_bp, ready, unready, holds,
 *        in_flight, streams, sessions, sessions_new, queued, instances_n,
 *        eligible,
 *        streams_ended: {ended, closed, cut},  since the start: by themselves,
 *                                            with a Close frame, without
 *        causes: {NAME: n}, status: {"2xx": n, ...},
 *        latency: {p50_us, p90_us, p99_us, n},
 *        drain: {mode, began, requests_us, flows_us, streams_us, closed} |
 *               null,
 *        keys: {published, lacks, united, unread, age_s | null} | null,
 *                                            of jwks: its own; those of other
 *                                            pools that it lacks, all given
 *                                            all the same; paths unread
 *        instances: [{name, address, weight, health, reason, health_s, admin,
 *          ejected_s (0: it is in), ejected_why, ejections, added,
 *          in_flight, streams, requests, connections, last_status, probe_us,
 *          probes, probes_failed, connect_failed, resets, raced, failures,
 *          status: {...}, latency: {...}}]}]}]}
 *
 * Thread: any; constant.
 */
#ifndef ADMIN_ADMINPROTO_H
#define ADMIN_ADMINPROTO_H

#define ADMIN_PROTOCOL 1
#define ADMIN_SOCKET_DEFAULT "/run/segue/admin.sock"
#define ADMIN_BODY_MAX 65536 /* bytes of a request */

#define ADMIN_VERSION "/v1/version"
#define ADMIN_STATUS "/v1/status"
#define ADMIN_CONFIG "/v1/config"
#define ADMIN_EVENTS "/v1/events"
#define ADMIN_PLAN "/v1/plan"
#define ADMIN_PIN "/v1/pin"
#define ADMIN_SESSIONS "/v1/sessions"
#define ADMIN_COMMAND "/v1/command"
#define ADMIN_RELOAD "/v1/reload"
#define ADMIN_METRICS "/metrics"
#define ADMIN_HEALTH "/healthz"

/* Exit codes of segue: identifier, number, meaning. */
#define SEGUE_EXITS(X)                                                         \
	X(DONE, 0, "done")                                                     \
	X(FAILED, 1, "failed")                                                 \
	X(USAGE, 2, "wrong usage")                                             \
	X(REFUSED, 3, "refused by the present state")                          \
	X(TIMED_OUT, 4, "timed out; the action itself goes on")                \
	X(UNREACHABLE, 5, "the daemon cannot be reached")

#define X(id, number, meaning) SEGUE_EXIT_##id = (number),
enum segue_exit { SEGUE_EXITS(X) };
#undef X

/*
 * Errors that are none of rollout/machine.h's refusals: identifier, name, HTTP
 * status, exit code.  A refusal is 409 and REFUSED, but for those with a row.
 */
/* clang-format off */
#define ADMIN_ERRORS(X)                                                        \
	X(BAD_REQUEST, "bad_request", 400, USAGE)                              \
	X(BAD_VALUE, "bad_value", 400, USAGE)         /* also a refusal */     \
	X(FORBIDDEN, "forbidden", 403, FAILED)                                 \
	X(NOT_FOUND, "not_found", 404, USAGE)                                  \
	X(NO_SERVICE, "no_service", 404, USAGE)       /* also refusals */      \
	X(NO_POOL, "no_pool", 404, USAGE)                                      \
	X(NO_INSTANCE, "no_instance", 404, USAGE)                              \
	X(NO_SESSION, "no_session", 404, FAILED)                               \
	X(METHOD, "method", 405, USAGE)                                        \
	X(NOT_SERVING, "not_serving", 409, REFUSED)                            \
	X(UNCHANGED, "unchanged", 409, DONE)          /* a refusal */          \
	X(CONFIG, "config", 422, FAILED)              /* reload: bad file */   \
	X(DISK, "disk", 500, FAILED)                  /* also a refusal */     \
	X(NO_MEMORY, "no_memory", 500, FAILED)        /* also a refusal */     \
	X(INTERNAL, "internal", 500, FAILED)                                   \
	X(UNKNOWN, "unknown", 504, FAILED)            /* a refusal */          \
	X(STOPPING, "stopping", 503, FAILED)          /* also a refusal */     \
	X(BUSY, "busy", 503, FAILED)                  /* reload is under way */ \
	X(TIMED_OUT, "timed_out", 504, TIMED_OUT)
/* clang-format on */

#endif
