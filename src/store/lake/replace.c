/* Newer versions of sealed rows: each file that has one of them is written anew, and takes the place of the old one. */
#include <errno.h>
#include <string.h>

#include "store/lake/merge.h"

struct replacing {
    struct lake *lake;
    const struct store_pin *pin;
    const struct store_ref *refs;
    const struct record *rows;
    bool *done;
    size_t count;
};

static bool is_sealed(const struct replacing *r, size_t i)
{
    return r->refs[i].part >= r->pin->group_count;
}

static const struct manifest_file *file_of(const struct replacing *r, size_t i)
{
    return manifest_pin_file(r->pin->files, r->refs[i].part - r->pin->group_count);
}

/* A file may have gone since the pin was taken: merged, retired, or set aside. */
static bool is_live(const struct replacing *r, const char *path)
{
    struct manifest_pin *now = manifest_pin(r->lake->manifest);
    bool live = manifest_pin_find(now, path) != NULL;
    manifest_unpin(now);
    return live;
}

static void sort(struct merge_patch *patches, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t k = i; k > 0 && patches[k - 1].row > patches[k].row; k--) {
            struct merge_patch p = patches[k];
            patches[k] = patches[k - 1];
            patches[k - 1] = p;
        }
}

/* The rows that go into the file of row `first`. A row that is named twice gets its first version. */
static int gather(const struct replacing *r, size_t first, struct group *rows, struct merge_patch *patches,
                  size_t *ret_count)
{
    size_t n = 0;
    for (size_t i = first; i < r->count; i++) {
        bool again = false;
        if (!is_sealed(r, i) || r->refs[i].part != r->refs[first].part)
            continue;
        for (size_t k = 0; k < n && !again; k++)
            again = patches[k].row == r->refs[i].row;
        if (again)
            continue;
        int rc = group_append(rows, &r->rows[i]);
        if (rc < 0)
            return rc;
        patches[n] = (struct merge_patch){ r->refs[i].row, n };
        n++;
    }
    sort(patches, n);
    *ret_count = n;
    return 0;
}

static int replace_in(const struct replacing *r, size_t first, struct merge_patch *patches, struct errmsg *err)
{
    const struct manifest_file *file = file_of(r, first), *bad = NULL;
    enum record_table table = (enum record_table)r->refs[first].table;
    struct merge_plan plan = { .kind = MANIFEST_SUPERSEDE,
                               .table = table,
                               .hour = file->hour,
                               .files = { file },
                               .count = 1,
                               .octets = file->bytes,
                               .patches = patches };
    int rc = catalog_source(r->lake->catalog, file, table, &plan.source, err);
    struct group *rows = rc == 0 ? group_new(table, plan.hour, plan.source) : NULL;
    if (rc == 0)
        rc = rows != NULL ? gather(r, first, rows, patches, &plan.patch_count) : -ENOMEM;
    plan.rows = rows;
    if (rc == 0)
        rc = merge_files(r->lake, &plan, &bad, err);
    if (rc == -EUCLEAN && bad != NULL && catalog_suspect(r->lake->catalog, bad->path, err->text))
        lake_event(r->lake, "unreadable", bad->path, err->text);
    group_unref(rows);
    if (rc == 0)
        LAKE_COUNT(r->lake, superseded, plan.patch_count);
    return rc;
}

static void set_done(const struct replacing *r, size_t first)
{
    for (size_t i = first; i < r->count; i++)
        r->done[i] = r->done[i] || (is_sealed(r, i) && r->refs[i].part == r->refs[first].part);
}

int lake_replace(struct store *s, struct store_pin *pin, const struct store_ref *refs, const struct record *rows,
                 size_t n, bool *ret_done, struct errmsg *err)
{
    struct lake *lake = (struct lake *)s;
    const struct replacing r = { lake, pin, refs, rows, ret_done, n };
    struct merge_patch *patches = calloc(n + 1, sizeof(*patches));
    int rc = patches == NULL ? -ENOMEM : n > LAKE_GROUP_ROWS || lake->o.read_only ? -EINVAL : 0;
    memset(ret_done, 0, n * sizeof(*ret_done));
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (ret_done[i] || !is_sealed(&r, i) || !is_live(&r, file_of(&r, i)->path))
            continue;
        rc = replace_in(&r, i, patches, err);
        if (rc == 0)
            set_done(&r, i);
    }
    free(patches);
    return rc;
}
