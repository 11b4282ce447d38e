/* HTTP and HTTPS: the listener against a raw client that says exactly what a test wants, and the sender against it. */
#include "test_net_util.h"

#include <zlib.h>

#include "net/http_body.h"
#include "test_net_certs.h"

/* ------------------------------------------------------------------------------------------------ raw client */

struct answer {
    int status;
    char text[4096]; /* head and body */
    const char *body;
};

/* Value of a header in an answer, up to the end of the line; NULL if absent. */
static const char *answer_header(const struct answer *a, const char *name)
{
    const char *at = strcasestr(a->text, name);
    return at != NULL && at < a->body ? at + strlen(name) : NULL;
}

/* Reads one answer, leaving what follows it to the next call. */
static void read_answer(int fd, struct answer *a)
{
    size_t len = 0, want = sizeof(a->text) - 1;
    struct pollfd p = { .fd = fd, .events = POLLIN };
    memset(a, 0, sizeof(*a));
    while (len < want && poll(&p, 1, WAIT_MS) > 0 && recv(fd, a->text + len, 1, 0) == 1) {
        len++;
        if (a->body == NULL && len >= 4 && memcmp(a->text + len - 4, "\r\n\r\n", 4) == 0) {
            a->body = a->text + len;
            const char *size = answer_header(a, "Content-Length: ");
            a->status = (int)strtol(a->text + 9, NULL, 10);
            want = len + (a->status == 100 || size == NULL ? 0 : (size_t)strtoul(size, NULL, 10));
        }
    }
    if (a->body == NULL)
        fail_msg("no whole answer: %s", a->text);
}

static void say(int fd, const char *text)
{
    send_all(fd, text, strlen(text));
}

static void ask(int fd, const char *request, struct answer *a)
{
    say(fd, request);
    read_answer(fd, a);
}

/* Head and body of a POST. */
static void post(int fd, const char *headers, const void *body, size_t len, struct answer *a)
{
    char head[512];
    (void)snprintf(head, sizeof(head), "POST /hep HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n%s\r\n", len, headers);
    say(fd, head);
    send_all(fd, body, len);
    read_answer(fd, a);
}

static void start_http(struct server *s)
{
    server_start(s, NET_HTTP, NULL);
}

static size_t gzip(const void *data, size_t len, uint8_t *to, size_t cap)
{
    z_stream z = { 0 };
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    uint8_t *copy = malloc(len + 1);
    memcpy(copy, data, len);
    z.next_in = copy;
    z.avail_in = (uInt)len;
    z.next_out = to;
    z.avail_out = (uInt)cap;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t made = cap - z.avail_out;
    (void)deflateEnd(&z);
    free(copy);
    return made;
}

/* ------------------------------------------------------------------------------------------------ listener */

static void test_post_and_keep_alive(void **state)
{
    (void)state;
    struct server s;
    struct answer a;
    uint8_t frame[500];
    start_http(&s);
    int fd = connect_to(SOCK_STREAM, s.port);
    for (uint32_t i = 0; i < 5; i++) { /* all on one connection */
        make_frame(frame, sizeof(frame), i);
        post(fd, "Content-Type: application/hep\r\nX-Extra: more\r\n", frame, sizeof(frame), &a);
        assert_int_equal(a.status, 200);
        assert_string_equal(a.body, "{\"status\":200}\n");
        assert_memory_equal(answer_header(&a, "Content-Type: "), "application/json", 16);
    }
    (void)close(fd);
    struct net_counters c = server_stop(&s);
    assert_in_order(&s, 5);
    assert_int_equal(s.wire_len, sizeof(frame));
    assert_string_equal(s.type, "application/hep");
    assert_string_equal(s.path, "/hep");
    assert_string_equal(s.extra, "more");
    assert_int_equal(s.peer.transport, NET_HTTP);
    assert_int_equal(s.peer.addr.len, 4);
    assert_int_equal(c.connections, 1);
    assert_int_equal(c.connections_open, 0);
    assert_int_equal(c.http_requests, 5);
    assert_int_equal(c.http_octets, 5 * sizeof(frame));
    assert_int_equal(c.http_refused + c.http_aborted, 0);
    server_free(&s);
}

