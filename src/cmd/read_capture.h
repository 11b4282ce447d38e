/* What the two sub-commands share in reading a capture: every packet through the dissector, and what was lost there. */
#ifndef CMD_READ_CAPTURE_H
#define CMD_READ_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/input.h"
#include "capture/dissect.h"
#include "cmd/report.h"

struct capture_reading {
    struct input *in;
    const char *name;
    struct dissect_options options;
    const struct report *report;
    const bool *done; /* stop when it is true; then nothing is said about what was under way */
    uint64_t *packet; /* number of the packet under way, from 1; in the end how many there were */
};

/*
 * Reads to the end and notes on standard error what could not be read of the packets. 0, or -1 with a text: the file is
 * damaged, or its link type is not known.
 */
int read_capture(const struct capture_reading *r, struct errmsg *err);

#endif
