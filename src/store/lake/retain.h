/*
 * Retention: which files have to go, oldest hours of receipt first. Whole files only: by days and octets of a table, by
 * octets of all, and by the share of the disk that is in use.
 */
#ifndef STORE_LAKE_RETAIN_H
#define STORE_LAKE_RETAIN_H

#include "store/lake/manifest.h"
#include "store/store.h"

#define RETAIN_FILES 1024u /* at most, in one change */

struct retain_disk {
    uint64_t total, free; /* octets; total 0: not known, its share is no reason */
};

/* Why the first of the files has to go. */
enum retain_reason { RETAIN_NOTHING, RETAIN_DAYS, RETAIN_OCTETS, RETAIN_OCTETS_ALL, RETAIN_DISK };

struct retain_plan {
    size_t files[RETAIN_FILES]; /* of the pin */
    size_t count;
    enum retain_reason reason;
    uint64_t octets, rows;
};

/*
 * What has to go at `now_us` for the first reason that there is; one reason a call. For the disk's share alone the
 * newest hour stays, unless it is all there is. 0 or -ENOMEM.
 */
int retain_pick(const struct manifest_pin *pin, const struct store_retention *r, const struct retain_disk *disk,
                int64_t now_us, struct retain_plan *ret);

#endif
