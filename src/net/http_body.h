/*
 * The body of one HTTP request while it arrives: a limit, optionally unpacked from gzip, charged to a common account so
 * that all bodies together are bounded as well.
 */
#ifndef NET_HTTP_BODY_H
#define NET_HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "base/buf.h"

struct http_account {
    size_t used;
    size_t max; /* octets */
};

struct http_body {
    struct buf data;
    struct http_account *account;
    size_t charged; /* octets of the account that are ours */
    size_t wire;    /* octets as sent, discarded ones included */
    bool gzip;
    bool ended; /* gzip: the trailer was seen */
    z_stream z;
};

/* 0, or the HTTP status that refuses the request: 503 if zlib has no memory. */
unsigned http_body_init(struct http_body *b, struct http_account *account, size_t max, bool gzip);
void http_body_free(struct http_body *b);

/* Adds what came. 0, or a status: 413 too large, 400 not gzip, 503 all bodies together are too large or no memory. */
unsigned http_body_add(struct http_body *b, const void *data, size_t len);

/* To be called at the end of the body. 0, or 400 if gzip ended too early. */
unsigned http_body_end(const struct http_body *b);

#endif
