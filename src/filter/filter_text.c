#include "filter/filter_text.h"

#include <errno.h>

/* Inside quotes only these two mean something. */
static void put_quoted(struct buf *out, struct hep_slice value)
{
    buf_putc(out, '"');
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"' || value.ptr[i] == '\\')
            buf_putc(out, '\\');
        buf_putc(out, (char)value.ptr[i]);
    }
    buf_putc(out, '"');
}

int filter_text_parse(struct filter **ret, const char *field, const struct hep_slice *values, size_t count,
                      struct errmsg *err)
{
    struct filter_error bad = { 0 };
    struct buf text;
    buf_init(&text, FILTER_TEXT_MAX);
    buf_printf(&text, "%s:", field);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_putc(&text, ',');
        put_quoted(&text, values[i]);
    }
    int rc = text.failed ? -1 : filter_parse(ret, (const char *)text.ptr, text.len, &bad);
    if (rc != 0)
        (void)errmsg_set(err, "%s", text.failed ? "too long" : bad.text);
    buf_free(&text);
    return rc == 0 ? 0 : -EINVAL;
}
