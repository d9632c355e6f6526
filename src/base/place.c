#include "base/place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

bool
place_is_users(void)
{
	return geteuid() != 0;
}

bool
place_is_ours(const char *dir)
{
	struct stat st;

	return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) &&
	    st.st_uid == geteuid() && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* The value of an absolute path, or NULL. */
static const char *
path_in(const char *variable)
{
	const char *path = getenv(variable);

	return path != NULL && path[0] == '/' ? path : NULL;
}

void
place_socket(char out[PLACE_PATH_MAX])
{
	const char *dir = path_in("XDG_RUNTIME_DIR");

	if (dir != NULL && place_is_ours(dir))
		(void)snprintf(out, PLACE_PATH_MAX, "%s/segue/admin.sock", dir);
	else
		(void)snprintf(out, PLACE_PATH_MAX, "/tmp/segue-%u/admin.sock",
		    (unsigned)geteuid());
}

void
place_state(char out[PLACE_PATH_MAX])
{
	const char *state = path_in("XDG_STATE_HOME"), *home = path_in("HOME");

	if (state != NULL)
		(void)snprintf(out, PLACE_PATH_MAX, "%s/segue", state);
	else if (home != NULL)
		(void)snprintf(out, PLACE_PATH_MAX, "%s/.local/state/segue",
		    home);
	else
		(void)snprintf(out, PLACE_PATH_MAX, "/tmp/segue-%u/state",
		    (unsigned)geteuid());
}

/* One that is there already is no error here. */
static int
make(const char *dir)
{
	struct stat st;

	if (mkdir(dir, 0700) == 0 || stat(dir, &st) == 0)
		return E_OK;
	return err_sys();
}

int
place_make(const char *dir)
{
	char path[PLACE_PATH_MAX];
	size_t len = strlen(dir);
	int rc = E_OK;

	if (len >= sizeof(path))
		return E_TOOBIG;
	memcpy(path, dir, len + 1);
	for (size_t i = 1; i < len && rc == E_OK; i++) {
		if (path[i] != '/')
			continue;
		path[i] = '\0';
		rc = make(path);
		path[i] = '/';
	}
	if (rc == E_OK)
		rc = make(path);
	if (rc == E_OK && !place_is_ours(path))
		rc = E_PERM;
	return rc;
}
