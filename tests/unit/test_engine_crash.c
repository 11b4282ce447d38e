/*
 * The engine and the real lake, on the file system that forgets: power loss, failing calls, a full disk, a lost or
 * damaged MANIFEST and damaged log segments, at any moment of a random workload, in the recovery too.
 *
 * After each restart every row with a number up to what sink_durable() last said is there once, as it was sent, octet
 * by octet; no row is there twice; every listed file is whole. HEPCAT_CRASH_POINTS says how many moments are tried.
 */
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
#define STEPS       90
#define CAPACITY    (60 << 20) /* no room for the reserve, which would only cost time */
#define HOUR_US     INT64_C(3600000000)
#define START_US    (INT64_C(472222) * HOUR_US)
#define DAYS        2 /* that rows are kept, in histories that remove some */
#define POINTS      10 /* moments of one history */

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

static size_t below(struct world *w, size_t limit)
{
    return prng_below(&w->random, limit);
}

/* ------------------------------------------------------------------------------------------------ start and stop */

static bool alive(struct world *w)
{
    w->dead = w->dead || fault_power_gone(w->fs);
    return !w->dead;
}

/* An operation may fail only because the power went, or because a call was made to fail. */
static bool went_well(struct world *w, int rc, const char *what, const struct errmsg *err)
{
    if (alive(w) && rc < 0 && !w->troubled)
        fail_msg("%s failed with power on: %s (%s)", what, strerror(-rc), err != NULL ? err->text : "");
    return rc >= 0 && alive(w);
}

static void dbg_event(void *arg, const char *what, const char *path, const char *text)
{
    (void)arg;
    if (getenv("DBG")) fprintf(stderr, "lake: %s %s %s\n", what, path, text);
}
static void dbg_event2(void *arg, bool error, const char *text)
{
    (void)arg; (void)error;
    if (getenv("DBG")) fprintf(stderr, "engine: %s\n", text);
}
static int open_store(struct world *w, struct errmsg *err)
{
    struct lake_options o = { .vfs = w->vfs,
                              .data_dir = DATA,
                              .node = 0xbeef,
                              .writers = w->writers,
                              .no_threads = true, .event = dbg_event,
                              .retention = { .octets_all = UINT64_C(1) << 50 } };
    for (unsigned t = 0; t < RECORD_TABLES; t++)
        o.retention.days[t] = (w->meets & MEET_RETENTION) != 0 ? DAYS : 40000;
    int rc = lake_open(&w->store, &o, &w->start, err);
    if (getenv("DBG"))
 for (size_t i = 0; rc == 0 && i < w->start.position_count; i++) fprintf(stderr, "position %u %llu\n", w->start.positions[i].worker, (unsigned long long)w->start.positions[i].segment);
    if (getenv("DBG") && rc == 0) { struct manifest_pin *pin = manifest_pin(((struct lake*)w->store)->manifest);
     for (size_t i = 0; i < manifest_pin_count(pin); i++) fprintf(stderr, "  %s %llu-%llu\n", manifest_pin_file(pin, i)->path, (unsigned long long)manifest_pin_file(pin,i)->min_seq, (unsigned long long)manifest_pin_file(pin,i)->max_seq);
 manifest_unpin(pin);}
    if (rc != 0)
        w->store = NULL;
    return rc;
}

static int open_engine(struct world *w, struct errmsg *err)
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
        .no_threads = true, .event = dbg_event2,
    };
    int rc = engine_open(&w->engine, &o, err);
    if (rc != 0)
        w->engine = NULL;
    return rc;
}

/* As a server starts. False if the power went. */
static bool start(struct world *w)
{
    struct errmsg err = { "" };
    w->dead = w->troubled = false;
    if (getenv("DBG")) fprintf(stderr, "start\n");
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

static void stop(struct world *w)
{
    (void)engine_close(w->engine, NULL);
    if (w->store != NULL)
        w->store->ops->close(w->store);
    w->engine = NULL;
    w->store = NULL;
}

static struct world *world_new(uint64_t seed)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    w->fs = fault_new(seed);
    w->vfs = fault_vfs(w->fs);
    w->random = seed;
    w->meets = (unsigned)(seed % MEETS);
    w->now = START_US;
    w->reader = record_reader_new(&(struct record_options){ .header_count = 0 });
    assert_non_null(w->reader);
    return w;
}

