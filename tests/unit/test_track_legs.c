/* Which calls are legs of one: by each kind of key, in any order of the messages, over a restart, and which are not. */
#include "sip/text.h"
#include "track_script.h"

#define CALLS_MAX 16

struct found {
    struct one {
        char id[32], by[64];
        uint64_t uid, group, probable;
        unsigned legs, score, key_count;
        uint32_t caller_endpoints, callee_endpoints;
    } all[CALLS_MAX];
    size_t count;
};

static void copy_text(char *to, size_t max, struct hep_slice s)
{
    assert_true(s.len < max);
    if (s.len > 0)
        memcpy(to, s.ptr, s.len);
    to[s.len] = '\0';
}

static void note_call(void *arg, const struct call_record *r)
{
    struct found *f = arg;
    if (f->count == CALLS_MAX)
        return;
    struct one *o = &f->all[f->count++];
    char value[48] = "";
    copy_text(o->id, sizeof(o->id), r->texts.of[TRACK_TEXT_CALL_ID]);
    if (r->by.kind != TRACK_KEY_SDP)
        copy_text(value, sizeof(value), r->by.text);
    else
        assert_int_equal(r->by.text.len, 16);
    (void)snprintf(o->by, sizeof(o->by), "%s%s%s", track_key_name(r->by.kind), value[0] != '\0' ? ":" : "", value);
    o->uid = r->uid;
    o->group = r->group;
    o->legs = r->legs;
    o->probable = r->probable;
    o->score = r->probable_score;
    o->key_count = (unsigned)r->key_count;
    for (size_t i = 0; i < TRACK_ENDPOINTS_MAX; i++) {
        o->caller_endpoints += r->caller_endpoints[i] != 0;
        o->callee_endpoints += r->callee_endpoints[i] != 0;
    }
}

static const char *id_of(const struct found *f, uint64_t uid)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->all[i].uid == uid)
            return f->all[i].id;
    return "?";
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct one *)a)->id, ((const struct one *)b)->id);
}

/* "b>a 2 header:a;": call b is in the group of a, which has two legs, joined by this key; "b~a 85" probable. */
static void say(struct found *f, char *out, size_t max)
{
    qsort(f->all, f->count, sizeof(f->all[0]), by_id);
    out[0] = '\0';
    for (size_t i = 0; i < f->count; i++) {
        const struct one *o = &f->all[i];
        size_t used = strlen(out);
        if (o->legs > 1)
            (void)snprintf(out + used, max - used, "%s>%s %u %s; ", o->id, id_of(f, o->group), o->legs, o->by);
        else
            assert_true(o->group == o->uid && strcmp(o->by, "none") == 0);
        used = strlen(out);
        if (o->probable != 0)
            (void)snprintf(out + used, max - used, "%s~%s %u; ", o->id, id_of(f, o->probable), o->score);
    }
}

static struct tracker *make(track_call_fn *fn, void *arg)
{
    const struct track_options o = { .on_call = fn, .arg = arg };
    struct tracker *t = tracker_new(&o);
    assert_non_null(t);
    return t;
}

static struct tracker *restart(struct tracker *t, track_call_fn *fn, void *arg)
{
    struct buf b;
    struct errmsg err;
    struct tracker *next = make(fn, arg);
    buf_init(&b, (size_t)1 << 24);
    tracker_save(t, &b);
    assert_int_equal(tracker_load(next, b.ptr, b.len, &err), 0);
    buf_free(&b);
    tracker_free(t);
    return next;
}

static void run(const struct script *s, const size_t *order, size_t restart_at, bool live, char *out, size_t max)
{
    struct found f = { .count = 0 };
    struct tracker *t = make(live ? NULL : note_call, &f);
    for (size_t i = 0; i < s->count; i++) {
        const struct script_message *m = &s->all[order[i]];
        if (i == restart_at)
            t = restart(t, live ? NULL : note_call, &f);
        if (m->is_event)
            (void)tracker_take(t, &m->event, track_event_has_news(&m->event) ? &m->texts : NULL, SCRIPT_START);
    }
    if (live)
        tracker_each(t, note_call, &f);
    else
        tracker_finish(t);
    say(&f, out, max);
    tracker_free(t);
}

