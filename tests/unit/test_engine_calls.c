/*
 * Calls in the engine over the real lake: what messages that are there say is what the calls say, each message once,
 * whether a call runs, is over, in memory or in a file; after power loss and failed calls at any moment, too.
 */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "engine/call_row.h"
#include "fault_vfs.h"
#include "store/lake/internal.h"
#include "test_engine_util.h"

#define DATA      "/data"
#define WAL_DIR   DATA "/wal"
#define WRITERS   2
#define CALLS_MAX 400
#define RUNNING   12
#define SECOND_US INT64_C(1000000)
#define START_US  (INT64_C(1700000000) * SECOND_US)

struct world {
    struct fault_fs *fs;
    const struct vfs *vfs;
    uint64_t random;
    struct store *store;
    struct engine *engine;
    struct record_reader *reader;
    int64_t now;
    bool threads, troubled;
    bool unsafe; /* the log may have failed while calls were kept: they may know of messages that a power loss took */
    unsigned running[RUNNING]; /* numbers of calls */
    unsigned steps[CALLS_MAX]; /* messages sent so far */
    unsigned calls;
    uint32_t sent; /* messages, all calls */
};

/* What was found, by number of the call. */
struct found {
    uint32_t messages[CALLS_MAX]; /* rows of table sip */
    uint32_t counted[CALLS_MAX];  /* by the records of its calls */
    uint32_t records;
    uint64_t uids[4 * CALLS_MAX];
};

/* ------------------------------------------------------------------------------------------------ the engine */

static bool power(struct world *w)
{
    return !fault_power_gone(w->fs);
}

static bool went_well(struct world *w, int rc, const char *what, const struct errmsg *err)
{
    if (rc < 0 && power(w) && !w->troubled)
        fail_msg("%s: %s (%s)", what, strerror(-rc), err != NULL ? err->text : "");
    return rc >= 0 && power(w);
}

static bool start(struct world *w)
{
    static const struct track_options track = { .max_calls = 1000 };
    struct errmsg err = { "" };
    struct lake_start begin;
    struct lake_options lake = {
        .vfs = w->vfs, .data_dir = DATA, .node = 0xbeef, .writers = engine_store_writers(WRITERS), .no_threads = true
    };
    for (unsigned t = 0; t < RECORD_TABLES; t++)
        lake.retention.days[t] = 40000;
    if (!went_well(w, lake_open(&w->store, &lake, &begin, &err), "lake", &err))
        return false;
    const struct engine_options o = { .vfs = w->vfs,
                                      .data_dir = DATA,
                                      .wal_dir = WAL_DIR,
                                      .store = w->store,
                                      .writers = WRITERS,
                                      .from = begin.positions,
                                      .from_count = begin.position_count,
                                      .max_seq = begin.max_seq,
                                      .wal_segment_size = 6000,
                                      .wal_buffer_size = 8000,
                                      .seal_interval_us = 20000,
                                      .track = &track,
                                      .no_threads = !w->threads };
    return went_well(w, engine_open(&w->engine, &o, &err), "engine", &err);
}

static int stop(struct world *w)
{
    struct errmsg err = { "" };
    int rc = engine_close(w->engine, &err);
    if (w->store != NULL)
        w->store->ops->close(w->store);
    w->engine = NULL;
    w->store = NULL;
    return rc;
}

static struct world *world_new(uint64_t seed)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    w->fs = fault_new(seed);
    w->vfs = fault_vfs(w->fs);
    fault_capacity(w->fs, 60 << 20); /* no room for the reserve, which would only cost time */
    w->random = seed;
    w->now = START_US;
    w->reader = record_reader_new(&(struct record_options){ .header_count = 0 });
    assert_non_null(w->reader);
    return w;
}

static void world_free(struct world *w)
{
    (void)stop(w);
    assert_int_equal(fault_open_files(w->fs), 0);
    fault_free(w->fs);
    record_reader_free(w->reader);
    free(w);
}

/* ------------------------------------------------------------------------------------------------ messages */

/* Message number `step` of a call; 0 when it has no more. */
static size_t make_payload(unsigned call, unsigned step, char *out, size_t room)
{
    static const struct {
        const char *line, *cseq;
        bool request;
    } steps[] = { { "INVITE sip:bob@example.org SIP/2.0", "1 INVITE", true },
                  { "SIP/2.0 100 Trying", "1 INVITE", false },
                  { "SIP/2.0 180 Ringing", "1 INVITE", false },
                  { "SIP/2.0 200 OK", "1 INVITE", false },
                  { "ACK sip:bob@example.org SIP/2.0", "1 ACK", true },
                  { "BYE sip:bob@example.org SIP/2.0", "2 BYE", true } };
    /* No answer to the BYE: it would come minutes later, when the call has been written out, and be no part of it. */
    if (step >= COUNT_OF(steps) || (call % 5 == 0 && step >= 3)) /* some are never answered */
        return 0;
    int n = snprintf(
        out, room,
        "%s\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK%u-%s\r\nFrom: <sip:+1555%u@example.org>;tag=f%u\r\n"
        "To: <sip:bob@example.org>%s\r\nCall-ID: call-%u\r\nCSeq: %s\r\nContent-Length: 0\r\n\r\n",
        steps[step].line, call, steps[step].cseq, call, call, step > 1 ? ";tag=t" : "", call, steps[step].cseq);
    return (size_t)n;
}

