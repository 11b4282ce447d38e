/* What senders can grow has a limit: calls, words, dialogs of one Call-ID, clocks that jump. */
#include <errno.h>

#include "track_script.h"

struct tally {
    unsigned calls, evicted;
    unsigned late;
    uint64_t last_uid, late_seq;
    struct call_record last;
};

static void count_call(void *arg, const struct call_record *r)
{
    struct tally *t = arg;
    t->calls++;
    t->evicted += r->evicted;
    t->last_uid = r->uid;
    t->last = *r;
}

static void count_late(void *arg, const struct track_event *e)
{
    struct tally *t = arg;
    t->late++;
    t->late_seq = e->seq;
}

static struct tracker *make(uint32_t max_calls, struct tally *tally)
{
    const struct track_options o = {
        .max_calls = max_calls, .on_call = count_call, .on_late = count_late, .arg = tally
    };
    struct tracker *t = tracker_new(&o);
    assert_non_null(t);
    memset(tally, 0, sizeof(*tally));
    return t;
}

/* The INVITE, 180, 200 and ACK of a call, all at one second. */
static uint64_t answered_call(struct tracker *t, uint64_t key, int64_t second)
{
    static struct script s;
    uint64_t uid = 0;
    if (s.count == 0)
        script_read(&s, "0 A>B INVITE 1 i sdp; 1 B>A 180 1 i; 2 B>A 200 1 i sdp; 3 A>B ACK 1 k t=b;");
    for (size_t i = 0; i < s.count; i++) {
        struct track_event e = s.all[i].event;
        e.call = key;
        e.seq = key * 4 + i + 1;
        e.ts = second * SCRIPT_SECOND + (int64_t)i * 1000;
        if (key % 2 == 0)
            e.src.ip = (struct hep_addr){ 16, { 0x20, 1, (uint8_t)key } };
        uid = tracker_take(t, &e, &s.all[i].texts, e.ts);
    }
    return uid;
}

static struct track_event message(const char *text, uint64_t key, int64_t second)
{
    static struct script s;
    script_read(&s, text);
    struct track_event e = s.all[0].event;
    e.call = key;
    e.seq = key * 4 + 100;
    e.ts = second * SCRIPT_SECOND;
    return e;
}

/* A full table hands out the call that was silent for longest, and says so. */
static void test_oldest_idle_goes(void **state)
{
    (void)state;
    struct tally tally;
    struct track_stats stats;
    struct tracker *t = make(100, &tally);
    uint64_t uids[101];
    for (uint64_t i = 0; i < 100; i++)
        uids[i] = answered_call(t, i + 1, 1000 + (int64_t)i);
    struct track_event e = message("0 A>B UPDATE 2 u t=b;", 1, 2000);
    assert_int_equal(tracker_take(t, &e, NULL, e.ts), uids[0]);
    assert_int_equal(tally.calls, 0);
    for (uint64_t i = 1; i < 100; i++) { /* the first one was heard of last */
        (void)answered_call(t, 1000 + i, 2001);
        assert_int_equal(tally.calls, i);
        assert_int_equal(tally.last_uid, uids[i]);
        assert_int_equal(tally.last.state, TRACK_INCOMPLETE);
    }
    (void)answered_call(t, 2000, 2002);
    assert_int_equal(tally.last_uid, uids[0]);
    tracker_stats(t, &stats);
    assert_int_equal(stats.live, 100);
    assert_int_equal(stats.evicted, 100);
    assert_int_equal(tally.evicted, 100);
    tracker_free(t);
}

/* One that is over goes before one that talks. */
static void test_ended_goes_first(void **state)
{
    (void)state;
    struct tally tally;
    struct tracker *t = make(2, &tally);
    (void)answered_call(t, 1, 1000);
    uint64_t ended = answered_call(t, 2, 1500);
    struct track_event e = message("0 A>B BYE 2 y t=b;", 2, 1501);
    (void)tracker_take(t, &e, NULL, e.ts);
    (void)answered_call(t, 3, 1502);
    assert_int_equal(tally.calls, 1);
    assert_int_equal(tally.last_uid, ended);
    assert_int_equal(tally.last.state, TRACK_COMPLETED);
    tracker_free(t);
}

