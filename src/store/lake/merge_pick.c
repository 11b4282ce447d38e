#include <errno.h>
#include <string.h>

#include "store/lake/merge.h"

#define HOUR_US    INT64_C(3600000000)
#define GRACE_US   INT64_C(300000000) /* after an hour, until what came in it is sealed */
#define FEW        2u                 /* files are worth a merge when their hour is over */
#define MANY       8u                 /* files of one size, while it lasts */
#define TIERS      3u
#define LARGE_ROWS (MERGE_ROWS / 2)
#define LARGE      (MERGE_OCTETS / 2)

/* Files of this many rows and more are in tier 1, 2. */
static unsigned tier_of(uint64_t rows)
{
    return rows < 4096 ? 0 : rows < 32768 ? 1 : 2;
}

/* Those that two of which always fit into one. */
static bool is_small(const struct manifest_file *f)
{
    return f->rows < LARGE_ROWS && f->bytes < LARGE && f->state == MANIFEST_FILE_OK;
}

static void add(struct merge_plan *plan, const struct manifest_file *f, uint64_t *rows)
{
    if (plan->count == MERGE_FILES || *rows + f->rows > MERGE_ROWS || plan->octets + f->bytes > MERGE_OCTETS)
        return;
    plan->files[plan->count++] = f;
    plan->octets += f->bytes;
    *rows += f->rows;
}

/* Small files of one hour; `sources` and `tiers` say which of them. */
struct hour {
    struct catalog *c;
    const struct manifest_pin *pin;
    size_t first, count;
    enum record_table table;
    const struct manifest_file **bad;
    struct errmsg *err;
};

/* Which source a file is of; only asked when there are enough files. */
static int source_of(struct hour *h, const struct manifest_file *f, uint32_t *ret)
{
    int rc = catalog_source(h->c, f, h->table, ret, h->err);
    if (rc != 0)
        *h->bad = f;
    return rc;
}

/* The files of one source and tier (TIERS: of all); 1 if there are `least`. */
static int gather(struct hour *h, uint32_t source, unsigned tier, size_t least, struct merge_plan *ret)
{
    uint64_t rows = 0;
    ret->count = 0;
    ret->octets = 0;
    for (size_t i = h->first; i < h->first + h->count; i++) {
        const struct manifest_file *f = manifest_pin_file(h->pin, i);
        uint32_t is;
        if (!is_small(f) || (tier != TIERS && tier_of(f->rows) != tier) || catalog_suspected(h->c, f->path))
            continue;
        int rc = source_of(h, f, &is);
        if (rc != 0)
            return rc;
        if (is == source)
            add(ret, f, &rows);
    }
    ret->source = source;
    return ret->count >= least;
}

static size_t count_small(const struct hour *h, unsigned tier)
{
    size_t n = 0;
    for (size_t i = h->first; i < h->first + h->count; i++) {
        const struct manifest_file *f = manifest_pin_file(h->pin, i);
        n += is_small(f) && (tier == TIERS || tier_of(f->rows) == tier);
    }
    return n;
}

static int pick_hour(struct hour *h, bool over, struct merge_plan *ret)
{
    for (unsigned tier = over ? TIERS : 0; tier < (over ? TIERS + 1 : TIERS); tier++) {
        size_t least = over ? FEW : MANY;
        if (count_small(h, tier) < least)
            continue;
        for (uint32_t source = RECORD_NETWORK; source <= RECORD_IMPORT; source++) {
            int rc = gather(h, source, tier, least, ret);
            if (rc != 0)
                return rc;
        }
    }
    return 0;
}

/* Older rows first. */
static void order(struct merge_plan *plan)
{
    for (size_t i = 1; i < plan->count; i++) {
        const struct manifest_file *f = plan->files[i];
        size_t k = i;
        for (; k > 0 && plan->files[k - 1]->min_seq > f->min_seq; k--)
            plan->files[k] = plan->files[k - 1];
        plan->files[k] = f;
    }
}

int merge_pick(struct catalog *c, const struct manifest_pin *pin, int64_t now_us, struct merge_plan *ret,
               const struct manifest_file **ret_bad, struct errmsg *err)
{
    *ret_bad = NULL;
    for (size_t t = 0; t < RECORD_TABLES; t++) {
        size_t first, count = manifest_pin_table(pin, record_schema((enum record_table)t)->name, &first);
        for (size_t i = first, end; i < first + count; i = end) {
            uint32_t hour = manifest_pin_file(pin, i)->hour;
            for (end = i + 1; end < first + count && manifest_pin_file(pin, end)->hour == hour;)
                end++;
            struct hour h = { c, pin, i, end - i, (enum record_table)t, ret_bad, err };
            bool over = ((int64_t)hour + 1) * HOUR_US + GRACE_US < now_us;
            int rc = pick_hour(&h, over, ret);
            if (rc == 0)
                continue;
            ret->kind = MANIFEST_MERGE;
            ret->table = (enum record_table)t;
            ret->hour = hour;
            order(ret);
            return rc;
        }
    }
    return 0;
}