/* The next message of a call that runs; a new call in the place of one that is over. */
static bool send_one(struct world *w, unsigned writer)
{
    struct message m = { .table = RECORD_SIP };
    unsigned *place = &w->running[prng_below(&w->random, RUNNING)];
    if (*place == 0 || (m.len = make_payload(*place, w->steps[*place], m.payload, sizeof(m.payload))) == 0) {
        if (w->calls + 1 == CALLS_MAX)
            return false;
        *place = ++w->calls;
        m.len = make_payload(*place, 0, m.payload, sizeof(m.payload));
    }
    const uint8_t src[4] = { 10, 0, 0, 1 }, dst[4] = { 10, 0, 0, 2 };
    struct hep_msg msg;
    hep_msg_init(&msg, HEP_TYPE_SIP);
    hep_set_src(&msg, src, 4, 5060);
    hep_set_dst(&msg, dst, 4, 5060);
    hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, m.payload, m.len);
    w->now += (int64_t)prng_below(&w->random, (uint64_t)(4 * SECOND_US));
    m.frame = (struct sink_frame){ .data = m.octets,
                                   .received_us = w->now,
                                   .peer = { 4, { 192, 0, 2, 1 } },
                                   .transport = RECORD_TCP,
                                   .source = *place % 7 == 0 ? RECORD_IMPORT : RECORD_NETWORK };
    assert_int_equal(hep_encode(&msg, m.octets, sizeof(m.octets), &m.frame.len), HEP_OK);
    uint64_t seq;
    if (message_put(engine_sink(w->engine), writer, w->reader, &m, &seq) != SINK_OK)
        return false;
    w->steps[*place]++;
    w->sent++;
    return true;
}

/* ------------------------------------------------------------------------------------------------ looking */

static unsigned number_of(const struct record_cell *call_id)
{
    char text[32] = "";
    assert_true(!call_id->null && call_id->octets.len < sizeof(text) && call_id->octets.len > 5);
    memcpy(text, call_id->octets.ptr, call_id->octets.len);
    unsigned n = (unsigned)strtoul(text + 5, NULL, 10);
    assert_true(n > 0 && n < CALLS_MAX);
    return n;
}

static int see(void *arg, size_t i, const struct store_ref *ref, const struct record_cell *cells)
{
    struct found *f = arg;
    (void)i;
    if (ref->table == RECORD_SIP) {
        f->messages[number_of(&cells[RECORD_SIP_COL_call_id])]++;
        return 0;
    }
    uint64_t uid = (uint64_t)cells[RECORD_COL_call_uid].number;
    for (uint32_t k = 0; k < f->records; k++)
        if (f->uids[k] == uid)
            fail_msg("call %u is there twice", number_of(&cells[RECORD_CALL_COL_call_id]));
    assert_true(f->records < COUNT_OF(f->uids));
    f->uids[f->records++] = uid;
    f->counted[number_of(&cells[RECORD_CALL_COL_call_id])] += (uint32_t)cells[RECORD_CALL_COL_messages].number;
    return 0;
}

static void look(struct world *w, unsigned tables, struct found *f)
{
    const struct store_live_want want = { STORE_LIVE_TABLES, NULL, INT64_MIN, INT64_MAX };
    struct store_scan s = {
        .tables = tables, .from_us = INT64_MIN, .to_us = INT64_MAX, .limit = 50000, .total_wanted = STORE_TOTAL_EXACT
    };
    struct store_columns columns = { 0 };
    struct store_pin *pin;
    struct errmsg err = { "" };
    size_t failed;
    assert_int_equal(w->store->ops->pin_calls(w->store, &want, &pin), 0);
    assert_int_equal(w->store->ops->scan(w->store, pin, &s, &err), 0);
    assert_true(s.rows_exact && s.total_exact && s.total == s.count);
    store_columns_add(&columns, RECORD_COL_call_uid);
    store_columns_add(&columns, tables == RECORD_TABLES_CALLS ? (unsigned)RECORD_CALL_COL_call_id
                                                              : (unsigned)RECORD_SIP_COL_call_id);
    store_columns_add(&columns, RECORD_CALL_COL_messages);
    assert_int_equal(w->store->ops->fetch(w->store, pin, s.refs, s.count, &columns, see, f, &failed, &err), 0);
    assert_int_equal(failed, 0);
    store_scan_free(&s);
    w->store->ops->unpin(w->store, pin);
}

