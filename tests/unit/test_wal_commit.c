/* Group commit: when, what it promises, and what it says when the disk fails. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "test_wal_util.h"

struct bench {
    struct fault_fs *f;
    struct wal *w;
    uint64_t now;
};

static void setup(struct bench *b, struct wal_options o)
{
    *b = (struct bench){ .f = fault_new(3), .now = 1000000 };
    o.no_thread = true;
    o.now_us = fake_now;
    o.now_arg = &b->now;
    b->w = open_wal(b->f, o);
}

static void teardown(struct bench *b)
{
    (void)wal_close(b->w);
    assert_int_equal(fault_open_files(b->f), 0);
    fault_free(b->f);
}

/* Calls wal_tick() and says whether it committed. */
static bool tick(struct bench *b, uint64_t expect_due)
{
    uint64_t due;
    struct wal_stats before, after;
    wal_stats(b->w, &before);
    assert_int_equal(wal_tick(b->w, &due), 0);
    wal_stats(b->w, &after);
    assert_int_equal(due, expect_due);
    return after.commits > before.commits;
}

static void test_interval(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, (struct wal_options){ .writers = 2 });
    append_many(b.w, 0, 3);
    append_many(b.w, 1, 2);
    assert_false(tick(&b, 100000));
    b.now += 99999;
    assert_false(tick(&b, 1));
    assert_int_equal(wal_durable(b.w), 0);
    b.now += 1;
    assert_true(tick(&b, 100000));
    assert_int_equal(wal_durable(b.w), 5);
    b.now += 100000;
    assert_false(tick(&b, 100000)); /* nothing to do: no sync */
    teardown(&b);
}

static void test_asked_for(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, (struct wal_options){ .writers = 1 });
    append_many(b.w, 0, 1);
    wal_request(b.w, 1);
    assert_false(tick(&b, 2000)); /* the gap since the last commit */
    b.now += 2000;
    assert_true(tick(&b, 100000));
    assert_int_equal(wal_durable(b.w), 1);
    b.now += 50000;
    append_many(b.w, 0, 1);
    wal_request(b.w, 2);
    assert_true(tick(&b, 100000)); /* the gap is long over */
    teardown(&b);
}

static void test_always(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, (struct wal_options){ .mode = WAL_ALWAYS });
    append_many(b.w, 0, 1);
    assert_true(tick(&b, 100000));
    append_many(b.w, 0, 1);
    assert_true(tick(&b, 100000));
    assert_int_equal(wal_durable(b.w), 2);
    teardown(&b);
}

/* What was said to be durable survives; the rest may, whole records only. */
static void test_power_loss(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct bench b;
        setup(&b, (struct wal_options){ .writers = 3, .segment_size = 3000 });
        uint64_t random = seed, durable = 0;
        for (int i = 0; i < 100; i++) {
            append_many(b.w, (unsigned)prng_below(&random, 3), 1);
            if (prng_below(&random, 10) == 0)
                assert_int_equal(wal_commit(b.w), 0);
        }
        durable = wal_durable(b.w);
        fault_power_at(b.f, fault_calls(b.f) + 1 + prng_below(&random, 5));
        (void)wal_close(b.w);
        fault_crash(b.f, seed);
        struct replayed p;
        replay(b.f, &p);
        assert_true(p.count >= durable);
        for (uint64_t i = 0; i < durable; i++)
            assert_int_equal(p.seqs[i], i + 1);
        fault_free(b.f);
    }
}

static void test_off(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, (struct wal_options){ .mode = WAL_OFF });
    fault_inject(b.f, FAULT_SYNC | FAULT_SYNC_DIR, 0, -EIO, 0); /* never called */
    append_many(b.w, 0, 10);
    assert_int_equal(wal_wait(b.w, 10, 0), 0);
    struct replayed p;
    replay(b.f, &p);
    assert_int_equal(p.count, 10);
    teardown(&b);
}

