/* Imports: bodies of frames into a sink, keys, a full sink, restarts in the middle; the file of keys. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "api/importer_internal.h"
#include "capture/pcap_out.h"
#include "fake_store.h"
#include "fault_vfs.h"
#include "testlib.h"

#define FRAMES 40

/* A sink whose rows can be found in a store of a few rows. Outlives the importer, as a data directory does. */
struct world {
    struct fake_store store;
    struct sink sink;
    pthread_mutex_t lock;
    size_t room;
    uint64_t seq, durable;
    bool lazy; /* durable only when asked */
    sink_wake_fn *wake;
    void *wake_arg;
    struct fault_fs *fs;
    struct importer *imp;
    uint8_t octets[FRAMES * 400];
    size_t len, offsets[FRAMES + 1];
};

/* ------------------------------------------------------------------------------------------------ the sink */

static enum sink_result take(void *ctx, unsigned writer, const struct sink_frame *frame, struct record *record,
                             uint64_t *ret_seq)
{
    struct world *w = ctx;
    assert_int_equal(writer, 3);
    assert_int_equal(frame->source, RECORD_IMPORT);
    if (w->store.count >= w->room)
        return SINK_FULL;
    *ret_seq = ++w->seq;
    struct record *row = fake_store_add(&w->store, record->table, record->ts, w->seq);
    row->received = record->received;
    row->source = record->source;
    row->transport = record->transport;
    if (!w->lazy)
        w->durable = w->seq;
    return SINK_OK;
}

static uint64_t durable(void *ctx)
{
    struct world *w = ctx;
    (void)pthread_mutex_lock(&w->lock);
    uint64_t seq = w->durable;
    (void)pthread_mutex_unlock(&w->lock);
    return seq;
}

static void request(void *ctx, uint64_t seq)
{
    struct world *w = ctx;
    (void)pthread_mutex_lock(&w->lock);
    if (w->room > 0)
        w->durable = seq;
    (void)pthread_mutex_unlock(&w->lock);
}

static void set_wake(void *ctx, unsigned writer, sink_wake_fn *wake, void *arg)
{
    struct world *w = ctx;
    assert_int_equal(writer, 3);
    w->wake = wake;
    w->wake_arg = arg;
}

static const struct sink_ops ops = { .append = take, .durable = durable, .request = request, .on_wake = set_wake };

/* ------------------------------------------------------------------------------------------------ the world */

static void put_frame(struct world *w, size_t i, uint32_t sec)
{
    static const char sip[] = "OPTIONS sip:a SIP/2.0\r\nCall-ID: x\r\n\r\n";
    struct hep_msg msg;
    size_t len;
    hep_msg_init(&msg, HEP_TYPE_SIP);
    (void)hep_set_src(&msg, (const uint8_t[]){ 10, 0, 0, 1 }, 4, 5060);
    (void)hep_set_dst(&msg, (const uint8_t[]){ 10, 0, 0, 2 }, 4, 5060);
    msg.time_sec = sec;
    (void)hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, sip, sizeof(sip) - 1);
    assert_int_equal(hep_encode(&msg, w->octets + w->len, sizeof(w->octets) - w->len, &len), HEP_OK);
    w->offsets[i] = w->len;
    w->len += len;
    w->offsets[i + 1] = w->len;
}

static void start(struct world *w, const char *expect)
{
    const struct importer_options o = {
        .sink = &w->sink,
        .writer = 3,
        .store = &w->store.base,
        .vfs = fault_vfs(w->fs),
        .data_dir = "/d",
        .room_wait_ms = 1,
        .durable_wait_ms = 1,
    };
    struct errmsg err;
    assert_int_equal(importer_open(&w->imp, &o, &err), 0);
    if (expect == NULL)
        assert_string_equal(err.text, "");
    else
        assert_non_null(strstr(err.text, expect));
}

static void restart(struct world *w)
{
    importer_free(w->imp);
    fault_crash(w->fs, 1);
    start(w, NULL);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    fake_store_init(&w->store);
    (void)pthread_mutex_init(&w->lock, NULL);
    w->sink = (struct sink){ &ops, w, 4 };
    w->room = FAKE_ROWS_MAX;
    w->fs = fault_new(1);
    assert_int_equal(vfs_mkdirs(fault_vfs(w->fs), "/d"), 0);
    for (size_t i = 0; i < FRAMES; i++)
        put_frame(w, i, 1000000000 + (uint32_t)(i * 37 % FRAMES));
    start(w, NULL);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    importer_free(w->imp);
    assert_int_equal(fault_open_files(w->fs), 0);
    fault_free(w->fs);
    fake_store_free(&w->store);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
    return 0;
}

