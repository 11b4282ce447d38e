/*
 * HEP messages as JSON and back, in the shape that users of hep-js know:
 *
 *     {"rcinfo":{"protocolFamily":2,"protocol":17,"srcIp":"10.0.0.1",...},"payload":"INVITE sip:..."}
 *
 * The JSON is complete: encoding what was decoded gives the same octets. What the plain shape cannot say goes into
 * further keys, present only where they are needed (docs/json.md): "payloadEncoding" for a payload that is not UTF-8,
 * "chunks" for the order and the unknown chunks of a version 3 frame, "version" and "legacy" for versions 1 and 2.
 *
 * write.c writes, read.c reads, common.c holds the one set of defaults that both go by.
 */
#ifndef HEPJSON_HEPJSON_H
#define HEPJSON_HEPJSON_H

#include "base/buf.h"
#include "base/clock.h"
#include "hep/hep.h"

/* Vendor chunks of one message that can show under their registered keys; further ones go to "chunks". */
#define HEPJSON_VENDOR_MAX 64

/*
 * Longest JSON text of one message that is read, octets. Decoding writes no longer ones: a payload that inflates to
 * HEP_ZLIB_LIMIT_DEFAULT with six characters for each octet, and a frame's worth of chunks.
 */
#define HEPJSON_TEXT_MAX (8u << 20)

/* What is known of a message's way here; written as "meta" if asked for. */
struct hepjson_meta {
    struct wall_time time; /* of reception */
    const char *transport; /* "udp", "tls", "file"...; NULL if there is none to tell */
    struct hep_addr peer;  /* absent for files */
    uint16_t peer_port;
};

struct hepjson_options {
    const struct hep_registry *registry; /* vendor keys; NULL: the built-in ones */
    bool plain;                          /* rcinfo and payload only, at the price of losing the rest */
};

/*
 * Appends one JSON object, without a newline. msg is a decoded message, possibly cleaned (hep_clean(): then "chunks"
 * would contradict the values, so use options->plain with it) and with its payload inflated (hep_zlib_payload()).
 * meta may be NULL. A failed append shows in out->failed.
 */
void hepjson_write(struct buf *out, const struct hep_msg *msg, const struct hepjson_options *options,
                   const struct hepjson_meta *meta);

/* ------------------------------------------------------------------------------------------------ reading */

/* Where and why a text was refused. line and column count from 1; the line is one within the text given. */
struct hepjson_error {
    unsigned line;
    unsigned column;
    char text[160];
};

/* Reads one message at a time; keeps its memory from one to the next. */
struct hepjson_reader;

/* NULL if memory is out. The registry is borrowed. */
struct hepjson_reader *hepjson_reader_new(const struct hep_registry *registry);
void hepjson_reader_free(struct hepjson_reader *r); /* NULL is fine */

/*
 * Parses one JSON object of `len` octets. Old hep-js key names (ip_family, time_sec, time_usec, proto_type) and numbers
 * in strings are taken; values that do not fit are refused, never cut or wrapped.
 * 0, or -1 with *err filled.
 */
int hepjson_read(struct hepjson_reader *r, const char *text, size_t len, struct hepjson_error *err);

/*
 * The message just read, with hep-js' defaults filled in, for filters and for changes before hepjson_encode(). Valid
 * until the next hepjson_read(). After changing fields call hepjson_rebuild().
 */
struct hep_msg *hepjson_msg(struct hepjson_reader *r);

/* Forgets the order given by "chunks" and the oddities given by "legacy": the frame is built anew from the fields. */
void hepjson_rebuild(struct hepjson_reader *r);

/*
 * Keys of rcinfo, and at the top, that were left out in all messages read so far: they mean nothing here, or "chunks"
 * says otherwise.
 */
uint64_t hepjson_ignored_keys(const struct hepjson_reader *r);
/* One of them, for a message; "" if there was none. */
const char *hepjson_ignored_example(const struct hepjson_reader *r);

/* Encodes it; errors of hep_encode(). */
int hepjson_encode(struct hepjson_reader *r, uint8_t *buf, size_t cap, size_t *ret_len);

#endif
