/* Ingest over HTTP: what a POST is answered, and when. */
#include "test_ingest_util.h"

#include "base/base64.h"

struct answer {
    int status;
    bool retry_after;
    char text[2048];
};

static void say_post(int fd, const char *headers, const void *body, size_t len)
{
    char head[512];
    int n =
        snprintf(head, sizeof(head), "POST /hep HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n%s\r\n", len, headers);
    send_all(fd, head, (size_t)n);
    if (len > 0)
        send_all(fd, body, len);
}

/* One answer with a Content-Length; false if the connection ends before. */
static bool hear(int fd, struct answer *a)
{
    size_t len = 0, want = sizeof(a->text) - 1;
    struct pollfd p = { .fd = fd, .events = POLLIN };
    memset(a, 0, sizeof(*a));
    while (len < want && poll(&p, 1, WAIT_MS) > 0 && recv(fd, a->text + len, 1, 0) == 1) {
        len++;
        const char *size = strcasestr(a->text, "Content-Length: ");
        if (a->status == 0 && len >= 4 && memcmp(a->text + len - 4, "\r\n\r\n", 4) == 0 && size != NULL) {
            a->status = (int)strtol(a->text + 9, NULL, 10);
            a->retry_after = strcasestr(a->text, "Retry-After: ") != NULL;
            want = len + strtoul(size + 16, NULL, 10);
        }
    }
    return a->status != 0 && len == want;
}

static struct answer post(int fd, const char *headers, const void *body, size_t len)
{
    struct answer a;
    say_post(fd, headers, body, len);
    assert_true(hear(fd, &a));
    return a;
}

static bool says(const struct answer *a, const char *text)
{
    return strstr(a->text, text) != NULL;
}

/* True if an answer has come. */
static bool answered(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    return poll(&p, 1, 30) > 0;
}

static size_t many(uint8_t *buf, size_t cap, unsigned first, unsigned count, const struct hep_look *look)
{
    size_t len = 0;
    for (unsigned i = 0; i < count; i++)
        len += make_hep(buf + len, cap - len, first + i, look);
    return len;
}

static void assert_numbers(struct fake *f, unsigned count)
{
    assert_int_equal(f->count, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(number_of(&f->kept[i]), i);
}

/* ------------------------------------------------------------------------------------------------ */

static void test_forms(void **state)
{
    (void)state;
    struct bench b;
    struct answer a;
    uint8_t body[8192];
    char text[8192];
    bench_open(&b, NULL);
    int fd = dial(SOCK_STREAM, b.http);
    a = post(fd, "", body, many(body, sizeof(body), 0, 3, NULL));
    assert_int_equal(a.status, 200);
    assert_true(says(&a, "\r\n\r\n{\"stored\":3}\n"));
    a = post(fd, "", body, many(body, sizeof(body), 3, 1, &(struct hep_look){ .version = 1 }));
    assert_true(says(&a, "{\"stored\":1}\n"));
    size_t len = base64_encode(body, many(body, sizeof(body), 4, 2, NULL), text);
    a = post(fd, "Content-Type: text/plain\r\n", text, len);
    assert_true(says(&a, "{\"stored\":2}\n"));
    (void)close(fd);
    ingest_stop(b.ingest);
    assert_numbers(&b.fake, 6);
    assert_int_equal(b.fake.kept[0].frame.transport, RECORD_HTTP);
    assert_exact(&b);
    bench_close(&b);
}

static void test_path(void **state)
{
    static const struct {
        const char *url;
        int status;
    } rows[] = { { "http://127.0.0.1:0/hep", 200 },
                 { "http://127.0.0.1:0", 200 },
                 { "http://127.0.0.1:0/other", 404 },
                 { "http://127.0.0.1:0/", 404 } };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench b;
        uint8_t body[4096];
        struct ingest_options o = { .urls = &rows[i].url, .url_count = 1 };
        bench_open(&b, &o);
        int fd = dial(SOCK_STREAM, b.http);
        struct answer a = post(fd, "", body, many(body, sizeof(body), 0, 3, NULL)); /* to /hep */
        assert_int_equal(a.status, rows[i].status);
        (void)close(fd);
        ingest_stop(b.ingest);
        assert_numbers(&b.fake, rows[i].status == 200 ? 3 : 0);
        bench_close(&b);
    }
}

