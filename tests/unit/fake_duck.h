/*
 * Stands in for the DuckDB worker: reads the files of a statement itself, page by page, and answers for the scan that
 * the test says is running. So slices, retries and answers that end too early can be tested without DuckDB; that the
 * SQL says the same is for test_lake_duck.c.
 */
#ifndef TEST_FAKE_DUCK_H
#define TEST_FAKE_DUCK_H

#include "base/vfs.h"
#include "store/lake/duck.h"
#include "store/store.h"

struct fake_duck {
    const struct vfs *vfs;
    const struct store_scan *scan; /* that runs now */
    int fail;                      /* the next query ends with this error (once), after half of its rows */
    unsigned fail_after;           /* but so many queries go well before */
    unsigned queries;
    unsigned files; /* in all statements */
    bool dead;      /* every query fails with DUCK_ERR_UNAVAILABLE */
};

extern struct fake_duck fake_duck;

#endif
