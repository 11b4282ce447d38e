/* Reports on media: which call they belong to, who heard the stream, and what they come to for the call. */
#include <errno.h>
#include <math.h>

#include "prng.h"
#include "track/quality.h"
#include "track_script.h"

#define SEED     7 /* of the script */
#define TOLD_MAX 64

struct told {
    uint64_t uid;
    enum quality_match match;
    enum track_side heard_by;
    double loss_pct, jitter_ms, mos, seconds;
    int64_t expected, lost;
    bool rated;
};

struct world {
    struct tracker *tracker;
    struct quality *quality;
    struct told told[TOLD_MAX];
    size_t count;
    struct script script;
};

static void on_report(void *arg, const struct quality_report *r)
{
    struct world *w = arg;
    assert_true(w->count < TOLD_MAX);
    w->told[w->count++] =
        (struct told){ r->call != NULL ? r->call->uid : 0,         r->match,   r->heard_by, r->loss_pct, r->jitter_ms,
                       r->rated ? r->rating.mos : QUALITY_UNKNOWN, r->seconds, r->expected, r->lost,     r->rated };
}

static struct quality *new_quality(struct world *w)
{
    const struct quality_options o = {
        .tracker = w->tracker, .seed = SEED, .max_calls = 100, .max_waiting = 20, .on_report = on_report, .arg = w
    };
    struct quality *q = quality_new(&o);
    assert_non_null(q);
    return q;
}

static void open_world(struct world *w)
{
    memset(w, 0, sizeof(*w));
    w->tracker = tracker_new(&(struct track_options){ .max_calls = 1000 });
    assert_non_null(w->tracker);
    w->quality = new_quality(w);
}

static void close_world(struct world *w)
{
    quality_free(w->quality);
    tracker_free(w->tracker);
}

static void play(struct world *w, const char *text)
{
    script_read(&w->script, text);
    for (size_t i = 0; i < w->script.count; i++) {
        const struct script_message *m = &w->script.all[i];
        (void)tracker_take(w->tracker, &m->event, &m->texts, m->event.ts);
        quality_sdp(w->quality, &m->event);
    }
}

/* A call from 192.0.2.1:4000 to 192.0.2.1:5000. */
#define CALL(id, caller, callee)                                                                                       \
    "0 A>B INVITE 1 i" id " id=" id " sdp port=" caller ";"                                                            \
    "500 B>A 200 1 i" id " id=" id " sdp port=" callee ";"                                                             \
    "600 A>B ACK 1 j" id " id=" id " t=b;"

static uint64_t key_of(const char *id)
{
    return id != NULL ? track_call_hash(script_slice(id), SEED) : 0;
}

static struct track_addr addr_of(uint8_t last, uint16_t port)
{
    return (struct track_addr){ { 4, { 192, 0, 2, last } }, port };
}

static void take(struct world *w, const char *id, struct track_addr src, struct track_addr dst, int ms,
                 enum media_form form, const char *payload)
{
    const struct quality_message m = { .call = key_of(id),
                                       .seq = 77,
                                       .ts = SCRIPT_START + (int64_t)ms * 1000,
                                       .src = src,
                                       .dst = dst,
                                       .len = (uint32_t)strlen(payload),
                                       .form = (uint8_t)form };
    quality_take(w->quality, &m, (const uint8_t *)payload, m.ts); /* no id behind it: id_len is 0 */
}

struct block {
    unsigned reporter, ssrc, fraction, lost, highest, jitter;
};

static void rtcp(struct world *w, const char *id, struct track_addr src, struct track_addr dst, int ms, struct block b)
{
    char text[512];
    (void)snprintf(text, sizeof(text),
                   "{\"ssrc\":%u,\"type\":201,\"report_count\":1,\"report_blocks\":[{\"source_ssrc\":%u,"
                   "\"fraction_lost\":%u,\"packets_lost\":%u,\"highest_seq_no\":%u,\"ia_jitter\":%u,\"lsr\":0,"
                   "\"dlsr\":0}]}",
                   b.reporter, b.ssrc, b.fraction, b.lost, b.highest, b.jitter);
    take(w, id, src, dst, ms, MEDIA_FORM_ANY, text);
}

struct wanted {
    struct world *w;
    struct quality_of_call quality;
    uint64_t uid;
    bool any;
};

