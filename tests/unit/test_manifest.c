/* The MANIFEST: changes, pins, damage, rebuild; the data directory's lock and reserve. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/le.h"
#include "fault_vfs.h"
#include "store/lake/datadir.h"
#include "store/lake/manifest.h"
#include "testlib.h"

#define LAKE "/data/lake"

struct lake {
    struct fault_fs *f;
    struct manifest *m;
    struct errmsg err;
    uint64_t events[MANIFEST_EVENTS];
    char last_path[MANIFEST_PATH_MAX];
    size_t compact;
};

static void on_event(void *arg, enum manifest_event event, const char *path)
{
    struct lake *l = arg;
    l->events[event]++;
    (void)snprintf(l->last_path, sizeof(l->last_path), "%s", path);
}

static int open_with(struct lake *l, manifest_footer_fn *footer, bool read_only)
{
    memset(l->events, 0, sizeof(l->events));
    const struct manifest_options o = { .vfs = fault_vfs(l->f),
                                        .dir = LAKE,
                                        .node = 0xbeef,
                                        .footer = footer,
                                        .event = on_event,
                                        .arg = l,
                                        .compact_records = l->compact,
                                        .read_only = read_only };
    l->m = NULL;
    return manifest_open(&l->m, &o, &l->err);
}

static void setup(struct lake *l)
{
    *l = (struct lake){ .f = fault_new(1) };
    assert_int_equal(open_with(l, NULL, false), 0);
}

static void reopen(struct lake *l)
{
    manifest_close(l->m);
    assert_int_equal(open_with(l, NULL, false), 0);
}

static void teardown(struct lake *l)
{
    manifest_close(l->m);
    assert_int_equal(fault_open_files(l->f), 0);
    fault_free(l->f);
}

static void path_of(char out[MANIFEST_PATH_MAX], const char *table, uint64_t epoch)
{
    char name[MANIFEST_PATH_MAX];
    manifest_name(name, epoch, 0xbeef, 1, ".parquet");
    (void)snprintf(out, MANIFEST_PATH_MAX, "%s/date=2026-01-02/hour=03/%.64s", table, name);
}

static void put_file(struct lake *l, const char *path)
{
    char full[VFS_PATH_MAX];
    assert_int_equal(vfs_join(full, LAKE, path), 0);
    fault_put(l->f, full, "0123456789", 10);
}

static bool exists(struct lake *l, const char *path)
{
    char full[VFS_PATH_MAX];
    size_t len;
    assert_int_equal(vfs_join(full, LAKE, path), 0);
    return fault_data(l->f, full, &len) != NULL;
}

static struct manifest_file file_of(const char *path, uint64_t epoch)
{
    return (struct manifest_file){ .path = path,
                                   .rows = epoch * 10,
                                   .bytes = 10,
                                   .min_ts = -(int64_t)epoch,
                                   .max_ts = (int64_t)epoch,
                                   .min_seq = epoch * 100,
                                   .max_seq = epoch * 100 + 99,
                                   .hour = 490000 };
}

/* Commits a file of `table`, removing `removes` (may be NULL). */
static int commit(struct lake *l, enum manifest_kind kind, const char *table, uint64_t epoch, const char *removes)
{
    char path[MANIFEST_PATH_MAX];
    const struct wal_position position = { 3, epoch };
    const char *const remove[] = { removes };
    path_of(path, table, epoch);
    put_file(l, path);
    const struct manifest_file add = file_of(path, epoch);
    const struct manifest_change c = { .kind = kind,
                                       .epoch = epoch,
                                       .add = &add,
                                       .add_count = 1,
                                       .remove = remove,
                                       .remove_count = removes != NULL,
                                       .positions = &position,
                                       .position_count = 1 };
    return manifest_commit(l->m, &c, &l->err);
}

static void seal(struct lake *l, const char *table, uint64_t epoch)
{
    assert_int_equal(commit(l, MANIFEST_SEAL, table, epoch, NULL), 0);
}

static int remove_one(struct lake *l, enum manifest_kind kind, uint64_t epoch, const char *path)
{
    const struct manifest_change c = { .kind = kind, .epoch = epoch, .remove = &path, .remove_count = 1 };
    return manifest_commit(l->m, &c, &l->err);
}

