/* The lake's housekeeping: suspects, retention, merges. One piece of work a call, by one thread at a time. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "store/lake/merge.h"
#include "store/lake/retain.h"

#define HOLD_US                                                                                                        \
    INT64_C(30000000) /* after retention for the disk's sake, until its space is seen; after a failed merge */

static uint64_t cpu_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* A path that is not live any more was dealt with already. */
static int remove_files(struct lake *lake, enum manifest_kind kind, const char *const *paths, size_t count,
                        struct errmsg *err)
{
    struct manifest_change change = {
        .kind = kind, .epoch = manifest_next_epoch(lake->manifest), .remove = paths, .remove_count = count
    };
    int rc = manifest_commit(lake->manifest, &change, err);
    for (size_t i = 0; i < count && rc == 0; i++)
        catalog_forget(lake->catalog, paths[i]);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ suspects */

static enum record_table table_of(const char *path)
{
    const char *slash = strchr(path, '/');
    int table = slash != NULL ? record_table_by_name(path, (size_t)(slash - path)) : -1;
    return table >= 0 ? (enum record_table)table : RECORD_OTHER;
}

/* Reads all of the file: is it really damaged? */
static int verify(struct lake *lake, const struct manifest_file *m, struct errmsg *err)
{
    struct catalog_file *f;
    catalog_forget(lake->catalog, m->path); /* what an open reader has in memory proves nothing */
    int rc = catalog_take(lake->catalog, m, table_of(m->path), &f, err);
    if (rc != 0)
        return rc;
    int pq = pq_reader_verify(f->reader);
    rc = pq != PQ_OK ? catalog_error(f, pq, err) : 0;
    catalog_give(f, false);
    return rc;
}

/* Sets a damaged file aside: it is renamed when the last pin goes. 1: there was a suspect. */
static int tend_suspects(struct lake *lake, struct errmsg *err)
{
    char path[MANIFEST_PATH_MAX];
    struct errmsg text = { "" };
    const char *paths[] = { path };
    if (!catalog_next_suspect(lake->catalog, path, &text))
        return 0;
    struct manifest_pin *pin = manifest_pin(lake->manifest);
    const struct manifest_file *m = manifest_pin_find(pin, path);
    int rc = m != NULL ? verify(lake, m, &text) : 0;
    manifest_unpin(pin);
    if (rc == -EUCLEAN) {
        rc = remove_files(lake, MANIFEST_SET_ASIDE, paths, 1, err);
        if (rc != 0)
            return rc;
        LAKE_COUNT(lake, set_aside, 1);
        lake_event(lake, "set aside", path, text.text);
    } else if (rc == 0 && m != NULL)
        lake_event(lake, "sound", path, "read again from end to end, and nothing is wrong with it");
    catalog_cleared(lake->catalog, path);
    return 1;
}

/* ------------------------------------------------------------------------------------------------ retention */

static bool disk_is_full(struct lake *lake)
{
    pthread_mutex_lock(&lake->lock);
    bool full = lake->count.disk_full;
    pthread_mutex_unlock(&lake->lock);
    return full;
}

/* What waits for readers of other processes is as good as gone. */
static void look_at_disk(struct lake *lake, struct retain_disk *ret)
{
    int64_t total = vfs_total_space(lake->vfs, lake->dir), room = vfs_free_space(lake->vfs, lake->dir);
    *ret = (struct retain_disk){ 0, 0 };
    if (total > 0 && room >= 0)
        *ret = (struct retain_disk){ (uint64_t)total, (uint64_t)room + manifest_waiting(lake->manifest) };
}

/* Age is what was asked for. That messages go for want of room, whoever looks for them will want to know. */
static void tell_retired(struct lake *lake, const struct retain_plan *plan, const char *oldest)
{
    static const char *const reasons[] = {
        [RETAIN_NOTHING] = NULL,
        [RETAIN_DAYS] = NULL,
        [RETAIN_OCTETS] = "their table is larger than retention allows",
        [RETAIN_OCTETS_ALL] = "all is larger than retention.bytes",
        [RETAIN_DISK] = "more of the disk is in use than retention.disk",
    };
    struct errmsg text;
    if (reasons[plan->reason] == NULL)
        return;
    (void)errmsg_set(&text, "%zu files of %llu rows, from this one on, given up: %s", plan->count,
                     (unsigned long long)plan->rows, reasons[plan->reason]);
    lake_event(lake, "retention", oldest, text.text);
}

static int retire(struct lake *lake, const struct manifest_pin *pin, const struct retain_plan *plan, struct errmsg *err)
{
    const char **paths = calloc(plan->count, sizeof(*paths));
    if (paths == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < plan->count; i++)
        paths[i] = manifest_pin_file(pin, plan->files[i])->path;
    int rc = remove_files(lake, MANIFEST_RETENTION, paths, plan->count, err);
    if (rc == 0)
        tell_retired(lake, plan, paths[0]);
    free(paths);
    if (rc != 0)
        return rc;
    LAKE_COUNT(lake, retired_files, plan->count);
    LAKE_COUNT(lake, retired_octets, plan->octets);
    LAKE_COUNT(lake, retired_rows, plan->rows);
    return 1;
}

/*
 * Space that pins still hold is not seen as free. So after files went for the disk's sake, the disk is not looked at
 * for a while: else more would go than need be.
 */
static int tend_retention(struct lake *lake, int64_t now_us, struct errmsg *err)
{
    struct store_retention retention;
    struct retain_disk disk = { 0, 0 };
    struct retain_plan *plan = malloc(sizeof(*plan));
    if (plan == NULL)
        return -ENOMEM;
    pthread_mutex_lock(&lake->lock);
    retention = lake->retention;
    pthread_mutex_unlock(&lake->lock);
    if (retention.disk_percent != 0 && now_us >= lake->tend.disk_after_us)
        look_at_disk(lake, &disk);
    struct manifest_pin *pin = manifest_pin(lake->manifest);
    int rc = retain_pick(pin, &retention, &disk, now_us, plan);
    if (rc == 0 && plan->count > 0)
        rc = retire(lake, pin, plan, err);
    manifest_unpin(pin);
    if (rc == 1 && plan->reason == RETAIN_DISK)
        lake->tend.disk_after_us = now_us + HOLD_US;
    free(plan);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ merges */

/* A merge needs room for what it writes before it frees anything. */
static bool has_room(struct lake *lake, const struct merge_plan *plan)
{
    int64_t room = vfs_free_space(lake->vfs, lake->dir);
    return room < 0 || (uint64_t)room > 2 * plan->octets;
}

static void merge_failed(struct lake *lake, const struct manifest_file *bad, int rc, int64_t now_us,
                         const struct errmsg *text)
{
    LAKE_COUNT(lake, merge_errors, 1);
    if (bad != NULL && rc == -EUCLEAN && catalog_suspect(lake->catalog, bad->path, text->text))
        lake_event(lake, "unreadable", bad->path, text->text);
    else
        lake->tend.merge_after_us = now_us + HOLD_US;
}

static int tend_merges(struct lake *lake, int64_t now_us, struct errmsg *err)
{
    struct merge_plan plan = { .count = 0 };
    const struct manifest_file *bad = NULL;
    if (disk_is_full(lake) || now_us < lake->tend.merge_after_us)
        return 0;
    uint64_t start = cpu_us();
    struct manifest_pin *pin = manifest_pin(lake->manifest);
    int rc = merge_pick(lake->catalog, pin, now_us, &plan, &bad, err);
    if (rc == 1 && !has_room(lake, &plan))
        rc = 0;
    if (rc == 1) {
        rc = merge_files(lake, &plan, &bad, err);
        if (rc == 0) {
            LAKE_COUNT(lake, merges, 1);
            LAKE_COUNT(lake, merged_files, plan.count);
            rc = 1;
        }
    }
    if (rc < 0)
        merge_failed(lake, bad, rc, now_us, err);
    manifest_unpin(pin);
    LAKE_COUNT(lake, cpu_merge_us, cpu_us() - start);
    return rc;
}

int lake_tend(struct store *s, int64_t now_us, struct errmsg *err)
{
    struct lake *lake = (struct lake *)s;
    if (lake->o.read_only)
        return 0;
    catalog_expire(lake->catalog);
    manifest_tend(lake->manifest, disk_is_full(lake));
    int rc = tend_suspects(lake, err);
    if (rc == 0)
        rc = tend_retention(lake, now_us, err);
    return rc == 0 ? tend_merges(lake, now_us, err) : rc;
}