/* The same legs while the calls run and when they are over, in many orders, with a restart on the way. */
static void check(const char *text, const char *expected)
{
    static struct script s;
    size_t order[SCRIPT_MAX];
    uint64_t random = 1;
    char out[2048];
    script_read(&s, text);
    for (size_t i = 0; i < s.count; i++)
        order[i] = i;
    for (size_t round = 0; round < 60; round++) {
        bool again = round % 3 == 1 && strchr(expected, '~') == NULL; /* recent INVITEs are not saved */
        run(&s, order, again ? s.count / 2 : SIZE_MAX, round % 2 == 1, out, sizeof(out));
        assert_string_equal(out, expected);
        for (size_t i = s.count - 1; i > 0; i--) {
            size_t j = prng_next(&random) % (i + 1), was = order[i];
            order[i] = order[j];
            order[j] = was;
        }
    }
}

/* INVITE, 200, ACK, BYE of a call; `more` goes to the INVITE. */
#define LEG(id, at, ends, way, back, more)                                                                             \
    at "0 " way " INVITE 1 i" id " id=" id " f=f" id " " more ";" at "5 " back " 200 1 i" id " id=" id " f=f" id       \
       ";" at "6 " way " ACK 1 k" id " id=" id " f=f" id " t=b;" ends " " way " BYE 2 y" id " id=" id " f=f" id        \
       " t=b;"

static void test_keys(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } rows[] = {
        { LEG("leg1", "1", "9000", "A>B", "B>A", "") LEG("leg2", "2", "9001", "B>C", "C>B", "hdr=X-CID:leg1"),
          "leg1>leg1 2 header:leg1; leg2>leg1 2 header:leg1; " },
        { LEG("leg1", "1", "9000", "A>B", "B>A", "hdr=X-Correlation-ID:one7")
              LEG("leg2", "2", "9001", "B>C", "C>B", "hdr=x-correlation-id:one7"),
          "leg1>leg1 2 header:one7; leg2>leg1 2 header:one7; " },
        { LEG("leg1", "1", "9000", "A>B", "B>A", "hdr=X-Other:one7")
              LEG("leg2", "2", "9001", "C>D", "D>C", "hdr=X-Other:one7 from=7 for=8"),
          "" },
        { LEG("leg1", "1", "9000", "A>B", "B>A", "sid=ab30317f1a784dc48ff824d0d3715d86")
              LEG("leg2", "2", "9001", "B>C", "C>B",
                  "sid=00000000000000000000000000000000 rsid=AB30317F1A784DC48FF824D0D3715D86"),
          "leg1>leg1 2 session-id:ab30317f1a784dc48ff824d0d3715d86; "
          "leg2>leg1 2 session-id:ab30317f1a784dc48ff824d0d3715d86; " },
        { LEG("leg1", "1", "9000", "A>B", "B>A", "sid=00000000000000000000000000000000")
              LEG("leg2", "2", "9001", "C>D", "D>C", "sid=00000000000000000000000000000000 from=7 for=8"),
          "" },
        { LEG("leg1", "1", "9000", "A>B", "B>A", "icid=ims-77") LEG("leg2", "2", "9001", "B>C", "C>B", "icid=ims-77"),
          "leg1>leg1 2 icid:ims-77; leg2>leg1 2 icid:ims-77; " },
        { LEG("leg1", "1", "9000", "A>B", "B>A", "corr=leg1") LEG("leg2", "2", "9001", "B>C", "C>B", "corr=leg1"),
          "leg1>leg1 2 correlation-id:leg1; leg2>leg1 2 correlation-id:leg1; " },
        { LEG("leg1", "1", "9000", "A>B", "B>A", "sdp o=20518") LEG("leg2", "2", "9001", "B>C", "C>B", "sdp o=20518"),
          "leg1>leg1 2 sdp; leg2>leg1 2 sdp; " },
        { LEG("leg1", "1", "9000", "A>B", "B>A", "") LEG("leg1_b2b-1_b2b-2", "2", "9001", "B>C", "C>B", ""),
          "leg1>leg1 2 call-id:leg1; leg1_b2b-1_b2b-2>leg1 2 call-id:leg1; " },
        /* A stronger key is told, whatever came first. */
        { LEG("leg1", "1", "9000", "A>B", "B>A", "icid=ims-77 sdp o=20518")
              LEG("leg2", "2", "9001", "B>C", "C>B", "icid=ims-77 hdr=X-CID:leg1 sdp o=20518"),
          "leg1>leg1 2 header:leg1; leg2>leg1 2 header:leg1; " },
        /* The header is in the response only. */
        { LEG("leg1", "1", "9000", "A>B", "B>A", "")
              LEG("leg2", "2", "9001", "B>C", "C>B", "") "23 C>B 180 1 ileg2 id=leg2 f=fleg2 hdr=X-CID:leg1;",
          "leg1>leg1 2 header:leg1; leg2>leg1 2 header:leg1; " },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(rows[i].text, rows[i].expected);
}

