#include "lake_lab.h"

#include "fake_duck.h"

#define WEAK __attribute__((weak))

WEAK struct fake_duck fake_duck; /* of fake_duck.c, where that is used */

static void on_event(void *arg, const char *what, const char *path, const char *text)
{
    struct lab *lab = arg;
    (void)what;
    (void)path;
    (void)text;
    lab->events++;
}

static void open_lab(struct lab *lab, bool read_only, const char *library)
{
    struct lake_start start;
    struct errmsg err = { "" };
    const struct lake_options o = { .vfs = lab->vfs,
                                    .data_dir = lab->dir,
                                    .node = 0xbeef,
                                    .writers = LAB_WRITERS,
                                    .no_threads = true,
                                    .read_only = read_only,
                                    .duck_library = library,
                                    .event = on_event,
                                    .arg = lab };
    if (lab->fs != NULL)
        fault_capacity(lab->fs, 60 << 20); /* no room for the reserve, which would only cost time */
    if (lake_open(&lab->store, &o, &start, &err) != 0)
        fail_msg("%s", err.text);
    lab->lake = (struct lake *)lab->store;
}

struct lab *lab_new(const char *dir, const char *library)
{
    struct lab *lab = calloc(1, sizeof(*lab));
    assert_non_null(lab);
    lab->fs = dir == NULL ? fault_new(1) : NULL;
    lab->vfs = dir == NULL ? fault_vfs(lab->fs) : vfs_posix();
    lab->dir = dir == NULL ? LAB_DIR : dir;
    lab->rows = calloc(LAB_ROWS_MAX, sizeof(*lab->rows));
    lab->match = calloc(LAB_ROWS_MAX, sizeof(*lab->match));
    lab->segment = 1;
    lab->hour = ROW_HOUR;
    fake_duck = (struct fake_duck){ .vfs = lab->vfs };
    open_lab(lab, false, library);
    return lab;
}

void lab_close(struct lab *lab)
{
    if (lab->store != NULL)
        lab->store->ops->close(lab->store);
    lab->store = NULL;
}

void lab_reopen(struct lab *lab, bool read_only)
{
    lab_close(lab);
    open_lab(lab, read_only, NULL);
}

void lab_free(struct lab *lab)
{
    lab_close(lab);
    if (lab->fs != NULL) {
        assert_int_equal(fault_open_files(lab->fs), 0);
        fault_free(lab->fs);
    }
    free(lab->rows);
    free(lab->match);
    free(lab);
}

/* ------------------------------------------------------------------------------------------------ rows */

/* before, n in decimal, behind */
static struct hep_slice text_of(struct row *r, const char *before, uint64_t n, const char *behind)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "%s%llu%s", before, (unsigned long long)n, behind);
    return row_octets(r, text, (size_t)len);
}

const struct record *lab_record(struct lab *lab, uint64_t seq)
{
    const struct lab_row *meta = &lab->rows[seq];
    struct row *row = &lab->row;
    uint64_t random = seq * 7919;
    row_make(row, LAB_SEED + meta->version, meta->table, seq, meta->hour);
    struct record *r = &row->record;
    if (meta->version > 0) { /* payloads stay */
        row_make(&lab->first, LAB_SEED, meta->table, seq, meta->hour);
        r->payload = row_octets(row, (const char *)lab->first.record.payload.ptr, lab->first.record.payload.len);
        r->payload_len = lab->first.record.payload_len;
    }
    r->ts = meta->ts;
    r->received = (int64_t)meta->hour * ROW_HOUR_US + (int64_t)(seq % 3600) * 1000000;
    if (prng_below(&random, 6) > 0)
        r->correlation_id = text_of(row, "corr-", seq / 9, "");
    if (meta->table != RECORD_SIP)
        return r;
    uint64_t call = seq / 7 + prng_below(&random, 3);
    r->call_id =
        prng_below(&random, 20) == 0 ? text_of(row, "register@", 0, "") : text_of(row, "call-", call, "@example.org");
    r->from_user = text_of(row, "+1555", 1000 + prng_below(&random, 60), "");
    r->method = prng_below(&random, 3) == 0 ? row_octets(row, "BYE", 3) : row_octets(row, "INVITE", 6);
    return r;
}

