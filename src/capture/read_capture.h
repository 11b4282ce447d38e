/* A capture from its first packet to its last: every one through the dissector, and what was lost there. */
#ifndef CAPTURE_READ_CAPTURE_H
#define CAPTURE_READ_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/input.h"
#include "capture/dissect.h"

struct capture_reading {
    struct input *in;        /* NULL: the capture is in memory */
    struct hep_slice octets; /* then this is it */
    struct dissect_options options;
    void (*note)(void *arg, const char *text); /* says what could not be read of the packets; may be NULL */
    void *arg;
    const bool *done; /* stop when it is true; then nothing is said about what was under way */
    uint64_t *packet; /* number of the packet under way, from 1; in the end how many there were */
};

/*
 * Reads to the end. 0, or -1 with a text: the file is
 * damaged, or its link type is not known.
 */
int read_capture(const struct capture_reading *r, struct errmsg *err);

#endif
