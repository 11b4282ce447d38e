#include "store/lake/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/lake/manifest_internal.h"

void manifest_tell(struct manifest *m, enum manifest_event event, const char *path)
{
    atomic_fetch_add(&m->count.events[event], 1);
    if (m->o.event != NULL)
        m->o.event(m->o.arg, event, path);
}

int manifest_put_aside(const struct manifest *m, const char *path)
{
    char from[VFS_PATH_MAX], to[VFS_PATH_MAX];
    int rc = vfs_join(from, m->o.dir, path);
    int n = snprintf(to, sizeof(to), "%s/%s.damaged", m->o.dir, path);
    if (rc != 0 || n < 0 || (size_t)n >= sizeof(to))
        return -ENAMETOOLONG;
    return vfs_rename(m->vfs, from, to);
}

/* ------------------------------------------------------------------------------------------------ changing */

static int check_change(const struct manifest_pin *old, const struct manifest_change *c)
{
    if (c->add_count > MANIFEST_FILES_MAX || c->remove_count > MANIFEST_FILES_MAX ||
        c->position_count > MANIFEST_POSITIONS_MAX)
        return -E2BIG;
    bool bad = c->kind < MANIFEST_SEAL || c->kind >= MANIFEST_SNAPSHOT || c->epoch == 0 ||
               (c->kind == MANIFEST_SEAL && c->epoch <= old->seal_epoch) ||
               (c->state != NULL && !manifest_path_ok(c->state));
    for (size_t i = 0; i < c->add_count && !bad; i++)
        bad = !manifest_path_ok(c->add[i].path);
    for (size_t i = 0; i < c->remove_count && !bad; i++)
        bad = !manifest_path_ok(c->remove[i]);
    return bad ? -EINVAL : 0;
}

static void count_log(struct manifest *m)
{
    atomic_store(&m->count.records, m->log.records);
    atomic_store(&m->count.octets, m->log.size);
}

static int rewrite(struct manifest *m)
{
    int rc = manifest_log_rewrite(&m->log, m->o.dir, m->o.node, m->current);
    if (rc == 0)
        atomic_fetch_add(&m->count.compactions, 1);
    count_log(m);
    return rc;
}

static int write_change(struct manifest *m, const struct manifest_change *c)
{
    int rc = m->log.broken ? rewrite(m) : 0;
    return rc != 0 ? rc : manifest_log_append(&m->log, m->o.node, c);
}

static void remove_state(struct manifest *m, const struct manifest_pin *old, const struct manifest_pin *now)
{
    char path[VFS_PATH_MAX];
    if (old->state[0] == '\0' || strcmp(old->state, now->state) == 0 || vfs_join(path, m->o.dir, old->state) != 0)
        return;
    atomic_fetch_add(vfs_unlink(m->vfs, path) == 0 ? &m->count.unlinked : &m->count.unlink_errors, 1);
}

/* Makes the set the current one; the old goes with its last pin. */
static void install(struct manifest *m, const struct manifest_change *c, struct manifest_pin *set)
{
    struct manifest_pin *old = m->current;
    manifest_set_mark(old, c);
    pthread_mutex_lock(&m->pin_lock);
    m->current = set;
    if (c->visible != NULL)
        c->visible(c->arg);
    pthread_mutex_unlock(&m->pin_lock);
    remove_state(m, old, set);
    manifest_unpin(old);
}

/* A log of mostly live files does not get shorter by writing it anew, so the limit grows with them. */
static void compact_if_long(struct manifest *m)
{
    size_t parts = m->current->count / MANIFEST_FILES_MAX;
    if (m->log.records > m->o.compact_records + 2 * parts)
        (void)rewrite(m);
    count_log(m);
}

static int commit_locked(struct manifest *m, const struct manifest_change *c)
{
    struct manifest_pin *set;
    if (m->o.read_only)
        return -EROFS;
    int rc = check_change(m->current, c);
    if (rc == 0)
        rc = manifest_set_apply(m->current, c, &set);
    if (rc != 0)
        return rc;
    rc = write_change(m, c);
    if (rc != 0) {
        manifest_unpin(set);
        return rc;
    }
    install(m, c, set);
    compact_if_long(m);
    return 0;
}

int manifest_commit(struct manifest *m, const struct manifest_change *change, struct errmsg *err)
{
    pthread_mutex_lock(&m->commit_lock);
    int rc = commit_locked(m, change);
    atomic_fetch_add(rc == 0 ? &m->count.commits : &m->count.commit_errors, 1);
    pthread_mutex_unlock(&m->commit_lock);
    if (rc != 0)
        (void)errmsg_set(err, "MANIFEST, epoch %" PRIu64 ": %s", change->epoch, strerror(-rc));
    return rc;
}

uint64_t manifest_next_epoch(struct manifest *m)
{
    return atomic_fetch_add(&m->last_epoch, 1) + 1;
}

int manifest_compact(struct manifest *m, struct errmsg *err)
{
    pthread_mutex_lock(&m->commit_lock);
    int rc = m->o.read_only ? -EROFS : rewrite(m);
    pthread_mutex_unlock(&m->commit_lock);
    if (rc != 0)
        (void)errmsg_set(err, "MANIFEST: cannot be written anew: %s", strerror(-rc));
    return rc;
}

/* ------------------------------------------------------------------------------------------------ opening */

