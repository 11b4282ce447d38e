#include "store/parquet/schema.h"

#include <string.h>

enum { DECIMAL_SCALE = 2, DECIMAL_PRECISION = 9 };
enum { REPETITION_REQUIRED = 0, REPETITION_OPTIONAL = 1 };

/* ConvertedType, the older form of the logical type, for readers that know only that. */
static const int32_t converted[] = {
    [PQ_LOGICAL_NONE] = -1,  [PQ_LOGICAL_STRING] = 0,  [PQ_LOGICAL_TIMESTAMP_US] = 10, [PQ_LOGICAL_DECIMAL_9_2] = 5,
    [PQ_LOGICAL_INT8] = 15,  [PQ_LOGICAL_INT16] = 16,  [PQ_LOGICAL_INT32] = 17,        [PQ_LOGICAL_INT64] = 18,
    [PQ_LOGICAL_UINT8] = 11, [PQ_LOGICAL_UINT16] = 12, [PQ_LOGICAL_UINT32] = 13,       [PQ_LOGICAL_UINT64] = 14,
};

static struct pq_m_logical logical_make(enum pq_logical l)
{
    struct pq_m_logical m = { .present = 0 };
    if (l == PQ_LOGICAL_STRING) {
        m.present = PQ_HAS(0);
    } else if (l == PQ_LOGICAL_TIMESTAMP_US) {
        m.present = PQ_HAS(1);
        m.timestamp = (struct pq_m_timestamp){ 0x3, true, { .present = 1 } };
    } else if (l == PQ_LOGICAL_DECIMAL_9_2) {
        m.present = PQ_HAS(3);
        m.decimal = (struct pq_m_decimal){ 0x3, DECIMAL_SCALE, DECIMAL_PRECISION };
    } else if (l != PQ_LOGICAL_NONE) {
        bool is_signed = l < PQ_LOGICAL_UINT8;
        unsigned step = (unsigned)(l - (is_signed ? PQ_LOGICAL_INT8 : PQ_LOGICAL_UINT8));
        m.present = PQ_HAS(2);
        m.integer = (struct pq_m_int){ 0x3, (int8_t)(8u << step), is_signed };
    }
    return m;
}

static struct pq_m_schema_element element_make(const struct pq_column *c)
{
    struct pq_m_schema_element e = {
        .present = PQ_HAS(0) | PQ_HAS(2) | PQ_HAS(3),
        .type = (int32_t)c->type,
        .type_length = (int32_t)c->width,
        .repetition_type = c->nullable ? REPETITION_OPTIONAL : REPETITION_REQUIRED,
        .name = { (const uint8_t *)c->name, strlen(c->name) },
        .converted_type = converted[c->logical],
        .logical = logical_make(c->logical),
    };
    if (c->type == PQ_FIXED)
        e.present |= PQ_HAS(1);
    if (c->logical != PQ_LOGICAL_NONE)
        e.present |= PQ_HAS(5) | PQ_HAS(6);
    if (c->logical == PQ_LOGICAL_DECIMAL_9_2) {
        e.present |= PQ_HAS(7) | PQ_HAS(8); /* they belong to the converted type */
        e.scale = DECIMAL_SCALE;
        e.precision = DECIMAL_PRECISION;
    }
    return e;
}

int pq_schema_make(const struct pq_column *columns, size_t count, struct pq_arena *a, struct pq_list *ret)
{
    struct pq_m_schema_element *elements = pq_arena_array(a, count + 1, sizeof(*elements));
    if (elements == NULL)
        return PQ_ERR_LIMIT;
    elements[0] = (struct pq_m_schema_element){
        .present = PQ_HAS(3) | PQ_HAS(4),
        .name = { (const uint8_t *)"schema", 6 },
        .num_children = (int32_t)count,
    };
    for (size_t i = 0; i < count; i++)
        elements[i + 1] = element_make(&columns[i]);
    *ret = (struct pq_list){ .items = elements, .count = count + 1 };
    return PQ_OK;
}

static bool logical_read(const struct pq_m_schema_element *e, enum pq_logical *ret)
{
    if ((e->present & PQ_HAS(6)) == 0) {
        *ret = PQ_LOGICAL_NONE;
        return (e->present & PQ_HAS(5)) == 0;
    }
    for (unsigned l = PQ_LOGICAL_STRING; l <= PQ_LOGICAL_UINT64; l++) {
        struct pq_m_logical m = logical_make((enum pq_logical)l);
        if (m.present != e->logical.present)
            continue;
        if (m.present == PQ_HAS(1) && e->logical.timestamp.unit.present != 1)
            continue;
        if (m.present == PQ_HAS(2) && (m.integer.bit_width != e->logical.integer.bit_width ||
                                       m.integer.is_signed != e->logical.integer.is_signed))
            continue;
        if (m.present == PQ_HAS(3) &&
            (m.decimal.scale != e->logical.decimal.scale || m.decimal.precision != e->logical.decimal.precision))
            continue;
        *ret = (enum pq_logical)l;
        return true;
    }
    return false;
}

static int element_read(const struct pq_m_schema_element *e, struct pq_arena *a, struct pq_column *c)
{
    uint32_t needed = PQ_HAS(0) | PQ_HAS(2) | PQ_HAS(3);
    if ((e->present & needed) != needed || (e->present & PQ_HAS(4)) != 0)
        return PQ_ERR_FOREIGN;
    if (e->repetition_type != REPETITION_REQUIRED && e->repetition_type != REPETITION_OPTIONAL)
        return PQ_ERR_FOREIGN;
    if (e->type < 0 || e->type > (int32_t)PQ_FIXED || e->type_length < 0)
        return PQ_ERR_FOREIGN;
    struct pq_slice name;
    if (!pq_arena_copy(a, e->name, &name))
        return PQ_ERR_LIMIT;
    *c = (struct pq_column){
        .name = (const char *)name.ptr,
        .type = (enum pq_type)e->type,
        .width = e->type == (int32_t)PQ_FIXED ? (uint32_t)e->type_length : 0,
        .nullable = e->repetition_type == REPETITION_OPTIONAL,
    };
    return logical_read(e, &c->logical) && pq_column_valid(c) ? PQ_OK : PQ_ERR_FOREIGN;
}

int pq_schema_read(const struct pq_list *elements, struct pq_arena *a, struct pq_column **ret, size_t *ret_count)
{
    const struct pq_m_schema_element *e = elements->items;
    if (elements->count < 2 || elements->count - 1 > PQ_COLUMNS_MAX)
        return PQ_ERR_FOREIGN;
    if ((e->present & PQ_HAS(4)) == 0 || e->num_children < 0 || (size_t)e->num_children != elements->count - 1)
        return PQ_ERR_FOREIGN;
    *ret_count = elements->count - 1;
    *ret = pq_arena_array(a, *ret_count, sizeof(**ret));
    int rc = *ret == NULL ? PQ_ERR_LIMIT : PQ_OK;
    for (size_t i = 0; i < *ret_count && rc == PQ_OK; i++)
        rc = element_read(&e[i + 1], a, &(*ret)[i]);
    return rc;
}
