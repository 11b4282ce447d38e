#include "store/parquet/meta.h"

/* One row a field: number in parquet.thrift, kind, member. Columns behind a struct or a list: what it consists of. */
#define FIELD(id, kind, member)                                                                                        \
    {                                                                                                                  \
        id, kind, 0, offsetof(struct OF, member), NULL                                                                 \
    }
#define SUB(id, member, table)                                                                                         \
    {                                                                                                                  \
        id, PQ_THRIFT_STRUCT, 0, offsetof(struct OF, member), &(table)                                                 \
    }
#define LIST(id, member, element)                                                                                      \
    {                                                                                                                  \
        id, PQ_THRIFT_LIST, element, offsetof(struct OF, member), NULL                                                 \
    }
#define LIST_OF(id, member, table)                                                                                     \
    {                                                                                                                  \
        id, PQ_THRIFT_LIST, PQ_THRIFT_STRUCT, offsetof(struct OF, member), &(table)                                    \
    }
#define TABLE(fields, required)                                                                                        \
    {                                                                                                                  \
        fields, sizeof(fields) / sizeof((fields)[0]), sizeof(struct OF), required                                      \
    }

static const struct pq_thrift_struct empty = { NULL, 0, sizeof(struct pq_m_empty), 0 };

#define OF pq_m_statistics
static const struct pq_thrift_field statistics_fields[] = {
    FIELD(3, PQ_THRIFT_I64, null_count),          FIELD(5, PQ_THRIFT_BINARY, max_value),
    FIELD(6, PQ_THRIFT_BINARY, min_value),        FIELD(7, PQ_THRIFT_BOOL, is_max_value_exact),
    FIELD(8, PQ_THRIFT_BOOL, is_min_value_exact),
};
static const struct pq_thrift_struct statistics = TABLE(statistics_fields, 0);
#undef OF

#define OF pq_m_time_unit
static const struct pq_thrift_field time_unit_fields[] = {
    SUB(2, micros, empty),
};
static const struct pq_thrift_struct time_unit = TABLE(time_unit_fields, 0x1);
#undef OF

#define OF pq_m_timestamp
static const struct pq_thrift_field timestamp_fields[] = {
    FIELD(1, PQ_THRIFT_BOOL, is_adjusted_to_utc),
    SUB(2, unit, time_unit),
};
static const struct pq_thrift_struct timestamp = TABLE(timestamp_fields, 0x3);
#undef OF

#define OF pq_m_int
static const struct pq_thrift_field integer_fields[] = {
    FIELD(1, PQ_THRIFT_I8, bit_width),
    FIELD(2, PQ_THRIFT_BOOL, is_signed),
};
static const struct pq_thrift_struct integer = TABLE(integer_fields, 0x3);
#undef OF

#define OF pq_m_decimal
static const struct pq_thrift_field decimal_fields[] = {
    FIELD(1, PQ_THRIFT_I32, scale),
    FIELD(2, PQ_THRIFT_I32, precision),
};
static const struct pq_thrift_struct decimal = TABLE(decimal_fields, 0x3);
#undef OF

#define OF pq_m_logical
static const struct pq_thrift_field logical_fields[] = {
    SUB(1, string, empty),
    SUB(8, timestamp, timestamp),
    SUB(10, integer, integer),
    SUB(5, decimal, decimal),
};
static const struct pq_thrift_struct logical = TABLE(logical_fields, 0);
#undef OF

#define OF pq_m_schema_element
static const struct pq_thrift_field schema_element_fields[] = {
    FIELD(1, PQ_THRIFT_I32, type),    FIELD(2, PQ_THRIFT_I32, type_length),  FIELD(3, PQ_THRIFT_I32, repetition_type),
    FIELD(4, PQ_THRIFT_BINARY, name), FIELD(5, PQ_THRIFT_I32, num_children), FIELD(6, PQ_THRIFT_I32, converted_type),
    SUB(10, logical, logical),        FIELD(7, PQ_THRIFT_I32, scale),        FIELD(8, PQ_THRIFT_I32, precision),
};
static const struct pq_thrift_struct schema_element = TABLE(schema_element_fields, 0x8);
#undef OF

