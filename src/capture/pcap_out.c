#include "capture/pcap_out.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/lru.h"
#include "capture/ip.h"

#define LINKTYPE_RAW  101
#define SNAPLEN       262144
#define RECORD_HEADER 28 /* room before a packet: an enhanced packet block's header; a pcap record's takes 16 of it */
#define PCAP_RECORD   16
#define HEADERS_MAX   (40 + 32) /* IPv6 and a TCP header with options */
#define IP_LENGTH_MAX 65535     /* what the length fields can say: the packet (IPv4), the payload (IPv6) */

enum { FLAG_SYN = 0x02, FLAG_PSH = 0x08, FLAG_ACK = 0x10 };

/*
 * How much one side sends before a bare ACK of the other is put in, where that sends nothing itself. Below the window
 * that the handshake announces (65535 << 14).
 */
#define UNACKED_MAX (UINT32_C(512) << 20)

/* A connection, or association, seen from the endpoint whose address sorts first: side 0. */
struct connection {
    uint32_t next[2];  /* sequence number of the next octet of each side; SCTP: of its next chunk */
    uint32_t acked[2]; /* what the other side has acknowledged of it; SCTP: verification tag of each side's packets */
};

struct key {
    struct hep_addr addr[2];
    uint16_t port[2];
    uint8_t protocol;
};

struct pcap_out {
    struct pcap_out_options options;
    FILE *file; /* NULL: what options.write() does is its own business */
    struct lru *connections;
    uint32_t isn; /* of the next connection: spaced, so that reused ports are not taken for a retransmission */
    uint16_t ip_id;
    bool failed;
    uint8_t record[RECORD_HEADER + HEADERS_MAX];
};

/* ------------------------------------------------------------------------------------------------ headers */

/* Where a header is being written; the callers' buffers are as large as the headers they write. */
static uint8_t *put8(uint8_t *p, unsigned value)
{
    *p = (uint8_t)value;
    return p + 1;
}

static uint8_t *put16(uint8_t *p, unsigned value)
{
    return put8(put8(p, value >> 8 & 0xff), value & 0xff);
}

static uint8_t *put32(uint8_t *p, uint32_t value)
{
    return put16(put16(p, value >> 16), value & 0xffff);
}

static uint8_t *put_octets(uint8_t *p, const uint8_t *octets, size_t len)
{
    memcpy(p, octets, len);
    return p + len;
}

/* Sum of 16-bit words (RFC 1071). All pieces but the last have an even length. */
static uint64_t sum_words(uint64_t sum, const uint8_t *p, size_t len)
{
    for (; len >= 2; p += 2, len -= 2)
        sum += (unsigned)p[0] << 8 | p[1];
    return len > 0 ? sum + ((unsigned)p[0] << 8) : sum;
}

static unsigned fold(uint64_t sum)
{
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return (unsigned)~sum & 0xffff;
}

static uint8_t *put_ip(struct pcap_out *o, uint8_t *p, const struct pcap_out_message *m, unsigned protocol, size_t len)
{
    const uint8_t *start = p;
    if (m->src.len == 16) {
        p = put32(p, UINT32_C(6) << 28 | (uint32_t)m->tos << 20);
        p = put16(p, (unsigned)len);
        p = put8(put8(p, protocol), 64);
        return put_octets(put_octets(p, m->src.octets, 16), m->dst.octets, 16);
    }
    p = put8(put8(p, 0x45), m->tos);
    p = put16(p, (unsigned)len + 20);
    p = put16(put16(p, o->ip_id++), 0x4000); /* don't fragment: the packet may be larger than any link */
    p = put8(put8(p, 64), protocol);
    uint8_t *checksum = p;
    p = put16(p, 0);
    p = put_octets(put_octets(p, m->src.octets, 4), m->dst.octets, 4);
    (void)put16(checksum, fold(sum_words(0, start, 20)));
    return p;
}

/* Checksum of UDP or TCP with the pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1). */
static unsigned upper_checksum(const struct pcap_out_message *m, unsigned protocol, const uint8_t *header,
                               size_t header_len, struct hep_slice data)
{
    uint64_t sum = protocol + header_len + data.len;
    sum = sum_words(sum, m->src.octets, m->src.len);
    sum = sum_words(sum, m->dst.octets, m->dst.len);
    sum = sum_words(sum, header, header_len);
    return fold(sum_words(sum, data.ptr, data.len));
}

