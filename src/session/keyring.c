#include "session/keyring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/random.h"

#define FILE_MAX_BYTES 65536
#define HEX_LEN ((size_t)2 * KEYRING_KEY_BYTES)

struct keyring {
	_Atomic unsigned refs;
	size_t n;
	struct keyring_key keys[KEYRING_MAX];
};

/* ---- text ---- */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool
read_hex(struct str s, uint8_t out[KEYRING_KEY_BYTES])
{
	if (s.len != HEX_LEN)
		return false;
	for (size_t i = 0; i < KEYRING_KEY_BYTES; i++) {
		int hi = hex_digit(s.p[2 * i]), lo = hex_digit(s.p[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

static bool
is_zero(const uint8_t key[KEYRING_KEY_BYTES])
{
	uint8_t all = 0;

	for (size_t i = 0; i < KEYRING_KEY_BYTES; i++)
		all |= key[i];
	return all == 0;
}

/* Takes the next word off *rest; empty at the end. */
static struct str
word(struct str *rest)
{
	struct str s = str_trim(*rest);
	size_t n = 0;

	while (n < s.len && s.p[n] != ' ' && s.p[n] != '\t')
		n++;
	*rest = str_sub(s, n, s.len);
	return str_sub(s, 0, n);
}

/* NULL, or what is wrong with the line; never shows the key. */
static const char *
read_line(struct keyring *r, struct str line)
{
	struct str id = word(&line), hex = word(&line);
	struct keyring_key *k = &r->keys[r->n];
	uint64_t n;

	if (r->n == KEYRING_MAX)
		return "one key too many; expected at most 16";
	if (!str_u64(id, &n) || n < 1 || n > 255)
		return "no key id; expected \"ID HEX64\", ID in 1..255";
	if (keyring_find(r, (uint8_t)n) != NULL)
		return "a line above has the same key id";
	if (!read_hex(hex, k->bytes))
		return "bad key; expected 64 hexadecimal digits";
	if (is_zero(k->bytes))
		return "the key is all zeros; expected random digits";
	k->id = (uint8_t)n;
	r->n++;
	return NULL;
}

static struct str
next_line(struct str *text)
{
	struct str line = str_split(text, '\n');

	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	return str_trim(line);
}

int
keyring_parse(struct str text, const char *origin, struct keyring **out,
    char *why, size_t cap)
{
	struct keyring *r = calloc(1, sizeof(*r));
	const char *wrong = NULL;
	unsigned line_no = 1;

	*out = NULL;
	if (r == NULL) {
		(void)snprintf(why, cap, "%s: out of memory", origin);
		return E_NOMEM;
	}
	r->refs = 1;
	for (; text.len > 0; line_no++) {
		struct str line = next_line(&text);

		if (line.len > 0 && line.p[0] != '#')
			wrong = read_line(r, line);
		if (wrong != NULL)
			break;
	}
	if (wrong == NULL && r->n == 0)
		wrong = "end of file and no key; expected \"ID HEX64\"";
	if (wrong != NULL) {
		(void)snprintf(why, cap, "%s:%u: %s", origin, line_no, wrong);
		keyring_unref(&r);
		return E_SYNTAX;
	}
	*out = r;
	return E_OK;
}

/* ---- file ---- */

/* Who may have which right on the file; a ring strangers read is none. */
/* clang-format off */
static const struct {
	mode_t forbidden;
	bool root_may; /* a file of root may have it */
	const char *wrong;
} rights[] = {
	{ S_IRWXO,           false, "lets everybody in" },
	{ S_IWGRP | S_IXGRP, false, "lets its group change it" },
	{ S_IRGRP,           true,  "lets its group read it" },
};
/* clang-format on */

static int
check_rights(const char *path, int fd, char *why, size_t cap)
{
	struct stat st;
	int rc;

	if (fstat(fd, &st) == -1) {
		rc = err_sys();
		(void)snprintf(why, cap, "%s: %s", path, err_text(rc));
		return rc;
	}
	if (!S_ISREG(st.st_mode)) {
		(void)snprintf(why, cap, "%s: is no regular file", path);
		return E_PERM;
	}
	for (size_t i = 0; i < ARRAY_LEN(rights); i++) {
		if ((st.st_mode & rights[i].forbidden) == 0 ||
		    (rights[i].root_may && st.st_uid == 0))
			continue;
		(void)snprintf(why, cap,
		    "%s: mode %04o %s; expected 0600, or 0640 and owner root",
		    path, (unsigned)st.st_mode & 07777, rights[i].wrong);
		return E_PERM;
	}
	return E_OK;
}

/*
 * Not file_read_fd(): a growing buffer leaves copies of the keys behind in
 * memory that nobody can wipe.
 */
static int
read_all(int fd, char out[FILE_MAX_BYTES], size_t *len)
{
	for (*len = 0; *len < FILE_MAX_BYTES;) {
		ssize_t n = read(fd, out + *len, FILE_MAX_BYTES - *len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_sys();
		if (n == 0)
			return E_OK;
		*len += (size_t)n;
	}
	return E_TOOBIG;
}

static int
load_fd(const char *path, int fd, struct keyring **out, char *why, size_t cap)
{
	char *text;
	size_t len = 0;
	int rc = check_rights(path, fd, why, cap);

	if (rc != E_OK)
		return rc;
	text = malloc(FILE_MAX_BYTES);
	rc = text == NULL ? E_NOMEM : read_all(fd, text, &len);
	if (rc == E_OK)
		rc = keyring_parse(str_from(text, len), path, out, why, cap);
	else
		(void)snprintf(why, cap, "%s: %s", path, err_text(rc));
	if (text != NULL)
		OPENSSL_cleanse(text, len);
	free(text);
	return rc;
}

int
keyring_load(const char *path, struct keyring **out, char *why, size_t cap)
{
	/* O_NONBLOCK: a FIFO in its place must not stop us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc;

	*out = NULL;
	if (fd == -1) {
		rc = err_sys();
		(void)snprintf(why, cap, "%s: %s", path, err_text(rc));
		return rc;
	}
	rc = load_fd(path, fd, out, why, cap);
	close(fd);
	return rc;
}

/* ---- making one ---- */

static int
write_new_key(int fd)
{
	static const char hex[] = "0123456789abcdef";
	static const char head[] =
	    "# Segue: seals session pins.  Newest key first.\n";
	uint8_t key[KEYRING_KEY_BYTES];
	char line[2 + HEX_LEN + 1];
	int rc;

	random_bytes(key, sizeof(key));
	line[0] = '1';
	line[1] = ' ';
	for (size_t i = 0; i < HEX_LEN; i++)
		line[2 + i] = hex[key[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
	line[2 + HEX_LEN] = '\n';
	rc = file_write_all(fd, STR(head));
	if (rc == E_OK)
		rc = file_write_all(fd, str_from(line, sizeof(line)));
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(line, sizeof(line));
	if (rc == E_OK && (fchmod(fd, 0600) == -1 || fsync(fd) == -1))
		rc = err_sys();
	return rc;
}

/*
 * The whole file is written under another name and then linked, not renamed:
 * of two who make one at a time, the second must take the first one's key
 * rather than replace it, as the first may have sealed with it already.
 */
static int
make_file(const char *path)
{
	char *tmp;
	int fd, rc;

	if (asprintf(&tmp, "%s.new.XXXXXX", path) == -1)
		return E_NOMEM;
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd == -1) {
		rc = err_sys();
		goto out;
	}
	rc = write_new_key(fd);
	if (close(fd) == -1 && rc == E_OK)
		rc = err_sys();
	if (rc == E_OK && link(tmp, path) == -1 && errno != EEXIST)
		rc = err_sys();
	(void)unlink(tmp);
	if (rc == E_OK)
		rc = file_sync_directory(path);
out:
	free(tmp);
	return rc;
}

int
keyring_load_or_make(const char *path, struct keyring **out, char *why,
    size_t cap)
{
	int rc = keyring_load(path, out, why, cap);

	if (rc != E_NOENT)
		return rc;
	rc = make_file(path);
	if (rc != E_OK) {
		(void)snprintf(why, cap, "%s: cannot be made: %s", path,
		    err_text(rc));
		return rc;
	}
	return keyring_load(path, out, why, cap);
}

/* ---- the ring ---- */

struct keyring *
keyring_ref(struct keyring *r)
{
	atomic_fetch_add(&r->refs, 1);
	return r;
}

void
keyring_unref(struct keyring **rp)
{
	struct keyring *r = *rp;

	*rp = NULL;
	if (r == NULL || atomic_fetch_sub(&r->refs, 1) > 1)
		return;
	OPENSSL_cleanse(r, sizeof(*r));
	free(r);
}

size_t
keyring_count(const struct keyring *r)
{
	return r->n;
}

const struct keyring_key *
keyring_at(const struct keyring *r, size_t i)
{
	assert(i < r->n);
	return &r->keys[i];
}

const struct keyring_key *
keyring_find(const struct keyring *r, uint8_t id)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->keys[i].id == id)
			return &r->keys[i];
	return NULL;
}
