/*
 * Everything at once on real files: writers, the log's thread, the thread that compresses, sealing, merging, readers.
 * Each pin shows every row that was taken before it, each once, and never fewer than the pin before. For
 * ThreadSanitizer above all.
 */
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "store/lake/internal.h"
#include "store/parquet/reader.h"
#include "test_engine_util.h"

#define WRITERS  3u
#define READERS  2u
#define ROWS     2500u /* of a writer, in each phase */
#define PHASES   2u
#define ROWS_MAX (WRITERS * ROWS * PHASES)
#define FILES    4096u
#define RECEIVED INT64_C(1700000000000000)

struct writer {
    struct world *w;
    unsigned number;
    _Atomic size_t count; /* of rows that were taken */
    uint64_t seq[ROWS * PHASES];
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool woken;
};

struct world {
    char dir[64], wal_dir[80];
    struct store *store;
    struct engine *engine;
    _Atomic(struct engine *) room;
    struct lake_start start;
    struct writer writers[WRITERS];
    bool by_clock; /* seals come by themselves */
    atomic_bool done;
    atomic_uint pins;
};

/* ------------------------------------------------------------------------------------------------ start and stop */

static void on_room(void *arg)
{
    struct world *w = arg;
    engine_room(atomic_load(&w->room));
}

static void on_event(void *arg, bool error, const char *text)
{
    (void)arg;
    if (error)
        print_error("%s\n", text);
    assert_false(error);
}

static void on_wake(void *arg)
{
    struct writer *wr = arg;
    pthread_mutex_lock(&wr->lock);
    wr->woken = true;
    pthread_cond_signal(&wr->cond);
    pthread_mutex_unlock(&wr->lock);
}

static void start(struct world *w, uint64_t seal_interval_us, size_t hot_limit)
{
    struct errmsg err = { "" };
    const struct lake_options lo = {
        .data_dir = w->dir, .node = 0xbeef, .writers = WRITERS, .hot_limit = hot_limit, .room = on_room, .arg = w
    };
    if (lake_open(&w->store, &lo, &w->start, &err) != 0)
        fail_msg("%s", err.text);
    const struct engine_options eo = {
        .data_dir = w->dir,
        .wal_dir = w->wal_dir,
        .store = w->store,
        .writers = WRITERS,
        .from = w->start.positions,
        .from_count = w->start.position_count,
        .max_seq = w->start.max_seq,
        .wal_interval_us = 5000,
        .wal_segment_size = 200000,
        .wal_buffer_size = 100000,
        .seal_interval_us = seal_interval_us,
        .tend_interval_us = 10000,
        .event = on_event,
    };
    if (engine_open(&w->engine, &eo, &err) != 0)
        fail_msg("%s", err.text);
    atomic_store(&w->room, w->engine);
    const struct sink *sink = engine_sink(w->engine);
    for (unsigned i = 0; i < WRITERS; i++)
        sink->ops->on_wake(sink->ctx, i, on_wake, &w->writers[i]);
}

static void stop(struct world *w)
{
    struct errmsg err = { "" };
    if (engine_close(w->engine, &err) != 0)
        fail_msg("%s", err.text);
    atomic_store(&w->room, NULL);
    w->store->ops->close(w->store);
}

/* ------------------------------------------------------------------------------------------------ writers */

static void wait_for_room(struct writer *wr)
{
    pthread_mutex_lock(&wr->lock);
    while (!wr->woken)
        pthread_cond_wait(&wr->cond, &wr->lock);
    wr->woken = false;
    pthread_mutex_unlock(&wr->lock);
}

static uint64_t seals(const struct world *w)
{
    struct store_figures figures;
    w->store->ops->figures(w->store, &figures);
    return figures.seals;
}

static void wait_for_seal(const struct world *w)
{
    for (uint64_t before = seals(w); seals(w) == before;)
        sched_yield();
}

