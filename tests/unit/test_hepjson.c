/* hepjson: what is taken and what is refused, with its place; what the output says; nothing is lost on the way. */
#include "testlib.h"

#include <jansson.h>

#include "base/buf.h"
#include "guard.h"
#include "hep/hep.h"
#include "hepjson/hepjson.h"

static struct hepjson_reader *reader;
static struct hepjson_error err;

static struct hep_vendor_key keys[] = {
    { 8, 0x85, HEP_KIND_U8, "a" },  { 8, 0x86, HEP_KIND_U16, "b" },    { 8, 0x87, HEP_KIND_U32, "c" },
    { 8, 0x88, HEP_KIND_U64, "d" }, { 9, 1, HEP_KIND_OCTETS, "text" },
};
static const struct hep_registry registry = { keys, COUNT_OF(keys), COUNT_OF(keys), false };

static int read_text(const char *text)
{
    memset(&err, 0, sizeof(err));
    return hepjson_read(reader, text, strlen(text), &err);
}

static void must_read(const char *text)
{
    if (read_text(text) != 0)
        fail_msg("%u:%u: %s in %s", err.line, err.column, err.text, text);
}

/* Encodes what was read, decodes it from static memory. */
static struct hep_msg encode_and_decode(void)
{
    static uint8_t frame[HEP_FRAME_MAX];
    struct hep_msg msg;
    size_t len;
    assert_int_equal(hepjson_encode(reader, frame, sizeof(frame), &len), HEP_OK);
    assert_int_equal(hep_decode(frame, len, NULL, &msg), HEP_OK);
    return msg;
}

/* The JSON of a message, terminated, on the heap. */
static char *write_text(const struct hep_msg *msg, bool plain)
{
    struct hepjson_options options = { &registry, plain };
    struct buf out;
    buf_init(&out, 16u << 20);
    hepjson_write(&out, msg, &options, NULL);
    buf_putc(&out, '\0');
    assert_false(out.failed);
    return (char *)out.ptr;
}

static struct hep_msg message(void)
{
    static const uint8_t src[4] = { 10, 0, 0, 1 }, dst[4] = { 10, 0, 0, 2 };
    struct hep_msg msg;
    hep_msg_init(&msg, HEP_TYPE_SIP);
    assert_int_equal(hep_set_src(&msg, src, 4, 5060), HEP_OK);
    assert_int_equal(hep_set_dst(&msg, dst, 4, 5061), HEP_OK);
    assert_int_equal(hep_set_octets(&msg, HEP_CHUNK_NODE_NAME, "0", 1), HEP_OK);
    assert_int_equal(hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, "hi", 2), HEP_OK);
    return msg;
}

/* Encodes, decodes (from guard memory), writes, reads, encodes again: the octets must be the same. */
static char *round_trip(const uint8_t *frame, size_t len)
{
    static uint8_t again[HEP_FRAME_MAX];
    struct hep_msg msg;
    size_t again_len = 0;
    uint8_t *copy = guard_copy(frame, len);
    assert_int_equal(hep_decode(copy, len, NULL, &msg), HEP_OK);
    char *text = write_text(&msg, false);
    uint64_t ignored = hepjson_ignored_keys(reader);
    must_read(text);
    if (hepjson_ignored_keys(reader) != ignored)
        fail_msg("left out something of %s", text);
    assert_int_equal(hepjson_encode(reader, again, sizeof(again), &again_len), HEP_OK);
    if (again_len != len || memcmp(again, frame, len) != 0)
        fail_msg("other octets from %s", text);
    guard_free(copy, len);
    return text;
}

static char *round_trip_msg(const struct hep_msg *msg)
{
    static uint8_t frame[HEP_FRAME_MAX];
    size_t len;
    assert_int_equal(hep_encode(msg, frame, sizeof(frame), &len), HEP_OK);
    return round_trip(frame, len);
}

/* ------------------------------------------------------------------------------------------------ writing */

#define RCINFO                                                                                                         \
    "{\"rcinfo\":{\"protocolFamily\":2,\"protocol\":17,\"srcIp\":\"10.0.0.1\",\"dstIp\":\"10.0.0.2\","                 \
    "\"srcPort\":5060,\"dstPort\":5061,\"timeSeconds\":0,\"timeUseconds\":0,\"payloadType\":1,\"captureId\":0,"        \
    "\"hepNodeName\":\"0\"}"

