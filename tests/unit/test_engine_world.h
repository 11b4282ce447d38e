/*
 * The engine and the real lake on the file system that forgets, and what became of each row that was handed to them.
 * test_engine_crash.c does things to it.
 */
#ifndef TEST_ENGINE_WORLD_H
#define TEST_ENGINE_WORLD_H

#include <errno.h>

#include "fault_vfs.h"
#include "store/lake/internal.h"
#include "store/parquet/reader.h"
#include "test_engine_util.h"

#define DATA        "/data"
#define WAL_DIR     DATA "/wal"
#define MANIFEST    DATA "/lake/MANIFEST"
#define WRITERS_MAX 4
#define ROWS_MAX    8192
#define CAPACITY    (60 << 20) /* no room for the reserve, which would only cost time */
#define HOUR_US     INT64_C(3600000000)
#define START_US    (INT64_C(472222) * HOUR_US)
#define DAYS        2 /* that rows are kept, in histories that remove some */

enum fate {
    FATE_NONE,
    FATE_APPENDED,
    FATE_DURABLE, /* reported */
    FATE_LEAVING  /* too old: it may be there or not, as long as it is not there twice */
};

/* What a history meets besides power loss; bits. */
enum { MEET_FAULTS = 1, MEET_RETENTION = 2, MEET_LOST_MANIFEST = 4, MEET_FLIPS = 8, MEETS = 16 };

struct seen {
    enum fate fate;
    uint64_t message;
    int64_t received;
    unsigned times; /* during a check */
    char where[96]; /* the same */
};

struct world {
    struct fault_fs *fs;
    const struct vfs *vfs;
    uint64_t random;
    unsigned meets;
    struct store *store;
    struct engine *engine;
    struct record_reader *reader;
    struct lake_start start;
    unsigned writers;
    uint64_t message, last; /* number of the last message; highest number given out */
    int64_t now;
    size_t flips;  /* octets of the log that were damaged before this start */
    bool dead;     /* the power went; nothing that is reported counts */
    bool troubled; /* a call failed on purpose; until a seal has gone through */
    struct message m;
    struct seen rows[ROWS_MAX];
};

static inline size_t below(struct world *w, size_t limit)
{
    return prng_below(&w->random, limit);
}

/* ------------------------------------------------------------------------------------------------ start and stop */

static inline bool alive(struct world *w)
{
    w->dead = w->dead || fault_power_gone(w->fs);
    return !w->dead;
}

/* An operation may fail only because the power went, or because a call was made to fail. */
static inline bool went_well(struct world *w, int rc, const char *what, const struct errmsg *err)
{
    if (alive(w) && rc < 0 && !w->troubled)
        fail_msg("%s failed with power on: %s (%s)", what, strerror(-rc), err != NULL ? err->text : "");
    return rc >= 0 && alive(w);
}

static inline int open_store(struct world *w, struct errmsg *err)
{
    struct lake_options o = { .vfs = w->vfs,
                              .data_dir = DATA,
                              .node = 0xbeef,
                              .writers = w->writers,
                              .no_threads = true,
                              .retention = { .octets_all = UINT64_C(1) << 50 } };
    for (unsigned t = 0; t < RECORD_TABLES; t++)
        o.retention.days[t] = (w->meets & MEET_RETENTION) != 0 ? DAYS : 40000;
    int rc = lake_open(&w->store, &o, &w->start, err);
    if (rc != 0)
        w->store = NULL;
    return rc;
}

static inline int open_engine(struct world *w, struct errmsg *err)
{
    const struct engine_options o = {
        .vfs = w->vfs,
        .data_dir = DATA,
        .wal_dir = WAL_DIR,
        .store = w->store,
        .writers = w->writers,
        .from = w->start.positions,
        .from_count = w->start.position_count,
        .max_seq = w->start.max_seq,
        .wal_segment_size = 6000,
        .wal_buffer_size = 8000,
        .no_threads = true,
    };
    int rc = engine_open(&w->engine, &o, err);
    if (rc != 0)
        w->engine = NULL;
    return rc;
}

/* As a server starts. False if the power went. */
static inline bool start(struct world *w)
{
    struct errmsg err = { "" };
    w->dead = w->troubled = false;
    fault_capacity(w->fs, CAPACITY);
    int rc = engine_writers(w->vfs, WAL_DIR, 1 + (unsigned)below(w, WRITERS_MAX));
    if (!went_well(w, rc, "start", NULL))
        return false;
    w->writers = (unsigned)rc;
    rc = open_store(w, &err);
    if (rc == 0)
        rc = open_engine(w, &err);
    return went_well(w, rc, "start", &err);
}

