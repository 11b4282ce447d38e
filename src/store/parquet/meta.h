/*
 * The structs of parquet.thrift that our files hold, mirrored in C with their tables; names follow the specification.
 * Numbers of `present` bits stand behind the fields. Private to the folder.
 */
#ifndef STORE_PARQUET_META_H
#define STORE_PARQUET_META_H

#include "store/parquet/thrift.h"

/*
 * Field id 32767 of any struct is free for extensions (BinaryProtocolExtensions.md). The document spells its header
 * 08 FF FF 01, which the compact protocol reads as this number.
 */
#define PQ_EXTENSION_ID (-16384)

enum { PQ_ENCODING_PLAIN = 0, PQ_ENCODING_RLE = 3, PQ_ENCODING_DELTA = 5, PQ_ENCODING_RLE_DICTIONARY = 8 };
enum { PQ_PAGE_DATA = 0, PQ_PAGE_DICTIONARY = 2 };
enum { PQ_ORDER_NONE = 0, PQ_ORDER_ASCENDING = 1, PQ_ORDER_DESCENDING = 2 };

#define PQ_HAS(bit) (UINT32_C(1) << (bit))

struct pq_m_empty {
    uint32_t present;
};

struct pq_m_statistics {
    uint32_t present;
    int64_t null_count;        /* 0 */
    struct pq_slice max_value; /* 1 */
    struct pq_slice min_value; /* 2 */
    bool is_max_value_exact;   /* 3 */
    bool is_min_value_exact;   /* 4 */
};

struct pq_m_time_unit {
    uint32_t present;
    struct pq_m_empty micros; /* 0 */
};

struct pq_m_timestamp {
    uint32_t present;
    bool is_adjusted_to_utc;    /* 0 */
    struct pq_m_time_unit unit; /* 1 */
};

struct pq_m_int {
    uint32_t present;
    int8_t bit_width; /* 0 */
    bool is_signed;   /* 1 */
};

struct pq_m_decimal {
    uint32_t present;
    int32_t scale;     /* 0 */
    int32_t precision; /* 1 */
};

struct pq_m_logical {
    uint32_t present;
    struct pq_m_empty string;        /* 0 */
    struct pq_m_timestamp timestamp; /* 1 */
    struct pq_m_int integer;         /* 2 */
    struct pq_m_decimal decimal;     /* 3 */
};

struct pq_m_schema_element {
    uint32_t present;
    int32_t type;                /* 0 */
    int32_t type_length;         /* 1 */
    int32_t repetition_type;     /* 2 */
    struct pq_slice name;        /* 3 */
    int32_t num_children;        /* 4 */
    int32_t converted_type;      /* 5 */
    struct pq_m_logical logical; /* 6 */
    int32_t scale;               /* 7 */
    int32_t precision;           /* 8 */
};

struct pq_m_key_value {
    uint32_t present;
    struct pq_slice key;   /* 0 */
    struct pq_slice value; /* 1 */
};

struct pq_m_encoding_stats {
    uint32_t present;
    int32_t page_type; /* 0 */
    int32_t encoding;  /* 1 */
    int32_t count;     /* 2 */
};

struct pq_m_column_meta {
    uint32_t present;
    int32_t type;                      /* 0 */
    struct pq_list encodings;          /* 1: int32_t */
    struct pq_list path_in_schema;     /* 2: struct pq_slice */
    int32_t codec;                     /* 3 */
    int64_t num_values;                /* 4 */
    int64_t total_uncompressed_size;   /* 5 */
    int64_t total_compressed_size;     /* 6 */
    int64_t data_page_offset;          /* 7 */
    int64_t dictionary_page_offset;    /* 8 */
    struct pq_m_statistics statistics; /* 9 */
    struct pq_list encoding_stats;     /* 10: struct pq_m_encoding_stats */
    int64_t bloom_filter_offset;       /* 11 */
    int32_t bloom_filter_length;       /* 12 */
};

