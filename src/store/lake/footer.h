/*
 * What a sealed file says of itself: key-values of its Parquet footer, from which a lost MANIFEST is rebuilt.
 * docs/lake.md lists them.
 */
#ifndef STORE_LAKE_FOOTER_H
#define STORE_LAKE_FOOTER_H

#include "record/record.h"
#include "store/lake/manifest.h"
#include "store/parquet/reader.h"
#include "store/parquet/writer.h"

struct footer {
    enum record_table table;
    uint32_t source; /* enum record_source */
    uint64_t node;
    struct manifest_footer about; /* file.rows and file.bytes are not written: the file has them */
};

/* Adds them to a file, any time before it is closed. PQ_ERR_LIMIT, PQ_ERR_MEMORY. */
int footer_write(struct pq_writer *w, const struct footer *f);

/* Holds what footer_read() points to. */
struct footer_texts {
    const char **paths;
    char *octets;
    struct wal_position positions[MANIFEST_POSITIONS_MAX];
};
void footer_texts_free(struct footer_texts *t);

/*
 * Reads them; what was in *t is released. `bytes` is the size of the file. 0, -EUCLEAN: they are not there or make no
 * sense; -ENOMEM.
 */
int footer_read(struct pq_reader *r, uint64_t bytes, struct footer *ret, struct footer_texts *t);

/* manifest_footer_fn of the lake: opens the file and reads. */
struct footer_source {
    const struct vfs *vfs;
    const char *dir; /* of the lake */
    struct footer_texts texts;
};
int footer_of_file(void *footer_source, const char *path, struct manifest_footer *ret);

#endif