static size_t live(struct lake *l)
{
    struct manifest_pin *pin = manifest_pin(l->m);
    size_t n = manifest_pin_count(pin);
    manifest_unpin(pin);
    return n;
}

static void test_names(void **state)
{
    (void)state;
    char name[MANIFEST_PATH_MAX];
    manifest_name(name, 42, 0xbeef, 1, ".parquet");
    assert_string_equal(name, "0000000042-0000beef-000001.parquet");
    assert_true(manifest_is_ours(name));
    manifest_name(name, UINT64_MAX, UINT64_MAX, UINT32_MAX, ".state.tmp");
    assert_true(manifest_is_ours(name));
    static const char *const others[] = { "",
                                          "a.parquet",
                                          "0000000042-0000beef-000001.csv",
                                          "42-0000beef-000001.parquet",
                                          "0000000042-0000BEEF-000001.parquet",
                                          "0000000042-0000beef-000001.parquet.gz",
                                          "0000000042-0000beef-.parquet",
                                          "MANIFEST" };
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(manifest_is_ours(others[i]));
}

static void test_commit_and_reopen(void **state)
{
    (void)state;
    struct lake l;
    setup(&l);
    assert_int_equal(manifest_next_epoch(l.m), 1);
    seal(&l, "sip", 1);
    seal(&l, "media", 2);
    seal(&l, "sip", 3);
    assert_int_equal(manifest_next_epoch(l.m), 2);
    reopen(&l);
    assert_int_equal(manifest_next_epoch(l.m), 4);
    struct manifest_pin *pin = manifest_pin(l.m);
    assert_int_equal(manifest_pin_count(pin), 3);
    assert_int_equal(manifest_pin_epoch(pin), 3);
    assert_int_equal(manifest_pin_max_seq(pin), 399);
    size_t first;
    assert_int_equal(manifest_pin_table(pin, "sip", &first), 2);
    assert_int_equal(first, 1);
    assert_int_equal(manifest_pin_table(pin, "si", &first), 0);
    assert_int_equal(manifest_pin_table(pin, "media", &first), 1);
    char path[MANIFEST_PATH_MAX];
    path_of(path, "sip", 3);
    const struct manifest_file *f = manifest_pin_find(pin, path);
    assert_non_null(f);
    assert_int_equal(f->rows, 30);
    assert_int_equal(f->min_ts, -3);
    assert_int_equal(f->hour, 490000);
    assert_int_equal(f->epoch, 3);
    assert_int_equal(f->state, MANIFEST_FILE_OK);
    assert_ptr_equal(f, manifest_pin_file(pin, 2));
    const struct wal_position *p;
    assert_int_equal(manifest_pin_positions(pin, &p), 1);
    assert_int_equal(p[0].worker, 3);
    assert_int_equal(p[0].segment, 3);
    manifest_unpin(pin);
    teardown(&l);
}

static void test_refusals(void **state)
{
    (void)state;
    struct lake l;
    setup(&l);
    char path[MANIFEST_PATH_MAX];
    seal(&l, "sip", 5);
    assert_int_equal(commit(&l, MANIFEST_SEAL, "sip", 5, NULL), -EINVAL);
    assert_int_equal(commit(&l, MANIFEST_MERGE, "sip", 5, NULL), -EEXIST);
    assert_int_equal(commit(&l, MANIFEST_SNAPSHOT, "sip", 6, NULL), -EINVAL);
    assert_int_equal(commit(&l, MANIFEST_SEAL, "..", 6, NULL), -EINVAL);
    path_of(path, "sip", 4);
    assert_int_equal(remove_one(&l, MANIFEST_RETENTION, 6, path), -ENOENT);
    assert_int_equal(remove_one(&l, MANIFEST_RETENTION, 6, "/etc/passwd"), -EINVAL);
    assert_int_equal(remove_one(&l, MANIFEST_RETENTION, 6, "../0000000042-0000beef-000001.parquet"), -EINVAL);
    const struct manifest_change many = { .kind = MANIFEST_SEAL, .epoch = 6, .add_count = MANIFEST_FILES_MAX + 1 };
    assert_int_equal(manifest_commit(l.m, &many, &l.err), -E2BIG);
    assert_string_equal(l.err.text, "MANIFEST, epoch 6: Argument list too long");
    reopen(&l);
    assert_int_equal(live(&l), 1);
    teardown(&l);
}

