/*
 * Where `hepcat search` and `hepcat flow` get rows from: a running server, or the files of a data directory. Either way
 * a row comes as one JSON object (docs/api.md), so that there is one way to print it.
 */
#ifndef CMD_ASK_H
#define CMD_ASK_H

#include <jansson.h>

#include "base/errmsg.h"
#include "cmd/opt.h"

#define ASK_SERVER "http://127.0.0.1:9080"

/* What is wanted, and from whom: options of both commands. Texts may be NULL: the default. */
struct ask {
    const char *server, *data, *token, *ca;
    bool insecure;
    const char *filter;  /* of a search */
    const char *call_id; /* else: the flow of this Call-ID */
    const char *from, *to, *columns, *timeout;
    uint64_t limit; /* of a flow 0: all */
    bool oldest;
    bool payload;
    bool log_payload; /* of table `log` alone */
    bool count_only;
    bool legs;     /* of a flow: of all legs of the call */
    bool media;    /* of a flow: with rows of table `quality` */
    bool calls;    /* records of calls instead of messages, */
    bool attempts; /* or attempts to register */

    int (*row)(void *arg, const char *json, size_t len); /* other than 0: enough */
    void *arg;
};

/* Rows of an option table that belong to it, for a struct that has a struct ask as member `ask`. */
#define ASK_OPT_WHERE(type)                                                                                            \
    { "where", 0, OPT_TITLE, 0, 0, NULL, "Where:" }, { "server",                                                       \
                                                       0,                                                              \
                                                       OPT_TEXT,                                                       \
                                                       offsetof(type, ask.server),                                     \
                                                       0,                                                              \
                                                       "URL",                                                          \
                                                       "of a running server (default:\n" ASK_SERVER ")" },             \
        { "data",                                                                                                      \
          0,                                                                                                           \
          OPT_TEXT,                                                                                                    \
          offsetof(type, ask.data),                                                                                    \
          0,                                                                                                           \
          "DIR",                                                                                                       \
          "files of a data directory instead: without the newest\nmessages, which are in the server's memory" },       \
        { "token",                                                                                                     \
          0,                                                                                                           \
          OPT_TEXT,                                                                                                    \
          offsetof(type, ask.token),                                                                                   \
          0,                                                                                                           \
          "TOKEN",                                                                                                     \
          "that the server asks for (default: $HEPCAT_TOKEN)" },                                                       \
        { "ca",                                                                                                        \
          0,                                                                                                           \
          OPT_TEXT,                                                                                                    \
          offsetof(type, ask.ca),                                                                                      \
          0,                                                                                                           \
          "FILE",                                                                                                      \
          "certificates to trust, PEM (default: those of the system)" },                                               \
    {                                                                                                                  \
        "insecure", 0, OPT_FLAG, offsetof(type, ask.insecure), 0, NULL, "do not verify the server's certificate"       \
    }

/* What is wrong with a filter, and where. */
struct ask_problem {
    struct errmsg text;
    bool usage;     /* it is the question that is wrong */
    bool in_filter; /* and `at` is the octet in the filter */
    size_t at;
};

/*
 * Asks, and hands over the rows. 0: *ret_result is the result object (docs/api.md), the caller's; it is NULL if `row`
 * said that it has enough. -1: why not is in *problem.
 */
int ask_run(const struct ask *a, json_t **ret_result, struct ask_problem *problem);

/* The two ways. */
int ask_server(const struct ask *a, json_t **ret_result, struct ask_problem *problem);
int ask_lake(const struct ask *a, json_t **ret_result, struct ask_problem *problem);

/* ------------------------------------------------------------------------------------------------ pieces of it */

struct http_get;
struct filter;
struct buf;

/* A transfer from the server that the options name. */
void ask_http_init(struct http_get *g, const struct ask *a);

/* What the server's answer was, after http_get_run() returned 0: as ask_run(). */
int ask_http_result(const struct http_get *g, json_t **ret_result, struct ask_problem *problem);

/* Filter (the caller's, NULL: everything), times and time budget of a data directory's options. 0, or -1. */
int ask_question(const struct ask *a, struct filter **ret_filter, int64_t *ret_from_us, int64_t *ret_to_us,
                 uint64_t *ret_budget_us, struct ask_problem *problem);

/* The object whose members put() appends; NULL: no memory. */
json_t *ask_result_object(void (*put)(struct buf *out, const void *result), const void *result);

/* The words in one text, terminated, in `to`; NULL if it is too long. */
const char *ask_join(const struct opt_list *words, char between, struct buf *to);

/* Prints it to standard error, a filter with a caret under the place; returns the exit status. */
int ask_complain(const struct ask *a, const char *command, const struct ask_problem *problem);

/* Exit statuses of both commands, like those of grep, and one for what grep does not know. */
enum { ASK_FOUND = 0, ASK_NOTHING = 1, ASK_USAGE = 2, ASK_FAILED = 3 };

/* True if the result says that nothing is missing; else *ret_why is its problem, or a text of ours. */
bool ask_is_whole(const json_t *result, const char **ret_why);

#endif
