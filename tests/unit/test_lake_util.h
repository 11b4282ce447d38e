/*
 * Random rows for tests of the lake: row number n of a seed is the same each time, so that what was stored can be
 * compared with what it was made from. Texts come from small sets, are new, too long or not UTF-8.
 */
#ifndef TEST_LAKE_UTIL_H
#define TEST_LAKE_UTIL_H

#include <stdio.h>
#include <string.h>

#include "base/ip.h"
#include "prng.h"
#include "record/record.h"
#include "testlib.h"

#define ROW_PAYLOAD_MAX 3000u

struct row {
    struct record record;
    uint8_t octets[RECORD_COLUMNS_MAX * 1400 + ROW_PAYLOAD_MAX]; /* what its slices point to */
    size_t used;
    bool odd; /* has texts that are not stored as they are */
};

/* Microseconds of the start of an hour. */
#define ROW_HOUR_US INT64_C(3600000000)
#define ROW_HOUR    UINT32_C(472222) /* of receipt: 2023-11-14 22:00 */

static inline struct hep_slice row_octets(struct row *r, const void *from, size_t len)
{
    uint8_t *to = r->octets + r->used;
    assert_true(r->used + len <= sizeof(r->octets));
    if (len > 0)
        memcpy(to, from, len);
    r->used += len;
    return (struct hep_slice){ to, len };
}

static inline struct hep_slice row_text(struct row *r, uint64_t *random, size_t column)
{
    char text[1400];
    size_t len = 0;
    switch (prng_below(random, 40)) {
    case 0: /* too long, the limit within a character */
        for (; len < 1023; len++)
            text[len] = (char)('a' + len % 26);
        memcpy(text + len,
               "\xc3\xbc"
               "end",
               5);
        return row_octets(r, text, len + 5);
    case 1: /* not UTF-8 */
        return row_octets(r,
                          "b\xff"
                          "ad\xc3",
                          5);
    case 2: /* as long as may be */
        memset(text, 'm', RECORD_TEXT_MAX);
        return row_octets(r, text, RECORD_TEXT_MAX);
    case 3:
    case 4:
    case 5:
    case 6:
        len = (size_t)snprintf(text, sizeof(text), "new-%llx", (unsigned long long)prng_next(random));
        return row_octets(r, text, len);
    case 7:
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
        return (struct hep_slice){ NULL, 0 };
    default:
        len = (size_t)snprintf(text, sizeof(text),
                               "Gr\xc3\xbc\xc3\x9f"
                               "e %zu of %zu",
                               prng_below(random, 50), column);
        return row_octets(r, text, len);
    }
}

static inline struct hep_addr row_addr(uint64_t *random)
{
    struct hep_addr a = { .len = 0 };
    size_t n = prng_below(random, 10);
    if (n == 0)
        return a;
    a.len = n < 7 ? 4 : 16;
    memcpy(a.octets, a.len == 4 ? "\x0a\x00\x00" : "\x20\x01\x0d\xb8", a.len == 4 ? 3 : 4);
    if (n == 9) /* an IPv4 address in an IPv6 one: another text, the same octets */
        memcpy(a.octets, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0", 15);
    a.octets[a.len - 1] = (uint8_t)prng_below(random, 20);
    return a;
}

static inline void row_member(struct row *r, const struct record_column *c, size_t column, uint64_t *random)
{
    void *at = (uint8_t *)&r->record + c->offset;
    int64_t number = (int64_t)prng_below(random, 4) * 1000 + (int64_t)prng_below(random, 3);
    switch (c->kind) {
    case RECORD_TIME:
        *(int64_t *)at = prng_below(random, 3) == 0 ? RECORD_NO_TIME : number * 77;
        break;
    case RECORD_SEQ:
        break;
    case RECORD_NUMBER:
        *(uint32_t *)at = prng_below(random, 5) == 0 ? (uint32_t)prng_next(random) : (uint32_t)number;
        break;
    case RECORD_OPTIONAL:
        *(int64_t *)at = prng_below(random, 3) == 0 ? RECORD_NONE : prng_below(random, 9) == 0 ? UINT32_MAX : number;
        break;
    case RECORD_DECIMAL:
        *(int64_t *)at = prng_below(random, 3) == 0   ? RECORD_NONE
                         : prng_below(random, 9) == 0 ? RECORD_DECIMAL_MAX
                                                      : number;
        break;
    case RECORD_UID:
        *(uint64_t *)at = prng_below(random, 2) == 0 ? 0 : prng_next(random);
        break;
    case RECORD_TEXT:
        *(struct hep_slice *)at = row_text(r, random, column);
        break;
    case RECORD_IP:
        *(struct hep_addr *)at = row_addr(random);
        break;
    case RECORD_ADDR:
    case RECORD_BYTES:
        break;
    }
}

/* Row number seq of a table; hour is the hour of its receipt. */
static inline void row_make(struct row *r, uint64_t seed, enum record_table table, uint64_t seq, uint32_t hour)
{
    const struct record_schema *s = record_schema(table);
    uint64_t random = seed * 1000003 + seq * 31 + (uint64_t)table;
    r->used = 0;
    memset(&r->record, 0, sizeof(r->record));
    r->record.table = table;
    for (size_t i = 0; i < s->count; i++)
        row_member(r, &s->columns[i], i, &random);
    r->record.seq = seq;
    r->record.received = (int64_t)hour * ROW_HOUR_US + (int64_t)(seq % 3600) * 1000000;
    r->record.ts = r->record.received - (int64_t)prng_below(&random, 5000);
    r->record.flags &= ~(uint32_t)(RECORD_FLAG_CUT | RECORD_FLAG_UTF8);
    r->record.source = RECORD_NETWORK;
    uint8_t payload[ROW_PAYLOAD_MAX];
    size_t len = prng_below(&random, 20) == 0   ? 0
                 : prng_below(&random, 50) == 0 ? ROW_PAYLOAD_MAX
                                                : prng_below(&random, 400);
    prng_fill(&random, payload, len / 4);
    memset(payload + len / 4, (int)(seq % 251), len - len / 4);
    r->record.payload = row_octets(r, payload, len);
    r->record.payload_len = (uint32_t)len;
}

/* What stands in a text column for these octets. */
static inline size_t row_stored(uint8_t out[RECORD_TEXT_MAX + 8], struct hep_slice s, uint32_t *flags)
{
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++) {
        bool lead = s.ptr[i] >= 0xc2 && i + 1 < s.len && (s.ptr[i + 1] & 0xc0) == 0x80;
        size_t n = s.ptr[i] < 0x80 ? 1 : lead ? 2 : 0; /* row_text() makes no longer characters */
        if (len + (n > 0 ? n : 3) > RECORD_TEXT_MAX) {
            *flags |= RECORD_FLAG_CUT;
            return len;
        }
        if (n == 0)
            *flags |= RECORD_FLAG_UTF8;
        memcpy(out + len, n > 0 ? (const char *)s.ptr + i : "\xef\xbf\xbd", n > 0 ? n : 3);
        len += n > 0 ? n : 3;
        i += n > 1 ? n - 1 : 0;
    }
    return len;
}

