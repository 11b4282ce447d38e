/*
 * All that producers (ingest, import) know of storage: a place to hand a frame and its row to, and a watermark of what
 * is durable. Who implements it: src/engine, and a list in memory in tests.
 */
#ifndef RECORD_SINK_H
#define RECORD_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "record/record.h"

/* A frame as it came: what the write-ahead log keeps, and all that is needed to make the row again. */
struct sink_frame {
    const uint8_t *data;
    size_t len;           /* octets; at most HEP_FRAME_MAX */
    int64_t received_us;  /* microseconds since 1970 */
    struct hep_addr peer; /* who sent it; len 0: nobody (import) */
    uint16_t peer_port;   /* host order */
    uint16_t local_port;  /* host order */
    uint8_t transport;    /* enum record_transport */
    uint8_t source;       /* enum record_source */
};

/* How a frame came in. The numbers stand in the write-ahead log: none is ever changed. */
enum record_transport { RECORD_UDP, RECORD_TCP, RECORD_TLS, RECORD_HTTP, RECORD_HTTPS, RECORD_FILE };
#define RECORD_TRANSPORTS 6

/* "udp" ... "import"; "" for a number that is none. Static. */
const char *record_transport_name(unsigned transport);

enum sink_result {
    SINK_OK = 0,
    SINK_FULL = -1,   /* no memory left to hold rows: come again when woken (sink_wake_fn), or drop and count */
    SINK_REFUSED = -2 /* can never be stored: frame too long */
};

/* Called from any thread when there is room again after SINK_FULL, and when the watermark has moved. Must be short. */
typedef void sink_wake_fn(void *arg);

struct sink_ops {
    /*
     * Takes a frame and its row; both are copied. `writer` numbers the calling thread (0 .. writers - 1): calls of one
     * writer must not overlap, those of several may. *ret_seq is the number it was given; the row can be found at once.
     */
    enum sink_result (*append)(void *ctx, unsigned writer, const struct sink_frame *frame, struct record *record,
                               uint64_t *ret_seq);

    /* Every frame with a number up to this one is durable. */
    uint64_t (*durable)(void *ctx);

    /* Asks for `seq` to be made durable soon, without waiting: wake tells. */
    void (*request)(void *ctx, uint64_t seq);

    /* Who is to be woken for this writer; NULL: nobody. Set before the first append. */
    void (*on_wake)(void *ctx, unsigned writer, sink_wake_fn *wake, void *arg);

    /* True while storage is short of room: the moment to enforce each sender's share. */
    bool (*pressed)(void *ctx);
};

struct sink {
    const struct sink_ops *ops;
    void *ctx;
    unsigned writers; /* how many threads may append */
};

static inline enum sink_result sink_append(const struct sink *s, unsigned writer, const struct sink_frame *frame,
                                           struct record *record, uint64_t *ret_seq)
{
    return s->ops->append(s->ctx, writer, frame, record, ret_seq);
}

static inline uint64_t sink_durable(const struct sink *s)
{
    return s->ops->durable(s->ctx);
}

#endif