static void test_sync_error_sticks(void **state)
{
    (void)state;
    struct bench b;
    struct wal_position cut[2];
    uint64_t seq;
    setup(&b, (struct wal_options){ .writers = 2 });
    append_many(b.w, 0, 2);
    append_many(b.w, 1, 2);
    assert_int_equal(wal_commit(b.w), 0);
    append_many(b.w, 1, 2);
    fault_inject(b.f, FAULT_SYNC, 0, -EIO, 1);
    assert_int_equal(wal_wait(b.w, 6, 0), -EIO);
    assert_int_equal(wal_durable(b.w), 4);
    assert_int_equal(wal_error(b.w), -EIO);
    /* The disk works again; that proves nothing. */
    assert_int_equal(wal_commit(b.w), -EIO);
    assert_int_equal(append_one(b.w, 1, &seq), -EIO);
    assert_int_equal(append_one(b.w, 0, &seq), 0); /* the other writer goes on, */
    assert_int_equal(wal_commit(b.w), -EIO);       /* but nothing more is promised */
    assert_int_equal(wal_durable(b.w), 4);
    assert_int_equal(wal_clear_error(b.w), -EBUSY);
    /* All is sealed up to a cut: the log begins anew. */
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(wal_rotate(b.w, i, &cut[i]), 0);
    assert_int_equal(wal_clear_error(b.w), 0);
    append_many(b.w, 1, 1);
    assert_int_equal(wal_wait(b.w, 8, 0), 0);
    assert_int_equal(wal_durable(b.w), 8);
    struct replayed p;
    assert_int_equal(replay_from(b.f, cut, 2, &p), 0);
    assert_int_equal(p.count, 1);
    assert_int_equal(p.seqs[0], 8);
    teardown(&b);
}

static void test_dir_sync_error_sticks(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, (struct wal_options){ .writers = 1 });
    append_many(b.w, 0, 1);
    fault_inject(b.f, FAULT_SYNC_DIR, 0, -EIO, 1);
    assert_int_equal(wal_commit(b.w), -EIO);
    assert_int_equal(wal_commit(b.w), -EIO);
    assert_int_equal(wal_durable(b.w), 0);
    teardown(&b);
}

static void test_write_error_sticks(void **state)
{
    (void)state;
    struct bench b;
    struct wal_position cut;
    setup(&b, (struct wal_options){ .writers = 1 });
    append_many(b.w, 0, 5);
    fault_inject(b.f, FAULT_WRITE, 0, -EIO, 1);
    assert_int_equal(wal_commit(b.w), -EIO);
    assert_int_equal(wal_error(b.w), -EIO);
    assert_int_equal(wal_rotate(b.w, 0, &cut), 0);
    assert_int_equal(wal_clear_error(b.w), 0);
    append_many(b.w, 0, 1);
    assert_int_equal(wal_commit(b.w), 0);
    teardown(&b);
}

static void test_short_writes(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, (struct wal_options){ .writers = 1 });
    append_many(b.w, 0, 20);
    fault_inject(b.f, FAULT_WRITE, 0, FAULT_SHORT, 8);
    assert_int_equal(wal_commit(b.w), 0);
    struct replayed p;
    replay(b.f, &p);
    assert_int_equal(p.count, 20);
    teardown(&b);
}

/* A full disk: what was taken stays in memory up to the buffer, then the caller keeps it; space heals everything. */
static void test_disk_full(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, (struct wal_options){ .writers = 1, .buffer_size = 8192, .segment_size = 10000 });
    append_many(b.w, 0, 20);
    assert_int_equal(wal_commit(b.w), 0);
    fault_capacity(b.f, 5000);
    uint64_t seq, taken = 20;
    int rc = 0;
    while ((rc = append_one(b.w, 0, &seq)) == 0)
        taken++;
    assert_int_equal(rc, -ENOSPC);
    assert_true(taken > 30);
    assert_int_equal(wal_wait(b.w, taken, 0), -ENOSPC);
    assert_int_equal(wal_error(b.w), 0);
    assert_int_equal(wal_durable(b.w), 20);
    struct wal_position cut;
    assert_int_equal(wal_rotate(b.w, 0, &cut), -ENOSPC);
    struct wal_stats s;
    wal_stats(b.w, &s);
    assert_true(s.write_errors > 0);
    assert_true(s.buffered <= 8192);
    fault_capacity(b.f, 0);
    append_many(b.w, 0, 50);
    assert_int_equal(wal_wait(b.w, taken + 50, 0), 0);
    struct replayed p;
    replay(b.f, &p);
    assert_int_equal(p.count, taken + 50);
    assert_int_equal(p.loss_count, 0);
    teardown(&b);
}

static void test_no_file_handles(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, (struct wal_options){ .writers = 1 });
    append_many(b.w, 0, 1);
    fault_inject(b.f, FAULT_OPEN, 0, -EMFILE, 1);
    assert_int_equal(wal_commit(b.w), -EMFILE);
    assert_int_equal(wal_commit(b.w), 0); /* passes by itself */
    teardown(&b);
}

/* ------------------------------------------------------------------------------------------------ threads */

#define THREADS 4

struct shared {
    struct wal *w;
    struct fault_fs *f;
    _Atomic uint64_t highest_promised, told;
    _Atomic unsigned next_writer;
};

static void on_commit(void *arg, uint64_t durable, int error)
{
    struct shared *s = arg;
    assert_int_equal(error, 0);
    assert_true(durable >= atomic_load(&s->told));
    atomic_store(&s->told, durable);
}

