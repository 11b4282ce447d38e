#include "filter/part.h"

#include <string.h>
#include <strings.h>

#include "filter/glob.h"
#include "filter/regex.h"
#include "sip/header.h"

/* ------------------------------------------------------------------------------------------------ the part */

size_t part_write(const struct part *part, uint8_t *out)
{
    out[0] = (uint8_t)part->kind;
    out[1] = (uint8_t)part->name.len;
    if (part->name.len > 0)
        memcpy(out + 2, part->name.ptr, part->name.len);
    return 2 + part->name.len;
}

size_t part_read(const uint8_t *spec, size_t len, struct part *ret)
{
    if (len < 2 || 2 + (size_t)spec[1] > len || strchr("wbh", spec[0]) == NULL || spec[0] == '\0')
        return 0;
    *ret = (struct part){ (enum part_kind)spec[0], { spec + 2, spec[1] } };
    return 2 + (size_t)spec[1];
}

/* ------------------------------------------------------------------------------------------------ pieces */

static bool same_name(enum sip_header_id id, struct hep_slice name, const struct sip_header *h)
{
    if (id != SIP_H_OTHER)
        return h->id == id;
    return h->name.len == name.len && strncasecmp((const char *)h->name.ptr, (const char *)name.ptr, name.len) == 0;
}

static bool any_header(struct hep_slice name, struct hep_slice payload, bool (*test)(void *arg, struct hep_slice text),
                       void *arg)
{
    struct sip_headers it;
    struct sip_header h;
    enum sip_header_id id = sip_header_id(name);
    if (name.len == 0)
        return false;
    sip_headers_begin(&it, payload.ptr, payload.len);
    while (sip_headers_step(&it, &h))
        if (same_name(id, name, &h) && test(arg, h.value))
            return true;
    return false;
}

static struct hep_slice body_of(struct hep_slice payload)
{
    struct sip_headers it;
    struct sip_header h;
    sip_headers_begin(&it, payload.ptr, payload.len);
    while (sip_headers_step(&it, &h))
        continue;
    return it.rest;
}

bool part_any(const struct part *part, struct hep_slice payload, bool (*test)(void *arg, struct hep_slice text),
              void *arg)
{
    switch (part->kind) {
    case PART_HEADER:
        return any_header(part->name, payload, test, arg);
    case PART_BODY:
        payload = body_of(payload);
        return payload.len > 0 && test(arg, payload);
    default:
        return payload.len > 0 && test(arg, payload);
    }
}

/* ------------------------------------------------------------------------------------------------ for SQL */

static bool test_spec(void *arg, struct hep_slice text)
{
    const struct hep_slice *spec = arg;
    if (spec->ptr[0] == 'g')
        return glob_match_nocase(text.ptr, text.len, spec->ptr + 1, spec->len - 1);
    return regex_function(text.ptr, text.len, spec->ptr, spec->len);
}

bool part_function(const uint8_t *value, size_t len, const uint8_t *spec, size_t spec_len)
{
    struct part part;
    size_t n = part_read(spec, spec_len, &part);
    struct hep_slice test = { spec + n, spec_len - n };
    return n > 0 && test.len > 0 && part_any(&part, (struct hep_slice){ value, len }, test_spec, &test);
}
