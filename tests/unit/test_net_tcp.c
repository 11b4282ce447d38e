/* TCP listeners: any cut of the stream, streams that break, limits, pause, the end of the loop. */
#include "test_net_util.h"

static void test_octet_by_octet(void **state)
{
    (void)state;
    struct server s;
    uint8_t frame[40];
    server_start(&s, NET_TCP, NULL);
    int fd = connect_to(SOCK_STREAM, s.port);
    for (uint32_t i = 0; i < 5; i++) {
        make_frame(frame, sizeof(frame), i);
        for (size_t at = 0; at < sizeof(frame); at++) {
            send_all(fd, frame + at, 1);
            if (at % 13 == 0)
                sleep_ms(1);
        }
    }
    wait_for(&s, units, 5);
    (void)close(fd);
    wait_for(&s, events[NET_EVENT_CLOSED], 1);
    struct net_counters c = server_stop(&s);
    assert_in_order(&s, 5);
    assert_int_equal(c.frames, 5);
    assert_int_equal(c.stream_octets, 5 * sizeof(frame));
    assert_int_equal(c.streams_cut + c.stream_errors, 0);
    assert_int_equal(c.connections, 1);
    assert_int_equal(c.connections_open, 0);
    assert_int_equal(s.peer.transport, NET_TCP);
    server_free(&s);
}

/* Sizes from the smallest to the largest frame, cut where they fall. */
static void test_any_cut(void **state)
{
    (void)state;
    struct server s;
    static const size_t sizes[] = { 16, 100, 65535, 1000, 65535, 17, 30000, 30000, 30000 };
    static uint8_t all[400000];
    size_t len = 0, count = sizeof(sizes) / sizeof(sizes[0]);
    for (uint32_t i = 0; i < count; i++) {
        make_frame(all + len, sizes[i], i);
        len += sizes[i];
    }
    for (size_t step = 7; step < len; step = step * 5 + 1) {
        server_start(&s, NET_TCP, NULL);
        int fd = connect_to(SOCK_STREAM, s.port);
        for (size_t at = 0; at < len; at += step)
            send_all(fd, all + at, step < len - at ? step : len - at);
        wait_for(&s, units, count);
        (void)close(fd);
        (void)server_stop(&s);
        assert_in_order(&s, count);
        assert_int_equal(s.octets, len);
        server_free(&s);
    }
}

static void broken(const void *bad, size_t bad_len, int error)
{
    struct server s;
    uint8_t frame[100];
    server_start(&s, NET_TCP, NULL);
    int fd = connect_to(SOCK_STREAM, s.port);
    make_frame(frame, sizeof(frame), 0);
    send_all(fd, frame, sizeof(frame));
    wait_for(&s, units, 1);
    send_all(fd, bad, bad_len);
    wait_for(&s, errors, 1);
    assert_true(is_closed_by_peer(fd));
    (void)close(fd);
    struct net_counters c = server_stop(&s);
    assert_in_order(&s, 1);
    assert_int_equal(s.error, error);
    assert_int_equal(s.error_offset, sizeof(frame));
    assert_int_equal(s.errors, 1);
    assert_int_equal(c.stream_errors, 1);
    assert_int_equal(c.streams_cut, 0);
    assert_int_equal(c.connections_open, 0);
    server_free(&s);
}

static void test_broken_stream(void **state)
{
    (void)state;
    broken("GET / HTTP/1.1\r\n", 16, HEP_ERR_MAGIC);
    broken("HEP3\0\5", 6, HEP_ERR_TOTAL_LENGTH);
}

static void test_ends_inside_frame(void **state)
{
    (void)state;
    struct server s;
    uint8_t frame[100];
    server_start(&s, NET_TCP, NULL);
    int fd = connect_to(SOCK_STREAM, s.port);
    make_frame(frame, sizeof(frame), 0);
    send_all(fd, frame, sizeof(frame));
    send_all(fd, frame, 50);
    (void)close(fd);
    wait_for(&s, errors, 1);
    struct net_counters c = server_stop(&s);
    assert_in_order(&s, 1);
    assert_int_equal(s.error, HEP_ERR_TRUNCATED);
    assert_int_equal(s.error_offset, sizeof(frame));
    assert_int_equal(c.streams_cut, 1);
    server_free(&s);
}

