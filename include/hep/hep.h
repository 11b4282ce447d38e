/*
 * libhep: encode and decode HEP/EEP versions 1, 2 and 3.
 *
 * HEP (Homer Encapsulation Protocol) carries a copy of a captured packet, usually a SIP message, together with the
 * addresses, ports and time of the original, from a capture agent to a collector. This library turns octets into a
 * `struct hep_msg` and back. It does no I/O, keeps no state of its own, allocates nothing, never logs and needs libc
 * only; every function is re-entrant.
 *
 * Decoding borrows: the slices of a decoded message point into the buffer that was decoded and live as long as it.
 * Encoding fills a buffer of the caller's. The source for all numbers and names is the HEP3 Network Protocol
 * Specification, revision 37 ("HEP3 spec" below); what senders do beside it is listed in docs/hep-quirks.md.
 *
 * Reading order: errors, slices, chunk ids, `struct hep_msg`, then the functions in the order in which a program
 * uses them. examples/ has a short program for each direction.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HEP_HEP_H
#define HEP_HEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of this header. The shared library's SONAME carries the major number. */
#define HEP_VERSION_MAJOR 0
#define HEP_VERSION_MINOR 1
#define HEP_VERSION_PATCH 0

#if defined(HEP_BUILDING) && defined(__GNUC__)
#define HEP_API __attribute__((visibility("default")))
#else
#define HEP_API
#endif

/* ------------------------------------------------------------------------------------------------ errors */

/*
 * Results. 0 is success, negative values are errors and HEP_NEED_MORE, the only positive one, says that a stream
 * reader holds no whole frame yet. hep_strerror() gives the text.
 */
enum hep_result {
    HEP_OK = 0,
    HEP_NEED_MORE = 1, /* stream reader: not an error, feed more octets */

    /* What decoding can find. `hep_msg.error_offset` says where. */
    HEP_ERR_MAGIC = -1,         /* neither "HEP3" nor a version 1 or 2 header */
    HEP_ERR_SHORT = -2,         /* input ends inside a fixed header */
    HEP_ERR_TOTAL_LENGTH = -3,  /* total length below 6, the size of the header itself */
    HEP_ERR_TRUNCATED = -4,     /* total length larger than the input: datagram or stream was cut */
    HEP_ERR_EMPTY = -5,         /* a header without any chunk */
    HEP_ERR_CHUNK_HEADER = -6,  /* 1 to 5 octets left where a chunk header needs 6 */
    HEP_ERR_CHUNK_LENGTH = -7,  /* chunk length below 6, the size of its own header */
    HEP_ERR_CHUNK_OVERRUN = -8, /* chunk runs past the total length */
    HEP_ERR_FAMILY = -9,        /* version 1/2: address family and header length are both unknown */
    HEP_ERR_NO_PAYLOAD = -10,   /* version 1/2: nothing behind the header */
    HEP_ERR_QUIRK = -11,        /* a deviation that the options do not tolerate; hep_msg.quirks names it */
    HEP_ERR_PROTOBUF = -12,     /* looked like heplify's protobuf form but is malformed */

    /* What encoding can find. */
    HEP_ERR_TOO_LONG = -20, /* does not fit the 65535 octets that the length field can say */
    HEP_ERR_NO_SPACE = -21, /* the caller's buffer is too small */
    HEP_ERR_ARGUMENT = -22, /* a value that the wire cannot carry, such as an address of 5 octets */

    /* Streams and limits. */
    HEP_ERR_FRAME_LIMIT = -30, /* stream reader: frame larger than its buffer */
    HEP_ERR_FULL = -31,        /* vendor registry: the caller's array is full */
    HEP_ERR_DUPLICATE = -32,   /* vendor registry: key name or (vendor, type) is taken */

    /* Compression (hep/zlib.h). */
    HEP_ERR_INFLATE = -40,       /* not a whole zlib, gzip or deflate stream */
    HEP_ERR_INFLATE_LIMIT = -41, /* would inflate beyond the limit */
    HEP_ERR_NO_MEMORY = -42
};