/* ------------------------------------------------------------------------------------------------ records */

static bool write_octets(struct pcap_out *o, const uint8_t *p, size_t len)
{
    if (len > 0 && !o->failed && !o->options.write(o->options.arg, p, len))
        o->failed = true;
    return !o->failed;
}

static bool write_zeros(struct pcap_out *o, size_t len)
{
    static const uint8_t zeros[4];
    return write_octets(o, zeros, len);
}

/* An option of a pcapng block (draft-ietf-opsawg-pcapng section 3.5): 4 octets, the value, padding. */
static size_t option_size(size_t len)
{
    return len == 0 ? 0 : 4 + ((len + 3) & ~(size_t)3);
}

static bool write_option(struct pcap_out *o, unsigned code, const void *value, size_t len)
{
    uint8_t head[4];
    if (len == 0)
        return true;
    (void)put16(put16(head, code), (unsigned)len);
    return write_octets(o, head, sizeof(head)) && write_octets(o, value, len) && write_zeros(o, -len & 3);
}

/* The end of the options, if there are any, and of the block. */
static bool write_block_end(struct pcap_out *o, bool options, size_t block_len)
{
    uint8_t end[8];
    uint8_t *p = options ? put32(end, 0) : end;
    p = put32(p, (uint32_t)block_len);
    return write_octets(o, end, (size_t)(p - end));
}

/* The comment without a character that is cut in the middle. */
static struct hep_slice comment_of(const struct pcap_out_message *m)
{
    struct hep_slice c = m->comment;
    if (c.len > PCAP_OUT_COMMENT_MAX)
        c.len = PCAP_OUT_COMMENT_MAX;
    while (c.len > 0 && c.len < m->comment.len && (c.ptr[c.len] & 0xc0) == 0x80)
        c.len--;
    return c;
}

/* An enhanced packet block; the packet's headers end at `end` in o->record. */
static bool write_block(struct pcap_out *o, const struct pcap_out_message *m, const uint8_t *end, struct hep_slice data,
                        size_t pad)
{
    struct hep_slice comment = comment_of(m);
    uint32_t len = (uint32_t)((size_t)(end - o->record) - RECORD_HEADER + data.len + pad);
    size_t options = comment.len > 0 ? option_size(comment.len) + 4 : 0;
    size_t block = RECORD_HEADER + ((len + 3U) & ~3U) + options + 4;
    uint64_t us = (uint64_t)m->sec * 1000000 + m->usec;
    uint8_t *p = put32(put32(put32(o->record, 6), (uint32_t)block), 0); /* of interface 0 */
    p = put32(put32(p, (uint32_t)(us >> 32)), (uint32_t)us);
    (void)put32(put32(p, len), len);
    return write_octets(o, o->record, (size_t)(end - o->record)) && write_octets(o, data.ptr, data.len) &&
           write_zeros(o, pad) && write_zeros(o, -(size_t)len & 3) && write_option(o, 1, comment.ptr, comment.len) &&
           write_block_end(o, options > 0, block);
}

/* Writes the record whose packet headers end at `end` in o->record, the data behind them, and `pad` zeros (below 4). */
static enum pcap_out_result write_record(struct pcap_out *o, const struct pcap_out_message *m, const uint8_t *end,
                                         struct hep_slice data, size_t pad)
{
    if (o->options.format == PCAP_OUT_PCAPNG)
        return write_block(o, m, end, data, pad) ? PCAP_OUT_OK : PCAP_OUT_WRITE;
    uint8_t *start = o->record + RECORD_HEADER - PCAP_RECORD;
    size_t headers = (size_t)(end - start);
    uint32_t len = (uint32_t)(headers - PCAP_RECORD + data.len + pad);
    uint8_t *p = put32(put32(start, m->sec + m->usec / 1000000), m->usec % 1000000);
    (void)put32(put32(p, len), len);
    bool written = write_octets(o, start, headers) && write_octets(o, data.ptr, data.len) && write_zeros(o, pad);
    return written ? PCAP_OUT_OK : PCAP_OUT_WRITE;
}

