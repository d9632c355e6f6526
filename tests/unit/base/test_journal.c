/* A file and its journal: what is found after each way to go down. */
#include "base/journal.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "fault.h"
#include "scratch.h"

#define TEXT_MAX ((size_t)1 << 20)
#define SLOTS "state" JOURNAL_SUFFIX

static char path[256];
static struct journal j;

static void
open_it(void)
{
	cr_assert_eq(journal_init(&j, path, TEXT_MAX), E_OK);
}

static void
begin(void)
{
	scratch_begin();
	(void)snprintf(path, sizeof(path), "%s", scratch_path("state"));
	open_it();
}

static void
end(void)
{
	fault_arm(FAULT_FSYNC, 0, 0);
	fault_arm(FAULT_WRITE, 0, 0);
	journal_fini(&j);
	scratch_end();
}

TestSuite(journal, .init = begin, .fini = end, .timeout = 20);

static int
put(const char *text)
{
	struct buf b = BUF_INIT;
	int rc;

	buf_add_cstr(&b, text);
	rc = journal_write(&j, &b);
	cr_expect_eq(b.len, 0u, "it was taken");
	buf_free(&b);
	return rc;
}

/* What a start would find; free() it. */
static char *
found(void)
{
	struct buf b = BUF_INIT;

	cr_assert_eq(journal_read(path, TEXT_MAX, &b), E_OK);
	return buf_take(&b);
}

static void
expect_found(const char *want, const char *why)
{
	char *got = found();

	cr_expect_str_eq(got, want, "%s", why);
	free(got);
}

static void
expect_file(const char *want)
{
	size_t len;
	char *got = scratch_read("state", &len);

	cr_expect_str_eq(got, want);
	free(got);
}

/* A file and slots; what follows goes there. */
static void
settled(const char *text)
{
	cr_assert_eq(put(text), E_OK);
	cr_assert(journal_is_unsettled(&j));
	cr_assert_eq(journal_settle(&j), E_OK);
	cr_assert_not(journal_is_unsettled(&j));
}

/* As if the process was killed, and another one came. */
static void
killed(void)
{
	journal_fini(&j);
	open_it();
}

/* ---- the price ---- */

Test(journal, one_flush_and_no_name)
{
	unsigned flushes, names;

	settled("first");
	flushes = fault_calls(FAULT_FSYNC);
	names = fault_calls(FAULT_RENAME);
	for (int i = 0; i < 5; i++) {
		char text[16];

		(void)snprintf(text, sizeof(text), "text %d", i);
		cr_expect_eq(put(text), E_OK);
		expect_found(text, "the newest, from either slot");
	}
	cr_expect_eq(fault_calls(FAULT_FSYNC) - flushes, 5u);
	cr_expect_eq(fault_calls(FAULT_RENAME) - names, 0u);
	expect_file("first");
	cr_expect_eq(journal_settle(&j), E_OK);
	expect_file("text 4");
}

Test(journal, slots_keep_their_length)
{
	struct stat before, after;

	settled("first");
	cr_assert_eq(stat(scratch_path(SLOTS), &before), 0);
	cr_expect_eq(put("a longer text than the first one"), E_OK);
	cr_expect_eq(put("x"), E_OK);
	cr_assert_eq(stat(scratch_path(SLOTS), &after), 0);
	cr_expect_eq(before.st_size, after.st_size);
	cr_expect_eq(before.st_ino, after.st_ino);
	cr_expect_eq(after.st_mode & 0777, 0600u);
	expect_found("x", "nothing of the longer one is left");
}

Test(journal, what_does_not_fit_replaces_the_file)
{
	size_t len = (size_t)200 << 10;
	char *big = malloc(len + 1);

	cr_assert_not_null(big);
	memset(big, 'b', len);
	big[len] = '\0';
	settled("small");
	cr_expect_eq(put("small, too"), E_OK);
	cr_expect_eq(put(big), E_OK);
	expect_file(big);
	expect_found(big, "at once");
	cr_expect(journal_is_unsettled(&j), "the slots are too small");
	cr_expect_eq(journal_settle(&j), E_OK);
	big[7] = 'c';
	cr_expect_eq(put(big), E_OK);
	expect_found(big, "in a slot");
	big[7] = 'b';
	expect_file(big);
	free(big);
}

