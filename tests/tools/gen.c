/*
 * sample: made-up but realistic HEP traffic, the same for the same seed.
 *
 *     sample --calls 3 --pcap sample.pcap     a proxy's agent: calls of two legs, RTCP reports, log lines, a vendor's
 *                                             frame; HEP in UDP
 *     sample --frames 1000000 --raw big.hep   for benchmarks: 256 calls at a time, one leg each, and RTCP reports
 *
 * Options: --calls N or --frames N, --seed N, --concurrent N (calls at a time), --raw FILE or --pcap FILE ("-" is
 * standard output).
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "capture/pcap_out.h"
#include "hep/hep.h"

#define CONCURRENT_MAX 4096
#define START_SEC      1700000000u /* 2023-11-14 22:13:20 UTC */

/* What happens in a call, in order; B is the leg behind the proxy. */
enum event {
    INVITE,
    INVITE_B,
    TRYING,
    TRYING_B,
    RINGING_B,
    RINGING,
    LOG_LINE,
    OK_B,
    OK,
    ACK,
    ACK_B,
    RTCP_A,
    RTCP_B,
    VENDOR,
    BYE,
    BYE_B,
    BYE_OK_B,
    BYE_OK
};

/* The event and the time since the one before, in microseconds. */
struct step {
    enum event event;
    uint32_t wait;
};

static const struct step two_legs[] = {
    { INVITE, 1000 },      { LOG_LINE, 400 },  { TRYING, 600 },     { INVITE_B, 900 },  { TRYING_B, 12000 },
    { RINGING_B, 180000 }, { RINGING, 700 },   { OK_B, 3200000 },   { OK, 800 },        { ACK, 24000 },
    { ACK_B, 600 },        { VENDOR, 5000 },   { RTCP_A, 4100000 }, { RTCP_B, 300000 }, { BYE, 5200000 },
    { BYE_B, 700 },        { BYE_OK_B, 9000 }, { BYE_OK, 600 },
};

static const struct step one_leg[] = {
    { INVITE, 300 }, { TRYING, 20 },  { RINGING, 90 }, { OK, 300 },
    { ACK, 10 },     { RTCP_A, 200 }, { BYE, 400 },    { BYE_OK, 20 },
};

struct call {
    bool active;
    size_t step;
    uint64_t due; /* microseconds since START_SEC */
    unsigned number;
    uint32_t random; /* makes tags, branches and identifiers of this call */
};

struct generator {
    const struct step *steps;
    size_t step_count;
    struct call *calls;
    size_t concurrent;
    uint64_t stagger; /* microseconds between the first calls */
    unsigned started;
    uint64_t calls_max, frames_max, frames; /* maxima: 0 is none */
    uint64_t random;
    FILE *raw;
    struct pcap_out *pcap;
    struct buf sip, body;
    bool failed;
};

/* xorshift64*: the same numbers on every machine. */
static uint32_t next_random(struct generator *g)
{
    g->random ^= g->random >> 12;
    g->random ^= g->random << 25;
    g->random ^= g->random >> 27;
    return (uint32_t)((g->random * UINT64_C(2685821657736338717)) >> 32);
}

/* ------------------------------------------------------------------------------------------------ SIP */

static bool is_leg_b(enum event e)
{
    return e == INVITE_B || e == TRYING_B || e == RINGING_B || e == OK_B || e == ACK_B || e == BYE_B || e == BYE_OK_B;
}

/* From the caller's side to the other one? */
static bool is_forward(enum event e)
{
    return e == INVITE || e == INVITE_B || e == ACK || e == ACK_B || e == BYE || e == BYE_B;
}

static const char *first_word(enum event e)
{
    switch (e) {
    case INVITE:
    case INVITE_B:
        return "INVITE";
    case ACK:
    case ACK_B:
        return "ACK";
    case BYE:
    case BYE_B:
        return "BYE";
    case TRYING:
    case TRYING_B:
        return "100 Trying";
    case RINGING:
    case RINGING_B:
        return "180 Ringing";
    default:
        return "200 OK";
    }
}

static void write_sdp(struct buf *out, const struct call *c, bool answer)
{
    const char *ip = answer ? "203.0.113.9" : "192.0.2.10";
    buf_reset(out);
    buf_printf(out, "v=0\r\no=- %u %u IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\n", (unsigned)c->random,
               (unsigned)c->random, ip, ip);
    buf_printf(out, "m=audio %u RTP/AVP %s101\r\n", 10000 + c->number % 20000 * 2, answer ? "8 " : "8 0 9 ");
    buf_puts(out, "a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n"
                  "a=sendrecv\r\n");
}

