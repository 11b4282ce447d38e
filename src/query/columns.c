#include "query/columns.h"

#include <string.h>

void columns_all(struct columns *ret, enum columns_payload payload)
{
    *ret = (struct columns){ 0 };
    for (int t = 0; t < RECORD_TABLES; t++) {
        const struct record_schema *s = record_schema((enum record_table)t);
        for (size_t i = 0; i < s->count; i++)
            if (s->columns[i].kind != RECORD_BYTES && columns_shown(&s->columns[i]) &&
                !record_column_empty((enum record_table)t, (unsigned)i))
                store_columns_add(&ret->table[t], (unsigned)i);
        if (payload == COLUMNS_PAYLOAD || (payload == COLUMNS_LOG_PAYLOAD && t == RECORD_LOG))
            store_columns_add(&ret->table[t], RECORD_COL_payload);
    }
}

/* True if some table has a column of this name. */
static bool add(struct columns *c, const char *name, size_t len)
{
    bool found = false;
    for (int t = 0; t < RECORD_TABLES; t++) {
        int column = record_column_by_name((enum record_table)t, name, len);
        if (column < 0 || !columns_shown(&record_schema((enum record_table)t)->columns[column]))
            continue;
        store_columns_add(&c->table[t], (unsigned)column);
        found = true;
    }
    return found;
}

static size_t trim(const char **at, size_t len)
{
    while (len > 0 && **at == ' ') {
        (*at)++;
        len--;
    }
    while (len > 0 && (*at)[len - 1] == ' ')
        len--;
    return len;
}

int columns_parse(struct columns *ret, const char *text, size_t len, struct errmsg *err)
{
    const char *end = text + len;
    *ret = (struct columns){ 0 };
    for (const char *at = text;;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *name = at;
        size_t n = trim(&name, (size_t)((comma == NULL ? end : comma) - at));
        if (!add(ret, name, n))
            return errmsg_set(err, n == 0 ? "an empty name among the columns%.*s" : "unknown column '%.*s'",
                              n > 64 ? 64 : (int)n, name);
        if (comma == NULL)
            return 0;
        at = comma + 1;
    }
}

struct store_columns columns_union(const struct columns *c, unsigned tables)
{
    struct store_columns all = { 0 };
    for (size_t t = 0; t < RECORD_TABLES; t++)
        for (size_t i = 0; (tables >> t & 1) != 0 && i < sizeof(all.bits) / sizeof(all.bits[0]); i++)
            all.bits[i] |= c->table[t].bits[i];
    return all;
}
