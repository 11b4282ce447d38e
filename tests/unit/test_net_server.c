/* What a server needs beyond receiving: shared ports, wake-ups, late answers, connection lists, reloads. */
#include "test_net_util.h"

#include "test_net_certs.h"

/* ------------------------------------------------------------------------------------------------ on the loop */

/* Runs a function on the loop's thread and waits for it. */
struct task {
    struct server *server;
    void (*call)(struct server *s, void *arg);
    void *arg;
    size_t done;
};

static void on_task(void *arg)
{
    struct task *t = arg;
    if (seen(t->server, &t->done) > 0)
        return;
    t->call(t->server, t->arg);
    (void)pthread_mutex_lock(&t->server->lock);
    t->done = 1;
    (void)pthread_mutex_unlock(&t->server->lock);
}

static struct task task;

/* Before server_run(). */
static void tasks_allow(struct server *s)
{
    task = (struct task){ .server = s, .done = 1 };
    net_on_wake(s->loop, on_task, &task);
}

static void on_loop(struct server *s, void (*call)(struct server *s, void *arg), void *arg)
{
    (void)pthread_mutex_lock(&s->lock);
    task.call = call;
    task.arg = arg;
    task.done = 0;
    (void)pthread_mutex_unlock(&s->lock);
    net_wake(s->loop);
    wait_count(s, &task.done, 1, "task", __FILE__, __LINE__);
}

/* ------------------------------------------------------------------------------------------------ shared ports */

static int try_listen(struct net_loop *loop, enum net_transport transport, uint16_t port, enum net_share share,
                      struct server *s, struct errmsg *err)
{
    struct net_listen_options o = { .host = "127.0.0.1", .port = port, .share = share };
    struct net_handler handler = {
        .arg = s, .on_datagram = on_octets, .on_frame = on_octets, .on_stream_error = on_stream_error
    };
    return net_listen(loop, transport, &o, &handler, NULL, err);
}

static void shared(enum net_transport transport)
{
    enum { PEERS = 64 };
    struct server a, b;
    struct errmsg err;
    uint8_t frame[40];
    struct net_listen_options first = { .host = "127.0.0.1", .share = NET_SHARE_FIRST };
    server_open(&a, transport, &first);
    struct net_listen_options second = { .host = "127.0.0.1", .port = a.port, .share = NET_SHARE_JOIN };
    server_open(&b, transport, &second);
    /* Neither a second server of the same kind nor one that does not share gets in. */
    assert_int_equal(try_listen(a.loop, transport, a.port, NET_SHARE_FIRST, &a, &err), -1);
    assert_non_null(strstr(err.text, "in use"));
    assert_int_equal(try_listen(a.loop, transport, a.port, NET_SHARE_ALONE, &a, &err), -1);
    assert_non_null(strstr(err.text, "in use"));
    server_run(&a);
    server_run(&b);
    int fds[PEERS];
    for (uint32_t i = 0; i < PEERS; i++) {
        fds[i] = connect_to(transport == NET_UDP ? SOCK_DGRAM : SOCK_STREAM, a.port);
        make_frame(frame, sizeof(frame), i);
        send_all(fds[i], frame, sizeof(frame));
    }
    for (unsigned i = 0; i < WAIT_MS / 2 && seen(&a, &a.units) + seen(&b, &b.units) < PEERS; i++)
        sleep_ms(2);
    for (unsigned i = 0; i < PEERS; i++)
        (void)close(fds[i]);
    (void)server_stop(&a);
    (void)server_stop(&b);
    assert_int_equal(a.units + b.units, PEERS);
    assert_true(a.units > 0 && b.units > 0);
    server_free(&a);
    server_free(&b);
}

static void test_shared_udp(void **state)
{
    (void)state;
    shared(NET_UDP);
}

static void test_shared_tcp(void **state)
{
    (void)state;
    shared(NET_TCP);
}

