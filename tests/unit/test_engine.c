/*
 * The engine over a store in memory and the file system that loses power: what is durable, what a seal takes, what
 * comes back after a crash, and what happens while the log or the store refuses.
 */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "engine/engine.h"
#include "fault_vfs.h"
#include "testlib.h"

#define WRITERS  3
#define ROWS_MAX 20000
#define WAL_DIR  "/data/wal"

/* ------------------------------------------------------------------------------------------------ a store */

/* Rows by number. "Sealed" survives a crash, as the real store's files do. */
struct memory {
    struct store base;
    pthread_mutex_t lock;
    uint64_t hot[WRITERS][ROWS_MAX];
    size_t hot_count[WRITERS];
    uint64_t sealed[ROWS_MAX];
    size_t sealed_count;
    struct wal_position positions[WRITERS];
    uint64_t max_seq;
    int fail_seal; /* negative errno for seal_end() */
    bool full, pressed;
    unsigned seals;
};

struct store_seal {
    uint64_t rows[ROWS_MAX];
    size_t count;
    struct wal_position positions[WRITERS];
    size_t cuts;
};

static int mem_append(struct store *s, unsigned writer, const struct record *record)
{
    struct memory *m = (struct memory *)s;
    pthread_mutex_lock(&m->lock);
    assert_true(m->hot_count[writer] < ROWS_MAX);
    m->hot[writer][m->hot_count[writer]++] = record->seq;
    pthread_mutex_unlock(&m->lock);
    return 0;
}

static bool mem_full(struct store *s)
{
    return ((struct memory *)s)->full;
}

static bool mem_pressed(struct store *s)
{
    return ((struct memory *)s)->pressed;
}

static int mem_seal_begin(struct store *s, struct store_seal **ret)
{
    (void)s;
    *ret = calloc(1, sizeof(**ret));
    return *ret == NULL ? -ENOMEM : 0;
}

static void mem_seal_cut(struct store *s, struct store_seal *seal, unsigned writer, const struct wal_position *position)
{
    struct memory *m = (struct memory *)s;
    pthread_mutex_lock(&m->lock);
    memcpy(seal->rows + seal->count, m->hot[writer], m->hot_count[writer] * sizeof(uint64_t));
    seal->count += m->hot_count[writer];
    m->hot_count[writer] = 0;
    seal->positions[seal->cuts++] = *position;
    pthread_mutex_unlock(&m->lock);
}

static size_t mem_seal_rows(const struct store_seal *seal)
{
    return seal->count;
}

static size_t mem_seal_positions(const struct store_seal *seal, const struct wal_position **ret)
{
    *ret = seal->positions;
    return seal->cuts;
}

static int mem_seal_end(struct store *s, struct store_seal *seal, uint64_t max_seq, struct errmsg *err)
{
    struct memory *m = (struct memory *)s;
    if (m->fail_seal != 0) {
        (void)errmsg_set(err, "told to fail");
        return m->fail_seal;
    }
    memcpy(m->sealed + m->sealed_count, seal->rows, seal->count * sizeof(uint64_t));
    m->sealed_count += seal->count;
    for (size_t i = 0; i < seal->cuts; i++)
        m->positions[seal->positions[i].worker] = seal->positions[i];
    m->max_seq = max_seq;
    m->seals++;
    return 0;
}

static void mem_seal_free(struct store_seal *seal)
{
    free(seal);
}

static int mem_tend(struct store *s, int64_t now_us, struct errmsg *err)
{
    (void)s;
    (void)now_us;
    (void)err;
    return 0;
}

static const struct store_ops mem_ops = {
    .append = mem_append,
    .full = mem_full,
    .pressed = mem_pressed,
    .seal_begin = mem_seal_begin,
    .seal_cut = mem_seal_cut,
    .seal_rows = mem_seal_rows,
    .seal_positions = mem_seal_positions,
    .seal_end = mem_seal_end,
    .seal_free = mem_seal_free,
    .tend = mem_tend,
};

static struct memory *memory_new(void)
{
    struct memory *m = calloc(1, sizeof(*m));
    assert_non_null(m);
    m->base.ops = &mem_ops;
    pthread_mutex_init(&m->lock, NULL);
    for (unsigned i = 0; i < WRITERS; i++)
        m->positions[i] = (struct wal_position){ i, 0 };
    return m;
}

