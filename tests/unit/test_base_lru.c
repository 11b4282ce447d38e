#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/lru.h"
#include "prng.h"

struct log {
    uint32_t dropped[64];
    size_t count;
};

static void on_drop(void *arg, const void *key, void *value)
{
    struct log *log = arg;
    uint32_t k;
    memcpy(&k, key, sizeof(k));
    assert_int_equal(*(uint64_t *)value, k * 10u); /* key and value stayed together */
    log->dropped[log->count++ % 64] = k;
}

static struct lru *make(size_t capacity, struct log *log)
{
    *log = (struct log){ .count = 0 };
    struct lru *l = lru_new(&(struct lru_options){ sizeof(uint32_t), sizeof(uint64_t), capacity, on_drop, log });
    assert_non_null(l);
    return l;
}

static void put(struct lru *l, uint32_t k, uint64_t now, bool expect_new)
{
    bool is_new;
    uint64_t *value = lru_put(l, &k, now, &is_new);
    assert_non_null(value);
    assert_int_equal(is_new, expect_new);
    assert_int_equal(*value, is_new ? 0 : k * 10u);
    *value = k * 10u;
}

static void test_evicts_least_recently_used(void **state)
{
    (void)state;
    struct log log;
    struct lru *l = make(3, &log);
    put(l, 1, 0, true);
    put(l, 2, 0, true);
    put(l, 3, 0, true);
    put(l, 1, 0, false); /* 2 is now the oldest */
    put(l, 4, 0, true);
    assert_int_equal(log.count, 1);
    assert_int_equal(log.dropped[0], 2);
    assert_int_equal(lru_count(l), 3);
    assert_int_equal(lru_evicted(l), 1);
    uint32_t three = 3;
    lru_touch(l, lru_find(l, &three), 0); /* 1 is now the oldest */
    put(l, 5, 0, true);
    assert_int_equal(log.dropped[1], 1);
    assert_null(lru_find(l, &(uint32_t){ 1 }));
    lru_free(l);
    assert_int_equal(log.count, 5); /* 3, 4, 5 left by lru_free() */
}

static void test_remove_and_evict(void **state)
{
    (void)state;
    struct log log;
    struct lru *l = make(8, &log);
    assert_false(lru_evict(l));
    assert_null(lru_oldest(l));
    for (uint32_t k = 1; k <= 3; k++)
        put(l, k, k, true);
    lru_remove(l, lru_find(l, &(uint32_t){ 2 }));
    assert_int_equal(log.dropped[0], 2);
    assert_int_equal(lru_evicted(l), 0);
    assert_int_equal(*(const uint32_t *)lru_key(l, lru_oldest(l)), 1);
    assert_int_equal(lru_used(l, lru_oldest(l)), 1);
    assert_true(lru_evict(l));
    assert_int_equal(log.dropped[1], 1);
    assert_int_equal(lru_evicted(l), 1);
    assert_int_equal(lru_count(l), 1);
    lru_free(l);
    lru_free(NULL);
}

static void test_expiry(void **state)
{
    (void)state;
    struct log log;
    struct lru *l = make(8, &log);
    put(l, 1, 100, true);
    put(l, 2, 105, true);
    put(l, 3, 110, true);
    assert_int_equal(lru_expire(l, 110, 10), 0); /* exactly as old as allowed */
    assert_int_equal(lru_expire(l, 111, 10), 1);
    assert_int_equal(lru_expire(l, 50, 10), 0); /* time ran backwards */
    put(l, 2, 111, false);
    assert_int_equal(lru_expire(l, 121, 10), 1); /* 3, used at 110; 2 was used at 111 */
    assert_int_equal(log.dropped[1], 3);
    assert_int_equal(lru_expire(l, UINT64_MAX, 10), 1);
    assert_int_equal(lru_count(l), 0);
    assert_int_equal(lru_evicted(l), 0); /* age is not want of room */
    lru_free(l);
}

static void test_bad_options(void **state)
{
    (void)state;
    assert_null(lru_new(&(struct lru_options){ .key_size = 0, .value_size = 8, .capacity = 1 }));
    assert_null(lru_new(&(struct lru_options){ .key_size = 4, .value_size = 0, .capacity = 1 }));
    assert_null(lru_new(&(struct lru_options){ .key_size = 4, .value_size = 8, .capacity = 0 }));
}

/* Keys of every length, which the hash takes in words of eight: neighbours must not be confused. */
static void test_key_lengths(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 40; size++) {
        struct lru *l = lru_new(&(struct lru_options){ .key_size = size, .value_size = 1, .capacity = 100 });
        uint8_t key[40] = { 0 };
        bool is_new;
        for (size_t i = 0; i < size; i++) {
            key[i] ^= 1;
            *(uint8_t *)lru_put(l, key, 0, &is_new) = (uint8_t)i;
            assert_true(is_new);
            key[i] ^= 1;
        }
        for (size_t i = 0; i < size; i++) {
            key[i] ^= 1;
            assert_int_equal(*(uint8_t *)lru_find(l, key), i);
            key[i] ^= 1;
        }
        lru_free(l);
    }
}

/* Against the simplest model there is: an array of keys with their time of use. */
static void test_model(void **state)
{
    (void)state;
    enum { KEYS = 64, CAPACITY = 20 };
    uint64_t used[KEYS] = { 0 }; /* 0: not held */
    uint64_t seed = 1;
    struct log log;
    struct lru *l = make(CAPACITY, &log);
    for (uint64_t now = 1; now < 20000; now++) {
        uint32_t k = (uint32_t)prng_below(&seed, KEYS);
        if (prng_below(&seed, 4) == 0) {
            uint64_t *value = lru_find(l, &k);
            assert_int_equal(value != NULL, used[k] != 0);
            if (value != NULL)
                lru_remove(l, value);
            used[k] = 0;
            continue;
        }
        size_t held = 0;
        size_t oldest = KEYS;
        for (size_t i = 0; i < KEYS; i++) {
            held += used[i] != 0;
            if (used[i] != 0 && (oldest == KEYS || used[i] < used[oldest]))
                oldest = i;
        }
        put(l, k, now, used[k] == 0);
        if (used[k] == 0 && held == CAPACITY)
            used[oldest] = 0;
        used[k] = now;
        assert_true(lru_count(l) <= CAPACITY);
    }
    lru_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_evicts_least_recently_used),
        cmocka_unit_test(test_remove_and_evict),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_key_lengths),
        cmocka_unit_test(test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