static void test_durable_first(void **state)
{
    (void)state;
    struct bench b;
    struct answer x, y;
    uint8_t body[4096];
    struct ingest_totals t;
    bench_open(&b, NULL);
    b.fake.auto_durable = false;
    int one = dial(SOCK_STREAM, b.http), two = dial(SOCK_STREAM, b.http);
    say_post(one, "", body, many(body, sizeof(body), 0, 2, NULL));
    wait_total(&b, INGEST_STORED, 2);
    say_post(two, "", body, many(body, sizeof(body), 2, 2, NULL));
    wait_total(&b, INGEST_STORED, 4);
    assert_false(answered(one));
    assert_false(answered(two));
    (void)pthread_mutex_lock(&b.fake.lock);
    assert_int_equal(b.fake.requested, 4);
    (void)pthread_mutex_unlock(&b.fake.lock);
    ingest_totals(b.ingest, &t);
    assert_int_equal(t.posts_waiting, 2);
    fake_set(&b.fake, SIZE_MAX, 2);
    assert_true(hear(one, &x));
    assert_int_equal(x.status, 200);
    assert_false(answered(two));
    fake_set(&b.fake, SIZE_MAX, 4);
    assert_true(hear(two, &y));
    assert_true(says(&y, "{\"stored\":2}\n"));
    (void)close(one);
    (void)close(two);
    assert_exact(&b);
    bench_close(&b);
}

static void test_never_durable(void **state)
{
    (void)state;
    struct bench b;
    struct ingest_options o = { .durable_wait_ms = 50 };
    uint8_t body[1024];
    bench_open(&b, &o);
    b.fake.auto_durable = false;
    int fd = dial(SOCK_STREAM, b.http);
    size_t len = many(body, sizeof(body), 0, 1, NULL);
    struct answer a = post(fd, "Idempotency-Key: k\r\n", body, len);
    assert_int_equal(a.status, 503);
    assert_true(a.retry_after);
    fake_set(&b.fake, SIZE_MAX, 1);
    a = post(fd, "Idempotency-Key: k\r\n", body, len);
    assert_int_equal(a.status, 200);
    assert_true(says(&a, "{\"stored\":1}"));
    assert_int_equal(fake_count(&b.fake), 1);
    (void)close(fd);
    assert_exact(&b);
    bench_close(&b);
}

static void test_same_key_again(void **state)
{
    (void)state;
    struct bench b;
    struct answer x, y;
    uint8_t body[4096], other[1024];
    struct ingest_totals t;
    bench_open(&b, NULL);
    b.fake.auto_durable = false;
    int one = dial(SOCK_STREAM, b.http), two = dial(SOCK_STREAM, b.http);
    size_t len = many(body, sizeof(body), 0, 2, NULL);
    say_post(one, "Idempotency-Key: abc\r\n", body, len);
    wait_total(&b, INGEST_STORED, 2);
    say_post(two, "Idempotency-Key: abc\r\n", body, len); /* while the first one is under way */
    for (unsigned i = 0; i < 1000; i++) {
        ingest_totals(b.ingest, &t);
        if (t.posts_waiting == 2)
            break;
        sleep_ms(2);
    }
    assert_int_equal(t.posts_waiting, 2);
    fake_set(&b.fake, SIZE_MAX, 2);
    assert_true(hear(one, &x));
    assert_true(hear(two, &y));
    assert_true(says(&x, "{\"stored\":2}\n") && says(&y, "{\"stored\":2}\n"));
    x = post(one, "Idempotency-Key: abc\r\n", body, len); /* and afterwards */
    assert_true(says(&x, "{\"stored\":2}\n"));
    size_t n = many(other, sizeof(other), 2, 1, NULL);
    x = post(one, "Idempotency-Key: abc\r\n", other, n); /* the key is not a licence to lose something else */
    assert_int_equal(x.status, 422);
    fake_set(&b.fake, SIZE_MAX, 4);
    x = post(one, "Idempotency-Key: abd\r\n", other, n);
    assert_true(says(&x, "{\"stored\":1}\n"));
    int stranger = dial_from(SOCK_STREAM, b.http, 9); /* somebody else's key of the same text */
    x = post(stranger, "Idempotency-Key: abd\r\n", other, n);
    assert_true(says(&x, "{\"stored\":1}\n"));
    assert_int_equal(fake_count(&b.fake), 4);
    ingest_totals(b.ingest, &t);
    assert_int_equal(t.posts_repeated, 2);
    (void)close(one);
    (void)close(two);
    (void)close(stranger);
    assert_exact(&b);
    bench_close(&b);
}

