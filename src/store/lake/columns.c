#include "store/lake/columns.h"

#include <string.h>

#include "store/parquet/reader.h"

#define LEVEL 1

static const struct {
    enum pq_type type;
    enum pq_logical logical;
    uint32_t width;
    bool nullable;
} kinds[] = {
    [RECORD_TIME] = { PQ_INT64, PQ_LOGICAL_TIMESTAMP_US, 0, true },
    [RECORD_SEQ] = { PQ_INT64, PQ_LOGICAL_INT64, 0, false },
    [RECORD_NUMBER] = { PQ_INT32, PQ_LOGICAL_UINT32, 0, false },
    [RECORD_OPTIONAL] = { PQ_INT32, PQ_LOGICAL_UINT32, 0, true },
    [RECORD_DECIMAL] = { PQ_INT32, PQ_LOGICAL_DECIMAL_9_2, 0, true },
    [RECORD_UID] = { PQ_INT64, PQ_LOGICAL_UINT64, 0, true },
    [RECORD_TEXT] = { PQ_BYTE_ARRAY, PQ_LOGICAL_STRING, 0, true },
    [RECORD_IP] = { PQ_BYTE_ARRAY, PQ_LOGICAL_STRING, 0, true },
    [RECORD_ADDR] = { PQ_FIXED, PQ_LOGICAL_NONE, 16, true },
    [RECORD_BYTES] = { PQ_BYTE_ARRAY, PQ_LOGICAL_NONE, 0, false },
};

bool lake_column_nullable(enum record_table table, size_t column)
{
    if (column == RECORD_COL_ts || column == RECORD_COL_received)
        return false;
    return kinds[record_schema(table)->columns[column].kind].nullable;
}

bool lake_column_is_key(enum record_table table, size_t column)
{
    if (column == RECORD_COL_correlation_id)
        return (RECORD_TABLES_MESSAGES >> table & 1) != 0;
    switch (table) {
    case RECORD_SIP:
        return column == RECORD_SIP_COL_call_id;
    case RECORD_CALL:
        return column == RECORD_CALL_COL_call_id || column == RECORD_CALL_COL_group_id;
    case RECORD_CALL_KEY:
        return column == RECORD_CALL_KEY_COL_key;
    case RECORD_REGISTRATION:
        return column == RECORD_REGISTRATION_COL_call_id;
    case RECORD_QUALITY:
        return column == RECORD_QUALITY_COL_call_id;
    default:
        return false;
    }
}

size_t lake_columns(enum record_table table, struct pq_column ret[RECORD_COLUMNS_MAX])
{
    const struct record_schema *s = record_schema(table);
    for (size_t i = 0; i < s->count; i++) {
        const struct record_column *c = &s->columns[i];
        bool octets = c->kind == RECORD_BYTES;
        ret[i] = (struct pq_column){
            .name = c->name,
            .type = kinds[c->kind].type,
            .logical = kinds[c->kind].logical,
            .width = kinds[c->kind].width,
            .nullable = lake_column_nullable(table, i),
            /* Times and sequence numbers hardly ever come twice. */
            .dictionary = !octets && c->kind != RECORD_TIME && c->kind != RECORD_SEQ,
            .delta = c->kind == RECORD_TIME || c->kind == RECORD_SEQ,
            .bloom = (c->options & RECORD_BLOOM) != 0,
            /* Looked up in all row groups there are: each false hit costs a dictionary. */
            .bloom_fine = lake_column_is_key(table, i),
            .stats = !octets,
            .codec = PQ_CODEC_ZSTD,
            .level = LEVEL,
        };
    }
    return s->count;
}

void lake_cell(enum record_kind kind, struct pq_slice value, struct record_cell *ret)
{
    *ret = (struct record_cell){ .null = value.ptr == NULL };
    if (ret->null)
        return;
    switch (kind) {
    case RECORD_TIME:
    case RECORD_SEQ:
    case RECORD_UID:
        ret->number = pq_as_int64(value);
        break;
    case RECORD_NUMBER:
    case RECORD_OPTIONAL:
    case RECORD_DECIMAL:
        ret->number = (uint32_t)pq_as_int32(value);
        break;
    default:
        ret->octets = (struct hep_slice){ value.ptr, value.len };
    }
}