/* A program that shares by itself does not let ours in, nor does one that does not. */
static void test_foreign_socket(void **state)
{
    (void)state;
    struct net_loop *loop;
    struct errmsg err;
    struct server unused;
    int one = 1;
    assert_int_equal(net_loop_new(&loop, &err), 0);
    for (unsigned share = 0; share < 2; share++) {
        struct sockaddr_in sin = { .sin_family = AF_INET };
        socklen_t len = sizeof(sin);
        sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (share)
            (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
        assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
        assert_int_equal(try_listen(loop, NET_UDP, ntohs(sin.sin_port), NET_SHARE_FIRST, &unused, &err), -1);
        (void)close(fd);
    }
    net_loop_free(loop);
}

static void test_info(void **state)
{
    (void)state;
    struct server s;
    struct net_listener_info info;
    char expect[64];
    struct net_listen_options o = { .host = "127.0.0.1", .rcvbuf = 4096 };
    server_open(&s, NET_UDP, &o);
    int fd = connect_to(SOCK_DGRAM, s.port);
    uint8_t frame[1000];
    for (uint32_t i = 0; i < 200; i++) { /* nobody reads: most do not fit */
        make_frame(frame, sizeof(frame), i);
        send_all(fd, frame, sizeof(frame));
    }
    net_listener_info(s.listener, &info);
    (void)snprintf(expect, sizeof(expect), "127.0.0.1:%u", s.port);
    assert_string_equal(info.address, expect);
    assert_int_equal(info.transport, NET_UDP);
    assert_int_equal(info.rcvbuf_asked, 4096);
    assert_int_equal(info.rcvbuf, 4096);
    assert_true(info.kernel_drops > 0);
    server_run(&s);
    wait_for(&s, units, 200 - info.kernel_drops);
    (void)close(fd);
    struct net_counters c = server_stop(&s);
    assert_int_equal(c.kernel_drops, info.kernel_drops);
    assert_int_equal(c.datagrams, 200 - info.kernel_drops);
    server_free(&s);
}

/* ------------------------------------------------------------------------------------------------ connections */

struct listed {
    size_t count;
    struct net_connection last;
};

static void note_connection(void *arg, const struct net_connection *connection)
{
    struct listed *l = arg;
    l->count++;
    l->last = *connection;
}

static void list(struct server *s, void *arg)
{
    memset(arg, 0, sizeof(struct listed));
    net_connections(s->loop, note_connection, arg);
}

static void pause_loop(struct server *s, void *arg)
{
    (void)arg;
    net_pause(s->loop);
}

static void resume_loop(struct server *s, void *arg)
{
    (void)arg;
    net_resume(s->loop);
}

static void wait_stalled(struct server *s, struct listed *l)
{
    for (unsigned i = 0; i < 500; i++) {
        on_loop(s, list, l);
        if (l->count == 1 && l->last.stalled_seconds >= 1)
            return;
        sleep_ms(10);
    }
    fail_msg("not shown as stalled");
}

/* Half a frame and silence are seen, and end after the frame timeout; silence between frames is fine. */
static void test_half_frame(void **state)
{
    (void)state;
    struct server s;
    struct listed l;
    uint8_t frame[100];
    struct net_listen_options o = { .host = "127.0.0.1", .frame_timeout = 2 };
    server_open(&s, NET_TCP, &o);
    tasks_allow(&s);
    server_run(&s);
    int quiet = connect_to(SOCK_STREAM, s.port);
    make_frame(frame, sizeof(frame), 0);
    send_all(quiet, frame, sizeof(frame));
    wait_for(&s, units, 1);
    on_loop(&s, list, &l);
    assert_int_equal(l.count, 1);
    assert_int_equal(l.last.frames, 1);
    assert_int_equal(l.last.octets, sizeof(frame));
    assert_int_equal(l.last.waiting, 0);
    assert_int_equal(l.last.stalled_seconds, 0);
    assert_true(l.last.since.tv_sec > 0);
    (void)close(quiet);
    wait_for(&s, events[NET_EVENT_CLOSED], 1);

    quiet = -1;
    int half = connect_to(SOCK_STREAM, s.port);
    send_all(half, frame, 50);
    wait_stalled(&s, &l);
    assert_int_equal(l.last.waiting, 50);
    assert_int_equal(l.last.peer.transport, NET_TCP);
    quiet = connect_to(SOCK_STREAM, s.port);
    assert_true(is_closed_by_peer(half));
    make_frame(frame, sizeof(frame), 1);
    send_all(quiet, frame, sizeof(frame)); /* still there */
    wait_for(&s, units, 2);
    struct net_counters c = server_stop(&s);
    assert_int_equal(c.connections_stalled, 1);
    assert_int_equal(c.streams_cut, 1);
    assert_int_equal(s.error, HEP_ERR_TRUNCATED);
    (void)close(half);
    (void)close(quiet);
    server_free(&s);
}

/* A pause holds back what was read already, is shown, does not let anybody time out, and loses nothing. */
static void test_pause_holds(void **state)
{
    (void)state;
    struct server s;
    struct listed l;
    static uint8_t frames[50][100];
    struct net_listen_options o = { .host = "127.0.0.1", .frame_timeout = 1 };
    server_open(&s, NET_TCP, &o);
    tasks_allow(&s);
    s.pause_after = 3;
    server_run(&s);
    int fd = connect_to(SOCK_STREAM, s.port);
    for (uint32_t i = 0; i < 50; i++)
        make_frame(frames[i], sizeof(frames[i]), i);
    send_all(fd, frames, sizeof(frames) - 50); /* the last one is cut */
    wait_for(&s, units, 3);
    wait_stalled(&s, &l);
    sleep_ms(1200); /* beyond the frame timeout */
    on_loop(&s, list, &l);
    assert_int_equal(l.count, 1);
    assert_int_equal(l.last.frames, 3);
    assert_int_equal(l.last.waiting, 46 * 100 + 50);
    assert_int_equal(seen(&s, &s.units), 3);
    on_loop(&s, resume_loop, NULL);
    wait_for(&s, units, 49);
    send_all(fd, frames[49] + 50, 50);
    wait_for(&s, units, 50);
    on_loop(&s, pause_loop, NULL);
    send_all(fd, frames[0], 100);
    sleep_ms(20);
    assert_int_equal(seen(&s, &s.units), 50);
    struct net_counters c = server_stop(&s); /* ends the pause */
    assert_int_equal(s.units, 51);
    assert_false(s.damaged);
    assert_int_equal(c.connections_idle, 0);
    (void)close(fd);
    server_free(&s);
}

static void test_limit_per_peer(void **state)
{
    (void)state;
    struct server s;
    struct net_listen_options o = { .host = "127.0.0.1", .max_connections = 4 }; /* two for each */
    server_start(&s, NET_TCP, &o);
    int a = connect_to(SOCK_STREAM, s.port), b = connect_to(SOCK_STREAM, s.port), c = connect_to(SOCK_STREAM, s.port);
    assert_true(is_closed_by_peer(c));
    struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET, .sin_port = htons(s.port) };
    assert_int_equal(inet_pton(AF_INET, "127.0.0.2", &from.sin_addr), 1);
    assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &to.sin_addr), 1);
    int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(other, (struct sockaddr *)&from, sizeof(from)), 0);
    assert_int_equal(connect(other, (struct sockaddr *)&to, sizeof(to)), 0);
    uint8_t frame[20];
    make_frame(frame, sizeof(frame), 0);
    send_all(other, frame, sizeof(frame));
    wait_for(&s, units, 1);
    struct net_counters n = server_stop(&s);
    assert_int_equal(n.connections, 3);
    assert_int_equal(n.connections_refused, 1);
    assert_string_equal(s.event_text, "too many connections from this address");
    (void)close(a);
    (void)close(b);
    (void)close(c);
    (void)close(other);
    server_free(&s);
}

