/*
 * Numbers of a struct as octets and back, little-endian: one list of fields serves both directions, so that they cannot
 * differ. Private to this folder.
 */
#ifndef TRACK_IO_H
#define TRACK_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/le.h"

/* Either direction: out, or in. */
struct track_io {
    uint8_t *out; /* where to write; NULL: reading */
    struct rd in;
};

void track_io_load(struct rd *in, void *p, size_t size);

static inline void track_io_save(uint8_t *out, const void *p, size_t size)
{
    uint16_t v16;
    uint32_t v32;
    uint64_t v64;
    switch (size) {
    case 1:
        memcpy(out, p, 1);
        break;
    case 2:
        memcpy(&v16, p, 2);
        le16_put(out, v16);
        break;
    case 4:
        memcpy(&v32, p, 4);
        le32_put(out, v32);
        break;
    default:
        memcpy(&v64, p, 8);
        le64_put(out, v64);
        break;
    }
}

/*
 * 1, 2, 4 or 8 octets; what is not there when reading leaves the number, and shows in io->in. Inline: some hundred
 * numbers a call are saved, and sizes known beforehand leave a store of each.
 */
static inline void track_io_number(struct track_io *io, void *p, size_t size)
{
    if (io->out == NULL) {
        track_io_load(&io->in, p, size);
        return;
    }
    track_io_save(io->out, p, size);
    io->out += size;
}

void track_io_flag(struct track_io *io, bool *b);

#define NUMBER(field) track_io_number(io, &(field), sizeof(field))
#define NUMBERS(array)                                                                                                 \
    for (size_t n_ = 0; n_ < sizeof(array) / sizeof((array)[0]); n_++)                                                 \
    NUMBER((array)[n_])

#endif