static void write_sip(struct generator *g, const struct call *c, enum event e)
{
    struct buf *out = &g->sip;
    bool b = is_leg_b(e);
    bool bye = e == BYE || e == BYE_B || e == BYE_OK || e == BYE_OK_B;
    bool invite = e == INVITE || e == INVITE_B;
    bool tagged = !invite && e != TRYING && e != TRYING_B;
    unsigned callee = 1000 + c->number % 9000;
    const char *word = first_word(e);
    buf_reset(out);
    buf_reset(&g->body);
    if (invite || e == OK || e == OK_B)
        write_sdp(&g->body, c, !invite);
    if (is_forward(e))
        buf_printf(out, "%s sip:+49301234%u@%s SIP/2.0\r\n", word, callee, b ? "203.0.113.9:5060" : "example.org");
    else
        buf_printf(out, "SIP/2.0 %s\r\n", word);
    if (b)
        buf_printf(out, "Via: SIP/2.0/UDP 198.51.100.5:5060;branch=z9hG4bK%04x.%08x%c;i=1\r\n", c->number & 0xffff,
                   (unsigned)c->random, bye ? '2' : '1');
    buf_printf(out, "Via: SIP/2.0/UDP 192.0.2.10:5062;branch=z9hG4bK-%08x%c;rport%s\r\n", (unsigned)c->random,
               bye ? '2' : '1', b || !is_forward(e) ? "=5062" : "");
    if (is_forward(e))
        buf_printf(out, "Max-Forwards: %u\r\n", b ? 69 : 70);
    buf_printf(out, "From: \"Alice %u\" <sip:+49891234%u@example.org>;tag=%08x\r\n", callee, callee,
               (unsigned)c->random);
    buf_printf(out, "To: <sip:+49301234%u@example.org>", callee);
    if (tagged)
        buf_printf(out, ";tag=t%07x", (unsigned)(c->random >> 4));
    buf_printf(out, "\r\nCall-ID: %08x-%u@192.0.2.10\r\nCSeq: %u %s\r\n", (unsigned)c->random, c->number, bye ? 2u : 1u,
               bye                      ? "BYE"
               : e == ACK || e == ACK_B ? "ACK"
                                        : "INVITE");
    if (invite || e == OK || e == OK_B)
        buf_printf(out,
                   "Contact: <sip:%s>\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO\r\n"
                   "Supported: replaces, timer\r\nContent-Type: application/sdp\r\n",
                   is_forward(e) ? "alice@192.0.2.10:5062" : "bob@203.0.113.9:5060");
    if (!is_forward(e) && !b)
        buf_puts(out, "Server: kamailio (5.6.3 (x86_64/linux))\r\n");
    else
        buf_puts(out, "User-Agent: Deskphone 4.0.10\r\n");
    buf_printf(out, "Content-Length: %zu\r\n\r\n", g->body.len);
    buf_put(out, g->body.ptr, g->body.len);
}

/* ------------------------------------------------------------------------------------------------ frames */

static void put_frame(struct generator *g, const struct hep_msg *msg)
{
    uint8_t frame[HEP_FRAME_MAX];
    size_t len;
    if (hep_encode(msg, frame, sizeof(frame), &len) != HEP_OK) {
        g->failed = true;
        return;
    }
    g->frames++;
    if (g->pcap == NULL) {
        g->failed |= fwrite(frame, 1, len, g->raw) != len;
        return;
    }
    const struct pcap_out_message m = {
        .sec = msg->time_sec,
        .usec = msg->time_usec,
        .protocol = 17,
        .src = { .len = 4, .octets = { 198, 51, 100, 5 } },
        .dst = { .len = 4, .octets = { 198, 51, 100, 60 } },
        .src_port = 45060,
        .dst_port = 9060,
        .payload = { frame, len },
    };
    g->failed |= pcap_out_message(g->pcap, &m) != PCAP_OUT_OK;
}

static void set_ends(struct hep_msg *msg, enum event e)
{
    static const uint8_t phone[4] = { 192, 0, 2, 10 }, proxy[4] = { 198, 51, 100, 5 }, gateway[4] = { 203, 0, 113, 9 };
    bool b = is_leg_b(e);
    const uint8_t *near = b ? proxy : phone;
    const uint8_t *far = b ? gateway : proxy;
    uint16_t near_port = b ? 5060 : 5062;
    bool forward = is_forward(e);
    (void)hep_set_src(msg, forward ? near : far, 4, forward ? near_port : 5060);
    (void)hep_set_dst(msg, forward ? far : near, 4, forward ? 5060 : near_port);
}

