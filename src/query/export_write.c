/* The formats of exports. */
#include <errno.h>
#include <string.h>

#include "base/ip.h"
#include "base/when.h"
#include "query/export_internal.h"
#include "query/message_text.h"
#include "query/row_json.h"
#include "rtp/rtcp.h"

/* ------------------------------------------------------------------------------------------------ cells */

static bool has(const struct record_cell *cells, unsigned column)
{
    return !cells[column].null;
}

/* Empty, or 0, if there is none. */
static struct hep_slice text_of(const struct record_cell *cells, unsigned column)
{
    return has(cells, column) ? cells[column].octets : (struct hep_slice){ (const uint8_t *)"", 0 };
}

static uint32_t number_of(const struct record_cell *cells, unsigned column)
{
    return has(cells, column) ? (uint32_t)cells[column].number : 0;
}

/* " name=" and the number, if there is one. */
static void put_number(struct buf *out, const char *name, const struct record_cell *cells, unsigned column)
{
    if (has(cells, column))
        buf_printf(out, " %s=%u", name, number_of(cells, column));
}

/* ------------------------------------------------------------------------------------------------ pcap */

static bool write_piece(void *arg, const void *octets, size_t len)
{
    struct export *e = arg;
    buf_put(e->out, octets, len);
    return !e->out->failed;
}

static int pcap_head(struct export *e, struct errmsg *err)
{
    const struct pcap_out_options o = {
        .format = e->o.format == EXPORT_PCAPNG ? PCAP_OUT_PCAPNG : PCAP_OUT_PCAP,
        .program = e->o.program,
        .sctp = true,
        .write = write_piece,
        .arg = e,
    };
    return pcap_out_start(&e->pcap, &o, err) == 0 ? 0 : -ENOMEM;
}

/*
 * True if the payload is what was on the wire. HEP carries reports and logs, mostly JSON, in the place of a payload;
 * protocols of the wire that agents turn into JSON are told by their first octet.
 */
static bool is_wire(enum record_table table, unsigned type, struct hep_slice payload)
{
    static const uint8_t types[] = { 2 /* XMPP */, 6 /* MGCP */,  7 /* Megaco */, 8 /* M2UA */,      9 /* M3UA */,
                                     10 /* IAX */, 13 /* M2PA */, 55 /* RTSP */,  HEP_TYPE_DIAMETER, HEP_TYPE_DNS };
    if (table == RECORD_SIP)
        return true;
    if (type == HEP_TYPE_RTCP)
        return rtcp_looks_like(payload.ptr, payload.len);
    if (payload.len == 0 || payload.ptr[0] == '{' || payload.ptr[0] == '[')
        return false;
    if (type == HEP_TYPE_RTP)
        return payload.len >= 12 && payload.ptr[0] >> 6 == 2;
    return memchr(types, (int)type, sizeof(types)) != NULL;
}

/* TLS and WebSocket run over TCP, and their payload is what was inside. Nothing else is known of what has no name. */
static uint8_t ip_protocol(struct hep_slice proto)
{
    static const struct {
        const char *name;
        uint8_t number;
    } names[] = { { "tcp", 6 }, { "tls", 6 }, { "ws", 6 }, { "wss", 6 }, { "sctp", 132 } };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (proto.len == strlen(names[i].name) && memcmp(proto.ptr, names[i].name, proto.len) == 0)
            return names[i].number;
    return 17;
}

static struct hep_addr addr_of(const struct record_cell *cells, unsigned column)
{
    struct hep_addr addr = { 0 };
    struct hep_slice text = text_of(cells, column);
    if (text.len == 0 || !ip_parse((const char *)text.ptr, text.len, &addr))
        addr.len = 0;
    return addr;
}

/* What HEP knows of a packet and the packet cannot say. */
static void put_comment(struct buf *out, const struct record_cell *cells)
{
    buf_puts(out, "HEP");
    message_text_named(out, "node", text_of(cells, RECORD_COL_node));
    put_number(out, "id", cells, RECORD_COL_capture_id);
    message_text_named(out, "correlation", text_of(cells, RECORD_COL_correlation_id));
    message_text_named(out, "proto", text_of(cells, RECORD_COL_proto));
    message_text_named(out, "sender", text_of(cells, RECORD_COL_sender));
    put_number(out, "vlan", cells, RECORD_COL_vlan);
}

