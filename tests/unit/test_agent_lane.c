/* Lanes and spools: copies, failover, outages, what comes back; nothing is lost and every frame is counted once. */
#include "agent/outputs.h"
#include "test_net_util.h"

#include <dirent.h>
#include <sys/stat.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define FRAME_LEN       400

/* ------------------------------------------------------------------------------------------------ a directory */

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/hepcat-lane-XXXXXX");
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    char name[512];
    while (d != NULL && (e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
        if (unlink(name) != 0)
            remove_tree(name);
    }
    if (d != NULL)
        (void)closedir(d);
    (void)rmdir(path);
}

static int drop_dir(void **state)
{
    (void)state;
    remove_tree(dir);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ a collector */

#define NUMBERS_MAX 200000

/* Accepts one connection after the other and notes the number in each frame. */
struct collector {
    pthread_t thread;
    pthread_mutex_t lock;
    int listener;
    uint16_t port;
    bool stop;
    size_t count;
    size_t cut_after; /* resets the connection, unread octets and all, after so many frames; 0: never */
    size_t resets;
    uint8_t data[1 << 20]; /* octets that are no whole frame yet */
    uint32_t numbers[NUMBERS_MAX];
};

static size_t received(struct collector *c)
{
    pthread_mutex_lock(&c->lock);
    size_t n = c->count;
    pthread_mutex_unlock(&c->lock);
    return n;
}

static bool stopping(struct collector *c)
{
    pthread_mutex_lock(&c->lock);
    bool stop = c->stop;
    pthread_mutex_unlock(&c->lock);
    return stop;
}

/* Takes the whole frames at the front; octets taken. */
static size_t take_frames(struct collector *c, const uint8_t *data, size_t len)
{
    size_t at = 0;
    pthread_mutex_lock(&c->lock);
    for (size_t n; (n = frame_length(data + at, len - at)) != 0 && n <= len - at; at += n)
        if (c->count < NUMBERS_MAX)
            memcpy(&c->numbers[c->count++], data + at + 12, 4);
    pthread_mutex_unlock(&c->lock);
    return at;
}

static void serve_one(struct collector *c, int fd)
{
    static const struct linger reset = { 1, 0 };
    uint8_t *data = c->data;
    size_t len = 0, before = received(c);
    while (!stopping(c)) {
        struct pollfd p = { fd, POLLIN, 0 };
        if (poll(&p, 1, 20) <= 0)
            continue;
        ssize_t n = recv(fd, data + len, sizeof(c->data) - len, 0);
        if (n <= 0)
            break;
        len += (size_t)n;
        size_t done = take_frames(c, data, len);
        len -= done;
        memmove(data, data + done, len);
        if (c->cut_after != 0 && received(c) - before >= c->cut_after) {
            c->cut_after = 0;
            c->resets++;
            (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
            break;
        }
    }
    /* A server that ends in order reads what its kernel has. */
    for (ssize_t n; stopping(c) && (n = recv(fd, data + len, sizeof(c->data) - len, MSG_DONTWAIT)) > 0;) {
        len += (size_t)n;
        size_t done = take_frames(c, data, len);
        len -= done;
        memmove(data, data + done, len);
    }
    (void)close(fd);
}

static void *collector_run(void *arg)
{
    struct collector *c = arg;
    while (!stopping(c)) {
        struct pollfd p = { c->listener, POLLIN, 0 };
        int fd = poll(&p, 1, 20) > 0 ? accept(c->listener, NULL, NULL) : -1;
        if (fd >= 0)
            serve_one(c, fd);
    }
    return NULL;
}

/* port 0: any. Numbers received before stay. */
static void collector_start(struct collector *c, uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    int one = 1;
    c->stop = false;
    c->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(setsockopt(c->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
    assert_int_equal(bind(c->listener, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(c->listener, 16), 0);
    assert_int_equal(getsockname(c->listener, (struct sockaddr *)&a, &len), 0);
    c->port = ntohs(a.sin_port);
    (void)pthread_mutex_init(&c->lock, NULL);
    assert_int_equal(pthread_create(&c->thread, NULL, collector_run, c), 0);
}

static void collector_stop(struct collector *c)
{
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_mutex_unlock(&c->lock);
    assert_int_equal(pthread_join(c->thread, NULL), 0);
    (void)close(c->listener);
    pthread_mutex_destroy(&c->lock);
}

static void wait_received(struct collector *c, size_t count)
{
    for (unsigned i = 0; i < 20000 && received(c) < count; i++)
        sleep_ms(1);
    assert_true(received(c) >= count);
}

/* How often each number from 0 to count - 1 came, in all of these. */
static void check_all_there(struct collector *const *list, size_t collectors, size_t count, size_t extra_max)
{
    static uint8_t seen[NUMBERS_MAX];
    size_t extra = 0;
    memset(seen, 0, sizeof(seen));
    for (size_t k = 0; k < collectors; k++)
        for (size_t i = 0; i < list[k]->count; i++) {
            assert_true(list[k]->numbers[i] < count);
            extra += seen[list[k]->numbers[i]] != 0;
            seen[list[k]->numbers[i]] = 1;
        }
    for (size_t i = 0; i < count; i++)
        if (!seen[i])
            fail_msg("frame %zu is missing", i);
    if (extra > extra_max)
        fail_msg("%zu frames came twice", extra);
}

static void check_order(const struct collector *c)
{
    for (size_t i = 1; i < c->count; i++)
        if (c->numbers[i] <= c->numbers[i - 1])
            fail_msg("%u behind %u", c->numbers[i], c->numbers[i - 1]);
}

/* ------------------------------------------------------------------------------------------------ feeding */

static char url_text[4][64];

static const char *url(size_t i, const struct collector *c)
{
    (void)snprintf(url_text[i], sizeof(url_text[i]), "tcp://127.0.0.1:%u", (unsigned)c->port);
    return url_text[i];
}

static void options(struct outputs_options *o, const char *const *urls, size_t count)
{
    *o = (struct outputs_options){ .urls = urls, .url_count = count, .lane = { .queue = 32u << 20 } };
    sender_options_init(&o->lane.sender);
}

static void feed_numbers(struct feed *f, uint32_t from, uint32_t to, bool flush_each)
{
    uint8_t frame[FRAME_LEN];
    char id[16];
    for (uint32_t i = from; i < to; i++) {
        make_frame(frame, sizeof(frame), i);
        int n = snprintf(id, sizeof(id), "call%u", i % 50);
        feed_frame(f, (struct hep_slice){ frame, sizeof(frame) }, (struct hep_slice){ (uint8_t *)id, (size_t)n });
        if (flush_each)
            feed_flush(f);
    }
    feed_flush(f);
}

static void check_sum(const struct lane_stats *s)
{
    assert_int_equal(s->taken, s->sent + s->failed + s->dropped + s->waiting);
}

static void wait_up(struct outputs *o, size_t lane, bool up)
{
    struct lane_stats s;
    for (unsigned i = 0; i < 20000; i++) {
        outputs_figures(o, lane, &s);
        if (s.up == up && (up || s.outages > 0))
            return;
        sleep_ms(1);
    }
    fail_msg("the lane does not get %s", up ? "up" : "down");
}

/* ------------------------------------------------------------------------------------------------ tests */

static void test_copy(void **state)
{
    (void)state;
    static struct collector a, b;
    struct outputs *out;
    struct outputs_options o;
    struct errmsg err = { "" };
    struct lane_stats s[4];
    size_t lanes;
    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));
    collector_start(&a, 0);
    collector_start(&b, 0);
    const char *urls[] = { url(0, &a), url(1, &b) };
    options(&o, urls, 2);
    assert_int_equal(outputs_open(&out, &o, &err), 0);
    struct feed f = { .outputs = out };
    feed_numbers(&f, 0, 5000, false);
    outputs_close(out, 10000, s, &lanes);
    assert_int_equal(lanes, 2);
    wait_received(&a, 5000);
    wait_received(&b, 5000);
    collector_stop(&a);
    collector_stop(&b);
    for (size_t i = 0; i < 2; i++) {
        check_sum(&s[i]);
        assert_int_equal(s[i].sent, 5000);
        assert_int_equal(s[i].octets, 5000 * FRAME_LEN);
    }
    check_order(&a);
    check_order(&b);
}

static void test_hash_keeps_calls_together(void **state)
{
    (void)state;
    static struct collector a, b;
    struct outputs *out;
    struct outputs_options o;
    struct errmsg err = { "" };
    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));
    collector_start(&a, 0);
    collector_start(&b, 0);
    const char *urls[] = { url(0, &a), url(1, &b) };
    options(&o, urls, 2);
    o.mode = OUTPUTS_HASH;
    assert_int_equal(outputs_open(&out, &o, &err), 0);
    struct feed f = { .outputs = out };
    feed_numbers(&f, 0, 5000, false);
    outputs_close(out, 10000, NULL, NULL);
    collector_stop(&a);
    collector_stop(&b);
    check_all_there((struct collector *[]){ &a, &b }, 2, 5000, 0);
    assert_true(a.count > 500 && b.count > 500);
    bool at_a[50] = { false }, at_b[50] = { false };
    for (size_t i = 0; i < a.count; i++)
        at_a[a.numbers[i] % 50] = true;
    for (size_t i = 0; i < b.count; i++)
        at_b[b.numbers[i] % 50] = true;
    for (size_t i = 0; i < 50; i++)
        assert_false(at_a[i] && at_b[i]);
}

/* The first one goes: the second has the rest; the first one comes: it has them back. */
static void test_failover_and_back(void **state)
{
    (void)state;
    static struct collector a, b;
    struct outputs *out;
    struct outputs_options o;
    struct errmsg err = { "" };
    struct lane_stats s[4];
    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));
    collector_start(&a, 0);
    collector_start(&b, 0);
    const char *urls[] = { url(0, &a), url(1, &b) };
    options(&o, urls, 2);
    o.mode = OUTPUTS_FAILOVER;
    assert_int_equal(outputs_open(&out, &o, &err), 0);
    assert_int_equal(outputs_count(out), 1);
    struct feed f = { .outputs = out };
    feed_numbers(&f, 0, 1000, false);
    wait_received(&a, 1000);
    collector_stop(&a);
    feed_numbers(&f, 1000, 2000, false);
    wait_received(&b, 1000);
    collector_start(&a, a.port);
    uint32_t n = 2000;
    for (; received(&a) == 1000 && n < 20000; n++) {
        feed_numbers(&f, n, n + 1, false);
        sleep_ms(1);
    }
    assert_true(received(&a) > 1000);
    outputs_close(out, 10000, s, NULL);
    collector_stop(&a);
    collector_stop(&b);
    check_sum(&s[0]);
    assert_int_equal(s[0].sent, n);
    assert_int_equal(s[0].outages, 0);
    assert_true(s[0].switches >= 2);
    check_all_there((struct collector *[]){ &a, &b }, 2, n, s[0].resent);
}

