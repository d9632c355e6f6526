#include "rollout/runs.h"

#include <stddef.h>
#include <string.h>

#include "base/json.h"

#define X(id, name) [RO_VERDICT_##id] = (name),
static const char *const verdict_names[] = { RO_VERDICTS(X) };
#undef X

const char *
run_verdict_name(enum ro_verdict v)
{
	return verdict_names[v];
}

bool
run_key_is(const struct run_key *a, const struct run_key *b)
{
	return a->rollout == b->rollout && a->run == b->run &&
	    strcmp(a->service, b->service) == 0;
}

/* ---- writing ---- */

static void
put_key(struct json_out *j, const struct run_key *k)
{
	json_kv_cstr(j, "service", k->service);
	json_kv_u64(j, "rollout", k->rollout);
	json_kv_u64(j, "run", k->run);
}

void
run_key_write(const struct run_key *k, struct buf *out)
{
	struct json_out j;

	json_begin(&j, out);
	json_begin_object(&j);
	put_key(&j, k);
	json_end_object(&j);
}

void
run_ask_write(const struct run_ask *a, struct buf *out)
{
	struct json_out j;

	json_begin(&j, out);
	json_begin_object(&j);
	put_key(&j, &a->key);
	json_kv_cstr(&j, "job", a->job);
	json_kv_bool(&j, "rehearsal", a->rehearsal);
	json_kv_cstr(&j, "from", a->from);
	json_kv_cstr(&j, "to", a->to);
	json_kv_cstr(&j, "version", a->version);
	json_kv_cstr(&j, "step", a->step);
	json_kv_cstr(&j, "instance", a->instance);
	json_end_object(&j);
}

void
run_news_write(const struct run_news *n, struct buf *out)
{
	struct json_out j;

	json_begin(&j, out);
	json_begin_object(&j);
	put_key(&j, &n->key);
	json_kv_u64(&j, "pid", (uint64_t)n->pid);
	json_kv_bool(&j, "ended", n->ended);
	json_kv_u64(&j, "verdict", n->verdict);
	json_key(&j, "exit");
	json_i64(&j, n->exit);
	json_kv_u64(&j, "took_us", n->took_us);
	json_kv_cstr(&j, "why", n->why);
	json_kv_cstr(&j, "tail", n->tail);
	json_end_object(&j);
}

/* ---- reading ---- */

static bool
get_text(const struct json *j, const char *key, char *out, size_t cap)
{
	const char *text = json_get_text(j, key, NULL);

	if (text == NULL)
		return false;
	str_copy(str_of(text), out, cap);
	return strlen(text) < cap;
}

static bool
get_number(const struct json *j, const char *key, int64_t least, int64_t most,
    int64_t *out)
{
	return json_int(json_get(j, key), out) && *out >= least && *out <= most;
}

static bool
get_key(const struct json *j, struct run_key *k)
{
	int64_t rollout, run;

	if (!get_text(j, "service", k->service, sizeof(k->service)) ||
	    !get_number(j, "rollout", 1, INT64_MAX, &rollout) ||
	    !get_number(j, "run", 1, UINT32_MAX, &run))
		return false;
	k->rollout = (uint64_t)rollout;
	k->run = (uint32_t)run;
	return true;
}

static bool
get_ask(const struct json *j, void *out)
{
	struct run_ask *a = out;

	a->from_version[0] = '\0';
	a->address = "";
	return get_key(j, &a->key) &&
	    get_text(j, "job", a->job, sizeof(a->job)) &&
	    json_truth(json_get(j, "rehearsal"), &a->rehearsal) &&
	    get_text(j, "from", a->from, sizeof(a->from)) &&
	    get_text(j, "to", a->to, sizeof(a->to)) &&
	    get_text(j, "version", a->version, sizeof(a->version)) &&
	    get_text(j, "step", a->step, sizeof(a->step)) &&
	    get_text(j, "instance", a->instance, sizeof(a->instance));
}

static bool
get_only_key(const struct json *j, void *out)
{
	return get_key(j, out);
}

static bool
get_news(const struct json *j, void *out)
{
	struct run_news *n = out;
	int64_t pid, verdict, status, took_us;

	if (!get_key(j, &n->key) ||
	    !json_truth(json_get(j, "ended"), &n->ended) ||
	    !get_number(j, "pid", 0, INT32_MAX, &pid) ||
	    !get_number(j, "verdict", 0, RO_VERDICT_COUNT - 1, &verdict) ||
	    !get_number(j, "exit", -1, 255, &status) ||
	    !get_number(j, "took_us", 0, INT64_MAX, &took_us))
		return false;
	n->pid = (pid_t)pid;
	n->verdict = (uint8_t)verdict;
	n->exit = (int16_t)status;
	n->took_us = (uint64_t)took_us;
	/* Cut: U+FFFD is longer than the byte that it stands for. */
	(void)get_text(j, "why", n->why, sizeof(n->why));
	(void)get_text(j, "tail", n->tail, sizeof(n->tail));
	return true;
}

static bool
read_with(const char *text, bool (*get)(const struct json *, void *), void *out)
{
	char why[8];
	struct json *j = json_read(str_of(text), why, sizeof(why));
	bool good = j != NULL && get(j, out);

	json_free(&j);
	return good;
}

bool
run_ask_read(const char *text, struct run_ask *out)
{
	return read_with(text, get_ask, out);
}

bool
run_key_read(const char *text, struct run_key *out)
{
	return read_with(text, get_only_key, out);
}

bool
run_news_read(const char *text, struct run_news *out)
{
	out->why[0] = out->tail[0] = '\0';
	return read_with(text, get_news, out);
}

/* ---- output ---- */

void
run_last_line(const char *tail, char *out, size_t cap)
{
	struct str rest = str_of(tail), last = STR("");

	while (rest.len > 0) {
		struct str line = str_split(&rest, '\n');

		if (str_trim(line).len > 0)
			last = str_trim(line);
	}
	str_copy(last, out, cap);
	for (char *c = out; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}
