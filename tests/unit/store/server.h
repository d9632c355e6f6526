/*
 * server - a real redis-server (Debian's redis-server has it) on a Unix socket
 * in the test's directory, without a port and with nothing on disk.
 *
 * Thread: the test's.
 */
#ifndef TESTS_STORE_SERVER_H
#define TESTS_STORE_SERVER_H

/* Where it listens when this returns; one at a time. */
const char *server_begin(void);
void server_end(void); /* its directory goes, too */

#endif