/* Five legs, each pair joined by something else. */
static void test_chain(void **state)
{
    (void)state;
    check(LEG("leg1", "1", "9000", "A>B", "B>A", "") LEG("leg2", "2", "9001", "B>C", "C>B", "hdr=X-CID:leg1 icid=ims-3")
              LEG("leg3", "3", "9002", "C>D", "D>C", "icid=ims-3 sdp o=20518 port=5004")
                  LEG("leg4", "4", "9003", "D>E", "E>D", "sdp o=20518 port=5004 sid=aa77aa77aa77")
                      LEG("leg5", "5", "9004", "E>F", "F>E", "sid=bb11bb11 rsid=aa77aa77aa77"),
          "leg1>leg1 5 header:leg1; leg2>leg1 5 header:leg1; leg3>leg1 5 icid:ims-3; "
          "leg4>leg1 5 session-id:aa77aa77aa77; leg5>leg1 5 session-id:aa77aa77aa77; ");
}

/* Attended transfer: A talks to B, consults C, and has B call C in the place of the consultation. */
static void test_transfer(void **state)
{
    (void)state;
    check(LEG("talk1", "1", "9000", "A>B", "B>A", "") LEG("consult", "300", "6100", "A>C", "C>A", "from=100 for=300")
              LEG("final", "600", "99000", "B>C", "C>B",
                  "repl=consult from=200 for=300") "5900 A>B REFER 3 r id=talk1 f=ftalk1 t=b "
                                                   "to=sip:300@c?Replaces=consult%3Bto-tag%3Db%3Bfrom-tag%3Dfconsult;",
          "consult>talk1 3 replaces:consult; final>talk1 3 replaces:consult; talk1>talk1 3 refer-to:consult; ");
}

/* The same numbers at the same time over the same way: two calls, and nothing is even probable. */
static void test_unrelated(void **state)
{
    (void)state;
    check(LEG("one1", "1", "9000", "A>B", "B>A", "sdp o=1111 port=4000")
              LEG("two2", "2", "9001", "A>B", "B>A", "sdp o=2222 port=4002"),
          "");
    /* Private addresses and ports are used by many, and so are session ids that count from 0. */
    check(LEG("one1", "1", "9000", "A>B", "B>A", "sdp o=0")
              LEG("two2", "2", "9001", "C>D", "D>C", "sdp o=0 from=7 for=8"),
          "");
    check(LEG("one1", "1", "9000", "A>B", "B>A", "sdp o=1111")
              LEG("two2", "2", "9001", "C>D", "D>C", "sdp o=2222 from=7 for=8"),
          "");
}

/* A B2BUA that passes nothing: never one group, but said to be likely. */
static void test_probable(void **state)
{
    (void)state;
    check(LEG("leg1", "1", "9000", "A>B", "B>A", "sdp o=1111 from=+4930555123 for=0897654321")
              LEG("leg2", "2", "9001", "B>C", "C>B", "sdp o=2222 port=7000 from=030555123 for=+49897654321"),
          "leg1~leg2 85; leg2~leg1 85; ");
    /* Another number is called, six seconds lie between them, or the path says nothing and neither does the SDP. */
    check(LEG("leg1", "1", "9000", "A>B", "B>A", "from=030555123 for=0897654321")
              LEG("leg2", "2", "9001", "B>C", "C>B", "from=anonymous for=0897000000"),
          "");
    check(LEG("leg1", "1", "9000", "A>B", "B>A", "") LEG("leg2", "600", "9001", "B>C", "C>B", ""), "");
    /* Joined by a key: then it is certain, and not probable. */
    check(LEG("leg1", "1", "9000", "A>B", "B>A", "") LEG("leg2", "2", "9001", "B>C", "C>B", "hdr=X-CID:leg1"),
          "leg1>leg1 2 header:leg1; leg2>leg1 2 header:leg1; ");
}

/* All messages in the order of their times, which are those of the tracker. */
static void play(struct tracker *t, const struct script *s)
{
    int64_t last = INT64_MIN;
    for (;;) {
        int64_t next = INT64_MAX;
        for (size_t i = 0; i < s->count; i++)
            if (s->all[i].event.ts > last && s->all[i].event.ts < next)
                next = s->all[i].event.ts;
        for (size_t i = 0; i < s->count; i++)
            if (s->all[i].event.ts == next)
                (void)tracker_take(t, &s->all[i].event, &s->all[i].texts, next);
        if (next == INT64_MAX)
            return;
        last = next;
    }
}

