/*
 * Frames on disk while a collector cannot be reached: first in, first out, within a limit.
 *
 * A directory holds segments NNNNNNNNNNNN.hep of whole frames back to back (`hepcat decode` reads them) and the file
 * `position`, which says how far the oldest one has been sent. What an earlier process left is sent first. Over the
 * limit the oldest segment goes, counted. Nothing is fsynced: it is for outages of collectors, not of power.
 *
 * One thread at a time; a lock keeps a second process away.
 */
#ifndef AGENT_SPOOL_H
#define AGENT_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "hep/hep.h"

#define SPOOL_SEGMENT ((uint64_t)8 << 20) /* octets after which the next one is begun */
#define SPOOL_LEAST   (2 * SPOOL_SEGMENT) /* smallest limit */

struct spool_stats {
    uint64_t octets;         /* waiting */
    uint64_t frames_written; /* ever, by this process */
    uint64_t frames_dropped; /* went with their segment over the limit, or could not be written */
    uint64_t octets_torn;    /* of segments that end inside a frame, or hold something else */
};

struct spool;

/* Makes the directory if need be (its parent must be there). 0, or -1 with a text. */
int spool_open(struct spool **ret, const char *dir, uint64_t limit, struct errmsg *err);
void spool_close(struct spool *s); /* NULL is fine; what waits stays on disk */

/* Appends whole frames. 0, or -1 with a text (disk full): the frames are counted as dropped. */
int spool_put(struct spool *s, const uint8_t *frames, size_t len, struct errmsg *err);

/* The oldest frames, whole ones, as many as fit into `cap` (>= HEP_FRAME_MAX): octets, 0 if nothing waits. */
size_t spool_peek(struct spool *s, uint8_t *buf, size_t cap);

/* So many of these octets, whole frames, are done with. */
void spool_advance(struct spool *s, size_t len);

const struct spool_stats *spool_stats(const struct spool *s);

/* Octets of the whole frames at the start of `data`, and how many they are. */
size_t frames_whole(const uint8_t *data, size_t len, size_t *ret_count);

/* Octets of the frame that begins here, 0 if none does. */
size_t frame_length(const uint8_t *data, size_t len);

#endif
