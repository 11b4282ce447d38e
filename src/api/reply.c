#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/gzip.h"
#include "api/internal.h"
#include "base/json_out.h"

#define GZIP_LEAST 1024                /* octets: less is a packet either way */
#define PIECE_KEPT ((size_t)512 << 10) /* octets of memory that a stream keeps while the client takes its time */

void api_reply_init(struct api_reply *reply)
{
    *reply = (struct api_reply){ .status = 200, .type = "application/json" };
    buf_init(&reply->body, API_BODY_MAX);
}

static void free_stream(struct api_stream *s)
{
    if (s->next != NULL)
        s->free(s->ctx);
    s->next = NULL;
}

void api_reply_free(struct api_reply *reply)
{
    free_stream(&reply->stream);
    buf_free(&reply->body);
}

/* ------------------------------------------------------------------------------------------------ errors */

static const char *title(unsigned status)
{
    const char *text = MHD_get_reason_phrase_for(status);
    return text == NULL ? "Error" : text;
}

static void put_problem(struct api_reply *reply, unsigned status, const char *detail, const char *param, size_t at)
{
    struct buf *b = &reply->body;
    free_stream(&reply->stream);
    buf_reset(b);
    reply->status = status;
    reply->type = "application/problem+json";
    reply->file_name = NULL;
    reply->html = false;
    buf_puts(b, "{\"type\":\"about:blank\",\"title\":");
    json_out_text(b, title(status));
    buf_printf(b, ",\"status\":%u,\"detail\":", status);
    json_out_text(b, detail);
    if (param != NULL) {
        buf_puts(b, ",\"parameter\":");
        json_out_text(b, param);
    }
    if (at != SIZE_MAX)
        buf_printf(b, ",\"at\":%zu", at);
    buf_puts(b, "}\n");
}

bool api_problem(struct api_reply *reply, unsigned status, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    put_problem(reply, status, text, NULL, SIZE_MAX);
    return false;
}

bool api_problem_at(struct api_reply *reply, const char *param, size_t at, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    put_problem(reply, 400, text, param, at);
    return false;
}

/* ------------------------------------------------------------------------------------------------ headers */

static void add(struct MHD_Response *response, const char *name, const char *value)
{
    (void)MHD_add_response_header(response, name, value);
}

static void add_security(struct MHD_Response *response, bool html)
{
    add(response, "X-Content-Type-Options", "nosniff");
    add(response, "Content-Security-Policy",
        html ? "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
               "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
             : "default-src 'none'; frame-ancestors 'none'; sandbox");
    add(response, "Referrer-Policy", "no-referrer");
    add(response, "Cross-Origin-Resource-Policy", "same-origin");
    add(response, "Cross-Origin-Opener-Policy", "same-origin");
    add(response, "Cache-Control", html ? "no-cache" : "no-store");
}

