/*
 * Pools, instances and sessions as tables.
 */
#include <string.h>

#include "segue/view_int.h"

struct list {
	const struct json *status;
	struct table *table;
	bool with_service; /* there are several to tell apart */
};

static struct list
begin(const struct json *status, const struct view *v,
    const struct table_column *columns)
{
	return (struct list){ .status = status,
		.table = table_new(columns),
		.with_service = v->service == NULL &&
		    json_len(json_get(status, "services")) > 1 };
}

static void
end(struct list *l, const struct view *v, size_t indent, struct buf *out)
{
	if (l->table == NULL)
		out->failed = true;
	else
		table_write(l->table, v->colour, indent, out);
	table_free(&l->table);
}

static void
add_service(struct list *l, const struct json *service)
{
	view_cell(l->table, STYLE_PLAIN,
	    l->with_service ? show_text(service, "name") : "-");
}

/* ---- pools ---- */

static const struct table_column pool_columns[] = {
	{ "SERVICE", false, "-" },
	{ "POOL", false, NULL },
	{ "STATE", false, NULL },
	{ "SINCE", true, NULL },
	{ "SHARE", true, NULL },
	{ "READY", false, NULL },
	{ "UP", false, NULL },
	{ "IN FLIGHT", true, NULL },
	{ "STREAMS", true, "0" },
	{ "SESSIONS", true, NULL },
	{ "P50", true, "-" },
	{ "P99", true, "-" },
	{ "5XX", true, "0" },
	{ NULL, false, NULL },
};

/* Who has no share may be away. */
static enum style
style_of_lack(const struct json *pool)
{
	return json_get_int(pool, "share_bp", 0) > 0 ? STYLE_BAD : STYLE_DIM;
}

static void
add_ready(struct table *t, const struct json *pool)
{
	bool ready;

	if (!json_truth(json_get(pool, "ready"), &ready))
		view_cell(t, STYLE_PLAIN, "-");
	else
		view_cell(t, ready ? STYLE_GOOD : style_of_lack(pool),
		    ready ? "yes" : "no");
}

/* "2 of 3": of its instances, those up and in. */
static void
add_up(struct table *t, const struct json *pool)
{
	struct buf text = BUF_INIT;
	enum style style = STYLE_WARN;
	int64_t up, all;
	char n[SHOW_MAX];

	if (!json_int(json_get(pool, "eligible"), &up) ||
	    !json_int(json_get(pool, "instances_n"), &all)) {
		view_cell(t, STYLE_PLAIN, "-");
		return;
	}
	buf_printf(&text, "%s of ", show_number(up, n));
	buf_add_cstr(&text, show_number(all, n));
	if (up == 0)
		style = style_of_lack(pool);
	else if (up == all)
		style = STYLE_GOOD;
	table_add(t, style, buf_str(&text));
	buf_free(&text);
}

static void
add_pool(const struct json *service, const struct json *pool, void *arg)
{
	const struct json *latency = json_get(pool, "latency");
	struct list *l = arg;
	struct table *t = l->table;
	const char *state = show_text(pool, "state");
	char text[SHOW_MAX];

	add_service(l, service);
	view_cell_text(t, pool, "name");
	view_cell(t, view_style_state(state), state);
	view_cell(t, STYLE_PLAIN,
	    show_age(json_get_text(l->status, "now", NULL),
	        json_get_text(pool, "since", NULL), text));
	view_cell(t, STYLE_PLAIN, show_share(pool, "share_bp", text));
	add_ready(t, pool);
	add_up(t, pool);
	view_cell_count(t, pool, "in_flight");
	view_cell_count(t, pool, "streams");
	view_cell_count(t, pool, "sessions");
	view_cell_quantile(t, latency, "p50_us");
	view_cell_quantile(t, latency, "p99_us");
	view_cell_5xx(t, pool);
}

void
view_pool_table(const struct json *status, const struct view *v, size_t indent,
    struct buf *out)
{
	struct list l = begin(status, v, pool_columns);

	view_each_pool(status, v, add_pool, &l);
	end(&l, v, indent, out);
}

void
view_pools(const struct json *status, const struct view *v, struct buf *out)
{
	view_pool_table(status, v, 0, out);
}

/* ---- instances ---- */

static const struct table_column instance_columns[] = {
	{ "SERVICE", false, "-" },
	{ "POOL", false, NULL },
	{ "INSTANCE", false, NULL },
	{ "ADDRESS", false, "-" }, /* where it is not the name */
	{ "WEIGHT", true, "1" },
	{ "HEALTH", false, NULL },
	{ "FOR", true, NULL },
	{ "EJECTED", true, "-" }, /* for so long still */
	{ "ADMIN", false, "in" },
	{ "IN FLIGHT", true, NULL },
	{ "STREAMS", true, "0" },
	{ "REQUESTS", true, NULL },
	{ "CONNS", true, NULL },
	{ "5XX", true, "0" },
	{ "RESETS", true, "0" },
	{ "PROBE", true, "0s" },
	{ "P50", true, "-" },
	{ "P99", true, "-" },
	{ "ADDED", false, "no" },
	{ "REASON", false, "-" },
	{ NULL, false, NULL },
};

static void
add_place(struct table *t, const struct json *i)
{
	const char *address = show_text(i, "address");

	view_cell_text(t, i, "name");
	view_cell(t, STYLE_PLAIN,
	    strcmp(show_text(i, "name"), address) == 0 ? "-" : address);
	view_cell_count(t, i, "weight");
}

