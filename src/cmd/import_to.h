/*
 * Where `hepcat import` puts frames: a running server, by POSTs of some MiB, or a data directory that no server uses.
 * import_server.c and import_data.c are the two.
 */
#ifndef CMD_IMPORT_TO_H
#define CMD_IMPORT_TO_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "cmd/report.h"

/* Texts are borrowed until import_to_close(). */
struct import_to_options {
    const char *server, *token, *ca;
    bool insecure;
    unsigned retry_s;           /* how long a server that does not answer is waited for */
    const char *data;           /* NULL: the server */
    const char *const *headers; /* SIP headers to keep in the column `headers`; of a data directory only */
    size_t header_count;
    const volatile sig_atomic_t *stop; /* not 0: every wait ends */
    const struct report *report;       /* for what is to be told at once */
};

/* What became of the frames. */
struct import_sums {
    uint64_t given;
    uint64_t stored, keepalives, bad, refused;
    char bad_text[128]; /* of the first bad one; empty if there is none */
};

struct import_to;

struct import_to_ops {
    int (*frame)(struct import_to *to, const uint8_t *frame, size_t len);
    int (*flush)(struct import_to *to);
    int (*close)(struct import_to *to); /* after a flush */
};

/* What both begin with. */
struct import_to {
    const struct import_to_ops *ops;
    struct import_sums sums;
    struct errmsg err; /* why it failed; empty if it did not */
};

/* 0, or -1 with a text. */
int import_to_server(struct import_to **ret, const struct import_to_options *options, struct errmsg *err);
int import_to_data(struct import_to **ret, const struct import_to_options *options, struct errmsg *err);

/* One frame of version 3, copied. -1: it, or one before it, cannot be stored: to->err says why, and no more is taken.
 */
static inline int import_to_frame(struct import_to *to, const uint8_t *frame, size_t len)
{
    to->sums.given++;
    return to->ops->frame(to, frame, len);
}

/* Stores what waits. 0, or -1 as above. */
static inline int import_to_flush(struct import_to *to)
{
    return to->ops->flush(to);
}

/*
 * Stores what waits and releases it. -1 with a text if something could not be stored, or made durable, now; the sums
 * are given in any case. to may be NULL.
 */
int import_to_close(struct import_to *to, struct import_sums *ret_sums, struct errmsg *err);

#endif