static enum pcap_out_result write_udp(struct pcap_out *o, const struct pcap_out_message *m)
{
    size_t len = m->payload.len + 8;
    if (len > IP_LENGTH_MAX - (m->src.len == 4 ? 20U : 0U))
        return PCAP_OUT_TOO_LONG;
    uint8_t *udp = put_ip(o, o->record + RECORD_HEADER, m, IP_PROTOCOL_UDP, len);
    uint8_t *p = put16(put16(put16(udp, m->src_port), m->dst_port), (unsigned)len);
    uint8_t *end = put16(p, 0);
    unsigned checksum = upper_checksum(m, IP_PROTOCOL_UDP, udp, 8, m->payload);
    (void)put16(p, checksum != 0 ? checksum : 0xffff); /* zero means none (RFC 768) */
    return write_record(o, m, end, m->payload, 0);
}

/* Most octets of data in one segment. */
static size_t segment_max(const struct pcap_out_message *m)
{
    return IP_LENGTH_MAX - 20 - (m->src.len == 4 ? 20U : 0U);
}

/*
 * Options of a SYN: the largest segment size (RFC 9293 section 3.2), and a window scale of 14 (RFC 7323), so that no
 * reader finds the window full.
 */
static uint8_t *put_syn_options(uint8_t *p, size_t mss)
{
    p = put16(put8(put8(p, 2), 4), (unsigned)mss);
    p = put8(put8(put8(p, 3), 3), 14);
    return put8(p, 0); /* end of the list */
}

static enum pcap_out_result write_segment(struct pcap_out *o, const struct pcap_out_message *m, uint32_t seq,
                                          uint32_t ack, unsigned flags, struct hep_slice data)
{
    size_t header = (flags & FLAG_SYN) != 0 ? 28 : 20;
    uint8_t *tcp = put_ip(o, o->record + RECORD_HEADER, m, IP_PROTOCOL_TCP, header + data.len);
    uint8_t *p = put16(put16(tcp, m->src_port), m->dst_port);
    p = put32(put32(p, seq), ack);
    p = put8(put8(p, (unsigned)header << 2), flags);
    uint8_t *checksum = put16(p, 0xffff);
    uint8_t *end = put32(checksum, 0); /* checksum and urgent pointer */
    if ((flags & FLAG_SYN) != 0)
        end = put_syn_options(end, segment_max(m));
    (void)put16(checksum, upper_checksum(m, IP_PROTOCOL_TCP, tcp, header, data));
    return write_record(o, m, end, data, 0);
}

/* ------------------------------------------------------------------------------------------------ TCP */

static int compare_ends(const struct pcap_out_message *m)
{
    int order = memcmp(m->src.octets, m->dst.octets, sizeof(m->src.octets));
    return order != 0 ? order : (int)m->src_port - (int)m->dst_port;
}

/* Key of the connection; *ret_side is the side of the sender. */
static void make_key(const struct pcap_out_message *m, struct key *ret, unsigned *ret_side)
{
    unsigned side = compare_ends(m) > 0;
    memset(ret, 0, sizeof(*ret));
    ret->addr[side] = m->src;
    ret->port[side] = m->src_port;
    ret->protocol = m->protocol;
    ret->addr[!side] = m->dst;
    ret->port[!side] = m->dst_port;
    *ret_side = side;
}

/* The same without the comment, which belongs to one packet. */
static struct pcap_out_message silent(const struct pcap_out_message *m)
{
    struct pcap_out_message copy = *m;
    copy.comment = (struct hep_slice){ NULL, 0 };
    return copy;
}

static struct pcap_out_message reversed(const struct pcap_out_message *m)
{
    struct pcap_out_message back = silent(m);
    back.src = m->dst;
    back.dst = m->src;
    back.src_port = m->dst_port;
    back.dst_port = m->src_port;
    return back;
}

/* SYN, SYN-ACK, ACK: the sender of the first message is the client. */
static enum pcap_out_result open_connection(struct pcap_out *o, const struct pcap_out_message *m, struct connection *c,
                                            unsigned side)
{
    static const struct hep_slice nothing = { NULL, 0 };
    struct pcap_out_message there = silent(m), back = reversed(m);
    uint32_t client = o->isn;
    uint32_t server = o->isn + 0x40000000;
    o->isn += 0x01000193;
    c->next[side] = c->acked[side] = client + 1;
    c->next[!side] = c->acked[!side] = server + 1;
    enum pcap_out_result result = write_segment(o, &there, client, 0, FLAG_SYN, nothing);
    if (result == PCAP_OUT_OK)
        result = write_segment(o, &back, server, client + 1, FLAG_SYN | FLAG_ACK, nothing);
    if (result == PCAP_OUT_OK)
        result = write_segment(o, &there, client + 1, server + 1, FLAG_ACK, nothing);
    return result;
}

