/*
 * Live calls as octets, and events. First octet even: the rest is a saved tracker as it stands; what is taken is saved
 * again, and that loads to the same octets. Odd: the rest is events, nine octets each, for a tracker of few calls with
 * a clock that goes as they say; it is saved and loaded on the way, and what comes out adds up.
 */
#include <string.h>

#include "base/le.h"
#include "fuzz.h"
#include "sip/start.h"
#include "track/track.h"

#define LIVE_MAX  6
#define SAVED_MAX ((size_t)1 << 22)

struct seen {
    uint64_t calls, messages;
};

static void check_call(void *arg, const struct call_record *r)
{
    struct seen *s = arg;
    size_t octets = 0;
    for (int i = 0; i < TRACK_TEXTS; i++) {
        FUZZ_CHECK(r->texts.of[i].len <= TRACK_TEXT_MAX);
        for (size_t n = 0; n < r->texts.of[i].len; n++)
            octets += r->texts.of[i].ptr[n];
    }
    (void)octets;
    FUZZ_CHECK(r->state < TRACK_STATES && track_state_name(r->state) != NULL);
    FUZZ_CHECK(r->pdd_ms >= TRACK_NONE && r->ring_ms >= TRACK_NONE && r->talk_ms >= TRACK_NONE);
    FUZZ_CHECK(r->src.ip.len <= 16 && r->callee_media.ip.len <= 16 && r->taps <= TRACK_TAPS_MAX);
    FUZZ_CHECK(r->legs >= 1 && r->group != 0 && (r->legs == 1) == (r->by.kind == TRACK_KEY_NONE));
    FUZZ_CHECK(r->by.kind < TRACK_KEYS && r->by.text.len <= TRACK_TEXT_MAX && r->probable != r->uid);
    for (size_t i = 0; i < r->key_count; i++) {
        FUZZ_CHECK(r->keys[i].kind < TRACK_KEYS && r->keys[i].text.len <= TRACK_TEXT_MAX);
        for (size_t n = 0; n < r->keys[i].text.len; n++)
            octets += r->keys[i].text.ptr[n];
    }
    FUZZ_CHECK(!r->over || !track_state_is_live(r->state));
    s->calls++;
    s->messages += r->messages;
}

static struct tracker *make(uint32_t max_calls, struct seen *s)
{
    const struct track_options o = { .max_calls = max_calls, .on_call = check_call, .arg = s };
    struct tracker *t = tracker_new(&o);
    FUZZ_CHECK(t != NULL);
    return t;
}

/* Saves, loads, saves: the same octets but for the order of the calls. Returns the loaded one. */
static struct tracker *again(struct tracker *t, uint32_t max_calls, struct seen *s)
{
    struct buf a, b;
    struct errmsg err;
    struct seen none = { 0, 0 };
    struct tracker *copy = make(max_calls, s);
    buf_init(&a, SAVED_MAX);
    buf_init(&b, SAVED_MAX);
    tracker_save(t, &a);
    FUZZ_CHECK(!a.failed && tracker_load(copy, a.ptr, a.len, &err) == 0);
    tracker_save(copy, &b);
    FUZZ_CHECK(a.len == b.len);
    tracker_each(copy, check_call, &none);
    buf_free(&a);
    buf_free(&b);
    tracker_free(t);
    return copy;
}

/* Few values, some of which are calls: what makes groups, and hubs. */
static void set_keys(const uint8_t *p, struct track_event *e)
{
    e->key_count = p[1] % (TRACK_EVENT_KEYS + 1);
    for (unsigned i = 0; i < e->key_count; i++) {
        e->key_kinds[i] = (uint8_t)((p[2] + i * 3) % (TRACK_KEYS + 1));
        e->keys[i] = (p[6] + i * (p[3] | 1u)) % 24;
    }
    e->origin = p[4] % 4;
    e->more_media[0] = p[3] % 16;
}

