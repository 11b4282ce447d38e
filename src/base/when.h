/* Points in time as people and programs write them, in microseconds since 1970 UTC. */
#ifndef BASE_WHEN_H
#define BASE_WHEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reads one of
 *   RFC 3339          "2026-01-31T12:00:00.5+02:00", "2026-01-31 12:00Z", "2026-01-31"; without a zone it is UTC
 *   Unix seconds      "1767225600", "1767225600.25"
 *   relative          "now", "-1h", "-1h30m", "+10s": units ms, s, m, h, d, w; relative to now_us
 * False if it is none of them, or outside of the years 1 to 9999.
 */
bool when_parse(const char *text, size_t len, int64_t now_us, int64_t *ret);

/* "90", "1.5", "500ms", "1h30m": a length of time, seconds if there is no unit. False if it is none or above max_us. */
bool when_duration(const char *text, size_t len, int64_t max_us, int64_t *ret);

#define WHEN_TEXT_MAX 40
/* "2026-01-31T12:00:00.123456Z", terminated; returns the length. Any number has a text. */
size_t when_format(int64_t us, char out[WHEN_TEXT_MAX]);

/* The present, by the wall clock. */
int64_t when_now(void);

#endif
