#include "base/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"

#define MAGIC UINT64_C(0x31766a2d65756773) /* another byte order, another */
#define HASH_SEED UINT64_C(0x6a6e6c)
#define SLOT_STEP ((size_t)64 << 10)
#define MODE 0600

/* In front of the text in its slot. */
struct head {
	uint64_t magic, base, serial, len;
	uint64_t hash; /* of the four, and the text */
};

static const char blank[sizeof(struct head)];

static uint64_t
hash_of(struct str text)
{
	return hash_bytes(text.p, text.len, HASH_SEED);
}

static uint64_t
seal(const struct head *h, const char *text)
{
	return hash_bytes(text, h->len,
	    hash_bytes(h, offsetof(struct head, hash), HASH_SEED));
}

static size_t
slot_for(size_t len)
{
	size_t n = sizeof(struct head) + len + len / 2;

	return (n + SLOT_STEP - 1) / SLOT_STEP * SLOT_STEP;
}

/* ---- reading ---- */

/* The text of a slot, if it is whole and comes after the file. */
static bool
read_slot(struct str slot, uint64_t base, struct head *h, struct str *text)
{
	if (slot.len < sizeof(*h))
		return false;
	memcpy(h, slot.p, sizeof(*h));
	*text = str_sub(slot, sizeof(*h), (size_t)h->len);
	return h->magic == MAGIC && h->base == base && text->len == h->len &&
	    h->hash == seal(h, text->p);
}

static bool
is_blank(struct str slot)
{
	return slot.len >= sizeof(blank) &&
	    memcmp(slot.p, blank, sizeof(blank)) == 0;
}

/*
 * Takes over what the slots have after the file; and the slots themselves, if
 * nothing in them could be taken for what is newer.
 */
static void
follow(struct journal *j, struct str slots)
{
	size_t half = slots.len / 2;
	struct str newest = { NULL, 0 }, text;
	unsigned blanks = 0;
	struct head h;

	for (size_t i = 0; i < 2; i++) {
		struct str slot = str_sub(slots, i * half, half);

		blanks += is_blank(slot);
		if (!read_slot(slot, j->base, &h, &text) ||
		    h.serial < j->serial)
			continue;
		newest = text;
		j->serial = h.serial;
	}
	if (blanks == 2 || newest.len > 0)
		j->slot_size = half;
	if (newest.len == 0)
		return;
	j->behind = true;
	buf_reset(&j->text);
	buf_add_str(&j->text, newest);
}

static int
read_slots(const struct journal *j, size_t max, struct buf *out)
{
	int rc = file_read(j->slots, 2 * slot_for(max), out);

	/* One that is too big is none of ours. */
	return rc == E_NOENT || rc == E_TOOBIG ? E_OK : rc;
}

/* The slots first: what they lack since the file has followed, it has. */
static int
read_both(struct journal *j, size_t max)
{
	struct buf slots = BUF_INIT;
	int slots_rc = read_slots(j, max, &slots);
	int rc = file_read(j->path, max, &j->text);

	if (rc == E_OK)
		rc = slots_rc;
	if (rc == E_OK) {
		j->base = hash_of(buf_str(&j->text));
		follow(j, buf_str(&slots));
		rc = j->text.failed ? E_NOMEM : E_OK;
	}
	buf_free(&slots);
	return rc;
}

static int
name(struct journal *j, const char *path)
{
	*j = (struct journal){ .path = path, .text = BUF_INIT };
	if (asprintf(&j->slots, "%s" JOURNAL_SUFFIX, path) != -1)
		return E_OK;
	j->slots = NULL;
	return E_NOMEM;
}

int
journal_read(const char *path, size_t max, struct buf *out)
{
	struct journal j;
	int rc = name(&j, path);

	if (rc == E_OK)
		rc = read_both(&j, max);
	if (rc == E_OK)
		buf_add_str(out, buf_str(&j.text));
	journal_fini(&j);
	return rc == E_OK && out->failed ? E_NOMEM : rc;
}

int
journal_init(struct journal *j, const char *path, size_t max)
{
	int rc = name(j, path);

	if (rc == E_OK && read_both(j, max) != E_OK) {
		buf_free(&j->text);
		j->behind = false;
		j->slot_size = 0;
	}
	return rc;
}

void
journal_fini(struct journal *j)
{
	buf_free(&j->text);
	free(j->slots);
	*j = (struct journal){ .path = NULL, .text = BUF_INIT };
}

/* ---- slots ---- */

static bool
fits(const struct journal *j, size_t len)
{
	return sizeof(struct head) + len <= j->slot_size;
}

/* A descriptor or a code: somebody else may have been there. */
static int
open_slots(const struct journal *j)
{
	int fd = open(j->slots, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd == -1)
		return err_sys();
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (size_t)st.st_size == 2 * j->slot_size)
		return fd;
	close(fd);
	return E_DAMAGED;
}

static int
write_at(int fd, size_t at, struct str text)
{
	if (lseek(fd, (off_t)at, SEEK_SET) == -1)
		return err_sys();
	return file_write_all(fd, text);
}

