#include "supervisor/privs.h"

#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "config/config.h"

/* The number itself, or that of the name. */
static int
group_of(const char *name, gid_t *out)
{
	const struct group *g = getgrnam(name);
	uint64_t n;

	if (g != NULL)
		*out = g->gr_gid;
	else if (str_u64(str_of(name), &n) && n < UINT32_MAX)
		*out = (gid_t)n;
	else
		return E_NOENT;
	return E_OK;
}

int
privs_find(const struct cfg *cfg, struct privs *out, char *why, unsigned cap)
{
	const struct passwd *pw;
	uint64_t n;

	*out = (struct privs){ getuid(), getgid(), 0 };
	if (getuid() != 0 || (cfg->user == NULL && cfg->group == NULL))
		return E_OK;
	if (cfg->user != NULL) {
		pw = getpwnam(cfg->user);
		if (pw == NULL && str_u64(str_of(cfg->user), &n) &&
		    n < UINT32_MAX)
			pw = getpwuid((uid_t)n);
		if (pw == NULL) {
			(void)snprintf(why, cap, "user: there is no user %s",
			    cfg->user);
			return E_NOENT;
		}
		out->uid = pw->pw_uid;
		out->gid = pw->pw_gid;
	}
	if (cfg->group != NULL && group_of(cfg->group, &out->gid) != E_OK) {
		(void)snprintf(why, cap, "group: there is no group %s",
		    cfg->group);
		return E_NOENT;
	}
	out->change = 1;
	return E_OK;
}

int
privs_drop(const struct privs *p)
{
	if (!p->change)
		return E_OK;
	if (setgroups(1, &p->gid) == -1 ||
	    setresgid(p->gid, p->gid, p->gid) == -1 ||
	    setresuid(p->uid, p->uid, p->uid) == -1)
		return err_sys();
	/* It must not be possible to go back. */
	if (p->uid != 0 && setuid(0) != -1)
		return E_INTERNAL;
	return E_OK;
}

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#endif

/* gcc says it with macros, clang with features. */
#ifdef __has_feature
#define FEATURE(f) __has_feature(f)
#else
#define FEATURE(f) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||           \
    FEATURE(address_sanitizer) || FEATURE(thread_sanitizer) ||                 \
    !defined(OUR_ARCH)
int
privs_forbid_fork(void)
{
	return E_OK; /* the sanitizers' own helpers are processes */
}
#else
#define DENY BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define LOAD(field)                                                            \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define SKIP_UNLESS(number, n)                                                 \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, (n))

int
privs_forbid_fork(void)
{
	/* Threads may be made, processes and other programs not. */
	struct sock_filter rules[] = {
		LOAD(arch),
		SKIP_UNLESS(OUR_ARCH, 1),
		LOAD(nr),
#ifdef SYS_fork
		SKIP_UNLESS(SYS_fork, 1),
		DENY,
		SKIP_UNLESS(SYS_vfork, 1),
		DENY,
#endif
		SKIP_UNLESS(SYS_execve, 1),
		DENY,
		SKIP_UNLESS(SYS_execveat, 1),
		DENY,
		/* its flags are behind a pointer: libc falls back to clone */
		SKIP_UNLESS(SYS_clone3, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		SKIP_UNLESS(SYS_clone, 3),
		LOAD(args[0]),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0),
		DENY,
		ALLOW,
	};
	struct sock_fprog program = { ARRAY_LEN(rules), rules };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == -1)
		return err_sys();
	return E_OK;
}
#endif
