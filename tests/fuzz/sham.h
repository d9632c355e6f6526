/*
 * sham - what a drive stands on, without a thread, a socket, a file or a wait:
 * time that passes when it is told to, a disk that has written by the end of
 * the turn, instances that are up when they are said to be, and names that do
 * not resolve.
 *
 * It is linked in the place of the real ones; see room.am.
 *
 * Thread: the fuzzer's own, which becomes control.
 */
#ifndef FUZZ_SHAM_H
#define FUZZ_SHAM_H
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct loop;

/* Before anything else, and between two inputs: time begins anew. */
struct loop *sham_begin(void);
/* Whoever was put off to the end of the turn runs, and what was written is. */
void sham_turn(void);
/* Time passes, and alarms that are due by then go off, each of them once. */
void sham_pass(uint64_t us);
/* From now on the disk refuses what it gets, or takes it. */
void sham_disk_fails(bool);
/* What it has taken last, or nothing; borrowed until the next one. */
struct str sham_disk(void);
/* All instances are. */
void sham_be_up(bool);

#endif