/* Payloads and how they show; by the rules of JSON.stringify(). */
static void test_payload_text(void **state)
{
    (void)state;
    static const struct {
        const char *payload;
        size_t len;
        const char *json;
    } rows[] = {
        { "hi", 2, "\"hi\"" },
        { "", 0, "\"\"" },
        { "a\0b", 3, "\"a\\u0000b\"" },
        { "\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"" },
        { "\x01\x1f\x7f", 3, "\"\\u0001\\u001f\x7f\"" },
        { "\"\\/", 3, "\"\\\"\\\\/\"" },
        { "h\xc3\xa9llo \xe2\x80\xa8 \xf0\x9f\x98\x80", 15, "\"h\xc3\xa9llo \xe2\x80\xa8 \xf0\x9f\x98\x80\"" },
        { "\xff", 1, "\"/w==\",\"payloadEncoding\":\"base64\"" },
        { "\x80\x00\x01\x02", 4, "\"gAABAg==\",\"payloadEncoding\":\"base64\"" },
        { "\xed\xa0\x80", 3, "\"7aCA\",\"payloadEncoding\":\"base64\"" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char want[1024];
        struct hep_msg msg = message();
        assert_int_equal(hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, rows[i].payload, rows[i].len), HEP_OK);
        (void)snprintf(want, sizeof(want), RCINFO ",\"payload\":%s}", rows[i].json);
        char *text = round_trip_msg(&msg);
        assert_string_equal(text, want);
        assert_int_equal(hepjson_msg(reader)->payload.len, rows[i].len);
        free(text);
    }
}

/* Text fields that JSON cannot carry come back by way of "chunks". */
static void test_text_not_utf8(void **state)
{
    (void)state;
    struct hep_msg msg = message();
    assert_int_equal(hep_set_octets(&msg, HEP_CHUNK_CORRELATION_ID, "a\xffz", 3), HEP_OK);
    char *text = round_trip_msg(&msg);
    assert_non_null(strstr(text, "\"correlation_id\":\"a\xef\xbf\xbdz\""));
    assert_non_null(strstr(text, "{\"vendor\":0,\"type\":17,\"hex\":\"61ff7a\"}"));
    free(text);
}

static void test_meta(void **state)
{
    (void)state;
    struct hep_msg msg = message();
    struct hepjson_options options = { NULL, true };
    struct hepjson_meta meta = { .transport = "udp", .peer = { 4, { 192, 0, 2, 1 } }, .peer_port = 9060 };
    struct buf out;
    buf_init(&out, 4096);
    msg.quirks = HEP_QUIRK_ODD_SIZE | HEP_QUIRK_TIME_IMPLAUSIBLE;
    hepjson_write(&out, &msg, &options, &meta);
    buf_putc(&out, '\0');
    assert_string_equal((const char *)out.ptr,
                        RCINFO ",\"payload\":\"hi\",\"meta\":{\"transport\":\"udp\",\"peerIp\":\"192.0.2.1\","
                               "\"peerPort\":9060,\"version\":3,\"quirks\":[\"odd_size\",\"time_implausible\"]}}");
    must_read((const char *)out.ptr); /* meta is known, and means nothing */
    buf_free(&out);
}

/* ------------------------------------------------------------------------------------------------ reading */

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *src, *text; /* NULL: refused */
        unsigned bit;
    } rows[] = {
        { "10.0.0.1", "10.0.0.1", HEP_CHUNK_SRC_IP4 },
        { "2001:DB8:0:0:0:0:0:1", "2001:db8::1", HEP_CHUNK_SRC_IP6 },
        { "::", "::", HEP_CHUNK_SRC_IP6 },
        { "::ffff:10.0.0.1", "::ffff:10.0.0.1", HEP_CHUNK_SRC_IP6 },
        { "1:0:0:2:0:0:0:3", "1:0:0:2::3", HEP_CHUNK_SRC_IP6 },
        { "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
          HEP_CHUNK_SRC_IP6 },
        { "10.0.0", NULL, 0 },
        { "10.0.0.256", NULL, 0 },
        { "[::1]", NULL, 0 },
        { "fe80::1%eth0", NULL, 0 },
        { "10.0.0.1\\u0000", NULL, 0 },
        { "", NULL, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[256];
        (void)snprintf(text, sizeof(text), "{\"rcinfo\":{\"srcIp\":\"%s\"}}", rows[i].src);
        if (rows[i].text == NULL) {
            if (read_text(text) != -1)
                fail_msg("taken: %s", text);
            assert_int_equal(err.column, 12);
            continue;
        }
        must_read(text);
        struct hep_msg msg = encode_and_decode();
        assert_true(hep_has(&msg, rows[i].bit));
        char *back = write_text(&msg, true);
        (void)snprintf(text, sizeof(text), "\"srcIp\":\"%s\"", rows[i].text);
        if (strstr(back, text) == NULL)
            fail_msg("%s not in %s", text, back);
        free(back);
    }
}