/* When all calls are over all memory of theirs is free: words, texts, places. */
static void test_memory_comes_back(void **state)
{
    (void)state;
    struct tally tally;
    struct track_stats before, after;
    struct tracker *t = make(0, &tally);
    for (unsigned round = 0; round < 3; round++) {
        for (uint64_t i = 1; i <= 5000; i++)
            (void)answered_call(t, i, 1000 + round * 100000);
        tracker_tick(t, (1000 + round * 100000 + 50000) * SCRIPT_SECOND);
        tracker_stats(t, round == 0 ? &before : &after);
    }
    assert_int_equal(tally.calls, 15000);
    assert_int_equal(after.live, 0);
    assert_int_equal(after.octets, before.octets);
    tracker_free(t);
}

/* Thousands of dialogs in one Call-ID: one call, of constant size. */
static void test_one_call_id_for_all(void **state)
{
    (void)state;
    struct tally tally;
    struct track_stats early, late;
    struct tracker *t = make(0, &tally);
    uint64_t random = 4;
    for (unsigned i = 0; i < 60000; i++) {
        struct track_event e = message(i % 3 == 0   ? "0 A>B INVITE 1 i sdp ua=x;"
                                       : i % 3 == 1 ? "0 B>A 200 1 i sdp;"
                                                    : "0 A>B INVITE 2 j t=b hold;",
                                       1, 1000 + i / 1000);
        e.message = (uint32_t)prng_next(&random);
        e.branch = (uint32_t)prng_next(&random);
        e.from_tag = (uint32_t)prng_next(&random) | 1;
        e.to_tag = e.to_tag != 0 ? (uint32_t)prng_next(&random) | 1 : 0;
        e.tap = (uint16_t)prng_next(&random);
        e.cseq = (uint32_t)prng_next(&random);
        (void)tracker_take(t, &e, NULL, e.ts);
        if (i == 100)
            tracker_stats(t, &early);
    }
    tracker_stats(t, &late);
    assert_int_equal(late.live, 1);
    assert_int_equal(late.octets, early.octets);
    tracker_finish(t);
    assert_int_equal(tally.last.messages, 60000);
    assert_int_equal(tally.last.taps, TRACK_TAPS_MAX);
    tracker_free(t);
}

/* Clocks go back, stand still, jump by days and to the end of time. */
static void test_clocks(void **state)
{
    (void)state;
    static const int64_t times[] = { 0,          -1,         INT64_MIN, 1000000000, 999999999,
                                     1000086400, 1090000000, INT64_MAX, 1090000001 };
    struct tally tally;
    struct tracker *t = make(0, &tally);
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        int64_t us = times[i] == INT64_MIN || times[i] == INT64_MAX ? times[i] : times[i] * SCRIPT_SECOND;
        struct track_event e = message("0 A>B INVITE 1 i sdp;", i + 1, 0);
        e.ts = us;
        assert_int_not_equal(tracker_take(t, &e, NULL, us), 0);
        e = message("0 A>B INVITE 2 j sdp t=b;", 1, 0); /* one call through all of it */
        e.ts = us;
        assert_int_not_equal(tracker_take(t, &e, NULL, us), 0);
        tracker_tick(t, us);
    }
    tracker_finish(t);
    tracker_free(t);
}

static void test_texts(void **state)
{
    (void)state;
    static uint8_t umlauts[400];
    struct track_texts texts, back;
    struct buf b;
    memset(&texts, 0, sizeof(texts));
    for (size_t i = 0; i < sizeof(umlauts); i += 2)
        memcpy(umlauts + i, "\xc3\xa4", 2);
    texts.of[TRACK_TEXT_FROM_NAME] = (struct hep_slice){ umlauts, sizeof(umlauts) };
    texts.of[TRACK_TEXT_SDP] = script_slice("audio PCMU/8000");
    buf_init(&b, 65536);
    track_texts_pack(&texts, &b);
    assert_true(track_texts_unpack(b.ptr, b.len, &back));
    assert_int_equal(back.of[TRACK_TEXT_FROM_NAME].len, TRACK_TEXT_MAX - 1); /* no half character */
    assert_memory_equal(back.of[TRACK_TEXT_FROM_NAME].ptr, umlauts, TRACK_TEXT_MAX - 1);
    assert_memory_equal(back.of[TRACK_TEXT_SDP].ptr, "audio PCMU/8000", 15);
    for (size_t len = 0; len < b.len; len++)
        assert_false(track_texts_unpack(b.ptr, len, &back));
    buf_free(&b);
}

static void test_options(void **state)
{
    (void)state;
    struct track_options o = { .idle_s = TRACK_SECONDS_MAX + 1 };
    assert_null(tracker_new(&o));
    o = (struct track_options){ .max_calls = TRACK_CALLS_MAX + 1 };
    assert_null(tracker_new(&o));
    tracker_free(NULL);
}