/* ---- a crash ---- */

/* Of both slots, as the new bytes begin both: the first of them came to the
 * disk, or the last. */
static const char *
cut(const char *before, const char *after, char *mix, size_t len, size_t at,
    bool first)
{
	for (size_t i = 0; i < 2; i++) {
		size_t slot = i * len / 2, n = first ? at : len / 2 - at;

		memcpy(mix + slot, before + slot, len / 2);
		memcpy(mix + slot + (first ? 0 : at),
		    after + slot + (first ? 0 : at), n);
	}
	scratch_write(SLOTS, str_from(mix, len));
	return first ? "the first of them" : "the last of them";
}

/* However many of the new bytes came to the disk: the old text or the new. */
Test(journal, cut_at_every_byte)
{
	size_t len, same, was = 0, is = 0;
	char *before, *after, *mix;

	settled("first");
	cr_assert_eq(put("the second text"), E_OK);
	cr_assert_eq(put("the text before it"), E_OK);
	before = scratch_read(SLOTS, &len);
	cr_assert_eq(put("what was being written"), E_OK);
	after = scratch_read(SLOTS, &same);
	cr_assert_eq(len, same);
	mix = malloc(len);
	cr_assert_not_null(mix);
	for (size_t at = 0; at <= 2 * 128; at++) {
		const char *how = cut(before, after, mix, len, at / 2, at % 2);
		char *got = found();
		bool new = strcmp(got, "what was being written") == 0;

		cr_expect(new || strcmp(got, "the text before it") == 0,
		    "%s, %zu: %s", how, at / 2, got);
		was += !new;
		is += new;
		free(got);
	}
	cr_expect_gt(was, 2 * strlen("what was being written"));
	cr_expect_gt(is, 64u);
	free(before);
	free(after);
	free(mix);
}

Test(journal, who_comes_after_finds_it)
{
	settled("first");
	cr_expect_eq(put("second"), E_OK);
	killed();
	expect_found("second", "before anything is written");
	cr_expect_eq(put("third"), E_OK);
	expect_found("third", "the file was replaced");
	killed();
	expect_found("third", "what the slots had is over");
	cr_expect_eq(journal_settle(&j), E_OK);
	cr_expect_eq(put("fourth"), E_OK);
	killed();
	cr_expect(journal_is_unsettled(&j));
	cr_expect_eq(journal_settle(&j), E_OK);
	expect_file("fourth");
}

/* Renames and flushes that it takes to write one. */
static void
expect_price(const char *text, unsigned names, unsigned flushes)
{
	unsigned n = fault_calls(FAULT_RENAME), f = fault_calls(FAULT_FSYNC);

	cr_expect_eq(put(text), E_OK);
	cr_expect_eq(fault_calls(FAULT_RENAME) - n, names, "%s", text);
	cr_expect_eq(fault_calls(FAULT_FSYNC) - f, flushes, "%s", text);
	expect_found(text, "written");
}

Test(journal, who_comes_after_takes_the_slots_over)
{
	settled("first");
	killed();
	cr_expect_not(journal_is_unsettled(&j), "both are blank");
	expect_price("second", 0, 1);
	killed();
	expect_price("third", 0, 1);
	killed();
	expect_found("third", "from the other slot");
	cr_expect_eq(journal_close(&j), E_OK);
	expect_file("third");
	killed();
	expect_price("fourth", 0, 1);
}

Test(journal, slots_of_another_file_are_not_taken_over)
{
	settled("first");
	cr_expect_eq(put("second"), E_OK);
	scratch_write("state", STR("another"));
	killed();
	cr_expect(journal_is_unsettled(&j));
	expect_price("third", 1, 3);
	scratch_write("state", STR("first"));
	expect_found("first", "they are gone");
}

/* It was read at the start; once more it could not be. */
Test(journal, what_could_not_be_read_is_left_there)
{
	char away[256];

	settled("first");
	cr_expect_eq(put("second"), E_OK);
	(void)snprintf(away, sizeof(away), "%s", scratch_path("away"));
	cr_assert_eq(rename(scratch_path(SLOTS), away), 0);
	cr_assert_eq(mkdir(scratch_path(SLOTS), 0700), 0);
	killed();
	cr_assert_eq(rmdir(scratch_path(SLOTS)), 0);
	cr_assert_eq(rename(away, scratch_path(SLOTS)), 0);
	cr_expect_not(journal_is_unsettled(&j));
	cr_expect_eq(journal_close(&j), E_OK);
	expect_found("second", "still");
}