/*
 * The collector is away for a while: nothing is missing, memory only or with a spool. What came while it closed it
 * could not read: then its kernel resets the connection, and the last second goes again.
 */
static void outage(bool spool, uint64_t rate)
{
    static struct collector a;
    struct outputs *out;
    struct outputs_options o;
    struct errmsg err = { "" };
    struct lane_stats s[4];
    memset(&a, 0, sizeof(a));
    collector_start(&a, 0);
    const char *urls[] = { url(0, &a) };
    options(&o, urls, 1);
    o.spool_dir = spool ? dir : NULL;
    o.lane.spool_limit = 64u << 20;
    o.lane.spool_rate = rate;
    o.lane.queue = spool ? 1u << 20 : 32u << 20;
    assert_int_equal(outputs_open(&out, &o, &err), 0);
    struct feed f = { .outputs = out };
    feed_numbers(&f, 0, 2000, true);
    wait_received(&a, 1);
    collector_stop(&a); /* in mid-stream */
    feed_numbers(&f, 2000, 4000, false);
    wait_up(out, 0, false);
    for (uint32_t n = 4000; n < 8000; n += 100) { /* more than the queue holds */
        feed_numbers(&f, n, n + 100, false);
        sleep_ms(spool ? 5 : 0);
    }
    outputs_figures(out, 0, &s[0]);
    assert_int_equal(s[0].dropped, 0);
    collector_start(&a, a.port);
    feed_numbers(&f, 8000, 9000, false);
    wait_received(&a, 9000);
    outputs_close(out, 10000, s, NULL);
    collector_stop(&a);
    check_sum(&s[0]);
    assert_int_equal(s[0].sent, 9000);
    assert_true(s[0].outages >= 1);
    if (spool)
        assert_true(s[0].spooled > 0);
    assert_int_equal(s[0].spool_octets, 0);
    check_all_there((struct collector *[]){ &a }, 1, 9000, s[0].resent);
}