static void keep_last(void *arg, const struct call_record *r)
{
    *(struct call_record *)arg = *r;
}

/* Addresses of both families, texts and times of a loaded call are those of the one that was saved. */
static void test_load(void **state)
{
    (void)state;
    struct tally tally;
    struct errmsg err;
    struct buf b;
    struct tracker *t = make(0, &tally), *copy = make(0, &tally);
    buf_init(&b, 1 << 20);
    (void)answered_call(t, 1, 1000);
    (void)answered_call(t, 2, 1001);
    tracker_save(t, &b);
    assert_int_equal(tracker_load(copy, b.ptr, b.len, &err), 0);
    for (uint64_t key = 1; key <= 2; key++) {
        struct call_record was, is;
        assert_true(tracker_show(t, key, keep_last, &was) && tracker_show(copy, key, keep_last, &is));
        assert_int_equal(is.src.ip.len, key == 1 ? 4 : 16);
        assert_memory_equal(is.src.ip.octets, was.src.ip.octets, 16);
        assert_true(is.src.port == was.src.port && is.callee_media.port == 4000 && is.uid == was.uid);
        assert_true(is.answer == was.answer && is.talk_ms == was.talk_ms && is.state == TRACK_ANSWERED);
        assert_int_equal(is.texts.of[TRACK_TEXT_RURI_USER].len, 3);
        assert_memory_equal(is.texts.of[TRACK_TEXT_RURI_USER].ptr, "200", 3);
        assert_memory_equal(is.offer.ptr, was.offer.ptr, was.offer.len);
    }
    assert_false(tracker_show(copy, 3, keep_last, NULL));
    assert_int_equal(tracker_load(t, (const uint8_t *)"hctrk04\n", 8, &err), -EINVAL);
    assert_true(err.text[0] != '\0');
    buf_free(&b);
    tracker_free(t);
    tracker_free(copy);
}

/* What comes of a call behind its end is no other call; a new INVITE is, and what comes of one whose end was not seen.
 */
static void test_late(void **state)
{
    (void)state;
    struct tally tally;
    struct track_stats s;
    struct tracker *t = make(100, &tally);
    (void)answered_call(t, 1, 1000);
    struct track_event bye = message("0 A>B BYE 2 m t=b;", 1, 1010), ok = message("0 B>A 200/BYE 2 m t=b;", 1, 1010);
    (void)tracker_take(t, &bye, NULL, bye.ts);
    (void)tracker_take(t, &ok, NULL, ok.ts);
    tracker_tick(t, INT64_C(1100) * SCRIPT_SECOND);
    assert_int_equal(tally.calls, 1);
    bye.ts = INT64_C(1101) * SCRIPT_SECOND;
    assert_int_equal(tracker_take(t, &bye, NULL, bye.ts), 0);
    tracker_stats(t, &s);
    assert_int_equal(s.late, 1);
    assert_int_equal(s.live, 0);
    assert_int_equal(tally.late, 1);
    assert_int_equal(tally.late_seq, bye.seq);
    struct track_event invite = message("0 A>B INVITE 1 i sdp;", 1, 1000); /* another tap's, which waited */
    assert_int_equal(tracker_take(t, &invite, NULL, INT64_C(1101) * SCRIPT_SECOND), 0);
    assert_int_equal(tally.late, 2);
    assert_true(answered_call(t, 1, 1102) != 0); /* the Call-ID again */
    assert_true(answered_call(t, 2, 1200) != 0);
    tracker_tick(t, INT64_C(44410) * SCRIPT_SECOND); /* both of silence, for twelve hours */
    assert_int_equal(tally.calls, 3);
    bye = message("0 A>B BYE 2 m t=b;", 2, 44411);
    assert_true(tracker_take(t, &bye, NULL, bye.ts) != 0);
    tracker_free(t);
    t = make(100, &tally);
    (void)answered_call(t, 3, 1000);
    bye = message("0 A>B BYE 2 m t=b;", 3, 1010);
    (void)tracker_take(t, &bye, NULL, bye.ts);
    tracker_tick(t, INT64_C(1200) * SCRIPT_SECOND);
    assert_int_equal(tally.calls, 1);
    /* Also after a restart. */
    struct buf kept;
    struct errmsg err;
    buf_init(&kept, 1 << 20);
    tracker_save(t, &kept);
    tracker_free(t);
    t = make(100, &tally);
    assert_int_equal(tracker_load(t, kept.ptr, kept.len, &err), 0);
    buf_free(&kept);
    bye.ts = INT64_C(1201) * SCRIPT_SECOND;
    assert_int_equal(tracker_take(t, &bye, NULL, bye.ts), 0);
    assert_int_equal(tally.late, 1);
    tracker_tick(t, INT64_C(8400) * SCRIPT_SECOND);
    bye.ts = INT64_C(8401) * SCRIPT_SECOND; /* too late for an echo */
    assert_true(tracker_take(t, &bye, NULL, bye.ts) != 0);
    tracker_free(t);
}

