#include "cmd/import_progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/report.h"

#define EVERY_US       500000
#define NAME_MAX_SHOWN 32

static uint64_t now_us(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void import_progress_init(struct import_progress *p, bool shown, size_t files, const uint64_t *messages)
{
    *p = (struct import_progress){ .shown = shown, .name = "", .files = files, .messages = messages };
    p->begun_us = p->printed_us = now_us();
}

void import_progress_file(struct import_progress *p, const char *name)
{
    p->name = name;
    p->file++;
    p->file_begun_us = now_us();
}

void size_text(uint64_t octets, char out[SIZE_TEXT_MAX])
{
    static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
    double v = (double)octets;
    size_t unit = 0;
    while (v >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        v /= 1000;
        unit++;
    }
    (void)snprintf(out, SIZE_TEXT_MAX, unit == 0 ? "%.0f %s" : "%.1f %s", v, units[unit]);
}

/* The end of a long name tells more than its beginning. Octets that are not for a terminal become '?'. */
static void shown_name(const char *name, char out[NAME_MAX_SHOWN + 1])
{
    size_t len = strlen(name);
    const char *from = len > NAME_MAX_SHOWN ? name + len - NAME_MAX_SHOWN : name;
    size_t i = 0;
    for (; i < NAME_MAX_SHOWN && from[i] != '\0'; i++)
        out[i] = from[i] < 0x20 || from[i] > 0x7e ? '?' : from[i];
    out[i] = '\0';
}

void import_progress_text(const struct import_progress *p, uint64_t octets, uint64_t size, uint64_t rate,
                          int64_t left_s, char out[PROGRESS_TEXT_MAX])
{
    char name[NAME_MAX_SHOWN + 1], read[SIZE_TEXT_MAX], all[SIZE_TEXT_MAX], number[32] = "", left[32] = "";
    shown_name(p->name, name);
    size_text(octets, read);
    size_text(size, all);
    if (p->files > 1)
        (void)snprintf(number, sizeof(number), " (%zu of %zu)", p->file, p->files);
    if (left_s >= 0)
        (void)snprintf(left, sizeof(left), ", %lld:%02lld left", (long long)left_s / 60, (long long)left_s % 60);
    if (size > 0)
        (void)snprintf(out, PROGRESS_TEXT_MAX, "%s%s: %u %% of %s, %llu messages, %llu/s%s", name, number,
                       (unsigned)(octets * 100 / size), all, (unsigned long long)*p->messages, (unsigned long long)rate,
                       left);
    else
        (void)snprintf(out, PROGRESS_TEXT_MAX, "%s%s: %s, %llu messages, %llu/s", name, number, read,
                       (unsigned long long)*p->messages, (unsigned long long)rate);
}

void import_progress_read(void *progress, uint64_t octets, uint64_t size)
{
    struct import_progress *p = progress;
    char text[PROGRESS_TEXT_MAX];
    if (!p->shown)
        return;
    uint64_t now = now_us(), since = now - p->printed_us;
    if (since < EVERY_US)
        return;
    uint64_t rate = (*p->messages - p->printed_messages) * 1000000 / since;
    uint64_t spent = now - p->file_begun_us;
    int64_t left =
        size > octets && octets > 0 ? (int64_t)((double)spent / (double)octets * (double)(size - octets) / 1e6) : -1;
    import_progress_text(p, octets, size, rate, left, text);
    report_progress(text);
    p->printed_us = now;
    p->printed_messages = *p->messages;
}
