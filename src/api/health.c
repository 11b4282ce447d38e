#include <stdarg.h>
#include <stdio.h>

#include "api/api.h"

void api_health_add(struct api_health *h, bool failing, const char *code, const char *format, ...)
{
    va_list args;
    if (h->count == API_REASONS_MAX) {
        h->dropped++;
        /* One that counts may not be lost for want of room. */
        h->reasons[API_REASONS_MAX - 1].failing = h->reasons[API_REASONS_MAX - 1].failing || failing;
        return;
    }
    struct api_reason *r = &h->reasons[h->count++];
    r->failing = failing;
    (void)snprintf(r->code, sizeof(r->code), "%s", code);
    va_start(args, format);
    (void)vsnprintf(r->text, sizeof(r->text), format, args);
    va_end(args);
}

bool api_health_failing(const struct api_health *h)
{
    for (size_t i = 0; i < h->count; i++)
        if (h->reasons[i].failing)
            return true;
    return false;
}
