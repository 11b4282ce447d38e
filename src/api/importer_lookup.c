/* Which frames of a body a former server had stored: the rows of imports in its span of time say it. */
#include <errno.h>
#include <string.h>

#include "api/importer_internal.h"
#include "query/search.h"

#define PAGE 1000

static int on_row(void *arg, enum record_table table, const struct record_cell *cells,
                  const struct store_columns *columns)
{
    struct import_rows *r = arg;
    const struct record_cell *received = &cells[RECORD_COL_received];
    (void)table;
    (void)columns;
    if (received->null || received->number < r->received_us)
        return 0;
    uint64_t i = (uint64_t)received->number - (uint64_t)r->received_us;
    if (i < r->frames && !import_rows_has(r, i)) {
        r->there[i / 8] |= (uint8_t)(1u << i % 8);
        r->count++;
    }
    return 0;
}

/* One part of the answer; *ret_more: where the next one begins is in *o. */
static int find_part(struct store *store, struct search_options *o, struct import_rows *rows, bool *ret_more,
                     struct errmsg *err)
{
    struct search *s = NULL;
    int rc = search_open(&s, store, o, err);
    while (rc >= 0) {
        rc = search_next(s, PAGE, on_row, rows, err);
        if (rc == 0)
            break;
    }
    if (rc == 0) {
        const struct search_result *r = search_result(s);
        if (!search_complete(r) || r->unread > 0) {
            (void)errmsg_set(err, "%s", r->problem.text);
            rc = -EIO;
        }
        *ret_more = r->has_next;
        o->has_after = true;
        o->after = r->next;
    }
    search_close(s);
    return rc;
}

int import_rows_find(struct store *store, struct import_rows *rows, struct errmsg *err)
{
    static const char imports[] = "transport:import";
    struct filter_error bad;
    struct filter *filter = NULL;
    if (filter_parse(&filter, imports, strlen(imports), &bad) != 0) {
        (void)errmsg_set(err, "%s", bad.text);
        return -EINVAL;
    }
    struct search_options o = { .filter = filter,
                                .from_us = rows->least_us,
                                .to_us = rows->most_us == INT64_MAX ? INT64_MAX : rows->most_us + 1,
                                .oldest_first = true,
                                .limit = STORE_LIMIT_MAX };
    for (size_t t = 0; t < RECORD_TABLES; t++)
        store_columns_add(&o.columns.table[t], RECORD_COL_received);
    bool more = true;
    int rc = 0;
    while (rc == 0 && more && rows->count < rows->frames)
        rc = find_part(store, &o, rows, &more, err);
    filter_free(filter);
    return rc;
}
