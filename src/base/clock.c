#include "base/clock.h"

#include <stdio.h>
#include <time.h>

struct wall_time clock_wall(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (struct wall_time){ (uint32_t)ts.tv_sec, (uint32_t)(ts.tv_nsec / 1000) };
}

size_t clock_format(struct wall_time t, char out[CLOCK_TEXT_MAX])
{
    time_t sec = (time_t)t.sec;
    struct tm tm;
    (void)gmtime_r(&sec, &tm);
    size_t len = strftime(out, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    int n = snprintf(out + len, CLOCK_TEXT_MAX - len, ".%06uZ", (unsigned)(t.usec % 1000000));
    return len + (n > 0 ? (size_t)n : 0);
}
