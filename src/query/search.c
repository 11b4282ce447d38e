#include "query/search.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json_out.h"
#include "base/num.h"
#include "query/pin.h"

struct search {
    struct store *store;
    struct store_pin *pin;
    struct store_scan scan;
    struct columns columns;
    struct store_columns fetch; /* their union */
    struct search_result result;
    size_t at; /* refs handed out or passed over */
};

/* ------------------------------------------------------------------------------------------------ cursor */

void search_cursor_format(const struct search_cursor *c, char out[SEARCH_CURSOR_MAX])
{
    (void)snprintf(out, SEARCH_CURSOR_MAX, "%" PRId64 "_%" PRIu64, c->ts, c->seq);
}

bool search_cursor_parse(const char *text, size_t len, struct search_cursor *ret)
{
    uint64_t v;
    bool minus = len > 0 && text[0] == '-';
    const char *at = text + minus;
    const char *end = text + len;
    const char *bar = memchr(at, '_', (size_t)(end - at));
    if (bar == NULL || !num_parse(at, (size_t)(bar - at), INT64_MAX, &v) ||
        !num_parse(bar + 1, (size_t)(end - bar - 1), UINT64_MAX, &ret->seq))
        return false;
    ret->ts = minus ? -(int64_t)v : (int64_t)v;
    return true;
}

/* ------------------------------------------------------------------------------------------------ finding */

static struct store_scan make_scan(const struct search_options *o)
{
    return (struct store_scan){
        .tables = o->tables == 0 ? RECORD_TABLES_MESSAGES : o->tables,
        .filter = o->filter,
        .from_us = o->from_us,
        .to_us = o->to_us,
        .oldest_first = o->oldest_first,
        .limit = o->limit < STORE_LIMIT_MAX && !o->by_arrival ? o->limit : STORE_LIMIT_MAX,
        .has_after = o->has_after,
        .after_ts = o->after.ts,
        .after_seq = o->after.seq,
        .beyond = o->beyond,
        .within = o->within,
        .total_wanted = o->total ? STORE_TOTAL_EXACT : STORE_TOTAL_NONE,
        .budget_us = o->budget_us,
        .cancel = o->cancel,
    };
}

static void note_result(struct search *s, const struct search_options *o)
{
    const struct store_scan *scan = &s->scan;
    struct search_result *r = &s->result;
    *r = (struct search_result){
        .count = scan->count,
        .rows_exact = scan->rows_exact,
        .has_total = o->total,
        .total = scan->total,
        .total_exact = scan->total_exact,
        .timed_out = scan->timed_out,
        .parts = scan->parts_total,
        .parts_done = scan->parts_done,
        .parts_failed = scan->parts_failed,
        .octets_read = scan->octets_read,
        .problem = scan->problem,
    };
    r->has_next = scan->count > 0 && scan->count == scan->limit;
    if (r->has_next)
        r->next = (struct search_cursor){ scan->refs[scan->count - 1].ts, scan->refs[scan->count - 1].seq };
}

static void reverse(struct store_ref *refs, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        struct store_ref kept = refs[i];
        refs[i] = refs[n - 1 - i];
        refs[n - 1 - i] = kept;
    }
}