static void look(void *arg, const struct call_record *r)
{
    struct wanted *f = arg;
    f->uid = r->uid;
    f->any = quality_of(f->w->quality, r, &f->quality);
}

static struct wanted look_at(struct world *w, const char *id)
{
    struct wanted f = { .w = w };
    assert_true(tracker_show(w->tracker, key_of(id), look, &f));
    return f;
}

static void near(double is, double should, double by)
{
    if (!(fabs(is - should) <= by))
        fail_msg("%g, not %g", is, should);
}

/* ------------------------------------------------------------------------------------------------ figures */

/* By the Call-ID that the frame names: figures of the interval by hand, rating by G.107 with Ie 0, Bpl 25.1. */
static void test_interval(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    play(&w, CALL("a", "4000", "5000"));
    rtcp(&w, "a", addr_of(1, 4001), addr_of(1, 5001), 5000, (struct block){ 11, 22, 0, 0, 1000, 80 });
    rtcp(&w, "a", addr_of(1, 4001), addr_of(1, 5001), 10000, (struct block){ 11, 22, 10, 10, 1250, 160 });
    rtcp(&w, "a", addr_of(1, 5001), addr_of(1, 4001), 10000, (struct block){ 22, 11, 0, 0, 500, 8 });
    assert_int_equal(w.count, 3);
    struct wanted f = look_at(&w, "a");
    const struct told *second = &w.told[1];
    assert_int_equal(second->uid, f.uid);
    assert_int_equal(second->match, QUALITY_CALL_ID);
    assert_int_equal(second->heard_by, TRACK_CALLER);
    assert_int_equal(w.told[2].heard_by, TRACK_CALLEE);
    assert_int_equal(second->expected, 250);
    assert_int_equal(second->lost, 10);
    near(second->loss_pct, 4, 1e-9);
    near(second->jitter_ms, 20, 1e-9); /* 160 / 8000 Hz */
    near(second->seconds, 5, 1e-9);
    near(second->mos, 4.03, 0.01); /* R = 93.2 - 95 * 4 / (4 + 25.1) = 80.1 */
    assert_true(f.any);
    assert_int_equal(f.quality.reports, 3);
    near(f.quality.heard[0].loss_pct, 4, 1e-9); /* of the packets that were counted */
    near(f.quality.heard[0].loss_max_pct, 4, 1e-9);
    near(f.quality.heard[0].jitter_ms, 15, 1e-9);
    near(f.quality.heard[0].jitter_max_ms, 20, 1e-9);
    near(f.quality.heard[1].mos, 4.41, 0.01);
    near(f.quality.worse.mos_min, second->mos, 1e-9);
    near(f.quality.worse.mos, f.quality.heard[0].mos, 1e-9);
    near(f.quality.worse.rtt_ms, QUALITY_UNKNOWN, 0);
    assert_false(f.quality.one_way);
    close_world(&w);
}

static void test_second_tap(void **state)
{
    (void)state;
    struct quality_stats s;
    struct world w;
    open_world(&w);
    play(&w, CALL("a", "4000", "5000"));
    for (int i = 0; i < 2; i++)
        rtcp(&w, "a", addr_of(1, 4001), addr_of(1, 5001), 5000 + i, (struct block){ 11, 22, 0, 0, 1000, 80 });
    quality_stats(w.quality, &s);
    assert_int_equal(w.count, 1);
    assert_int_equal(s.repeated, 1);
    assert_int_equal(look_at(&w, "a").quality.reports, 1);
    close_world(&w);
}

/* The BYE has it: what its sender received. */
static void test_header(void **state)
{
    (void)state;
    struct world w;
    struct track_addr a = { { 4, { 10, 0, 0, 'A' } }, 5060 }, b = { { 4, { 10, 0, 0, 'B' } }, 5060 };
    open_world(&w);
    play(&w, CALL("a", "4000", "5000"));
    take(&w, "a", b, a, 20000, MEDIA_FORM_X_STAT, "PS=1000,OS=160000,PR=980,OR=156800,PL=20,JI=3,LA=0");
    assert_int_equal(w.count, 1);
    assert_int_equal(w.told[0].heard_by, TRACK_CALLEE);
    near(look_at(&w, "a").quality.heard[1].loss_pct, 2, 1e-9);
    close_world(&w);
}

