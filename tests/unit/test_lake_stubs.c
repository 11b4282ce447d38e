/* Stand-ins for the reading half of the lake, where a test does without it. */
#include <errno.h>

#include "store/lake/catalog.h"
#include "store/lake/duck.h"
#include "store/lake/internal.h"

#define WEAK __attribute__((weak))

WEAK int lake_scan(struct store *s, struct store_pin *pin, struct store_scan *scan, struct errmsg *err)
{
    (void)s;
    (void)pin;
    (void)scan;
    (void)err;
    return -ENOSYS;
}

WEAK int lake_fetch(struct store *s, struct store_pin *pin, const struct store_ref *refs, size_t n,
                    const struct store_columns *columns, store_row_fn *row, void *arg, size_t *ret_failed,
                    struct errmsg *err)
{
    (void)s;
    (void)pin;
    (void)refs;
    (void)n;
    (void)columns;
    (void)row;
    (void)arg;
    (void)ret_failed;
    (void)err;
    return -ENOSYS;
}

WEAK int lake_tend(struct store *s, int64_t now_us, struct errmsg *err)
{
    (void)s;
    (void)now_us;
    (void)err;
    return 0;
}

WEAK int catalog_open(struct catalog **ret, const struct catalog_options *options)
{
    (void)options;
    *ret = NULL;
    return 0;
}

WEAK void catalog_close(struct catalog *c)
{
    (void)c;
}

WEAK void duck_close(struct duck *d)
{
    (void)d;
}

WEAK void duck_counters(struct duck *d, struct duck_counters *ret)
{
    (void)d;
    (void)ret;
}
