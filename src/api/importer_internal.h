/* What the files of the importer share. */
#ifndef API_IMPORTER_INTERNAL_H
#define API_IMPORTER_INTERNAL_H

#include <xxhash.h>

#include "api/importer.h"
#include "base/buf.h"

/* ------------------------------------------------------------------------------------------------ journal */

/* One body: its frames have the times received_us to received_us + frames - 1. */
struct import_note {
    XXH128_hash_t key;
    uint64_t body; /* hash */
    int64_t received_us;
    uint64_t frames;
    uint64_t number; /* they count up */
};

struct import_journal {
    const struct vfs *vfs;
    int file;      /* negative: none */
    uint64_t next; /* number of the next note */
};

/*
 * Opens or makes dir/IMPORTS and hands out what is there, oldest first. 0, or a negative errno with a text; then there
 * is no journal, and putting notes into it does nothing.
 */
int import_journal_open(struct import_journal *j, const struct vfs *vfs, const char *dir,
                        void (*each)(void *arg, const struct import_note *note), void *arg, struct errmsg *err);
void import_journal_close(struct import_journal *j);

/* Makes a note durable; its number is set here. 0, or a negative errno. */
int import_journal_put(struct import_journal *j, struct import_note *note);

/* ------------------------------------------------------------------------------------------------ captures */

bool import_is_capture(struct hep_slice body);

/*
 * Appends the frames of a capture to `frames`, back to back, and tells in *r what was in it; the same capture becomes
 * the same frames. IMPORTER_DONE, also if it is damaged somewhere (r->capture_error); else a text in err.
 */
enum importer_status import_capture(struct buf *frames, struct hep_slice body, struct importer_result *r,
                                    struct errmsg *err);

/* ------------------------------------------------------------------------------------------------ look-up */

/* Which frames of a body have rows. */
struct import_rows {
    int64_t received_us; /* of the first frame */
    uint64_t frames;
    int64_t least_us, most_us; /* least and greatest `ts` of its frames */
    uint8_t *there;            /* a bit a frame; the caller's, zeroed */
    uint64_t count;            /* of bits that are set */
};

static inline bool import_rows_has(const struct import_rows *r, uint64_t i)
{
    return r->there != NULL && (r->there[i / 8] >> i % 8 & 1) != 0;
}

/* 0 if all of the store could be searched; else a negative errno with a text. */
int import_rows_find(struct store *store, struct import_rows *rows, struct errmsg *err);

#endif
