/*
 * login - counts, by pool, the first login of a session: that a user has begun
 * one, and that it is complete, so that a step analyze can tell a version at
 * which fewer users get in; a page that says so is answered 200.
 *
 * How far it is stands in the pin: a login counts once, and what sends no
 * cookie back counts as none.
 *
 * Thread: worker.
 */
#ifndef PROXY_LOGIN_H
#define PROXY_LOGIN_H

struct exchange;
struct http_head;

/* The head of a final answer, before it is changed for the client. */
void login_hear(struct exchange *, const struct http_head *);

#endif
