/* The embedded store: its bounds, its clock, its file, its threads. */
#include "store/shelf.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/err.h"
#include "store/store.h"
#include "tests/unit/base/scratch.h"

#define BYTES (1u << 16)
#define MONO_US (1000 * US_PER_S)
#define WALL_US (UINT64_C(1700000000) * US_PER_S)
#define WALL_MS (WALL_US / US_PER_MS)

static struct shelf *
make(size_t bytes)
{
	struct shelf *s = shelf_new(bytes);

	cr_assert_not_null(s);
	return s;
}

static bool
put(struct shelf *s, const char *key, const char *value, uint64_t ttl_ms)
{
	return shelf_put(s, str_of(key), str_of(value), ttl_ms, false);
}

/* The value, or NULL. */
static const char *
get(struct shelf *s, const char *key)
{
	static char out[STORE_VALUE_MAX + 1];
	ptrdiff_t len = shelf_get(s, str_of(key), out, sizeof(out) - 1);

	if (len == -1)
		return NULL;
	cr_assert(len < (ptrdiff_t)sizeof(out));
	out[len] = '\0';
	return out;
}

static void
expect(struct shelf *s, const char *key, const char *value)
{
	const char *got = get(s, key);

	if (value == NULL)
		cr_expect_null(got, "%s", key);
	else
		cr_expect(got != NULL && strcmp(got, value) == 0, "%s: %s", key,
		    got == NULL ? "none" : got);
}

static void
advance_ms(uint64_t ms)
{
	clock_fake(clock_mono_us() + ms * US_PER_MS,
	    clock_wall_us() + ms * US_PER_MS);
}

/* ---- what is there ---- */

Test(shelf, set_keep_and_drop)
{
	struct shelf *s = make(BYTES);

	expect(s, "a", NULL);
	cr_expect(put(s, "a", "1", 1000));
	expect(s, "a", "1");
	cr_expect(put(s, "a", "longer", 1000));
	expect(s, "a", "longer");
	cr_expect(shelf_put(s, STR("a"), STR("kept"), 1000, true));
	expect(s, "a", "longer");
	cr_expect(shelf_put(s, STR("b"), STR("new"), 1000, true));
	expect(s, "b", "new");
	cr_expect_eq(shelf_count(s), 2u);
	shelf_drop(s, STR("a"));
	shelf_drop(s, STR("a"));
	expect(s, "a", NULL);
	cr_expect_eq(shelf_count(s), 1u);
	shelf_free(&s);
	cr_expect_null(s);
	shelf_free(&s);
}

Test(shelf, as_much_as_there_is_place_for)
{
	struct shelf *s = make(BYTES);
	char out[8] = "-------";

	cr_expect(put(s, "a", "12345", 1000));
	cr_expect_eq(shelf_get(s, STR("a"), out, 3), 5);
	cr_expect_str_eq(out, "123----");
	cr_expect_eq(shelf_get(s, STR("a"), out, 0), 5);
	cr_expect_eq(shelf_get(s, STR("b"), out, sizeof(out)), -1);
	cr_expect_str_eq(out, "123----");
	shelf_free(&s);
}

Test(shelf, what_ends)
{
	struct shelf *s = make(BYTES);

	clock_fake(MONO_US, WALL_US);
	cr_expect(put(s, "ms", "1", 1));
	cr_expect(put(s, "s", "2", 1000));
	cr_expect(shelf_put(s, STR("s"), STR("3"), 5000, true));
	expect(s, "ms", "1");
	advance_ms(1);
	expect(s, "ms", NULL);
	advance_ms(998);
	expect(s, "s", "2");
	/* The wall clock has no say in it. */
	clock_fake(clock_mono_us(), WALL_US * 2);
	expect(s, "s", "2");
	advance_ms(1);
	expect(s, "s", NULL);
	cr_expect_eq(shelf_count(s), 0u, "what was asked for is gone");
	cr_expect(shelf_put(s, STR("s"), STR("4"), 1000, true), "nothing kept");
	expect(s, "s", "4");
	cr_expect(put(s, "s", "5", 3000));
	advance_ms(2000);
	expect(s, "s", "5");
	shelf_free(&s);
}

