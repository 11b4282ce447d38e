/* What the tests of the WAL share: frames that say their own number, writing, reading back. */
#ifndef TEST_WAL_UTIL_H
#define TEST_WAL_UTIL_H

#include "fault_vfs.h"
#include "testlib.h"
#include "wal/wal.h"

#define DIR "/data/wal"

/* The frame with that key: its length and octets follow from it. */
static inline size_t frame_of(uint64_t key, uint8_t *out, size_t max)
{
    uint64_t state = key;
    size_t len = prng_below(&state, max);
    prng_fill(&state, out, len);
    return len;
}

static inline struct wal_record record_of(uint64_t key, uint8_t *frame, size_t max)
{
    struct wal_record r = {
        .time_us = 1700000000000000 + key,
        .kind = (uint8_t)(key % 5),
        .transport = (uint8_t)(key % 4),
        .flags = (uint8_t)(key % 3),
        .local_port = 9060,
        .peer_port = (uint16_t)(key * 7),
        .peer = { .len = key % 2 == 0 ? 4 : 16, .octets = { 10, 0, 0, (uint8_t)key } },
        .frame = frame,
    };
    r.len = frame_of(key, frame, max);
    return r;
}

#define FRAME_MAX_TEST 300

/* Appends one record whose key is the number that it gets. */
static inline int append_one(struct wal *w, unsigned writer, uint64_t *ret_seq)
{
    uint8_t frame[FRAME_MAX_TEST];
    uint64_t next = wal_reserve_seq(w, 0);
    struct wal_record r = record_of(next, frame, sizeof(frame));
    int rc = wal_append(w, writer, &r, 1, ret_seq);
    if (rc == 0)
        assert_int_equal(*ret_seq, next);
    return rc;
}

static inline void append_many(struct wal *w, unsigned writer, size_t n)
{
    uint64_t seq;
    for (size_t i = 0; i < n; i++)
        assert_int_equal(append_one(w, writer, &seq), 0);
}

struct replayed {
    uint64_t seqs[4096];
    unsigned workers[4096];
    size_t count;
    struct wal_loss losses[64];
    size_t loss_count;
    struct wal_replay_stats stats;
    struct errmsg err;
};

static inline int on_record(void *arg, const struct wal_record *r, unsigned worker)
{
    struct replayed *p = arg;
    uint8_t frame[FRAME_MAX_TEST];
    struct wal_record want = record_of(r->seq, frame, sizeof(frame));
    assert_int_equal(r->len, want.len);
    assert_memory_equal(r->frame, want.frame, want.len);
    assert_int_equal(r->time_us, want.time_us);
    assert_int_equal(r->kind, want.kind);
    assert_int_equal(r->transport, want.transport);
    assert_int_equal(r->flags, want.flags);
    assert_int_equal(r->local_port, want.local_port);
    assert_int_equal(r->peer_port, want.peer_port);
    assert_memory_equal(&r->peer, &want.peer, sizeof(want.peer));
    if (p->count > 0)
        assert_true(r->seq > p->seqs[p->count - 1]);
    assert_true(p->count < COUNT_OF(p->seqs));
    p->workers[p->count] = worker;
    p->seqs[p->count++] = r->seq;
    return 0;
}

static inline void on_loss(void *arg, const struct wal_loss *loss)
{
    struct replayed *p = arg;
    if (p->loss_count < COUNT_OF(p->losses))
        p->losses[p->loss_count++] = *loss;
}

static inline int replay_from(struct fault_fs *f, const struct wal_position *from, size_t n, struct replayed *p)
{
    *p = (struct replayed){ .count = 0 };
    const struct wal_replay_options o = {
        .vfs = fault_vfs(f), .dir = DIR, .from = from, .from_count = n, .record = on_record, .loss = on_loss, .arg = p
    };
    return wal_replay(&o, &p->stats, &p->err);
}

static inline void replay(struct fault_fs *f, struct replayed *p)
{
    assert_int_equal(replay_from(f, NULL, 0, p), 0);
    assert_int_equal(p->stats.records, p->count);
}

/* A clock that tests move. */
static inline uint64_t fake_now(void *arg)
{
    return *(const uint64_t *)arg;
}

static inline struct wal *open_wal(struct fault_fs *f, struct wal_options o)
{
    struct wal *w = NULL;
    struct errmsg err = { "" };
    o.vfs = fault_vfs(f);
    o.dir = DIR;
    assert_int_equal(wal_open(&w, &o, &err), 0);
    return w;
}

#endif
