/* Ingest over UDP and TCP: what is stored, what is dropped and why, and that the counters add up to the message. */
#include "test_ingest_util.h"

/* ------------------------------------------------------------------------------------------------ senders */

struct found {
    size_t count;
    struct ingest_sender last;
};

static void note_sender(void *arg, const struct ingest_sender *s)
{
    struct found *f = arg;
    f->count++;
    f->last = *s;
}

static struct found find_senders(struct bench *b)
{
    struct found f = { 0 };
    assert_int_equal(ingest_senders(b->ingest, note_sender, &f), 0);
    return f;
}

static void test_stored_exactly(void **state)
{
    (void)state;
    struct bench b;
    uint8_t frame[1024];
    bench_open(&b, NULL);
    int udp = dial(SOCK_DGRAM, b.udp), tcp = dial(SOCK_STREAM, b.tcp);
    struct hep_look look = { .node = "node-7" };
    for (unsigned version = 1; version <= 3; version++) {
        look.version = (uint8_t)version;
        send_hep(udp, version, &look);
        wait_total(&b, INGEST_STORED, version);
    }
    send_hep(tcp, 4, &look);
    wait_total(&b, INGEST_STORED, 4);
    struct found f = find_senders(&b);
    assert_int_equal(f.count, 2);
    assert_int_equal(f.last.transport, NET_TCP);
    assert_string_equal(f.last.node, "node-7");
    assert_int_equal(f.last.capture_id, 2001);
    assert_true(f.last.has_skew && f.last.skew_us <= 0 && f.last.skew_us > -3000000);
    assert_true(f.last.first_us > 0 && f.last.first_us <= f.last.last_us);
    (void)close(udp);
    (void)close(tcp);
    ingest_stop(b.ingest);
    for (unsigned i = 0; i < 4; i++) {
        look.version = i < 3 ? (uint8_t)(i + 1) : 3;
        assert_int_equal(number_of(&b.fake.kept[i]), i + 1);
        assert_int_equal(b.fake.kept[i].frame.transport, i < 3 ? RECORD_UDP : RECORD_TCP);
        assert_int_equal(b.fake.kept[i].frame.peer.len, 4);
        assert_int_equal(b.fake.kept[i].frame.local_port, i < 3 ? b.udp : b.tcp);
        assert_true(b.fake.kept[i].frame.received_us > 0);
        assert_false(b.fake.kept[i].parse_error);
    }
    size_t len = make_hep(frame, sizeof(frame), 4, &look);
    assert_int_equal(b.fake.kept[3].len, len);
    assert_int_equal(total(&b, INGEST_VERSION_1), 1);
    assert_int_equal(total(&b, INGEST_VERSION_2), 1);
    assert_int_equal(total(&b, INGEST_VERSION_3), 2);
    assert_exact(&b);
    bench_close(&b);
}

static void test_ipv6(void **state)
{
    (void)state;
    static const char *const urls[] = { "udp://[::]:0", "tcp://[::1]:0" };
    struct ingest_options o = { .urls = urls, .url_count = 2 };
    struct bench b;
    bench_open(&b, &o);
    assert_true(ingest_is_open(b.ingest));
    struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(b.udp), .sin6_addr = in6addr_loopback };
    int udp = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), tcp = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(udp, (struct sockaddr *)&to, sizeof(to)), 0);
    to.sin6_port = htons(b.tcp);
    assert_int_equal(connect(tcp, (struct sockaddr *)&to, sizeof(to)), 0);
    send_hep(udp, 0, NULL);
    send_hep(tcp, 1, NULL);
    int v4 = dial(SOCK_DGRAM, b.udp); /* the same socket takes IPv4, too */
    send_hep(v4, 2, NULL);
    wait_total(&b, INGEST_STORED, 3);
    struct found f = find_senders(&b);
    assert_int_equal(f.count, 3);
    assert_int_equal(f.last.addr.len, 16);
    assert_int_equal(f.last.addr.octets[15], 1);
    (void)close(udp);
    (void)close(tcp);
    (void)close(v4);
    assert_exact(&b);
    bench_close(&b);
}

