/* Wall clock. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

struct wall_time {
    uint32_t sec;  /* Unix time, UTC */
    uint32_t usec; /* 0..999999 */
};

struct wall_time clock_wall(void);

#define CLOCK_TEXT_MAX 32
/* "2023-11-14T22:13:20.123456Z", terminated; returns the length. */
size_t clock_format(struct wall_time t, char out[CLOCK_TEXT_MAX]);

#endif