/* ---- bounds ---- */

static void
put_number(struct shelf *s, unsigned i)
{
	char key[16];

	(void)snprintf(key, sizeof(key), "%u", i);
	cr_assert(put(s, key, key, 1000000));
}

static bool
has_number(struct shelf *s, unsigned i)
{
	char key[16];

	(void)snprintf(key, sizeof(key), "%u", i);
	return get(s, key) != NULL;
}

Test(shelf, the_oldest_goes)
{
	struct shelf *s = make(BYTES);
	unsigned n = 5000, left;

	for (unsigned i = 0; i < n; i++)
		put_number(s, i);
	left = (unsigned)shelf_count(s);
	cr_expect(left > 100 && left < BYTES / 64, "%u", left);
	for (unsigned i = 0; i < n; i++)
		cr_expect_eq(has_number(s, i), i >= n - left, "%u", i);
	/* Put anew it is young; kept, or asked for, it is not. */
	put_number(s, n - left);
	cr_expect(shelf_put(s, STR("4999"), STR("x"), 1, true));
	put_number(s, n);
	cr_expect(has_number(s, n - left));
	cr_expect_not(has_number(s, n - left + 1));
	cr_expect(has_number(s, n - left + 2));
	cr_expect_eq(shelf_count(s), left);
	shelf_free(&s);
}

Test(shelf, what_has_no_place)
{
	static char big[2 * BYTES];
	struct shelf *s = make(BYTES);
	struct str value = { big, sizeof(big) };

	memset(big, 'v', sizeof(big));
	cr_expect(put(s, "a", "1", 1000));
	cr_expect_not(shelf_put(s, STR("b"), value, 1000, false));
	expect(s, "a", "1");
	expect(s, "b", NULL);
	cr_expect(shelf_put(s, STR("a"), value, 1000, true), "it stays");
	/* What it needs around it counts, too. */
	cr_expect_not(shelf_put(s, STR("b"), str_from(big, BYTES / 2 - 1), 1000,
	    false));
	expect(s, "a", "1");
	value.len = BYTES / 2 - 512;
	cr_expect(shelf_put(s, STR("b"), value, 1000, false));
	cr_expect_eq(shelf_get(s, STR("b"), big, 0), (ptrdiff_t)value.len);
	shelf_free(&s);
	s = make(0);
	cr_expect_not(put(s, "a", "1", 1000));
	cr_expect_eq(shelf_count(s), 0u);
	shelf_free(&s);
}

/* What lives for an hour at most, and what lives longer. */
Test(shelf, many_of_a_kind_leave_the_other_alone)
{
	struct shelf *s = make(BYTES);
	char key[16];

	cr_expect(put(s, "long", "1", 3600001));
	cr_expect(put(s, "hour", "1", 3600000));
	for (unsigned i = 0; i < 5000; i++)
		put_number(s, i);
	expect(s, "hour", NULL);
	expect(s, "long", "1");
	cr_expect(put(s, "hour", "2", 3600000));
	for (unsigned i = 0; i < 5000; i++) {
		(void)snprintf(key, sizeof(key), "long%u", i);
		cr_assert(put(s, key, key, 3600001));
	}
	expect(s, "long", NULL);
	expect(s, "hour", "2");
	/* One that becomes the other moves. */
	cr_expect(put(s, "hour", "3", 3600001));
	for (unsigned i = 0; i < 5000; i++)
		put_number(s, i);
	expect(s, "hour", "3");
	shelf_free(&s);
}

