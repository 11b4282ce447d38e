/* A running server as the place that frames are imported to. */
#include "cmd/import_to.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/sender.h"

#define PATH       "/api/v1/import"
#define REQUEST_MS 180000 /* longer than the server waits for room, for its turn, and for its disk */

struct to_server {
    struct import_to base;
    struct sender *sender;
    const struct report *report;
    char url[512], token[512];
    const char *headers[1];
    struct errmsg refusal; /* what the last bad answer said */
};

int import_to_close(struct import_to *to, struct import_sums *ret_sums, struct errmsg *err)
{
    if (to == NULL)
        return 0;
    int flushed = to->ops->flush(to);
    struct import_sums sums = to->sums;
    struct errmsg why = to->err;
    int closed = to->ops->close(to); /* releases it */
    *ret_sums = sums;
    if (flushed != 0)
        *err = why;
    return flushed != 0 || closed != 0 ? -1 : 0;
}

/* ------------------------------------------------------------------------------------------------ answers */

static uint64_t number(const json_t *answer, const char *key)
{
    json_int_t v = json_integer_value(json_object_get(answer, key));
    return v > 0 ? (uint64_t)v : 0;
}

static void add_answer(struct import_sums *sums, const json_t *answer)
{
    const char *text = json_string_value(json_object_get(json_object_get(answer, "first_error"), "text"));
    sums->stored += number(answer, "stored");
    sums->keepalives += number(answer, "keepalives");
    sums->bad += number(answer, "bad");
    sums->refused += number(answer, "refused");
    if (text != NULL && sums->bad_text[0] == '\0')
        (void)snprintf(sums->bad_text, sizeof(sums->bad_text), "%s", text);
}

static void on_answer(void *arg, long status, const char *body)
{
    struct to_server *s = arg;
    json_t *answer = json_loads(body, 0, NULL);
    const char *detail = json_string_value(json_object_get(answer, "detail"));
    if (status >= 200 && status < 300)
        add_answer(&s->base.sums, answer);
    else if (detail != NULL)
        (void)errmsg_set(&s->refusal, "the server says: %s", detail);
    else
        (void)errmsg_set(&s->refusal, "HTTP status %ld: is this a hepcat server?", status);
    json_decref(answer);
}

static void on_outage(void *arg, const char *why)
{
    const struct to_server *s = arg;
    const char *text = s->refusal.text[0] != '\0' ? s->refusal.text : why;
    report_note(s->report, "%s; trying again", text);
}

/* ------------------------------------------------------------------------------------------------ sending */

static int result(struct to_server *s, int rc)
{
    if (rc == 0)
        s->refusal.text[0] = '\0';
    else if (s->base.err.text[0] == '\0')
        s->base.err = s->refusal.text[0] != '\0' ? s->refusal : sender_stats(s->sender)->last_error;
    return rc;
}

static int to_server_frame(struct import_to *to, const uint8_t *frame, size_t len)
{
    struct to_server *s = (struct to_server *)to;
    return result(s, sender_send(s->sender, frame, len));
}

static int to_server_flush(struct import_to *to)
{
    struct to_server *s = (struct to_server *)to;
    return result(s, sender_flush(s->sender));
}

static int to_server_close(struct import_to *to)
{
    struct to_server *s = (struct to_server *)to;
    int rc = sender_close(s->sender, NULL);
    memset(s->token, 0, sizeof(s->token));
    free(s);
    return rc;
}

static const struct import_to_ops server_ops = {
    .frame = to_server_frame,
    .flush = to_server_flush,
    .close = to_server_close,
};

/* ------------------------------------------------------------------------------------------------ opening */

static int set_up(struct to_server *s, const struct import_to_options *o, struct errmsg *err)
{
    struct sender_options so;
    size_t len = strlen(o->server);
    while (len > 0 && o->server[len - 1] == '/')
        len--;
    if (strncmp(o->server, "http://", 7) != 0 && strncmp(o->server, "https://", 8) != 0)
        return errmsg_set(err, "--server: a URL such as http://127.0.0.1:9080 is needed");
    if ((size_t)snprintf(s->url, sizeof(s->url), "%.*s%s", (int)len, o->server, PATH) >= sizeof(s->url))
        return errmsg_set(err, "--server: too long");
    if (o->token != NULL &&
        (size_t)snprintf(s->token, sizeof(s->token), "Authorization: Bearer %s", o->token) >= sizeof(s->token))
        return errmsg_set(err, "--token: too long");
    sender_options_init(&so);
    s->headers[0] = s->token;
    so.headers = s->headers;
    so.header_count = o->token != NULL ? 1 : 0;
    so.content_type = "application/x-hep";
    so.frames_per_post = UINT_MAX; /* as many as fit */
    so.retry_ms = o->retry_s * 1000;
    so.request_timeout_ms = REQUEST_MS;
    so.stop = o->stop;
    so.ca_file = o->ca;
    so.insecure = o->insecure;
    so.on_answer = on_answer;
    so.on_outage = on_outage;
    so.arg = s;
    return sender_open(&s->sender, s->url, &so, err);
}

int import_to_server(struct import_to **ret, const struct import_to_options *options, struct errmsg *err)
{
    struct to_server *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return errmsg_set(err, "out of memory");
    s->base.ops = &server_ops;
    s->report = options->report;
    if (set_up(s, options, err) != 0) {
        free(s);
        return -1;
    }
    *ret = &s->base;
    return 0;
}
