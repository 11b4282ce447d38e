#include "sip/sdp_attr.h"

#include "base/ip.h"
#include "base/num.h"
#include "sip/text.h"
#include "sip/value.h"

bool sdp_address(struct hep_slice words, struct hep_slice *ret_host, struct hep_addr *ret_addr)
{
    if (!text_is(text_word(&words), "IN") || !text_starts(text_word(&words), "IP"))
        return false;
    struct hep_slice host = text_word(&words);
    host.len = text_find(host, '/');
    if (host.len == 0)
        return false;
    *ret_host = host;
    if (!ip_parse((const char *)host.ptr, host.len, ret_addr))
        *ret_addr = (struct hep_addr){ .len = 0 };
    return true;
}

bool sdp_port(struct hep_slice text, uint16_t *ret)
{
    uint64_t port;
    if (!num_parse((const char *)text.ptr, text.len, UINT16_MAX, &port))
        return false;
    *ret = (uint16_t)port;
    return true;
}

/* ------------------------------------------------------------------------------------------------ formats */

static uint8_t payload_type(struct hep_slice text)
{
    uint64_t n;
    return num_parse((const char *)text.ptr, text.len, 127, &n) ? (uint8_t)n : SDP_NO_PAYLOAD_TYPE;
}

void sdp_formats(struct sdp_media *m, struct hep_slice words)
{
    struct hep_slice word;
    while ((word = text_word(&words)).len > 0) {
        if (m->format_kept < SDP_FORMATS_MAX)
            m->formats[m->format_kept++] = (struct sdp_format){ .text = word, .payload_type = payload_type(word) };
        if (m->format_count < UINT16_MAX)
            m->format_count++;
    }
}

/* RFC 3551 section 6, tables 4 and 5 */
static const struct {
    const char *codec;
    uint32_t clock_rate;
    uint8_t channels;
} static_types[] = {
    [0] = { "PCMU", 8000, 1 },   [3] = { "GSM", 8000, 1 },    [4] = { "G723", 8000, 1 },   [5] = { "DVI4", 8000, 1 },
    [6] = { "DVI4", 16000, 1 },  [7] = { "LPC", 8000, 1 },    [8] = { "PCMA", 8000, 1 },   [9] = { "G722", 8000, 1 },
    [10] = { "L16", 44100, 2 },  [11] = { "L16", 44100, 1 },  [12] = { "QCELP", 8000, 1 }, [13] = { "CN", 8000, 1 },
    [14] = { "MPA", 90000, 0 },  [15] = { "G728", 8000, 1 },  [16] = { "DVI4", 11025, 1 }, [17] = { "DVI4", 22050, 1 },
    [18] = { "G729", 8000, 1 },  [25] = { "CelB", 90000, 0 }, [26] = { "JPEG", 90000, 0 }, [28] = { "nv", 90000, 0 },
    [31] = { "H261", 90000, 0 }, [32] = { "MPV", 90000, 0 },  [33] = { "MP2T", 90000, 0 }, [34] = { "H263", 90000, 0 },
};

const char *sdp_static_codec(uint8_t payload_type, uint32_t *ret_clock_rate)
{
    if (payload_type >= sizeof(static_types) / sizeof(static_types[0]))
        return NULL;
    *ret_clock_rate = static_types[payload_type].clock_rate;
    return static_types[payload_type].codec;
}

void sdp_static_formats(struct sdp_media *m)
{
    for (size_t i = 0; i < m->format_kept; i++) {
        struct sdp_format *f = &m->formats[i];
        size_t type = f->payload_type;
        if (f->mapped || type >= sizeof(static_types) / sizeof(static_types[0]) || static_types[type].codec == NULL)
            continue;
        f->codec = text_of((const uint8_t *)static_types[type].codec, strlen(static_types[type].codec));
        f->clock_rate = static_types[type].clock_rate;
        f->channels = static_types[type].channels;
    }
}

