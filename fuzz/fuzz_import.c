/*
 * A body of POST /api/v1/import: frames back to back, or a capture. Each message is stored once or counted as something
 * else, and the same body with the same key again stores nothing and tells the same.
 */
#include <stdio.h>
#include <string.h>

#include "api/importer.h"
#include "fuzz.h"

/* A sink that counts. */
struct counting {
    uint64_t rows;
    size_t octets;
};

static enum sink_result take(void *ctx, unsigned writer, const struct sink_frame *frame, struct record *record,
                             uint64_t *ret_seq)
{
    struct counting *c = ctx;
    (void)writer;
    FUZZ_CHECK(frame->len <= HEP_FRAME_MAX && frame->source == RECORD_IMPORT);
    FUZZ_CHECK(record->payload.len <= RECORD_PAYLOAD_MAX && record->source == RECORD_IMPORT);
    c->octets += frame->len;
    *ret_seq = ++c->rows;
    return SINK_OK;
}

static uint64_t durable(void *ctx)
{
    return ((struct counting *)ctx)->rows;
}

static const struct sink_ops ops = { .append = take, .durable = durable };

static struct importer *open_importer(struct sink *sink)
{
    const struct importer_options o = { .sink = sink };
    struct importer *imp = NULL;
    struct errmsg err;
    return importer_open(&imp, &o, &err) == 0 ? imp : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct counting counting;
    static struct sink sink = { &ops, &counting, 1 };
    static struct importer *imp;
    static unsigned number;
    struct importer_result first, second;
    struct errmsg err = { "" };
    char key[16];
    if (imp == NULL)
        imp = open_importer(&sink);
    if (imp == NULL || size == 0)
        return 0;
    counting = (struct counting){ 0 };
    (void)snprintf(key, sizeof(key), "%u", number++);
    enum importer_status status = importer_take(imp, key, (struct hep_slice){ data, size }, &first, &err);
    FUZZ_CHECK(status == IMPORTER_DONE || status == IMPORTER_TOO_LARGE || status == IMPORTER_NO_CAPTURE);
    FUZZ_CHECK(first.stored == counting.rows && counting.octets <= IMPORTER_FRAMES_MAX);
    FUZZ_CHECK(status == IMPORTER_DONE || (counting.rows == 0 && err.text[0] != '\0'));
    FUZZ_CHECK(first.capture || first.stored + first.bad + first.keepalives + first.refused > 0);
    uint64_t rows = counting.rows;
    FUZZ_CHECK(importer_take(imp, key, (struct hep_slice){ data, size }, &second, &err) == status);
    FUZZ_CHECK(counting.rows == rows && memcmp(&first, &second, sizeof(first)) == 0);
    return 0;
}
