/* TLS in both directions: who trusts whom, how a stream may end, time limits. */
#include "test_net_util.h"

#include "net/tls.h"
#include "test_net_certs.h"

static struct certs certs;

static int make_certs(void **state)
{
    (void)state;
    certs_make(&certs);
    return 0;
}

static int remove_certs(void **state)
{
    (void)state;
    certs_remove(&certs);
    return 0;
}

static struct net_listen_options tls_options(const char *host)
{
    return (struct net_listen_options){ .host = host, .tls = { certs.cert, certs.key, NULL } };
}

/* Sends 20 frames and expects all of them to arrive (true) or none. Returns the sender's last words. */
static struct sender_stats try_sender(const struct net_listen_options *lo, const char *host,
                                      const struct sender_options *so, bool expect)
{
    struct server s;
    struct sender_stats t;
    server_start(&s, NET_TLS, lo);
    struct sender *out = open_sender("tls", host, s.port, so);
    (void)send_frames(out, 0, 20, 3000);
    int rc = sender_close(out, &t);
    assert_int_equal(rc, expect ? 0 : -1);
    assert_adds_up(&t, 20);
    if (expect)
        wait_for(&s, units, 20);
    else
        wait_for(&s, events[NET_EVENT_TLS_FAILED], 1);
    struct net_counters c = server_stop(&s);
    assert_in_order(&s, expect ? 20 : 0);
    assert_int_equal(c.tls_failures > 0, !expect);
    assert_int_equal(c.tls_unclosed, 0);
    assert_int_equal(c.connections_open, 0);
    assert_int_equal(s.errors, 0);
    server_free(&s);
    return t;
}

static void test_verified(void **state)
{
    (void)state;
    struct net_listen_options v4 = tls_options("127.0.0.1"), v6 = tls_options("::1");
    struct sender_options so = quick_options();
    so.ca_file = certs.ca;
    assert_int_equal(try_sender(&v4, "127.0.0.1", &so, true).frames_sent, 20);
    assert_int_equal(try_sender(&v6, "[::1]", &so, true).frames_sent, 20);
    so.server_name = "localhost";
    assert_int_equal(try_sender(&v4, "127.0.0.1", &so, true).frames_sent, 20);
}

static void test_refused_without_ca(void **state)
{
    (void)state;
    struct net_listen_options lo = tls_options("127.0.0.1");
    struct sender_options so;
    sender_options_init(&so); /* the defaults; no long retrying of what cannot get better */
    uint64_t start = now_ms();
    struct sender_stats t = try_sender(&lo, "127.0.0.1", &so, false);
    assert_true(now_ms() - start < 3000);
    assert_int_equal(t.frames_failed, 20);
    assert_non_null(strstr(t.last_error.text, "certificate refused"));
    so.ca_file = certs.other_ca;
    t = try_sender(&lo, "127.0.0.1", &so, false);
    assert_int_equal(t.frames_failed, 20);
}

static void test_wrong_name(void **state)
{
    (void)state;
    struct net_listen_options lo = tls_options("127.0.0.1");
    struct sender_options so = quick_options();
    so.ca_file = certs.ca;
    so.server_name = "elsewhere.example";
    struct sender_stats t = try_sender(&lo, "127.0.0.1", &so, false);
    assert_non_null(strstr(t.last_error.text, "name"));
}

static void test_insecure(void **state)
{
    (void)state;
    struct net_listen_options lo = tls_options("127.0.0.1");
    struct sender_options so = quick_options();
    so.insecure = true;
    (void)try_sender(&lo, "127.0.0.1", &so, true);
}

static void test_client_certificate(void **state)
{
    (void)state;
    struct net_listen_options lo = tls_options("127.0.0.1");
    struct sender_options so = quick_options();
    lo.tls.client_ca = certs.ca;
    so.ca_file = certs.ca;
    so.cert_file = certs.client_cert;
    so.key_file = certs.client_key;
    (void)try_sender(&lo, "127.0.0.1", &so, true);

    /* Without one: TLS 1.3 tells the client late, so frames may count as written; but the end says that it broke. */
    so.cert_file = so.key_file = NULL;
    struct sender_stats t = try_sender(&lo, "127.0.0.1", &so, false);
    assert_true(t.frames_failed == 20 || t.breaks > 0);
    so.cert_file = certs.other_cert; /* one of another CA is as good as none */
    so.key_file = certs.other_key;
    t = try_sender(&lo, "127.0.0.1", &so, false);
    assert_true(t.frames_failed == 20 || t.breaks > 0);
}

