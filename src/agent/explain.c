#include "agent/explain.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ip.h"
#include "sip/header.h"
#include "sip/start.h"

#define LINE_MAX_OCTETS 1024
#define SHOWN_MAX       120 /* octets of a text that the packet has */

struct explain {
    void (*line)(void *arg, uint64_t packet, const char *line);
    void *arg;
    uint64_t number;
    size_t said; /* lines about this packet */
    size_t wire_len, captured;
    bool has_dgram;
    const char *media;  /* NULL: the datagram is none of media */
    bool always;        /* it has a line beside those of messages that it made due */
    struct dgram dgram; /* addresses alone */
    size_t dgram_len;
    struct messages_counts counts; /* before the packet */
    struct tcp_stats tcp;
    struct buf text;
};

struct explain *explain_new(void (*line)(void *arg, uint64_t packet, const char *line), void *arg)
{
    struct explain *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return NULL;
    e->line = line;
    e->arg = arg;
    buf_init(&e->text, LINE_MAX_OCTETS * 4);
    return e;
}

void explain_free(struct explain *e)
{
    if (e == NULL)
        return;
    buf_free(&e->text);
    free(e);
}

static void say(struct explain *e)
{
    buf_putc(&e->text, '\0');
    if (!e->text.failed)
        e->line(e->arg, e->number, (const char *)e->text.ptr);
    e->said++;
}

void explain_begin(struct explain *e, uint64_t number, const struct packet *packet, const struct messages *m)
{
    if (e == NULL)
        return;
    e->number = number;
    e->said = 0;
    e->wire_len = packet->wire_len;
    e->captured = packet->data.len;
    e->has_dgram = false;
    e->media = NULL;
    e->always = false;
    e->counts = *messages_counts(m);
    e->tcp = *dissect_tcp_stats(messages_dissector(m));
}

void explain_dgram(struct explain *e, const struct dgram *d)
{
    if (e == NULL)
        return;
    e->has_dgram = true;
    e->dgram = *d;
    e->dgram_len = d->payload.len;
}

void explain_media(struct explain *e, const char *what, bool always)
{
    if (e == NULL)
        return;
    e->media = what;
    e->always = always;
}

void explain_last(struct explain *e)
{
    if (e != NULL)
        e->has_dgram = false;
}

/* ------------------------------------------------------------------------------------------------ messages */

static void put_end(struct buf *b, const struct hep_addr *addr, uint16_t port)
{
    char text[IP_TEXT_MAX];
    (void)ip_format(addr, text);
    buf_printf(b, addr->len == 16 ? "[%s]:%u" : "%s:%u", text, (unsigned)port);
}

static void put_way(struct buf *b, const struct hep_addr *src, uint16_t src_port, const struct hep_addr *dst,
                    uint16_t dst_port, uint8_t protocol)
{
    put_end(b, src, src_port);
    buf_puts(b, " > ");
    put_end(b, dst, dst_port);
    buf_puts(b, protocol == 6 ? " tcp: " : protocol == 132 ? " sctp: " : " udp: ");
}

/* Octets of the network to a terminal. */
static void put_shown(struct buf *b, struct hep_slice s)
{
    size_t len = s.len < SHOWN_MAX ? s.len : SHOWN_MAX;
    for (size_t i = 0; i < len; i++)
        buf_putc(b, s.ptr[i] >= 0x20 && s.ptr[i] < 0x7f ? (char)s.ptr[i] : '.');
}

/* "SIP INVITE", "SIP 200", "RTCP" */
static void put_kind(struct buf *b, const struct hep_msg *msg)
{
    struct sip_headers it;
    struct sip_start start;
    unsigned flags;
    if (msg->payload_type != HEP_TYPE_SIP) {
        buf_puts(b, msg->payload_type == HEP_TYPE_RTCP  ? "RTCP"
                    : msg->payload_type == HEP_TYPE_LOG ? "event of media"
                                                        : "report on RTP");
        return;
    }
    buf_puts(b, "SIP ");
    (void)sip_start_parse(sip_headers_begin_at_start_line(&it, msg->payload, &flags), &start);
    if (start.kind == SIP_RESPONSE)
        buf_printf(b, "%u", (unsigned)start.status);
    else
        put_shown(b, start.method);
}

static void begin_message(struct explain *e, const struct hep_msg *msg)
{
    buf_reset(&e->text);
    put_way(&e->text, &msg->src, msg->src_port, &msg->dst, msg->dst_port, msg->protocol);
    put_kind(&e->text, msg);
    buf_printf(&e->text, ", %zu octets: ", msg->payload.len);
}

void explain_message(struct explain *e, const struct hep_msg *msg, const char *what)
{
    if (e == NULL)
        return;
    begin_message(e, msg);
    buf_puts(&e->text, what);
    say(e);
}

void explain_ruled(struct explain *e, const struct hep_msg *msg, const char *rule)
{
    if (e == NULL)
        return;
    begin_message(e, msg);
    buf_puts(&e->text, "left out by the rule \"");
    put_shown(&e->text, (struct hep_slice){ (const uint8_t *)rule, strlen(rule) });
    buf_putc(&e->text, '"');
    say(e);
}

