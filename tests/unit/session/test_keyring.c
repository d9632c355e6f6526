/* The key file: what is read, who may read it, and how it comes to be. */
#include "session/keyring.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"

#define HEX_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEX_B "A0A1A2A3A4A5A6A7A8A9AAABACADAEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBF"
#define HEX_0 "0000000000000000000000000000000000000000000000000000000000000000"

static char dir[] = "/tmp/segue-keyring-XXXXXX";
static char path[64], why[256];

static void
make_dir(void)
{
	cr_assert_not_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/keys", dir);
}

static unsigned
count_files(bool remove_them)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	unsigned n = 0;

	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		if (remove_them)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	closedir(d);
	return n;
}

static void
remove_dir(void)
{
	(void)count_files(true);
	(void)rmdir(dir);
}

static void
write_file(const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	cr_assert_not_null(f);
	(void)fputs(text, f);
	(void)fclose(f);
	cr_assert_eq(chmod(path, mode), 0);
}

/* ---- text ---- */

static const struct {
	const char *why, *in, *message;
	int rc;
	size_t n;
} rows[] = {
	{ "one key", "1 " HEX_A "\n", NULL, E_OK, 1 },
	{ "no newline at the end", "1 " HEX_A, NULL, E_OK, 1 },
	{ "upper case digits", "255 " HEX_B "\n", NULL, E_OK, 1 },
	{ "comment after the key", "1 " HEX_A " made today\n", NULL, E_OK, 1 },
	{ "blank and comment lines", "# x\n\n \t\n1 " HEX_A "\n#", NULL, E_OK,
	    1 },
	{ "tabs and many blanks", "\t 1 \t " HEX_A "\t\n", NULL, E_OK, 1 },
	{ "CRLF", "1 " HEX_A "\r\n2 " HEX_B "\r\n", NULL, E_OK, 2 },
	{ "empty file", "", "x:1: end of file and no key", E_SYNTAX, 0 },
	{ "comments only", "# a\n# b\n", "x:3: end of file", E_SYNTAX, 0 },
	{ "id 0", "0 " HEX_A, "x:1: no key id", E_SYNTAX, 0 },
	{ "id 256", "256 " HEX_A, "x:1: no key id", E_SYNTAX, 0 },
	{ "id wraps 64 bits", "18446744073709551617 " HEX_A, "x:1: no key id",
	    E_SYNTAX, 0 },
	{ "negative id", "-1 " HEX_A, "x:1: no key id", E_SYNTAX, 0 },
	{ "a word", "one " HEX_A, "x:1: no key id", E_SYNTAX, 0 },
	{ "key alone", HEX_A, "x:1: no key id", E_SYNTAX, 0 },
	{ "id alone", "1\n", "x:1: bad key", E_SYNTAX, 0 },
	{ "one digit more", "1 " HEX_A "0", "x:1: bad key", E_SYNTAX, 0 },
	{ "no digit",
	    "1 g"
	    "0112233445566778899aabbccddeeff"
	    "00112233445566778899aabbccddeeff",
	    "x:1: bad key", E_SYNTAX, 0 },
	{ "placeholder", "1 " HEX_0, "x:1: the key is all zeros", E_SYNTAX, 0 },
	{ "same id twice", "# x\n7 " HEX_A "\n7 " HEX_B "\n",
	    "x:3: a line above has the same key id", E_SYNTAX, 0 },
};

Test(keyring, text, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct keyring *r = (struct keyring *)why;
		int rc = keyring_parse(str_of(rows[i].in), "x", &r, why,
		    sizeof(why));

		cr_expect_eq(rc, rows[i].rc, "%s: rc %d", rows[i].why, rc);
		cr_expect_eq(r != NULL, rc == E_OK, "%s", rows[i].why);
		if (rc == E_OK)
			cr_expect_eq(keyring_count(r), rows[i].n, "%s",
			    rows[i].why);
		else
			cr_expect_eq(strncmp(why, rows[i].message,
			                 strlen(rows[i].message)),
			    0, "%s: %s", rows[i].why, why);
		if (r != NULL)
			keyring_unref(&r);
	}
}