static enum pcap_out_result acknowledge(struct pcap_out *o, const struct pcap_out_message *m, struct connection *c,
                                        unsigned side)
{
    if (c->next[side] - c->acked[side] < UNACKED_MAX)
        return PCAP_OUT_OK;
    struct pcap_out_message back = reversed(m);
    c->acked[side] = c->next[side];
    return write_segment(o, &back, c->next[!side], c->next[side], FLAG_ACK, (struct hep_slice){ NULL, 0 });
}

static enum pcap_out_result write_data(struct pcap_out *o, const struct pcap_out_message *m, struct connection *c,
                                       unsigned side)
{
    size_t max = segment_max(m);
    const struct pcap_out_message further = silent(m);
    struct hep_slice rest = m->payload;
    enum pcap_out_result result = PCAP_OUT_OK;
    while (rest.len > 0 && result == PCAP_OUT_OK) {
        struct hep_slice part = { rest.ptr, rest.len < max ? rest.len : max };
        result = write_segment(o, m, c->next[side], c->next[!side], FLAG_PSH | FLAG_ACK, part);
        c->next[side] += (uint32_t)part.len;
        c->acked[!side] = c->next[!side];
        rest = (struct hep_slice){ rest.ptr + part.len, rest.len - part.len };
        if (result == PCAP_OUT_OK)
            result = acknowledge(o, m, c, side);
        m = &further;
    }
    return result;
}

static enum pcap_out_result write_tcp(struct pcap_out *o, const struct pcap_out_message *m)
{
    struct key key;
    unsigned side;
    make_key(m, &key, &side);
    bool is_new;
    struct connection *c = lru_put(o->connections, &key, m->sec, &is_new);
    if (c == NULL)
        return PCAP_OUT_NO_MEMORY;
    enum pcap_out_result result = is_new ? open_connection(o, m, c, side) : PCAP_OUT_OK;
    return result == PCAP_OUT_OK ? write_data(o, m, c, side) : result;
}

/* ------------------------------------------------------------------------------------------------ SCTP */

/* CRC32c (RFC 9260 appendix A), four bits at a time. */
static uint32_t crc32c(uint32_t crc, const uint8_t *p, size_t len)
{
    static const uint32_t table[16] = { 0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
                                        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75 };
    for (size_t i = 0; i < len; i++) {
        crc = crc >> 4 ^ table[(crc ^ p[i]) & 15];
        crc = crc >> 4 ^ table[(crc ^ p[i] >> 4) & 15];
    }
    return crc;
}

/* The lowest octet first, as this checksum goes. */
static void put_crc(uint8_t *p, uint32_t crc)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(crc >> 8 * i);
}

/* Numbers and tags differ from association to association: readers tell them apart by these, not by addresses. */
static void open_association(struct pcap_out *o, struct connection *c)
{
    c->next[0] = c->acked[0] = o->isn;
    c->next[1] = c->acked[1] = o->isn + 0x40000000;
    o->isn += 0x01000193;
}

/* Common header and one unordered DATA chunk that is a whole message (RFC 9260 sections 3.1 and 3.3.1). */
static enum pcap_out_result write_sctp(struct pcap_out *o, const struct pcap_out_message *m)
{
    static const uint8_t zeros[4];
    struct key key;
    unsigned side;
    bool is_new;
    size_t pad = -m->payload.len & 3;
    size_t len = 28 + m->payload.len;
    if (len + pad > IP_LENGTH_MAX - (m->src.len == 4 ? 20U : 0U))
        return PCAP_OUT_TOO_LONG;
    make_key(m, &key, &side);
    struct connection *c = lru_put(o->connections, &key, m->sec, &is_new);
    if (c == NULL)
        return PCAP_OUT_NO_MEMORY;
    if (is_new)
        open_association(o, c);
    uint8_t *sctp = put_ip(o, o->record + RECORD_HEADER, m, IP_PROTOCOL_SCTP, len + pad);
    uint8_t *p = put32(put16(put16(sctp, m->src_port), m->dst_port), c->acked[side]); /* verification tag */
    uint8_t *checksum = p;
    p = put16(put8(put8(put32(p, 0), 0), 0x07), (unsigned)(16 + m->payload.len));
    uint8_t *end = put32(put32(put32(p, ++c->next[side]), 0), 0); /* TSN; stream; no payload protocol */
    uint32_t crc = crc32c(0xffffffff, sctp, (size_t)(end - sctp));
    crc = crc32c(crc32c(crc, m->payload.ptr, m->payload.len), zeros, pad);
    put_crc(checksum, ~crc);
    return write_record(o, m, end, m->payload, pad);
}