static void add_headers(struct MHD_Response *response, const struct api_reply *reply)
{
    char text[128];
    add(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
    if (reply->gzip)
        add(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
    if (gzip_pays(reply->type))
        add(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    add_security(response, reply->html);
    if (reply->etag != NULL)
        add(response, MHD_HTTP_HEADER_ETAG, reply->etag);
    if (reply->allow != NULL)
        add(response, MHD_HTTP_HEADER_ALLOW, reply->allow);
    if (reply->status == 401)
        add(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Basic realm=\"hepcat\", charset=\"UTF-8\"");
    if (reply->status == 429) /* the connection is another's */
        add(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (reply->retry_after > 0) {
        (void)snprintf(text, sizeof(text), "%u", reply->retry_after);
        add(response, MHD_HTTP_HEADER_RETRY_AFTER, text);
    }
    if (reply->file_name != NULL) {
        (void)snprintf(text, sizeof(text), "attachment; filename=\"%s\"", reply->file_name);
        add(response, MHD_HTTP_HEADER_CONTENT_DISPOSITION, text);
    }
}

/* The value of Hepcat-Result in `b`, terminated; a header is ASCII. */
static const char *result_text(const struct api_stream *s, struct buf *b)
{
    s->result(s->ctx, b);
    for (size_t i = 0; i < b->len; i++)
        if (b->ptr[i] < 0x20 || b->ptr[i] > 0x7e)
            b->ptr[i] = '?';
    buf_putc(b, '\0');
    return b->failed ? "{}" : (const char *)b->ptr;
}

static void add_result(struct MHD_Response *response, const struct api_stream *s, bool trailer)
{
    struct buf b;
    if (s->result == NULL)
        return;
    buf_init(&b, 4096);
    if (trailer)
        (void)MHD_add_response_footer(response, "Hepcat-Result", result_text(s, &b));
    else
        add(response, "Hepcat-Result", result_text(s, &b));
    buf_free(&b);
}

/* ------------------------------------------------------------------------------------------------ streams */

struct flowing {
    struct api_stream stream;
    struct api_conn *conn; /* NULL: its end says nothing of the answer */
    struct MHD_Response *response;
    struct gzip *gzip; /* NULL: as it is */
    struct buf piece, zipped;
    size_t taken; /* of what goes out */
    bool last;    /* the piece is the last one */
};

/* What goes out of the piece. */
static const struct buf *outgoing(const struct flowing *f)
{
    return f->gzip != NULL ? &f->zipped : &f->piece;
}

static void flowing_free(void *arg)
{
    struct flowing *f = arg;
    free_stream(&f->stream);
    buf_free(&f->piece);
    buf_free(&f->zipped);
    gzip_free(f->gzip);
    free(f);
}

static bool zip(struct flowing *f)
{
    buf_reset(&f->zipped);
    return f->gzip == NULL || gzip_put(f->gzip, f->piece.ptr, f->piece.len, f->last, &f->zipped);
}

/* Makes the next piece that gives something; 0 at the end, -1 on an error. */
static int refill(struct flowing *f)
{
    struct errmsg err = { "" };
    f->taken = 0;
    if (f->piece.cap > PIECE_KEPT)
        buf_free(&f->piece);
    buf_reset(&f->zipped);
    do {
        buf_reset(&f->piece);
        if (f->last)
            return 0;
        int rc = f->stream.next(f->stream.ctx, &f->piece, &err);
        f->last = rc == 0;
        if (rc < 0 || f->piece.failed || !zip(f))
            return -1;
    } while (outgoing(f)->len == 0);
    return 1;
}

static ssize_t on_read(void *arg, uint64_t pos, char *to, size_t max)
{
    struct flowing *f = arg;
    (void)pos;
    if (f->taken == outgoing(f)->len) {
        int rc = refill(f);
        if (rc < 0) {
            api_conn_reset(f->conn);
            return MHD_CONTENT_READER_END_WITH_ERROR;
        }
        if (rc == 0) {
            add_result(f->response, &f->stream, true);
            return MHD_CONTENT_READER_END_OF_STREAM;
        }
    }
    const struct buf *out = outgoing(f);
    size_t n = out->len - f->taken < max ? out->len - f->taken : max;
    memcpy(to, out->ptr + f->taken, n);
    f->taken += n;
    return (ssize_t)n;
}

/* HTTP/1.0 has no chunks: a client takes the end of the connection for that of the answer. Live ones have none. */
static struct api_conn *told_by_end(struct api_request *r)
{
    if (!r->old || r->route->kind == API_KIND_LIVE)
        return NULL;
    api_conn_by_end(&r->api->conns, r->conn, true);
    return r->conn;
}

/* The first piece is there already. */
static struct MHD_Response *make_stream(struct api_request *r, struct api_reply *reply)
{
    struct flowing *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return NULL;
    f->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 32768, on_read, f, flowing_free);
    if (f->response == NULL) {
        free(f);
        return NULL;
    }
    f->conn = told_by_end(r);
    f->stream = reply->stream;
    f->piece = reply->body;
    reply->stream.next = NULL;
    buf_init(&reply->body, API_BODY_MAX);
    buf_init(&f->zipped, API_BODY_MAX + (API_BODY_MAX >> 4));
    f->gzip = reply->gzip ? gzip_new() : NULL;
    reply->gzip = f->gzip != NULL && zip(f);
    if (!reply->gzip) { /* without, then: nothing has gone out yet */
        gzip_free(f->gzip);
        f->gzip = NULL;
    }
    return f->response;
}

/* ------------------------------------------------------------------------------------------------ sending */

/* The first piece; true if more follow. */
static bool begin_stream(struct api_reply *reply)
{
    struct errmsg err = { "" };
    int rc = 1;
    while (rc > 0 && reply->body.len == 0 && !reply->body.failed)
        rc = reply->stream.next(reply->stream.ctx, &reply->body, &err);
    if (rc < 0) {
        reply->retry_after = api_retry_after(rc);
        return api_problem(reply, (unsigned)-rc, "%s", err.text);
    }
    return rc > 0;
}

/* Replaces the body by its compressed form. */
static bool zip_body(struct buf *b)
{
    struct buf zipped;
    struct gzip *g = gzip_new();
    buf_init(&zipped, b->max);
    bool done = g != NULL && gzip_put(g, b->ptr, b->len, true, &zipped);
    gzip_free(g);
    if (!done) {
        buf_free(&zipped);
        return false;
    }
    buf_free(b);
    *b = zipped;
    return true;
}

static struct MHD_Response *make_plain(struct api_reply *reply)
{
    struct buf *b = &reply->body;
    if (b->failed)
        (void)api_problem(reply, 500, "the answer is too large");
    reply->gzip = reply->gzip && b->len >= GZIP_LEAST && zip_body(b);
    return MHD_create_response_from_buffer(b->len, b->len == 0 ? (void *)(uintptr_t) "" : b->ptr,
                                           MHD_RESPMEM_MUST_COPY);
}

/* What the client has already is not sent again (RFC 9110 section 13.1.2). */
static void check_etag(struct api_request *r, struct api_reply *reply)
{
    const char *has = MHD_lookup_connection_value(r->mc, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);
    if (reply->etag == NULL || has == NULL || strstr(has, reply->etag) == NULL)
        return;
    reply->status = 304;
    buf_reset(&reply->body);
}

enum MHD_Result api_reply_send(struct api_request *r, struct api_reply *reply)
{
    check_etag(r, reply);
    bool more = reply->stream.next != NULL && begin_stream(reply);
    reply->gzip = gzip_pays(reply->type) &&
                  gzip_accepted(MHD_lookup_connection_value(r->mc, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT_ENCODING));
    struct MHD_Response *response = more ? make_stream(r, reply) : make_plain(reply);
    if (response == NULL)
        return MHD_NO;
    add_headers(response, reply);
    if (!more && reply->stream.next != NULL)
        add_result(response, &reply->stream, false);
    enum MHD_Result rc = MHD_queue_response(r->mc, reply->status, response);
    MHD_destroy_response(response);
    if (reply->status / 100 < 6)
        atomic_fetch_add(&r->api->answers[reply->status / 100], 1);
    return rc;
}