/* ------------------------------------------------------------------------------------------------ late answers */

#define LATER_MAX 8

struct later {
    struct net_loop *loop;
    struct net_listener *listener;
    pthread_t thread;
    uint16_t port;
    pthread_mutex_t lock;
    struct http_later *owed[LATER_MAX];
    size_t count, answered, gone;
    bool now; /* answer at each wake */
};

static void later_body(void *arg, const struct net_peer *peer, const struct http_request *request,
                       struct http_reply *reply)
{
    struct later *l = arg;
    (void)peer;
    if (request->len == 0)
        return; /* an empty body is answered at once */
    reply->status = 500;
    struct http_later *handle = http_request_later(request);
    assert_non_null(handle);
    (void)pthread_mutex_lock(&l->lock);
    l->owed[l->count++] = handle;
    (void)pthread_mutex_unlock(&l->lock);
}

static void later_answer(struct later *l)
{
    (void)pthread_mutex_lock(&l->lock);
    while (l->answered < l->count) {
        struct http_reply reply;
        http_reply_init(&reply);
        buf_printf(&reply.body, "{\"stored\":%zu}\n", l->answered);
        l->gone += net_http_reply(l->owed[l->answered++], &reply) < 0;
    }
    (void)pthread_mutex_unlock(&l->lock);
}