struct pq_m_column_chunk {
    uint32_t present;
    int64_t file_offset;          /* 0 */
    struct pq_m_column_meta meta; /* 1 */
    int64_t offset_index_offset;  /* 2 */
    int32_t offset_index_length;  /* 3 */
    int64_t column_index_offset;  /* 4 */
    int32_t column_index_length;  /* 5 */
    struct pq_slice extension;    /* 6: struct pq_seals */
};

struct pq_m_sorting_column {
    uint32_t present;
    int32_t column_idx; /* 0 */
    bool descending;    /* 1 */
    bool nulls_first;   /* 2 */
};

struct pq_m_row_group {
    uint32_t present;
    struct pq_list columns;         /* 0: struct pq_m_column_chunk */
    int64_t total_byte_size;        /* 1 */
    int64_t num_rows;               /* 2 */
    struct pq_list sorting_columns; /* 3: struct pq_m_sorting_column */
    int64_t file_offset;            /* 4 */
    int64_t total_compressed_size;  /* 5 */
    int16_t ordinal;                /* 6 */
};

struct pq_m_column_order {
    uint32_t present;
    struct pq_m_empty type_order; /* 0 */
};

struct pq_m_file {
    uint32_t present;
    int32_t version;            /* 0 */
    struct pq_list schema;      /* 1: struct pq_m_schema_element */
    int64_t num_rows;           /* 2 */
    struct pq_list row_groups;  /* 3: struct pq_m_row_group */
    struct pq_list key_values;  /* 4: struct pq_m_key_value */
    struct pq_slice created_by; /* 5 */
    struct pq_list orders;      /* 6: struct pq_m_column_order */
    struct pq_slice extension;  /* 7: seal of the footer */
};

struct pq_m_data_page {
    uint32_t present;
    int32_t num_values;                /* 0 */
    int32_t encoding;                  /* 1 */
    int32_t definition_level_encoding; /* 2 */
    int32_t repetition_level_encoding; /* 3 */
};

struct pq_m_dictionary_page {
    uint32_t present;
    int32_t num_values; /* 0 */
    int32_t encoding;   /* 1 */
};

struct pq_m_page_header {
    uint32_t present;
    int32_t type;                           /* 0 */
    int32_t uncompressed_page_size;         /* 1 */
    int32_t compressed_page_size;           /* 2 */
    int32_t crc;                            /* 3 */
    struct pq_m_data_page data;             /* 4 */
    struct pq_m_dictionary_page dictionary; /* 5 */
};

struct pq_m_page_location {
    uint32_t present;
    int64_t offset;               /* 0 */
    int32_t compressed_page_size; /* 1, header included */
    int64_t first_row_index;      /* 2, in the row group */
};

struct pq_m_offset_index {
    uint32_t present;
    struct pq_list locations;  /* 0: struct pq_m_page_location */
    struct pq_slice extension; /* 1: seals of the pages */
};

struct pq_m_column_index {
    uint32_t present;
    struct pq_list null_pages;  /* 0: bool */
    struct pq_list min_values;  /* 1: struct pq_slice */
    struct pq_list max_values;  /* 2: struct pq_slice */
    int32_t boundary_order;     /* 3 */
    struct pq_list null_counts; /* 4: int64_t */
};

struct pq_m_bloom_algorithm {
    uint32_t present;
    struct pq_m_empty block; /* 0 */
};

struct pq_m_bloom_hash {
    uint32_t present;
    struct pq_m_empty xxhash; /* 0 */
};

struct pq_m_bloom_compression {
    uint32_t present;
    struct pq_m_empty uncompressed; /* 0 */
};

struct pq_m_bloom_header {
    uint32_t present;
    int32_t num_bytes;                         /* 0 */
    struct pq_m_bloom_algorithm algorithm;     /* 1 */
    struct pq_m_bloom_hash hash;               /* 2 */
    struct pq_m_bloom_compression compression; /* 3 */
};

extern const struct pq_thrift_struct pq_t_file;
extern const struct pq_thrift_struct pq_t_row_group;
extern const struct pq_thrift_struct pq_t_page_header;
extern const struct pq_thrift_struct pq_t_offset_index;
extern const struct pq_thrift_struct pq_t_column_index;
extern const struct pq_thrift_struct pq_t_bloom_header;

#endif
