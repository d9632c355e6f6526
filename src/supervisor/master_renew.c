/*
 * master_renew - certificates that change on disk are taken over without a
 * reload: all else stays as it runs, whatever its files say by now.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "config/pages.h"
#include "config/tlsfiles.h"
#include "supervisor/master_int.h"
#include "supervisor/source.h"

#define LOOK_US (2 * US_PER_S)

/* What runs once more, with the certificates as they are on disk now. */
static int
read_anew(struct master *m, struct buf *text, struct buf *said)
{
	const char *origin = m->source->path;
	struct buf pages = BUF_INIT, warnings = BUF_INIT;
	int rc = E_NOMEM;

	cfg_dump(m->cfg, text);
	pages_pack(m->cfg, &pages);
	if (!text->failed && !pages.failed)
		rc = source_parse(buf_str(text), origin, &warnings,
		    &m->next_cfg);
	if (rc == E_OK)
		rc = pages_unpack(m->next_cfg, buf_str(&pages));
	if (rc == E_OK)
		rc = source_make_tls(m->next_cfg, origin, said);
	buf_free(&pages);
	buf_free(&warnings);
	return rc;
}

static int
prepare(struct master *m, struct buf *said)
{
	struct buf text = BUF_INIT;
	int rc = read_anew(m, &text, said);

	if (rc == E_OK)
		rc = master_pass_pages(m);
	if (rc == E_OK)
		rc = master_pass_certs(m);
	if (rc == E_OK)
		rc = master_pass_text(m, FRAME_RENEW, buf_str(&text));
	buf_free(&text);
	return rc;
}

static void
renew(struct master *m)
{
	struct buf said = BUF_INIT;
	int rc;

	log_info("event=certificates_changed");
	rc = prepare(m, &said);
	if (rc != E_OK) {
		master_forget_next(m);
		if (said.len == 0)
			buf_add_cstr(&said, err_text(rc));
		master_tell(m, FRAME_RENEW, said.p, -1);
	} else if (m->child == 0) {
		master_take_next(m);
	}
	buf_free(&said);
}

void
master_look(struct master *m, uint64_t now_us)
{
	uint64_t stamp, now;

	if (m->look_us != 0 && now_us < m->look_us)
		return;
	stamp = tlsfiles_stamp(m->cfg);
	m->look_us = stamp == 0 ? 0 : now_us + LOOK_US;
	if (stamp == 0 || m->stopping || m->next_cfg != NULL)
		return;
	now = tlsfiles_stamp_now(m->cfg);
	if (now == stamp) {
		m->certs_seen = m->certs_tried = 0;
		return;
	}
	/* Not while they are being written: they must stay for a while. */
	if (now != m->certs_seen) {
		m->certs_seen = now;
		return;
	}
	if (now == m->certs_tried)
		return;
	m->certs_tried = now;
	renew(m);
}
