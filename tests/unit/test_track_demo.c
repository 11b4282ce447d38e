/* The scenarios of src/demo as HEP frames -> rows -> calls; the same ones late and in another order; limits. */
#include "demo/demo.h"
#include "record/reader.h"
#include "track_script.h"

#define START_US UINT64_C(1700000000000000)

struct held_frame {
    uint8_t *octets;
    size_t len;
    int64_t at;
    uint64_t seq;
};

struct frames {
    struct held_frame *all;
    size_t count;
};

static void make_frames(struct frames *f, const char *mix, uint32_t calls)
{
    static uint8_t octets[HEP_FRAME_MAX];
    struct demo_options o;
    struct hep_msg m;
    size_t cap = calls * 64;
    demo_options_init(&o);
    o.start_us = START_US;
    o.calls = calls;
    o.rate = 20;
    assert_int_equal(demo_mix_parse(mix, &o.mix, NULL), 0);
    struct demo *d = demo_new(5, &o);
    *f = (struct frames){ calloc(cap, sizeof(*f->all)), 0 };
    assert_true(d != NULL && f->all != NULL);
    while (demo_next(d, &m)) {
        if (m.payload_type != HEP_TYPE_SIP)
            continue;
        struct held_frame *h = &f->all[f->count++];
        assert_true(f->count < cap);
        assert_int_equal(hep_encode(&m, octets, sizeof(octets), &h->len), HEP_OK);
        h->octets = malloc(h->len);
        assert_non_null(h->octets);
        memcpy(h->octets, octets, h->len);
        h->at = (int64_t)m.time_sec * 1000000 + m.time_usec;
        h->seq = f->count;
    }
    demo_free(d);
}

static void free_frames(struct frames *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->all[i].octets);
    free(f->all);
}

static void run(struct tracker *t, const struct frames *f)
{
    const struct record_options options = { .clock_window_us = 0 };
    struct record_reader *reader = record_reader_new(&options);
    assert_non_null(reader);
    for (size_t i = 0; i < f->count; i++) {
        const struct sink_frame frame = { .data = f->all[i].octets, .len = f->all[i].len, .received_us = f->all[i].at };
        struct track_event e;
        struct track_texts texts;
        struct record row;
        struct hep_msg m;
        assert_int_equal(record_read_hep(reader, &frame, &m), HEP_OK);
        record_make(reader, &frame, &m, &row);
        row.seq = f->all[i].seq;
        if (track_event_make(&row, 3, &e, &texts))
            (void)tracker_take(t, &e, track_event_has_news(&e) ? &texts : NULL, f->all[i].at);
    }
    tracker_tick(t, (int64_t)START_US + 200000 * SCRIPT_SECOND);
    record_reader_free(reader);
}

/* ------------------------------------------------------------------------------------------------ scenarios */

static const struct row {
    const char *scenario, *want; /* without times; NULL: no calls */
    enum track_key by;           /* of a B2BUA, which makes two calls of each: what joins them */
    bool probable;               /* ... or that they are likely to be legs of one */
} rows[] = {
    { "answered", "completed 1 s=200 q=16 n=14" },
    { "callee-bye", "completed 2 s=200 q=16 n=14" },
    { "early-media", "completed 1 s=200 q=16 n=14 early-media" },
    { "auth", "completed 1 s=200 q=16 n=17 auth=1" },
    { "register", NULL },
    { "unregister", NULL },
    { "busy", "rejected 2 s=486 q=17 n=8" },
    { "cancel", "cancelled 1 s=487 q=16 n=14" },
    { "no-answer", "rejected 2 s=480 q=19 n=10" },
    { "timeout", "timed out 0 s=408 n=12" },
    { "not-found", "failed 0 s=404 q=1 n=8" },
    { "failover", "completed 1 s=200 q=16 n=18 branches=2" },
    { "hold", "completed 1 s=200 q=16 n=28 reinvites=2 holds=1 resumes=1" },
    { "long-ring", "completed 1 s=200 q=16 n=14" },
    { "session-timer", "completed 1 s=200 q=16 n=18 updates=1" },
    { "retransmit", "completed 1 s=200 q=16 n=17 again=3" },
    { "options", NULL },
    { "message", NULL },
    { "subscribe", NULL },
    { "redirect", "completed 1 s=200 q=16 n=22 redirected forwarded" },
    { "malformed", "" },
    { "b2bua", "completed 1 s=200 q=16 n=7", TRACK_KEY_HEADER, false },
    { "b2bua-session", "completed 2 s=200 q=16 n=7", TRACK_KEY_SESSION_ID, false },
    { "b2bua-silent", "completed 1 s=200 q=16 n=7", TRACK_KEY_NONE, true },
};

