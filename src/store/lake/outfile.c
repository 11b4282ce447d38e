#include "store/lake/outfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define WAITING ((size_t)256 << 10)

void outfile_path(char out[MANIFEST_PATH_MAX], enum record_table table, uint32_t hour, uint64_t epoch, uint64_t node,
                  unsigned number)
{
    char name[MANIFEST_PATH_MAX];
    time_t t = (time_t)hour * 3600;
    struct tm tm = { .tm_year = 70 };
    (void)gmtime_r(&t, &tm);
    manifest_name(name, epoch, node, number, ".parquet");
    (void)snprintf(out, MANIFEST_PATH_MAX, "%s/date=%04d-%02d-%02d/hour=%02d/%.100s", record_schema(table)->name,
                   tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, name);
}

static int make_folder(const struct outfile *o)
{
    char folder[VFS_PATH_MAX];
    memcpy(folder, o->path, strlen(o->path) + 1);
    *strrchr(folder, '/') = '\0';
    return vfs_mkdirs(o->vfs, folder);
}

int outfile_open(struct outfile *o, const struct vfs *vfs, const char *dir, const char *path)
{
    *o = (struct outfile){ .vfs = vfs, .file = -1 };
    int rc = vfs_join(o->path, dir, path);
    int n = snprintf(o->tmp, sizeof(o->tmp), "%s.tmp", o->path);
    if (rc == 0 && (n < 0 || (size_t)n >= sizeof(o->tmp)))
        rc = -ENAMETOOLONG;
    if (rc == 0)
        rc = make_folder(o);
    if (rc == 0)
        rc = vfs_unlink(vfs, o->tmp); /* a file whose sync failed must not be used again */
    if (rc == 0 || rc == -ENOENT)
        rc = vfs_open(vfs, o->tmp, VFS_WRITE | VFS_CREATE | VFS_EXCL);
    if (rc < 0)
        return rc;
    o->file = rc;
    buf_init(&o->waiting, 2 * WAITING);
    return 0;
}

static int write_out(struct outfile *o, const void *octets, size_t len)
{
    if (o->error == 0)
        o->error = vfs_write_at(o->vfs, o->file, octets, len, o->written);
    o->written += len;
    return o->error;
}

static int flush(struct outfile *o)
{
    int rc = o->waiting.len > 0 ? write_out(o, o->waiting.ptr, o->waiting.len) : o->error;
    buf_reset(&o->waiting);
    return rc;
}

static int sink_write(void *ctx, const void *octets, size_t len)
{
    struct outfile *o = ctx;
    if (o->waiting.len + len > WAITING && flush(o) != 0)
        return o->error;
    if (len > WAITING)
        return write_out(o, octets, len);
    buf_put(&o->waiting, octets, len);
    if (o->waiting.failed)
        o->error = -ENOMEM;
    return o->error;
}

struct pq_sink outfile_sink(struct outfile *o)
{
    return (struct pq_sink){ .write = sink_write, .ctx = o };
}

static int close_file(struct outfile *o)
{
    int rc = vfs_close(o->vfs, o->file);
    o->file = -1;
    buf_free(&o->waiting);
    return rc;
}

int outfile_publish(struct outfile *o)
{
    int rc = flush(o);
    if (rc == 0)
        rc = vfs_sync(o->vfs, o->file);
    if (rc == 0)
        rc = close_file(o);
    if (rc == 0)
        rc = vfs_publish(o->vfs, o->tmp, o->path);
    return rc;
}

void outfile_abort(struct outfile *o)
{
    if (o->file >= 0)
        (void)close_file(o);
    (void)vfs_unlink(o->vfs, o->tmp);
}
