#include "supervisor/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/place.h"
#include "base/str.h"
#include "config/pages.h"
#include "config/tlsfiles.h"
#include "session/keyring.h"
#include "supervisor/complain.h"
#include "tls/make.h"

#define PASSWORD_MAX 4096

static void
say(struct cfg_problems *p, struct buf *said)
{
	for (size_t i = 0; i < p->n; i++)
		buf_printf(said, "%s\n", p->list[i].text);
	cfg_problems_free(p);
}

int
source_parse(struct str text, const char *origin, struct buf *said,
    struct cfg **out)
{
	struct cfg_problems problems;
	int rc = cfg_parse(text, origin, out, &problems);

	say(&problems, said);
	if (rc == E_NOMEM)
		buf_printf(said, "%s: %s\n", origin, err_text(rc));
	return rc;
}

static int
read_args(const struct source *s, struct buf *text, struct buf *said,
    struct cfg **out)
{
	char state[PLACE_PATH_MAX], socket[PLACE_PATH_MAX];
	struct cfg_args args = { s->listen, s->n_listen, s->pools, s->n_pools,
		NULL, NULL };
	struct cfg_problems problems;
	int rc;

	if (place_is_users()) {
		place_state(state);
		place_socket(socket);
		args.state_dir = state;
		args.socket = socket;
	}
	rc = cfg_from_args(&args, text, out, &problems);
	say(&problems, said);
	return rc;
}

/* O_NONBLOCK: a FIFO in its place must not stop us. */
static int
read_file(const char *path, struct buf *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc;

	if (fd == -1)
		return err_sys();
	rc = file_read_fd(fd, SOURCE_BYTES_MAX, text);
	close(fd);
	return rc;
}

int
source_make_tls(struct cfg *c, const char *origin, struct buf *said)
{
	int rc = tlsfiles_load(c, origin, said);

	return rc == E_OK ? tls_make(c, origin, said) : rc;
}

int
source_read(const struct source *s, struct buf *text, struct buf *said,
    struct cfg **out)
{
	int rc;

	*out = NULL;
	if (s->path == NULL)
		return read_args(s, text, said, out);
	rc = read_file(s->path, text);
	if (rc != E_OK) {
		buf_printf(said, "%s: cannot be read: %s\n", s->path,
		    err_text(rc));
		return rc;
	}
	rc = source_parse(buf_str(text), s->path, said, out);
	if (rc == E_OK)
		rc = pages_load(*out, s->path, said);
	if (rc == E_OK)
		rc = source_make_tls(*out, s->path, said);
	if (rc != E_OK)
		cfg_unref(out);
	return rc;
}

static int
make_place(const char *dir, const char *variable)
{
	int rc = place_make(dir);

	if (rc == E_PERM && access(dir, F_OK) == 0)
		complain("%s: others than you may write there; set %s to a "
		         "directory of your own",
		    dir, variable);
	else if (rc != E_OK)
		complain("%s cannot be made: %s; set %s to a directory of "
		         "your own",
		    dir, err_text(rc), variable);
	return rc;
}

int
source_make_places(const struct source *s, const struct cfg *c)
{
	char dir[PLACE_PATH_MAX];
	int rc;

	if (s->path != NULL || !place_is_users())
		return E_OK;
	(void)str_copy(str_of(c->admin_socket), dir, sizeof(dir));
	*strrchr(dir, '/') = '\0'; /* it is an absolute path */
	rc = make_place(dir, "XDG_RUNTIME_DIR");
	return rc == E_OK ? make_place(c->state_dir, "XDG_STATE_HOME") : rc;
}

void
source_key_file(const struct cfg *c, struct buf *out)
{
	buf_reset(out);
	if (c->key_file != NULL)
		buf_add_cstr(out, c->key_file);
	else
		buf_printf(out, "%s/keys", c->state_dir);
	buf_add_cstr(out, "");
}

/* The first line of its file, of which not a byte is told. */
int
source_store(const struct cfg *c, struct buf *out, char *why, size_t cap)
{
	const char *path = c->store.password_file;
	struct str rest, line;
	int rc;

	if (c->store.type != CFG_STORE_REDIS)
		return E_OK;
	if (c->store.tls) {
		(void)snprintf(why, cap,
		    "store.tls: the hiredis of this build has no TLS; a Unix "
		    "socket, or a tunnel such as stunnel's, is expected");
		return E_UNSUPPORTED;
	}
	if (path == NULL)
		return E_OK;
	rc = file_read(path, PASSWORD_MAX, out);
	if (rc != E_OK) {
		(void)snprintf(why, cap, "store.password_file: %s: %s", path,
		    err_text(rc));
		return rc;
	}
	rest = buf_str(out);
	line = str_split(&rest, '\n');
	if (str_ends(line, STR("\r")))
		line.len--;
	if (line.len == 0 || memchr(line.p, '\0', line.len) != NULL) {
		(void)snprintf(why, cap,
		    "store.password_file: %s: a password is expected in its "
		    "first line",
		    path);
		return E_SYNTAX;
	}
	explicit_bzero(out->p + line.len, out->len - line.len);
	out->len = line.len;
	return E_OK;
}

int
source_test_store(const struct cfg *c, char *why, size_t cap)
{
	struct buf password = BUF_INIT;
	int rc = source_store(c, &password, why, cap);

	buf_wipe(&password);
	return rc;
}

int
source_test_keys(const struct cfg *c, char *why, size_t cap)
{
	struct buf path = BUF_INIT;
	struct keyring *ring = NULL;
	char fault[256] = "out of memory";
	int rc = E_NOMEM;

	source_key_file(c, &path);
	if (!path.failed)
		rc = keyring_load(path.p, &ring, fault, sizeof(fault));
	if (rc == E_OK)
		keyring_unref(&ring);
	if (rc == E_NOENT || rc == E_PERM)
		rc = E_OK;
	(void)snprintf(why, cap, "key_file: %s", fault);
	buf_free(&path);
	return rc;
}