static unsigned legs_of(const struct row *r)
{
    return r->by != TRACK_KEY_NONE || r->probable ? 2 : 1;
}

struct seen {
    const struct row *row;
    unsigned calls;
};

static void check_words(const struct row *row, const struct call_record *r)
{
    assert_true(r->texts.of[TRACK_TEXT_CALL_ID].len > 0 && r->texts.of[TRACK_TEXT_FROM_USER].len > 0);
    assert_true(r->texts.of[TRACK_TEXT_TO_USER].len > 0 && r->texts.of[TRACK_TEXT_FROM_HOST].len > 0);
    assert_true(r->caller_agent.len > 0 && r->offer.len > 0 && r->src.ip.len > 0 && r->dst.ip.len > 0);
    assert_true(r->caller_media.ip.len > 0 && r->caller_media.port > 0 && r->hops + legs_of(row) == 3 &&
                r->transports != 0);
    assert_int_equal(r->by.kind, row->by);
    assert_int_equal(r->legs, row->by != TRACK_KEY_NONE ? 2 : 1);
    assert_true(!row->probable || (r->probable != 0 && r->probable_score >= 60));
    assert_true(r->over && !r->evicted && r->uid != 0 && r->first_seq != 0);
    if (r->state != TRACK_COMPLETED)
        return;
    assert_true(r->callee_agent.len > 0 && r->chosen.len > 0 && r->codec.len > 0 && r->callee_media.port > 0);
    assert_true(r->pdd_ms > 0 && r->talk_ms > 0 && r->answer < r->end && !r->no_ack && !r->no_bye_answer);
    assert_true(r->early_media || r->ring_ms > 0);
}

static void check_call(void *arg, const struct call_record *r)
{
    struct seen *s = arg;
    struct script_out o = { .calls = 0 };
    s->calls++;
    if (s->row->want[0] == '\0')
        return;
    script_flag(&o, track_state_name(r->state), true);
    strcat(o.text, r->hangup == TRACK_CALLER ? " 1" : r->hangup == TRACK_CALLEE ? " 2" : " 0");
    script_more(&o, "s", r->status, TRACK_NONE);
    script_more(&o, "q", r->q850, TRACK_NONE);
    script_say(&o, "n", r->messages);
    uint32_t again = 0;
    for (size_t i = 0; i < TRACK_AGAINS; i++)
        again += r->again[i];
    script_more(&o, "again", again, 0);
    script_more(&o, "seen-again", r->seen_again, 0);
    script_more(&o, "reinvites", r->reinvites, 0);
    script_more(&o, "updates", r->updates, 0);
    script_more(&o, "auth", r->auth_rounds, 0);
    script_more(&o, "holds", r->holds, 0);
    script_more(&o, "resumes", r->resumes, 0);
    script_more(&o, "branches", r->branches, 1);
    script_flag(&o, "early-media", r->early_media);
    script_flag(&o, "redirected", r->redirected);
    script_flag(&o, "forwarded", r->forwarded);
    assert_string_equal(o.text + 1, s->row->want);
    check_words(s->row, r);
}

static void test_each_scenario(void **state)
{
    (void)state;
    assert_int_equal(COUNT_OF(rows), demo_scenarios());
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct seen seen = { &rows[i], 0 };
        const struct track_options o = { .on_call = check_call, .arg = &seen };
        struct tracker *t = tracker_new(&o);
        struct frames f;
        assert_non_null(t);
        make_frames(&f, rows[i].scenario, 30);
        run(t, &f);
        if (rows[i].want == NULL || rows[i].want[0] != '\0')
            assert_int_equal(seen.calls, rows[i].want == NULL ? 0 : 30 * legs_of(&rows[i]));
        free_frames(&f);
        tracker_free(t);
    }
}

