/*
 * From memory to files: the same rows, each once, whatever call fails and whenever the power goes; what a file says of
 * itself is enough to make a lost MANIFEST anew.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "store/lake/datadir.h"
#include "store/lake/footer.h"
#include "test_lake_files.h"

#define DATA    "/data"
#define WRITERS 2
#define SEED    3

struct lab {
    struct fault_fs *fs;
    struct store *store;
    struct lake_start start;
    uint64_t last;    /* number of the last row appended */
    uint64_t segment; /* of the WAL that is in use */
    struct seen seen;
    struct row row;
    unsigned events;
};

static void on_event(void *arg, const char *what, const char *path, const char *text)
{
    struct lab *lab = arg;
    (void)what;
    (void)path;
    (void)text;
    lab->events++;
}

static int open_store(struct lab *lab, struct errmsg *err)
{
    const struct lake_options o = { .vfs = fault_vfs(lab->fs),
                                    .data_dir = DATA,
                                    .node = 0xbeef,
                                    .writers = WRITERS,
                                    .no_threads = true,
                                    .event = on_event,
                                    .arg = lab };
    int rc = lake_open(&lab->store, &o, &lab->start, err);
    if (rc != 0)
        lab->store = NULL;
    return rc;
}

static struct lab *lab_new(uint64_t seed)
{
    struct errmsg err = { "" };
    struct lab *lab = calloc(1, sizeof(*lab));
    assert_non_null(lab);
    lab->fs = fault_new(seed);
    fault_capacity(lab->fs, 32 << 20); /* no room for the reserve, which would only cost time */
    lab->seen = (struct seen){ .seed = SEED, .hour = ROW_HOUR, .cells = true };
    lab->segment = 1;
    assert_int_equal(open_store(lab, &err), 0);
    return lab;
}

static void close_store(struct lab *lab)
{
    if (lab->store != NULL)
        lab->store->ops->close(lab->store);
    lab->store = NULL;
}

static void lab_free(struct lab *lab)
{
    close_store(lab);
    assert_int_equal(fault_open_files(lab->fs), 0);
    fault_free(lab->fs);
    free(lab);
}

static void append(struct lab *lab, enum record_table table, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        row_make(&lab->row, SEED, table, ++lab->last, ROW_HOUR);
        assert_int_equal(lab->store->ops->append(lab->store, lab->last % WRITERS, &lab->row.record), 0);
    }
}

static struct store_seal *cut(struct lab *lab)
{
    struct store_seal *seal;
    assert_int_equal(lab->store->ops->seal_begin(lab->store, &seal), 0);
    lab->segment++;
    for (unsigned i = 0; i < WRITERS; i++)
        lab->store->ops->seal_cut(lab->store, seal, i, &(struct wal_position){ i, lab->segment });
    return seal;
}

static int end(struct lab *lab, struct store_seal *seal)
{
    struct errmsg err = { "" };
    int rc = lab->store->ops->seal_end(lab->store, seal, lab->last, &err);
    assert_true((rc != 0) == (err.text[0] != '\0'));
    return rc;
}

static void seal_all(struct lab *lab)
{
    struct store_seal *seal = cut(lab);
    assert_int_equal(end(lab, seal), 0);
    lab->store->ops->seal_free(seal);
}

static uint64_t start_segment(const struct lab *lab)
{
    for (size_t i = 1; i < lab->start.position_count; i++)
        assert_int_equal(lab->start.positions[i].segment, lab->start.positions[0].segment);
    return lab->start.position_count > 0 ? lab->start.positions[0].segment : 0;
}

/* ------------------------------------------------------------------------------------------------ */