static inline void stop(struct world *w)
{
    (void)engine_close(w->engine, NULL);
    if (w->store != NULL)
        w->store->ops->close(w->store);
    w->engine = NULL;
    w->store = NULL;
}

static inline struct world *world_new(uint64_t seed)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    w->fs = fault_new(seed);
    w->vfs = fault_vfs(w->fs);
    w->random = seed;
    w->meets = (unsigned)(seed % MEETS);
    /* Without a MANIFEST nobody knows whether files of the newest seal are missing because they were retired. */
    if ((w->meets & MEET_RETENTION) != 0)
        w->meets &= ~(unsigned)MEET_LOST_MANIFEST;
    w->now = START_US;
    w->reader = record_reader_new(&(struct record_options){ .header_count = 0 });
    assert_non_null(w->reader);
    return w;
}

static inline void world_free(struct world *w)
{
    stop(w);
    assert_int_equal(fault_open_files(w->fs), 0);
    fault_free(w->fs);
    record_reader_free(w->reader);
    free(w);
}

/* ------------------------------------------------------------------------------------------------ rows */

static inline void note_durable(struct world *w)
{
    uint64_t durable = sink_durable(engine_sink(w->engine));
    for (uint64_t seq = 1; seq <= durable && seq < ROWS_MAX; seq++)
        if (w->rows[seq].fate == FATE_APPENDED)
            w->rows[seq].fate = FATE_DURABLE;
}

static inline void do_append(struct world *w)
{
    unsigned writer = (unsigned)below(w, w->writers);
    for (size_t n = 1 + below(w, 8); n > 0; n--) {
        uint64_t seq;
        w->now += (int64_t)below(w, 5000);
        message_make(&w->m, ++w->message, w->now);
        enum sink_result rc = message_put(engine_sink(w->engine), writer, w->reader, &w->m, &seq);
        assert_int_equal(rc, SINK_OK);
        assert_true(seq < ROWS_MAX);
        /* Given out anew only if the row of the former start was lost, without a promise broken. */
        if (w->rows[seq].fate != FATE_LEAVING || w->rows[seq].times > 0)
            assert_int_equal(w->rows[seq].fate, FATE_NONE);
        w->rows[seq] = (struct seen){ FATE_APPENDED, w->message, w->now, 0, "" };
        w->last = seq > w->last ? seq : w->last;
    }
}

/* What is sealed is durable, and no trouble of before matters any more. */
static inline void do_seal(struct world *w)
{
    struct errmsg err = { "" };
    if (!went_well(w, engine_seal(w->engine, &err), "seal", &err))
        return;
    w->troubled = false;
    if (sink_durable(engine_sink(w->engine)) < w->last)
        fail_msg("sealed, but only %llu of %llu are durable", (unsigned long long)sink_durable(engine_sink(w->engine)),
                 (unsigned long long)w->last);
}

/* ------------------------------------------------------------------------------------------------ looking */

static inline void see(struct world *w, const char *where, uint64_t seq, enum record_table table, const void *payload,
                       size_t len)
{
    assert_true(seq > 0 && seq < ROWS_MAX);
    struct seen *s = &w->rows[seq];
    message_make(&w->m, s->message, s->received);
    if (++s->times > 1)
        fail_msg("row %llu is there twice: %s, %s", (unsigned long long)seq, s->where, where);
    (void)snprintf(s->where, sizeof(s->where), "%s", where);
    if (table != w->m.table || len != w->m.len || memcmp(payload, w->m.payload, len) != 0)
        fail_msg("row %llu is not message %llu", (unsigned long long)seq, (unsigned long long)s->message);
}

struct source {
    const struct vfs *vfs;
    int file;
};

static inline int source_read(void *ctx, uint64_t offset, void *to, size_t len)
{
    const struct source *s = ctx;
    return vfs_read_at(s->vfs, s->file, to, len, offset) == (int64_t)len ? 0 : -1;
}

