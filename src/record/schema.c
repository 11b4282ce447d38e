#include "record/schema.h"

#include <string.h>

#include "record/record.h"
#include "record/sink.h"

/* An ADDR column reads the member of the IP column before it, whose name differs in its end. */
#define OFFSET_TIME(name)     offsetof(struct record, name)
#define OFFSET_SEQ(name)      offsetof(struct record, name)
#define OFFSET_NUMBER(name)   offsetof(struct record, name)
#define OFFSET_OPTIONAL(name) offsetof(struct record, name)
#define OFFSET_DECIMAL(name)  offsetof(struct record, name)
#define OFFSET_UID(name)      offsetof(struct record, name)
#define OFFSET_TEXT(name)     offsetof(struct record, name)
#define OFFSET_IP(name)       offsetof(struct record, name)
#define OFFSET_BYTES(name)    offsetof(struct record, name)
#define OFFSET_ADDR(name)     OFFSET_ADDR_##name
#define OFFSET_ADDR_src_addr  offsetof(struct record, src_ip)
#define OFFSET_ADDR_dst_addr  offsetof(struct record, dst_ip)

#define COLUMN(name, kind, options) { #name, RECORD_##kind, options, OFFSET_##kind(name) },

#define TABLE(id, text, list)                                                                                          \
    static const struct record_column id##_columns[] = { RECORD_COMMON_COLUMNS(COLUMN) list(COLUMN) };
RECORD_TABLE_LIST(TABLE)
#undef TABLE

static const struct record_schema schemas[RECORD_TABLES] = {
#define TABLE(id, text, list) [id] = { text, id##_columns, sizeof(id##_columns) / sizeof(id##_columns[0]) },
    RECORD_TABLE_LIST(TABLE)
#undef TABLE
};

const struct record_schema *record_schema(enum record_table table)
{
    return &schemas[table];
}

static bool named(const char *known, const char *name, size_t len)
{
    return strlen(known) == len && memcmp(known, name, len) == 0;
}

int record_table_by_name(const char *name, size_t len)
{
    for (int i = 0; i < RECORD_TABLES; i++)
        if (named(schemas[i].name, name, len))
            return i;
    return -1;
}

int record_column_by_name(enum record_table table, const char *name, size_t len)
{
    const struct record_schema *s = &schemas[table];
    for (size_t i = 0; i < s->count; i++)
        if (named(s->columns[i].name, name, len))
            return (int)i;
    return -1;
}

bool record_column_empty(enum record_table table, unsigned column)
{
    if ((RECORD_TABLES_MESSAGES >> table & 1) != 0)
        return false;
    switch (column) {
    case RECORD_COL_ts_sent:
    case RECORD_COL_flags:
    case RECORD_COL_sender:
    case RECORD_COL_transport:
    case RECORD_COL_hep_version:
    case RECORD_COL_capture_id:
    case RECORD_COL_node:
    case RECORD_COL_vlan:
    case RECORD_COL_payload_type:
    case RECORD_COL_correlation_id:
    case RECORD_COL_payload_len:
    case RECORD_COL_payload:
        return true;
    default:
        return false;
    }
}

const char *record_flag_name(unsigned bit)
{
    switch (bit) {
#define FLAG(id, number, name)                                                                                         \
    case 1u << (number):                                                                                               \
        return name;
        RECORD_FLAGS(FLAG)
#undef FLAG
    default:
        return NULL;
    }
}

const char *record_transport_name(unsigned transport)
{
    static const char *const names[RECORD_TRANSPORTS] = { "udp", "tcp", "tls", "http", "https", "import" };
    return transport < RECORD_TRANSPORTS ? names[transport] : "";
}