static void test_defaults(void **state)
{
    (void)state;
    must_read("{\"rcinfo\":{}}");
    struct hep_msg msg = encode_and_decode();
    assert_int_equal(msg.family, HEP_FAMILY_IP4);
    assert_memory_equal(msg.src.octets, "\x7f\0\0\1", 4);
    assert_memory_equal(msg.dst.octets, "\x7f\0\0\1", 4);
    assert_int_equal(msg.node_name.len, 1);
    assert_false(hep_has(&msg, HEP_CHUNK_PAYLOAD));
    must_read("{\"rcinfo\":{\"dstIp\":\"::2\",\"captureId\":4294967295},\"payload\":\"\"}");
    msg = encode_and_decode();
    assert_int_equal(msg.family, HEP_FAMILY_IP6);
    assert_int_equal(msg.src.len, 16);
    assert_int_equal(msg.src.octets[15], 1);
    assert_memory_equal(msg.node_name.ptr, "4294967295", 10);
    assert_true(hep_has(&msg, HEP_CHUNK_PAYLOAD));
    /* MOS goes with the report types once there is a correlation id. */
    for (unsigned type = 30; type < 40; type++) {
        char text[128];
        (void)snprintf(text, sizeof(text), "{\"rcinfo\":{\"payloadType\":%u,\"correlation_id\":\"x\"}}", type);
        must_read(text);
        assert_int_equal(hep_has(hepjson_msg(reader), HEP_CHUNK_MOS), type == 32 || type == 35);
    }
}

static void test_numbers_and_old_keys(void **state)
{
    (void)state;
    must_read("{\"rcinfo\":{\"srcPort\":\"5060\",\"captureId\":\"2001\",\"ip_family\":10,\"time_sec\":7,"
              "\"time_usec\":\"8\",\"proto_type\":100,\"vlan\":null,\"mos\":null},\"payload\":null,\"chunks\":null,"
              "\"legacy\":null,\"payloadEncoding\":null,\"version\":null}");
    const struct hep_msg *msg = hepjson_msg(reader);
    assert_int_equal(msg->src_port, 5060);
    assert_int_equal(msg->capture_id, 2001);
    assert_int_equal(msg->family, 10);
    assert_int_equal(msg->time_sec, 7);
    assert_int_equal(msg->time_usec, 8);
    assert_int_equal(msg->payload_type, 100);
    assert_false(hep_has(msg, HEP_CHUNK_VLAN));
    assert_false(hep_has(msg, HEP_CHUNK_PAYLOAD));
    assert_int_equal(msg->version, 3);
    /* The new name wins over the old one, in either order. */
    must_read("{\"rcinfo\":{\"time_sec\":7,\"timeSeconds\":9}}");
    assert_int_equal(hepjson_msg(reader)->time_sec, 9);
    must_read("{\"rcinfo\":{\"timeSeconds\":9,\"time_sec\":7}}");
    assert_int_equal(hepjson_msg(reader)->time_sec, 9);
}