static void test_datagram_forms(void **state)
{
    (void)state;
    struct bench b;
    uint8_t all[4096], keep[256];
    size_t len = 0;
    bench_open(&b, NULL);
    int fd = dial(SOCK_DGRAM, b.udp);
    for (unsigned i = 0; i < 3; i++) /* three in one datagram, and rubbish behind them */
        len += make_hep(all + len, sizeof(all) - len, i, NULL);
    memcpy(all + len, "rest", 4);
    send_all(fd, all, len + 4);
    wait_total(&b, INGEST_STORED, 3);
    /* Keep-alives: heplify's, HFP's, and of NAT keepers. */
    struct hep_msg msg;
    size_t n;
    hep_msg_init(&msg, 0);
    assert_int_equal(hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, "HEP3\003\n", 6), HEP_OK);
    assert_int_equal(hep_encode(&msg, keep, sizeof(keep), &n), HEP_OK);
    send_all(fd, keep, n);
    hep_msg_init(&msg, 1);
    assert_int_equal(hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, "HEP PING", 8), HEP_OK);
    assert_int_equal(hep_encode(&msg, keep, sizeof(keep), &n), HEP_OK);
    send_all(fd, keep, n);
    send_all(fd, "\r\n\r\n", 4);
    assert_int_equal(send(fd, "", 0, 0), 0);
    send_all(fd, "HELLO HFP", 9);
    wait_total(&b, INGEST_KEEPALIVES, 5);
    /* A log line whose payload is no SIP, and SIP that is none. */
    send_hep(fd, 3, &(struct hep_look){ .type = HEP_TYPE_LOG });
    wait_total(&b, INGEST_STORED, 4);
    hep_msg_init(&msg, HEP_TYPE_SIP);
    msg.time_sec = 3; /* a clock that is wrong: 1970 */
    assert_int_equal(hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, "no sip", 6), HEP_OK);
    assert_int_equal(hep_encode(&msg, keep, sizeof(keep), &n), HEP_OK);
    send_all(fd, keep, n);
    wait_total(&b, INGEST_STORED, 5);
    assert_int_equal(total(&b, INGEST_PARSE_ERRORS), 1);
    assert_int_equal(total(&b, INGEST_RECEIVED), 10);
    (void)close(fd);
    assert_exact(&b);
    bench_close(&b);
}

/* Each way of being broken has its counter; nothing of it disturbs the good ones. */
static void test_garbage(void **state)
{
    (void)state;
    struct bench b;
    uint8_t frame[1024];
    static const struct {
        enum ingest_counter counter;
        const char *octets;
        size_t len;
    } bad[] = {
        { INGEST_DROP_MAGIC, "GET / HTTP/1.0", 14 },
        { INGEST_DROP_SHORT, "HEP3", 4 },
        { INGEST_DROP_TOTAL_LENGTH, "HEP3\0\5", 6 },
        { INGEST_DROP_TRUNCATED, "HEP3\1\0\0\0", 8 },
        { INGEST_DROP_EMPTY, "HEP3\0\6", 6 },
        { INGEST_DROP_CHUNK_HEADER, "HEP3\0\11\0\0\0", 9 },
        { INGEST_DROP_CHUNK_LENGTH, "HEP3\0\14\0\0\0\1\0\0", 12 },
        { INGEST_DROP_CHUNK_OVERRUN, "HEP3\0\14\0\0\0\1\0\11", 12 },
        { INGEST_DROP_NO_PAYLOAD, "\1\20\2\21\1\1\2\2\12\0\0\1\12\0\0\2", 16 },
        { INGEST_DROP_INFLATE, "\37\213\10\0nonsense", 12 },
    };
    bench_open(&b, NULL);
    int fd = dial(SOCK_DGRAM, b.udp);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        send_all(fd, bad[i].octets, bad[i].len);
        wait_total(&b, bad[i].counter, 1);
    }
    assert_true(b.warnings >= sizeof(bad) / sizeof(bad[0]));
    send_hep(fd, 1, NULL);
    wait_total(&b, INGEST_STORED, 1);
    (void)close(fd);
    /* A bad inside costs its frame, a bad length the connection; what came before is stored. */
    int tcp = dial(SOCK_STREAM, b.tcp);
    send_hep(tcp, 2, NULL);
    send_all(tcp, "HEP3\0\14\0\0\0\1\0\0", 12);
    send_hep(tcp, 3, NULL);
    wait_total(&b, INGEST_STORED, 3);
    assert_int_equal(total(&b, INGEST_DROP_CHUNK_LENGTH), 2);
    send_all(tcp, "garbage", 7);
    wait_total(&b, INGEST_DROP_MAGIC, 2);
    (void)close(tcp);
    tcp = dial(SOCK_STREAM, b.tcp); /* half a frame, and the end */
    size_t len = make_hep(frame, sizeof(frame), 4, NULL);
    send_all(tcp, frame, len / 2);
    (void)close(tcp);
    wait_total(&b, INGEST_DROP_TRUNCATED, 2);
    assert_exact(&b);
    bench_close(&b);
}