static void test_large(void **state)
{
    (void)state;
    enum { FRAMES = 300 };
    struct server s;
    struct net_listen_options lo = tls_options("127.0.0.1");
    struct sender_options so = quick_options();
    so.ca_file = certs.ca;
    server_open(&s, NET_TLS, &lo);
    server_run(&s);
    struct sender *out = open_sender("tls", "127.0.0.1", s.port, &so);
    assert_int_equal(send_frames(out, 0, FRAMES, 65535), 0);
    assert_int_equal(sender_close(out, NULL), 0);
    wait_for(&s, units, FRAMES);
    struct net_counters c = server_stop(&s);
    assert_in_order(&s, FRAMES);
    assert_int_equal(c.stream_octets, FRAMES * 65535);
    server_free(&s);
}

/* ------------------------------------------------------------------------------------------------ raw client */

struct raw {
    int fd;
    struct tls_creds creds;
    gnutls_session_t tls;
};

static void raw_open(struct raw *r, uint16_t port)
{
    struct errmsg err = { "" };
    r->fd = connect_to(SOCK_STREAM, port);
    assert_int_equal(tls_creds_client(&r->creds, certs.ca, NULL, NULL, &err), 0);
    r->tls = tls_connect(&r->creds, r->fd, "localhost", "localhost");
    int rc;
    while ((rc = tls_handshake(r->tls, &err)) == TLS_AGAIN) /* the socket blocks */
        ;
    if (rc != 0)
        fail_msg("%s", err.text);
}

static void raw_close(struct raw *r)
{
    gnutls_deinit(r->tls);
    (void)close(r->fd);
    tls_creds_free(&r->creds);
}

/* A client that shows a certificate of another CA although the server said which CAs it takes. */
static void test_forced_client_certificate(void **state)
{
    (void)state;
    struct server s;
    struct raw r = { 0 };
    struct errmsg err = { "" };
    uint8_t frame[50];
    struct net_listen_options lo = tls_options("127.0.0.1");
    lo.tls.client_ca = certs.ca;
    server_start(&s, NET_TLS, &lo);
    r.fd = connect_to(SOCK_STREAM, s.port);
    assert_int_equal(tls_creds_client(&r.creds, certs.ca, certs.other_cert, certs.other_key, &err), 0);
    assert_int_equal(gnutls_init(&r.tls, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL | GNUTLS_FORCE_CLIENT_CERT), 0);
    assert_int_equal(gnutls_priority_set(r.tls, r.creds.priority), 0);
    assert_int_equal(gnutls_credentials_set(r.tls, GNUTLS_CRD_CERTIFICATE, r.creds.cert), 0);
    gnutls_transport_set_int(r.tls, r.fd);
    (void)gnutls_handshake(r.tls); /* TLS 1.3: done before the server has judged */
    make_frame(frame, sizeof(frame), 0);
    (void)tls_send(r.tls, frame, sizeof(frame));
    wait_for(&s, events[NET_EVENT_TLS_FAILED], 1);
    raw_close(&r);
    (void)server_stop(&s);
    assert_int_equal(s.units, 0);
    assert_non_null(strstr(s.event_text, "certificate refused"));
    server_free(&s);
}

/*
 * A record that does not fit into what is left of the stream buffer, as the last read of a turn and with nothing behind
 * it on the wire: the rest lies in GnuTLS and no event will tell. The first frame holds the server up (delay_ms) until
 * all records are there; then its turns of four reads take 1 + 3 and 4 records.
 */
static void test_rest_of_record(void **state)
{
    (void)state;
    enum { TOTAL = 1002 + 4 * 16384 };
    static const size_t records[] = { 1000, 1, 1, 16384, 16384, 16384, 16384 };
    static uint8_t all[TOTAL];
    uint8_t first[20];
    struct server s;
    struct raw r;
    struct net_listen_options lo = tls_options("127.0.0.1");
    server_open(&s, NET_TLS, &lo);
    s.delay_ms = 100;
    server_run(&s);
    raw_open(&r, s.port);
    make_frame(first, sizeof(first), 0);
    make_frame(all, 65535, 1);
    make_frame(all + 65535, TOTAL - 65535, 2);
    assert_int_equal(tls_send(r.tls, first, sizeof(first)), sizeof(first));
    for (size_t i = 0, at = 0; i < sizeof(records) / sizeof(records[0]); at += records[i++])
        assert_int_equal(tls_send(r.tls, all + at, records[i]), records[i]);
    wait_for(&s, units, 3);
    raw_close(&r);
    (void)server_stop(&s);
    assert_in_order(&s, 3);
    server_free(&s);
}

