/* The feed as Server-Sent Events. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "admin/events.h"
#include "base/clock.h"
#include "house.h"
#include "rollout/feed.h"

static struct house h;
static struct client c, d;

/* So many events "n1", "n2", ... that nobody else has told. */
static void
tell(struct house *house, void *arg)
{
	static unsigned told;

	for (unsigned i = 0; i < *(unsigned *)arg; i++) {
		struct feed_event e = { .type = FEED_PROCESS };

		(void)snprintf(e.text, sizeof(e.text), "n%u.", ++told);
		feed_tell(house->feed, &e);
	}
}

static void
tell_more(unsigned n)
{
	house_do(&h, tell, &n);
}

static void
last_id(struct house *house, void *arg)
{
	*(uint64_t *)arg = feed_last_id(house->feed);
}

/* What probes find out is told before, and nothing after it. */
static bool
is_quiet(struct house *house, void *arg)
{
	(void)arg;
	return house->a->health == HEALTH_DOWN &&
	    house->b->health == HEALTH_DOWN;
}

static void
begin(void)
{
	house_until(&h, is_quiet, NULL);
	tell_more(3);
}

#define EVENTS_TEST(name)                                                      \
	static void name##_then(void);                                         \
	HOUSE_TEST(events, name, "")                                           \
	{                                                                      \
		begin();                                                       \
		name##_then();                                                 \
	}                                                                      \
	static void name##_then(void)

static void
follow(struct client *who, const char *query, const char *fields)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/v1/events%s", query);
	client_open(who, &h, false);
	client_ask(who, "GET", path, fields, NULL);
}

EVENTS_TEST(kept_then_new)
{
	follow(&c, "", "");
	cr_assert(client_reads(&c, "\"text\":\"n3.\"}\n\n"));
	cr_expect_not_null(strstr(c.text, "\"text\":\"n1.\"}\n\n"));
	cr_expect_not_null(strstr(c.text,
	    "Content-Type: text/event-stream\r\n"));
	cr_expect_not_null(strstr(c.text, "Transfer-Encoding: chunked\r\n"));
	tell_more(1);
	cr_assert(client_reads(&c, "\"type\":\"process\",\"text\":\"n4.\"}"));
	client_close(&c);
}

EVENTS_TEST(ids_lead_on)
{
	char id[64];
	uint64_t last;

	house_do(&h, last_id, &last);
	(void)snprintf(id, sizeof(id), "Last-Event-ID: %llu\r\n",
	    (unsigned long long)last - 1);
	follow(&c, "", id);
	cr_assert(client_reads(&c, "n3."));
	cr_expect_null(strstr(c.text, "n2."));
	(void)snprintf(id, sizeof(id), "id: %llu\ndata: {\"id\":%llu,",
	    (unsigned long long)last, (unsigned long long)last);
	cr_expect_not_null(strstr(c.text, id), "%s", c.text);
	client_close(&c);
}

/* A process's ids begin anew; who comes with an old one misses nothing. */
EVENTS_TEST(an_id_from_before_a_restart)
{
	follow(&c, "?after=1000000", "");
	cr_assert(client_reads(&c, "n3."));
	cr_expect_not_null(strstr(c.text, "n1."));
	client_close(&c);
}

EVENTS_TEST(what_is_asked_for)
{
	cr_expect_eq(client_get(&c, &h, "/v1/events?last=2&follow=0"), 200);
	cr_expect_null(strstr(c.text, "n1."));
	cr_expect_not_null(strstr(c.text, "n2."));
	cr_expect_not_null(strstr(c.text, "n3."));
	cr_expect_eq(client_get(&c, &h, "/v1/events?last=0&follow=0"), 200);
	cr_expect_str_empty(client_body(&c));
	cr_expect_eq(client_get(&c, &h, "/v1/events?last=99999&follow=0"), 200);
	cr_expect_not_null(strstr(c.text, "n1."));
	tell_more(FEED_KEPT);
	cr_expect_eq(client_get(&c, &h, "/v1/events?after=0&follow=0"), 200);
	cr_expect_null(strstr(c.text, "\"n3.\""), "no longer kept");
	cr_expect_not_null(strstr(c.text, "\"n4.\""));
	cr_expect_not_null(strstr(c.text, "\"n515.\""));
}

