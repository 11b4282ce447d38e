/*
 * The engine and the real lake, on the file system that forgets: power loss, failing calls, a full disk, a lost or
 * damaged MANIFEST and damaged log segments, at any moment of a random workload, in the recovery too.
 *
 * After each restart every row with a number up to what sink_durable() last said is there once, as it was sent, octet
 * by octet; no row is there twice; every listed file is whole. HEPCAT_CRASH_POINTS says how many moments are tried.
 */
#include <errno.h>

#include "store/lake/datadir.h"
#include "test_engine_world.h"

#define STEPS  90
#define POINTS 10 /* moments of one history */

/* ------------------------------------------------------------------------------------------------ workload */

static void do_commit(struct world *w)
{
    (void)went_well(w, engine_commit(w->engine), "commit", NULL);
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

/* What is tried now; told when a test fails. */
static struct point {
    uint64_t seed, call;
} current;

static int tell_point(void **state)
{
    (void)state;
    if (current.seed != 0)
        print_error("last: HEPCAT_CRASH_SEED=%llu, call %llu\n", (unsigned long long)current.seed,
                    (unsigned long long)current.call);
    return 0;
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
            current = (struct point){ seed, 1 + k * calls / POINTS };
            crash_at(seed, current.call);
        }
    }
    current.seed = 0;
}

/* ------------------------------------------------------------------------------------------------ a full disk */

/* A disk that is full but for the reserve: the log cannot be written, the seal gets the space and empties the log. */
static void test_reserve(void **state)
{
    (void)state;
    struct errmsg err = { "" };
    struct world *w = world_new(MEETS);
    size_t len;
    w->writers = 2;
    fault_capacity(w->fs, DATADIR_RESERVE_SIZE + 60000);
    assert_int_equal(open_store(w, &err), 0);
    assert_int_equal(open_engine(w, &err), 0);
    (void)fault_data(w->fs, DATA "/RESERVE", &len);
    assert_int_equal(len, DATADIR_RESERVE_SIZE);
    struct engine_figures figures = { .unlogged = 0 };
    for (unsigned i = 0; i < 1000 && figures.unlogged == 0; i++) {
        do_append(w);
        engine_figures(w->engine, &figures);
    }
    assert_true(figures.unlogged > 0);
    assert_true(sink_durable(engine_sink(w->engine)) < w->last);
    assert_int_equal(engine_commit(w->engine), -ENOSPC);
    do_seal(w);
    (void)fault_data(w->fs, DATA "/RESERVE", &len);
    assert_int_equal(len, 0);
    do_append(w);
    do_commit(w);
    note_durable(w);
    fault_power_at(w->fs, fault_calls(w->fs) + 1);
    recover(w);
    assert_int_equal(w->last, w->message);
    world_free(w);
}

/* Without a reserve the log cannot be cut, and that is told. It goes on by itself when there is space. */
static void test_no_room_at_all(void **state)
{
    (void)state;
    struct errmsg err = { "" };
    struct engine_figures figures;
    struct world *w = world_new(MEETS);
    assert_true(start(w));
    do_append(w);
    fault_capacity(w->fs, CAPACITY - (uint64_t)vfs_free_space(w->vfs, DATA) + 100);
    for (unsigned i = 0; i < 10; i++)
        do_append(w);
    assert_int_equal(engine_seal(w->engine, &err), -ENOSPC);
    assert_true(err.text[0] != '\0');
    engine_figures(w->engine, &figures);
    assert_int_equal(figures.seal_failures, 1);
    assert_true(figures.durable < w->last);
    fault_capacity(w->fs, CAPACITY);
    do_seal(w);
    engine_figures(w->engine, &figures);
    assert_int_equal(figures.seal_failures, 0);
    assert_int_equal(figures.last_seq, w->last);
    note_durable(w);
    check(w);
    world_free(w);
}

/* A start with fewer writers than the log is of is refused: it could not consume it. */
static void test_too_few_writers(void **state)
{
    (void)state;
    struct errmsg err = { "" };
    struct world *w = world_new(MEETS);
    w->writers = 3;
    assert_int_equal(open_store(w, &err), 0);
    assert_int_equal(open_engine(w, &err), 0);
    for (unsigned i = 0; i < 20; i++)
        do_append(w);
    do_commit(w);
    note_durable(w);
    fault_power_at(w->fs, fault_calls(w->fs) + 1);
    stop(w);
    fault_crash(w->fs, 1);
    w->writers = 2;
    assert_int_equal(open_store(w, &err), 0);
    assert_int_equal(open_engine(w, &err), -EINVAL);
    stop(w);
    assert_true(start(w));
    check(w);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_power_loss_anywhere, tell_point),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_no_room_at_all),
        cmocka_unit_test(test_too_few_writers),
    };
    return cmocka_run_group_tests_name("engine crash", tests, NULL, NULL);
}
