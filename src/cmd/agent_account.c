/* The account that the agent sends of itself. */
#include <string.h>

#include "agent/frame.h"
#include "base/json_out.h"
#include "base/when.h"
#include "cmd/agent.h"

static void number(struct buf *out, bool *first, const char *key, uint64_t value)
{
    json_out_key(out, first, key);
    json_out_number(out, value);
}

static void when(struct buf *out, bool *first, const char *key, int64_t us)
{
    char text[WHEN_TEXT_MAX];
    (void)when_format(us, text);
    json_out_key(out, first, key);
    json_out_text(out, text);
}

static void losses(const struct agent_interval *i, struct buf *out)
{
    bool first = true;
    buf_putc(out, '{');
    for (int k = 0; k < DISSECT_OUTCOME_COUNT; k++) {
        uint64_t n = i->now->outcomes[k] - i->before->outcomes[k];
        if (n != 0 && account_is_loss((enum dissect_outcome)k))
            number(out, &first, dissect_outcome_name((enum dissect_outcome)k), n);
    }
    buf_putc(out, '}');
}

static void lane(struct buf *out, const char *name, const struct lane_stats *a, const struct lane_stats *b)
{
    bool first = true;
    buf_putc(out, '{');
    json_out_key(out, &first, "to");
    json_out_text(out, name);
    number(out, &first, "sent", b->sent - a->sent);
    number(out, &first, "failed", b->failed - a->failed);
    number(out, &first, "dropped", b->dropped - a->dropped);
    number(out, &first, "waiting", b->waiting);
    number(out, &first, "spool_octets", b->spool_octets);
    number(out, &first, "outages", b->outages - a->outages);
    buf_putc(out, '}');
}

/* "capture was blind: the kernel dropped 1234 of 5678 packets" */
static void text(const struct agent_interval *i, struct buf *out)
{
    uint64_t drops = i->now->kernel_drops - i->before->kernel_drops;
    uint64_t packets = i->now->packets - i->before->packets;
    struct buf line;
    buf_init(&line, 256);
    if (drops > 0)
        buf_printf(&line, "capture was blind: the kernel dropped %llu of %llu packets", (unsigned long long)drops,
                   (unsigned long long)drops + packets);
    else
        buf_printf(&line, "%llu packets captured, none dropped", (unsigned long long)packets);
    (void)json_out_string(out, line.ptr, line.len);
    buf_free(&line);
}

void agent_account_json(const struct agent_interval *i, struct buf *out)
{
    struct account_row now, before;
    bool first = true;
    buf_putc(out, '{');
    json_out_key(out, &first, "event");
    json_out_text(out, "capture_account");
    json_out_key(out, &first, "text");
    text(i, out);
    when(out, &first, "from", i->from_us);
    when(out, &first, "to", i->to_us);
    json_out_key(out, &first, "blind");
    buf_puts(out, i->now->kernel_drops != i->before->kernel_drops ? "true" : "false");
    for (size_t k = 0; account_row(i->now, k, &now) && account_row(i->before, k, &before); k++)
        number(out, &first, now.name, now.value - before.value);
    json_out_key(out, &first, "unreadable");
    losses(i, out);
    json_out_key(out, &first, "collectors");
    buf_putc(out, '[');
    for (size_t k = 0; k < i->lanes; k++) {
        buf_puts(out, k == 0 ? "" : ",");
        lane(out, i->lane_names[k], &i->lanes_before[k], &i->lanes_now[k]);
    }
    buf_puts(out, "]}");
}

/* Collectors of the field refuse a message without addresses: it is from us and of us. */
bool agent_account_frame(struct framer *f, const struct buf *json, int64_t at_us, struct hep_slice *ret)
{
    static const uint8_t here[4] = { 127, 0, 0, 1 };
    struct hep_msg msg;
    if (json->failed)
        return false;
    hep_msg_init(&msg, HEP_TYPE_LOG);
    (void)hep_set_src(&msg, here, sizeof(here), 0);
    (void)hep_set_dst(&msg, here, sizeof(here), 0);
    msg.time_sec = (uint32_t)(at_us / 1000000);
    msg.time_usec = (uint32_t)(at_us % 1000000);
    (void)hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, json->ptr, json->len);
    return framer_make(f, &msg, ret) != FRAME_BAD;
}
