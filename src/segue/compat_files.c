/*
 * Have files changed that the vendor's check does not look into?  What they
 * held when a version was last found good is in a file of ours.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "segue/compat_files.h"
#include "segue/handlers.h"
#include "segue/run.h"
#include "segue/table.h"

#define FILES_MAX 64
#define FILE_BYTES_MAX ((size_t)16 << 20)
#define SEEN_BYTES_MAX ((size_t)1 << 20)
#define SEED UINT64_C(0x5ee9)
#define SUM_MAX 17 /* digits, in base 16, and NUL */

/* How it stands: name, sentence. */
#define STANDINGS(X)                                                           \
	X(SAME, "same")                                                        \
	X(CHANGED, "changed")                                                  \
	X(NEW, "never seen before")
#define X(id, name) IS_##id,
enum standing { STANDINGS(X) };
#undef X

static const char *
standing_name(enum standing s)
{
#define X(id, name) [IS_##id] = (name),
	static const char *const names[] = { STANDINGS(X) };
#undef X
	return names[s];
}

struct files {
	struct run *run;
	const char *seen_path;
	struct json *seen; /* owned; NULL: nothing was seen yet */
	struct buf path[FILES_MAX];
	char sum[FILES_MAX][SUM_MAX];
	size_t n;
};

/* ---- what there is ---- */

static int
read_seen(struct files *f)
{
	struct buf text = BUF_INIT;
	char why[128];
	int rc = file_read(f->seen_path, SEEN_BYTES_MAX, &text);
	int exit = SEGUE_EXIT_DONE;

	if (rc == E_NOENT)
		goto out;
	if (rc != E_OK) {
		exit = run_fail(f->run, SEGUE_EXIT_FAILED, "file", "%s: %s",
		    f->seen_path, err_text(rc));
		goto out;
	}
	f->seen = json_read(buf_str(&text), why, sizeof(why));
	if (f->seen == NULL || !json_is_object(f->seen))
		exit = run_fail(f->run, SEGUE_EXIT_FAILED, "file",
		    "%s: it is not what --record wrote%s%s", f->seen_path,
		    f->seen == NULL ? ": " : "", f->seen == NULL ? why : "");
out:
	buf_free(&text);
	return exit;
}

static int
read_one(struct files *f, size_t i)
{
	struct buf text = BUF_INIT;
	int rc = file_read(f->path[i].p, FILE_BYTES_MAX, &text);

	if (rc == E_OK)
		(void)snprintf(f->sum[i], SUM_MAX, "%016llx",
		    (unsigned long long)hash_bytes(text.p, text.len, SEED));
	buf_free(&text);
	return rc == E_OK
	    ? SEGUE_EXIT_DONE
	    : run_fail(f->run, SEGUE_EXIT_FAILED, "file", "%s: %s",
	          f->path[i].p,
	          rc == E_TOOBIG ? "more than 16 MiB" : err_text(rc));
}

static bool
is_listed(const struct files *f, struct str path)
{
	for (size_t i = 0; i < f->n; i++)
		if (str_eq(buf_str(&f->path[i]), path))
			return true;
	return false;
}

static int
read_files(struct files *f, const char *list)
{
	struct str rest = str_of(list), one;
	int exit = SEGUE_EXIT_DONE;

	while (exit == SEGUE_EXIT_DONE && str_list_next(&rest, &one)) {
		if (is_listed(f, one))
			continue;
		if (f->n == FILES_MAX)
			return run_fail(f->run, SEGUE_EXIT_USAGE, "usage",
			    "more than %d files", FILES_MAX);
		buf_add_str(&f->path[f->n], one);
		if (f->path[f->n].failed)
			return run_fail(f->run, SEGUE_EXIT_FAILED, "memory",
			    "%s", err_text(E_NOMEM));
		exit = read_one(f, f->n++);
	}
	if (f->n == 0)
		return run_fail(f->run, SEGUE_EXIT_USAGE, "usage",
		    "no file is named");
	return exit;
}

/* NULL: never. */
static const char *
was(const struct files *f, size_t i)
{
	return json_get_text(f->seen, f->path[i].p, NULL);
}

