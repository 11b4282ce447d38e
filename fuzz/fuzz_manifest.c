/*
 * The MANIFEST log. First octet even: the rest is a log as it stands. Odd: the rest says how to damage a good one. What
 * is applied is the beginning of what was written, in order; a change is never applied in part.
 */
#include <string.h>

#include "fuzz.h"
#include "store/lake/manifest_internal.h"

#define RECORDS 6

/* Keeps what is written: enough of a file system for making a log. */
struct memory {
    uint8_t octets[16384];
    size_t len;
};

static int mem_open(void *ctx, const char *path, unsigned flags)
{
    (void)ctx;
    (void)path;
    (void)flags;
    return 3;
}

static int mem_close(void *ctx, int file)
{
    (void)ctx;
    (void)file;
    return 0;
}

static int64_t mem_pwrite(void *ctx, int file, const void *from, size_t len, uint64_t at)
{
    struct memory *m = ctx;
    (void)file;
    FUZZ_CHECK(at + len <= sizeof(m->octets));
    memcpy(m->octets + at, from, len);
    m->len = at + len > m->len ? (size_t)at + len : m->len;
    return (int64_t)len;
}

static int mem_sync(void *ctx, int file)
{
    (void)ctx;
    (void)file;
    return 0;
}

static int mem_rename(void *ctx, const char *from, const char *to)
{
    (void)ctx;
    (void)from;
    (void)to;
    return 0;
}

static int mem_sync_dir(void *ctx, const char *path)
{
    (void)ctx;
    (void)path;
    return 0;
}

static const struct vfs_ops ops = { .open = mem_open,
                                    .close = mem_close,
                                    .pwrite = mem_pwrite,
                                    .sync = mem_sync,
                                    .rename = mem_rename,
                                    .sync_dir = mem_sync_dir };

static void path_of(char out[MANIFEST_PATH_MAX + 4], uint64_t epoch)
{
    memcpy(out, "sip/", 4);
    manifest_name(out + 4, epoch, 1, 1, ".parquet");
}

/* Record 1 is the empty snapshot; record n + 1 adds a file of epoch n. */
static void make_log(struct memory *m)
{
    const struct vfs vfs = { &ops, m };
    struct manifest_log l = { .vfs = &vfs, .file = -1, .next_number = 1 };
    struct manifest_pin *empty = manifest_set_new(NULL);
    FUZZ_CHECK(empty != NULL && manifest_log_rewrite(&l, "d", 7, empty) == 0);
    manifest_unpin(empty);
    for (uint64_t epoch = 1; epoch < RECORDS; epoch++) {
        char path[MANIFEST_PATH_MAX + 4];
        path_of(path, epoch);
        const struct wal_position p = { 1, epoch };
        const struct manifest_file f = { .path = path, .rows = epoch * 3, .epoch = epoch };
        const struct manifest_change c = {
            .kind = MANIFEST_SEAL, .epoch = epoch, .add = &f, .add_count = 1, .positions = &p, .position_count = 1
        };
        FUZZ_CHECK(manifest_log_append(&l, 7, &c) == 0);
    }
}

struct seen {
    uint64_t count;
    int good;
    struct manifest_pin *set;
};

static int apply(void *arg, const struct manifest_record *r)
{
    struct seen *s = arg;
    const struct manifest_change *c = &r->change;
    struct manifest_pin *set;
    s->count++;
    if (s->good && s->count > 1) {
        char path[MANIFEST_PATH_MAX + 4];
        path_of(path, s->count - 1);
        FUZZ_CHECK(r->number == s->count && c->epoch == s->count - 1 && c->add_count == 1);
        FUZZ_CHECK(strcmp(c->add[0].path, path) == 0 && c->add[0].rows == c->epoch * 3);
        FUZZ_CHECK(c->position_count == 1 && c->positions[0].segment == c->epoch);
    }
    if (manifest_set_apply(s->set, c, &set) != 0)
        return -1;
    manifest_unpin(s->set);
    s->set = set;
    for (size_t i = 0; i < manifest_pin_count(set); i++)
        FUZZ_CHECK(manifest_path_ok(manifest_pin_file(set, i)->path));
    return 0;
}

/* Four octets an act: what, where (two), how much. */
static size_t damage(uint8_t *log, size_t len, const uint8_t *acts, size_t size)
{
    for (; size >= 4 && len > 0; acts += 4, size -= 4) {
        size_t at = ((size_t)acts[1] << 8 | acts[2]) % len, n = acts[3];
        n = n < len - at ? n : len - at;
        if (acts[0] % 4 == 0)
            log[at] ^= acts[3];
        else if (acts[0] % 4 == 1)
            len = at;
        else if (acts[0] % 4 == 2)
            memset(log + at, 0, n);
        else
            memmove(log + at / 2, log + at, n);
    }
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct memory good, work;
    struct manifest_log l = { 0 };
    struct seen s = { 0 };
    enum manifest_log_state state;
    unsigned version = 0;
    if (size == 0)
        return 0;
    if (good.len == 0)
        make_log(&good);
    s.good = data[0] % 2;
    s.set = manifest_set_new(NULL);
    FUZZ_CHECK(s.set != NULL);
    const uint8_t *log = data + 1;
    size_t len = size - 1;
    if (s.good) {
        work = good;
        log = work.octets;
        len = damage(work.octets, good.len, data + 1, size - 1);
    }
    int rc = manifest_log_parse(&l, log, len, apply, &s, &state, &version);
    if (s.good && rc == 0) {
        FUZZ_CHECK(s.count <= RECORDS);
        if (state == LOG_GOOD && len == good.len)
            FUZZ_CHECK(s.count == RECORDS);
    }
    manifest_unpin(s.set);
    return 0;
}
