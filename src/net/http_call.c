/*
 * HTTP requests: judged, collected, handed over, answered.
 *
 * A request is refused as early as the library allows: by its headers before the body is read (and before "100
 * Continue" is sent), which costs the connection, for the body may follow all the same. When a body turns out too large
 * on the way, what came is dropped and the answer is given at its end; a body that then goes on for as much again is
 * cut off. A request whose answer is put off suspends its connection; the answer resumes it, and libmicrohttpd then
 * asks for the answer once more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/httpd.h"
#include "net/sock.h"
#include "net/tls.h"

#define REPLY_MAX ((size_t)1 << 20)

/* One request; made with its headers, freed by call_completed(). */
struct call {
    struct http_body body;
    const char *method, *path;
    unsigned refused; /* status to answer when the request has ended; the rest of its body is dropped */
    bool health;      /* GET /health */
    bool answered;
    bool resumed;             /* counted in engine.answering */
    struct http_later *later; /* the answer is owed */
    struct http_reply reply;  /* ... and was given: a body to be freed */
};

/* An answer that was put off: the caller's handle. */
struct http_later {
    struct engine *engine;
    struct http_later *next, **link; /* among httpd.waiting */
    struct MHD_Connection *mc;       /* NULL: the connection is gone */
    struct call *call;
    bool suspended;
};

/* ------------------------------------------------------------------------------------------------ answers */

static void add_number_header(struct MHD_Response *response, const char *name, unsigned value)
{
    char text[12];
    (void)snprintf(text, sizeof(text), "%u", value);
    (void)MHD_add_response_header(response, name, text);
}

static enum MHD_Result answer(struct MHD_Connection *mc, unsigned status, unsigned retry_after, const void *text,
                              size_t len)
{
    union {
        const void *in;
        void *out; /* copied, not written */
    } body = { .in = text };
    struct MHD_Response *response = MHD_create_response_from_buffer(len, body.out, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    if (retry_after > 0)
        add_number_header(response, MHD_HTTP_HEADER_RETRY_AFTER, retry_after);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "POST, PUT");
    enum MHD_Result rc = MHD_queue_response(mc, status, response);
    MHD_destroy_response(response);
    return rc;
}