/* Texts that are refused: where, and a word of why. */
static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line, column;
        const char *word;
    } rows[] = {
        { "", 1, 1, "" },
        { "[]", 1, 1, "not a JSON object" },
        { "{}", 1, 1, "rcinfo is missing" },
        { "{\"rcinfo\":5}", 1, 2, "not an object" },
        { "{\"rcinfo\":{\"srcPort\":65536}}", 1, 12, "65536 is not in 0..65535" },
        { "{\"rcinfo\":{\n  \"srcPort\": -1}}", 2, 3, "-1 is not in" },
        { "{\"rcinfo\":{\n\n    \"time_sec\": 4294967296}}", 3, 5, "time_sec" },
        { "{\"rcinfo\":{\"protocol\":256}}", 1, 12, "0..255" },
        { "{\"rcinfo\":{\"protocol\":1.5}}", 1, 12, "whole number" },
        { "{\"rcinfo\":{\"protocol\":true}}", 1, 12, "whole number" },
        { "{\"rcinfo\":{\"protocol\":\"1x\"}}", 1, 12, "whole number" },
        { "{\"rcinfo\":{\"protocol\":\"\"}}", 1, 12, "whole number" },
        { "{\"rcinfo\":{\"captureId\":\"-1\"}}", 1, 12, "whole number" },
        { "{\"rcinfo\":{\"captureId\":99999999999999999999}}", 1, 0, "" },
        { "{\"rcinfo\":{\"capturePass\":5}}", 1, 12, "not a string" },
        { "{\"rcinfo\":{\"srcMac\":\"00:11:22:33:44\"}}", 1, 12, "MAC" },
        { "{\"rcinfo\":{\"srcMac\":\"00-11-22-33-44-55\"}}", 1, 12, "MAC" },
        { "{\"rcinfo\":{\"srcMac\":\"00:11:22:33:44:5g\"}}", 1, 12, "MAC" },
        { "{\"rcinfo\":{\"srcMac\":17}}", 1, 12, "MAC" },
        { "{\"rcinfo\":{\"a\":256}}", 1, 12, "0..255" },
        { "{\"rcinfo\":{\"text\":1}}", 1, 12, "not a string" },
        { "{\"rcinfo\":{},\"payload\":{}}", 1, 14, "not a string" },
        { "{\"rcinfo\":{},\"payload\":\"a\",\"payloadEncoding\":\"hex\"}", 1, 28, "base64" },
        { "{\"rcinfo\":{},\"payload\":\"ab*d\",\"payloadEncoding\":\"base64\"}", 1, 14, "character 3" },
        { "{\"rcinfo\":{},\"payload\":\"abcde\",\"payloadEncoding\":\"base64\"}", 1, 14, "base64" },
        { "{\"rcinfo\":{\"vlan\":1,\"vlan\":2}}", 1, 0, "duplicate" },
        { "{\"rcinfo\":{}} {}", 1, 0, "" },
        { "{\"rcinfo\":{}", 1, 0, "" },
        { "{\"rcinfo\":{},\"payload\":\"\xff\"}", 1, 0, "" },
        { "{\"rcinfo\":{},\"version\":4}", 1, 14, "0..3" },
        { "{\"rcinfo\":{},\"chunks\":[]}", 1, 14, "chunks" },
        { "{\"rcinfo\":{},\"chunks\":{}}", 1, 14, "chunks" },
        { "{\"rcinfo\":{},\"chunks\":[\"x\"]}", 1, 14, "entries" },
        { "{\"rcinfo\":{},\"chunks\":[18]}", 1, 14, "not there" },
        { "{\"rcinfo\":{},\"chunks\":[99]}", 1, 14, "0..41" },
        { "{\"rcinfo\":{},\"chunks\":[{\"vendor\":0,\"type\":1}]}", 1, 0, "hex" },
        { "{\"rcinfo\":{},\"chunks\":[{\"vendor\":0,\"type\":1,\"hex\":5}]}", 1, 0, "hex" },
        { "{\"rcinfo\":{},\"chunks\":[{\"vendor\":0,\"type\":1,\"hex\":\"0\"}]}", 1, 0, "hex" },
        { "{\"rcinfo\":{},\"chunks\":[{\"vendor\":0,\"type\":1,\"hex\":\"0g\"}]}", 1, 0, "hex" },
        { "{\"rcinfo\":{},\"chunks\":[{\"vendor\":65536,\"type\":1,\"hex\":\"\"}]}", 1, 0, "65535" },
        { "{\"rcinfo\":{},\"chunks\":[{\"type\":1,\"hex\":\"\"}]}", 1, 0, "vendor" },
        { "{\"rcinfo\":{},\"version\":1,\"legacy\":5}", 1, 0, "headerLength" },
        { "{\"rcinfo\":{},\"version\":1,\"legacy\":{\"headerLength\":16}}", 1, 0, "trailingNuls" },
        { "{\"rcinfo\":{},\"version\":2,\"legacy\":{\"headerLength\":16,\"trailingNuls\":0,\"pad\":\"00\"}}", 1, 0,
          "pad" },
        { "{\"rcinfo\":{},\"version\":2,\"legacy\":{\"headerLength\":16,\"trailingNuls\":0,\"byteOrder\":\"x\"}}", 1, 0,
          "byteOrder" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (read_text(rows[i].text) != -1)
            fail_msg("taken: %s", rows[i].text);
        bool column_ok = rows[i].column == 0 ? err.column >= 1 : err.column == rows[i].column;
        if (err.line != rows[i].line || !column_ok || err.text[0] == '\0' || strstr(err.text, rows[i].word) == NULL)
            fail_msg("%u:%u: %s in %s", err.line, err.column, err.text, rows[i].text);
        must_read("{\"rcinfo\":{}}"); /* the reader is as good as new */
    }
}

