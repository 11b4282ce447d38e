#include "cmd/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/http_get.h"
#include "cmd/report.h"
#include "query/printable.h"

#define SHOWN_BEFORE ((size_t)56) /* octets of a filter around what is wrong in it */
#define SHOWN_BEHIND ((size_t)40)

int ask_run(const struct ask *a, json_t **ret_result, struct ask_problem *problem)
{
    *ret_result = NULL;
    *problem = (struct ask_problem){ .usage = false };
    if (a->data != NULL && (a->server != NULL || a->token != NULL)) {
        problem->usage = true;
        return errmsg_set(&problem->text, "--data is without a server: no --server, no --token");
    }
    return a->data != NULL ? ask_lake(a, ret_result, problem) : ask_server(a, ret_result, problem);
}

/* ------------------------------------------------------------------------------------------------ a server */

static void put_params(struct http_get *g, const struct ask *a)
{
    http_get_param(g, "from", a->from);
    http_get_param(g, "to", a->to);
    http_get_param(g, "columns", a->columns);
    http_get_param(g, "format", "jsonl");
    http_get_param(g, "payload", a->payload ? "1" : a->log_payload ? "log" : NULL);
    if (a->limit > 0)
        http_get_number(g, "limit", a->limit);
    if (a->call_id != NULL) {
        http_get_param(g, "call_id", a->call_id);
        http_get_param(g, "legs", a->legs ? "1" : NULL);
        http_get_param(g, "media", a->media ? "1" : NULL);
        return;
    }
    http_get_param(g, "q", a->filter);
    http_get_param(g, "timeout", a->timeout);
    http_get_param(g, "total", a->count_only ? "only" : "1");
    http_get_param(g, "order", a->oldest ? "oldest" : "newest");
    http_get_param(g, "reverse", a->oldest ? NULL : "1"); /* the newest, in the order of time */
}

/* An answer that is none: application/problem+json, or whatever stands between us and the server says. */
static int refusal(const struct http_get *g, struct ask_problem *problem)
{
    json_t *j = json_loads((const char *)g->body.ptr, 0, NULL);
    const char *detail = json_string_value(json_object_get(j, "detail"));
    const char *param = json_string_value(json_object_get(j, "parameter"));
    const json_t *at = json_object_get(j, "at");
    problem->usage = g->status == 400;
    problem->in_filter = json_is_integer(at) && param != NULL && strcmp(param, "q") == 0;
    problem->at = json_is_integer(at) && json_integer_value(at) > 0 ? (size_t)json_integer_value(at) : 0;
    if (detail == NULL)
        (void)errmsg_set(&problem->text, "%s: HTTP status %ld", g->server, g->status);
    else if (problem->usage && param != NULL && !problem->in_filter)
        (void)errmsg_set(&problem->text, "%s: %s", param, detail);
    else
        (void)errmsg_set(&problem->text, "%s", detail);
    json_decref(j);
    return -1;
}

void ask_http_init(struct http_get *g, const struct ask *a)
{
    const char *token = getenv("HEPCAT_TOKEN");
    http_get_init(g);
    g->server = a->server != NULL ? a->server : ASK_SERVER;
    g->token = a->token != NULL ? a->token : token != NULL && token[0] != '\0' ? token : NULL;
    g->ca = a->ca;
    g->insecure = a->insecure;
}

int ask_http_result(const struct http_get *g, json_t **ret_result, struct ask_problem *problem)
{
    if (g->status != 200)
        return refusal(g, problem);
    *ret_result = json_loads((const char *)g->result.ptr, 0, NULL);
    return *ret_result != NULL ? 0 : errmsg_set(&problem->text, "%s: that is no answer of hepcat", g->server);
}

