#include "cmd/ask_json.h"

#include <string.h>

#include "cmd/http_get.h"
#include "store/lake/lake.h"

#define ANSWER_MAX ((size_t)64 << 20)

static int take(void *arg, const void *octets, size_t len)
{
    struct buf *answer = arg;
    buf_put(answer, octets, len);
    return answer->failed;
}

static int parse(const struct buf *answer, json_t **ret, struct ask_problem *problem)
{
    *ret = answer->failed ? NULL : json_loadb((const char *)answer->ptr, answer->len, JSON_ALLOW_NUL, NULL);
    return json_is_object(*ret) ? 0 : errmsg_set(&problem->text, "that is no answer of hepcat");
}

static int from_server(const struct ask *a, const struct ask_json *q, struct buf *answer, json_t **ret,
                       struct ask_problem *problem)
{
    struct http_get g;
    ask_http_init(&g, a);
    g.path = q->path;
    g.post = q->post;
    g.form = q->form;
    g.header = q->post != NULL ? "Content-Type: text/plain; charset=utf-8" : NULL;
    g.data = take;
    g.arg = answer;
    for (const char *const *p = q->params; p != NULL && *p != NULL; p += 2)
        http_get_param(&g, p[0], p[1]);
    int rc = http_get_run(&g, &problem->text);
    if (rc == 0 && g.status != 200)
        rc = ask_http_result(&g, ret, problem);
    else if (rc == 0)
        rc = parse(answer, ret, problem);
    else if (rc > 0)
        rc = errmsg_set(&problem->text, "the answer is too long");
    http_get_free(&g);
    return rc;
}

static int from_lake(const struct ask *a, const struct ask_json *q, struct buf *answer, json_t **ret,
                     struct ask_problem *problem)
{
    struct store *lake = NULL;
    struct lake_start start;
    const struct lake_options options = { .data_dir = a->data, .read_only = true };
    if (lake_open(&lake, &options, &start, &problem->text) != 0)
        return -1;
    int rc = q->lake(q->arg, lake, answer, problem);
    lake->ops->close(lake);
    return rc == 0 ? parse(answer, ret, problem) : -1;
}

int ask_json(const struct ask *a, const struct ask_json *q, json_t **ret_result, struct ask_problem *problem)
{
    struct buf answer;
    int rc = -1;
    *ret_result = NULL;
    *problem = (struct ask_problem){ .usage = false };
    buf_init(&answer, ANSWER_MAX);
    if (a->data == NULL)
        rc = from_server(a, q, &answer, ret_result, problem);
    else if (a->server != NULL || a->token != NULL || q->lake == NULL) {
        problem->usage = true;
        (void)errmsg_set(&problem->text, "--data is without a server: no --server, no --token");
    } else
        rc = from_lake(a, q, &answer, ret_result, problem);
    buf_free(&answer);
    return rc == 0 ? 0 : -1;
}