static enum standing
standing_of(const struct files *f, size_t i)
{
	if (was(f, i) == NULL)
		return IS_NEW;
	return strcmp(was(f, i), f->sum[i]) == 0 ? IS_SAME : IS_CHANGED;
}

/* ---- telling ---- */

static const struct table_column columns[] = {
	{ "FILE", false, NULL },
	{ "THEN", false, NULL },
	{ "NOW", false, NULL },
	{ "IT IS", false, NULL },
	{ NULL, false, NULL },
};

static void
say_table(const struct files *f)
{
	struct table *t = table_new(columns);
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < f->n; i++) {
		enum standing s = standing_of(f, i);

		table_add(t, STYLE_PLAIN, buf_str(&f->path[i]));
		table_add(t, STYLE_DIM,
		    str_of(was(f, i) == NULL ? "-" : was(f, i)));
		table_add(t, STYLE_DIM, str_of(f->sum[i]));
		table_add(t, s == IS_SAME ? STYLE_GOOD : STYLE_BAD,
		    str_of(standing_name(s)));
	}
	if (t == NULL)
		out.failed = true;
	else
		table_write(t, f->run->colour, 0, &out);
	run_print(f->run, buf_str(&out));
	buf_free(&out);
	table_free(&t);
}

static void
print_json(const struct files *f, int exit)
{
	struct buf out = BUF_INIT;
	struct json_out j;

	json_begin(&j, &out);
	json_begin_object(&j);
	json_kv_u64(&j, "exit", (uint64_t)exit);
	json_key(&j, "files");
	json_begin_array(&j);
	for (size_t i = 0; i < f->n; i++) {
		json_begin_object(&j);
		json_kv_str(&j, "file", buf_str(&f->path[i]));
		json_kv_cstr(&j, "was", was(f, i));
		json_kv_cstr(&j, "is", f->sum[i]);
		json_kv_cstr(&j, "standing", standing_name(standing_of(f, i)));
		json_end_object(&j);
	}
	json_end_array(&j);
	json_end_object(&j);
	run_print(f->run, buf_str(&out));
	buf_free(&out);
}

/* ---- check and record ---- */

static int
check(const struct files *f)
{
	size_t changed = 0;
	int exit;

	for (size_t i = 0; i < f->n; i++)
		changed += standing_of(f, i) != IS_SAME;
	exit = changed > 0 ? COMPAT_EXIT_CHANGED : SEGUE_EXIT_DONE;
	if (f->run->json)
		print_json(f, exit);
	else if (!f->run->quiet)
		say_table(f);
	if (changed > 0)
		run_say(f->run,
		    "\n%zu of %zu files have changed, or were never seen",
		    changed, f->n);
	else
		run_say(f->run, "\n%zu files are what they were", f->n);
	return exit;
}

static int
record(const struct files *f)
{
	struct buf out = BUF_INIT;
	struct json_out j;
	int rc;

	json_begin(&j, &out);
	json_begin_object(&j);
	for (size_t i = 0; i < f->n; i++)
		json_kv_cstr(&j, f->path[i].p, f->sum[i]);
	json_end_object(&j);
	buf_add_char(&out, '\n');
	rc = out.failed ? E_NOMEM
	                : file_replace(f->seen_path, buf_str(&out), 0644);
	buf_free(&out);
	if (rc != E_OK)
		return run_fail(f->run, SEGUE_EXIT_FAILED, "file", "%s: %s",
		    f->seen_path, err_text(rc));
	if (f->run->json)
		print_json(f, SEGUE_EXIT_DONE);
	run_say(f->run, "%zu files are recorded", f->n);
	return SEGUE_EXIT_DONE;
}

int
compat_files(struct run *r, const char *list)
{
	struct files f = { .run = r, .seen_path = r->args.option[OPT_SEEN] };
	int exit = read_files(&f, list);

	if (exit == SEGUE_EXIT_DONE && args_has(&r->args, OPT_RECORD)) {
		exit = record(&f);
	} else if (exit == SEGUE_EXIT_DONE) {
		exit = read_seen(&f);
		if (exit == SEGUE_EXIT_DONE)
			exit = check(&f);
	}
	for (size_t i = 0; i < f.n; i++)
		buf_free(&f.path[i]);
	json_free(&f.seen);
	return exit;
}
