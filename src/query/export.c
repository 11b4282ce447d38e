#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_out.h"
#include "base/when.h"
#include "query/export_internal.h"

#define FETCH 256 /* rows read at a time */

/* ------------------------------------------------------------------------------------------------ open and close */

static uint64_t limit_of(const struct export_options *o)
{
    return o->limit == 0 || o->limit > EXPORT_LIMIT_MAX ? EXPORT_LIMIT_MAX : o->limit;
}

int export_open(struct export **ret, struct store *store, const struct export_options *options, struct errmsg *err)
{
    struct export *e = calloc(1, sizeof(*e));
    if (e == NULL) {
        (void)errmsg_set(err, "out of memory");
        return -ENOMEM;
    }
    e->store = store;
    e->o = *options;
    if (e->o.scan_rows == 0)
        e->o.scan_rows = EXPORT_SCAN;
    e->result.exact = true;
    int rc = export_write_init(e, err);
    if (rc == 0)
        rc = export_calls_parse(e, err);
    e->o.columns = e->o.call_ids = NULL; /* the caller's */
    if (rc != 0) {
        export_close(e);
        return rc;
    }
    *ret = e;
    return 0;
}

static void release(struct export *e)
{
    free(e->refs);
    e->refs = NULL;
    e->count = e->at = e->room = 0;
    e->store->ops->unpin(e->store, e->pin);
    e->pin = NULL;
}

void export_close(struct export *e)
{
    if (e == NULL)
        return;
    release(e);
    (void)pcap_out_close(e->pcap);
    for (size_t i = 0; i < e->call_id_count; i++)
        free((void *)(uintptr_t)e->call_ids[i].ptr);
    free(e->call_ids);
    free(e);
}

const struct export_result *export_result(const struct export *e)
{
    return &e->result;
}

/* ------------------------------------------------------------------------------------------------ searching */

int export_lacks(struct export *e, int rc, const char *why, struct errmsg *err)
{
    e->result.exact = false;
    if (e->result.problem.text[0] == '\0')
        (void)errmsg_set(&e->result.problem, "%s", why[0] == '\0' ? "not everything could be read" : why);
    if (e->o.partial)
        return 0;
    (void)errmsg_set(err, "the export would not be whole: %s", e->result.problem.text);
    return rc;
}

int export_scan(struct export *e, struct store_scan *scan, struct errmsg *err)
{
    scan->budget_us = e->o.budget_us;
    scan->cancel = e->o.cancel;
    int rc = e->store->ops->scan(e->store, e->pin, scan, err);
    if (rc != 0)
        return rc;
    if (e->o.cancel != NULL && atomic_load(e->o.cancel)) {
        (void)errmsg_set(err, "cancelled");
        return -ECANCELED;
    }
    return scan->rows_exact ? 0 : export_lacks(e, scan->timed_out ? -EAGAIN : -EIO, scan->problem.text, err);
}

static int pin(struct export *e, struct errmsg *err)
{
    release(e);
    int rc = e->store->ops->pin(e->store, &e->pin);
    if (rc != 0)
        (void)errmsg_set(err, "no snapshot of the store: %s", strerror(-rc));
    return rc;
}

struct store_scan export_make_scan(const struct export *e, bool oldest_first, uint64_t most)
{
    return (struct store_scan){
        .tables = RECORD_TABLES_MESSAGES,
        .filter = e->o.filter,
        .from_us = e->o.from_us,
        .to_us = e->o.to_us,
        .oldest_first = oldest_first,
        .limit = most < e->o.scan_rows ? (size_t)most : e->o.scan_rows,
        .has_after = e->has_place,
        .after_ts = e->place.ts,
        .after_seq = e->place.seq,
    };
}

/* What is yet to come with a later time does not belong to it: else an export of a busy server would never end. */
static int set_end(struct export *e, struct errmsg *err)
{
    struct store_scan scan = {
        .tables = RECORD_TABLES_MESSAGES, .from_us = e->o.from_us, .to_us = e->o.to_us, .limit = 1
    };
    int rc = e->o.to_us > when_now() ? export_scan(e, &scan, err) : 0;
    if (rc == 0 && scan.count == 1 && scan.refs[0].ts < INT64_MAX)
        e->o.to_us = scan.refs[0].ts + 1;
    store_scan_free(&scan);
    return rc;
}

/* The newest ones that are more than one scan finds: walks back to the first of them, the walk forward begins there. */
static int seek_start(struct export *e, struct errmsg *err)
{
    uint64_t left = limit_of(&e->o);
    bool more = true;
    while (left > 0 && more) {
        struct store_scan scan = export_make_scan(e, false, left);
        int rc = export_scan(e, &scan, err);
        if (rc == 0 && scan.count > 0) {
            const struct store_ref *last = &scan.refs[scan.count - 1];
            e->place = (struct search_cursor){ last->ts, last->seq };
            e->has_place = true;
        }
        left -= scan.count;
        more = scan.count == scan.limit;
        store_scan_free(&scan);
        if (rc != 0)
            return rc;
    }
    e->has_place = e->has_place && left == 0; /* else they are all of them */
    if (e->has_place)
        e->place.seq--;
    return 0;
}