static void test_deep_and_long(void **state)
{
    (void)state;
    size_t depth = 100000;
    char *text = malloc(2 * HEPJSON_TEXT_MAX);
    assert_non_null(text);
    int n = sprintf(text, "{\"rcinfo\":{\"x\":");
    memset(text + n, '[', depth);
    memset(text + n + (int)depth, ']', depth);
    memcpy(text + n + 2 * depth, "}}", 3);
    assert_int_equal(read_text(text), -1);
    assert_non_null(strstr(err.text, "depth"));
    for (size_t more = 0; more < 2; more++) {
        memset(text, ' ', HEPJSON_TEXT_MAX + 1);
        memcpy(text, "{\"rcinfo\":{}}", 13);
        assert_int_equal(hepjson_read(reader, text, HEPJSON_TEXT_MAX + more, &err), more == 0 ? 0 : -1);
    }
    assert_non_null(strstr(err.text, "longer than"));
    free(text);
}

static void test_ignored_keys(void **state)
{
    (void)state;
    struct hepjson_reader *r = hepjson_reader_new(NULL);
    static const char text[] =
        "{\"rcinfo\":{\"srcIP\":\"1.1.1.1\",\"x\":{},\"srcPort\":1,\"nothing\":null},\"Payload\":1,"
        "\"meta\":{}}";
    assert_non_null(r);
    assert_string_equal(hepjson_ignored_example(r), "");
    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(hepjson_read(r, text, sizeof(text) - 1, &err), 0);
        assert_int_equal(hepjson_ignored_keys(r), 3 * i);
    }
    assert_string_equal(hepjson_ignored_example(r), "srcIP");
    hepjson_reader_free(r);
}

/* "chunks" says what is written: a key that it lacks, or gives another value, is not ignored without a word. */
static void test_overruled_keys(void **state)
{
    (void)state;
#define CHUNKS(list) "\"payload\":\"x\",\"chunks\":[" list "]}"
    static const struct {
        const char *text, *example;
    } rows[] = {
        { "{\"rcinfo\":{\"srcPort\":1}," CHUNKS("7,15"), "" },
        { "{\"rcinfo\":{\"srcPort\":1,\"correlation_id\":\"a\"}," CHUNKS("7,15"), "correlation_id" },
        { "{\"rcinfo\":{\"srcPort\":1}," CHUNKS("7"), "payload" },
        { "{\"rcinfo\":{\"srcPort\":1}," CHUNKS("7,{\"vendor\":0,\"type\":16,\"hex\":\"00\"}"), "" },
        { "{\"rcinfo\":{\"srcIp\":\"::1\"}," CHUNKS("15,{\"vendor\":0,\"type\":3,\"hex\":\"00\"}"), "" },
        { "{\"rcinfo\":{\"siteId\":\"a\"}," CHUNKS("15,{\"vendor\":8,\"type\":130,\"hex\":\"61\"}"), "" },
        { "{\"rcinfo\":{\"siteId\":\"b\"}," CHUNKS("15,{\"vendor\":8,\"type\":130,\"hex\":\"61\"}"), "siteId" },
        { "{\"rcinfo\":{\"siteId\":\"\"}," CHUNKS("15"), "siteId" },
    };
#undef CHUNKS
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hepjson_reader *r = hepjson_reader_new(NULL);
        assert_non_null(r);
        assert_int_equal(hepjson_read(r, rows[i].text, strlen(rows[i].text), &err), 0);
        assert_string_equal(hepjson_ignored_example(r), rows[i].example);
        assert_int_equal(hepjson_ignored_keys(r), rows[i].example[0] != '\0');
        hepjson_reader_free(r);
    }
}

/* ------------------------------------------------------------------------------------------------ vendor chunks */