static void later_wake(void *arg)
{
    struct later *l = arg;
    later_answer(l);
}

static void *later_thread(void *arg)
{
    struct later *l = arg;
    net_loop_run(l->loop);
    return NULL;
}

static void later_start(struct later *l)
{
    struct net_listen_options o = { .host = "127.0.0.1", .idle_timeout = 1 };
    struct net_handler h = { .arg = l, .on_body = later_body };
    struct errmsg err;
    memset(l, 0, sizeof(*l));
    (void)pthread_mutex_init(&l->lock, NULL);
    assert_int_equal(net_loop_new(&l->loop, &err), 0);
    net_on_wake(l->loop, later_wake, l);
    assert_int_equal(net_listen(l->loop, NET_HTTP, &o, &h, &l->listener, &err), 0);
    l->port = net_listener_port(l->listener);
}

static void later_run(struct later *l)
{
    assert_int_equal(pthread_create(&l->thread, NULL, later_thread, l), 0);
}

static void later_stop(struct later *l)
{
    net_stop(l->loop);
    (void)pthread_join(l->thread, NULL);
}

static void later_wait(struct later *l, size_t count)
{
    for (unsigned i = 0; i < WAIT_MS / 2; i++) {
        (void)pthread_mutex_lock(&l->lock);
        size_t have = l->count;
        (void)pthread_mutex_unlock(&l->lock);
        if (have >= count)
            return;
        sleep_ms(2);
    }
    fail_msg("the request does not come");
}

static void say_post(int fd, const char *body)
{
    char text[256];
    int len =
        snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    send_all(fd, text, (size_t)len);
}

/* Reads until `want` stands in what came; false at the end of the connection. */
static bool expect_text(int fd, const char *want)
{
    char text[2048] = "";
    size_t len = 0;
    struct pollfd p = { .fd = fd, .events = POLLIN };
    while (len < sizeof(text) - 1 && poll(&p, 1, WAIT_MS) > 0) {
        ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);
        if (n <= 0)
            return false;
        len += (size_t)n;
        text[len] = '\0';
        if (strstr(text, want) != NULL)
            return true;
    }
    return false;
}

