#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "demo/demo.h"
#include "rtp/rtcp.h"
#include "sip/msg.h"
#include "sip/sdp.h"
#include "sip/text.h"

#define START_US (UINT64_C(1736150400) * 1000000)

static struct demo_options usual(uint64_t calls, uint32_t rate)
{
    struct demo_options o;
    demo_options_init(&o);
    o.start_us = START_US;
    o.calls = calls;
    o.rate = rate;
    return o;
}

static struct demo *make(uint64_t seed, const struct demo_options *o)
{
    struct demo *d = demo_new(seed, o);
    assert_non_null(d);
    return d;
}

static uint64_t time_of(const struct hep_msg *m)
{
    assert_true(m->time_usec < 1000000);
    return m->time_sec * UINT64_C(1000000) + m->time_usec;
}

static uint64_t hash(uint64_t h, const void *ptr, size_t len)
{
    const uint8_t *p = ptr;
    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* ------------------------------------------------------------------------------------------------ the generator */

/* A number that stands for all that a run gives, as frames. */
static uint64_t run_hash(uint64_t seed, const struct demo_options *o, uint64_t *ret_messages)
{
    static uint8_t frame[HEP_FRAME_MAX];
    struct demo *d = make(seed, o);
    struct hep_msg m;
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (*ret_messages = 0; demo_next(d, &m); ++*ret_messages) {
        size_t len;
        assert_int_equal(hep_encode(&m, frame, sizeof(frame), &len), HEP_OK);
        h = hash(h, frame, len);
    }
    demo_free(d);
    return h;
}

static void test_same_seed_same_messages(void **state)
{
    (void)state;
    struct demo_options o = usual(500, 20);
    uint64_t n1, n2, n3;
    uint64_t h1 = run_hash(7, &o, &n1), h2 = run_hash(7, &o, &n2), h3 = run_hash(8, &o, &n3);
    assert_int_equal(n1, n2);
    assert_true(h1 == h2);
    assert_true(h1 != h3);
    assert_true(n1 > 500 * 5);
}

static void test_time_order_and_end(void **state)
{
    (void)state;
    struct demo_options o = usual(0, 50);
    o.end_us = START_US + 120 * UINT64_C(1000000);
    struct demo *d = make(1, &o);
    struct hep_msg m;
    struct demo_stats s;
    uint64_t last = START_US;
    while (demo_next(d, &m)) {
        assert_true(time_of(&m) >= last);
        last = time_of(&m);
    }
    assert_true(last <= o.end_us && last > o.end_us - 1000000);
    demo_stats(d, &s);
    assert_in_range(s.calls, 50 * 120 * 9 / 10, 50 * 120 * 11 / 10); /* the rate that was asked for */
    assert_true(s.concurrent > 0);                                   /* the end cut them off */
    demo_free(d);
}

static void test_memory_is_bounded(void **state)
{
    (void)state;
    struct demo_options o = usual(2000, 10000);
    o.concurrent = 100;
    struct demo *d = make(1, &o);
    struct hep_msg m;
    struct demo_stats s;
    uint64_t last = 0, count = 0;
    for (; demo_next(d, &m); count++) {
        assert_true(time_of(&m) >= last);
        last = time_of(&m);
        demo_stats(d, &s);
        assert_true(s.concurrent <= 100);
    }
    demo_stats(d, &s);
    assert_int_equal(s.peak, 100);
    assert_int_equal(s.calls, 2000); /* late, but all */
    assert_int_equal(s.concurrent, 0);
    assert_int_equal(s.messages, count);
    assert_in_range(s.held_back, 1000, 2000);
    demo_free(d);
}

static void test_rates(void **state)
{
    (void)state;
    static const uint32_t rates[] = { 1, 1000, 300000, DEMO_RATE_MAX };
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct demo_options o = usual(20000, rates[i]);
        struct demo_stats s;
        struct hep_msg m;
        assert_int_equal(demo_mix_parse("options", &o.mix, NULL), 0);
        struct demo *d = make(1, &o);
        uint64_t last = 0;
        while (demo_next(d, &m))
            last = time_of(&m) - START_US;
        demo_stats(d, &s);
        uint64_t want = UINT64_C(20000) * 1000000 / rates[i];
        assert_in_range(last, want * 95 / 100, want * 105 / 100 + 400000);
        demo_free(d);
    }
}

