/* Octets of the WAL: names of segments, their header, records. Private to the folder. docs/durability.md says why. */
#ifndef WAL_FORMAT_H
#define WAL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wal/wal.h"

#define WAL_HEADER_COPY   64 /* the header stands twice at the beginning: one flipped octet must not cost a segment */
#define WAL_HEADER_SIZE   (2 * WAL_HEADER_COPY)
#define WAL_RECORD_HEADER 56
#define WAL_ALIGN         8 /* records begin at multiples of this */
#define WAL_RECORD_MAX    ((WAL_RECORD_HEADER + WAL_FRAME_MAX + WAL_ALIGN - 1) / WAL_ALIGN * WAL_ALIGN)
#define WAL_NAME_MAX      40

struct wal_segment_header {
    uint16_t version;
    uint32_t worker;
    uint64_t node;
    uint64_t segment;
    uint64_t first_seq; /* no record has a lower number */
    uint64_t created_us;
    uint64_t salt; /* random: makes a record of another segment, or one forged in a frame, fail its checksum here */
};

/* "007-0000000042.wal" */
void wal_segment_name(char out[WAL_NAME_MAX], uint32_t worker, uint64_t segment);
bool wal_segment_parse(const char *name, struct wal_position *ret);

void wal_header_encode(uint8_t out[WAL_HEADER_SIZE], const struct wal_segment_header *h);

/* 0, -EBADMSG if neither copy is whole, -ENOTSUP if one is, of another version (then h->version is set). */
int wal_header_decode(const uint8_t *data, size_t len, struct wal_segment_header *h);

/* Writes wal_record_size(r->len) octets with number `seq` instead of r->seq. */
void wal_record_encode(uint8_t *out, const struct wal_record *r, uint64_t seq, uint64_t salt);

/* Looks at a record's header: octets of the whole record if it can be one, else 0. `data` has WAL_RECORD_HEADER octets.
 */
size_t wal_record_peek(const uint8_t *data, uint64_t salt);

/* Decodes a whole record of `size` octets, as wal_record_peek() said; false if the checksum says no. */
bool wal_record_decode(const uint8_t *data, size_t size, uint64_t salt, struct wal_record *ret);

#endif
