#include "store/lake/retain.h"

#include <errno.h>
#include <string.h>

#define HOURS_A_DAY 24
#define HOUR_US     INT64_C(3600000000)

/* Live files by hour of receipt, oldest first. */
struct candidate {
    size_t file; /* of the pin */
    uint32_t hour;
    int table;
    uint64_t octets, rows;
};

struct candidates {
    struct candidate *list;
    size_t count;
    uint64_t octets;
    uint64_t table_octets[RECORD_TABLES];
    uint32_t newest;
};

static int table_of(const char *path)
{
    const char *slash = strchr(path, '/');
    return slash != NULL ? record_table_by_name(path, (size_t)(slash - path)) : -1;
}

static int older(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->hour != y->hour)
        return x->hour < y->hour ? -1 : 1;
    return (x->file > y->file) - (x->file < y->file);
}

static int collect(const struct manifest_pin *pin, struct candidates *c)
{
    size_t count = manifest_pin_count(pin);
    c->list = calloc(count + 1, sizeof(*c->list));
    if (c->list == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const struct manifest_file *f = manifest_pin_file(pin, i);
        int table = table_of(f->path);
        if (table < 0)
            continue;
        c->list[c->count++] = (struct candidate){ i, f->hour, table, f->bytes, f->rows };
        c->octets += f->bytes;
        c->table_octets[table] += f->bytes;
        c->newest = f->hour > c->newest ? f->hour : c->newest;
    }
    qsort(c->list, c->count, sizeof(*c->list), older);
    return 0;
}

static void take(struct retain_plan *p, const struct candidate *c, enum retain_reason reason)
{
    p->reason = reason;
    p->files[p->count++] = c->file;
    p->octets += c->octets;
    p->rows += c->rows;
}

/* An hour is too old when all of it lies more than so many days back. */
static void by_days(const struct candidates *c, const struct store_retention *r, int64_t now_us, struct retain_plan *p)
{
    int64_t now = now_us / HOUR_US;
    for (size_t i = 0; i < c->count && p->count < RETAIN_FILES; i++) {
        uint64_t days = r->days[c->list[i].table];
        if (days > 0 && days < INT64_MAX / HOURS_A_DAY && now - (int64_t)c->list[i].hour > (int64_t)days * HOURS_A_DAY)
            take(p, &c->list[i], RETAIN_DAYS);
    }
}

/* The oldest files of a table (-1: of all) until `excess` octets are gone; `spare`: not those of the newest hour. */
static void by_octets(const struct candidates *c, int table, uint64_t excess, bool spare, enum retain_reason reason,
                      struct retain_plan *p)
{
    uint64_t gone = 0;
    bool one_hour = c->count > 0 && c->list[0].hour == c->newest;
    for (size_t i = 0; i < c->count && gone < excess && p->count < RETAIN_FILES; i++) {
        if ((table >= 0 && c->list[i].table != table) || (spare && !one_hour && c->list[i].hour == c->newest))
            continue;
        take(p, &c->list[i], reason);
        gone += c->list[i].octets;
    }
}

static uint64_t disk_excess(const struct store_retention *r, const struct retain_disk *d)
{
    if (r->disk_percent == 0 || r->disk_percent >= 100 || d->total == 0 || d->free > d->total)
        return 0;
    uint64_t used = d->total - d->free, limit = d->total / 100 * r->disk_percent;
    return used > limit ? used - limit : 0;
}

int retain_pick(const struct manifest_pin *pin, const struct store_retention *r, const struct retain_disk *disk,
                int64_t now_us, struct retain_plan *p)
{
    struct candidates c = { .list = NULL };
    int rc = collect(pin, &c);
    *p = (struct retain_plan){ .count = 0 };
    if (rc != 0)
        return rc;
    by_days(&c, r, now_us, p);
    for (int t = 0; t < RECORD_TABLES && p->count == 0; t++)
        if (r->octets[t] > 0 && c.table_octets[t] > r->octets[t])
            by_octets(&c, t, c.table_octets[t] - r->octets[t], false, RETAIN_OCTETS, p);
    if (p->count == 0 && r->octets_all > 0 && c.octets > r->octets_all)
        by_octets(&c, -1, c.octets - r->octets_all, false, RETAIN_OCTETS_ALL, p);
    if (p->count == 0)
        by_octets(&c, -1, disk_excess(r, disk), true, RETAIN_DISK, p);
    free(c.list);
    return 0;
}
