#include "store/lake/agg.h"
#include "store/lake/scan.h"

#include <errno.h>
#include <string.h>

#define PAYLOAD_MAX (2 * RECORD_PAYLOAD_MAX)
#define ROWS_A_LOOK 1024u /* between two looks at the clock */

enum { ANSWER_NEW, ANSWER_NO, ANSWER_YES };

/* One group while it is searched. Answers of a leaf are remembered by the code of the value that it looked at. */
struct hot_scan {
    struct scan *c;
    const struct filter *filter;
    const struct group *g;
    enum record_table table;
    size_t row;
    int columns[FILTER_LEAVES_MAX];      /* of each leaf; -1: the table has none */
    uint8_t *answers[FILTER_LEAVES_MAX]; /* by code, and at the end for NULL; NULL: not remembered */
    size_t codes[FILTER_LEAVES_MAX];
    struct group_scratch scratch;
    struct buf payload;
    size_t payload_row; /* SIZE_MAX: none */
    struct group_cache *cache;
    int rc; /* of group_payload(), of counting */
};

static void payload_cell(struct hot_scan *h, struct record_cell *ret)
{
    *ret = (struct record_cell){ .null = true };
    if (h->payload_row != h->row) {
        buf_reset(&h->payload);
        h->rc = group_payload(h->g, h->row, &h->payload, &h->cache);
        h->payload_row = h->rc == 0 ? h->row : SIZE_MAX;
        if (h->rc != 0)
            return;
    }
    *ret = (struct record_cell){ .octets = { h->payload.ptr, h->payload.len } };
}

static bool test_value(struct hot_scan *h, size_t leaf)
{
    struct record_cell cell = { .null = true };
    int column = h->columns[leaf];
    if (column == RECORD_COL_payload)
        payload_cell(h, &cell);
    else if (column >= 0)
        group_cell(h->g, (unsigned)column, h->row, &cell, &h->scratch);
    return filter_leaf_test(h->filter, leaf, &cell);
}

static bool test(void *arg, size_t leaf)
{
    struct hot_scan *h = arg;
    uint8_t *answers = h->answers[leaf];
    if (answers == NULL)
        return test_value(h, leaf);
    uint32_t code = group_code(h->g, (unsigned)h->columns[leaf], h->row);
    size_t at = code == GROUP_NULL ? h->codes[leaf] : code;
    if (at > h->codes[leaf])
        return test_value(h, leaf);
    if (answers[at] == ANSWER_NEW)
        answers[at] = test_value(h, leaf) ? ANSWER_YES : ANSWER_NO;
    return answers[at] == ANSWER_YES;
}

/* Room for answers; without it the leaf is tested row by row. */
static void prepare(struct hot_scan *h)
{
    size_t leaves = h->filter != NULL ? filter_leaves(h->filter) : 0;
    for (size_t i = 0; i < leaves; i++) {
        int column = h->columns[i] = filter_leaf_column(h->filter, i, h->table);
        if (column < 0 || !group_has_codes(h->g, (unsigned)column))
            continue;
        h->codes[i] = group_codes(h->g, (unsigned)column);
        h->answers[i] = calloc(h->codes[i] + 1, 1);
    }
}

static void release(struct hot_scan *h)
{
    size_t leaves = h->filter != NULL ? filter_leaves(h->filter) : 0;
    for (size_t i = 0; i < leaves; i++)
        free(h->answers[i]);
    buf_free(&h->payload);
    group_cache_free(h->cache);
}

static void look_at_row(struct hot_scan *h, size_t part)
{
    struct store_scan *s = h->c->s;
    struct record_cell ts, seq;
    group_cell(h->g, RECORD_COL_ts, h->row, &ts, &h->scratch);
    if (ts.number < s->from_us || ts.number >= s->to_us)
        return;
    bool refused = top_refuses(&h->c->top, ts.number);
    if (refused && s->total_wanted == STORE_TOTAL_NONE)
        return;
    if (h->filter != NULL && !filter_eval(h->filter, test, h))
        return;
    if (h->c->agg != NULL) {
        h->rc = agg_hot_row(h->c->agg, h->g, h->row, ts.number);
        return;
    }
    s->total++;
    if (refused)
        return;
    group_cell(h->g, RECORD_COL_seq, h->row, &seq, &h->scratch);
    struct store_ref ref = { ts.number, (uint64_t)seq.number, (uint32_t)part, (uint32_t)h->row, (uint8_t)h->table };
    if (scan_behind(h->c, ref.ts, ref.seq))
        top_offer(&h->c->top, &ref);
}

/* False if it was stopped before the end. From the newest row on: what is wanted is mostly there. */
static bool look_at_rows(struct hot_scan *h, size_t part, size_t rows)
{
    for (size_t left = rows; left > 0 && h->rc == 0; left--) {
        if ((rows - left) % ROWS_A_LOOK == 0 && scan_stop(h->c))
            return false;
        h->row = left - 1;
        look_at_row(h, part);
    }
    return h->rc == 0;
}

static int look_at_group(struct scan *c, size_t part)
{
    struct hot_scan *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return -ENOMEM;
    h->c = c;
    h->filter = c->s->filter;
    h->g = c->pin->groups[part];
    h->table = group_table(h->g);
    h->payload_row = SIZE_MAX;
    buf_init(&h->payload, PAYLOAD_MAX);
    prepare(h);
    if (c->agg != NULL)
        h->rc = agg_hot_begin(c->agg, h->g);
    bool all = look_at_rows(h, part, c->pin->rows[part]);
    int rc = h->rc != 0 ? h->rc : all ? 0 : -EINTR;
    release(h);
    free(h);
    return rc;
}

static bool wanted(const struct scan *c, size_t part)
{
    const struct group *g = c->pin->groups[part];
    int64_t min, max;
    if ((c->s->tables >> group_table(g) & 1) == 0 || c->pin->rows[part] == 0)
        return false;
    group_times(g, &min, &max);
    return max >= c->s->from_us && min < c->s->to_us;
}

void scan_hot(struct scan *c)
{
    for (size_t part = c->pin->group_count; part-- > 0;) {
        if (!wanted(c, part))
            continue;
        c->s->parts_total++;
        int rc = scan_stop(c) ? -EINTR : look_at_group(c, part);
        if (rc == 0) {
            c->s->parts_done++;
            continue;
        }
        c->rows_lost = c->total_lost = true;
        if (rc != -EINTR) {
            c->s->parts_failed++;
            scan_problem(c, rc == -ENOMEM ? "out of memory" : "a payload in memory does not expand");
        }
    }
}
