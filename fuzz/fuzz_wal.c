/*
 * WAL replay. First octet even: the rest is a segment as it stands. Odd: the rest says how to damage a good one: cuts,
 * flips, and stretches that are moved. What comes out was written, once, in order, and the loss is counted.
 */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "wal/format.h"

#define RECORDS 20
#define SPACE   8192

/* One file in memory: enough of a file system for replay. */
struct memory {
    const uint8_t *octets;
    size_t len;
};

static int mem_open(void *ctx, const char *path, unsigned flags)
{
    (void)ctx;
    (void)path;
    return flags == VFS_READ ? 3 : -EROFS;
}

static int mem_close(void *ctx, int file)
{
    (void)ctx;
    (void)file;
    return 0;
}

static int64_t mem_pread(void *ctx, int file, void *to, size_t len, uint64_t at)
{
    const struct memory *m = ctx;
    (void)file;
    size_t n = at >= m->len ? 0 : m->len - (size_t)at < len ? m->len - (size_t)at : len;
    if (n > 0)
        memcpy(to, m->octets + at, n);
    return (int64_t)n;
}

static int64_t mem_size(void *ctx, int file)
{
    (void)file;
    return (int64_t)((const struct memory *)ctx)->len;
}

static int mem_list(void *ctx, const char *path, vfs_name_fn *each, void *arg)
{
    (void)ctx;
    (void)path;
    return each(arg, "000-0000000001.wal", false);
}

static int mem_stat(void *ctx, const char *path, struct vfs_stat *ret)
{
    (void)path;
    *ret = (struct vfs_stat){ .size = ((const struct memory *)ctx)->len };
    return 0;
}

static const struct vfs_ops ops = {
    .open = mem_open, .close = mem_close, .pread = mem_pread, .size = mem_size, .list = mem_list, .stat = mem_stat
};

struct seen {
    uint64_t last, count;
    int good; /* the octets of frames are known */
};

static void fill_frame(uint8_t *out, size_t len, uint64_t seq)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(seq * 31 + i * 7);
}

static int on_record(void *arg, const struct wal_record *r, unsigned worker)
{
    struct seen *s = arg;
    uint8_t frame[SPACE];
    FUZZ_CHECK(worker == 0 && r->seq > s->last && r->len <= WAL_FRAME_MAX);
    s->last = r->seq;
    s->count++;
    if (s->good) {
        FUZZ_CHECK(r->seq <= RECORDS && r->len == r->seq * 11 && r->time_us == r->seq * 5);
        fill_frame(frame, r->len, r->seq);
        FUZZ_CHECK(memcmp(frame, r->frame, r->len) == 0);
    }
    return 0;
}

static size_t make_segment(uint8_t out[SPACE])
{
    uint8_t frame[SPACE];
    const struct wal_segment_header h = { WAL_SCHEMA_VERSION, 0, 1, 1, 1, 0, UINT64_C(0x123456789abcdef1) };
    size_t len = WAL_HEADER_SIZE;
    wal_header_encode(out, &h);
    for (uint64_t seq = 1; seq <= RECORDS; seq++) {
        const struct wal_record r = { .time_us = seq * 5, .frame = frame, .len = seq * 11 };
        fill_frame(frame, r.len, seq);
        wal_record_encode(out + len, &r, seq, h.salt);
        len += wal_record_size(r.len);
    }
    return len;
}

/* Four octets an act: what, where (two), how much. */
static size_t damage(uint8_t *segment, size_t len, const uint8_t *acts, size_t size)
{
    for (; size >= 4 && len > 0; acts += 4, size -= 4) {
        size_t at = ((size_t)acts[1] << 8 | acts[2]) % len, n = acts[3];
        n = n < len - at ? n : len - at;
        if (acts[0] % 4 == 0)
            segment[at] ^= acts[3];
        else if (acts[0] % 4 == 1)
            len = at;
        else if (acts[0] % 4 == 2)
            memset(segment + at, 0, n);
        else
            memmove(segment + at / 2, segment + at, n);
    }
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t segment[SPACE];
    struct memory m = { data + 1, size - 1 };
    struct seen s = { 0 };
    struct wal_replay_stats stats;
    struct errmsg err;
    if (size == 0)
        return 0;
    s.good = data[0] % 2;
    if (s.good) {
        m.octets = segment;
        m.len = damage(segment, make_segment(segment), data + 1, size - 1);
    }
    const struct vfs vfs = { &ops, &m };
    const struct wal_replay_options o = { .vfs = &vfs, .dir = "d", .record = on_record, .arg = &s };
    int rc = wal_replay(&o, &stats, &err);
    FUZZ_CHECK(rc == 0 || rc == -ENOTSUP);
    FUZZ_CHECK(stats.records == s.count && stats.lost_octets <= m.len);
    if (rc == 0 && s.good && stats.lost_octets == 0 && m.len == make_segment(segment))
        FUZZ_CHECK(s.count + stats.duplicates >= 1);
    return 0;
}