static void test_rows_of_all_tables(void **state)
{
    (void)state;
    struct errmsg err;
    struct lab *lab = lab_new(1);
    struct store_figures f;
    for (unsigned round = 0; round < 2; round++)
        for (unsigned t = 0; t < RECORD_TABLES; t++) {
            /* see_file_row() knows the table by the file: number and table make the row */
            append(lab, t, t == RECORD_SIP ? 600 : 150);
        }
    assert_rows(lab->store, &lab->seen, 1, lab->last);
    assert_int_equal(lab->seen.hot, lab->last);
    struct store_seal *seal = cut(lab);
    assert_int_equal(lab->store->ops->seal_rows(seal), lab->last);
    uint64_t sealed = lab->last;
    append(lab, RECORD_SIP, 40); /* behind the cut */
    assert_int_equal(end(lab, seal), 0);
    lab->store->ops->seal_free(seal);
    assert_rows(lab->store, &lab->seen, 1, lab->last);
    assert_int_equal(lab->seen.hot, 40);
    lab->store->ops->figures(lab->store, &f);
    assert_int_equal(f.files, RECORD_TABLES);
    assert_int_equal(f.hot_rows, 40);
    assert_int_equal(f.appended, lab->last);
    assert_int_equal(f.rows[RECORD_SIP], 1200);
    assert_int_equal(f.seals, 1);
    assert_true(f.oldest_us >= (int64_t)ROW_HOUR * ROW_HOUR_US - 5000 && f.oldest_us < INT64_MAX);
    close_store(lab);
    assert_int_equal(open_store(lab, &err), 0);
    assert_rows(lab->store, &lab->seen, 1, sealed);
    assert_int_equal(start_segment(lab), lab->segment);
    assert_int_equal(lab->start.max_seq, lab->last);
    lab_free(lab);
}

static void test_hours_and_sources_apart(void **state)
{
    (void)state;
    struct lab *lab = lab_new(2);
    struct store_figures f;
    for (unsigned i = 0; i < 60; i++) {
        row_make(&lab->row, SEED, RECORD_LOG, ++lab->last, ROW_HOUR + i % 3);
        lab->row.record.source = i % 2;
        assert_int_equal(lab->store->ops->append(lab->store, 0, &lab->row.record), 0);
    }
    seal_all(lab);
    lab->store->ops->figures(lab->store, &f);
    assert_int_equal(f.files, 6);
    assert_int_equal(f.rows[RECORD_LOG], 60);
    struct store_pin *pin;
    assert_int_equal(lab->store->ops->pin(lab->store, &pin), 0);
    assert_true(strncmp(manifest_pin_file(pin->files, 0)->path, "log/date=2023-11-14/hour=22/", 28) == 0);
    assert_int_equal(manifest_pin_file(pin->files, 5)->hour, ROW_HOUR + 2);
    assert_non_null(strstr(manifest_pin_file(pin->files, 5)->path, "/date=2023-11-15/hour=00/"));
    lab->store->ops->unpin(lab->store, pin);
    lab_free(lab);
}

/* A writer that is not cut keeps its rows for the next seal. */
static void test_partial_cut(void **state)
{
    (void)state;
    struct lab *lab = lab_new(3);
    struct store_seal *seal;
    append(lab, RECORD_OTHER, 50);
    assert_int_equal(lab->store->ops->seal_begin(lab->store, &seal), 0);
    lab->store->ops->seal_cut(lab->store, seal, 1, &(struct wal_position){ 1, 7 });
    assert_int_equal(lab->store->ops->seal_rows(seal), 25);
    append(lab, RECORD_OTHER, 10);
    assert_int_equal(end(lab, seal), 0);
    const struct wal_position *p;
    assert_int_equal(lab->store->ops->seal_positions(seal, &p), 1);
    assert_int_equal(p[0].segment, 7);
    lab->store->ops->seal_free(seal);
    assert_rows(lab->store, &lab->seen, 1, 60);
    assert_int_equal(lab->seen.hot, 35);
    lab->segment = 7;
    seal_all(lab);
    assert_rows(lab->store, &lab->seen, 1, 60);
    assert_int_equal(lab->seen.hot, 0);
    lab_free(lab);
}

static void test_nothing_to_seal(void **state)
{
    (void)state;
    struct lab *lab = lab_new(4);
    struct manifest_stats a, b;
    seal_all(lab);
    manifest_stats(((struct lake *)lab->store)->manifest, &a);
    lab->segment--; /* the same positions once more */
    seal_all(lab);
    manifest_stats(((struct lake *)lab->store)->manifest, &b);
    assert_int_equal(a.commits, 1); /* for the positions */
    assert_int_equal(b.commits, 1);
    lab_free(lab);
}

/* ------------------------------------------------------------------------------------------------ faults */

static void fill_small(struct lab *lab)
{
    append(lab, RECORD_SIP, 30);
    append(lab, RECORD_MEDIA, 20);
}