static enum MHD_Result answer_health(struct MHD_Connection *mc)
{
    static char text[] = "ok";
    struct MHD_Response *response = MHD_create_response_from_buffer(2, text, MHD_RESPMEM_PERSISTENT);
    if (response == NULL)
        return MHD_NO;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
    enum MHD_Result rc = MHD_queue_response(mc, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return rc;
}

static const char *refusal(unsigned status)
{
    switch (status) {
    case 400:
        return "{\"error\":\"the body is not whole gzip\"}\n";
    case 403:
        return "{\"error\":\"a client certificate of a known CA is required\"}\n";
    case 405:
        return "{\"error\":\"use POST or PUT\"}\n";
    case 413:
        return "{\"error\":\"the body is too large\"}\n";
    case 415:
        return "{\"error\":\"unknown Content-Encoding; gzip and identity are taken\"}\n";
    default:
        return "{\"error\":\"too much at once, try again\"}\n";
    }
}

static enum MHD_Result refuse(struct httpd *h, struct MHD_Connection *mc, unsigned status)
{
    struct net_peer peer;
    const char *text = refusal(status);
    char line[64];
    httpd_peer(h, mc, &peer);
    (void)snprintf(line, sizeof(line), "answered %u", status);
    listener_event(&h->base, NET_EVENT_HTTP_REFUSED, &peer, line);
    h->base.loop->counters.http_refused++;
    return answer(mc, status, status == 503 ? 1 : 0, text, strlen(text));
}

/* ------------------------------------------------------------------------------------------------ requests */

/* What a callback gets as the connection of its request. */
struct asking {
    struct MHD_Connection *mc;
    struct engine *engine;
    struct call *call;
};

static const char *header(struct MHD_Connection *mc, const char *name)
{
    return MHD_lookup_connection_value(mc, MHD_HEADER_KIND, name);
}

const char *http_request_header(const struct http_request *request, const char *name)
{
    const struct asking *asking = request->connection;
    return header(asking->mc, name);
}

static bool client_allowed(const struct engine *e, struct MHD_Connection *mc)
{
    if (!e->need_client_cert)
        return true;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mc, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    return info != NULL && tls_client_verified(info->tls_session);
}

static bool too_long(const struct httpd *h, struct MHD_Connection *mc)
{
    const char *text = header(mc, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (text == NULL)
        return false;
    errno = 0;
    unsigned long long len = strtoull(text, NULL, 10); /* libmicrohttpd has refused what is no number */
    return errno != 0 || len > h->body_max;
}

/* Status that the headers alone call for, 0 if the body is to be read. */
static unsigned judge_headers(const struct engine *e, struct MHD_Connection *mc, const char *method, bool *ret_gzip)
{
    struct httpd *h = e->httpd;
    const char *encoding = header(mc, MHD_HTTP_HEADER_CONTENT_ENCODING);
    *ret_gzip = encoding != NULL && (strcasecmp(encoding, "gzip") == 0 || strcasecmp(encoding, "x-gzip") == 0);
    if (h->base.loop->stopping)
        return 503;
    if (!client_allowed(e, mc)) {
        h->base.loop->counters.tls_failures++;
        return 403;
    }
    if (strcmp(method, "POST") != 0 && strcmp(method, "PUT") != 0)
        return 405;
    if (encoding != NULL && !*ret_gzip && strcasecmp(encoding, "identity") != 0)
        return 415;
    return too_long(h, mc) ? 413 : 0;
}

static bool has_body(struct MHD_Connection *mc)
{
    const char *len = header(mc, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return header(mc, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL || (len != NULL && strcmp(len, "0") != 0);
}

static bool is_health(const char *path, const char *method)
{
    return strcmp(path, "/health") == 0 && (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0);
}

static enum MHD_Result call_begin(struct engine *e, struct MHD_Connection *mc, const char *path, const char *method,
                                  void **state)
{
    struct httpd *h = e->httpd;
    bool gzip = false;
    h->base.loop->counters.http_requests++;
    unsigned status = judge_headers(e, mc, method, &gzip);
    if (status != 0 && has_body(mc))
        return refuse(h, mc, status);
    struct call *call = calloc(1, sizeof(*call));
    if (call == NULL)
        return refuse(h, mc, 503);
    call->method = method;
    call->path = path;
    call->health = status == 405 && is_health(path, method);
    call->refused = http_body_init(&call->body, &h->account, h->body_max, gzip);
    if (status != 0)
        call->refused = status;
    *state = call;
    return MHD_YES;
}

/* MHD_NO ends the connection. */
static enum MHD_Result call_data(struct httpd *h, struct call *call, const char *data, size_t len)
{
    h->base.loop->counters.http_octets += len;
    if (call->refused != 0) {
        call->body.wire += len;
        return call->body.wire > 2 * h->body_max ? MHD_NO : MHD_YES;
    }
    call->refused = http_body_add(&call->body, data, len);
    if (call->refused != 0)
        http_body_free(&call->body);
    return MHD_YES;
}

void http_reply_init(struct http_reply *reply)
{
    *reply = (struct http_reply){ .status = MHD_HTTP_OK };
    buf_init(&reply->body, REPLY_MAX);
}

static enum MHD_Result answer_reply(struct MHD_Connection *mc, struct http_reply *reply)
{
    if (reply->status < 200 || reply->status > 599 || reply->body.failed)
        reply->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
    size_t len = reply->body.failed ? 0 : reply->body.len;
    enum MHD_Result rc =
        answer(mc, reply->status, reply->retry_after, len == 0 ? "" : (const char *)reply->body.ptr, len);
    buf_free(&reply->body);
    return rc;
}

static enum MHD_Result hand_over(struct engine *e, struct MHD_Connection *mc, struct call *call)
{
    const struct net_handler *handler = &e->httpd->base.handler;
    const char *type = header(mc, MHD_HTTP_HEADER_CONTENT_TYPE);
    struct asking asking = { mc, e, call };
    struct http_request request = { .method = call->method,
                                    .path = call->path,
                                    .content_type = type == NULL ? "" : type,
                                    .body = call->body.data.ptr,
                                    .len = call->body.data.len,
                                    .wire_len = call->body.wire,
                                    .connection = &asking };
    struct http_reply reply;
    struct net_peer peer;
    httpd_peer(e->httpd, mc, &peer);
    http_reply_init(&reply);
    handler->on_body(handler->arg, &peer, &request, &reply);
    if (call->later == NULL)
        return answer_reply(mc, &reply);
    buf_free(&reply.body);
    call->later->suspended = true;
    MHD_suspend_connection(mc);
    return MHD_YES;
}

/* ------------------------------------------------------------------------------------------------ later answers */

struct http_later *http_request_later(const struct http_request *request)
{
    const struct asking *asking = request->connection;
    struct call *call = asking->call;
    if (call->later != NULL)
        return call->later;
    struct http_later *later = calloc(1, sizeof(*later));
    if (later == NULL)
        return NULL;
    struct httpd *h = asking->engine->httpd;
    *later = (struct http_later){
        .engine = asking->engine, .next = h->waiting, .link = &h->waiting, .mc = asking->mc, .call = call
    };
    if (later->next != NULL)
        later->next->link = &later->next;
    h->waiting = later;
    h->base.loop->owed++;
    call->later = later;
    return later;
}

/* The connection will not be needed for it any more. */
static void later_unlink(struct http_later *later)
{
    *later->link = later->next;
    if (later->next != NULL)
        later->next->link = later->link;
    later->call->later = NULL;
    later->mc = NULL;
    later->engine->httpd->base.loop->owed--;
}

int net_http_reply(struct http_later *later, struct http_reply *reply)
{
    struct MHD_Connection *mc = later->mc;
    if (mc == NULL) {
        buf_free(&reply->body);
        free(later);
        return -1;
    }
    struct call *call = later->call;
    struct engine *engine = later->engine;
    call->reply = *reply;
    call->resumed = true;
    engine->answering++;
    later_unlink(later);
    free(later);
    MHD_resume_connection(mc);
    engine_schedule(engine);
    return 0;
}

void calls_abandon(struct httpd *h)
{
    while (h->waiting != NULL) {
        struct MHD_Connection *mc = h->waiting->mc;
        later_unlink(h->waiting);  /* the handle stays the consumer's */
        MHD_resume_connection(mc); /* libmicrohttpd does not stop while a connection is suspended */
    }
}

/* ------------------------------------------------------------------------------------------------ callbacks */

static enum MHD_Result call_end(struct engine *e, struct MHD_Connection *mc, struct call *call)
{
    if (call->resumed)
        return answer_reply(mc, &call->reply);
    call->answered = true;
    if (call->health)
        return answer_health(mc);
    if (call->refused == 0)
        call->refused = http_body_end(&call->body);
    enum MHD_Result rc = call->refused != 0 ? refuse(e->httpd, mc, call->refused) : hand_over(e, mc, call);
    http_body_free(&call->body); /* the answer may take its time */
    return rc;
}

enum MHD_Result call_request(void *arg, struct MHD_Connection *mc, const char *path, const char *method,
                             const char *version, const char *data, size_t *len, void **state)
{
    (void)version;
    struct engine *e = arg;
    struct call *call = *state;
    if (call == NULL)
        return call_begin(e, mc, path, method, state);
    if (*len == 0)
        return call_end(e, mc, call);
    size_t taken = *len;
    *len = 0;
    return call_data(e->httpd, call, data, taken);
}

void call_completed(void *arg, struct MHD_Connection *mc, void **state, enum MHD_RequestTerminationCode why)
{
    (void)mc;
    (void)why;
    struct engine *e = arg;
    struct call *call = *state;
    if (call == NULL)
        return;
    if (!call->answered)
        e->httpd->base.loop->counters.http_aborted++;
    if (call->later != NULL)
        later_unlink(call->later);
    if (call->resumed)
        e->answering--;
    buf_free(&call->reply.body);
    http_body_free(&call->body);
    free(call);
    *state = NULL;
}
