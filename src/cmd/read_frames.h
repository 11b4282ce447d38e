/* Raw frames from a file or pipe, one after the other: what decode and encode share. */
#ifndef CMD_READ_FRAMES_H
#define CMD_READ_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/input.h"

struct frame_reading {
    struct input *in;
    const bool *done; /* set by the callback to end early */
    /* One frame; offset: octets from the start of the input to it. */
    void (*on_frame)(void *arg, const uint8_t *frame, size_t len, uint64_t offset);
    void *arg;
};

/*
 * Version 3 frames back to back, cut by their length. HEP_OK at the end of the input (a read error shows in
 * input_error()), or HEP_ERR_MAGIC, _TOTAL_LENGTH, _TRUNCATED or _NO_MEMORY; *ret_offset is where.
 */
int read_frames(const struct frame_reading *r, uint64_t *ret_offset);

/*
 * One message of version 1 or 2: it has no length of its own, so it is all of the input. HEP_OK, or HEP_ERR_TOO_LONG
 * if that is more than any datagram.
 */
int read_single(const struct frame_reading *r, uint64_t *ret_offset);

#endif
