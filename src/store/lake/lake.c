#include "store/lake/lake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/lake/catalog.h"
#include "store/lake/datadir.h"
#include "store/lake/duck.h"
#include "store/lake/footer.h"
#include "store/lake/hot.h"
#include "store/lake/internal.h"
#include "store/lake/seal.h"
#include "store/lake/state.h"

#define HOT_LIMIT ((size_t)128 << 20)

void lake_event(const struct lake *lake, const char *what, const char *path, const char *text)
{
    if (lake->o.event != NULL)
        lake->o.event(lake->o.arg, what, path, text);
}

/* ------------------------------------------------------------------------------------------------ hot rows */

static int append(struct store *s, unsigned writer, const struct record *record)
{
    struct lake *lake = (struct lake *)s;
    return lake->hot != NULL ? hot_append(lake->hot, writer, record) : -EROFS;
}

static bool full(struct store *s)
{
    struct lake *lake = (struct lake *)s;
    return lake->hot == NULL || hot_full(lake->hot);
}

static bool pressed(struct store *s)
{
    struct lake *lake = (struct lake *)s;
    return lake->hot != NULL && hot_pressed(lake->hot);
}

static int begin(struct store *s, struct store_seal **ret)
{
    return ((struct lake *)s)->hot != NULL ? seal_begin(s, ret) : -EROFS;
}

/* ------------------------------------------------------------------------------------------------ pins */

struct pinning {
    struct store_pin *pin;
    int rc;
};

/* Under the lock of the set of files: what was sealed is either in that set or among the groups. */
static void pin_groups(void *arg)
{
    struct pinning *p = arg;
    struct store_pin *pin = p->pin;
    if (pin->lake->hot != NULL)
        p->rc = hot_pin(pin->lake->hot, &pin->groups, &pin->rows, &pin->group_count);
}

void lake_unpin(struct store *s, struct store_pin *pin)
{
    (void)s;
    if (pin == NULL)
        return;
    for (size_t i = 0; i < pin->group_count; i++)
        group_unref(pin->groups[i]);
    manifest_unpin(pin->files);
    free(pin->groups);
    free(pin->rows);
    free(pin);
}

int lake_pin(struct store *s, struct store_pin **ret)
{
    struct pinning p = { .pin = calloc(1, sizeof(*p.pin)) };
    if (p.pin == NULL)
        return -ENOMEM;
    p.pin->lake = (struct lake *)s;
    p.pin->files = manifest_pin_with(p.pin->lake->manifest, pin_groups, &p);
    if (p.rc != 0) {
        manifest_unpin(p.pin->files);
        free(p.pin);
        return p.rc;
    }
    *ret = p.pin;
    return 0;
}

static void set_live(struct store *s, const struct store_live *live)
{
    struct lake *lake = (struct lake *)s;
    lake->live = live != NULL ? *live : (struct store_live){ .walk = NULL };
}

/* ------------------------------------------------------------------------------------------------ figures */

static enum record_table table_of(const struct manifest_file *f)
{
    const char *slash = strchr(f->path, '/');
    int table = slash != NULL ? record_table_by_name(f->path, (size_t)(slash - f->path)) : -1;
    return table >= 0 ? (enum record_table)table : RECORD_OTHER;
}

/*
 * Rows from the network have times near that of their receipt (docs/lake.md); an import of old captures has not, and
 * says nothing of how far back the lake goes.
 */
static bool is_from_network(const struct manifest_file *f)
{
    return f->min_ts >= ((int64_t)f->hour - 25) * INT64_C(3600000000);
}

static void count_files(struct lake *lake, struct store_figures *ret)
{
    struct manifest_pin *files = manifest_pin(lake->manifest);
    ret->oldest_us = INT64_MAX;
    ret->files = manifest_pin_count(files);
    for (size_t i = 0; i < ret->files; i++) {
        const struct manifest_file *f = manifest_pin_file(files, i);
        enum record_table t = table_of(f);
        ret->rows[t] += f->rows;
        ret->table_octets[t] += f->bytes;
        ret->file_octets += f->bytes;
        if (is_from_network(f) && f->min_ts < ret->oldest_us)
            ret->oldest_us = f->min_ts;
    }
    manifest_unpin(files);
}