static void test_connection_limit(void **state)
{
    (void)state;
    struct server s;
    struct net_listen_options o = { .host = "127.0.0.1", .max_connections = 2, .max_per_peer = 2 };
    uint8_t frame[20];
    server_start(&s, NET_TCP, &o);
    int a = connect_to(SOCK_STREAM, s.port);
    int b = connect_to(SOCK_STREAM, s.port);
    wait_for(&s, events[NET_EVENT_CONNECTED], 2);
    int c = connect_to(SOCK_STREAM, s.port);
    assert_true(is_closed_by_peer(c));
    make_frame(frame, sizeof(frame), 0);
    send_all(b, frame, sizeof(frame));
    wait_for(&s, units, 1);
    (void)close(a);
    wait_for(&s, events[NET_EVENT_CLOSED], 1);
    int d = connect_to(SOCK_STREAM, s.port);
    wait_for(&s, events[NET_EVENT_CONNECTED], 3);
    struct net_counters n = server_stop(&s);
    assert_int_equal(n.connections, 3);
    assert_int_equal(n.connections_refused, 1);
    assert_int_equal(s.events[NET_EVENT_REFUSED], 1);
    (void)close(b);
    (void)close(c);
    (void)close(d);
    server_free(&s);
}

static void test_idle_timeout(void **state)
{
    (void)state;
    struct server s;
    struct net_listen_options o = { .host = "127.0.0.1", .idle_timeout = 1 };
    uint8_t frame[20];
    server_start(&s, NET_TCP, &o);
    int fd = connect_to(SOCK_STREAM, s.port);
    make_frame(frame, sizeof(frame), 0);
    send_all(fd, frame, sizeof(frame));
    send_all(fd, frame, 10);
    assert_true(is_closed_by_peer(fd));
    (void)close(fd);
    struct net_counters c = server_stop(&s);
    assert_in_order(&s, 1);
    assert_int_equal(c.connections_idle, 1);
    assert_int_equal(c.connections_stalled, 1);
    assert_int_equal(c.streams_cut, 1);
    assert_int_equal(s.error, HEP_ERR_TRUNCATED);
    server_free(&s);
}

static void resume(void *arg)
{
    struct server *s = arg;
    (void)pthread_mutex_lock(&s->lock);
    bool paused_long_enough = s->pause_after == 0;
    (void)pthread_mutex_unlock(&s->lock);
    if (paused_long_enough)
        net_resume(s->loop);
}

static void resume_always(void *arg)
{
    struct server *s = arg;
    net_resume(s->loop);
}

/* The consumer pauses: the sender is slowed down (its writes block), and not one frame is lost. */
static void test_pause(void **state)
{
    (void)state;
    enum { FRAMES = 2000, SIZE = 10000 };
    struct server s;
    server_open(&s, NET_TCP, NULL);
    s.pause_after = 5;
    net_on_timer(s.loop, 5, resume, &s);
    server_run(&s);
    struct sender_options so = quick_options();
    so.stall_timeout_ms = 300;
    struct sender *out = open_sender("tcp", "127.0.0.1", s.port, &so);
    size_t failed = send_frames(out, 0, FRAMES, SIZE);
    assert_true(failed > 0); /* 20 MB do not fit into the kernel's buffers: a stall was noticed */
    assert_string_equal(sender_stats(out)->last_error.text, "the peer takes nothing any more");
    (void)sender_close(out, NULL);
    assert_true(seen(&s, &s.units) < 30); /* one buffer at most */
    (void)pthread_mutex_lock(&s.lock);
    s.pause_after = 0;
    (void)pthread_mutex_unlock(&s.lock);
    wait_for(&s, errors, 1); /* the half frame at which the sender gave up */
    (void)server_stop(&s);
    assert_false(s.damaged);
    assert_int_equal(s.error, HEP_ERR_TRUNCATED);
    server_free(&s);

    /* Again with patience: everything arrives. */
    server_open(&s, NET_TCP, NULL);
    s.delay_ms = 0;
    s.pause_after = 5;
    net_on_timer(s.loop, 50, resume_always, &s);
    server_run(&s);
    so.stall_timeout_ms = 0;
    out = open_sender("tcp", "127.0.0.1", s.port, &so);
    assert_int_equal(send_frames(out, 0, FRAMES, SIZE), 0);
    assert_int_equal(sender_close(out, NULL), 0);
    wait_for(&s, units, FRAMES);
    (void)server_stop(&s);
    assert_in_order(&s, FRAMES);
    server_free(&s);
}

