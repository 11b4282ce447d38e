/* What the files of the MANIFEST share. */
#ifndef STORE_LAKE_MANIFEST_INTERNAL_H
#define STORE_LAKE_MANIFEST_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "store/lake/manifest.h"

#define MANIFEST_NAME "MANIFEST"
#define MANIFEST_TMP  "MANIFEST.tmp"

/* Is this the relative path of a file of ours, going nowhere outside the lake? */
bool manifest_path_ok(const char *path);

/* Epoch in the name of a file of ours, 0 if it is none. */
uint64_t manifest_name_epoch(const char *path);

/* ------------------------------------------------------------------------------------------------ records */

#define MANIFEST_RECORD_MAX ((size_t)8 << 20) /* octets of one copy of a record */

struct manifest_record {
    uint64_t number; /* consecutive */
    uint64_t node;
    uint64_t wall_us;
    struct manifest_change change; /* texts point into what was decoded, arrays into the decoder */
};

/* Holds the arrays of the record that was decoded last. */
struct manifest_decoder {
    struct manifest_file add[MANIFEST_FILES_MAX];
    const char *remove[MANIFEST_FILES_MAX];
    struct wal_position positions[MANIFEST_POSITIONS_MAX];
};

/* Appends the record, twice; b->failed says if that did not work. */
void manifest_record_encode(struct buf *b, const struct manifest_record *r);

/* Octets of the whole record at `data`, 0 if none begins there. */
size_t manifest_record_check(const uint8_t *data, size_t len, uint64_t *ret_number);

/* Decodes what manifest_record_check() found whole; false if it makes no sense all the same. */
bool manifest_record_decode(const uint8_t *data, size_t size, struct manifest_decoder *d, struct manifest_record *ret);

/* ------------------------------------------------------------------------------------------------ sets */

struct manifest_node {
    _Atomic size_t refs;           /* of sets */
    enum manifest_kind removed_by; /* 0: live. Set before the last reference can go */
    struct manifest_file file;
    char path[];
};

struct manifest_pin {
    _Atomic size_t refs;
    struct manifest *m;
    uint64_t epoch, max_seq;
    uint64_t seal_epoch; /* of the last seal, as far as known: after compaction it is `epoch` */
    struct wal_position positions[MANIFEST_POSITIONS_MAX];
    size_t position_count;
    char state[MANIFEST_PATH_MAX];
    size_t count;
    struct manifest_node *nodes[]; /* by path */
};

/* The set of nothing; NULL if out of memory. */
struct manifest_pin *manifest_set_new(struct manifest *m);

/* What `old` becomes by the change: 0, or as manifest_commit(). */
int manifest_set_apply(const struct manifest_pin *old, const struct manifest_change *change, struct manifest_pin **ret);

/* Says of the files that the change removes from `old` that they go with their last reference. */
void manifest_set_mark(const struct manifest_pin *old, const struct manifest_change *change);

struct manifest_node *manifest_set_find(const struct manifest_pin *set, const char *path);

/* ------------------------------------------------------------------------------------------------ log */

struct manifest_log {
    const struct vfs *vfs;
    int file; /* -1 before it is open */
    uint64_t size;
    uint64_t next_number;
    uint64_t records;
    bool broken; /* nobody knows what its end is on the disk: it must be written anew before the next record */
};

enum manifest_log_state { LOG_GOOD, LOG_HEALABLE, LOG_DAMAGED, LOG_ABSENT };

/*
 * Reads the octets of a log; each record once, in order, to `apply` (other than 0 ends it and is returned). 0, with
 * *ret_state, or -ENOTSUP with *ret_version. l->size, next_number and records are set.
 */
int manifest_log_parse(struct manifest_log *l, const uint8_t *data, size_t len,
                       int (*apply)(void *arg, const struct manifest_record *r), void *arg,
                       enum manifest_log_state *ret_state, unsigned *ret_version);

/* Opens and reads dir/MANIFEST as above. The file stays open. */
int manifest_log_load(struct manifest_log *l, const char *dir, bool read_only,
                      int (*apply)(void *arg, const struct manifest_record *r), void *arg,
                      enum manifest_log_state *ret_state, unsigned *ret_version);

/* Replaces the log by one that says what is in the set, atomically. On failure the old one stays in use. */
int manifest_log_rewrite(struct manifest_log *l, const char *dir, uint64_t node, const struct manifest_pin *set);

/* Appends and syncs one record. On failure the log is as before, or broken. */
int manifest_log_append(struct manifest_log *l, uint64_t node, const struct manifest_change *change);

/* ------------------------------------------------------------------------------------------------ readers */

/* Other processes that read, and what is not unlinked for their sake. */
struct manifest_readers {
    int file; /* dir/READERS; -1: not there */
    pthread_mutex_t lock;
    TAILQ_HEAD(waiting_list, waiting) waiting; /* the oldest first */
    size_t count;
    uint64_t octets;
};

void manifest_readers_init(struct manifest *m);
void manifest_readers_open(struct manifest *m); /* before MANIFEST is read */
void manifest_readers_close(struct manifest *m);
bool manifest_readers_is_ours(const char *path);

/* Unlinks the file that was removed, as soon as no other process may read it. */
void manifest_readers_unlink(struct manifest *m, const char *path, uint64_t octets);

/* ------------------------------------------------------------------------------------------------ all */

struct manifest {
    struct manifest_options o;
    const struct vfs *vfs;
    pthread_mutex_t commit_lock; /* the log, and who may change `current` */
    struct manifest_log log;
    pthread_mutex_t pin_lock; /* `current` and taking references to it */
    struct manifest_pin *current;
    _Atomic uint64_t last_epoch; /* given out, or seen in a name */
    struct manifest_readers readers;
    struct {
        _Atomic uint64_t events[MANIFEST_EVENTS], commits, commit_errors, compactions, unlinked, unlink_errors;
        _Atomic uint64_t records, octets;
    } count;
};

void manifest_tell(struct manifest *m, enum manifest_event event, const char *path);

/* Renames a file of the lake to "<path>.damaged". */
int manifest_put_aside(const struct manifest *m, const char *path);

/* Unlinks what is not in m->current, checks what is. Only before the manifest is given to others. */
int manifest_sweep(struct manifest *m);

/* Are there sealed files at all? */
int manifest_scan_any(struct manifest *m, bool *ret);

/* Makes m->current from the footers of what is there. */
int manifest_rebuild(struct manifest *m);

#endif