/* No room: told at once; with a key the retry goes on where it stopped. */
static void test_full(void **state)
{
    (void)state;
    struct bench b;
    uint8_t body[8192];
    bench_open(&b, NULL);
    fake_set(&b.fake, 2, 0);
    int fd = dial(SOCK_STREAM, b.http);
    size_t len = many(body, sizeof(body), 0, 5, NULL);
    struct answer a = post(fd, "Idempotency-Key: k\r\n", body, len);
    assert_int_equal(a.status, 503);
    assert_true(a.retry_after);
    assert_true(says(&a, "{\"stored\":2,"));
    fake_set(&b.fake, 3, 0);
    a = post(fd, "Idempotency-Key: k\r\n", body, len);
    assert_int_equal(a.status, 503);
    fake_set(&b.fake, SIZE_MAX, 0);
    a = post(fd, "Idempotency-Key: k\r\n", body, len);
    assert_int_equal(a.status, 200);
    assert_true(says(&a, "{\"stored\":5}\n"));
    a = post(fd, "Idempotency-Key: k\r\n", body, len);
    assert_true(says(&a, "{\"stored\":5}\n"));
    assert_int_equal(total(&b, INGEST_DROP_FULL), 2);
    (void)close(fd);
    ingest_stop(b.ingest);
    assert_numbers(&b.fake, 5);
    assert_exact(&b);
    bench_close(&b);
}

static void test_bad_bodies(void **state)
{
    (void)state;
    struct bench b;
    struct ingest_options o = { .body_max = 100000 };
    uint8_t body[4096];
    static char huge[100001];
    bench_open(&b, &o);
    int fd = dial(SOCK_STREAM, b.http);
    struct answer a = post(fd, "", "", 0);
    assert_int_equal(a.status, 400);
    a = post(fd, "", "what is this", 12);
    assert_int_equal(a.status, 400);
    assert_true(says(&a, "\"offset\":0"));
    a = post(fd, "", "SEVQM*", 6);
    assert_int_equal(a.status, 400);
    size_t len = many(body, sizeof(body), 0, 2, NULL);
    body[len / 2 + 4] = 0xff; /* total length of the second one */
    a = post(fd, "", body, len);
    assert_int_equal(a.status, 200); /* what was good is stored, and the rest is named */
    char offset[64];
    (void)snprintf(offset, sizeof(offset), "\"offset\":%zu", len / 2);
    assert_true(says(&a, "{\"stored\":1,\"bad\":1,\"error\":\""));
    assert_true(says(&a, offset));
    len = many(body, sizeof(body), 1, 2, NULL);
    memcpy(body + 10, "\0\1", 2); /* a chunk length, inside the first one */
    a = post(fd, "", body, len);
    assert_true(says(&a, "{\"stored\":1,\"bad\":1,\"error\":\""));
    assert_int_equal(total(&b, INGEST_DROP_CHUNK_LENGTH), 1);
    say_post(fd, "", huge, sizeof(huge));
    assert_true(hear(fd, &a));
    assert_int_equal(a.status, 413);
    (void)close(fd);
    assert_exact(&b);
    bench_close(&b);
}