/* Sender reports without a block: that side receives nothing. */
static void test_one_way(void **state)
{
    static const char sender[] = "{\"sender_information\":{\"ntp_timestamp_sec\":3900000000,\"ntp_timestamp_usec\":1,"
                                 "\"rtp_timestamp\":1,\"packets\":500,\"octets\":80000},\"ssrc\":11,\"type\":200,"
                                 "\"report_count\":0,\"report_blocks\":[]}";
    (void)state;
    struct world w;
    open_world(&w);
    play(&w, CALL("a", "4000", "5000"));
    for (int i = 1; i <= 2; i++) {
        assert_false(look_at(&w, "a").quality.one_way);
        take(&w, "a", addr_of(1, 4001), addr_of(1, 5001), 5000 * i, MEDIA_FORM_ANY, sender);
        rtcp(&w, "a", addr_of(1, 5001), addr_of(1, 4001), 5000 * i,
             (struct block){ 22, 11, 0, 0, 250u * (unsigned)i, 8 });
    }
    struct wanted f = look_at(&w, "a");
    assert_true(f.quality.heard[0].nothing);
    assert_false(f.quality.heard[1].nothing);
    assert_true(f.quality.one_way);
    assert_false(f.quality.worse.nothing);
    assert_int_equal(w.count, 2);
    close_world(&w);
}

/* ------------------------------------------------------------------------------------------------ matching */

static const struct block plain = { 11, 22, 0, 0, 1000, 80 };

