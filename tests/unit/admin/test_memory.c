/*
 * Memory runs out: one request is refused, or one connection ended; nothing
 * is left behind, and the next request is served.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "tests/unit/base/fault.h"
#include "house.h"

#define TRIES 40
#define CLOSE "Connection: close\r\n"

static struct house h;
static struct client c;

static const struct {
	const char *method, *path, *fields, *body;
} asks[] = {
	{ "GET", "/v1/version", CLOSE, NULL },
	{ "GET", "/v1/status", CLOSE, NULL },
	{ "GET", "/v1/config", CLOSE, NULL },
	{ "GET", "/metrics", CLOSE, NULL },
	{ "GET", "/nowhere", CLOSE, NULL },
	{ "GET", "/v1/events?follow=0", CLOSE, NULL },
	{ "POST", "/v1/reload", CLOSE, "" },
	{ "POST", "/v1/command", CLOSE, "{}" },
	{ "POST", "/v1/command", CLOSE,
	    "{\"verb\":\"share\",\"pool\":\"v1\",\"share\":\"50%\","
	    "\"force\":true}" },
	{ "POST", "/v1/command", CLOSE "Accept: text/event-stream\r\n",
	    "{\"verb\":\"share\",\"pool\":\"v1\",\"share\":\"50%\","
	    "\"force\":true}" },
};

static bool
is_an_answer(const struct client *who)
{
	/* Or one that ends before its head; then nothing came at all. */
	return who->len == 0 || client_status(who) != 0;
}

static void
ask_with_fault(size_t i, enum fault f, unsigned nth)
{
	client_open(&c, &h, false);
	fault_arm(f, nth, ENOMEM);
	client_ask(&c, asks[i].method, asks[i].path, asks[i].fields,
	    asks[i].body);
	client_reads_all(&c);
	fault_arm(f, 0, 0);
	client_close(&c);
	cr_expect(is_an_answer(&c), "%s %s, %u: %s", asks[i].method,
	    asks[i].path, nth, c.text);
	if (client_status(&c) == 500)
		cr_expect(strstr(c.text, "no_memory") != NULL ||
		        strstr(c.text, "Internal Server Error") != NULL,
		    "%s", c.text);
}

static void
sweep(enum fault f)
{
	house_open(&h, "");
	h.reload = (struct admin_reload_result){ E_OK, "a", "b", "c" };
	for (size_t i = 0; i < ARRAY_LEN(asks); i++)
		for (unsigned nth = 1; nth <= TRIES; nth++)
			ask_with_fault(i, f, nth);
	for (size_t i = 0; i < 6; i++) {
		cr_expect_neq(client_get(&c, &h, asks[i].path), 500);
		cr_expect_neq(client_status(&c), 0);
	}
	house_close(&h);
}

Test(memory, calloc, .timeout = 60)
{
	sweep(FAULT_CALLOC);
}

Test(memory, realloc, .timeout = 60)
{
	sweep(FAULT_REALLOC);
}

Test(memory, malloc, .timeout = 60)
{
	sweep(FAULT_MALLOC);
}