/* Each call that changes the disk fails in turn; the seal is tried again and goes through, and so does the next. */
static void test_every_call_fails(void **state)
{
    (void)state;
    static const struct {
        unsigned ops;
        int error;
    } faults[] = { { FAULT_CHANGES, -EIO }, { FAULT_CHANGES, -ENOSPC }, { FAULT_WRITE, FAULT_SHORT } };
    for (size_t e = 0; e < COUNT_OF(faults); e++) {
        bool failed = true; /* with FAULT_WRITE a few calls beyond the last */
        for (uint64_t n = 0; failed; n++) {
            struct errmsg err;
            struct lab *lab = lab_new(100 + n);
            fill_small(lab);
            seal_all(lab);
            fill_small(lab);
            struct store_seal *seal = cut(lab);
            uint64_t before = fault_calls(lab->fs);
            fault_inject(lab->fs, faults[e].ops, n, faults[e].error, 1);
            int rc = end(lab, seal);
            failed = fault_calls(lab->fs) - before > n;
            assert_rows(lab->store, &lab->seen, 1, 100);
            fault_clear(lab->fs);
            if (rc != 0)
                assert_int_equal(end(lab, seal), 0);
            lab->store->ops->seal_free(seal);
            assert_rows(lab->store, &lab->seen, 1, 100);
            assert_int_equal(lab->seen.hot, 0);
            close_store(lab);
            assert_int_equal(open_store(lab, &err), 0);
            assert_rows(lab->store, &lab->seen, 1, 100);
            assert_int_equal(start_segment(lab), lab->segment);
            fill_small(lab);
            seal_all(lab);
            assert_rows(lab->store, &lab->seen, 1, 150);
            lab_free(lab);
        }
    }
}

/* The power goes at each call: the seal is there as a whole, with its WAL position, or not at all. */
static void test_power_loss(void **state)
{
    (void)state;
    bool cut_off = true;
    for (uint64_t n = 1; cut_off; n++) {
        struct errmsg err;
        struct lab *lab = lab_new(500 + n);
        fill_small(lab);
        seal_all(lab);
        uint64_t segment = lab->segment;
        fill_small(lab);
        struct store_seal *seal = cut(lab);
        fault_power_at(lab->fs, fault_calls(lab->fs) + n);
        int rc = end(lab, seal);
        cut_off = fault_power_gone(lab->fs);
        lab->store->ops->seal_free(seal);
        close_store(lab);
        fault_crash(lab->fs, n * 31);
        fault_capacity(lab->fs, 32 << 20);
        assert_int_equal(open_store(lab, &err), 0);
        bool there = start_segment(lab) == lab->segment;
        if (!there)
            assert_int_equal(start_segment(lab), segment);
        if (rc == 0)
            assert_true(there);
        assert_rows(lab->store, &lab->seen, 1, there ? 100 : 50);
        /* What replay would bring back, and a seal on top of what was left. */
        lab->last = there ? 100 : 50;
        fill_small(lab);
        seal_all(lab);
        assert_rows(lab->store, &lab->seen, 1, lab->last);
        lab_free(lab);
    }
}

static void test_disk_full(void **state)
{
    (void)state;
    struct lab *lab = lab_new(7);
    struct store_figures f;
    append(lab, RECORD_SIP, 500);
    struct store_seal *seal = cut(lab);
    fault_capacity(lab->fs, 20000);
    assert_int_equal(end(lab, seal), -ENOSPC);
    lab->store->ops->figures(lab->store, &f);
    assert_true(f.disk_full);
    assert_int_equal(f.seal_errors, 1);
    assert_true(f.last_error.text[0] != '\0');
    assert_int_equal(f.hot_rows, 500);
    append(lab, RECORD_SIP, 20); /* goes on */
    assert_int_equal(end(lab, seal), -ENOSPC);
    assert_rows(lab->store, &lab->seen, 1, 520);
    fault_capacity(lab->fs, 32 << 20);
    assert_int_equal(end(lab, seal), 0);
    lab->store->ops->seal_free(seal);
    lab->store->ops->figures(lab->store, &f);
    assert_false(f.disk_full);
    assert_true(f.last_error.text[0] == '\0');
    assert_rows(lab->store, &lab->seen, 1, 520);
    assert_int_equal(lab->seen.hot, 20);
    lab_free(lab);
}