/* What is loaded into a smaller tracker is handed out; damaged octets leave it empty and say nothing of calls. */
static void ended_call(struct tracker *t, uint64_t key, int64_t second)
{
    static struct track_event bye, ok;
    if (bye.seq == 0) {
        bye = message("0 A>B BYE 2 b t=b;", 1, 0);
        ok = message("0 B>A 200/BYE 2 b t=b;", 1, 0);
    }
    (void)answered_call(t, key, second);
    bye.call = ok.call = key;
    bye.ts = ok.ts = second * SCRIPT_SECOND + 10000;
    (void)tracker_take(t, &bye, NULL, bye.ts);
    (void)tracker_take(t, &ok, NULL, ok.ts);
}

/* Where many calls come, those that are over wait less: about max_lingering of them at a time, and 5 s at least. */
static void test_lingering(void **state)
{
    (void)state;
    struct tally tally;
    struct track_stats stats;
    const struct track_options o = { .max_lingering = 1000, .on_call = count_call, .arg = &tally };
    struct tracker *t = tracker_new(&o);
    assert_non_null(t);
    memset(&tally, 0, sizeof(tally));
    uint64_t key = 1;
    for (int64_t second = 1000; second < 1100; second++) /* 10 a second: 60 s each */
        for (unsigned i = 0; i < 10; i++)
            ended_call(t, key++, second);
    tracker_stats(t, &stats);
    assert_in_range(stats.live, 600, 620);
    for (int64_t second = 1100; second < 1200; second++) /* 100 a second: 10 s */
        for (unsigned i = 0; i < 100; i++)
            ended_call(t, key++, second);
    tracker_stats(t, &stats);
    assert_in_range(stats.live, 1000, 1300);
    for (int64_t second = 1200; second < 1260; second++) /* 1000 a second: 5 s, not less */
        for (unsigned i = 0; i < 1000; i++)
            ended_call(t, key++, second);
    tracker_stats(t, &stats);
    assert_in_range(stats.live, 5000, 6100);
    for (int64_t second = 1260; second < 1460; second++) /* and 60 s again, in time */
        for (unsigned i = 0; i < 10; i++)
            ended_call(t, key++, second);
    tracker_stats(t, &stats);
    assert_in_range(stats.live, 550, 620);
    assert_int_equal(stats.evicted, 0);
    assert_int_equal(tally.calls + stats.live, key - 1);
    tracker_free(t);
}

static void test_load_limits(void **state)
{
    (void)state;
    struct tally tally, other;
    struct track_stats stats;
    struct errmsg err;
    struct buf b;
    struct tracker *t = make(0, &tally), *small = make(10, &other);
    buf_init(&b, 1 << 24);
    for (uint64_t i = 1; i <= 50; i++)
        (void)answered_call(t, i, 1000 + (int64_t)i);
    tracker_save(t, &b);
    assert_int_equal(tracker_load(small, b.ptr, b.len, &err), 0);
    tracker_stats(small, &stats);
    assert_int_equal(stats.live, 10);
    assert_int_equal(other.evicted, 40);
    tracker_free(small);
    small = make(0, &other);
    b.ptr[b.len / 2] ^= 0xff;
    for (size_t cut = 1; cut < b.len; cut += 331) {
        (void)tracker_load(small, b.ptr, b.len - cut, &err);
        tracker_stats(small, &stats);
        assert_int_equal(stats.live, 0);
    }
    assert_int_equal(other.calls, 0);
    tracker_free(small);
    tracker_free(t);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oldest_idle_goes),
        cmocka_unit_test(test_ended_goes_first),
        cmocka_unit_test(test_memory_comes_back),
        cmocka_unit_test(test_one_call_id_for_all),
        cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_lingering),
        cmocka_unit_test(test_load_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
