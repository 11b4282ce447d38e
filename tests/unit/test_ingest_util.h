/*
 * Shared by the test_ingest_* programs: a sink in memory that can be full, not durable or pressed, an ingest on
 * loopback that feeds it, frames and raw clients. Everything is static: each program is one file.
 */
#ifndef TEST_INGEST_UTIL_H
#define TEST_INGEST_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ingest/ingest.h"

#define UNUSED_OK __attribute__((unused))
#define WAIT_MS   5000

UNUSED_OK static void sleep_ms(unsigned ms)
{
    (void)poll(NULL, 0, (int)ms);
}

/* ------------------------------------------------------------------------------------------------ sink */

#define WRITERS 4

struct kept {
    uint8_t *octets;
    size_t len;
    struct sink_frame frame; /* data is not valid */
    int64_t ts, ts_sent;
    uint32_t payload_len;
    bool parse_error;
};

struct fake {
    struct sink sink;
    pthread_mutex_t lock;
    struct kept *kept;
    size_t count, room; /* room: frames that fit; SIZE_MAX: any number */
    size_t full;        /* appends that were refused */
    uint64_t durable, requested;
    bool auto_durable; /* everything is durable at once */
    bool pressed;
    sink_wake_fn *wake[WRITERS];
    void *wake_arg[WRITERS];
};

static void fake_keep(struct fake *f, const struct sink_frame *frame, const struct record *r)
{
    if ((f->count & (f->count - 1)) == 0) {
        f->kept = realloc(f->kept, (f->count == 0 ? 1 : 2 * f->count) * sizeof(*f->kept));
        assert_non_null(f->kept);
    }
    struct kept *k = &f->kept[f->count++];
    *k = (struct kept){ .octets = malloc(frame->len + 1),
                        .len = frame->len,
                        .frame = *frame,
                        .ts = r->ts,
                        .ts_sent = r->ts_sent,
                        .payload_len = r->payload_len,
                        .parse_error = r->parse_error.len > 0 };
    memcpy(k->octets, frame->data, frame->len);
}

static enum sink_result fake_append(void *ctx, unsigned writer, const struct sink_frame *frame, struct record *record,
                                    uint64_t *ret_seq)
{
    struct fake *f = ctx;
    assert_true(writer < WRITERS);
    (void)pthread_mutex_lock(&f->lock);
    enum sink_result rc = f->count < f->room ? SINK_OK : SINK_FULL;
    if (rc == SINK_OK) {
        fake_keep(f, frame, record);
        *ret_seq = f->count;
    } else
        f->full++;
    (void)pthread_mutex_unlock(&f->lock);
    return rc;
}

static uint64_t fake_durable(void *ctx)
{
    struct fake *f = ctx;
    (void)pthread_mutex_lock(&f->lock);
    uint64_t durable = f->auto_durable ? UINT64_MAX : f->durable;
    (void)pthread_mutex_unlock(&f->lock);
    return durable;
}

static void fake_request(void *ctx, uint64_t seq)
{
    struct fake *f = ctx;
    (void)pthread_mutex_lock(&f->lock);
    f->requested = seq > f->requested ? seq : f->requested;
    (void)pthread_mutex_unlock(&f->lock);
}

static void fake_on_wake(void *ctx, unsigned writer, sink_wake_fn *wake, void *arg)
{
    struct fake *f = ctx;
    (void)pthread_mutex_lock(&f->lock);
    f->wake[writer] = wake;
    f->wake_arg[writer] = arg;
    (void)pthread_mutex_unlock(&f->lock);
}

static bool fake_pressed(void *ctx)
{
    struct fake *f = ctx;
    (void)pthread_mutex_lock(&f->lock);
    bool pressed = f->pressed;
    (void)pthread_mutex_unlock(&f->lock);
    return pressed;
}

static const struct sink_ops fake_ops = { .append = fake_append,
                                          .durable = fake_durable,
                                          .request = fake_request,
                                          .on_wake = fake_on_wake,
                                          .pressed = fake_pressed };

static void fake_init(struct fake *f)
{
    memset(f, 0, sizeof(*f));
    (void)pthread_mutex_init(&f->lock, NULL);
    f->sink = (struct sink){ &fake_ops, f, WRITERS };
    f->room = SIZE_MAX;
    f->auto_durable = true;
}

