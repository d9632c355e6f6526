/*
 * frame - messages between our own processes over a socket pair: a kind, a
 * short text, perhaps a descriptor.
 *
 * Thread: the owner of each end.
 */
#ifndef IPC_FRAME_H
#define IPC_FRAME_H
#include <stddef.h>

#include "base/attr.h"

#define FRAME_TEXT_MAX 8192

/* One row a kind: identifier, name, who sends it and why. */
/* clang-format off */
#define FRAME_KINDS(X)                                                         \
	X(KEYS, "keys")                   /* master: fd is the key ring for the \
	                                     reload that follows */            \
	X(PAGES, "pages")                 /* master: fd holds the content of the \
	                                     pages of ... */                   \
	X(CERTS, "certs")                 /* master: ... of the certificates and \
	                                     keys of TLS of ... */             \
	X(RENEW, "renew")                 /* master: as RELOAD, of what runs and \
	                                     new certificates: nobody asked */ \
	X(RELOAD, "reload")               /* master: fd holds the new file's   \
	                                     text, or text says why it cannot */ \
	X(LOG_FILE, "log_file")           /* master: fd is the log, opened anew */ \
	X(ACCESS_FILE, "access_file")     /* master: ... the access log */     \
	X(LAME, "lame")                   /* master: serve, but say that a stop \
	                                     is near */                        \
	X(STOP, "stop")                   /* master: stop gracefully */        \
	X(QUIT, "quit")                   /* master: stop now */               \
	X(READY, "ready")                 /* network: serving */               \
	X(RELOAD_PLEASE, "reload_please") /* network: an operator asks */      \
	X(RELOADED, "reloaded")           /* network: text "" or what is wrong */ \
	X(JOB, "job")                     /* network: run that (rollout/runs.h), \
	                                     or say how it stands */           \
	X(JOB_STOP, "job_stop")           /* network: end it, if it runs */    \
	X(JOB_NEWS, "job_news")           /* master: how it stands */
/* clang-format on */

#define X(id, name) FRAME_##id,
enum frame_kind { FRAME_KINDS(X) FRAME_KIND_COUNT };
#undef X

const char *frame_kind_name(enum frame_kind);

struct frame {
	enum frame_kind kind;
	int fd;                    /* -1: none; the receiver owns it */
	char text[FRAME_TEXT_MAX]; /* NUL-terminated; cut when too long */
};

/* Both ends non-blocking and close-on-exec. */
int frame_pair(int fds[2]) MUST_CHECK;
/* E_OK, E_AGAIN (the other end does not read), E_RESET (it is gone)... */
int frame_send(int sock, enum frame_kind, const char *text, int fd) MUST_CHECK;
/*
 * E_OK, E_AGAIN (none waits), E_EOF (the other end is gone and all it sent was
 * read), E_SYNTAX (no kind of ours; go on with the next).
 */
int frame_receive(int sock, struct frame *out) MUST_CHECK;

#endif