static const struct {
	const char *query, *error, *message;
} bad[] = {
	{ "?afetr=1", "bad_request",
	    "afetr: there is no such parameter; did you mean after?" },
	{ "?xyz=1", "bad_request",
	    "xyz: there is no such parameter; there are after, last and "
	    "follow" },
	{ "?after=x", "bad_value", "after: \\\"x\\\" is no whole number" },
	{ "?last=-1", "bad_value", "last: \\\"-1\\\" is no whole number" },
	{ "?follow", "bad_value", "follow: \\\"\\\" is no whole number" },
};

EVENTS_TEST(bad_questions)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char path[64], body[256];

		(void)snprintf(path, sizeof(path), "/v1/events%s",
		    bad[i].query);
		(void)snprintf(body, sizeof(body),
		    "{\"error\":\"%s\",\"message\":\"%s\"}\n", bad[i].error,
		    bad[i].message);
		cr_expect_eq(client_get(&c, &h, path), 400, "%s", bad[i].query);
		cr_expect_str_eq(client_body(&c), body);
	}
}

/* A command's event names who gave it, and is told once it is so. */
EVENTS_TEST(commands_are_told)
{
	follow(&c, "?last=0", "");
	cr_expect_eq(client_post(&d, &h, "/v1/command",
	                 "{\"verb\":\"share\",\"pool\":\"v2\","
	                 "\"share\":\"1%\",\"force\":true}"),
	    200);
	cr_assert(client_reads(&c,
	    "\"type\":\"command\",\"service\":\"sso\",\"pool\":\"v2\","));
	cr_assert(client_reads(&c, "\"text\":\"share v2 1% --force: done\"}"));
	client_close(&c);
}

EVENTS_TEST(who_leaves_is_forgotten)
{
	follow(&c, "?last=0", "");
	follow(&d, "?last=0", "");
	cr_assert(client_reads(&c, "\r\n\r\n"));
	cr_assert_eq(shutdown(c.fd, SHUT_WR), 0);
	client_reads_all(&c);
	client_close(&c);
	tell_more(1);
	cr_assert(client_reads(&d, "n4."));
	client_close(&d);
}

EVENTS_TEST(not_for_any_number)
{
	static struct client many[EVENTS_READERS_MAX];

	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		follow(&many[i], "?last=0", "");
		cr_assert(client_reads(&many[i], "\r\n\r\n"));
	}
	cr_expect_eq(client_get(&c, &h, "/v1/events"), 503);
	cr_expect_not_null(strstr(c.text, "\"error\":\"busy\""));
	cr_expect_eq(client_get(&c, &h, "/v1/events?follow=0"), 200);
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		client_close(&many[i]);
}

/* Who does not read is dropped; others go on. */
EVENTS_TEST(slow_readers_are_dropped)
{
	follow(&c, "?last=0", "");
	cr_assert(client_reads(&c, "\r\n\r\n"));
	for (int i = 0; i < 40; i++)
		tell_more(1000);
	client_reads_all(&c);
	client_close(&c);
	cr_expect_null(strstr(c.text, "\r\n0\r\n\r\n"), "it was cut");
	cr_expect(house_logged(&h, "event=admin_reader_dropped"));
	follow(&d, "?last=1", "");
	cr_assert(client_reads(&d, "n40003."));
	client_close(&d);
}

/* Without HTTP/1.1 there are no chunks; the end of it is the end. */
EVENTS_TEST(http_1_0)
{
	static const char ask[] = "GET /v1/events?last=1 HTTP/1.0\r\n\r\n";

	client_open(&c, &h, false);
	client_send(&c, ask, sizeof(ask) - 1);
	cr_assert(client_reads(&c, "\r\n\r\nid: "));
	cr_assert(client_reads(&c, "n3."));
	tell_more(1);
	cr_assert(client_reads(&c, "n4.\"}\n\n"));
	cr_expect_null(strstr(c.text, "chunked"));
	client_close(&c);
}

/* The house is torn down while they read: see house_close(). */
EVENTS_TEST(reading_at_the_end)
{
	follow(&c, "", "");
	cr_assert(client_reads(&c, "n3."));
}
