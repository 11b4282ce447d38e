/* What `hepcat import` brought to cmd/: HEP in TCP flows, the line of progress, any number of arguments. */
#include "capture/hep_flow.h"
#include "cmd/import_progress.h"
#include "cmd/opt.h"
#include "hep/hep.h"
#include "testlib.h"

/* ------------------------------------------------------------------------------------------------ flows */

struct got {
    size_t frames, octets, bad;
    int error;
    uint64_t offset;
    bool done;
    struct hep_flows flows;
};

static void on_frame(void *arg, const uint8_t *frame, size_t len)
{
    struct got *g = arg;
    assert_true(hep_flow_starts(frame, len));
    g->frames++;
    g->octets += len;
}

static void on_bad(void *arg, int error, uint64_t offset)
{
    struct got *g = arg;
    g->bad++;
    g->error = error;
    g->offset = offset;
}

static void begin(struct got *g)
{
    *g = (struct got){ .flows = { .on_frame = on_frame, .on_bad = on_bad, .arg = g, .done = &g->done } };
}

/* Frames of 20 octets. */
static size_t frames(uint8_t *to, size_t count)
{
    static const uint8_t one[20] = { 'H', 'E', 'P', '3', 0, 20, 0, 0, 0, 15, 0, 14 };
    for (size_t i = 0; i < count; i++)
        memcpy(to + i * sizeof(one), one, sizeof(one));
    return count * sizeof(one);
}

static void test_segments(void **state)
{
    uint8_t data[200];
    size_t len = frames(data, 10);
    (void)state;
    for (size_t size = 1; size <= len; size++) {
        struct got g;
        begin(&g);
        struct hep_flow *f = hep_flow_new(&g.flows, false);
        for (size_t at = 0; at < len; at += size)
            hep_flow_data(f, data + at, len - at < size ? len - at : size);
        assert_int_equal(g.frames, 10);
        assert_int_equal(g.octets, len);
        assert_int_equal(g.bad, 0);
        assert_int_equal(g.flows.partial, 0);
        hep_flow_free(f);
    }
}

static void test_lost_and_found(void **state)
{
    uint8_t data[200];
    struct got g;
    (void)state;
    (void)frames(data, 10);
    begin(&g);
    struct hep_flow *f = hep_flow_new(&g.flows, true);
    hep_flow_data(f, data + 7, 33); /* in mid-stream: two thirds of a frame, and one that is not looked for */
    assert_int_equal(g.flows.skipped, 33);
    hep_flow_data(f, data, 50);
    assert_int_equal(g.frames, 2);
    assert_int_equal(g.flows.partial, 1);
    hep_flow_gap(f, 100);
    assert_int_equal(g.bad, 1);
    assert_int_equal(g.error, HEP_ERR_TRUNCATED);
    assert_int_equal(g.offset, 33 + 40);
    assert_int_equal(g.flows.partial, 0);
    hep_flow_data(f, data, 20);
    assert_int_equal(g.frames, 3);
    hep_flow_data(f, (const uint8_t *)"HEP3\0\2garbage", 13);
    assert_int_equal(g.error, HEP_ERR_TOTAL_LENGTH);
    assert_int_equal(g.offset, 33 + 50 + 100 + 20);
    hep_flow_gap(f, 0); /* nothing waits: nothing to tell */
    assert_int_equal(g.bad, 2);
    hep_flow_free(f);
    hep_flow_free(NULL);
}

/* ------------------------------------------------------------------------------------------------ progress */

static void test_progress(void **state)
{
    uint64_t messages = 1234;
    struct import_progress p;
    char text[PROGRESS_TEXT_MAX];
    (void)state;
    import_progress_init(&p, false, 1, &messages);
    import_progress_file(&p, "trace.pcap");
    import_progress_text(&p, 250000, 1000000, 5000, 75, text);
    assert_string_equal(text, "trace.pcap: 25 % of 1.0 MB, 1234 messages, 5000/s, 1:15 left");
    import_progress_text(&p, 999, 0, 0, -1, text);
    assert_string_equal(text, "trace.pcap: 999 B, 1234 messages, 0/s");
    p.files = 3;
    import_progress_file(&p, "/a/very/long/path/to/somewhere/else/\033[2Jtrace-2026-01-01.pcap");
    import_progress_text(&p, 1, 2, 0, -1, text);
    assert_string_equal(text, "e/else/?[2Jtrace-2026-01-01.pcap (2 of 3): 50 % of 2 B, 1234 messages, 0/s");
}

static void test_sizes(void **state)
{
    static const struct {
        uint64_t octets;
        const char *text;
    } cases[] = { { 0, "0 B" },
                  { 999, "999 B" },
                  { 1000, "1.0 kB" },
                  { 1550000, "1.6 MB" },
                  { 999999, "1000.0 kB" },
                  { 12345678901, "12.3 GB" },
                  { UINT64_MAX, "18446744.1 TB" } };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[SIZE_TEXT_MAX];
        size_text(cases[i].octets, text);
        assert_string_equal(text, cases[i].text);
    }
}

/* ------------------------------------------------------------------------------------------------ arguments */

struct options {
    const char *text;
    bool flag;
};

static const struct opt opts[] = {
    { "text", 't', OPT_TEXT, offsetof(struct options, text), 0, "X", "" },
    { "flag", 'f', OPT_FLAG, offsetof(struct options, flag), 0, NULL, "" },
    { NULL, 0, OPT_FLAG, 0, 0, NULL, NULL },
};
static const struct opt_command command = { .name = "x", .opts = opts };

static void test_arguments(void **state)
{
    char words[][8] = { "x", "one", "-t", "v", "two", "--flag", "--", "-t", "three" };
    char *argv[COUNT_OF(words)];
    struct options o = { 0 };
    struct errmsg err = { "" };
    int count;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        argv[i] = words[i];
    assert_int_equal(opt_parse_many(&command, 9, argv, &o, &count, &err), OPT_RUN);
    assert_int_equal(count, 4);
    assert_string_equal(argv[1], "one");
    assert_string_equal(argv[2], "two");
    assert_string_equal(argv[3], "-t");
    assert_string_equal(argv[4], "three");
    assert_string_equal(o.text, "v");
    assert_true(o.flag);
}

static void test_many_arguments(void **state)
{
    char word[] = "a", *argv[OPT_LIST_MAX + 2], *again[OPT_LIST_MAX + 2];
    struct options o = { 0 };
    struct errmsg err = { "" };
    struct opt_list list = { .count = 0 };
    int count;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(argv); i++)
        argv[i] = again[i] = word;
    assert_int_equal(opt_parse_many(&command, (int)COUNT_OF(argv), argv, &o, &count, &err), OPT_RUN);
    assert_int_equal(count, OPT_LIST_MAX + 1);
    assert_int_equal(opt_parse(&command, (int)COUNT_OF(again), again, &o, &list, &err), OPT_ERROR);
    list.count = 0;
    assert_int_equal(opt_parse(&command, (int)COUNT_OF(again) - 1, again, &o, &list, &err), OPT_RUN);
    assert_int_equal(list.count, OPT_LIST_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segments), cmocka_unit_test(test_lost_and_found), cmocka_unit_test(test_progress),
        cmocka_unit_test(test_sizes),    cmocka_unit_test(test_arguments),      cmocka_unit_test(test_many_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
