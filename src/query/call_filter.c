#include "query/call_filter.h"

#include <errno.h>

/* `field:"value"`: inside quotes only these two mean something. */
static void put_test(struct buf *out, const char *field, struct hep_slice value)
{
    buf_printf(out, "%s:\"", field);
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"' || value.ptr[i] == '\\')
            buf_putc(out, '\\');
        buf_putc(out, (char)value.ptr[i]);
    }
    buf_putc(out, '"');
}

int call_filter(struct filter **ret, enum call_way way, struct hep_slice call_id, struct errmsg *err)
{
    static const char *const fields[CALL_WAYS] = { "callid", "correlation" };
    struct filter_error bad = { 0 };
    struct buf text;
    buf_init(&text, FILTER_TEXT_MAX);
    put_test(&text, fields[way], call_id);
    int rc = text.failed ? -1 : filter_parse(ret, (const char *)text.ptr, text.len, &bad);
    if (rc != 0)
        (void)errmsg_set(err, "this Call-ID cannot be looked for: %s", text.failed ? "too long" : bad.text);
    buf_free(&text);
    return rc == 0 ? 0 : -EINVAL;
}
