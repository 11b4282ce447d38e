/* What writing and reading share. */
#ifndef HEPJSON_COMMON_H
#define HEPJSON_COMMON_H

#include "hep/hep.h"

/*
 * Fills in what hep-js fills in when it packs a message: zero for absent numbers, 127.0.0.1 for absent addresses, the
 * capture id as the node name, MOS 0 for the report types. node_text is room for that name.
 */
void common_defaults(struct hep_msg *msg, char node_text[20]);

/* Octets of a number of this kind on the wire; 0 for anything but a number. */
size_t common_kind_size(enum hep_kind kind);

/* Sorts vendor chunks as hep-js writes them: by vendor, then by type. */
void common_sort(struct hep_chunk *chunks, size_t count);

/* How a version 1/2 frame differs from the standard form. */
struct legacy_form {
    uint8_t header_len;
    bool big_endian; /* time header in network order */
    bool no_pad;     /* without the two octets of padding */
    uint8_t pad[2];
    size_t nuls; /* NUL octets behind the payload */
};

/* The form of a decoded version 1/2 message. */
struct legacy_form common_legacy_form(const struct hep_msg *msg);

/* Encodes a version 1/2 message in that form. Errors as hep_encode(). */
int common_legacy_encode(const struct hep_msg *msg, const struct legacy_form *form, uint8_t *buf, size_t cap,
                         size_t *ret_len);

#endif
