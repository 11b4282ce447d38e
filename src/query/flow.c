#include "query/flow.h"

#include <errno.h>
#include <string.h>

#include "base/json_out.h"
#include "query/call_filter.h"

struct flow {
    struct store *store;
    struct flow_options options;
    struct filter *filters[CALL_WAYS];
    struct store_columns fetch;
    unsigned tables;
    struct flow_result result;
    struct search_cursor at; /* behind the row handed out last */
    bool has_at;
    bool ended;
    char *call_id; /* whose legs are still to be found */
    struct call_legs legs;
};

/* ------------------------------------------------------------------------------------------------ open and close */

static int make_filters(struct flow *f, const struct hep_slice *call_ids, size_t count, struct errmsg *err)
{
    int rc = 0;
    for (int way = 0; way < CALL_WAYS && rc == 0; way++) {
        filter_free(f->filters[way]);
        f->filters[way] = NULL;
        rc = call_filter(&f->filters[way], (enum call_way)way, call_ids, count, err);
    }
    return rc;
}

int flow_open(struct flow **ret, struct store *store, const struct flow_options *options, struct errmsg *err)
{
    if (options->call_id_len == 0 || options->call_id_len > FLOW_CALL_ID_MAX) {
        (void)errmsg_set(err, "a Call-ID has 1 to %d octets", FLOW_CALL_ID_MAX);
        return -EINVAL;
    }
    struct flow *f = calloc(1, sizeof(*f));
    if (f == NULL) {
        (void)errmsg_set(err, "out of memory");
        return -ENOMEM;
    }
    f->store = store;
    f->options = *options;
    f->tables = RECORD_TABLES_MESSAGES | (options->with_media ? RECORD_TABLES_QUALITY : 0);
    f->fetch = columns_union(&options->columns, f->tables);
    f->has_at = options->has_after;
    f->at = options->after;
    f->result.exact = true;
    const struct hep_slice call_id = { (const uint8_t *)options->call_id, options->call_id_len };
    int rc = make_filters(f, &call_id, 1, err);
    if (rc == 0 && options->with_legs) {
        f->call_id = strndup(options->call_id, options->call_id_len);
        rc = f->call_id == NULL ? -ENOMEM : 0;
    }
    if (rc != 0) {
        flow_close(f);
        return rc;
    }
    f->options.call_id = NULL; /* the caller's */
    *ret = f;
    return 0;
}

void flow_close(struct flow *f)
{
    if (f == NULL)
        return;
    for (size_t i = 0; i < CALL_WAYS; i++)
        filter_free(f->filters[i]);
    call_legs_free(&f->legs);
    free(f->call_id);
    free(f);
}

const struct flow_result *flow_result(const struct flow *f)
{
    return &f->result;
}

/* ------------------------------------------------------------------------------------------------ legs */

static int find_legs(struct flow *f, struct errmsg *err)
{
    const struct call_legs_options o = { .call_id = f->call_id,
                                         .call_id_len = strlen(f->call_id),
                                         .budget_us = f->options.budget_us,
                                         .cancel = f->options.cancel };
    int rc = call_legs_find(&f->legs, f->store, &o, err);
    if (rc != 0)
        return rc;
    free(f->call_id);
    f->call_id = NULL;
    f->result.legs = &f->legs;
    if (f->legs.cut || f->legs.problem.text[0] != '\0') {
        f->result.exact = false;
        f->result.problem = f->legs.problem;
    }
    if (f->legs.cut && f->result.problem.text[0] == '\0')
        (void)errmsg_set(&f->result.problem, "it has more than %d legs", CALL_LEGS_MAX);
    return f->legs.count > 1 ? make_filters(f, f->legs.call_ids, f->legs.count, err) : 0;
}

/* ------------------------------------------------------------------------------------------------ a page */

struct page {
    struct store_pin *pin;
    struct store_scan scans[CALL_WAYS];
    struct store_ref refs[FLOW_PAGE]; /* of both, merged */
    size_t count;
    bool more; /* there may be rows behind it */
};

static bool is_before(const struct store_ref *a, const struct store_ref *b)
{
    return a->ts != b->ts ? a->ts < b->ts : a->seq < b->seq;
}

/* Is it in the page already? Rows of several tables may have one time and number. */
static bool has_row(const struct page *p, const struct store_ref *r)
{
    for (size_t i = p->count; i > 0 && !is_before(&p->refs[i - 1], r); i--)
        if (p->refs[i - 1].part == r->part && p->refs[i - 1].row == r->row && p->refs[i - 1].table == r->table)
            return true;
    return false;
}

/*
 * A page goes on behind a time and a number, so that rows that have both in common must not be parted. It has room for
 * those of one message.
 */
static void end_between_messages(struct page *p)
{
    size_t n = p->count;
    while (n > 0 && !is_before(&p->refs[n - 1], &p->refs[p->count - 1]))
        n--;
    p->count = n > 0 ? n : p->count;
}

/* The first rows of either, each once: most are found both ways. */
static void merge(struct page *p, size_t max)
{
    const struct store_scan *a = &p->scans[CALL_BY_CALL_ID];
    const struct store_scan *b = &p->scans[CALL_BY_CORRELATION_ID];
    size_t i = 0, j = 0;
    while (p->count < max && (i < a->count || j < b->count)) {
        bool from_a = j == b->count || (i < a->count && !is_before(&b->refs[j], &a->refs[i]));
        const struct store_ref *ref = from_a ? &a->refs[i] : &b->refs[j];
        if (!has_row(p, ref))
            p->refs[p->count++] = *ref;
        if (from_a)
            i++;
        else
            j++;
    }
    p->more = i < a->count || j < b->count || a->count == a->limit || b->count == b->limit;
    if (p->more)
        end_between_messages(p);
}

