/*
 * Groups to files. The groups of one (table, hour, source) become the row groups of one file; all files of a seal, the
 * WAL positions and the highest sequence number become one change of the MANIFEST, at whose moment the groups leave the
 * list of hot rows. What fails is tried again with the files that are there already.
 */
#ifndef STORE_LAKE_SEAL_H
#define STORE_LAKE_SEAL_H

#include "store/lake/internal.h"

/* Behind store_ops. */
int seal_begin(struct store *s, struct store_seal **ret);
void seal_cut(struct store *s, struct store_seal *seal, unsigned writer, const struct wal_position *position);
size_t seal_rows(const struct store_seal *seal);
size_t seal_positions(const struct store_seal *seal, const struct wal_position **ret);
int seal_state(struct store *s, struct store_seal *seal, int (*produce)(void *arg, store_write_fn *write, void *to),
               void *arg, struct errmsg *err);
int seal_end(struct store *s, struct store_seal *seal, uint64_t max_seq, struct errmsg *err);
void seal_free(struct store_seal *seal);

#endif