/* What has gone, in whatever way, takes no place any more. */
Test(shelf, place_is_given_back)
{
	static char value[STORE_VALUE_MAX];
	struct shelf *s = make(BYTES);
	size_t most;

	clock_fake(MONO_US, WALL_US);
	for (unsigned i = 0; i < 100; i++)
		put_number(s, i);
	for (unsigned i = 0; i < 1000; i++) {
		struct str v = { value, i % sizeof(value) };

		cr_assert(shelf_put(s, STR("set"), v, 1000000, false));
		cr_assert(shelf_put(s, STR("drop"), v, 1000000, false));
		shelf_drop(s, STR("drop"));
		cr_assert(shelf_put(s, STR("end"), v, 1, false));
		advance_ms(1);
		expect(s, "end", NULL);
	}
	cr_expect_eq(shelf_count(s), 101u, "%zu", shelf_count(s));
	shelf_drop(s, STR("set"));
	for (unsigned i = 0; i < 5000; i++)
		put_number(s, 10000 + i);
	most = shelf_count(s);
	for (unsigned i = 0; i < 5000; i++)
		put_number(s, 20000 + i);
	cr_expect_eq(shelf_count(s), most);
	shelf_free(&s);
}

/* ---- the file ---- */

static struct shelf *
load(int expected, const char *why)
{
	struct shelf *s = make(BYTES);
	int rc = shelf_load(s, scratch_path("store"));

	cr_expect_eq(rc, expected, "%s: %s", why, err_name(rc));
	return s;
}

static void
save(struct shelf *s)
{
	cr_assert_eq(shelf_save(s, scratch_path("store")), E_OK);
}

static void
expect_file(const char *text)
{
	size_t len;
	char *got = scratch_read("store", &len);

	cr_expect(len == strlen(text) && memcmp(got, text, len) == 0, "%s",
	    got);
	free(got);
}

static void
fake_and_begin(void)
{
	clock_fake(MONO_US, WALL_US);
	scratch_begin();
}

TestSuite(shelf_file, .init = fake_and_begin, .fini = scratch_end);

Test(shelf_file, as_it_is_written)
{
	struct shelf *s = make(BYTES);
	struct stat st;

	save(s);
	expect_file("segue-store 1\n");
	cr_expect(put(s, "gone", "x", 999));
	cr_expect(put(s, "b", "two", 1000));
	cr_expect(put(s, "a", "one", 2500));
	cr_expect(put(s, "gone too", "x", 5000));
	shelf_drop(s, STR("gone too"));
	advance_ms(999);
	save(s);
	expect_file("segue-store 1\n"
	            "1700000001000 1 3 b two\n"
	            "1700000002500 1 3 a one\n");
	cr_expect_eq(stat(scratch_path("store"), &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600u);
	cr_expect_eq(scratch_files(), 1u);
	shelf_free(&s);
}

/* Between the two processes, the monotonic clock begins anew. */
Test(shelf_file, what_was_saved_is_there)
{
	struct shelf *s = make(BYTES);

	cr_expect(put(s, "a", "one", 5000));
	cr_expect(put(s, "b", "two", 1000));
	save(s);
	shelf_free(&s);
	clock_fake(5, WALL_US + 2 * US_PER_S);
	s = load(E_OK, "two s later");
	cr_expect_eq(shelf_count(s), 1u);
	expect(s, "a", "one");
	advance_ms(2999);
	expect(s, "a", "one");
	advance_ms(1);
	expect(s, "a", NULL);
	shelf_free(&s);
}

static const struct str values[] = {
	{ "", 0 },
	{ " ", 1 },
	{ "two words", 9 },
	{ "\n", 1 },
	{ "1700000009000 1 1 z z\n", 22 },
	{ "\0", 1 },
	{ "a\0b\n\0", 5 },
	{ "\xff\xfe\r\n", 4 },
};

Test(shelf_file, any_bytes)
{
	static char all[STORE_VALUE_MAX], long_key[STORE_KEY_MAX], out[4096];
	struct shelf *s = make(BYTES);

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (char)(i + i / 256);
	memset(long_key, ' ', sizeof(long_key));
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		/* A key of such bytes, too, but for the empty one. */
		struct str key = values[i].len > 0 ? values[i] : STR("k");

		cr_expect(shelf_put(s, key, values[i], 9000, false));
	}
	cr_expect(shelf_put(s, str_from(long_key, sizeof(long_key)),
	    str_from(all, sizeof(all)), 9000, false));
	save(s);
	shelf_free(&s);
	s = load(E_OK, "any bytes");
	cr_expect_eq(shelf_count(s), ARRAY_LEN(values) + 1);
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct str key = values[i].len > 0 ? values[i] : STR("k");
		ptrdiff_t len = shelf_get(s, key, out, sizeof(out));

		cr_assert_eq(len, (ptrdiff_t)values[i].len, "%zu", i);
		cr_expect(str_eq(str_from(out, (size_t)len), values[i]), "%zu",
		    i);
	}
	cr_expect_eq(shelf_get(s, str_from(long_key, sizeof(long_key)), out,
	                 sizeof(out)),
	    (ptrdiff_t)sizeof(all));
	cr_expect_eq(memcmp(out, all, sizeof(all)), 0);
	shelf_free(&s);
}

