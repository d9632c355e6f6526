/* /metrics as a scraper reads it. */
#include "admin/admin.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "house.h"

static struct house h;
static struct client c;

static bool
is_name_char(char ch, bool first)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
	    ch == '_' || ch == ':' || (!first && ch >= '0' && ch <= '9');
}

static struct str
take_name(struct str *rest)
{
	size_t n = 0;

	while (n < rest->len && is_name_char(rest->p[n], n == 0))
		n++;
	*rest = str_from(rest->p + n, rest->len - n);
	return str_from(rest->p - n, n);
}

/* {a="x",b="y"}: their names, in *names with commas; false when broken. */
static bool
take_labels(struct str *rest, struct buf *names)
{
	size_t i = 1;

	if (rest->len == 0 || rest->p[0] != '{')
		return true;
	for (;;) {
		struct str at = str_from(rest->p + i, rest->len - i), name;

		name = take_name(&at);
		if (name.len == 0 || !str_starts(at, STR("=\"")))
			return false;
		if (names->len > 0)
			buf_add_char(names, ',');
		buf_add_str(names, name);
		i = (size_t)(at.p - rest->p) + 2;
		while (i < rest->len && rest->p[i] != '"')
			i += rest->p[i] == '\\' ? 2 : 1;
		if (i + 1 >= rest->len)
			return false;
		i++;
		if (rest->p[i] == '}')
			break;
		if (rest->p[i++] != ',')
			return false;
	}
	*rest = str_from(rest->p + i + 1, rest->len - i - 1);
	return true;
}

static bool
is_number(struct str s)
{
	char text[64], *end;

	if (s.len == 0 || s.len >= sizeof(text))
		return false;
	str_copy(s, text, sizeof(text));
	(void)strtod(text, &end);
	return *end == '\0';
}

/* The row of the table for a family; its TYPE and labels. */
static bool
find_row(struct str table, struct str name, struct str *type,
    struct str *labels)
{
	while (table.len > 0) {
		struct str line = str_split(&table, '\n');

		if (!str_eq(str_split(&line, '\t'), name))
			continue;
		*type = str_split(&line, '\t');
		*labels = str_split(&line, '\t');
		return true;
	}
	return false;
}

static struct str
without(struct str name, struct str suffix)
{
	return str_ends(name, suffix) ? str_sub(name, 0, name.len - suffix.len)
	                              : name;
}

/* One sample of the family that was announced last. */
static void
check_sample(struct str line, struct str family, struct str type,
    struct str labels)
{
	struct str rest = line, name = take_name(&rest);
	struct buf names = BUF_INIT;
	struct str bare = name, shown;

	if (str_eq(type, STR("histogram"))) {
		bare = without(bare, STR("_bucket"));
		bare = without(bare, STR("_sum"));
		bare = without(bare, STR("_count"));
	}
	cr_expect(str_eq(bare, family), STR_FMT " in " STR_FMT, STR_ARG(line),
	    STR_ARG(family));
	cr_expect(take_labels(&rest, &names), STR_FMT, STR_ARG(line));
	shown = buf_str(&names);
	if (str_eq(type, STR("histogram")))
		shown = without(without(shown, STR("le")), STR(","));
	cr_expect(str_eq(shown, labels), STR_FMT ": labels " STR_FMT,
	    STR_ARG(line), STR_ARG(labels));
	cr_expect(str_starts(rest, STR(" ")) &&
	        is_number(str_sub(rest, 1, rest.len)),
	    STR_FMT, STR_ARG(line));
	buf_free(&names);
}

static void
count(struct house *house, void *arg)
{
	struct service_cell *s = &house->a->pool->service->cells[0];

	(void)arg;
	stat_add(&s->active, 1);
	stat_add(&s->begun, 4);
	stat_add(&s->outcome[OUT_TUNNELLED], 2);
	stat_add(&s->outcome[OUT_CONNECT_FAILED], 1);
	hist_add(&house->a->pool->cells[0].latency, 5000);
	hist_add(&house->a->cells[0].latency, 7000);
}

static void
begin(void)
{
	house_do(&h, count, NULL);
	cr_assert_eq(client_get(&c, &h, "/metrics"), 200);
}

#define METRICS_TEST(name) HOUSE_TEST(metrics, name, "")