int ask_server(const struct ask *a, json_t **ret_result, struct ask_problem *problem)
{
    struct http_get g;
    ask_http_init(&g, a);
    g.path = a->call_id != NULL ? "/api/v1/flow"
             : a->calls         ? "/api/v1/calls"
             : a->attempts      ? "/api/v1/registrations/attempts"
                                : "/api/v1/search";
    g.form = a->call_id == NULL;
    g.line = a->row;
    g.arg = a->arg;
    put_params(&g, a);
    int rc = http_get_run(&g, &problem->text);
    if (rc == 0)
        rc = ask_http_result(&g, ret_result, problem);
    http_get_free(&g);
    return rc < 0 ? -1 : 0;
}

const char *ask_join(const struct opt_list *words, char between, struct buf *to)
{
    for (size_t i = 0; i < words->count; i++) {
        if (i > 0)
            buf_putc(to, between);
        buf_puts(to, words->items[i]);
    }
    buf_putc(to, '\0');
    return to->failed ? NULL : (const char *)to->ptr;
}

/* ------------------------------------------------------------------------------------------------ telling */

/* From what octet to what octet a filter is shown: around the place, whole characters. */
static void choose_part(const char *filter, size_t len, size_t at, size_t *ret_start, size_t *ret_end)
{
    size_t start = at > SHOWN_BEFORE ? at - SHOWN_BEFORE : 0;
    size_t end = len - at > SHOWN_BEHIND ? at + SHOWN_BEHIND : len;
    while (start < at && ((uint8_t)filter[start] & 0xc0) == 0x80)
        start++;
    while (end > at && end < len && ((uint8_t)filter[end] & 0xc0) == 0x80)
        end--;
    *ret_start = start;
    *ret_end = end;
}

/* The filter, or of a long one what is around the place, and a caret under the octet. */
static void show_place(const char *filter, size_t at)
{
    struct printable p = { .ascii = false };
    struct buf b;
    size_t len = strlen(filter), start, end;
    at = at < len ? at : len;
    choose_part(filter, len, at, &start, &end);
    const char *before = start > 0 ? "..." : "", *behind = end < len ? "..." : "";
    buf_init(&b, 4 * (SHOWN_BEFORE + SHOWN_BEHIND));
    (void)printable_put(&b, &p, (struct hep_slice){ (const uint8_t *)filter + start, end - start }, SIZE_MAX);
    fprintf(stderr, "  %s%.*s%s\n", before, (int)b.len, b.ptr == NULL ? "" : (const char *)b.ptr, behind);
    size_t width = printable_width(&p, (struct hep_slice){ (const uint8_t *)filter + start, at - start });
    fprintf(stderr, "  %*s^\n", (int)(strlen(before) + width), "");
    buf_free(&b);
}

int ask_complain(const struct ask *a, const char *command, const struct ask_problem *problem)
{
    struct printable p = { .ascii = false };
    struct buf b;
    buf_init(&b, 4096);
    (void)printable_put(&b, &p, (struct hep_slice){ (const uint8_t *)problem->text.text, strlen(problem->text.text) },
                        SIZE_MAX);
    buf_putc(&b, '\0');
    const char *text = b.failed ? "" : (const char *)b.ptr;
    if (problem->in_filter && a->filter != NULL) {
        fprintf(stderr, "hepcat: %s\n", text);
        show_place(a->filter, problem->at);
    } else if (problem->usage) {
        (void)report_usage(command, "%s", text);
    } else {
        fprintf(stderr, "hepcat: %s\n", text);
    }
    buf_free(&b);
    return problem->usage ? ASK_USAGE : ASK_FAILED;
}

bool ask_is_whole(const json_t *result, const char **ret_why)
{
    static const char *const marks[] = { "rows_exact", "total_exact", "exact" };
    bool whole = !json_is_true(json_object_get(result, "timed_out"));
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        whole = whole && !json_is_false(json_object_get(result, marks[i]));
    const char *why = json_string_value(json_object_get(result, "problem"));
    if (why == NULL)
        why = json_is_true(json_object_get(result, "timed_out")) ? "the time was over" : "not everything could be read";
    *ret_why = why;
    return whole;
}