static void note_connection(void *arg, const struct net_connection *c)
{
    struct net_connection *to = arg;
    *to = *c;
}

static void test_half_frame_is_shown(void **state)
{
    (void)state;
    struct bench b;
    uint8_t frame[1024];
    struct ingest_options o = { .frame_timeout = 3 };
    struct net_connection c = { 0 };
    bench_open(&b, &o);
    int fd = dial(SOCK_STREAM, b.tcp);
    size_t len = make_hep(frame, sizeof(frame), 1, NULL);
    send_all(fd, frame, len - 1);
    for (unsigned i = 0; i < 400 && c.stalled_seconds == 0; i++) {
        sleep_ms(10);
        assert_int_equal(ingest_connections(b.ingest, note_connection, &c), 0);
    }
    assert_true(c.stalled_seconds >= 1);
    assert_int_equal(c.waiting, len - 1);
    assert_int_equal(c.octets, len - 1);
    wait_total(&b, INGEST_DROP_TRUNCATED, 1); /* closed, and counted */
    (void)close(fd);
    assert_exact(&b);
    bench_close(&b);
}

/* ------------------------------------------------------------------------------------------------ who may send */

static struct hep_slice key_of(const char *text)
{
    return (struct hep_slice){ (const uint8_t *)text, strlen(text) };
}

static void test_keys(void **state)
{
    (void)state;
    struct bench b;
    struct hep_slice keys[] = { key_of("first"), key_of("second") };
    struct ingest_options o = { .rules = { .keys = keys, .key_count = 2 } };
    bench_open(&b, &o);
    memset(keys, 0, sizeof(keys)); /* they were copied */
    int fd = dial(SOCK_DGRAM, b.udp), tcp = dial(SOCK_STREAM, b.tcp);
    send_hep(fd, 0, &(struct hep_look){ .key = "first" });
    send_hep(fd, 1, &(struct hep_look){ .key = "second" });
    wait_total(&b, INGEST_STORED, 2);
    send_hep(fd, 2, &(struct hep_look){ .key = "third" });
    send_hep(fd, 3, &(struct hep_look){ .key = "firs" });
    send_hep(tcp, 4, &(struct hep_look){ .key = "" });
    wait_total(&b, INGEST_DROP_KEY_WRONG, 3);
    send_hep(tcp, 5, NULL);
    send_hep(fd, 6, &(struct hep_look){ .version = 2 });
    wait_total(&b, INGEST_DROP_KEY_MISSING, 2);
    send_hep(tcp, 7, &(struct hep_look){ .key = "first" }); /* the connection was kept */
    wait_total(&b, INGEST_STORED, 3);

    /* Other rules, at run time, on the same connection. */
    struct hep_slice fresh = key_of("fresh");
    struct ingest_rules rules = { .keys = &fresh, .key_count = 1, .legacy_without_key = true };
    struct errmsg err = { "" };
    assert_int_equal(ingest_reload(b.ingest, &rules, &err), 0);
    send_hep(tcp, 8, &(struct hep_look){ .key = "first" });
    wait_total(&b, INGEST_DROP_KEY_WRONG, 4);
    send_hep(tcp, 9, &(struct hep_look){ .key = "fresh" });
    send_hep(fd, 10, &(struct hep_look){ .version = 1 });
    wait_total(&b, INGEST_STORED, 5);
    assert_int_equal(total(&b, INGEST_RECEIVED), 11);
    assert_false(ingest_is_open(b.ingest));
    (void)close(fd);
    (void)close(tcp);
    assert_exact(&b);
    bench_close(&b);
}

