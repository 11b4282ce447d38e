/* Parsed parts of SIP as one line of text, for tables of cases. */
#ifndef TEST_SIP_SHOW_H
#define TEST_SIP_SHOW_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "sip/addr.h"

#define S(text) ((struct hep_slice){ (const uint8_t *)(text), strlen(text) })

struct show {
    char text[1024];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static inline void show(struct show *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out->text + out->len, sizeof(out->text) - out->len, format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof(out->text) - out->len);
    out->len += (size_t)n;
}

/* " name=value", nothing for an empty slice */
static inline void show_slice(struct show *out, const char *name, struct hep_slice s)
{
    if (s.len > 0)
        show(out, " %s=%.*s", name, (int)s.len, (const char *)s.ptr);
}

static inline void show_uri(struct show *out, const struct sip_uri *uri)
{
    static const char *const schemes[] = { "none", "sip", "sips", "tel", "urn", "other" };
    show(out, "%s", schemes[uri->scheme]);
    show_slice(out, "user", uri->user);
    show_slice(out, "uparams", uri->user_params);
    show_slice(out, "host", uri->host);
    if (uri->port != 0)
        show(out, " port=%u", uri->port);
    show_slice(out, "params", uri->params);
    show_slice(out, "headers", uri->headers);
    if (uri->bad)
        show(out, " bad");
}

static inline void show_addr(struct show *out, const struct sip_addr *addr)
{
    show_slice(out, "display", addr->display);
    show(out, " [");
    show_uri(out, &addr->uri);
    show(out, "]");
    show_slice(out, "tag", addr->tag);
    show_slice(out, "params", addr->params);
    if (addr->bad)
        show(out, " bad");
}

static inline void show_via(struct show *out, const struct sip_via *via)
{
    show_slice(out, "transport", via->transport);
    show_slice(out, "host", via->host);
    if (via->port != 0)
        show(out, " port=%u", via->port);
    show_slice(out, "branch", via->branch);
    show_slice(out, "received", via->received);
    if (via->has_rport)
        show(out, " rport=%u", via->rport);
    if (via->bad)
        show(out, " bad");
}

static inline void assert_shown(const struct show *out, const char *expect, size_t i)
{
    if (strcmp(out->text, expect) != 0)
        fail_msg("case %zu:\n got    '%s'\n expect '%s'", i, out->text, expect);
}

#endif