void lab_append(struct lab *lab, enum record_table table, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        uint64_t seq = ++lab->last, random = seq * 31;
        assert_true(seq < LAB_ROWS_MAX);
        int64_t base = (int64_t)lab->hour * ROW_HOUR_US;
        int64_t ts = base + (int64_t)prng_below(&random, 1800) * 2000000; /* many come twice */
        if (prng_below(&random, 50) == 0)
            ts -= (int64_t)prng_below(&random, 20) * ROW_HOUR_US; /* late */
        lab->rows[seq] = (struct lab_row){ (uint8_t)table, false, 0, lab->hour, ts };
        assert_int_equal(lab->store->ops->append(lab->store, (unsigned)seq % LAB_WRITERS, lab_record(lab, seq)), 0);
    }
    lab->matched = false;
}

void lab_append_random(struct lab *lab, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        uint64_t random = lab->last * 77 + 5;
        size_t pick = prng_below(&random, 10);
        lab_append(lab, pick < 6 ? RECORD_SIP : pick < 8 ? RECORD_MEDIA : pick == 8 ? RECORD_LOG : RECORD_OTHER, 1);
    }
}

void lab_seal(struct lab *lab)
{
    struct store_seal *seal;
    struct errmsg err = { "" };
    assert_int_equal(lab->store->ops->seal_begin(lab->store, &seal), 0);
    lab->segment++;
    for (unsigned i = 0; i < LAB_WRITERS; i++)
        lab->store->ops->seal_cut(lab->store, seal, i, &(struct wal_position){ i, lab->segment });
    if (lab->store->ops->seal_end(lab->store, seal, lab->last, &err) != 0)
        fail_msg("%s", err.text);
    lab->store->ops->seal_free(seal);
}

/* ------------------------------------------------------------------------------------------------ the model */

struct filter *lab_filter(const char *text)
{
    struct filter *f = NULL;
    struct filter_error err;
    if (filter_parse(&f, text, strlen(text), &err) != 0)
        fail_msg("%s: %s", text, err.text);
    return f;
}

static void model_cell(void *arg, int column, struct record_cell *ret)
{
    static uint8_t octets[RECORD_TEXT_MAX + 8];
    struct lab *lab = arg;
    *ret = (struct record_cell){ .null = true };
    if (column >= 0)
        row_cell(&lab->row.record, (size_t)column, ret, octets);
}

static void match_rows(struct lab *lab, const struct filter *f)
{
    const char *text = f != NULL ? filter_text(f) : "";
    if (lab->matched && strcmp(lab->matched_text, text) == 0)
        return;
    for (uint64_t seq = 1; seq <= lab->last; seq++) {
        lab->match[seq] = true;
        if (f == NULL)
            continue;
        (void)lab_record(lab, seq);
        lab->match[seq] = filter_match(f, lab->row.record.table, model_cell, lab);
    }
    lab->matched = true;
    (void)snprintf(lab->matched_text, sizeof(lab->matched_text), "%s", text);
}

static bool forward;

static int in_order(const void *a, const void *b)
{
    const struct store_ref *x = a, *y = b;
    int way = forward ? 1 : -1;
    if (x->ts != y->ts)
        return x->ts < y->ts ? -way : way;
    return x->seq < y->seq ? -way : x->seq > y->seq ? way : 0;
}

static bool wanted_number(const struct store_scan *s, uint64_t seq)
{
    return (s->beyond == NULL || !store_seen_has(s->beyond, seq)) &&
           (s->within == NULL || store_seen_has(s->within, seq));
}

size_t lab_expect(struct lab *lab, const struct store_scan *s, struct store_ref **ret, uint64_t *ret_total)
{
    struct store_ref *refs = calloc(lab->last + 1, sizeof(*refs));
    struct store_ref after = { s->after_ts, s->after_seq, 0, 0, 0 };
    size_t count = 0;
    *ret_total = 0;
    forward = s->oldest_first;
    match_rows(lab, s->filter);
    for (uint64_t seq = 1; seq <= lab->last; seq++) {
        const struct lab_row *r = &lab->rows[seq];
        struct store_ref ref = { r->ts, seq, 0, 0, r->table };
        if (r->gone || !lab->match[seq] || (s->tables >> r->table & 1) == 0 || r->ts < s->from_us || r->ts >= s->to_us)
            continue;
        ++*ret_total;
        if (wanted_number(s, seq) && (!s->has_after || in_order(&after, &ref) < 0))
            refs[count++] = ref;
    }
    qsort(refs, count, sizeof(*refs), in_order);
    *ret = refs;
    return count < s->limit ? count : s->limit;
}

