/*
 * Messages that come when their call has long been sealed: the call is what it would have been had they come in time,
 * it is one row, and searches have it once all the while; over restarts and power loss, too.
 */
#include <errno.h>

#include "engine/amend.h"
#include "engine/internal.h"
#include "fault_vfs.h"
#include "store/lake/internal.h"
#include "test_engine_util.h"

#define DATA      "/data"
#define WAL_DIR   DATA "/wal"
#define SECOND_US INT64_C(1000000)
#define START_US  (INT64_C(1700000000) * SECOND_US)
#define LATER     (engine_now_us() + UINT64_C(60000000)) /* than any message came */
#define ROWS      8
#define DUMP_MAX  12000

struct world {
    struct fault_fs *fs;
    struct store *store;
    struct engine *engine;
    struct record_reader *reader;
    unsigned writers;
};

static void start(struct world *w)
{
    static const struct track_options track = { .max_calls = 1000 };
    struct errmsg err = { "" };
    struct lake_start begin;
    struct lake_options lake = { .vfs = fault_vfs(w->fs),
                                 .data_dir = DATA,
                                 .node = 0xbeef,
                                 .writers = engine_store_writers(1),
                                 .no_threads = true };
    for (unsigned t = 0; t < RECORD_TABLES; t++)
        lake.retention.days[t] = 40000;
    if (lake_open(&w->store, &lake, &begin, &err) != 0)
        fail_msg("%s", err.text);
    const struct engine_options o = { .vfs = fault_vfs(w->fs),
                                      .data_dir = DATA,
                                      .wal_dir = WAL_DIR,
                                      .store = w->store,
                                      .writers = 1,
                                      .from = begin.positions,
                                      .from_count = begin.position_count,
                                      .max_seq = begin.max_seq,
                                      .track = &track,
                                      .no_threads = true };
    if (engine_open(&w->engine, &o, &err) != 0)
        fail_msg("%s", err.text);
}

static void stop(struct world *w)
{
    (void)engine_close(w->engine, NULL);
    w->store->ops->close(w->store);
}

static struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    w->fs = fault_new(3);
    fault_capacity(w->fs, 60 << 20);
    w->reader = record_reader_new(&(struct record_options){ .header_count = 0 });
    assert_non_null(w->reader);
    start(w);
    return w;
}

static void world_free(struct world *w)
{
    stop(w);
    assert_int_equal(fault_open_files(w->fs), 0);
    fault_free(w->fs);
    record_reader_free(w->reader);
    free(w);
}

static void seal(struct world *w)
{
    struct errmsg err = { "" };
    if (engine_seal(w->engine, &err) != 0)
        fail_msg("%s", err.text);
}

/* All that waits is looked at; how many calls were amended since the start of the engine. */
static uint64_t amend(struct world *w)
{
    struct engine_figures f;
    struct errmsg err = { "" };
    int rc;
    while ((rc = calls_amend(w->engine->calls, LATER, &err)) == 1)
        ;
    if (rc != 0)
        fail_msg("%s (%s)", strerror(-rc), err.text);
    engine_figures(w->engine, &f);
    return f.calls_amended;
}

/* ------------------------------------------------------------------------------------------------ messages */

/* What happens in a call, and when, in ms. */
static const struct step {
    const char *line, *cseq;
    bool request, sdp;
    int ms;
} steps[] = {
    { "INVITE sip:bob@example.org SIP/2.0", "1 INVITE", true, true, 0 },
    { "SIP/2.0 100 Trying", "1 INVITE", false, false, 10 },
    { "SIP/2.0 180 Ringing", "1 INVITE", false, false, 300 },
    { "SIP/2.0 200 OK", "1 INVITE", false, true, 2300 },
    { "ACK sip:bob@example.org SIP/2.0", "1 ACK", true, false, 2350 },
    { "BYE sip:bob@example.org SIP/2.0", "2 BYE", true, false, 9000 },
    { "SIP/2.0 200 OK", "2 BYE", false, false, 9020 },
};

#define STEPS COUNT_OF(steps)