/* The Call-ID that a leg named an hour ago is that of another call now. */
static void test_reuse(void **state)
{
    (void)state;
    static struct script s;
    struct found f = { .count = 0 };
    char out[1024];
    struct tracker *t = make(note_call, &f);
    script_read(&s, LEG("leg1", "1", "900", "A>B", "B>A", "") LEG("leg2", "2", "901", "B>C", "C>B", "hdr=X-CID:leg1")
                        LEG("leg1", "360000", "3700000", "A>B", "B>A", "x=1"));
    play(t, &s);
    tracker_finish(t);
    assert_int_equal(f.count, 3);
    assert_int_equal(f.all[2].legs, 1);
    f.count = 2;
    say(&f, out, sizeof(out));
    assert_string_equal(out, "leg1>leg1 2 header:leg1; leg2>leg1 2 header:leg1; ");
    tracker_free(t);
}

/* A leg that ends early takes nothing with it: those that stay are one group, with its uid. */
static void test_early_end(void **state)
{
    (void)state;
    static struct script s;
    struct found f = { .count = 0 };
    char out[1024];
    struct tracker *t = make(note_call, &f);
    script_read(&s, LEG("leg1", "1", "90", "A>B", "B>A", "") "91 B>A 200/BYE 2 yleg1 id=leg1 f=fleg1 t=b;" LEG(
                        "leg2", "2", "9900001", "B>C", "C>B", "hdr=X-CID:leg1 icid=ims-1")
                        LEG("leg3", "3", "9900002", "C>D", "D>C", "hdr=X-CID:leg1")
                            LEG("leg4", "900000", "9900003", "D>E", "E>D", "icid=ims-1"));
    play(t, &s);
    assert_int_equal(f.count, 1);
    t = restart(t, note_call, &f);
    tracker_finish(t);
    say(&f, out, sizeof(out));
    assert_string_equal(out, "leg1>leg1 3 header:leg1; leg2>leg1 4 header:leg1; leg3>leg1 4 header:leg1; "
                             "leg4>leg1 4 icid:ims-1; ");
    tracker_free(t);
}

struct groups {
    unsigned calls, alone, hubs;
};

static void count_group(void *arg, const struct call_record *r)
{
    struct groups *g = arg;
    g->calls++;
    g->alone += r->legs == 1 && r->group == r->uid && r->by.kind == TRACK_KEY_NONE;
    for (size_t i = 0; i < r->key_count; i++)
        g->hubs += r->keys[i].hub;
}

/* A key that a thousand calls share joins none of them, nor those that had it before that was known. */
static void test_hub(void **state)
{
    (void)state;
    static struct script s;
    struct groups g = { 0, 0, 0 }, over = { 0, 0, 0 };
    struct track_stats stats;
    struct tracker *t = make(count_group, &over);
    script_read(&s, "0 A>B INVITE 1 i hdr=X-CID:tenant-4 from=1 for=2; 5 B>A 200 1 i;");
    for (uint64_t i = 0; i < 1000; i++) {
        for (size_t n = 0; n < s.count; n++) {
            struct track_event e = s.all[n].event;
            e.call = (i + 1) * 7919;
            e.seq = i * 2 + n + 1;
            (void)tracker_take(t, &e, &s.all[n].texts, SCRIPT_START);
        }
        if (i == 500)
            t = restart(t, count_group, &over);
    }
    tracker_each(t, count_group, &g);
    assert_int_equal(g.calls, 1000);
    assert_int_equal(g.alone, 1000);
    assert_int_equal(g.hubs, 1000);
    tracker_stats(t, &stats);
    assert_int_equal(stats.keys, 1); /* the hub itself */
    tracker_finish(t);
    assert_int_equal(over.alone, 1000);
    tracker_stats(t, &stats);
    assert_int_equal(stats.keys, 0);
    tracker_free(t);
}

/* More calls than one look at a group may find: it is cut, and counted. */
static void test_large_group(void **state)
{
    (void)state;
    static struct script s;
    struct groups over = { 0, 0, 0 };
    struct track_stats stats;
    struct tracker *t = make(count_group, &over);
    script_read(&s, "0 A>B INVITE 1 i hdr=X-CID:xxxx from=1 for=2;");
    for (uint64_t i = 0; i < 1000; i++) { /* each names the one before it */
        struct track_event e = s.all[0].event;
        e.call = (i + 1) * 7919;
        e.keys[0] = i * 7919;
        e.seq = i + 1;
        (void)tracker_take(t, &e, &s.all[0].texts, SCRIPT_START);
    }
    tracker_finish(t);
    assert_int_equal(over.calls, 1000);
    assert_int_equal(over.alone, 0);
    tracker_stats(t, &stats);
    assert_true(stats.legs_cut > 0);
    assert_int_equal(stats.keys, 0);
    tracker_free(t);
}

