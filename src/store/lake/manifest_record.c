#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "base/le.h"
#include "base/num.h"
#include "store/lake/manifest_internal.h"

/* ------------------------------------------------------------------------------------------------ names */

void manifest_name(char out[MANIFEST_PATH_MAX], uint64_t epoch, uint64_t node, unsigned seq, const char *suffix)
{
    (void)snprintf(out, MANIFEST_PATH_MAX, "%010" PRIu64 "-%08" PRIx64 "-%06u%s", epoch, node, seq, suffix);
}

/* Steps over at least `least` and at most `most` characters out of `set`; NULL if there are fewer or more. */
static const char *step(const char *p, const char *set, size_t least, size_t most)
{
    size_t n = strspn(p, set);
    return n >= least && n <= most ? p + n : NULL;
}

/* The suffix of a name of ours with its dot, NULL if the name is of another shape. */
static const char *suffix_of(const char *name)
{
    static const char digits[] = "0123456789", hex[] = "0123456789abcdef";
    const char *p = step(name, digits, 10, 20);
    if (p == NULL || *p++ != '-')
        return NULL;
    p = step(p, hex, 8, 16);
    if (p == NULL || *p++ != '-')
        return NULL;
    return step(p, digits, 6, 10);
}

bool manifest_is_ours(const char *name)
{
    static const char *const suffixes[] = { ".parquet", ".state", ".parquet.tmp", ".state.tmp" };
    const char *suffix = suffix_of(name);
    for (size_t i = 0; suffix != NULL && i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        if (strcmp(suffix, suffixes[i]) == 0)
            return true;
    return false;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

uint64_t manifest_name_epoch(const char *path)
{
    const char *name = base_name(path);
    uint64_t epoch;
    if (suffix_of(name) == NULL || !num_parse(name, (size_t)(strchr(name, '-') - name), UINT64_MAX, &epoch))
        return 0;
    return epoch;
}

bool manifest_path_ok(const char *path)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_-=";
    const char *name = base_name(path);
    size_t len = strlen(path);
    if (len >= MANIFEST_PATH_MAX || !manifest_is_ours(name) || strcmp(path + len - 4, ".tmp") == 0)
        return false;
    /* Folders are of letters, digits and '=': no dot, so nothing leads upwards; no folder has an empty name. */
    for (const char *p = path; p < name;) {
        size_t n = strspn(p, allowed);
        if (n == 0 || p[n] != '/')
            return false;
        p += n + 1;
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------ encoding */

/* A copy of a record: mark, length of the body, checksum, number, body, zeros up to a multiple of 8. */
enum { AT_MARK = 0, AT_LEN = 4, AT_SUM = 8, AT_NUMBER = 16, AT_BODY = 24 };
#define MARK  UINT32_C(0x4345524d) /* "MREC" */
#define ALIGN 8

static void put16(struct buf *b, uint16_t v)
{
    uint8_t p[2];
    le16_put(p, v);
    buf_put(b, p, sizeof(p));
}

static void put32(struct buf *b, uint32_t v)
{
    uint8_t p[4];
    le32_put(p, v);
    buf_put(b, p, sizeof(p));
}

static void put64(struct buf *b, uint64_t v)
{
    uint8_t p[8];
    le64_put(p, v);
    buf_put(b, p, sizeof(p));
}

/* With its terminator, which the length does not count, so that decoding needs no copy. */
static void put_text(struct buf *b, const char *text)
{
    size_t len = strlen(text);
    put16(b, (uint16_t)len);
    buf_put(b, text, len + 1);
}

static void put_file(struct buf *b, const struct manifest_file *f)
{
    const uint64_t numbers[] = { f->rows,    f->bytes, (uint64_t)f->min_ts, (uint64_t)f->max_ts, f->min_seq,
                                 f->max_seq, f->epoch };
    put_text(b, f->path);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        put64(b, numbers[i]);
    put32(b, f->hour);
}

static void put_body(struct buf *b, const struct manifest_record *r)
{
    const struct manifest_change *c = &r->change;
    put16(b, (uint16_t)c->kind);
    put16(b, 0);
    put32(b, (uint32_t)c->add_count);
    put32(b, (uint32_t)c->remove_count);
    put32(b, (uint32_t)c->position_count);
    put64(b, c->epoch);
    put64(b, r->node);
    put64(b, r->wall_us);
    put64(b, c->max_seq);
    put_text(b, c->state != NULL ? c->state : "");
    for (size_t i = 0; i < c->add_count; i++)
        put_file(b, &c->add[i]);
    for (size_t i = 0; i < c->remove_count; i++)
        put_text(b, c->remove[i]);
    for (size_t i = 0; i < c->position_count; i++) {
        put32(b, c->positions[i].worker);
        put64(b, c->positions[i].segment);
    }
}

void manifest_record_encode(struct buf *b, const struct manifest_record *r)
{
    size_t start = b->len;
    put32(b, MARK);
    put32(b, 0);
    put64(b, 0);
    put64(b, r->number);
    put_body(b, r);
    size_t len = b->len - start;
    static const uint8_t zeros[ALIGN];
    buf_put(b, zeros, (ALIGN - len % ALIGN) % ALIGN);
    size_t size = b->len - start;
    if (b->failed)
        return;
    le32_put(b->ptr + start + AT_LEN, (uint32_t)(len - AT_BODY));
    le64_put(b->ptr + start + AT_SUM, XXH3_64bits(b->ptr + start + AT_NUMBER, len - AT_NUMBER));
    uint8_t *second = buf_space(b, size);
    if (second == NULL)
        return;
    memcpy(second, b->ptr + start, size);
    buf_added(b, size);
}

/* ------------------------------------------------------------------------------------------------ decoding */

size_t manifest_record_check(const uint8_t *data, size_t len, uint64_t *ret_number)
{
    if (len < AT_BODY || le32_load(data + AT_MARK) != MARK)
        return 0;
    size_t body = le32_load(data + AT_LEN);
    size_t size = (AT_BODY + body + ALIGN - 1) / ALIGN * ALIGN;
    if (body > MANIFEST_RECORD_MAX || size > len ||
        XXH3_64bits(data + AT_NUMBER, AT_BODY - AT_NUMBER + body) != le64_load(data + AT_SUM))
        return 0;
    *ret_number = le64_load(data + AT_NUMBER);
    return size;
}

static const char *get_text(struct rd *r)
{
    const uint8_t *p;
    size_t len = rd_u16le(r);
    if (!rd_take(r, len + 1, &p) || p[len] != '\0' || memchr(p, '\0', len) != NULL) {
        r->bad = true;
        return "";
    }
    return (const char *)p;
}

static const char *get_path(struct rd *r)
{
    const char *path = get_text(r);
    if (!manifest_path_ok(path))
        r->bad = true;
    return path;
}

static struct manifest_file get_file(struct rd *r)
{
    struct manifest_file f = { .path = get_path(r) };
    f.rows = rd_u64le(r);
    f.bytes = rd_u64le(r);
    f.min_ts = (int64_t)rd_u64le(r);
    f.max_ts = (int64_t)rd_u64le(r);
    f.min_seq = rd_u64le(r);
    f.max_seq = rd_u64le(r);
    f.epoch = rd_u64le(r);
    f.hour = rd_u32le(r);
    return f;
}

static bool get_head(struct rd *r, struct manifest_record *ret)
{
    struct manifest_change *c = &ret->change;
    unsigned kind = rd_u16le(r);
    rd_skip(r, 2);
    c->kind = (enum manifest_kind)kind;
    c->add_count = rd_u32le(r);
    c->remove_count = rd_u32le(r);
    c->position_count = rd_u32le(r);
    c->epoch = rd_u64le(r);
    ret->node = rd_u64le(r);
    ret->wall_us = rd_u64le(r);
    c->max_seq = rd_u64le(r);
    c->state = get_text(r);
    if (*c->state == '\0')
        c->state = NULL;
    else if (!manifest_path_ok(c->state))
        r->bad = true;
    return !r->bad && kind >= MANIFEST_SEAL && kind <= MANIFEST_KIND_LAST && c->add_count <= MANIFEST_FILES_MAX &&
           c->remove_count <= MANIFEST_FILES_MAX && c->position_count <= MANIFEST_POSITIONS_MAX;
}

bool manifest_record_decode(const uint8_t *data, size_t size, struct manifest_decoder *d, struct manifest_record *ret)
{
    struct rd r;
    *ret = (struct manifest_record){ .number = le64_load(data + AT_NUMBER) };
    rd_init(&r, data + AT_BODY, le32_load(data + AT_LEN));
    if (AT_BODY + rd_left(&r) > size || !get_head(&r, ret))
        return false;
    struct manifest_change *c = &ret->change;
    for (size_t i = 0; i < c->add_count; i++)
        d->add[i] = get_file(&r);
    for (size_t i = 0; i < c->remove_count; i++)
        d->remove[i] = get_path(&r);
    for (size_t i = 0; i < c->position_count; i++) {
        uint32_t worker = rd_u32le(&r);
        d->positions[i] = (struct wal_position){ worker, rd_u64le(&r) };
    }
    c->add = d->add;
    c->remove = d->remove;
    c->positions = d->positions;
    return !r.bad;
}