static void
add_health(struct table *t, const struct json *i)
{
	const char *health = show_text(i, "health");
	const char *admin = show_text(i, "admin");
	char text[SHOW_MAX];

	view_cell(t, view_style_health(health), health);
	view_cell(t, STYLE_PLAIN, show_s(i, "health_s", text));
	if (json_get_text(i, "ejected_why", "")[0] == '\0')
		view_cell(t, STYLE_PLAIN, "-");
	else
		view_cell(t, STYLE_WARN, show_s(i, "ejected_s", text));
	view_cell(t, strcmp(admin, "in") == 0 ? STYLE_PLAIN : STYLE_WARN,
	    admin);
}

static void
add_instance(struct list *l, const struct json *service,
    const struct json *pool, const struct json *i)
{
	const struct json *latency = json_get(i, "latency");
	struct table *t = l->table;
	bool up = strcmp(show_text(i, "health"), "up") == 0;

	add_service(l, service);
	view_cell_text(t, pool, "name");
	add_place(t, i);
	add_health(t, i);
	view_cell_count(t, i, "in_flight");
	view_cell_count(t, i, "streams");
	view_cell_count(t, i, "requests");
	view_cell_count(t, i, "connections");
	view_cell_5xx(t, i);
	view_cell_count(t, i, "resets");
	view_cell_us(t, i, "probe_us");
	view_cell_quantile(t, latency, "p50_us");
	view_cell_quantile(t, latency, "p99_us");
	view_cell(t, STYLE_PLAIN,
	    json_get_truth(i, "added", false) ? "yes" : "no");
	view_cell(t, STYLE_PLAIN, show_text(i, up ? "ejected_why" : "reason"));
}

static void
add_instances(const struct json *service, const struct json *pool, void *arg)
{
	const struct json *instances = json_get(pool, "instances");

	for (size_t i = 0; i < json_len(instances); i++)
		add_instance(arg, service, pool, json_at(instances, i));
}

void
view_instances(const struct json *status, const struct view *v, struct buf *out)
{
	struct list l = begin(status, v, instance_columns);

	view_each_pool(status, v, add_instances, &l);
	end(&l, v, 0, out);
}

/* ---- sessions ---- */

static const struct table_column session_columns[] = {
	{ "SERVICE", false, "-" },
	{ "POOL", false, NULL },
	{ "STATE", false, NULL },
	{ "SHARE", true, NULL },
	{ "SESSIONS", true, NULL },
	{ "NEW", true, NULL },
	{ "MODE", false, "-" },
	{ "REQUESTS BY CAUSE", false, NULL },
	{ NULL, false, NULL },
};

/* "pin 1,234, share 56": what is not zero. */
static void
add_causes(struct table *t, const struct json *causes)
{
	struct buf text = BUF_INIT;
	const struct json *value;
	const char *name;
	char n[SHOW_MAX];
	int64_t count;

	for (size_t i = 0; json_member(causes, i, &name, &value); i++) {
		if (!json_int(value, &count) || count == 0)
			continue;
		buf_printf(&text, "%s%s %s", text.len == 0 ? "" : ", ", name,
		    show_number(count, n));
	}
	table_add(t, STYLE_PLAIN, buf_str(&text));
	buf_free(&text);
}

static void
add_sessions(const struct json *service, const struct json *pool, void *arg)
{
	struct list *l = arg;
	struct table *t = l->table;
	const char *state = show_text(pool, "state");
	char text[SHOW_MAX];

	add_service(l, service);
	view_cell_text(t, pool, "name");
	view_cell(t, view_style_state(state), state);
	view_cell(t, STYLE_PLAIN, show_share(pool, "share_bp", text));
	view_cell_count(t, pool, "sessions");
	view_cell_count(t, pool, "sessions_new");
	view_cell_text(t, json_get(pool, "drain"), "mode");
	add_causes(t, json_get(pool, "causes"));
}

void
view_sessions(const struct json *status, const struct view *v, struct buf *out)
{
	struct list l = begin(status, v, session_columns);

	view_each_pool(status, v, add_sessions, &l);
	end(&l, v, 0, out);
}

/* ---- single sessions ---- */

static const struct table_column record_columns[] = {
	{ "KEY", false, NULL },
	{ "POOL", false, NULL },
	{ "FIRST SEEN", true, NULL },
	{ "LAST SEEN", true, NULL },
	{ "ENDS", false, NULL },
	{ "ORDER", false, "-" },
	{ NULL, false, NULL },
};

static void
add_record(struct table *t, const struct json *doc, const struct json *one)
{
	const char *now = json_get_text(doc, "now", NULL);
	const char *to = json_get_text(one, "to", NULL);
	struct buf order = BUF_INIT;
	char text[SHOW_MAX];

	view_cell_text(t, one, "key");
	view_cell_text(t, one, "pool");
	view_cell(t, STYLE_PLAIN,
	    show_age(now, json_get_text(one, "first_seen", NULL), text));
	view_cell(t, STYLE_PLAIN,
	    show_age(now, json_get_text(one, "last_seen", NULL), text));
	view_cell(t, STYLE_PLAIN, show_moment(one, "ends", text));
	buf_add_cstr(&order, json_get_text(one, "order", "-"));
	if (to != NULL)
		buf_printf(&order, " to %s", to);
	table_add(t, STYLE_WARN, buf_str(&order));
	buf_free(&order);
}

void
view_records(const struct json *doc, const struct view *v, struct buf *out)
{
	const struct json *all = json_get(doc, "sessions");
	struct table *t = table_new(record_columns);

	for (size_t i = 0; t != NULL && i < json_len(all); i++)
		add_record(t, doc, json_at(all, i));
	if (t == NULL)
		out->failed = true;
	else
		table_write(t, v->colour, 0, out);
	table_free(&t);
}
