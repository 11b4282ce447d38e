#include "track/io.h"

#include <string.h>

#include "base/le.h"

static void load_number(struct rd *in, void *p, size_t size)
{
    const uint8_t *from;
    if (!rd_take(in, size, &from))
        return;
    switch (size) {
    case 1:
        memcpy(p, from, 1);
        break;
    case 2:
        memcpy(p, &(uint16_t){ le16_load(from) }, 2);
        break;
    case 4:
        memcpy(p, &(uint32_t){ le32_load(from) }, 4);
        break;
    default:
        memcpy(p, &(uint64_t){ le64_load(from) }, 8);
        break;
    }
}

static void save_number(uint8_t *out, const void *p, size_t size)
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

void track_io_number(struct track_io *io, void *p, size_t size)
{
    if (io->out == NULL) {
        load_number(&io->in, p, size);
        return;
    }
    save_number(io->out, p, size);
    io->out += size;
}

void track_io_flag(struct track_io *io, bool *b)
{
    uint8_t v = *b;
    NUMBER(v);
    *b = v != 0;
}