static void end_without_notify(size_t extra, size_t unclosed, size_t errors)
{
    struct server s;
    struct raw r;
    uint8_t frame[100];
    struct net_listen_options lo = tls_options("127.0.0.1");
    server_start(&s, NET_TLS, &lo);
    raw_open(&r, s.port);
    make_frame(frame, sizeof(frame), 0);
    assert_int_equal(tls_send(r.tls, frame, 60), 60);
    assert_int_equal(tls_send(r.tls, frame + 60, 40), 40);
    if (extra > 0)
        assert_int_equal(tls_send(r.tls, frame, extra), extra);
    raw_close(&r);
    wait_for(&s, units, 1);
    if (errors > 0)
        wait_for(&s, errors, errors);
    else
        wait_for(&s, events[NET_EVENT_TLS_UNCLOSED], unclosed);
    struct net_counters c = server_stop(&s);
    assert_in_order(&s, 1);
    assert_int_equal(c.tls_unclosed, unclosed);
    assert_int_equal(c.streams_cut, errors);
    assert_int_equal(s.errors, errors);
    if (errors > 0) {
        assert_int_equal(s.error, HEP_ERR_TRUNCATED);
        assert_int_equal(s.error_offset, 100);
    }
    server_free(&s);
}

static void test_end_without_close_notify(void **state)
{
    (void)state;
    end_without_notify(0, 1, 0);
    end_without_notify(30, 0, 1);
}

static void test_broken_inside_tls(void **state)
{
    (void)state;
    struct server s;
    struct raw r;
    struct net_listen_options lo = tls_options("127.0.0.1");
    server_start(&s, NET_TLS, &lo);
    raw_open(&r, s.port);
    assert_int_equal(tls_send(r.tls, "NOPE....", 8), 8);
    wait_for(&s, errors, 1);
    assert_true(is_closed_by_peer(r.fd));
    raw_close(&r);
    struct net_counters c = server_stop(&s);
    assert_int_equal(s.error, HEP_ERR_MAGIC);
    assert_int_equal(s.error_offset, 0);
    assert_int_equal(c.stream_errors, 1);
    server_free(&s);
}

static void test_handshake_limit(void **state)
{
    (void)state;
    struct server s;
    struct net_listen_options lo = tls_options("127.0.0.1");
    lo.handshake_timeout = 1;
    server_start(&s, NET_TLS, &lo);
    int silent = connect_to(SOCK_STREAM, s.port);
    int plain = connect_to(SOCK_STREAM, s.port);
    send_all(plain, "HEP3\0\20this is no handshake", 26);
    assert_true(is_closed_by_peer(plain));
    assert_true(is_closed_by_peer(silent));
    (void)close(silent);
    (void)close(plain);
    struct net_counters c = server_stop(&s);
    assert_int_equal(c.tls_failures, 2);
    assert_int_equal(c.connections_open, 0);
    assert_non_null(strstr(s.event_text, "too long"));
    server_free(&s);
}

static void test_bad_files(void **state)
{
    (void)state;
    struct server s;
    struct errmsg err = { "" };
    struct sender *out = NULL;
    struct net_handler h = { .on_frame = on_octets, .on_stream_error = on_stream_error, .on_body = on_body };
    struct net_listen_options lo = { .host = "127.0.0.1", .tls = { "/nonexistent", certs.key, NULL } };
    server_open(&s, NET_TCP, NULL);
    assert_int_equal(net_listen(s.loop, NET_TLS, &lo, &h, NULL, &err), -1);
    assert_non_null(strstr(err.text, "/nonexistent"));
    assert_int_equal(net_listen(s.loop, NET_HTTPS, &lo, &h, NULL, &err), -1);
    lo.tls.key = NULL;
    assert_int_equal(net_listen(s.loop, NET_TLS, &lo, &h, NULL, &err), -1);
    server_free(&s);

    struct sender_options so = quick_options();
    so.ca_file = "/nonexistent";
    assert_int_equal(sender_open(&out, "tls://127.0.0.1", &so, &err), -1);
    assert_non_null(strstr(err.text, "/nonexistent"));
    assert_int_equal(sender_open(&out, "https://127.0.0.1/", &so, &err), -1);
    assert_null(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verified),
        cmocka_unit_test(test_refused_without_ca),
        cmocka_unit_test(test_wrong_name),
        cmocka_unit_test(test_insecure),
        cmocka_unit_test(test_client_certificate),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_end_without_close_notify),
        cmocka_unit_test(test_forced_client_certificate),
        cmocka_unit_test(test_rest_of_record),
        cmocka_unit_test(test_broken_inside_tls),
        cmocka_unit_test(test_handshake_limit),
        cmocka_unit_test(test_bad_files),
    };
    return cmocka_run_group_tests(tests, make_certs, remove_certs);
}