static uint32_t check(struct world *w)
{
    struct found *f = calloc(1, sizeof(*f));
    uint32_t all = 0;
    assert_non_null(f);
    look(w, 1u << RECORD_SIP, f);
    look(w, RECORD_TABLES_CALLS, f);
    for (unsigned n = 1; n < CALLS_MAX; n++) {
        if (f->messages[n] > f->counted[n] || (f->messages[n] < f->counted[n] && !w->unsafe))
            fail_msg("call %u: %u messages, of which its records know %u", n, f->messages[n], f->counted[n]);
        all += f->messages[n];
    }
    free(f);
    return all;
}

/* ------------------------------------------------------------------------------------------------ histories */

static void seal(struct world *w)
{
    struct errmsg err = { "" };
    if (went_well(w, engine_seal(w->engine, &err), "seal", &err))
        w->troubled = false;
}

/* Calls fail for a while; what does not get to the disk stays in memory. */
static void disturb(struct world *w)
{
    static const unsigned ops[] = { FAULT_WRITE, FAULT_SYNC, FAULT_RENAME, FAULT_OPEN, FAULT_MKDIR, FAULT_SYNC_DIR };
    w->troubled = w->unsafe = true;
    fault_inject(w->fs, ops[prng_below(&w->random, COUNT_OF(ops))], prng_below(&w->random, 6),
                 prng_below(&w->random, 2) == 0 ? -EIO : -ENOSPC, 1 + prng_below(&w->random, 3));
    (void)engine_seal(w->engine, NULL);
    for (unsigned i = 0; i < 5; i++)
        (void)send_one(w, i % WRITERS);
    (void)engine_seal(w->engine, NULL);
    fault_clear(w->fs);
    if (power(w))
        seal(w);
}

static void step(struct world *w)
{
    size_t draw = prng_below(&w->random, 100);
    if (draw < 80) {
        (void)send_one(w, (unsigned)prng_below(&w->random, WRITERS));
    } else if (draw < 88) {
        (void)went_well(w, engine_commit(w->engine), "commit", NULL);
    } else if (draw < 93) {
        seal(w);
    } else if (draw < 96) {
        disturb(w);
    } else if (draw < 98) {
        (void)check(w);
    } else if (went_well(w, stop(w), "close", NULL)) {
        (void)start(w);
        if (power(w))
            assert_int_equal(check(w), w->sent);
    }
}

static void run(struct world *w, unsigned steps)
{
    for (unsigned i = 0; i < steps && power(w) && w->engine != NULL; i++)
        step(w);
}

static void recover(struct world *w)
{
    (void)stop(w);
    fault_crash(w->fs, prng_next(&w->random));
    w->troubled = false;
    assert_true(start(w));
    w->sent = check(w); /* what the power loss left */
    memset(w->running, 0, sizeof(w->running));
}

static void test_power_loss(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 80; seed++) {
        struct world *w = world_new(seed);
        fault_power_at(w->fs, 1 + prng_below(&w->random, 600));
        if (start(w))
            run(w, 250);
        fault_power_at(w->fs, fault_calls(w->fs) + 1);
        recover(w);
        fault_power_at(w->fs, 0);
        run(w, 60);
        (void)check(w);
        world_free(w);
    }
}

/* ------------------------------------------------------------------------------------------------ threads */

#define LOOKS 60

static void *look_often(void *arg)
{
    struct world *w = arg;
    for (unsigned i = 0; i < LOOKS; i++) {
        struct found *f = calloc(1, sizeof(*f));
        look(w, RECORD_TABLES_CALLS, f); /* fails if a call is there twice */
        free(f);
    }
    return NULL;
}

/* While calls begin, end and are sealed, somebody looks at them: each is there once. */
static void test_looked_at_meanwhile(void **state)
{
    (void)state;
    pthread_t looker;
    struct world *w = world_new(7);
    w->threads = true;
    assert_true(start(w));
    assert_int_equal(pthread_create(&looker, NULL, look_often, w), 0);
    while (send_one(w, 0))
        ;
    assert_int_equal(pthread_join(looker, NULL), 0);
    struct engine_figures figures;
    for (unsigned i = 0; i < 2000; i++) {
        engine_figures(w->engine, &figures);
        if (figures.calls.events == w->sent)
            break;
        (void)usleep(5000);
    }
    assert_int_equal(check(w), w->sent);
    assert_true(figures.tracks && figures.calls.calls >= w->calls && figures.calls.live > 0);
    assert_int_equal(stop(w), 0);
    assert_true(start(w));
    assert_int_equal(check(w), w->sent);
    world_free(w);
}

