/* The values of a row that is not stored yet, as a store would give them. */
#ifndef RECORD_CELL_H
#define RECORD_CELL_H

#include "base/ip.h"
#include "record/record.h"

/* Room for an address, as text or as 16 octets. */
struct record_scratch {
    char text[IP_TEXT_MAX];
    uint8_t octets[16];
};

/* The value of a column of the row's table. Slices are the row's own, or lie in the scratch. */
void record_cell_of(const struct record *r, unsigned column, struct record_cell *ret, struct record_scratch *scratch);

/*
 * The other way round: the value of a column of the row's table, as a store gave it. What is null is as record_clear()
 * leaves it, and so is an address that is none; slices are those of the cell.
 */
void record_cell_set(struct record *r, unsigned column, const struct record_cell *cell);

#endif
