/* Numbers with units: sizes and durations. */
#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "conf/internal.h"

struct unit {
    const char *name;
    uint64_t factor;
    bool input; /* understood, but not printed */
};

static const struct unit size_units[] = {
    { "B", 1, false },
    { "kB", 1000, false },
    { "KiB", CONF_KIB(1), false },
    { "MB", CONF_MB(1), false },
    { "MiB", CONF_MIB(1), false },
    { "GB", CONF_MB(1000), false },
    { "GiB", CONF_GIB(1), false },
    { "TB", CONF_MB(1000000), false },
    { "TiB", CONF_TIB(1), false },
    { "K", CONF_KIB(1), true },
    { "M", CONF_MIB(1), true },
    { "G", CONF_GIB(1), true },
    { "T", CONF_TIB(1), true },
    { NULL, 0, false },
};

static const struct unit duration_units[] = {
    { "us", 1, false },
    { "ms", CONF_MSEC(1), false },
    { "s", CONF_SEC(1), false },
    { "min", CONF_SEC(60), false },
    { "h", CONF_SEC(3600), false },
    { "d", CONF_DAYS(1), false },
    { "m", CONF_SEC(60), true },
    { "w", CONF_DAYS(7), true },
    { NULL, 0, false },
};

static const struct unit *find(const struct unit *units, const char *name, size_t len)
{
    for (; units->name != NULL; units++)
        if (strlen(units->name) == len && strncasecmp(units->name, name, len) == 0)
            return units;
    return NULL;
}

/* One number with its unit from *text, which moves behind it. No unit at all: the factor is 1 and *ret_plain is set. */
static bool take(const struct unit *units, const char **text, uint64_t *ret, bool *ret_plain)
{
    static const char digits[] = "0123456789";
    size_t len = strspn(*text, digits);
    const char *name = *text + len;
    if (!num_parse(*text, len, UINT64_MAX, ret))
        return false;
    name += strspn(name, " ");
    size_t name_len = strcspn(name, " 0123456789");
    *text = name + name_len;
    *ret_plain = name_len == 0;
    if (name_len == 0)
        return true;
    const struct unit *unit = find(units, name, name_len);
    return unit != NULL && !__builtin_mul_overflow(*ret, unit->factor, ret);
}

/* In the largest unit of which it is a whole number. */
static void print(const struct unit *units, uint64_t v, struct buf *out)
{
    const struct unit *best = units;
    for (const struct unit *u = units; u->name != NULL; u++)
        if (!u->input && v % u->factor == 0)
            best = u;
    buf_printf(out, "%llu%s", (unsigned long long)(v / best->factor), best->name);
}

bool conf_size_parse(const char *text, uint64_t *ret)
{
    uint64_t v;
    bool plain;
    if (!take(size_units, &text, &v, &plain) || *text != '\0')
        return false;
    *ret = v;
    return true;
}

void conf_size_print(uint64_t octets, struct buf *out)
{
    if (octets == 0)
        buf_puts(out, "0");
    else
        print(size_units, octets, out);
}

bool conf_duration_parse(const char *text, uint64_t *ret)
{
    uint64_t sum = 0, v;
    bool plain;
    if (strcmp(text, "0") == 0) {
        *ret = 0;
        return true;
    }
    do {
        if (!take(duration_units, &text, &v, &plain) || plain || __builtin_add_overflow(sum, v, &sum))
            return false;
        text += strspn(text, " ");
    } while (*text != '\0');
    *ret = sum;
    return true;
}

void conf_duration_print(uint64_t usec, struct buf *out)
{
    if (usec == 0)
        buf_puts(out, "0");
    else
        print(duration_units, usec, out);
}
