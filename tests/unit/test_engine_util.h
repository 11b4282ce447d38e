/*
 * HEP frames for tests of the engine over the real lake: message number n is the same each time it is made, so that
 * what comes back can be compared octet by octet.
 */
#ifndef TEST_ENGINE_UTIL_H
#define TEST_ENGINE_UTIL_H

#include "engine/engine.h"
#include "testlib.h"

#define MESSAGE_MAX 2000u

struct message {
    enum record_table table;
    char payload[MESSAGE_MAX];
    size_t len;
    uint8_t octets[MESSAGE_MAX + 200];
    struct sink_frame frame;
};

/* SIP mostly, of very different lengths; the number stands in the text. */
static inline void message_payload(struct message *m, uint64_t n)
{
    uint64_t random = n;
    size_t filler = prng_below(&random, 10) == 0 ? 1200 : prng_below(&random, 200);
    int len = snprintf(m->payload, sizeof(m->payload),
                       "INVITE sip:%llu@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK%llx\r\n"
                       "From: <sip:+1555%llu@example.org>;tag=%llx\r\nTo: <sip:%llu@example.org>\r\n"
                       "Call-ID: call-%llu@example.org\r\nCSeq: %llu INVITE\r\nContent-Length: %zu\r\n\r\n",
                       (unsigned long long)n, (unsigned long long)prng_next(&random), (unsigned long long)n % 1000,
                       (unsigned long long)n, (unsigned long long)n, (unsigned long long)n / 7,
                       (unsigned long long)n % 1000000, filler);
    memset(m->payload + len, (int)('a' + n % 26), filler);
    m->len = (size_t)len + filler;
}

static inline void message_make(struct message *m, uint64_t n, int64_t received_us)
{
    static const struct {
        enum record_table table;
        uint8_t type;
    } kinds[] = { { RECORD_SIP, HEP_TYPE_SIP },    { RECORD_SIP, HEP_TYPE_SIP }, { RECORD_MEDIA, HEP_TYPE_RTCP },
                  { RECORD_SIP, HEP_TYPE_SIP },    { RECORD_LOG, HEP_TYPE_LOG }, { RECORD_SIP, HEP_TYPE_SIP },
                  { RECORD_OTHER, HEP_TYPE_ISUP }, { RECORD_SIP, HEP_TYPE_SIP } };
    const uint8_t src[4] = { 10, 0, 0, (uint8_t)n }, dst[4] = { 10, 0, 1, (uint8_t)(n / 3) };
    struct hep_msg msg;
    m->table = kinds[n % COUNT_OF(kinds)].table;
    message_payload(m, n);
    hep_msg_init(&msg, kinds[n % COUNT_OF(kinds)].type);
    hep_set_src(&msg, src, 4, 5060);
    hep_set_dst(&msg, dst, 4, 5060);
    hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, m->payload, m->len);
    bool import = n % 16 == 5;
    m->frame = (struct sink_frame){ .data = m->octets,
                                    .received_us = received_us,
                                    .peer = { import ? 0 : 4, { 192, 0, 2, (uint8_t)(n % 5) } },
                                    .peer_port = 9060,
                                    .transport = import ? RECORD_FILE : RECORD_TCP,
                                    .source = import ? RECORD_IMPORT : RECORD_NETWORK };
    assert_int_equal(hep_encode(&msg, m->octets, sizeof(m->octets), &m->frame.len), HEP_OK);
}

/* As ingest does: the row is made from the octets. */
static inline enum sink_result message_put(const struct sink *sink, unsigned writer, struct record_reader *reader,
                                           const struct message *m, uint64_t *ret_seq)
{
    struct hep_msg msg;
    struct record record;
    assert_int_equal(record_read_hep(reader, &m->frame, &msg), HEP_OK);
    record_make(reader, &m->frame, &msg, &record);
    return sink_append(sink, writer, &m->frame, &record, ret_seq);
}

#endif