static void count_hot(struct lake *lake, struct store_figures *ret)
{
    struct hot_figures h;
    if (lake->hot == NULL)
        return;
    hot_figures(lake->hot, &h);
    ret->hot_rows = h.rows;
    ret->hot_octets = h.octets;
    ret->hot_limit = lake->o.hot_limit;
    ret->sealing_octets = h.cut_octets;
    ret->appended = h.appended;
    ret->refused = h.refused;
    ret->cpu_zip_us = h.cpu_zip_us;
}

static void count_disk(const struct lake *lake, struct store_figures *ret)
{
    struct statvfs st;
    ret->free_octets = vfs_free_space(lake->vfs, lake->dir);
    if (statvfs(lake->dir, &st) == 0)
        ret->disk_octets = (int64_t)st.f_blocks * (int64_t)st.f_frsize;
}

static void figures(struct store *s, struct store_figures *ret)
{
    struct lake *lake = (struct lake *)s;
    struct duck_counters counters;
    pthread_mutex_lock(&lake->lock);
    *ret = lake->count;
    struct duck *const workers[] = { lake->duck, lake->typed_duck };
    pthread_mutex_unlock(&lake->lock);
    count_files(lake, ret);
    count_hot(lake, ret);
    count_disk(lake, ret);
    for (size_t i = 0; i < 2; i++) {
        if (workers[i] == NULL)
            continue;
        duck_counters(workers[i], &counters);
        ret->worker_rss += counters.rss;
        ret->worker_restarts += counters.starts > 0 ? counters.starts - 1 : 0;
    }
}

static void retain(struct store *s, const struct store_retention *retention)
{
    struct lake *lake = (struct lake *)s;
    pthread_mutex_lock(&lake->lock);
    lake->retention = *retention;
    pthread_mutex_unlock(&lake->lock);
}

/* ------------------------------------------------------------------------------------------------ opening */

static void lake_close(struct store *s)
{
    struct lake *lake = (struct lake *)s;
    if (lake == NULL)
        return;
    duck_close(lake->duck);
    duck_close(lake->typed_duck);
    catalog_close(lake->catalog);
    hot_close(lake->hot);
    manifest_close(lake->manifest);
    free((void *)(uintptr_t)lake->o.data_dir);
    free((void *)(uintptr_t)lake->o.duck_library);
    free((void *)(uintptr_t)lake->o.duck_executable);
    pthread_mutex_destroy(&lake->lock);
    free(lake);
}

static const struct store_ops ops = {
    .append = append,
    .full = full,
    .pressed = pressed,
    .seal_begin = begin,
    .seal_cut = seal_cut,
    .seal_state = seal_state,
    .state = state_read,
    .seal_rows = seal_rows,
    .seal_positions = seal_positions,
    .seal_end = seal_end,
    .seal_free = seal_free,
    .tend = lake_tend,
    .replace = lake_replace,
    .retain = retain,
    .pin = lake_pin,
    .unpin = lake_unpin,
    .live = set_live,
    .pin_calls = lake_pin_calls,
    .scan = lake_scan,
    .fetch = lake_fetch,
    .span = lake_span,
    .aggregate = lake_aggregate,
    .follow = lake_follow,
    .unfollow = lake_unfollow,
    .follow_next = lake_follow_next,
    .match = lake_match,
    .sql = lake_sql,
    .figures = figures,
    .close = lake_close,
};

static int copy_text(const char **text)
{
    if (*text == NULL)
        return 0;
    *text = strdup(*text);
    return *text != NULL ? 0 : -ENOMEM;
}

