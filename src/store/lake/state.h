/*
 * The octets that a seal keeps for the engine (calls that run): one file, replaced as a whole.
 *
 *     0 magic "hcstate1"   8 the octets   at the end: XXH3-64 of all before it, little-endian
 */
#ifndef STORE_LAKE_STATE_H
#define STORE_LAKE_STATE_H

#include "store/lake/internal.h"

/* Writes and syncs "state/<name>" of this epoch, whose path goes to `ret`. 0 or a negative errno with a text. */
int state_write(const struct lake *lake, uint64_t epoch, int (*produce)(void *arg, store_write_fn *write, void *to),
                void *arg, char ret[MANIFEST_PATH_MAX], struct errmsg *err);

/* Removes a file that no MANIFEST names. */
void state_remove(const struct lake *lake, const char *path);

/* Behind store_ops.state. */
int state_read(struct store *s, struct buf *ret);

#endif