#define HEAD "segue-store 1\n"
#define GOOD "1700000009000 4 4 good here\n"

/* clang-format off */
static const struct {
	const char *why, *text;
	int rc;
	size_t count;
} files[] = {
	{ "good", HEAD GOOD, E_OK, 1 },
	{ "nothing in it", HEAD, E_OK, 0 },
	{ "an empty value", HEAD "1700000009000 4 0 good \n", E_OK, 1 },
	{ "all has ended", HEAD "1700000000000 4 1 good x\n1 1 1 a b\n",
	    E_OK, 0 },
	{ "one twice: the first", HEAD GOOD "1700000009000 4 1 good x\n",
	    E_OK, 1 },
	{ "it never ends", HEAD "18446744073709551615 1 1 a b\n" GOOD,
	    E_OK, 2 },

	{ "an empty file", "", E_DAMAGED, 0 },
	{ "cut in its first line", "segue-store 1", E_DAMAGED, 0 },
	{ "of a later version", "segue-store 2\n" GOOD, E_DAMAGED, 0 },
	{ "of somebody else", "# a file\n" GOOD, E_DAMAGED, 0 },
	{ "something before", "\n" HEAD GOOD, E_DAMAGED, 0 },
	{ "another end of line", "segue-store 1\r\n" GOOD, E_DAMAGED, 0 },

	{ "an empty line behind", HEAD GOOD "\n", E_DAMAGED, 1 },
	{ "a comment behind", HEAD GOOD "# 1 2\n", E_DAMAGED, 1 },
	{ "cut in a time", HEAD GOOD "17000", E_DAMAGED, 1 },
	{ "cut behind a time", HEAD GOOD "1700000009000 ", E_DAMAGED, 1 },
	{ "cut behind a length", HEAD GOOD "1700000009000 1 ", E_DAMAGED, 1 },
	{ "cut in a length", HEAD GOOD "1700000009000 1 1", E_DAMAGED, 1 },
	{ "cut before the key", HEAD GOOD "1700000009000 1 1 ", E_DAMAGED, 1 },
	{ "cut behind the key", HEAD GOOD "1700000009000 1 1 a", E_DAMAGED, 1 },
	{ "cut before the value", HEAD GOOD "1700000009000 1 1 a ",
	    E_DAMAGED, 1 },
	{ "cut at the end", HEAD GOOD "1700000009000 1 1 a b", E_DAMAGED, 1 },

	{ "no time", HEAD GOOD " 1 1 a b\n", E_DAMAGED, 1 },
	{ "a time that is none", HEAD GOOD "17x 1 1 a b\n", E_DAMAGED, 1 },
	{ "a time before all", HEAD GOOD "-1 1 1 a b\n", E_DAMAGED, 1 },
	{ "a time too long", HEAD GOOD "18446744073709551616 1 1 a b\n",
	    E_DAMAGED, 1 },
	{ "two spaces", HEAD GOOD "1700000009000  1 1 a b\n", E_DAMAGED, 1 },
	{ "no key", HEAD GOOD "1700000009000 0 1  b\n", E_DAMAGED, 1 },
	{ "a key that is longer", HEAD GOOD "1700000009000 1 1 aa b\n",
	    E_DAMAGED, 1 },
	{ "a key that is shorter", HEAD GOOD "1700000009000 2 1 a b\n",
	    E_DAMAGED, 1 },
	{ "a value that is longer", HEAD GOOD "1700000009000 1 1 a bb\n",
	    E_DAMAGED, 1 },
	{ "a value that is shorter", HEAD GOOD "1700000009000 1 2 a b\n" GOOD,
	    E_DAMAGED, 1 },
	{ "a key above all",
	    HEAD GOOD "1700000009000 18446744073709551615 1 a b\n",
	    E_DAMAGED, 1 },
	{ "a value above all",
	    HEAD GOOD "1700000009000 1 18446744073709551615 a b\n",
	    E_DAMAGED, 1 },
	{ "what is behind the damage is lost",
	    HEAD GOOD "x\n1700000009000 1 1 a b\n", E_DAMAGED, 1 },
};
/* clang-format on */

