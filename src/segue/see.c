/*
 * Looking: one document, shown as it is or as a view of it.
 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "segue/answer.h"
#include "segue/handlers.h"
#include "segue/interrupt.h"
#include "segue/run.h"
#include "segue/screen.h"
#include "segue/style.h"
#include "segue/view.h"

static struct view
view_of(const struct run *r)
{
	return (struct view){ .service = r->args.option[OPT_SERVICE],
		.pool = r->args.option[OPT_POOL],
		.colour = r->colour };
}

/* Appends what is to be seen, a line's end behind it. */
static int
put(struct run *r, view_fn *view, const struct answer *a, struct buf *out)
{
	const struct view v = view_of(r);

	if (!r->json) {
		view(a->doc, &v, out);
	} else {
		buf_add_str(out, buf_str(&a->text));
		if (!str_ends(buf_str(out), STR("\n")))
			buf_add_char(out, '\n');
	}
	if (!out->failed)
		return SEGUE_EXIT_DONE;
	return run_fail(r, SEGUE_EXIT_FAILED, "no_memory", "out of memory");
}

static int
render(struct run *r, view_fn *view, const struct answer *a, struct buf *out)
{
	const struct view v = view_of(r);
	char why[256];

	if (!view_fits(a->doc, &v, why, sizeof(why)))
		return run_fail(r, SEGUE_EXIT_USAGE,
		    strstr(why, "service") != NULL ? "no_service" : "no_pool",
		    "%s", why);
	return put(r, view, a, out);
}

static int
look(struct run *r, view_fn *view, struct buf *out)
{
	struct answer a;
	int exit = answer_get_doc(r, ADMIN_STATUS, &a);

	if (exit != SEGUE_EXIT_DONE)
		return exit;
	exit = render(r, view, &a, out);
	answer_free(&a);
	return exit;
}

static int
see(struct run *r, view_fn *view)
{
	struct buf out = BUF_INIT;
	int exit = look(r, view, &out);

	if (exit == SEGUE_EXIT_DONE)
		run_print(r, buf_str(&out));
	buf_free(&out);
	return exit;
}

/* ---- again and again ---- */

static void
redraw(struct run *r, struct str text, bool first)
{
	struct buf screen = BUF_INIT;
	unsigned columns = style_columns(r->out);

	if (first && columns > 0 && !r->json)
		buf_add_cstr(&screen, "\033[2J");
	if (columns > 0 && !r->json)
		screen_fit(&screen, text, style_rows(r->out), columns);
	else
		buf_add_str(&screen, text);
	run_print(r, buf_str(&screen));
	if (columns == 0 && !r->json)
		run_print(r, STR("\n"));
	fflush(r->out);
	buf_free(&screen);
}

/*
 * Goes on when the daemon cannot be reached for a while, so that a restart can
 * be watched; but it has to be there at the beginning.
 */
static int
watch(struct run *r, view_fn *view)
{
	int exit = SEGUE_EXIT_DONE, signal;
	bool seen = false;

	interrupt_arm();
	while (interrupt_came() == 0 && ferror(r->out) == 0) {
		struct buf text = BUF_INIT;

		exit = look(r, view, &text);
		if (exit == SEGUE_EXIT_DONE)
			redraw(r, buf_str(&text), !seen);
		buf_free(&text);
		if (exit != SEGUE_EXIT_DONE &&
		    !(seen && exit == SEGUE_EXIT_UNREACHABLE))
			break;
		seen = true;
		if (interrupt_poll(NULL, 0, US_PER_S) == -1)
			break;
	}
	signal = interrupt_came();
	interrupt_disarm();
	return signal != 0 ? 128 + signal : exit;
}

int
see_status(struct run *r)
{
	return args_has(&r->args, OPT_WATCH) ? watch(r, view_status)
	                                     : see(r, view_status);
}

int
see_pools(struct run *r)
{
	return see(r, view_pools);
}

int
see_instances(struct run *r)
{
	return see(r, view_instances);
}

/* Single ones, as this proxy has seen them. */
static int
see_records(struct run *r)
{
	const struct args *a = &r->args;
	const char *pool = a->option[OPT_POOL],
	           *service = a->option[OPT_SERVICE];
	struct buf path = BUF_INIT, out = BUF_INIT;
	struct answer answer = { .doc = NULL };
	int exit;

	if (pool != NULL && a->n_operands > 1)
		return run_fail(r, SEGUE_EXIT_USAGE, "usage",
		    "--pool is for sessions list");
	if (pool != NULL && strpbrk(pool, "&=%#+ ") != NULL)
		return run_fail(r, SEGUE_EXIT_USAGE, "no_pool",
		    "there is no pool %s", pool);
	buf_printf(&path, ADMIN_SESSIONS "?last=%" PRIu64,
	    args_has(a, OPT_LAST) ? a->number[OPT_LAST] : UINT64_C(20));
	if (service != NULL)
		buf_printf(&path, "&service=%s", service);
	if (pool != NULL)
		buf_printf(&path, "&pool=%s", pool);
	if (a->n_operands > 1)
		buf_printf(&path, "&session=%s", a->operand[1]);
	exit = path.failed
	    ? run_fail(r, SEGUE_EXIT_FAILED, "no_memory", "out of memory")
	    : answer_get_doc(r, path.p, &answer);
	buf_free(&path);
	if (exit != SEGUE_EXIT_DONE)
		return exit;
	exit = put(r, view_records, &answer, &out);
	if (exit == SEGUE_EXIT_DONE)
		run_print(r, buf_str(&out));
	buf_free(&out);
	answer_free(&answer);
	return exit;
}

int
see_sessions(struct run *r)
{
	bool list = r->args.n_operands > 0 &&
	    strcmp(r->args.operand[0], "list") == 0;

	if (r->args.n_operands == 0)
		return see(r, view_sessions);
	if (list != (r->args.n_operands == 1))
		return run_fail(r, SEGUE_EXIT_USAGE, "usage",
		    list ? "sessions list takes no KEY; sessions show does"
		         : "sessions show needs the KEY of one, as the access "
		           "log and \"segue sessions list\" have it");
	return see_records(r);
}

int
see_cluster(struct run *r)
{
	return see(r, view_cluster);
}

int
see_rollout(struct run *r)
{
	const char *word = r->args.operand[0];

	if (strcmp(word, "watch") == 0)
		return watch(r, view_rollout);
	return see(r,
	    strcmp(word, "report") == 0        ? view_report
	        : strcmp(word, "page") == 0    ? view_page
	        : strcmp(word, "history") == 0 ? view_history
	                                       : view_rollout);
}
