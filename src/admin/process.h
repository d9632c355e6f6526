/*
 * process - what the kernel says of this process.
 *
 * Thread: any; reads /proc.
 */
#ifndef ADMIN_PROCESS_H
#define ADMIN_PROCESS_H
#include <stdint.h>

/* What cannot be read is 0. */
struct process_facts {
	uint64_t resident_bytes, virtual_bytes;
	uint64_t open_fds, max_fds;
	uint64_t cpu_us; /* user and system, all threads */
};

void process_look(struct process_facts *out);

#endif
