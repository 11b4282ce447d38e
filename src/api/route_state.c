/* The state of the server: /health, /ready, /metrics. */
#include "api/internal.h"
#include "base/json_out.h"

static void put_reasons(struct buf *out, const struct api_health *h)
{
    buf_puts(out, ",\"reasons\":[");
    for (size_t i = 0; i < h->count; i++) {
        const struct api_reason *r = &h->reasons[i];
        buf_printf(out, "%s{\"level\":\"%s\",\"code\":", i == 0 ? "" : ",", r->failing ? "failing" : "warning");
        json_out_text(out, r->code);
        buf_puts(out, ",\"text\":");
        json_out_text(out, r->text);
        buf_putc(out, '}');
    }
    buf_putc(out, ']');
    if (h->dropped > 0)
        buf_printf(out, ",\"further_reasons\":%zu", h->dropped);
}

/* Whoever has no token learns the status, and no more. */
void api_get_health(struct api_request *r, struct api_reply *reply)
{
    const struct api_sources *s = &r->api->sources;
    struct api_health h = { .count = 0 };
    if (s->health != NULL)
        s->health(s->arg, &h);
    bool failing = api_health_failing(&h);
    reply->status = failing ? 503 : 200;
    buf_printf(&reply->body, "{\"status\":\"%s\"", failing ? "failing" : h.count > 0 ? "warning" : "ok");
    if (r->authorised) {
        buf_puts(&reply->body, ",\"version\":");
        json_out_text(&reply->body, s->version == NULL ? "" : s->version);
        put_reasons(&reply->body, &h);
    }
    buf_puts(&reply->body, "}\n");
}

void api_get_ready(struct api_request *r, struct api_reply *reply)
{
    const struct api_sources *s = &r->api->sources;
    bool ready = s->ready == NULL || s->ready(s->arg);
    reply->status = ready ? 200 : 503;
    buf_printf(&reply->body, "{\"ready\":%s}\n", ready ? "true" : "false");
}

void api_get_metrics(struct api_request *r, struct api_reply *reply)
{
    const struct api_sources *s = &r->api->sources;
    reply->type = "text/plain; version=0.0.4; charset=utf-8";
    if (s->metrics != NULL)
        s->metrics(s->arg, &reply->body);
}