/*
 * Returns a short English text for a result of this library, without full stop, never NULL. The text is static.
 * Unknown numbers give "unknown error".
 */
HEP_API const char *hep_strerror(int result);

/* ------------------------------------------------------------------------------------------------ slices */

/* Octets that somebody else owns. Not terminated. ptr may be NULL if len is 0. */
struct hep_slice {
    const uint8_t *ptr;
    size_t len; /* octets */
};

/* An IP address in network order. len is 4 (IPv4), 16 (IPv6) or 0 (absent). */
struct hep_addr {
    uint8_t len;
    uint8_t octets[16];
};

/* ------------------------------------------------------------------------------------------------ chunks */

#define HEP_HEADER_SIZE       6     /* "HEP3" and the total length */
#define HEP_CHUNK_HEADER_SIZE 6     /* vendor, type, length */
#define HEP_FRAME_MAX         65535 /* octets of a frame: what the 16-bit total length can say */
#define HEP_UDP_MAX           65507 /* octets that one UDP datagram over IPv4 can carry */
#define HEP_CHUNK_BODY_MAX    65523 /* octets of the largest chunk body */

/* Generic chunk types (vendor 0), HEP3 spec "Chunk types"; the unit of each value stands at its field below. */
enum hep_chunk_type {
    HEP_CHUNK_FAMILY = 0x01,
    HEP_CHUNK_PROTOCOL = 0x02,
    HEP_CHUNK_SRC_IP4 = 0x03,
    HEP_CHUNK_DST_IP4 = 0x04,
    HEP_CHUNK_SRC_IP6 = 0x05,
    HEP_CHUNK_DST_IP6 = 0x06,
    HEP_CHUNK_SRC_PORT = 0x07,
    HEP_CHUNK_DST_PORT = 0x08,
    HEP_CHUNK_TIME_SEC = 0x09,
    HEP_CHUNK_TIME_USEC = 0x0a,
    HEP_CHUNK_PAYLOAD_TYPE = 0x0b,
    HEP_CHUNK_CAPTURE_ID = 0x0c,
    HEP_CHUNK_KEEPALIVE = 0x0d,
    HEP_CHUNK_AUTH_KEY = 0x0e,
    HEP_CHUNK_PAYLOAD = 0x0f,
    HEP_CHUNK_PAYLOAD_ZIP = 0x10,
    HEP_CHUNK_CORRELATION_ID = 0x11,
    HEP_CHUNK_VLAN = 0x12,
    HEP_CHUNK_NODE_NAME = 0x13,
    HEP_CHUNK_SRC_MAC = 0x14,
    HEP_CHUNK_DST_MAC = 0x15,
    HEP_CHUNK_ETHERTYPE = 0x16,
    HEP_CHUNK_TCP_FLAGS = 0x17,
    HEP_CHUNK_IP_TOS = 0x18,
    HEP_CHUNK_MOS = 0x20,
    HEP_CHUNK_R_FACTOR = 0x21,
    HEP_CHUNK_GEO = 0x22,
    HEP_CHUNK_JITTER = 0x23,
    HEP_CHUNK_TRANSACTION_TYPE = 0x24,
    HEP_CHUNK_JSON_KEYS = 0x25,
    HEP_CHUNK_TAGS = 0x26,
    HEP_CHUNK_TAG_TYPE = 0x27,
    HEP_CHUNK_EVENT_TYPE = 0x28,
    HEP_CHUNK_GROUP_ID = 0x29,
    HEP_CHUNK_GENERIC_MAX = 0x29 /* the largest generic type that this library knows */
};

/* The bit of a generic chunk in hep_msg.present. */
#define HEP_BIT(chunk_type) (UINT64_C(1) << (chunk_type))

/* Address families on the wire: Linux's AF_ numbers, whatever the host (HEP3 spec, chunk 0x0001). */
enum { HEP_FAMILY_IP4 = 2, HEP_FAMILY_IP6 = 10 };

