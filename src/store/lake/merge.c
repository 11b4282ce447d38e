#include "store/lake/merge.h"

#include <errno.h>
#include <string.h>

#include "store/lake/footer.h"
#include "store/lake/join.h"
#include "store/lake/outfile.h"

#define FULL_ROWS   (LAKE_GROUP_ROWS / 4 * 3) /* a group with so many is not worth joining */
#define FULL_OCTETS (LAKE_GROUP_PAYLOAD / 4 * 3)
#define JOIN_ROWS   (LAKE_GROUP_ROWS / 4 * 5) /* a joined group has at most so many */
#define JOIN_OCTETS (LAKE_GROUP_PAYLOAD / 4 * 5)
#define PIECES_MAX  4096u

/* A merge at work. */
struct merge {
    struct lake *lake;
    const struct merge_plan *plan;
    struct catalog_file *inputs[MERGE_FILES];
    struct pq_column columns[RECORD_COLUMNS_MAX];
    size_t column_count;
    char path[MANIFEST_PATH_MAX];
    uint64_t epoch;
    struct outfile out;
    bool out_open;
    struct pq_writer *w;
    struct join *join;
    struct join_piece *pieces; /* wait to be joined */
    size_t piece_count, piece_rows;
    uint64_t piece_octets;
    uint64_t first_row; /* of the group at hand, in its file */
    size_t patch_next;
    const struct manifest_file **bad;
    struct errmsg *err;
};

/* ------------------------------------------------------------------------------------------------ errors */

static int input_failed(struct merge *m, const struct catalog_file *file, int pq)
{
    for (size_t i = 0; i < m->plan->count; i++)
        if (m->inputs[i] == file)
            *m->bad = m->plan->files[i];
    return catalog_error(file, pq, m->err);
}

static int output_failed(struct merge *m, int pq)
{
    int rc = pq == PQ_ERR_MEMORY ? -ENOMEM : m->out.error != 0 ? m->out.error : -EIO;
    (void)errmsg_set(m->err, "merge to %s: %s", m->path, m->out.error != 0 ? strerror(-rc) : pq_writer_error(m->w));
    return rc;
}

/* ------------------------------------------------------------------------------------------------ groups */

static int copy_group(struct merge *m, const struct join_piece *p)
{
    bool source;
    int pq = pq_writer_group_copy(m->w, p->file->reader, p->group, &source);
    if (pq == PQ_OK)
        return 0;
    return source ? input_failed(m, p->file, pq) : output_failed(m, pq);
}

static int join_group(struct merge *m)
{
    int pq = pq_writer_group_begin(m->w, m->piece_rows);
    for (unsigned c = 0; c < m->column_count && pq == PQ_OK; c++) {
        struct pq_data data;
        size_t piece = m->piece_count;
        pq = join_column(m->join, c, &m->columns[c], m->pieces, m->piece_count, &data, &piece);
        if (pq != PQ_OK && piece < m->piece_count)
            return input_failed(m, m->pieces[piece].file, pq);
        if (pq == PQ_OK)
            pq = pq_writer_column(m->w, &data);
    }
    if (pq == PQ_OK)
        pq = pq_writer_group_end(m->w);
    return pq == PQ_OK ? 0 : output_failed(m, pq);
}

/* Files of this release have its columns in its order; others are written anew. */
static bool same_columns(const struct merge *m, const struct catalog_file *f)
{
    if (pq_reader_columns(f->reader) != m->column_count)
        return false;
    for (size_t c = 0; c < m->column_count; c++) {
        const struct pq_column *a = &m->columns[c], *b = pq_reader_column(f->reader, c);
        if (f->columns[c] != (int16_t)c || a->logical != b->logical || a->width != b->width ||
            a->nullable != b->nullable)
            return false;
    }
    return true;
}

static int flush(struct merge *m)
{
    int rc = 0;
    if (m->piece_count == 1 && same_columns(m, m->pieces[0].file))
        rc = copy_group(m, &m->pieces[0]);
    else if (m->piece_count > 0)
        rc = join_group(m);
    m->piece_count = m->piece_rows = 0;
    m->piece_octets = 0;
    return rc;
}

/* The patches of the group at hand; NULL if there is no memory. */
static struct join_patch *patches_of(struct merge *m, size_t rows, size_t *ret_count)
{
    const struct merge_plan *plan = m->plan;
    size_t n = 0;
    while (m->patch_next + n < plan->patch_count && plan->patches[m->patch_next + n].row < m->first_row + rows)
        n++;
    struct join_patch *patches = calloc(n + 1, sizeof(*patches));
    for (size_t i = 0; i < n && patches != NULL; i++)
        patches[i] = (struct join_patch){ (size_t)(plan->patches[m->patch_next + i].row - m->first_row),
                                          plan->patches[m->patch_next + i].by };
    m->patch_next += n;
    *ret_count = n;
    return patches;
}

