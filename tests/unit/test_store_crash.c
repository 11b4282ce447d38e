/*
 * Power loss at any moment: WAL, sealed files and MANIFEST together, on the file system that forgets.
 *
 * A workload drawn from a seed appends, commits, seals, merges, removes and compacts. The power goes at one of its
 * calls, in the recovery now and then too. After recovery every row that was reported durable is there once, none is
 * there twice, every listed file is whole. HEPCAT_CRASH_POINTS says how many moments are tried.
 */
#include <errno.h>

#include "base/le.h"
#include "fault_vfs.h"
#include "store/lake/manifest.h"
#include "testlib.h"
#include "wal/wal.h"

#define WAL_DIR  "/data/wal"
#define LAKE_DIR "/data/lake"
#define WRITERS  3
#define TABLES   2
#define ROWS_MAX 4096
#define STEPS    140

/* What became of each number. */
enum fate {
    FATE_NONE,
    FATE_APPENDED,
    FATE_DURABLE,  /* reported */
    FATE_REMOVING, /* retention was asked for: it may be there or not */
    FATE_REMOVED
};

struct store {
    struct fault_fs *f;
    const struct vfs *v;
    uint64_t random;
    struct wal *w;
    struct manifest *m;
    uint64_t hot[WRITERS][ROWS_MAX]; /* rows not sealed yet, by writer */
    size_t hot_count[WRITERS];
    enum fate fate[ROWS_MAX];
    unsigned seen[ROWS_MAX]; /* during a check */
    bool dead;               /* the power went; nothing that is reported counts */
};

static size_t below(struct store *s, size_t limit)
{
    return prng_below(&s->random, limit);
}

/* An operation may fail only because the power went. */
static bool alive(struct store *s, int rc)
{
    if (rc >= 0)
        return !s->dead;
    if (!fault_power_gone(s->f))
        fail_msg("failed with power on: %s", strerror(-rc));
    s->dead = true;
    return false;
}

/* ------------------------------------------------------------------------------------------------ sealed files */

/* Numbers of rows, each followed by what it hashes to, then how many. */
static int write_rows(struct store *s, const char *path, const uint64_t *rows, size_t n, uint64_t *ret_bytes)
{
    static uint8_t octets[ROWS_MAX * 16 + 8];
    char full[VFS_PATH_MAX], tmp[VFS_PATH_MAX + 8];
    for (size_t i = 0; i < n; i++) {
        uint64_t mixed = rows[i];
        le64_put(octets + 16 * i, rows[i]);
        le64_put(octets + 16 * i + 8, prng_next(&mixed));
    }
    le64_put(octets + 16 * n, n);
    *ret_bytes = 16 * n + 8;
    assert_int_equal(vfs_join(full, LAKE_DIR, path), 0);
    (void)snprintf(tmp, sizeof(tmp), "%s.tmp", full);
    char dir[VFS_PATH_MAX];
    memcpy(dir, full, sizeof(dir));
    *strrchr(dir, '/') = '\0';
    int rc = vfs_mkdirs(s->v, dir);
    int file = rc == 0 ? vfs_open(s->v, tmp, VFS_WRITE | VFS_CREATE | VFS_TRUNC) : rc;
    if (file < 0)
        return file;
    rc = vfs_write_at(s->v, file, octets, (size_t)*ret_bytes, 0);
    if (rc == 0)
        rc = vfs_sync(s->v, file);
    (void)vfs_close(s->v, file);
    return rc != 0 ? rc : vfs_publish(s->v, tmp, full);
}

/* Rows of a listed file; it must be whole. */
static size_t read_rows(struct store *s, const struct manifest_file *f, uint64_t *rows)
{
    char full[VFS_PATH_MAX];
    size_t len;
    assert_int_equal(vfs_join(full, LAKE_DIR, f->path), 0);
    const uint8_t *octets = fault_data(s->f, full, &len);
    assert_non_null(octets);
    assert_int_equal(len, f->bytes);
    size_t n = (len - 8) / 16;
    assert_int_equal(le64_load(octets + 16 * n), n);
    for (size_t i = 0; i < n; i++) {
        uint64_t mixed = rows[i] = le64_load(octets + 16 * i);
        assert_int_equal(le64_load(octets + 16 * i + 8), prng_next(&mixed));
    }
    return n;
}

/* ------------------------------------------------------------------------------------------------ workload */

static void mark(struct store *s, const uint64_t *rows, size_t n, enum fate fate)
{
    for (size_t i = 0; i < n; i++)
        s->fate[rows[i]] = fate;
}

