#include "store/parquet/format.h"

const char *pq_error_text(int error)
{
    static const char *const texts[] = {
        [0] = "no error",
        [-PQ_ERR_MEMORY] = "out of memory",
        [-PQ_ERR_SINK] = "writing failed",
        [-PQ_ERR_SOURCE] = "reading failed",
        [-PQ_ERR_USAGE] = "wrong argument",
        [-PQ_ERR_LIMIT] = "beyond a limit",
        [-PQ_ERR_FOREIGN] = "not a file of this program",
        [-PQ_ERR_DAMAGED] = "damaged",
        [-PQ_ERR_ABSENT] = "not in this file",
    };
    size_t i = error <= 0 && error >= PQ_ERR_ABSENT ? (size_t)-error : sizeof(texts);
    return i < sizeof(texts) / sizeof(texts[0]) ? texts[i] : "unknown error";
}

size_t pq_column_width(const struct pq_column *c)
{
    switch (c->type) {
    case PQ_BOOLEAN:
        return 1;
    case PQ_INT32:
        return 4;
    case PQ_INT64:
    case PQ_DOUBLE:
        return 8;
    case PQ_FIXED:
        return c->width;
    case PQ_BYTE_ARRAY:
        break;
    }
    return 0;
}

static bool logical_fits(const struct pq_column *c)
{
    switch (c->logical) {
    case PQ_LOGICAL_NONE:
        return true;
    case PQ_LOGICAL_STRING:
        return c->type == PQ_BYTE_ARRAY;
    case PQ_LOGICAL_TIMESTAMP_US:
    case PQ_LOGICAL_INT64:
    case PQ_LOGICAL_UINT64:
        return c->type == PQ_INT64;
    case PQ_LOGICAL_DECIMAL_9_2:
    case PQ_LOGICAL_INT8:
    case PQ_LOGICAL_INT16:
    case PQ_LOGICAL_INT32:
    case PQ_LOGICAL_UINT8:
    case PQ_LOGICAL_UINT16:
    case PQ_LOGICAL_UINT32:
        return c->type == PQ_INT32;
    }
    return false;
}

static bool type_known(enum pq_type type)
{
    return type == PQ_BOOLEAN || type == PQ_INT32 || type == PQ_INT64 || type == PQ_DOUBLE || type == PQ_BYTE_ARRAY ||
           type == PQ_FIXED;
}

bool pq_column_valid(const struct pq_column *c)
{
    if (!type_known(c->type) || !logical_fits(c))
        return false;
    if (c->type == PQ_FIXED ? c->width == 0 || c->width > 4096 : c->width != 0)
        return false;
    return c->codec == PQ_CODEC_NONE || (c->codec == PQ_CODEC_ZSTD && c->level >= 1 && c->level <= 19);
}