static void test_consumer_decides(void **state)
{
    (void)state;
    struct server s;
    struct answer a;
    server_open(&s, NET_HTTP, NULL);
    s.statuses[0] = 400;
    s.statuses[1] = 503;
    s.statuses[2] = 7; /* nonsense */
    s.status_count = 3;
    s.retry_after = 9;
    server_run(&s);
    int fd = connect_to(SOCK_STREAM, s.port);
    post(fd, "", "not hep", 7, &a);
    assert_int_equal(a.status, 400);
    assert_string_equal(a.body, "{\"status\":400}\n");
    post(fd, "", "", 0, &a);
    assert_int_equal(a.status, 503);
    assert_memory_equal(answer_header(&a, "Retry-After: "), "9\r", 2);
    post(fd, "", "x", 1, &a);
    assert_int_equal(a.status, 500);
    (void)close(fd);
    server_free(&s);
}

static void test_methods(void **state)
{
    (void)state;
    struct server s;
    struct answer a;
    start_http(&s);
    int fd = connect_to(SOCK_STREAM, s.port);
    ask(fd, "GET /hep HTTP/1.1\r\nHost: h\r\n\r\n", &a);
    assert_int_equal(a.status, 405);
    assert_memory_equal(answer_header(&a, "Allow: "), "POST, PUT\r", 10);
    ask(fd, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n", &a); /* still the same connection */
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "ok");
    ask(fd, "PUT /any/path?q=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab", &a);
    assert_int_equal(a.status, 200);
    ask(fd, "DELETE /health HTTP/1.1\r\nHost: h\r\n\r\n", &a);
    assert_int_equal(a.status, 405);
    (void)close(fd);
    struct net_counters c = server_stop(&s);
    assert_string_equal(s.path, "/any/path");
    assert_int_equal(s.units, 1);
    assert_int_equal(c.http_requests, 4);
    assert_int_equal(c.http_refused, 2);
    server_free(&s);
}

static void test_chunked(void **state)
{
    (void)state;
    struct server s;
    struct answer a;
    uint8_t frame[300];
    make_frame(frame, sizeof(frame), 0);
    start_http(&s);
    int fd = connect_to(SOCK_STREAM, s.port);
    say(fd, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0; at < sizeof(frame); at += 100) {
        say(fd, "64\r\n");
        sleep_ms(2);
        send_all(fd, frame + at, 100);
        say(fd, "\r\n");
    }
    ask(fd, "0\r\n\r\n", &a);
    assert_int_equal(a.status, 200);
    (void)close(fd);
    (void)server_stop(&s);
    assert_in_order(&s, 1);
    assert_int_equal(s.octets, sizeof(frame));
    server_free(&s);
}

