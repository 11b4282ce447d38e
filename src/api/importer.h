/*
 * Imports: bodies of HEP frames or captures from files, into the store with the capture times that they have. One
 * import at a time; it has a writer of the sink of its own, and waits for room and for durability, within limits.
 *
 * A body with a key (Idempotency-Key) is stored once, however often it is sent: after a lost answer, after an answer
 * that told of a part, and after the server was killed in the middle. For the last of these each frame of a body gets a
 * `received` time of its own, one microsecond after the other, and a file of the data directory (IMPORTS) says which
 * times belong to which key: written before the first frame, so that the rows themselves tell later which frames are
 * there. Keys are remembered for the last IMPORTER_KEYS bodies.
 *
 * A body may be a capture, pcap or pcapng, by its first octets: then it is made into frames first, as `hepcat import`
 * does.
 *
 * Files: importer.c bodies and keys, importer_capture.c captures, importer_journal.c the file, importer_lookup.c what
 * the rows tell.
 */
#ifndef API_IMPORTER_H
#define API_IMPORTER_H

#include "base/errmsg.h"
#include "base/vfs.h"
#include "capture/messages.h"
#include "record/reader.h"
#include "record/sink.h"
#include "store/store.h"

#define IMPORTER_KEYS    1024
#define IMPORTER_KEY_MAX 256 /* octets of a key */

/* Octets of the frames that one capture may become: RTCP grows sevenfold as JSON. */
#define IMPORTER_FRAMES_MAX ((size_t)64 << 20)

struct importer;

/* A zero means the default in brackets. Everything pointed at must live as long as the importer. */
struct importer_options {
    const struct sink *sink;
    unsigned writer; /* of the sink; nobody else's */
    struct record_options record;
    struct store *store;      /* where the sink's rows can be found */
    const struct vfs *vfs;    /* [vfs_posix()] */
    const char *data_dir;     /* of the file IMPORTS; NULL: keys do not outlive the importer */
    unsigned room_wait_ms;    /* for a full sink [10000] */
    unsigned durable_wait_ms; /* [20000] */
    bool not_durable;         /* done when the sink has the frames: for who makes all of it durable at the end */
};

/*
 * 0, or -1 with a text: no memory. If the file cannot be used that is no error: *err says so then, and keys do not
 * outlive the importer.
 */
int importer_open(struct importer **ret, const struct importer_options *options, struct errmsg *err);

/* Every wait ends, now and later: for the end of the server, before the callers of importer_take() are waited for. */
void importer_stop(struct importer *imp);

/* The sink may still wake it: free after the sink has been closed. NULL is fine. */
void importer_free(struct importer *imp);

enum importer_status {
    IMPORTER_DONE,
    IMPORTER_FULL,        /* no room in time: a part is stored; again, later, with the same key */
    IMPORTER_NOT_DURABLE, /* all is stored, and not known to be durable: as IMPORTER_FULL */
    IMPORTER_UNSURE,      /* what a former server stored of it could not be found out; nothing was stored now */
    IMPORTER_KEY_REUSED,  /* the key was used for another body */
    IMPORTER_TOO_LARGE,   /* a capture that becomes more frames than IMPORTER_FRAMES_MAX; nothing was stored */
    IMPORTER_NO_CAPTURE,  /* it begins like one, and nothing in it can be read */
    IMPORTER_STOPPED,
    IMPORTER_NO_MEMORY
};

/* What is known of a body, its earlier tries with the same key included. */
struct importer_result {
    uint64_t stored;
    uint64_t keepalives; /* messages of agents that say nothing: not stored */
    uint64_t bad;        /* not HEP; if the length of one is wrong, all behind it counts as one */
    uint64_t refused;    /* the sink can never take it */
    int error;           /* HEP result of the first bad one */
    size_t error_offset; /* octets from the start of the body to it */
    bool capture;        /* the body was one: */
    struct messages_counts counts;
    struct errmsg capture_error; /* of the first bad one, or why the capture could not be read to its end */
};

/*
 * Stores the frames of a body: version 3, back to back, or what is in a capture. key: NULL or empty: none. (any thread;
 * one at a time is served) *err: the text of what is neither IMPORTER_DONE nor a bad frame.
 */
enum importer_status importer_take(struct importer *imp, const char *key, struct hep_slice body,
                                   struct importer_result *ret, struct errmsg *err);

/* Since the start; (any thread). */
struct importer_figures {
    uint64_t bodies, repeated; /* repeated: of the bodies, those whose key was known */
    uint64_t stored, bad;      /* frames */
    uint64_t full;             /* bodies that found no room in time */
    uint64_t looked_up;        /* bodies of which a former server had stored a part, or all */
};
void importer_figures(struct importer *imp, struct importer_figures *ret);

#endif
