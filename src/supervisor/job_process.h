/*
 * job_process - the process of a job, from fork(2) to execve(2).
 *
 * Thread: the master's only one.
 */
#ifndef SUPERVISOR_JOB_PROCESS_H
#define SUPERVISOR_JOB_PROCESS_H
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"

struct cfg_job;
struct privs;
struct run_ask;

/*
 * Runs words[n]: a program's path and its arguments.
 *
 * socket  of the admin, as it is told; absolute
 * privs   who it is, unless the job says who
 * *out    gets what it writes, to both of its streams; non-blocking, owned by
 *         the caller
 * returns E_OK, or a code with a sentence in why[cap].  A program that cannot
 *         be run says so in *out and ends with 127
 */
int job_process_start(const struct cfg_job *, char *const *words, size_t n,
    const struct run_ask *, const char *socket, const struct privs *,
    pid_t *pid, int *out, char *why, size_t cap) MUST_CHECK;

#endif