static void mark_durable(struct store *s)
{
    uint64_t durable = wal_durable(s->w);
    for (uint64_t seq = 1; seq <= durable && seq < ROWS_MAX; seq++)
        if (s->fate[seq] == FATE_APPENDED)
            s->fate[seq] = FATE_DURABLE;
}

static void do_append(struct store *s)
{
    uint8_t frame[700] = { 0 };
    struct wal_record batch[8];
    unsigned writer = (unsigned)below(s, WRITERS);
    size_t n = 1 + below(s, 8);
    uint64_t first;
    for (size_t i = 0; i < n; i++)
        batch[i] = (struct wal_record){ .frame = frame, .len = below(s, sizeof(frame)), .kind = 7 };
    if (!alive(s, wal_append(s->w, writer, batch, n, &first)))
        return;
    assert_true(first + n < ROWS_MAX);
    for (size_t i = 0; i < n; i++) {
        s->hot[writer][s->hot_count[writer]++] = first + i;
        s->fate[first + i] = FATE_APPENDED;
    }
}

static void do_commit(struct store *s)
{
    if (alive(s, wal_commit(s->w)))
        mark_durable(s);
}

static void make_path(char out[MANIFEST_PATH_MAX], size_t table, uint64_t epoch, uint64_t hour)
{
    char name[MANIFEST_PATH_MAX];
    manifest_name(name, epoch, 1, (unsigned)table, ".parquet");
    (void)snprintf(out, MANIFEST_PATH_MAX, "t%zu/date=2026-01-01/hour=%02u/%.64s", table, (unsigned)(hour % 24), name);
}

/* Splits what is hot into tables by number and writes a file for each that has rows. */
static bool write_epoch(struct store *s, uint64_t epoch, char paths[TABLES][MANIFEST_PATH_MAX],
                        struct manifest_file *add, size_t *ret_count)
{
    static uint64_t rows[TABLES][WRITERS * ROWS_MAX];
    size_t count[TABLES] = { 0 };
    for (size_t w = 0; w < WRITERS; w++)
        for (size_t i = 0; i < s->hot_count[w]; i++) {
            size_t table = s->hot[w][i] % TABLES;
            rows[table][count[table]++] = s->hot[w][i];
        }
    *ret_count = 0;
    for (size_t t = 0; t < TABLES; t++) {
        if (count[t] == 0)
            continue;
        struct manifest_file *f = &add[(*ret_count)++];
        make_path(paths[t], t, epoch, epoch / 4);
        *f = (struct manifest_file){ .path = paths[t], .rows = count[t] };
        for (size_t i = 0; i < count[t]; i++)
            f->max_seq = rows[t][i] > f->max_seq ? rows[t][i] : f->max_seq;
        if (!alive(s, write_rows(s, paths[t], rows[t], count[t], &f->bytes)))
            return false;
    }
    return true;
}

static void do_seal(struct store *s)
{
    struct wal_position cut[WRITERS];
    char paths[TABLES][MANIFEST_PATH_MAX], state[MANIFEST_PATH_MAX], name[MANIFEST_PATH_MAX];
    struct manifest_file add[TABLES];
    struct manifest_change c = { .kind = MANIFEST_SEAL,
                                 .epoch = manifest_next_epoch(s->m),
                                 .add = add,
                                 .positions = cut,
                                 .position_count = WRITERS };
    struct errmsg err;
    uint64_t bytes, none = 0;
    for (unsigned i = 0; i < WRITERS; i++)
        if (!alive(s, wal_rotate(s->w, i, &cut[i])))
            return;
    manifest_name(name, c.epoch, 1, 0, ".state");
    (void)snprintf(state, sizeof(state), "state/%.64s", name);
    c.state = state;
    if (!alive(s, write_rows(s, state, &none, 1, &bytes)) || !write_epoch(s, c.epoch, paths, add, &c.add_count))
        return;
    if (!alive(s, manifest_commit(s->m, &c, &err)))
        return;
    for (size_t w = 0; w < WRITERS; w++) {
        mark(s, s->hot[w], s->hot_count[w], FATE_DURABLE);
        s->hot_count[w] = 0;
    }
    (void)alive(s, wal_drop(s->w, cut, WRITERS));
}

