/*
 * libhep-zlib: compressed payloads (chunk 0x0010) and whole frames in gzip, beside libhep because it needs zlib.
 *
 * Senders mean different things by "compressed" (HEP3 spec says "gzip/inflate" and no more): captagent sends a zlib
 * stream, OpenSIPS gzip, hep-swift raw DEFLATE, and heplify 2 puts gzip around the whole frame. All are read here, told
 * apart by their first octets, and never beyond a limit.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HEP_ZLIB_H
#define HEP_ZLIB_H

#include "hep/hep.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Largest inflated payload or frame by default, octets. */
#define HEP_ZLIB_LIMIT_DEFAULT (1u << 20)

enum hep_zlib_format { HEP_ZLIB_ZLIB, HEP_ZLIB_GZIP, HEP_ZLIB_DEFLATE };

/*
 * Working memory: the state of zlib and one output buffer, both kept from call to call. One per thread. The output of
 * a call is valid until the next call with the same handle.
 */
struct hep_zlib;

/* limit: most octets that anything may inflate to; 0 for the default. NULL if memory is out. */
HEP_API struct hep_zlib *hep_zlib_new(size_t limit);
HEP_API void hep_zlib_free(struct hep_zlib *z); /* NULL is fine */

/*
 * Inflates a whole stream whose format its first octets tell. Octets behind the end of the stream are an error.
 * HEP_OK, HEP_ERR_INFLATE, HEP_ERR_INFLATE_LIMIT (given up before more memory is taken) or HEP_ERR_NO_MEMORY.
 */
HEP_API int hep_zlib_inflate(struct hep_zlib *z, struct hep_slice in, struct hep_slice *out,
                             enum hep_zlib_format *ret_format);

/*
 * Makes the payload of a decoded message readable: if it has chunk 0x0010 and not 0x000f, inflates that into
 * msg->payload and notes the format in msg->quirks (HEP_QUIRK_ZLIB, _GZIP, _DEFLATE). If it does not inflate, payload
 * becomes the raw octets of the chunk with HEP_QUIRK_INFLATE_FAILED: the addresses and the time are still good.
 * msg->present is not changed: payload_zip is what was sent. Nothing to do is HEP_OK, too; errors as
 * hep_zlib_inflate(), for information.
 */
HEP_API int hep_zlib_payload(struct hep_zlib *z, struct hep_msg *msg);

/*
 * Opens a datagram that is gzip as a whole (first octets 1f 8b 08). HEP_OK with the frame inside, HEP_NEED_MORE if
 * it is not gzip (then *out is the input), or an error of hep_zlib_inflate(). To be done once, never repeatedly.
 */
HEP_API int hep_zlib_envelope(struct hep_zlib *z, struct hep_slice in, struct hep_slice *out);

/*
 * Compresses the payload of a message to be encoded: moves it from `payload` to `payload_zip` (zlib format as
 * captagent, or gzip as OpenSIPS). For peers that are known to read chunk 0x0010: heplify-server, Homer and Kamailio
 * do not. HEP_OK, HEP_ERR_ARGUMENT (no payload, or format DEFLATE), HEP_ERR_NO_MEMORY.
 */
HEP_API int hep_zlib_compress(struct hep_zlib *z, struct hep_msg *msg, enum hep_zlib_format format);

#ifdef __cplusplus
}
#endif

#endif
