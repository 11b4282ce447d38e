/* Snapshots with the calls that run: those that can match become rows of groups that belong to the pin alone. */
#include <errno.h>
#include <stdlib.h>

#include "record/cell.h"
#include "store/lake/internal.h"

#define LIVE_ROWS_MAX 200000u /* of one pin; it says so if there are more */
#define GROUPS_MAX    (LIVE_ROWS_MAX / LAKE_GROUP_ROWS + 4)

struct pinning {
    struct lake *lake;
    const struct store_live_want *want;
    struct group *groups[GROUPS_MAX];
    struct group *open[RECORD_TABLES]; /* of these the one that rows of a table go to */
    size_t group_count, rows;
    bool cut;
    const struct record *record; /* the one that is tested */
    struct record_scratch scratch;
    struct store_pin *pin;
};

static void cell(void *arg, int column, struct record_cell *ret)
{
    struct pinning *p = arg;
    record_cell_of(p->record, (unsigned)column, ret, &p->scratch);
}

static bool is_wanted(struct pinning *p, const struct record *r)
{
    const struct store_live_want *w = p->want;
    if (r->ts < w->from_us || r->ts >= w->to_us)
        return false;
    p->record = r;
    return w->filter == NULL || filter_match(w->filter, r->table, cell, p);
}

static int begin_group(struct pinning *p, enum record_table table)
{
    if (p->group_count == GROUPS_MAX)
        return -ENOBUFS;
    struct group *g = group_new(table, 0, RECORD_NETWORK);
    if (g == NULL)
        return -ENOMEM;
    p->groups[p->group_count++] = p->open[table] = g;
    return 0;
}

static int row(void *arg, const struct record *r)
{
    struct pinning *p = arg;
    if (!is_wanted(p, r))
        return 0;
    if (p->rows == LIVE_ROWS_MAX) {
        p->cut = true;
        return 0;
    }
    int rc = p->open[r->table] == NULL ? begin_group(p, r->table) : 0;
    if (rc == 0)
        rc = group_append(p->open[r->table], r);
    if (rc == -ENOBUFS) {
        rc = begin_group(p, r->table);
        if (rc == 0)
            rc = group_append(p->open[r->table], r);
    }
    if (rc < 0)
        return rc;
    p->rows++;
    return 0;
}

static int done(void *arg)
{
    struct pinning *p = arg;
    return lake_pin(&p->lake->base, &p->pin);
}

/* The groups go over to the pin. */
static int add_groups(struct pinning *p)
{
    struct store_pin *pin = p->pin;
    size_t count = pin->group_count + p->group_count;
    struct group **groups = realloc(pin->groups, (count + 1) * sizeof(struct group *));
    if (groups == NULL)
        return -ENOMEM;
    pin->groups = groups;
    size_t *rows = realloc(pin->rows, (count + 1) * sizeof(*rows));
    if (rows == NULL)
        return -ENOMEM;
    pin->rows = rows;
    for (size_t i = 0; i < p->group_count; i++) {
        rows[pin->group_count] = group_rows(p->groups[i]);
        groups[pin->group_count++] = p->groups[i];
    }
    p->group_count = 0;
    pin->live_cut = p->cut;
    return 0;
}

int lake_pin_calls(struct store *s, const struct store_live_want *want, struct store_pin **ret)
{
    struct lake *lake = (struct lake *)s;
    if (lake->live.walk == NULL)
        return lake_pin(s, ret);
    struct pinning *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return -ENOMEM;
    p->lake = lake;
    p->want = want;
    int rc = lake->live.walk(lake->live.ctx, want->tables, row, done, p);
    if (rc == 0)
        rc = add_groups(p);
    for (size_t i = 0; i < p->group_count; i++)
        group_unref(p->groups[i]);
    if (rc == 0)
        *ret = p->pin;
    else
        lake_unpin(s, p->pin);
    free(p);
    return rc;
}
