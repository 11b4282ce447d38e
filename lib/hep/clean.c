/* Repairs of values that are known to be wrong, apart from decoding so that a caller can have both. */
#include <string.h>

#include "hep/hep.h"

#define USEC_PER_SEC 1000000
#define NTP_TO_UNIX  UINT32_C(2208988800) /* seconds from 1900 to 1970 */
#define OLDEST_SEC   (UINT32_C(10) * 365 * 86400)
#define AHEAD_SEC    UINT32_C(86400)
#define FIRST_MINUTE 60 /* HFP's keep-alive sends the second of the minute as its time */

static bool may(const struct hep_options *options, struct hep_msg *msg, uint32_t quirk)
{
    if ((options->tolerate & quirk) == 0)
        return false;
    msg->quirks |= quirk;
    return true;
}

static uint32_t swap32(uint32_t v)
{
    return v << 24 | (v & 0xff00) << 8 | (v >> 8 & 0xff00) | v >> 24;
}

static uint16_t swap16(uint16_t v)
{
    return (uint16_t)(v << 8 | v >> 8);
}

static bool plausible(uint32_t sec, uint32_t recv_sec)
{
    return sec > recv_sec ? sec - recv_sec <= AHEAD_SEC : recv_sec - sec <= OLDEST_SEC;
}

static void use_reception(struct hep_msg *msg, uint32_t recv_sec, uint32_t recv_usec)
{
    msg->time_sec = recv_sec;
    msg->time_usec = recv_usec;
    msg->present |= HEP_BIT(HEP_CHUNK_TIME_SEC) | HEP_BIT(HEP_CHUNK_TIME_USEC);
}

static void clean_time(struct hep_msg *msg, const struct hep_options *options, uint32_t recv_sec, uint32_t recv_usec)
{
    if (msg->time_usec >= USEC_PER_SEC) {
        if (swap32(msg->time_usec) < USEC_PER_SEC) {
            if (may(options, msg, HEP_QUIRK_TIME_SWAPPED)) {
                msg->time_sec = swap32(msg->time_sec);
                msg->time_usec = swap32(msg->time_usec);
            }
        } else if (may(options, msg, HEP_QUIRK_TIME_CLAMPED)) {
            msg->time_usec = USEC_PER_SEC - 1;
        }
    }
    if (recv_sec == 0)
        return;
    if (msg->time_sec < FIRST_MINUTE) { /* also when it is absent: the field is zero then */
        if (may(options, msg, HEP_QUIRK_TIME_RECEIVED))
            use_reception(msg, recv_sec, recv_usec);
        return;
    }
    if (plausible(msg->time_sec, recv_sec))
        return;
    if (msg->time_sec > NTP_TO_UNIX && plausible(msg->time_sec - NTP_TO_UNIX, recv_sec) &&
        may(options, msg, HEP_QUIRK_TIME_NTP))
        msg->time_sec -= NTP_TO_UNIX;
    else if (may(options, msg, HEP_QUIRK_TIME_IMPLAUSIBLE))
        use_reception(msg, recv_sec, recv_usec);
}

static void clean_family(struct hep_msg *msg, const struct hep_options *options)
{
    uint8_t len = msg->src.len != 0 ? msg->src.len : msg->dst.len;
    if (len == 0)
        return;
    uint8_t family = len == 4 ? HEP_FAMILY_IP4 : HEP_FAMILY_IP6;
    if (msg->family == family || !may(options, msg, HEP_QUIRK_FAMILY_UNKNOWN))
        return;
    msg->family = family;
    msg->present |= HEP_BIT(HEP_CHUNK_FAMILY);
}

static bool sip_port(uint16_t port)
{
    return port == 5060 || port == 5061;
}

static void clean_ports(struct hep_msg *msg, const struct hep_options *options)
{
    if (sip_port(msg->src_port) || sip_port(msg->dst_port))
        return;
    if (!sip_port(swap16(msg->src_port)) && !sip_port(swap16(msg->dst_port)))
        return;
    if (!may(options, msg, HEP_QUIRK_PORTS_SWAPPED))
        return;
    msg->src_port = swap16(msg->src_port);
    msg->dst_port = swap16(msg->dst_port);
}

/* C agents send the terminator of a string, OpenSIPS what printf makes of a NULL. */
static void clean_correlation(struct hep_msg *msg, const struct hep_options *options)
{
    static const char null_text[] = "<null>";
    struct hep_slice *id = &msg->correlation_id;
    bool terminator = id->len > 0 && id->ptr[id->len - 1] == '\0';
    size_t len = id->len - (terminator ? 1 : 0);
    bool null = len == strlen(null_text) && memcmp(id->ptr, null_text, len) == 0;
    if ((!terminator && !null) || !may(options, msg, HEP_QUIRK_CORRELATION_CUT))
        return;
    id->len = null ? 0 : len;
    if (id->len == 0)
        msg->present &= ~HEP_BIT(HEP_CHUNK_CORRELATION_ID);
}

void hep_clean(struct hep_msg *msg, const struct hep_options *options, uint32_t recv_sec, uint32_t recv_usec)
{
    static const struct hep_options defaults = { .tolerate = HEP_TOLERATE_DEFAULT };
    if (options == NULL)
        options = &defaults;
    clean_time(msg, options, recv_sec, recv_usec);
    clean_family(msg, options);
    clean_ports(msg, options);
    clean_correlation(msg, options);
    if ((msg->capture_id & 0xffff) == 0 && msg->capture_id != 0 && may(options, msg, HEP_QUIRK_CAPTURE_ID_SHIFTED))
        msg->capture_id >>= 16;
    /* 22 is what Kamailio, OpenSIPS and sofia-sip write for TLS, 50 what OpenSIPS writes for WebSocket. */
    if ((msg->protocol == 22 || msg->protocol == 50) && may(options, msg, HEP_QUIRK_PROTOCOL_TLS))
        msg->protocol = 6;
}
