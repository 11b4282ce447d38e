/*
 * A message made into a frame of HEP version 3: key, id and name put in, the payload compressed if that is wanted.
 *
 * The length field of HEP has 16 bits. A message beyond that is compressed, and if that is not enough its payload is
 * cut and marked: chunk 0x0026 (tags) says "truncated=N", N being the octets that the payload had. Nothing ever wraps.
 */
#ifndef AGENT_FRAME_H
#define AGENT_FRAME_H

#include "hep/hep.h"
#include "hep/zlib.h"

/* Texts are borrowed. */
struct frame_options {
    const char *key;  /* chunk 0x000e; NULL: none */
    const char *name; /* chunk 0x0013; NULL: none */
    uint32_t id;      /* chunk 0x000c */
    bool compress;    /* every payload into chunk 0x0010; else only those that are too long */
    enum hep_zlib_format format;
};

enum frame_result {
    FRAME_PLAIN,
    FRAME_COMPRESSED,
    FRAME_CUT,
    FRAME_BAD /* cannot be encoded: an address of no family, no memory */
};

struct framer;

/* NULL if out of memory. Options are copied. */
struct framer *framer_new(const struct frame_options *options);
void framer_free(struct framer *f); /* NULL is fine */

/* Makes the frame; changes msg. *ret is valid until the next call; unset on FRAME_BAD. */
enum frame_result framer_make(struct framer *f, struct hep_msg *msg, struct hep_slice *ret);

#endif