static void test_options_out_of_range(void **state)
{
    (void)state;
    struct demo_options o = usual(1, 0);
    assert_null(demo_new(1, &o));
    o = usual(1, DEMO_RATE_MAX + 1);
    assert_null(demo_new(1, &o));
    o = usual(1, 1);
    o.concurrent = 0;
    assert_null(demo_new(1, &o));
    o = usual(1, 1);
    o.talk = DEMO_TALK_MAX + 1;
    assert_null(demo_new(1, &o));
    o = usual(1, 1);
    o.mix = (struct demo_mix){ { 0 } };
    assert_null(demo_new(1, &o));
    o.mix.weights[0] = DEMO_WEIGHT_MAX + 1;
    assert_null(demo_new(1, &o));
    demo_free(NULL);
}

/* ------------------------------------------------------------------------------------------------ mix */

static size_t scenario(const char *name)
{
    for (size_t i = 0; i < demo_scenarios(); i++)
        if (strcmp(demo_scenario_name(i), name) == 0)
            return i;
    fail_msg("no scenario %s", name);
    return 0;
}

static void test_mix(void **state)
{
    (void)state;
    static const char *const bad[] = { "",     "nonsense", "busy,",      "busy:",       "busy:x", "busy:10001",
                                       "-all", "busy:0",   "busy,-busy", "all,-nobody", ",busy",  "BUSY" };
    struct demo_mix mix, all;
    struct errmsg err;
    demo_mix_usual(&all);
    assert_int_equal(demo_mix_parse("busy,answered:5,cancel:0", &mix, &err), 0);
    for (size_t i = 0; i < demo_scenarios(); i++)
        assert_int_equal(mix.weights[i], i == scenario("busy") ? 1 : i == scenario("answered") ? 5 : 0);
    assert_int_equal(demo_mix_parse("all,-malformed,hold:77", &mix, &err), 0);
    assert_int_equal(mix.weights[scenario("malformed")], 0);
    assert_int_equal(mix.weights[scenario("hold")], 77);
    assert_int_equal(mix.weights[scenario("auth")], all.weights[scenario("auth")]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err.text[0] = '\0';
        assert_int_equal(demo_mix_parse(bad[i], &mix, &err), -1);
        assert_true(err.text[0] != '\0');
    }
}

static void test_shares(void **state)
{
    (void)state;
    const uint32_t calls = 50000;
    struct demo_options o = usual(calls, 1000);
    struct demo_stats s;
    struct hep_msg m;
    uint32_t counts[DEMO_SCENARIOS_MAX] = { 0 };
    uint8_t *seen = calloc(calls, 1);
    o.talk = 1;
    struct demo *d = make(3, &o);
    assert_non_null(seen);
    while (demo_next(d, &m)) {
        const struct demo_about *about = demo_last(d);
        assert_true(about->call < calls && about->scenario < demo_scenarios());
        counts[about->scenario] += !seen[about->call];
        seen[about->call] = 1;
    }
    demo_stats(d, &s);
    assert_int_equal(s.calls, calls);
    for (size_t i = 0; i < demo_scenarios(); i++) { /* the weights add up to 1000 */
        uint32_t want = o.mix.weights[i] * (calls / 1000);
        assert_in_range(counts[i], want * 8 / 10 - 20, want * 12 / 10 + 20);
    }
    free(seen);
    demo_free(d);
}

/* ------------------------------------------------------------------------------------------------ SIP */

/* What the rules below look at. */
struct seen {
    uint64_t call;
    size_t order;
    enum sip_method method; /* of CSeq */
    bool request;
    uint16_t status;
    uint32_t cseq;
    uint64_t branch, from_tag, to_tag, octets;
    uint16_t src_port;
    struct hep_addr src, dst;
};

