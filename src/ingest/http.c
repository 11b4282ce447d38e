/*
 * POST: a body of one or many messages. The answer says what became of it; a good one is given when what was stored is
 * durable, without holding up the loop.
 *
 *     200 {"stored":n}            durable; with "bad", "unauthorized", "refused" where some were not
 *     400 {"error","offset"}      the first message is bad     401, 403   no or a wrong key; the address
 *     413                         storage cannot take it       422        the Idempotency-Key was for another body
 *     429, 503 {"stored":n}       over a cap; full, or not durable in time: again after Retry-After. With the same
 *                                 Idempotency-Key the rest is taken then, without it everything is stored again
 */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json_out.h"
#include "ingest/internal.h"
#include "ingest/retry_keys.h"

#define RETRY_KEYS        65536
#define RETRY_KEY_SECONDS 600
#define DURABLE_WAIT_MS   20000
#define BODY_MAX          ((size_t)8 << 20)

/* A POST whose frames are not durable yet. */
struct owed {
    struct owed *next;
    struct http_later *later;
    struct post_result result;
    uint64_t until_ms;
};

struct posts {
    struct retry_keys *keys;
    struct owed *owed;
    struct buf text; /* a body that came in base64 */
    uint64_t key_ms, wait_ms;
    _Atomic uint64_t waiting, repeated;
};

struct posts *posts_new(struct worker *w)
{
    const struct ingest_options *o = &w->ingest->o;
    struct posts *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return NULL;
    buf_init(&p->text, o->body_max == 0 ? BODY_MAX : o->body_max);
    p->key_ms = 1000 * (uint64_t)(o->retry_key_seconds == 0 ? RETRY_KEY_SECONDS : o->retry_key_seconds);
    p->wait_ms = o->durable_wait_ms == 0 ? DURABLE_WAIT_MS : o->durable_wait_ms;
    p->keys = retry_keys_new(o->retry_keys == 0 ? RETRY_KEYS : o->retry_keys);
    if (p->keys != NULL)
        return p;
    posts_free(p);
    return NULL;
}

void posts_free(struct posts *p)
{
    if (p == NULL)
        return;
    retry_keys_free(p->keys);
    buf_free(&p->text);
    free(p);
}

void posts_figures(const struct posts *p, uint64_t *ret_waiting, uint64_t *ret_repeated)
{
    *ret_waiting = atomic_load_explicit(&p->waiting, memory_order_relaxed);
    *ret_repeated = atomic_load_explicit(&p->repeated, memory_order_relaxed);
}

/* ------------------------------------------------------------------------------------------------ messages */

static void note_bad(struct worker *w, struct arrival *a, struct post_result *r, int error, size_t offset,
                     size_t octets)
{
    if (r->bad++ == 0) {
        r->error = error;
        r->error_offset = offset;
    }
    arrival_drop(w, a, drop_of_error(error), octets);
}

/* False if the rest of the body has to wait. */
static bool take_message(struct worker *w, struct arrival *a, struct hep_msg *msg, size_t offset, struct post_result *r)
{
    size_t octets = msg->frame.len;
    enum fate fate = receive_message(w, a, msg);
    if (fate == FATE_FULL)
        arrival_drop(w, a, INGEST_DROP_FULL, octets);
    enum ingest_counter drop = fate == FATE_DROPPED || fate == FATE_FULL ? a->drop : 0;
    r->stored += fate == FATE_STORED;
    r->keepalives += fate == FATE_KEEPALIVE;
    r->refused += drop == INGEST_DROP_REFUSED;
    if (fate == FATE_STORED)
        r->seq = a->seq;
    if (drop == INGEST_DROP_KEY_MISSING || drop == INGEST_DROP_KEY_WRONG) {
        r->key_missing = r->unauthorized == 0 ? drop == INGEST_DROP_KEY_MISSING : r->key_missing;
        r->unauthorized++;
    }
    if (drop != INGEST_DROP_FULL && drop != INGEST_DROP_RATE && drop != INGEST_DROP_SHARE)
        return true;
    r->stop = drop;
    r->resume = offset;
    return false;
}