/* Payload types (chunk 0x000b) that programs ask for by name; any other 0..255 is as good. */
enum hep_payload_type {
    HEP_TYPE_SIP = 1,
    HEP_TYPE_RTP = 4,
    HEP_TYPE_RTCP = 5, /* JSON */
    HEP_TYPE_RTP_REPORT = 34,
    HEP_TYPE_RTP_SHORT_REPORT = 35,
    HEP_TYPE_SIP_JSON = 50,
    HEP_TYPE_DNS = 53,
    HEP_TYPE_ISUP = 54,
    HEP_TYPE_DIAMETER = 56,
    HEP_TYPE_LOG = 100
};

/* One chunk as it stands on the wire. */
struct hep_chunk {
    uint16_t vendor;
    uint16_t type;
    struct hep_slice body; /* without the six octets of the header */
};

/* ------------------------------------------------------------------------------------------------ quirks */

/*
 * Deviations from the specification that real senders show. Each is a bit: in hep_msg.quirks it says "this was met",
 * in hep_options.tolerate it says "decode all the same". hep_quirk_name() gives the name used in JSON and on the
 * command line; docs/hep-quirks.md says which program sends what.
 */
enum hep_quirk {
    /* Found by hep_decode(). */
    HEP_QUIRK_TRAILING_OCTETS = 1 << 0,   /* octets behind the frame, or NULs behind a version 1/2 payload */
    HEP_QUIRK_EXTRA_MESSAGES = 1 << 1,    /* another whole message behind this one (hep_datagram_next) */
    HEP_QUIRK_DUPLICATE_CHUNK = 1 << 2,   /* a generic chunk more than once; the last one is in the struct */
    HEP_QUIRK_CHUNK_IGNORED = 1 << 3,     /* a number or address that does not fit its field; only it is dropped */
    HEP_QUIRK_ODD_SIZE = 1 << 4,          /* wider number, 16 octets in an IPv4 chunk, MAC of 6 octets... */
    HEP_QUIRK_TYPE_ZERO = 1 << 5,         /* chunk type 0x0000 of vendor 0 */
    HEP_QUIRK_UNKNOWN_CHUNK = 1 << 6,     /* a vendor 0 type that this library does not know */
    HEP_QUIRK_ADDRESSES_MISSING = 1 << 7, /* neither source nor destination address */
    HEP_QUIRK_TIME_MISSING = 1 << 8,      /* no seconds chunk (version 1 never has one: not reported there) */
    HEP_QUIRK_PAYLOAD_MISSING = 1 << 9,   /* neither chunk 0x000f nor 0x0010 */
    HEP_QUIRK_FAMILY_UNKNOWN = 1 << 10,   /* family octet is not 2 or 10 (macOS 30, FreeBSD 28...) or absent */
    HEP_QUIRK_V2_BIG_ENDIAN = 1 << 11,    /* version 2 time header in network order (hep-erlang, hep-swift) */
    HEP_QUIRK_V2_SHORT_HEADER = 1 << 12,  /* version 2 time header of 10 octets, without its pad (hep-swift) */
    HEP_QUIRK_HEADER_LENGTH = 1 << 13,    /* version 1/2 header length octet other than 16/40 */
    HEP_QUIRK_PROTOBUF = 1 << 14,         /* heplify 1.x protobuf form in place of HEP */