static void test_too_large_by_header(void **state)
{
    (void)state;
    struct server s;
    struct answer a;
    struct net_listen_options o = { .host = "127.0.0.1", .body_max = 1000 };
    static const uint8_t body[1000];
    server_start(&s, NET_HTTP, &o);
    int fd = connect_to(SOCK_STREAM, s.port);
    post(fd, "", body, 1000, &a);
    assert_int_equal(a.status, 200);
    /* Refused before the body: with Expect, not one octet of it is sent. */
    ask(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n", &a);
    assert_int_equal(a.status, 413);
    (void)close(fd);
    fd = connect_to(SOCK_STREAM, s.port);
    ask(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n", &a);
    assert_int_equal(a.status, 413);
    (void)close(fd);
    struct net_counters c = server_stop(&s);
    assert_int_equal(s.units, 1);
    assert_int_equal(c.http_refused, 2);
    assert_int_equal(c.http_octets, 1000);
    server_free(&s);
}

/* A body without a length that is twice too large is dropped and answered; one without end is cut off. */
static void test_too_large_when_chunked(void **state)
{
    (void)state;
    struct server s;
    struct answer a;
    struct net_listen_options o = { .host = "127.0.0.1", .body_max = 1000 };
    static char chunk[608];
    (void)snprintf(chunk, sizeof(chunk), "258\r\n%0600d\r\n", 0);
    server_start(&s, NET_HTTP, &o);
    int fd = connect_to(SOCK_STREAM, s.port);
    say(fd, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (unsigned i = 0; i < 3; i++)
        say(fd, chunk);
    ask(fd, "0\r\n\r\n", &a);
    assert_int_equal(a.status, 413);
    (void)close(fd);

    fd = connect_to(SOCK_STREAM, s.port);
    say(fd, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (unsigned i = 0; i < 4; i++)
        say(fd, chunk);
    assert_true(is_closed_by_peer(fd));
    (void)close(fd);
    struct net_counters c = server_stop(&s);
    assert_int_equal(s.units, 0);
    assert_int_equal(c.http_refused, 1);
    assert_int_equal(c.http_aborted, 1);
    server_free(&s);
}

static void test_expect_continue(void **state)
{
    (void)state;
    struct server s;
    struct answer a;
    start_http(&s);
    int fd = connect_to(SOCK_STREAM, s.port);
    ask(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", &a);
    assert_int_equal(a.status, 100);
    ask(fd, "abc", &a);
    assert_int_equal(a.status, 200);
    (void)close(fd);
    (void)server_stop(&s);
    assert_int_equal(s.body_len, 3);
    assert_memory_equal(s.body, "abc", 3);
    server_free(&s);
}

static void test_gzip(void **state)
{
    (void)state;
    struct server s;
    struct answer a;
    struct net_listen_options o = { .host = "127.0.0.1", .body_max = 100000 };
    static uint8_t packed[200000], body[100001];
    server_start(&s, NET_HTTP, &o);
    int fd = connect_to(SOCK_STREAM, s.port);
    make_frame(body, 60000, 0);
    size_t len = gzip(body, 60000, packed, sizeof(packed));
    assert_true(len < 1000);
    post(fd, "Content-Encoding: gzip\r\n", packed, len, &a);
    assert_int_equal(a.status, 200);

    len = gzip(body, 100000, packed, sizeof(packed)); /* exactly the limit */
    post(fd, "Content-Encoding: x-gzip\r\n", packed, len, &a);
    assert_int_equal(a.status, 200);
    len = gzip(body, 100001, packed, sizeof(packed)); /* a small body that unpacks to too much */
    post(fd, "Content-Encoding: gzip\r\n", packed, len, &a);
    assert_int_equal(a.status, 413);

    len = gzip(body, 1000, packed, sizeof(packed));
    post(fd, "Content-Encoding: gzip\r\n", packed, len - 1, &a); /* cut */
    assert_int_equal(a.status, 400);
    packed[len / 2] ^= 0x55;
    post(fd, "Content-Encoding: gzip\r\n", packed, len, &a); /* damaged */
    assert_int_equal(a.status, 400);
    post(fd, "Content-Encoding: gzip\r\n", "plain", 5, &a);
    assert_int_equal(a.status, 400);
    post(fd, "Content-Encoding: gzip\r\n", "", 0, &a);
    assert_int_equal(a.status, 400);
    post(fd, "Content-Encoding: br\r\n", "x", 1, &a);
    assert_int_equal(a.status, 415);
    (void)close(fd);
    struct net_counters c = server_stop(&s);
    assert_int_equal(s.units, 2);
    assert_int_equal(s.number[0], 0);
    assert_int_equal(s.body_len, 100000);
    assert_true(s.wire_len < 1000);
    assert_int_equal(c.http_refused, 6);
    server_free(&s);
}

/* All bodies together have a limit, too; the account is even when they are gone. */
static void test_body_account(void **state)
{
    (void)state;
    struct http_account account = { .max = 1500 }; /* what counts is the memory taken: 1024 and 512 */
    struct http_body a, b;
    static const uint8_t data[900];
    assert_int_equal(http_body_init(&a, &account, 5000, false), 0);
    assert_int_equal(http_body_init(&b, &account, 5000, false), 0);
    assert_int_equal(http_body_add(&a, data, 600), 0);
    assert_int_equal(http_body_add(&b, data, 500), 503);
    http_body_free(&a);
    http_body_free(&b);
    assert_int_equal(account.used, 0);
    assert_int_equal(http_body_init(&b, &account, 500, true), 0);
    assert_int_equal(http_body_add(&b, "\x1f\x8b", 2), 0);
    assert_int_equal(http_body_end(&b), 400);
    http_body_free(&b);
    assert_int_equal(account.used, 0);
}

static void test_bodies_limit(void **state)
{
    (void)state;
    struct server s;
    struct answer a;
    struct net_listen_options o = { .host = "127.0.0.1", .bodies_max = 70000 };
    static const uint8_t body[40000];
    server_start(&s, NET_HTTP, &o);
    int slow = connect_to(SOCK_STREAM, s.port), fd = connect_to(SOCK_STREAM, s.port);
    say(slow, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 40000\r\n\r\n");
    send_all(slow, body, 30000);
    sleep_ms(100);
    post(fd, "", body, sizeof(body), &a);
    assert_int_equal(a.status, 503);
    assert_non_null(answer_header(&a, "Retry-After: "));
    (void)close(slow); /* gives up: its share is free again */
    sleep_ms(100);
    post(fd, "", body, sizeof(body), &a);
    assert_int_equal(a.status, 200);
    (void)close(fd);
    struct net_counters c = server_stop(&s);
    assert_int_equal(s.units, 1);
    assert_int_equal(c.http_aborted, 1);
    server_free(&s);
}

static void test_idle_timeout(void **state)
{
    (void)state;
    struct server s;
    struct net_listen_options o = { .host = "127.0.0.1", .idle_timeout = 1 };
    server_start(&s, NET_HTTP, &o);
    int fd = connect_to(SOCK_STREAM, s.port);
    say(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
    uint64_t start = now_ms();
    assert_true(is_closed_by_peer(fd));
    assert_true(now_ms() - start >= 500);
    (void)close(fd);
    struct net_counters c = server_stop(&s);
    assert_int_equal(c.http_aborted, 1);
    server_free(&s);
}

/* ------------------------------------------------------------------------------------------------ sender */

static void test_sender_one_frame_a_post(void **state)
{
    (void)state;
    struct server s;
    struct sender_stats t;
    struct sender_options so = quick_options();
    const char *const headers[] = { "X-Extra: secret", "Authorization: Bearer x" };
    so.headers = headers;
    so.header_count = 2;
    start_http(&s);
    struct sender *out = open_sender("http", "127.0.0.1", s.port, &so);
    assert_int_equal(send_frames(out, 0, 5, 800), 0);
    assert_int_equal(sender_close(out, &t), 0);
    struct net_counters c = server_stop(&s);
    assert_in_order(&s, 5);
    assert_int_equal(t.frames_sent, 5);
    assert_int_equal(t.octets_sent, 4000);
    assert_int_equal(t.http_requests, 5);
    assert_int_equal(c.connections, 1); /* kept alive */
    assert_string_equal(s.type, "application/octet-stream");
    assert_string_equal(s.extra, "secret");
    assert_int_equal(strlen(s.key[0]), 36);
    assert_int_equal(s.key[0][14], '4');
    assert_string_not_equal(s.key[0], s.key[1]);
    server_free(&s);
}

static void test_sender_batches(void **state)
{
    (void)state;
    struct server s;
    struct sender_stats t;
    struct sender_options so = quick_options();
    so.frames_per_post = 4;
    so.content_type = "application/hep";
    start_http(&s);
    struct sender *out = open_sender("http", "127.0.0.1", s.port, &so);
    assert_int_equal(send_frames(out, 0, 10, 100), 0);
    assert_int_equal(sender_stats(out)->frames_pending, 2);
    assert_int_equal(sender_stats(out)->frames_sent, 8);
    assert_int_equal(sender_close(out, &t), 0);
    (void)server_stop(&s);
    assert_int_equal(s.units, 3);
    assert_int_equal(s.octets, 1000);
    assert_int_equal(s.body_len, 200);
    assert_string_equal(s.type, "application/hep");
    assert_int_equal(t.frames_sent, 10);
    assert_int_equal(t.http_requests, 3);
    server_free(&s);
}

static void test_sender_base64(void **state)
{
    (void)state;
    struct server s;
    struct sender_options so = quick_options();
    uint8_t frame[14];
    so.base64 = true;
    start_http(&s);
    struct sender *out = open_sender("http", "127.0.0.1", s.port, &so);
    make_frame(frame, sizeof(frame), 0);
    assert_int_equal(sender_send(out, frame, sizeof(frame)), 0);
    assert_int_equal(sender_close(out, NULL), 0);
    (void)server_stop(&s);
    assert_string_equal(s.type, "text/plain");
    assert_int_equal(s.body_len, 20);
    assert_memory_equal(s.body, "SEVQMwAOAAAADwAIYWE=", 20);
    server_free(&s);
}

static void test_sender_retries(void **state)
{
    (void)state;
    static const unsigned script[] = { 503, 429, 500, 408, 200 };
    struct server s;
    struct sender_stats t;
    struct sender_options so = quick_options();
    so.retry_ms = 20000;
    server_open(&s, NET_HTTP, NULL);
    memcpy(s.statuses, script, sizeof(script));
    s.status_count = 5;
    server_run(&s);
    struct sender *out = open_sender("http", "127.0.0.1", s.port, &so);
    assert_int_equal(send_frames(out, 0, 1, 100), 0);
    assert_int_equal(sender_close(out, &t), 0);
    (void)server_stop(&s);
    assert_int_equal(s.units, 5);
    assert_int_equal(t.frames_sent, 1);
    assert_int_equal(t.frames_failed, 0);
    assert_int_equal(t.http_requests, 5);
    assert_int_equal(t.retries, 4);
    for (unsigned i = 1; i < 5; i++) /* one body, one key */
        assert_string_equal(s.key[i], s.key[0]);
    server_free(&s);
}

static void test_sender_honours_retry_after(void **state)
{
    (void)state;
    struct server s;
    struct sender_options so = quick_options();
    so.retry_ms = 20000;
    server_open(&s, NET_HTTP, NULL);
    s.statuses[0] = 503;
    s.statuses[1] = 200;
    s.status_count = 2;
    s.retry_after = 1;
    server_run(&s);
    struct sender *out = open_sender("http", "127.0.0.1", s.port, &so);
    uint64_t start = now_ms();
    assert_int_equal(send_frames(out, 0, 1, 100), 0);
    assert_true(now_ms() - start >= 1000);
    assert_int_equal(sender_close(out, NULL), 0);
    (void)server_stop(&s);
    assert_int_equal(s.units, 2);
    server_free(&s);
}

/* 4xx and redirects are final: no retry, the reason is told, and the next frame is tried at once. */
static void test_sender_refused(void **state)
{
    (void)state;
    static const unsigned finals[] = { 400, 401, 404, 413, 302 };
    for (size_t i = 0; i < sizeof(finals) / sizeof(finals[0]); i++) {
        struct server s;
        struct sender_stats t;
        struct sender_options so = quick_options();
        char expect[64];
        so.retry_ms = 20000;
        server_open(&s, NET_HTTP, NULL);
        s.statuses[0] = finals[i];
        s.statuses[1] = 200;
        s.status_count = 2;
        server_run(&s);
        struct sender *out = open_sender("http", "127.0.0.1", s.port, &so);
        assert_int_equal(send_frames(out, 0, 2, 100), 1);
        assert_int_equal(sender_close(out, &t), 0);
        (void)server_stop(&s);
        (void)snprintf(expect, sizeof(expect), "HTTP status %u: {\"status\":%u} ", finals[i], finals[i]);
        assert_string_equal(t.last_error.text, expect);
        assert_int_equal(t.frames_failed, 1);
        assert_int_equal(t.frames_sent, 1);
        assert_int_equal(t.retries, 0);
        assert_int_equal(s.units, 2);
        server_free(&s);
    }
}

static void test_sender_bad_header(void **state)
{
    (void)state;
    struct sender *out = NULL;
    struct errmsg err;
    struct sender_options so = quick_options();
    const char *headers[] = { "X: a\r\nY: b" };
    so.headers = headers;
    so.header_count = 1;
    assert_int_equal(sender_open(&out, "http://127.0.0.1/", &so, &err), -1);
    headers[0] = "no colon";
    assert_int_equal(sender_open(&out, "http://127.0.0.1/", &so, &err), -1);
}

/* ------------------------------------------------------------------------------------------------ HTTPS */

static void https(struct certs *certs, const char *ca, bool insecure, bool need_client, bool show_client, bool expect)
{
    struct server s;
    struct sender_stats t;
    struct net_listen_options o = { .host = "127.0.0.1", .tls = { certs->cert, certs->key, NULL } };
    struct sender_options so;
    sender_options_init(&so);
    o.tls.client_ca = need_client ? certs->ca : NULL;
    so.ca_file = ca;
    so.insecure = insecure;
    so.cert_file = show_client ? certs->client_cert : NULL;
    so.key_file = show_client ? certs->client_key : NULL;
    server_start(&s, NET_HTTPS, &o);
    struct sender *out = open_sender("https", "127.0.0.1", s.port, &so);
    uint64_t start = now_ms();
    assert_int_equal(send_frames(out, 0, 3, 5000), expect ? 0 : 3);
    assert_true(now_ms() - start < 5000); /* no long retrying of what cannot get better */
    (void)sender_close(out, &t);
    struct net_counters c = server_stop(&s);
    assert_in_order(&s, expect ? 3 : 0);
    assert_int_equal(t.frames_sent, expect ? 3 : 0);
    assert_int_equal(t.frames_failed, expect ? 0 : 3);
    assert_int_equal(t.last_error.text[0] == '\0', expect);
    if (need_client && !expect)
        assert_int_equal(c.tls_failures, 3);
    server_free(&s);
}

static void test_https(void **state)
{
    (void)state;
    struct certs certs;
    certs_make(&certs);
    https(&certs, certs.ca, false, false, false, true);
    https(&certs, NULL, false, false, false, false);
    https(&certs, certs.other_ca, false, false, false, false);
    https(&certs, NULL, true, false, false, true);
    https(&certs, certs.ca, false, true, true, true);
    https(&certs, certs.ca, false, true, false, false);
    struct certs stranger = certs;
    memcpy(stranger.client_cert, certs.other_cert, sizeof(certs.other_cert));
    memcpy(stranger.client_key, certs.other_key, sizeof(certs.other_key));
    https(&stranger, certs.ca, false, true, true, false); /* a certificate of another CA */
    certs_remove(&certs);
}

static int no_proxy(void **state)
{
    (void)state;
    return setenv("no_proxy", "*", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_post_and_keep_alive),
        cmocka_unit_test(test_consumer_decides),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_chunked),
        cmocka_unit_test(test_too_large_by_header),
        cmocka_unit_test(test_too_large_when_chunked),
        cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_body_account),
        cmocka_unit_test(test_bodies_limit),
        cmocka_unit_test(test_idle_timeout),
        cmocka_unit_test(test_sender_one_frame_a_post),
        cmocka_unit_test(test_sender_batches),
        cmocka_unit_test(test_sender_base64),
        cmocka_unit_test(test_sender_retries),
        cmocka_unit_test(test_sender_honours_retry_after),
        cmocka_unit_test(test_sender_refused),
        cmocka_unit_test(test_sender_bad_header),
        cmocka_unit_test(test_https),
    };
    return cmocka_run_group_tests(tests, no_proxy, NULL);
}
