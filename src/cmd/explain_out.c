#include "cmd/explain_out.h"

#include <string.h>

#include "cmd/rows_cell.h"

#define INDENT   9    /* behind the longest severity */
#define TEXT_MAX 8192 /* octets of a paragraph */

/* ------------------------------------------------------------------------------------------------ paragraphs */

/* A text of messages made fit for a terminal, on one line. */
static void put_safe(struct buf *out, const struct printable *p, struct hep_slice text)
{
    (void)printable_put(out, p, text, SIZE_MAX);
}

static size_t columns_of(const uint8_t *p, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += (p[i] & 0xc0) != 0x80;
    return n;
}

/* The words in lines that begin at INDENT; the pen stands there. */
static void put_wrapped(struct buf *out, const struct buf *text, unsigned width)
{
    size_t x = INDENT, at = 0;
    while (at < text->len) {
        size_t end = at;
        while (end < text->len && text->ptr[end] != ' ')
            end++;
        size_t word = columns_of(text->ptr + at, end - at);
        if (x > INDENT && x + 1 + word > width) {
            buf_printf(out, "\n%*s", INDENT, "");
            x = INDENT;
        } else if (x > INDENT) {
            buf_putc(out, ' ');
            x++;
        }
        buf_put(out, text->ptr + at, end - at);
        x += word;
        at = end + 1;
    }
    buf_putc(out, '\n');
}

static void put_paragraph(struct buf *out, const struct printable *p, const char *name, struct hep_slice text,
                          unsigned width)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    buf_puts(&b, name);
    put_safe(&b, p, text);
    buf_printf(out, "%*s", INDENT, "");
    put_wrapped(out, &b, width);
    buf_free(&b);
}

/* ------------------------------------------------------------------------------------------------ the call */

static void put_party(struct buf *out, const struct printable *p, const json_t *call, const char *user,
                      const char *host)
{
    struct hep_slice u = rows_cell_text(call, user), h = rows_cell_text(call, host);
    put_safe(out, p, u);
    if (u.len > 0 && h.len > 0)
        buf_putc(out, '@');
    put_safe(out, p, h);
    if (u.len == 0 && h.len == 0)
        buf_putc(out, '?');
}

/* "2026-01-31 12:00:00 UTC" */
static void put_when(struct buf *out, struct hep_slice ts)
{
    if (ts.len > 19)
        buf_printf(out, "%.10s %.8s UTC", (const char *)ts.ptr, (const char *)ts.ptr + 11);
}

static void put_call(struct buf *out, const json_t *answer, const struct printable *p)
{
    const json_t *call = json_object_get(answer, "call");
    if (!json_is_object(call)) {
        buf_puts(out, "No call: there is no INVITE, ACK, BYE or the like among its messages.\n");
        return;
    }
    put_party(out, p, call, "from_user", "from_host");
    buf_puts(out, " to ");
    put_party(out, p, call, "to_user", "to_host");
    buf_puts(out, ", ");
    put_when(out, rows_cell_text(call, "first"));
    buf_puts(out, ": ");
    put_safe(out, p, rows_cell_text(call, "outcome"));
    int64_t status = rows_cell_number(call, "status");
    if (status >= 300) {
        buf_printf(out, " (%d ", (int)status);
        put_safe(out, p, rows_cell_text(call, "reason"));
        buf_putc(out, ')');
    }
    buf_putc(out, '\n');
}

/* ------------------------------------------------------------------------------------------------ findings */

static void put_evidence(struct buf *out, const json_t *finding, const struct printable *p, unsigned width)
{
    struct buf b;
    size_t i;
    json_t *e;
    int64_t further = rows_cell_number(finding, "further_evidence");
    if (json_array_size(json_object_get(finding, "evidence")) == 0)
        return;
    buf_init(&b, TEXT_MAX);
    json_array_foreach(json_object_get(finding, "evidence"), i, e)
    {
        struct hep_slice ts = rows_cell_text(e, "ts");
        buf_printf(&b, "%s#%d %.*s", i > 0 ? ", " : "", (int)rows_cell_number(e, "number"), ts.len > 26 ? 15 : 0,
                   ts.len > 26 ? (const char *)ts.ptr + 11 : "");
    }
    if (further > 0)
        buf_printf(&b, " and %d more", (int)further);
    put_paragraph(out, p, "evidence: ", (struct hep_slice){ b.ptr, b.len }, width);
    buf_free(&b);
}

static void put_finding(struct buf *out, const json_t *finding, const struct printable *p, unsigned width)
{
    struct hep_slice severity = rows_cell_text(finding, "severity"), id = rows_cell_text(finding, "id");
    buf_putc(out, '\n');
    put_safe(out, p, severity);
    buf_printf(out, "%*s", severity.len < INDENT ? (int)(INDENT - severity.len) : 1, "");
    put_safe(out, p, id);
    buf_putc(out, '\n');
    put_paragraph(out, p, "", rows_cell_text(finding, "text"), width);
    put_evidence(out, finding, p, width);
    put_paragraph(out, p, "look at: ", rows_cell_text(finding, "hint"), width);
}

void explain_out(struct buf *out, const json_t *answer, const struct printable *p, unsigned width)
{
    const json_t *findings = json_object_get(answer, "findings");
    size_t i;
    json_t *finding;
    put_call(out, answer, p);
    json_array_foreach(findings, i, finding) put_finding(out, finding, p, width);
    if (json_array_size(findings) == 0)
        buf_puts(out, "\nNothing is wrong, as far as its messages tell.\n");
}