static void test_pins_keep_files(void **state)
{
    (void)state;
    struct lake l;
    char a[MANIFEST_PATH_MAX], b[MANIFEST_PATH_MAX];
    setup(&l);
    path_of(a, "sip", 1);
    path_of(b, "sip", 2);
    seal(&l, "sip", 1);
    struct manifest_pin *first = manifest_pin(l.m);
    seal(&l, "sip", 2);
    struct manifest_pin *second = manifest_pin(l.m);
    struct manifest_pin *again = manifest_pin(l.m);
    assert_int_equal(commit(&l, MANIFEST_MERGE, "sip", 3, a), 0);
    assert_int_equal(remove_one(&l, MANIFEST_RETENTION, 4, b), 0);
    assert_int_equal(live(&l), 1);
    assert_int_equal(manifest_pin_count(first), 1);
    assert_int_equal(manifest_pin_count(second), 2);
    manifest_unpin(second);
    assert_true(exists(&l, a));
    assert_true(exists(&l, b));
    manifest_unpin(again);
    assert_true(exists(&l, a)); /* the first pin still has it */
    assert_false(exists(&l, b));
    manifest_unpin(first);
    assert_false(exists(&l, a));
    struct manifest_stats s;
    manifest_stats(l.m, &s);
    assert_int_equal(s.unlinked, 2);
    assert_int_equal(s.commits, 4);
    /* Removed while pinned, and the process ended: the next start unlinks it. */
    path_of(a, "sip", 3);
    first = manifest_pin(l.m);
    assert_int_equal(remove_one(&l, MANIFEST_RETENTION, 5, a), 0);
    fault_inject(l.f, FAULT_UNLINK, 0, -EIO, 1);
    manifest_unpin(first);
    reopen(&l);
    assert_false(exists(&l, a));
    assert_int_equal(l.events[MANIFEST_REMOVED], 1);
    teardown(&l);
}

static void test_state_snapshot(void **state)
{
    (void)state;
    struct lake l;
    setup(&l);
    char path[2][MANIFEST_PATH_MAX], name[MANIFEST_PATH_MAX];
    for (uint64_t i = 0; i < 2; i++) {
        manifest_name(name, i + 1, 1, 1, ".state");
        (void)snprintf(path[i], sizeof(path[i]), "state/%.64s", name);
        put_file(&l, path[i]);
        const struct manifest_change c = { .kind = MANIFEST_SEAL, .epoch = i + 1, .state = path[i] };
        assert_int_equal(manifest_commit(l.m, &c, &l.err), 0);
    }
    assert_false(exists(&l, path[0]));
    seal(&l, "sip", 3); /* without one: the last stays */
    reopen(&l);
    assert_true(exists(&l, path[1]));
    struct manifest_pin *pin = manifest_pin(l.m);
    assert_string_equal(manifest_pin_state(pin), path[1]);
    manifest_unpin(pin);
    teardown(&l);
}

static void test_set_aside(void **state)
{
    (void)state;
    struct lake l;
    char path[MANIFEST_PATH_MAX], damaged[MANIFEST_PATH_MAX + 16];
    setup(&l);
    seal(&l, "sip", 1);
    path_of(path, "sip", 1);
    assert_int_equal(remove_one(&l, MANIFEST_SET_ASIDE, 2, path), 0);
    assert_false(exists(&l, path));
    (void)snprintf(damaged, sizeof(damaged), "%s.damaged", path);
    assert_true(exists(&l, damaged));
    reopen(&l);
    assert_true(exists(&l, damaged)); /* and it stays */
    assert_int_equal(live(&l), 0);
    teardown(&l);
}

