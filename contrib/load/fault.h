/*
 * fault - the ways in which a request of a load driver fails.
 *
 * Thread: any.
 */
#ifndef LOAD_FAULT_H
#define LOAD_FAULT_H

/* One row a way to fail: identifier, name in reports. */
#define FAULTS(X)                                                              \
	X(CONNECT, "not_connected")                                            \
	X(RESET, "reset_before_answer")                                        \
	X(REUSED, "reused_connection_closed")                                  \
	X(CUT, "cut_within_answer")                                            \
	X(TIMEOUT, "no_answer_in_time")                                        \
	X(SERVER, "status_5xx")                                                \
	X(STATUS, "unexpected_status")                                         \
	X(MALFORMED, "malformed_answer")                                       \
	X(CONTENT, "answer_lacks_content")                                     \
	X(FOREIGN, "answer_of_another_request")

#define X(id, name) FAULT_##id,
enum fault { FAULTS(X) FAULT_COUNT };
#undef X

#endif
