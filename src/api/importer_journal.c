/*
 * The file IMPORTS: a ring of IMPORTER_KEYS notes of 64 octets, so that a note never needs space that the disk may not
 * have any more. Little-endian:
 *
 *     0 magic "hcimp01\n"   8 key (16)   24 body   32 received_us   40 frames   48 number   56 xxh64 of what is before
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/importer_internal.h"
#include "base/le.h"

#define NOTE_SIZE ((size_t)64)
#define FILE_SIZE (NOTE_SIZE * IMPORTER_KEYS)
#define NAME      "IMPORTS"

static const uint8_t magic[8] = "hcimp01\n";

static void note_write(const struct import_note *n, uint8_t out[NOTE_SIZE])
{
    memcpy(out, magic, sizeof(magic));
    le64_put(out + 8, n->key.low64);
    le64_put(out + 16, n->key.high64);
    le64_put(out + 24, n->body);
    le64_put(out + 32, (uint64_t)n->received_us);
    le64_put(out + 40, n->frames);
    le64_put(out + 48, n->number);
    le64_put(out + 56, XXH64(out, 56, 0));
}

/* False if there is none, or it was being written when the power went. */
static bool note_read(struct import_note *n, const uint8_t in[NOTE_SIZE])
{
    if (memcmp(in, magic, sizeof(magic)) != 0 || le64_load(in + 56) != XXH64(in, 56, 0))
        return false;
    *n = (struct import_note){ .key = { le64_load(in + 8), le64_load(in + 16) },
                               .body = le64_load(in + 24),
                               .received_us = (int64_t)le64_load(in + 32),
                               .frames = le64_load(in + 40),
                               .number = le64_load(in + 48) };
    return true;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = ((const struct import_note *)a)->number, y = ((const struct import_note *)b)->number;
    return (x > y) - (x < y);
}

static void hand_out(struct import_journal *j, const uint8_t *octets, size_t len, struct import_note *notes,
                     void (*each)(void *arg, const struct import_note *note), void *arg)
{
    size_t count = 0;
    for (size_t at = 0; at + NOTE_SIZE <= len; at += NOTE_SIZE)
        count += note_read(&notes[count], octets + at);
    qsort(notes, count, sizeof(*notes), by_number);
    for (size_t i = 0; i < count; i++)
        each(arg, &notes[i]);
    j->next = count == 0 ? 0 : notes[count - 1].number + 1;
}

static int read_notes(struct import_journal *j, void (*each)(void *arg, const struct import_note *note), void *arg)
{
    struct import_note *notes = calloc(IMPORTER_KEYS, sizeof(*notes));
    uint8_t *octets = malloc(FILE_SIZE);
    int64_t n = notes == NULL || octets == NULL ? -ENOMEM : vfs_read_at(j->vfs, j->file, octets, FILE_SIZE, 0);
    if (n > 0)
        hand_out(j, octets, (size_t)n, notes, each, arg);
    free(octets);
    free(notes);
    return n < 0 ? (int)n : 0;
}

/* All of its space now. */
static int make_room(struct import_journal *j, const char *path)
{
    static const uint8_t zeros[4096];
    if (vfs_size(j->vfs, j->file) >= (int64_t)FILE_SIZE)
        return 0;
    int rc = vfs_allocate(j->vfs, j->file, FILE_SIZE);
    int64_t size = rc == -EOPNOTSUPP ? vfs_size(j->vfs, j->file) : (int64_t)FILE_SIZE;
    if (rc == -EOPNOTSUPP)
        rc = size < 0 ? (int)size : 0;
    for (uint64_t at = (uint64_t)size; at < FILE_SIZE && rc == 0;) {
        size_t len = sizeof(zeros) - at % sizeof(zeros);
        rc = vfs_write_at(j->vfs, j->file, zeros, len, at);
        at += len;
    }
    if (rc == 0)
        rc = vfs_sync(j->vfs, j->file);
    return rc == 0 ? vfs_sync_parent(j->vfs, path) : rc;
}

int import_journal_open(struct import_journal *j, const struct vfs *vfs, const char *dir,
                        void (*each)(void *arg, const struct import_note *note), void *arg, struct errmsg *err)
{
    char path[VFS_PATH_MAX] = "";
    *j = (struct import_journal){ .vfs = vfs, .file = -1 };
    int rc = vfs_join(path, dir, NAME);
    if (rc == 0)
        rc = j->file = vfs_open(vfs, path, VFS_WRITE | VFS_CREATE);
    if (rc >= 0)
        rc = make_room(j, path);
    if (rc == 0)
        rc = read_notes(j, each, arg);
    if (rc == 0)
        return 0;
    (void)errmsg_set(err, "%s: %s", path, strerror(-rc));
    import_journal_close(j);
    return rc;
}

void import_journal_close(struct import_journal *j)
{
    if (j->file >= 0)
        (void)vfs_close(j->vfs, j->file);
    j->file = -1;
}

int import_journal_put(struct import_journal *j, struct import_note *note)
{
    uint8_t octets[NOTE_SIZE];
    if (j->file < 0)
        return 0;
    note->number = j->next;
    note_write(note, octets);
    int rc = vfs_write_at(j->vfs, j->file, octets, sizeof(octets), note->number % IMPORTER_KEYS * NOTE_SIZE);
    if (rc == 0)
        rc = vfs_sync(j->vfs, j->file);
    j->next++; /* also after an error: nobody knows what is there now */
    return rc;
}
