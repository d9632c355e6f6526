/*
 * answer - what the daemon answered: a document, or an error with its code.
 *
 * Thread: main; blocks.
 */
#ifndef SEGUE_ANSWER_H
#define SEGUE_ANSWER_H
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

struct json;
struct run;

#define ANSWER_LIMIT_US (UINT64_C(10) * 1000000)
/* segued itself gives its workers 10 s to take a change over. */
#define ANSWER_COMMAND_LIMIT_US (UINT64_C(15) * 1000000)
#define ANSWER_BYTES_MAX ((size_t)64 << 20)

struct answer {
	int status;       /* HTTP */
	struct buf text;  /* the body */
	struct json *doc; /* owned; NULL when it is not JSON */
};

void answer_free(struct answer *);

/*
 * GET, or POST when body is not empty; within limit_us, or what --timeout says.
 *
 * returns  SEGUE_EXIT_DONE with *out (to be freed) when the status is 2xx;
 *          else the exit code, all being said already and *out empty
 */
int answer_get(struct run *, const char *path, struct answer *out) MUST_CHECK;
int answer_post(struct run *, const char *path, struct str body,
    uint64_t limit_us, struct answer *out) MUST_CHECK;
/* As answer_get(), for a document: what is no JSON is an error. */
int answer_get_doc(struct run *, const char *path,
    struct answer *out) MUST_CHECK;
/* The path of a page about a pool of a service (NULL: the only one). */
void answer_path_of(const char *page, const char *service, const char *pool,
    struct buf *out);
/* ... that is about a pool of a service (NULL: the only one). */
int answer_get_of(struct run *, const char *page, const char *service,
    const char *pool, struct answer *out) MUST_CHECK;
/* GET without a word about what goes wrong: for completion. */
int answer_get_quietly(const char *socket, const char *path, uint64_t limit_us,
    struct answer *out) MUST_CHECK;

/*
 * Says what an answer with that status means, by ADMIN_ERRORS; with --json
 * text is printed as it is.  Returns the exit code, DONE for 2xx.
 */
int answer_judge(struct run *, int status, const struct json *doc,
    struct str text) MUST_CHECK;

/* The exit code of an error by its name and HTTP status. */
int answer_exit(const char *error, int status);

#endif