/* A call that shows more keys than it may have is none the larger for it. */
static void test_key_limits(void **state)
{
    (void)state;
    static struct script s;
    struct track_stats early, late;
    struct tracker *t = make(NULL, NULL);
    script_read(&s, "0 A>B INVITE 1 i hdr=X-CID:xxxx icid=yyyy sid=abcdabcd corr=zzzz sdp o=7777;");
    for (uint64_t i = 0; i < 5000; i++) {
        struct track_event e = s.all[0].event;
        for (unsigned k = 0; k < e.key_count; k++)
            e.keys[k] = i * 100 + k + 1;
        e.more_media[0] = (uint32_t)i + 1;
        (void)tracker_take(t, &e, &s.all[0].texts, SCRIPT_START);
        if (i == 100)
            tracker_stats(t, &early);
    }
    tracker_stats(t, &late);
    assert_int_equal(early.octets, late.octets);
    assert_true(late.keys_cut > 4000 && late.keys <= 16);
    tracker_free(t);
}

/* All legs of a call that runs. */
static void test_legs_of(void **state)
{
    (void)state;
    static struct script s;
    struct found f = { .count = 0 };
    struct tracker *t = make(NULL, NULL);
    script_read(&s, "0 A>B INVITE 1 i id=leg1; 1 B>C INVITE 1 j id=leg2 hdr=X-CID:leg1; 2 A>D INVITE 1 k id=other;");
    for (size_t i = 0; i < s.count; i++)
        (void)tracker_take(t, &s.all[i].event, &s.all[i].texts, SCRIPT_START);
    assert_true(tracker_legs(t, s.all[1].event.call, note_call, &f));
    assert_int_equal(f.count, 2);
    assert_int_equal(f.all[0].group, f.all[1].group);
    assert_false(tracker_legs(t, 1, note_call, &f));
    tracker_free(t);
}

/* The first group of an expression is the key; what it does not match is none; a bad one is told. */
static void test_pattern(void **state)
{
    (void)state;
    static const char *const names[] = { "X-Leg" };
    static const struct {
        const char *value, *key;
    } rows[] = { { "X-Leg: call=abcd@x;n=1", "abcd@x" }, { "X-Leg: abcd@x", "" }, { "X-CID: call=abcd@x;", "" } };
    struct errmsg err;
    struct track_event e;
    struct track_texts texts;
    struct track_legs *legs = track_legs_new(names, 1, "call=([^;]+)", &err);
    assert_non_null(legs);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct record r;
        memset(&r, 0, sizeof(r));
        r.table = RECORD_SIP;
        r.call_id = script_slice("some");
        r.method = script_slice("INVITE");
        r.headers = script_slice(rows[i].value);
        assert_true(track_event_make_legs(&r, 7, legs, &e, &texts));
        assert_int_equal(e.key_count, rows[i].key[0] != '\0');
        assert_true(text_equal(texts.of[TRACK_TEXT_KEY_0], script_slice(rows[i].key)));
    }
    track_legs_free(legs);
    assert_null(track_legs_new(names, 1, "call=(", &err));
    assert_non_null(strstr(err.text, "at octet 7 of \"call=(\""));
}

/* Where media go to: those of later offers and of other media beside the first one. */
static void test_endpoints(void **state)
{
    (void)state;
    static struct script s;
    struct found f = { .count = 0 };
    struct tracker *t = make(note_call, &f);
    script_read(&s, "0 A>B INVITE 1 i sdp port=4000; 1 B>A 200 1 i sdp port=5000; 9 A>B INVITE 2 j t=b sdp port=4100;"
                    "10 B>A 200 2 j sdp port=5000; 11 B>A INVITE 1 k f=b t=a sdp port=5200;");
    s.all[0].event.more_media[0] = 77;
    for (size_t i = 0; i < s.count; i++)
        (void)tracker_take(t, &s.all[i].event, &s.all[i].texts, SCRIPT_START);
    tracker_finish(t);
    assert_int_equal(f.count, 1);
    assert_int_equal(f.all[0].caller_endpoints, 2);
    assert_int_equal(f.all[0].callee_endpoints, 1);
    tracker_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),       cmocka_unit_test(test_chain),    cmocka_unit_test(test_transfer),
        cmocka_unit_test(test_unrelated),  cmocka_unit_test(test_probable), cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_early_end),  cmocka_unit_test(test_hub),      cmocka_unit_test(test_large_group),
        cmocka_unit_test(test_key_limits), cmocka_unit_test(test_legs_of),  cmocka_unit_test(test_pattern),
        cmocka_unit_test(test_endpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