static struct importer_result body(struct world *w, const char *key, struct hep_slice octets,
                                   enum importer_status expect)
{
    struct importer_result r;
    struct errmsg err = { "" };
    assert_int_equal(importer_take(w->imp, key, octets, &r, &err), expect);
    if (expect != IMPORTER_DONE)
        assert_string_not_equal(err.text, "");
    return r;
}

static struct hep_slice all(const struct world *w)
{
    return (struct hep_slice){ w->octets, w->len };
}

/* Each frame once: as many rows as there are different times of reception. */
static void assert_rows(const struct world *w, size_t count)
{
    assert_int_equal(w->store.count, count);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(w->store.rows[i].received, w->store.rows[j].received);
}

/* ------------------------------------------------------------------------------------------------ bodies */

static void test_body(void **state)
{
    struct world *w = *state;
    struct importer_result r = body(w, NULL, all(w), IMPORTER_DONE);
    assert_int_equal(r.stored, FRAMES);
    assert_int_equal(r.bad + r.refused + r.keepalives, 0);
    assert_rows(w, FRAMES);
    assert_int_equal(w->store.rows[1].ts, INT64_C(1000000037) * 1000000);
    assert_int_equal(w->store.rows[1].received, w->store.rows[0].received + 1);
    (void)body(w, "", all(w), IMPORTER_DONE); /* no key: once more */
    assert_rows(w, 2 * FRAMES);
}

static void test_bad_frames(void **state)
{
    static const uint8_t bad[] = { 'H', 'E', 'P', '3', 0, 12, 0, 0, 0, 7, 0x17, 0x70 };
    struct world *w = *state;
    uint8_t octets[2000];
    size_t one = w->offsets[1];
    memcpy(octets, w->octets, one);
    memcpy(octets + one, bad, sizeof(bad));
    memcpy(octets + one + sizeof(bad), w->octets, one);
    size_t len = 2 * one + sizeof(bad);
    struct importer_result r = body(w, NULL, (struct hep_slice){ octets, len }, IMPORTER_DONE);
    assert_int_equal(r.stored, 2);
    assert_int_equal(r.bad, 1);
    assert_int_equal(r.error, HEP_ERR_CHUNK_OVERRUN);
    assert_in_range(r.error_offset, one, one + sizeof(bad));
    r = body(w, NULL, (struct hep_slice){ octets, len - 1 }, IMPORTER_DONE);
    assert_int_equal(r.stored, 1);
    assert_int_equal(r.bad, 2);
    octets[0] = 'X';
    r = body(w, NULL, (struct hep_slice){ octets, len }, IMPORTER_DONE);
    assert_int_equal(r.stored, 0);
    assert_int_equal(r.error, HEP_ERR_MAGIC);
    assert_int_equal(r.error_offset, 0);
}

/* ------------------------------------------------------------------------------------------------ captures */

static bool to_buf(void *arg, const void *octets, size_t len)
{
    struct buf *out = arg;
    buf_put(out, octets, len);
    return !out->failed;
}

/* A capture of `count` SIP messages, each tenth of them over TCP, and a datagram that is nothing. */
static void make_capture(struct buf *out, size_t count, enum pcap_out_format format)
{
    static const char sip[] = "OPTIONS sip:a SIP/2.0\r\nCall-ID: x\r\nContent-Length: 0\r\n\r\n";
    const struct pcap_out_options o = { .format = format, .write = to_buf, .arg = out };
    struct pcap_out_message m = { .src = { 4, { 10, 0, 0, 1 } },
                                  .dst = { 4, { 10, 0, 0, 2 } },
                                  .src_port = 5060,
                                  .dst_port = 5060,
                                  .payload = { (const uint8_t *)sip, sizeof(sip) - 1 } };
    struct pcap_out *pcap;
    struct errmsg err;
    buf_init(out, (size_t)8 << 20);
    assert_int_equal(pcap_out_start(&pcap, &o, &err), 0);
    for (size_t i = 0; i <= count; i++) {
        m.sec = 1000000000 + (uint32_t)i;
        m.protocol = i % 10 == 9 ? 6 : 17;
        m.payload.len = i < count ? sizeof(sip) - 1 : 4;
        assert_int_equal(pcap_out_message(pcap, &m), PCAP_OUT_OK);
    }
    assert_int_equal(pcap_out_close(pcap), 0);
}