    /* Found and repaired by hep_clean(). */
    HEP_QUIRK_TIME_RECEIVED = 1 << 15,      /* time absent, or in the first minute of 1970: time of reception used */
    HEP_QUIRK_TIME_SWAPPED = 1 << 16,       /* both time words were in host order (rtpengine 13.4) */
    HEP_QUIRK_TIME_NTP = 1 << 17,           /* seconds counted from 1900 */
    HEP_QUIRK_TIME_CLAMPED = 1 << 18,       /* microseconds above 999999 with no better reading */
    HEP_QUIRK_CAPTURE_ID_SHIFTED = 1 << 19, /* htons() in a 32-bit field (hep-c, sngrep, sipgrep) */
    HEP_QUIRK_PROTOCOL_TLS = 1 << 20,       /* protocol 22 or 50 stood for TLS or WebSocket: TCP */
    HEP_QUIRK_PORTS_SWAPPED = 1 << 21,      /* ports in host order (hepipe); off by default */
    HEP_QUIRK_CORRELATION_CUT = 1 << 22,    /* trailing NUL, or "<null>", taken off the correlation id */

    /* Reported by hep/zlib.h. */
    HEP_QUIRK_ZLIB = 1 << 23,
    HEP_QUIRK_GZIP = 1 << 24,
    HEP_QUIRK_DEFLATE = 1 << 25,
    HEP_QUIRK_INFLATE_FAILED = 1 << 26, /* raw octets kept as the payload */
    HEP_QUIRK_GZIP_ENVELOPE = 1 << 27,  /* the whole frame was gzip (heplify 2 payload_zip) */

    /* hep_clean() again. */
    HEP_QUIRK_TIME_IMPLAUSIBLE = 1 << 28 /* over 10 years old or a day ahead: time of reception used */
};
#define HEP_QUIRK_COUNT 29

/*
 * What the specification allows: something is absent or not known here, or compressed ("gzip/inflate" is all that it
 * says of chunk 0x0010).
 */
#define HEP_QUIRKS_LEGAL                                                                                               \
    (HEP_QUIRK_UNKNOWN_CHUNK | HEP_QUIRK_ADDRESSES_MISSING | HEP_QUIRK_TIME_MISSING | HEP_QUIRK_PAYLOAD_MISSING |      \
     HEP_QUIRK_ZLIB | HEP_QUIRK_GZIP | HEP_QUIRK_DEFLATE)

/* hep_options.tolerate: take everything that real senders are known to send. */
#define HEP_TOLERATE_ALL ((uint32_t)(UINT64_C(1) << HEP_QUIRK_COUNT) - 1)
/* The default: as ALL, but ports are not swapped back, since a high port may be an honest one. */
#define HEP_TOLERATE_DEFAULT (HEP_TOLERATE_ALL & ~(uint32_t)HEP_QUIRK_PORTS_SWAPPED)
/* Strict: only what the specification allows. */
#define HEP_TOLERATE_STRICT ((uint32_t)HEP_QUIRKS_LEGAL)

/* Name of one quirk bit, such as "odd_size"; NULL if `bit` is not exactly one known bit. Static text. */
HEP_API const char *hep_quirk_name(uint32_t bit);

/* The bit of a name, 0 if there is none of that name. `name` need not be terminated. */
HEP_API uint32_t hep_quirk_bit(const char *name, size_t len);

struct hep_options {
    uint32_t tolerate; /* HEP_QUIRK_ bits; anything else that is met makes hep_decode() return HEP_ERR_QUIRK */
};

/* ------------------------------------------------------------------------------------------------ message */

/*
 * One message. hep_decode() fills it; hep_encode() writes it.
 *
 * A generic field counts only if its bit is in `present`; otherwise it is zero. hep_set_*() below set value and bit
 * together. Values are as sent; hep_clean() is the separate step that repairs the ones that are known to be wrong.
 */
struct hep_msg {
    uint64_t present;     /* HEP_BIT() of each generic field that has a value */
    uint32_t quirks;      /* HEP_QUIRK_ bits met while decoding */
    uint8_t version;      /* 1, 2 or 3; 0 for the protobuf form */
    uint8_t family;       /* HEP_FAMILY_IP4 / _IP6, or what the sender's system calls AF_INET6 */
    uint8_t protocol;     /* IP protocol: 6 TCP, 17 UDP, 132 SCTP, 1 ICMP; some say 22 for TLS */
    uint8_t payload_type; /* enum hep_payload_type or any other 0..255 */