/* ------------------------------------------------------------------------------------------------ set-up */

struct world {
    struct fault_fs *fs;
    struct memory *store;
    struct engine *engine;
    unsigned wakes;
    unsigned errors, recoveries;
};

static void on_event(void *arg, bool error, const char *text)
{
    struct world *w = arg;
    assert_true(strlen(text) > 0);
    w->errors += error;
    w->recoveries += !error;
}

static void start(struct world *w)
{
    const struct engine_options o = {
        .vfs = fault_vfs(w->fs),
        .wal_dir = WAL_DIR,
        .store = &w->store->base,
        .writers = WRITERS,
        .from = w->store->positions,
        .from_count = WRITERS,
        .max_seq = w->store->max_seq,
        .no_threads = true,
        .event = on_event,
        .arg = w,
    };
    struct errmsg err = { "" };
    if (engine_open(&w->engine, &o, &err) != 0)
        fail_msg("%s", err.text);
}

static struct world *world_new(uint64_t seed)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    w->fs = fault_new(seed);
    w->store = memory_new();
    start(w);
    return w;
}

static void world_free(struct world *w)
{
    (void)engine_close(w->engine, NULL);
    fault_free(w->fs);
    free(w->store);
    free(w);
}

/* Power loss: memory is gone, what was not synced maybe too. */
static void crash(struct world *w, uint64_t seed)
{
    struct errmsg err = { "" };
    w->store->fail_seal = -EIO; /* the end of a killed process seals nothing */
    fault_inject(w->fs, FAULT_CHANGES, 0, -EIO, 0);
    (void)engine_close(w->engine, &err);
    fault_clear(w->fs);
    fault_crash(w->fs, seed);
    w->store->fail_seal = 0;
    memset(w->store->hot_count, 0, sizeof(w->store->hot_count));
    start(w);
}

static enum sink_result put(struct world *w, unsigned writer, uint64_t *ret_seq)
{
    static const uint8_t src[4] = { 10, 0, 0, 1 };
    uint8_t octets[300];
    struct hep_msg msg;
    struct record r = { .table = RECORD_SIP };
    struct sink_frame f = { .data = octets, .received_us = INT64_C(1700000000000000), .transport = RECORD_UDP };
    hep_msg_init(&msg, HEP_TYPE_SIP);
    hep_set_src(&msg, src, 4, 5060);
    hep_set_dst(&msg, src, 4, 5060);
    hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, "OPTIONS", 7);
    assert_int_equal(hep_encode(&msg, octets, sizeof(octets), &f.len), HEP_OK);
    return sink_append(engine_sink(w->engine), writer, &f, &r, ret_seq);
}

static void put_many(struct world *w, size_t n)
{
    uint64_t seq;
    for (size_t i = 0; i < n; i++)
        assert_int_equal(put(w, (unsigned)(i % WRITERS), &seq), SINK_OK);
}

/* How often each number is there. */
static unsigned found[ROWS_MAX];

static void look(const struct world *w)
{
    memset(found, 0, sizeof(found));
    for (size_t i = 0; i < w->store->sealed_count; i++)
        found[w->store->sealed[i]]++;
    for (unsigned t = 0; t < WRITERS; t++)
        for (size_t i = 0; i < w->store->hot_count[t]; i++)
            found[w->store->hot[t][i]]++;
}

static void assert_once(const struct world *w, uint64_t first, uint64_t last)
{
    look(w);
    for (uint64_t i = first; i <= last; i++)
        if (found[i] != 1)
            fail_msg("row %llu is there %u times", (unsigned long long)i, found[i]);
}

static uint64_t durable(const struct world *w)
{
    return sink_durable(engine_sink(w->engine));
}

/* ------------------------------------------------------------------------------------------------ tests */

static void test_seal_and_restart(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    put_many(w, 100);
    assert_int_equal(engine_seal(w->engine, NULL), 0);
    assert_int_equal(w->store->sealed_count, 100);
    assert_int_equal(durable(w), 100);
    put_many(w, 50);
    struct errmsg err = { "" };
    assert_int_equal(engine_close(w->engine, &err), 0);
    assert_int_equal(w->store->sealed_count, 150);
    start(w);
    struct engine_figures figures;
    engine_figures(w->engine, &figures);
    assert_int_equal(figures.replayed, 0);
    uint64_t seq;
    assert_int_equal(put(w, 0, &seq), SINK_OK);
    assert_int_equal(seq, 151);
    assert_once(w, 1, 151);
    world_free(w);
}