/* Call, CSeq, tags, method, status, options, time forward, lateness. */
static struct track_event event_of(const uint8_t *p, int64_t now)
{
    static const uint8_t methods[] = { SIP_INVITE, SIP_ACK,   SIP_BYE,  SIP_CANCEL,
                                       SIP_UPDATE, SIP_REFER, SIP_INFO, SIP_OPTIONS };
    struct track_event e;
    memset(&e, 0, sizeof(e));
    e.call = p[0] % 8;
    e.cseq = p[1];
    e.from_tag = p[2] % 4;
    e.to_tag = p[2] / 4 % 4;
    e.tap = 1 + p[2] / 64;
    e.method = methods[p[3] % 8];
    e.branch = p[3];
    e.message = (uint32_t)p[4] << 8 | p[3];
    e.status = p[4] < 64 ? 0 : (uint16_t)(p[4] * 3);
    e.flags = (uint16_t)((p[5] & 0x3e) | (p[4] < 64));
    e.via_count = p[5] / 64;
    e.q850 = (int16_t)(p[6] % 32 - 1);
    e.sip_cause = -1;
    e.src.ip = (struct hep_addr){ (uint8_t)(p[6] & 64 ? 16 : 4), { 10, 0, 0, p[6] } };
    e.media = (struct track_addr){ { (uint8_t)(p[6] & 32 ? 4 : 0), { 10, 1, 0, p[6] } }, p[6] };
    set_keys(p, &e);
    e.ts = now - (int64_t)p[8] * 100000;
    e.seq = (uint64_t)now;
    return e;
}

/* Events for the first call of what was loaded. */
static void go_on(struct tracker *t, const uint8_t *data, size_t size)
{
    static const uint8_t acts[][9] = {
        { 0, 1, 0x05, 0, 0, 2, 70, 0, 0 },  { 0, 9, 0x46, 0, 0, 6, 5, 0, 9 },   { 0, 1, 0x01, 0, 200, 2, 5, 0, 1 },
        { 0, 2, 0x05, 2, 0, 0, 20, 0, 0 },  { 0, 2, 0x05, 2, 67, 0, 20, 0, 0 }, { 0, 3, 0x06, 5, 0, 0, 20, 0, 3 },
        { 0, 200, 0x02, 0, 0, 2, 7, 0, 0 },
    };
    if (size < 24)
        return;
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        struct track_event e = event_of(acts[i], INT64_C(1700000900000000) + (int64_t)i * 50000000);
        e.call = le64_load(data + 16);
        (void)tracker_take(t, &e, NULL, e.ts);
    }
}

static void load(const uint8_t *data, size_t size)
{
    struct seen s = { 0, 0 };
    struct errmsg err;
    struct track_stats stats;
    struct tracker *t = make(0, &s);
    if (tracker_load(t, data, size, &err) == 0) {
        t = again(t, 0, &s);
        go_on(t, data, size);
        t = again(t, 0, &s);
        tracker_tick(t, INT64_C(4000000000) * 1000000);
        tracker_finish(t);
    }
    tracker_stats(t, &stats);
    FUZZ_CHECK(stats.live == 0);
    tracker_free(t);
}

static void events(const uint8_t *data, size_t size)
{
    struct seen s = { 0, 0 };
    struct track_stats stats;
    struct tracker *t = make(LIVE_MAX, &s);
    uint64_t taken = 0;
    int64_t now = INT64_C(1700000000000000);
    for (size_t n = 0; size >= 9; data += 9, size -= 9, n++) {
        struct track_texts texts;
        memset(&texts, 0, sizeof(texts));
        for (int i = 0; i < TRACK_TEXTS; i++)
            texts.of[i] = (struct hep_slice){ data, data[i % 9] % 10 };
        now += (int64_t)data[7] * data[7] * data[7] * 1000;
        struct track_event e = event_of(data, now);
        taken += tracker_take(t, &e, data[5] & 1 ? &texts : NULL, now) != 0;
        if (n % 16 == 15)
            t = again(t, LIVE_MAX, &s);
    }
    tracker_stats(t, &stats);
    tracker_finish(t);
    FUZZ_CHECK(s.messages == taken && stats.no_memory == 0);
    tracker_stats(t, &stats);
    FUZZ_CHECK(stats.keys == 0);
    tracker_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 2 == 0)
        load(data + 1, size - 1);
    else
        events(data + 1, size - 1);
    return 0;
}
