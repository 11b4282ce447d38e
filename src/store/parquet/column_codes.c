#include <string.h>

#include "store/parquet/hybrid.h"
#include "store/parquet/writer_internal.h"

/* A dictionary of a chunk with hardly a value twice is given up after so many rows. */
#define DICTIONARY_TRIAL 4096u

/* Entries of the caller's dictionary as slices. */
static int take_dictionary(struct pq_writer *w, const struct pq_chunk *k)
{
    size_t width = pq_column_width(k->column);
    int rc = PQ_OK;
    for (size_t s = 0; s < k->data->dictionary_count; s++) {
        const struct pq_segment *seg = &k->data->dictionary[s];
        for (size_t i = 0; i < seg->rows && rc == PQ_OK; i++)
            rc = pq_dict_append(&w->dict, seg->slices != NULL ? seg->slices[i] : pq_segment_value(seg, width, i));
    }
    return rc;
}

/*
 * The caller's codes in one array, checked; *ret_plain is about what the values would take in PLAIN encoding: looking
 * up the length of each would cost more than the rest of this.
 */
static int take_codes(struct pq_writer *w, struct pq_chunk *k, size_t *ret_plain)
{
    int rc = take_dictionary(w, k);
    size_t present = 0, row = 0;
    for (size_t s = 0; s < k->data->segment_count && rc == PQ_OK; s++) {
        const struct pq_segment *seg = &k->data->segments[s];
        for (size_t i = 0; i < seg->rows; i++) {
            uint32_t code = pq_segment_valid(seg, i) ? seg->codes[i] : PQ_NULL_CODE;
            w->codes[row++] = code;
            if (code == PQ_NULL_CODE)
                continue;
            if (code >= w->dict.count)
                return pq_writer_fail(w, PQ_ERR_USAGE, "a code beyond the dictionary");
            present++;
        }
    }
    k->present = present;
    *ret_plain = w->dict.count > 0 ? (size_t)((double)w->dict.octets / (double)w->dict.count * (double)present) : 0;
    return rc;
}

/* Is it the same value in all rows, without a NULL? Then it is the dictionary, and no row needs to be looked at. */
static int try_constant(struct pq_writer *w, struct pq_chunk *k, size_t width, bool *ret)
{
    const uint8_t *first = k->data->segments[0].values;
    *ret = width > 0;
    for (size_t s = 0; s < k->data->segment_count && *ret; s++) {
        const struct pq_segment *seg = &k->data->segments[s];
        const uint8_t *values = seg->values;
        *ret = seg->validity == NULL && seg->rows > 0 && memcmp(values, first, width) == 0 &&
               memcmp(values, values + width, (seg->rows - 1) * width) == 0;
    }
    if (!*ret)
        return PQ_OK;
    k->present = k->rows;
    memset(w->codes, 0, k->rows * sizeof(*w->codes));
    return pq_dict_append(&w->dict, (struct pq_slice){ first, width });
}

/* Few values of 32 bits come again and again: most are found without the dictionary's hash table. */
static int code_of(struct pq_writer *w, struct pq_slice v, uint32_t *ret)
{
    uint32_t n;
    if (v.len != sizeof(n))
        return pq_dict_code(&w->dict, v, ret);
    memcpy(&n, v.ptr, sizeof(n));
    struct pq_memo *memo = &w->memo[n * 0x9e3779b1u >> 24];
    if (memo->code == 0 || memo->value != n) {
        int rc = pq_dict_code(&w->dict, v, ret);
        if (rc == PQ_OK)
            *memo = (struct pq_memo){ n, *ret + 1 };
        return rc;
    }
    *ret = memo->code - 1;
    return PQ_OK;
}

/* Builds a dictionary from the values. *ret_plain is SIZE_MAX if there is none. */
static int build_codes(struct pq_writer *w, struct pq_chunk *k, size_t *ret_plain)
{
    size_t width = pq_column_width(k->column), plain = 0;
    memset(w->memo, 0, sizeof(w->memo));
    pq_rows_rewind(k);
    for (size_t row = 0; row < k->rows; row++) {
        size_t at;
        const struct pq_segment *s = pq_rows_next(k, &at);
        struct pq_slice v = pq_segment_value(s, width, at);
        w->codes[row] = PQ_NULL_CODE;
        if (v.ptr == NULL)
            continue;
        int rc = code_of(w, v, &w->codes[row]);
        if (rc != PQ_OK)
            return rc;
        k->present++;
        plain += v.len + 4;
        bool hopeless = row >= DICTIONARY_TRIAL && w->dict.count > row - row / 4;
        if (w->dict.octets > w->dictionary_max || hopeless) {
            *ret_plain = SIZE_MAX;
            return PQ_OK;
        }
    }
    *ret_plain = plain;
    return PQ_OK;
}

static int find_codes(struct pq_writer *w, struct pq_chunk *k, size_t *ret_plain)
{
    bool constant = false;
    size_t width = pq_column_width(k->column);
    int rc = try_constant(w, k, width, &constant);
    *ret_plain = k->rows * (width + 4);
    return rc != PQ_OK || constant ? rc : build_codes(w, k, ret_plain);
}

static bool pays(const struct pq_writer *w, const struct pq_chunk *k, size_t plain)
{
    size_t width = pq_hybrid_width(w->dict.count > 0 ? (uint32_t)w->dict.count - 1 : 0);
    return w->dict.octets <= w->dictionary_max && w->dict.octets + k->rows * width / 8 < plain;
}

int pq_chunk_codes(struct pq_writer *w, struct pq_chunk *k)
{
    bool given = k->data->kind == PQ_DATA_CODES;
    pq_dict_reset(&w->dict);
    if (!given && (!k->column->dictionary || k->column->type == PQ_BOOLEAN))
        return PQ_OK;
    int rc = pq_reserve_numbers(&w->codes, &w->codes_cap, k->rows);
    size_t plain = 0;
    if (rc == PQ_OK)
        rc = given ? take_codes(w, k, &plain) : find_codes(w, k, &plain);
    if (rc != PQ_OK)
        return rc;
    if (given || plain != SIZE_MAX)
        k->codes = w->codes;
    k->by_code = k->codes != NULL && k->column->type != PQ_BOOLEAN && pays(w, k, plain);
    if (!k->by_code && !given)
        k->codes = NULL;
    if (k->codes == NULL)
        return PQ_OK;
    rc = pq_reserve_numbers(&w->stamps, &w->stamps_cap, w->dict.count);
    if (rc == PQ_OK && w->dict.count > 0)
        memset(w->stamps, 0, w->dict.count * sizeof(*w->stamps));
    return rc;
}