static void test_capture(void **state)
{
    struct world *w = *state;
    for (int format = PCAP_OUT_PCAP; format <= PCAP_OUT_PCAPNG; format++) {
        struct buf capture;
        const char *key = format == PCAP_OUT_PCAP ? "a" : "b";
        make_capture(&capture, 25, (enum pcap_out_format)format);
        for (int i = 0; i < 2; i++) {
            struct importer_result r = body(w, key, (struct hep_slice){ capture.ptr, capture.len }, IMPORTER_DONE);
            assert_true(r.capture);
            assert_int_equal(r.stored, 25);
            assert_int_equal(r.bad, 0);
            assert_int_equal(r.counts.sip, 25);
            assert_int_equal(r.counts.other_udp, 1);
            assert_int_equal(r.counts.packets, 26 + 3); /* and a handshake */
        }
        assert_rows(w, 25 * (size_t)(format + 1));
        (void)body(w, key, (struct hep_slice){ capture.ptr, capture.len - 1 }, IMPORTER_KEY_REUSED);
        struct importer_result r = body(w, NULL, (struct hep_slice){ capture.ptr, 10 },
                                        format == PCAP_OUT_PCAP ? IMPORTER_NO_CAPTURE : IMPORTER_DONE);
        assert_int_equal(r.bad, 1);
        buf_free(&capture);
    }
    assert_int_equal(w->store.rows[9].ts, INT64_C(1000000009) * 1000000);
}

/* A capture that ends inside a packet is stored as far as it goes. */
static void test_damaged_capture(void **state)
{
    struct world *w = *state;
    struct buf capture;
    make_capture(&capture, 5, PCAP_OUT_PCAP);
    struct importer_result r = body(w, NULL, (struct hep_slice){ capture.ptr, capture.len - 100 }, IMPORTER_DONE);
    assert_int_equal(r.stored, 4);
    assert_int_equal(r.bad, 1);
    assert_string_not_equal(r.capture_error.text, "");
    assert_rows(w, 4);
    buf_free(&capture);
}

/* The same capture becomes the same frames: what a killed server stored of it is found. */
static void test_capture_after_a_restart(void **state)
{
    struct world *w = *state;
    struct buf capture;
    make_capture(&capture, 30, PCAP_OUT_PCAP);
    w->room = 12;
    struct importer_result r = body(w, "k", (struct hep_slice){ capture.ptr, capture.len }, IMPORTER_FULL);
    assert_int_equal(r.stored, 12);
    w->room = FAKE_ROWS_MAX;
    restart(w);
    r = body(w, "k", (struct hep_slice){ capture.ptr, capture.len }, IMPORTER_DONE);
    assert_int_equal(r.stored, 30);
    assert_rows(w, 30);
    buf_free(&capture);
}

static void test_keepalive(void **state)
{
    struct world *w = *state;
    struct hep_msg msg;
    uint8_t frame[200];
    size_t len;
    hep_msg_init(&msg, HEP_TYPE_SIP);
    (void)hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, "HEP PING", 8);
    assert_int_equal(hep_encode(&msg, frame, sizeof(frame), &len), HEP_OK);
    struct importer_result r = body(w, NULL, (struct hep_slice){ frame, len }, IMPORTER_DONE);
    assert_int_equal(r.keepalives, 1);
    assert_int_equal(r.stored, 0);
    assert_rows(w, 0);
}

/* ------------------------------------------------------------------------------------------------ keys */

static void test_key(void **state)
{
    struct world *w = *state;
    struct importer_figures f;
    (void)body(w, "k", all(w), IMPORTER_DONE);
    struct importer_result r = body(w, "k", all(w), IMPORTER_DONE);
    assert_int_equal(r.stored, FRAMES);
    assert_rows(w, FRAMES);
    (void)body(w, "k", (struct hep_slice){ w->octets, w->offsets[3] }, IMPORTER_KEY_REUSED);
    (void)body(w, "other", all(w), IMPORTER_DONE);
    assert_rows(w, 2 * FRAMES);
    importer_figures(w->imp, &f);
    assert_int_equal(f.bodies, 4);
    assert_int_equal(f.repeated, 2);
    assert_int_equal(f.stored, 2 * FRAMES);
    assert_int_equal(f.looked_up, 0);
}

