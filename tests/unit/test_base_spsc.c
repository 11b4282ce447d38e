/* A ring of messages between two threads: each arrives once, whole and in order, at any length. */
#include <pthread.h>
#include <sched.h>

#include "base/spsc.h"
#include "testlib.h"

#define SIZE     1024
#define MESSAGES 200000u

static void put(struct spsc *s, const void *p, size_t len)
{
    void *to = spsc_reserve(s, len);
    assert_non_null(to);
    assert_int_equal((uintptr_t)to % 8, 0);
    memcpy(to, p, len);
    spsc_publish(s, len);
}

static void get(struct spsc *s, const void *expect, size_t expect_len)
{
    size_t len;
    const void *p = spsc_peek(s, &len);
    assert_non_null(p);
    assert_int_equal(len, expect_len);
    if (len > 0)
        assert_memory_equal(p, expect, len);
    spsc_release(s, len);
}

static void test_one_after_the_other(void **state)
{
    (void)state;
    struct spsc s;
    size_t len;
    assert_true(spsc_init(&s, SIZE));
    assert_null(spsc_peek(&s, &len));
    put(&s, "first", 5);
    put(&s, "", 0);
    put(&s, "third one", 9);
    assert_true(spsc_used(&s) >= 14);
    get(&s, "first", 5);
    get(&s, "", 0);
    get(&s, "third one", 9);
    assert_null(spsc_peek(&s, &len));
    assert_int_equal(spsc_used(&s), 0);
    spsc_free(&s);
}

static void test_full(void **state)
{
    (void)state;
    static const uint8_t octets[SIZE] = { 7 };
    struct spsc s;
    unsigned n = 0;
    assert_true(spsc_init(&s, SIZE));
    assert_null(spsc_reserve(&s, spsc_message_max(&s) + 1));
    for (; spsc_reserve(&s, 100) != NULL; n++)
        put(&s, octets, 100);
    assert_true(n >= 8);
    get(&s, octets, 100);
    put(&s, octets, 100); /* there is room for one again */
    assert_null(spsc_reserve(&s, 100));
    for (; n > 0; n--)
        get(&s, octets, 100);
    for (unsigned i = 0; i < 500; i++) { /* the largest, wherever the end is */
        put(&s, octets, i % 97);
        get(&s, octets, i % 97);
        put(&s, octets, spsc_message_max(&s));
        get(&s, octets, spsc_message_max(&s));
    }
    spsc_free(&s);
}

static size_t length_of(uint32_t n)
{
    return 4 + n * 2654435761u % 300;
}

static void *write_all(void *arg)
{
    struct spsc *s = arg;
    for (uint32_t n = 0; n < MESSAGES; n++) {
        uint8_t *to;
        while ((to = spsc_reserve(s, length_of(n))) == NULL)
            (void)sched_yield();
        memset(to, (int)(n & 0xff), length_of(n));
        memcpy(to, &n, sizeof(n));
        spsc_publish(s, length_of(n));
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct spsc s;
    pthread_t writer;
    assert_true(spsc_init(&s, SIZE));
    assert_int_equal(pthread_create(&writer, NULL, write_all, &s), 0);
    for (uint32_t n = 0, is; n < MESSAGES; n++) {
        const uint8_t *p;
        size_t len;
        while ((p = spsc_peek(&s, &len)) == NULL)
            (void)sched_yield();
        memcpy(&is, p, sizeof(is));
        if (is != n || len != length_of(n) || p[len - 1] != (len > 4 ? (uint8_t)n : p[3]))
            fail_msg("message %u is %u, of %zu octets", n, is, len);
        spsc_release(&s, len);
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
    spsc_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_after_the_other),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
