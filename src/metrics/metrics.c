#include "metrics/metrics.h"

#include <string.h>

#include "base/json_out.h"
#include "base/utf8.h"

void metrics_family(struct buf *out, const char *name, enum metrics_type type, const char *help)
{
    buf_printf(out, "# HELP hepcat_%s ", name);
    for (const char *p = help; *p != '\0'; p++) {
        if (*p == '\\' || *p == '\n')
            buf_puts(out, *p == '\n' ? "\\n" : "\\\\");
        else
            buf_putc(out, *p);
    }
    buf_printf(out, "\n# TYPE hepcat_%s %s\n", name, type == METRICS_COUNTER ? "counter" : "gauge");
}

static void put_label_value(struct buf *out, const char *value)
{
    size_t len = strlen(value);
    for (size_t i = 0; i < len;) {
        size_t n = utf8_char((const uint8_t *)value + i, len - i);
        if (n == 0)
            buf_puts(out, "\xef\xbf\xbd");
        else if (value[i] == '"' || value[i] == '\\' || value[i] == '\n')
            buf_puts(out, value[i] == '"' ? "\\\"" : value[i] == '\n' ? "\\n" : "\\\\");
        else
            buf_put(out, value + i, n);
        i += n == 0 ? 1 : n;
    }
}

static void put_head(struct buf *out, const char *name, const char *const *labels)
{
    buf_printf(out, "hepcat_%s", name);
    if (labels != NULL && labels[0] != NULL) {
        for (size_t i = 0; labels[i] != NULL; i += 2) {
            buf_printf(out, "%c%s=\"", i == 0 ? '{' : ',', labels[i]);
            put_label_value(out, labels[i + 1]);
            buf_putc(out, '"');
        }
        buf_putc(out, '}');
    }
    buf_putc(out, ' ');
}

void metrics_sample(struct buf *out, const char *name, const char *const *labels, uint64_t value)
{
    put_head(out, name, labels);
    json_out_number(out, value);
    buf_putc(out, '\n');
}

void metrics_sample_double(struct buf *out, const char *name, const char *const *labels, double value)
{
    put_head(out, name, labels);
    buf_printf(out, "%.17g\n", value);
}

void metrics_one(struct buf *out, const char *name, enum metrics_type type, const char *help, uint64_t value)
{
    metrics_family(out, name, type, help);
    metrics_sample(out, name, NULL, value);
}

void metrics_seconds(struct buf *out, const char *name, enum metrics_type type, const char *help, uint64_t us)
{
    metrics_family(out, name, type, help);
    put_head(out, name, NULL);
    buf_printf(out, "%llu.%06llu\n", (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000));
}

void metrics_table(struct buf *out, const struct metrics_row *rows, const void *base)
{
    for (; rows->name != NULL; rows++) {
        uint64_t v;
        memcpy(&v, (const uint8_t *)base + rows->offset, sizeof(v));
        if (rows->us)
            metrics_seconds(out, rows->name, rows->type, rows->help, v);
        else
            metrics_one(out, rows->name, rows->type, rows->help, v);
    }
}

void metrics_write_build(struct buf *out, const char *version)
{
    const char *labels[] = { "version", version, NULL };
    metrics_family(out, "build_info", METRICS_GAUGE, "Always 1; the label tells the version.");
    metrics_sample(out, "build_info", labels, 1);
}