    uint16_t src_port, dst_port; /* host order */
    uint32_t time_sec;           /* Unix time, UTC, seconds: capture time of the original packet */
    uint32_t time_usec;          /* microseconds within that second, 0..999999 if the sender is sane */
    uint32_t capture_id;         /* capture agent id, chosen by its operator */

    struct hep_addr src, dst;

    struct hep_slice payload;        /* chunk 0x000f; for versions 1/2 what follows the header */
    struct hep_slice payload_zip;    /* chunk 0x0010, still compressed; hep/zlib.h inflates */
    struct hep_slice node_name;      /* capture agent name */
    struct hep_slice auth_key;       /* shared key, clear text; compare with hep_auth_equal() */
    struct hep_slice correlation_id; /* mostly a SIP Call-ID */

    /* From here on: what few senders send. */
    uint8_t tcp_flags;
    uint8_t ip_tos;     /* TOS octet of the IP header */
    uint16_t keepalive; /* seconds */
    uint16_t vlan;      /* VLAN id */
    uint16_t ethertype; /* EtherType */
    uint16_t mos;       /* 100 x MOS: 441 = 4.41 */
    uint16_t r_factor;  /* R-factor; the specification names no unit, senders send the plain value */
    uint16_t tag_type;
    uint16_t event_type; /* 1 recording, 2 recording for lawful interception */
    uint32_t jitter;     /* the specification names no unit */
    uint64_t src_mac;    /* 48 bits in the low octets */
    uint64_t dst_mac;
    struct hep_slice geo;
    struct hep_slice transaction_type; /* "call", "registration" */
    struct hep_slice json_keys;
    struct hep_slice tags; /* captagent: "k=v;k=v" */
    struct hep_slice group_id;

    /* Decoding only. */
    struct hep_slice frame; /* the octets of this message; frame.len is what it took of the input */
    size_t error_offset;    /* on error: octets from the start of the input to the place that is wrong */
    uint8_t header_len;     /* version 1/2: the header length octet, as sent */
    uint8_t v2_pad[2];      /* version 2: the two octets behind the capture id, as sent */

    /*
     * Encoding only: chunks that have no field above (vendor chunks, unknown ids), written behind the payload in
     * this order. Decoded messages leave it empty: iterate with hep_chunk_next() instead.
     */
    const struct hep_chunk *extra;
    size_t extra_count;
};

/* True if the generic field of this chunk type has a value. */
static inline bool hep_has(const struct hep_msg *msg, unsigned chunk_type)
{
    return chunk_type <= HEP_CHUNK_GENERIC_MAX && (msg->present & HEP_BIT(chunk_type)) != 0;
}

/* ------------------------------------------------------------------------------------------------ decode */

/*
 * Decodes the first message of a datagram, a stream frame or an HTTP body.
 *
 * data    `len` octets; borrowed, and the slices of *msg point into it
 * options NULL for the defaults (HEP_TOLERATE_DEFAULT)
 * msg     overwritten; after an error only version, quirks and error_offset are of use
 *
 * Version 3 is told by its magic, versions 1 and 2 by their first octet (HEP3 spec; quirks document, "Versions").
 * msg->frame.len is the number of octets that the message took; with versions 1 and 2 that is all of the input.
 * Duplicate chunks: the last one wins, and hep_chunk_next() hands out every one in order. A vendor chunk never
 * touches a generic field. Costs one pass over the chunk headers; the payload is not read.
 *
 * Returns HEP_OK, or HEP_ERR_MAGIC, _SHORT, _TOTAL_LENGTH, _TRUNCATED, _EMPTY, _CHUNK_HEADER, _CHUNK_LENGTH,
 * _CHUNK_OVERRUN, _FAMILY, _NO_PAYLOAD, _PROTOBUF, or _QUIRK for a deviation not in options->tolerate (the bits that
 * are set in msg->quirks and not in tolerate say which; the first one met ends decoding).
 */
