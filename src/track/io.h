/*
 * Numbers of a struct as octets and back, little-endian: one list of fields serves both directions, so that they cannot
 * differ. Private to this folder.
 */
#ifndef TRACK_IO_H
#define TRACK_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/rd.h"

/* Either direction: out, or in. */
struct track_io {
    uint8_t *out; /* where to write; NULL: reading */
    struct rd in;
};

/* 1, 2, 4 or 8 octets; what is not there when reading leaves the number, and shows in io->in. */
void track_io_number(struct track_io *io, void *p, size_t size);
void track_io_flag(struct track_io *io, bool *b);

#define NUMBER(field) track_io_number(io, &(field), sizeof(field))
#define NUMBERS(array)                                                                                                 \
    for (size_t n_ = 0; n_ < sizeof(array) / sizeof((array)[0]); n_++)                                                 \
    NUMBER((array)[n_])

#endif