static void test_who_may_post(void **state)
{
    (void)state;
    struct bench b;
    struct hep_slice key = { (const uint8_t *)"secret", 6 };
    struct ip_net net;
    uint8_t body[2048];
    assert_true(ip_net_parse("127.0.0.1", &net));
    struct ingest_options o = { .rules = { .keys = &key, .key_count = 1, .allow = &net, .allow_count = 1 } };
    bench_open(&b, &o);
    int fd = dial_from(SOCK_STREAM, b.http, 1), other = dial_from(SOCK_STREAM, b.http, 2);
    struct answer a = post(fd, "", body, many(body, sizeof(body), 0, 1, NULL));
    assert_int_equal(a.status, 401);
    a = post(fd, "", body, many(body, sizeof(body), 0, 1, &(struct hep_look){ .key = "wrong" }));
    assert_int_equal(a.status, 403);
    size_t len = many(body, sizeof(body), 0, 1, &(struct hep_look){ .key = "secret" });
    a = post(other, "", body, len);
    assert_int_equal(a.status, 403);
    a = post(fd, "", body, len);
    assert_int_equal(a.status, 200);
    len += many(body + len, sizeof(body) - len, 1, 1, NULL);
    a = post(fd, "", body, len);
    assert_int_equal(a.status, 200);
    assert_true(says(&a, "{\"stored\":1,\"unauthorized\":1,"));
    assert_int_equal(total(&b, INGEST_DROP_NOT_ALLOWED), 1);
    assert_int_equal(total(&b, INGEST_DROP_KEY_MISSING), 2);
    assert_int_equal(total(&b, INGEST_DROP_KEY_WRONG), 1);
    (void)close(fd);
    (void)close(other);
    assert_exact(&b);
    bench_close(&b);
}

static void test_rate(void **state)
{
    (void)state;
    struct bench b;
    struct ingest_options o = { .rules = { .rate = 1, .burst = 2 } };
    uint8_t body[16384];
    bench_open(&b, &o);
    int fd = dial(SOCK_STREAM, b.http);
    struct answer a = post(fd, "", body, many(body, sizeof(body), 0, 40, NULL));
    assert_int_equal(a.status, 429);
    assert_true(a.retry_after);
    assert_true(fake_count(&b.fake) >= 2);
    (void)close(fd);
    assert_exact(&b);
    bench_close(&b);
}

struct helper {
    struct bench *bench;
    bool durable;
};

static void *stop_later(void *arg)
{
    const struct helper *h = arg;
    sleep_ms(100);
    if (h->durable)
        fake_set(&h->bench->fake, SIZE_MAX, 1);
    return NULL;
}

/* The stop answers what becomes durable meanwhile, and does not wait for ever for what does not. */
static void test_stop(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        struct bench b;
        struct answer a;
        struct ingest_options o = { .stop_wait_ms = round == 0 ? 5000 : 50 };
        struct helper helper = { &b, round == 0 };
        uint8_t body[1024];
        pthread_t thread;
        bench_open(&b, &o);
        b.fake.auto_durable = false;
        int fd = dial(SOCK_STREAM, b.http);
        say_post(fd, "", body, many(body, sizeof(body), 0, 1, NULL));
        wait_total(&b, INGEST_STORED, 1);
        assert_int_equal(pthread_create(&thread, NULL, stop_later, &helper), 0);
        ingest_stop(b.ingest);
        (void)pthread_join(thread, NULL);
        assert_int_equal(hear(fd, &a), round == 0);
        (void)close(fd);
        assert_exact(&b);
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),         cmocka_unit_test(test_durable_first),
        cmocka_unit_test(test_never_durable), cmocka_unit_test(test_same_key_again),
        cmocka_unit_test(test_full),          cmocka_unit_test(test_bad_bodies),
        cmocka_unit_test(test_who_may_post),  cmocka_unit_test(test_rate),
        cmocka_unit_test(test_stop),          cmocka_unit_test(test_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
