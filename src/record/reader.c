#include "record/reader.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "record/cell.h"
#include "record/internal.h"
#include "rtp/report.h"

#define USEC           INT64_C(1000000)
#define CLOCK_WINDOW   (INT64_C(86400) * USEC)
#define COMPOSED_MAX   (RECORD_TEXT_MAX + 4096u)
#define PROTO_TCP      6
#define PROTO_UDP      17
#define PROTO_SCTP     132
#define PROTO_SENT_TLS 22

/* Repairs that change what the row says; a time of reception instead of none is no repair. */
#define REPAIRS                                                                                                        \
    (HEP_QUIRK_TIME_SWAPPED | HEP_QUIRK_TIME_NTP | HEP_QUIRK_TIME_CLAMPED | HEP_QUIRK_CAPTURE_ID_SHIFTED |             \
     HEP_QUIRK_PROTOCOL_TLS | HEP_QUIRK_PORTS_SWAPPED | HEP_QUIRK_CORRELATION_CUT)

/* ------------------------------------------------------------------------------------------------ open and close */

const char *const record_leg_headers[RECORD_LEG_HEADERS] = {
    "X-Call-ID",
    "X-CID",
    "X-CallID",
    "X-Original-Call-ID",
    "X-Orig-Call-ID",
    "X-Leg-Call-ID",
    "X-Parent-Call-ID",
    "X-Correlation-ID",
    "X-Genesys-CallUUID",
    "X-Asterisk-Linkedid",
    "Av-Global-Session-ID",
    "Cisco-Guid",
};

static bool has_header(const struct record_reader *r, const char *name)
{
    for (size_t i = 0; i < r->extras.count; i++)
        if (strcasecmp(r->header_texts[i], name) == 0)
            return true;
    return false;
}

static bool copy_headers(struct record_reader *r, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count && i < RECORD_HEADERS_MAX; i++) {
        size_t n = r->extras.count, len = strlen(names[i]);
        if (has_header(r, names[i]))
            continue;
        r->header_texts[n] = strdup(names[i]);
        if (r->header_texts[n] == NULL)
            return false;
        r->names[n] = (struct sip_extra){ r->header_texts[n], len };
        r->extras.lengths |= UINT64_C(1) << (len < 63 ? len : 63);
        r->extras.count = n + 1;
    }
    return true;
}

static bool copy_all_headers(struct record_reader *r, const struct record_options *o)
{
    return copy_headers(r, o->headers, o->header_count) &&
           (o->leg_headers != NULL ? copy_headers(r, o->leg_headers, o->leg_header_count)
                                   : copy_headers(r, record_leg_headers, RECORD_LEG_HEADERS));
}

struct record_reader *record_reader_new(const struct record_options *options)
{
    struct record_reader *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->clock_window_us = options->clock_window_us > 0 ? options->clock_window_us : CLOCK_WINDOW;
    r->extras = (struct sip_extras){ .names = r->names, .ret_values = r->values };
    buf_init(&r->sdp_media, COMPOSED_MAX);
    buf_init(&r->headers, COMPOSED_MAX);
    buf_init(&r->problems, COMPOSED_MAX);
    r->zlib = hep_zlib_new(RECORD_PAYLOAD_MAX);
    if (r->zlib != NULL && copy_all_headers(r, options))
        return r;
    record_reader_free(r);
    return NULL;
}

void record_reader_free(struct record_reader *r)
{
    if (r == NULL)
        return;
    hep_zlib_free(r->zlib);
    for (size_t i = 0; i < 2 * RECORD_HEADERS_MAX; i++)
        free(r->header_texts[i]);
    buf_free(&r->sdp_media);
    buf_free(&r->headers);
    buf_free(&r->problems);
    free(r);
}

/* ------------------------------------------------------------------------------------------------ HEP */

/* An import keeps its times, however old: there is no time of reception to compare with. */
void record_finish_hep(struct record_reader *r, const struct sink_frame *frame, struct hep_msg *msg)
{
    r->sent_us = RECORD_NO_TIME;
    if (hep_has(msg, HEP_CHUNK_TIME_SEC))
        r->sent_us = (int64_t)msg->time_sec * USEC + msg->time_usec;
    r->sent_protocol = msg->protocol;
    (void)hep_zlib_payload(r->zlib, msg);
    bool import = frame->source == RECORD_IMPORT || frame->received_us <= 0;
    uint64_t received = import ? 0 : (uint64_t)frame->received_us;
    hep_clean(msg, NULL, (uint32_t)(received / (uint64_t)USEC), (uint32_t)(received % (uint64_t)USEC));
}