static void test_sweep(void **state)
{
    (void)state;
    struct lake l;
    char path[MANIFEST_PATH_MAX], tmp[MANIFEST_PATH_MAX + 8];
    setup(&l);
    seal(&l, "sip", 1);
    seal(&l, "sip", 2);
    seal(&l, "sip", 3);
    path_of(path, "media", 9); /* never committed */
    put_file(&l, path);
    (void)snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    put_file(&l, tmp);
    put_file(&l, "sip/notes.txt");
    path_of(path, "sip", 2);
    char full[VFS_PATH_MAX];
    assert_int_equal(vfs_join(full, LAKE, path), 0);
    assert_int_equal(vfs_unlink(fault_vfs(l.f), full), 0);
    path_of(path, "sip", 3);
    assert_int_equal(vfs_join(full, LAKE, path), 0);
    fault_put(l.f, full, "short", 5);
    /* A reader beside the server only looks. */
    manifest_close(l.m);
    uint64_t calls = fault_calls(l.f);
    assert_int_equal(open_with(&l, NULL, true), 0);
    assert_int_equal(fault_calls(l.f), calls);
    assert_int_equal(l.events[MANIFEST_MISSING], 1);
    assert_int_equal(remove_one(&l, MANIFEST_RETENTION, 5, path), -EROFS);
    reopen(&l);
    assert_int_equal(l.events[MANIFEST_REMOVED], 2);
    assert_int_equal(l.events[MANIFEST_FOREIGN], 1);
    assert_int_equal(l.events[MANIFEST_MISSING], 1);
    assert_int_equal(l.events[MANIFEST_WRONG_SIZE], 1);
    assert_true(exists(&l, "sip/notes.txt"));
    assert_false(exists(&l, "media/date=2026-01-02")); /* empty folders go */
    assert_int_equal(manifest_next_epoch(l.m), 10);    /* a number in a name is not used again */
    struct manifest_pin *pin = manifest_pin(l.m);
    assert_int_equal(manifest_pin_file(pin, 0)->state, MANIFEST_FILE_OK);
    assert_int_equal(manifest_pin_file(pin, 1)->state, MANIFEST_FILE_MISSING);
    assert_int_equal(manifest_pin_file(pin, 2)->state, MANIFEST_FILE_SIZE);
    manifest_unpin(pin);
    teardown(&l);
}

static void test_disk_full(void **state)
{
    (void)state;
    struct lake l;
    setup(&l);
    seal(&l, "sip", 1);
    fault_inject(l.f, FAULT_WRITE, 1, -ENOSPC, 1); /* the file itself comes first */
    assert_int_equal(commit(&l, MANIFEST_SEAL, "sip", 2, NULL), -ENOSPC);
    assert_string_equal(l.err.text, "MANIFEST, epoch 2: No space left on device");
    assert_int_equal(live(&l), 1);
    assert_int_equal(commit(&l, MANIFEST_SEAL, "sip", 2, NULL), 0);
    reopen(&l);
    assert_int_equal(l.events[MANIFEST_HEALED], 0);
    assert_int_equal(live(&l), 2);
    teardown(&l);
}

/* After a failed sync the log is written anew; the change is tried again on the new one. */
static void test_sync_failure(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct lake l;
        setup(&l);
        seal(&l, "sip", 1);
        fault_inject(l.f, FAULT_SYNC, 1, -EIO, 1); /* the file's own sync comes first */
        assert_int_equal(commit(&l, MANIFEST_SEAL, "sip", 2, NULL), -EIO);
        assert_int_equal(live(&l), 1);
        bool retried = seed % 2 == 0;
        if (retried)
            assert_int_equal(commit(&l, MANIFEST_SEAL, "sip", 2, NULL), 0);
        manifest_close(l.m);
        fault_crash(l.f, seed);
        assert_int_equal(open_with(&l, NULL, false), 0);
        size_t n = live(&l);
        assert_true(retried ? n == 2 : n == 1 || n == 2);
        assert_int_equal(l.events[MANIFEST_MISSING], 0);
        teardown(&l);
    }
}

static void test_compaction(void **state)
{
    (void)state;
    struct lake l;
    char path[MANIFEST_PATH_MAX];
    struct manifest_stats s;
    setup(&l);
    l.compact = 10;
    reopen(&l);
    for (uint64_t e = 1; e <= 60; e += 2) {
        seal(&l, "sip", e);
        if (e > 4) {
            path_of(path, "sip", e - 4);
            assert_int_equal(remove_one(&l, MANIFEST_RETENTION, e + 1, path), 0);
        }
    }
    manifest_stats(l.m, &s);
    assert_true(s.compactions >= 4);
    assert_true(s.records <= 11);
    assert_int_equal(live(&l), 2);
    reopen(&l);
    assert_int_equal(live(&l), 2);
    assert_int_equal(manifest_next_epoch(l.m), 61);
    assert_int_equal(commit(&l, MANIFEST_SEAL, "sip", 59, NULL), -EINVAL);
    /* When the rewrite fails the change is committed all the same. */
    for (uint64_t e = 61; e <= 80; e++) {
        fault_inject(l.f, FAULT_RENAME, 0, -EIO, 1);
        seal(&l, "sip", e);
    }
    fault_clear(l.f);
    reopen(&l);
    assert_int_equal(live(&l), 22);
    teardown(&l);
}