/* ------------------------------------------------------------------------------------------------ interface */

static bool write_pcap_head(struct pcap_out *o)
{
    uint8_t header[24];
    uint8_t *p = put16(put16(put32(header, 0xa1b2c3d4), 2), 4); /* magic, version 2.4 */
    p = put32(put32(p, 0), 0);
    (void)put32(put32(p, SNAPLEN), LINKTYPE_RAW);
    return write_octets(o, header, sizeof(header));
}

/* Section header and interface description; without an option for it, times are in microseconds. */
static bool write_pcapng_head(struct pcap_out *o)
{
    size_t name = o->options.program == NULL ? 0 : strlen(o->options.program);
    uint8_t section[24], interface[20];
    size_t len = sizeof(section) + (name > 0 ? option_size(name) + 4 : 0) + 4;
    uint8_t *p = put32(put32(put32(section, 0x0a0d0d0a), (uint32_t)len), 0x1a2b3c4d);
    (void)put32(put32(put16(put16(p, 1), 0), 0xffffffff), 0xffffffff); /* version 1.0; length not told */
    p = put16(put16(put32(put32(interface, 1), sizeof(interface)), LINKTYPE_RAW), 0);
    (void)put32(put32(p, SNAPLEN), sizeof(interface));
    return write_octets(o, section, sizeof(section)) && write_option(o, 4, o->options.program, name) &&
           write_block_end(o, name > 0, len) && write_octets(o, interface, sizeof(interface));
}

int pcap_out_start(struct pcap_out **ret, const struct pcap_out_options *options, struct errmsg *err)
{
    struct pcap_out *o = calloc(1, sizeof(*o));
    if (o == NULL)
        return errmsg_set(err, "out of memory");
    o->options = *options;
    o->isn = 0x00010000;
    o->connections = lru_new(&(struct lru_options){
        .key_size = sizeof(struct key), .value_size = sizeof(struct connection), .capacity = PCAP_OUT_FLOWS });
    if (o->connections == NULL) {
        free(o);
        return errmsg_set(err, "out of memory");
    }
    if (!(o->options.format == PCAP_OUT_PCAPNG ? write_pcapng_head : write_pcap_head)(o)) {
        (void)pcap_out_close(o);
        return errmsg_set(err, "cannot write the pcap header");
    }
    *ret = o;
    return 0;
}

static bool write_file(void *arg, const void *octets, size_t len)
{
    return fwrite(octets, 1, len, arg) == len;
}

int pcap_out_open(struct pcap_out **ret, FILE *file, struct errmsg *err)
{
    const struct pcap_out_options options = { .write = write_file, .arg = file };
    if (pcap_out_start(ret, &options, err) != 0)
        return -1;
    (*ret)->file = file;
    return 0;
}

enum pcap_out_result pcap_out_message(struct pcap_out *o, const struct pcap_out_message *m)
{
    if (m->src.len != m->dst.len || (m->src.len != 4 && m->src.len != 16))
        return PCAP_OUT_ADDRESS;
    if (o->failed)
        return PCAP_OUT_WRITE;
    if (m->protocol == IP_PROTOCOL_SCTP && o->options.sctp)
        return write_sctp(o, m);
    return m->protocol == IP_PROTOCOL_TCP ? write_tcp(o, m) : write_udp(o, m);
}

int pcap_out_close(struct pcap_out *o)
{
    if (o == NULL)
        return 0;
    int rc = (o->file == NULL || fflush(o->file) == 0) && !o->failed ? 0 : -1;
    lru_free(o->connections);
    free(o);
    return rc;
}

const char *pcap_out_strerror(enum pcap_out_result result)
{
    switch (result) {
    case PCAP_OUT_OK:
        return "success";
    case PCAP_OUT_ADDRESS:
        return "source and destination are not two addresses of one IP version";
    case PCAP_OUT_TOO_LONG:
        return "does not fit one packet";
    case PCAP_OUT_WRITE:
        return "cannot write";
    case PCAP_OUT_NO_MEMORY:
        return "out of memory";
    default:
        return "unknown error";
    }
}