HEP_API int hep_decode(const uint8_t *data, size_t len, const struct hep_options *options, struct hep_msg *msg);

/*
 * Iterates over the messages of one datagram or HTTP body: heplify 1.x replays its disk buffer as several messages
 * in one datagram. Start with {data, len} and call until it returns HEP_NEED_MORE.
 *
 * A message that is followed by another whole one carries HEP_QUIRK_EXTRA_MESSAGES; rest that is not a message is
 * ignored and gives HEP_QUIRK_TRAILING_OCTETS: a bad follower does not undo what came before.
 */
struct hep_datagram {
    const uint8_t *data;
    size_t len;
    size_t pos; /* octets already taken */
};

/*
 * Decodes the next message. Returns HEP_OK, HEP_NEED_MORE after the last one, or an error of hep_decode() for the
 * first message; msg->error_offset counts from the start of the datagram. After an error the iteration is over.
 */
HEP_API int hep_datagram_next(struct hep_datagram *it, const struct hep_options *options, struct hep_msg *msg);

/*
 * Iterates over all chunks of a decoded version 3 message in wire order, generic, vendor and unknown ones alike,
 * every occurrence of a repeated one. Start with *pos = 0. Returns false after the last one. Versions 1, 2 and the
 * protobuf form have no chunks.
 */
HEP_API bool hep_chunk_next(const struct hep_msg *msg, size_t *pos, struct hep_chunk *chunk);

/*
 * Compares the message's authentication key (chunk 0x000e) with `key` in time that depends on the lengths only.
 * A missing chunk equals no key, not even an empty one. A configured key that is empty means "accept all" and is
 * for the caller to handle.
 */
HEP_API bool hep_auth_equal(const struct hep_msg *msg, const uint8_t *key, size_t key_len);

/* ------------------------------------------------------------------------------------------------ clean up */

/*
 * Repairs values that are known to be wrong, in place: time words in host order, NTP seconds, a missing or
 * implausible time (the time of reception takes its place), capture ids shifted by 16 bits, the family from the
 * addresses, protocol 22 and 50, NUL or "<null>" in the correlation id. Each repair is done only if its bit is in
 * options->tolerate (NULL: the defaults) and is reported in msg->quirks.
 *
 * recv_sec, recv_usec: time of reception, Unix time, UTC. If recv_sec is 0 the clock is not known: a missing time
 * stays missing, and no plausibility against it is tested.
 */
HEP_API void hep_clean(struct hep_msg *msg, const struct hep_options *options, uint32_t recv_sec, uint32_t recv_usec);

/* ------------------------------------------------------------------------------------------------ encode */

/*
 * Starts a version 3 message: everything zero, and family, protocol (UDP), ports, time, payload type, capture id
 * and payload marked as present, since receivers such as Kamailio refuse a message without them.
 */
HEP_API void hep_msg_init(struct hep_msg *msg, uint8_t payload_type);

/* Sets source / destination. `octets` in network order, 4 or 16 of them (else HEP_ERR_ARGUMENT); port in host order. */
HEP_API int hep_set_src(struct hep_msg *msg, const uint8_t *octets, size_t len, uint16_t port);
HEP_API int hep_set_dst(struct hep_msg *msg, const uint8_t *octets, size_t len, uint16_t port);

/*
 * Sets a numeric field by chunk type. HEP_ERR_ARGUMENT if the type is not numeric or the value too large for it.
 */
HEP_API int hep_set_number(struct hep_msg *msg, unsigned chunk_type, uint64_t value);

/* Sets a text or octets field by chunk type; `ptr` is borrowed. HEP_ERR_ARGUMENT if the type is not text. */
HEP_API int hep_set_octets(struct hep_msg *msg, unsigned chunk_type, const void *ptr, size_t len);

/*
 * Exact number of octets that hep_encode() will write, also when that is beyond HEP_FRAME_MAX (then hep_encode()
 * refuses). 0 if msg->version is not 1, 2 or 3.
 */