static void test_many_files(void **state)
{
    (void)state;
    struct lake l;
    setup(&l);
    enum { N = MANIFEST_FILES_MAX + 10 };
    static char paths[N][64];
    static struct manifest_file files[N];
    for (unsigned i = 0; i < N; i++) {
        char name[MANIFEST_PATH_MAX];
        manifest_name(name, 1 + i / MANIFEST_FILES_MAX, 1, i, ".parquet");
        (void)snprintf(paths[i], sizeof(paths[i]), "t/%.40s", name);
        files[i] = (struct manifest_file){ .path = paths[i] };
    }
    const struct manifest_change a = {
        .kind = MANIFEST_SEAL, .epoch = 1, .add = files, .add_count = MANIFEST_FILES_MAX
    };
    const struct manifest_change b = {
        .kind = MANIFEST_SEAL, .epoch = 2, .add = files + MANIFEST_FILES_MAX, .add_count = 10
    };
    assert_int_equal(manifest_commit(l.m, &a, &l.err), 0);
    assert_int_equal(manifest_commit(l.m, &b, &l.err), 0);
    assert_int_equal(manifest_compact(l.m, &l.err), 0);
    reopen(&l);
    assert_int_equal(live(&l), N);
    assert_int_equal(l.events[MANIFEST_MISSING], N);
    teardown(&l);
}

/* ------------------------------------------------------------------------------------------------ damage */

struct copy {
    uint8_t *octets;
    size_t len;
};

static struct copy take_copy(struct lake *l)
{
    struct copy c;
    const uint8_t *data = fault_data(l->f, LAKE "/MANIFEST", &c.len);
    assert_non_null(data);
    c.octets = malloc(c.len);
    assert_non_null(c.octets);
    memcpy(c.octets, data, c.len);
    return c;
}

/* Every record and the header stand twice: any one octet may be wrong. */
static void test_flipped_at_every_octet(void **state)
{
    (void)state;
    struct lake l;
    setup(&l);
    seal(&l, "sip", 1);
    seal(&l, "sip", 2);
    struct copy c = take_copy(&l);
    for (size_t at = 0; at < c.len; at++) {
        manifest_close(l.m);
        c.octets[at] ^= 0x10;
        fault_put(l.f, LAKE "/MANIFEST", c.octets, c.len);
        c.octets[at] ^= 0x10;
        assert_int_equal(open_with(&l, NULL, false), 0);
        assert_int_equal(live(&l), 2);
        assert_int_equal(l.events[MANIFEST_REMOVED], 0);
        assert_true(l.events[MANIFEST_HEALED] <= 1);
    }
    free(c.octets);
    teardown(&l);
}

/* Cut anywhere within the last record, it is there as a whole or not at all. */
static void test_torn_at_every_octet(void **state)
{
    (void)state;
    struct lake l;
    setup(&l);
    seal(&l, "sip", 1);
    struct copy before = take_copy(&l);
    seal(&l, "sip", 2);
    struct copy after = take_copy(&l);
    char path[MANIFEST_PATH_MAX];
    path_of(path, "sip", 2);
    size_t one = (after.len - before.len) / 2;
    for (size_t len = before.len; len <= after.len; len++) {
        manifest_close(l.m);
        put_file(&l, path);
        fault_put(l.f, LAKE "/MANIFEST", after.octets, len);
        assert_int_equal(open_with(&l, NULL, false), 0);
        bool there = len >= before.len + one;
        assert_int_equal(live(&l), there ? 2 : 1);
        assert_int_equal(exists(&l, path), there);
        if (there)
            continue;
        seal(&l, "sip", 2); /* and the log can be gone on with */
        assert_int_equal(live(&l), 2);
    }
    free(before.octets);
    free(after.octets);
    teardown(&l);
}