static size_t make_payload(const char *call, const struct step *s, char *out, size_t room)
{
    char sdp[300] = "";
    if (s->sdp)
        (void)snprintf(
            sdp, sizeof(sdp),
            "v=0\r\no=- %s 1 IN IP4 10.0.0.%u\r\ns=-\r\nc=IN IP4 10.0.0.%u\r\nt=0 0\r\nm=audio %u RTP/AVP 8\r\n",
            s->request ? "77001" : "77002", s->request, s->request, s->request ? 20000u : 30000u);
    int n = snprintf(out, room,
                     "%s\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK%s-%s\r\nFrom: <sip:alice@example.org>;tag=f%s\r\n"
                     "To: <sip:bob@example.org>%s\r\nCall-ID: %s\r\nCSeq: %s\r\n%sSession-ID: 0123456789%s\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     s->line, call, s->cseq, call, s->ms > 10 ? ";tag=t" : "", call, s->cseq,
                     s->sdp ? "Content-Type: application/sdp\r\n" : "", call, strlen(sdp), sdp);
    assert_true(n > 0 && (size_t)n < room);
    return (size_t)n;
}

/* A message of a call that began at `began`, as tap number `tap` saw it; received `at`. */
static void send_step(struct world *w, const char *call, unsigned step, unsigned tap, int64_t began, int64_t at)
{
    const struct step *s = &steps[step];
    const uint8_t ends[2][4] = { { 10, 0, 0, 1 }, { 10, 0, 0, 2 } };
    struct message m = { .table = RECORD_SIP };
    struct hep_msg msg;
    int64_t ts = began + s->ms * 1000 + tap * 3000; /* clocks differ */
    m.len = make_payload(call, s, m.payload, sizeof(m.payload));
    hep_msg_init(&msg, HEP_TYPE_SIP);
    hep_set_src(&msg, ends[!s->request], 4, 5060);
    hep_set_dst(&msg, ends[s->request], 4, 5060);
    hep_set_number(&msg, HEP_CHUNK_TIME_SEC, (uint64_t)(ts / SECOND_US));
    hep_set_number(&msg, HEP_CHUNK_TIME_USEC, (uint64_t)(ts % SECOND_US));
    hep_set_number(&msg, HEP_CHUNK_CAPTURE_ID, 100 + tap);
    hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, m.payload, m.len);
    m.frame = (struct sink_frame){ .data = m.octets,
                                   .received_us = at,
                                   .peer = { 4, { 192, 0, 2, (uint8_t)tap } },
                                   .transport = RECORD_TCP,
                                   .source = RECORD_NETWORK };
    assert_int_equal(hep_encode(&msg, m.octets, sizeof(m.octets), &m.frame.len), HEP_OK);
    uint64_t seq;
    assert_int_equal(message_put(engine_sink(w->engine), 0, w->reader, &m, &seq), SINK_OK);
}

/* Steps of a call, at their time. */
static void send_steps(struct world *w, const char *call, unsigned tap, int64_t began, unsigned mask)
{
    for (unsigned i = 0; i < STEPS; i++)
        if ((mask >> i & 1) != 0)
            send_step(w, call, i, tap, began, began + steps[i].ms * 1000 + 5000);
}

/* The same, all of them received at once. */
static void send_late(struct world *w, const char *call, unsigned tap, int64_t began, unsigned mask, int64_t at)
{
    for (unsigned i = 0; i < STEPS; i++)
        if ((mask >> i & 1) != 0)
            send_step(w, call, i, tap, began, at + i);
}

/* Time goes on: what is over is handed out. */
static void pass(struct world *w, int64_t until)
{
    send_step(w, "clock", 0, 0, until, until);
}

#define ALL ((1u << STEPS) - 1)

/* ------------------------------------------------------------------------------------------------ looking */

/* Rows of one call, each column a line. */
struct shown {
    size_t count;
    char rows[ROWS][DUMP_MAX];
    uint64_t messages[ROWS], uids[ROWS];
};