/* All files of one table become one. Now and then a pin is held over it. */
static void do_merge(struct store *s)
{
    static uint64_t rows[ROWS_MAX];
    const char *remove[64];
    char path[MANIFEST_PATH_MAX];
    struct errmsg err;
    struct manifest_file add = { .path = path };
    struct manifest_pin *pin = manifest_pin(s->m);
    size_t first, table = below(s, TABLES), n = 0;
    char name[8];
    (void)snprintf(name, sizeof(name), "t%zu", table);
    struct manifest_change c = {
        .kind = MANIFEST_MERGE, .epoch = manifest_next_epoch(s->m), .add = &add, .add_count = 1, .remove = remove
    };
    size_t count = manifest_pin_table(pin, name, &first);
    for (size_t i = 0; i < count && i < COUNT_OF(remove); i++) {
        const struct manifest_file *f = manifest_pin_file(pin, first + i);
        n += read_rows(s, f, rows + n);
        remove[c.remove_count++] = f->path;
        add.max_seq = f->max_seq > add.max_seq ? f->max_seq : add.max_seq;
    }
    make_path(path, table, c.epoch, c.epoch);
    if (c.remove_count > 1 && alive(s, write_rows(s, path, rows, n, &add.bytes)))
        (void)alive(s, manifest_commit(s->m, &c, &err));
    manifest_unpin(pin);
}

static void do_retention(struct store *s)
{
    static uint64_t rows[ROWS_MAX];
    struct errmsg err;
    struct manifest_pin *pin = manifest_pin(s->m);
    if (manifest_pin_count(pin) > 0) {
        const struct manifest_file *f = manifest_pin_file(pin, below(s, manifest_pin_count(pin)));
        size_t n = read_rows(s, f, rows);
        mark(s, rows, n, FATE_REMOVING);
        const struct manifest_change c = {
            .kind = MANIFEST_RETENTION, .epoch = manifest_next_epoch(s->m), .remove = &f->path, .remove_count = 1
        };
        if (alive(s, manifest_commit(s->m, &c, &err)))
            mark(s, rows, n, FATE_REMOVED);
    }
    manifest_unpin(pin);
}

static void do_compact(struct store *s)
{
    struct errmsg err;
    (void)alive(s, manifest_compact(s->m, &err));
}

static void do_step(struct store *s)
{
    static const struct {
        void (*run)(struct store *s);
        size_t weight;
    } steps[] = { { do_append, 24 }, { do_commit, 6 },    { do_seal, 4 },
                  { do_merge, 2 },   { do_retention, 1 }, { do_compact, 1 } };
    size_t draw = below(s, 38);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        if (draw < steps[i].weight) {
            steps[i].run(s);
            return;
        }
        draw -= steps[i].weight;
    }
}

static void run(struct store *s)
{
    for (size_t i = 0; i < STEPS && !s->dead; i++)
        do_step(s);
}

/* ------------------------------------------------------------------------------------------------ recovery */

static int on_record(void *arg, const struct wal_record *r, unsigned worker)
{
    struct store *s = arg;
    assert_true(r->seq < ROWS_MAX);
    assert_int_equal(r->kind, 7);
    s->seen[r->seq]++;
    s->hot[worker][s->hot_count[worker]++] = r->seq;
    return 0;
}

/* As a server starts: MANIFEST, replay from its position, a new log. False if the power went again. */
static bool start(struct store *s)
{
    struct errmsg err = { "" };
    struct wal_replay_stats stats;
    const struct wal_position *from;
    memset(s->seen, 0, sizeof(s->seen));
    memset(s->hot_count, 0, sizeof(s->hot_count));
    s->dead = false;
    const struct manifest_options mo = { .vfs = s->v, .dir = LAKE_DIR, .compact_records = 6 };
    if (!alive(s, manifest_open(&s->m, &mo, &err))) {
        s->m = NULL;
        return false;
    }
    struct manifest_pin *pin = manifest_pin(s->m);
    size_t n = manifest_pin_positions(pin, &from);
    const struct wal_replay_options ro = {
        .vfs = s->v, .dir = WAL_DIR, .from = from, .from_count = n, .record = on_record, .arg = s
    };
    int rc = wal_replay(&ro, &stats, &err);
    uint64_t max = manifest_pin_max_seq(pin) > stats.max_seq ? manifest_pin_max_seq(pin) : stats.max_seq;
    const struct wal_options wo = { .vfs = s->v,
                                    .dir = WAL_DIR,
                                    .writers = WRITERS,
                                    .first_seq = max + 1,
                                    .from = from,
                                    .from_count = n,
                                    .buffer_size = 20000,
                                    .flush_size = 3000,
                                    .segment_size = 9000,
                                    .no_thread = true };
    if (alive(s, rc) && !alive(s, wal_open(&s->w, &wo, &err)))
        s->w = NULL;
    manifest_unpin(pin);
    return !s->dead;
}