/* Footers by the epoch in the name. 1, 2 and 3 are seals of two files each; 4 merges the first two of sip. */
static int footer(void *arg, const char *path, struct manifest_footer *ret)
{
    (void)arg;
    static char merged[2][MANIFEST_PATH_MAX];
    static const char *const replaces[] = { merged[0], merged[1] };
    static struct wal_position position;
    uint64_t epoch;
    const char *name = strrchr(path, '/') + 1;
    epoch = (uint64_t)strtoull(name, NULL, 10);
    if (epoch == 66)
        return -EBADMSG;
    position = (struct wal_position){ 3, epoch };
    *ret = (struct manifest_footer){ .file = file_of(NULL, epoch),
                                     .kind = MANIFEST_SEAL,
                                     .epoch_files = 2,
                                     .positions = &position,
                                     .position_count = 1 };
    ret->file.epoch = epoch;
    if (epoch == 4) {
        path_of(merged[0], "sip", 1);
        path_of(merged[1], "sip", 2);
        *ret = (struct manifest_footer){ .file = file_of(NULL, 4),
                                         .kind = MANIFEST_MERGE,
                                         .epoch_files = 1,
                                         .replaces = replaces,
                                         .replaces_count = 2 };
        ret->file.epoch = 4;
    }
    return 0;
}

static void test_other_version(void **state)
{
    (void)state;
    struct lake l;
    setup(&l);
    seal(&l, "sip", 1);
    struct copy c = take_copy(&l);
    manifest_close(l.m);
    for (size_t at = 0; at < 128; at += 64) {
        c.octets[at + 8] = 2;
        le64_put(c.octets + at + 56, XXH3_64bits(c.octets + at, 56));
    }
    fault_put(l.f, LAKE "/MANIFEST", c.octets, c.len);
    assert_int_equal(open_with(&l, footer, false), -ENOTSUP);
    assert_string_equal(l.err.text, LAKE "/MANIFEST: schema version 2, this program reads version 1");
    c.octets[8] ^= 3; /* both copies of the header damaged */
    c.octets[72] ^= 3;
    fault_put(l.f, LAKE "/MANIFEST", c.octets, c.len);
    assert_int_equal(open_with(&l, NULL, false), -EUCLEAN);
    assert_string_equal(l.err.text, "lake " LAKE ": the MANIFEST is damaged");
    assert_int_equal(fault_open_files(l.f), 0);
    free(c.octets);
    fault_free(l.f);
}

/* ------------------------------------------------------------------------------------------------ rebuild */

static void seal_two(struct lake *l, uint64_t epoch)
{
    char path[2][MANIFEST_PATH_MAX];
    const struct wal_position position = { 3, epoch };
    path_of(path[0], "sip", epoch);
    path_of(path[1], "media", epoch);
    put_file(l, path[0]);
    put_file(l, path[1]);
    const struct manifest_file add[] = { file_of(path[0], epoch), file_of(path[1], epoch) };
    const struct manifest_change c = {
        .kind = MANIFEST_SEAL, .epoch = epoch, .add = add, .add_count = 2, .positions = &position, .position_count = 1
    };
    assert_int_equal(manifest_commit(l->m, &c, &l->err), 0);
}

static void lose_manifest(struct lake *l)
{
    manifest_close(l->m);
    assert_int_equal(vfs_unlink(fault_vfs(l->f), LAKE "/MANIFEST"), 0);
}

static uint64_t position_of(struct lake *l)
{
    struct manifest_pin *pin = manifest_pin(l->m);
    const struct wal_position *p;
    uint64_t segment = manifest_pin_positions(pin, &p) > 0 ? p[0].segment : 0;
    manifest_unpin(pin);
    return segment;
}

