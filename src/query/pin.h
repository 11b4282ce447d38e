/* A snapshot for tables, with live calls where calls are among them. */
#ifndef QUERY_PIN_H
#define QUERY_PIN_H

#include "store/store.h"

/* filter, from_us, to_us: of what will be looked for. 0 or a negative errno. */
static inline int query_pin(struct store *store, unsigned tables, const struct filter *filter, int64_t from_us,
                            int64_t to_us, struct store_pin **ret)
{
    const struct store_live_want want = { tables & STORE_LIVE_TABLES, filter, from_us, to_us };
    if ((tables & STORE_LIVE_TABLES) == 0 || store->ops->pin_calls == NULL)
        return store->ops->pin(store, ret);
    return store->ops->pin_calls(store, &want, ret);
}

#endif