static void world_free(struct world *w)
{
    stop(w);
    assert_int_equal(fault_open_files(w->fs), 0);
    fault_free(w->fs);
    record_reader_free(w->reader);
    free(w);
}

/* ------------------------------------------------------------------------------------------------ workload */

static void note_durable(struct world *w)
{
    uint64_t durable = sink_durable(engine_sink(w->engine));
    for (uint64_t seq = 1; seq <= durable && seq < ROWS_MAX; seq++)
        if (w->rows[seq].fate == FATE_APPENDED)
            w->rows[seq].fate = FATE_DURABLE;
}

static void do_append(struct world *w)
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
        assert_int_equal(w->rows[seq].fate, FATE_NONE);
        w->rows[seq] = (struct seen){ FATE_APPENDED, w->message, w->now, 0, "" };
        w->last = seq > w->last ? seq : w->last;
    }
}

static void do_commit(struct world *w)
{
    (void)went_well(w, engine_commit(w->engine), "commit", NULL);
}

/* What is sealed is durable, and no trouble of before matters any more. */
static void do_seal(struct world *w)
{
    struct errmsg err = { "" };
    if (!went_well(w, engine_seal(w->engine, &err), "seal", &err))
        return;
    w->troubled = false;
    if (sink_durable(engine_sink(w->engine)) < w->last)
        fail_msg("sealed, but only %llu of %llu are durable", (unsigned long long)sink_durable(engine_sink(w->engine)),
                 (unsigned long long)w->last);
}

/* Rows that retention may take from now on; their files may come back while a lost unlink is not made up for. */
static void note_leaving(struct world *w, int64_t now)
{
    for (uint64_t seq = 1; seq <= w->last; seq++)
        if (w->rows[seq].fate != FATE_NONE && now - w->rows[seq].received > DAYS * 24 * HOUR_US - HOUR_US)
            w->rows[seq].fate = FATE_LEAVING;
}

static void do_tend(struct world *w)
{
    struct errmsg err = { "" };
    int64_t now = w->now + (int64_t)below(w, 3) * HOUR_US;
    int rc = 1;
    if ((w->meets & MEET_RETENTION) != 0)
        note_leaving(w, now);
    for (unsigned i = 0; i < 20 && rc == 1; i++)
        rc = w->store->ops->tend(w->store, now, &err);
    (void)went_well(w, rc, "tend", &err);
}

static void do_compact(struct world *w)
{
    struct errmsg err = { "" };
    (void)went_well(w, manifest_compact(((struct lake *)w->store)->manifest, &err), "compact", &err);
}

static void do_hour(struct world *w)
{
    w->now += HOUR_US * ((w->meets & MEET_RETENTION) != 0 ? 1 + (int64_t)below(w, 30) : 1);
}

/* Closed in order, nothing at all is missing. */
static void do_restart(struct world *w)
{
    struct errmsg err = { "" };
    int rc = engine_close(w->engine, &err);
    w->engine = NULL;
    w->store->ops->close(w->store);
    w->store = NULL;
    if (went_well(w, rc, "close", &err))
        for (uint64_t seq = 1; seq <= w->last; seq++)
            if (w->rows[seq].fate == FATE_APPENDED)
                w->rows[seq].fate = FATE_DURABLE;
    if (alive(w) && rc != 0) /* rows that were in memory alone are lost with it */
        w->dead = true;
    if (alive(w))
        (void)start(w);
}

/* While calls fail or the disk is full. */
static void run_some(struct world *w, size_t what)
{
    static void (*const runs[])(struct world *) = { do_seal, do_commit, do_tend, do_append, do_compact };
    w->troubled = true;
    runs[what % COUNT_OF(runs)](w);
    w->troubled = true; /* a seal that went through in between says nothing of what comes */
}

