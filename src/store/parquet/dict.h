/* Dictionary of the values of a column chunk, built while its values are read. Private to the folder. */
#ifndef STORE_PARQUET_DICT_H
#define STORE_PARQUET_DICT_H

#include "store/parquet/format.h"

struct pq_dict {
    struct pq_slice *entries; /* borrowed values, in order of appearance */
    size_t count;
    size_t cap;
    size_t octets;   /* of all entries in PLAIN encoding */
    uint32_t *slots; /* hash table of entry + 1; 0 is free */
    size_t slot_count;
};

void pq_dict_reset(struct pq_dict *d);
void pq_dict_free(struct pq_dict *d);

/* Appends an entry without looking for an equal one. PQ_ERR_MEMORY. */
int pq_dict_append(struct pq_dict *d, struct pq_slice value);

/* The code of a value, which is added if it is new. PQ_ERR_MEMORY. */
int pq_dict_code(struct pq_dict *d, struct pq_slice value, uint32_t *ret);

#endif