/* Flags with what the texts add to them. */
static inline uint32_t row_flags(const struct record *r)
{
    const struct record_schema *s = record_schema(r->table);
    uint32_t flags = r->flags;
    uint8_t out[RECORD_TEXT_MAX + 8];
    for (size_t i = 0; i < s->count; i++)
        if (s->columns[i].kind == RECORD_TEXT)
            (void)row_stored(out, *(const struct hep_slice *)((const uint8_t *)r + s->columns[i].offset), &flags);
    return flags;
}

/* The cell that a column must show; octets lie in `out`. */
static inline void row_cell(const struct record *r, size_t column, struct record_cell *ret,
                            uint8_t out[RECORD_TEXT_MAX + 8])
{
    const struct record_column *c = &record_schema(r->table)->columns[column];
    const void *at = (const uint8_t *)r + c->offset;
    uint32_t flags = 0;
    const struct hep_addr *a = at;
    *ret = (struct record_cell){ .null = false };
    switch (c->kind) {
    case RECORD_TIME:
        ret->number = *(const int64_t *)at;
        ret->null = ret->number == RECORD_NO_TIME;
        break;
    case RECORD_SEQ:
        ret->number = (int64_t) * (const uint64_t *)at;
        break;
    case RECORD_NUMBER:
        ret->number = column == RECORD_COL_flags ? row_flags(r) : *(const uint32_t *)at;
        break;
    case RECORD_OPTIONAL:
    case RECORD_DECIMAL:
        ret->number = *(const int64_t *)at;
        ret->null = ret->number < 0;
        break;
    case RECORD_UID:
        ret->number = (int64_t) * (const uint64_t *)at;
        ret->null = ret->number == 0;
        break;
    case RECORD_TEXT:
        ret->octets = (struct hep_slice){ out, row_stored(out, *(const struct hep_slice *)at, &flags) };
        ret->null = ret->octets.len == 0;
        break;
    case RECORD_IP:
        ret->octets = (struct hep_slice){ out, ip_format(a, (char *)out) };
        ret->null = a->len == 0;
        break;
    case RECORD_ADDR:
        ret->null = a->len == 0;
        memset(out, 0, 10);
        memset(out + 10, 0xff, 2);
        if (a->len == 4)
            memcpy(out + 12, a->octets, 4);
        else
            memcpy(out, a->octets, 16);
        ret->octets = (struct hep_slice){ out, 16 };
        break;
    case RECORD_BYTES:
        ret->octets = *(const struct hep_slice *)at;
        break;
    }
}

static inline void row_same_cell(const struct record *r, size_t column, const struct record_cell *got)
{
    uint8_t out[RECORD_TEXT_MAX + 8];
    struct record_cell want;
    row_cell(r, column, &want, out);
    const struct record_column *c = &record_schema(r->table)->columns[column];
    bool same = want.null == got->null;
    if (same && !want.null && record_kind_is_number(c->kind))
        same = want.number == got->number;
    else if (same && !want.null)
        same = want.octets.len == got->octets.len &&
               (want.octets.len == 0 || memcmp(want.octets.ptr, got->octets.ptr, want.octets.len) == 0);
    if (!same)
        fail_msg("row %llu, column %s: null %d, number %lld, %zu octets", (unsigned long long)r->seq, c->name,
                 got->null, (long long)got->number, got->octets.len);
}

#endif
