/* Segments: what is written is read back, in order, over every kind of damage. */
#include <errno.h>

#include "test_wal_util.h"

static struct wal_options manual(unsigned writers)
{
    return (struct wal_options){ .writers = writers, .no_thread = true };
}

static void test_round_trip(void **state)
{
    (void)state;
    struct fault_fs *f = fault_new(1);
    struct replayed p;
    replay(f, &p); /* no directory yet */
    assert_int_equal(p.count, 0);
    struct wal *w = open_wal(f, manual(1));
    append_many(w, 0, 100);
    assert_int_equal(wal_durable(w), 0);
    assert_int_equal(wal_close(w), 0);
    assert_int_equal(fault_open_files(f), 0);
    replay(f, &p);
    assert_int_equal(p.count, 100);
    assert_int_equal(p.stats.max_seq, 100);
    assert_int_equal(p.loss_count, 0);
    fault_free(f);
}

static void test_limits(void **state)
{
    (void)state;
    struct fault_fs *f = fault_new(1);
    struct wal_options o = manual(1);
    o.buffer_size = 200000;
    struct wal *w = open_wal(f, o);
    static uint8_t big[WAL_FRAME_MAX + 1];
    uint64_t seq;
    struct wal_record r[4] = { { .frame = big, .len = sizeof(big) } };
    assert_int_equal(wal_append(w, 0, r, 1, &seq), -EMSGSIZE);
    for (size_t i = 0; i < 4; i++)
        r[i] = (struct wal_record){ .frame = big, .len = WAL_FRAME_MAX };
    assert_int_equal(wal_append(w, 0, r, 4, &seq), -EMSGSIZE);
    assert_int_equal(wal_append(w, 0, r, 3, &seq), 0);
    assert_int_equal(seq, 1);
    assert_int_equal(wal_append(w, 0, r, 3, &seq), 0);
    assert_int_equal(seq, 4);
    assert_int_equal(wal_append(w, 1, r, 1, &seq), -EINVAL);
    assert_int_equal(wal_append(w, 0, r, 0, &seq), -EINVAL);
    assert_int_equal(wal_close(w), 0);
    struct errmsg err;
    o.writers = WAL_WRITERS_MAX + 1;
    o.dir = DIR;
    assert_int_equal(wal_open(&w, &o, &err), -EINVAL);
    fault_free(f);
}

