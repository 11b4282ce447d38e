/*
 * Media reports of calls. First octet even: the rest is saved figures as they stand; what is taken is saved again, and
 * that loads. Odd: the rest is reports, each with an octet for its call and form, one for who sent it, two for its
 * length: figures are known and in their ranges or not known, and every report is told of once.
 */
#include <string.h>

#include "base/le.h"
#include "fuzz.h"
#include "sip/start.h"
#include "track/quality.h"

#define SEED     1
#define START_US INT64_C(1700000000000000)

static const char *const ids[] = { "a@x", "b@x", "c@x" };

static struct hep_slice slice(const char *text)
{
    return (struct hep_slice){ (const uint8_t *)text, strlen(text) };
}

static void check_figure(double value, double most)
{
    FUZZ_CHECK(value == QUALITY_UNKNOWN || (value >= 0 && value <= most));
}

static void check_figures(const struct quality_figures *f)
{
    check_figure(f->mos, 5);
    check_figure(f->mos_min, 5);
    check_figure(f->loss_pct, 100);
    check_figure(f->loss_max_pct, 100);
    check_figure(f->jitter_ms, 1e12);
    check_figure(f->rtt_ms, 1e12);
}

static void on_report(void *arg, const struct quality_report *r)
{
    uint64_t *told = arg;
    ++*told;
    FUZZ_CHECK(r->match < QUALITY_MATCHES && (r->call != NULL) == (r->match != QUALITY_NONE));
    check_figure(r->loss_pct, 100);
    if (r->rated)
        check_figure(r->rating.mos, 5);
}

/* Calls a and b; there is none of c. */
static struct tracker *some_calls(void)
{
    struct tracker *t = tracker_new(&(struct track_options){ .max_calls = 8 });
    FUZZ_CHECK(t != NULL);
    for (unsigned i = 0; i < 2; i++) {
        struct track_event e = { .ts = START_US, .seq = i + 1, .method = SIP_INVITE, .tap = 1 };
        struct track_texts texts = { 0 };
        e.call = track_call_hash(slice(ids[i]), SEED);
        texts.of[TRACK_TEXT_CALL_ID] = slice(ids[i]);
        (void)tracker_take(t, &e, &texts, START_US);
    }
    struct track_stats stats;
    tracker_stats(t, &stats);
    FUZZ_CHECK(stats.live == 2);
    return t;
}

static bool into_buf(void *arg, const uint8_t *p, size_t len)
{
    buf_put(arg, p, len);
    return !((struct buf *)arg)->failed;
}

static struct quality *open_quality(const struct tracker *t, uint64_t *told)
{
    struct quality *q = quality_new(&(struct quality_options){
        .tracker = t, .seed = SEED, .max_calls = 4, .max_waiting = 4, .on_report = on_report, .arg = told });
    FUZZ_CHECK(q != NULL);
    return q;
}

static void check_call(void *arg, const struct call_record *call)
{
    struct quality_of_call c;
    if (!quality_of(arg, call, &c))
        return;
    check_figures(&c.worse);
    check_figures(&c.heard[0]);
    check_figures(&c.heard[1]);
}

/* Saves, loads and saves: as many octets. */
static void again(const struct quality *q, const struct tracker *t)
{
    struct buf a, b;
    struct errmsg err;
    uint64_t told = 0;
    struct quality *copy = open_quality(t, &told);
    buf_init(&a, (size_t)1 << 22);
    buf_init(&b, (size_t)1 << 22);
    FUZZ_CHECK(quality_save_to(q, into_buf, &a));
    FUZZ_CHECK(quality_load(copy, a.ptr, a.len, &err) == 0);
    FUZZ_CHECK(quality_save_to(copy, into_buf, &b) && a.len == b.len);
    tracker_each(t, check_call, copy);
    quality_free(copy);
    buf_free(&a);
    buf_free(&b);
}

static void take_all(struct quality *q, const uint8_t *data, size_t size)
{
    enum { HEAD = 4 };
    for (uint64_t n = 1; size >= HEAD; n++) {
        size_t len = le16_load(data + 2);
        len = len < size - HEAD ? len : size - HEAD;
        struct quality_message m = { .call = track_call_hash(slice(ids[data[0] % 3]), SEED),
                                     .seq = n,
                                     .ts = START_US + (int64_t)n * 5000000,
                                     .src = { { 4, { 10, 0, 0, data[1] & 3 } }, 4000 },
                                     .dst = { { 4, { 10, 0, 0, data[1] >> 2 & 3 } }, 4000 },
                                     .len = (uint32_t)len,
                                     .form = (uint8_t)((data[0] >> 2) % (MEDIA_FORM_P_STAT + 1)) };
        if ((data[1] & 0x80) != 0)
            m.call = 0;
        quality_take(q, &m, data + HEAD, m.ts);
        if ((data[1] & 0x40) != 0)
            quality_tick(q, m.ts);
        data += HEAD + len;
        size -= HEAD + len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct errmsg err = { "" };
    uint64_t told = 0;
    if (size < 1)
        return 0;
    struct tracker *t = some_calls();
    struct quality *q = open_quality(t, &told);
    if ((data[0] & 1) != 0) {
        take_all(q, data + 1, size - 1);
    } else if (quality_load(q, data + 1, size - 1, &err) != 0) {
        FUZZ_CHECK(err.text[0] != '\0');
    }
    tracker_each(t, check_call, q);
    again(q, t);
    quality_finish(q);
    quality_free(q);
    tracker_free(t);
    return 0;
}
