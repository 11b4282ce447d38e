#include <string.h>

#include "demo/call.h"

#define NTP_EPOCH UINT64_C(2208988800) /* seconds from 1900 to 1970 */

void demo_put_log(struct text *t, const struct demo_call *c)
{
    const struct demo_party *b = demo_callee(c);
    text_add(t, "INFO: <script>: INVITE from ");
    demo_put_host(t, &c->cast.a.addr);
    text_add(t, ":%u, %s%u -> %s%u, routed to ", (unsigned)c->cast.a.port, c->cast.a.prefix,
             (unsigned)c->cast.a.extension, b->prefix, (unsigned)b->extension);
    demo_put_host(t, &b->addr);
    text_add(t, " (%s)", b->domain);
}

/* ------------------------------------------------------------------------------------------------ RTCP */

static uint8_t *put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
    return p + 4;
}

static uint32_t fraction(uint64_t us)
{
    return (uint32_t)(((us % 1000000) << 32) / 1000000);
}

/* RFC 3550 section 6.4.1: the sender's own figures. 50 packets a second. */
static uint8_t *put_sender(uint8_t *p, const struct demo_call *c, uint64_t now_us, bool from_a)
{
    uint32_t clock = demo_likes_first(c) ? c->cast.a.agent->clock : 8000;
    uint64_t elapsed = now_us - c->talk_began;
    uint32_t packets = (uint32_t)(elapsed / 20000);
    p = put32(p, UINT32_C(0x81c8000c)); /* version 2, one block, SR, 13 words */
    p = put32(p, (uint32_t)demo_label(c, 200 + from_a));
    p = put32(p, (uint32_t)(now_us / 1000000 + NTP_EPOCH));
    p = put32(p, fraction(now_us));
    p = put32(p, (uint32_t)demo_label(c, 210 + from_a) + (uint32_t)(elapsed * clock / 1000000));
    p = put32(p, packets);
    return put32(p, packets * 160);
}

/* ... and what it hears of the other side: mostly little loss, in one call of eight a lot. */
static uint8_t *put_block(uint8_t *p, struct demo_call *c, uint64_t now_us, bool from_a)
{
    bool bad_line = (c->secret & 7) == 0;
    uint32_t expected = c->interval / 10000; /* packets of one interval of this side */
    uint32_t roll = random_below(&c->random, 100);
    uint32_t lost = bad_line ? expected * random_below(&c->random, 12) / 100 : roll < 10;
    uint32_t jitter = bad_line ? 200 + random_below(&c->random, 600) : 8 + random_below(&c->random, 60);
    uint32_t delay = random_below(&c->random, 5 * 65536);
    c->lost[from_a] += lost;
    p = put32(p, (uint32_t)demo_label(c, 200 + !from_a));
    p = put32(p, (expected != 0 ? lost * 256 / expected : 0) << 24 | (c->lost[from_a] & 0xffffff));
    p = put32(p, (uint32_t)(demo_label(c, 220 + from_a) & 0xfff) + (uint32_t)((now_us - c->talk_began) / 20000));
    p = put32(p, jitter);
    /* The middle of the NTP time of a report that came `delay` and half a round trip ago. */
    uint64_t then = now_us - delay * UINT64_C(1000000) / 65536 - 30000;
    p = put32(p, (uint32_t)((then / 1000000 + NTP_EPOCH) << 16) | fraction(then) >> 16);
    return put32(p, delay);
}

/* RFC 3550 section 6.5: one chunk with a CNAME. */
static uint8_t *put_sdes(uint8_t *p, const struct demo_call *c, bool from_a)
{
    char name[48];
    struct text t = text_into(name, sizeof(name));
    text_add(&t, "%08x@", (unsigned)demo_label(c, 230 + from_a));
    demo_put_address(&t, from_a ? &c->cast.a.media : &demo_callee(c)->media);
    size_t words = 1 + (2 + t.len) / 4 + 1; /* SSRC; item and at least one octet of end */
    p = put32(p, UINT32_C(0x81ca0000) | (uint32_t)words);
    p = put32(p, (uint32_t)demo_label(c, 200 + from_a));
    memset(p, 0, (words - 1) * 4);
    p[0] = 1; /* CNAME */
    p[1] = (uint8_t)t.len;
    memcpy(p + 2, name, t.len);
    return p + (words - 1) * 4;
}

size_t demo_rtcp(struct demo_call *c, uint64_t now_us, bool from_a, uint8_t out[DEMO_RTCP_MAX])
{
    uint8_t *p = put_sender(out, c, now_us, from_a);
    p = put_block(p, c, now_us, from_a);
    p = put_sdes(p, c, from_a);
    c->reports++;
    return (size_t)(p - out);
}