/* Cuts the format off an a=rtpmap or a=fmtp and finds it. NULL if the m= line has no such format. */
static inline struct sdp_format *take_format(struct sdp_media *m, struct hep_slice *value)
{
    struct hep_slice text = text_word(value);
    *value = text_trim(*value);
    for (size_t i = 0; i < m->format_kept; i++) {
        struct sdp_format *f = &m->formats[i];
        if (text_equal(f->text, text))
            return f;
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ attributes */

static void on_rtpmap(struct sdp_media *m, struct hep_slice value)
{
    struct sdp_format *f = take_format(m, &value);
    uint32_t channels = 1;
    size_t slash = text_find(value, '/');
    if (f == NULL || f->mapped || slash == 0)
        return;
    f->mapped = true;
    f->codec = text_trim(text_of(value.ptr, slash));
    value = text_after(value, slash);
    if (sip_take(&value, '/'))
        (void)sip_number(&value, &f->clock_rate);
    if (sip_take(&value, '/') && (!sip_number(&value, &channels) || channels > UINT8_MAX))
        channels = 0;
    f->channels = (uint8_t)channels;
}

static void on_fmtp(struct sdp_media *m, struct hep_slice value)
{
    struct sdp_format *f = take_format(m, &value);
    if (f != NULL && f->fmtp.len == 0)
        f->fmtp = value;
}

static void on_sendrecv(struct sdp_media *m, struct hep_slice value)
{
    (void)value;
    m->direction = SDP_SENDRECV;
}

static void on_sendonly(struct sdp_media *m, struct hep_slice value)
{
    (void)value;
    m->direction = SDP_SENDONLY;
}

static void on_recvonly(struct sdp_media *m, struct hep_slice value)
{
    (void)value;
    m->direction = SDP_RECVONLY;
}

static void on_inactive(struct sdp_media *m, struct hep_slice value)
{
    (void)value;
    m->direction = SDP_INACTIVE;
}

/* Some write "20.0". */
static uint16_t milliseconds(struct hep_slice value)
{
    uint32_t ms;
    return sip_number(&value, &ms) && ms <= UINT16_MAX ? (uint16_t)ms : 0;
}

static void on_ptime(struct sdp_media *m, struct hep_slice value)
{
    m->ptime = milliseconds(value);
}

static void on_maxptime(struct sdp_media *m, struct hep_slice value)
{
    m->maxptime = milliseconds(value);
}

/* "1 AES_CM_128_HMAC_SHA1_80 inline:..." */
static void on_crypto(struct sdp_media *m, struct hep_slice value)
{
    if (m->crypto)
        return;
    m->crypto = true;
    (void)text_word(&value);
    m->suite = text_word(&value);
}

static void on_fingerprint(struct sdp_media *m, struct hep_slice value)
{
    m->fingerprint |= value.len > 0;
}

static void on_setup(struct sdp_media *m, struct hep_slice value)
{
    m->setup = value;
}

static void on_ufrag(struct sdp_media *m, struct hep_slice value)
{
    m->ufrag = value;
}

static void on_candidate(struct sdp_media *m, struct hep_slice value)
{
    if (value.len > 0 && m->candidates < UINT16_MAX)
        m->candidates++;
}

/* "53020" or "53020 IN IP6 2001:db8::1" */
static void on_rtcp(struct sdp_media *m, struct hep_slice value)
{
    struct hep_slice host;
    struct hep_addr addr;
    if (!sdp_port(text_word(&value), &m->rtcp_port))
        return;
    if (sdp_address(value, &host, &addr) && addr.len != 0)
        m->rtcp_addr = addr;
}

static void on_rtcp_mux(struct sdp_media *m, struct hep_slice value)
{
    (void)value;
    m->rtcp_mux = true;
}

static void on_ssrc(struct sdp_media *m, struct hep_slice value)
{
    if (!m->has_ssrc)
        m->has_ssrc = sip_number(&value, &m->ssrc);
}

static void on_label(struct sdp_media *m, struct hep_slice value)
{
    m->label = value;
}

static void on_mid(struct sdp_media *m, struct hep_slice value)
{
    m->mid = value;
}

static const struct {
    const char *name;
    size_t len;
    void (*handle)(struct sdp_media *m, struct hep_slice value);
} attributes[] = {
#define ROW(name, handler)                                                                                             \
    {                                                                                                                  \
        name, sizeof(name) - 1, handler                                                                                \
    }
    ROW("rtpmap", on_rtpmap),       ROW("fmtp", on_fmtp),
    ROW("sendrecv", on_sendrecv),   ROW("sendonly", on_sendonly),
    ROW("recvonly", on_recvonly),   ROW("inactive", on_inactive),
    ROW("ptime", on_ptime),         ROW("maxptime", on_maxptime),
    ROW("crypto", on_crypto),       ROW("fingerprint", on_fingerprint),
    ROW("setup", on_setup),         ROW("ice-ufrag", on_ufrag),
    ROW("candidate", on_candidate), ROW("rtcp", on_rtcp),
    ROW("rtcp-mux", on_rtcp_mux),   ROW("ssrc", on_ssrc),
    ROW("label", on_label),         ROW("mid", on_mid),
#undef ROW
};

void sdp_attribute(struct sdp_media *m, struct hep_slice line)
{
    size_t colon = text_find(line, ':');
    struct hep_slice name = text_trim(text_of(line.ptr, colon));
    struct hep_slice value = text_trim(text_after(line, colon < line.len ? colon + 1 : colon));
    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
        if (attributes[i].len == name.len && text_same_known(name.ptr, attributes[i].name, name.len)) {
            attributes[i].handle(m, value);
            return;
        }
    }
}