Test(keyring, newest_first, .timeout = 5)
{
	struct keyring *r, *again;

	cr_assert_eq(keyring_parse(STR("9 " HEX_B "\n3 " HEX_A "\n"), "x", &r,
	                 why, sizeof(why)),
	    E_OK);
	cr_expect_eq(keyring_at(r, 0)->id, 9);
	cr_expect_eq(keyring_at(r, 0)->bytes[0], 0xa0);
	cr_expect_eq(keyring_at(r, 0)->bytes[31], 0xbf);
	cr_expect_eq(keyring_find(r, 3), keyring_at(r, 1));
	cr_expect_eq(keyring_find(r, 3)->bytes[1], 0x11);
	cr_expect_null(keyring_find(r, 1));
	cr_expect_null(keyring_find(r, 0));
	again = keyring_ref(r);
	keyring_unref(&r);
	cr_expect_null(r);
	cr_expect_eq(keyring_count(again), 2, "one holder is left");
	keyring_unref(&again);
	keyring_unref(&again); /* NULL is fine */
}

Test(keyring, sixteen_and_no_more, .timeout = 5)
{
	char text[17 * 80] = "";
	struct keyring *r;

	for (unsigned i = 1; i <= KEYRING_MAX + 1; i++) {
		int rc;

		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "%u " HEX_A "\n", i);
		rc = keyring_parse(str_of(text), "x", &r, why, sizeof(why));
		cr_expect_eq(rc, i <= KEYRING_MAX ? E_OK : E_SYNTAX, "%u", i);
		keyring_unref(&r);
	}
	cr_expect_str_eq(why, "x:17: one key too many; expected at most 16");
}

/* A cut file is refused or has whole keys only; half a key never counts. */
Test(keyring, cut_at_every_byte, .timeout = 5)
{
	struct str text = STR("12 " HEX_A " one\n# c\n34 " HEX_B "\n");

	for (size_t len = 0; len < text.len; len++) {
		char *copy = str_dup(str_sub(text, 0, len));
		struct keyring *r;
		int rc = keyring_parse(str_from(copy, len), "x", &r, why,
		    sizeof(why));

		if (rc == E_OK) {
			cr_expect_eq(keyring_at(r, 0)->id, 12, "at %zu", len);
			cr_expect_eq(keyring_at(r, 0)->bytes[31], 0xff);
			keyring_unref(&r);
		} else {
			cr_expect_eq(rc, E_SYNTAX, "at %zu", len);
		}
		free(copy);
	}
}

Test(keyring, message_never_shows_a_key, .timeout = 5)
{
	static const char *const bad[] = { "1 " HEX_A "0", HEX_A,
		"1 " HEX_A "\n1 " HEX_B, "1 " HEX_A "\n2 x" HEX_B };
	struct keyring *r;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cr_expect_eq(keyring_parse(str_of(bad[i]), "x", &r, why,
		                 sizeof(why)),
		    E_SYNTAX);
		cr_expect_null(strstr(why, "00112233"), "%s", why);
		cr_expect_null(strstr(why, "A0A1"), "%s", why);
	}
}

/* ---- file ---- */

static const struct {
	const char *why;
	mode_t mode;
	int rc_of_root, rc_of_other; /* by the file's owner */
} modes[] = {
	{ "private", 0600, E_OK, E_OK },
	{ "private, not to be written", 0400, E_OK, E_OK },
	{ "group may read", 0640, E_OK, E_PERM },
	{ "group may read, nobody write", 0440, E_OK, E_PERM },
	{ "group may write", 0620, E_PERM, E_PERM },
	{ "group may both", 0660, E_PERM, E_PERM },
	{ "group may execute", 0610, E_PERM, E_PERM },
	{ "others may read", 0604, E_PERM, E_PERM },
	{ "others may write", 0602, E_PERM, E_PERM },
	{ "others may execute", 0601, E_PERM, E_PERM },
	{ "the usual umask", 0644, E_PERM, E_PERM },
	{ "everybody", 0777, E_PERM, E_PERM },
};

