#include "query/diagnosis_flow.h"

#include <errno.h>
#include <string.h>

#include "base/ip.h"
#include "base/num.h"
#include "base/when.h"
#include "filter/filter_text.h"
#include "rtp/json_pull.h"
#include "sip/text.h"

/* Columns that facts are made of; the payload of table `sip` alone. */
static void take_columns(struct columns *ret)
{
    static const unsigned all[] = { RECORD_COL_ts,         RECORD_COL_seq,      RECORD_COL_sender,
                                    RECORD_COL_src_ip,     RECORD_COL_src_port, RECORD_COL_dst_ip,
                                    RECORD_COL_dst_port,   RECORD_COL_proto,    RECORD_COL_capture_id,
                                    RECORD_COL_payload_len };
    static const unsigned media[] = { RECORD_QUALITY_COL_report, RECORD_QUALITY_COL_loss,
                                      RECORD_QUALITY_COL_jitter_ms };
    *ret = (struct columns){ 0 };
    for (size_t t = 0; t < RECORD_CALL; t++) /* of messages */
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
            store_columns_add(&ret->table[t], all[i]);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        store_columns_add(&ret->table[RECORD_QUALITY], all[i]);
    for (size_t i = 0; i < sizeof(media) / sizeof(media[0]); i++)
        store_columns_add(&ret->table[RECORD_QUALITY], media[i]);
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

/* Reports on media, as far as there is room: by direction, the worst of each. */
#define MEDIA_MAX 64

/* Accounts of agents that dropped packets; they are looked for up to so long behind the call. */
#define BLIND_MAX   32
#define BLIND_AFTER (INT64_C(600) * 1000000)

struct gathering {
    struct diagnosis_facts facts;
    struct diagnosis_media media[MEDIA_MAX];
    size_t media_count;
    struct diagnosis_blind blind[BLIND_MAX];
    size_t blind_count;
    uint64_t messages;
    int rc;
};

/* ------------------------------------------------------------------------------------------------ media */

static bool same_host(const struct diagnosis_host *a, const struct diagnosis_host *b)
{
    return a->port == b->port && a->ip.len == b->ip.len && memcmp(a->ip.octets, b->ip.octets, a->ip.len) == 0;
}

/* The figures of this way; NULL: no room. */
static struct diagnosis_media *media_of(struct gathering *g, const struct diagnosis_host *src,
                                        const struct diagnosis_host *dst)
{
    for (size_t i = 0; i < g->media_count; i++)
        if (same_host(&g->media[i].src, src) && same_host(&g->media[i].dst, dst))
            return &g->media[i];
    if (g->media_count == MEDIA_MAX)
        return NULL;
    g->media[g->media_count] =
        (struct diagnosis_media){ .src = *src, .dst = *dst, .loss_percent = -1, .jitter_ms = -1 };
    return &g->media[g->media_count++];
}

/* Who reports by RTCP is who received. */
static bool is_control(struct hep_slice report)
{
    return text_is(report, "rtcp") || text_is(report, "xr");
}

static void add_report(struct gathering *g, const struct record_cell *cells)
{
    struct diagnosis_host src = host(&cells[RECORD_COL_src_ip], &cells[RECORD_COL_src_port]);
    struct diagnosis_host dst = host(&cells[RECORD_COL_dst_ip], &cells[RECORD_COL_dst_port]);
    const struct record_cell *loss = &cells[RECORD_QUALITY_COL_loss], *jitter = &cells[RECORD_QUALITY_COL_jitter_ms];
    bool control = is_control(octets(&cells[RECORD_QUALITY_COL_report]));
    struct diagnosis_media *m = media_of(g, control ? &dst : &src, control ? &src : &dst);
    if (m != NULL && !loss->null && (double)loss->number / 100 > m->loss_percent) {
        m->loss_percent = (double)loss->number / 100;
        m->loss_at = cells[RECORD_COL_ts].number;
    }
    if (m != NULL && !jitter->null && (double)jitter->number / 100 > m->jitter_ms) {
        m->jitter_ms = (double)jitter->number / 100;
        m->jitter_at = cells[RECORD_COL_ts].number;
    }
}

/* A side that hears nothing, by the record of the call. */
static void add_silence(struct gathering *g, const struct record_cell *from_ip, const struct record_cell *from_port,
                        const struct record_cell *to_ip, const struct record_cell *to_port)
{
    struct diagnosis_host src = host(from_ip, from_port), dst = host(to_ip, to_port);
    struct diagnosis_media *m = media_of(g, &src, &dst);
    if (m != NULL)
        m->nothing = true;
}

static bool has_word(struct hep_slice words, const char *word)
{
    while (words.len > 0) {
        const uint8_t *comma = memchr(words.ptr, ',', words.len);
        size_t len = comma != NULL ? (size_t)(comma - words.ptr) : words.len, step = len + (comma != NULL);
        if (text_is((struct hep_slice){ words.ptr, len }, word))
            return true;
        words = (struct hep_slice){ words.ptr + step, words.len - step };
    }
    return false;
}

static int on_call(void *arg, enum record_table table, const struct record_cell *c, const struct store_columns *columns)
{
    struct gathering *g = arg;
    (void)table;
    (void)columns;
    if (!has_word(octets(&c[RECORD_CALL_COL_call_flags]), "one-way-audio") &&
        !has_word(octets(&c[RECORD_CALL_COL_call_flags]), "no-media"))
        return 0;
    bool caller_hears = !c[RECORD_CALL_COL_caller_loss].null, callee_hears = !c[RECORD_CALL_COL_callee_loss].null;
    if (!caller_hears)
        add_silence(g, &c[RECORD_CALL_COL_callee_media_ip], &c[RECORD_CALL_COL_callee_media_port],
                    &c[RECORD_CALL_COL_caller_media_ip], &c[RECORD_CALL_COL_caller_media_port]);
    if (!callee_hears)
        add_silence(g, &c[RECORD_CALL_COL_caller_media_ip], &c[RECORD_CALL_COL_caller_media_port],
                    &c[RECORD_CALL_COL_callee_media_ip], &c[RECORD_CALL_COL_callee_media_port]);
    return 0;
}

/* Calls whose reports say that nothing arrived (docs/calls.md, "Flags"). */
static int find_silence(struct gathering *g, struct store *store, const struct diagnosis_query *q,
                        const struct call_legs *legs, struct errmsg *err)
{
    static const unsigned columns[] = { RECORD_CALL_COL_call_flags,        RECORD_CALL_COL_caller_loss,
                                        RECORD_CALL_COL_callee_loss,       RECORD_CALL_COL_caller_media_ip,
                                        RECORD_CALL_COL_caller_media_port, RECORD_CALL_COL_callee_media_ip,
                                        RECORD_CALL_COL_callee_media_port };
    const struct hep_slice alone = { (const uint8_t *)q->call_id, q->call_id_len };
    struct search_options o = { .tables = RECORD_TABLES_CALLS,
                                .from_us = INT64_MIN,
                                .to_us = INT64_MAX,
                                .limit = DIAGNOSIS_LEGS_MAX,
                                .budget_us = q->budget_us,
                                .cancel = q->cancel };
    struct filter *filter = NULL;
    struct search *search = NULL;
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
        store_columns_add(&o.columns.table[RECORD_CALL], columns[i]);
    int rc = filter_text_parse(&filter, "callid", legs != NULL ? legs->call_ids : &alone,
                               legs != NULL ? legs->count : 1, err);
    o.filter = filter;
    if (rc == 0)
        rc = search_open(&search, store, &o, err);
    for (bool more = rc == 0; more; more = rc > 0)
        rc = search_next(search, DIAGNOSIS_LEGS_MAX, on_call, g, err);
    search_close(search);
    filter_free(filter);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ agents */

static bool key_is(const struct json_pull *j, const char *key)
{
    return j->depth == 1 && text_is(j->key, key);
}

static void take_time(const struct json_pull *j, int64_t *ret)
{
    int64_t at;
    if (when_parse((const char *)j->text.ptr, j->text.len, 0, &at))
        *ret = at;
}

/* An account (docs/agent.md). False if it is none, or nothing was dropped. */
static bool read_account(struct hep_slice json, struct diagnosis_blind *ret)
{
    struct json_pull j;
    enum json_event event;
    bool is_account = false;
    json_pull_begin(&j, json.ptr, json.len);
    while ((event = json_pull_next(&j)) > JSON_PULL_END) {
        const char *number = (const char *)j.text.ptr;
        if (event == JSON_PULL_STRING && key_is(&j, "event"))
            is_account = text_is(j.text, "capture_account");
        else if (event == JSON_PULL_STRING && key_is(&j, "from"))
            take_time(&j, &ret->from);
        else if (event == JSON_PULL_STRING && key_is(&j, "to"))
            take_time(&j, &ret->to);
        else if (event == JSON_PULL_NUMBER && key_is(&j, "kernel_drops"))
            (void)num_parse(number, j.text.len, INT64_MAX, &ret->dropped);
        else if (event == JSON_PULL_NUMBER && key_is(&j, "packets"))
            (void)num_parse(number, j.text.len, INT64_MAX, &ret->captured);
    }
    return event == JSON_PULL_END && is_account && ret->dropped > 0 && ret->from <= ret->to;
}

static int on_account(void *arg, enum record_table table, const struct record_cell *c,
                      const struct store_columns *columns)
{
    struct gathering *g = arg;
    struct diagnosis_blind *b = &g->blind[g->blind_count];
    struct hep_slice name = octets(&c[RECORD_COL_node]);
    int64_t ts = number(&c[RECORD_COL_ts], 0);
    (void)table;
    (void)columns;
    *b = (struct diagnosis_blind){ .from = ts, .to = ts, .capture_id = number(&c[RECORD_COL_capture_id], -1) };
    size_t len = name.len < sizeof(b->name) ? name.len : sizeof(b->name) - 1;
    if (len > 0)
        memcpy(b->name, name.ptr, len);
    if (read_account(octets(&c[RECORD_COL_payload]), b))
        g->blind_count++;
    return g->blind_count == BLIND_MAX;
}

/* Accounts of agents of the time of the call. */
static int find_blind(struct gathering *g, struct store *store, const struct diagnosis_query *q, struct errmsg *err)
{
    static const char text[] = "payload:\"capture was blind\"";
    static const unsigned columns[] = { RECORD_COL_ts, RECORD_COL_node, RECORD_COL_capture_id, RECORD_COL_payload };
    struct search_options o = { .tables = 1u << RECORD_LOG,
                                .oldest_first = true,
                                .limit = BLIND_MAX,
                                .budget_us = q->budget_us,
                                .cancel = q->cancel };
    struct filter_error wrong;
    struct filter *filter = NULL;
    struct search *search = NULL;
    if (g->facts.count == 0)
        return 0;
    o.from_us = g->facts.all[0].ts;
    o.to_us = g->facts.all[g->facts.count - 1].ts + BLIND_AFTER;
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
        store_columns_add(&o.columns.table[RECORD_LOG], columns[i]);
    if (filter_parse(&filter, text, sizeof(text) - 1, &wrong) != 0) {
        (void)errmsg_set(err, "%s", wrong.text);
        return -ENOMEM;
    }
    o.filter = filter;
    int rc = search_open(&search, store, &o, err);
    if (rc == 0)
        rc = search_next(search, BLIND_MAX, on_account, g, err);
    search_close(search);
    filter_free(filter);
    return rc < 0 ? rc : 0;
}

/* ------------------------------------------------------------------------------------------------ messages */

static int on_row(void *arg, enum record_table table, const struct record_cell *cells,
                  const struct store_columns *columns)
{
    struct gathering *g = arg;
    (void)columns;
    if (table == RECORD_QUALITY) {
        add_report(g, cells);
        return 0;
    }
    g->messages++;
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
    const struct diagnosis_options o = { .now_us = q->now_us,
                                         .media = g->media,
                                         .media_count = g->media_count,
                                         .blind = g->blind,
                                         .blind_count = g->blind_count };
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
        .with_media = true,
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
    if (rc == 0)
        rc = find_silence(&g, store, q, flow_result(flow)->legs, err);
    if (rc == 0) {
        diagnosis_facts_settle(&g.facts);
        rc = find_blind(&g, store, q, err);
    }
    if (rc == 0) {
        *ret_messages = g.messages;
        rc = put(out, &g, flow_result(flow), q, err);
    }
    diagnosis_facts_free(&g.facts);
    flow_close(flow);
    return rc;
}
