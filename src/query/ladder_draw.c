#include <stdio.h>
#include <string.h>

#include "base/when.h"
#include "query/ladder_internal.h"

#define GUTTER     28
#define STEP_MAX   30
#define LABEL_MAX  256
#define NOTE_MAX   2048
#define DAY_US     INT64_C(86400000000)
#define DELTA_FULL INT64_C(100000000000) /* longer ones are told in days */

/* The characters that lines are made of. */
struct strokes {
    const char *life, *dash, *left, *right, *arrow, *ellipsis, *bullet, *times;
};

static const struct strokes *strokes_of(const struct ladder *l)
{
    static const struct strokes plain = { "|", "-", "<", ">", "->", "~", "*", "x" };
    static const struct strokes nice = { "\xe2\x94\x82", "\xe2\x94\x80", "\xe2\x97\x80", "\xe2\x96\xb6",
                                         "\xe2\x86\x92", "\xe2\x80\xa6", "\xc2\xb7",     "\xc3\x97" };
    return l->printable.ascii ? &plain : &nice;
}

static void put_times(struct buf *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_puts(out, text);
}

static struct hep_slice text_slice(const char *text)
{
    return (struct hep_slice){ (const uint8_t *)text, strlen(text) };
}

static struct hep_slice buf_slice(const struct buf *b)
{
    return (struct hep_slice){ b->ptr, b->len };
}

/* A text that wraps no line: blanks for what would. */
static void put_flat(struct buf *out, struct hep_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        buf_putc(out, c == '\r' || c == '\n' || c == '\t' ? ' ' : (char)c);
    }
}

static void end_line(struct buf *out)
{
    while (out->len > 0 && out->ptr[out->len - 1] == ' ')
        out->len--;
    buf_putc(out, '\n');
}

/* ------------------------------------------------------------------------------------------------ lifelines */

static size_t life_at(const struct ladder *l, size_t column)
{
    return column * l->step + l->step / 2;
}

/* Lifelines of columns first..end-1; the pen stands at *x and ends behind the last one. */
static void put_lives(struct ladder *l, struct buf *out, size_t *x, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        put_times(out, " ", life_at(l, i) - *x);
        buf_puts(out, strokes_of(l)->life);
        *x = life_at(l, i) + 1;
    }
}

/* ------------------------------------------------------------------------------------------------ header */

/* One text for each column, centred. */
static void put_heads(struct ladder *l, struct buf *out, bool ports)
{
    size_t x = 0;
    put_times(out, " ", GUTTER);
    for (size_t i = 0; i < l->columns; i++) {
        const struct ladder_host *h = &l->hosts[i];
        char text[IP_TEXT_MAX + 1];
        if (l->shared && i == l->columns - 1)
            (void)snprintf(text, sizeof(text), "%s", ports ? "hosts" : "other");
        else if (ports && h->ports)
            (void)snprintf(text, sizeof(text), "(ports)");
        else if (ports)
            (void)snprintf(text, sizeof(text), ":%u", (unsigned)h->port);
        else
            (void)snprintf(text, sizeof(text), "%s", h->ip[0] != '\0' ? h->ip : "?");
        size_t max = l->step - 1;
        size_t width = printable_width(&l->printable, text_slice(text));
        if (width > max)
            width = max;
        size_t start = life_at(l, i) - width / 2;
        put_times(out, " ", start > x ? start - x : 0);
        (void)printable_put(out, &l->printable, text_slice(text), max);
        x = (start > x ? start : x) + width;
    }
    end_line(out);
}

static void draw_header(struct ladder *l, struct buf *out)
{
    size_t x = 0;
    l->columns = (unsigned)(l->host_count < l->room ? l->host_count : l->room);
    l->header_shared = l->shared;
    l->step = (l->width - GUTTER) / l->columns;
    if (l->step > STEP_MAX)
        l->step = STEP_MAX;
    put_heads(l, out, false);
    put_heads(l, out, true);
    put_times(out, " ", GUTTER);
    put_lives(l, out, &x, 0, l->columns);
    end_line(out);
}

static bool header_is_due(const struct ladder *l)
{
    size_t wanted = l->host_count < l->room ? l->host_count : l->room;
    return l->columns != wanted || l->header_shared != l->shared;
}

/* ------------------------------------------------------------------------------------------------ times */

static void draw_day(struct ladder *l, int64_t ts, struct buf *out)
{
    char text[WHEN_TEXT_MAX];
    int64_t day = ts / DAY_US - (ts % DAY_US < 0);
    if (day == l->day)
        return;
    l->day = day;
    (void)when_format(ts, text);
    buf_printf(out, "%.*s UTC\n", (int)strcspn(text, "T"), text);
}

static void put_gutter(struct ladder *l, int64_t ts, struct buf *out)
{
    char text[WHEN_TEXT_MAX];
    char delta[32] = "";
    int64_t d = ts - l->last;
    (void)when_format(ts, text);
    const char *clock = strchr(text, 'T');
    if (l->has_last && d >= DELTA_FULL)
        (void)snprintf(delta, sizeof(delta), "+%lldd", (long long)(d / DAY_US));
    else if (l->has_last)
        (void)snprintf(delta, sizeof(delta), "+%lld.%06lld", (long long)(d / 1000000), (long long)(d % 1000000));
    buf_printf(out, "%.15s%12.12s ", clock + 1, delta);
    l->last = ts;
    l->has_last = true;
}

