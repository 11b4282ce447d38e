#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/input.h"
#include "capture/dissect.h"
#include "capture/pcap_in.h"
#include "capture/pcap_out.h"
#include "hep/rd.h"
#include "prng.h"
#include "test_capture_build.h"

/* ------------------------------------------------------------------------------------------------ helpers */

static char path[] = "/tmp/test_capture_pcap.XXXXXX";

static int setup(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    if (fd < 0)
        return -1;
    return close(fd);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_file(const void *data, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

struct reader {
    struct input *in;
    struct pcap_in *pcap;
};

static int open_reader(struct reader *r, struct errmsg *err)
{
    *r = (struct reader){ NULL, NULL };
    assert_int_equal(input_open(&r->in, path, NULL, err), 0);
    return pcap_in_open(&r->pcap, r->in, err);
}

static void close_reader(struct reader *r)
{
    pcap_in_close(r->pcap);
    input_close(r->in);
}

/* ------------------------------------------------------------------------------------------------ pcap_in */

static void test_probe(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        bool expect;
    } cases[] = {
        { "a1b2c3d4 0002 0004", true },
        { "d4c3b2a1 0200 0400", true },
        { "a1b23c4d", true },
        { "4d3cb2a1", true },
        { "a1b2cd34", true },
        { "34cdb2a1", true },
        { "0a0d0d0a 1c000000 4d3c2b1a", true },
        { "0a0d0d0a 0000001c 1a2b3c4d", true },
        { "0a0d0d0a 0000001c 00000000", false },
        { "0a0d0d0a 0000001c 1a2b3c", false },
        { "48455033", false },
        { "a1b2c3", false },
        { "", false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct build b = { .len = 0 };
        add_hex(&b, cases[i].hex);
        if (pcap_in_probe(b.octets, b.len) != cases[i].expect)
            fail_msg("case %zu", i);
    }
}

/* The same packet in every form that a file can have: 3 octets captured of 5, at 1700000000.123456. */
static void test_formats(void **state)
{
    (void)state;
    static const char *const files[] = {
        "a1b2c3d4 0002 0004 00000000 00000000 00040000 00000065 6553f100 0001e240 00000003 00000005 616263",
        "d4c3b2a1 0200 0400 00000000 00000000 00000400 65000000 00f15365 40e20100 03000000 05000000 616263",
        "a1b23c4d 0002 0004 00000000 00000000 00040000 00000065 6553f100 075bca00 00000003 00000005 616263",
        "4d3cb2a1 0200 0400 00000000 00000000 00000400 65000000 00f15365 00ca5b07 03000000 05000000 616263",
        /* pcapng: section, interface (LINKTYPE_RAW, microseconds), enhanced packet */
        "0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c"
        "00000001 00000014 0065 0000 00040000 00000014"
        "00000006 00000024 00000000 00060a24 18202240 00000003 00000005 61626300 00000024",
    };
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct build b = { .len = 0 };
        struct reader r;
        struct packet p;
        struct errmsg err;
        add_hex(&b, files[i]);
        assert_true(pcap_in_probe(b.octets, b.len));
        write_file(b.octets, b.len);
        if (open_reader(&r, &err) != 0)
            fail_msg("file %zu: %s", i, err.text);
        assert_int_equal(pcap_in_next(r.pcap, &p), 1);
        assert_int_equal(p.sec, 1700000000);
        assert_int_equal(p.usec, 123456);
        assert_int_equal(p.data.len, 3);
        assert_memory_equal(p.data.ptr, "abc", 3);
        assert_int_equal(p.wire_len, 5);
        assert_true(p.linktype == 101 || p.linktype == 12); /* LINKTYPE_RAW, or libpcap's own number for it */
        assert_int_equal(pcap_in_next(r.pcap, &p), 0);
        assert_int_equal(pcap_in_next(r.pcap, &p), 0);
        close_reader(&r);
    }
}

/* A file cut at every place: whole packets come out, then an error, or the end if the cut is between packets. */
static void test_cut_file(void **state)
{
    (void)state;
    struct build b = { .len = 0 };
    enum { HEADER = 24, RECORD = 16 + 4, PACKETS = 5 };
    add_hex(&b, "a1b2c3d4 0002 0004 00000000 00000000 00040000 00000065");
    for (int i = 0; i < PACKETS; i++)
        add_hex(&b, "6553f100 0001e240 00000004 00000004 61626364");
    for (size_t n = 0; n <= b.len; n++) {
        struct reader r;
        struct packet p;
        struct errmsg err = { "" };
        write_file(b.octets, n);
        if (open_reader(&r, &err) != 0) {
            assert_true(n < HEADER && err.text[0] != '\0');
            close_reader(&r);
            continue;
        }
        assert_true(n >= HEADER);
        int rc;
        size_t packets = 0;
        while ((rc = pcap_in_next(r.pcap, &p)) == 1)
            packets++;
        assert_int_equal(packets, (n - HEADER) / RECORD);
        assert_int_equal(rc, (n - HEADER) % RECORD == 0 ? 0 : -1);
        assert_int_equal(pcap_in_error(r.pcap)[0] != '\0', rc == -1);
        close_reader(&r);
    }
}

static void test_not_pcap(void **state)
{
    (void)state;
    struct reader r;
    struct errmsg err = { "" };
    write_file("this is not a capture file, is it?", 34);
    assert_int_equal(open_reader(&r, &err), -1);
    assert_true(err.text[0] != '\0');
    close_reader(&r);
    pcap_in_close(NULL);
}

/* ------------------------------------------------------------------------------------------------ pcap_out */

enum { MESSAGES = 300, ENDPOINTS = 3 };

/* What came back: datagrams as they come, and the stream of each ordered pair of endpoints. */
struct back {
    const struct pcap_out_message *expect;
    size_t dgrams;
    bool sctp; /* is written as such */
    uint8_t *streams[2][ENDPOINTS][ENDPOINTS];
    size_t lens[2][ENDPOINTS][ENDPOINTS];
};

static void endpoint(unsigned i, bool v6, struct hep_addr *addr, uint16_t *port)
{
    *addr = (struct hep_addr){ v6 ? 16 : 4, { 0x20, 1, 2, (uint8_t)i } };
    *port = (uint16_t)(5060 + i);
}

static void on_udp(void *arg, const struct dgram *d)
{
    struct back *back = arg;
    while (back->expect->protocol == 6)
        back->expect++;
    const struct pcap_out_message *m = back->expect++;
    assert_int_equal(d->protocol, back->sctp && m->protocol == 132 ? 132 : 17);
    assert_int_equal(d->sec, m->sec);
    assert_int_equal(d->usec, m->usec);
    assert_int_equal(d->tos, m->tos);
    assert_memory_equal(&d->src, &m->src, sizeof(d->src));
    assert_memory_equal(&d->dst, &m->dst, sizeof(d->dst));
    assert_int_equal(d->src_port, m->src_port);
    assert_int_equal(d->dst_port, m->dst_port);
    assert_int_equal(d->payload.len, m->payload.len);
    assert_memory_equal(d->payload.ptr, m->payload.ptr, m->payload.len);
    back->dgrams++;
}

static void append(struct back *back, bool v6, unsigned from, unsigned to, const uint8_t *data, size_t len)
{
    uint8_t **stream = &back->streams[v6][from][to];
    size_t *used = &back->lens[v6][from][to];
    *stream = realloc(*stream, *used + len);
    assert_non_null(*stream);
    memcpy(*stream + *used, data, len);
    *used += len;
}

static void on_data(void *arg, struct tcp_flow *flow, const uint8_t *data, size_t len, uint32_t sec, uint32_t usec)
{
    (void)sec;
    (void)usec;
    assert_false(flow->midstream);
    append(arg, flow->src.len == 16, flow->src_port - 5060U, flow->dst_port - 5060U, data, len);
}

/* Sum of the words of a packet with its pseudo-header: 0xffff if the checksums are right. Simple on purpose. */
static unsigned word_sum(uint32_t sum, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sum += (uint32_t)p[i] << (i % 2 == 0 ? 8 : 0);
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* Bit by bit: simple on purpose. */
static void assert_crc32c(const uint8_t *p, size_t len)
{
    uint32_t crc = 0xffffffff,
             told = (uint32_t)p[8] | (uint32_t)p[9] << 8 | (uint32_t)p[10] << 16 | (uint32_t)p[11] << 24;
    for (size_t i = 0; i < len; i++) {
        crc ^= i >= 8 && i < 12 ? 0 : p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
    }
    assert_int_equal(~crc, told);
}

static void assert_checksums(const struct packet *p)
{
    bool v6 = p->data.ptr[0] >> 4 == 6;
    size_t header = v6 ? 40 : 20;
    uint32_t protocol = p->data.ptr[v6 ? 6 : 9];
    uint32_t upper_len = (uint32_t)(p->data.len - header);
    if (!v6)
        assert_int_equal(word_sum(0, p->data.ptr, 20), 0xffff);
    unsigned sum = word_sum(protocol + upper_len, p->data.ptr + (v6 ? 8 : 12), v6 ? 32 : 8);
    if (protocol == 132)
        assert_crc32c(p->data.ptr + header, upper_len);
    else
        assert_int_equal(word_sum(sum, p->data.ptr + header, upper_len), 0xffff);
    assert_int_equal(be16_load(p->data.ptr + (v6 ? 4 : 2)), v6 ? upper_len : p->data.len);
    assert_int_equal(p->wire_len, p->data.len);
}

static bool to_file(void *arg, const void *octets, size_t len)
{
    return fwrite(octets, 1, len, arg) == len;
}

static void write_messages(const struct pcap_out_message *messages, size_t n, enum pcap_out_format format)
{
    struct pcap_out *out;
    struct errmsg err;
    FILE *f = fopen(path, "wb");
    const struct pcap_out_options ng = {
        .format = format, .program = "test", .sctp = true, .write = to_file, .arg = f
    };
    assert_non_null(f);
    assert_int_equal(format == PCAP_OUT_PCAP ? pcap_out_open(&out, f, &err) : pcap_out_start(&out, &ng, &err), 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(pcap_out_message(out, &messages[i]), PCAP_OUT_OK);
    assert_int_equal(pcap_out_close(out), 0);
    assert_int_equal(fclose(f), 0);
}

static void read_back(struct back *back)
{
    struct reader r;
    struct packet p;
    struct errmsg err;
    int rc;
    struct dissector *d = dissector_new(&(struct dissect_options){
        .on_udp = on_udp, .on_sctp = on_udp, .udp_arg = back, .tcp_callbacks = { .on_data = on_data, .arg = back } });
    assert_int_equal(open_reader(&r, &err), 0);
    while ((rc = pcap_in_next(r.pcap, &p)) == 1) {
        assert_checksums(&p);
        enum dissect_outcome outcome = dissect_packet(d, &p);
        assert_true(outcome == DISSECT_UDP || outcome == DISSECT_TCP || (back->sctp && outcome == DISSECT_SCTP));
    }
    assert_int_equal(rc, 0);
    dissect_finish(d);
    const struct tcp_stats *s = dissect_tcp_stats(d);
    assert_int_equal(s->gaps, 0);
    assert_int_equal(s->retransmitted_octets, 0);
    assert_int_equal(s->out_of_order, 0);
    assert_int_equal(s->dropped_octets, 0);
    dissector_free(d);
    close_reader(&r);
}

/* Random messages over UDP, TCP and SCTP, IPv4 and IPv6: written, read back, the same. */
static void round_trip(enum pcap_out_format format)
{
    static uint8_t content[150000];
    struct pcap_out_message messages[MESSAGES + 1];
    struct back want = { .expect = NULL };
    uint64_t seed = 21;
    size_t dgrams = 0;
    prng_fill(&seed, content, sizeof(content));
    for (size_t i = 0; i < MESSAGES; i++) {
        static const uint8_t protocols[] = { 6, 17, 132 };
        struct pcap_out_message *m = &messages[i];
        bool v6 = prng_below(&seed, 2);
        unsigned from = (unsigned)prng_below(&seed, ENDPOINTS);
        unsigned to = (from + 1 + (unsigned)prng_below(&seed, ENDPOINTS - 1)) % ENDPOINTS;
        *m = (struct pcap_out_message){ .sec = 1700000000 + (uint32_t)i,
                                        .usec = (uint32_t)prng_below(&seed, 1000000),
                                        .protocol = protocols[prng_below(&seed, 3)],
                                        .tos = (uint8_t)prng_next(&seed) };
        endpoint(from, v6, &m->src, &m->src_port);
        endpoint(to, v6, &m->dst, &m->dst_port);
        size_t max = i % 10 != 0 ? 2000 : m->protocol == 6 ? sizeof(content) : m->protocol == 132 ? 65485 : 65508;
        m->payload = (struct hep_slice){ content, prng_below(&seed, max) };
        m->comment = (struct hep_slice){ (const uint8_t *)"a comment", i % 10 };
        dgrams += m->protocol != 6;
        if (m->protocol == 6 && m->payload.len > 0)
            append(&want, v6, from, to, m->payload.ptr, m->payload.len);
    }
    write_messages(messages, MESSAGES, format);
    messages[MESSAGES] = (struct pcap_out_message){ .protocol = 0 }; /* ends the search in on_udp() */
    struct back got = { .expect = messages, .sctp = format == PCAP_OUT_PCAPNG };
    read_back(&got);
    assert_int_equal(got.dgrams, dgrams);
    for (int v6 = 0; v6 < 2; v6++) {
        for (int from = 0; from < ENDPOINTS; from++) {
            for (int to = 0; to < ENDPOINTS; to++) {
                size_t len = want.lens[v6][from][to];
                assert_int_equal(got.lens[v6][from][to], len);
                if (len > 0)
                    assert_memory_equal(got.streams[v6][from][to], want.streams[v6][from][to], len);
                free(got.streams[v6][from][to]);
                free(want.streams[v6][from][to]);
            }
        }
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    round_trip(PCAP_OUT_PCAP);
    round_trip(PCAP_OUT_PCAPNG);
}

/* A datagram of 3 octets with a comment, octet by octet. */
static void test_pcapng_blocks(void **state)
{
    (void)state;
    struct pcap_out_message m = { .sec = 1700000000,
                                  .usec = 123456,
                                  .protocol = 17,
                                  .src = { 4, { 10, 0, 0, 1 } },
                                  .dst = { 4, { 10, 0, 0, 2 } },
                                  .src_port = 5060,
                                  .dst_port = 5061,
                                  .payload = { (const uint8_t *)"abc", 3 },
                                  .comment = { (const uint8_t *)"hello", 5 } };
    struct build b = { .len = 0 };
    uint8_t got[256];
    write_messages(&m, 1, PCAP_OUT_PCAPNG);
    add_hex(&b, "0a0d0d0a 00000028 1a2b3c4d 0001 0000 ffffffffffffffff 0004 0004 74657374 00000000 00000028"
                "00000001 00000014 0065 0000 00040000 00000014"
                "00000006 00000050 00000000 00060a24 18202240 0000001f 0000001f"
                "4500001f 00004000 401126cc 0a000001 0a000002 13c4 13c5 000b ffe9 616263 00"
                "0001 0005 68656c6c6f 000000 00000000 00000050");
    FILE *f = fopen(path, "rb");
    size_t n = fread(got, 1, sizeof(got), f);
    (void)fclose(f);
    assert_int_equal(n, b.len);
    assert_memory_equal(got, b.octets, n);
}

/* A comment that is too long ends behind a whole character. */
static void test_long_comment(void **state)
{
    (void)state;
    char comment[PCAP_OUT_COMMENT_MAX + 3];
    struct pcap_out_message m = { .protocol = 17, .comment = { (const uint8_t *)comment, sizeof(comment) } };
    struct reader r;
    struct packet p;
    struct errmsg err;
    for (size_t i = 0; i < sizeof(comment); i += 3)
        memcpy(comment + i, "\xe2\x82\xac", sizeof(comment) - i < 3 ? sizeof(comment) - i : 3);
    endpoint(0, false, &m.src, &m.src_port);
    endpoint(1, false, &m.dst, &m.dst_port);
    write_messages(&m, 1, PCAP_OUT_PCAPNG);
    assert_int_equal(open_reader(&r, &err), 0);
    assert_int_equal(pcap_in_next(r.pcap, &p), 1);
    assert_int_equal(pcap_in_next(r.pcap, &p), 0);
    close_reader(&r);
    FILE *f = fopen(path, "rb");
    (void)fseek(f, 40 + 20 + 28 + 28, SEEK_SET);
    uint8_t option[4];
    assert_int_equal(fread(option, 1, 4, f), 4);
    assert_int_equal(be16_load(option), 1);
    assert_int_equal(be16_load(option + 2), PCAP_OUT_COMMENT_MAX / 3 * 3);
    (void)fclose(f);
}

static void test_handshake(void **state)
{
    (void)state;
    struct pcap_out_message m[3] = { { .protocol = 6, .payload = { (const uint8_t *)"abc", 3 } } };
    endpoint(0, false, &m[0].src, &m[0].src_port);
    endpoint(1, false, &m[0].dst, &m[0].dst_port);
    m[1] = m[0];
    endpoint(1, false, &m[1].src, &m[1].src_port);
    endpoint(0, false, &m[1].dst, &m[1].dst_port);
    m[2] = m[0];
    write_messages(m, 3, PCAP_OUT_PCAP);
    static const struct {
        uint8_t flags;
        int seq, ack; /* relative to the initial numbers of the client and the server */
        bool client;
    } expect[] = { { 0x02, 0, -1, true }, { 0x12, 0, 1, false }, { 0x10, 1, 1, true },
                   { 0x18, 1, 1, true },  { 0x18, 1, 4, false }, { 0x18, 4, 4, true } };
    struct reader r;
    struct packet p;
    struct errmsg err;
    uint32_t isn[2] = { 0, 0 };
    assert_int_equal(open_reader(&r, &err), 0);
    for (size_t i = 0; i < sizeof(expect) / sizeof(expect[0]); i++) {
        assert_int_equal(pcap_in_next(r.pcap, &p), 1);
        const uint8_t *tcp = p.data.ptr + 20;
        bool client = expect[i].client;
        assert_int_equal(be16_load(tcp), client ? 5060 : 5061);
        assert_int_equal(tcp[13], expect[i].flags);
        if (i < 2)
            isn[client] = be32_load(tcp + 4);
        assert_int_equal(be32_load(tcp + 4) - isn[client], expect[i].seq);
        assert_int_equal(expect[i].ack < 0 ? 0 : be32_load(tcp + 8) - isn[!client] - (uint32_t)expect[i].ack, 0);
    }
    assert_int_equal(pcap_in_next(r.pcap, &p), 0);
    close_reader(&r);
}

static void test_refused(void **state)
{
    (void)state;
    static uint8_t content[65528];
    struct pcap_out_message good = { .protocol = 17, .payload = { content, 65507 } };
    endpoint(0, false, &good.src, &good.src_port);
    endpoint(1, false, &good.dst, &good.dst_port);
    struct pcap_out *out;
    struct errmsg err;
    FILE *f = fopen(path, "wb");
    assert_int_equal(pcap_out_open(&out, f, &err), 0);
    struct pcap_out_message m = good;
    m.payload.len = 65508;
    assert_int_equal(pcap_out_message(out, &m), PCAP_OUT_TOO_LONG);
    m = good;
    m.src.len = 0;
    assert_int_equal(pcap_out_message(out, &m), PCAP_OUT_ADDRESS);
    m.dst.len = 0;
    assert_int_equal(pcap_out_message(out, &m), PCAP_OUT_ADDRESS);
    m = good;
    m.dst.len = 16;
    assert_int_equal(pcap_out_message(out, &m), PCAP_OUT_ADDRESS);
    m.src.len = 16;
    m.payload.len = 65528;
    assert_int_equal(pcap_out_message(out, &m), PCAP_OUT_TOO_LONG);
    m.payload.len = 65527;
    assert_int_equal(pcap_out_message(out, &m), PCAP_OUT_OK);
    assert_int_equal(pcap_out_message(out, &good), PCAP_OUT_OK);
    assert_int_equal(pcap_out_close(out), 0);
    assert_int_equal(ftell(f), 24 + 16 + 65535 + 40 + 16 + 65535); /* nothing of what was refused */
    assert_int_equal(fclose(f), 0);
}

static void test_disk_full(void **state)
{
    (void)state;
    static uint8_t content[60000];
    struct pcap_out_message m = { .protocol = 17, .payload = { content, sizeof(content) } };
    struct pcap_out *out;
    struct errmsg err;
    FILE *f = fopen("/dev/full", "wb");
    if (f == NULL)
        skip();
    endpoint(0, false, &m.src, &m.src_port);
    endpoint(1, false, &m.dst, &m.dst_port);
    assert_int_equal(pcap_out_open(&out, f, &err), 0); /* still in the buffer */
    assert_int_equal(pcap_out_message(out, &m), PCAP_OUT_WRITE);
    assert_int_equal(pcap_out_message(out, &m), PCAP_OUT_WRITE);
    assert_int_equal(pcap_out_close(out), -1);
    assert_int_equal(pcap_out_close(NULL), 0);
    (void)fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probe),        cmocka_unit_test(test_formats),   cmocka_unit_test(test_cut_file),
        cmocka_unit_test(test_not_pcap),     cmocka_unit_test(test_handshake), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_disk_full),    cmocka_unit_test(test_refused),   cmocka_unit_test(test_pcapng_blocks),
        cmocka_unit_test(test_long_comment),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