static int dump(void *arg, size_t i, const struct store_ref *ref, const struct record_cell *cells)
{
    struct shown *s = arg;
    const struct record_schema *schema = record_schema(RECORD_CALL);
    char *to = s->rows[s->count];
    size_t at = 0;
    (void)i;
    (void)ref;
    assert_true(s->count < ROWS);
    for (unsigned c = 0; c < schema->count; c++) {
        if (c == RECORD_COL_seq || c == RECORD_COL_received || c == RECORD_COL_call_uid || c == RECORD_CALL_COL_keys)
            continue; /* hashes have another seed each time */
        at += (size_t)snprintf(to + at, DUMP_MAX - at, "%s=", schema->columns[c].name);
        if (!cells[c].null && cells[c].octets.ptr != NULL)
            at += (size_t)snprintf(to + at, DUMP_MAX - at, "%.*s", (int)cells[c].octets.len,
                                   (const char *)cells[c].octets.ptr);
        else
            at += (size_t)snprintf(to + at, DUMP_MAX - at, "%lld", cells[c].null ? -1 : (long long)cells[c].number);
        at += (size_t)snprintf(to + at, DUMP_MAX - at, "\n");
        assert_true(at < DUMP_MAX);
    }
    s->messages[s->count] = (uint64_t)cells[RECORD_CALL_COL_messages].number;
    s->uids[s->count] = (uint64_t)cells[RECORD_COL_call_uid].number;
    s->count++;
    return 0;
}

static void show(struct world *w, const char *filter_text, struct shown *ret)
{
    struct filter *filter = NULL;
    struct filter_error bad;
    assert_int_equal(filter_parse(&filter, filter_text, strlen(filter_text), &bad), 0);
    const struct store_live_want want = { STORE_LIVE_TABLES, filter, INT64_MIN, INT64_MAX };
    struct store_scan s = { .tables = RECORD_TABLES_CALLS,
                            .filter = filter,
                            .from_us = INT64_MIN,
                            .to_us = INT64_MAX,
                            .oldest_first = true,
                            .limit = ROWS,
                            .total_wanted = STORE_TOTAL_EXACT };
    struct store_columns all;
    struct store_pin *pin;
    struct errmsg err = { "" };
    size_t failed;
    memset(&all, 0xff, sizeof(all));
    ret->count = 0;
    assert_int_equal(w->store->ops->pin_calls(w->store, &want, &pin), 0);
    assert_int_equal(w->store->ops->scan(w->store, pin, &s, &err), 0);
    assert_true(s.rows_exact && s.total_exact && s.total == s.count);
    assert_int_equal(w->store->ops->fetch(w->store, pin, s.refs, s.count, &all, dump, ret, &failed, &err), 0);
    assert_int_equal(failed, 0);
    store_scan_free(&s);
    w->store->ops->unpin(w->store, pin);
    filter_free(filter);
}

/* The one row of the call, when everything comes in time. */
static void in_time(unsigned first, unsigned second, struct shown *ret)
{
    struct world *w = world_new();
    send_steps(w, "a", 0, START_US, first);
    send_steps(w, "a", 1, START_US, second);
    pass(w, START_US + 200 * SECOND_US);
    seal(w);
    show(w, "callid:a", ret);
    assert_int_equal(ret->count, 1);
    world_free(w);
}

static void assert_same_row(const char *got, const char *want)
{
    while (*got != '\0' || *want != '\0') {
        int a = (int)strcspn(got, "\n"), b = (int)strcspn(want, "\n");
        if (a != b || memcmp(got, want, (size_t)a) != 0)
            fail_msg("%.*s, should be %.*s", a, got, b, want);
        got += a + 1;
        want += b + 1;
    }
}

/* ------------------------------------------------------------------------------------------------ tests */