static void test_order_across_workers(void **state)
{
    (void)state;
    struct fault_fs *f = fault_new(1);
    struct wal_options o = manual(5);
    o.segment_size = 4000; /* many segments */
    struct wal *w = open_wal(f, o);
    uint64_t random = 7;
    for (size_t i = 0; i < 1000; i++)
        append_many(w, (unsigned)prng_below(&random, 5), 1);
    struct wal_stats s;
    assert_int_equal(wal_commit(w), 0);
    wal_stats(w, &s);
    assert_int_equal(s.records, 1000);
    assert_int_equal(s.buffered, 0);
    assert_true(s.segments > 20);
    assert_int_equal(wal_close(w), 0);
    assert_int_equal(fault_open_files(f), 0);
    struct replayed p;
    replay(f, &p);
    assert_int_equal(p.count, 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(p.seqs[i], i + 1);
    assert_int_equal(p.stats.segments, s.segments);
    fault_free(f);
}

static void test_restart_goes_on(void **state)
{
    (void)state;
    struct fault_fs *f = fault_new(1);
    struct replayed p;
    for (unsigned round = 0; round < 3; round++) {
        replay(f, &p);
        assert_int_equal(p.count, round * 10);
        struct wal_options o = manual(2);
        o.first_seq = p.stats.max_seq + 1;
        struct wal *w = open_wal(f, o);
        append_many(w, 0, 5);
        append_many(w, 1, 5);
        assert_int_equal(wal_close(w), 0);
    }
    fault_free(f);
}

static void test_cut_and_drop(void **state)
{
    (void)state;
    struct fault_fs *f = fault_new(1);
    struct wal *w = open_wal(f, manual(2));
    struct wal_position cut[2], again[2];
    struct replayed p;
    append_many(w, 0, 10);
    append_many(w, 1, 10);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(wal_rotate(w, i, &cut[i]), 0);
    assert_int_equal(wal_rotate(w, 0, &again[0]), 0);
    assert_int_equal(again[0].segment, cut[0].segment); /* nothing new: no new segment */
    append_many(w, 0, 3);
    assert_int_equal(wal_commit(w), 0);
    assert_int_equal(replay_from(f, cut, 2, &p), 0);
    assert_int_equal(p.count, 3);
    assert_int_equal(p.seqs[0], 21);
    assert_int_equal(p.stats.consumed, 2);
    assert_int_equal(wal_drop(w, cut, 2), 0);
    replay(f, &p);
    assert_int_equal(p.count, 3);
    assert_int_equal(wal_rotate(w, 0, &cut[0]), 0);
    assert_int_equal(wal_drop(w, cut, 2), 0);
    assert_int_equal(wal_close(w), 0);

    /* The directory is empty now: numbers of segments go on where the MANIFEST says. */
    struct wal_options o = manual(2);
    o.first_seq = 24;
    o.from = cut;
    o.from_count = 2;
    w = open_wal(f, o);
    append_many(w, 0, 1);
    append_many(w, 1, 1);
    assert_int_equal(wal_close(w), 0);
    assert_int_equal(replay_from(f, cut, 2, &p), 0);
    assert_int_equal(p.count, 2);
    fault_free(f);
}

/* One segment of ten records, for the tests that damage it. */
struct segment {
    struct fault_fs *f;
    char path[64];
    uint8_t *octets;
    size_t len;
    size_t ends[11]; /* ends[i]: where record i + 1 begins */
};

static void make_segment(struct segment *s)
{
    s->f = fault_new(1);
    struct wal *w = open_wal(s->f, manual(1));
    uint8_t frame[FRAME_MAX_TEST];
    s->ends[0] = 128;
    for (uint64_t i = 1; i <= 10; i++)
        s->ends[i] = s->ends[i - 1] + wal_record_size(frame_of(i, frame, sizeof(frame)));
    append_many(w, 0, 10);
    assert_int_equal(wal_close(w), 0);
    (void)snprintf(s->path, sizeof(s->path), DIR "/000-0000000001.wal");
    const uint8_t *data = fault_data(s->f, s->path, &s->len);
    assert_non_null(data);
    assert_int_equal(s->len, s->ends[10]);
    s->octets = malloc(s->len);
    assert_non_null(s->octets);
    memcpy(s->octets, data, s->len);
}

static void free_segment(struct segment *s)
{
    free(s->octets);
    fault_free(s->f);
}

static void test_torn_at_every_octet(void **state)
{
    (void)state;
    struct segment s;
    struct replayed p;
    make_segment(&s);
    for (size_t len = 0; len <= s.len; len++) {
        size_t whole = 0;
        while (whole < 10 && s.ends[whole + 1] <= len)
            whole++;
        fault_put(s.f, s.path, s.octets, len);
        replay(s.f, &p);
        assert_int_equal(p.count, len < 64 ? 0 : whole);
        bool clean = len >= 128 && s.ends[whole] == len;
        assert_int_equal(p.loss_count, clean || (len >= 64 && len <= 128) ? 0 : 1);
        if (len > 128 && !clean) {
            assert_int_equal(p.losses[0].kind, WAL_LOSS_TAIL);
            assert_int_equal(p.losses[0].at, s.ends[whole]);
            assert_int_equal(p.losses[0].octets, len - s.ends[whole]);
        }
    }
    free_segment(&s);
}

/* A flipped octet costs at most its own record; the padding and one copy of the header cost nothing. */
static void test_flipped_at_every_octet(void **state)
{
    (void)state;
    struct segment s;
    struct replayed p;
    make_segment(&s);
    size_t len;
    for (size_t at = 0; at < s.len; at++) {
        uint8_t *data = fault_data(s.f, s.path, &len);
        data[at] ^= (uint8_t)(1u << at % 8);
        replay(s.f, &p);
        assert_true(p.count >= (at < 128 ? 10 : 9));
        assert_int_equal(p.loss_count, 10 - p.count);
        if (p.loss_count > 0)
            assert_int_equal(p.losses[0].kind, at < s.ends[9] ? WAL_LOSS_MIDDLE : WAL_LOSS_TAIL);
        data[at] ^= (uint8_t)(1u << at % 8);
    }
    free_segment(&s);
}

static void test_both_headers_lost(void **state)
{
    (void)state;
    struct segment s;
    struct replayed p;
    make_segment(&s);
    size_t len;
    uint8_t *data = fault_data(s.f, s.path, &len);
    data[20] ^= 1;
    data[84] ^= 1;
    replay(s.f, &p);
    assert_int_equal(p.count, 0);
    assert_int_equal(p.loss_count, 1);
    assert_int_equal(p.losses[0].kind, WAL_LOSS_SEGMENT);
    assert_int_equal(p.stats.lost_octets, s.len);
    free_segment(&s);
}

/* A segment under another name, and records copied into another segment, are not taken for new ones. */
static void test_copies(void **state)
{
    (void)state;
    struct segment s;
    struct replayed p;
    make_segment(&s);
    fault_put(s.f, DIR "/000-0000000007.wal", s.octets, s.len);
    fault_put(s.f, DIR "/notes.txt", "hello", 5);
    replay(s.f, &p);
    assert_int_equal(p.count, 10);
    assert_int_equal(p.stats.loss[WAL_LOSS_SEGMENT], 1);
    /* The same records twice in one segment. */
    uint8_t *twice = malloc(2 * s.len);
    assert_non_null(twice);
    memcpy(twice, s.octets, s.len);
    memcpy(twice + s.len, s.octets + 128, s.len - 128);
    fault_put(s.f, s.path, twice, 2 * s.len - 128);
    replay(s.f, &p);
    assert_int_equal(p.count, 10);
    assert_int_equal(p.stats.duplicates, 10);
    free(twice);
    free_segment(&s);
}

/* A frame that holds a whole record of the same log is a frame, also when what is before it is damaged. */
static void test_forged_record(void **state)
{
    (void)state;
    struct segment s;
    make_segment(&s);
    struct fault_fs *f = fault_new(2);
    struct wal_options o = manual(1);
    struct errmsg err;
    struct wal *w;
    o.vfs = fault_vfs(f);
    o.dir = "/x";
    assert_int_equal(wal_open(&w, &o, &err), 0);
    uint64_t seq;
    struct wal_record r = { .frame = s.octets + 128, .len = s.len - 128 };
    assert_int_equal(wal_append(w, 0, &r, 1, &seq), 0);
    assert_int_equal(wal_close(w), 0);
    size_t len;
    fault_data(f, "/x/000-0000000001.wal", &len)[130] ^= 1;
    struct replayed p = { .count = 0 };
    const struct wal_replay_options ro = {
        .vfs = fault_vfs(f), .dir = "/x", .record = on_record, .loss = on_loss, .arg = &p
    };
    assert_int_equal(wal_replay(&ro, &p.stats, &err), 0);
    assert_int_equal(p.count, 0);
    assert_int_equal(p.stats.loss[WAL_LOSS_TAIL], 1);
    fault_free(f);
    free_segment(&s);
}

/* Written with the code of the format, as a later version would. */
#include "wal/format.h"

static void test_other_version(void **state)
{
    (void)state;
    struct segment s;
    struct replayed p;
    make_segment(&s);
    uint8_t header[WAL_HEADER_SIZE];
    const struct wal_segment_header h = { .version = WAL_SCHEMA_VERSION + 1, .segment = 2, .salt = 1 };
    wal_header_encode(header, &h);
    fault_put(s.f, DIR "/000-0000000002.wal", header, sizeof(header));
    assert_int_equal(replay_from(s.f, NULL, 0, &p), -ENOTSUP);
    assert_int_equal(p.count, 0);
    assert_string_equal(p.err.text, DIR "/000-0000000002.wal: WAL schema version 2, this program reads version 1");
    free_segment(&s);
}

static void test_read_errors(void **state)
{
    (void)state;
    struct segment s;
    struct replayed p;
    make_segment(&s);
    fault_inject(s.f, FAULT_READ, 1, -EIO, 0); /* the check of the version still works */
    replay(s.f, &p);
    assert_int_equal(p.count, 0);
    assert_int_equal(p.stats.loss[WAL_LOSS_READ], 1);
    fault_inject(s.f, FAULT_LIST, 0, -EIO, 1);
    assert_int_equal(replay_from(s.f, NULL, 0, &p), -EIO);
    free_segment(&s);
}

static int stop_at_three(void *arg, const struct wal_record *r, unsigned worker)
{
    (void)arg;
    (void)worker;
    return r->seq == 3 ? -ECANCELED : 0;
}

static void test_callback_ends(void **state)
{
    (void)state;
    struct segment s;
    make_segment(&s);
    struct wal_replay_stats stats;
    const struct wal_replay_options o = { .vfs = fault_vfs(s.f), .dir = DIR, .record = stop_at_three };
    assert_int_equal(wal_replay(&o, &stats, NULL), -ECANCELED);
    assert_int_equal(fault_open_files(s.f), 0);
    free_segment(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_order_across_workers),
        cmocka_unit_test(test_restart_goes_on),
        cmocka_unit_test(test_cut_and_drop),
        cmocka_unit_test(test_torn_at_every_octet),
        cmocka_unit_test(test_flipped_at_every_octet),
        cmocka_unit_test(test_both_headers_lost),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_forged_record),
        cmocka_unit_test(test_other_version),
        cmocka_unit_test(test_read_errors),
        cmocka_unit_test(test_callback_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