Test(shelf_file, a_file_that_is_damaged)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct shelf *s;

		scratch_write("store", str_of(files[i].text));
		s = load(files[i].rc, files[i].why);
		cr_expect_eq(shelf_count(s), files[i].count, "%s: %zu",
		    files[i].why, shelf_count(s));
		if (files[i].count > 0 &&
		    strcmp(files[i].why, "an empty value") != 0)
			expect(s, "good", "here");
		shelf_free(&s);
	}
}

/* A line of a key and value so long. */
static void
write_long(size_t key_len, size_t value_len)
{
	static char text[STORE_KEY_MAX + STORE_VALUE_MAX + 128];
	int n = snprintf(text, sizeof(text), HEAD "1700000009000 %zu %zu ",
	    key_len, value_len);

	memset(text + n, 'k', key_len + 1 + value_len);
	text[(size_t)n + key_len] = ' ';
	text[(size_t)n + key_len + 1 + value_len] = '\n';
	scratch_write("store",
	    str_from(text, (size_t)n + key_len + value_len + 2));
}

static const struct {
	size_t key, value;
	int rc;
} longs[] = {
	{ STORE_KEY_MAX, STORE_VALUE_MAX, E_OK },
	{ STORE_KEY_MAX + 1, 1, E_DAMAGED },
	{ 1, STORE_VALUE_MAX + 1, E_DAMAGED },
};

Test(shelf_file, longer_than_may_be)
{
	for (size_t i = 0; i < ARRAY_LEN(longs); i++) {
		struct shelf *s;

		write_long(longs[i].key, longs[i].value);
		s = load(longs[i].rc, "long");
		cr_expect_eq(shelf_count(s), longs[i].rc == E_OK ? 1u : 0u);
		shelf_free(&s);
	}
}

/* Cut at every byte: never more than what stands before the cut. */
Test(shelf_file, cut_anywhere)
{
	static const char text[] = HEAD GOOD "1700000009000 1 3 b a\nb\n";
	const size_t one = sizeof(HEAD GOOD) - 1;

	for (size_t len = 0; len < sizeof(text); len++) {
		bool whole = len == sizeof(HEAD) - 1 || len == one ||
		    len == sizeof(text) - 1;
		struct shelf *s;

		scratch_write("store", str_from(text, len));
		s = load(whole ? E_OK : E_DAMAGED, "cut");
		cr_expect_eq(shelf_count(s),
		    (len >= one) + (size_t)(len == sizeof(text) - 1), "%zu",
		    len);
		shelf_free(&s);
	}
}

/* What is known since then is newer. */
Test(shelf_file, beside_what_is_there)
{
	struct shelf *s = make(BYTES);

	cr_expect(put(s, "good", "new", 1000));
	cr_expect(put(s, "other", "1", 1000));
	scratch_write("store", STR(HEAD GOOD "1700000009000 1 1 a b\n"));
	cr_expect_eq(shelf_load(s, scratch_path("store")), E_OK);
	cr_expect_eq(shelf_count(s), 3u);
	expect(s, "good", "new");
	expect(s, "other", "1");
	expect(s, "a", "b");
	shelf_free(&s);
}