static void test_outage_in_memory(void **state)
{
    (void)state;
    outage(false, 0);
}

static void test_outage_spooled(void **state)
{
    (void)state;
    outage(true, 0);
    outage(true, 50000);
}

/* A connection that is reset with octets unread: these come again. */
static void test_resets(void **state)
{
    (void)state;
    static struct collector a;
    struct outputs *out;
    struct outputs_options o;
    struct errmsg err = { "" };
    struct lane_stats s[4];
    memset(&a, 0, sizeof(a));
    a.cut_after = 500;
    collector_start(&a, 0);
    const char *urls[] = { url(0, &a) };
    options(&o, urls, 1);
    assert_int_equal(outputs_open(&out, &o, &err), 0);
    struct feed f = { .outputs = out };
    feed_numbers(&f, 0, 20000, false);
    outputs_close(out, 10000, s, NULL);
    collector_stop(&a);
    check_sum(&s[0]);
    assert_int_equal(a.resets, 1);
    assert_true(s[0].resent > 0);
    check_all_there((struct collector *[]){ &a }, 1, 20000, s[0].resent);
}

/* What an earlier process left is sent first. */
static void test_spool_outlives(void **state)
{
    (void)state;
    static struct collector a;
    struct outputs *out;
    struct outputs_options o;
    struct errmsg err = { "" };
    struct lane_stats s[4];
    memset(&a, 0, sizeof(a));
    collector_start(&a, 0);
    uint16_t port = a.port;
    const char *urls[] = { url(0, &a) };
    collector_stop(&a);
    options(&o, urls, 1);
    o.spool_dir = dir;
    assert_int_equal(outputs_open(&out, &o, &err), 0);
    struct feed f = { .outputs = out };
    feed_numbers(&f, 0, 3000, false);
    outputs_close(out, 10000, s, NULL);
    check_sum(&(struct lane_stats){ .taken = s[0].taken, .sent = s[0].spooled });
    assert_true(s[0].spool_octets == (uint64_t)3000 * FRAME_LEN);
    collector_start(&a, port);
    assert_int_equal(outputs_open(&out, &o, &err), 0);
    struct outputs *second;
    assert_int_equal(outputs_open(&second, &o, &err), -1);
    assert_non_null(strstr(err.text, "another process"));
    f = (struct feed){ .outputs = out };
    feed_numbers(&f, 3000, 4000, false);
    wait_received(&a, 4000);
    outputs_close(out, 10000, s, NULL);
    collector_stop(&a);
    check_all_there((struct collector *[]){ &a }, 1, 4000, 0);
    check_order(&a);
}