struct record {
    struct seen *all;
    size_t count, cap;
};

static uint64_t hash_slice(struct hep_slice s)
{
    return s.len == 0 ? 0 : hash(1, s.ptr, s.len);
}

static void remember(struct record *r, const struct hep_msg *m, const struct sip_msg *sip, uint64_t call)
{
    if (r->count == r->cap) {
        r->cap = r->cap == 0 ? 1024 : r->cap * 2;
        r->all = realloc(r->all, r->cap * sizeof(*r->all));
        assert_non_null(r->all);
    }
    r->all[r->count] = (struct seen){
        .call = call,
        .order = r->count,
        .method = sip->cseq.method_id,
        .request = sip->kind == SIP_REQUEST,
        .status = sip->status,
        .cseq = sip->cseq.number,
        .branch = hash_slice(sip->vias[0].branch),
        .from_tag = hash_slice(sip->from.tag),
        .to_tag = hash_slice(sip->to.tag),
        .octets = hash_slice(m->payload),
        .src_port = m->src_port,
        .src = m->src,
        .dst = m->dst,
    };
    r->count++;
}

static int by_call(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    if (x->call != y->call)
        return x->call < y->call ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static void check_sdp(const struct sip_msg *sip)
{
    struct sdp sdp;
    if (!text_is(sip->content_type, "application/sdp"))
        return;
    sdp_parse(sip->body, &sdp);
    assert_int_equal(sdp.media_count, 1);
    assert_true(sdp.media[0].format_kept >= 2);
}

static void check_message(struct record *r, struct demo *d, const struct hep_msg *m)
{
    struct sip_msg sip;
    const struct demo_about *about = demo_last(d);
    int rc = sip_parse(m->payload.ptr, m->payload.len, &sip);
    assert_true(about->wire.ptr == m->payload.ptr && about->wire.len == m->payload.len);
    if (demo_scenario_malformed(about->scenario)) {
        assert_true(sip.problems != 0);
        return;
    }
    if (sip.problems != 0)
        print_error("%.*s\nproblems %x\n", (int)m->payload.len, (const char *)m->payload.ptr, (unsigned)sip.problems);
    assert_int_equal(rc, 0);
    assert_int_equal(sip.problems, 0);
    assert_true(sip_has(&sip, SIP_H_CONTENT_LENGTH));
    assert_true(sip.via_count >= 1 && sip.via_count <= 2);
    assert_true(sip.from.tag.len > 0);
    check_sdp(&sip);
    remember(r, m, &sip, about->call);
}

static void check_rtcp(struct demo *d, const struct hep_msg *m)
{
    struct hep_slice wire = demo_last(d)->wire;
    struct rtcp_iter it;
    struct rtcp_packet p;
    unsigned packets = 0;
    rtcp_begin(&it, wire.ptr, wire.len);
    while (rtcp_next(&it, &p))
        packets++;
    assert_int_equal(packets, 2);
    assert_true(m->correlation_id.len > 0 && m->payload.ptr[0] == '{');
    assert_true(m->src_port % 2 == 1 && m->dst_port % 2 == 1);
}

static void collect(struct record *r, struct demo *d)
{
    struct hep_msg m;
    size_t rtcp = 0, logs = 0, tcp = 0, ip6 = 0;
    while (demo_next(d, &m)) {
        ip6 += m.src.len == 16;
        tcp += m.protocol == 6;
        assert_int_equal(m.src.len, m.dst.len);
        if (m.payload_type == HEP_TYPE_SIP)
            check_message(r, d, &m);
        else if (m.payload_type == HEP_TYPE_RTCP)
            rtcp++, check_rtcp(d, &m);
        else
            logs++, assert_int_equal(m.payload_type, HEP_TYPE_LOG);
    }
    assert_true(rtcp > 1000 && logs > 1000 && tcp > 1000 && ip6 > 1000);
    qsort(r->all, r->count, sizeof(*r->all), by_call);
}

/* The messages of one call. */
struct call {
    const struct seen *m;
    size_t n;
};

static bool same_hop(const struct seen *request, const struct seen *response)
{
    return memcmp(&request->src, &response->dst, sizeof(request->src)) == 0 &&
           memcmp(&request->dst, &response->src, sizeof(request->src)) == 0;
}

static bool same_transaction(const struct seen *request, const struct seen *response)
{
    return request->request && request->method == response->method && request->cseq == response->cseq &&
           request->branch == response->branch && same_hop(request, response);
}

static void check_response(const struct call *c, size_t at)
{
    const struct seen *r = &c->m[at];
    size_t i = at;
    while (i > 0 && !same_transaction(&c->m[i - 1], r))
        i--;
    assert_true(i > 0); /* it answers a request that is there */
    assert_true(r->from_tag == c->m[i - 1].from_tag);
    assert_true(r->status == 100 || r->to_tag != 0);
    if (r->status < 200 || r->method != SIP_INVITE)
        return;
    for (i = at + 1; i < c->n; i++) {
        const struct seen *a = &c->m[i];
        if (a->request && a->method == SIP_ACK && a->cseq == r->cseq && same_hop(a, r) && a->to_tag == r->to_tag &&
            (r->status < 300) != (a->branch == r->branch))
            return;
    }
    fail_msg("call %u: no ACK of %u", (unsigned)r->call, r->status);
}

/* A request inside a dialog goes by the tags of a success before it. */
static void check_dialog(const struct call *c, size_t at)
{
    const struct seen *r = &c->m[at];
    for (size_t i = 0; i < at; i++) {
        const struct seen *s = &c->m[i];
        if (!s->request && s->status >= 200 && s->status < 300 &&
            ((s->from_tag == r->from_tag && s->to_tag == r->to_tag) ||
             (s->from_tag == r->to_tag && s->to_tag == r->from_tag)))
            return;
    }
    fail_msg("call %u: request %u outside of any dialog", (unsigned)r->call, (unsigned)at);
}

static void check_request(const struct call *c, size_t at)
{
    const struct seen *r = &c->m[at];
    if (r->method == SIP_ACK)
        return;
    if (r->to_tag != 0)
        check_dialog(c, at);
    bool answered = false;
    for (size_t i = at + 1; i < c->n; i++)
        answered |= !c->m[i].request && c->m[i].status >= 200 && same_transaction(r, &c->m[i]);
    assert_true(answered);
    /* A side's requests count up by one; the same number again is the other hop or a retransmission. */
    for (size_t i = at; i-- > 0;) {
        const struct seen *p = &c->m[i];
        if (!p->request || p->method == SIP_ACK || p->from_tag != r->from_tag)
            continue;
        assert_in_range(r->cseq, p->cseq, p->cseq + 1);
        break;
    }
}

/* A call that was answered ends with BYE on both hops, each with its answer. */
static void check_end(const struct call *c)
{
    bool up = false;
    unsigned byes = 0;
    for (size_t i = 0; i < c->n; i++) {
        up |= c->m[i].method == SIP_INVITE && c->m[i].status == 200;
        byes += c->m[i].method == SIP_BYE && c->m[i].request;
    }
    assert_int_equal(byes, up ? 2 : 0);
}

static void check_call(const struct call *c)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->m[i].request)
            check_request(c, i);
        else
            check_response(c, i);
    }
    check_end(c);
}