/* A full disk gives back its reserve, and the seal goes through at once. */
static void test_reserve(void **state)
{
    (void)state;
    struct errmsg err;
    size_t len;
    struct lab *lab = lab_new(8);
    close_store(lab);
    fault_capacity(lab->fs, DATADIR_RESERVE_SIZE + 30000);
    assert_int_equal(open_store(lab, &err), 0);
    assert_non_null(fault_data(lab->fs, DATA "/RESERVE", &len));
    assert_int_equal(len, DATADIR_RESERVE_SIZE);
    append(lab, RECORD_SIP, 500);
    seal_all(lab);
    assert_rows(lab->store, &lab->seen, 1, 500);
    (void)fault_data(lab->fs, DATA "/RESERVE", &len);
    assert_int_equal(len, 0);
    fault_capacity(lab->fs, 4 * DATADIR_RESERVE_SIZE);
    append(lab, RECORD_SIP, 1);
    seal_all(lab);
    (void)fault_data(lab->fs, DATA "/RESERVE", &len);
    assert_int_equal(len, DATADIR_RESERVE_SIZE);
    lab_free(lab);
}

/* ------------------------------------------------------------------------------------------------ footers */

static void test_rebuilt_from_footers(void **state)
{
    (void)state;
    struct errmsg err;
    struct lab *lab = lab_new(9);
    for (unsigned i = 0; i < 3; i++) {
        fill_small(lab);
        seal_all(lab);
    }
    struct manifest_pin *pin = manifest_pin(((struct lake *)lab->store)->manifest);
    size_t files = manifest_pin_count(pin);
    struct manifest_file before[16];
    char paths[16][MANIFEST_PATH_MAX];
    for (size_t i = 0; i < files; i++) {
        before[i] = *manifest_pin_file(pin, i);
        (void)snprintf(paths[i], sizeof(paths[i]), "%s", before[i].path);
    }
    manifest_unpin(pin);
    close_store(lab);
    assert_int_equal(vfs_unlink(fault_vfs(lab->fs), DATA "/lake/MANIFEST"), 0);
    assert_int_equal(open_store(lab, &err), 0);
    assert_int_equal(lab->events, 1);
    assert_int_equal(start_segment(lab), lab->segment);
    assert_int_equal(lab->start.max_seq, lab->last);
    pin = manifest_pin(((struct lake *)lab->store)->manifest);
    assert_int_equal(manifest_pin_count(pin), files);
    for (size_t i = 0; i < files; i++) {
        const struct manifest_file *f = manifest_pin_file(pin, i);
        assert_string_equal(f->path, paths[i]);
        assert_true(f->rows == before[i].rows && f->bytes == before[i].bytes && f->epoch == before[i].epoch &&
                    f->hour == before[i].hour && f->min_ts == before[i].min_ts && f->max_ts == before[i].max_ts &&
                    f->min_seq == before[i].min_seq && f->max_seq == before[i].max_seq);
    }
    manifest_unpin(pin);
    assert_rows(lab->store, &lab->seen, 1, lab->last);
    lab_free(lab);
}

static int memory_write(void *ctx, const void *octets, size_t len)
{
    buf_put(ctx, octets, len);
    return 0;
}

static int memory_read(void *ctx, uint64_t offset, void *to, size_t len)
{
    memcpy(to, ((const struct buf *)ctx)->ptr + offset, len);
    return 0;
}

