/*
 * The agent's pipeline: first octet the settings, second the link type, then packets (length of two octets, time and
 * snap flags, octets). Every packet has one outcome and a line of its explanation, messages add up, and frames are
 * whole.
 */
#include <string.h>

#include "agent/pipeline.h"
#include "fuzz.h"

static const int linktypes[] = { 101, 1, 0, 108, 113, 276, 9, 50, 51, 219, 228, 229 };

struct seen {
    uint64_t frames, lines, packet;
};

static void on_frame(void *arg, const struct pipeline_frame *frame)
{
    struct seen *s = arg;
    struct hep_msg msg;
    FUZZ_CHECK(hep_decode(frame->octets.ptr, frame->octets.len, NULL, &msg) == HEP_OK);
    FUZZ_CHECK(msg.frame.len == frame->octets.len);
    FUZZ_CHECK(hep_has(&msg, HEP_CHUNK_PAYLOAD) || hep_has(&msg, HEP_CHUNK_PAYLOAD_ZIP));
    s->frames++;
}

static void on_line(void *arg, uint64_t packet, const char *line)
{
    struct seen *s = arg;
    FUZZ_CHECK(packet >= s->packet);
    for (const char *p = line; *p != '\0'; p++) /* it goes to a terminal */
        FUZZ_CHECK((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f);
    s->lines += packet != s->packet;
    s->packet = packet;
}

/* Each packet ends at the end of an allocation, so that a read behind it is seen. */
static void take_packet(struct pipeline *p, const uint8_t *data, size_t len, uint32_t sec, bool cut, int linktype)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    if (copy == NULL)
        return;
    if (len > 0)
        memcpy(copy, data, len);
    const struct packet packet = { sec, 0, { copy, len }, len + (cut ? 20 : 0), linktype };
    pipeline_packet(p, &packet, sec & 1);
    free(copy);
}

static void check_sums(const struct pipeline *p, const struct seen *s)
{
    struct account a;
    uint64_t outcomes = 0;
    pipeline_account(p, &a);
    for (int i = 0; i < DISSECT_OUTCOME_COUNT; i++)
        outcomes += a.outcomes[i];
    FUZZ_CHECK(outcomes == a.packets);
    FUZZ_CHECK(a.messages == a.discarded + a.filtered + a.copies + a.unencodable + a.frames);
    FUZZ_CHECK(a.frames == s->frames);
    FUZZ_CHECK(s->lines == a.packets);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = { "OPTIONS" }, *const keep[] = { "NOT from:bob*" },
                             *const drop[] = { "status:486" };
    struct seen seen = { 0 };
    struct errmsg err;
    struct pipeline *p;
    if (size < 2)
        return 0;
    struct pipeline_options o = { .frame = on_frame, .explain = on_line, .arg = &seen };
    o.settings = (struct pipeline_settings){
        .frame = { .key = "k", .name = "n", .id = 1, .compress = (data[0] & 1) != 0 },
        .rules = { methods, data[0] >> 1 & 1, keep, data[0] >> 2 & 1, drop, data[0] >> 3 & 1 },
        .dedup_us = (data[0] & 16) != 0 ? 1000000 : 0,
        .media = (data[0] & 32) != 0 ? PIPELINE_SIP_ONLY : PIPELINE_RTP,
        .call_ids = (data[0] & 64) != 0,
    };
    int linktype = linktypes[data[1] % (sizeof(linktypes) / sizeof(linktypes[0]))];
    if (pipeline_new(&p, &o, &err) != 0)
        return 0;
    uint32_t sec = 1;
    for (size_t at = 2; at + 3 < size;) {
        size_t want = (size_t)data[at] << 8 | data[at + 1], left = size - at - 3, len = want < left ? want : left;
        sec += data[at + 2] >> 4;
        take_packet(p, data + at + 3, len, sec, (data[at + 2] & 8) != 0, linktype);
        at += 3 + len;
    }
    pipeline_finish(p);
    check_sums(p, &seen);
    pipeline_free(p);
    return 0;
}
