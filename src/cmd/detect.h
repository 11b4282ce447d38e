/* What an input is, told by its first octets. */
#ifndef CMD_DETECT_H
#define CMD_DETECT_H

#include <stddef.h>
#include <stdint.h>

#include "base/input.h"

enum input_kind {
    INPUT_EMPTY,
    INPUT_CAPTURE,  /* pcap, pcapng */
    INPUT_FRAMES,   /* HEP version 3 frames back to back */
    INPUT_DATAGRAM, /* one version 1, version 2 or protobuf message */
    INPUT_BASE64,   /* base64 of frames */
    INPUT_JSON,     /* JSON texts */
    INPUT_UNKNOWN
};

enum input_kind detect_octets(const uint8_t *p, size_t len);

/* As detect_octets(), without taking anything. -1 on a read error. */
int detect_input(struct input *in);

#endif
