/*
 * A lake with random rows, and a plain model of what a search in it must find. Row number n is the same each time it
 * is made (test_lake_util.h), with keys and times that come more than once.
 */
#ifndef TEST_LAKE_LAB_H
#define TEST_LAKE_LAB_H

#include "fault_vfs.h"
#include "store/lake/internal.h"
#include "test_lake_util.h"

#define LAB_DIR      "/data"
#define LAB_WRITERS  2u
#define LAB_ROWS_MAX 400000u
#define LAB_SEED     5

struct lab_row {
    uint8_t table;
    bool gone;       /* by retention, or with a damaged file */
    uint8_t version; /* 0: as it was appended */
    uint32_t hour;
    int64_t ts;
};

struct lab {
    struct fault_fs *fs; /* NULL: a real folder */
    const struct vfs *vfs;
    const char *dir;
    struct store *store;
    struct lake *lake;
    struct lab_row *rows; /* by number; 1 .. last */
    uint64_t last;
    uint64_t segment;
    uint32_t hour; /* of the rows that come */
    unsigned events, scans;
    bool only_duck;        /* else every second scan is by the page reader, where that can */
    struct row row, first; /* at work; its first version */
    bool matched;          /* `match` is there, for the filter of this text */
    char matched_text[1000];
    bool *match; /* by number */
};

struct lab *lab_new(const char *dir, const char *library); /* NULL: in memory */
void lab_free(struct lab *lab);
void lab_close(struct lab *lab);
void lab_reopen(struct lab *lab, bool read_only);

/* The record of a row, until the next call. */
const struct record *lab_record(struct lab *lab, uint64_t seq);

void lab_append(struct lab *lab, enum record_table table, size_t rows);
void lab_append_random(struct lab *lab, size_t rows); /* of all tables */
void lab_seal(struct lab *lab);

struct filter *lab_filter(const char *text);

/* What the scan must find; the refs are to be freed. Only ts and seq of them count. */
size_t lab_expect(struct lab *lab, const struct store_scan *scan, struct store_ref **ret, uint64_t *ret_total);

/* Runs the scan and compares everything: rows, order, total; then fetches the rows and compares cells. */
void lab_check(struct lab *lab, struct store_scan *scan);

/* The same through a pin that is held. */
void lab_check_pin(struct lab *lab, struct store_pin *pin, struct store_scan *scan);

/* All rows, all columns, once each. */
void lab_check_all(struct lab *lab);

#endif
