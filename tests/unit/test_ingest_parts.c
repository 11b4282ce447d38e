/* The parts of ingest alone: accounts, caps, remembered POSTs, with a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "ingest/limit.h"
#include "ingest/retry_keys.h"
#include "ingest/rules.h"
#include "ingest/senders.h"

static struct net_peer peer_of(unsigned number)
{
    struct net_peer p = {
        .addr = { .len = 4, .octets = { 10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number } }
    };
    return p;
}

/* ------------------------------------------------------------------------------------------------ accounts */

static void count_drop(void *arg, struct sender *s)
{
    unsigned *drops = arg;
    (void)s;
    (*drops)++;
}

static void test_strangers_do_not_push_out(void **state)
{
    (void)state;
    enum { CAPACITY = 80, PROVEN = 60, STRANGERS = 100000 };
    unsigned drops = 0;
    struct senders *t = senders_new(CAPACITY, count_drop, &drops);
    uint64_t sum[INGEST_COUNTERS] = { 0 }, forgotten;
    for (unsigned i = 0; i < PROVEN; i++) {
        struct net_peer p = peer_of(i);
        struct sender *s = senders_get(t, &p);
        sender_count(s, INGEST_RECEIVED, 1);
        senders_prove(t, s);
    }
    for (unsigned i = 0; i < STRANGERS; i++) {
        struct net_peer p = peer_of(1000 + i);
        sender_count(senders_get(t, &p), INGEST_RECEIVED, 1);
    }
    assert_int_equal(senders_count(t), CAPACITY);
    for (unsigned i = 0; i < PROVEN; i++) {
        struct net_peer p = peer_of(i);
        struct sender *s = senders_get(t, &p);
        assert_true(s->proven);
        assert_int_equal(s->counters[INGEST_RECEIVED], 1);
    }
    senders_sum(t, sum, &forgotten);
    assert_int_equal(forgotten, PROVEN + STRANGERS - CAPACITY);
    assert_int_equal(drops, forgotten);
    assert_int_equal(sum[INGEST_RECEIVED], PROVEN + STRANGERS); /* no count is lost */
    senders_free(t);
    assert_int_equal(drops, forgotten + CAPACITY);
}

/* A table full of proven ones lets a stranger in, and forgets the one that was silent for longest. */
static void test_proven_ones_age(void **state)
{
    (void)state;
    enum { CAPACITY = 16 };
    struct senders *t = senders_new(CAPACITY, NULL, NULL);
    for (unsigned i = 0; i < CAPACITY; i++) {
        struct net_peer p = peer_of(i);
        senders_prove(t, senders_get(t, &p));
    }
    struct net_peer first = peer_of(0), late = peer_of(99);
    (void)senders_get(t, &first); /* is heard again: 1 is the oldest now */
    (void)senders_get(t, &late);
    assert_true(senders_get(t, &first)->proven);
    struct net_peer second = peer_of(1);
    assert_false(senders_get(t, &second)->proven);
    senders_free(t);
}

static void test_keys_of_senders(void **state)
{
    (void)state;
    struct senders *t = senders_new(16, NULL, NULL);
    struct net_peer a = peer_of(1), b = peer_of(1), c = peer_of(1);
    b.port = 7;
    c.transport = NET_TCP;
    struct sender *s = senders_get(t, &a);
    assert_ptr_equal(senders_get(t, &b), s);     /* a port is no sender */
    assert_ptr_not_equal(senders_get(t, &c), s); /* a transport is */
    static const uint8_t name[] = "a name that is longer than the account has room for, as senders may well send";
    senders_node(t, s, (struct hep_slice){ name, sizeof(name) - 1 });
    assert_int_equal(strlen(s->node), sizeof(s->node) - 1);
    senders_node(t, s, (struct hep_slice){ name, 6 });
    assert_string_equal(s->node, "a name");
    senders_free(t);
}

/* ------------------------------------------------------------------------------------------------ caps */

static const int64_t second = 1000000;

static void test_rate(void **state)
{
    (void)state;
    struct accounts *a = accounts_new();
    struct hep_addr addr = peer_of(1).addr, other = peer_of(2).addr;
    struct account *x = account_get(a, &addr), *y = account_get(a, &other);
    assert_ptr_equal(account_get(a, &addr), x);
    int64_t now = 1700000000 * second;
    for (unsigned i = 0; i < 100; i++)
        assert_true(account_rate(x, 100, 0, now)); /* a burst of a second's worth */
    assert_false(account_rate(x, 100, 0, now));
    assert_true(account_rate(y, 100, 0, now));
    assert_true(account_rate(x, 100, 0, now + second / 100));
    assert_false(account_rate(x, 100, 0, now + second / 100));
    unsigned taken = 0;
    for (int64_t t = now; t < now + 10 * second; t += second / 1000)
        taken += account_rate(x, 100, 0, t);
    assert_in_range(taken, 990, 1000);                         /* 1000 a second offered, 100 taken */
    assert_true(account_rate(x, 100, 0, now - 3600 * second)); /* a clock that was set back locks nobody out */
    account_put(a, x);
    account_put(a, x);
    account_put(a, y);
    account_put(a, NULL);
    accounts_free(a);
}