static void test_allow_list(void **state)
{
    (void)state;
    struct bench b;
    struct ip_net net;
    assert_true(ip_net_parse("127.0.0.2/32", &net));
    struct ingest_options o = { .rules = { .allow = &net, .allow_count = 1 } };
    bench_open(&b, &o);
    int good = dial_from(SOCK_DGRAM, b.udp, 2), bad = dial_from(SOCK_DGRAM, b.udp, 3);
    int tcp = dial_from(SOCK_STREAM, b.tcp, 3);
    send_hep(good, 0, NULL);
    send_hep(bad, 1, NULL);
    send_hep(tcp, 2, NULL);
    send_all(bad, "garbage is not even looked at", 29);
    wait_total(&b, INGEST_STORED, 1);
    wait_total(&b, INGEST_DROP_NOT_ALLOWED, 3);
    assert_true(ip_net_parse("127.0.0.0/8", &net));
    struct ingest_rules rules = { .allow = &net, .allow_count = 1 };
    assert_int_equal(ingest_reload(b.ingest, &rules, NULL), 0);
    send_hep(bad, 3, NULL);
    send_hep(tcp, 4, NULL);
    wait_total(&b, INGEST_STORED, 3);
    assert_int_equal(total(&b, INGEST_DROP_NOT_ALLOWED), 3);
    (void)close(good);
    (void)close(bad);
    (void)close(tcp);
    assert_exact(&b);
    bench_close(&b);
}

static void test_rate(void **state)
{
    (void)state;
    struct bench b;
    struct ingest_options o = { .rules = { .rate = 1, .burst = 5 } };
    bench_open(&b, &o);
    int greedy = dial_from(SOCK_DGRAM, b.udp, 2), again = dial_from(SOCK_STREAM, b.tcp, 2);
    int modest = dial_from(SOCK_DGRAM, b.udp, 3);
    for (unsigned i = 0; i < 20; i++)
        send_hep(greedy, i, NULL);
    wait_total(&b, INGEST_RECEIVED, 20);
    for (unsigned i = 20; i < 40; i++) /* another transport is no way around it */
        send_hep(again, i, NULL);
    wait_total(&b, INGEST_RECEIVED, 40);
    uint64_t stored = total(&b, INGEST_STORED);
    assert_in_range(stored, 5, 30); /* five, and one for each second that the test takes */
    assert_int_equal(total(&b, INGEST_DROP_RATE), 40 - stored);
    for (unsigned i = 40; i < 44; i++)
        send_hep(modest, i, NULL);
    wait_total(&b, INGEST_RECEIVED, 44);
    assert_true(total(&b, INGEST_STORED) >= stored + 4);
    (void)close(greedy);
    (void)close(again);
    (void)close(modest);
    assert_exact(&b);
    bench_close(&b);
}

static void test_share(void **state)
{
    (void)state;
    enum { MANY = 2000 };
    struct bench b;
    struct ingest_options o = { .rules = { .share = 60 } };
    bench_open(&b, &o);
    int greedy = dial_from(SOCK_STREAM, b.tcp, 2), modest = dial_from(SOCK_STREAM, b.tcp, 3);
    for (unsigned i = 0; i < MANY; i++)
        send_hep(greedy, i, NULL);
    wait_total(&b, INGEST_STORED, MANY); /* nobody else, no need: all of it */
    send_hep(modest, MANY, NULL);
    wait_total(&b, INGEST_STORED, MANY + 1);
    (void)pthread_mutex_lock(&b.fake.lock);
    b.fake.pressed = true;
    (void)pthread_mutex_unlock(&b.fake.lock);
    sleep_ms(150); /* a turn of the loop */
    for (unsigned i = 0; i < 10; i++) {
        send_hep(greedy, i, NULL);
        send_hep(modest, i, NULL);
    }
    wait_total(&b, INGEST_DROP_SHARE, 10);
    wait_total(&b, INGEST_STORED, MANY + 11);
    (void)close(greedy);
    (void)close(modest);
    assert_exact(&b);
    bench_close(&b);
}

/* ------------------------------------------------------------------------------------------------ a full sink */

