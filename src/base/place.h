/*
 * place - where a daemon that a user started without a file keeps its things.
 *
 *   socket  $XDG_RUNTIME_DIR/segue/admin.sock when that directory is the
 *           user's own, else /tmp/segue-UID/admin.sock
 *   state   $XDG_STATE_HOME/segue, else $HOME/.local/state/segue, else
 *           /tmp/segue-UID/state
 *
 * Variables that hold no absolute path are passed over, as the XDG Base
 * Directory Specification demands.  Both programs look here, so that the
 * command finds the daemon of its user by itself.
 *
 * Thread: any that may read the environment.
 */
#ifndef BASE_PLACE_H
#define BASE_PLACE_H
#include <stdbool.h>

#include "base/attr.h"

#define PLACE_PATH_MAX 4096

/* Root has the places of the system. */
bool place_is_users(void);

void place_socket(char out[PLACE_PATH_MAX]);
void place_state(char out[PLACE_PATH_MAX]);

/* Is this a directory that nobody but us and root can write to? */
bool place_is_ours(const char *dir);

/*
 * Makes a directory and those above it that are missing, for us alone.
 * E_PERM when it is there and place_is_ours() is not true of it, else
 * err_sys().
 */
int place_make(const char *dir) MUST_CHECK;

#endif
