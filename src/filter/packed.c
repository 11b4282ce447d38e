#include "filter/packed.h"

#include <string.h>

#include "base/le.h"
#include "base/num.h"
#include "filter/glob.h"
#include "record/schema.h"

/* ------------------------------------------------------------------------------------------------ texts */

int packed_compare(struct hep_slice a, struct hep_slice b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len > 0 ? memcmp(a.ptr, b.ptr, a.len) : 0;
}

/* Number of texts; where each begins, and where the last one ends; the texts. */
size_t packed_texts_size(const struct hep_slice *items, size_t count)
{
    size_t size = 4 * (count + 2);
    for (size_t i = 0; i < count; i++)
        size += items[i].len;
    return size;
}

void packed_texts(uint8_t *out, const struct hep_slice *items, size_t count)
{
    size_t at = 4 * (count + 2);
    le32_put(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        le32_put(out + 4 * (i + 1), (uint32_t)at);
        if (items[i].len > 0)
            memcpy(out + at, items[i].ptr, items[i].len);
        at += items[i].len;
    }
    le32_put(out + 4 * (count + 1), (uint32_t)at);
}

static struct hep_slice text_at(const uint8_t *set, size_t set_len, size_t i)
{
    size_t from = le32_load(set + 4 * (i + 1)), to = le32_load(set + 4 * (i + 2));
    if (from > to || to > set_len)
        return (struct hep_slice){ set, 0 };
    return (struct hep_slice){ set + from, to - from };
}

bool packed_has_text(const uint8_t *value, size_t len, const uint8_t *set, size_t set_len)
{
    if (set_len < 8)
        return false;
    size_t low = 0, high = le32_load(set);
    if (high > (set_len - 8) / 4)
        return false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int c = packed_compare((struct hep_slice){ value, len }, text_at(set, set_len, middle));
        if (c == 0)
            return true;
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

bool packed_has_text_nocase(const uint8_t *value, size_t len, const uint8_t *set, size_t set_len)
{
    uint8_t lower[RECORD_TEXT_MAX];
    if (len > sizeof(lower)) /* no column has it */
        return false;
    glob_lower(lower, value, len);
    return packed_has_text(lower, len, set, set_len);
}

/* ------------------------------------------------------------------------------------------------ numbers */

void packed_range(uint8_t *out, int64_t low, int64_t high)
{
    le64_put(out, (uint64_t)low);
    le64_put(out + 8, (uint64_t)high);
}

bool packed_has_number(int64_t number, const uint8_t *set, size_t set_len)
{
    size_t low = 0, high = set_len / PACKED_NUMBERS_SIZE;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const uint8_t *p = set + middle * PACKED_NUMBERS_SIZE;
        if (number < (int64_t)le64_load(p))
            high = middle;
        else if (number > (int64_t)le64_load(p + 8))
            low = middle + 1;
        else
            return true;
    }
    return false;
}

bool packed_has_digits(const uint8_t *value, size_t len, const uint8_t *set, size_t set_len)
{
    uint64_t number;
    return num_parse((const char *)value, len, INT64_MAX, &number) && packed_has_number((int64_t)number, set, set_len);
}

/* ------------------------------------------------------------------------------------------------ addresses */

bool packed_has_addr(const uint8_t *value, size_t len, const uint8_t *set, size_t set_len)
{
    size_t low = 0, high = set_len / PACKED_ADDRS_SIZE;
    if (len != 16)
        return false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const uint8_t *p = set + middle * PACKED_ADDRS_SIZE;
        if (memcmp(value, p, 16) < 0)
            high = middle;
        else if (memcmp(value, p + 16, 16) > 0)
            low = middle + 1;
        else
            return true;
    }
    return false;
}