/* What a merge says, too: paths and positions, and numbers at their limits. */
static void test_footer_round_trip(void **state)
{
    (void)state;
    static const char *const paths[] = { "sip/date=2026-01-01/hour=00/a.parquet", "sip/date=2026-01-01/hour=01/b" };
    static const struct wal_position positions[] = { { 0, 1 }, { 63, INT64_MAX } };
    const struct footer in = { .table = RECORD_MEDIA,
                               .source = RECORD_IMPORT,
                               .node = UINT64_MAX,
                               .about = { .file = { .min_ts = INT64_MIN,
                                                    .max_ts = INT64_MAX,
                                                    .min_seq = 1,
                                                    .max_seq = UINT64_MAX,
                                                    .hour = UINT32_MAX,
                                                    .epoch = 42 },
                                          .kind = MANIFEST_MERGE,
                                          .epoch_files = 7,
                                          .replaces = paths,
                                          .replaces_count = 2,
                                          .positions = positions,
                                          .position_count = 2 } };
    struct buf b;
    struct pq_writer *w;
    struct pq_reader *r;
    struct footer out;
    struct footer_texts texts = { .paths = NULL };
    const struct pq_column column = { .name = "n", .type = PQ_INT32, .codec = PQ_CODEC_NONE };
    buf_init(&b, 1 << 20);
    assert_int_equal(pq_writer_open(&w, &column, 1, &(struct pq_sink){ memory_write, &b }, NULL), PQ_OK);
    assert_int_equal(footer_write(w, &in), PQ_OK);
    assert_int_equal(pq_writer_close(w), PQ_OK);
    pq_writer_free(w);
    assert_int_equal(pq_reader_open(&r, &(struct pq_source){ memory_read, &b, b.len }, NULL, NULL), PQ_OK);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(footer_read(r, b.len, &out, &texts), 0);
        assert_true(out.table == in.table && out.source == in.source && out.node == in.node);
        assert_true(out.about.kind == in.about.kind && out.about.epoch_files == 7 && out.about.file.epoch == 42);
        assert_true(out.about.file.min_ts == INT64_MIN && out.about.file.max_ts == INT64_MAX);
        assert_true(out.about.file.min_seq == 1 && out.about.file.max_seq == UINT64_MAX);
        assert_true(out.about.file.hour == UINT32_MAX && out.about.file.bytes == b.len);
        assert_int_equal(out.about.replaces_count, 2);
        assert_string_equal(out.about.replaces[0], paths[0]);
        assert_string_equal(out.about.replaces[1], paths[1]);
        assert_int_equal(out.about.position_count, 2);
        assert_int_equal(out.about.positions[1].segment, INT64_MAX);
        assert_int_equal(out.about.positions[1].worker, 63);
    }
    footer_texts_free(&texts);
    pq_reader_free(r);
    buf_free(&b);
}

/* ------------------------------------------------------------------------------------------------ threads */

#define HAMMER_ROWS 4000u

struct hammer {
    struct store *store;
    _Atomic uint64_t appended[WRITERS]; /* by each writer, after append() returned */
    _Atomic unsigned appending;
    atomic_bool done;
    pthread_mutex_t lock[WRITERS]; /* append() and seal_cut() of a writer do not overlap */
};

struct hammer_writer {
    struct hammer *h;
    unsigned number;
};

static void *write_rows(void *arg)
{
    const struct hammer_writer *w = arg;
    struct hammer *h = w->h;
    static _Thread_local struct row row;
    for (unsigned i = 0; i < HAMMER_ROWS; i++) {
        row_make(&row, SEED, i % 10 == 0 ? RECORD_OTHER : RECORD_MEDIA, i * WRITERS + w->number + 1, ROW_HOUR);
        pthread_mutex_lock(&h->lock[w->number]);
        assert_int_equal(h->store->ops->append(h->store, w->number, &row.record), 0);
        pthread_mutex_unlock(&h->lock[w->number]);
        atomic_fetch_add(&h->appended[w->number], 1);
    }
    atomic_fetch_sub(&h->appending, 1);
    return NULL;
}

static void *seal_rows_of(void *arg)
{
    struct hammer *h = arg;
    uint64_t segment = 1;
    bool last = false;
    while (!last) {
        struct store_seal *seal;
        struct errmsg err;
        last = atomic_load(&h->appending) == 0;
        assert_int_equal(h->store->ops->seal_begin(h->store, &seal), 0);
        segment++;
        for (unsigned i = 0; i < WRITERS; i++) {
            pthread_mutex_lock(&h->lock[i]);
            h->store->ops->seal_cut(h->store, seal, i, &(struct wal_position){ i, segment });
            pthread_mutex_unlock(&h->lock[i]);
        }
        assert_int_equal(h->store->ops->seal_end(h->store, seal, 1, &err), 0);
        h->store->ops->seal_free(seal);
    }
    atomic_store(&h->done, true);
    return NULL;
}

static uint64_t rows_of(const struct store_pin *pin)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < pin->group_count; i++)
        rows += pin->rows[i];
    for (size_t i = 0; i < manifest_pin_count(pin->files); i++)
        rows += manifest_pin_file(pin->files, i)->rows;
    return rows;
}

