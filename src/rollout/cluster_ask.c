/*
 * Commands that one who follows was given, and who leads carries out.
 */
#include <stdlib.h>
#include <string.h>

#include "rollout/cluster_int.h"

uint64_t
cluster_forward(struct cluster *c, struct str body, const char *who,
    cluster_result_fn *fn, void *arg)
{
	struct forwarded *f = calloc(1, sizeof(*f));
	struct buf b = BUF_INIT;
	struct json_out j;

	if (f == NULL)
		return 0;
	f->id = ++c->ids;
	f->fn = fn;
	f->arg = arg;
	(void)str_copy(str_of(cluster_leader_boot(c)), f->leader,
	    sizeof(f->leader));
	TAILQ_INSERT_TAIL(&c->forwarded, f, link);
	cluster_say_begin(c, &j, &b, "command");
	json_kv_cstr(&j, "to", f->leader);
	json_kv_cstr(&j, "member", c->name);
	json_kv_u64(&j, "id", f->id);
	json_kv_str(&j, "body", body);
	json_kv_cstr(&j, "who", who);
	cluster_say(c, &j, &b);
	return f->id;
}

void
cluster_end_forwarded(struct cluster *c, struct forwarded *f, unsigned status,
    struct str body)
{
	TAILQ_REMOVE(&c->forwarded, f, link);
	f->fn(status, body, f->arg);
	free(f);
}

static struct forwarded *
find_forwarded(struct cluster *c, uint64_t id)
{
	struct forwarded *f;

	TAILQ_FOREACH (f, &c->forwarded, link)
		if (f->id == id)
			return f;
	return NULL;
}

void
cluster_forget(struct cluster *c, uint64_t id)
{
	struct forwarded *f = find_forwarded(c, id);

	if (f == NULL)
		return;
	TAILQ_REMOVE(&c->forwarded, f, link);
	free(f);
}

/* The leader that they were given to does not lead any more. */
void
cluster_end_orphans(struct cluster *c)
{
	struct forwarded *f, *next;

	for (f = TAILQ_FIRST(&c->forwarded); f != NULL; f = next) {
		next = TAILQ_NEXT(f, link);
		if (c->role != CLUSTER_FOLLOWER ||
		    !cluster_is_leader(c, f->leader))
			cluster_end_forwarded(c, f, 0, (struct str){ NULL, 0 });
	}
}

void
cluster_on_command(struct cluster *c, cluster_command_fn *fn, void *arg)
{
	c->command = fn;
	c->command_arg = arg;
}

void
cluster_answer(struct cluster *c, const struct cluster_from *to,
    unsigned status, struct str body)
{
	struct buf b = BUF_INIT;
	struct json_out j;

	cluster_say_begin(c, &j, &b, "result");
	json_kv_cstr(&j, "to", to->boot);
	json_kv_u64(&j, "id", to->id);
	json_kv_u64(&j, "status", status);
	json_kv_str(&j, "body", body);
	cluster_say(c, &j, &b);
}

void
cluster_hear_command(struct cluster *c, const char *boot,
    const struct json *doc)
{
	struct cluster_from from = { .id = cluster_number(doc, "id") };

	if (strcmp(json_get_text(doc, "to", ""), c->boot) != 0 ||
	    c->command == NULL)
		return;
	(void)str_copy(str_of(json_get_text(doc, "member", "")), from.member,
	    sizeof(from.member));
	(void)str_copy(str_of(boot), from.boot, sizeof(from.boot));
	c->command(&from, str_of(json_get_text(doc, "body", "")),
	    json_get_text(doc, "who", ""), c->command_arg);
}

/* Of an answer that is none nobody knows what came of it. */
static unsigned
status_of(const struct json *doc)
{
	uint64_t status = cluster_number(doc, "status");

	return status < 100 || status > 599 ? 0 : (unsigned)status;
}

void
cluster_hear_result(struct cluster *c, const struct json *doc)
{
	struct forwarded *f = find_forwarded(c, cluster_number(doc, "id"));

	if (f != NULL && strcmp(json_get_text(doc, "to", ""), c->boot) == 0)
		cluster_end_forwarded(c, f, status_of(doc),
		    str_of(json_get_text(doc, "body", "")));
}