static void test_full(void **state)
{
    struct world *w = *state;
    w->room = 13;
    struct importer_result r = body(w, "k", all(w), IMPORTER_FULL);
    assert_int_equal(r.stored, 13);
    w->room = 20;
    r = body(w, "k", all(w), IMPORTER_FULL);
    assert_int_equal(r.stored, 20);
    w->room = FAKE_ROWS_MAX;
    r = body(w, "k", all(w), IMPORTER_DONE);
    assert_int_equal(r.stored, FRAMES);
    assert_rows(w, FRAMES);
}

static void test_not_durable(void **state)
{
    struct world *w = *state;
    w->lazy = true;
    (void)body(w, "k", all(w), IMPORTER_DONE); /* it is asked for */
    assert_int_equal(w->durable, FRAMES);
    w->durable = 0;
    w->room = 0;
    struct importer_result r = body(w, "k", all(w), IMPORTER_NOT_DURABLE);
    assert_int_equal(r.stored, FRAMES);
    w->room = FAKE_ROWS_MAX;
    (void)body(w, "k", all(w), IMPORTER_DONE);
    assert_rows(w, FRAMES);
}

static void test_stop(void **state)
{
    struct world *w = *state;
    w->room = 1;
    importer_stop(w->imp);
    (void)body(w, "k", all(w), IMPORTER_STOPPED);
}

/* The sink says that there is room while it is waited for. */
static void *make_room(void *arg)
{
    struct world *w = arg;
    (void)pthread_mutex_lock(&w->lock);
    (void)pthread_mutex_unlock(&w->lock);
    w->wake(w->wake_arg);
    return NULL;
}

static void test_woken(void **state)
{
    struct world *w = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, make_room, w), 0);
    (void)body(w, "k", all(w), IMPORTER_DONE);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* ------------------------------------------------------------------------------------------------ restarts */

static void test_done_before_a_restart(void **state)
{
    struct world *w = *state;
    struct importer_figures f;
    (void)body(w, "k", all(w), IMPORTER_DONE);
    restart(w);
    struct importer_result r = body(w, "k", all(w), IMPORTER_DONE);
    assert_int_equal(r.stored, FRAMES);
    assert_rows(w, FRAMES);
    importer_figures(w->imp, &f);
    assert_int_equal(f.looked_up, 1);
    (void)body(w, "new", all(w), IMPORTER_DONE);
    assert_rows(w, 2 * FRAMES);
}

/* Whichever frames got lost in the crash are the ones that are stored again. */
static void test_holes(void **state)
{
    struct world *w = *state;
    uint64_t seed = 1;
    (void)body(w, "before", all(w), IMPORTER_DONE);
    for (unsigned round = 0; round < 20; round++) {
        char key[16];
        size_t before = w->store.count;
        (void)snprintf(key, sizeof(key), "k%u", round);
        (void)body(w, key, all(w), IMPORTER_DONE);
        size_t kept = before;
        for (size_t i = before; i < before + FRAMES; i++)
            if (prng_below(&seed, 3) != 0)
                w->store.rows[kept++] = w->store.rows[i];
        w->store.count = kept;
        restart(w);
        if (round % 2 == 0 && kept + 1 < before + FRAMES) { /* not all at once */
            w->room = kept + 1;
            (void)body(w, key, all(w), IMPORTER_FULL);
            w->room = FAKE_ROWS_MAX;
            if (round % 4 == 0)
                restart(w);
        }
        struct importer_result r = body(w, key, all(w), IMPORTER_DONE);
        assert_int_equal(r.stored, FRAMES);
        assert_rows(w, before + FRAMES);
    }
}

static void test_look_up_fails(void **state)
{
    struct world *w = *state;
    (void)body(w, "k", all(w), IMPORTER_DONE);
    restart(w);
    w->store.scan_error = -EIO;
    (void)body(w, "k", all(w), IMPORTER_UNSURE);
    w->store.scan_error = 0;
    w->store.inexact = true;
    (void)body(w, "k", all(w), IMPORTER_UNSURE);
    w->store.inexact = false;
    w->store.damaged_seq = 7;
    (void)body(w, "k", all(w), IMPORTER_UNSURE);
    w->store.damaged_seq = 0;
    assert_rows(w, FRAMES);
    (void)body(w, "k", all(w), IMPORTER_DONE);
    assert_rows(w, FRAMES);
}

