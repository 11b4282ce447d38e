/* The calls of an export: their Call-IDs, from what matches or as named, and then all messages of each. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "query/call_filter.h"
#include "query/call_legs.h"
#include "query/export_internal.h"
#include "query/flow.h"

#define FETCH 500 /* rows read at a time */

/* ------------------------------------------------------------------------------------------------ Call-IDs */

static int compare_slices(struct hep_slice a, struct hep_slice b)
{
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Where it is, or belongs, among those that are known. */
static size_t place_of(const struct export *e, struct hep_slice id, bool *ret_known)
{
    size_t low = 0, high = e->call_id_count;
    *ret_known = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_slices(e->call_ids[middle], id);
        if (order == 0) {
            *ret_known = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* 0, 1 if there are EXPORT_CALLS already, or -ENOMEM. */
static int add_call(struct export *e, struct hep_slice id)
{
    bool known;
    size_t at = place_of(e, id, &known);
    if (known)
        return 0;
    if (e->call_id_count == EXPORT_CALLS)
        return 1;
    if (e->call_ids == NULL)
        e->call_ids = calloc(EXPORT_CALLS, sizeof(*e->call_ids));
    uint8_t *copy = e->call_ids == NULL ? NULL : malloc(id.len);
    if (copy == NULL)
        return -ENOMEM;
    memcpy(copy, id.ptr, id.len);
    memmove(e->call_ids + at + 1, e->call_ids + at, (e->call_id_count - at) * sizeof(*e->call_ids));
    e->call_ids[at] = (struct hep_slice){ copy, id.len };
    e->call_id_count++;
    return 0;
}

static int add_named(struct export *e, struct hep_slice id, struct errmsg *err)
{
    if (id.len == 0 || id.len > FLOW_CALL_ID_MAX) {
        (void)errmsg_set(err, "a Call-ID has 1 to %d octets", FLOW_CALL_ID_MAX);
        return -EINVAL;
    }
    int rc = add_call(e, id);
    if (rc == 1)
        (void)errmsg_set(err, "more than %d Call-IDs", EXPORT_CALLS);
    else if (rc < 0)
        (void)errmsg_set(err, "out of memory");
    return rc == 1 ? -EINVAL : rc;
}

int export_calls_parse(struct export *e, struct errmsg *err)
{
    const char *at = e->o.call_ids;
    int rc = 0;
    if (at == NULL || at[0] == '\0')
        return 0;
    for (bool last = false; !last && rc == 0;) {
        size_t n = strcspn(at, ",");
        rc = add_named(e, (struct hep_slice){ (const uint8_t *)at, n }, err);
        last = at[n] == '\0';
        at += n + 1;
    }
    return rc;
}

/* ------------------------------------------------------------------------------------------------ rows */

/* Each row is found in at most CALL_WAYS ways: of more than these, more than EXPORT_CALL_ROWS are different ones. */
#define REFS_MAX ((size_t)CALL_WAYS * EXPORT_CALL_ROWS + 1)

/* 0, 1 if there are REFS_MAX already, or -ENOMEM. */
static int add_ref(struct export *e, const struct store_ref *ref)
{
    if (e->count == REFS_MAX)
        return 1;
    if (e->count == e->room) {
        size_t room = e->room == 0 ? 1024 : 2 * e->room;
        struct store_ref *refs = realloc(e->refs, room * sizeof(*refs));
        if (refs == NULL)
            return -ENOMEM;
        e->refs = refs;
        e->room = room;
    }
    e->refs[e->count++] = *ref;
    return 0;
}

static int compare_refs(const void *a, const void *b)
{
    const struct store_ref *x = a;
    const struct store_ref *y = b;
    if (x->ts != y->ts)
        return x->ts < y->ts ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

/* In order, each once: most are found both ways. */
static void order_refs(struct export *e)
{
    size_t n = 0;
    if (e->count == 0)
        return;
    qsort(e->refs, e->count, sizeof(*e->refs), compare_refs);
    for (size_t i = 1; i < e->count; i++)
        if (compare_refs(&e->refs[n], &e->refs[i]) != 0)
            e->refs[++n] = e->refs[i];
    e->count = n + 1;
}

/* ------------------------------------------------------------------------------------------------ what matches */

struct collecting {
    struct export *export;
    int rc;
};

/* The call of a row; a row without one stands for itself. */
static int on_match(void *arg, size_t i, const struct store_ref *ref, const struct record_cell *cells)
{
    struct collecting *c = arg;
    const struct record_cell *id =
        &cells[ref->table == RECORD_SIP ? (int)RECORD_SIP_COL_call_id : RECORD_COL_correlation_id];
    (void)i;
    if (id->null && ref->table == RECORD_SIP)
        id = &cells[RECORD_COL_correlation_id];
    c->rc = id->null ? add_ref(c->export, ref) : add_call(c->export, id->octets);
    return c->rc != 0;
}

/* Reads what was found. 0, 1 if there is no room for more calls, or a negative errno with a text. */
static int collect(struct export *e, const struct store_scan *scan, struct errmsg *err)
{
    struct store_columns columns = { { 0 } };
    struct collecting c = { .export = e };
    store_columns_add(&columns, RECORD_COL_correlation_id);
    store_columns_add(&columns, RECORD_SIP_COL_call_id);
    for (size_t at = 0; at < scan->count && c.rc == 0; at += FETCH) {
        struct errmsg problem = { "" };
        size_t n = scan->count - at < FETCH ? scan->count - at : FETCH, failed = 0;
        int rc = e->store->ops->fetch(e->store, e->pin, scan->refs + at, n, &columns, on_match, &c, &failed, &problem);
        if (rc < 0) {
            *err = problem;
            return rc;
        }
        e->result.unread += failed;
        if (failed > 0 && (rc = export_lacks(e, -EIO, problem.text, err)) != 0)
            return rc;
    }
    if (c.rc < 0)
        (void)errmsg_set(err, "out of memory");
    return c.rc;
}

static int collect_all(struct export *e, struct errmsg *err)
{
    uint64_t left = e->o.limit == 0 ? UINT64_MAX : e->o.limit;
    bool oldest = e->o.oldest_first || e->o.limit == 0;
    int rc = 0;
    for (bool more = true; more && left > 0 && rc == 0;) {
        struct store_scan scan = export_make_scan(e, oldest, left);
        rc = export_scan(e, &scan, err);
        if (rc == 0)
            rc = collect(e, &scan, err);
        more = scan.count == scan.limit;
        left -= scan.count;
        if (scan.count > 0) {
            e->place = (struct search_cursor){ scan.refs[scan.count - 1].ts, scan.refs[scan.count - 1].seq };
            e->has_place = true;
        }
        e->result.more = more && left == 0;
        store_scan_free(&scan);
    }
    e->result.calls_cut = rc == 1;
    return rc < 0 ? rc : 0;
}

/* ------------------------------------------------------------------------------------------------ legs */

/* Of a list what the legs have is done. */
static void strike_out(struct hep_slice *ids, size_t count, const struct call_legs *legs)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < legs->count; k++)
            if (compare_slices(ids[i], legs->call_ids[k]) == 0)
                ids[i].len = 0;
}

/* The legs of a call. 0, 1 if there is no room for more calls, or a negative errno with a text. */
static int add_legs_of(struct export *e, struct hep_slice *ids, size_t count, struct errmsg *err)
{
    const struct call_legs_options o = { .call_id = (const char *)ids[0].ptr,
                                         .call_id_len = ids[0].len,
                                         .budget_us = e->o.budget_us,
                                         .cancel = e->o.cancel };
    struct call_legs legs;
    int rc = call_legs_find(&legs, e->store, &o, err);
    if (rc != 0)
        return rc;
    strike_out(ids, count, &legs);
    for (size_t i = 0; i < legs.count && rc == 0; i++)
        rc = add_call(e, legs.call_ids[i]);
    if (rc < 0)
        (void)errmsg_set(err, "out of memory");
    if (rc == 0 && legs.problem.text[0] != '\0')
        rc = export_lacks(e, -EIO, legs.problem.text, err);
    e->result.calls_cut = e->result.calls_cut || legs.cut;
    call_legs_free(&legs);
    return rc;
}

static int add_legs(struct export *e, struct errmsg *err)
{
    struct hep_slice ids[EXPORT_LEG_CALLS]; /* the texts stay where they are */
    size_t count = e->call_id_count < EXPORT_LEG_CALLS ? e->call_id_count : EXPORT_LEG_CALLS;
    int rc = 0;
    if (e->call_id_count > EXPORT_LEG_CALLS)
        rc = export_lacks(e, -E2BIG, "legs are looked for of 64 calls at most: narrow the filter", err);
    if (count > 0)
        memcpy(ids, e->call_ids, count * sizeof(*ids));
    for (size_t i = 0; i < count && rc == 0; i++)
        if (ids[i].len > 0)
            rc = add_legs_of(e, ids + i, count - i, err);
    e->result.calls_cut = e->result.calls_cut || rc == 1;
    return rc < 0 ? rc : 0;
}

_Static_assert(EXPORT_LEG_CALLS == 64, "the text says so");

/* ------------------------------------------------------------------------------------------------ their messages */

/* 0, 1 if there is no room for more messages, or a negative errno with a text. */
static int add_found(struct export *e, const struct store_scan *scan, struct errmsg *err)
{
    int rc = 0;
    for (size_t i = 0; i < scan->count && rc == 0; i++)
        rc = add_ref(e, &scan->refs[i]);
    if (rc < 0)
        (void)errmsg_set(err, "out of memory");
    return rc;
}

static int find_way(struct export *e, const struct filter *filter, struct errmsg *err)
{
    bool more = true, named = !e->o.calls;
    int rc = 0;
    e->has_place = false;
    while (more && rc == 0) {
        struct store_scan scan = export_make_scan(e, true, EXPORT_CALL_ROWS);
        scan.filter = filter;
        scan.from_us = named ? e->o.from_us : INT64_MIN;
        scan.to_us = named ? e->o.to_us : INT64_MAX;
        rc = export_scan(e, &scan, err);
        if (rc == 0)
            rc = add_found(e, &scan, err);
        more = scan.count > 0 && scan.count == scan.limit;
        if (more) {
            e->place = (struct search_cursor){ scan.refs[scan.count - 1].ts, scan.refs[scan.count - 1].seq };
            e->has_place = true;
        }
        store_scan_free(&scan);
    }
    return rc;
}

static int find_call(struct export *e, struct hep_slice id, struct errmsg *err)
{
    int rc = 0;
    for (int way = 0; way < CALL_WAYS && rc == 0; way++) {
        struct filter *filter = NULL;
        struct errmsg problem = { "" };
        rc = call_filter(&filter, (enum call_way)way, &id, 1, &problem);
        if (rc == 0)
            rc = find_way(e, filter, err);
        else if (e->o.calls) /* of a malformed message; what is named is a mistake */
            rc = export_lacks(e, rc, problem.text, err);
        else
            *err = problem;
        filter_free(filter);
    }
    return rc;
}

/* Of named calls the first or the last ones; of those that match the limit was one of what matches. */
static void keep_limit(struct export *e)
{
    if (e->o.calls || e->o.limit == 0 || e->count <= e->o.limit)
        return;
    size_t keep = (size_t)e->o.limit;
    if (!e->o.oldest_first)
        memmove(e->refs, e->refs + e->count - keep, keep * sizeof(*e->refs));
    e->count = keep;
    e->result.more = true;
}

int export_calls_find(struct export *e, struct errmsg *err)
{
    bool named = e->call_id_count > 0;
    int rc = 0;
    e->o.calls = !named;
    if (!named)
        rc = collect_all(e, err);
    if (rc == 0 && e->o.legs)
        rc = add_legs(e, err);
    for (size_t i = 0; i < e->call_id_count && rc == 0; i++)
        rc = find_call(e, e->call_ids[i], err);
    if (rc < 0)
        return rc;
    order_refs(e);
    e->result.calls_cut = e->result.calls_cut || rc == 1 || e->count > EXPORT_CALL_ROWS;
    e->result.calls = e->call_id_count;
    if (e->count > EXPORT_CALL_ROWS)
        e->count = EXPORT_CALL_ROWS;
    keep_limit(e);
    if (!e->result.calls_cut)
        return 0;
    return export_lacks(e, -E2BIG, "more calls, or messages of them, than one export holds: narrow the filter", err);
}
