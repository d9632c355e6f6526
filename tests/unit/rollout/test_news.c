/* What is told of a command is what one would type. */
#include "rollout/news.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"

/* clang-format off */
static const struct {
	const char *why;
	struct ro_command cmd;
	const char *text;
} rows[] = {
	{ "share", { .verb = RO_SHARE, .pool = "v2", .share_bp = 1250 },
	    "share v2 12.5%: done" },
	{ "switch", { .verb = RO_SWITCH, .pool = "v2", .when_ready = true },
	    "switch v2 --when-ready: done" },
	{ "drain", { .verb = RO_DRAIN, .pool = "v1", .force = true,
	    .clocks = { .mode = CFG_DRAIN_MOVE, .flows_us = 1000000,
	    .requests_us = 2000000 } },
	    "drain v1 --mode move --grace 1s --requests 2s --streams 0 "
	    "--force: done" },
	{ "instance", { .verb = RO_INSTANCE, .pool = "v1", .instance = "a",
	    .admin = INST_MAINT }, "instance a maint --pool v1: done" },
	{ "remove", { .verb = RO_REMOVE_INSTANCE, .pool = "v1",
	    .instance = "a" }, "remove-instance a --pool v1: done" },
	{ "add, named after its address", { .verb = RO_ADD_INSTANCE,
	    .pool = "v2", .instance = "h:80", .address = "h:80" },
	    "add-instance v2 h:80: done" },
	{ "add", { .verb = RO_ADD_INSTANCE, .pool = "v2", .instance = "a",
	    .address = "h:80", .weight = 3 },
	    "add-instance v2 h:80 --name a --weight 3: done" },
	{ "a rollout", { .verb = RO_ROLLOUT, .pool = "v2",
	    .action = RO_ACTION_START }, "rollout start --to v2: done" },
	{ "a rehearsal", { .verb = RO_ROLLOUT, .pool = "v2", .rehearse = true,
	    .action = RO_ACTION_START },
	    "rollout start --to v2 --rehearse: done" },
	{ "what has changed", { .verb = RO_ROLLOUT, .pool = "v2",
	    .if_changed = true, .rerun = true, .action = RO_ACTION_START },
	    "rollout start --to v2 --if-changed --rerun: done" },
	{ "a rollout that was planned", { .verb = RO_ROLLOUT, .pool = "v2",
	    .action = RO_ACTION_START, .mark = { .set = true,
	    .part = { 0xc1d4e9, 0x9ab31, 0 } } },
	    "apply c1d4e9-09ab31-000000 --to v2: done" },
};
/* clang-format on */

Test(news, commands_as_typed, .timeout = 10)
{
	struct feed *f = feed_new();
	struct ro_state s;

	cr_assert_not_null(f);
	cr_assert_eq(ro_state_new(&s), E_OK);
	log_set_level(LOG_ERROR);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		news_command(f, &s, &rows[i].cmd, RO_NO_NONE, "");
		cr_expect_str_eq(feed_after(f, i)->text, rows[i].text, "%s",
		    rows[i].why);
	}
	ro_state_free(&s);
	feed_free(&f);
}