static void test_vendor_numbers(void **state)
{
    (void)state;
    static const struct hep_chunk extra[] = {
        { 8, 0x85, { (const uint8_t *)"\xff", 1 } },
        { 8, 0x86, { (const uint8_t *)"\xff\xff", 2 } },
        { 8, 0x87, { (const uint8_t *)"\xff\xff\xff\xff", 4 } },
        { 8, 0x88, { (const uint8_t *)"\x7f\xff\xff\xff\xff\xff\xff\xff", 8 } },
        { 9, 1, { (const uint8_t *)"t\xc3\xa9", 3 } },
    };
    struct hep_msg msg = message();
    msg.extra = extra;
    msg.extra_count = COUNT_OF(extra);
    char *text = round_trip_msg(&msg);
    assert_non_null(strstr(text,
                           "\"hepNodeName\":\"0\",\"a\":255,\"b\":65535,\"c\":4294967295,\"d\":9223372036854775807,"
                           "\"text\":\"t\xc3\xa9\"}"));
    assert_null(strstr(text, "chunks"));
    free(text);
    /* Beyond 63 bits a number is text: jansson, and most others, would refuse it. */
    struct hep_chunk big = { 8, 0x88, { (const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff", 8 } };
    msg.extra = &big;
    msg.extra_count = 1;
    text = round_trip_msg(&msg);
    assert_non_null(strstr(text, "\"d\":\"18446744073709551615\""));
    assert_null(strstr(text, "chunks"));
    free(text);
    /* Keys are written in the order of vendor and type, whatever the order in the text. */
    must_read("{\"rcinfo\":{\"text\":\"x\",\"c\":1,\"conversationId\":\"y\",\"a\":\"2\"}}");
    struct hep_msg back = encode_and_decode();
    unsigned last = 0;
    struct hep_chunk c;
    for (size_t pos = 0; hep_chunk_next(&back, &pos, &c);) {
        if (c.vendor == 0)
            continue;
        assert_true(((unsigned)c.vendor << 16 | c.type) > last);
        last = (unsigned)c.vendor << 16 | c.type;
    }
    assert_int_equal(last, 9u << 16 | 1);
}

/* Bodies that do not suit their key, repeats and unknown chunks: "chunks" has them. */
static void test_vendor_odd(void **state)
{
    (void)state;
    static const struct hep_chunk extra[] = {
        { 8, 0x86, { (const uint8_t *)"\x01", 1 } }, { 9, 1, { (const uint8_t *)"\xff", 1 } },
        { 8, 0x85, { (const uint8_t *)"\x01", 1 } }, { 8, 0x85, { (const uint8_t *)"\x02", 1 } },
        { 8, 0x80, { (const uint8_t *)"conv", 4 } }, { 7, 7, { NULL, 0 } },
        { 0, 0, { (const uint8_t *)"zero", 4 } },    { 0, 0x101, { (const uint8_t *)"u", 1 } },
    };
    struct hep_msg msg = message();
    msg.extra = extra;
    msg.extra_count = COUNT_OF(extra);
    char *text = round_trip_msg(&msg);
    assert_null(strstr(text, "\"b\":"));
    assert_null(strstr(text, "\"text\":"));
    assert_non_null(strstr(text, "\"a\":2"));
    assert_non_null(strstr(text, "{\"vendor\":7,\"type\":7,\"hex\":\"\"}"));
    free(text);
}

static void test_many_vendor_keys(void **state)
{
    (void)state;
    enum { MANY = HEPJSON_VENDOR_MAX + 6 };
    static char names[MANY][8];
    static struct hep_vendor_key many[MANY];
    struct hep_chunk extra[MANY];
    struct hep_registry r = { many, 0, MANY, false };
    struct hepjson_reader *kept = reader;
    struct hepjson_options options = { &r, false };
    struct hep_msg msg = message(), back;
    static uint8_t frame[8192], again[8192];
    size_t len, again_len;
    for (size_t i = 0; i < MANY; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "key%zu", i);
        struct hep_vendor_key key = { 100, (uint16_t)i, HEP_KIND_OCTETS, names[i] };
        assert_int_equal(hep_registry_add(&r, &key), HEP_OK);
        extra[i] = (struct hep_chunk){ 100, (uint16_t)i, { (const uint8_t *)"v", 1 } };
    }
    reader = hepjson_reader_new(&r);
    assert_non_null(reader);
    for (size_t count = HEPJSON_VENDOR_MAX - 1; count <= MANY; count++) {
        struct buf out;
        msg.extra = extra;
        msg.extra_count = count;
        assert_int_equal(hep_encode(&msg, frame, sizeof(frame), &len), HEP_OK);
        assert_int_equal(hep_decode(frame, len, NULL, &back), HEP_OK);
        buf_init(&out, 1u << 20);
        hepjson_write(&out, &back, &options, NULL);
        assert_int_equal(memmem(out.ptr, out.len, "chunks", 6) != NULL, count > HEPJSON_VENDOR_MAX);
        assert_int_equal(hepjson_read(reader, (const char *)out.ptr, out.len, &err), 0);
        assert_int_equal(hepjson_encode(reader, again, sizeof(again), &again_len), HEP_OK);
        assert_int_equal(again_len, len);
        assert_memory_equal(again, frame, len);
        buf_free(&out);
    }
    char text[2048] = "{\"rcinfo\":{\"key0\":\"\"";
    for (size_t i = 1; i < HEPJSON_VENDOR_MAX + 1; i++)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), ",\"key%zu\":\"\"", i);
    (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "}}");
    assert_int_equal(read_text(text), -1);
    assert_non_null(strstr(err.text, "more than 64"));
    hepjson_reader_free(reader);
    reader = kept;
}

