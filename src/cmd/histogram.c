#include "cmd/histogram.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/rows_out.h"

#define PARTS_MAX   128u
#define LINE_OCTETS ((size_t)64 << 10)
#define BAR_MIN     10u
#define EIGHTHS     8u

/* A value, and how its part of a bar looks. */
struct part {
    const json_t *counts;
    const char *text; /* NULL: no value */
    size_t len;
    uint64_t total;
};

struct histogram {
    struct printable printable;
    bool colours, several;
    size_t width, label; /* octets of the label of a bar */
    size_t label_from;
    struct part parts[PARTS_MAX];
    size_t count;
    uint64_t most; /* in a bucket */
    struct buf line;
    bool failed;
};

/* ------------------------------------------------------------------------------------------------ the answer */

static uint64_t number(const json_t *j)
{
    return json_is_integer(j) && json_integer_value(j) > 0 ? (uint64_t)json_integer_value(j) : 0;
}

static void add_part(struct histogram *h, const json_t *series, const char *text, size_t len)
{
    uint64_t total = number(json_object_get(series, "total"));
    if (total > 0 && h->count < PARTS_MAX)
        h->parts[h->count++] = (struct part){ json_object_get(series, "counts"), text, len, total };
}

static void take_parts(struct histogram *h, const json_t *answer)
{
    size_t i;
    const json_t *s, *series = json_object_get(answer, "series");
    h->several = json_is_array(series);
    if (!h->several) {
        h->parts[h->count++] = (struct part){ json_object_get(answer, "counts"), "", 0, 1 };
        return;
    }
    for (i = 0; i < json_array_size(series); i++) {
        s = json_array_get(series, i);
        const json_t *value = json_object_get(s, "value");
        add_part(h, s, json_is_string(value) ? json_string_value(value) : "", json_string_length(value));
    }
    add_part(h, json_object_get(answer, "other"), "(other)", 7);
    add_part(h, json_object_get(answer, "none"), "(none)", 6);
}

/* Of "2026-01-31T12:00:00.000000Z" what tells buckets of that width apart: date, minutes, seconds, or all of it. */
static void choose_label(struct histogram *h, const json_t *answer)
{
    uint64_t width = number(json_object_get(answer, "interval_us"));
    static const struct {
        uint64_t width;
        size_t from, to;
    } labels[] = { { UINT64_C(86400000000), 0, 10 }, { 60000000, 5, 16 }, { 1000000, 5, 19 }, { 0, 5, 23 } };
    size_t i = 0;
    while (width % (labels[i].width > 0 ? labels[i].width : 1) != 0)
        i++;
    h->label_from = labels[i].from;
    h->label = labels[i].to - labels[i].from;
}

/* ------------------------------------------------------------------------------------------------ bars */

static const char *full_block(const struct histogram *h, size_t part)
{
    static const char *const shades[] = { "\xe2\x96\x88", "\xe2\x96\x93", "\xe2\x96\x92", "\xe2\x96\x91" };
    static const char *const signs[] = { "#", "=", "+", "-", "o", "x", "~", "." };
    if (h->printable.ascii)
        return signs[part % 8];
    return h->colours ? shades[0] : shades[part % 4];
}

static void colour(struct histogram *h, size_t part)
{
    static const unsigned colours[] = { 34, 32, 33, 35, 36, 31, 94, 92, 93, 95, 96, 91 };
    if (h->colours && h->several)
        buf_printf(&h->line, "\x1b[%um", colours[part % 12]);
}

static void plain(struct histogram *h)
{
    if (h->colours && h->several)
        buf_puts(&h->line, "\x1b[0m");
}

static void put_blocks(struct histogram *h, size_t part, uint64_t from, uint64_t to)
{
    if (to <= from)
        return;
    colour(h, part);
    for (uint64_t i = from; i < to; i++)
        buf_puts(&h->line, full_block(h, part));
    plain(h);
}