/* Whatever came late, of one tap or the other: the same row. */
static void test_late_as_in_time(void **state)
{
    (void)state;
    static const struct {
        unsigned in_time, late, second_tap;
    } cases[] = {
        { ALL & ~(1u << 6), 1u << 6, 0 },       /* the answer to the BYE */
        { ALL, 0, ALL },                        /* another tap, all of it */
        { 0x7c, 0x03, 0 },                      /* its beginning */
        { 0x60, 0x1f, ALL },                    /* all but its end */
        { 0x63, 0x1c, 0x21 },                   /* the middle */
        { ALL & ~(1u << 2), 1u << 2, 1u << 2 }, /* it rang */
    };
    struct shown *want = calloc(1, sizeof(*want)), *got = calloc(1, sizeof(*got));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct world *w = world_new();
        send_steps(w, "a", 0, START_US, cases[i].in_time);
        pass(w, START_US + 200 * SECOND_US);
        seal(w);
        show(w, "callid:a", got);
        assert_int_equal(got->count, 1);
        uint64_t uid = got->uids[0];
        send_late(w, "a", 0, START_US, cases[i].late, START_US + 300 * SECOND_US);
        send_late(w, "a", 1, START_US, cases[i].second_tap, START_US + 301 * SECOND_US);
        show(w, "callid:a", got);
        assert_int_equal(got->count, 1); /* begins no other call */
        assert_int_equal(amend(w), 1);
        show(w, "callid:a", got);
        assert_int_equal(got->count, 1);
        assert_int_equal(got->uids[0], uid);
        in_time(cases[i].in_time | cases[i].late, cases[i].second_tap, want);
        assert_same_row(got->rows[0], want->rows[0]);
        assert_int_equal(amend(w), 1); /* nothing is left to do */
        world_free(w);
    }
    free(want);
    free(got);
}

/* A row in memory waits for its file. */
static void test_row_in_memory(void **state)
{
    (void)state;
    struct shown *got = calloc(1, sizeof(*got));
    struct engine_figures f;
    struct world *w = world_new();
    send_steps(w, "a", 0, START_US, ALL);
    pass(w, START_US + 200 * SECOND_US);
    send_late(w, "a", 1, START_US, ALL, START_US + 201 * SECOND_US);
    assert_int_equal(amend(w), 0);
    engine_figures(w->engine, &f);
    assert_int_equal(f.late_waiting, 1);
    show(w, "callid:a", got);
    assert_int_equal(got->count, 1);
    assert_int_equal(got->messages[0], STEPS);
    seal(w);
    struct errmsg err;
    assert_int_equal(calls_amend(w->engine->calls, LATER + UINT64_C(60000000), &err), 0);
    show(w, "callid:a", got);
    assert_int_equal(got->count, 1);
    assert_int_equal(got->messages[0], 2 * STEPS);
    engine_figures(w->engine, &f);
    assert_int_equal(f.late_waiting, 0);
    assert_int_equal(f.calls_unamended, 0);
    free(got);
    world_free(w);
}

/* Not before nothing has come of it for a while. */
static void test_not_at_once(void **state)
{
    (void)state;
    struct engine_figures f;
    struct errmsg err;
    struct world *w = world_new();
    send_steps(w, "a", 0, START_US, ALL);
    pass(w, START_US + 200 * SECOND_US);
    seal(w);
    send_late(w, "a", 1, START_US, ALL, START_US + 201 * SECOND_US);
    assert_int_equal(calls_amend(w->engine->calls, engine_now_us() + UINT64_C(5000000), &err), 0);
    engine_figures(w->engine, &f);
    assert_int_equal(f.calls_amended, 0);
    assert_int_equal(f.late_waiting, 1);
    world_free(w);
}

/* Several calls in one file and in several, found by what came late. */
static void test_many(void **state)
{
    (void)state;
    struct shown *got = calloc(1, sizeof(*got));
    struct world *w = world_new();
    char id[20];
    for (unsigned i = 0; i < 90; i++) {
        (void)snprintf(id, sizeof(id), "call-%u", i);
        send_steps(w, id, 0, START_US + 10 * i * SECOND_US, 0x7b); /* nobody saw it ring */
        if (i % 30 == 29) {
            pass(w, START_US + (10 * i + 100) * SECOND_US);
            seal(w);
        }
    }
    for (unsigned i = 0; i < 90; i += 2) {
        (void)snprintf(id, sizeof(id), "call-%u", i);
        send_step(w, id, 2, 0, START_US + 10 * i * SECOND_US, START_US + (1100 + i) * SECOND_US);
    }
    assert_int_equal(amend(w), 45);
    for (unsigned i = 0; i < 90; i++) {
        (void)snprintf(id, sizeof(id), "callid:call-%u", i);
        show(w, id, got);
        assert_int_equal(got->count, 1);
        assert_int_equal(got->messages[0], i % 2 == 0 ? STEPS : STEPS - 1);
        assert_true((strstr(got->rows[0], "ring_ms=2000\n") != NULL) == (i % 2 == 0));
    }
    struct store_figures f;
    w->store->ops->figures(w->store, &f);
    assert_int_equal(f.superseded, 45);
    free(got);
    world_free(w);
}