static void write_row(struct writer *wr, struct record_reader *reader, size_t i)
{
    struct message m;
    const struct sink *sink = engine_sink(wr->w->engine);
    message_make(&m, i * WRITERS + wr->number, RECEIVED + (int64_t)i * 2000000); /* more than an hour in a phase */
    enum sink_result rc = message_put(sink, wr->number, reader, &m, &wr->seq[i]);
    while (rc == SINK_FULL) {
        wait_for_room(wr);
        rc = message_put(sink, wr->number, reader, &m, &wr->seq[i]);
    }
    assert_int_equal(rc, SINK_OK);
    atomic_store_explicit(&wr->count, i + 1, memory_order_release);
}

static void *writer(void *arg)
{
    struct writer *wr = arg;
    const struct sink *sink = engine_sink(wr->w->engine);
    struct record_reader *reader = record_reader_new(&(struct record_options){ .header_count = 0 });
    size_t first = atomic_load(&wr->count);
    assert_non_null(reader);
    for (size_t i = first; i < first + ROWS; i++) {
        write_row(wr, reader, i);
        if (i % 100 == 99)
            sink->ops->request(sink->ctx, wr->seq[i]);
        if (i % 250 == 249) { /* the others get a turn */
            unsigned pins = atomic_load(&wr->w->pins);
            while (atomic_load(&wr->w->pins) < pins + READERS)
                sched_yield();
            if (wr->w->by_clock)
                wait_for_seal(wr->w);
        }
    }
    record_reader_free(reader);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ readers */

/* Files never change: what was read of one once is known. */
struct known {
    char path[MANIFEST_PATH_MAX];
    uint64_t *seq;
    size_t rows;
};

struct reader {
    struct world *w;
    struct known files[FILES];
    size_t count;
    uint8_t seen[ROWS_MAX + 1];
    size_t least; /* rows that the last pin had */
};

static int source_read(void *ctx, uint64_t offset, void *to, size_t len)
{
    return vfs_read_at(vfs_posix(), *(int *)ctx, to, len, offset) == (int64_t)len ? 0 : -1;
}

static void learn_file(struct known *k, const struct lake *lake, const struct manifest_file *f)
{
    char full[VFS_PATH_MAX], text[256];
    struct pq_reader *r;
    struct pq_slice v;
    assert_int_equal(vfs_join(full, lake->dir, f->path), 0);
    int file = vfs_open(vfs_posix(), full, VFS_READ);
    assert_true(file >= 0);
    if (pq_reader_open(&r, &(struct pq_source){ source_read, &file, f->bytes }, NULL, text) != PQ_OK)
        fail_msg("%s: %s", f->path, text);
    assert_int_equal(pq_reader_rows(r), f->rows);
    assert_int_equal(pq_reader_verify(r), PQ_OK);
    (void)snprintf(k->path, sizeof(k->path), "%s", f->path);
    k->rows = f->rows;
    k->seq = calloc(k->rows, sizeof(*k->seq));
    assert_non_null(k->seq);
    for (uint64_t n = 0; n < k->rows; n++) {
        size_t group, row;
        assert_int_equal(pq_reader_locate(r, n, &group, &row), PQ_OK);
        assert_int_equal(pq_reader_value(r, group, RECORD_COL_seq, row, &v), PQ_OK);
        k->seq[n] = (uint64_t)pq_as_int64(v);
    }
    pq_reader_free(r);
    (void)vfs_close(vfs_posix(), file);
}

static const struct known *know_file(struct reader *r, const struct lake *lake, const struct manifest_file *f)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->files[i].path, f->path) == 0)
            return &r->files[i];
    assert_true(r->count < FILES);
    learn_file(&r->files[r->count], lake, f);
    return &r->files[r->count++];
}

static void see(struct reader *r, uint64_t seq)
{
    assert_true(seq > 0 && seq <= ROWS_MAX);
    if (r->seen[seq]++ != 0)
        fail_msg("row %llu is there twice", (unsigned long long)seq);
}

static size_t see_groups(struct reader *r, const struct store_pin *pin)
{
    size_t rows = 0;
    for (size_t g = 0; g < pin->group_count; g++)
        for (size_t n = 0; n < pin->rows[g]; n++, rows++) {
            struct group_scratch scratch;
            struct record_cell cell;
            group_cell(pin->groups[g], RECORD_COL_seq, n, &cell, &scratch);
            see(r, (uint64_t)cell.number);
        }
    return rows;
}