static void test_crashes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct world *w = world_new(seed);
        static bool gone[ROWS_MAX]; /* lost in an earlier crash, without a promise broken */
        memset(gone, 0, sizeof(gone));
        uint64_t random = seed, promised = 0, seq = 0;
        for (unsigned round = 0; round < 4; round++) {
            for (unsigned step = 0; step < 60; step++) {
                size_t what = prng_below(&random, 20);
                w->store->fail_seal = prng_below(&random, 3) == 0 ? -EIO : 0;
                if (what == 0)
                    (void)engine_seal(w->engine, NULL);
                else
                    assert_int_equal(put(w, (unsigned)(what % WRITERS), &seq), SINK_OK);
            }
            promised = durable(w);
            crash(w, random);
            look(w);
            for (uint64_t i = 1; i <= seq; i++) {
                if (found[i] > 1 || (found[i] == 0 && i <= promised && !gone[i]))
                    fail_msg("seed %llu: row %llu of %llu durable is there %u times", (unsigned long long)seed,
                             (unsigned long long)i, (unsigned long long)promised, found[i]);
                gone[i] = found[i] == 0;
            }
        }
        world_free(w);
    }
}

/* The seal fails: nothing is lost, nothing is twice, and the log stays until it works. */
static void test_seal_fails(void **state)
{
    (void)state;
    struct world *w = world_new(2);
    struct errmsg err = { "" };
    put_many(w, 30);
    w->store->fail_seal = -ENOSPC;
    assert_int_equal(engine_seal(w->engine, &err), -ENOSPC);
    assert_string_equal(err.text, "told to fail");
    put_many(w, 30);
    assert_int_equal(engine_seal(w->engine, &err), -ENOSPC);
    struct engine_figures figures;
    engine_figures(w->engine, &figures);
    assert_int_equal(figures.seal_failures, 2);
    assert_int_equal(w->errors, 1);
    w->store->fail_seal = 0;
    assert_int_equal(engine_seal(w->engine, &err), 0);
    assert_int_equal(w->recoveries, 1);
    assert_once(w, 1, 60);
    assert_int_equal(w->store->sealed_count, 60);
    world_free(w);
}

static void test_seal_fails_then_crash(void **state)
{
    (void)state;
    struct world *w = world_new(3);
    put_many(w, 30);
    w->store->fail_seal = -EIO;
    (void)engine_seal(w->engine, NULL);
    put_many(w, 9);
    assert_int_equal(engine_close(w->engine, NULL), -EIO);
    memset(w->store->hot_count, 0, sizeof(w->store->hot_count));
    w->store->fail_seal = 0;
    start(w);
    struct engine_figures figures;
    engine_figures(w->engine, &figures);
    assert_int_equal(figures.replayed, 39);
    assert_once(w, 1, 39);
    world_free(w);
}

/* The log's disk is gone: rows go on in memory and are durable when they are sealed, not before. */
static void test_log_refuses(void **state)
{
    (void)state;
    struct world *w = world_new(4);
    uint64_t seq;
    put_many(w, 10);
    assert_int_equal(engine_seal(w->engine, NULL), 0);
    fault_inject(w->fs, FAULT_WRITE | FAULT_SYNC, 0, -EIO, 0);
    for (size_t i = 0; i < 6000; i++)
        assert_int_equal(put(w, 0, &seq), SINK_OK);
    struct engine_figures figures;
    engine_figures(w->engine, &figures);
    assert_true(figures.unlogged > 0);
    assert_true(durable(w) < seq);
    fault_clear(w->fs);
    assert_int_equal(engine_seal(w->engine, NULL), 0);
    assert_int_equal(durable(w), seq);
    engine_figures(w->engine, &figures);
    assert_int_equal(figures.wal_error, 0);
    assert_once(w, 1, seq);
    assert_int_equal(put(w, 0, &seq), SINK_OK);
    crash(w, 5);
    look(w);
    assert_true(found[seq] <= 1);
    world_free(w);
}

