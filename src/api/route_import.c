/*
 * POST /api/v1/import: a body of HEP frames or a capture from a file, stored with the capture times that they have.
 *
 * The body is held until it is whole, so that a client that breaks off leaves nothing behind; how long one may be and
 * how many are held at once is limited.
 */
#include <stdlib.h>
#include <string.h>

#include "api/importer.h"
#include "api/internal.h"
#include "base/json_out.h"

#define IMPORT_BODY_MAX ((size_t)8 << 20)
#define IMPORTS_MAX     4 /* bodies held at once */

struct import_body {
    struct buf octets;
    bool too_long;
};

static const char *header(struct api_request *r, const char *name)
{
    const char *text = MHD_lookup_connection_value(r->mc, MHD_HEADER_KIND, name);
    return text == NULL ? "" : text;
}

/* What a form of a web page cannot say: without a token, pages that a browser here shows must not store anything. */
static bool is_file(struct api_request *r)
{
    static const char *const types[] = { "application/x-hep", "application/octet-stream",
                                         "application/vnd.tcpdump.pcap", "application/x-pcapng" };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (api_has_type(r, types[i]))
            return true;
    return false;
}

static bool too_long(struct api_reply *reply)
{
    return api_problem(reply, 413, "more than %zu octets in one request: send several", IMPORT_BODY_MAX);
}

bool api_import_begin(struct api_request *r, struct api_reply *reply)
{
    unsigned long long len = strtoull(header(r, MHD_HTTP_HEADER_CONTENT_LENGTH), NULL, 10);
    if (r->api->sources.importer == NULL)
        return api_problem(reply, 503, "this server takes no imports");
    if (!is_file(r))
        return api_problem(reply, 415,
                           "HEP or a capture is needed: Content-Type: application/x-hep, "
                           "application/vnd.tcpdump.pcap, application/x-pcapng or application/octet-stream");
    if (strlen(header(r, "Idempotency-Key")) > IMPORTER_KEY_MAX)
        return api_problem(reply, 400, "the Idempotency-Key is longer than %d octets", IMPORTER_KEY_MAX);
    if (len > IMPORT_BODY_MAX)
        return too_long(reply);
    if (atomic_fetch_add(&r->api->imports, 1) >= IMPORTS_MAX) {
        atomic_fetch_sub(&r->api->imports, 1);
        reply->retry_after = 1;
        return api_problem(reply, 503, "%d imports are under way already", IMPORTS_MAX);
    }
    struct import_body *body = calloc(1, sizeof(*body));
    if (body == NULL) {
        atomic_fetch_sub(&r->api->imports, 1);
        return api_problem(reply, 503, "out of memory");
    }
    buf_init(&body->octets, IMPORT_BODY_MAX);
    r->state = body;
    return true;
}

/* What comes behind the limit is read, so that the answer can be, but not kept. */
unsigned api_import_body(struct api_request *r, const void *data, size_t len)
{
    struct import_body *body = r->state;
    if (body->too_long)
        return 0;
    buf_put(&body->octets, data, len);
    if (body->octets.failed) {
        body->too_long = true;
        buf_free(&body->octets);
    }
    return 0;
}

void api_import_end(struct api_request *r)
{
    struct import_body *body = r->state;
    if (body == NULL)
        return;
    buf_free(&body->octets);
    free(body);
    r->state = NULL;
    atomic_fetch_sub(&r->api->imports, 1);
}

/* ------------------------------------------------------------------------------------------------ answers */

static unsigned status_of(enum importer_status status, const struct importer_result *result)
{
    switch (status) {
    case IMPORTER_DONE:
        return result->stored + result->keepalives + result->refused == 0 && result->bad > 0 ? 400 : 200;
    case IMPORTER_KEY_REUSED:
        return 422;
    case IMPORTER_TOO_LARGE:
        return 413;
    case IMPORTER_NO_CAPTURE:
        return 400;
    default:
        return 503;
    }
}

/* What was in a capture. */
static void put_capture(struct buf *out, const struct messages_counts *c)
{
    buf_printf(out, ",\"capture\":{\"packets\":%llu,\"sip\":%llu,\"rtcp\":%llu,\"hep\":%llu",
               (unsigned long long)c->packets, (unsigned long long)c->sip, (unsigned long long)c->rtcp,
               (unsigned long long)c->hep);
    buf_printf(out, ",\"cut\":%llu,\"other_datagrams\":%llu,\"other_tcp_octets\":%llu}", (unsigned long long)c->cut,
               (unsigned long long)c->other_udp, (unsigned long long)c->other_tcp);
}

static const char *error_text(const struct importer_result *r)
{
    return r->capture_error.text[0] != '\0' ? r->capture_error.text : hep_strerror(r->error);
}

static void put_result(struct buf *out, const struct importer_result *r)
{
    buf_printf(out, "{\"stored\":%llu,\"bad\":%llu", (unsigned long long)r->stored, (unsigned long long)r->bad);
    if (r->keepalives > 0)
        buf_printf(out, ",\"keepalives\":%llu", (unsigned long long)r->keepalives);
    if (r->refused > 0)
        buf_printf(out, ",\"refused\":%llu", (unsigned long long)r->refused);
    if (r->bad > 0) {
        buf_puts(out, ",\"first_error\":{");
        if (!r->capture)
            buf_printf(out, "\"offset\":%zu,", r->error_offset);
        buf_puts(out, "\"text\":");
        json_out_text(out, error_text(r));
        buf_putc(out, '}');
    }
    if (r->capture)
        put_capture(out, &r->counts);
    buf_puts(out, "}\n");
}

static void answer(struct api_reply *reply, enum importer_status status, const struct importer_result *result,
                   const char *text)
{
    unsigned code = status_of(status, result);
    if (code == 200)
        put_result(&reply->body, result);
    else if (code == 400 && result->capture)
        (void)api_problem(reply, code, "%s", error_text(result));
    else if (code == 400)
        (void)api_problem(reply, code, "octet %zu: %s", result->error_offset, hep_strerror(result->error));
    else if (code == 413)
        (void)api_problem(reply, code, "%s", text);
    else
        (void)api_problem(reply, code, "%s (%llu stored)", text, (unsigned long long)result->stored);
    if (code == 503)
        reply->retry_after = 1;
}

void api_post_import(struct api_request *r, struct api_reply *reply)
{
    const struct import_body *body = r->state;
    struct importer_result result;
    struct errmsg err = { "" };
    if (body->too_long) {
        (void)too_long(reply);
        return;
    }
    if (body->octets.len == 0) {
        (void)api_problem(reply, 400, "the body is empty");
        return;
    }
    struct hep_slice octets = { body->octets.ptr, body->octets.len };
    enum importer_status status =
        importer_take(r->api->sources.importer, header(r, "Idempotency-Key"), octets, &result, &err);
    answer(reply, status, &result, err.text);
}
