/*
 * The heart of `hepcat decode`: octets of one datagram, stream frame or body in, messages to the output. Files,
 * captures and listeners (decode_file.h, decode_pcap.h, listen.h) feed it; every message is counted in one way.
 */
#ifndef CMD_DECODER_H
#define CMD_DECODER_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/output.h"
#include "cmd/report.h"
#include "cmd/select.h"
#include "hep/zlib.h"

struct decoder {
    struct hep_options hep;
    bool clean;           /* hep_clean() each message */
    const char *auth_key; /* NULL: any */
    uint64_t count_max;   /* stop after so many messages; 0: no limit */
    struct select select;
    struct output out;
    struct report *report;
    struct hep_zlib *envelope; /* opens whole frames */
    struct hep_zlib *payload;  /* inflates payloads: apart, since both results are needed at once */

    uint64_t shown;        /* messages written */
    uint64_t bad;          /* messages or streams that could not be decoded or written */
    uint64_t left_out;     /* by select */
    uint64_t unauthorized; /* wrong or missing key */
    bool done;             /* count_max is reached or the output failed: stop */
    bool gone;             /* the output failed, or its reader went away */
    bool failed;           /* the output failed */
};

/* Where octets came from; all of it is only looked at for errors and "meta". */
struct origin {
    const char *name; /* file or listener */
    const char *unit; /* what `number` counts: "packet", "line", "offset"; NULL: nothing */
    uint64_t number;
    struct hepjson_meta meta;
};

/* The rest of *d is set. 0, or -1 with a text. */
int decoder_open(struct decoder *d, struct errmsg *err);

/* Flushes and releases; prints the sums if something was wrong. */
void decoder_close(struct decoder *d);

/* Hands on what waits: before waiting for input, and before saying that it was taken. -1 if the output is gone. */
int decoder_flush(struct decoder *d);

/* What became of some octets. */
struct decoder_result {
    uint64_t taken;        /* messages that were sound */
    uint64_t bad;          /* messages that were not */
    uint64_t unauthorized; /* messages with a wrong key or none */
    int error;             /* of the first bad one; HEP_OK if there is none */
    size_t error_offset;   /* from the start of the octets */
};

/* A datagram: one message, or several; what follows the last one is ignored, as UDP receivers do. */
void decoder_datagram(struct decoder *d, const uint8_t *data, size_t len, const struct origin *from);

/* One frame of a stream. */
void decoder_frame(struct decoder *d, const uint8_t *data, size_t len, const struct origin *from);

/*
 * A body of one or many frames, whose lengths must add up to it exactly, as a whole in gzip or not. A bad inside costs
 * its frame, a bad length or magic the rest. One message of versions 1 and 2 is taken as well.
 */
struct decoder_result decoder_body(struct decoder *d, const uint8_t *data, size_t len, const struct origin *from);

/* Reports something that could not be decoded and counts it. */
void decoder_bad(struct decoder *d, const struct origin *from, int error, uint64_t offset);

#endif