/* ------------------------------------------------------------------------------------------------ events */

/* The event of a message as it stands, and its texts in a static row. */
static bool event_of(const char *message, struct track_event *e, struct track_texts *texts)
{
    static uint8_t octets[HEP_FRAME_MAX];
    static struct record_reader *reader;
    static const uint8_t address[16] = { 0x20, 1, 0xd, 0xb8 };
    const struct record_options options = { .clock_window_us = 0 };
    struct sink_frame frame = { .data = octets, .received_us = SCRIPT_START };
    struct record row;
    struct hep_msg m;
    record_reader_free(reader);
    reader = record_reader_new(&options);
    hep_msg_init(&m, HEP_TYPE_SIP);
    assert_int_equal(hep_set_src(&m, address, sizeof(address), 5060), HEP_OK);
    assert_int_equal(hep_set_dst(&m, address, sizeof(address), 5061), HEP_OK);
    assert_int_equal(hep_set_octets(&m, HEP_CHUNK_PAYLOAD, message, strlen(message)), HEP_OK);
    assert_int_equal(hep_encode(&m, octets, sizeof(octets), &frame.len), HEP_OK);
    assert_int_equal(record_read_hep(reader, &frame, &m), HEP_OK);
    record_make(reader, &frame, &m, &row);
    bool is_event = track_event_make(&row, 3, e, texts);
    if (message[0] == '\0') /* the last call */
        record_reader_free(reader), reader = NULL;
    return is_event;
}

#define HEAD(start, cseq)                                                                                              \
    start "\r\nVia: SIP/2.0/TLS [2001:db8::1];branch=z9hG4bKx\r\nFrom: <sip:1@a>;tag=f\r\nTo: <sip:2@b>\r\n"           \
          "Call-ID: c\r\nCSeq: " cseq "\r\n"
#define INVITE HEAD("INVITE sip:2@b SIP/2.0", "1 INVITE")
#define SDP(ip, line)                                                                                                  \
    "Content-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 " ip "\r\nm=audio 4000 RTP/AVP 0\r\n" line                   \
    "m=video 5000 RTP/AVP 31\r\na=sendonly\r\n"

static void test_event(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        unsigned flags;
    } messages[] = {
        { INVITE "\r\n", TRACK_EVENT_REQUEST },
        { INVITE "history-INFO: <sip:9@a>;index=1\r\n\r\n", TRACK_EVENT_REQUEST | TRACK_EVENT_FORWARDED },
        { INVITE "Diversion: <sip:9@a>\r\n\r\n", TRACK_EVENT_REQUEST | TRACK_EVENT_FORWARDED },
        { INVITE "Subject: x\r\n\r\nHistory-Info: in the body", TRACK_EVENT_REQUEST },
        { INVITE "Replaces: o;to-tag=1;from-tag=2\r\n\r\n", TRACK_EVENT_REQUEST | TRACK_EVENT_REPLACES },
        { INVITE SDP("192.0.2.7", ""), TRACK_EVENT_REQUEST | TRACK_EVENT_SDP },
        { INVITE SDP("192.0.2.7", "a=inactive\r\n"), TRACK_EVENT_REQUEST | TRACK_EVENT_SDP | TRACK_EVENT_HOLD },
        { INVITE SDP("0.0.0.0", ""), TRACK_EVENT_REQUEST | TRACK_EVENT_SDP | TRACK_EVENT_HOLD },
        { HEAD("SIP/2.0 180 Ringing", "1 INVITE") "\r\n", 0 },
    };
    struct track_event e, other;
    struct track_texts texts;
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        assert_true(event_of(messages[i].message, &e, &texts));
        assert_int_equal(e.flags, messages[i].flags);
        assert_true(e.branch != 0 && e.from_tag != 0 && e.to_tag == 0 && e.cseq == 1 && e.via_count == 1);
        assert_int_equal(e.src.ip.len, 16);
        assert_memory_equal(texts.of[TRACK_TEXT_CALL_ID].ptr, "c", 1);
        assert_true(track_event_has_news(&e));
        assert_true(event_of(messages[i].message, &other, &texts)); /* the same each time */
        assert_true(e.call == other.call && e.message == other.message && e.tap == other.tap);
    }
    assert_int_equal(e.status, 180);
    assert_true(event_of(INVITE SDP("192.0.2.7", ""), &e, &texts));
    assert_true(e.media.port == 4000 && e.media.ip.len == 4 && e.media.ip.octets[3] == 7);
    assert_true(event_of(HEAD("OPTIONS sip:b SIP/2.0", "1 OPTIONS") "\r\n", &e, &texts));
    assert_false(track_event_has_news(&e) || track_event_may_begin(&e));
    assert_false(event_of(HEAD("REGISTER sip:b SIP/2.0", "1 REGISTER") "\r\n", &e, &texts));
    assert_false(event_of("INVITE sip:2@b SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n", &e, &texts));
    assert_false(event_of("", &e, &texts));
}