static void test_later(void **state)
{
    (void)state;
    struct later l;
    char quiet;
    later_start(&l);
    later_run(&l);
    int a = connect_to(SOCK_STREAM, l.port), b = connect_to(SOCK_STREAM, l.port);
    say_post(a, "x");
    later_wait(&l, 1);
    say_post(b, "y");
    later_wait(&l, 2);
    int c = connect_to(SOCK_STREAM, l.port); /* the loop goes on meanwhile */
    say_post(c, "");
    assert_true(expect_text(c, "200 OK"));
    sleep_ms(1300); /* beyond the idle timeout: whoever is owed an answer is not thrown out */
    assert_int_equal(recv(a, &quiet, 1, MSG_DONTWAIT), -1);
    net_wake(l.loop);
    assert_true(expect_text(a, "{\"stored\":0}\n"));
    assert_true(expect_text(b, "{\"stored\":1}\n"));
    say_post(a, "again"); /* the connection lives on */
    later_wait(&l, 3);
    net_wake(l.loop);
    assert_true(expect_text(a, "{\"stored\":2}\n"));
    later_stop(&l);
    assert_int_equal(net_counters(l.loop)->http_aborted, 0);
    assert_int_equal(l.gone, 0);
    net_loop_free(l.loop);
    (void)close(a);
    (void)close(b);
    (void)close(c);
}