static void test_share(void **state)
{
    (void)state;
    struct accounts *a = accounts_new();
    struct hep_addr addr = peer_of(1).addr, other = peer_of(2).addr;
    struct account *x = account_get(a, &addr), *y = account_get(a, &other);
    int64_t now = 1700000000 * second;
    account_stored(a, x, 1000000, now);
    assert_false(account_over_share(a, x, 50, now)); /* alone */
    account_stored(a, y, 1000, now);
    assert_true(account_over_share(a, x, 50, now));
    assert_false(account_over_share(a, y, 50, now));
    assert_true(account_over_share(a, x, 50, now + 30 * second));  /* the window before counts */
    assert_false(account_over_share(a, x, 50, now + 90 * second)); /* and is forgotten then */
    account_put(a, x);
    account_put(a, y);
    accounts_free(a);
}

/* ------------------------------------------------------------------------------------------------ POSTs */

static void test_retry_keys(void **state)
{
    (void)state;
    struct retry_keys *k = retry_keys_new(2);
    struct hep_addr addr = peer_of(1).addr, other = peer_of(2).addr;
    struct hep_slice body = { (const uint8_t *)"body", 4 }, wrong = { (const uint8_t *)"bodi", 4 };
    bool known;
    struct post_result *r = retry_keys_get(k, &addr, "a", body, 1, &known);
    assert_false(known);
    assert_int_equal(r->stored, 0);
    r->stored = 7;
    r = retry_keys_get(k, &addr, "a", body, 2, &known);
    assert_true(known);
    assert_int_equal(r->stored, 7);
    assert_null(retry_keys_get(k, &addr, "a", wrong, 2, &known));
    assert_true(known);
    (void)retry_keys_get(k, &other, "a", body, 3, &known);
    assert_false(known);
    (void)retry_keys_get(k, &addr, "b", body, 4, &known); /* the third: the oldest goes */
    assert_false(known);
    (void)retry_keys_get(k, &addr, "a", body, 5, &known);
    assert_false(known);
    retry_keys_expire(k, 1000, 100);
    (void)retry_keys_get(k, &addr, "b", body, 1000, &known);
    assert_false(known);
    retry_keys_free(k);
}

/* ------------------------------------------------------------------------------------------------ rules */

static void test_check_key(void **state)
{
    (void)state;
    struct hep_slice keys[] = { { (const uint8_t *)"one", 3 }, { (const uint8_t *)"two", 3 } };
    struct ingest_rules rules = { .keys = keys, .key_count = 2 };
    struct ingest_rules *copy = rules_copy(&rules);
    struct hep_msg msg;
    hep_msg_init(&msg, 1);
    msg.version = 3;
    assert_int_equal(rules_check_key(copy, &msg), INGEST_DROP_KEY_MISSING);
    (void)hep_set_octets(&msg, HEP_CHUNK_AUTH_KEY, "two", 3);
    assert_int_equal(rules_check_key(copy, &msg), 0);
    (void)hep_set_octets(&msg, HEP_CHUNK_AUTH_KEY, "two ", 4);
    assert_int_equal(rules_check_key(copy, &msg), INGEST_DROP_KEY_WRONG);
    msg.version = 1;
    copy->legacy_without_key = true;
    assert_int_equal(rules_check_key(copy, &msg), 0);
    rules_free(copy);
    rules = (struct ingest_rules){ 0 };
    copy = rules_copy(&rules);
    msg.version = 3;
    assert_int_equal(rules_check_key(copy, &msg), 0); /* none asked for */
    rules_free(copy);
}

/* Each counter has a name of its own and a text. */
static void test_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < INGEST_COUNTERS; i++) {
        assert_true(strlen(ingest_counter_text(i)) > 0);
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(ingest_counter_name(i), ingest_counter_name(k));
    }
    assert_false(ingest_is_drop(INGEST_VERSION_3));
    assert_true(ingest_is_drop(INGEST_DROP_MAGIC));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strangers_do_not_push_out),
        cmocka_unit_test(test_proven_ones_age),
        cmocka_unit_test(test_keys_of_senders),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_retry_keys),
        cmocka_unit_test(test_check_key),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
