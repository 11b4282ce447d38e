#include "track/io.h"

#include <string.h>

#include "base/le.h"

void track_io_load(struct rd *in, void *p, size_t size)
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

void track_io_flag(struct track_io *io, bool *b)
{
    uint8_t v = *b;
    NUMBER(v);
    *b = v != 0;
}