static void
check_mode(size_t i, uid_t owner)
{
	int want = owner == 0 ? modes[i].rc_of_root : modes[i].rc_of_other;
	char shown[16];
	struct keyring *r;
	int rc;

	write_file("1 " HEX_A "\n", modes[i].mode);
	if (geteuid() == 0)
		cr_assert_eq(chown(path, owner, owner), 0);
	rc = keyring_load(path, &r, why, sizeof(why));
	cr_expect_eq(rc, want, "%s, owner %u: rc %d", modes[i].why,
	    (unsigned)owner, rc);
	if (rc != E_OK) {
		(void)snprintf(shown, sizeof(shown), "mode %04o ",
		    (unsigned)modes[i].mode);
		cr_expect_not_null(strstr(why, shown), "%s", why);
		cr_expect_not_null(strstr(why, path), "%s", why);
		cr_expect_not_null(strstr(why, "expected 0600"), "%s", why);
	}
	keyring_unref(&r);
	(void)unlink(path);
}

Test(keyring, rights, .init = make_dir, .fini = remove_dir, .timeout = 5)
{
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		check_mode(i, geteuid() == 0 ? 65534 : geteuid());
		if (geteuid() == 0)
			check_mode(i, 0);
	}
}

Test(keyring, no_file_to_read, .init = make_dir, .fini = remove_dir,
    .timeout = 5)
{
	char big[4096];
	struct keyring *r;

	cr_expect_eq(keyring_load(path, &r, why, sizeof(why)), E_NOENT);
	cr_expect_not_null(strstr(why, path), "%s", why);
	cr_expect_eq(keyring_load(dir, &r, why, sizeof(why)), E_PERM);
	cr_expect_not_null(strstr(why, "no regular file"), "%s", why);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_expect_eq(keyring_load(path, &r, why, sizeof(why)), E_PERM,
	    "a FIFO neither works nor stops us");
	(void)unlink(path);
	memset(big, '#', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	write_file("1 " HEX_A "\n", 0600);
	for (int i = 0; i < 17; i++) {
		FILE *f = fopen(path, "a");

		(void)fputs(big, f);
		(void)fclose(f);
	}
	cr_expect_eq(keyring_load(path, &r, why, sizeof(why)), E_TOOBIG);
	cr_expect_null(r);
}

/* ---- making one ---- */

Test(keyring, made_once, .init = make_dir, .fini = remove_dir, .timeout = 5)
{
	struct keyring *r, *again;
	struct stat st;

	(void)umask(0);
	cr_assert_eq(keyring_load_or_make(path, &r, why, sizeof(why)), E_OK,
	    "%s", why);
	cr_assert_eq(keyring_load_or_make(path, &again, why, sizeof(why)),
	    E_OK);
	cr_expect_eq(keyring_count(r), 1);
	cr_expect_eq(memcmp(keyring_at(r, 0), keyring_at(again, 0),
	                 sizeof(struct keyring_key)),
	    0, "the second start takes the first one's key");
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	cr_expect_eq(st.st_nlink, 1);
	cr_expect_eq(count_files(false), 1, "no temporary file is left");
	keyring_unref(&r);
	keyring_unref(&again);
	(void)unlink(path);
	cr_assert_eq(keyring_load_or_make(path, &again, why, sizeof(why)),
	    E_OK);
	keyring_unref(&again);
}

Test(keyring, new_keys_differ, .init = make_dir, .fini = remove_dir,
    .timeout = 5)
{
	uint8_t last[KEYRING_KEY_BYTES] = { 0 };

	for (int i = 0; i < 20; i++) {
		struct keyring *r;

		cr_assert_eq(keyring_load_or_make(path, &r, why, sizeof(why)),
		    E_OK);
		cr_expect_neq(
		    memcmp(last, keyring_at(r, 0)->bytes, sizeof(last)), 0);
		memcpy(last, keyring_at(r, 0)->bytes, sizeof(last));
		keyring_unref(&r);
		(void)unlink(path);
	}
}

/* A new key would throw every session out: only absence makes one. */
Test(keyring, bad_file_is_left_alone, .init = make_dir, .fini = remove_dir,
    .timeout = 5)
{
	struct keyring *r;
	char text[64] = "";
	FILE *f;

	write_file("garbage\n", 0600);
	cr_expect_eq(keyring_load_or_make(path, &r, why, sizeof(why)),
	    E_SYNTAX);
	write_file("garbage\n", 0666);
	cr_expect_eq(keyring_load_or_make(path, &r, why, sizeof(why)), E_PERM);
	f = fopen(path, "r");
	cr_expect_not_null(fgets(text, sizeof(text), f));
	(void)fclose(f);
	cr_expect_str_eq(text, "garbage\n");
	(void)unlink(path);
	cr_assert_eq(symlink("nowhere", path), 0);
	cr_expect_eq(keyring_load_or_make(path, &r, why, sizeof(why)), E_NOENT,
	    "a dangling link is the operator's to mend");
	cr_expect_eq(count_files(false), 1);
	(void)strcat(path, "/none/keys");
	cr_expect_neq(keyring_load_or_make(path, &r, why, sizeof(why)), E_OK);
	cr_expect_null(r);
}

#define MAKERS 16

/* All who start at one time must end with the same key. */
Test(keyring, made_by_many_at_once, .init = make_dir, .fini = remove_dir,
    .timeout = 20)
{
	for (int round = 0; round < 10; round++) {
		uint8_t first[KEYRING_KEY_BYTES], key[KEYRING_KEY_BYTES];
		int go[2], got[2];

		cr_assert(pipe(go) == 0 && pipe(got) == 0);
		for (int i = 0; i < MAKERS; i++) {
			struct keyring *r;
			char c;

			if (fork() != 0)
				continue;
			close(go[1]);
			if (read(go[0], &c, 1) == 0 &&
			    keyring_load_or_make(path, &r, why, sizeof(why)) ==
			        E_OK &&
			    write(got[1], keyring_at(r, 0)->bytes,
			        sizeof(key)) == sizeof(key))
				_exit(0);
			_exit(1);
		}
		close(go[0]);
		close(go[1]); /* go */
		close(got[1]);
		for (int i = 0; i < MAKERS; i++) {
			cr_assert_eq(read(got[0], key, sizeof(key)),
			    sizeof(key), "a maker failed");
			if (i == 0)
				memcpy(first, key, sizeof(key));
			cr_expect_eq(memcmp(first, key, sizeof(key)), 0,
			    "round %d: two keys", round);
		}
		close(got[0]);
		while (wait(NULL) > 0)
			;
		cr_expect_eq(count_files(true), 1);
	}
}

/* Whenever it dies, the name has no file or a whole one behind it. */
Test(keyring, killed_while_making, .init = make_dir, .fini = remove_dir,
    .timeout = 20)
{
	for (unsigned i = 0; i < 100; i++) {
		struct keyring *r;
		pid_t pid = fork();
		int rc;

		if (pid == 0)
			_exit(keyring_load_or_make(path, &r, why,
			          sizeof(why)) != E_OK);
		(void)usleep(i * 20);
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		rc = keyring_load(path, &r, why, sizeof(why));
		cr_expect(rc == E_OK || rc == E_NOENT, "%u: %s", i, why);
		keyring_unref(&r);
		cr_expect_eq(keyring_load_or_make(path, &r, why, sizeof(why)),
		    E_OK, "%u: %s", i, why);
		keyring_unref(&r);
		(void)unlink(path);
	}
}