/* One that ends slowly does not write over what the next one has written. */
Test(journal, of_two_the_later_one_counts)
{
	struct journal earlier;

	settled("first");
	cr_expect_eq(put("second"), E_OK);
	earlier = j;
	open_it();
	cr_expect_eq(journal_settle(&j), E_OK);
	cr_expect_eq(put("third"), E_OK);
	cr_expect_eq(journal_settle(&earlier), E_STATE);
	cr_expect_eq(journal_close(&earlier), E_STATE);
	expect_found("third", "of the later one");
	journal_fini(&earlier);
}

/* ---- others ---- */

Test(journal, the_file_counts)
{
	settled("first");
	cr_expect_eq(put("second"), E_OK);
	scratch_write("state", STR("of somebody else"));
	expect_found("of somebody else", "the journal is not its");
	scratch_write("state", STR("first"));
	expect_found("second", "it is again");
	cr_assert_eq(unlink(path), 0);
	cr_expect_eq(journal_read(path, TEXT_MAX,
	                 &(struct buf){ NULL, 0, 0, 0 }),
	    E_NOENT);
}

Test(journal, an_old_copy_is_put_back)
{
	settled("first");
	cr_expect_eq(put("second"), E_OK);
	cr_expect_eq(journal_settle(&j), E_OK);
	scratch_write("state", STR("first"));
	expect_found("first", "its slots were undone");
	expect_price("third", 1, 3);
	killed();
	cr_expect_eq(put("fourth"), E_OK);
	cr_expect_eq(put("first"), E_OK);
	expect_found("first", "none of the slots is of now");
}

/* The same bytes again, as when a change is taken back: what came between is
 * gone as a whole, not one slot after the other. */
Test(journal, the_text_of_the_file_again)
{
	struct stat st;
	int fd;

	settled("first");
	cr_expect_eq(put("taken back"), E_OK);
	cr_expect_eq(put("first"), E_OK);
	fd = open(scratch_path(SLOTS), O_RDONLY);
	cr_assert_geq(fd, 0);
	cr_expect_eq(journal_settle(&j), E_OK);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_expect_eq(st.st_nlink, 0u);
	close(fd);
	expect_found("first", "settled");
	expect_price("second", 0, 1);
}

Test(journal, slots_that_are_not_ours)
{
	static const char *const texts[] = { "", "x", "hello\n" };

	settled("first");
	cr_expect_eq(put("second"), E_OK);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		scratch_write(SLOTS, str_of(texts[i]));
		expect_found("first", texts[i]);
	}
	cr_expect_eq(put("third"), E_OK);
	expect_file("third");
	expect_found("third", "in the file, as the slots are gone");
	cr_expect_eq(journal_settle(&j), E_OK);
	cr_assert_eq(unlink(scratch_path(SLOTS)), 0);
	cr_expect_eq(put("fourth"), E_OK);
	expect_file("fourth");
	cr_assert_eq(mkdir(scratch_path(SLOTS), 0700), 0);
	cr_expect_eq(journal_read(path, TEXT_MAX,
	                 &(struct buf){ NULL, 0, 0, 0 }),
	    E_IO, "it may have had something");
	cr_assert_eq(rmdir(scratch_path(SLOTS)), 0);
}

Test(journal, garbage_of_any_length)
{
	char junk[400];

	settled("first");
	memset(junk, 's', sizeof(junk));
	memcpy(junk, "sgue-jv1", 8);
	for (size_t len = 0; len <= sizeof(junk); len++) {
		scratch_write(SLOTS, str_from(junk, len));
		expect_found("first", "junk");
	}
}

/* The room stays there; who has nothing to write asks nothing of the disk. */
Test(journal, closed)
{
	unsigned flushes;

	settled("first");
	cr_expect_eq(put("second"), E_OK);
	cr_expect_eq(journal_close(&j), E_OK);
	expect_file("second");
	cr_expect_eq(scratch_files(), 2u);
	flushes = fault_calls(FAULT_FSYNC);
	cr_expect_eq(journal_close(&j), E_OK);
	killed();
	cr_expect_eq(journal_close(&j), E_OK);
	cr_expect_eq(fault_calls(FAULT_FSYNC), flushes);
}

