/*
 * Small files into large ones. Each row is rewritten a few times at most: eight files of about the same size become one
 * while their hour lasts, and what is left of the hour becomes one when it is over. Row groups that are nearly full are
 * copied as they are, small ones are joined (join.h). Rows of one row group keep their order.
 */
#ifndef STORE_LAKE_MERGE_H
#define STORE_LAKE_MERGE_H

#include "store/lake/catalog.h"
#include "store/lake/internal.h"

#define MERGE_FILES  64u                 /* at most, in one merge */
#define MERGE_ROWS   ((uint64_t)1 << 20) /* of a file that a merge makes */
#define MERGE_OCTETS ((uint64_t)256 << 20)

/* A row of the first file, and the row of merge_plan.rows that stands in its place. */
struct merge_patch {
    uint64_t row;
    size_t by;
};

/* Files of one table, hour and source, to become one. They belong to the pin. */
struct merge_plan {
    enum manifest_kind kind; /* MANIFEST_MERGE, or with patches MANIFEST_SUPERSEDE */
    enum record_table table;
    uint32_t hour, source;
    const struct manifest_file *files[MERGE_FILES]; /* in order of their least seq */
    size_t count;
    uint64_t octets;
    /* Rows of one file that newer versions replace, in ascending order. */
    const struct group *rows;
    const struct merge_patch *patches;
    size_t patch_count;
};

/*
 * The next files that are worth it, at `now_us`: 1, or 0 if there are none; a negative errno if a file that had to be
 * looked at could not be read (*ret_bad, else NULL).
 */
int merge_pick(struct catalog *c, const struct manifest_pin *pin, int64_t now_us, struct merge_plan *ret,
               const struct manifest_file **ret_bad, struct errmsg *err);

/*
 * Writes the file and commits. 0 or a negative errno; *ret_bad is then the file that could not be read (-EUCLEAN: it is
 * damaged), or NULL.
 */
int merge_files(struct lake *lake, const struct merge_plan *plan, const struct manifest_file **ret_bad,
                struct errmsg *err);

#endif