int record_read_hep(struct record_reader *r, const struct sink_frame *frame, struct hep_msg *msg)
{
    int rc = hep_decode(frame->data, frame->len, NULL, msg);
    if (rc == HEP_OK)
        record_finish_hep(r, frame, msg);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ rows */

enum record_table record_table_of(uint8_t payload_type)
{
    switch (payload_type) {
    case HEP_TYPE_SIP:
        return RECORD_SIP;
    case HEP_TYPE_RTP:
    case HEP_TYPE_RTCP:
    case 32: /* rtpqos */
    case HEP_TYPE_RTP_REPORT:
    case HEP_TYPE_RTP_SHORT_REPORT:
    case 38: /* horaclifix */
    case 58: /* rtcppion */
        return RECORD_MEDIA;
    case HEP_TYPE_LOG:
        return RECORD_LOG;
    default:
        return RECORD_OTHER;
    }
}

static struct hep_slice text(const char *s)
{
    return (struct hep_slice){ (const uint8_t *)s, strlen(s) };
}

/* memset() and a few fields: a struct of this size assigned as a whole costs more. */
void record_clear(struct record *ret, enum record_table table)
{
    bool message = (RECORD_TABLES_MESSAGES >> table & 1) != 0;
    memset(ret, 0, message ? offsetof(struct record, state) : sizeof(*ret));
    ret->table = table;
    ret->ts_sent = RECORD_NO_TIME;
#define CLEAR_TIME(name)
#define CLEAR_SEQ(name)
#define CLEAR_NUMBER(name)
#define CLEAR_OPTIONAL(name) ret->name = RECORD_NONE;
#define CLEAR_DECIMAL(name)  ret->name = RECORD_NONE;
#define CLEAR_UID(name)
#define CLEAR_TEXT(name)
#define CLEAR_IP(name)
#define CLEAR_ADDR(name)
#define CLEAR_BYTES(name)
#define CLEAR(name, kind, options) CLEAR_##kind(name)
    RECORD_COMMON_COLUMNS(CLEAR)
    RECORD_SIP_COLUMNS(CLEAR)
    RECORD_KIND_COLUMNS(CLEAR)
#undef CLEAR_TIME
#define CLEAR_TIME(name) ret->name = RECORD_NO_TIME;
    if (!message) {
        RECORD_CALL_OWN_COLUMNS(CLEAR)
        RECORD_REGISTRATION_OWN_COLUMNS(CLEAR)
        RECORD_CALL_KEY_OWN_COLUMNS(CLEAR)
        RECORD_QUALITY_OWN_COLUMNS(CLEAR)
    }
}

static bool within(int64_t a, int64_t b, int64_t window)
{
    return a > b ? a - b <= window : b - a <= window;
}

/* docs/lake.md, "Times". */
static void set_times(const struct record_reader *r, const struct sink_frame *frame, const struct hep_msg *msg,
                      struct record *ret)
{
    int64_t captured = (int64_t)msg->time_sec * USEC + msg->time_usec;
    bool sent = r->sent_us != RECORD_NO_TIME;
    ret->received = frame->received_us;
    bool believed = sent && (msg->quirks & (HEP_QUIRK_TIME_RECEIVED | HEP_QUIRK_TIME_IMPLAUSIBLE)) == 0 &&
                    (frame->source == RECORD_IMPORT || within(captured, frame->received_us, r->clock_window_us));
    ret->ts = believed ? captured : frame->received_us;
    if (sent && ret->ts != r->sent_us)
        ret->ts_sent = r->sent_us;
    if (sent && !believed)
        ret->flags |= RECORD_FLAG_CLOCK;
}

static struct hep_slice proto_name(uint8_t sent, uint8_t protocol)
{
    if (sent == PROTO_SENT_TLS)
        return text("tls");
    switch (protocol) {
    case PROTO_TCP:
        return text("tcp");
    case PROTO_UDP:
        return text("udp");
    case PROTO_SCTP:
        return text("sctp");
    default:
        return text("");
    }
}

static void set_hep(const struct record_reader *r, const struct sink_frame *frame, const struct hep_msg *msg,
                    struct record *ret)
{
    ret->source = frame->source;
    ret->sender = frame->peer;
    ret->transport = text(record_transport_name(frame->transport));
    ret->hep_version = msg->version;
    if (hep_has(msg, HEP_CHUNK_CAPTURE_ID))
        ret->capture_id = msg->capture_id;
    ret->node = msg->node_name;
    ret->src_ip = msg->src;
    ret->src_port = msg->src_port;
    ret->dst_ip = msg->dst;
    ret->dst_port = msg->dst_port;
    ret->proto = proto_name(r->sent_protocol, msg->protocol);
    if (hep_has(msg, HEP_CHUNK_VLAN))
        ret->vlan = msg->vlan;
    ret->payload_type = msg->payload_type;
    ret->correlation_id = msg->correlation_id;
    ret->payload = msg->payload;
    ret->payload_len = (uint32_t)msg->payload.len;
    if ((msg->quirks & REPAIRS) != 0)
        ret->flags |= RECORD_FLAG_REPAIRED;
    if ((msg->quirks & HEP_QUIRK_INFLATE_FAILED) != 0)
        ret->flags |= RECORD_FLAG_INFLATE;
}

static struct hep_slice kind_name(uint8_t payload_type)
{
    const char *name = hep_type_name(payload_type);
    return text(name == NULL ? "unknown" : name);
}

void record_make(struct record_reader *r, const struct sink_frame *frame, const struct hep_msg *msg, struct record *ret)
{
    record_clear(ret, record_table_of(msg->payload_type));
    set_times(r, frame, msg, ret);
    set_hep(r, frame, msg, ret);
    if (ret->table == RECORD_SIP)
        record_make_sip(r, ret);
    if (ret->table == RECORD_MEDIA && msg->payload_type != HEP_TYPE_RTP)
        ret->carries = (struct record_report){ ret->payload, MEDIA_FORM_ANY };
    if (ret->table != RECORD_SIP)
        ret->kind = kind_name(msg->payload_type);
}

void record_remake_sip(struct record_reader *r, const struct record_cell *cells, struct record *ret)
{
    record_clear(ret, RECORD_SIP);
    ret->payload = cells[RECORD_COL_payload].octets;
    record_make_sip(r, ret);
    for (unsigned i = 0; i < RECORD_COL_payload; i++) /* texts of SIP may have been cut when they were stored */
        record_cell_set(ret, i, &cells[i]);
}
