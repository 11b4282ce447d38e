/* Senders when things go wrong: peers that close, that are absent, that come back; and that the figures add up. */
#include "test_net_util.h"

#include "net/send.h"

/* ------------------------------------------------------------------------------------------------ URLs */

static int try_open(const char *url, struct errmsg *err)
{
    struct sender *s = NULL;
    struct sender_options so = quick_options();
    int rc = sender_open(&s, url, &so, err);
    assert_int_equal(sender_close(s, NULL), 0);
    return rc;
}

static void test_urls(void **state)
{
    (void)state;
    static const char *const good[] = { "udp://127.0.0.1",   "udp://127.0.0.1:9060", "UDP://[::1]:9060",
                                        "tcp://127.0.0.1/",  "tcp://[::1]",          "tls://localhost",
                                        "http://127.0.0.1/", "https://h.example/x",  "http://[::1]:9/x" };
    static const char *const bad[] = { "",
                                       "127.0.0.1",
                                       "ftp://127.0.0.1",
                                       "udp://",
                                       "udp://9060",
                                       "udp://h:70000",
                                       "tcp://127.0.0.1:99999",
                                       "tcp://127.0.0.1/path",
                                       "http://",
                                       "http://:0:0:0/x",
                                       "tcp://:9060" };
    struct errmsg err;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (try_open(good[i], &err) < 0)
            fail_msg("%s: %s", good[i], err.text);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err.text[0] = '\0';
        if (try_open(bad[i], &err) == 0)
            fail_msg("%s was taken", bad[i]);
        assert_true(err.text[0] != '\0');
    }
    assert_int_equal(try_open("tcp://name.invalid", &err), -1);
    assert_non_null(strstr(err.text, "name.invalid"));
}

static void test_default_ports(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        uint16_t port;
    } rows[] = {
        { "udp://127.0.0.1", 9060 }, { "tcp://127.0.0.1", 9060 }, { "tls://127.0.0.1", 9061 }, { "tls://[::1]:1", 1 }
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sender *s;
        struct errmsg err;
        struct sender_options so = quick_options();
        assert_int_equal(sender_open(&s, rows[i].url, &so, &err), 0);
        assert_int_equal(s->port, rows[i].port);
        assert_int_equal(sender_close(s, NULL), 0);
    }
}

static void test_stream_takes_whole_frames_only(void **state)
{
    (void)state;
    uint8_t frame[64];
    struct sender_options so = quick_options();
    struct sender *out = open_sender("tcp", "127.0.0.1", free_port(SOCK_STREAM), &so);
    make_frame(frame, sizeof(frame), 0);
    assert_int_equal(sender_send(out, frame, sizeof(frame) - 1), -1);
    assert_int_equal(sender_send(out, frame, 0), -1);
    assert_int_equal(sender_send(out, (const uint8_t *)"\1\20 version 1", 12), -1);
    assert_int_equal(sender_stats(out)->frames_failed, 3);
    assert_int_equal(sender_stats(out)->frames_pending, 0);
    assert_non_null(strstr(sender_stats(out)->last_error.text, "version 3"));
    assert_int_equal(sender_close(out, NULL), 0);
}

/* ------------------------------------------------------------------------------------------------ breaks */

/* A receiver that takes `per_conn` frames of `size` octets on each connection, then closes it in order. */
struct closer {
    int fd;
    size_t size, per_conn;
    size_t conns, frames;
    uint32_t number[4096];
    pthread_t thread;
};