static inline void see_file(struct world *w, const struct manifest_file *f)
{
    char full[VFS_PATH_MAX], text[256];
    int table = record_table_by_name(f->path, (size_t)(strchr(f->path, '/') - f->path));
    assert_true(table >= 0);
    assert_int_equal(f->state, MANIFEST_FILE_OK);
    assert_int_equal(vfs_join(full, DATA "/lake", f->path), 0);
    struct source source = { w->vfs, vfs_open(w->vfs, full, VFS_READ) };
    assert_true(source.file >= 0);
    struct pq_reader *r = NULL;
    if (pq_reader_open(&r, &(struct pq_source){ source_read, &source, f->bytes }, NULL, text) != PQ_OK)
        fail_msg("%s: %s", f->path, text);
    if (pq_reader_verify(r) != PQ_OK)
        fail_msg("%s: %s", f->path, pq_reader_error(r));
    assert_int_equal(pq_reader_rows(r), f->rows);
    for (uint64_t n = 0; n < f->rows; n++) {
        size_t group, row;
        struct pq_slice seq, payload;
        assert_int_equal(pq_reader_locate(r, n, &group, &row), PQ_OK);
        assert_int_equal(pq_reader_value(r, group, RECORD_COL_seq, row, &seq), PQ_OK);
        assert_int_equal(pq_reader_value(r, group, RECORD_COL_payload, row, &payload), PQ_OK);
        see(w, f->path, (uint64_t)pq_as_int64(seq), (enum record_table)table, payload.ptr, payload.len);
    }
    pq_reader_free(r);
    (void)vfs_close(w->vfs, source.file);
}

static inline void see_group(struct world *w, const struct group *g, size_t rows)
{
    struct group_cache *cache = NULL;
    struct buf payload;
    buf_init(&payload, 2 * MESSAGE_MAX);
    for (size_t n = 0; n < rows; n++) {
        struct group_scratch scratch;
        struct record_cell seq;
        group_cell(g, RECORD_COL_seq, n, &seq, &scratch);
        buf_reset(&payload);
        assert_int_equal(group_payload(g, n, &payload, &cache), 0);
        see(w, "memory", (uint64_t)seq.number, group_table(g), payload.ptr, payload.len);
    }
    group_cache_free(cache);
    buf_free(&payload);
}

/* Counts every row, and holds the figures against them. */
static inline void see_all(struct world *w)
{
    struct store_figures figures;
    struct store_pin *pin;
    uint64_t hot = 0, sealed = 0, said = 0;
    for (uint64_t seq = 0; seq < ROWS_MAX; seq++)
        w->rows[seq].times = 0;
    assert_int_equal(w->store->ops->pin(w->store, &pin), 0);
    for (size_t i = 0; i < pin->group_count; i++) {
        see_group(w, pin->groups[i], pin->rows[i]);
        hot += pin->rows[i];
    }
    for (size_t i = 0; i < manifest_pin_count(pin->files); i++) {
        see_file(w, manifest_pin_file(pin->files, i));
        sealed += manifest_pin_file(pin->files, i)->rows;
    }
    w->store->ops->figures(w->store, &figures);
    assert_int_equal(figures.files, manifest_pin_count(pin->files));
    assert_int_equal(figures.hot_rows, hot);
    for (unsigned t = 0; t < RECORD_TABLES; t++)
        said += figures.rows[t];
    assert_int_equal(said, sealed);
    w->store->ops->unpin(w->store, pin);
}

/* Judges each row; from then on what is there is known, and must stay. */
static inline void check(struct world *w)
{
    struct engine_figures figures;
    size_t missing = 0;
    see_all(w);
    w->last = 0;
    for (uint64_t seq = 1; seq < ROWS_MAX; seq++) {
        struct seen *s = &w->rows[seq];
        w->last = s->times > 0 ? seq : w->last;
        missing += s->fate == FATE_DURABLE && s->times == 0;
        if (s->fate == FATE_DURABLE && s->times == 0 && w->flips == 0)
            fail_msg("durable row %llu (message %llu) is not there", (unsigned long long)seq,
                     (unsigned long long)s->message);
        if (s->fate == FATE_NONE)
            assert_int_equal(s->times, 0);
        if (s->times == 0 && s->fate != FATE_LEAVING)
            s->fate = FATE_NONE;
        if (s->fate == FATE_APPENDED)
            s->fate = FATE_DURABLE;
    }
    /* A damaged octet of the log costs its record, and is told. */
    engine_figures(w->engine, &figures);
    assert_true(missing <= w->flips);
    if (missing > 0)
        assert_true(figures.replay.lost_octets > 0);
    assert_int_equal(figures.replay_bad, 0);
    w->flips = 0;
}

#endif