static void fake_free(struct fake *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->kept[i].octets);
    free(f->kept);
    (void)pthread_mutex_destroy(&f->lock);
}

/* Changes the sink and wakes everybody, as a real one would. */
UNUSED_OK static void fake_set(struct fake *f, size_t room, uint64_t durable)
{
    (void)pthread_mutex_lock(&f->lock);
    f->room = room;
    f->durable = durable;
    for (unsigned i = 0; i < WRITERS; i++) {
        if (f->wake[i] != NULL)
            f->wake[i](f->wake_arg[i]);
    }
    (void)pthread_mutex_unlock(&f->lock);
}

static size_t fake_count(struct fake *f)
{
    (void)pthread_mutex_lock(&f->lock);
    size_t count = f->count;
    (void)pthread_mutex_unlock(&f->lock);
    return count;
}

/* ------------------------------------------------------------------------------------------------ ingest */

struct bench {
    struct fake fake;
    struct ingest *ingest;
    uint16_t udp, tcp, http, tls;
    _Atomic unsigned warnings;
};

static void bench_event(void *arg, const struct ingest_event *event)
{
    struct bench *b = arg;
    assert_non_null(event->text);
    b->warnings += event->level == INGEST_WARNING;
}

static void note_port(void *arg, const struct ingest_listener *l)
{
    struct bench *b = arg;
    uint16_t *ports[] = { &b->udp, &b->tcp, &b->tls, &b->http, &b->http };
    *ports[l->info.transport] = l->info.port;
}

/* options: what is to differ from two workers on 127.0.0.1 with UDP, TCP and HTTP; may be NULL. */
static void bench_start(struct bench *b, const struct ingest_options *options)
{
    static const char *const urls[] = { "udp://127.0.0.1:0", "tcp://127.0.0.1:0", "http://127.0.0.1:0" };
    struct ingest_options o = options == NULL ? (struct ingest_options){ 0 } : *options;
    struct errmsg err = { "" };
    if (o.url_count == 0) {
        o.urls = urls;
        o.url_count = 3;
    }
    o.workers = o.workers == 0 ? 2 : o.workers;
    o.on_event = bench_event;
    o.arg = b;
    b->warnings = 0;
    if (ingest_open(&b->ingest, &o, &b->fake.sink, &err) < 0)
        fail_msg("%s", err.text);
    ingest_listeners(b->ingest, note_port, b);
}

/* With a sink of the defaults. */
static void bench_open(struct bench *b, const struct ingest_options *options)
{
    memset(b, 0, sizeof(*b));
    fake_init(&b->fake);
    bench_start(b, options);
}

static void bench_close(struct bench *b)
{
    ingest_free(b->ingest);
    fake_free(&b->fake);
}

static uint64_t total(struct bench *b, enum ingest_counter counter)
{
    struct ingest_totals t;
    ingest_totals(b->ingest, &t);
    return t.counters[counter];
}

/* Waits until a counter of all senders is at least `want`. */
#define wait_total(b, counter, want) wait_counter((b), (counter), (want), __FILE__, __LINE__)

UNUSED_OK static void wait_counter(struct bench *b, enum ingest_counter counter, uint64_t want, const char *file,
                                   int line)
{
    for (unsigned i = 0; i < WAIT_MS / 2; i++) {
        if (total(b, counter) >= want)
            return;
        sleep_ms(2);
    }
    print_error("%s is %llu, not %llu\n", ingest_counter_name(counter), (unsigned long long)total(b, counter),
                (unsigned long long)want);
    _fail(file, line);
}

/* received = stored + keep-alives + drops, and the sink has what was counted. */
UNUSED_OK static void assert_exact(struct bench *b)
{
    struct ingest_totals t;
    uint64_t drops = 0;
    ingest_totals(b->ingest, &t);
    for (unsigned i = INGEST_DROPS_BEGIN; i < INGEST_COUNTERS; i++)
        drops += t.counters[i];
    assert_int_equal(t.counters[INGEST_RECEIVED], t.counters[INGEST_STORED] + t.counters[INGEST_KEEPALIVES] + drops);
    assert_int_equal(t.counters[INGEST_STORED], fake_count(&b->fake));
}