static void stop(struct store *s)
{
    (void)wal_close(s->w);
    manifest_close(s->m);
    s->w = NULL;
    s->m = NULL;
}

/* Counts the rows of the lake on top of those that replay gave, and judges each. */
static void check(struct store *s)
{
    static uint64_t rows[ROWS_MAX];
    struct manifest_pin *pin = manifest_pin(s->m);
    for (size_t i = 0; i < manifest_pin_count(pin); i++) {
        const struct manifest_file *f = manifest_pin_file(pin, i);
        assert_int_equal(f->state, MANIFEST_FILE_OK);
        size_t n = read_rows(s, f, rows);
        for (size_t k = 0; k < n; k++)
            s->seen[rows[k]]++;
    }
    char full[VFS_PATH_MAX];
    size_t len;
    if (*manifest_pin_state(pin) != '\0') {
        assert_int_equal(vfs_join(full, LAKE_DIR, manifest_pin_state(pin)), 0);
        assert_non_null(fault_data(s->f, full, &len));
    }
    manifest_unpin(pin);
    for (uint64_t seq = 1; seq < ROWS_MAX; seq++) {
        assert_true(s->seen[seq] <= 1);
        if (s->fate[seq] == FATE_DURABLE)
            assert_int_equal(s->seen[seq], 1);
        if (s->fate[seq] == FATE_REMOVED || s->fate[seq] == FATE_NONE)
            assert_int_equal(s->seen[seq], 0);
        /* From here on what is there is known, and must stay as a sealed or replayed row does. */
        if (s->fate[seq] == FATE_APPENDED || s->fate[seq] == FATE_REMOVING)
            s->fate[seq] = s->seen[seq] > 0 ? FATE_DURABLE : FATE_NONE;
    }
}

static void recover(struct store *s, uint64_t seed)
{
    uint64_t random = seed;
    fault_crash(s->f, prng_next(&random));
    /* Once more in the middle of the recovery, for every third moment. */
    if (prng_below(&random, 3) == 0)
        fault_power_at(s->f, 1 + prng_below(&random, 12));
    while (!start(s)) {
        stop(s);
        fault_crash(s->f, prng_next(&random));
    }
    fault_power_at(s->f, 0);
}

static struct store *store_new(uint64_t seed)
{
    struct store *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    s->f = fault_new(seed);
    s->v = fault_vfs(s->f);
    s->random = seed;
    return s;
}

static void store_free(struct store *s)
{
    stop(s);
    assert_int_equal(fault_open_files(s->f), 0);
    fault_free(s->f);
    free(s);
}

/* How many calls the whole workload makes. */
static uint64_t count_calls(uint64_t seed)
{
    struct store *s = store_new(seed);
    assert_true(start(s));
    run(s);
    assert_false(s->dead);
    uint64_t calls = fault_calls(s->f);
    store_free(s);
    return calls;
}

static void crash_at(uint64_t seed, uint64_t call)
{
    struct store *s = store_new(seed);
    fault_power_at(s->f, call);
    if (start(s))
        run(s);
    stop(s);
    recover(s, seed ^ call * 77);
    check(s);
    /* The store goes on, and meets a second power loss. */
    fault_power_at(s->f, fault_calls(s->f) + 1 + call % 97);
    for (size_t i = 0; i < 40 && !s->dead; i++)
        do_step(s);
    stop(s);
    recover(s, seed ^ call * 99);
    check(s);
    store_free(s);
}

static void test_power_loss_anywhere(void **state)
{
    (void)state;
    const char *text = getenv("HEPCAT_CRASH_POINTS");
    uint64_t points = text != NULL ? strtoull(text, NULL, 10) : 200;
    for (uint64_t i = 0; i < points;) {
        uint64_t seed = 1 + i / 100;
        uint64_t calls = count_calls(seed);
        for (uint64_t k = 0; k < 100 && i < points; k++, i++)
            crash_at(seed, 1 + k * calls / 100);
    }
}

/* Stopped in order, nothing at all is missing. */
static void test_clean_restart(void **state)
{
    (void)state;
    for (uint64_t seed = 1000; seed < 1020; seed++) {
        struct store *s = store_new(seed);
        assert_true(start(s));
        run(s);
        assert_int_equal(wal_commit(s->w), 0);
        mark_durable(s);
        stop(s);
        recover(s, seed);
        check(s);
        store_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_loss_anywhere),
        cmocka_unit_test(test_clean_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
