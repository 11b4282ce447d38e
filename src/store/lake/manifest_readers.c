/*
 * Readers of other processes (`--data` beside a server). Each holds dir/READERS locked from before it reads MANIFEST
 * until it ends; while one does, files that are removed wait, so that it finds all that it has read of. Not for ever: a
 * reader that somebody stopped must not fill the disk.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/lake/manifest_internal.h"

#define READERS_NAME "READERS"
#define PATIENCE_MS  INT64_C(900000) /* how long a removed file waits for readers */
#define WAITING_MAX  65536u          /* files that wait; further ones go at once */
#define LOCK_TRIES   500u
#define LOCK_PAUSE   10000000 /* ns */

struct waiting {
    TAILQ_ENTRY(waiting) link;
    int64_t until_ms;
    uint64_t octets;
    char path[];
};

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------------------------------------ opening */

/* The writer has it for as long as it takes to unlink a file. */
static int lock_shared(const struct manifest_readers *r, const struct vfs *vfs)
{
    const struct timespec pause = { .tv_nsec = LOCK_PAUSE };
    int rc = -EWOULDBLOCK;
    for (unsigned i = 0; i < LOCK_TRIES && rc == -EWOULDBLOCK; i++) {
        if (i > 0)
            (void)nanosleep(&pause, NULL);
        rc = vfs_lock_shared(vfs, r->file);
    }
    return rc;
}

void manifest_readers_open(struct manifest *m)
{
    struct manifest_readers *r = &m->readers;
    char path[VFS_PATH_MAX];
    if (vfs_join(path, m->o.dir, READERS_NAME) != 0)
        return;
    /* Without the file there is nobody who looks at it: a copy of a lake, or one of a full disk. */
    r->file = vfs_open(m->vfs, path, m->o.read_only ? VFS_READ : VFS_WRITE | VFS_CREATE);
    if (r->file >= 0 && m->o.read_only)
        (void)lock_shared(r, m->vfs);
}

void manifest_readers_init(struct manifest *m)
{
    m->readers.file = -1;
    TAILQ_INIT(&m->readers.waiting);
    pthread_mutex_init(&m->readers.lock, NULL);
}

/* What waits still goes at the next start. */
void manifest_readers_close(struct manifest *m)
{
    struct manifest_readers *r = &m->readers;
    struct waiting *w;
    while ((w = TAILQ_FIRST(&r->waiting)) != NULL) {
        TAILQ_REMOVE(&r->waiting, w, link);
        free(w);
    }
    if (r->file >= 0)
        (void)vfs_close(m->vfs, r->file);
    pthread_mutex_destroy(&r->lock);
}

bool manifest_readers_is_ours(const char *path)
{
    return strcmp(path, READERS_NAME) == 0;
}

/* ------------------------------------------------------------------------------------------------ removing */

static void unlink_now(struct manifest *m, const char *path)
{
    char full[VFS_PATH_MAX];
    int rc = vfs_join(full, m->o.dir, path);
    if (rc == 0)
        rc = vfs_unlink(m->vfs, full);
    atomic_fetch_add(rc == 0 || rc == -ENOENT ? &m->count.unlinked : &m->count.unlink_errors, 1);
}

/* Keeps readers out if there is none: true, and then unlock(). Under the lock. */
static bool lock_out(const struct manifest *m)
{
    return m->readers.file < 0 || vfs_lock(m->vfs, m->readers.file) != -EWOULDBLOCK;
}

static void let_in(const struct manifest *m)
{
    if (m->readers.file >= 0)
        (void)vfs_unlock(m->vfs, m->readers.file);
}

static bool let_wait(struct manifest *m, const char *path, uint64_t octets)
{
    struct manifest_readers *r = &m->readers;
    size_t len = strlen(path) + 1;
    struct waiting *w = r->count < WAITING_MAX ? malloc(sizeof(*w) + len) : NULL;
    if (w == NULL)
        return false;
    *w = (struct waiting){ .until_ms = now_ms() + PATIENCE_MS, .octets = octets };
    memcpy(w->path, path, len);
    TAILQ_INSERT_TAIL(&r->waiting, w, link);
    r->count++;
    r->octets += octets;
    return true;
}

void manifest_readers_unlink(struct manifest *m, const char *path, uint64_t octets)
{
    struct manifest_readers *r = &m->readers;
    pthread_mutex_lock(&r->lock);
    if (lock_out(m)) {
        unlink_now(m, path);
        let_in(m);
    } else if (!let_wait(m, path, octets))
        unlink_now(m, path);
    pthread_mutex_unlock(&r->lock);
}

void manifest_tend(struct manifest *m, bool at_once)
{
    struct manifest_readers *r = &m->readers;
    struct waiting *w;
    pthread_mutex_lock(&r->lock);
    bool none = r->count > 0 && lock_out(m);
    while ((w = TAILQ_FIRST(&r->waiting)) != NULL && (none || at_once || now_ms() >= w->until_ms)) {
        TAILQ_REMOVE(&r->waiting, w, link);
        unlink_now(m, w->path);
        r->count--;
        r->octets -= w->octets;
        free(w);
    }
    if (none)
        let_in(m);
    pthread_mutex_unlock(&r->lock);
}

uint64_t manifest_waiting(struct manifest *m)
{
    pthread_mutex_lock(&m->readers.lock);
    uint64_t octets = m->readers.octets;
    pthread_mutex_unlock(&m->readers.lock);
    return octets;
}