/* ------------------------------------------------------------------------------------------------ damage */

static int find_state(void *arg, const char *name, bool is_dir)
{
    char *path = arg;
    if (!is_dir && strstr(name, ".tmp") == NULL)
        (void)snprintf(path, VFS_PATH_MAX, DATA "/lake/state/%.200s", name);
    return 0;
}

/* An octet of what was kept is wrong, wherever it is: that is noticed, calls begin anew, and messages are all there. */
static void test_damaged_state(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        struct world *w = world_new(100 + i);
        char path[VFS_PATH_MAX] = "";
        size_t len;
        assert_true(start(w));
        for (unsigned n = 0; n < 30; n++)
            assert_true(send_one(w, 0));
        assert_int_equal(stop(w), 0);
        assert_int_equal(vfs_list(w->vfs, DATA "/lake/state", find_state, path), 0);
        const uint8_t *octets = fault_data(w->fs, path, &len);
        assert_non_null(octets);
        uint8_t *copy = malloc(len);
        assert_non_null(copy);
        memcpy(copy, octets, len);
        size_t cut = i % 4 == 0 ? prng_below(&w->random, len) : len;
        copy[prng_below(&w->random, len)] ^= (uint8_t)(1u << i % 8);
        fault_put(w->fs, path, copy, cut);
        free(copy);
        assert_true(start(w));
        struct engine_figures figures;
        engine_figures(w->engine, &figures);
        assert_int_equal(figures.calls.live, 0);
        struct found *f = calloc(1, sizeof(*f));
        uint32_t messages = 0;
        look(w, 1u << RECORD_SIP, f);
        for (unsigned n = 1; n < CALLS_MAX; n++)
            messages += f->messages[n];
        assert_int_equal(messages, 30);
        free(f);
        assert_true(send_one(w, 0));
        world_free(w);
    }
}

/* ------------------------------------------------------------------------------------------------ rows */

static void test_row(void **state)
{
    (void)state;
    struct call_row_texts texts;
    struct record r;
    struct call_record c = { .uid = 5, .first_seq = 7, .state = TRACK_ANSWERED, .hangup = TRACK_CALLEE };
    c.invite = c.first = START_US;
    c.answer = START_US + 2 * SECOND_US;
    c.provisional = c.ringing = c.end = TRACK_NO_TIME;
    c.pdd_ms = c.ring_ms = c.status = c.q850 = c.sip_cause = TRACK_NONE;
    c.talk_ms = 1000;
    c.again[TRACK_AGAIN_INVITE] = 2;
    c.again[TRACK_AGAIN_ACK] = 3;
    c.transports = 1u << TRACK_UDP | 1u << TRACK_TLS;
    c.no_ack = c.srtp = true;
    c.branches = 2;
    c.codec = (struct hep_slice){ (const uint8_t *)"PCMU/8000", 9 };
    struct quality_of_call quality = { .reports = 3,
                                       .worse = { 3.456, 1, 2, 12.504, 0, 99, -1, 1e9, false },
                                       .heard = { { -1, -1, -1, -1, -1, -1, -1, -1, true }, { .mos = 4.41 } } };
    quality.one_way = true;
    call_row_make(&c, &quality, RECORD_NETWORK, START_US + 12 * SECOND_US, &texts, &r);
    assert_int_equal(r.seq, 7);
    assert_int_equal(r.ts, START_US);
    assert_int_equal(r.talk_ms, 10000); /* until now */
    assert_int_equal(r.retransmissions, 5);
    assert_int_equal(r.ended, RECORD_NO_TIME);
    assert_int_equal(r.pdd_ms, RECORD_NONE);
    assert_memory_equal(r.codec.ptr, "PCMU", r.codec.len);
    assert_string_equal(texts.flags, "srtp,forked,no-ack,one-way-audio,packet-loss,high-jitter,low-mos");
    assert_int_equal(r.reports, 3);
    assert_int_equal(r.mos, 346);
    assert_int_equal(r.loss_max, 1250);
    assert_int_equal(r.jitter_ms, 0);
    assert_int_equal(r.rtt_ms, RECORD_NONE);
    assert_int_equal(r.rtt_max_ms, RECORD_DECIMAL_MAX);
    assert_int_equal(r.caller_mos, RECORD_NONE);
    assert_int_equal(r.callee_mos, 441);
    assert_string_equal(texts.signalling, "udp,tls");
    c.over = true;
    call_row_make(&c, &quality, RECORD_NETWORK, START_US + 12 * SECOND_US, &texts, &r);
    assert_int_equal(r.talk_ms, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row),
        cmocka_unit_test(test_power_loss),
        cmocka_unit_test(test_damaged_state),
        cmocka_unit_test(test_looked_at_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
