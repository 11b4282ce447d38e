/* Row groups of other files, copied as they are. */
#include <string.h>

#include "store/parquet/page.h"
#include "store/parquet/reader_internal.h"
#include "store/parquet/writer_internal.h"

static bool same_columns(const struct pq_writer *w, const struct pq_reader *r)
{
    if (w->column_count != r->column_count)
        return false;
    for (size_t i = 0; i < w->column_count; i++) {
        const struct pq_column *a = &w->columns[i], *b = &r->columns[i];
        if (strcmp(a->name, b->name) != 0 || a->type != b->type || a->logical != b->logical || a->width != b->width ||
            a->nullable != b->nullable)
            return false;
    }
    return true;
}

/* The page in r->raw: written, with its new seal in the note. */
static int put(struct pq_writer *w, const struct pq_reader *r, const struct pq_page *page, struct pq_page_note *note)
{
    struct pq_slice header = { r->raw.ptr, r->raw.len - page->body.len };
    note->offset = w->counts.octets;
    note->size = r->raw.len;
    note->seal = pq_seal_more(pq_seal(note->offset, header), page->body);
    w->counts.uncompressed += page->uncompressed;
    return pq_writer_put(w, (struct pq_slice){ r->raw.ptr, r->raw.len });
}

/* All pages of a chunk; their notes stay for the OffsetIndex. */
static int copy_pages(struct pq_writer *w, struct pq_reader *r, size_t group, size_t column, struct pq_m_column_meta *m,
                      uint64_t *ret_dictionary_seal, bool *ret_source)
{
    struct pq_slot *s = &r->slots[column];
    struct pq_page page = { .values = 0 };
    struct pq_page_note note = { .offset = 0 };
    int rc = PQ_OK;
    buf_reset(&w->notes);
    *ret_dictionary_seal = 0;
    *ret_source = false;
    if (pq_reader_has_dictionary(r, group, column)) {
        rc = pq_reader_dictionary_raw(r, group, column, &page);
        *ret_source = rc != PQ_OK;
        if (rc == PQ_OK)
            rc = put(w, r, &page, &note);
        m->dictionary_page_offset = (int64_t)note.offset;
        *ret_dictionary_seal = note.seal;
    }
    m->data_page_offset = (int64_t)w->counts.octets;
    for (size_t i = 0; i < s->offset_index.locations.count && rc == PQ_OK; i++) {
        rc = pq_reader_page_raw(r, group, column, i, &page);
        *ret_source = rc != PQ_OK;
        note.first_row = (size_t)pq_reader_location(s, i)->first_row_index;
        if (rc == PQ_OK)
            rc = put(w, r, &page, &note);
        if (rc == PQ_OK)
            rc = pq_note_add(w, &note);
    }
    return rc;
}

/* A ColumnIndex or a bloom filter; nothing if the chunk has none. */
static int copy_part(struct pq_reader *r, const struct pq_m_column_chunk *c, unsigned which, struct buf *to)
{
    bool bloom = which == PQ_SEAL_BLOOM;
    bool there = bloom ? (c->meta.present & PQ_HAS(11)) != 0 && (c->meta.present & PQ_HAS(12)) != 0
                       : (c->present & PQ_HAS(4)) != 0 && (c->present & PQ_HAS(5)) != 0;
    int64_t offset = bloom ? c->meta.bloom_filter_offset : c->column_index_offset;
    int32_t len = bloom ? c->meta.bloom_filter_length : c->column_index_length;
    if (!there)
        return PQ_OK;
    if (offset < 0 || len < 0 || len > (int32_t)PQ_INDEX_MAX)
        return PQ_ERR_DAMAGED;
    int rc = pq_reader_fetch(r, (uint64_t)offset, (uint64_t)len, &r->raw);
    if (rc == PQ_OK && !pq_reader_sealed(r, pq_reader_chunk_seal(c, which), (uint64_t)offset, &r->raw))
        rc = PQ_ERR_DAMAGED;
    if (rc == PQ_OK)
        buf_put(to, r->raw.ptr, r->raw.len);
    return rc;
}

static int copy_chunk(struct pq_writer *w, struct pq_reader *r, size_t group, size_t i, bool *ret_source)
{
    const struct pq_m_column_chunk *from = pq_reader_chunk(r, group, i);
    struct pq_m_column_chunk *to = &w->chunks[i];
    size_t bloom = w->blooms.len, column = w->column_indexes.len, offset = w->offset_indexes.len;
    uint64_t dictionary_seal;
    *ret_source = true;
    int rc = pq_reader_offsets(r, group, i);
    if (rc != PQ_OK)
        return rc;
    to->present = PQ_HAS(0) | PQ_HAS(1);
    to->meta = from->meta; /* what it points to lives as long as the reader: until the group is encoded */
    to->meta.present &= ~(PQ_HAS(11) | PQ_HAS(12));
    rc = copy_pages(w, r, group, i, &to->meta, &dictionary_seal, ret_source);
    if (rc != PQ_OK)
        return rc;
    *ret_source = true;
    rc = copy_part(r, from, PQ_SEAL_BLOOM, &w->blooms);
    if (rc == PQ_OK)
        rc = copy_part(r, from, PQ_SEAL_COLUMN_INDEX, &w->column_indexes);
    if (rc != PQ_OK)
        return rc;
    *ret_source = false;
    rc = pq_offset_index_put(w, dictionary_seal);
    w->bloom_parts[i] = pq_part_since(&w->blooms, bloom);
    w->column_index_parts[i] = pq_part_since(&w->column_indexes, column);
    w->offset_index_parts[i] = pq_part_since(&w->offset_indexes, offset);
    return w->blooms.failed || w->column_indexes.failed ? PQ_ERR_LIMIT : rc;
}

int pq_writer_group_copy(struct pq_writer *w, struct pq_reader *r, size_t group, bool *ret_source)
{
    *ret_source = false;
    if (w->failed == PQ_OK && (group >= pq_reader_groups(r) || !same_columns(w, r)))
        return pq_writer_fail(w, PQ_ERR_USAGE, "a row group to copy has other columns");
    int rc = pq_writer_group_begin(w, pq_reader_group_rows(r, group));
    for (size_t i = 0; i < w->column_count && rc == PQ_OK; i++) {
        rc = copy_chunk(w, r, group, i, ret_source);
        if (rc != PQ_OK)
            rc = pq_writer_fail(w, rc, w->columns[i].name);
        else
            w->next_column++;
    }
    return rc == PQ_OK ? pq_writer_group_end(w) : rc;
}