/* Nobody to send to and no room: counted, and the rest goes on. */
static void test_queue_is_full(void **state)
{
    (void)state;
    static const char *const urls[] = { "tcp://127.0.0.1:1" };
    struct outputs *out;
    struct outputs_options o;
    struct errmsg err = { "" };
    struct lane_stats s[4];
    options(&o, urls, 1);
    o.lane.queue = 1u << 20;
    assert_int_equal(outputs_open(&out, &o, &err), 0);
    struct feed f = { .outputs = out };
    feed_numbers(&f, 0, 20000, false);
    outputs_close(out, 100, s, NULL);
    check_sum(&s[0]);
    assert_int_equal(s[0].taken, 20000);
    assert_int_equal(s[0].sent, 0);
    assert_true(s[0].dropped > 10000 && s[0].failed > 0);
    assert_non_null(strstr(s[0].problem.text, "refused"));
}

static void test_udp_refused_then_up(void **state)
{
    (void)state;
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    struct outputs *out;
    struct outputs_options o;
    struct errmsg err = { "" };
    struct lane_stats s[4];
    char text[64];
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    (void)close(fd);
    (void)snprintf(text, sizeof(text), "udp://127.0.0.1:%u", (unsigned)ntohs(a.sin_port));
    const char *urls[] = { text };
    options(&o, urls, 1);
    assert_int_equal(outputs_open(&out, &o, &err), 0);
    struct feed f = { .outputs = out };
    feed_numbers(&f, 0, 100, false);
    wait_up(out, 0, false);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    wait_up(out, 0, true);
    outputs_close(out, 10000, s, NULL);
    check_sum(&s[0]);
    assert_int_equal(s[0].sent, 100);
    size_t got = 0;
    for (uint8_t buf[2048]; recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0;)
        got++;
    assert_true(got >= 100);
    (void)close(fd);
}

/* ------------------------------------------------------------------------------------------------ spool */