/* ------------------------------------------------------------------------------------------------ chunks, legacy */

static void test_chunks_choose_order(void **state)
{
    (void)state;
    must_read("{\"rcinfo\":{\"captureId\":7,\"vlan\":5},\"payload\":\"x\",\"chunks\":[15,18,{\"vendor\":5,\"type\":6,"
              "\"hex\":\"aB0f\"},12,15]}");
    uint8_t frame[256];
    size_t len, want_len;
    uint8_t *want = unhex("48455033 0035 0000000f0007 78 0000001200080005 000500060008ab0f 0000000c000a00000007 "
                          "0000000f000778",
                          &want_len);
    want[5] = (uint8_t)want_len;
    assert_int_equal(hepjson_encode(reader, frame, sizeof(frame), &len), HEP_OK);
    assert_int_equal(len, want_len);
    assert_memory_equal(frame, want, len);
    for (size_t cap = 0; cap < len; cap++)
        assert_int_equal(hepjson_encode(reader, frame, cap, &want_len), HEP_ERR_NO_SPACE);
    free(want);
}

static void test_rebuild(void **state)
{
    (void)state;
    /* A frame in an order of its own, with an unknown chunk, a repeat and a registered one that does not suit. */
    must_read("{\"rcinfo\":{\"captureId\":7,\"a\":1},\"payload\":\"x\",\"chunks\":[15,{\"vendor\":8,\"type\":134,"
              "\"hex\":\"01\"},12,{\"vendor\":0,\"type\":12,\"hex\":\"00000009\"},{\"vendor\":8,\"type\":133,\"hex\":"
              "\"01\"},{\"vendor\":0,\"type\":300,\"hex\":\"ff\"}]}");
    assert_int_equal(hep_set_number(hepjson_msg(reader), HEP_CHUNK_CAPTURE_ID, 8), HEP_OK);
    hepjson_rebuild(reader);
    struct hep_msg msg = encode_and_decode();
    assert_int_equal(msg.capture_id, 8);
    assert_int_equal(msg.quirks, HEP_QUIRK_UNKNOWN_CHUNK);
    char got[128] = "";
    struct hep_chunk c;
    for (size_t pos = 0; hep_chunk_next(&msg, &pos, &c);)
        if (c.vendor != 0 || hep_field(c.type) == NULL)
            (void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "%u/%u ", c.vendor, c.type);
    assert_string_equal(got, "8/133 8/134 0/300 ");
    /* Versions 1 and 2 go back to their standard form. */
    must_read("{\"rcinfo\":{\"srcIp\":\"10.0.0.1\",\"dstIp\":\"10.0.0.2\"},\"payload\":\"x\",\"version\":1,"
              "\"legacy\":{\"headerLength\":99,\"trailingNuls\":3}}");
    msg = encode_and_decode();
    assert_int_equal(msg.header_len, 99);
    assert_int_equal(msg.frame.len, 20);
    hepjson_rebuild(reader);
    msg = encode_and_decode();
    assert_int_equal(msg.header_len, 16);
    assert_int_equal(msg.frame.len, 17);
}

