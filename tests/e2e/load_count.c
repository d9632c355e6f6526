/*
 * load_count - counting what the clients saw, and telling it.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "tests/e2e/load.h"

/* ---- counting ---- */

void
count_answer(struct load *l, const struct lclient *c, bool is_session)
{
	l->tally.answers++;
	l->posts_answered += c->is_post;
	tally_answer(&l->tally, c->value, is_session, c->asker.sent_wall_us,
	    clock_mono_us() - c->asker.sent_us);
}

static void
sample(struct load *l, const struct lclient *c, const char *what,
    const char *text)
{
	const struct asker *a = &c->asker;
	char id[LOAD_ID_MAX];

	load_id_text(l, c->id, id);
	tally_sample(&l->tally,
	    "%" PRIu64 " %s %s id %s status %d on %s after %" PRIu64
	    " us: %s: %.100s",
	    clock_wall_us(), c->is_post ? "POST" : "GET",
	    a->is_reused ? "reused" : "fresh", id, a->answer.status,
	    tally_value_name(&l->tally, c->value), clock_mono_us() - a->sent_us,
	    what, text);
}

void
count_failure(struct load *l, const struct lclient *c, enum fault why,
    const char *text)
{
	tally_failure(&l->tally, why, !c->is_post);
	sample(l, c, fault_name(why), text);
	if (c->is_post && l->n_lost < LOAD_LOST_MAX)
		l->lost[l->n_lost++] = (struct load_lost){ .id = c->id,
			.sent_us = c->asker.sent_wall_us,
			.why = why,
			.status = c->asker.answer.status };
}

void
count_bounce(struct load *l, const struct lclient *c, int now_on)
{
	if (l->opt.moved_ok) {
		tally_move(&l->tally);
		return;
	}
	tally_bounce(&l->tally);
	sample(l, c, "bounce to", tally_value_name(&l->tally, now_on));
}

/* ---- telling ---- */

static void
tell_lost(struct json_out *j, const struct load *l)
{
	char id[LOAD_ID_MAX];

	json_key(j, "posts_lost");
	json_begin_array(j);
	for (unsigned i = 0; i < l->n_lost; i++) {
		const struct load_lost *lost = &l->lost[i];

		load_id_text(l, lost->id, id);
		json_begin_object(j);
		json_kv_cstr(j, "id", id);
		json_kv_u64(j, "sent_us", lost->sent_us);
		json_kv_cstr(j, "why", fault_name(lost->why));
		json_kv_u64(j, "status", (uint64_t)lost->status);
		json_end_object(j);
	}
	json_end_array(j);
}

void
count_report(const struct load *l)
{
	struct buf out = BUF_INIT;
	struct json_out j;

	json_begin(&j, &out);
	json_begin_object(&j);
	crowd_tell(&l->crowd, &j);
	tally_tell(&l->tally, &j);
	json_kv_u64(&j, "posts", l->posts);
	json_kv_u64(&j, "posts_answered", l->posts_answered);
	tell_lost(&j, l);
	json_end_object(&j);
	buf_add_char(&out, '\n');
	(void)fwrite(out.p, 1, out.len, stdout);
	(void)fflush(stdout);
	buf_free(&out);
}