static void begin(struct hep_msg *msg, const struct call *c, uint8_t type)
{
    hep_msg_init(msg, type);
    msg->time_sec = START_SEC + (uint32_t)(c->due / 1000000);
    msg->time_usec = (uint32_t)(c->due % 1000000);
    msg->capture_id = 2001;
    (void)hep_set_octets(msg, HEP_CHUNK_NODE_NAME, "proxy1", 6);
}

static void put_sip(struct generator *g, const struct call *c, enum event e)
{
    struct hep_msg msg;
    begin(&msg, c, HEP_TYPE_SIP);
    set_ends(&msg, e);
    write_sip(g, c, e);
    (void)hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, g->sip.ptr, g->sip.len);
    put_frame(g, &msg);
}

static void set_correlation(struct generator *g, struct hep_msg *msg, const struct call *c)
{
    buf_reset(&g->body);
    buf_printf(&g->body, "%08x-%u@192.0.2.10", (unsigned)c->random, c->number);
    (void)hep_set_octets(msg, HEP_CHUNK_CORRELATION_ID, g->body.ptr, g->body.len);
}

static void put_rtcp(struct generator *g, const struct call *c, bool from_phone)
{
    static const uint8_t phone[4] = { 192, 0, 2, 10 }, gateway[4] = { 203, 0, 113, 9 };
    struct hep_msg msg;
    uint16_t port = (uint16_t)(10001 + c->number % 20000 * 2);
    begin(&msg, c, HEP_TYPE_RTCP);
    (void)hep_set_src(&msg, from_phone ? phone : gateway, 4, port);
    (void)hep_set_dst(&msg, from_phone ? gateway : phone, 4, port);
    buf_reset(&g->sip);
    buf_printf(&g->sip,
               "{\"sender_information\":{\"ntp_timestamp_sec\":%u,\"ntp_timestamp_usec\":%u,\"rtp_timestamp\":%u,"
               "\"packets\":%u,\"octets\":%u},\"ssrc\":%u,\"type\":200,\"report_count\":1,\"report_blocks\":[{"
               "\"source_ssrc\":%u,\"fraction_lost\":%u,\"packets_lost\":%u,\"highest_seq_no\":%u,\"ia_jitter\":%u,"
               "\"lsr\":%u,\"dlsr\":%u}],\"sdes_ssrc\":%u}",
               msg.time_sec + 2208988800u, msg.time_usec * 4294u, (unsigned)(c->random % 1000000 + 40000),
               (unsigned)(250 + c->number % 7), (unsigned)((250 + c->number % 7) * 160), (unsigned)c->random,
               (unsigned)~c->random, (unsigned)(c->random % 8), (unsigned)(c->random % 11),
               (unsigned)(4096 + c->number % 4096), (unsigned)(16 + c->random % 97), (unsigned)(c->random / 3),
               (unsigned)(65536 + c->random % 65536), (unsigned)c->random);
    (void)hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, g->sip.ptr, g->sip.len);
    set_correlation(g, &msg, c);
    put_frame(g, &msg);
}

static void put_log(struct generator *g, const struct call *c)
{
    struct hep_msg msg;
    begin(&msg, c, HEP_TYPE_LOG);
    set_ends(&msg, INVITE);
    buf_reset(&g->sip);
    buf_printf(&g->sip, "INFO: <script>: call %u routed to gw-fra-1, 3 of 30 channels in use", c->number);
    (void)hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, g->sip.ptr, g->sip.len);
    set_correlation(g, &msg, c);
    put_frame(g, &msg);
}

/* A SIP message as a Genesys system sends it: over TLS, its conversation and organization in vendor chunks. */
static void put_vendor(struct generator *g, const struct call *c)
{
    char conversation[16];
    struct hep_msg msg;
    int len = snprintf(conversation, sizeof(conversation), "%u", 456000000 + c->number);
    const struct hep_chunk extra[] = {
        { 8, 0x80, { (const uint8_t *)conversation, (size_t)len } },
        { 8, 0x81, { (const uint8_t *)"3bac7742-243f-4af7-ba39-f4098b941eda", 36 } },
    };
    begin(&msg, c, HEP_TYPE_SIP);
    set_ends(&msg, ACK_B);
    msg.protocol = 6;
    write_sip(g, c, ACK_B);
    (void)hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, g->sip.ptr, g->sip.len);
    msg.extra = extra;
    msg.extra_count = 2;
    put_frame(g, &msg);
}