Test(journal, without_a_file)
{
	cr_expect_not(journal_is_unsettled(&j));
	cr_expect_eq(journal_close(&j), E_OK);
	cr_expect_eq(scratch_files(), 0u);
}

/* ---- a disk that fails ---- */

/* Refused, and what was before is there again once something can be written:
 * so however often it fails, and at whatever flush. */
Test(journal, what_was_refused_does_not_come_back)
{
	for (unsigned n = 1; n <= 6; n++) {
		int rc;

		settled("kept");
		cr_assert_eq(put("kept, in a slot"), E_OK);
		fault_arm(FAULT_FSYNC, 1, EIO);
		cr_expect_eq(put("refused"), E_IO);
		expect_found("kept, in a slot", "at once");
		fault_arm(FAULT_FSYNC, n, EIO);
		rc = put("kept, in a slot");
		fault_arm(FAULT_FSYNC, 0, 0);
		if (rc != E_OK) {
			cr_expect_eq(put("kept, in a slot"), E_OK, "%u", n);
		}
		expect_found("kept, in a slot", "taken back");
		expect_file("kept, in a slot"); /* slots that failed rest */
		killed();
		expect_found("kept, in a slot", "for who comes after, too");
	}
}

/* What is acknowledged is found whichever flush of the settling fails. */
Test(journal, a_settling_that_fails_loses_nothing)
{
	for (unsigned n = 1; n <= 6; n++) {
		int rc;

		settled("first");
		cr_assert_eq(put("second"), E_OK);
		fault_arm(FAULT_FSYNC, n, ENOSPC);
		rc = journal_settle(&j);
		fault_arm(FAULT_FSYNC, 0, 0);
		cr_expect(n > 2 || rc == E_FULL, "%u: %s", n, err_name(rc));
		expect_found("second", "after it");
		cr_expect_eq(put("third"), E_OK);
		expect_found("third", "the next one");
		killed();
	}
}

/* No room for a new file; the slots have theirs. */
Test(journal, a_full_disk_takes_what_fits_the_slots)
{
	unsigned names;

	settled("first");
	cr_assert_eq(put("second"), E_OK);
	fault_arm(FAULT_WRITE, 1, ENOSPC);
	cr_expect_eq(journal_settle(&j), E_FULL);
	cr_expect(journal_is_unsettled(&j));
	names = fault_calls(FAULT_RENAME);
	cr_expect_eq(put("third"), E_OK);
	cr_expect_eq(put("fourth"), E_OK);
	cr_expect_eq(fault_calls(FAULT_RENAME), names);
	expect_file("first");
	expect_found("fourth", "in a slot");
	fault_arm(FAULT_WRITE, 1, ENOSPC);
	cr_expect_eq(journal_close(&j), E_FULL);
	expect_found("fourth", "for the next start");
	killed();
	fault_arm(FAULT_WRITE, 1, ENOSPC);
	cr_expect_eq(journal_settle(&j), E_FULL);
	cr_expect_eq(put("fifth"), E_OK);
	expect_found("fifth", "of the next one");
	cr_expect_eq(journal_settle(&j), E_OK);
	expect_file("fifth");
}

Test(journal, a_short_write_goes_on)
{
	settled("first");
	fault_short(5);
	cr_expect_eq(put("a text of more than five bytes"), E_OK);
	fault_short(0);
	expect_found("a text of more than five bytes", "all of it");
}

Test(journal, no_memory)
{
	for (unsigned n = 1; n <= 8; n++) {
		struct buf text = BUF_INIT;
		int rc;

		settled("kept");
		buf_add_cstr(&text, "new");
		fault_arm(FAULT_REALLOC, n, ENOMEM);
		fault_arm(FAULT_MALLOC, n, ENOMEM);
		rc = journal_write(&j, &text);
		fault_arm(FAULT_REALLOC, 0, 0);
		fault_arm(FAULT_MALLOC, 0, 0);
		cr_expect(rc == E_OK || rc == E_NOMEM, "%s", err_name(rc));
		expect_found(rc == E_OK ? "new" : "kept", err_name(rc));
	}
}