/* ------------------------------------------------------------------------------------------------ any order */

#define CALLS 400

struct lines {
    char *all[2 * CALLS];
    size_t count;
};

static void say_text(struct script_out *o, struct hep_slice s)
{
    size_t used = strlen(o->text);
    int n = snprintf(o->text + used, sizeof(o->text) - used, " '%.*s'", (int)s.len, (const char *)s.ptr);
    assert_true(n > 0 && used + (size_t)n < sizeof(o->text));
}

static void keep_line(void *arg, const struct call_record *r)
{
    struct lines *l = arg;
    struct script_out o = { .calls = 0 };
    for (int i = 0; i < TRACK_TEXTS; i++)
        say_text(&o, r->texts.of[i]);
    say_text(&o, r->caller_agent);
    say_text(&o, r->callee_agent);
    say_text(&o, r->reason);
    say_text(&o, r->offer);
    say_text(&o, r->chosen);
    script_say(&o, "invite", r->invite);
    script_say(&o, "end", r->end);
    script_say(&o, "first", (int64_t)r->first_seq);
    script_say(&o, "port", r->caller_media.port);
    script_say(&o, "port", r->callee_media.port);
    script_show(&o, r);
    assert_true(l->count < COUNT_OF(l->all));
    l->all[l->count++] = strdup(o.text);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_lines(struct lines *l)
{
    while (l->count > 0)
        free(l->all[--l->count]);
}

static void run_lines(struct lines *l, const struct frames *f)
{
    const struct track_options o = { .on_call = keep_line, .arg = l };
    struct tracker *t = tracker_new(&o);
    assert_non_null(t);
    l->count = 0;
    run(t, f);
    tracker_free(t);
    qsort(l->all, l->count, sizeof(l->all[0]), by_text);
}

static int by_arrival(const void *a, const void *b)
{
    const struct held_frame *x = a, *y = b;
    return x->at != y->at ? (x->at < y->at ? -1 : 1) : x->seq < y->seq ? -1 : 1;
}

/* Messages up to a second late: the same records, all fields. */
static void test_any_order(void **state)
{
    (void)state;
    static struct lines in_order, shuffled;
    uint64_t random = 9;
    struct frames f;
    make_frames(&f, "all,-malformed", CALLS);
    run_lines(&in_order, &f);
    assert_true(in_order.count > CALLS / 2);
    for (unsigned round = 0; round < 5; round++) {
        struct frames late = { malloc(f.count * sizeof(*f.all)), f.count };
        assert_non_null(late.all);
        memcpy(late.all, f.all, f.count * sizeof(*f.all));
        for (size_t i = 0; i < f.count; i++)
            late.all[i].at += (int64_t)prng_below(&random, SCRIPT_SECOND);
        qsort(late.all, late.count, sizeof(*late.all), by_arrival);
        run_lines(&shuffled, &late);
        assert_int_equal(shuffled.count, in_order.count);
        for (size_t i = 0; i < in_order.count; i++)
            assert_string_equal(shuffled.all[i], in_order.all[i]);
        free(late.all);
        free_lines(&shuffled);
    }
    free_lines(&in_order);
    free_frames(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_scenario),
        cmocka_unit_test(test_event),
        cmocka_unit_test(test_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