static void put_event(struct generator *g, const struct call *c, enum event e)
{
    if (e == RTCP_A || e == RTCP_B)
        put_rtcp(g, c, e == RTCP_A);
    else if (e == LOG_LINE)
        put_log(g, c);
    else if (e == VENDOR)
        put_vendor(g, c);
    else
        put_sip(g, c, e);
}

/* ------------------------------------------------------------------------------------------------ calls */

static void start_call(struct generator *g, struct call *c, uint64_t now)
{
    if (g->calls_max != 0 && g->started >= g->calls_max) {
        c->active = false;
        return;
    }
    *c = (struct call){ .active = true, .number = ++g->started, .random = next_random(g) };
    c->due = now + g->steps[0].wait + next_random(g) % 2000;
}

/* The active call whose turn it is; NULL if there is none. Ties go to the lower index. */
static struct call *next_call(struct generator *g)
{
    struct call *best = NULL;
    for (size_t i = 0; i < g->concurrent; i++)
        if (g->calls[i].active && (best == NULL || g->calls[i].due < best->due))
            best = &g->calls[i];
    return best;
}

static void generate(struct generator *g)
{
    struct call *c;
    for (size_t i = 0; i < g->concurrent; i++)
        start_call(g, &g->calls[i], i * g->stagger);
    while (!g->failed && (g->frames_max == 0 || g->frames < g->frames_max) && (c = next_call(g)) != NULL) {
        put_event(g, c, g->steps[c->step].event);
        if (++c->step == g->step_count)
            start_call(g, c, c->due);
        else
            c->due += g->steps[c->step].wait + next_random(g) % (g->steps[c->step].wait / 4 + 1);
    }
}

/* ------------------------------------------------------------------------------------------------ command line */

static int usage(void)
{
    fputs("usage: sample (--calls N | --frames N) [--seed N] [--concurrent N] (--raw FILE | --pcap FILE)\n", stderr);
    return 2;
}

static bool take_option(struct generator *g, const char *name, const char *value, const char **raw, const char **pcap)
{
    uint64_t number = strtoull(value, NULL, 10);
    if (strcmp(name, "--calls") == 0)
        g->calls_max = number;
    else if (strcmp(name, "--frames") == 0)
        g->frames_max = number;
    else if (strcmp(name, "--seed") == 0)
        g->random = number * 2 + 1;
    else if (strcmp(name, "--concurrent") == 0)
        g->concurrent = (size_t)number;
    else if (strcmp(name, "--raw") == 0)
        *raw = value;
    else if (strcmp(name, "--pcap") == 0)
        *pcap = value;
    else
        return false;
    return true;
}

static int run(struct generator *g, const char *path, bool pcap)
{
    struct errmsg err = { "" };
    FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    g->raw = file;
    g->calls = calloc(g->concurrent, sizeof(*g->calls));
    g->failed = g->calls == NULL || (pcap && pcap_out_open(&g->pcap, file, &err) != 0);
    buf_init(&g->sip, 1u << 16);
    buf_init(&g->body, 1u << 16);
    if (!g->failed)
        generate(g);
    g->failed |= pcap_out_close(g->pcap) != 0;
    g->failed |= fclose(file) != 0 || g->sip.failed || g->body.failed;
    buf_free(&g->sip);
    buf_free(&g->body);
    free(g->calls);
    if (g->failed)
        fprintf(stderr, "sample: %s: failed %s\n", path, err.text);
    return g->failed ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct generator g = { .random = 3 };
    const char *raw = NULL, *pcap = NULL;
    for (int i = 1; i < argc; i += 2)
        if (i + 1 == argc || !take_option(&g, argv[i], argv[i + 1], &raw, &pcap))
            return usage();
    if ((raw == NULL) == (pcap == NULL) || (g.calls_max == 0) == (g.frames_max == 0) || g.concurrent > CONCURRENT_MAX)
        return usage();
    bool bench = g.frames_max != 0;
    g.steps = bench ? one_leg : two_legs;
    g.step_count = bench ? sizeof(one_leg) / sizeof(one_leg[0]) : sizeof(two_legs) / sizeof(two_legs[0]);
    g.stagger = bench ? 50 : 1700000;
    if (g.concurrent == 0)
        g.concurrent = bench ? 256 : 4;
    return run(&g, raw != NULL ? raw : pcap, pcap != NULL);
}