static void test_legacy(void **state)
{
    (void)state;
    static const char head[] = "10021113c413c50a0000010a000002";
    static const struct {
        const char *version, *rest, *json; /* json: a part of the text; "legacy" must be absent if NULL */
    } rows[] = {
        { "01", "61", NULL },
        { "01", "610000", "\"legacy\":{\"headerLength\":16,\"trailingNuls\":2}" },
        { "01", "ff", "\"payloadEncoding\":\"base64\",\"version\":1}" },
        { "02", "00f1536540e20100d107000061", NULL },
        { "02", "00f1536540e20100d107010261", "\"byteOrder\":\"little\",\"pad\":\"0102\"" },
        { "02", "6553f1000001e24007d1000061", "\"byteOrder\":\"big\",\"pad\":\"0000\"" },
        { "02", "6553f1000001e24007d1616263", "\"byteOrder\":\"big\",\"pad\":\"\"" },
        { "02", "6553f1000001e24007d161626300", "\"trailingNuls\":1" },
        { "02", "ffffffffffffffffd107000061", "\"timeUseconds\":4294967295" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char hex[256];
        size_t len;
        (void)snprintf(hex, sizeof(hex), "%s%s%s", rows[i].version, head, rows[i].rest);
        uint8_t *frame = unhex(hex, &len);
        char *text = round_trip(frame, len);
        if (rows[i].json != NULL ? strstr(text, rows[i].json) == NULL : strstr(text, "legacy") != NULL)
            fail_msg("row %zu: %s", i, text);
        free(text);
        free(frame);
    }
}

/* ------------------------------------------------------------------------------------------------ property */

static void random_body(uint64_t *seed, uint8_t *body, size_t *len)
{
    static const char *const texts[] = { "abc", "\xc3\xa9", "", "<null>", "a\"b\\c\n" };
    *len = prng_below(seed, 20);
    prng_fill(seed, body, *len);
    if (prng_below(seed, 2) == 0) {
        const char *t = texts[prng_below(seed, COUNT_OF(texts))];
        *len = strlen(t);
        memcpy(body, t, *len);
    } else if (prng_below(seed, 2) == 0) {
        static const size_t sizes[] = { 0, 1, 2, 4, 4, 6, 8, 16 };
        *len = sizes[prng_below(seed, COUNT_OF(sizes))];
    }
}

static size_t random_frame(uint64_t *seed, uint8_t *frame, size_t cap)
{
    struct hep_writer w;
    size_t len;
    hep_writer_begin(&w, frame, cap);
    for (size_t n = 1 + prng_below(seed, 16); n > 0; n--) {
        uint8_t body[32] = { 0 };
        size_t body_len;
        unsigned kind = (unsigned)prng_below(seed, 8);
        uint16_t vendor = (uint16_t)(kind == 0 ? prng_next(seed) : kind <= 2 ? 8 : kind == 3 ? 9 : 0);
        uint16_t type = (uint16_t)(vendor == 8   ? 0x7f + prng_below(seed, 12)
                                   : vendor == 9 ? 1
                                   : kind == 0   ? prng_next(seed)
                                                 : prng_below(seed, HEP_CHUNK_GENERIC_MAX + 2));
        random_body(seed, body, &body_len);
        hep_writer_chunk(&w, vendor, type, body, body_len);
    }
    assert_int_equal(hep_writer_end(&w, &len), HEP_OK);
    return len;
}

static void test_random_frames(void **state)
{
    (void)state;
    uint64_t seed = 0xabcdef;
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t frame[1024];
        size_t len = random_frame(&seed, frame, sizeof(frame));
        free(round_trip(frame, len));
    }
}

/* As many chunks as a frame can hold. */
static void test_most_chunks(void **state)
{
    (void)state;
    static uint8_t frame[HEP_FRAME_MAX];
    struct hep_writer w;
    size_t len, count = 0;
    hep_writer_begin(&w, frame, sizeof(frame));
    while (w.len + HEP_CHUNK_HEADER_SIZE <= HEP_FRAME_MAX) {
        hep_writer_chunk(&w, 0xffff, (uint16_t)(0xffff - count), NULL, 0);
        count++;
    }
    assert_int_equal(hep_writer_end(&w, &len), HEP_OK);
    assert_int_equal(count, 10921);
    free(round_trip(frame, len));
}

/* The largest payload of characters that take six each. */
static void test_largest_payload(void **state)
{
    (void)state;
    static uint8_t payload[HEP_CHUNK_BODY_MAX];
    struct hep_msg msg = message();
    memset(payload, 1, sizeof(payload));
    msg.payload = (struct hep_slice){ payload, 0 };
    msg.payload = (struct hep_slice){ payload, HEP_FRAME_MAX - hep_encoded_size(&msg) };
    free(round_trip_msg(&msg));
}

static int setup(void **state)
{
    (void)state;
    reader = hepjson_reader_new(&registry);
    return reader != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    hepjson_reader_free(reader);
    hepjson_reader_free(NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payload_text),
        cmocka_unit_test(test_text_not_utf8),
        cmocka_unit_test(test_meta),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_numbers_and_old_keys),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_deep_and_long),
        cmocka_unit_test(test_ignored_keys),
        cmocka_unit_test(test_overruled_keys),
        cmocka_unit_test(test_vendor_numbers),
        cmocka_unit_test(test_vendor_odd),
        cmocka_unit_test(test_many_vendor_keys),
        cmocka_unit_test(test_chunks_choose_order),
        cmocka_unit_test(test_rebuild),
        cmocka_unit_test(test_legacy),
        cmocka_unit_test(test_random_frames),
        cmocka_unit_test(test_most_chunks),
        cmocka_unit_test(test_largest_payload),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
