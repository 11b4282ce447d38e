/* Rows counted, behind store_ops: a scan that finds none, whose groups go to the counters of agg.h. */
#include <errno.h>
#include <string.h>

#include "store/lake/agg.h"
#include "store/lake/scan.h"

bool lake_span(struct store *s, struct store_pin *pin, unsigned tables, int64_t *ret_min, int64_t *ret_max)
{
    bool any = false;
    (void)s;
    *ret_min = INT64_MAX;
    *ret_max = INT64_MIN;
    for (size_t t = 0; t < RECORD_TABLES; t++) {
        size_t first, count = manifest_pin_table(pin->files, record_schema((enum record_table)t)->name, &first);
        for (size_t i = first; (tables >> t & 1) != 0 && i < first + count; i++) {
            const struct manifest_file *f = manifest_pin_file(pin->files, i);
            any |= f->rows > 0;
            *ret_min = f->rows > 0 && f->min_ts < *ret_min ? f->min_ts : *ret_min;
            *ret_max = f->rows > 0 && f->max_ts > *ret_max ? f->max_ts : *ret_max;
        }
    }
    for (size_t i = 0; i < pin->group_count; i++) {
        int64_t min, max;
        if (pin->rows[i] == 0 || (tables >> group_table(pin->groups[i]) & 1) == 0)
            continue;
        group_times(pin->groups[i], &min, &max);
        any = true;
        *ret_min = min < *ret_min ? min : *ret_min;
        *ret_max = max > *ret_max ? max : *ret_max;
    }
    return any;
}

static void reset(struct store_aggregate *q)
{
    q->counts = q->none = q->rest = NULL;
    q->values = NULL;
    q->value_count = 0;
    q->values_exact = q->total_exact = q->timed_out = false;
    q->total = q->octets_read = 0;
    q->parts_total = q->parts_done = q->parts_failed = 0;
    q->problem.text[0] = '\0';
}

static void take_outcome(struct store_aggregate *q, const struct store_scan *s)
{
    q->total_exact = s->total_exact;
    q->timed_out = s->timed_out;
    q->parts_total = s->parts_total;
    q->parts_done = s->parts_done;
    q->parts_failed = s->parts_failed;
    q->octets_read = s->octets_read;
    q->problem = s->problem;
}

int lake_aggregate(struct store *store, struct store_pin *pin, struct store_aggregate *q, struct errmsg *err)
{
    struct store_scan s = { .tables = q->tables,
                            .filter = q->filter,
                            .from_us = q->from_us,
                            .to_us = q->to_us,
                            .total_wanted = STORE_TOTAL_EXACT,
                            .budget_us = q->budget_us,
                            .cancel = q->cancel };
    struct scan c = { .lake = (struct lake *)store, .pin = pin, .s = &s };
    reset(q);
    int rc = agg_new(&c.agg, q);
    if (rc == 0)
        rc = scan_run(&c, err);
    if (rc == 0) {
        take_outcome(q, &s);
        rc = agg_finish(c.agg, q);
    }
    if (rc != 0 && err->text[0] == '\0')
        (void)errmsg_set(err, "counting: %s", strerror(-rc));
    agg_free(c.agg);
    store_scan_free(&s);
    return rc;
}
