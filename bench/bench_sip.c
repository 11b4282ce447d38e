/*
 * CPU time of HEP decoding, SIP and SDP parsing for messages as they are met in the field, in nanoseconds a message:
 * the best of several rounds, warm, one core. One line a message, as JSON.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "hep/hep.h"
#include "sip/msg.h"
#include "sip/sdp.h"

#define ROUNDS 15
#define REPEAT 20000

#define SDP_BODY                                                                                                       \
    "v=0\r\no=- 20518 0 IN IP4 203.0.113.1\r\ns=-\r\nc=IN IP4 203.0.113.1\r\nt=0 0\r\nm=audio 54400 RTP/AVP 0 8 "      \
    "101\r\n"                                                                                                          \
    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"

/* 738 octets as HEP: the message that the figures of the design are about. */
static const char invite[] = "INVITE sip:+15550200@gw.example.com SIP/2.0\r\n"
                             "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK74bf9a01;rport\r\n"
                             "Max-Forwards: 70\r\n"
                             "From: \"Alice Example\" <sip:+15550100@example.com>;tag=9fxced76sl\r\n"
                             "To: <sip:+15550200@gw.example.com>\r\n"
                             "Call-ID: 384827629822018851@pbx.example.com\r\n"
                             "CSeq: 1 INVITE\r\n"
                             "Contact: <sip:+15550100@192.0.2.10:5060;transport=udp>\r\n"
                             "Allow: INVITE, ACK, BYE\r\n"
                             "User-Agent: PBX 18.1\r\n"
                             "Content-Type: application/sdp\r\n"
                             "Content-Length: 193\r\n"
                             "\r\n" SDP_BODY;

static const char ok[] = "SIP/2.0 200 OK\r\n"
                         "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa7;received=192.0.2.1;rport=5060\r\n"
                         "Via: SIP/2.0/TCP 198.51.100.7:5060;branch=z9hG4bK87\r\n"
                         "Record-Route: <sip:192.0.2.1;lr>\r\n"
                         "From: <sip:+15550100@example.com>;tag=9fxced76sl\r\n"
                         "To: <sip:+15550200@gw.example.com>;tag=8321234356\r\n"
                         "Call-ID: 3848276298220188511@pbx.example.com\r\n"
                         "CSeq: 2 BYE\r\n"
                         "Server: Example Proxy 5.6\r\n"
                         "Content-Length: 0\r\n\r\n";

static const char registration[] =
    "REGISTER sip:example.com SIP/2.0\r\n"
    "Via: SIP/2.0/TLS [2001:db8::9]:5061;branch=z9hG4bKnashds7;rport;alias\r\n"
    "Max-Forwards: 70\r\n"
    "From: \"Bob\" <sip:bob@example.com>;tag=456248\r\n"
    "To: \"Bob\" <sip:bob@example.com>\r\n"
    "Call-ID: 843817637684230@998sdasdh09\r\n"
    "CSeq: 1826 REGISTER\r\n"
    "Contact: <sip:bob@[2001:db8::9]:5061;transport=tls>;expires=3600;+sip.instance=\"<urn:uuid:f81d4fae>\"\r\n"
    "Authorization: Digest username=\"bob\", realm=\"example.com\", nonce=\"84a4cc6f3082121f32b42a2187831a9e\", "
    "uri=\"sip:example.com\", response=\"7587245234b3434cc3412213e5f113a5\", algorithm=MD5\r\n"
    "Supported: path, gruu, outbound\r\n"
    "User-Agent: Example Phone 2.1\r\n"
    "Expires: 3600\r\n"
    "Content-Length: 0\r\n\r\n";

static const char trunk[] =
    "INVITE sip:+15550200;npdi;rn=+15550299@gw.example.com:5060;user=phone SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1,SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK2;received=192.0.2.3\r\n"
    "Record-Route: <sip:192.0.2.1;lr;ftag=1>, <sip:192.0.2.2;lr>\r\n"
    "From: \"Carol \\\"C\\\" Example\" <sip:+15550100@example.com;user=phone>;tag=gK0a\r\n"
    "To: <sip:+15550200@gw.example.com;user=phone>\r\n"
    "Call-ID: 16777_135@192.0.2.9\r\n"
    "CSeq: 101 INVITE\r\n"
    "Contact: <sip:+15550100@192.0.2.9:5060>\r\n"
    "P-Asserted-Identity: \"Carol\" <sip:+15550100@example.com>, <tel:+15550100>\r\n"
    "P-Charging-Vector: icid-value=\"AyretyU0dm+6O2IrT5tAFrbHLso=023551024\";orig-ioi=home1.example\r\n"
    "Diversion: <sip:+15550111@example.com>;reason=unconditional;counter=1\r\n"
    "History-Info: <sip:+15550111@example.com>;index=1,<sip:+15550200@example.com>;index=1.1\r\n"
    "Session-ID: ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000\r\n"
    "Session-Expires: 1800;refresher=uac\r\n"
    "Min-SE: 90\r\n"
    "Supported: timer, 100rel, replaces\r\n"
    "Privacy: none\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 193\r\n\r\n" SDP_BODY;

