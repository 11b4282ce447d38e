#include "store/lake/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "base/le.h"
#include "store/lake/outfile.h"

static const uint8_t magic[8] = "hcstate1";

#define SUM_OCTETS 8

struct writing {
    struct pq_sink sink;
    XXH3_state_t *sum;
};

static int write_octets(void *to, const void *octets, size_t len)
{
    struct writing *w = to;
    (void)XXH3_64bits_update(w->sum, octets, len);
    return w->sink.write(w->sink.ctx, octets, len);
}

static int write_all(struct writing *w, int (*produce)(void *arg, store_write_fn *write, void *to), void *arg)
{
    uint8_t sum[SUM_OCTETS];
    (void)XXH3_64bits_reset(w->sum);
    int rc = write_octets(w, magic, sizeof(magic));
    if (rc == 0)
        rc = produce(arg, write_octets, w);
    le64_put(sum, XXH3_64bits_digest(w->sum));
    return rc == 0 ? w->sink.write(w->sink.ctx, sum, sizeof(sum)) : rc;
}

int state_write(const struct lake *lake, uint64_t epoch, int (*produce)(void *arg, store_write_fn *write, void *to),
                void *arg, char ret[MANIFEST_PATH_MAX], struct errmsg *err)
{
    struct outfile out = { .file = -1 };
    char name[MANIFEST_PATH_MAX];
    manifest_name(name, epoch, lake->o.node, 1, ".state");
    (void)snprintf(ret, MANIFEST_PATH_MAX, "state/%.200s", name);
    struct writing w = { .sum = XXH3_createState() };
    int rc = w.sum != NULL ? outfile_open(&out, lake->vfs, lake->dir, ret) : -ENOMEM;
    if (rc == 0) {
        w.sink = outfile_sink(&out);
        rc = write_all(&w, produce, arg);
        if (rc == 0)
            rc = outfile_publish(&out);
        if (rc != 0)
            outfile_abort(&out);
    }
    (void)XXH3_freeState(w.sum);
    if (rc != 0)
        (void)errmsg_set(err, "%s: %s", ret, strerror(-rc));
    return rc;
}

void state_remove(const struct lake *lake, const char *path)
{
    char full[VFS_PATH_MAX];
    if (path[0] != '\0' && vfs_join(full, lake->dir, path) == 0)
        (void)vfs_unlink(lake->vfs, full);
}

/* ------------------------------------------------------------------------------------------------ reading */

static int read_file(const struct vfs *vfs, int file, struct buf *ret)
{
    int64_t size = vfs_size(vfs, file);
    if (size < 0)
        return (int)size;
    if ((uint64_t)size < sizeof(magic) + SUM_OCTETS)
        return -EUCLEAN;
    uint8_t *to = buf_space(ret, (size_t)size);
    if (to == NULL)
        return -ENOMEM;
    buf_added(ret, (size_t)size);
    int64_t n = vfs_read_at(vfs, file, to, (size_t)size, 0);
    return n < 0 ? (int)n : n != size ? -EIO : 0;
}

int state_read(struct store *s, struct buf *ret)
{
    const struct lake *lake = (const struct lake *)s;
    char path[VFS_PATH_MAX] = "";
    struct manifest_pin *pin = manifest_pin(lake->manifest);
    const char *name = manifest_pin_state(pin);
    int rc = name[0] == '\0' ? -ENOENT : vfs_join(path, lake->dir, name);
    manifest_unpin(pin);
    int file = rc == 0 ? vfs_open(lake->vfs, path, VFS_READ) : rc;
    if (file < 0)
        return file;
    struct buf all;
    buf_init(&all, SIZE_MAX);
    rc = read_file(lake->vfs, file, &all);
    (void)vfs_close(lake->vfs, file);
    if (rc == 0) {
        size_t len = all.len - SUM_OCTETS;
        bool sound =
            memcmp(all.ptr, magic, sizeof(magic)) == 0 && XXH3_64bits(all.ptr, len) == le64_load(all.ptr + len);
        rc = sound ? 0 : -EUCLEAN;
        if (sound)
            buf_put(ret, all.ptr + sizeof(magic), len - sizeof(magic));
        rc = rc == 0 && ret->failed ? -ENOMEM : rc;
    }
    buf_free(&all);
    return rc;
}
