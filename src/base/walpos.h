/* A place in the write-ahead log, which the WAL gives out, the MANIFEST keeps and replay starts from. */
#ifndef BASE_WALPOS_H
#define BASE_WALPOS_H

#include <stdint.h>

/* Of this worker, every record in a segment with a lower number is consumed: it is in a sealed file. */
struct wal_position {
    uint32_t worker;
    uint64_t segment;
};

#endif
