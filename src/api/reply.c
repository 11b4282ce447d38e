#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/internal.h"
#include "base/json_out.h"

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
        html ? "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
             : "default-src 'none'; frame-ancestors 'none'; sandbox");
    add(response, "Referrer-Policy", "no-referrer");
    add(response, "Cross-Origin-Resource-Policy", "same-origin");
    add(response, "Cross-Origin-Opener-Policy", "same-origin");
    add(response, "Cache-Control", "no-store");
}

static void add_headers(struct MHD_Response *response, const struct api_reply *reply)
{
    char text[128];
    add(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
    add_security(response, reply->html);
    if (reply->allow != NULL)
        add(response, MHD_HTTP_HEADER_ALLOW, reply->allow);
    if (reply->status == 401)
        add(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Basic realm=\"hepcat\", charset=\"UTF-8\"");
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
    struct MHD_Response *response;
    struct buf piece;
    size_t taken;
    bool last; /* the piece is the last one */
};

static void flowing_free(void *arg)
{
    struct flowing *f = arg;
    free_stream(&f->stream);
    buf_free(&f->piece);
    free(f);
}

/* Makes the next piece that is not empty; 0 at the end, -1 on an error. */
static int refill(struct flowing *f)
{
    struct errmsg err = { "" };
    f->taken = 0;
    if (f->piece.cap > PIECE_KEPT)
        buf_free(&f->piece);
    buf_reset(&f->piece);
    while (!f->last && f->piece.len == 0) {
        int rc = f->stream.next(f->stream.ctx, &f->piece, &err);
        if (rc < 0 || f->piece.failed)
            return -1;
        f->last = rc == 0;
    }
    return f->piece.len > 0;
}

static ssize_t on_read(void *arg, uint64_t pos, char *to, size_t max)
{
    struct flowing *f = arg;
    (void)pos;
    if (f->taken == f->piece.len) {
        int rc = refill(f);
        if (rc < 0)
            return MHD_CONTENT_READER_END_WITH_ERROR;
        if (rc == 0) {
            add_result(f->response, &f->stream, true);
            return MHD_CONTENT_READER_END_OF_STREAM;
        }
    }
    size_t n = f->piece.len - f->taken < max ? f->piece.len - f->taken : max;
    memcpy(to, f->piece.ptr + f->taken, n);
    f->taken += n;
    return (ssize_t)n;
}

static struct MHD_Response *make_stream(struct api_reply *reply)
{
    struct flowing *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return NULL;
    f->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 32768, on_read, f, flowing_free);
    if (f->response == NULL) {
        free(f);
        return NULL;
    }
    f->stream = reply->stream;
    f->piece = reply->body;
    reply->stream.next = NULL;
    buf_init(&reply->body, API_BODY_MAX);
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
        reply->retry_after = rc == -503 ? 1 : 0;
        return api_problem(reply, (unsigned)-rc, "%s", err.text);
    }
    return rc > 0;
}

static struct MHD_Response *make_plain(struct api_reply *reply)
{
    const struct buf *b = &reply->body;
    if (b->failed)
        (void)api_problem(reply, 500, "the answer is too large");
    return MHD_create_response_from_buffer(b->len, b->len == 0 ? (void *)(uintptr_t) "" : b->ptr,
                                           MHD_RESPMEM_MUST_COPY);
}

enum MHD_Result api_reply_send(struct api_request *r, struct api_reply *reply)
{
    bool more = reply->stream.next != NULL && begin_stream(reply);
    struct MHD_Response *response = more ? make_stream(reply) : make_plain(reply);
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
