/* Which columns of which tables a query shows: names, sets, and the union that a fetch asks the store for. */
#ifndef QUERY_COLUMNS_H
#define QUERY_COLUMNS_H

#include "base/errmsg.h"
#include "store/store.h"

/* Payloads cost the most to read, so they are asked for by themselves. */
enum columns_payload {
    COLUMNS_NO_PAYLOAD,
    COLUMNS_LOG_PAYLOAD, /* of table `log` alone, where it is the message */
    COLUMNS_PAYLOAD
};

struct columns {
    struct store_columns table[RECORD_TABLES];
};

/* Every column that has a JSON form, the payload by `payload`. */
void columns_all(struct columns *ret, enum columns_payload payload);

/*
 * Reads "ts,method,from_user": each must be a column of some table; "payload" may be among them. Spaces are skipped.
 * -1 with a text that names what is unknown.
 */
int columns_parse(struct columns *ret, const char *text, size_t len, struct errmsg *err);

/* The columns of a set of tables: what to fetch for their rows. Numbers are those of each row's own table. */
struct store_columns columns_union(const struct columns *c, unsigned tables);

/* False for what has no form for people: the 16 octets of an address, whose text is another column. */
static inline bool columns_shown(const struct record_column *c)
{
    return c->kind != RECORD_ADDR;
}

#endif