/* What a pin shows lies between what was appended before it and what was after it: no row is missing or twice. */
static void *count_rows(void *arg)
{
    struct hammer *h = arg;
    while (!atomic_load(&h->done)) {
        struct store_pin *pin;
        uint64_t before = 0, after = 0;
        for (unsigned i = 0; i < WRITERS; i++)
            before += atomic_load(&h->appended[i]);
        assert_int_equal(h->store->ops->pin(h->store, &pin), 0);
        for (unsigned i = 0; i < WRITERS; i++)
            after += atomic_load(&h->appended[i]);
        uint64_t rows = rows_of(pin);
        h->store->ops->unpin(h->store, pin);
        if (rows < before || rows > after + WRITERS)
            fail_msg("%llu rows, %llu appended before the pin, %llu after it", (unsigned long long)rows,
                     (unsigned long long)before, (unsigned long long)after);
    }
    return NULL;
}

static void test_pins_while_sealing(void **state)
{
    (void)state;
    struct lab *lab = lab_new(10);
    struct errmsg err;
    close_store(lab);
    const struct lake_options o = { .vfs = fault_vfs(lab->fs), .data_dir = DATA, .writers = WRITERS };
    assert_int_equal(lake_open(&lab->store, &o, &lab->start, &err), 0);
    struct hammer h = { .store = lab->store };
    struct hammer_writer writers[WRITERS];
    pthread_t threads[WRITERS + 2];
    atomic_store(&h.appending, WRITERS);
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_mutex_init(&h.lock[i], NULL);
        writers[i] = (struct hammer_writer){ &h, i };
        assert_int_equal(pthread_create(&threads[i], NULL, write_rows, &writers[i]), 0);
    }
    assert_int_equal(pthread_create(&threads[WRITERS], NULL, seal_rows_of, &h), 0);
    assert_int_equal(pthread_create(&threads[WRITERS + 1], NULL, count_rows, &h), 0);
    for (unsigned i = 0; i < WRITERS + 2; i++)
        (void)pthread_join(threads[i], NULL);
    lab->seen.cells = false;
    assert_rows(lab->store, &lab->seen, 1, (uint64_t)WRITERS * HAMMER_ROWS);
    assert_int_equal(lab->seen.hot, 0);
    lab_free(lab);
}

static void told(void *arg)
{
    atomic_fetch_add((_Atomic unsigned *)arg, 1);
}

static void test_limit(void **state)
{
    (void)state;
    struct lab *lab = lab_new(11);
    struct errmsg err;
    struct store_figures f;
    _Atomic unsigned room = 0;
    close_store(lab);
    const struct lake_options o = { .vfs = fault_vfs(lab->fs),
                                    .data_dir = DATA,
                                    .writers = WRITERS,
                                    .hot_limit = 8 << 20,
                                    .no_threads = true,
                                    .room = told,
                                    .arg = &room };
    assert_int_equal(lake_open(&lab->store, &o, &lab->start, &err), 0);
    while (!lab->store->ops->full(lab->store)) {
        append(lab, RECORD_SIP, 10);
        assert_true(lab->last < 100000);
    }
    assert_true(lab->store->ops->pressed(lab->store));
    lab->store->ops->figures(lab->store, &f);
    assert_true(f.hot_octets >= f.hot_limit && f.hot_octets < f.hot_limit + (2 << 20));
    assert_int_equal(f.refused, 1);
    assert_int_equal(room, 0);
    seal_all(lab);
    assert_int_equal(room, 1);
    assert_false(lab->store->ops->full(lab->store));
    assert_false(lab->store->ops->pressed(lab->store));
    lab->store->ops->figures(lab->store, &f);
    assert_int_equal(f.hot_octets, 0);
    lab_free(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_of_all_tables),
        cmocka_unit_test(test_hours_and_sources_apart),
        cmocka_unit_test(test_partial_cut),
        cmocka_unit_test(test_nothing_to_seal),
        cmocka_unit_test(test_every_call_fails),
        cmocka_unit_test(test_power_loss),
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_rebuilt_from_footers),
        cmocka_unit_test(test_footer_round_trip),
        cmocka_unit_test(test_pins_while_sealing),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