#define OF pq_m_key_value
static const struct pq_thrift_field key_value_fields[] = {
    FIELD(1, PQ_THRIFT_BINARY, key),
    FIELD(2, PQ_THRIFT_BINARY, value),
};
static const struct pq_thrift_struct key_value = TABLE(key_value_fields, 0x1);
#undef OF

#define OF pq_m_encoding_stats
static const struct pq_thrift_field encoding_stats_fields[] = {
    FIELD(1, PQ_THRIFT_I32, page_type),
    FIELD(2, PQ_THRIFT_I32, encoding),
    FIELD(3, PQ_THRIFT_I32, count),
};
static const struct pq_thrift_struct encoding_stats = TABLE(encoding_stats_fields, 0x7);
#undef OF

#define OF pq_m_column_meta
static const struct pq_thrift_field column_meta_fields[] = {
    FIELD(1, PQ_THRIFT_I32, type),
    LIST(2, encodings, PQ_THRIFT_I32),
    LIST(3, path_in_schema, PQ_THRIFT_BINARY),
    FIELD(4, PQ_THRIFT_I32, codec),
    FIELD(5, PQ_THRIFT_I64, num_values),
    FIELD(6, PQ_THRIFT_I64, total_uncompressed_size),
    FIELD(7, PQ_THRIFT_I64, total_compressed_size),
    FIELD(9, PQ_THRIFT_I64, data_page_offset),
    FIELD(11, PQ_THRIFT_I64, dictionary_page_offset),
    SUB(12, statistics, statistics),
    LIST_OF(13, encoding_stats, encoding_stats),
    FIELD(14, PQ_THRIFT_I64, bloom_filter_offset),
    FIELD(15, PQ_THRIFT_I32, bloom_filter_length),
};
static const struct pq_thrift_struct column_meta = TABLE(column_meta_fields, 0xff);
#undef OF

#define OF pq_m_column_chunk
static const struct pq_thrift_field column_chunk_fields[] = {
    FIELD(2, PQ_THRIFT_I64, file_offset),
    SUB(3, meta, column_meta),
    FIELD(4, PQ_THRIFT_I64, offset_index_offset),
    FIELD(5, PQ_THRIFT_I32, offset_index_length),
    FIELD(6, PQ_THRIFT_I64, column_index_offset),
    FIELD(7, PQ_THRIFT_I32, column_index_length),
    FIELD(PQ_EXTENSION_ID, PQ_THRIFT_BINARY, extension),
};
static const struct pq_thrift_struct column_chunk = TABLE(column_chunk_fields, 0x43);
#undef OF

#define OF pq_m_sorting_column
static const struct pq_thrift_field sorting_column_fields[] = {
    FIELD(1, PQ_THRIFT_I32, column_idx),
    FIELD(2, PQ_THRIFT_BOOL, descending),
    FIELD(3, PQ_THRIFT_BOOL, nulls_first),
};
static const struct pq_thrift_struct sorting_column = TABLE(sorting_column_fields, 0x7);
#undef OF

#define OF pq_m_row_group
static const struct pq_thrift_field row_group_fields[] = {
    LIST_OF(1, columns, column_chunk),    FIELD(2, PQ_THRIFT_I64, total_byte_size),
    FIELD(3, PQ_THRIFT_I64, num_rows),    LIST_OF(4, sorting_columns, sorting_column),
    FIELD(5, PQ_THRIFT_I64, file_offset), FIELD(6, PQ_THRIFT_I64, total_compressed_size),
    FIELD(7, PQ_THRIFT_I16, ordinal),
};
const struct pq_thrift_struct pq_t_row_group = TABLE(row_group_fields, 0x7);
#undef OF

#define OF pq_m_column_order
static const struct pq_thrift_field column_order_fields[] = {
    SUB(1, type_order, empty),
};
static const struct pq_thrift_struct column_order = TABLE(column_order_fields, 0x1);
#undef OF

#define OF pq_m_file
static const struct pq_thrift_field file_fields[] = {
    FIELD(1, PQ_THRIFT_I32, version),  LIST_OF(2, schema, schema_element),
    FIELD(3, PQ_THRIFT_I64, num_rows), LIST_OF(4, row_groups, pq_t_row_group),
    LIST_OF(5, key_values, key_value), FIELD(6, PQ_THRIFT_BINARY, created_by),
    LIST_OF(7, orders, column_order),  FIELD(PQ_EXTENSION_ID, PQ_THRIFT_BINARY, extension),
};
const struct pq_thrift_struct pq_t_file = TABLE(file_fields, 0x8f);
#undef OF