/* Version 3: the lengths lead through the body, which has to end where a message does. */
static void take_frames(struct worker *w, struct arrival *a, struct hep_slice body, struct post_result *r)
{
    struct hep_stream s = {
        .buf = (uint8_t *)(uintptr_t)body.ptr, .cap = body.len, .start = r->resume, .end = body.len
    };
    struct hep_slice frame;
    struct hep_msg msg;
    int rc;
    while ((rc = hep_stream_next(&s, &frame)) == HEP_OK) {
        size_t offset = (size_t)(frame.ptr - body.ptr);
        int error = hep_decode(frame.ptr, frame.len, NULL, &msg);
        if (error != HEP_OK)
            note_bad(w, a, r, error, offset + msg.error_offset, frame.len);
        else if (!take_message(w, a, &msg, offset, r))
            return;
    }
    if (rc == HEP_NEED_MORE || rc == HEP_ERR_FRAME_LIMIT)
        rc = s.start == s.end ? HEP_OK : HEP_ERR_TRUNCATED;
    if (rc != HEP_OK)
        note_bad(w, a, r, rc, s.start, s.end - s.start);
}

/* One message of another form, or what is no message at all. */
static void take_one(struct worker *w, struct arrival *a, struct hep_slice body, struct post_result *r)
{
    struct hep_msg msg;
    int rc = hep_decode(body.ptr, body.len, NULL, &msg);
    if (rc == HEP_OK)
        (void)take_message(w, a, &msg, 0, r);
    else
        note_bad(w, a, r, rc, msg.error_offset, body.len);
}

static void take_body(struct worker *w, struct arrival *a, struct hep_slice body, struct post_result *r)
{
    r->stop = 0;
    int rc = hep_zlib_envelope(w->envelope, body, &body);
    if (rc != HEP_OK && rc != HEP_NEED_MORE)
        note_bad(w, a, r, rc, 0, body.len);
    else if (body.len >= 4 && memcmp(body.ptr, "HEP3", 4) == 0)
        take_frames(w, a, body, r);
    else
        take_one(w, a, body, r);
}

/* Gateways that only pass text send base64. False if it is broken. */
static bool open_base64(struct posts *p, const struct http_request *request, struct hep_slice *ret)
{
    static const char head[] = "SEVQM"; /* "HEP3" */
    struct base64_in in = { 0 };
    *ret = (struct hep_slice){ request->body, request->len };
    if (request->len < sizeof(head) - 1 || memcmp(request->body, head, sizeof(head) - 1) != 0)
        return true;
    buf_reset(&p->text);
    uint8_t *to = buf_space(&p->text, 3 * (request->len + 3) / 4 + 2);
    ptrdiff_t len = to == NULL ? -1 : base64_decode(&in, (const char *)request->body, request->len, to);
    ptrdiff_t rest = len < 0 ? -1 : base64_finish(&in, to + len);
    if (rest < 0)
        return false;
    *ret = (struct hep_slice){ to, (size_t)(len + rest) };
    return true;
}

/* ------------------------------------------------------------------------------------------------ answers */

static void say_error(struct http_reply *reply, unsigned status, const char *text)
{
    reply->status = status;
    buf_puts(&reply->body, "{\"error\":");
    json_out_text(&reply->body, text);
    buf_puts(&reply->body, "}\n");
}

static unsigned status_of(const struct post_result *r)
{
    if (r->stop != 0)
        return r->stop == INGEST_DROP_RATE ? 429 : 503;
    if (r->stored + r->keepalives > 0)
        return 200;
    if (r->bad > 0)
        return 400;
    if (r->unauthorized > 0)
        return r->key_missing ? 401 : 403;
    return r->refused > 0 ? 413 : 200;
}

static const char *error_of(const struct post_result *r)
{
    if (r->stop != 0)
        return ingest_counter_text(r->stop);
    if (r->bad > 0)
        return hep_strerror(r->error);
    if (r->unauthorized > 0)
        return r->key_missing ? "no authentication key (chunk 0x000e)" : "wrong authentication key (chunk 0x000e)";
    return r->refused > 0 ? ingest_counter_text(INGEST_DROP_REFUSED) : NULL;
}

static void put_count(struct buf *b, const char *name, uint64_t count)
{
    if (count > 0)
        buf_printf(b, ",\"%s\":%llu", name, (unsigned long long)count);
}

static void say_result(const struct post_result *r, struct http_reply *reply)
{
    const char *error = error_of(r);
    reply->status = status_of(r);
    reply->retry_after = r->stop != 0 ? 1 : 0;
    buf_printf(&reply->body, "{\"stored\":%llu", (unsigned long long)r->stored);
    put_count(&reply->body, "keepalives", r->keepalives);
    put_count(&reply->body, "bad", r->bad);
    put_count(&reply->body, "unauthorized", r->unauthorized);
    put_count(&reply->body, "refused", r->refused);
    if (error != NULL) {
        buf_puts(&reply->body, ",\"error\":");
        json_out_text(&reply->body, error);
    }
    if (r->bad > 0)
        buf_printf(&reply->body, ",\"offset\":%zu", r->error_offset);
    buf_puts(&reply->body, "}\n");
}