/* ------------------------------------------------------------------------------------------------ what happened */

static void put_label(struct ladder *l, const struct ladder_line *line, struct buf *to)
{
    const struct ladder_message *m = line->m;
    if (!m->is_sip)
        put_flat(to, m->kind);
    else if (m->status < 0)
        put_flat(to, m->method.len > 0 ? m->method : text_slice("?"));
    else {
        buf_printf(to, "%lld ", (long long)m->status);
        put_flat(to, m->reason);
    }
    if (m->has_sdp)
        buf_puts(to, " (SDP)");
    if (m->malformed)
        buf_puts(to, " (malformed)");
    if (line->again == 1)
        buf_puts(to, " (again)");
    else if (line->again > 1)
        buf_printf(to, " (again %s%llu)", strokes_of(l)->times, (unsigned long long)line->again);
}

static void put_host(struct buf *to, struct hep_slice ip, uint32_t port)
{
    bool v6 = ip.len > 0 && memchr(ip.ptr, ':', ip.len) != NULL;
    if (v6)
        buf_putc(to, '[');
    put_flat(to, ip);
    if (v6)
        buf_putc(to, ']');
    buf_printf(to, ":%u", (unsigned)port);
}

static void put_arrow(struct ladder *l, const struct ladder_line *line, struct buf *out)
{
    const struct strokes *s = strokes_of(l);
    size_t left = line->from < line->to ? line->from : line->to;
    size_t right = line->from < line->to ? line->to : line->from;
    struct buf label;
    size_t x = 0;
    buf_init(&label, LABEL_MAX + 4 * LABEL_MAX);
    put_label(l, line, &label);
    put_lives(l, out, &x, 0, left + 1);
    size_t inside = life_at(l, right) - x - 2; /* without the head, and one stroke at the least */
    size_t width = printable_width(&l->printable, buf_slice(&label));
    if (width > inside)
        width = inside;
    size_t before = (inside - width) / 2;
    put_times(out, line->to == left ? s->left : s->dash, 1);
    put_times(out, s->dash, before);
    (void)printable_put(out, &l->printable, buf_slice(&label), width);
    put_times(out, s->dash, inside - width - before);
    put_times(out, line->to == right ? s->right : s->dash, 1);
    x = life_at(l, right);
    put_lives(l, out, &x, right, l->columns);
    buf_free(&label);
}

/* Behind the gutter: a line of text instead of an arrow. */
static void put_note(struct ladder *l, struct hep_slice text, struct buf *out)
{
    buf_puts(out, strokes_of(l)->bullet);
    buf_putc(out, ' ');
    (void)printable_put(out, &l->printable, text, l->width - GUTTER - 2);
}

/* Both hosts are the same column, or it is no SIP. */
static void note_message(struct ladder *l, const struct ladder_line *line, struct buf *out)
{
    const struct ladder_message *m = line->m;
    struct buf note;
    buf_init(&note, NOTE_MAX);
    if (!m->unnumbered)
        buf_printf(&note, "#%llu ", (unsigned long long)line->number);
    put_label(l, line, &note);
    buf_putc(&note, ' ');
    put_host(&note, m->src_ip, m->src_port);
    if (m->text.len == 0) { /* else what it says is worth the room */
        buf_printf(&note, " %s ", strokes_of(l)->arrow);
        put_host(&note, m->dst_ip, m->dst_port);
    }
    if (m->text.len > 0) {
        buf_puts(&note, ": ");
        put_flat(&note, (struct hep_slice){ m->text.ptr, m->text.len < NOTE_MAX / 2 ? m->text.len : NOTE_MAX / 2 });
    } else if (!m->is_sip) {
        buf_printf(&note, ", %u octets", (unsigned)m->payload_len);
    }
    put_note(l, buf_slice(&note), out);
    buf_free(&note);
}

/* Which of the hosts of the shared column it was, on a line of its own; the arrow has no room for it. */
static void name_other(struct ladder *l, const struct ladder_line *line, struct buf *out)
{
    size_t last = l->columns - 1;
    bool to = line->to == last;
    struct buf note;
    if (!l->shared || (line->from != last && !to))
        return;
    buf_init(&note, NOTE_MAX);
    buf_puts(&note, to ? "to " : "from ");
    put_host(&note, to ? line->m->dst_ip : line->m->src_ip, to ? line->m->dst_port : line->m->src_port);
    put_times(out, " ", GUTTER);
    put_note(l, buf_slice(&note), out);
    end_line(out);
    buf_free(&note);
}

void ladder_draw(struct ladder *l, const struct ladder_line *line, struct buf *out)
{
    draw_day(l, line->m->ts, out);
    if (header_is_due(l))
        draw_header(l, out);
    put_gutter(l, line->m->ts, out);
    if (!line->m->is_sip || line->from == line->to) {
        note_message(l, line, out);
        end_line(out);
        return;
    }
    put_arrow(l, line, out);
    buf_printf(out, " #%llu", (unsigned long long)line->number);
    end_line(out);
    name_other(l, line, out);
}