static void assert_all_in_order(struct fake *f, unsigned count)
{
    assert_int_equal(f->count, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(number_of(&f->kept[i]), i);
}

static void test_full_stream_waits(void **state)
{
    (void)state;
    enum { FRAMES = 3000 };
    struct bench b;
    struct ingest_totals t;
    bench_open(&b, NULL);
    fake_set(&b.fake, 100, 0);
    int fd = dial(SOCK_STREAM, b.tcp);
    for (unsigned i = 0; i < FRAMES; i++)
        send_hep(fd, i, NULL);
    for (size_t room = 100; room < FRAMES; room += 700) {
        fake_set(&b.fake, room, 0);
        wait_total(&b, INGEST_STORED, room);
        for (unsigned i = 0; i < 1000; i++) {
            ingest_totals(b.ingest, &t);
            if (t.paused == 1)
                break;
            sleep_ms(2);
        }
        assert_int_equal(t.paused, 1);
        sleep_ms(20);
        assert_int_equal(total(&b, INGEST_STORED), room);
    }
    fake_set(&b.fake, SIZE_MAX, 0);
    wait_total(&b, INGEST_STORED, FRAMES);
    (void)close(fd);
    ingest_totals(b.ingest, &t);
    assert_int_equal(t.paused, 0);
    assert_true(t.paused_us > 0);
    assert_int_equal(total(&b, INGEST_RECEIVED), FRAMES);
    ingest_stop(b.ingest);
    assert_all_in_order(&b.fake, FRAMES);
    assert_exact(&b);
    bench_close(&b);
}

static void test_full_datagrams_are_counted(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, NULL);
    fake_set(&b.fake, 10, 0);
    int fd = dial(SOCK_DGRAM, b.udp);
    for (unsigned i = 0; i < 50; i++)
        send_hep(fd, i, NULL);
    wait_total(&b, INGEST_RECEIVED, 50);
    assert_int_equal(total(&b, INGEST_STORED), 10);
    assert_int_equal(total(&b, INGEST_DROP_FULL), 40);
    fake_set(&b.fake, SIZE_MAX, 0);
    send_hep(fd, 50, NULL);
    wait_total(&b, INGEST_STORED, 11);
    (void)close(fd);
    assert_exact(&b);
    bench_close(&b);
}

struct opener {
    struct fake *fake;
    unsigned after_ms;
};

static void *open_later(void *arg)
{
    const struct opener *o = arg;
    sleep_ms(o->after_ms);
    fake_set(o->fake, SIZE_MAX, 0);
    return NULL;
}

/* The end: what was received is stored if room comes in time, else counted. */
static void test_stop_when_full(void **state)
{
    (void)state;
    enum { FRAMES = 200 };
    for (unsigned round = 0; round < 2; round++) {
        struct bench b;
        struct ingest_options o = { .stop_wait_ms = round == 0 ? 5000 : 100 };
        struct opener opener = { &b.fake, 200 };
        pthread_t thread;
        bench_open(&b, &o);
        fake_set(&b.fake, 10, 0);
        int fd = dial(SOCK_STREAM, b.tcp);
        for (unsigned i = 0; i < FRAMES; i++)
            send_hep(fd, i, NULL);
        wait_total(&b, INGEST_STORED, 10);
        wait_sent(fd);
        if (round == 0)
            assert_int_equal(pthread_create(&thread, NULL, open_later, &opener), 0);
        ingest_stop(b.ingest);
        if (round == 0)
            (void)pthread_join(thread, NULL);
        assert_int_equal(total(&b, INGEST_RECEIVED), FRAMES);
        assert_int_equal(total(&b, INGEST_STORED), round == 0 ? FRAMES : 10);
        assert_int_equal(total(&b, INGEST_DROP_FULL), round == 0 ? 0 : FRAMES - 10);
        assert_exact(&b);
        if (round == 0)
            assert_all_in_order(&b.fake, FRAMES);
        (void)close(fd);
        bench_close(&b);
    }
}

/* Nothing of what was sent before the stop is lost. */
static void test_stop_drains(void **state)
{
    (void)state;
    enum { FRAMES = 500 };
    struct bench b;
    bench_open(&b, NULL);
    int udp = dial(SOCK_DGRAM, b.udp), tcp = dial(SOCK_STREAM, b.tcp);
    send_hep(tcp, 0, NULL);
    wait_total(&b, INGEST_STORED, 1);
    for (unsigned i = 0; i < FRAMES; i++) {
        send_hep(udp, i, NULL);
        send_hep(tcp, i, NULL);
    }
    wait_sent(tcp); /* what our kernel does not have yet nobody could read */
    ingest_stop(b.ingest);
    assert_int_equal(b.fake.count, 2 * FRAMES + 1);
    assert_exact(&b);
    (void)close(udp);
    (void)close(tcp);
    bench_close(&b);
}

/* ------------------------------------------------------------------------------------------------ many */