/* The client does not wait for its answer. */
static void test_later_client_gone(void **state)
{
    (void)state;
    struct later l;
    later_start(&l);
    later_run(&l);
    int a = connect_to(SOCK_STREAM, l.port);
    say_post(a, "x");
    later_wait(&l, 1);
    struct linger now = { 1, 0 };
    (void)setsockopt(a, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    (void)close(a);
    net_wake(l.loop);
    int b = connect_to(SOCK_STREAM, l.port);
    say_post(b, "y");
    later_wait(&l, 2);
    net_wake(l.loop);
    assert_true(expect_text(b, "{\"stored\":1}\n"));
    later_stop(&l);
    net_loop_free(l.loop);
    (void)close(b);
}

/* The stop gives answers that are owed a chance... */
static void test_later_stop_waits(void **state)
{
    (void)state;
    struct later l;
    later_start(&l);
    later_run(&l);
    int a = connect_to(SOCK_STREAM, l.port);
    say_post(a, "x");
    later_wait(&l, 1);
    net_stop(l.loop);
    sleep_ms(50);
    net_wake(l.loop);
    (void)pthread_join(l.thread, NULL);
    assert_int_equal(l.answered, 1);
    assert_int_equal(l.gone, 0);
    assert_true(expect_text(a, "{\"stored\":0}\n"));
    (void)close(a);
    net_loop_free(l.loop);
}

/* ...but not for ever; the handle may be answered whenever. */
static void test_later_stop_bounded(void **state)
{
    (void)state;
    struct later l;
    for (unsigned after_free = 0; after_free < 2; after_free++) {
        later_start(&l);
        net_set_stop_wait(l.loop, 50);
        later_run(&l);
        int a = connect_to(SOCK_STREAM, l.port);
        say_post(a, "x");
        later_wait(&l, 1);
        later_stop(&l);
        assert_false(expect_text(a, "200 OK"));
        if (!after_free)
            later_answer(&l);
        net_loop_free(l.loop);
        if (after_free)
            later_answer(&l);
        assert_int_equal(l.gone, 1);
        (void)close(a);
    }
}

/* ------------------------------------------------------------------------------------------------ certificates */

static void copy_file(const char *from, const char *to)
{
    char text[8192];
    FILE *in = fopen(from, "r");
    assert_non_null(in);
    size_t len = fread(text, 1, sizeof(text), in);
    (void)fclose(in);
    FILE *out = fopen(to, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

struct reload {
    const struct net_tls_files *files;
    int rc;
};

static void reload(struct server *s, void *arg)
{
    struct errmsg err;
    struct reload *r = arg;
    r->rc = net_listener_reload(s->listener, r->files, &err);
}

static int reload_from(struct server *s, const struct net_tls_files *files)
{
    struct reload r = { files, 1 };
    on_loop(s, reload, &r);
    return r.rc;
}

static size_t try_ca(struct server *s, const char *scheme, const char *ca)
{
    struct sender_options so = quick_options();
    so.ca_file = ca;
    struct sender_stats t;
    struct sender *out = open_sender(scheme, "127.0.0.1", s->port, &so);
    (void)send_frames(out, 0, 1, 100);
    (void)sender_close(out, &t);
    return (size_t)t.frames_sent;
}

static void reloaded(enum net_transport transport)
{
    const char *scheme = net_transport_name(transport);
    struct certs before, after;
    struct server s;
    certs_make(&before);
    certs_make(&after);
    struct net_listen_options o = { .host = "127.0.0.1", .tls = { before.cert, before.key, NULL } };
    server_open(&s, transport, &o);
    tasks_allow(&s);
    server_run(&s);
    struct sender_options so = quick_options();
    so.ca_file = before.ca;
    struct sender *old = open_sender(scheme, "127.0.0.1", s.port, &so);
    assert_int_equal(send_frames(old, 0, 1, 100), 0);
    assert_int_equal(sender_flush(old), 0);
    wait_for(&s, units, 1);

    const struct net_tls_files bad = { before.ca, after.key, NULL }, none = { NULL, NULL, NULL };
    const struct net_tls_files moved = { after.cert, after.key, NULL };
    assert_int_equal(reload_from(&s, &bad), -1); /* other names, which are not kept */
    assert_int_equal(reload_from(&s, &none), -1);
    assert_int_equal(reload_from(&s, NULL), 0);
    copy_file(before.ca, before.key); /* no key */
    assert_int_equal(reload_from(&s, NULL), -1);
    assert_int_equal(try_ca(&s, scheme, before.ca), 1);

    copy_file(after.cert, before.cert);
    copy_file(after.key, before.key);
    assert_int_equal(reload_from(&s, NULL), 0);
    assert_int_equal(try_ca(&s, scheme, before.ca), 0);
    assert_int_equal(try_ca(&s, scheme, after.ca), 1);
    assert_int_equal(send_frames(old, 1, 1, 100), 0); /* goes on with the old ones */
    assert_int_equal(sender_flush(old), 0);
    struct sender_stats t;
    assert_int_equal(sender_close(old, &t), 0);
    assert_int_equal(t.frames_sent, 2);
    assert_int_equal(t.reconnects, 0);
    assert_int_equal(reload_from(&s, &moved), 0);
    copy_file(before.ca, before.cert); /* does not matter any more */
    assert_int_equal(reload_from(&s, NULL), 0);
    assert_int_equal(try_ca(&s, scheme, after.ca), 1);
    wait_for(&s, units, 5);
    (void)server_stop(&s);
    assert_int_equal(s.units, 5);
    server_free(&s);
    certs_remove(&before);
    certs_remove(&after);
}

static void test_reload_tls(void **state)
{
    (void)state;
    reloaded(NET_TLS);
}

static void test_reload_https(void **state)
{
    (void)state;
    reloaded(NET_HTTPS);
}

static int no_proxy(void **state)
{
    (void)state;
    return setenv("no_proxy", "*", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_udp),         cmocka_unit_test(test_shared_tcp),
        cmocka_unit_test(test_foreign_socket),     cmocka_unit_test(test_info),
        cmocka_unit_test(test_half_frame),         cmocka_unit_test(test_pause_holds),
        cmocka_unit_test(test_limit_per_peer),     cmocka_unit_test(test_later),
        cmocka_unit_test(test_later_client_gone),  cmocka_unit_test(test_later_stop_waits),
        cmocka_unit_test(test_later_stop_bounded), cmocka_unit_test(test_reload_tls),
        cmocka_unit_test(test_reload_https),
    };
    return cmocka_run_group_tests(tests, no_proxy, NULL);
}
