/*
 * crowd - the many clients of a load driver: whom they ask, from where, until
 * when; the event loop, signals and standard input.
 *
 * Thread: everything runs on the one event loop.
 */
#ifndef LOAD_CROWD_H
#define LOAD_CROWD_H
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "contrib/load/fault.h"

struct asker;
struct crowd;
struct event;
struct event_base;
struct json_out;

/* What a driver brings: its own story. */
struct crowd_story {
	/* The pause is over: asker_request(), unless it has nothing to ask. */
	void (*ask)(struct asker *);
	/* The answer is whole; or there is none.  Both end with a pause. */
	void (*answered)(struct asker *);
	void (*failed)(struct asker *, enum fault, const char *why);
	/* A line of standard input that is not "stop". */
	void (*line)(struct crowd *, const char *line);
};

typedef void crowd_fn(struct crowd *);

#define CROWD_EVENTS_MAX 5

struct crowd {
	const struct crowd_story *story; /* borrowed */
	struct sockaddr_in target;
	const char *target_text; /* borrowed */
	uint64_t timeout_us;     /* of an answer */
	uint64_t until_us;       /* monotonic; 0: until told */
	uint32_t source_first, source_last, source_next; /* host order; first
	                                                    0: not bound */
	struct event_base *base;                         /* owned */
	struct event *events[CROWD_EVENTS_MAX];          /* owned */
	unsigned n_events;
	struct event *control; /* borrowed: standard input */
	crowd_fn *on_second;
	bool stopping;
	unsigned busy; /* askers with a request out */
	uint64_t requests, connections;
	uint64_t idle_closed; /* by the server */
};

/* "127.0.0.1:8080", and "127.1.0.1-127.1.255.254" or "none". */
bool crowd_read_target(struct crowd *, const char *text) MUST_CHECK;
bool crowd_read_sources(struct crowd *, const char *text) MUST_CHECK;
/* The next address to come from; port and address 0: any. */
struct sockaddr_in crowd_source(struct crowd *);
/* Makes the loop, or ends the program with a sentence. */
void crowd_open(struct crowd *);
void crowd_obey_input(struct crowd *); /* its end means stop */
void crowd_each_second(struct crowd *, crowd_fn *);
/* Until it is time to stop and no answer is awaited any more. */
void crowd_run(struct crowd *);
void crowd_close(struct crowd *);
void crowd_tell(const struct crowd *, struct json_out *); /* its members */

#endif