/* A group with rows that are replaced is written anew, by itself. 1: it has none. */
static int patch_group(struct merge *m, const struct join_piece *piece)
{
    size_t n;
    struct join_patch *patches = patches_of(m, piece->rows, &n);
    int rc = patches == NULL ? -ENOMEM : n == 0 ? 1 : flush(m);
    if (rc == 0)
        rc = join_patch(m->join, m->plan->rows, patches, n);
    if (rc == 0) {
        m->pieces[0] = *piece;
        m->piece_count = 1;
        m->piece_rows = piece->rows;
        rc = join_group(m);
        m->piece_count = m->piece_rows = 0;
        (void)join_patch(m->join, NULL, NULL, 0);
    }
    m->first_row += piece->rows;
    free(patches);
    return rc;
}

static int add_group(struct merge *m, struct catalog_file *f, size_t group)
{
    struct join_piece piece = { f, group, pq_reader_group_rows(f->reader, group) };
    if (m->plan->patch_count > 0) {
        int patched = patch_group(m, &piece);
        if (patched != 1)
            return patched;
    }
    int16_t payload = f->columns[RECORD_COL_payload];
    uint64_t octets = payload >= 0 ? pq_reader_chunk_octets(f->reader, group, (size_t)payload) : 0;
    if ((piece.rows >= FULL_ROWS || octets >= FULL_OCTETS) && same_columns(m, f))
        return copy_group(m, &piece); /* what waits comes behind it: that keeps groups large */
    int rc = 0;
    if (m->piece_count > 0 && (m->piece_count == PIECES_MAX || m->piece_rows + piece.rows > JOIN_ROWS ||
                               m->piece_octets + octets > JOIN_OCTETS))
        rc = flush(m);
    m->pieces[m->piece_count++] = piece;
    m->piece_rows += piece.rows;
    m->piece_octets += octets;
    return rc;
}

static int write_groups(struct merge *m)
{
    int rc = 0;
    for (size_t i = 0; i < m->plan->count && rc == 0; i++)
        for (size_t g = 0; g < pq_reader_groups(m->inputs[i]->reader) && rc == 0; g++)
            rc = add_group(m, m->inputs[i], g);
    return rc == 0 ? flush(m) : rc;
}

/* ------------------------------------------------------------------------------------------------ the file */

static void fill_file(const struct merge *m, struct manifest_file *f)
{
    *f = *m->plan->files[0];
    f->path = m->path;
    f->rows = 0;
    f->epoch = m->epoch;
    for (size_t i = 0; i < m->plan->count; i++) {
        const struct manifest_file *in = m->plan->files[i];
        f->rows += in->rows;
        f->min_ts = in->min_ts < f->min_ts ? in->min_ts : f->min_ts;
        f->max_ts = in->max_ts > f->max_ts ? in->max_ts : f->max_ts;
        f->min_seq = in->min_seq < f->min_seq ? in->min_seq : f->min_seq;
        f->max_seq = in->max_seq > f->max_seq ? in->max_seq : f->max_seq;
    }
    if (m->plan->patch_count > 0) {
        int64_t min, max;
        group_times(m->plan->rows, &min, &max);
        f->min_ts = min < f->min_ts ? min : f->min_ts;
        f->max_ts = max > f->max_ts ? max : f->max_ts;
    }
}

static int open_all(struct merge *m)
{
    int rc = 0;
    for (size_t i = 0; i < m->plan->count && rc == 0; i++) {
        rc = catalog_take(m->lake->catalog, m->plan->files[i], m->plan->table, &m->inputs[i], m->err);
        if (rc != 0)
            *m->bad = m->plan->files[i];
    }
    if (rc != 0)
        return rc;
    m->epoch = manifest_next_epoch(m->lake->manifest);
    m->column_count = lake_columns(m->plan->table, m->columns);
    m->pieces = calloc(PIECES_MAX, sizeof(*m->pieces));
    m->join = join_new();
    if (m->pieces == NULL || m->join == NULL)
        return -ENOMEM;
    outfile_path(m->path, m->plan->table, m->plan->hour, m->epoch, m->lake->o.node, 1);
    rc = outfile_open(&m->out, m->lake->vfs, m->lake->dir, m->path);
    if (rc != 0) {
        (void)errmsg_set(m->err, "%s: %s", m->path, strerror(-rc));
        return rc;
    }
    m->out_open = true;
    struct pq_sink sink = outfile_sink(&m->out);
    int pq = pq_writer_open(&m->w, m->columns, m->column_count, &sink, NULL);
    return pq == PQ_OK ? 0 : pq == PQ_ERR_MEMORY ? -ENOMEM : -EIO;
}