static int
fill_slot(int fd, size_t at, struct head *h, struct str text)
{
	int rc;

	h->magic = MAGIC;
	h->len = text.len;
	h->hash = seal(h, text.p);
	rc = write_at(fd, at, str_from((const char *)h, sizeof(*h)));
	if (rc == E_OK)
		rc = file_write_all(fd, text);
	if (rc == E_OK && fdatasync(fd) == -1)
		rc = err_sys();
	return rc;
}

/* Over the older one.  What was not flushed shall not be found, either. */
static int
write_slot(struct journal *j, int fd, struct str text)
{
	struct head h = { .base = j->base, .serial = j->serial + 1 };
	size_t at = (h.serial & 1) * j->slot_size;
	int rc = fill_slot(fd, at, &h, text);

	j->behind = true;
	if (rc == E_OK) {
		j->serial = h.serial;
	} else {
		j->slot_size = 0;
		if (write_at(fd, at, str_from(blank, sizeof(blank))) != E_OK)
			(void)unlink(j->slots);
	}
	close(fd);
	return rc;
}

static int
remove_slots(struct journal *j)
{
	j->slot_size = 0;
	if (unlink(j->slots) == -1)
		return errno == ENOENT ? E_OK : err_sys();
	return file_sync_directory(j->slots);
}

static int
blank_slots(const struct journal *j)
{
	struct str head = str_from(blank, sizeof(blank));
	int fd = open_slots(j), rc;

	if (fd < 0)
		return fd;
	rc = write_at(fd, 0, head);
	if (rc == E_OK)
		rc = write_at(fd, j->slot_size, head);
	if (rc == E_OK && fdatasync(fd) == -1)
		rc = err_sys();
	close(fd);
	return rc;
}

/* Written, not only promised: later writes change nothing but bytes. */
static int
fill_with_zeros(int fd, size_t size)
{
	static const char zeros[4096];
	int rc = E_OK;

	for (size_t at = 0; rc == E_OK && at < size; at += sizeof(zeros))
		rc = file_write_all(fd, str_from(zeros, sizeof(zeros)));
	if (rc == E_OK && fsync(fd) == -1)
		rc = err_sys();
	return rc;
}

static int
make_slots(struct journal *j)
{
	size_t size = slot_for(j->text.len);
	int fd, rc = remove_slots(j);

	if (rc != E_OK)
		return rc;
	fd = open(j->slots, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, MODE);
	if (fd == -1)
		return err_sys();
	rc = fill_with_zeros(fd, 2 * size);
	if (close(fd) == -1 && rc == E_OK)
		rc = err_sys();
	if (rc == E_OK)
		rc = file_sync_directory(j->slots);
	if (rc == E_OK)
		j->slot_size = size;
	else
		(void)unlink(j->slots);
	return rc;
}

/* ---- the file ---- */

/* Nobody else has put another one there. */
static bool
file_is_ours(const struct journal *j)
{
	struct buf text = BUF_INIT;
	bool yes = file_read(j->path, SIZE_MAX, &text) == E_OK &&
	    hash_of(buf_str(&text)) == j->base;

	buf_free(&text);
	return yes;
}

/*
 * The slots come after the text that was there: they are blanked, as somebody
 * may put that back.  If it is the same one again they still count: then they
 * go, both at once.
 */
static int
undo_slots(struct journal *j, bool same)
{
	int rc;

	if (!same && j->slot_size > 0 && blank_slots(j) == E_OK)
		return E_OK;
	rc = remove_slots(j);
	return same ? rc : E_OK;
}

/* Where a full disk took no new file, the slots go on behind the old one. */
static int
replace(struct journal *j, struct str text)
{
	bool same = hash_of(text) == j->base;
	int rc = file_replace(j->path, text, MODE);

	if (rc != E_OK)
		return rc;
	j->base = hash_of(text);
	rc = undo_slots(j, same);
	j->behind = rc != E_OK;
	return rc;
}

static int
follow_up(struct journal *j)
{
	if (!j->behind)
		return E_OK;
	return file_is_ours(j) ? replace(j, buf_str(&j->text)) : E_STATE;
}

int
journal_write(struct journal *j, struct buf *text)
{
	bool slots = fits(j, text->len) && file_is_ours(j);
	int fd = slots ? open_slots(j) : E_TOOBIG, rc;

	if (fd >= 0)
		rc = write_slot(j, fd, buf_str(text));
	else
		rc = replace(j, buf_str(text));
	if (rc == E_OK) {
		buf_free(&j->text);
		j->text = *text;
		*text = BUF_INIT;
	} else {
		buf_free(text);
	}
	return rc;
}

bool
journal_is_unsettled(const struct journal *j)
{
	return j->text.len > 0 && (j->behind || !fits(j, j->text.len));
}

int
journal_settle(struct journal *j)
{
	int rc = follow_up(j);

	if (rc == E_OK && !fits(j, j->text.len))
		rc = make_slots(j);
	return rc;
}

int
journal_close(struct journal *j)
{
	return follow_up(j);
}