static size_t put_numbers(struct spool *s, uint32_t from, uint32_t to, size_t size)
{
    static uint8_t frame[65535];
    struct errmsg err;
    size_t octets = 0;
    for (uint32_t i = from; i < to; i++) {
        make_frame(frame, size, i);
        assert_int_equal(spool_put(s, frame, size, &err), 0);
        octets += size;
    }
    return octets;
}

static uint32_t take_one(struct spool *s)
{
    static uint8_t buf[65535];
    uint32_t number;
    size_t n = spool_peek(s, buf, sizeof(buf));
    assert_true(n > 0);
    memcpy(&number, buf + 12, 4);
    spool_advance(s, frame_length(buf, n));
    return number;
}

static void test_spool_order_and_position(void **state)
{
    (void)state;
    struct spool *s;
    struct errmsg err = { "" };
    uint8_t buf[65535];
    assert_int_equal(spool_open(&s, dir, 64u << 20, &err), 0);
    assert_int_equal(spool_peek(s, buf, sizeof(buf)), 0);
    (void)put_numbers(s, 0, 1000, 20000); /* several segments */
    for (uint32_t i = 0; i < 300; i++)
        assert_int_equal(take_one(s), i);
    spool_close(s);
    assert_int_equal(spool_open(&s, dir, 64u << 20, &err), 0);
    assert_int_equal(spool_stats(s)->octets, 700 * 20000);
    (void)put_numbers(s, 1000, 1100, 20000);
    for (uint32_t i = 300; i < 1100; i++)
        assert_int_equal(take_one(s), i);
    assert_int_equal(spool_stats(s)->octets, 0);
    assert_int_equal(spool_peek(s, buf, sizeof(buf)), 0);
    spool_close(s);
}

static void test_spool_limit(void **state)
{
    (void)state;
    struct spool *s;
    struct errmsg err = { "" };
    assert_int_equal(spool_open(&s, dir, SPOOL_LEAST, &err), 0);
    (void)put_numbers(s, 0, 2000, 20000);
    const struct spool_stats *st = spool_stats(s);
    assert_true(st->octets <= SPOOL_LEAST);
    assert_true(st->frames_dropped > 0);
    assert_int_equal(st->frames_dropped + st->octets / 20000, 2000);
    assert_int_equal(take_one(s), st->frames_dropped); /* the oldest went */
    spool_close(s);
}

/* Files that a crash or a hand damaged: what is readable comes, the rest is counted. */
static void test_spool_damaged(void **state)
{
    (void)state;
    struct spool *s;
    struct errmsg err = { "" };
    char path[128];
    uint8_t buf[65535];
    assert_int_equal(spool_open(&s, dir, 64u << 20, &err), 0);
    (void)put_numbers(s, 0, 10, 1000);
    spool_close(s);
    (void)snprintf(path, sizeof(path), "%s/000000000001.hep", dir);
    assert_int_equal(truncate(path, 9500), 0);
    (void)snprintf(path, sizeof(path), "%s/000000000002.hep", dir);
    FILE *f = fopen(path, "w");
    assert_int_equal(fwrite("garbage", 1, 7, f), 7);
    (void)fclose(f);
    (void)snprintf(path, sizeof(path), "%s/position", dir);
    f = fopen(path, "w");
    assert_int_equal(fwrite("xyzzy 12", 1, 8, f), 8);
    (void)fclose(f);
    assert_int_equal(spool_open(&s, dir, 64u << 20, &err), 0);
    for (uint32_t i = 0; i < 9; i++)
        assert_int_equal(take_one(s), i);
    assert_int_equal(spool_peek(s, buf, sizeof(buf)), 0);
    assert_int_equal(spool_stats(s)->octets_torn, 507);
    spool_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_hash_keeps_calls_together),
        cmocka_unit_test(test_failover_and_back),
        cmocka_unit_test(test_outage_in_memory),
        cmocka_unit_test_setup_teardown(test_outage_spooled, make_dir, drop_dir),
        cmocka_unit_test(test_resets),
        cmocka_unit_test_setup_teardown(test_spool_outlives, make_dir, drop_dir),
        cmocka_unit_test(test_queue_is_full),
        cmocka_unit_test(test_udp_refused_then_up),
        cmocka_unit_test_setup_teardown(test_spool_order_and_position, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(test_spool_limit, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(test_spool_damaged, make_dir, drop_dir),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