/* The Call-ID again, for another call: each has its own messages, also those that come late. */
static void test_call_id_again(void **state)
{
    (void)state;
    struct shown *got = calloc(1, sizeof(*got));
    struct world *w = world_new();
    const int64_t second = START_US + 1000 * SECOND_US;
    send_steps(w, "a", 0, START_US, ALL);
    pass(w, START_US + 200 * SECOND_US);
    seal(w);
    send_steps(w, "a", 0, second, ALL);
    pass(w, second + 200 * SECOND_US);
    seal(w);
    send_late(w, "a", 1, second, ALL, second + 300 * SECOND_US);
    assert_int_equal(amend(w), 1);
    show(w, "callid:a", got);
    assert_int_equal(got->count, 2);
    assert_int_equal(got->messages[0], STEPS);
    assert_int_equal(got->messages[1], 2 * STEPS);
    send_late(w, "a", 1, START_US, ALL, second + 400 * SECOND_US);
    assert_int_equal(amend(w), 2);
    show(w, "callid:a", got);
    assert_int_equal(got->count, 2);
    assert_int_equal(got->messages[0], 2 * STEPS);
    assert_int_equal(got->messages[1], 2 * STEPS);
    free(got);
    world_free(w);
}

/* What waits outlives a restart, and a power loss, as the messages do. */
static void test_restarts(void **state)
{
    (void)state;
    struct shown *got = calloc(1, sizeof(*got));
    for (uint64_t how = 0; how < 12; how++) {
        struct world *w = world_new();
        send_steps(w, "a", 0, START_US, ALL);
        pass(w, START_US + 200 * SECOND_US);
        seal(w);
        send_late(w, "a", 1, START_US, ALL, START_US + 201 * SECOND_US);
        assert_int_equal(engine_commit(w->engine), 0);
        if (how % 3 == 1)
            seal(w);
        if (how % 3 != 0)
            fault_power_at(w->fs, 1 + how / 3 * 7);
        if (how % 3 == 2) { /* in the middle of it */
            struct errmsg err;
            (void)calls_amend(w->engine->calls, LATER, &err);
        }
        stop(w);
        if (how % 3 != 0)
            fault_crash(w->fs, how);
        start(w);
        seal(w);
        (void)amend(w);
        show(w, "callid:a", got);
        assert_int_equal(got->count, 1);
        assert_int_equal(got->messages[0], 2 * STEPS);
        world_free(w);
    }
    free(got);
}

/* Without its row, or with more messages than are looked at: counted, and what is there stays. */
static void test_what_cannot_be_amended(void **state)
{
    (void)state;
    struct shown *got = calloc(1, sizeof(*got));
    struct engine_figures f;
    struct world *w = world_new();
    send_steps(w, "a", 0, START_US, ALL);
    for (unsigned i = 0; i < 5000; i++)
        send_step(w, "a", 5, 0, START_US, START_US + 9 * SECOND_US + i);
    pass(w, START_US + 200 * SECOND_US);
    seal(w);
    send_step(w, "a", 6, 1, START_US, START_US + 300 * SECOND_US);
    assert_int_equal(amend(w), 0);
    engine_figures(w->engine, &f);
    assert_int_equal(f.calls_unamended, 1);
    assert_int_equal(f.late_waiting, 0);
    show(w, "callid:a", got);
    assert_int_equal(got->count, 1);
    assert_int_equal(got->messages[0], STEPS + 5000);
    free(got);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_late_as_in_time),
        cmocka_unit_test(test_row_in_memory),
        cmocka_unit_test(test_not_at_once),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_call_id_again),
        cmocka_unit_test(test_restarts),
        cmocka_unit_test(test_what_cannot_be_amended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