static void count_result(struct export *e, enum pcap_out_result rc)
{
    e->result.count += rc == PCAP_OUT_OK;
    e->result.no_address += rc == PCAP_OUT_ADDRESS;
    e->result.too_long += rc == PCAP_OUT_TOO_LONG;
    if (rc == PCAP_OUT_NO_MEMORY)
        e->out->failed = true;
}

static void pcap_row(struct export *e, enum record_table table, const struct record_cell *cells)
{
    struct hep_slice payload = text_of(cells, RECORD_COL_payload);
    uint64_t us = (uint64_t)(cells[RECORD_COL_ts].number > 0 ? cells[RECORD_COL_ts].number : 0);
    struct buf comment;
    if ((number_of(cells, RECORD_COL_flags) & RECORD_FLAG_INFLATE) != 0 ||
        !is_wire(table, number_of(cells, RECORD_COL_payload_type), payload)) {
        e->result.no_packet++;
        return;
    }
    struct pcap_out_message m = {
        .sec = (uint32_t)(us / 1000000),
        .usec = (uint32_t)(us % 1000000),
        .protocol = ip_protocol(text_of(cells, RECORD_COL_proto)),
        .src = addr_of(cells, RECORD_COL_src_ip),
        .dst = addr_of(cells, RECORD_COL_dst_ip),
        .src_port = (uint16_t)number_of(cells, RECORD_COL_src_port),
        .dst_port = (uint16_t)number_of(cells, RECORD_COL_dst_port),
        .payload = payload,
    };
    buf_init(&comment, PCAP_OUT_COMMENT_MAX);
    if (e->o.format == EXPORT_PCAPNG)
        put_comment(&comment, cells);
    m.comment = (struct hep_slice){ comment.ptr, comment.len };
    count_result(e, pcap_out_message(e->pcap, &m));
    buf_free(&comment);
}

/* ------------------------------------------------------------------------------------------------ text */

static void put_kind(struct buf *out, enum record_table table, const struct record_cell *cells)
{
    struct hep_slice proto = text_of(cells, RECORD_COL_proto);
    if (table == RECORD_SIP) {
        buf_puts(out, "sip");
    } else {
        struct hep_slice kind = text_of(cells, RECORD_KIND_COL_kind);
        buf_put(out, kind.ptr, kind.len);
    }
    buf_putc(out, ' ');
    for (size_t i = 0; i < proto.len; i++)
        buf_putc(out, (char)(proto.ptr[i] >= 'a' && proto.ptr[i] <= 'z' ? proto.ptr[i] - 'a' + 'A' : proto.ptr[i]));
    buf_puts(out, proto.len > 0 ? " " : "");
}

/* As `hepcat decode --format text` shows messages. */
static void text_row(struct export *e, enum record_table table, const struct record_cell *cells)
{
    char time[WHEN_TEXT_MAX];
    struct buf *out = e->out;
    (void)when_format(cells[RECORD_COL_ts].number, time);
    buf_printf(out, "%s ", time);
    put_kind(out, table, cells);
    message_text_endpoint(out, text_of(cells, RECORD_COL_src_ip), number_of(cells, RECORD_COL_src_port));
    buf_puts(out, " -> ");
    message_text_endpoint(out, text_of(cells, RECORD_COL_dst_ip), number_of(cells, RECORD_COL_dst_port));
    put_number(out, "id", cells, RECORD_COL_capture_id);
    message_text_named(out, "node", text_of(cells, RECORD_COL_node));
    message_text_named(out, "correlation", text_of(cells, RECORD_COL_correlation_id));
    buf_printf(out, " %u octets\n", number_of(cells, RECORD_COL_payload_len));
    message_text_payload(out, text_of(cells, RECORD_COL_payload));
    buf_putc(out, '\n');
    e->result.count++;
}

/* ------------------------------------------------------------------------------------------------ JSON, CSV */

