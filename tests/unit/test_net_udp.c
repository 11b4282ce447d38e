/* UDP in both directions: listener and sender against each other on loopback, losses counted. */
#include "test_net_util.h"

static void send_and_receive(const char *listen_host, const char *send_host, uint8_t addr_len)
{
    struct server s;
    struct net_listen_options o = { .host = listen_host };
    server_start(&s, NET_UDP, &o);
    struct sender_options so = quick_options();
    struct sender *out = open_sender("udp", send_host, s.port, &so);
    assert_int_equal(send_frames(out, 0, 500, 700), 0);
    struct sender_stats t;
    assert_int_equal(sender_close(out, &t), 0);
    wait_for(&s, units, 500);
    struct net_counters c = server_stop(&s);

    assert_in_order(&s, 500);
    assert_int_equal(t.frames_sent, 500);
    assert_int_equal(t.octets_sent, 500 * 700);
    assert_adds_up(&t, 500);
    assert_int_equal(c.datagrams, 500);
    assert_int_equal(c.datagram_octets, 500 * 700);
    assert_int_equal(c.kernel_drops, 0);
    assert_int_equal(s.peer.addr.len, addr_len);
    assert_int_equal(s.peer.transport, NET_UDP);
    assert_int_equal(s.peer.local_port, s.port);
    assert_int_not_equal(s.peer.port, 0);
    assert_true(s.peer.received.tv_sec >= time(NULL) - 10 && s.peer.received.tv_sec <= time(NULL));
    server_free(&s);
}

static void test_ip4(void **state)
{
    (void)state;
    send_and_receive("127.0.0.1", "127.0.0.1", 4);
}

static void test_ip6(void **state)
{
    (void)state;
    send_and_receive("::1", "[::1]", 16);
}

static void test_any_takes_both(void **state)
{
    (void)state;
    send_and_receive("", "127.0.0.1", 4); /* shown as IPv4, not as a mapped address */
    send_and_receive("*", "[::1]", 16);
}

static void test_sizes(void **state)
{
    (void)state;
    struct server s;
    server_start(&s, NET_UDP, NULL);
    struct sender_options so = quick_options();
    struct sender *out = open_sender("udp", "127.0.0.1", s.port, &so);
    uint8_t *frame = malloc(HEP_FRAME_MAX);
    make_frame(frame, HEP_UDP_MAX, 0);
    assert_int_equal(sender_send(out, frame, HEP_UDP_MAX), 0);
    make_frame(frame, HEP_UDP_MAX + 1, 1);
    assert_int_equal(sender_send(out, frame, HEP_UDP_MAX + 1), -1);
    assert_string_equal(sender_stats(out)->last_error.text, "too long for a datagram");
    assert_int_equal(sender_stats(out)->frames_pending, 1);
    make_frame(frame, 16, 1);
    assert_int_equal(sender_send(out, frame, 16), 0);
    assert_int_equal(sender_flush(out), 0);
    wait_for(&s, units, 2);
    struct sender_stats t;
    assert_int_equal(sender_close(out, &t), 0);
    assert_int_equal(t.frames_sent, 2);
    assert_int_equal(t.frames_failed, 1);
    (void)server_stop(&s);
    assert_in_order(&s, 2);
    assert_int_equal(s.octets, HEP_UDP_MAX + 16);
    free(frame);
    server_free(&s);
}

static void test_truncated_is_counted(void **state)
{
    (void)state;
    struct server s;
    struct net_listen_options o = { .host = "127.0.0.1", .datagram_max = 100 };
    server_start(&s, NET_UDP, &o);
    struct sender_options so = quick_options();
    struct sender *out = open_sender("udp", "127.0.0.1", s.port, &so);
    (void)send_frames(out, 0, 1, 101);
    (void)send_frames(out, 0, 1, 100);
    assert_int_equal(sender_close(out, NULL), 0);
    wait_for(&s, units, 1);
    struct net_counters c = server_stop(&s);
    assert_in_order(&s, 1);
    assert_int_equal(c.datagrams, 1);
    assert_int_equal(c.datagrams_truncated, 1);
    assert_int_equal(s.events[NET_EVENT_TRUNCATED], 1);
    server_free(&s);
}

