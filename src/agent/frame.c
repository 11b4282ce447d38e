#include "agent/frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK_MAX 40

struct framer {
    struct frame_options options;
    struct hep_zlib *zlib;
    char mark[MARK_MAX];
    uint8_t octets[HEP_FRAME_MAX];
};

struct framer *framer_new(const struct frame_options *options)
{
    struct framer *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return NULL;
    f->options = *options;
    f->zlib = hep_zlib_new(0);
    if (f->zlib != NULL)
        return f;
    free(f);
    return NULL;
}

void framer_free(struct framer *f)
{
    if (f == NULL)
        return;
    hep_zlib_free(f->zlib);
    free(f);
}

static void put_agent(const struct frame_options *o, struct hep_msg *msg)
{
    (void)hep_set_number(msg, HEP_CHUNK_CAPTURE_ID, o->id);
    if (o->name != NULL)
        (void)hep_set_octets(msg, HEP_CHUNK_NODE_NAME, o->name, strlen(o->name));
    if (o->key != NULL)
        (void)hep_set_octets(msg, HEP_CHUNK_AUTH_KEY, o->key, strlen(o->key));
}

static bool compress(struct framer *f, struct hep_msg *msg)
{
    return hep_has(msg, HEP_CHUNK_PAYLOAD) && hep_zlib_compress(f->zlib, msg, f->options.format) == HEP_OK;
}

/* Cuts the payload so that the frame with its mark fits. False if there is not so much to cut. */
static bool cut(struct framer *f, struct hep_msg *msg)
{
    (void)snprintf(f->mark, sizeof(f->mark), "truncated=%zu", msg->payload.len);
    (void)hep_set_octets(msg, HEP_CHUNK_TAGS, f->mark, strlen(f->mark));
    size_t size = hep_encoded_size(msg);
    size_t over = size > HEP_FRAME_MAX ? size - HEP_FRAME_MAX : 0;
    if (over > msg->payload.len)
        return false;
    msg->payload.len -= over;
    return true;
}

/* A message beyond the length field: compressed, or cut if that is not enough. */
static enum frame_result shorten(struct framer *f, struct hep_msg *msg)
{
    struct hep_msg smaller = *msg;
    if (compress(f, &smaller) && hep_encoded_size(&smaller) <= HEP_FRAME_MAX) {
        *msg = smaller;
        return FRAME_COMPRESSED;
    }
    return cut(f, msg) ? FRAME_CUT : FRAME_BAD;
}

enum frame_result framer_make(struct framer *f, struct hep_msg *msg, struct hep_slice *ret)
{
    enum frame_result result = FRAME_PLAIN;
    size_t len;
    put_agent(&f->options, msg);
    if (hep_encoded_size(msg) > HEP_FRAME_MAX)
        result = shorten(f, msg);
    else if (f->options.compress && compress(f, msg))
        result = FRAME_COMPRESSED;
    if (result == FRAME_BAD || hep_encode(msg, f->octets, sizeof(f->octets), &len) != HEP_OK)
        return FRAME_BAD;
    *ret = (struct hep_slice){ f->octets, len };
    return result;
}