HEP_API size_t hep_encoded_size(const struct hep_msg *msg);

/*
 * Encodes msg in the version msg->version (0 and 3: version 3).
 *
 * Version 3 writes the present fields in the order that every receiver in the field accepts: addresses before ports,
 * payload last of the generic chunks, extra chunks behind it. Addresses go to the IPv4 or IPv6 chunks by their
 * length. Versions 1 and 2 carry family, protocol, addresses, ports and payload, version 2 also time and the low 16
 * bits of the capture id (little endian, as the field does); other fields are left out.
 *
 * buf must not overlap what msg refers to. On success *ret_len is the number of octets written.
 * Returns HEP_OK, HEP_ERR_TOO_LONG (more than HEP_FRAME_MAX; nothing is ever wrapped or cut), HEP_ERR_NO_SPACE, or
 * HEP_ERR_ARGUMENT (address length; versions 1/2: a missing address, two families, a family that contradicts the
 * addresses, no payload, a capture id above 65535).
 */
HEP_API int hep_encode(const struct hep_msg *msg, uint8_t *buf, size_t cap, size_t *ret_len);

/*
 * Chunk by chunk writer, for a program that wants its own order. Errors stick; hep_writer_end() reports the first.
 */
struct hep_writer {
    uint8_t *buf;
    size_t cap;
    size_t len;
    int error;
};

HEP_API void hep_writer_begin(struct hep_writer *w, uint8_t *buf, size_t cap);
HEP_API void hep_writer_chunk(struct hep_writer *w, uint16_t vendor, uint16_t type, const void *body, size_t len);
/* Writes the generic field of this chunk type in its standard form; HEP_ERR_ARGUMENT if it is not present. */
HEP_API void hep_writer_field(struct hep_writer *w, const struct hep_msg *msg, unsigned chunk_type);
/* Puts the total length in. Errors as hep_encode(). */
HEP_API int hep_writer_end(struct hep_writer *w, size_t *ret_len);

/* ------------------------------------------------------------------------------------------------ streams */

/*
 * Cuts a TCP or TLS byte stream, or a file of frames, into frames (version 3 only: 1 and 2 carry no length).
 *
 * The caller owns the buffer; its size is the limit on buffering and the largest frame taken. HEP_FRAME_MAX takes
 * every legal frame. The loop:
 *
 *     hep_stream_space(&s, &ptr, &cap);        read up to cap octets to ptr
 *     hep_stream_filled(&s, n);
 *     while ((rc = hep_stream_next(&s, &frame)) == HEP_OK)
 *         hep_decode(frame.ptr, frame.len, ...);   a bad inside costs this frame only
 *     rc == HEP_NEED_MORE: go on reading; else the stream is beyond repair: close it
 */
struct hep_stream {
    uint8_t *buf;
    size_t cap;
    size_t start;    /* first octet not handed out yet */
    size_t end;      /* behind the last octet read */
    uint64_t offset; /* of buf[start] in the stream, octets */
    int error;
};

/* buf: cap octets, cap >= HEP_HEADER_SIZE; both borrowed until the stream is no longer used. */
HEP_API void hep_stream_init(struct hep_stream *s, uint8_t *buf, size_t cap);

/*
 * Where to put the next octets and how many there may be (0 only after an error or if hep_stream_next() was not
 * called until HEP_NEED_MORE). Moves what is left to the front: frames handed out before are gone.
 */
HEP_API void hep_stream_space(struct hep_stream *s, uint8_t **ret_ptr, size_t *ret_cap);

/* Says that `len` octets were put there; len must not be larger than the space given. */
HEP_API void hep_stream_filled(struct hep_stream *s, size_t len);

/*
 * Copies as many of `len` octets as fit and returns how many; for programs that are handed data instead of reading
 * it. Call hep_stream_next() until HEP_NEED_MORE, then push the rest.
 */
HEP_API size_t hep_stream_push(struct hep_stream *s, const uint8_t *data, size_t len);