static void test_transactions(void **state)
{
    (void)state;
    struct demo_options o = usual(5000, 50);
    struct record r = { NULL, 0, 0 };
    struct demo *d = make(11, &o);
    collect(&r, d);
    for (size_t at = 0, end; at < r.count; at = end) {
        for (end = at; end < r.count && r.all[end].call == r.all[at].call; end++)
            continue;
        check_call(&(struct call){ &r.all[at], end - at });
    }
    free(r.all);
    demo_free(d);
}

/* Each scenario alone, over many casts: how many SIP messages, and what the last one is. */
static void test_each_scenario(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned sip;
        uint16_t last; /* status; 0: a request */
    } rows[] = {
        { "answered", 14, 200 },   { "callee-bye", 14, 200 },    { "early-media", 14, 200 },
        { "auth", 17, 200 },       { "register", 6, 200 },       { "unregister", 4, 200 },
        { "busy", 8, 0 },          { "cancel", 14, 0 },          { "no-answer", 10, 0 },
        { "timeout", 12, 0 },      { "not-found", 8, 0 },        { "failover", 18, 200 },
        { "hold", 28, 200 },       { "long-ring", 14, 200 },     { "session-timer", 18, 200 },
        { "retransmit", 17, 200 }, { "options", 2, 200 },        { "message", 4, 200 },
        { "subscribe", 12, 200 },  { "redirect", 22, 200 },      { "malformed", 3, 0 },
        { "b2bua", 14, 200 },      { "b2bua-session", 14, 200 }, { "b2bua-silent", 14, 200 },
    };
    assert_int_equal(sizeof(rows) / sizeof(rows[0]), demo_scenarios());
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct demo_options o = usual(200, 1000);
        struct sip_msg sip = { .status = 0 };
        struct hep_msg m;
        size_t count = 0;
        assert_int_equal(demo_mix_parse(rows[i].name, &o.mix, NULL), 0);
        struct demo *d = make(i, &o);
        while (demo_next(d, &m)) {
            if (m.payload_type != HEP_TYPE_SIP)
                continue;
            count++;
            (void)sip_parse(m.payload.ptr, m.payload.len, &sip);
        }
        demo_free(d);
        if (count != 200 * rows[i].sip)
            print_error("%s: %u\n", rows[i].name, (unsigned)(count / 200));
        assert_int_equal(count, 200 * rows[i].sip);
        assert_int_equal(sip.status, rows[i].last);
    }
}

