/* GET /api/v1/message: one row with its payload, taken apart; or the payload's octets alone. */
#include "api/internal.h"
#include "query/detail.h"
#include "query/row_json.h"
#include "rtp/rtcp_json.h"

struct message {
    struct buf *out;
    uint64_t seq;
    bool raw;
    bool found;
};

/* What the payload says, as a member of its own. */
static void put_detail(struct buf *out, enum record_table table, const struct record_cell *cells)
{
    struct hep_slice payload = cells[RECORD_COL_payload].octets;
    size_t before = out->len;
    if (table == RECORD_SIP) {
        buf_puts(out, ",\"sip\":");
        detail_sip(out, payload);
    } else if (cells[RECORD_COL_payload_type].number == HEP_TYPE_RTCP) {
        buf_puts(out, ",\"rtcp\":");
        if (!rtcp_json(out, payload.ptr, payload.len) && !out->failed)
            out->len = before; /* as JSON already, or none at all */
    }
}

static int on_row(void *arg, enum record_table table, const struct record_cell *cells,
                  const struct store_columns *columns)
{
    struct message *m = arg;
    if (cells[RECORD_COL_seq].null || (uint64_t)cells[RECORD_COL_seq].number != m->seq)
        return 1;
    m->found = true;
    if (m->raw) {
        buf_put(m->out, cells[RECORD_COL_payload].octets.ptr, cells[RECORD_COL_payload].octets.len);
        return 1;
    }
    buf_putc(m->out, '{');
    row_json_members(m->out, table, cells, columns);
    if (!cells[RECORD_COL_payload].null)
        put_detail(m->out, table, cells);
    buf_puts(m->out, "}\n");
    return 1;
}

static bool take_params(struct api_request *r, struct api_reply *reply, struct message *m, int64_t *ret_ts)
{
    const char *ts = api_param(r, "ts");
    if (ts == NULL || ts[0] == '\0' || api_param(r, "seq") == NULL)
        return api_problem(reply, 400, "\"seq\" and \"ts\" of the message are needed");
    return api_param_number(r, reply, "seq", 1, UINT64_MAX, &m->seq) && api_param_time(r, reply, "ts", ret_ts) &&
           api_param_flag(r, reply, "raw", &m->raw);
}

/* The row is the first one behind the place before its own. */
static bool find(struct api_request *r, struct api_reply *reply, struct message *m, int64_t ts, struct search **ret)
{
    struct search_options o = {
        .from_us = ts,
        .to_us = ts + 1,
        .oldest_first = true,
        .limit = 1,
        .has_after = true,
        .after = { ts, m->seq - 1 },
        .budget_us = (uint64_t)atomic_load(&r->api->search_ms) * 1000,
    };
    columns_all(&o.columns, COLUMNS_PAYLOAD);
    return api_search(r, &o, ret, reply);
}

void api_get_message(struct api_request *r, struct api_reply *reply)
{
    struct message m = { .out = &reply->body };
    struct search *search = NULL;
    struct errmsg err = { "" };
    int64_t ts = 0;
    if (!take_params(r, reply, &m, &ts) || !find(r, reply, &m, ts, &search))
        return;
    int rc = search_next(search, 1, on_row, &m, &err);
    const struct search_result *result = search_result(search);
    if (rc < 0)
        (void)api_problem(reply, (unsigned)-api_store_status(r->api, rc), "%s", err.text);
    else if (m.found && m.raw)
        reply->type = "application/octet-stream", reply->file_name = "message.bin";
    else if (!m.found && !search_complete(result))
        (void)api_problem(reply, 503, "it may be where nothing could be read: %s", result->problem.text);
    else if (!m.found)
        (void)api_problem(reply, 404, "there is no such message");
    search_close(search);
}