static void look(struct reader *r)
{
    struct world *w = r->w;
    struct store_pin *pin;
    size_t taken[WRITERS], rows;
    for (unsigned i = 0; i < WRITERS; i++)
        taken[i] = atomic_load_explicit(&w->writers[i].count, memory_order_acquire);
    assert_int_equal(w->store->ops->pin(w->store, &pin), 0);
    memset(r->seen, 0, sizeof(r->seen));
    rows = see_groups(r, pin);
    for (size_t i = 0; i < manifest_pin_count(pin->files); i++) {
        const struct known *k = know_file(r, pin->lake, manifest_pin_file(pin->files, i));
        for (size_t n = 0; n < k->rows; n++)
            see(r, k->seq[n]);
        rows += k->rows;
    }
    for (unsigned i = 0; i < WRITERS; i++)
        for (size_t n = 0; n < taken[i]; n++)
            assert_int_equal(r->seen[w->writers[i].seq[n]], 1);
    assert_true(rows >= r->least);
    r->least = rows;
    w->store->ops->unpin(w->store, pin);
    atomic_fetch_add(&w->pins, 1);
}

static void *reader(void *arg)
{
    struct reader *r = arg;
    struct world *w = r->w;
    while (!atomic_load(&w->done)) {
        struct store_figures figures;
        struct engine_figures numbers;
        look(r);
        w->store->ops->figures(w->store, &figures);
        engine_figures(w->engine, &numbers);
        assert_true(numbers.durable <= numbers.last_seq);
        assert_int_equal(numbers.wal_error, 0);
    }
    return NULL;
}

static struct reader *reader_new(struct world *w)
{
    struct reader *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    r->w = w;
    return r;
}

static void reader_free(struct reader *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->files[i].seq);
    free(r);
}

/* ------------------------------------------------------------------------------------------------ the test */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void run(struct world *w, struct reader *readers[READERS])
{
    pthread_t writing[WRITERS], reading[READERS];
    atomic_store(&w->done, false);
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&reading[i], NULL, reader, readers[i]), 0);
    for (unsigned i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&writing[i], NULL, writer, &w->writers[i]), 0);
    for (unsigned i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(writing[i], NULL), 0);
    assert_int_equal(engine_seal(w->engine, NULL), 0);
    atomic_store(&w->done, true);
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(reading[i], NULL), 0);
}

static void test_everything_at_once(void **state)
{
    (void)state;
    static const struct {
        uint64_t seal_interval_us;
        size_t hot_limit;
    } phases[PHASES] = { { 5000, 0 }, { 60000000, (size_t)20 << 20 } }; /* by the clock; when memory is short */
    struct store_figures figures;
    struct world *w = calloc(1, sizeof(*w));
    struct reader *readers[READERS];
    assert_non_null(w);
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/hepcat-threads-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(w->wal_dir, sizeof(w->wal_dir), "%s/wal", w->dir);
    for (unsigned i = 0; i < WRITERS; i++) {
        w->writers[i].w = w;
        w->writers[i].number = i;
        pthread_mutex_init(&w->writers[i].lock, NULL);
        pthread_cond_init(&w->writers[i].cond, NULL);
    }
    for (unsigned i = 0; i < READERS; i++)
        readers[i] = reader_new(w);
    for (unsigned i = 0; i < PHASES; i++) {
        w->by_clock = i == 0;
        start(w, phases[i].seal_interval_us, phases[i].hot_limit);
        run(w, readers);
        w->store->ops->figures(w->store, &figures);
        assert_int_equal(figures.appended, WRITERS * ROWS);
        assert_true(figures.seals > 1);
        if (i == 0)
            while (figures.merges == 0)
                w->store->ops->figures(w->store, &figures);
        stop(w);
    }
    start(w, 0, 0);
    look(readers[0]);
    assert_int_equal(readers[0]->least, ROWS_MAX);
    stop(w);
    for (unsigned i = 0; i < READERS; i++)
        reader_free(readers[i]);
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_mutex_destroy(&w->writers[i].lock);
        pthread_cond_destroy(&w->writers[i].cond);
    }
    (void)nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_everything_at_once) };
    return cmocka_run_group_tests_name("engine threads", tests, NULL, NULL);
}