/* What the kernel had when the loop was stopped is still handed over, also out of a pause. */
static void test_stop_drains(void **state)
{
    (void)state;
    struct server s;
    uint8_t frame[100];
    server_open(&s, NET_TCP, NULL);
    server_run(&s);
    int fd = connect_to(SOCK_STREAM, s.port);
    (void)pthread_mutex_lock(&s.lock);
    s.pause_after = 1;
    (void)pthread_mutex_unlock(&s.lock);
    make_frame(frame, sizeof(frame), 0);
    send_all(fd, frame, sizeof(frame));
    wait_for(&s, units, 1);
    for (uint32_t i = 1; i < 500; i++) {
        make_frame(frame, sizeof(frame), i);
        send_all(fd, frame, sizeof(frame));
    }
    send_all(fd, frame, 30);
    sleep_ms(20);
    assert_int_equal(seen(&s, &s.units), 1);
    struct net_counters c = server_stop(&s);
    assert_in_order(&s, 500);
    assert_int_equal(s.errors, 1); /* the half frame is told */
    assert_int_equal(c.streams_cut, 1);
    assert_true(is_closed_by_peer(fd));
    (void)close(fd);
    server_free(&s);
}

static void test_many_connections(void **state)
{
    (void)state;
    enum { CONNS = 200 };
    struct server s;
    int fds[CONNS];
    uint8_t frame[64];
    server_start(&s, NET_TCP, NULL);
    for (unsigned i = 0; i < CONNS; i++)
        fds[i] = connect_to(SOCK_STREAM, s.port);
    make_frame(frame, sizeof(frame), 7);
    for (unsigned i = 0; i < CONNS; i++)
        send_all(fds[i], frame, 33);
    for (unsigned i = 0; i < CONNS; i++)
        send_all(fds[i], frame + 33, sizeof(frame) - 33);
    wait_for(&s, units, CONNS);
    for (unsigned i = 0; i < CONNS; i++)
        (void)close(fds[i]);
    wait_for(&s, events[NET_EVENT_CLOSED], CONNS);
    struct net_counters c = server_stop(&s);
    assert_false(s.damaged);
    assert_int_equal(c.frames, CONNS);
    assert_int_equal(c.connections, CONNS);
    assert_int_equal(c.connections_open, 0);
    server_free(&s);
}

static void count_wait(void *arg)
{
    (*(size_t *)arg)++;
}

static void test_signal_stops(void **state)
{
    (void)state;
    struct server s;
    struct errmsg err;
    size_t waits = 0;
    server_open(&s, NET_TCP, NULL);
    net_on_wait(s.loop, count_wait, &waits);
    assert_int_equal(net_loop_signals(s.loop, &err), 0);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    net_loop_run(s.loop); /* returns, or the test hangs */
    net_stop(s.loop);     /* a second stop does no harm */
    server_free(&s);
    assert_true(waits > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_octet_by_octet),
        cmocka_unit_test(test_any_cut),
        cmocka_unit_test(test_broken_stream),
        cmocka_unit_test(test_ends_inside_frame),
        cmocka_unit_test(test_connection_limit),
        cmocka_unit_test(test_idle_timeout),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_stop_drains),
        cmocka_unit_test(test_many_connections),
        cmocka_unit_test(test_signal_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
