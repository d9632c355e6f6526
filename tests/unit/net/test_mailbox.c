/* Messages from many threads to one loop. */
#include "net/mailbox.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/err.h"
#include "net/loop.h"
#include "rig.h"

#define SENDERS 6
#define EACH 20000

struct letter {
	struct mail mail;
	unsigned sender, number;
};

struct post_office {
	struct mailbox *box;
	unsigned next[SENDERS]; /* number expected of each */
	unsigned long got, disordered;
};

struct sender {
	pthread_t thread;
	struct mailbox *box;
	struct letter *letters;
	unsigned index;
};

static void
on_letter(struct mail *m, void *arg)
{
	struct post_office *o = arg;
	struct letter *l = CONTAINER_OF(m, struct letter, mail);

	o->disordered += l->number != o->next[l->sender];
	o->next[l->sender] = l->number + 1;
	o->got++;
}

static void *
send_all(void *arg)
{
	struct sender *s = arg;

	for (unsigned i = 0; i < EACH; i++) {
		s->letters[i].sender = s->index;
		s->letters[i].number = i;
		mailbox_post(s->box, &s->letters[i].mail);
	}
	return NULL;
}

static bool
all_came(void *arg)
{
	const struct post_office *o = arg;

	return o->got == (unsigned long)SENDERS * EACH;
}

Test(mailbox, many_threads_lose_nothing_and_keep_order, .timeout = 30)
{
	struct loop *l = rig_loop();
	struct post_office o = { .box = NULL };
	struct sender s[SENDERS];

	cr_assert_eq(mailbox_new(l, on_letter, &o, &o.box), E_OK);
	for (unsigned i = 0; i < SENDERS; i++) {
		s[i].box = o.box;
		s[i].index = i;
		s[i].letters = calloc(EACH, sizeof(struct letter));
		cr_assert_not_null(s[i].letters);
		cr_assert_eq(
		    pthread_create(&s[i].thread, NULL, send_all, &s[i]), 0);
	}
	rig_run_until(l, all_came, &o);
	for (unsigned i = 0; i < SENDERS; i++) {
		pthread_join(s[i].thread, NULL);
		cr_expect_eq(o.next[i], EACH);
		free(s[i].letters);
	}
	cr_expect_eq(o.disordered, 0);
	mailbox_free(&o.box);
	cr_expect_null(o.box);
	loop_free(&l);
}

/* ---- on one thread ---- */

static void
answer_once(struct mail *m, void *arg)
{
	struct post_office *o = arg;

	if (o->got++ == 0)
		mailbox_post(o->box, m); /* the receiver owns it now */
}

static bool
came_twice(void *arg)
{
	const struct post_office *o = arg;

	return o->got == 2;
}

Test(mailbox, a_letter_may_be_posted_again_by_its_receiver, .timeout = 10)
{
	struct loop *l = rig_loop();
	struct post_office o = { .box = NULL };
	struct letter one;

	cr_assert_eq(mailbox_new(l, answer_once, &o, &o.box), E_OK);
	mailbox_post(o.box, &one.mail);
	cr_expect_eq(o.got, 0, "not from inside mailbox_post()");
	rig_run_until(l, came_twice, &o);
	mailbox_free(&o.box);
	loop_free(&l);
}

Test(mailbox, freeing_delivers_what_is_left)
{
	struct loop *l = rig_loop();
	struct post_office o = { .box = NULL };
	struct letter two[2] = { { .number = 0 }, { .number = 1 } };

	cr_assert_eq(mailbox_new(l, on_letter, &o, &o.box), E_OK);
	mailbox_post(o.box, &two[0].mail);
	mailbox_post(o.box, &two[1].mail);
	mailbox_free(&o.box);
	cr_expect_eq(o.got, 2);
	cr_expect_eq(o.disordered, 0);
	mailbox_free(&o.box);
	loop_free(&l);
}