static uint64_t now_ms(void)
{
    return monotonic_us() / 1000;
}

/* Puts the answer off. False if there is no memory. */
static bool owe(struct posts *p, const struct http_request *request, const struct post_result *r)
{
    struct owed *owed = calloc(1, sizeof(*owed));
    if (owed == NULL)
        return false;
    *owed = (struct owed){ .next = p->owed, .result = *r, .until_ms = now_ms() + p->wait_ms };
    owed->later = http_request_later(request);
    if (owed->later == NULL) {
        free(owed);
        return false;
    }
    p->owed = owed;
    counter_add(&p->waiting, 1);
    return true;
}

/* Good news has to be durable; bad news can be told at once. */
static void answer(struct worker *w, const struct http_request *request, const struct post_result *r,
                   struct http_reply *reply)
{
    const struct sink *sink = &w->ingest->sink;
    if (status_of(r) != 200 || r->seq <= sink_durable(sink)) {
        say_result(r, reply);
        return;
    }
    if (!owe(w->posts, request, r)) {
        reply->retry_after = 1;
        say_error(reply, 503, "stored, but not durable yet");
        return;
    }
    atomic_store(&w->wants_wake, true);
    if (sink->ops->request != NULL)
        sink->ops->request(sink->ctx, r->seq);
    net_wake(w->loop); /* it may have become durable before wants_wake was set */
}

void posts_answer(struct worker *w)
{
    struct posts *p = w->posts;
    uint64_t durable = p->owed == NULL ? 0 : sink_durable(&w->ingest->sink), now = now_ms();
    for (struct owed **at = &p->owed, *owed; (owed = *at) != NULL;) {
        if (owed->result.seq > durable && now < owed->until_ms) {
            at = &owed->next;
            continue;
        }
        struct http_reply reply;
        http_reply_init(&reply);
        reply.retry_after = 1;
        if (owed->result.seq > durable)
            say_error(&reply, 503, "stored, but not durable yet");
        else
            say_result(&owed->result, &reply);
        (void)net_http_reply(owed->later, &reply);
        *at = owed->next;
        free(owed);
        counter_add(&p->waiting, UINT64_MAX); /* modulo 2^64: minus one */
    }
    if (p->owed == NULL)
        atomic_store(&w->wants_wake, false);
    retry_keys_expire(p->keys, now, p->key_ms);
}

void posts_end(struct worker *w)
{
    while (w->posts->owed != NULL) {
        struct owed *owed = w->posts->owed;
        struct http_reply reply;
        http_reply_init(&reply);
        w->posts->owed = owed->next;
        (void)net_http_reply(owed->later, &reply); /* the connection is closed: this releases the handle */
        free(owed);
    }
    atomic_store_explicit(&w->posts->waiting, 0, memory_order_relaxed);
}

/* ------------------------------------------------------------------------------------------------ requests */

void posts_body(struct worker *w, const struct net_peer *peer, const struct http_request *request,
                struct http_reply *reply)
{
    struct posts *p = w->posts;
    struct arrival a;
    struct hep_slice body;
    struct post_result once = { 0 }, *r = &once;
    bool known = false;
    if (!arrive(w, peer, &a)) {
        arrival_drop(w, &a, INGEST_DROP_NOT_ALLOWED, request->len);
        say_error(reply, 403, "this address is not allowed");
        return;
    }
    if (!worker_takes_path(w, peer->local_port, request->path)) {
        say_error(reply, 404, "HEP is not taken at this path");
        return;
    }
    if (request->len == 0 || !open_base64(p, request, &body)) {
        arrival_drop(w, &a, INGEST_DROP_MAGIC, request->len);
        say_error(reply, 400, request->len == 0 ? "the body is empty" : "the body is not whole base64");
        return;
    }
    const char *key = http_request_header(request, "Idempotency-Key");
    if (key != NULL && key[0] != '\0')
        r = retry_keys_get(p->keys, &peer->addr, key, body, now_ms(), &known);
    if (r == NULL && known) {
        say_error(reply, 422, "this Idempotency-Key was used for another body");
        return;
    }
    if (r == NULL) /* no memory to remember it */
        r = &once;
    if (known && r->stop == 0)
        counter_add(&p->repeated, 1);
    else
        take_body(w, &a, body, r);
    answer(w, request, r, reply);
}
