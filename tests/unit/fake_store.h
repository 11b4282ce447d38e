/*
 * A store of a few rows in memory, for tests of what reads from a store. Slow, simple, and able to fail on demand.
 */
#ifndef UNIT_FAKE_STORE_H
#define UNIT_FAKE_STORE_H

#include <pthread.h>

#include "store/store.h"

#define FAKE_ROWS_MAX 8192

struct fake_store {
    struct store base; /* first: what readers are given */
    pthread_mutex_t lock;
    struct record rows[FAKE_ROWS_MAX]; /* texts are the caller's */
    size_t count;
    size_t shown;  /* rows that followers see: fake_store_show() */
    size_t behind; /* of these, that they are told as passed over */

    /* What is to go wrong. */
    int pin_error, scan_error, fetch_error, sql_error; /* negative errno */
    bool inexact;                                      /* scans say that they are partial */
    bool hang;                                         /* scans wait until they are cancelled or this is cleared */
    uint64_t damaged_seq;                              /* this row cannot be fetched */

    /* What was asked for. */
    size_t following; /* now */
    size_t pins, scans, fetched, cancelled;
    size_t scanning, scanning_peak; /* scans at the same time */
    struct store_columns last_columns;
    struct store_scan last_scan;
};

void fake_store_init(struct fake_store *f);
void fake_store_free(struct fake_store *f);

/* Adds a row of the table with this time and number, everything else empty; the caller fills it in. */
struct record *fake_store_add(struct fake_store *f, enum record_table table, int64_t ts, uint64_t seq);

/* A SIP message between 10.0.0.1:5060 and 10.0.0.2:5060. status -1: a request. Texts are kept. */
struct record *fake_store_sip(struct fake_store *f, int64_t ts, uint64_t seq, const char *call_id, const char *method,
                              int64_t status);

/* The rows that are there are whole now: those who follow get them. */
void fake_store_show(struct fake_store *f);

struct hep_slice fake_slice(const char *text);
struct hep_addr fake_ip(const char *text);

/* Cells of a row; ip_texts: room for the texts of its addresses. */
void fake_cells(const struct record *r, struct record_cell *cells, char (*texts)[48]);

#endif