/*
 * Next whole frame. Returns HEP_OK and the frame (valid until the next hep_stream_space() or _push()),
 * HEP_NEED_MORE, or, for ever after, HEP_ERR_MAGIC, HEP_ERR_TOTAL_LENGTH or HEP_ERR_FRAME_LIMIT; s->offset is then
 * the offset of the frame that is wrong. There is no resynchronising: a payload may well contain "HEP3".
 */
HEP_API int hep_stream_next(struct hep_stream *s, struct hep_slice *frame);

/* To be called at the end of the stream: HEP_OK, HEP_ERR_TRUNCATED if it ended inside a frame, or the error before. */
HEP_API int hep_stream_finish(const struct hep_stream *s);

/* ------------------------------------------------------------------------------------------------ names */

/* How the body of a chunk is to be read. */
enum hep_kind {
    HEP_KIND_OCTETS, /* text or octets, by convention UTF-8 */
    HEP_KIND_U8,
    HEP_KIND_U16,
    HEP_KIND_U32,
    HEP_KIND_U64,
    HEP_KIND_IP4,
    HEP_KIND_IP6,
    HEP_KIND_MAC
};

/* What the library knows of a generic chunk type. */
struct hep_field {
    const char *key;    /* key in JSON (the one of hep-js where it has one); NULL for payload chunks and gaps */
    enum hep_kind kind; /* numbers: U8..U64 and MAC */
    uint16_t offset;    /* of the value within struct hep_msg */
};

/* NULL if the type is not known. Static. */
HEP_API const struct hep_field *hep_field(unsigned chunk_type);

/* Value of a numeric field, 0 if it is absent or not numeric. */
HEP_API uint64_t hep_get_number(const struct hep_msg *msg, unsigned chunk_type);
/* Value of a text field, empty if it is absent or not text. */
HEP_API struct hep_slice hep_get_octets(const struct hep_msg *msg, unsigned chunk_type);

/* Short name of a payload type: "sip", "rtcp", "log"...; NULL if it has none. Static. */
HEP_API const char *hep_type_name(uint8_t payload_type);
/* The type of a name, -1 if there is none. `name` need not be terminated. */
HEP_API int hep_type_number(const char *name, size_t len);

/* Name of a vendor id ("Genesys"), NULL if it is not known. HEP3 spec "Vendor ids". Static. */
HEP_API const char *hep_vendor_name(uint16_t vendor);

/* A vendor chunk with a name: conversationId is (8, 0x80). Kinds: OCTETS, U8, U16, U32, U64. */
struct hep_vendor_key {
    uint16_t vendor;
    uint16_t type;
    enum hep_kind kind;
    const char *key; /* terminated */
};

/*
 * Vendor keys known to a program: the built-in ones (Genesys, HEP3 spec and hep-js) and those it adds. The caller
 * owns `keys` and the texts in it. {NULL, 0, 0, false} is a registry with just the built-in ones; no_builtin leaves
 * those out.
 */
struct hep_registry {
    struct hep_vendor_key *keys;
    size_t count;
    size_t cap;
    bool no_builtin;
};

/*
 * Adds a key; one for the same (vendor, type) as a built-in one takes its place. HEP_ERR_FULL, HEP_ERR_DUPLICATE
 * (its name, or its vendor and type, were added before or the name is that of a generic field), HEP_ERR_ARGUMENT
 * (vendor 0, empty name, kind that vendor chunks cannot have).
 */
HEP_API int hep_registry_add(struct hep_registry *r, const struct hep_vendor_key *key);

/* Look-ups; NULL if there is none. `r` may be NULL: only the built-in keys. */
HEP_API const struct hep_vendor_key *hep_registry_by_id(const struct hep_registry *r, uint16_t vendor, uint16_t type);
HEP_API const struct hep_vendor_key *hep_registry_by_key(const struct hep_registry *r, const char *key, size_t len);

#ifdef __cplusplus
}
#endif

#endif