/* Some calls fail: now, or a few calls later, once or until they are let. */
static void do_disturb(struct world *w)
{
    static const unsigned ops[] = { FAULT_SYNC,   FAULT_SYNC,     FAULT_SYNC_DIR, FAULT_WRITE,
                                    FAULT_RENAME, FAULT_OPEN,     FAULT_UNLINK,   FAULT_READ,
                                    FAULT_MKDIR,  FAULT_TRUNCATE, FAULT_CHANGES,  FAULT_CHANGES };
    if ((w->meets & MEET_FAULTS) == 0)
        return;
    unsigned which = ops[below(w, COUNT_OF(ops))];
    int error = which == FAULT_WRITE && below(w, 2) == 0 ? FAULT_SHORT : below(w, 2) == 0 ? -EIO : -ENOSPC;
    fault_inject(w->fs, which, below(w, 8), error, below(w, 4));
    for (size_t n = 1 + below(w, 5); n > 0 && alive(w); n--)
        run_some(w, below(w, 16));
    fault_clear(w->fs);
    if (below(w, 2) == 0 && alive(w))
        do_seal(w);
}

/* The disk is full for a while. */
static void do_fill(struct world *w)
{
    if ((w->meets & MEET_FAULTS) == 0)
        return;
    uint64_t used = CAPACITY - (uint64_t)vfs_free_space(w->vfs, DATA);
    fault_capacity(w->fs, used + 1 + below(w, 20000));
    for (size_t n = 1 + below(w, 12); n > 0 && alive(w); n--)
        run_some(w, below(w, 5) < 3 ? 3 : below(w, 16));
    fault_capacity(w->fs, CAPACITY);
    if (below(w, 2) == 0 && alive(w))
        do_seal(w);
}

static void do_step(struct world *w)
{
    static const struct {
        void (*run)(struct world *w);
        size_t weight;
    } steps[] = { { do_append, 26 }, { do_commit, 6 },  { do_seal, 5 },    { do_tend, 4 }, { do_hour, 2 },
                  { do_compact, 1 }, { do_disturb, 3 }, { do_restart, 1 }, { do_fill, 1 } };
    size_t draw = below(w, 49);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        if (draw < steps[i].weight) {
            steps[i].run(w);
            break;
        }
        draw -= steps[i].weight;
    }
    if (w->engine != NULL)
        note_durable(w);
}

static void run(struct world *w, size_t steps)
{
    for (size_t i = 0; i < steps && alive(w); i++)
        do_step(w);
}

/* ------------------------------------------------------------------------------------------------ looking */