static bool read_whole(int fd, uint8_t *to, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = recv(fd, to + at, len - at, 0);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

static void *closer_run(void *arg)
{
    struct closer *c = arg;
    uint8_t *frame = malloc(c->size);
    int fd;
    while ((fd = accept(c->fd, NULL, NULL)) >= 0) {
        c->conns++;
        for (size_t i = 0; i < c->per_conn && read_whole(fd, frame, c->size); i++)
            c->number[c->frames++ % 4096] = frame_number(frame);
        (void)close(fd);
    }
    free(frame);
    return NULL;
}

static void closer_start(struct closer *c, size_t size, size_t per_conn, uint16_t *port)
{
    *c = (struct closer){ .size = size, .per_conn = per_conn };
    c->fd = listen_raw(SOCK_STREAM, port);
    assert_int_equal(pthread_create(&c->thread, NULL, closer_run, c), 0);
}

static void closer_stop(struct closer *c)
{
    (void)shutdown(c->fd, SHUT_RDWR);
    (void)pthread_join(c->thread, NULL);
    (void)close(c->fd);
}

/* The peer closes after every third frame; since each close is noticed before the next write, nothing is lost. */
static void test_peer_closes(void **state)
{
    (void)state;
    static struct closer c;
    uint16_t port = 0;
    closer_start(&c, 200, 3, &port);
    struct sender_options so = quick_options();
    so.retry_ms = 5000;
    struct sender *out = open_sender("tcp", "127.0.0.1", port, &so);
    for (uint32_t i = 0; i < 12; i++) {
        assert_int_equal(send_frames(out, i, 1, 200), 0);
        assert_int_equal(sender_flush(out), 0);
        sleep_ms(10);
    }
    struct sender_stats t;
    (void)sender_close(out, &t);
    closer_stop(&c);
    assert_int_equal(t.frames_sent, 12);
    assert_int_equal(t.frames_failed, 0);
    assert_int_equal(t.reconnects, 3);
    assert_true(t.breaks >= 3);
    assert_int_equal(c.conns, 4);
    assert_int_equal(c.frames, 12);
    for (uint32_t i = 0; i < 12; i++)
        assert_int_equal(c.number[i], i);
}

/* Large frames into a peer that closes in the middle: the half-written frame is sent again, whole. */
static void test_half_written_frame_goes_again(void **state)
{
    (void)state;
    static struct closer c;
    enum { FRAMES = 400, SIZE = 60000 };
    uint16_t port = 0;
    closer_start(&c, SIZE, 50, &port);
    struct sender_options so = quick_options();
    so.retry_ms = 5000;
    struct sender *out = open_sender("tcp", "127.0.0.1", port, &so);
    assert_int_equal(send_frames(out, 0, FRAMES, SIZE), 0);
    struct sender_stats t;
    (void)sender_close(out, &t);
    closer_stop(&c);
    assert_int_equal(t.frames_sent, FRAMES);
    assert_int_equal(t.octets_sent, (uint64_t)FRAMES * SIZE);
    assert_true(t.reconnects > 0);
    assert_int_equal(t.breaks > 0, true);
    assert_true(c.frames <= FRAMES);
    for (size_t i = 1; i < c.frames; i++) /* in order, none twice; what the kernels held at a break is missing */
        assert_true(c.number[i] > c.number[i - 1]);
}

struct late {
    struct server server;
    uint16_t port;
    enum net_transport transport;
};

static void *late_start(void *arg)
{
    struct late *l = arg;
    struct net_listen_options o = { .host = "127.0.0.1", .port = l->port };
    sleep_ms(300);
    server_start(&l->server, l->transport, &o);
    return NULL;
}

/* The collector comes after the sender: the frames wait for it. */
static void absent_then_there(const char *scheme, enum net_transport transport)
{
    struct late l = { .port = free_port(SOCK_STREAM), .transport = transport };
    struct sender_options so = quick_options();
    struct sender_stats t;
    pthread_t thread;
    so.retry_ms = 10000;
    struct sender *out = open_sender(scheme, "127.0.0.1", l.port, &so);
    assert_int_equal(pthread_create(&thread, NULL, late_start, &l), 0);
    assert_int_equal(send_frames(out, 0, 5, 1000), 0);
    assert_int_equal(sender_close(out, &t), 0);
    (void)pthread_join(thread, NULL);
    wait_for(&l.server, units, 5);
    (void)server_stop(&l.server);
    assert_in_order(&l.server, 5);
    assert_int_equal(t.frames_sent, 5);
    assert_int_equal(t.frames_failed, 0);
    assert_true(t.retries >= 1);
    assert_int_equal(t.reconnects, 0);
    server_free(&l.server);
}

static void test_absent_then_there(void **state)
{
    (void)state;
    absent_then_there("tcp", NET_TCP);
    absent_then_there("http", NET_HTTP);
}

/* The collector never comes: frames fail after retry_ms, the next ones at once, until the pause is over. */
static void stays_absent(const char *scheme)
{
    struct sender_options so = quick_options();
    so.retry_ms = 300;
    struct sender *out = open_sender(scheme, "127.0.0.1", free_port(SOCK_STREAM), &so);
    uint64_t start = now_ms();
    (void)send_frames(out, 0, 1, 1000);
    (void)sender_flush(out);
    uint64_t first = now_ms() - start;
    assert_int_equal(sender_stats(out)->frames_failed, 1);
    start = now_ms();
    for (uint32_t i = 0; i < 100; i++) {
        (void)send_frames(out, i, 1, 1000);
        (void)sender_flush(out);
    }
    assert_true(now_ms() - start < 500);
    assert_true(first < 1000);
    struct sender_stats t;
    (void)sender_close(out, &t);
    assert_int_equal(t.frames_failed, 101);
    assert_int_equal(t.frames_sent, 0);
    assert_adds_up(&t, 101);
    assert_true(t.retries >= 1 && t.retries < 10);
    assert_true(t.last_error.text[0] != '\0');
}

static void test_stays_absent(void **state)
{
    (void)state;
    stays_absent("tcp");
    stays_absent("http");
}

/* Having given up is not for ever: once the pause is over a frame is tried again. */
static void test_comes_back_after_giving_up(void **state)
{
    (void)state;
    struct server s;
    struct sender_options so = quick_options(); /* no retry at all */
    struct sender_stats t;
    struct net_listen_options o = { .host = "127.0.0.1", .port = free_port(SOCK_STREAM) };
    struct sender *out = open_sender("tcp", "127.0.0.1", o.port, &so);
    (void)send_frames(out, 0, 1, 100);
    assert_int_equal(sender_flush(out), -1);
    server_start(&s, NET_TCP, &o);
    sleep_ms(150); /* the first pause is at most 100 ms */
    (void)send_frames(out, 0, 1, 100);
    assert_int_equal(sender_flush(out), 0);
    assert_int_equal(sender_close(out, &t), 0);
    wait_for(&s, units, 1);
    assert_int_equal(t.frames_sent, 1);
    assert_int_equal(t.frames_failed, 1);
    server_free(&s);
}

static volatile sig_atomic_t stop_flag;

static void on_signal(int number)
{
    (void)number;
    stop_flag = 1;
}

/* The flag is for signal handlers: a signal sets it. */
static void *send_signal(void *arg)
{
    sleep_ms(200);
    (void)pthread_kill(*(const pthread_t *)arg, SIGUSR1);
    return NULL;
}

static void stop_ends_waiting(const char *scheme)
{
    struct sender_options so;
    struct sender_stats t;
    pthread_t thread;
    pthread_t self = pthread_self();
    const struct sigaction action = { .sa_handler = on_signal };
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    sender_options_init(&so);
    so.stop = &stop_flag;
    stop_flag = 0;
    struct sender *out = open_sender(scheme, "127.0.0.1", free_port(SOCK_STREAM), &so);
    assert_int_equal(pthread_create(&thread, NULL, send_signal, &self), 0);
    uint64_t start = now_ms();
    (void)send_frames(out, 0, 3, 100);
    assert_int_equal(sender_flush(out), strcmp(scheme, "tcp") == 0 ? -1 : 0);
    assert_true(now_ms() - start < 1500);
    (void)pthread_join(thread, NULL);
    (void)sender_close(out, &t);
    assert_int_equal(t.frames_failed, 3);
    assert_adds_up(&t, 3);
}

static void test_stop(void **state)
{
    (void)state;
    stop_ends_waiting("tcp");
    stop_ends_waiting("http");
}

/* A name with two addresses, only one of which answers. */
static void test_each_address_is_tried(void **state)
{
    (void)state;
    struct server s;
    struct sender_options so = quick_options();
    server_start(&s, NET_TCP, NULL); /* 127.0.0.1; localhost is ::1 as well on most systems */
    struct sender *out = open_sender("tcp", "localhost", s.port, &so);
    assert_int_equal(send_frames(out, 0, 3, 100), 0);
    assert_int_equal(sender_close(out, NULL), 0);
    wait_for(&s, units, 3);
    (void)server_stop(&s);
    assert_in_order(&s, 3);
    server_free(&s);
}

static void test_pending_is_shown(void **state)
{
    (void)state;
    struct server s;
    struct sender_options so = quick_options();
    server_start(&s, NET_TCP, NULL);
    struct sender *out = open_sender("tcp", "127.0.0.1", s.port, &so);
    assert_int_equal(send_frames(out, 0, 10, 100), 0);
    assert_int_equal(sender_stats(out)->frames_pending, 10);
    assert_int_equal(sender_stats(out)->frames_sent, 0);
    assert_int_equal(send_frames(out, 10, 2000, 100), 0); /* a full buffer is written without being asked */
    assert_true(sender_stats(out)->frames_sent > 1000);
    assert_int_equal(sender_flush(out), 0);
    assert_int_equal(sender_stats(out)->frames_pending, 0);
    assert_int_equal(sender_stats(out)->frames_sent, 2010);
    assert_int_equal(sender_close(out, NULL), 0);
    wait_for(&s, units, 2010);
    (void)server_stop(&s);
    assert_in_order(&s, 2010);
    server_free(&s);
}

static void test_back_off_grows(void **state)
{
    (void)state;
    struct sender s = { .opt = { .retry_ms = 1000000 } };
    volatile sig_atomic_t stop = 1; /* plans, but does not wait */
    s.opt.stop = &stop;
    unsigned last = 0;
    for (unsigned i = 0; i < 10; i++) {
        uint64_t before = sender_now_ms();
        assert_false(sender_again(&s, 0));
        uint64_t pause = s.retry.next - before;
        unsigned full = 100u << i > 5000 || i > 9 ? 5000 : 100u << i;
        assert_true(pause >= full / 2 && pause <= full + 20);
        assert_true(s.retry.delay >= last);
        last = s.retry.delay;
    }
    uint64_t before = sender_now_ms();
    (void)sender_again(&s, 20000); /* Retry-After counts, up to a minute */
    assert_true(s.retry.next - before >= 20000);
    (void)sender_again(&s, 3600000);
    assert_true(s.retry.next - before <= 61000);
    sender_recovered(&s);
    assert_true(sender_may_try(&s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_default_ports),
        cmocka_unit_test(test_stream_takes_whole_frames_only),
        cmocka_unit_test(test_peer_closes),
        cmocka_unit_test(test_half_written_frame_goes_again),
        cmocka_unit_test(test_absent_then_there),
        cmocka_unit_test(test_stays_absent),
        cmocka_unit_test(test_comes_back_after_giving_up),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_each_address_is_tried),
        cmocka_unit_test(test_pending_is_shown),
        cmocka_unit_test(test_back_off_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
