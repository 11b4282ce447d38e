#include "wal/format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "base/le.h"
#include "base/num.h"

static const uint8_t magic[8] = { 'H', 'E', 'P', 'C', 'A', 'T', 'W', 'L' };

/* ------------------------------------------------------------------------------------------------ names */

#define WORKER_DIGITS  3
#define SEGMENT_DIGITS 10

void wal_segment_name(char out[WAL_NAME_MAX], uint32_t worker, uint64_t segment)
{
    (void)snprintf(out, WAL_NAME_MAX, "%0*" PRIu32 "-%0*" PRIu64 ".wal", WORKER_DIGITS, worker, SEGMENT_DIGITS,
                   segment);
}

bool wal_segment_parse(const char *name, struct wal_position *ret)
{
    const char *dash = strchr(name, '-');
    const char *dot = strchr(name, '.');
    uint64_t worker, segment;
    if (dash == NULL || dot == NULL || dash > dot || strcmp(dot, ".wal") != 0)
        return false;
    if (!num_parse(name, (size_t)(dash - name), WAL_WRITERS_MAX - 1, &worker) ||
        !num_parse(dash + 1, (size_t)(dot - dash - 1), UINT64_MAX, &segment))
        return false;
    *ret = (struct wal_position){ (uint32_t)worker, segment };
    return true;
}

/* ------------------------------------------------------------------------------------------------ header */

void wal_header_encode(uint8_t out[WAL_HEADER_SIZE], const struct wal_segment_header *h)
{
    memset(out, 0, WAL_HEADER_SIZE);
    memcpy(out, magic, sizeof(magic));
    le16_put(out + 8, h->version);
    le16_put(out + 10, WAL_HEADER_COPY);
    le32_put(out + 12, h->worker);
    le64_put(out + 16, h->node);
    le64_put(out + 24, h->segment);
    le64_put(out + 32, h->first_seq);
    le64_put(out + 40, h->created_us);
    le64_put(out + 48, h->salt);
    le64_put(out + 56, XXH3_64bits(out, 56));
    memcpy(out + WAL_HEADER_COPY, out, WAL_HEADER_COPY);
}

static int decode_copy(const uint8_t *data, size_t len, struct wal_segment_header *h)
{
    const uint8_t *p;
    struct rd r;
    rd_init(&r, data, len);
    if (!rd_take(&r, WAL_HEADER_COPY, &p) || memcmp(p, magic, sizeof(magic)) != 0 ||
        XXH3_64bits(p, 56) != le64_load(p + 56))
        return -EBADMSG;
    *h = (struct wal_segment_header){
        .version = le16_load(p + 8),
        .worker = le32_load(p + 12),
        .node = le64_load(p + 16),
        .segment = le64_load(p + 24),
        .first_seq = le64_load(p + 32),
        .created_us = le64_load(p + 40),
        .salt = le64_load(p + 48),
    };
    return h->version == WAL_SCHEMA_VERSION ? 0 : -ENOTSUP;
}

int wal_header_decode(const uint8_t *data, size_t len, struct wal_segment_header *h)
{
    int rc = decode_copy(data, len, h);
    if (rc == -EBADMSG && len >= WAL_HEADER_COPY)
        rc = decode_copy(data + WAL_HEADER_COPY, len - WAL_HEADER_COPY, h);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ records */

/* Offsets in a record. What the checksum covers is in one piece: from SEQ to the end of the frame. */
enum { AT_MARK = 0, AT_LEN = 4, AT_SUM = 8, AT_SEQ = 16, AT_TIME = 24, AT_KIND = 32, AT_PORTS = 36, AT_PEER = 40 };

size_t wal_record_size(size_t len)
{
    return (WAL_RECORD_HEADER + len + WAL_ALIGN - 1) / WAL_ALIGN * WAL_ALIGN;
}

void wal_record_encode(uint8_t *out, const struct wal_record *r, uint64_t seq, uint64_t salt)
{
    size_t end = WAL_RECORD_HEADER + r->len;
    le32_put(out + AT_MARK, (uint32_t)salt);
    le32_put(out + AT_LEN, (uint32_t)r->len);
    le64_put(out + AT_SEQ, seq);
    le64_put(out + AT_TIME, r->time_us);
    out[AT_KIND] = r->kind;
    out[AT_KIND + 1] = r->transport;
    out[AT_KIND + 2] = r->peer.len;
    out[AT_KIND + 3] = r->flags;
    le16_put(out + AT_PORTS, r->local_port);
    le16_put(out + AT_PORTS + 2, r->peer_port);
    memcpy(out + AT_PEER, r->peer.octets, sizeof(r->peer.octets));
    if (r->len > 0)
        memcpy(out + WAL_RECORD_HEADER, r->frame, r->len);
    memset(out + end, 0, wal_record_size(r->len) - end);
    le64_put(out + AT_SUM, XXH3_64bits(out + AT_SEQ, end - AT_SEQ) ^ salt);
}

size_t wal_record_peek(const uint8_t *data, uint64_t salt)
{
    uint32_t len = le32_load(data + AT_LEN);
    return le32_load(data + AT_MARK) == (uint32_t)salt && len <= WAL_FRAME_MAX ? wal_record_size(len) : 0;
}

bool wal_record_decode(const uint8_t *data, size_t size, uint64_t salt, struct wal_record *ret)
{
    size_t len = le32_load(data + AT_LEN);
    if (len > WAL_FRAME_MAX || size != wal_record_size(len) ||
        (XXH3_64bits(data + AT_SEQ, WAL_RECORD_HEADER - AT_SEQ + len) ^ salt) != le64_load(data + AT_SUM))
        return false;
    *ret = (struct wal_record){
        .seq = le64_load(data + AT_SEQ),
        .time_us = le64_load(data + AT_TIME),
        .kind = data[AT_KIND],
        .transport = data[AT_KIND + 1],
        .peer.len = data[AT_KIND + 2],
        .flags = data[AT_KIND + 3],
        .local_port = le16_load(data + AT_PORTS),
        .peer_port = le16_load(data + AT_PORTS + 2),
        .frame = data + WAL_RECORD_HEADER,
        .len = len,
    };
    memcpy(ret->peer.octets, data + AT_PEER, sizeof(ret->peer.octets));
    return ret->seq != 0 && ret->peer.len <= sizeof(ret->peer.octets);
}
