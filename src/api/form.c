/*
 * Parameters as the body of a POST, application/x-www-form-urlencoded: what a query string says, for values that no
 * request line holds.
 */
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"

#define FORM_MAX ((size_t)256 << 10) /* octets: the longest filter with each of its octets as %XX, and the others */

struct api_form {
    struct buf text; /* the values lie in it, decoded, each terminated */
    bool too_long;
    struct api_form_value values[API_VALUES_MAX];
    size_t count;
};

static bool too_long(struct api_reply *reply)
{
    return api_problem(reply, 413, "more than %zu octets of parameters", FORM_MAX);
}

bool api_form_begin(struct api_request *r, struct api_reply *reply)
{
    const char *len = MHD_lookup_connection_value(r->mc, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (!api_has_type(r, "application/x-www-form-urlencoded"))
        return api_problem(reply, 415, "parameters are needed: Content-Type: application/x-www-form-urlencoded");
    if (len != NULL && strtoull(len, NULL, 10) > FORM_MAX)
        return too_long(reply);
    r->form = calloc(1, sizeof(*r->form));
    if (r->form == NULL)
        return api_problem(reply, 503, "out of memory");
    buf_init(&r->form->text, FORM_MAX + 1);
    return true;
}

/* What comes behind the limit is read, so that the answer can be, but not kept. */
void api_form_body(struct api_form *f, const void *data, size_t len)
{
    if (f->too_long)
        return;
    buf_put(&f->text, data, len);
    f->too_long = f->text.failed || f->text.len > FORM_MAX;
}

void api_form_free(struct api_form *f)
{
    if (f == NULL)
        return;
    buf_free(&f->text);
    free(f);
}

static int hex(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
    return at == NULL ? -1 : (int)(at - digits);
}

/* Decodes `len` octets where they are and terminates them, for which there is room; false if a % has no two digits. */
static bool decode(char *text, size_t len, size_t *ret_len)
{
    size_t to = 0;
    for (size_t at = 0; at < len; at++) {
        char c = text[at] == '+' ? ' ' : text[at];
        if (c == '%') {
            int high = at + 2 < len ? hex(text[at + 1]) : -1, low = high < 0 ? -1 : hex(text[at + 2]);
            if (low < 0)
                return false;
            c = (char)(high << 4 | low);
            at += 2;
        }
        text[to++] = c;
    }
    text[to] = '\0';
    *ret_len = to;
    return true;
}

/* One "name=value", which ends where a terminator may stand. */
static bool take_pair(struct api_form *f, char *text, size_t len, struct api_reply *reply)
{
    char *equals = memchr(text, '=', len);
    struct api_form_value v = { .name = text, .value = equals == NULL ? NULL : equals + 1 };
    size_t name_len = equals == NULL ? len : (size_t)(equals - text);
    if (f->count == API_VALUES_MAX)
        return api_problem(reply, 400, "too many parameters");
    if ((v.value != NULL && !decode(equals + 1, len - name_len - 1, &v.len)) || !decode(text, name_len, &v.name_len))
        return api_problem(reply, 400, "a '%%' without two hexadecimal digits");
    f->values[f->count++] = v;
    return true;
}

bool api_form_end(struct api_request *r, struct api_reply *reply)
{
    struct api_form *f = r->form;
    if (f->too_long)
        return too_long(reply);
    buf_putc(&f->text, '\0');
    if (f->text.failed)
        return api_problem(reply, 503, "out of memory");
    char *at = (char *)f->text.ptr, *end = at + f->text.len - 1;
    while (at < end) {
        char *amp = memchr(at, '&', (size_t)(end - at));
        char *stop = amp == NULL ? end : amp;
        if (stop > at && !take_pair(f, at, (size_t)(stop - at), reply))
            return false;
        at = stop + 1;
    }
    return true;
}

const struct api_form_value *api_form_values(const struct api_form *f, size_t *ret_count)
{
    *ret_count = f->count;
    return f->values;
}