#define OF pq_m_data_page
static const struct pq_thrift_field data_page_fields[] = {
    FIELD(1, PQ_THRIFT_I32, num_values),
    FIELD(2, PQ_THRIFT_I32, encoding),
    FIELD(3, PQ_THRIFT_I32, definition_level_encoding),
    FIELD(4, PQ_THRIFT_I32, repetition_level_encoding),
};
static const struct pq_thrift_struct data_page = TABLE(data_page_fields, 0xf);
#undef OF

#define OF pq_m_dictionary_page
static const struct pq_thrift_field dictionary_page_fields[] = {
    FIELD(1, PQ_THRIFT_I32, num_values),
    FIELD(2, PQ_THRIFT_I32, encoding),
};
static const struct pq_thrift_struct dictionary_page = TABLE(dictionary_page_fields, 0x3);
#undef OF

#define OF pq_m_page_header
static const struct pq_thrift_field page_header_fields[] = {
    FIELD(1, PQ_THRIFT_I32, type),
    FIELD(2, PQ_THRIFT_I32, uncompressed_page_size),
    FIELD(3, PQ_THRIFT_I32, compressed_page_size),
    FIELD(4, PQ_THRIFT_I32, crc),
    SUB(5, data, data_page),
    SUB(7, dictionary, dictionary_page),
};
const struct pq_thrift_struct pq_t_page_header = TABLE(page_header_fields, 0xf);
#undef OF

#define OF pq_m_page_location
static const struct pq_thrift_field page_location_fields[] = {
    FIELD(1, PQ_THRIFT_I64, offset),
    FIELD(2, PQ_THRIFT_I32, compressed_page_size),
    FIELD(3, PQ_THRIFT_I64, first_row_index),
};
static const struct pq_thrift_struct page_location = TABLE(page_location_fields, 0x7);
#undef OF

#define OF pq_m_offset_index
static const struct pq_thrift_field offset_index_fields[] = {
    LIST_OF(1, locations, page_location),
    FIELD(PQ_EXTENSION_ID, PQ_THRIFT_BINARY, extension),
};
const struct pq_thrift_struct pq_t_offset_index = TABLE(offset_index_fields, 0x3);
#undef OF

#define OF pq_m_column_index
static const struct pq_thrift_field column_index_fields[] = {
    LIST(1, null_pages, PQ_THRIFT_BOOL),   LIST(2, min_values, PQ_THRIFT_BINARY),
    LIST(3, max_values, PQ_THRIFT_BINARY), FIELD(4, PQ_THRIFT_I32, boundary_order),
    LIST(5, null_counts, PQ_THRIFT_I64),
};
const struct pq_thrift_struct pq_t_column_index = TABLE(column_index_fields, 0xf);
#undef OF

#define OF pq_m_bloom_algorithm
static const struct pq_thrift_field bloom_algorithm_fields[] = {
    SUB(1, block, empty),
};
static const struct pq_thrift_struct bloom_algorithm = TABLE(bloom_algorithm_fields, 0x1);
#undef OF

#define OF pq_m_bloom_hash
static const struct pq_thrift_field bloom_hash_fields[] = {
    SUB(1, xxhash, empty),
};
static const struct pq_thrift_struct bloom_hash = TABLE(bloom_hash_fields, 0x1);
#undef OF

#define OF pq_m_bloom_compression
static const struct pq_thrift_field bloom_compression_fields[] = {
    SUB(1, uncompressed, empty),
};
static const struct pq_thrift_struct bloom_compression = TABLE(bloom_compression_fields, 0x1);
#undef OF

#define OF pq_m_bloom_header
static const struct pq_thrift_field bloom_header_fields[] = {
    FIELD(1, PQ_THRIFT_I32, num_bytes),
    SUB(2, algorithm, bloom_algorithm),
    SUB(3, hash, bloom_hash),
    SUB(4, compression, bloom_compression),
};
const struct pq_thrift_struct pq_t_bloom_header = TABLE(bloom_header_fields, 0xf);
#undef OF
