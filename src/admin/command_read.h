/*
 * command_read - the body of /v1/command as a struct ro_command, or all that
 * is wrong with it.
 *
 * Thread: any; pure.
 */
#ifndef ADMIN_COMMAND_READ_H
#define ADMIN_COMMAND_READ_H
#include <stdbool.h>
#include <stdint.h>

#include "admin/answer.h"
#include "base/attr.h"
#include "rollout/machine.h"

struct command_asked {
	struct ro_command cmd; /* without clocks and who */
	bool wait;
	uint64_t wait_us;
	bool mode, flows, requests, streams; /* given, each in .clocks */
	struct ro_drain clocks;
};

/*
 * False: problems has a line for each fault, which names the key, the value,
 * what is expected and the nearest name; *error is bad_value when all keys
 * and types were right, else bad_request.
 *
 * Each verb takes its own keys, besides service, pool, force, wait and
 * wait_us; those of a drain go with a switch only if its drain is true.
 */
bool command_read(struct str body, struct command_asked *out,
    enum answer_error *error, struct buf *problems) MUST_CHECK;

#endif