void explain_sent(struct explain *e, const struct hep_msg *msg, size_t frame_len, enum frame_result how)
{
    static const char *const words[] = {
        [FRAME_PLAIN] = "",
        [FRAME_COMPRESSED] = ", compressed",
        [FRAME_CUT] = ", its payload cut to fit and marked",
        [FRAME_BAD] = "",
    };
    if (e == NULL)
        return;
    begin_message(e, msg);
    buf_printf(&e->text, "sent, %zu octets of HEP%s", frame_len, words[how]);
    if (msg->payload_type == HEP_TYPE_RTCP && !hep_has(msg, HEP_CHUNK_CORRELATION_ID))
        buf_puts(&e->text, ", without a Call-ID: no SDP named this address");
    say(e);
}

void explain_text(struct explain *e, const char *text)
{
    if (e == NULL)
        return;
    buf_reset(&e->text);
    buf_puts(&e->text, text);
    say(e);
}

/* ------------------------------------------------------------------------------------------------ the rest */

static const struct {
    enum dissect_outcome outcome;
    const char *text;
} reasons[] = {
    { DISSECT_FRAGMENT, "IP fragment: held until its datagram is whole" },
    { DISSECT_FRAGMENT_DUPLICATE, "IP fragment that was seen before" },
    { DISSECT_FRAGMENT_DROPPED, "IP fragment that fits no datagram, or the limits" },
    { DISSECT_OTHER_PROTOCOL, "IP of another protocol than UDP, TCP, SCTP" },
    { DISSECT_NOT_IP, "no IP packet" },
    { DISSECT_LINK_SHORT, "ends inside the header of the link layer" },
    { DISSECT_LINK_TYPE, "a link layer that is not known" },
    { DISSECT_LINK_TOO_DEEP, "too many tags in front of IP" },
    { DISSECT_IP_SHORT, "ends inside the IP header" },
    { DISSECT_IP_VERSION, "neither IPv4 nor IPv6" },
    { DISSECT_IP_HEADER_LENGTH, "an impossible length of the IPv4 header" },
    { DISSECT_IP_TOTAL_LENGTH, "IP claims more octets than the packet had" },
    { DISSECT_IP_TOO_DEEP, "too many IPv6 extension headers" },
    { DISSECT_UDP_SHORT, "ends inside the UDP header" },
    { DISSECT_UDP_LENGTH, "an impossible length of UDP" },
    { DISSECT_TCP_SHORT, "ends inside the TCP header" },
    { DISSECT_TCP_OFFSET, "an impossible data offset of TCP" },
    { DISSECT_NO_MEMORY, "lost: no memory" },
};

static const char *reason_of(enum dissect_outcome outcome)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].outcome == outcome)
            return reasons[i].text;
    return dissect_outcome_name(outcome);
}

static const char *tcp_reason(const struct explain *e, const struct messages *m)
{
    const struct tcp_stats *now = dissect_tcp_stats(messages_dissector(m));
    if (now->octets == e->tcp.octets)
        return "TCP segment without data";
    if (now->out_of_order > e->tcp.out_of_order)
        return "TCP segment ahead of its turn: held until the missing one comes";
    if (now->delivered_octets == e->tcp.delivered_octets)
        return now->retransmitted_octets > e->tcp.retransmitted_octets ? "TCP segment that was seen before"
                                                                       : "TCP segment that is not taken";
    if (messages_counts(m)->other_tcp > e->counts.other_tcp)
        return "TCP stream that is no SIP";
    return "part of a SIP message over TCP: held until the rest comes";
}

static const char *dgram_reason(const struct explain *e, const struct messages *m)
{
    if (e->media != NULL)
        return e->media;
    if (messages_counts(m)->hep > e->counts.hep)
        return "HEP, which is not passed on";
    return e->dgram.truncated ? "neither SIP nor RTCP, and cut by the snap length" : "neither SIP nor RTCP";
}

void explain_end(struct explain *e, enum dissect_outcome outcome, const struct messages *m)
{
    if (e == NULL || (e->said > 0 && !e->always))
        return;
    buf_reset(&e->text);
    if (e->has_dgram) {
        put_way(&e->text, &e->dgram.src, e->dgram.src_port, &e->dgram.dst, e->dgram.dst_port, e->dgram.protocol);
        buf_printf(&e->text, "%zu octets: ", e->dgram_len);
        buf_puts(&e->text, dgram_reason(e, m));
    } else {
        bool tcp = outcome == DISSECT_TCP || outcome == DISSECT_TCP_CUT;
        buf_printf(&e->text, "%zu octets: %s", e->wire_len, tcp ? tcp_reason(e, m) : reason_of(outcome));
        if (e->captured < e->wire_len)
            buf_printf(&e->text, " (the snap length left %zu octets of it)", e->captured);
    }
    say(e);
}