static const struct {
    const char *name, *text;
    size_t len;
} messages[] = {
    { "invite", invite, sizeof(invite) - 1 },
    { "200", ok, sizeof(ok) - 1 },
    { "register", registration, sizeof(registration) - 1 },
    { "trunk_invite", trunk, sizeof(trunk) - 1 },
};

enum { STEP_HEP = 1, STEP_SIP = 2, STEP_SDP = 4 };

static volatile unsigned sink; /* keeps the work from being optimised away */

static void work(const uint8_t *frame, size_t len, int steps)
{
    static struct sip_msg msg;
    static struct sdp sdp;
    struct hep_msg hep;
    struct hep_slice payload = { frame, len };
    struct hep_slice body;
    if (steps & STEP_HEP) {
        sink += (unsigned)hep_decode(frame, len, NULL, &hep);
        payload = hep.payload;
    }
    if (steps & STEP_SIP)
        sink += (unsigned)sip_parse(payload.ptr, payload.len, &msg);
    if ((steps & STEP_SDP) && sdp_find_in(msg.body, msg.content_type, &body)) {
        sdp_parse(body, &sdp);
        sink += sdp.media_count;
    }
}

static double cpu_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Nanoseconds a message, the best round. */
static double measure(const uint8_t *frame, size_t len, int steps)
{
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double start = cpu_seconds();
        for (int i = 0; i < REPEAT; i++)
            work(frame, len, steps);
        double ns = (cpu_seconds() - start) / REPEAT * 1e9;
        best = ns < best ? ns : best;
    }
    return best;
}

/* The message as a HEP frame of version 3; its length. */
static size_t wrap(const char *text, size_t len, uint8_t *out, size_t max)
{
    static const uint8_t src[4] = { 192, 0, 2, 10 };
    static const uint8_t dst[4] = { 203, 0, 113, 5 };
    struct hep_msg msg;
    size_t used = 0;
    hep_msg_init(&msg, HEP_TYPE_SIP);
    (void)hep_set_src(&msg, src, sizeof(src), 5060);
    (void)hep_set_dst(&msg, dst, sizeof(dst), 5060);
    (void)hep_set_number(&msg, HEP_CHUNK_PROTOCOL, 17);
    (void)hep_set_number(&msg, HEP_CHUNK_TIME_SEC, 1700000000);
    (void)hep_set_number(&msg, HEP_CHUNK_TIME_USEC, 123456);
    (void)hep_set_number(&msg, HEP_CHUNK_CAPTURE_ID, 2001);
    (void)hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, text, len);
    return hep_encode(&msg, out, max, &used) == HEP_OK ? used : 0;
}

/* A message that is not what it is meant to be would be measured for nothing. */
static bool is_flawless(const uint8_t *text, size_t len)
{
    static struct sip_msg msg;
    (void)sip_parse(text, len, &msg);
    for (int i = 0; i < SIP_PROBLEM_COUNT; i++) {
        if (sip_has_problem(&msg, (enum sip_problem)i))
            fprintf(stderr, "problem: %s (body of %zu octets)\n", sip_problem_name((enum sip_problem)i), msg.body.len);
    }
    return msg.problems == 0;
}

int main(void)
{
    static uint8_t frame[4096];
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        const uint8_t *text = (const uint8_t *)messages[i].text;
        size_t len = messages[i].len;
        size_t used = wrap(messages[i].text, len, frame, sizeof(frame));
        if (used == 0 || !is_flawless(text, len))
            return 1;
        printf("{\"bench\":\"sip\",\"message\":\"%s\",\"octets\":%zu,\"frame\":%zu,\"sip_ns\":%.0f,\"sip_sdp_ns\":%.0f,"
               "\"hep_ns\":%.0f,\"hep_sip_ns\":%.0f,\"hep_sip_sdp_ns\":%.0f}\n",
               messages[i].name, len, used, measure(text, len, STEP_SIP), measure(text, len, STEP_SIP | STEP_SDP),
               measure(frame, used, STEP_HEP), measure(frame, used, STEP_HEP | STEP_SIP),
               measure(frame, used, STEP_HEP | STEP_SIP | STEP_SDP));
    }
    return 0;
}