static void test_rebuild_lost(void **state)
{
    (void)state;
    struct lake l;
    char path[MANIFEST_PATH_MAX];
    setup(&l);
    for (uint64_t e = 1; e <= 3; e++)
        seal_two(&l, e);
    lose_manifest(&l);
    assert_int_equal(open_with(&l, NULL, false), -EUCLEAN);
    path_of(path, "sip", 66);
    put_file(&l, path); /* no footer */
    assert_int_equal(open_with(&l, footer, false), 0);
    assert_int_equal(l.events[MANIFEST_REBUILT], 1);
    assert_int_equal(l.events[MANIFEST_DAMAGED], 1);
    assert_false(exists(&l, path));
    assert_int_equal(live(&l), 6);
    assert_int_equal(position_of(&l), 3);
    reopen(&l);
    assert_int_equal(l.events[MANIFEST_REBUILT], 0);
    assert_int_equal(live(&l), 6);
    struct manifest_pin *pin = manifest_pin(l.m);
    path_of(path, "sip", 2);
    assert_int_equal(manifest_pin_find(pin, path)->epoch, 2);
    assert_int_equal(manifest_pin_max_seq(pin), 399);
    manifest_unpin(pin);
    teardown(&l);
}

/* A merge whose inputs were not unlinked yet. */
static void test_rebuild_merge(void **state)
{
    (void)state;
    struct lake l;
    char path[MANIFEST_PATH_MAX];
    setup(&l);
    for (uint64_t e = 1; e <= 3; e++)
        seal_two(&l, e);
    path_of(path, "sip", 4);
    put_file(&l, path);
    lose_manifest(&l);
    assert_int_equal(open_with(&l, footer, false), 0);
    assert_int_equal(live(&l), 5);
    path_of(path, "sip", 1);
    assert_false(exists(&l, path));
    teardown(&l);
}

/* The newest seal was cut off between its renames: its WAL is still there, so its file goes. */
static void test_rebuild_cut_off(void **state)
{
    (void)state;
    struct lake l;
    char path[MANIFEST_PATH_MAX];
    setup(&l);
    seal_two(&l, 1);
    seal_two(&l, 2);
    path_of(path, "sip", 3);
    put_file(&l, path);
    lose_manifest(&l);
    assert_int_equal(open_with(&l, footer, false), 0);
    assert_int_equal(live(&l), 4);
    assert_int_equal(position_of(&l), 2);
    assert_false(exists(&l, path));
    teardown(&l);
}

/* A record is missing in the middle: both of its copies are damaged. */
static void test_rebuild_damaged(void **state)
{
    (void)state;
    struct lake l;
    setup(&l);
    struct copy before = take_copy(&l);
    seal_two(&l, 1);
    seal_two(&l, 2);
    struct copy c = take_copy(&l);
    size_t one = (c.len - before.len) / 4;
    c.octets[before.len + 20] ^= 1;
    c.octets[before.len + one + 20] ^= 1;
    manifest_close(l.m);
    fault_put(l.f, LAKE "/MANIFEST", c.octets, c.len);
    assert_int_equal(open_with(&l, NULL, false), -EUCLEAN);
    assert_int_equal(open_with(&l, footer, false), 0);
    assert_int_equal(l.events[MANIFEST_REBUILT], 1);
    assert_int_equal(live(&l), 4);
    reopen(&l); /* the damaged one was put aside and is not in the way */
    assert_int_equal(live(&l), 4);
    free(before.octets);
    free(c.octets);
    teardown(&l);
}

/* ------------------------------------------------------------------------------------------------ threads */

struct race {
    struct lake *l;
    _Atomic bool stop;
};

/* Every file of a pin can be read as long as the pin is held. */
static void *reader(void *arg)
{
    struct race *r = arg;
    const struct vfs *v = fault_vfs(r->l->f);
    while (!atomic_load(&r->stop)) {
        struct manifest_pin *pin = manifest_pin(r->l->m);
        for (size_t i = 0; i < manifest_pin_count(pin); i++) {
            char full[VFS_PATH_MAX];
            struct vfs_stat st;
            if (vfs_join(full, LAKE, manifest_pin_file(pin, i)->path) != 0 || vfs_stat(v, full, &st) != 0)
                abort();
        }
        manifest_unpin(pin);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct lake l;
    setup(&l);
    struct race r = { .l = &l };
    pthread_t threads[3];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader, &r), 0);
    for (uint64_t e = 1; e <= 300; e++) {
        char path[MANIFEST_PATH_MAX];
        path_of(path, "sip", e - 4);
        assert_int_equal(commit(&l, MANIFEST_SEAL, "sip", e, e > 4 ? path : NULL), 0);
    }
    atomic_store(&r.stop, true);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    struct manifest_stats s;
    manifest_stats(l.m, &s);
    assert_int_equal(s.unlinked, 296);
    teardown(&l);
}