/* What an input says that it replaced itself; its texts go on living in *texts. */
static int inherit(struct merge *m, size_t input, struct footer_texts *texts, const char **replaces, size_t *count)
{
    struct footer f;
    int rc = footer_read(m->inputs[input]->reader, m->plan->files[input]->bytes, &f, texts);
    for (size_t i = 0; rc == 0 && i < f.about.replaces_count && *count < MANIFEST_FILES_MAX; i++)
        replaces[(*count)++] = f.about.replaces[i];
    if (rc == -EUCLEAN)
        *m->bad = m->plan->files[input];
    return rc;
}

/*
 * The footer says all that a lost MANIFEST is rebuilt from: files whose rows are in this one, those as well that the
 * inputs had replaced (to unlink them may have failed), and the WAL position, which was in the footers that go.
 */
static int write_footer_of(struct merge *m, const struct manifest_file *f, struct footer_texts *texts,
                           const char **replaces)
{
    const struct wal_position *positions;
    size_t count = m->plan->count;
    int rc = 0;
    for (size_t i = 0; i < m->plan->count; i++)
        replaces[i] = m->plan->files[i]->path;
    for (size_t i = 0; i < m->plan->count && rc == 0; i++)
        rc = inherit(m, i, &texts[i], replaces, &count);
    if (rc != 0) {
        (void)errmsg_set(m->err, "merge to %s: footers: %s", m->path, strerror(-rc));
        return rc;
    }
    struct manifest_pin *pin = manifest_pin(m->lake->manifest);
    size_t position_count = manifest_pin_positions(pin, &positions);
    struct footer footer = {
        .table = m->plan->table,
        .source = m->plan->source,
        .node = m->lake->o.node,
        .about = { .file = *f,
                   .kind = m->plan->kind,
                   .epoch_files = 1,
                   .replaces = replaces,
                   .replaces_count = count,
                   .positions = positions,
                   .position_count = position_count },
    };
    int pq = footer_write(m->w, &footer);
    manifest_unpin(pin);
    if (pq == PQ_OK)
        pq = pq_writer_close(m->w);
    return pq == PQ_OK ? 0 : output_failed(m, pq);
}

static int write_footer(struct merge *m, const struct manifest_file *f)
{
    struct footer_texts *texts = calloc(m->plan->count, sizeof(*texts));
    const char **replaces = calloc(MANIFEST_FILES_MAX, sizeof(*replaces));
    int rc = texts != NULL && replaces != NULL ? write_footer_of(m, f, texts, replaces) : -ENOMEM;
    for (size_t i = 0; i < m->plan->count && texts != NULL; i++)
        footer_texts_free(&texts[i]);
    free(texts);
    free((void *)replaces);
    return rc;
}

/* A refusal leaves nothing of the change on the disk; after another error nobody knows, and the file stays. */
static int commit(struct merge *m, const struct manifest_file *f)
{
    const char *remove[MERGE_FILES];
    for (size_t i = 0; i < m->plan->count; i++)
        remove[i] = m->plan->files[i]->path;
    struct manifest_change change = { .kind = m->plan->kind,
                                      .epoch = m->epoch,
                                      .add = f,
                                      .add_count = 1,
                                      .remove = remove,
                                      .remove_count = m->plan->count };
    int rc = manifest_commit(m->lake->manifest, &change, m->err);
    if (rc == -EEXIST || rc == -ENOENT || rc == -EINVAL || rc == -E2BIG)
        (void)vfs_unlink(m->lake->vfs, m->out.path);
    return rc;
}

static int finish(struct merge *m)
{
    struct manifest_file f;
    fill_file(m, &f);
    int rc = write_footer(m, &f);
    if (rc != 0)
        return rc;
    struct pq_writer_counts counts = pq_writer_counts(m->w);
    if (counts.rows != f.rows) {
        (void)errmsg_set(m->err, "%s: %llu rows became %llu", m->path, (unsigned long long)f.rows,
                         (unsigned long long)counts.rows);
        return -EIO;
    }
    f.bytes = counts.octets;
    rc = outfile_publish(&m->out);
    if (rc != 0) {
        (void)errmsg_set(m->err, "%s: %s", m->path, strerror(-rc));
        return rc;
    }
    m->out_open = false;
    return commit(m, &f);
}

int merge_files(struct lake *lake, const struct merge_plan *plan, const struct manifest_file **ret_bad,
                struct errmsg *err)
{
    *ret_bad = NULL;
    struct merge *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return -ENOMEM;
    m->lake = lake;
    m->plan = plan;
    m->bad = ret_bad;
    m->err = err;
    int rc = open_all(m);
    if (rc == 0)
        rc = write_groups(m);
    if (rc == 0)
        rc = finish(m);
    if (m->out_open)
        outfile_abort(&m->out);
    for (size_t i = 0; i < plan->count; i++)
        catalog_give(m->inputs[i], false); /* they are not asked for again */
    for (size_t i = 0; i < plan->count && rc == 0; i++)
        catalog_forget(lake->catalog, plan->files[i]->path);
    pq_writer_free(m->w);
    join_free(m->join);
    free(m->pieces);
    free(m);
    return rc;
}