static void take_refs(struct export *e, struct store_scan *scan)
{
    e->refs = scan->refs;
    e->count = scan->count;
    scan->refs = NULL;
    e->found += scan->count;
    if (scan->count == 0)
        return;
    const struct store_ref *last = &e->refs[e->count - 1];
    e->place = (struct search_cursor){ last->ts, last->seq };
    e->has_place = true;
}

static void reverse(struct store_ref *refs, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        struct store_ref kept = refs[i];
        refs[i] = refs[n - 1 - i];
        refs[n - 1 - i] = kept;
    }
}

/* The limit is reached: whose it is says what that means. */
static int note_end(struct export *e, struct errmsg *err)
{
    e->found_all = true;
    if (e->found < limit_of(&e->o))
        return 0;
    e->result.more = true;
    if (e->o.limit != 0)
        return 0;
    return export_lacks(e, -E2BIG, "more messages than one export holds: narrow the filter or the time", err);
}

/* The next piece of what matches. */
static int find_more(struct export *e, struct errmsg *err)
{
    uint64_t left = limit_of(&e->o) - e->found;
    bool at_once = !e->o.oldest_first && e->o.limit != 0 && e->o.limit <= e->o.scan_rows;
    int rc = pin(e, err);
    if (rc == 0 && !e->begun)
        rc = set_end(e, err);
    if (rc == 0 && !e->begun && !e->o.oldest_first && e->o.limit != 0 && !at_once)
        rc = seek_start(e, err);
    if (rc != 0)
        return rc;
    struct store_scan scan = export_make_scan(e, !at_once, left);
    rc = export_scan(e, &scan, err);
    if (rc == 0) {
        bool full = scan.count == scan.limit;
        take_refs(e, &scan);
        if (at_once)
            reverse(e->refs, e->count);
        if (!full || at_once || e->found == limit_of(&e->o))
            rc = note_end(e, err);
    }
    store_scan_free(&scan);
    return rc;
}

static int find(struct export *e, struct errmsg *err)
{
    if (e->o.calls || e->call_id_count > 0) {
        int rc = pin(e, err);
        e->found_all = true;
        return rc == 0 ? export_calls_find(e, err) : rc;
    }
    return find_more(e, err);
}

/* ------------------------------------------------------------------------------------------------ handing out */

struct handing {
    struct export *export;
    size_t last;
};

static int on_row(void *arg, size_t i, const struct store_ref *ref, const struct record_cell *cells)
{
    struct handing *h = arg;
    h->last = i + 1;
    export_write_row(h->export, (enum record_table)ref->table, cells);
    return h->export->out->len >= EXPORT_PIECE || h->export->out->failed;
}

static int hand_out(struct export *e, struct errmsg *err)
{
    struct handing h = { .export = e };
    struct errmsg problem = { "" };
    size_t left = e->count - e->at, failed = 0;
    size_t n = left < FETCH ? left : FETCH;
    int rc = e->store->ops->fetch(e->store, e->pin, e->refs + e->at, n, &e->fetch, on_row, &h, &failed, &problem);
    if (rc < 0) {
        *err = problem;
        return rc;
    }
    e->at += rc == 0 ? n : h.last;
    e->result.unread += failed;
    if (e->out->failed) {
        (void)errmsg_set(err, "out of memory");
        return -ENOMEM;
    }
    return failed == 0 ? 0 : export_lacks(e, -EIO, problem.text, err);
}

int export_next(struct export *e, struct buf *out, struct errmsg *err)
{
    int rc = 0;
    e->out = out;
    if (e->at == e->count && !e->found_all)
        rc = find(e, err);
    if (rc == 0 && !e->begun)
        rc = export_write_head(e, err);
    e->begun = true;
    while (rc == 0 && e->at < e->count && out->len < EXPORT_PIECE)
        rc = hand_out(e, err);
    if (e->at == e->count)
        release(e); /* no snapshot is held while a slow reader reads */
    e->out = NULL;
    return rc != 0 ? rc : e->at < e->count || !e->found_all;
}

/* ------------------------------------------------------------------------------------------------ telling */

static void put_flag(struct buf *out, bool *first, const char *key, bool v)
{
    json_out_key(out, first, key);
    buf_puts(out, v ? "true" : "false");
}

static void put_count(struct buf *out, bool *first, const char *key, uint64_t v)
{
    if (v == 0)
        return;
    json_out_key(out, first, key);
    json_out_number(out, v);
}

void export_result_json(struct buf *out, const struct export_result *r)
{
    bool first = true, first_reason = true;
    json_out_key(out, &first, "count");
    json_out_number(out, r->count);
    put_flag(out, &first, "exact", r->exact);
    put_flag(out, &first, "more", r->more);
    put_count(out, &first, "calls", r->calls);
    if (r->calls_cut)
        put_flag(out, &first, "calls_cut", true);
    if (r->no_packet + r->no_address + r->too_long > 0) {
        json_out_key(out, &first, "left_out");
        buf_putc(out, '{');
        put_count(out, &first_reason, "no_packet", r->no_packet);
        put_count(out, &first_reason, "no_address", r->no_address);
        put_count(out, &first_reason, "too_long", r->too_long);
        buf_putc(out, '}');
    }
    put_count(out, &first, "unread", r->unread);
    if (r->problem.text[0] != '\0') {
        json_out_key(out, &first, "problem");
        json_out_text(out, r->problem.text);
    }
}
