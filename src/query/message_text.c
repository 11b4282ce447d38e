#include "query/message_text.h"

#include <ctype.h>
#include <string.h>

#include "base/utf8.h"

#define NAMED_MAX 200 /* octets of a value in the line about a message */

void message_text_endpoint(struct buf *out, struct hep_slice ip, unsigned port)
{
    if (ip.len == 0)
        buf_puts(out, "?");
    else
        buf_printf(out, memchr(ip.ptr, ':', ip.len) != NULL ? "[%.*s]" : "%.*s", (int)ip.len, (const char *)ip.ptr);
    buf_printf(out, ":%u", port);
}

/* Octets at the start that show as they are: printable ASCII and tabs. */
static size_t plain_length(const uint8_t *p, size_t len)
{
    size_t n = 0;
    while (n < len && ((p[n] >= 0x20 && p[n] < 0x7f) || p[n] == '\t'))
        n++;
    return n;
}

/*
 * Text of the sender's for a terminal: control characters, which could move the cursor or set the title, and octets
 * that are not UTF-8 come out as \xNN. Lines are indented.
 */
static void text_safe(struct buf *out, const struct hep_slice *s, const char *indent)
{
    bool line_start = true;
    for (size_t i = 0; i < s->len;) {
        uint8_t c = s->ptr[i];
        size_t plain = plain_length(s->ptr + i, s->len - i);
        if (line_start && indent != NULL)
            buf_puts(out, indent);
        line_start = false;
        if (plain > 0) {
            buf_put(out, s->ptr + i, plain);
            i += plain;
            continue;
        }
        size_t n = utf8_char(s->ptr + i, s->len - i);
        if (c == '\r' && i + 1 < s->len && s->ptr[i + 1] == '\n' && indent != NULL) {
            n = 1;
        } else if (c == '\n' && indent != NULL) {
            buf_putc(out, '\n');
            line_start = true;
        } else if (n == 0 || (c < 0x20 && c != '\t') || c == 0x7f || (c == 0xc2 && s->ptr[i + 1] < 0xa0)) {
            n = n == 0 ? 1 : n;
            for (size_t k = 0; k < n; k++)
                buf_printf(out, "\\x%02x", s->ptr[i + k]);
        } else {
            buf_put(out, s->ptr + i, n);
        }
        i += n;
    }
    if (!line_start)
        buf_putc(out, '\n');
}

void message_text_named(struct buf *out, const char *name, struct hep_slice value)
{
    if (value.len == 0)
        return;
    struct hep_slice shown = { value.ptr, value.len < NAMED_MAX ? value.len : NAMED_MAX };
    buf_printf(out, " %s=", name);
    text_safe(out, &shown, NULL);
    if (!out->failed && out->len > 0 && out->ptr[out->len - 1] == '\n')
        out->len--;
}

static void text_hex(struct buf *out, const struct hep_slice *s)
{
    for (size_t i = 0; i < s->len; i += 16) {
        buf_printf(out, "    %04zx ", i);
        for (size_t k = i; k < i + 16; k++)
            buf_printf(out, k < s->len ? " %02x" : "   ", k < s->len ? s->ptr[k] : 0u);
        buf_puts(out, "  ");
        for (size_t k = i; k < i + 16 && k < s->len; k++)
            buf_putc(out, isprint(s->ptr[k]) ? (char)s->ptr[k] : '.');
        buf_putc(out, '\n');
    }
}

void message_text_payload(struct buf *out, struct hep_slice payload)
{
    if (utf8_valid(payload.ptr, payload.len))
        text_safe(out, &payload, "    ");
    else
        text_hex(out, &payload);
}
