/* What ladder.c (who takes part, what came before) and ladder_draw.c (lines) share. */
#ifndef QUERY_LADDER_INTERNAL_H
#define QUERY_LADDER_INTERNAL_H

#include "base/ip.h"
#include "base/lru.h"
#include "query/ladder.h"
#include "query/printable.h"

#define LADDER_COLUMNS_MAX 32
#define LADDER_HOSTS_MAX   256 /* told apart; what comes then goes to the shared column */

struct ladder_host {
    char ip[IP_TEXT_MAX];
    uint32_t port;
    bool ports; /* several: only in ladders by address */
};

struct ladder_held {
    struct ladder_message m;
    uint8_t octets[]; /* of its slices */
};

struct ladder {
    struct printable printable;
    unsigned width;
    unsigned room; /* most columns that fit */

    struct ladder_host hosts[LADDER_HOSTS_MAX];
    size_t host_count;
    bool by_address; /* columns are addresses, since there are more ports than columns */
    bool shared;     /* the last column is that of all further hosts */

    struct ladder_held *held[LADDER_HELD_MAX];
    size_t held_count;
    bool drawing;   /* nothing is held back any more */
    uint64_t drawn; /* messages */

    unsigned columns, step; /* as the header has been drawn; 0: it must be drawn */
    bool header_shared;
    int64_t day;  /* the last that was drawn */
    int64_t last; /* ts of the last message drawn */
    bool has_last;

    struct lru *seen; /* 128 bits of what makes two messages the same -> how often it came */
    struct ladder_stats stats;
};

/* What goes into the line of a message beside itself. */
struct ladder_line {
    const struct ladder_message *m;
    size_t from, to; /* columns */
    uint64_t again;  /* how often it came before */
    uint64_t number; /* 1, 2, ...: what a diagnosis calls it */
};

/* The column of a host, noted if it is new. */
size_t ladder_column(struct ladder *l, struct hep_slice ip, uint32_t port);

void ladder_draw(struct ladder *l, const struct ladder_line *line, struct buf *out);

#endif
