/*
 * master_reload - reads what the network process may not: a new configuration
 * with its keys and pages, and the files of the logs anew.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "config/config.h"
#include "config/pages.h"
#include "config/tlsfiles.h"
#include "ipc/frame.h"
#include "session/keyring.h"
#include "supervisor/doors.h"
#include "supervisor/master_int.h"
#include "supervisor/notify.h"
#include "supervisor/source.h"

/* ---- a new configuration ---- */

void
master_forget_next(struct master *m)
{
	cfg_unref(&m->next_cfg);
	keyring_unref(&m->next_ring);
}

void
master_take_next(struct master *m)
{
	if (m->next_cfg == NULL)
		return;
	cfg_unref(&m->cfg);
	m->cfg = m->next_cfg;
	m->next_cfg = NULL;
	if (m->next_ring != NULL) {
		keyring_unref(&m->ring);
		m->ring = m->next_ring;
		m->next_ring = NULL;
	}
	log_set_level((enum log_level)m->cfg->log_level);
}

/* The ring of next_cfg; the network process gets the file. */
static int
pass_keys(struct master *m, char *why, size_t cap)
{
	struct buf path = BUF_INIT;
	int rc, fd = -1;

	source_key_file(m->next_cfg, &path);
	if (path.failed)
		return E_NOMEM;
	rc = keyring_load_or_make(path.p, &m->next_ring, why, cap);
	if (rc == E_OK) {
		fd = open(path.p, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd == -1)
			rc = err_sys();
	}
	if (fd != -1) {
		master_tell(m, FRAME_KEYS, "", fd);
		close(fd);
	}
	buf_free(&path);
	return rc;
}

int
master_pass_text(struct master *m, enum frame_kind kind, struct str text)
{
	int fd = memfd_create(frame_kind_name(kind), MFD_CLOEXEC), rc = E_OK;

	if (fd == -1)
		return err_sys();
	rc = file_write_all(fd, text);
	if (rc == E_OK && lseek(fd, 0, SEEK_SET) == -1)
		rc = err_sys();
	if (rc == E_OK)
		master_tell(m, kind, "", fd);
	close(fd);
	return rc;
}

int
master_pass_pages(struct master *m)
{
	struct buf text = BUF_INIT;
	int rc;

	pages_pack(m->next_cfg, &text);
	rc = text.failed ? E_NOMEM
	                 : master_pass_text(m, FRAME_PAGES, buf_str(&text));
	buf_free(&text);
	return rc;
}

int
master_pass_certs(struct master *m)
{
	int fd, rc;

	if (!tlsfiles_any(m->next_cfg))
		return E_OK;
	fd = memfd_create(frame_kind_name(FRAME_CERTS), MFD_CLOEXEC);
	if (fd == -1)
		return err_sys();
	rc = tlsfiles_pack(m->next_cfg, fd);
	if (rc == E_OK && lseek(fd, 0, SEEK_SET) == -1)
		rc = err_sys();
	if (rc == E_OK)
		master_tell(m, FRAME_CERTS, "", fd);
	close(fd);
	tlsfiles_wipe(m->next_cfg);
	return rc;
}

/* Reads all that the network process may not; it decides. */
static int
prepare_reload(struct master *m, struct buf *said)
{
	struct buf text = BUF_INIT;
	char why[256] = "";
	int rc;

	if (m->source->path == NULL) {
		buf_add_cstr(said,
		    "segued was started without a file: there "
		    "is nothing to read anew");
		return E_UNSUPPORTED;
	}
	rc = source_read(m->source, &text, said, &m->next_cfg);
	if (rc == E_OK) {
		/* Only a restart uses it; that it would fail is told now. */
		rc = source_test_store(m->next_cfg, why, sizeof(why));
		if (rc == E_OK)
			rc = pass_keys(m, why, sizeof(why));
		if (rc != E_OK)
			buf_printf(said, "%s\n",
			    why[0] == '\0' ? err_text(rc) : why);
		else
			rc = master_pass_pages(m);
		if (rc == E_OK)
			rc = master_pass_certs(m);
	} else if (rc == E_SYNTAX) {
		buf_reset(said); /* it finds and says the same */
		rc = E_OK;
	}
	if (rc == E_OK)
		rc = master_pass_text(m, FRAME_RELOAD, buf_str(&text));
	buf_free(&text);
	return rc;
}

void
master_reload(struct master *m)
{
	struct buf said = BUF_INIT;
	int rc;

	if (m->stopping)
		return;
	notify_reloading();
	master_forget_next(m);
	rc = prepare_reload(m, &said);
	if (rc != E_OK) {
		master_forget_next(m);
		if (said.len == 0)
			buf_add_cstr(&said, err_text(rc));
		log_error("event=reload_refused why=\"%s\"", said.p);
		master_tell(m, FRAME_RELOAD, said.p, -1);
		notify_ready();
	} else if (m->child == 0) {
		master_take_next(m);
		notify_ready();
	}
	buf_free(&said);
}

/* ---- logs ---- */

void
master_reopen_logs(struct master *m)
{
	int rc = log_reopen(), fd;

	if (rc == E_OK)
		rc = doors_reopen_access(&m->doors, m->started);
	if (rc != E_OK)
		log_error("event=logs_not_reopened why=\"%s\"", err_text(rc));
	if (m->started->log_file != NULL) {
		fd = open(m->started->log_file,
		    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
		if (fd != -1) {
			master_tell(m, FRAME_LOG_FILE, "", fd);
			close(fd);
		}
	}
	if (m->started->access_file != NULL)
		master_tell(m, FRAME_ACCESS_FILE, "", m->doors.access_fd);
	log_info("event=logs_reopened");
}