static void jsonl_row(struct export *e, enum record_table table, const struct record_cell *cells)
{
    row_json(e->out, table, cells, &e->columns.table[table]);
    buf_putc(e->out, '\n');
    e->result.count++;
}

static int csv_head(struct export *e, struct errmsg *err)
{
    (void)err;
    row_csv_head(e->out, &e->csv);
    return 0;
}

static void csv_row(struct export *e, enum record_table table, const struct record_cell *cells)
{
    row_csv_put(e->out, &e->csv, table, cells);
    e->result.count++;
}

static int choose_json(struct export *e, struct errmsg *err)
{
    const char *names = e->o.columns;
    columns_all(&e->columns, e->o.payload ? COLUMNS_PAYLOAD : COLUMNS_NO_PAYLOAD);
    if (names != NULL && names[0] != '\0' && columns_parse(&e->columns, names, strlen(names), err) != 0)
        return -EINVAL;
    for (size_t t = 0; t < RECORD_TABLES && e->o.payload; t++)
        store_columns_add(&e->columns.table[t], RECORD_COL_payload);
    e->fetch = columns_union(&e->columns, RECORD_TABLES_MESSAGES);
    return 0;
}

static int choose_csv(struct export *e, struct errmsg *err)
{
    if (row_csv_init(&e->csv, e->o.columns, e->o.payload, err) != 0)
        return -EINVAL;
    row_csv_wants(&e->csv, &e->columns);
    e->fetch = columns_union(&e->columns, RECORD_TABLES_MESSAGES);
    return 0;
}

/* What packets and text are made of. */
static int choose_message(struct export *e, struct errmsg *err)
{
    static const unsigned columns[] = {
        RECORD_COL_ts,         RECORD_COL_flags,       RECORD_COL_sender,
        RECORD_COL_capture_id, RECORD_COL_node,        RECORD_COL_src_ip,
        RECORD_COL_src_port,   RECORD_COL_dst_ip,      RECORD_COL_proto,
        RECORD_COL_dst_port,   RECORD_COL_vlan,        RECORD_COL_payload_type,
        RECORD_COL_payload,    RECORD_COL_payload_len, RECORD_COL_correlation_id,
        RECORD_KIND_COL_kind, /* of SIP the column of that number: the method */
    };
    if (e->o.columns != NULL && e->o.columns[0] != '\0') {
        (void)errmsg_set(err, "columns are for JSON lines and CSV");
        return -EINVAL;
    }
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
        store_columns_add(&e->fetch, columns[i]);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ all */

static const struct {
    struct export_kind kind;
    int (*choose)(struct export *e, struct errmsg *err);
    int (*head)(struct export *e, struct errmsg *err);
    void (*row)(struct export *e, enum record_table table, const struct record_cell *cells);
} kinds[EXPORT_FORMATS] = {
    [EXPORT_PCAP] = { { "pcap", "application/vnd.tcpdump.pcap", "hepcat.pcap", true, true },
                      choose_message,
                      pcap_head,
                      pcap_row },
    [EXPORT_PCAPNG] = { { "pcapng", "application/x-pcapng", "hepcat.pcapng", true, true },
                        choose_message,
                        pcap_head,
                        pcap_row },
    [EXPORT_TEXT] = { { "text", "text/plain; charset=utf-8", "hepcat.txt", false, true },
                      choose_message,
                      NULL,
                      text_row },
    [EXPORT_JSONL] = { { "jsonl", "application/x-ndjson", "hepcat.jsonl", false, true }, choose_json, NULL, jsonl_row },
    [EXPORT_CSV] = { { "csv", "text/csv; charset=utf-8; header=present", "hepcat.csv", false, false },
                     choose_csv,
                     csv_head,
                     csv_row },
};

const struct export_kind *export_kind(enum export_format format)
{
    return &kinds[format].kind;
}

int export_write_init(struct export *e, struct errmsg *err)
{
    return kinds[e->o.format].choose(e, err);
}

int export_write_head(struct export *e, struct errmsg *err)
{
    return kinds[e->o.format].head == NULL ? 0 : kinds[e->o.format].head(e, err);
}

void export_write_row(struct export *e, enum record_table table, const struct record_cell *cells)
{
    kinds[e->o.format].row(e, table, cells);
}