/* ------------------------------------------------------------------------------------------------ the file */

struct seen {
    struct import_note notes[IMPORTER_KEYS];
    size_t count;
};

static void see(void *arg, const struct import_note *note)
{
    struct seen *s = arg;
    s->notes[s->count++] = *note;
}

static struct import_journal open_journal(struct fault_fs *fs, struct seen *s)
{
    struct import_journal j;
    struct errmsg err = { "" };
    s->count = 0;
    assert_int_equal(import_journal_open(&j, fault_vfs(fs), "/j", see, s, &err), 0);
    return j;
}

static void test_journal(void **state)
{
    struct seen *s = calloc(1, sizeof(*s));
    struct fault_fs *fs = fault_new(5);
    (void)state;
    assert_int_equal(vfs_mkdirs(fault_vfs(fs), "/j"), 0);
    struct import_journal j = open_journal(fs, s);
    assert_int_equal(s->count, 0);
    for (uint64_t i = 0; i < IMPORTER_KEYS + 10; i++) {
        struct import_note n = { .key = { i, ~i }, .body = 3 * i, .received_us = (int64_t)i * 7, .frames = i };
        assert_int_equal(import_journal_put(&j, &n), 0);
    }
    import_journal_close(&j);
    fault_crash(fs, 2);
    j = open_journal(fs, s);
    assert_int_equal(s->count, IMPORTER_KEYS);
    assert_int_equal(j.next, IMPORTER_KEYS + 10);
    for (uint64_t i = 0; i < s->count; i++) {
        assert_int_equal(s->notes[i].number, i + 10);
        assert_int_equal(s->notes[i].key.low64, i + 10);
        assert_int_equal(s->notes[i].key.high64, ~(i + 10));
        assert_int_equal(s->notes[i].body, 3 * (i + 10));
        assert_int_equal(s->notes[i].received_us, 7 * (i + 10));
        assert_int_equal(s->notes[i].frames, i + 10);
    }
    import_journal_close(&j);

    size_t len; /* a flipped octet costs its note */
    uint8_t *octets = fault_data(fs, "/j/IMPORTS", &len);
    assert_int_equal(len, IMPORTER_KEYS * 64);
    octets[64 * 20 + 30] ^= 1;
    j = open_journal(fs, s);
    assert_int_equal(s->count, IMPORTER_KEYS - 1);
    import_journal_close(&j);
    fault_free(fs);
    free(s);
}

static void test_journal_cannot_be(void **state)
{
    struct world *w = *state;
    importer_free(w->imp);
    assert_int_equal(vfs_unlink(fault_vfs(w->fs), "/d/IMPORTS"), 0);
    fault_inject(w->fs, FAULT_ALLOCATE, 0, -ENOSPC, 0);
    start(w, "IMPORTS");
    fault_clear(w->fs);
    (void)body(w, "k", all(w), IMPORTER_DONE);
    (void)body(w, "k", all(w), IMPORTER_DONE);
    assert_rows(w, FRAMES);
}

static void test_journal_without_allocate(void **state)
{
    struct world *w = *state;
    importer_free(w->imp);
    assert_int_equal(vfs_unlink(fault_vfs(w->fs), "/d/IMPORTS"), 0);
    fault_inject(w->fs, FAULT_ALLOCATE, 0, -EOPNOTSUPP, 0);
    start(w, NULL);
    fault_clear(w->fs);
    (void)body(w, "k", all(w), IMPORTER_DONE);
    restart(w);
    (void)body(w, "k", all(w), IMPORTER_DONE);
    assert_rows(w, FRAMES);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_body),
        TEST(test_bad_frames),
        TEST(test_keepalive),
        TEST(test_capture),
        TEST(test_damaged_capture),
        TEST(test_capture_after_a_restart),
        TEST(test_key),
        TEST(test_full),
        TEST(test_not_durable),
        TEST(test_stop),
        TEST(test_woken),
        TEST(test_done_before_a_restart),
        TEST(test_holes),
        TEST(test_look_up_fails),
        cmocka_unit_test(test_journal),
        TEST(test_journal_cannot_be),
        TEST(test_journal_without_allocate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