/* Nothing is read while 3000 datagrams come; what the small buffer does not hold must be in kernel_drops. */
static void test_kernel_drops(void **state)
{
    (void)state;
    struct server s;
    struct net_listen_options o = { .host = "127.0.0.1", .rcvbuf = 65536 };
    server_open(&s, NET_UDP, &o);
    assert_true(net_listener_rcvbuf(s.listener) >= 65536);
    struct sender_options so = quick_options();
    struct sender *out = open_sender("udp", "127.0.0.1", s.port, &so);
    assert_int_equal(send_frames(out, 0, 3000, 1000), 0);
    assert_int_equal(sender_close(out, NULL), 0);
    assert_true(net_counters(s.loop)->kernel_drops > 0);
    net_stop(s.loop); /* the end drains what the kernel holds */
    net_loop_run(s.loop);
    const struct net_counters *c = net_counters(s.loop);
    assert_true(c->datagrams > 0);
    assert_int_equal(c->datagrams + c->kernel_drops, 3000);
    assert_int_equal(s.units, c->datagrams);
    server_free(&s);
}

static void test_rcvbuf_default(void **state)
{
    (void)state;
    struct server s;
    server_open(&s, NET_UDP, NULL);
    assert_true(net_listener_rcvbuf(s.listener) > 0 && net_listener_rcvbuf(s.listener) <= NET_RCVBUF_DEFAULT);
    server_free(&s);
}

/* ICMP "port unreachable" belongs to a datagram that was counted as sent: reported, and the next one is not lost. */
static void test_refused_is_reported(void **state)
{
    (void)state;
    struct sender_options so = quick_options();
    struct sender *out = open_sender("udp", "127.0.0.1", free_port(SOCK_DGRAM), &so);
    for (uint32_t i = 0; i < 3; i++) {
        (void)send_frames(out, i, 1, 100);
        assert_int_equal(sender_flush(out), 0);
        sleep_ms(5);
    }
    struct sender_stats t;
    assert_int_equal(sender_close(out, &t), 0);
    assert_int_equal(t.refused, 2);
    assert_int_equal(t.frames_sent, 3);
    assert_non_null(strstr(t.last_error.text, "refused"));
}

/* localhost is ::1 and 127.0.0.1 on most systems; nobody listens on the first. */
static void test_next_address(void **state)
{
    (void)state;
    struct server s;
    struct sender_options so = quick_options();
    server_start(&s, NET_UDP, NULL);
    struct sender *out = open_sender("udp", "localhost", s.port, &so);
    for (uint32_t i = 0; i < 3; i++) {
        (void)send_frames(out, i, 1, 100);
        assert_int_equal(sender_flush(out), 0);
        sleep_ms(5);
    }
    wait_for(&s, units, 2);
    assert_true(sender_stats(out)->refused <= 1);
    assert_int_equal(sender_close(out, NULL), 0);
    server_free(&s);
}

static void test_address_in_use(void **state)
{
    (void)state;
    struct server s;
    server_open(&s, NET_UDP, NULL);
    struct net_listen_options o = { .host = "127.0.0.1", .port = s.port };
    struct net_handler h = { .on_datagram = on_octets };
    struct errmsg err = { "" };
    assert_int_equal(net_listen(s.loop, NET_UDP, &o, &h, NULL, &err), -1);
    assert_non_null(strstr(err.text, "in use"));
    h.on_datagram = NULL;
    assert_int_equal(net_listen(s.loop, NET_UDP, &o, &h, NULL, &err), -1);
    assert_non_null(strstr(err.text, "callback"));
    server_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ip4),
        cmocka_unit_test(test_ip6),
        cmocka_unit_test(test_any_takes_both),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_truncated_is_counted),
        cmocka_unit_test(test_kernel_drops),
        cmocka_unit_test(test_rcvbuf_default),
        cmocka_unit_test(test_refused_is_reported),
        cmocka_unit_test(test_next_address),
        cmocka_unit_test(test_address_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
