/*
 * master_int - what the files of the master share; supervisor/ only.
 *
 * Thread: the master's only one.
 */
#ifndef SUPERVISOR_MASTER_INT_H
#define SUPERVISOR_MASTER_INT_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "ipc/frame.h"
#include "supervisor/backoff.h"
#include "supervisor/doors.h"
#include "supervisor/privs.h"

struct board;
struct cfg;
struct jobs;
struct keyring;
struct source;

struct master {
	const struct source *source;
	struct cfg *started;  /* one ref: the doors are its */
	struct cfg *cfg;      /* one ref: the newest taken over */
	struct cfg *next_cfg; /* one ref: being taken over */
	struct keyring *ring; /* one ref */
	struct keyring *next_ring;
	struct buf store_password; /* wiped; .p NULL: none */
	uint64_t driver;           /* random: no other master has it */
	struct privs privs;
	struct doors doors;
	struct board *board;
	struct jobs *jobs;
	uint64_t jobs_us; /* monotonic: look at jobs then; 0: no need */
	struct backoff backoff;
	struct frame frame;
	uint64_t started_wall_us;
	int signals; /* signalfd */
	int link;    /* our end of the frames; -1: no process */
	pid_t child; /* 0: none */
	uint64_t child_since_us;
	uint64_t restart_us; /* monotonic: start one then; 0: no need */
	uint64_t kill_us;    /* monotonic: patience ends; 0: no stop */
	uint64_t lame_us;    /* monotonic: stop then; 0: no lame duck */
	uint64_t look_us;    /* monotonic: look at certificates then; 0: none */
	uint64_t certs_seen; /* their stamp when last looked at */
	uint64_t certs_tried; /* the one that was last passed on */
	char before[64];      /* how the last one ended */
	unsigned crashes;     /* before it was ever ready */
	bool ever_ready;
	bool stopping;
	bool stop_now; /* ... and waits for no job */
	int status;    /* of the exit */
};

/* ---- master.c ---- */
/* To the network process, if there is one; fd stays the caller's. */
void master_tell(struct master *, enum frame_kind, const char *text, int fd);

/* ---- master_reload.c ---- */
/* Reads all anew and passes it on; the network process decides. */
void master_reload(struct master *);
/* It has decided: for what was passed on, or against it. */
void master_take_next(struct master *);
void master_forget_next(struct master *);
void master_reopen_logs(struct master *);
/* Content of a file for the network process; kind says which. */
int master_pass_text(struct master *, enum frame_kind,
    struct str text) MUST_CHECK;
/* Those of next_cfg. */
int master_pass_pages(struct master *) MUST_CHECK;
/* The certificates of next_cfg, if there are any; wipes them here. */
int master_pass_certs(struct master *) MUST_CHECK;

/* ---- master_renew.c ---- */
/* Is it time to look whether certificates changed on disk?  Then does. */
void master_look(struct master *, uint64_t now_us);

#endif