/* ------------------------------------------------------------------------------------------------ frames */

#define SIP_TEXT                                                                                                       \
    "OPTIONS sip:b@example.net SIP/2.0\r\nCall-ID: %u@x\r\nCSeq: 1 OPTIONS\r\nFrom: <sip:a@x>;tag=1\r\n"               \
    "To: <sip:b@x>\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nContent-Length: 0\r\n\r\n"

/* What frames of make_hep() say beside their number. */
struct hep_look {
    uint8_t version;  /* 0: 3 */
    const char *key;  /* NULL: none */
    const char *node; /* NULL: none */
    int64_t time;     /* seconds; 0: now */
    uint8_t type;     /* 0: SIP */
};

UNUSED_OK static size_t make_hep(uint8_t *buf, size_t cap, unsigned number, const struct hep_look *look)
{
    static const struct hep_look plain = { 0 };
    static const uint8_t v4[2][4] = { { 10, 0, 0, 1 }, { 10, 0, 0, 2 } };
    char text[512];
    struct hep_msg msg;
    size_t len = 0;
    if (look == NULL)
        look = &plain;
    int n = snprintf(text, sizeof(text), SIP_TEXT, number);
    hep_msg_init(&msg, look->type == 0 ? HEP_TYPE_SIP : look->type);
    msg.version = look->version == 0 ? 3 : look->version;
    msg.time_sec = (uint32_t)(look->time == 0 ? time(NULL) : look->time);
    msg.capture_id = 2001;
    assert_int_equal(hep_set_src(&msg, v4[0], 4, 5060), HEP_OK);
    assert_int_equal(hep_set_dst(&msg, v4[1], 4, 5061), HEP_OK);
    assert_int_equal(hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, text, (size_t)n), HEP_OK);
    if (look->key != NULL)
        assert_int_equal(hep_set_octets(&msg, HEP_CHUNK_AUTH_KEY, look->key, strlen(look->key)), HEP_OK);
    if (look->node != NULL)
        assert_int_equal(hep_set_octets(&msg, HEP_CHUNK_NODE_NAME, look->node, strlen(look->node)), HEP_OK);
    assert_int_equal(hep_encode(&msg, buf, cap, &len), HEP_OK);
    return len;
}

/* The number of a kept frame, -1 if it is not as make_hep() made it. */
UNUSED_OK static long number_of(const struct kept *k)
{
    struct hep_msg msg;
    if (hep_decode(k->octets, k->len, NULL, &msg) != HEP_OK)
        return -1;
    const uint8_t *at = memmem(msg.payload.ptr, msg.payload.len, "Call-ID: ", 9);
    return at == NULL ? -1 : strtol((const char *)at + 9, NULL, 10);
}

/* ------------------------------------------------------------------------------------------------ clients */

/* from: the last octet of 127.0.0.x to send from; 0: any. */
UNUSED_OK static int dial_from(int type, uint16_t port, unsigned from)
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) }, own = { .sin_family = AF_INET };
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    own.sin_addr.s_addr = htonl(0x7f000000u + from);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (from != 0)
        assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    return fd;
}

UNUSED_OK static int dial(int type, uint16_t port)
{
    return dial_from(type, port, 0);
}

UNUSED_OK static void send_all(int fd, const void *data, size_t len)
{
    const uint8_t *at = data;
    do {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n < 0)
            fail_msg("send: %s", strerror(errno));
        at += n;
        len -= (size_t)n;
    } while (len > 0);
}

/* Waits until the peer's kernel has everything that was sent on a TCP connection. */
UNUSED_OK static void wait_sent(int fd)
{
    int waiting = 1;
    for (unsigned i = 0; i < WAIT_MS / 2 && waiting > 0; i++) {
        assert_int_equal(ioctl(fd, SIOCOUTQ, &waiting), 0);
        if (waiting > 0)
            sleep_ms(2);
    }
    assert_int_equal(waiting, 0);
}

UNUSED_OK static void send_hep(int fd, unsigned number, const struct hep_look *look)
{
    uint8_t frame[1024];
    send_all(fd, frame, make_hep(frame, sizeof(frame), number, look));
}

#endif
