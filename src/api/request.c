/*
 * What libmicrohttpd calls for each request: first with its headers, then for each piece of its body, then when it is
 * whole. All checks are made with the headers, so that a refused body is not read.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/internal.h"

#define BODY_RATE 16                 /* octets a millisecond */
#define HEAD_MAX  ((size_t)64 << 10) /* octets of a request's line and headers */

static const char *header(struct MHD_Connection *mc, const char *name)
{
    return MHD_lookup_connection_value(mc, MHD_HEADER_KIND, name);
}

static bool has_body(struct MHD_Connection *mc)
{
    const char *len = header(mc, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return header(mc, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL || (len != NULL && strcmp(len, "0") != 0);
}

bool api_has_type(struct api_request *r, const char *type)
{
    const char *given = header(r->mc, MHD_HTTP_HEADER_CONTENT_TYPE);
    size_t len = strlen(type);
    return given != NULL && strncasecmp(given, type, len) == 0 &&
           (given[len] == '\0' || given[len] == ';' || given[len] == ' ');
}

static struct api_conn *conn_of(struct MHD_Connection *mc)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mc, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

/* So that long answers and slow readers never take all connections. */
static bool take_share(struct api_request *r, struct api_reply *reply)
{
    struct api_share *s = &r->api->shares[r->route->kind];
    r->shares = atomic_fetch_add(&s->open, 1) < s->max || s->max == 0;
    if (r->shares)
        return true;
    atomic_fetch_sub(&s->open, 1);
    atomic_fetch_add(&s->refused, 1);
    reply->retry_after = 1;
    return api_problem(reply, 429, "%u %s are under way already; try again", s->max,
                       r->route->kind == API_KIND_EXPORT ? "exports" : "requests");
}

/* What does not fit in a connection's memory libmicrohttpd refuses by itself, with a text of its own: this comes first.
 */
static bool is_too_long(struct MHD_Connection *mc)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mc, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info != NULL && info->header_size > HEAD_MAX;
}

/* True if the request may go on to its handler. */
static bool judge(struct api_request *r, const char *path, const char *method, struct api_reply *reply)
{
    const char *allow = NULL;
    if (is_too_long(r->mc))
        return api_problem(reply, 414, "more than %zu octets before the body: POST takes parameters as its body",
                           HEAD_MAX);
    r->route = api_route_find(path, method, &allow);
    if (!api_guard(r, r->route != NULL && r->route->open, reply)) {
        atomic_fetch_add(&r->api->denied, 1);
        return false;
    }
    if (r->route == NULL && allow != NULL) {
        reply->allow = allow;
        return api_problem(reply, 405, "this resource has %s only", allow);
    }
    if (r->route == NULL)
        return api_problem(reply, 404, "there is no such resource");
    if (!take_share(r, reply))
        return false;
    if (has_body(r->mc) && r->route->body == NULL && r->route->form == NULL)
        return api_problem(reply, 413, "this resource takes no body");
    if (!api_params_check(r, reply) || (r->route->form != NULL && !api_form_begin(r, reply)))
        return false;
    if (r->route->begin == NULL)
        return true;
    r->begun = true;
    return r->route->begin(r, reply);
}

static enum MHD_Result answer(struct api_request *r, struct api_reply *reply)
{
    enum MHD_Result rc = api_reply_send(r, reply);
    api_reply_free(reply);
    return rc;
}

static enum MHD_Result request_begin(struct api *a, struct MHD_Connection *mc, const char *path, const char *method,
                                     const char *version, void **state)
{
    struct api_reply reply;
    struct api_request *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return MHD_NO;
    *r = (struct api_request){ .api = a,
                               .mc = mc,
                               .conn = conn_of(mc),
                               .path = path,
                               .began_ms = api_clock_ms(),
                               .old = strcmp(version, MHD_HTTP_VERSION_1_0) == 0 };
    *state = r;
    atomic_fetch_add(&a->requests, 1);
    api_conn_busy(&a->conns, r->conn, true);
    api_conn_limit(&a->conns, r->conn, a->request_ms);
    api_reply_init(&reply);
    bool go_on = judge(r, path, method, &reply);
    if (!go_on)
        return answer(r, &reply);
    api_reply_free(&reply);
    return MHD_YES;
}

/* What keeps coming may go on: no slower than BODY_RATE after the time that a request has anyway. */
static void allow_time(struct api_request *r, size_t len)
{
    r->body_len += len;
    int64_t spent = api_clock_ms() - r->began_ms;
    int64_t all = r->api->request_ms + (int64_t)(r->body_len / BODY_RATE);
    api_conn_limit(&r->api->conns, r->conn, all > spent ? (unsigned)(all - spent) : 1);
}

static enum MHD_Result request_body(struct api_request *r, const char *data, size_t len)
{
    allow_time(r, len);
    if (r->form != NULL)
        api_form_body(r->form, data, len);
    else if (r->refused == 0)
        r->refused = r->route->body == NULL ? 413 : r->route->body(r, data, len);
    return MHD_YES;
}

static enum MHD_Result request_end(struct api_request *r)
{
    struct api_reply reply;
    api_reply_init(&reply);
    if (r->route->kind != API_KIND_STATE) /* else the answer is short: it has the time of the request */
        api_conn_limit(&r->api->conns, r->conn, r->api->answer_ms);
    if (r->refused != 0)
        (void)api_problem(&reply, r->refused, "refused");
    else if (r->form == NULL || (api_form_end(r, &reply) && api_params_check_form(r, &reply)))
        r->route->handle(r, &reply);
    return answer(r, &reply);
}

enum MHD_Result api_on_request(void *arg, struct MHD_Connection *mc, const char *path, const char *method,
                               const char *version, const char *data, size_t *len, void **state)
{
    struct api_request *r = *state;
    if (r == NULL)
        return request_begin(arg, mc, path, method, version, state);
    if (*len == 0)
        return request_end(r);
    size_t taken = *len;
    *len = 0;
    return request_body(r, data, taken);
}

/* The connection may bring another request: its time begins. */
void api_on_completed(void *arg, struct MHD_Connection *mc, void **state, enum MHD_RequestTerminationCode why)
{
    struct api *a = arg;
    struct api_request *r = *state;
    (void)mc;
    if (r == NULL)
        return;
    if (r->conn != NULL && r->conn->by_end && why != MHD_REQUEST_TERMINATED_COMPLETED_OK)
        api_conn_reset(r->conn);
    api_conn_by_end(&a->conns, r->conn, false);
    if (r->begun && r->route->end != NULL)
        r->route->end(r);
    api_form_free(r->form);
    if (r->shares)
        atomic_fetch_sub(&a->shares[r->route->kind].open, 1);
    api_conn_busy(&a->conns, r->conn, false);
    api_conn_limit(&a->conns, r->conn, a->idle_ms + a->request_ms);
    free(r);
    *state = NULL;
}