static void see(struct world *w, const char *where, uint64_t seq, enum record_table table, const void *payload,
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

static int source_read(void *ctx, uint64_t offset, void *to, size_t len)
{
    const struct source *s = ctx;
    return vfs_read_at(s->vfs, s->file, to, len, offset) == (int64_t)len ? 0 : -1;
}

static void see_file(struct world *w, const struct manifest_file *f)
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

static void see_group(struct world *w, const struct group *g, size_t rows)
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

/* Returns rows in memory and in files, as found; they must be what the figures say. */
static void see_all(struct world *w)
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
static void check(struct world *w)
{
    struct engine_figures figures;
    size_t missing = 0;
    see_all(w);
    w->last = 0;
    for (uint64_t seq = 1; seq < ROWS_MAX; seq++) {
        struct seen *s = &w->rows[seq];
        w->last = s->times > 0 ? seq : w->last;
        missing += s->fate == FATE_DURABLE && s->times == 0;
        if (getenv("DBG") && s->fate == FATE_DURABLE && s->times == 0)
            fprintf(stderr, "missing %llu (msg %llu) was %s\n", (unsigned long long)seq, (unsigned long long)s->message, s->where);
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

/* ------------------------------------------------------------------------------------------------ damage */

static void flip(struct world *w, const char *path, size_t times)
{
    size_t len;
    const uint8_t *data = fault_data(w->fs, path, &len);
    if (data == NULL || len == 0)
        return;
    uint8_t *copy = malloc(len);
    assert_non_null(copy);
    memcpy(copy, data, len);
    for (; times > 0; times--)
        copy[below(w, len)] ^= (uint8_t)(1 << below(w, 8));
    fault_put(w->fs, path, copy, len);
    free(copy);
}

/* Gone, one octet wrong, or its beginning overwritten. */
static void damage_manifest(struct world *w)
{
    static const uint8_t zeros[256] = { 0 };
    size_t len;
    if (getenv("DBG")) fprintf(stderr, "damage manifest\n");
    switch (below(w, 3)) {
    case 0:
        (void)vfs_unlink(w->vfs, MANIFEST);
        (void)vfs_sync_dir(w->vfs, DATA "/lake");
        break;
    case 1:
        flip(w, MANIFEST, 1);
        break;
    default:
        if (fault_data(w->fs, MANIFEST, &len) != NULL)
            fault_put(w->fs, MANIFEST, zeros, sizeof(zeros));
        break;
    }
}

static int flip_segment(void *arg, const char *name, bool is_dir)
{
    struct world *w = arg;
    char path[VFS_PATH_MAX];
    if (is_dir || below(w, 3) != 0 || vfs_join(path, WAL_DIR, name) != 0)
        return 0;
    w->flips++;
    if (getenv("DBG")) fprintf(stderr, "flip in %s\n", name);
    flip(w, path, 1);
    return 0;
}

/* What lies on the disk while no process runs. */
static void damage(struct world *w)
{
    if ((w->meets & MEET_LOST_MANIFEST) != 0 && below(w, 2) == 0)
        damage_manifest(w);
    if ((w->meets & MEET_FLIPS) != 0 && below(w, 2) == 0)
        (void)vfs_list(w->vfs, WAL_DIR, flip_segment, w);
}

/* Power loss and restart; once more in the middle of the recovery, for every third moment. */
static void recover(struct world *w)
{
    stop(w);
    fault_crash(w->fs, prng_next(&w->random));
    damage(w);
    if (below(w, 3) == 0)
        fault_power_at(w->fs, 1 + below(w, 12));
    while (!start(w)) {
        stop(w);
        fault_crash(w->fs, prng_next(&w->random));
    }
    fault_power_at(w->fs, 0);
    check(w);
}

/* ------------------------------------------------------------------------------------------------ tests */

/* How many calls the whole history makes. */
static uint64_t count_calls(uint64_t seed)
{
    struct world *w = world_new(seed);
    assert_true(start(w));
    run(w, STEPS);
    uint64_t calls = fault_calls(w->fs);
    world_free(w);
    return calls;
}

static void crash_at(uint64_t seed, uint64_t call)
{
    struct world *w = world_new(seed);
    fault_power_at(w->fs, call);
    if (start(w))
        run(w, STEPS);
    fault_power_at(w->fs, fault_calls(w->fs) + 1); /* if it has not gone yet */
    recover(w);
    /* It goes on, and meets a second power loss. */
    fault_power_at(w->fs, fault_calls(w->fs) + 1 + call % 97);
    run(w, STEPS / 3);
    fault_power_at(w->fs, fault_calls(w->fs) + 1);
    recover(w);
    do_seal(w);
    check(w);
    world_free(w);
}

static void test_power_loss_anywhere(void **state)
{
    (void)state;
    const char *text = getenv("HEPCAT_CRASH_POINTS"), *first = getenv("HEPCAT_CRASH_SEED");
    uint64_t points = text != NULL ? strtoull(text, NULL, 10) : 200;
    uint64_t seed = first != NULL ? strtoull(first, NULL, 10) : 1;
    for (uint64_t i = 0; i < points; seed++) {
        uint64_t calls = count_calls(seed);
        for (uint64_t k = 0; k < POINTS && i < points; k++, i++) {
            if (getenv("HEPCAT_CRASH_TELL") != NULL)
                fprintf(stderr, "seed %llu call %llu\n", (unsigned long long)seed,
                        (unsigned long long)(1 + k * calls / POINTS));
            crash_at(seed, 1 + k * calls / POINTS);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_loss_anywhere),
    };
    return cmocka_run_group_tests_name("engine crash", tests, NULL, NULL);
}