/* ------------------------------------------------------------------------------------------------ comparing */

struct fetched {
    struct lab *lab;
    const struct store_columns *columns;
    size_t next;
};

static int check_row(void *arg, size_t i, const struct store_ref *ref, const struct record_cell *cells)
{
    struct fetched *f = arg;
    assert_int_equal(i, f->next++);
    const struct record *r = lab_record(f->lab, ref->seq);
    for (size_t c = 0; c < RECORD_COLUMNS_MAX; c++)
        if (c < record_schema(r->table)->count && store_columns_has(f->columns, (unsigned)c))
            row_same_cell(r, c, &cells[c]);
        else
            assert_true(cells[c].null);
    return 0;
}

static void check_fetch(struct lab *lab, struct store_pin *pin, const struct store_scan *s)
{
    struct store_columns columns = { { 0 } };
    uint64_t random = s->total + s->count * 3 + lab->last;
    for (unsigned c = 0; c < RECORD_COLUMNS_MAX; c++)
        if (prng_below(&random, 8) == 0)
            store_columns_add(&columns, c);
    if (prng_below(&random, 2) == 0)
        store_columns_add(&columns, RECORD_COL_payload);
    struct fetched f = { lab, &columns, 0 };
    struct errmsg err = { "" };
    size_t failed = 1;
    assert_int_equal(lab->store->ops->fetch(lab->store, pin, s->refs, s->count, &columns, check_row, &f, &failed, &err),
                     0);
    assert_int_equal(failed, 0);
    assert_int_equal(f.next, s->count);
}

void lab_check_pin(struct lab *lab, struct store_pin *pin, struct store_scan *s)
{
    struct store_ref *want;
    struct errmsg err = { "" };
    uint64_t total;
    size_t count = lab_expect(lab, s, &want, &total);
    fake_duck.scan = s;
    lab->lake->always_duck = lab->only_duck || lab->scans++ % 2 == 0;
    assert_int_equal(lab->store->ops->scan(lab->store, pin, s, &err), 0);
    if (s->problem.text[0] != '\0')
        fail_msg("%s", s->problem.text);
    assert_int_equal(s->count, count);
    for (size_t i = 0; i < count; i++)
        if (s->refs[i].ts != want[i].ts || s->refs[i].seq != want[i].seq || s->refs[i].table != want[i].table)
            fail_msg("row %zu of %zu is %llu, should be %llu", i, count, (unsigned long long)s->refs[i].seq,
                     (unsigned long long)want[i].seq);
    assert_true(s->rows_exact);
    if (s->total_wanted == STORE_TOTAL_EXACT) {
        assert_true(s->total_exact);
        if (s->total != total)
            fail_msg("total %llu, should be %llu: filter %s, tables %u, limit %zu, oldest %d, after %d, window %d %d",
                     (unsigned long long)s->total, (unsigned long long)total,
                     s->filter != NULL ? filter_text(s->filter) : "none", s->tables, s->limit, s->oldest_first,
                     s->has_after, s->from_us != INT64_MIN, s->to_us != INT64_MAX);
    } else
        assert_true(s->total <= total && s->total >= count);
    assert_int_equal(s->parts_failed, 0);
    check_fetch(lab, pin, s);
    store_scan_free(s);
    free(want);
}

void lab_check(struct lab *lab, struct store_scan *s)
{
    struct store_pin *pin;
    assert_int_equal(lab->store->ops->pin(lab->store, &pin), 0);
    lab_check_pin(lab, pin, s);
    lab->store->ops->unpin(lab->store, pin);
}

void lab_check_all(struct lab *lab)
{
    struct store_scan s = { .tables = RECORD_TABLES_ALL,
                            .from_us = INT64_MIN,
                            .to_us = INT64_MAX,
                            .limit = STORE_LIMIT_MAX,
                            .total_wanted = STORE_TOTAL_EXACT };
    lab_check(lab, &s);
}
