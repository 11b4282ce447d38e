#include "store/lake/footer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define TEXT_MAX ((size_t)4 << 20) /* octets of one value */

/* ------------------------------------------------------------------------------------------------ writing */

static int put(struct pq_writer *w, const char *key, struct buf *b)
{
    int rc = b->failed ? PQ_ERR_LIMIT : pq_writer_key_value(w, key, b->ptr != NULL ? (const char *)b->ptr : "", b->len);
    buf_reset(b);
    return rc;
}

static int put_number(struct pq_writer *w, const char *key, struct buf *b, int64_t n)
{
    buf_printf(b, "%" PRId64, n);
    return put(w, key, b);
}

static int put_numbers(struct pq_writer *w, struct buf *b, const struct footer *f)
{
    const struct manifest_footer *a = &f->about;
    const struct {
        const char *key;
        int64_t n;
    } numbers[] = {
        { "hepcat.schema", MANIFEST_SCHEMA_VERSION },
        { "hepcat.source", f->source },
        { "hepcat.node", (int64_t)f->node },
        { "hepcat.kind", a->kind },
        { "hepcat.epoch", (int64_t)a->file.epoch },
        { "hepcat.epoch_files", a->epoch_files },
        { "hepcat.hour", a->file.hour },
        { "hepcat.min_ts", a->file.min_ts },
        { "hepcat.max_ts", a->file.max_ts },
        { "hepcat.min_seq", (int64_t)a->file.min_seq },
        { "hepcat.max_seq", (int64_t)a->file.max_seq },
    };
    int rc = PQ_OK;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && rc == PQ_OK; i++)
        rc = put_number(w, numbers[i].key, b, numbers[i].n);
    return rc;
}

int footer_write(struct pq_writer *w, const struct footer *f)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    buf_puts(&b, record_schema(f->table)->name);
    int rc = put(w, "hepcat.table", &b);
    if (rc == PQ_OK)
        rc = put_numbers(w, &b, f);
    for (size_t i = 0; i < f->about.replaces_count; i++)
        buf_printf(&b, "%s\n", f->about.replaces[i]);
    if (rc == PQ_OK && f->about.replaces_count > 0)
        rc = put(w, "hepcat.replaces", &b);
    for (size_t i = 0; i < f->about.position_count; i++)
        buf_printf(&b, "%" PRIu32 ":%" PRIu64 "\n", f->about.positions[i].worker, f->about.positions[i].segment);
    if (rc == PQ_OK && f->about.position_count > 0)
        rc = put(w, "hepcat.positions", &b);
    buf_free(&b);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ reading */

void footer_texts_free(struct footer_texts *t)
{
    free(t->paths);
    free(t->octets);
    t->paths = NULL;
    t->octets = NULL;
}

/* A whole decimal number. */
static bool parse(const char *text, size_t len, int64_t *ret)
{
    char copy[24], *end;
    if (len == 0 || len >= sizeof(copy))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    errno = 0;
    *ret = strtoll(copy, &end, 10);
    return errno == 0 && *end == '\0';
}

static bool get(struct pq_reader *r, const char *key, int64_t least, int64_t most, int64_t *ret)
{
    struct pq_slice v;
    return pq_reader_key_value(r, key, &v) == PQ_OK && parse((const char *)v.ptr, v.len, ret) && *ret >= least &&
           *ret <= most;
}

static bool get_table(struct pq_reader *r, struct footer *ret)
{
    struct pq_slice v;
    int table =
        pq_reader_key_value(r, "hepcat.table", &v) == PQ_OK ? record_table_by_name((const char *)v.ptr, v.len) : -1;
    ret->table = table >= 0 ? (enum record_table)table : RECORD_OTHER;
    return table >= 0;
}

static bool get_numbers(struct pq_reader *r, struct footer *ret)
{
    struct manifest_file *f = &ret->about.file;
    int64_t schema, source, node, kind, epoch, files, hour, min_seq, max_seq;
    if (!get(r, "hepcat.schema", 1, MANIFEST_SCHEMA_VERSION, &schema) ||
        !get(r, "hepcat.source", 0, UINT32_MAX, &source) || !get(r, "hepcat.node", INT64_MIN, INT64_MAX, &node) ||
        !get(r, "hepcat.kind", MANIFEST_SEAL, MANIFEST_KIND_LAST, &kind) ||
        !get(r, "hepcat.epoch", 1, INT64_MAX, &epoch) || !get(r, "hepcat.epoch_files", 0, MANIFEST_FILES_MAX, &files) ||
        !get(r, "hepcat.hour", 0, UINT32_MAX, &hour) || !get(r, "hepcat.min_ts", INT64_MIN, INT64_MAX, &f->min_ts) ||
        !get(r, "hepcat.max_ts", INT64_MIN, INT64_MAX, &f->max_ts) ||
        !get(r, "hepcat.min_seq", INT64_MIN, INT64_MAX, &min_seq) ||
        !get(r, "hepcat.max_seq", INT64_MIN, INT64_MAX, &max_seq))
        return false;
    ret->source = (uint32_t)source;
    ret->node = (uint64_t)node;
    ret->about.kind = (enum manifest_kind)kind;
    ret->about.epoch_files = (uint32_t)files;
    f->epoch = (uint64_t)epoch;
    f->hour = (uint32_t)hour;
    f->min_seq = (uint64_t)min_seq;
    f->max_seq = (uint64_t)max_seq;
    return true;
}

