#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "conf/internal.h"

/* Values come from anywhere and errors go to terminals and logs: one line of well-formed text. */
static void clean(char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len;) {
        size_t n = utf8_char((const uint8_t *)text + i, len - i);
        if (n == 0 || (unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
        i += n == 0 ? 1 : n;
    }
}

/* Place for one more error, NULL if there are too many. */
static struct conf_error *next(struct conf_errors *errs, bool warning)
{
    errs->errors += warning ? 0 : 1;
    if (errs->count == CONF_ERRORS_MAX) {
        errs->hidden++;
        return NULL;
    }
    struct conf_error *e = &errs->items[errs->count++];
    *e = (struct conf_error){ .warning = warning };
    return e;
}

static void fill(struct conf_error *e, const struct conf_place *place, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
static void fill(struct conf_error *e, const struct conf_place *place, const char *format, va_list args)
{
    if (place != NULL && place->source == CONF_FILE) {
        e->line = place->line;
        e->column = place->column;
    }
    size_t len = strlen(e->text);
    (void)vsnprintf(e->text + len, sizeof(e->text) - len, format, args);
    clean(e->text);
}

void conf_errors_add(struct conf_errors *errs, const struct conf_place *place, const char *format, ...)
{
    struct conf_error *e = next(errs, false);
    if (e == NULL)
        return;
    va_list args;
    va_start(args, format);
    fill(e, place, format, args);
    va_end(args);
}

void conf_errors_key(struct conf_errors *errs, const struct conf_place *place, const struct conf_key *key,
                     const char *format, ...)
{
    struct conf_error *e = next(errs, false);
    char env[CONF_PATH_MAX + 8];
    if (e == NULL)
        return;
    conf_key_env(key, env);
    if (place->source == CONF_FLAG)
        (void)snprintf(e->text, sizeof(e->text), "--%s: ", key->flag != NULL ? key->flag : key->path);
    else
        (void)snprintf(e->text, sizeof(e->text), "%s: ", place->source == CONF_ENVIRONMENT ? env : key->path);
    va_list args;
    va_start(args, format);
    fill(e, place, format, args);
    va_end(args);
}

void conf_errors_warn(struct conf_errors *errs, const char *format, ...)
{
    struct conf_error *e = next(errs, true);
    if (e == NULL)
        return;
    va_list args;
    va_start(args, format);
    fill(e, NULL, format, args);
    va_end(args);
}

void conf_error_print(const struct conf_error *e, const char *file, struct buf *out)
{
    if (e->line != 0)
        buf_printf(out, "%s:%u:%u: ", file != NULL ? file : "configuration", e->line, e->column);
    buf_puts(out, e->text);
}