/* Those of a file that do not fit are the oldest. */
Test(shelf_file, into_less_memory)
{
	struct shelf *s = make(BYTES), *less = make(BYTES / 4);
	unsigned n = 150, left;

	for (unsigned i = 0; i < n; i++)
		put_number(s, i);
	cr_assert_eq(shelf_count(s), n);
	save(s);
	cr_expect_eq(shelf_load(less, scratch_path("store")), E_OK);
	left = (unsigned)shelf_count(less);
	cr_expect(left > 10 && left < n, "%u", left);
	for (unsigned i = 0; i < n; i++)
		cr_expect_eq(has_number(less, i), i >= n - left, "%u", i);
	shelf_free(&s);
	shelf_free(&less);
}

Test(shelf_file, there_is_none)
{
	struct shelf *s = load(E_NOENT, "no file");

	cr_expect_eq(shelf_load(s, scratch_path("no/store")), E_NOENT);
	cr_expect_eq(shelf_count(s), 0u);
	shelf_free(&s);
}

Test(shelf_file, it_cannot_be_read)
{
	struct shelf *s = make(BYTES);
	int rc = shelf_load(s, scratch_path(""));

	cr_expect(rc != E_OK && rc != E_NOENT && rc != E_DAMAGED, "%s",
	    err_name(rc));
	shelf_free(&s);
}

/* Root may write where nobody may: no directory, and one that is a file. */
Test(shelf_file, it_cannot_be_written)
{
	struct shelf *s = make(BYTES);

	cr_expect(put(s, "a", "one", 1000));
	cr_expect_eq(shelf_save(s, scratch_path("no/store")), E_NOENT);
	scratch_write("file", STR("x"));
	cr_expect_lt(shelf_save(s, scratch_path("file/store")), 0);
	if (geteuid() != 0) {
		cr_expect_eq(chmod(scratch_path(""), 0500), 0);
		cr_expect_eq(shelf_save(s, scratch_path("store")), E_PERM);
		cr_expect_eq(chmod(scratch_path(""), 0700), 0);
	}
	cr_expect_eq(scratch_files(), 1u, "nothing is left");
	expect(s, "a", "one");
	shelf_free(&s);
}

/* ---- threads ---- */

#define ROUNDS 20000

struct thread {
	struct shelf *shelf;
	unsigned number, wrong;
};

/* Each value says its key: whoever finds one finds a whole one of it. */
static void *
work(void *arg)
{
	struct thread *t = arg;
	char key[16], value[64], out[64];

	for (unsigned i = 0; i < ROUNDS; i++) {
		int k = snprintf(key, sizeof(key), "k%u", i * 7 % 97);
		int v = snprintf(value, sizeof(value), "%s of %u", key,
		    t->number);
		struct str its_key = str_from(key, (size_t)k);
		ptrdiff_t len = shelf_get(t->shelf, its_key, out, sizeof(out));

		if (len != -1 &&
		    !str_starts(str_from(out, (size_t)len), its_key))
			t->wrong++;
		if (i % 5 == 4)
			shelf_drop(t->shelf, its_key);
		else if (!shelf_put(t->shelf, its_key,
		             str_from(value, (size_t)v), 1 + i % 3, i % 2 == 0))
			t->wrong++;
		if (i % 64 == 0)
			t->wrong += shelf_count(t->shelf) > 97;
	}
	return NULL;
}

Test(shelf, two_threads_at_once, .timeout = 60)
{
	struct shelf *s = make(BYTES / 8);
	struct thread t[2] = { { s, 0, 0 }, { s, 1, 0 } };
	pthread_t id[2];

	for (size_t i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&id[i], NULL, work, &t[i]), 0);
	for (size_t i = 0; i < 2; i++) {
		cr_assert_eq(pthread_join(id[i], NULL), 0);
		cr_expect_eq(t[i].wrong, 0u, "%zu", i);
	}
	shelf_free(&s);
}