/* A change that contradicts what was before it cannot have been written by us: damage. */
static int apply_record(void *arg, const struct manifest_record *r)
{
    struct manifest *m = arg;
    struct manifest_pin *set;
    int rc = manifest_set_apply(m->current, &r->change, &set);
    if (rc != 0)
        return rc == -ENOMEM ? rc : -EUCLEAN;
    manifest_unpin(m->current);
    m->current = set;
    return 0;
}

static int put_log_aside(struct manifest *m)
{
    char from[VFS_PATH_MAX], to[VFS_PATH_MAX];
    int n = snprintf(to, sizeof(to), "%s/" MANIFEST_NAME "-%" PRIu32 ".damaged", m->o.dir, clock_wall().sec);
    int rc = vfs_join(from, m->o.dir, MANIFEST_NAME);
    return rc != 0 || n < 0 || (size_t)n >= sizeof(to) ? -ENAMETOOLONG : vfs_rename(m->vfs, from, to);
}

/* The log is lost or damaged. With no sealed file there either, the lake is new. */
static int start_over(struct manifest *m, bool damaged, struct errmsg *err)
{
    bool any = false;
    manifest_unpin(m->current);
    m->current = manifest_set_new(m);
    m->log.next_number = m->log.next_number > 0 ? m->log.next_number : 1;
    int rc = m->current == NULL ? -ENOMEM : manifest_scan_any(m, &any);
    if (rc != 0 || (!any && !damaged))
        return rc;
    if (any && m->o.footer == NULL) {
        (void)errmsg_set(err, "lake %s: the MANIFEST is %s", m->o.dir, damaged ? "damaged" : "lost");
        return -EUCLEAN;
    }
    if (damaged && !m->o.read_only)
        rc = put_log_aside(m);
    if (rc == 0 && any)
        rc = manifest_rebuild(m);
    if (rc == 0)
        manifest_tell(m, MANIFEST_REBUILT, MANIFEST_NAME);
    return rc;
}

static int load(struct manifest *m, struct errmsg *err)
{
    enum manifest_log_state state;
    unsigned version = 0;
    int rc = manifest_log_load(&m->log, m->o.dir, m->o.read_only, apply_record, m, &state, &version);
    if (rc == -EUCLEAN) {
        state = LOG_DAMAGED;
        rc = 0;
    }
    if (rc == -ENOTSUP)
        (void)errmsg_set(err, "%s/" MANIFEST_NAME ": schema version %u, this program reads version %u", m->o.dir,
                         version, (unsigned)MANIFEST_SCHEMA_VERSION);
    if (rc != 0 || state == LOG_GOOD)
        return rc;
    if (state == LOG_HEALABLE)
        manifest_tell(m, MANIFEST_HEALED, MANIFEST_NAME);
    else
        rc = start_over(m, state == LOG_DAMAGED, err);
    return rc != 0 || m->o.read_only ? rc : rewrite(m);
}

static int open_in(struct manifest *m, struct errmsg *err)
{
    m->current = manifest_set_new(m);
    if (m->current == NULL)
        return -ENOMEM;
    int rc = m->o.read_only ? 0 : vfs_mkdirs(m->vfs, m->o.dir);
    manifest_readers_open(m);
    if (rc == 0)
        rc = load(m, err);
    if (rc == 0)
        rc = manifest_sweep(m);
    if (m->current != NULL && m->current->epoch > atomic_load(&m->last_epoch))
        atomic_store(&m->last_epoch, m->current->epoch);
    count_log(m);
    return rc;
}

int manifest_open(struct manifest **ret, const struct manifest_options *options, struct errmsg *err)
{
    struct errmsg said = { "" };
    struct manifest *m = calloc(1, sizeof(*m));
    if (m == NULL) {
        (void)errmsg_set(err, "MANIFEST: out of memory");
        return -ENOMEM;
    }
    m->o = *options;
    m->vfs = options->vfs != NULL ? options->vfs : vfs_posix();
    m->o.compact_records = options->compact_records > 0 ? options->compact_records : 1000;
    m->log = (struct manifest_log){ .vfs = m->vfs, .file = -1, .next_number = 1 };
    pthread_mutex_init(&m->commit_lock, NULL);
    pthread_mutex_init(&m->pin_lock, NULL);
    manifest_readers_init(m);
    int rc = open_in(m, &said);
    if (rc == 0) {
        *ret = m;
        return 0;
    }
    if (said.text[0] != '\0')
        (void)errmsg_set(err, "%s", said.text);
    else
        (void)errmsg_set(err, "lake %s: %s", m->o.dir, strerror(-rc));
    manifest_close(m);
    return rc;
}

void manifest_close(struct manifest *m)
{
    if (m == NULL)
        return;
    manifest_unpin(m->current);
    if (m->log.file >= 0)
        (void)vfs_close(m->vfs, m->log.file);
    manifest_readers_close(m);
    pthread_mutex_destroy(&m->commit_lock);
    pthread_mutex_destroy(&m->pin_lock);
    free(m);
}

void manifest_stats(const struct manifest *m, struct manifest_stats *ret)
{
    for (size_t i = 0; i < MANIFEST_EVENTS; i++)
        ret->events[i] = atomic_load(&m->count.events[i]);
    ret->commits = atomic_load(&m->count.commits);
    ret->commit_errors = atomic_load(&m->count.commit_errors);
    ret->compactions = atomic_load(&m->count.compactions);
    ret->unlinked = atomic_load(&m->count.unlinked);
    ret->unlink_errors = atomic_load(&m->count.unlink_errors);
    ret->records = atomic_load(&m->count.records);
    ret->octets = atomic_load(&m->count.octets);
}
