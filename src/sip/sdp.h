/*
 * SDP (RFC 8866): the session, its media and what they are coded with, and where RTP and RTCP will be received. Slices
 * in, slices out; lenient: lines that make no sense are skipped.
 *
 * sdp_parse() reads all of it at once; sdp_begin() and sdp_next() are for those who want one medium after the other.
 */
#ifndef SIP_SDP_H
#define SIP_SDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"

#define SDP_NESTING_MAX 3  /* bodies inside bodies that sdp_find() looks into */
#define SDP_MEDIA_MAX   16 /* media that sdp_parse() keeps */
#define SDP_FORMATS_MAX 16 /* formats that are kept of a medium */

/*
 * Finds the SDP in the body of a SIP message: a body of type application/sdp, such a part of a multipart body (RFC
 * 2046, RFC 5621), or a body without a type that begins with "v=0". False if there is none.
 */
bool sdp_find(const uint8_t *msg, size_t len, struct hep_slice *ret);

/* The same for a message that sip_parse() has read: its body and content_type. */
bool sdp_find_in(struct hep_slice body, struct hep_slice type, struct hep_slice *ret);

enum sdp_direction {
    SDP_UNSET = 0, /* in a session: nothing is said. A medium always has one: SDP_SENDRECV is the default */
    SDP_SENDRECV,
    SDP_SENDONLY,
    SDP_RECVONLY,
    SDP_INACTIVE
};

#define SDP_NO_PAYLOAD_TYPE 255 /* the format is not a number up to 127 */

struct sdp_format {
    struct hep_slice text;  /* "0", "101", "t38" */
    struct hep_slice codec; /* a=rtpmap; or, `mapped` being false, a static text from the table of RFC 3551; or empty */
    struct hep_slice fmtp;  /* a=fmtp, behind the format */
    uint32_t clock_rate;    /* Hz; 0: not known */
    uint8_t payload_type;   /* 0..127, or SDP_NO_PAYLOAD_TYPE */
    uint8_t channels;       /* 1 if nothing is said; 0: not known */
    bool mapped;            /* there is an a=rtpmap: `codec` lies in the message */
};

struct sdp_media {
    struct hep_slice kind;     /* "audio", "video", "image" */
    struct hep_slice protocol; /* "RTP/AVP" */
    uint16_t port;             /* 0: the medium is refused or ended */
    uint16_t port_count;       /* "49170/2": 2; 1 if nothing is said */
    struct hep_slice host;     /* connection address as written; the one of the medium wins over the session's */
    struct hep_addr addr;      /* the same; absent (len 0) if it is a name */
    uint16_t rtcp_port;        /* a=rtcp (RFC 3605), or port (a=rtcp-mux), or port + 1; 0 if port is 0 */
    struct hep_addr rtcp_addr; /* a=rtcp if it gives one, else addr */
    bool rtcp_mux;             /* a=rtcp-mux (RFC 5761): RTCP may come on `port` as well, whatever rtcp_port is */

    /* Of the medium; where it says nothing, of the session. */
    bool crypto;            /* a=crypto (RFC 4568) */
    struct hep_slice suite; /* the suite of the first one: "AES_CM_128_HMAC_SHA1_80". Never the key. */
    bool fingerprint;       /* a=fingerprint (RFC 8122): DTLS */
    struct hep_slice setup; /* a=setup: "active", "passive", "actpass" */
    struct hep_slice ufrag; /* a=ice-ufrag (RFC 8839) */
    enum sdp_direction direction;

    uint16_t candidates;    /* a=candidate, how many */
    uint16_t ptime;         /* ms; 0: not given */
    uint16_t maxptime;      /* ms; 0: not given */
    bool has_ssrc;          /* a=ssrc (RFC 5576) */
    uint32_t ssrc;          /* the first one */
    struct hep_slice label; /* a=label (RFC 4574) */
    struct hep_slice mid;   /* a=mid (RFC 5888) */

    uint16_t format_count;                      /* of all */
    uint16_t format_kept;                       /* min(format_count, SDP_FORMATS_MAX): those that are filled */
    struct sdp_format formats[SDP_FORMATS_MAX]; /* in the order of preference; behind format_kept not initialised */
};

static inline bool sdp_has_ice(const struct sdp_media *m)
{
    return m->ufrag.len > 0 || m->candidates > 0;
}

struct sdp_session {
    struct hep_slice user, id, version; /* o= */
    struct hep_slice origin;            /* o=, the address as written */
    struct hep_slice name;              /* s= */
    struct hep_slice host;              /* c= of the session, as written */
    struct hep_addr addr;               /* the same; absent (len 0) if it is a name */
    enum sdp_direction direction;
};

struct sdp {
    struct sdp_session session;
    uint16_t media_count; /* of all well-formed m= lines */
    uint16_t media_kept;  /* min(media_count, SDP_MEDIA_MAX): those that are filled */
    struct sdp_media media[SDP_MEDIA_MAX];
};

void sdp_parse(struct hep_slice sdp, struct sdp *ret);

/* Codec and clock rate of a static payload type of RFC 3551; NULL if it has none. The text is static. */
const char *sdp_static_codec(uint8_t payload_type, uint32_t *ret_clock_rate);

/* Iterates over the media of an SDP body. */
struct sdp_iter {
    struct hep_slice rest; /* from the next m= line on */
    struct sdp_session session;
    struct sdp_media defaults; /* what the session says for all media; formats are not filled */
};

void sdp_begin(struct sdp_iter *it, struct hep_slice sdp);
bool sdp_next(struct sdp_iter *it, struct sdp_media *ret); /* false at the end */

#endif