/* Each family is a row of the table, in its order, with a sample at least. */
METRICS_TEST(as_a_scraper_reads)
{
	struct buf table = BUF_INIT, seen = BUF_INIT, wanted = BUF_INIT;
	struct str rest, all;
	struct str family = { NULL, 0 }, type = family, labels = family;
	size_t samples = 1;

	begin();
	rest = str_of(client_body(&c));
	admin_metrics_names(&table);
	while (rest.len > 0) {
		struct str line = str_split(&rest, '\n');

		if (!str_starts(line, STR("# "))) {
			check_sample(line, family, type, labels);
			samples++;
			continue;
		}
		line = str_sub(line, 2, line.len);
		if (str_starts(line, STR("HELP "))) {
			cr_expect_gt(samples, 0, STR_FMT " has none",
			    STR_ARG(family));
			samples = 0;
			(void)str_split(&line, ' ');
			family = str_split(&line, ' ');
			cr_expect(find_row(buf_str(&table), family, &type,
			              &labels),
			    STR_FMT, STR_ARG(family));
			buf_add_str(&seen, family);
			buf_add_char(&seen, '\n');
		} else {
			(void)str_split(&line, ' ');
			cr_expect(str_eq(str_split(&line, ' '), family));
			cr_expect(str_eq(line, type), STR_FMT, STR_ARG(family));
		}
	}
	for (all = buf_str(&table); all.len > 0;) {
		struct str line = str_split(&all, '\n');

		buf_add_str(&wanted, str_split(&line, '\t'));
		buf_add_char(&wanted, '\n');
	}
	cr_expect_str_eq(seen.p, wanted.p);
	buf_free(&table);
	buf_free(&seen);
	buf_free(&wanted);
}

static unsigned long long
value_of(const char *sample)
{
	char line[160];
	const char *at;

	(void)snprintf(line, sizeof(line), "\n%s ", sample);
	at = strstr(client_body(&c), line);
	cr_assert_not_null(at, "%s", sample);
	return strtoull(at + strlen(line), NULL, 10);
}

METRICS_TEST(the_identity)
{
	static const char *const classes[] = { "answered", "ours", "client",
		"deadline", "fault" };
	unsigned long long sum;
	char sample[96];

	begin();
	sum = value_of("segue_in_flight{service=\"sso\"}");
	cr_expect_eq(sum, 1);
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		(void)snprintf(sample, sizeof(sample),
		    "segue_ended_total{service=\"sso\",class=\"%s\"}",
		    classes[i]);
		sum += value_of(sample);
	}
	cr_expect_eq(sum, value_of("segue_accepted_total{service=\"sso\"}"));
	cr_expect_eq(sum, 4);
	cr_expect_eq(value_of("segue_outcomes_total{service=\"sso\","
	                      "class=\"fault\",outcome=\"connect_failed\"}"),
	    1);
}

METRICS_TEST(values)
{
	begin();
	cr_expect_eq(
	    value_of("segue_build_info{version=\"" SEGUE_VERSION "\"}"), 1);
	cr_expect_eq(value_of("segue_start_time_seconds"),
	    HOUSE_STARTED_US / 1000000);
	cr_expect_not_null(strstr(c.text,
	    "\nsegue_pool_share_ratio{service=\"sso\",pool=\"v1\"} "
	    "1.000000\n"));
	cr_expect_eq(value_of("segue_pool_latency_seconds_count{"
	                      "service=\"sso\",pool=\"v1\"}"),
	    1);
	cr_expect_eq(value_of("segue_instance_latency_seconds_bucket{"
	                      "service=\"sso\",pool=\"v1\",instance=\"a\","
	                      "le=\"0.008191\"}"),
	    1);
	cr_expect_eq(value_of("segue_pool_instances{service=\"sso\","
	                      "pool=\"v2\"}"),
	    1);
	cr_expect_eq(value_of("segue_instance_up{service=\"sso\",pool=\"v2\","
	                      "instance=\"b\"}"),
	    0);
	cr_expect_gt(value_of("process_resident_memory_bytes"), 100000);
	cr_expect_gt(value_of("process_open_fds"), 3);
	cr_expect_leq(value_of("process_open_fds"),
	    value_of("process_max_fds"));
}