static int compare_numbers(const void *a, const void *b)
{
    const struct store_ref *x = a, *y = b;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

/* All that there is was found by time; of it the last ones by number are wanted. */
static void order_by_arrival(struct search *s, size_t limit)
{
    struct store_scan *scan = &s->scan;
    struct search_result *r = &s->result;
    qsort(scan->refs, scan->count, sizeof(*scan->refs), compare_numbers);
    r->left_out = scan->count > limit ? scan->count - limit : 0;
    r->rows_exact = r->rows_exact && scan->count < STORE_LIMIT_MAX;
    r->has_next = false;
    scan->count -= r->left_out;
    memmove(scan->refs, scan->refs + r->left_out, scan->count * sizeof(*scan->refs));
    r->count = scan->count;
}

static bool cancelled(const struct search_options *o)
{
    return o->cancel != NULL && atomic_load(o->cancel);
}

static int find(struct search *s, const struct search_options *o, struct errmsg *err)
{
    const struct store_ops *ops = s->store->ops;
    s->scan = make_scan(o);
    int rc = query_pin(s->store, s->scan.tables, o->filter, o->from_us, o->to_us, &s->pin);
    if (rc != 0) {
        (void)errmsg_set(err, "no snapshot of the store: %s", strerror(-rc));
        return rc;
    }
    rc = ops->scan(s->store, s->pin, &s->scan, err);
    if (rc == 0 && cancelled(o)) {
        (void)errmsg_set(err, "cancelled");
        return -ECANCELED;
    }
    return rc;
}

/* 0 messages, 1 calls, 2 registrations, 3 keys: the first of these that the set has. */
static unsigned kind_of(unsigned tables)
{
    static const unsigned kinds[] = { RECORD_TABLES_MESSAGES, RECORD_TABLES_CALLS, RECORD_TABLES_REGISTRATIONS };
    unsigned kind = 0;
    while (kind < 3 && (tables & kinds[kind]) == 0)
        kind++;
    return kind;
}

const char *search_misplaced(const struct filter *filter, unsigned tables)
{
#define MISPLACED(what, of) "only " what " can match that: it asks for what " of " do not have"
    static const char *const texts[4][4] = {
        { "", MISPLACED("calls", "messages"), MISPLACED("registrations", "messages"), MISPLACED("keys", "messages") },
        { MISPLACED("messages", "calls"), "", MISPLACED("registrations", "calls"), MISPLACED("keys", "calls") },
        { MISPLACED("messages", "registrations"), MISPLACED("calls", "registrations"), "",
          MISPLACED("keys", "registrations") },
        { MISPLACED("messages", "keys"), MISPLACED("calls", "keys"), MISPLACED("registrations", "keys"), "" },
    };
#undef MISPLACED
    unsigned can = filter != NULL ? filter_tables(filter) : 0;
    tables = tables == 0 ? RECORD_TABLES_MESSAGES : tables;
    return can == 0 || (can & tables) != 0 ? NULL : texts[kind_of(tables)][kind_of(can)];
}

int search_open(struct search **ret, struct store *store, const struct search_options *options, struct errmsg *err)
{
    struct search *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        (void)errmsg_set(err, "out of memory");
        return -ENOMEM;
    }
    s->store = store;
    s->columns = options->columns;
    s->fetch = columns_union(&s->columns, options->tables == 0 ? RECORD_TABLES_MESSAGES : options->tables);
    int rc = find(s, options, err);
    if (rc != 0) {
        search_close(s);
        return rc;
    }
    note_result(s, options);
    if (options->by_arrival)
        order_by_arrival(s, options->limit);
    else if (options->reverse)
        reverse(s->scan.refs, s->scan.count);
    *ret = s;
    return 0;
}

void search_close(struct search *s)
{
    if (s == NULL)
        return;
    store_scan_free(&s->scan);
    s->store->ops->unpin(s->store, s->pin);
    free(s);
}

const struct search_result *search_result(const struct search *s)
{
    return &s->result;
}

bool search_complete(const struct search_result *r)
{
    return r->rows_exact && (!r->has_total || r->total_exact) && r->unread == 0;
}

/* ------------------------------------------------------------------------------------------------ reading */

struct handing {
    struct search *search;
    search_row_fn *row;
    void *arg;
    size_t last; /* of the piece, behind the row that was handed out last */
};

static int on_row(void *arg, size_t i, const struct store_ref *ref, const struct record_cell *cells)
{
    struct handing *h = arg;
    h->last = i + 1;
    enum record_table table = (enum record_table)ref->table;
    /* Any number but a negative errno tells the store's own errors from the reader's "enough". */
    return h->row(h->arg, table, cells, &h->search->columns.table[table]) != 0 ? 1 : 0;
}

int search_next(struct search *s, size_t max, search_row_fn *row, void *arg, struct errmsg *err)
{
    struct handing h = { .search = s, .row = row, .arg = arg };
    size_t left = s->scan.count - s->at;
    size_t n = left < max ? left : max;
    size_t failed = 0;
    struct errmsg problem = { "" };
    if (n == 0)
        return left > 0;
    int rc = s->store->ops->fetch(s->store, s->pin, s->scan.refs + s->at, n, &s->fetch, on_row, &h, &failed, &problem);
    if (rc < 0) {
        *err = problem;
        return rc;
    }
    s->at += rc == 0 ? n : h.last;
    s->result.unread += failed;
    if (failed > 0 && s->result.problem.text[0] == '\0')
        s->result.problem = problem;
    return s->at < s->scan.count;
}

/* ------------------------------------------------------------------------------------------------ telling */

static void put_bool(struct buf *out, bool *first, const char *key, bool v)
{
    json_out_key(out, first, key);
    buf_puts(out, v ? "true" : "false");
}

static void put_number(struct buf *out, bool *first, const char *key, uint64_t v)
{
    json_out_key(out, first, key);
    json_out_number(out, v);
}

void search_result_json(struct buf *out, const struct search_result *r)
{
    bool first = true;
    put_number(out, &first, "count", r->count - r->unread);
    put_bool(out, &first, "rows_exact", r->rows_exact && r->unread == 0);
    if (r->has_total) {
        put_number(out, &first, "total", r->total);
        put_bool(out, &first, "total_exact", r->total_exact);
    }
    put_bool(out, &first, "timed_out", r->timed_out);
    buf_printf(out, ",\"parts\":{\"total\":%u,\"done\":%u,\"failed\":%u}", r->parts, r->parts_done, r->parts_failed);
    put_number(out, &first, "octets_read", r->octets_read);
    if (r->unread > 0)
        put_number(out, &first, "unread", r->unread);
    if (r->problem.text[0] != '\0') {
        json_out_key(out, &first, "problem");
        json_out_text(out, r->problem.text);
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