static int scan_way(struct flow *f, struct page *p, int way, size_t max, struct errmsg *err)
{
    struct store_scan *scan = &p->scans[way];
    *scan = (struct store_scan){
        .tables = f->tables,
        .filter = f->filters[way],
        .from_us = f->options.from_us,
        .to_us = f->options.to_us,
        .oldest_first = true,
        .limit = max,
        .has_after = f->has_at,
        .after_ts = f->at.ts,
        .after_seq = f->at.seq,
        .budget_us = f->options.budget_us,
        .cancel = f->options.cancel,
    };
    int rc = f->store->ops->scan(f->store, p->pin, scan, err);
    if (rc != 0)
        return rc;
    if (f->options.cancel != NULL && atomic_load(f->options.cancel)) {
        (void)errmsg_set(err, "cancelled");
        return -ECANCELED;
    }
    if (!scan->rows_exact)
        f->result.exact = false;
    if (f->result.problem.text[0] == '\0')
        f->result.problem = scan->problem;
    return 0;
}

static int find(struct flow *f, struct page *p, size_t max, struct errmsg *err)
{
    int rc = f->store->ops->pin(f->store, &p->pin);
    if (rc != 0) {
        (void)errmsg_set(err, "no snapshot of the store: %s", strerror(-rc));
        return rc;
    }
    for (int way = 0; way < CALL_WAYS && rc == 0; way++)
        rc = scan_way(f, p, way, max, err);
    if (rc == 0)
        merge(p, max);
    return rc;
}

static void page_free(struct flow *f, struct page *p)
{
    for (size_t i = 0; i < CALL_WAYS; i++)
        store_scan_free(&p->scans[i]);
    f->store->ops->unpin(f->store, p->pin);
    free(p);
}

/* ------------------------------------------------------------------------------------------------ handing out */

struct handing {
    struct flow *flow;
    const struct page *page;
    search_row_fn *row;
    void *arg;
    size_t last;
    bool enough;
};

static int on_row(void *arg, size_t i, const struct store_ref *ref, const struct record_cell *cells)
{
    struct handing *h = arg;
    enum record_table table = (enum record_table)ref->table;
    h->last = i + 1;
    h->flow->result.count++;
    h->enough = h->row(h->arg, table, cells, &h->flow->options.columns.table[table]) != 0 || h->enough;
    bool between = i + 1 == h->page->count || is_before(ref, &h->page->refs[i + 1]);
    return h->enough && between ? 1 : 0;
}

static int hand_out(struct flow *f, struct page *p, search_row_fn *row, void *arg, struct errmsg *err)
{
    struct handing h = { .flow = f, .page = p, .row = row, .arg = arg };
    struct errmsg problem = { "" };
    size_t failed = 0;
    if (p->count == 0)
        return 0;
    int rc = f->store->ops->fetch(f->store, p->pin, p->refs, p->count, &f->fetch, on_row, &h, &failed, &problem);
    if (rc < 0) {
        *err = problem;
        return rc;
    }
    size_t done = rc == 0 ? p->count : h.last;
    f->result.unread += failed;
    if (failed > 0 && f->result.problem.text[0] == '\0')
        f->result.problem = problem;
    f->at = (struct search_cursor){ p->refs[done - 1].ts, p->refs[done - 1].seq };
    f->has_at = true;
    p->more = p->more || done < p->count;
    return 0;
}

/* Rows that still may be handed out, at most a page. */
static size_t room(const struct flow *f)
{
    uint64_t done = f->result.count + f->result.unread;
    if (f->options.limit == 0 || f->options.limit - done > FLOW_PAGE)
        return FLOW_PAGE;
    return (size_t)(f->options.limit - done);
}

int flow_next(struct flow *f, search_row_fn *row, void *arg, struct errmsg *err)
{
    if (f->ended)
        return 0;
    struct page *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        (void)errmsg_set(err, "out of memory");
        return -ENOMEM;
    }
    int rc = f->call_id != NULL ? find_legs(f, err) : 0;
    if (rc == 0)
        rc = find(f, p, room(f), err);
    if (rc == 0)
        rc = hand_out(f, p, row, arg, err);
    bool more = p->more;
    page_free(f, p);
    if (rc != 0)
        return rc;
    f->ended = !more || room(f) == 0;
    f->result.has_next = more && f->ended;
    f->result.next = f->at;
    return !f->ended;
}

void flow_result_json(struct buf *out, const struct flow_result *r)
{
    bool first = true;
    json_out_key(out, &first, "count");
    json_out_number(out, r->count);
    json_out_key(out, &first, "exact");
    buf_puts(out, r->exact && r->unread == 0 ? "true" : "false");
    if (r->unread > 0) {
        json_out_key(out, &first, "unread");
        json_out_number(out, r->unread);
    }
    if (r->problem.text[0] != '\0') {
        json_out_key(out, &first, "problem");
        json_out_text(out, r->problem.text);
    }
    if (r->legs != NULL) {
        json_out_key(out, &first, "group");
        buf_putc(out, '{');
        call_legs_json(out, r->legs);
        buf_putc(out, '}');
    }
    json_out_key(out, &first, "next");
    if (!r->has_next) {
        buf_puts(out, "null");
        return;
    }
    char cursor[SEARCH_CURSOR_MAX];
    search_cursor_format(&r->next, cursor);
    json_out_text(out, cursor);
}