/* All of the defects come, and nothing is read that is not there. */
static void test_malformed(void **state)
{
    (void)state;
    static const enum sip_problem wanted[] = { SIP_PROBLEM_NO_CALL_ID, SIP_PROBLEM_START_LINE, SIP_PROBLEM_NO_CSEQ,
                                               SIP_PROBLEM_NOT_UTF8,   SIP_PROBLEM_NUMBER,     SIP_PROBLEM_BODY_SHORT,
                                               SIP_PROBLEM_CONTROL,    SIP_PROBLEM_NO_END };
    struct demo_options o = usual(300, 1000);
    uint32_t problems = 0;
    struct hep_msg m;
    assert_int_equal(demo_mix_parse("malformed", &o.mix, NULL), 0);
    struct demo *d = make(1, &o);
    while (demo_next(d, &m)) {
        struct sip_msg sip;
        (void)sip_parse(m.payload.ptr, m.payload.len, &sip);
        assert_true(sip.problems != 0);
        assert_int_equal(m.protocol, 17); /* over TCP nobody would find the end of it */
        problems |= sip.problems;
    }
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        assert_true(problems >> wanted[i] & 1);
    demo_free(d);
}

static void test_retransmission_is_the_same_message(void **state)
{
    (void)state;
    struct demo_options o = usual(50, 1);
    struct record r = { NULL, 0, 0 };
    struct hep_msg m;
    size_t again = 0;
    assert_int_equal(demo_mix_parse("retransmit", &o.mix, NULL), 0);
    struct demo *d = make(1, &o);
    while (demo_next(d, &m))
        if (m.payload_type == HEP_TYPE_SIP)
            check_message(&r, d, &m);
    qsort(r.all, r.count, sizeof(*r.all), by_call);
    for (size_t i = 1; i < r.count; i++)
        again += r.all[i].octets == r.all[i - 1].octets;
    assert_int_equal(again, 50 * 3);
    free(r.all);
    demo_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_messages),
        cmocka_unit_test(test_time_order_and_end),
        cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_options_out_of_range),
        cmocka_unit_test(test_mix),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_transactions),
        cmocka_unit_test(test_each_scenario),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_retransmission_is_the_same_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
