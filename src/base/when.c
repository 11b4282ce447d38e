#include "base/when.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/num.h"

#define SECOND INT64_C(1000000)
/* 0001-01-01T00:00:00Z and the end of 9999, seconds. */
#define SEC_MIN INT64_C(-62135596800)
#define SEC_MAX INT64_C(253402300799)

struct scan {
    const char *at, *end;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool take(struct scan *s, char c)
{
    if (s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

/* Exactly `digits` digits. */
static bool take_fixed(struct scan *s, size_t digits, int *ret)
{
    uint64_t v = 0;
    if ((size_t)(s->end - s->at) < digits || !num_parse(s->at, digits, 9999, &v))
        return false;
    s->at += digits;
    *ret = (int)v;
    return true;
}

/* ".5" in microseconds; digits beyond the sixth are cut. False if no digit follows the point. */
static bool take_fraction(struct scan *s, int64_t *ret)
{
    int64_t unit = SECOND / 10;
    *ret = 0;
    if (!take(s, '.'))
        return true;
    if (s->at == s->end || !is_digit(*s->at))
        return false;
    for (; s->at < s->end && is_digit(*s->at); s->at++, unit /= 10)
        *ret += (*s->at - '0') * unit;
    return true;
}

/* ------------------------------------------------------------------------------------------------ calendar */

static int days_of(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool take_date(struct scan *s, struct tm *tm)
{
    int year;
    if (!take_fixed(s, 4, &year) || !take(s, '-') || !take_fixed(s, 2, &tm->tm_mon) || !take(s, '-') ||
        !take_fixed(s, 2, &tm->tm_mday))
        return false;
    if (year < 1 || tm->tm_mon < 1 || tm->tm_mon > 12 || tm->tm_mday < 1 || tm->tm_mday > days_of(year, tm->tm_mon))
        return false;
    tm->tm_year = year - 1900;
    tm->tm_mon--;
    return true;
}

/* "12:00", "12:00:59", "12:00:59.5"; a leap second is the second before it. */
static bool take_clock(struct scan *s, struct tm *tm, int64_t *fraction)
{
    if (!take_fixed(s, 2, &tm->tm_hour) || !take(s, ':') || !take_fixed(s, 2, &tm->tm_min))
        return false;
    if (take(s, ':') && (!take_fixed(s, 2, &tm->tm_sec) || !take_fraction(s, fraction)))
        return false;
    if (tm->tm_sec == 60)
        tm->tm_sec = 59;
    return tm->tm_hour <= 23 && tm->tm_min <= 59 && tm->tm_sec <= 59;
}

/* "Z", "+02:00", "+0200", or nothing: seconds east of UTC. */
static bool take_zone(struct scan *s, int64_t *ret)
{
    int hours, minutes;
    *ret = 0;
    if (s->at == s->end || take(s, 'Z') || take(s, 'z'))
        return true;
    bool west = take(s, '-');
    if (!west && !take(s, '+'))
        return false;
    if (!take_fixed(s, 2, &hours) || (take(s, ':'), !take_fixed(s, 2, &minutes)) || hours > 23 || minutes > 59)
        return false;
    *ret = (hours * 60 + minutes) * (west ? -60 : 60);
    return true;
}

static bool parse_calendar(struct scan s, int64_t *ret)
{
    struct tm tm = { 0 };
    int64_t fraction = 0;
    int64_t east = 0;
    if (!take_date(&s, &tm))
        return false;
    if (s.at != s.end && (take(&s, 'T') || take(&s, 't') || take(&s, ' '))) {
        if (!take_clock(&s, &tm, &fraction) || !take_zone(&s, &east))
            return false;
    }
    int64_t sec = (int64_t)timegm(&tm) - east;
    if (s.at != s.end || sec < SEC_MIN || sec > SEC_MAX)
        return false;
    *ret = sec * SECOND + fraction;
    return true;
}

/* ------------------------------------------------------------------------------------------------ numbers */

/* "1767225600.25" as microseconds. */
static bool take_decimal(struct scan *s, uint64_t max, int64_t *ret)
{
    const char *start = s->at;
    uint64_t v = 0;
    int64_t fraction;
    while (s->at < s->end && is_digit(*s->at))
        s->at++;
    if (!num_parse(start, (size_t)(s->at - start), max, &v) || !take_fraction(s, &fraction))
        return false;
    *ret = (int64_t)v * SECOND + fraction;
    return true;
}

/* Milliseconds of a unit, 0 if there is none. */
static int64_t take_unit(struct scan *s)
{
    static const struct {
        char letter;
        int64_t ms;
    } units[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 }, { 'w', 604800000 } };
    if (s->end - s->at >= 2 && s->at[0] == 'm' && s->at[1] == 's') {
        s->at += 2;
        return 1;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (take(s, units[i].letter))
            return units[i].ms;
    return 0;
}

bool when_duration(const char *text, size_t len, int64_t max_us, int64_t *ret)
{
    struct scan s = { text, text + len };
    int64_t sum = 0;
    do {
        int64_t v;
        bool only = s.at == text;
        if (!take_decimal(&s, UINT32_MAX, &v))
            return false;
        int64_t ms = take_unit(&s);
        if (ms == 0 && !(only && s.at == s.end))
            return false;
        /* v is up to 2^32 s in microseconds: split, or weeks would overflow. */
        int64_t part = ms == 0 ? v : v / 1000 > max_us / ms ? max_us + 1 : v / 1000 * ms + v % 1000 * ms / 1000;
        if (part > max_us - sum)
            return false;
        sum += part;
    } while (s.at < s.end);
    *ret = sum;
    return true;
}

bool when_parse(const char *text, size_t len, int64_t now_us, int64_t *ret)
{
    struct scan s = { text, text + len };
    int64_t v;
    if (len == 3 && memcmp(text, "now", 3) == 0) {
        *ret = now_us;
        return true;
    }
    if (len > 1 && (text[0] == '-' || text[0] == '+')) {
        if (!when_duration(text + 1, len - 1, SEC_MAX / 2 * SECOND, &v))
            return false;
        *ret = text[0] == '-' ? now_us - v : now_us + v;
        return *ret >= SEC_MIN * SECOND && *ret <= SEC_MAX * SECOND;
    }
    if (len > 4 && text[4] == '-')
        return parse_calendar(s, ret);
    return take_decimal(&s, (uint64_t)SEC_MAX, ret) && s.at == s.end;
}

/* ------------------------------------------------------------------------------------------------ text */

size_t when_format(int64_t us, char out[WHEN_TEXT_MAX])
{
    int64_t sec = us / SECOND;
    int64_t rest = us % SECOND;
    if (rest < 0) {
        rest += SECOND;
        sec--;
    }
    time_t t = (time_t)sec;
    struct tm tm = { 0 };
    (void)gmtime_r(&t, &tm);
    int n = snprintf(out, WHEN_TEXT_MAX, "%04lld-%02d-%02dT%02d:%02d:%02d.%06dZ", (long long)tm.tm_year + 1900,
                     tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)rest);
    return n < 0 ? 0 : n < WHEN_TEXT_MAX ? (size_t)n : WHEN_TEXT_MAX - 1;
}

int64_t when_now(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * SECOND + ts.tv_nsec / 1000;
}