/* ------------------------------------------------------------------------------------------------ directory */

static void test_lock(void **state)
{
    (void)state;
    struct fault_fs *f = fault_new(1);
    struct errmsg err;
    const struct vfs *v = fault_vfs(f);
    int lock = datadir_lock(v, "/data", &err);
    assert_true(lock >= 0);
    assert_int_equal(datadir_lock(v, "/data", &err), -EWOULDBLOCK);
    assert_string_equal(err.text, "data directory /data: another process is using it");
    datadir_unlock(v, lock);
    lock = datadir_lock(v, "/data", &err);
    assert_true(lock >= 0);
    datadir_unlock(v, lock);
    assert_int_equal(fault_open_files(f), 0);
    fault_free(f);

    char dir[] = "/tmp/hepcat-lock-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    lock = datadir_lock(vfs_posix(), dir, &err);
    assert_true(lock >= 0);
    assert_int_equal(datadir_lock(vfs_posix(), dir, &err), -EWOULDBLOCK);
    assert_int_equal(reserve_restore(vfs_posix(), dir, 65536 * 2 + 1), 0);
    struct vfs_stat st;
    (void)snprintf(path, sizeof(path), "%s/RESERVE", dir);
    assert_int_equal(vfs_stat(vfs_posix(), path, &st), 0);
    assert_int_equal(st.size, 65536 * 2 + 1);
    assert_int_equal(reserve_release(vfs_posix(), dir), 0);
    assert_int_equal(vfs_stat(vfs_posix(), path, &st), 0);
    assert_int_equal(st.size, 0);
    assert_int_equal(vfs_unlink(vfs_posix(), path), 0);
    (void)snprintf(path, sizeof(path), "%s/LOCK", dir);
    assert_int_equal(vfs_unlink(vfs_posix(), path), 0);
    datadir_unlock(vfs_posix(), lock);
    assert_int_equal(vfs_rmdir(vfs_posix(), dir), 0);
}

static void test_reserve(void **state)
{
    (void)state;
    struct fault_fs *f = fault_new(1);
    const struct vfs *v = fault_vfs(f);
    assert_int_equal(vfs_mkdirs(v, "/data"), 0);
    assert_int_equal(reserve_release(v, "/data"), 0); /* none yet */
    fault_inject(f, FAULT_ALLOCATE, 0, -EOPNOTSUPP, 1);
    assert_int_equal(reserve_restore(v, "/data", 100000), 0);
    fault_capacity(f, 100000);
    fault_put(f, "/data/a", "", 0);
    int file = vfs_open(v, "/data/a", VFS_WRITE);
    assert_int_equal(vfs_write_at(v, file, "x", 1, 0), -ENOSPC);
    assert_int_equal(reserve_release(v, "/data"), 0);
    assert_int_equal(vfs_free_space(v, "/data"), 100000);
    assert_int_equal(vfs_write_at(v, file, "x", 1, 0), 0);
    assert_int_equal(reserve_restore(v, "/data", 100000), -ENOSPC);
    assert_int_equal(vfs_free_space(v, "/data"), 99999); /* it holds nothing back meanwhile */
    assert_int_equal(vfs_truncate(v, file, 0), 0);
    assert_int_equal(reserve_restore(v, "/data", 100000), 0);
    assert_int_equal(vfs_free_space(v, "/data"), 0);
    assert_int_equal(vfs_close(v, file), 0);
    fault_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_commit_and_reopen),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_pins_keep_files),
        cmocka_unit_test(test_state_snapshot),
        cmocka_unit_test(test_set_aside),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_sync_failure),
        cmocka_unit_test(test_compaction),
        cmocka_unit_test(test_many_files),
        cmocka_unit_test(test_flipped_at_every_octet),
        cmocka_unit_test(test_torn_at_every_octet),
        cmocka_unit_test(test_other_version),
        cmocka_unit_test(test_rebuild_lost),
        cmocka_unit_test(test_rebuild_merge),
        cmocka_unit_test(test_rebuild_cut_off),
        cmocka_unit_test(test_rebuild_damaged),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_lock),
        cmocka_unit_test(test_reserve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
