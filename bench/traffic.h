/*
 * SIP calls for benchmarks of the store: seven messages each (INVITE 100 180 200 ACK BYE 200), 256 calls interleaved,
 * about 700 octets a message. The same each time.
 */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CALLS 256u

/* CPU time of the thread. */
static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint64_t seed = 1;

static uint32_t chance(uint32_t limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % limit;
}

struct call {
    char call_id[48], from[16], to[16], from_tag[24], to_tag[24], branch[3][32], src[16], dst[16];
    unsigned step, number, gateway;
};

struct message {
    const struct call *call;
    unsigned step;
    int status;
    const char *method, *reason;
    bool to_uas;
    char payload[1500];
    size_t len;
};

static unsigned legs_of_call = 1; /* so many calls with the same Session-ID, one behind the other; 1: none has any */

static struct call calls[CALLS];
static unsigned call_number;

static void random_text(char *to, size_t len)
{
    static const char set[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++)
        to[i] = set[chance(16)];
    to[len] = '\0';
}

static void new_call(struct call *c)
{
    char id[33];
    memset(c, 0, sizeof(*c));
    c->number = call_number++;
    c->gateway = chance(20);
    random_text(id, 32);
    (void)snprintf(c->call_id, sizeof(c->call_id), "%s@10.0.0.%u", id, c->gateway);
    (void)snprintf(c->from, sizeof(c->from), "+1555%07u", chance(10000000));
    (void)snprintf(c->to, sizeof(c->to), "+4930%07u", chance(10000000));
    random_text(c->from_tag, 12);
    random_text(c->to_tag, 12);
    for (unsigned i = 0; i < 3; i++) {
        memcpy(c->branch[i], "z9hG4bK", 7);
        random_text(c->branch[i] + 7, 16);
    }
    (void)snprintf(c->src, sizeof(c->src), "10.0.0.%u", c->gateway);
    (void)snprintf(c->dst, sizeof(c->dst), "10.1.0.%u", chance(4));
}

static const struct {
    const char *method, *reason;
    int status;
    unsigned branch;
    bool to_uas, sdp;
} steps[7] = { { "INVITE", NULL, 0, 0, true, true },
               { "INVITE", "Trying", 100, 0, false, false },
               { "INVITE", "Ringing", 180, 0, false, false },
               { "INVITE", "OK", 200, 0, false, true },
               { "ACK", NULL, 0, 1, true, false },
               { "BYE", NULL, 0, 2, true, false },
               { "BYE", "OK", 200, 2, false, false } };

static size_t sdp_text(const struct call *c, bool uac, char *to, size_t cap)
{
    unsigned port = 10000 + (c->number * 2 + !uac) % 50000;
    return (size_t)snprintf(
        to, cap,
        "v=0\r\no=- %u %u IN IP4 %s\r\ns=call\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %u RTP/AVP 8 0 101\r\n"
        "a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
        "a=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n",
        3900000000u + c->number, 3900000000u + c->number, uac ? c->src : c->dst, uac ? c->src : c->dst, port);
}

static void make_payload(struct message *m)
{
    const struct call *c = m->call;
    char sdp[600] = "", first[80], session[100] = "";
    unsigned step = m->step;
    size_t sdp_len = steps[step].sdp ? sdp_text(c, m->to_uas, sdp, sizeof(sdp)) : 0;
    if (legs_of_call > 1)
        (void)snprintf(session, sizeof(session), "Session-ID: %032x;remote=%032d\r\n", 1 + c->number / legs_of_call, 0);
    if (m->status == 0)
        (void)snprintf(first, sizeof(first), "%s sip:%s@%s:5060 SIP/2.0", m->method, c->to, c->dst);
    else
        (void)snprintf(first, sizeof(first), "SIP/2.0 %d %s", m->status, m->reason);
    m->len = (size_t)snprintf(
        m->payload, sizeof(m->payload),
        "%s\r\nVia: SIP/2.0/UDP %s:5060;branch=%s;rport\r\nVia: SIP/2.0/UDP 192.168.%u.%u:5060;branch=z9hG4bK%08x\r\n"
        "Record-Route: <sip:10.0.0.%u;lr;ftag=%s>\r\nMax-Forwards: 69\r\nFrom: \"Alice %u\" <sip:%s@%s>;tag=%s\r\n"
        "To: <sip:%s@%s>%s%s\r\nCall-ID: %s\r\nCSeq: %u %s\r\nContact: <sip:%s@%s:5060;transport=udp>\r\n"
        "User-Agent: %s\r\nAllow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, UPDATE\r\n"
        "Supported: replaces, timer, path\r\n%s%sContent-Length: %zu\r\n\r\n%s",
        first, c->src, c->branch[steps[step].branch], c->number % 250, c->gateway, c->number * 2654435761u, c->gateway,
        c->from_tag, c->number % 1000, c->from, c->src, c->from_tag, c->to, c->dst,
        step == 0 ? "" : ";tag=", step == 0 ? "" : c->to_tag, c->call_id, step >= 5 ? 102u : 101u, m->method, c->from,
        c->src, m->to_uas ? "Asterisk PBX 18.9.0" : "FreeSWITCH-mod_sofia/1.10.9", session,
        sdp_len > 0 ? "Content-Type: application/sdp\r\n" : "", sdp_len, sdp);
}

static void next_message(struct message *m)
{
    struct call *c = &calls[chance(CALLS)];
    if (c->step == 7 || c->call_id[0] == '\0')
        new_call(c);
    unsigned s = c->step++;
    *m = (struct message){ .call = c, .step = s, .status = steps[s].status, .method = steps[s].method };
    m->reason = steps[s].reason;
    m->to_uas = steps[s].to_uas;
    make_payload(m);
}

#endif
