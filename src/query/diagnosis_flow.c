#include "query/diagnosis_flow.h"

#include <errno.h>

#include "base/ip.h"

/* Columns that facts are made of; the payload of table `sip` alone. */
static void take_columns(struct columns *ret)
{
    static const unsigned all[] = { RECORD_COL_ts,         RECORD_COL_seq,      RECORD_COL_sender,
                                    RECORD_COL_src_ip,     RECORD_COL_src_port, RECORD_COL_dst_ip,
                                    RECORD_COL_dst_port,   RECORD_COL_proto,    RECORD_COL_capture_id,
                                    RECORD_COL_payload_len };
    *ret = (struct columns){ 0 };
    for (size_t t = 0; t < RECORD_CALL; t++) /* of messages */
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
            store_columns_add(&ret->table[t], all[i]);
    store_columns_add(&ret->table[RECORD_SIP], RECORD_COL_payload);
}

static int64_t number(const struct record_cell *c, int64_t none)
{
    return c->null ? none : c->number;
}

static struct hep_slice octets(const struct record_cell *c)
{
    return c->null ? (struct hep_slice){ NULL, 0 } : c->octets;
}

static struct diagnosis_host host(const struct record_cell *ip, const struct record_cell *port)
{
    struct diagnosis_host h = { .port = (uint16_t)number(port, 0) };
    struct hep_slice text = octets(ip);
    if (!ip_parse((const char *)text.ptr, text.len, &h.ip))
        h.ip = (struct hep_addr){ .len = 0 };
    return h;
}

struct gathering {
    struct diagnosis_facts facts;
    int rc;
};

static int on_row(void *arg, enum record_table table, const struct record_cell *cells,
                  const struct store_columns *columns)
{
    struct gathering *g = arg;
    (void)columns;
    const struct diagnosis_row row = {
        .table = table,
        .ts = number(&cells[RECORD_COL_ts], 0),
        .seq = (uint64_t)number(&cells[RECORD_COL_seq], 0),
        .src = host(&cells[RECORD_COL_src_ip], &cells[RECORD_COL_src_port]),
        .dst = host(&cells[RECORD_COL_dst_ip], &cells[RECORD_COL_dst_port]),
        .proto = octets(&cells[RECORD_COL_proto]),
        .sender = octets(&cells[RECORD_COL_sender]),
        .capture_id = number(&cells[RECORD_COL_capture_id], -1),
        .payload_len = (uint32_t)number(&cells[RECORD_COL_payload_len], 0),
        .payload = octets(&cells[RECORD_COL_payload]),
    };
    g->rc = diagnosis_facts_add(&g->facts, &row);
    return g->rc != 0;
}

static int gather(struct gathering *g, struct flow *flow, struct errmsg *err)
{
    int rc = 0;
    do
        rc = flow_next(flow, on_row, g, err);
    while (rc > 0 && g->rc == 0);
    if (rc < 0 || g->rc == 0)
        return rc;
    (void)errmsg_set(err, "out of memory");
    return g->rc;
}

static int put(struct buf *out, struct gathering *g, const struct flow_result *result, const struct diagnosis_query *q,
               struct errmsg *err)
{
    struct diagnosis d;
    const struct diagnosis_options o = { .now_us = q->now_us };
    diagnosis_facts_settle(&g->facts);
    if (diagnosis_make(&d, &g->facts, &o) != 0) {
        (void)errmsg_set(err, "out of memory");
        return -ENOMEM;
    }
    buf_putc(out, '{');
    diagnosis_json(out, &d);
    buf_putc(out, ',');
    flow_result_json(out, result);
    buf_puts(out, "}\n");
    diagnosis_free(&d);
    if (!out->failed)
        return 0;
    (void)errmsg_set(err, "the answer is too long");
    return -E2BIG;
}

int diagnosis_flow(struct buf *out, struct store *store, const struct diagnosis_query *q, uint64_t *ret_messages,
                   struct errmsg *err)
{
    struct flow *flow = NULL;
    struct gathering g = { .rc = 0 };
    struct flow_options o = {
        .call_id = q->call_id,
        .call_id_len = q->call_id_len,
        .with_legs = q->with_legs,
        .from_us = q->from_us,
        .to_us = q->to_us,
        .limit = (uint64_t)DIAGNOSIS_MESSAGES_MAX + FLOW_PAGE, /* enough to know that some are left out */
        .budget_us = q->budget_us,
        .cancel = q->cancel,
    };
    take_columns(&o.columns);
    int rc = flow_open(&flow, store, &o, err);
    if (rc == 0)
        rc = gather(&g, flow, err);
    if (rc == 0) {
        *ret_messages = flow_result(flow)->count;
        rc = put(out, &g, flow_result(flow), q, err);
    }
    diagnosis_facts_free(&g.facts);
    flow_close(flow);
    return rc;
}
