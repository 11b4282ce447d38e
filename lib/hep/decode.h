/* What the decoders of the three forms share. */
#ifndef HEP_DECODE_H
#define HEP_DECODE_H

#include "hep/hep.h"

/* Notes the quirk bits. HEP_OK, or HEP_ERR_QUIRK at `offset` if one of them is not tolerated. */
int quirk_met(struct hep_msg *msg, const struct hep_options *options, uint32_t bits, size_t offset);

/* Notes where decoding stopped and returns `error`. */
int decode_error(struct hep_msg *msg, int error, size_t offset);

/* Octets of an address in a version 1/2 header, 0 if that cannot be known. */
size_t legacy_address_size(uint8_t family, uint8_t header_len);

int decode_legacy(const uint8_t *data, size_t len, const struct hep_options *options, struct hep_msg *msg);

/* Key of field 1 as a varint: what a protobuf message of heplify starts with. */
#define PROTOBUF_FIRST_OCTET 0x08
int decode_protobuf(const uint8_t *data, size_t len, const struct hep_options *options, struct hep_msg *msg);

#endif
