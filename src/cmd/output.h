/*
 * Decoded messages to standard output, in batches: JSON lines, text for people, a pcap of the payloads between their
 * original addresses, or the raw frames.
 */
#ifndef CMD_OUTPUT_H
#define CMD_OUTPUT_H

#include <stdbool.h>

#include "base/buf.h"
#include "capture/pcap_out.h"
#include "hepjson/hepjson.h"

enum output_format { OUTPUT_JSON, OUTPUT_TEXT, OUTPUT_PCAP, OUTPUT_RAW };

struct output {
    enum output_format format;
    struct hepjson_options json;
    bool meta; /* add what is known of the way here */
    struct buf pending;
    struct pcap_out *pcap;
    uint64_t raw_frames; /* written in raw format */
    bool raw_ended;      /* by a frame without a length of its own */
    struct errmsg err;
};

/* "json", "text", "pcap", "raw". */
bool output_format_parse(const char *name, enum output_format *ret);

/* Prepares an output whose format, json and meta are set. 0, or -1 with a text. */
int output_open(struct output *o, struct errmsg *err);

/*
 * Writes one message; `meta` says where it came from. 0; 1 if this message cannot be written in this format (o->err
 * says why); -1 if standard output failed (o->err; empty if the reader just went away).
 */
int output_message(struct output *o, const struct hep_msg *msg, const struct hepjson_meta *meta);

/* Sends what waits: 0, or -1 as above. */
int output_flush(struct output *o);

/* Flushes and releases. */
int output_close(struct output *o);

#endif
