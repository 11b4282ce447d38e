#include "cmd/output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/ip.h"
#include "query/message_text.h"

#define BATCH_SIZE (64u * 1024)
/* The largest message is a frame's payload, six characters for each octet at the worst, or a bomb's inflated one. */
#define PENDING_MAX (16u * 1024 * 1024)

static const char *const format_names[] = {
    [OUTPUT_JSON] = "json", [OUTPUT_TEXT] = "text", [OUTPUT_PCAP] = "pcap", [OUTPUT_RAW] = "raw"
};

bool output_format_parse(const char *name, enum output_format *ret)
{
    for (unsigned i = 0; i < sizeof(format_names) / sizeof(format_names[0]); i++) {
        if (strcmp(format_names[i], name) == 0) {
            *ret = (enum output_format)i;
            return true;
        }
    }
    return false;
}

int output_open(struct output *o, struct errmsg *err)
{
    o->pcap = NULL;
    o->err.text[0] = '\0';
    buf_init(&o->pending, PENDING_MAX);
    if (o->format != OUTPUT_PCAP)
        return 0;
    if (isatty(STDOUT_FILENO))
        return errmsg_set(err, "a pcap is not for a terminal: redirect standard output to a file");
    return pcap_out_open(&o->pcap, stdout, err);
}

static int write_failed(struct output *o)
{
    if (errno == EPIPE) /* `| head` is not an error */
        o->err.text[0] = '\0';
    else
        errmsg_set(&o->err, "standard output: %s", strerror(errno));
    return -1;
}

static int write_all(struct output *o, const uint8_t *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return write_failed(o);
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

int output_flush(struct output *o)
{
    if (o->pcap != NULL)
        return fflush(stdout) == 0 ? 0 : write_failed(o);
    int rc = write_all(o, o->pending.ptr, o->pending.len);
    buf_reset(&o->pending);
    return rc;
}

int output_close(struct output *o)
{
    int rc = output_flush(o);
    if (o->pcap != NULL && pcap_out_close(o->pcap) != 0 && rc == 0)
        rc = write_failed(o);
    buf_free(&o->pending);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ text */

static void text_endpoint(struct buf *out, const struct hep_addr *addr, uint16_t port)
{
    char text[IP_TEXT_MAX];
    size_t len = ip_format(addr, text);
    message_text_endpoint(out, (struct hep_slice){ (const uint8_t *)text, len }, port);
}

static const char *protocol_name(uint8_t protocol)
{
    switch (protocol) {
    case 1:
        return "ICMP";
    case 6:
        return "TCP";
    case 17:
        return "UDP";
    case 22:
        return "TLS";
    case 132:
        return "SCTP";
    default:
        return NULL;
    }
}

static void text_type(struct buf *out, const struct hep_msg *msg)
{
    const char *type = hep_type_name(msg->payload_type);
    const char *protocol = protocol_name(msg->protocol);
    if (type != NULL)
        buf_printf(out, "%s", type);
    else
        buf_printf(out, "type %u", msg->payload_type);
    if (protocol != NULL)
        buf_printf(out, " %s ", protocol);
    else
        buf_printf(out, " protocol %u ", msg->protocol);
}

static void write_text(struct output *o, const struct hep_msg *msg)
{
    struct buf *out = &o->pending;
    char time[CLOCK_TEXT_MAX] = "(no time)";
    if (hep_has(msg, HEP_CHUNK_TIME_SEC))
        (void)clock_format((struct wall_time){ msg->time_sec, msg->time_usec }, time);
    buf_printf(out, "%s ", time);
    text_type(out, msg);
    text_endpoint(out, &msg->src, msg->src_port);
    buf_puts(out, " -> ");
    text_endpoint(out, &msg->dst, msg->dst_port);
    buf_printf(out, " id=%u", (unsigned)msg->capture_id);
    message_text_named(out, "node", msg->node_name);
    message_text_named(out, "correlation", msg->correlation_id);
    if (hep_has(msg, HEP_CHUNK_MOS))
        buf_printf(out, " mos=%u.%02u", msg->mos / 100u, msg->mos % 100u);
    buf_printf(out, " %zu octets\n", msg->payload.len);
    message_text_payload(out, msg->payload);
    buf_putc(out, '\n');
}

/* ------------------------------------------------------------------------------------------------ pcap */

static int write_pcap(struct output *o, const struct hep_msg *msg, const struct hepjson_meta *meta)
{
    struct pcap_out_message m = {
        .sec = msg->time_sec,
        .usec = msg->time_usec % 1000000,
        /* 22 and 50 are how some senders say TLS and WebSocket: both run over TCP. */
        .protocol = msg->protocol == 22 || msg->protocol == 50 ? 6 : msg->protocol,
        .tos = msg->ip_tos,
        .src = msg->src,
        .dst = msg->dst,
        .src_port = msg->src_port,
        .dst_port = msg->dst_port,
        .payload = msg->payload,
    };
    if (m.sec == 0 && meta != NULL) {
        m.sec = meta->time.sec;
        m.usec = meta->time.usec;
    }
    enum pcap_out_result rc = pcap_out_message(o->pcap, &m);
    if (rc == PCAP_OUT_WRITE)
        return write_failed(o);
    if (rc == PCAP_OUT_OK)
        return 0;
    errmsg_set(&o->err, "%s", pcap_out_strerror(rc));
    return 1;
}

/* ------------------------------------------------------------------------------------------------ raw */

/* Versions 1 and 2 carry no length: nobody could find the next frame behind one, so it has the output for itself. */
static int write_raw(struct output *o, const struct hep_msg *msg)
{
    if (o->raw_ended || (msg->version != 3 && o->raw_frames > 0)) {
        errmsg_set(&o->err, "a version 1 or 2 frame has no length: in raw format it must be the only one");
        return 1;
    }
    buf_put(&o->pending, msg->frame.ptr, msg->frame.len);
    o->raw_frames++;
    o->raw_ended = msg->version != 3;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ all */

int output_message(struct output *o, const struct hep_msg *msg, const struct hepjson_meta *meta)
{
    struct buf *out = &o->pending;
    size_t before = out->len;
    switch (o->format) {
    case OUTPUT_JSON:
        hepjson_write(out, msg, &o->json, o->meta ? meta : NULL);
        buf_putc(out, '\n');
        break;
    case OUTPUT_TEXT:
        write_text(o, msg);
        break;
    case OUTPUT_RAW:
        if (write_raw(o, msg) != 0)
            return 1;
        break;
    case OUTPUT_PCAP:
        return write_pcap(o, msg, meta);
    }
    if (out->failed) {
        out->len = before;
        out->failed = false;
        errmsg_set(&o->err, "message is too large to print");
        return 1;
    }
    return out->len >= BATCH_SIZE ? output_flush(o) : 0;
}
