#include "admin/process.h"

#include <dirent.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"

/* "TOTAL RESIDENT ..." in pages, proc(5). */
static void
look_at_memory(struct process_facts *p)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), total, resident;
	struct buf b = BUF_INIT;
	struct str rest;

	if (file_read("/proc/self/statm", 4096, &b) == E_OK) {
		rest = buf_str(&b);
		if (str_u64(str_split(&rest, ' '), &total) &&
		    str_u64(str_split(&rest, ' '), &resident)) {
			p->virtual_bytes = total * page;
			p->resident_bytes = resident * page;
		}
	}
	buf_free(&b);
}

static void
look_at_fds(struct process_facts *p)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *e;
	struct rlimit limit;

	if (dir != NULL) {
		while ((e = readdir(dir)) != NULL)
			p->open_fds += e->d_name[0] != '.';
		p->open_fds--; /* the one we look through */
		closedir(dir);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		p->max_fds = limit.rlim_cur;
}

static uint64_t
us_of(const struct timeval *tv)
{
	return (uint64_t)tv->tv_sec * US_PER_S + (uint64_t)tv->tv_usec;
}

void
process_look(struct process_facts *out)
{
	struct rusage usage;

	memset(out, 0, sizeof(*out));
	look_at_memory(out);
	look_at_fds(out);
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		out->cpu_us = us_of(&usage.ru_utime) + us_of(&usage.ru_stime);
}
