/*
 * compat_files - files that "segue compat files" watches.
 *
 * Thread: main; blocks on the disk.
 */
#ifndef SEGUE_COMPAT_FILES_H
#define SEGUE_COMPAT_FILES_H

struct run;

/* Beside the exit codes of "compat check": nobody has looked into a change. */
#define COMPAT_EXIT_CHANGED 5

/*
 * Compares the files, between commas, with what was recorded of them in the
 * file of option --seen, or, with --record, records them.  The exit code.
 */
int compat_files(struct run *, const char *list);

#endif