/* Defaults filled in, texts copied; what cannot be copied is NULL, and not the caller's. */
static int copy_options(struct lake *lake, const struct lake_options *o)
{
    lake->o = *o;
    lake->vfs = lake->o.vfs = o->vfs != NULL ? o->vfs : vfs_posix();
    lake->o.writers = o->writers != 0 ? o->writers : 1;
    lake->o.hot_limit = o->hot_limit != 0 ? o->hot_limit : HOT_LIMIT;
    lake->o.zstd_level = o->zstd_level != 0 ? o->zstd_level : 1;
    lake->retention = o->retention;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    lake->scan_threads = o->duck_threads != 0 ? o->duck_threads : cores > 1 ? (size_t)cores : 1;
    int a = copy_text(&lake->o.data_dir), b = copy_text(&lake->o.duck_library), c = copy_text(&lake->o.duck_executable);
    if (a != 0 || b != 0 || c != 0)
        return -ENOMEM;
    if (lake->o.writers > MANIFEST_POSITIONS_MAX)
        return -EINVAL;
    return vfs_join(lake->dir, lake->o.data_dir, "lake");
}

static void on_manifest(void *arg, enum manifest_event event, const char *path)
{
    static const char *const texts[MANIFEST_EVENTS][2] = {
        [MANIFEST_FOREIGN] = { "foreign", "not a file of the lake: left alone" },
        [MANIFEST_REMOVED] = { "removed", "a change that was never committed" },
        [MANIFEST_MISSING] = { "missing", "listed in the MANIFEST, but not there: passed over" },
        [MANIFEST_WRONG_SIZE] = { "wrong_size", "not as long as the MANIFEST says: passed over" },
        [MANIFEST_DAMAGED] = { "damaged", "no usable footer: renamed to *.damaged" },
        [MANIFEST_HEALED] = { "healed", "a torn or damaged record was made good" },
        [MANIFEST_REBUILT] = { "rebuilt", "the MANIFEST was lost or damaged: made anew from the files" },
    };
    lake_event(arg, texts[event][0], path, texts[event][1]);
}

static int read_footer(void *arg, const char *path, struct manifest_footer *ret)
{
    const struct lake *lake = arg;
    return footer_of_file(lake->footers, path, ret);
}

static int open_manifest(struct lake *lake, struct errmsg *err)
{
    struct footer_source footers = { .vfs = lake->vfs, .dir = lake->dir };
    const struct manifest_options mo = {
        .vfs = lake->vfs,
        .dir = lake->dir,
        .node = lake->o.node,
        .read_only = lake->o.read_only,
        .footer = read_footer,
        .event = on_manifest,
        .arg = lake,
    };
    lake->footers = &footers;
    int rc = manifest_open(&lake->manifest, &mo, err);
    footer_texts_free(&footers.texts);
    lake->footers = NULL;
    return rc;
}

static int open_hot(struct lake *lake)
{
    const struct pages_options po = {
        .limit = lake->o.hot_limit,
        .level = lake->o.zstd_level,
        .no_thread = lake->o.no_threads,
        .room = lake->o.room,
        .arg = lake->o.arg,
    };
    if (lake->o.read_only)
        return 0;
    (void)reserve_restore(lake->vfs, lake->o.data_dir, DATADIR_RESERVE_SIZE); /* without room there is none for now */
    return hot_open(&lake->hot, lake->o.writers, &po);
}

static void say_start(struct lake *lake, struct lake_start *start)
{
    const struct wal_position *positions;
    struct manifest_pin *files = manifest_pin(lake->manifest);
    start->position_count = manifest_pin_positions(files, &positions);
    memcpy(start->positions, positions, start->position_count * sizeof(*positions));
    start->max_seq = manifest_pin_max_seq(files);
    manifest_unpin(files);
}

int lake_open(struct store **ret, const struct lake_options *options, struct lake_start *start, struct errmsg *err)
{
    struct errmsg said = { "" };
    struct lake *lake = calloc(1, sizeof(*lake));
    if (lake == NULL)
        return -ENOMEM;
    lake->base.ops = &ops;
    pthread_mutex_init(&lake->lock, NULL);
    int rc = copy_options(lake, options);
    if (rc == 0)
        rc = open_manifest(lake, &said);
    if (rc == 0)
        rc = catalog_open(&lake->catalog, &(struct catalog_options){ .vfs = lake->vfs, .dir = lake->dir });
    if (rc == 0)
        rc = open_hot(lake);
    if (rc != 0) {
        (void)errmsg_set(err, "%s", said.text[0] != '\0' ? said.text : strerror(-rc));
        lake_close(&lake->base);
        return rc;
    }
    say_start(lake, start);
    *ret = &lake->base;
    return 0;
}
