/*
 * TCP and TLS: frames gathered in one buffer and written back to back. Where a frame ends is read from its own length
 * field, so that after a break the buffer goes on with the first frame that was not written whole.
 */
#include <stdlib.h>
#include <string.h>

#include "hep/hep.h"
#include "net/send.h"
#include "net/sock.h"

#define CAPACITY 65536 /* takes every legal frame */
#define TOO_SOON 1     /* beside 0 and enum tls_result: no attempt was made */

struct tcp_out {
    struct conn_out conn;
    struct tls_creds creds;
    bool connected_before;
    size_t start; /* of the first frame not written whole */
    size_t pos;   /* octets written */
    size_t len;
    uint8_t data[CAPACITY];
};

static int tcp_open(struct sender *s, struct errmsg *err)
{
    struct tcp_out *t = s->kind = calloc(1, sizeof(*t));
    if (t == NULL)
        return errmsg_set(err, "out of memory");
    t->conn.fd = -1;
    struct addrinfo *list;
    int rc = sock_resolve(s->host, s->port, SOCK_STREAM, &list);
    if (rc == 0)
        freeaddrinfo(list);
    else if (rc != EAI_AGAIN) /* a name server that is away may come back; a wrong name does not get better */
        return errmsg_set(err, "%s: %s", s->host, gai_strerror(rc));
    if (!s->secure)
        return 0;
    return tls_creds_client(&t->creds, s->opt.ca_file, s->opt.cert_file, s->opt.key_file, err);
}

/* Octets of the HEP version 3 frame that begins here, 0 if none does. */
static size_t frame_len(const uint8_t *frame, size_t len)
{
    if (len < HEP_HEADER_SIZE || memcmp(frame, "HEP3", 4) != 0)
        return 0;
    return (size_t)frame[4] << 8 | frame[5];
}

static void count_written(struct sender *s, struct tcp_out *t)
{
    while (t->start < t->pos) {
        size_t len = frame_len(t->data + t->start, t->len - t->start);
        if (t->pos - t->start < len)
            break;
        t->start += len;
        t->conn.used = true;
        sender_sent(s, 1, len);
        sender_recovered(s);
    }
}

/* Writes until everything is gone, 0, or the connection is, -1. */
static int write_all(struct sender *s, struct tcp_out *t)
{
    while (t->pos < t->len) {
        ssize_t n = conn_out_write(&t->conn, s, t->data + t->pos, t->len - t->pos);
        if (n < 0)
            return -1;
        t->pos += (size_t)n;
        count_written(s, t);
    }
    return 0;
}

static void drop(struct sender *s, struct tcp_out *t)
{
    t->conn.half = t->pos - t->start;
    conn_out_drop(&t->conn, s);
    t->pos = t->start; /* a half-written frame goes again, whole */
}

/* A live connection. 0, TLS_ERROR or TLS_UNTRUSTED. */
static int connected(struct sender *s, struct tcp_out *t)
{
    if (t->conn.fd >= 0 && conn_out_alive(&t->conn))
        return 0;
    drop(s, t);
    int rc = conn_out_open(&t->conn, s, s->secure ? &t->creds : NULL);
    if (rc == 0) {
        s->stats.reconnects += t->connected_before;
        t->connected_before = true;
    }
    return rc;
}

/* One attempt at what waits: 0 or an enum tls_result. */
static int attempt(struct sender *s, struct tcp_out *t)
{
    int rc = connected(s, t);
    if (rc == 0 && write_all(s, t) < 0) {
        drop(s, t);
        rc = TLS_ERROR;
    }
    return rc;
}

static size_t frames_waiting(const struct tcp_out *t)
{
    size_t count = 0;
    for (size_t at = t->start; at < t->len; count++)
        at += frame_len(t->data + at, t->len - at);
    return count;
}

static int fail_all(struct sender *s, struct tcp_out *t)
{
    return sender_failed(s, frames_waiting(t));
}

/* True: attempt again. */
static bool again(struct sender *s, int why)
{
    if (why == TLS_UNTRUSTED)
        sender_give_up(s);
    return why == TLS_ERROR && sender_again(s, 0);
}

static int tcp_flush(struct sender *s)
{
    struct tcp_out *t = s->kind;
    int result = 0;
    while (t->start < t->len) {
        int rc = sender_may_try(s) ? attempt(s, t) : TOO_SOON;
        if (rc == 0)
            break;
        if (!again(s, rc)) {
            result = fail_all(s, t);
            break;
        }
    }
    t->start = t->pos = t->len = 0;
    return result;
}

static int tcp_send(struct sender *s, const uint8_t *frame, size_t len)
{
    struct tcp_out *t = s->kind;
    int result = 0;
    if (frame_len(frame, len) != len || len == 0)
        return sender_refuse(s, "not one whole HEP version 3 frame: a stream cannot carry it");
    if (len > CAPACITY - t->len)
        result = tcp_flush(s);
    memcpy(t->data + t->len, frame, len);
    t->len += len;
    s->stats.frames_pending++;
    return result;
}

static int tcp_check(struct sender *s)
{
    struct tcp_out *t = s->kind;
    if (!sender_may_try(s))
        return -1;
    int rc = connected(s, t);
    if (rc == 0) {
        sender_recovered(s);
        return 0;
    }
    sender_give_up(s);
    return -1;
}

static int tcp_close(struct sender *s)
{
    struct tcp_out *t = s->kind;
    if (t == NULL)
        return 0;
    int rc = conn_out_finish(&t->conn, s);
    tls_creds_free(&t->creds);
    free(t);
    return rc;
}

const struct sender_ops send_tcp_ops = {
    .open = tcp_open,
    .send = tcp_send,
    .flush = tcp_flush,
    .check = tcp_check,
    .close = tcp_close,
};
