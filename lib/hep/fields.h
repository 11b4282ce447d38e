/*
 * The table of generic chunks: one row a chunk type, read by decoder, encoder, JSON and documentation alike, and the
 * few helpers that reach a field of struct hep_msg through it.
 */
#ifndef HEP_FIELDS_H
#define HEP_FIELDS_H

#include "hep/hep.h"

extern const struct hep_field hep_fields[HEP_CHUNK_GENERIC_MAX + 1];

/* Chunk types that have a field. 0 and the reserved 0x19..0x1f have none. */
#define FIELDS_KNOWN ((((UINT64_C(1) << (HEP_CHUNK_GENERIC_MAX + 1)) - 1) & ~UINT64_C(1)) & ~(UINT64_C(0x7f) << 0x19))

static inline bool field_known(unsigned type)
{
    return type <= HEP_CHUNK_GENERIC_MAX && (FIELDS_KNOWN >> type & 1) != 0;
}

/* Octets of a number of this kind on the wire; 0 for octets. */
static inline size_t kind_size(enum hep_kind kind)
{
    static const uint8_t sizes[] = {
        [HEP_KIND_OCTETS] = 0, [HEP_KIND_U8] = 1,  [HEP_KIND_U16] = 2,  [HEP_KIND_U32] = 4,
        [HEP_KIND_U64] = 8,    [HEP_KIND_IP4] = 4, [HEP_KIND_IP6] = 16, [HEP_KIND_MAC] = 8,
    };
    return sizes[kind];
}

static inline const void *field_at(const struct hep_msg *msg, unsigned type)
{
    return (const uint8_t *)msg + hep_fields[type].offset;
}

static inline void *field_at_mut(struct hep_msg *msg, unsigned type)
{
    return (uint8_t *)msg + hep_fields[type].offset;
}

#endif