/* One value alone: to an eighth of a character. */
static void put_fine_bar(struct histogram *h, uint64_t n, size_t room)
{
    uint64_t eighths = h->most > 0 ? (uint64_t)((double)n / (double)h->most * (double)(room * EIGHTHS) + 0.5) : 0;
    eighths = n > 0 && eighths == 0 ? 1 : eighths;
    put_blocks(h, 0, 0, eighths / EIGHTHS);
    if (eighths % EIGHTHS > 0) {
        const char last[] = { '\xe2', '\x96', (char)(0x90 - (int)(eighths % EIGHTHS)), '\0' };
        buf_puts(&h->line, last);
    }
}

/* Where the part of a bar ends that has `n` of h->most. */
static uint64_t place(const struct histogram *h, uint64_t n, size_t room)
{
    return h->most > 0 ? (uint64_t)((double)n / (double)h->most * (double)room + 0.5) : 0;
}

static void put_bar(struct histogram *h, size_t bucket, uint64_t total, size_t room)
{
    uint64_t sum = 0, at = 0;
    if (!h->several && !h->printable.ascii) {
        put_fine_bar(h, total, room);
        return;
    }
    for (size_t i = 0; i < h->count; i++) {
        sum += number(json_array_get(h->parts[i].counts, bucket));
        uint64_t end = place(h, sum, room);
        put_blocks(h, i, at, end);
        at = end > at ? end : at;
    }
}

static void flush(struct histogram *h)
{
    buf_putc(&h->line, '\n');
    h->failed |= h->line.failed || fwrite(h->line.ptr, 1, h->line.len, stdout) != h->line.len;
    buf_reset(&h->line);
}

static void put_bucket(struct histogram *h, const json_t *start, size_t bucket, uint64_t total, size_t digits)
{
    const char *text = json_string_value(start);
    size_t used = h->label + 2 + digits + 2;
    if (text == NULL || strlen(text) < h->label_from + h->label)
        return;
    for (size_t i = 0; i < h->label; i++)
        buf_putc(&h->line, text[h->label_from + i] == 'T' ? ' ' : text[h->label_from + i]);
    buf_printf(&h->line, "  %*" PRIu64 "  ", (int)digits, total);
    put_bar(h, bucket, total, h->width > used + BAR_MIN ? h->width - used : BAR_MIN);
    flush(h);
}

/* ------------------------------------------------------------------------------------------------ legend */

static void put_legend(struct histogram *h, uint64_t all, size_t digits)
{
    for (size_t i = 0; h->several && i < h->count; i++) {
        const struct part *p = &h->parts[i];
        colour(h, i);
        buf_puts(&h->line, full_block(h, i));
        buf_puts(&h->line, full_block(h, i));
        plain(h);
        buf_printf(&h->line, "  %*" PRIu64 "  %5.1f%%  ", (int)digits, p->total,
                   all > 0 ? 100.0 * (double)p->total / (double)all : 0.0);
        (void)printable_put(&h->line, &h->printable, (struct hep_slice){ (const uint8_t *)p->text, p->len },
                            h->width > digits + 20 ? h->width - digits - 14 : BAR_MIN);
        flush(h);
    }
}

static size_t digits_of(uint64_t n)
{
    size_t digits = 1;
    for (; n >= 10; n /= 10)
        digits++;
    return digits;
}

bool histogram_print(const json_t *answer)
{
    const json_t *starts = json_object_get(answer, "starts"), *counts = json_object_get(answer, "counts");
    uint64_t total = number(json_object_get(answer, "total"));
    struct histogram *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return false;
    size_t width = rows_out_width();
    h->printable.ascii = !rows_out_is_utf8();
    h->colours = width > 0;
    h->width = width > 0 ? width : 80;
    buf_init(&h->line, LINE_OCTETS);
    take_parts(h, answer);
    choose_label(h, answer);
    for (size_t i = 0; i < json_array_size(counts); i++) {
        uint64_t n = number(json_array_get(counts, i));
        h->most = n > h->most ? n : h->most;
    }
    for (size_t i = 0; i < json_array_size(starts); i++)
        put_bucket(h, json_array_get(starts, i), i, number(json_array_get(counts, i)), digits_of(h->most));
    put_legend(h, total, digits_of(total));
    bool ok = !h->failed && fflush(stdout) == 0;
    buf_free(&h->line);
    free(h);
    return ok;
}