/* The same with nobody else to ask: the log's own thread does, and what waits is durable long before the interval. */
static void test_trouble_is_sealed(void **state)
{
    (void)state;
    struct world *w = world_new(9);
    uint64_t seq;
    (void)engine_close(w->engine, NULL);
    const struct engine_options o = { .vfs = fault_vfs(w->fs),
                                      .wal_dir = WAL_DIR,
                                      .store = &w->store->base,
                                      .writers = WRITERS,
                                      .from = w->store->positions,
                                      .from_count = WRITERS,
                                      .max_seq = w->store->max_seq,
                                      .wal_interval_us = 1000 };
    assert_int_equal(engine_open(&w->engine, &o, NULL), 0);
    fault_inject(w->fs, FAULT_SYNC, 0, -EIO, 0);
    assert_int_equal(put(w, 0, &seq), SINK_OK);
    while (durable(w) < seq)
        (void)usleep(1000);
    assert_int_equal(w->store->sealed_count, 1);
    fault_clear(w->fs);
    world_free(w);
}

static void test_full(void **state)
{
    (void)state;
    struct world *w = world_new(6);
    uint64_t seq;
    w->store->full = true;
    assert_int_equal(put(w, 0, &seq), SINK_FULL);
    w->store->full = false;
    assert_int_equal(put(w, 0, &seq), SINK_OK);
    assert_int_equal(seq, 1);
    world_free(w);
}

/* A former start had more writers than this one asks for. */
static void test_writers_left_over(void **state)
{
    (void)state;
    struct world *w = world_new(7);
    put_many(w, 9);
    w->store->fail_seal = -EIO;
    (void)engine_close(w->engine, NULL);
    w->store->fail_seal = 0;
    assert_int_equal(engine_writers(fault_vfs(w->fs), WAL_DIR, 1), WRITERS);
    assert_int_equal(engine_writers(fault_vfs(w->fs), WAL_DIR, 8), 8);
    assert_int_equal(engine_writers(fault_vfs(w->fs), "/none", 2), 2);
    memset(w->store->hot_count, 0, sizeof(w->store->hot_count));
    start(w);
    assert_once(w, 1, 9);
    world_free(w);
}

/* ------------------------------------------------------------------------------------------------ with threads */

struct producer {
    struct world *w;
    unsigned writer;
};

static void *produce(void *arg)
{
    const struct producer *p = arg;
    uint64_t seq;
    for (size_t i = 0; i < 3000; i++)
        if (put(p->w, p->writer, &seq) != SINK_OK)
            return arg;
    return NULL;
}

static void wake(void *arg)
{
    __atomic_fetch_add((unsigned *)arg, 1, __ATOMIC_RELAXED);
}

static void test_threads(void **state)
{
    (void)state;
    struct world *w = world_new(8);
    (void)engine_close(w->engine, NULL);
    const struct engine_options o = {
        .vfs = fault_vfs(w->fs),
        .wal_dir = WAL_DIR,
        .store = &w->store->base,
        .writers = WRITERS,
        .from = w->store->positions,
        .from_count = WRITERS,
        .max_seq = w->store->max_seq,
        .wal_interval_us = 1000,
        .seal_interval_us = 3000,
        .event = on_event,
        .arg = w,
    };
    pthread_t threads[WRITERS];
    struct producer producers[WRITERS];
    assert_int_equal(engine_open(&w->engine, &o, NULL), 0);
    const struct sink *sink = engine_sink(w->engine);
    sink->ops->on_wake(sink->ctx, 1, wake, &w->wakes);
    for (unsigned i = 0; i < WRITERS; i++) {
        producers[i] = (struct producer){ w, i };
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    uint64_t last = 3000 * WRITERS;
    sink->ops->request(sink->ctx, last);
    while (durable(w) < last)
        sched_yield();
    assert_int_equal(engine_close(w->engine, NULL), 0);
    assert_true(w->wakes > 0);
    assert_once(w, 1, last);
    assert_int_equal(w->store->sealed_count, last);
    assert_true(w->store->seals > 1);
    w->engine = NULL;
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seal_and_restart),
        cmocka_unit_test(test_crashes),
        cmocka_unit_test(test_seal_fails),
        cmocka_unit_test(test_seal_fails_then_crash),
        cmocka_unit_test(test_log_refuses),
        cmocka_unit_test(test_trouble_is_sealed),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_writers_left_over),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
