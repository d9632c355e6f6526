/*
 * journal - a file that is replaced as a whole, at the price of one flush.
 *
 * file_replace() waits twice for the file system's own log: for the bytes and
 * for the name.  A journal is a second file beside the first, PATH.journal, of
 * two slots that keep their place and size: a text is written over the older
 * of the two and flushed, and nothing else need reach the disk.  The file
 * itself follows when there is time.
 *
 * A slot says by hash which text of the file it comes after.  So the file is
 * what counts: one that was put there by somebody else, or taken away, leaves
 * the journal without a meaning.  A text that a crash cut in its slot has the
 * wrong hash, and the other slot, or the file, is what was there before it.
 * When the file has followed, the slots are undone on disk before the next text
 * goes there: the file may get a text again that it had before.
 *
 * Of two processes the later one counts: who finds that the file is not as he
 * left it does not settle any more.
 *
 * Thread: any, one at a time; may block on the disk.
 */
#ifndef BASE_JOURNAL_H
#define BASE_JOURNAL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

#define JOURNAL_SUFFIX ".journal"

struct journal {
	const char *path; /* of the file; borrowed */
	char *slots;      /* path of the journal; owned */
	struct buf text;  /* the newest */
	uint64_t base;    /* the hash of the file's text */
	uint64_t serial;  /* of the newest slot */
	size_t slot_size; /* 0: the file must be replaced */
	bool behind;      /* the file is older than the text */
};

/*
 * Appends what is newest: the file, or what its journal has after it.  Changes
 * nothing.  E_NOENT when there is no file, whatever the journal has; as
 * file_read(), of both.  Another process may write meanwhile.
 */
int journal_read(const char *path, size_t max, struct buf *out) MUST_CHECK;

/*
 * Begins with what is there; path is borrowed.  A file of more than max bytes,
 * or that cannot be read, is one that will be replaced.
 */
int journal_init(struct journal *, const char *path, size_t max) MUST_CHECK;
/* All zeros is fine; leaves the files as they are. */
void journal_fini(struct journal *);

/*
 * On disk when it returns, in a slot or, where there is none that fits, in the
 * file.  Takes the text, leaves an empty buf.  As file_replace().  After an
 * error the old text is found, or this one: where only the last flush failed,
 * where even blanks cannot be written, or after a crash of the machine; until
 * one is written well.
 */
int journal_write(struct journal *, struct buf *text) MUST_CHECK;

/* Is there something for journal_settle()? */
bool journal_is_unsettled(const struct journal *);
/*
 * The file has the newest text, and there are slots for texts that are half as
 * long again.  On error nothing is lost: the slots go on, or the next text
 * replaces the file.  E_STATE: the file is not as it was left, or is gone.
 */
int journal_settle(struct journal *) MUST_CHECK;
/* The file has the newest text; the slots keep their room.  As above. */
int journal_close(struct journal *) MUST_CHECK;

#endif