static void *appender(void *arg)
{
    struct shared *s = arg;
    unsigned writer = atomic_fetch_add(&s->next_writer, 1);
    uint8_t frame[64] = { (uint8_t)writer };
    const struct wal_record batch[3] = { { .frame = frame, .len = 64 },
                                         { .frame = frame, .len = 1 },
                                         { .frame = frame, .len = 0 } };
    uint64_t first;
    struct wal_position cut;
    for (int i = 0; i < 300; i++) {
        if (wal_append(s->w, writer, batch, 3, &first) != 0)
            abort();
        if (i % 100 == 99 && wal_rotate(s->w, writer, &cut) != 0)
            abort();
        if (i % 50 == 0) {
            if (wal_wait(s->w, first + 2, 10000000) != 0 || wal_durable(s->w) < first + 2)
                abort();
        }
    }
    return NULL;
}

static int count_record(void *arg, const struct wal_record *r, unsigned worker)
{
    uint64_t *last = arg;
    assert_int_equal(r->seq, *last + 1);
    if (r->len > 0)
        assert_int_equal(r->frame[0], worker);
    *last = r->seq;
    return 0;
}

static void test_threads(void **state)
{
    (void)state;
    struct shared s = { .f = fault_new(9) };
    pthread_t threads[THREADS];
    s.w = open_wal(s.f, (struct wal_options){ .writers = THREADS,
                                              .interval_us = 3000,
                                              .gap_us = 500,
                                              .buffer_size = 4096,
                                              .segment_size = 8192,
                                              .on_commit = on_commit,
                                              .arg = &s });
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, appender, &s), 0);
    for (int i = 0; i < 20; i++) {
        struct wal_stats stats;
        wal_stats(s.w, &stats);
        (void)wal_commit(s.w);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(wal_wait(s.w, THREADS * 900, 10000000), 0);
    assert_int_equal(wal_close(s.w), 0);
    uint64_t last = 0;
    struct wal_replay_stats stats;
    const struct wal_replay_options o = { .vfs = fault_vfs(s.f), .dir = DIR, .record = count_record, .arg = &last };
    fault_crash(s.f, 5);
    assert_int_equal(wal_replay(&o, &stats, NULL), 0);
    assert_int_equal(last, THREADS * 900);
    fault_free(s.f);
}

static void test_wait_times_out(void **state)
{
    (void)state;
    struct fault_fs *f = fault_new(9);
    struct wal *w = open_wal(f, (struct wal_options){ .writers = 1 });
    assert_int_equal(wal_wait(w, 1, 5000), -ETIMEDOUT); /* nobody appended it */
    append_many(w, 0, 1);
    assert_int_equal(wal_wait(w, 1, 10000000), 0);
    fault_inject(f, FAULT_SYNC, 0, -EIO, 1);
    append_many(w, 0, 1);
    assert_int_equal(wal_wait(w, 2, 10000000), -EIO);
    assert_int_equal(wal_wait(w, 2, 10000000), -EIO);
    assert_int_equal(wal_close(w), -EIO);
    fault_free(f);
}

/* The same on the disk of this machine. */
static void test_real_files(void **state)
{
    (void)state;
    char dir[] = "/tmp/hepcat-wal-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/a/b", dir);
    struct wal *w;
    struct errmsg err;
    const struct wal_options o = { .dir = path, .writers = 2 };
    assert_int_equal(wal_open(&w, &o, &err), 0);
    append_many(w, 0, 10);
    append_many(w, 1, 10);
    assert_int_equal(wal_wait(w, 20, 10000000), 0);
    struct wal_position cut[2];
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(wal_rotate(w, i, &cut[i]), 0);
    struct replayed *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    const struct wal_replay_options ro = { .dir = path, .record = on_record, .loss = on_loss, .arg = p };
    assert_int_equal(wal_replay(&ro, &p->stats, &err), 0);
    assert_int_equal(p->count, 20);
    assert_int_equal(wal_drop(w, cut, 2), 0);
    assert_int_equal(wal_close(w), 0);
    const struct vfs *v = vfs_posix();
    assert_int_equal(vfs_rmdir(v, path), 0); /* the segments are gone */
    *strrchr(path, '/') = '\0';
    assert_int_equal(vfs_rmdir(v, path), 0);
    assert_int_equal(vfs_rmdir(v, dir), 0);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interval),
        cmocka_unit_test(test_asked_for),
        cmocka_unit_test(test_always),
        cmocka_unit_test(test_power_loss),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_sync_error_sticks),
        cmocka_unit_test(test_dir_sync_error_sticks),
        cmocka_unit_test(test_write_error_sticks),
        cmocka_unit_test(test_short_writes),
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_no_file_handles),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_wait_times_out),
        cmocka_unit_test(test_real_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