/* Nothing names the call: its SDP has the addresses, or one of them behind a NAT, or comes later. */
static void test_by_sdp(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    play(&w, CALL("a", "4000", "5000"));
    rtcp(&w, NULL, addr_of(1, 4001), addr_of(1, 5001), 5000, plain);
    rtcp(&w, "unknown", addr_of(99, 1234), addr_of(1, 5001), 6000, (struct block){ 33, 44, 0, 0, 1, 1 }); /* NAT */
    rtcp(&w, NULL, addr_of(1, 5000), addr_of(1, 4000), 6000, (struct block){ 22, 11, 0, 0, 1, 1 });       /* rtcp-mux */
    assert_int_equal(w.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(w.told[i].match, QUALITY_SDP);
    assert_int_equal(w.told[0].heard_by, TRACK_CALLER);
    assert_int_equal(w.told[1].heard_by, TRACK_CALLER);
    assert_int_equal(w.told[2].heard_by, TRACK_CALLEE);
    rtcp(&w, NULL, addr_of(1, 6001), addr_of(1, 7001), 5000, (struct block){ 55, 66, 0, 0, 1, 1 });
    quality_tick(w.quality, SCRIPT_START + 6000000);
    assert_int_equal(w.count, 3);
    play(&w, CALL("b", "6000", "7000"));
    quality_tick(w.quality, SCRIPT_START + 7000000);
    assert_int_equal(w.count, 4);
    assert_int_equal(w.told[3].uid, look_at(&w, "b").uid);
    close_world(&w);
}

/* By the two SSRCs, as long as one call has them. */
static void test_by_ssrc(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    play(&w, CALL("a", "4000", "5000") CALL("b", "6000", "7000"));
    rtcp(&w, "a", addr_of(1, 4001), addr_of(1, 5001), 5000, plain);
    rtcp(&w, NULL, addr_of(50, 9), addr_of(51, 9), 5000, (struct block){ 22, 11, 0, 0, 9, 9 });
    assert_int_equal(w.count, 2);
    assert_int_equal(w.told[1].match, QUALITY_SSRC);
    assert_int_equal(w.told[1].heard_by, TRACK_NOBODY);
    rtcp(&w, "b", addr_of(1, 6001), addr_of(1, 7001), 5000, plain);
    rtcp(&w, NULL, addr_of(52, 9), addr_of(53, 9), 6000, (struct block){ 22, 11, 0, 0, 9, 9 });
    assert_int_equal(w.count, 3); /* of both: waits */
    quality_finish(w.quality);
    assert_int_equal(w.told[3].match, QUALITY_NONE);
    assert_int_equal(w.told[3].uid, 0);
    close_world(&w);
}

static void test_waiting(void **state)
{
    (void)state;
    struct quality_stats s;
    struct world w;
    open_world(&w);
    rtcp(&w, "late", addr_of(1, 4001), addr_of(1, 5001), 0, plain);
    quality_tick(w.quality, SCRIPT_START + 9 * SCRIPT_SECOND);
    assert_int_equal(w.count, 0);
    quality_tick(w.quality, SCRIPT_START + 11 * SCRIPT_SECOND);
    assert_int_equal(w.count, 1);
    assert_int_equal(w.told[0].match, QUALITY_NONE);
    assert_false(w.told[0].rated); /* no codec is known */
    for (int i = 0; i < 30; i++)
        rtcp(&w, "never", addr_of(1, 4001), addr_of(1, 5001), i, plain);
    quality_stats(w.quality, &s);
    assert_int_equal(s.waiting, 20);
    assert_int_equal(w.count, 11); /* the oldest ones make room */
    take(&w, NULL, addr_of(1, 1), addr_of(1, 2), 1, MEDIA_FORM_ANY, "{\"ssrc\":");
    quality_stats(w.quality, &s);
    assert_int_equal(s.bad, 1);
    assert_int_equal(s.messages, 32);
    close_world(&w);
}

static void test_many_streams(void **state)
{
    (void)state;
    struct quality_stats s;
    struct world w;
    open_world(&w);
    play(&w, CALL("a", "4000", "5000"));
    for (unsigned i = 0; i < 60; i++)
        rtcp(&w, "a", addr_of(1, 4001), addr_of(1, 5001), 5000, (struct block){ 11, 100 + i, 0, 0, 1000, 80 });
    quality_stats(w.quality, &s);
    assert_int_equal(s.dropped, 44);
    assert_int_equal(w.count, 60); /* each is told of, whatever there is room for */
    close_world(&w);
}

/* ------------------------------------------------------------------------------------------------ state */

static bool put(void *arg, const uint8_t *p, size_t len)
{
    buf_put(arg, p, len);
    return true;
}

static void test_state(void **state)
{
    (void)state;
    struct errmsg err;
    struct world w;
    struct buf b;
    buf_init(&b, 1 << 20);
    open_world(&w);
    play(&w, CALL("a", "4000", "5000") CALL("b", "6000", "7000"));
    rtcp(&w, "a", addr_of(1, 4001), addr_of(1, 5001), 5000, plain);
    rtcp(&w, "b", addr_of(1, 6001), addr_of(1, 7001), 5000, plain);
    rtcp(&w, "later", addr_of(9, 9), addr_of(8, 9), 5000, (struct block){ 5, 6, 0, 0, 1, 1 });
    assert_true(quality_save_to(w.quality, put, &b));
    quality_free(w.quality);
    w.quality = new_quality(&w);
    w.count = 0;
    assert_int_equal(quality_load(w.quality, b.ptr, b.len, &err), 0);
    assert_int_equal(w.count, 0);
    rtcp(&w, "a", addr_of(1, 4001), addr_of(1, 5001), 10000, (struct block){ 11, 22, 10, 10, 1250, 160 });
    near(w.told[0].loss_pct, 4, 1e-9); /* the report before it is known */
    assert_int_equal(look_at(&w, "a").quality.reports, 2);
    assert_int_equal(look_at(&w, "b").quality.reports, 1);
    play(&w, "11000 A>B INVITE 1 l id=later sdp;");
    quality_tick(w.quality, SCRIPT_START + 11 * SCRIPT_SECOND);
    assert_int_equal(w.told[1].match, QUALITY_CALL_ID);
    for (size_t len = 0; len < b.len; len += 7) {
        quality_free(w.quality);
        w.quality = new_quality(&w);
        w.count = 0;
        assert_int_equal(quality_load(w.quality, b.ptr, len, &err), -EINVAL);
    }
    uint64_t random = 5;
    for (unsigned i = 0; i < 3000; i++) {
        size_t at = prng_below(&random, b.len);
        uint8_t old = b.ptr[at];
        b.ptr[at] ^= (uint8_t)(1u << prng_below(&random, 8));
        quality_free(w.quality);
        w.quality = new_quality(&w);
        w.count = 0;
        (void)quality_load(w.quality, b.ptr, b.len, &err);
        (void)look_at(&w, "a");
        b.ptr[at] = old;
    }
    buf_free(&b);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interval), cmocka_unit_test(test_second_tap),   cmocka_unit_test(test_header),
        cmocka_unit_test(test_one_way),  cmocka_unit_test(test_by_sdp),       cmocka_unit_test(test_by_ssrc),
        cmocka_unit_test(test_waiting),  cmocka_unit_test(test_many_streams), cmocka_unit_test(test_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