static void test_many_senders(void **state)
{
    (void)state;
    enum { SENDERS = 3000, KNOWN = 64 };
    struct bench b;
    struct ingest_options o = { .senders_max = KNOWN, .workers = 1 };
    struct ingest_totals t;
    bench_open(&b, &o);
    int own = dial_from(SOCK_DGRAM, b.udp, 1);
    send_hep(own, 0, NULL);
    wait_total(&b, INGEST_STORED, 1);
    for (unsigned i = 0; i < SENDERS; i++) {
        struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET, .sin_port = htons(b.udp) };
        from.sin_addr.s_addr = htonl(0x7f010000u + i);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(s, (struct sockaddr *)&from, sizeof(from)), 0);
        assert_int_equal(connect(s, (struct sockaddr *)&to, sizeof(to)), 0);
        send_all(s, "rubbish", 7);
        (void)close(s);
        if (i % 100 == 0)
            wait_total(&b, INGEST_RECEIVED, i);
    }
    wait_total(&b, INGEST_DROP_MAGIC, SENDERS);
    ingest_totals(b.ingest, &t);
    assert_int_equal(t.senders, KNOWN);
    assert_int_equal(t.senders_forgotten, SENDERS + 1 - KNOWN);
    assert_int_equal(t.counters[INGEST_RECEIVED], SENDERS + 1);
    /* Strangers did not push out the one that matters. */
    struct found f = find_senders(&b);
    assert_int_equal(f.count, KNOWN);
    send_hep(own, 1, NULL);
    wait_total(&b, INGEST_STORED, 2);
    ingest_totals(b.ingest, &t);
    assert_int_equal(t.senders_forgotten, SENDERS + 1 - KNOWN);
    (void)close(own);
    assert_exact(&b);
    bench_close(&b);
}

/* Figures are read while frames come in on every thread; the sums are those of the workers. */
static void *keep_reading(void *arg)
{
    struct bench *b = arg;
    struct net_connection c;
    for (unsigned i = 0; i < 300; i++) {
        (void)find_senders(b);
        (void)total(b, INGEST_STORED);
        (void)ingest_connections(b->ingest, note_connection, &c);
        if (i % 50 == 0) {
            struct ingest_rules none = { 0 };
            assert_int_equal(ingest_reload(b->ingest, &none, NULL), 0);
        }
    }
    return NULL;
}

static void test_readers(void **state)
{
    (void)state;
    enum { FRAMES = 4000 };
    struct bench b;
    pthread_t reader;
    int fds[8];
    bench_open(&b, NULL);
    assert_int_equal(pthread_create(&reader, NULL, keep_reading, &b), 0);
    for (unsigned i = 0; i < 8; i++)
        fds[i] = dial(SOCK_STREAM, b.tcp);
    for (unsigned i = 0; i < FRAMES; i++)
        send_hep(fds[i % 8], i, &(struct hep_look){ .node = i % 16 < 8 ? "one" : "two" });
    wait_total(&b, INGEST_STORED, FRAMES);
    (void)pthread_join(reader, NULL);
    struct found f = find_senders(&b);
    assert_int_equal(f.count, 1); /* one address, however many workers hear it */
    assert_int_equal(f.last.counters[INGEST_STORED], FRAMES);
    for (unsigned i = 0; i < 8; i++)
        (void)close(fds[i]);
    assert_exact(&b);
    bench_close(&b);
}

static void test_address_in_use(void **state)
{
    (void)state;
    struct bench b;
    struct ingest *second = NULL;
    struct errmsg err = { "" };
    char url[64];
    const char *urls[] = { url };
    bench_open(&b, NULL);
    for (unsigned i = 0; i < 2; i++) {
        (void)snprintf(url, sizeof(url), "%s://127.0.0.1:%u", i == 0 ? "udp" : "tcp", i == 0 ? b.udp : b.tcp);
        struct ingest_options o = { .urls = urls, .url_count = 1, .workers = 2 };
        assert_int_equal(ingest_open(&second, &o, &b.fake.sink, &err), -1);
        assert_non_null(strstr(err.text, url));
        assert_non_null(strstr(err.text, "in use"));
    }
    (void)snprintf(url, sizeof(url), "ftp://127.0.0.1:1");
    struct ingest_options o = { .urls = urls, .url_count = 1 };
    assert_int_equal(ingest_open(&second, &o, &b.fake.sink, &err), -1);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stored_exactly),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_datagram_forms),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_half_frame_is_shown),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_allow_list),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_full_stream_waits),
        cmocka_unit_test(test_full_datagrams_are_counted),
        cmocka_unit_test(test_stop_when_full),
        cmocka_unit_test(test_stop_drains),
        cmocka_unit_test(test_many_senders),
        cmocka_unit_test(test_readers),
        cmocka_unit_test(test_address_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