/* Lines of a value, each ended by a newline: how many. */
static size_t count_lines(struct pq_slice v)
{
    size_t n = 0;
    for (size_t i = 0; i < v.len; i++)
        n += v.ptr[i] == '\n';
    return n;
}

static int get_replaces(struct pq_reader *r, struct footer *ret, struct footer_texts *t)
{
    struct pq_slice v;
    if (pq_reader_key_value(r, "hepcat.replaces", &v) != PQ_OK)
        return 0;
    size_t n = count_lines(v);
    if (n == 0 || n > MANIFEST_FILES_MAX || v.ptr[v.len - 1] != '\n')
        return -EUCLEAN;
    t->octets = malloc(v.len);
    t->paths = calloc(n, sizeof(*t->paths));
    if (t->octets == NULL || t->paths == NULL)
        return -ENOMEM;
    memcpy(t->octets, v.ptr, v.len);
    char *at = t->octets;
    for (size_t i = 0; i < n; i++) {
        t->paths[i] = at;
        at = memchr(at, '\n', (size_t)(t->octets + v.len - at));
        *at++ = '\0';
    }
    ret->about.replaces = t->paths;
    ret->about.replaces_count = n;
    return 0;
}

static bool get_positions(struct pq_reader *r, struct footer *ret, struct footer_texts *t)
{
    struct pq_slice v;
    if (pq_reader_key_value(r, "hepcat.positions", &v) != PQ_OK)
        return true;
    const char *at = (const char *)v.ptr, *end = at + v.len;
    size_t n = 0;
    for (; at < end; n++) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        const char *colon = line != NULL ? memchr(at, ':', (size_t)(line - at)) : NULL;
        int64_t worker, segment;
        if (colon == NULL || n == MANIFEST_POSITIONS_MAX || !parse(at, (size_t)(colon - at), &worker) ||
            !parse(colon + 1, (size_t)(line - colon - 1), &segment) || worker < 0 || worker > UINT32_MAX || segment < 0)
            return false;
        t->positions[n] = (struct wal_position){ (uint32_t)worker, (uint64_t)segment };
        at = line + 1;
    }
    ret->about.positions = t->positions;
    ret->about.position_count = n;
    return true;
}

int footer_read(struct pq_reader *r, uint64_t bytes, struct footer *ret, struct footer_texts *t)
{
    footer_texts_free(t);
    *ret = (struct footer){ .source = 0 };
    if (!get_table(r, ret) || !get_numbers(r, ret) || !get_positions(r, ret, t))
        return -EUCLEAN;
    ret->about.file.rows = pq_reader_rows(r);
    ret->about.file.bytes = bytes;
    return get_replaces(r, ret, t);
}

struct opened {
    const struct vfs *vfs;
    int file, error;
};

static int read_at(void *ctx, uint64_t offset, void *to, size_t len)
{
    struct opened *o = ctx;
    int64_t n = vfs_read_at(o->vfs, o->file, to, len, offset);
    if (n < 0)
        o->error = (int)n;
    return n == (int64_t)len ? 0 : -1;
}

int footer_of_file(void *footer_source, const char *path, struct manifest_footer *ret)
{
    struct footer_source *s = footer_source;
    struct opened o = { .vfs = s->vfs };
    char full[VFS_PATH_MAX];
    struct pq_reader *r = NULL;
    struct footer f;
    int rc = vfs_join(full, s->dir, path);
    if (rc != 0)
        return rc;
    o.file = vfs_open(s->vfs, full, VFS_READ);
    if (o.file < 0)
        return o.file;
    int64_t size = vfs_size(s->vfs, o.file);
    struct pq_source source = { read_at, &o, size > 0 ? (uint64_t)size : 0 };
    int pq = size < 0 ? PQ_ERR_SOURCE : pq_reader_open(&r, &source, NULL, NULL);
    if (pq == PQ_OK)
        rc = footer_read(r, source.size, &f, &s->texts);
    else
        rc = pq == PQ_ERR_MEMORY ? -ENOMEM : o.error != 0 ? o.error : size < 0 ? (int)size : -EUCLEAN;
    if (rc == 0)
        *ret = f.about;
    pq_reader_free(r);
    (void)vfs_close(s->vfs, o.file);
    return rc;
}
