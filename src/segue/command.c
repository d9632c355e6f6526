#include "segue/command.h"

#include <string.h>

#include "base/str.h"
#include "segue/handlers.h"

#define CLOCKS (OPT(MODE) | OPT(GRACE) | OPT(REQUESTS) | OPT(STREAMS))
#define OPERAND(name_, kind_)                                                  \
	{                                                                      \
		.name = (name_), .kind = ARG_##kind_                           \
	}

#define ROLLOUT_WORDS                                                          \
	"start|status|watch|report|page|history|pause|resume|retry|approve|"   \
	"skip|"                                                                \
	"abort|"                                                               \
	"rollback"

static const struct command rows[] = {
	{ .name = "status",
	    .options = OPT(WATCH),
	    .help = "who serves, how healthy, what moves, what blocks",
	    .run = see_status },
	{ .name = "pools",
	    .options = OPT(POOL),
	    .help = "the versions of each service",
	    .run = see_pools },
	{ .name = "instances",
	    .options = OPT(POOL),
	    .help = "the addresses of each pool, their health and load",
	    .run = see_instances },
	{ .name = "share",
	    .operands = { OPERAND("POOL", POOL), OPERAND("PERCENT", SHARE) },
	    .options = OPT(FORCE),
	    .help = "give a pool that much of new sessions",
	    .more = "The other pools keep their proportions in the rest.  "
	            "Sessions that began\nstay where they are.  A pool that "
	            "has not proved itself is refused.\n",
	    .run = act_command },
	{ .name = "switch",
	    .operands = { OPERAND("POOL", POOL) },
	    .options = OPT(WHEN_READY) | OPT(DRAIN) | OPT(WAIT) | OPT(FORCE) |
	        CLOCKS,
	    .help = "give a pool all of new sessions",
	    .more = "With --drain the pools that served before are drained, "
	            "by the clocks given\nhere or by those of the "
	            "configuration.  With --wait it returns when the\nswitch "
	            "has happened and, with --drain, when the others may be "
	            "stopped.\n",
	    .run = act_command },
	{ .name = "drain",
	    .operands = { OPERAND("POOL", POOL) },
	    .options = OPT(WAIT) | OPT(FORCE) | CLOCKS,
	    .help = "let a pool's work end, so that it may be stopped",
	    .more = "It gets no new session; its share goes to the pools that "
	            "can serve.  Once\nmore on a draining pool: other clocks, "
	            "counted from the same beginning.\n",
	    .run = act_command },
	{ .name = "undrain",
	    .operands = { OPERAND("POOL", POOL) },
	    .help = "take a drain back",
	    .run = act_command },
	{ .name = "hold",
	    .options = OPT(WRITES) | OPT(WAIT),
	    .help = "let new requests wait until they are released",
	    .more = "As many and as long as the service's hold allows; what is "
	            "more is answered 503\nwith Retry-After.  With --wait it "
	            "returns when none of them that came before is\non its way "
	            "any more.\n",
	    .run = act_command },
	{ .name = "release",
	    .help = "send on what was held, oldest first and paced",
	    .run = act_command },
	{ .name = "rollout",
	    .operands = { { .name = "ACTION",
	        .kind = ARG_WORD,
	        .words = ROLLOUT_WORDS,
	        .key = "action" } },
	    .options = OPT(TO) | OPT(WAIT) | OPT(FORCE) | OPT(REHEARSE) |
	        OPT(IF_CHANGED) | OPT(RERUN),
	    .help = "take a service to another pool step by step",
	    .more =
	        "start --to POOL goes through the steps that the "
	        "configuration has for the\nservice.  status shows where it "
	        "is; approve ends a step that waits for it; skip\nany step; "
	        "retry begins one anew that has failed; abort leaves traffic "
	        "as it is;\nrollback gives the shares of before back and "
	        "drains the new pool.\n"
	        "start --rehearse goes through all steps and moves nothing; of "
	        "jobs only their\ncommands for rehearsals run.  start "
	        "--if-changed does nothing when version,\nrevision and jobs "
	        "are those of what serves.\n",
	    .run = rollout_run },
	{ .name = "plan",
	    .options = OPT(TO),
	    .help = "what a rollout to a pool would do, and what forbids it",
	    .more = "Prints the steps of \"rollout start --to POOL\", who "
	            "would be drained, and\nexits 3 where it would be refused "
	            "now.  Nothing changes.  The mark at its\nend is what "
	            "apply takes.\n",
	    .run = plan_run },
	{ .name = "apply",
	    .operands = { { .name = "MARK", .kind = ARG_TEXT, .key = "plan" } },
	    .options = OPT(TO) | OPT(WAIT),
	    .help = "begin the rollout that plan showed, if it still is that",
	    .more = "Is rollout start --to POOL, but refused when anything has "
	            "moved since plan\nprinted that MARK: the configuration of "
	            "the service, states and shares of its\npools, or who is "
	            "ready.  It says which.\n",
	    .run = apply_run },
	{ .name = "pin",
	    .operands = { OPERAND("POOL", POOL) },
	    .help = "print a cookie that leads to a pool",
	    .more = "Whoever shows it is served by that pool, whatever its "
	            "share, as long as it\nserves at all: curl -b \"$(segue "
	            "pin v2)\" URL.\n",
	    .run = pin_run },
	{ .name = "verify",
	    .operands = { { .name = "URL", .kind = ARG_TEXT } },
	    .options = OPT(TO) | OPT(FROM) | OPT(LOGIN) | OPT(VIA) | OPT(CA) |
	        OPT(ACCEPT),
	    .help = "compare what two pools promise, and log in at one",
	    .more = "URL is that of the issuer, as users have it.  Discovery "
	            "and keys of --to POOL\nare compared with those of --from "
	            "POOL; --login FILE goes through a login,\nrefresh and "
	            "logout at it.  It exits 1 when something that clients "
	            "rely on is\ngone or fails.  In a job the pools are those "
	            "of the rollout.\n",
	    .run = verify_run },
	{ .name = "warm",
	    .operands = { { .name = "URL", .kind = ARG_TEXT },
	        { .name = "PATH[,...]", .kind = ARG_TEXT } },
	    .options = OPT(TO) | OPT(BELOW) | OPT(VIA) | OPT(CA),
	    .help = "ask a pool for paths until it is as fast as it gets",
	    .more = "It has settled when three rounds in a row were not faster "
	            "by a tenth than the\nbest before, and nothing failed.  "
	            "It gives up after --timeout (2m).\n",
	    .run = warm_run },
	{ .name = "instance",
	    .operands = { OPERAND("NAME", INSTANCE),
	        { .name = "in|drain|maint",
	            .kind = ARG_WORD,
	            .words = "in|drain|maint",
	            .key = "admin" } },
	    .options = OPT(POOL) | OPT(FORCE),
	    .help = "take an instance in, let its work end, or out",
	    .run = act_command },
	{ .name = "add-instance",
	    .operands = { OPERAND("POOL", POOL), OPERAND("ADDRESS", ADDRESS) },
	    .options = OPT(NAME) | OPT(WEIGHT),
	    .help = "add an address to a pool",
	    .more = "It serves once it has proved itself, and is remembered "
	            "until it is removed.\n",
	    .run = act_command },
	{ .name = "remove-instance",
	    .operands = { OPERAND("NAME", INSTANCE) },
	    .options = OPT(POOL) | OPT(FORCE),
	    .help = "remove an address from its pool",
	    .run = act_command },
	{ .name = "sessions",
	    .operands = { { .name = "list|show|move|evict",
	                      .kind = ARG_WORD,
	                      .words = "list|show|move|evict",
	                      .key = "how",
	                      .optional = true },
	        { .name = "KEY",
	            .kind = ARG_TEXT,
	            .key = "session",
	            .optional = true } },
	    .options = OPT(POOL) | OPT(TO) | OPT(ALL) | OPT(LAST) | OPT(FORCE),
	    .help = "how many sessions are where; move or evict them",
	    .more =
	        "list shows those seen last; show the one of that KEY, which "
	        "the access log has\ntoo.  move takes the sessions of --pool "
	        "POOL, --all of them, or that of KEY, to\nthe pool --to POOL "
	        "at "
	        "their next safe point; without --to the shares place\nthem "
	        "anew.  evict does so with the next request, whatever it is.\n",
	    .run = sessions_run },
	{ .name = "cluster",
	    .operands = { { .name = "status",
	        .kind = ARG_WORD,
	        .words = "status" } },
	    .help = "the proxies that are commanded as one",
	    .run = see_cluster },
	{ .name = "events",
	    .options = OPT(FOLLOW) | OPT(LAST) | OPT(POOL),
	    .help = "what happened, and with -f what happens",
	    .run = events_run },
	{ .name = "reload",
	    .help = "take a changed configuration over",
	    .more = "No connection is touched.  A file with an error changes "
	            "nothing; what needs\na restart is named.\n",
	    .run = daemon_reload },
	{ .name = "config",
	    .help = "print the configuration in effect",
	    .run = daemon_config },
	{ .name = "compat",
	    .operands = { { .name = "check|show|files",
	                      .kind = ARG_WORD,
	                      .words = "check|show|files" },
	        { .name = "FILE", .kind = ARG_PATH, .optional = true } },
	    .options = OPT(OLD) | OPT(NEW) | OPT(PATCH_ROLLING) | OPT(SEEN) |
	        OPT(RECORD),
	    .help = "may a new version run beside the old one?",
	    .more = "check compares what two versions of Keycloak say of "
	            "themselves (kc.sh\nupdate-compatibility metadata): "
	            "--old FILE --new FILE.  It exits 0 when they\nmay run "
	            "side by side, 3 when the old one must be gone first, 4 "
	            "when the\nnew one does not roll at all.  show FILE "
	            "prints one such file.\nfiles compares FILE,... with what "
	            "was recorded of them in --seen FILE; it\nexits 5 when one "
	            "has changed.  --record records them.\nThe daemon is not "
	            "asked.\n",
	    .run = compat_run },
	{ .name = "version",
	    .help = "print the versions of both programs",
	    .run = daemon_version },
	{ .name = "help",
	    .operands = { { .name = "COMMAND",
	        .kind = ARG_COMMAND,
	        .optional = true } },
	    .help = "print help, on a command or on all",
	    .run = help_run },
};

const struct command *
command_rows(size_t *n)
{
	*n = ARRAY_LEN(rows);
	return rows;
}

const struct command *
command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

const char *
command_nearest(const char *name)
{
	const char *names[ARRAY_LEN(rows)];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		names[i] = rows[i].name;
	return str_nearest(str_of(name), names, ARRAY_LEN(names));
}

void
command_synopsis(const struct command *c, struct buf *out)
{
	buf_add_cstr(out, c->name);
	for (size_t i = 0; i < OPERANDS_MAX; i++)
		if (c->operands[i].name != NULL)
			buf_printf(out,
			    c->operands[i].optional ? " [%s]" : " %s",
			    c->operands[i].name);
	buf_add_cstr(out, " [OPTION ...]");
}
