/*
 * The heart of `hepcat encode`: whole frames to a collector or to standard output, counted. JSON texts, captures of
 * plain SIP and files of frames feed it.
 */
#ifndef CMD_ENCODER_H
#define CMD_ENCODER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "capture/messages.h"
#include "capture/pcap_out.h"
#include "cmd/ports.h"
#include "cmd/report.h"
#include "cmd/select.h"
#include "hep/zlib.h"
#include "net/sender.h"

enum encoder_format { ENCODER_RAW, ENCODER_BASE64, ENCODER_PCAP };

/* What the command line wants changed in every message. */
struct encoder_override {
    const char *auth_key;  /* NULL: as it is */
    const char *node_name; /* NULL: as it is */
    uint64_t capture_id;   /* > UINT32_MAX: as it is */
    unsigned version;      /* 0: as it is */
    bool compress;         /* payload into chunk 0x0010 */
    enum hep_zlib_format compress_format;
};

#define ENCODER_ID_AS_IS UINT64_MAX

/* Where frames go instead of a collector or standard output. */
struct encoder_sink {
    /* Takes a frame; msg is its decoded form, or what it was made of. -1: no more, stop; it says why itself. */
    int (*frame)(void *arg, const uint8_t *frame, size_t len, const struct hep_msg *msg);
    void (*flush)(void *arg); /* the input makes us wait */
    void *arg;
};

struct encoder {
    struct encoder_override override;
    struct select select;
    enum encoder_format format;
    uint64_t rate; /* messages a second, 0: as fast as it goes */
    struct report *report;
    struct sender *sender;           /* NULL: standard output */
    const struct encoder_sink *sink; /* not NULL: instead of both */

    const char *plain_node; /* capture agent of plain SIP and RTCP; NULL: "hepcat" */
    uint32_t plain_id;      /* its number; 0: 2001 */

    /* Not NULL: HEP in captures is taken as well, as it is; these are the ports to look for it beside its content. */
    const struct ports *hep_ports;
    bool known_only; /* what is no capture, frames or JSON is an error, not JSON with an error */
    void (*on_read)(void *arg, uint64_t octets, uint64_t size); /* struct input_wait's, may be NULL */
    void *read_arg;
    struct messages_counts counts; /* of captures and files of frames */

    struct hep_zlib *inflate, *deflate;
    struct buf pending; /* for standard output */
    struct pcap_out *pcap;
    uint64_t encoded;                  /* frames made, sent or not */
    uint64_t bad;                      /* messages that could not be made into a frame */
    uint64_t left_out;                 /* by select */
    double next;                       /* when the next frame is due, seconds on the monotonic clock */
    bool done;                         /* the output failed, or the user wants an end: stop */
    const volatile sig_atomic_t *stop; /* not 0: the user wants an end */
    uint8_t frame[HEP_FRAME_MAX];
};

/* The rest of *e is set. 0, or -1 with a text. */
int encoder_open(struct encoder *e, struct errmsg *err);

/* True if messages have to be built anew rather than passed through. */
bool encoder_changes(const struct encoder *e);

/* Hands on what waits, before waiting for input; on stdout and to the collector. */
void encoder_flush(struct encoder *e);

/* False if the message is not selected (and counts it). Inflates a compressed payload to look into it. */
bool encoder_wants(struct encoder *e, const struct hep_msg *msg);

/* Makes the changes asked for and sends the message; `where` is for errors. Slices are borrowed for the call. */
void encoder_message(struct encoder *e, struct hep_msg *msg, const char *where);

/* Sends a frame as it is. msg is its decoded form. */
void encoder_frame(struct encoder *e, const uint8_t *frame, size_t len, const struct hep_msg *msg);

/*
 * A decoded frame that is built anew with all its chunks, those without a field included: as encoder_message().
 */
void encoder_rebuild(struct encoder *e, struct hep_msg *msg, const char *where);

/* Reports a message that could not be made. */
void encoder_bad(struct encoder *e, const char *where, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same for an error of hep_encode(). */
void encoder_refused(struct encoder *e, const char *where, int error, const struct hep_msg *msg);

/* Flushes, closes the sender and releases; prints the sums. Returns the exit status. */
int encoder_close(struct encoder *e, const char *url);

#endif
