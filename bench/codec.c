/*
 * CPU time of the codec, in nanoseconds per message: hep_decode() and hep_encode() alone, then with JSON.
 *
 *     codec GENESYS.json             a line per figure: frame, octets, operation, best round, median round
 *     codec GENESYS.json --frames    the frames as JSON, {"invite":"48455033...","genesys":"..."}, for other programs
 *
 * Two frames: a SIP INVITE with SDP, 738 octets as HEP, and the Genesys message of the tests. CPU time of the process,
 * not wall time: other programs on the machine disturb it less.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "hep/hep.h"
#include "hepjson/hepjson.h"

#define ROUNDS       21
#define ROUND_NS     20000000 /* a round takes about so long */
#define INVITE_FRAME 738      /* octets */

struct bench {
    const char *name;
    uint8_t frame[HEP_FRAME_MAX], out[HEP_FRAME_MAX];
    size_t len;
    struct hep_msg msg;
    struct hep_chunk extra[8];
    struct buf json, json_out;
    struct hepjson_reader *reader;
    struct hepjson_options options;
};

/* Keeps the compiler from leaving out what nobody reads. */
static volatile uint64_t sink;

static double cpu_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void do_decode(struct bench *b)
{
    struct hep_msg msg;
    sink += (uint64_t)(hep_decode(b->frame, b->len, NULL, &msg) + msg.src_port);
}

static void do_encode(struct bench *b)
{
    size_t len = 0;
    sink += (uint64_t)hep_encode(&b->msg, b->out, sizeof(b->out), &len) + len;
}

static void do_decode_json(struct bench *b)
{
    struct hep_msg msg;
    (void)hep_decode(b->frame, b->len, NULL, &msg);
    buf_reset(&b->json_out);
    hepjson_write(&b->json_out, &msg, &b->options, NULL);
    sink += b->json_out.len;
}

static void do_encode_json(struct bench *b)
{
    struct hepjson_error err;
    size_t len = 0;
    sink += (uint64_t)hepjson_read(b->reader, (const char *)b->json.ptr, b->json.len, &err);
    sink += (uint64_t)hepjson_encode(b->reader, b->out, sizeof(b->out), &len) + len;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double round_ns(struct bench *b, void (*call)(struct bench *b), unsigned count)
{
    double start = cpu_ns();
    for (unsigned i = 0; i < count; i++)
        call(b);
    return (cpu_ns() - start) / count;
}

static void measure(struct bench *b, const char *operation, void (*call)(struct bench *b))
{
    double rounds[ROUNDS];
    double first = round_ns(b, call, 20000);
    unsigned count = (unsigned)(ROUND_NS / (first > 1 ? first : 1)) + 1;
    for (unsigned i = 0; i < ROUNDS; i++)
        rounds[i] = round_ns(b, call, count);
    qsort(rounds, ROUNDS, sizeof(rounds[0]), compare);
    printf("%s %zu %s %.1f %.1f\n", b->name, b->len, operation, rounds[0], rounds[ROUNDS / 2]);
    (void)fflush(stdout);
}

/* ------------------------------------------------------------------------------------------------ frames */

/* An INVITE with SDP, its User-Agent as long as it takes to make the frame 738 octets. */
static bool make_invite(struct bench *b)
{
    static const char head[] =
        "INVITE sip:+493012345678@example.org SIP/2.0\r\n"
        "Via: SIP/2.0/UDP 192.0.2.10:5062;branch=z9hG4bK-5a3c91e71;rport\r\nMax-Forwards: 70\r\n"
        "From: \"Alice\" <sip:+498912345678@example.org>;tag=5a3c91e7\r\nTo: <sip:+493012345678@example.org>\r\n"
        "Call-ID: 5a3c91e7-1@192.0.2.10\r\nCSeq: 1 INVITE\r\nContact: <sip:alice@192.0.2.10:5062>\r\n"
        "Content-Type: application/sdp\r\nContent-Length: 141\r\nUser-Agent: ";
    static const char sdp[] = "\r\n\r\nv=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
                              "m=audio 10002 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";
    static const uint8_t phone[4] = { 192, 0, 2, 10 }, proxy[4] = { 198, 51, 100, 5 };
    struct hep_msg msg;
    struct buf text;
    buf_init(&text, 4096);
    buf_puts(&text, head);
    hep_msg_init(&msg, HEP_TYPE_SIP);
    msg.time_sec = 1700000000;
    msg.time_usec = 123456;
    msg.capture_id = 2001;
    (void)hep_set_src(&msg, phone, 4, 5062);
    (void)hep_set_dst(&msg, proxy, 4, 5060);
    (void)hep_set_octets(&msg, HEP_CHUNK_NODE_NAME, "proxy1", 6);
    while (hep_encoded_size(&msg) + text.len + strlen(sdp) < INVITE_FRAME)
        buf_putc(&text, 'x');
    buf_puts(&text, sdp);
    (void)hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, text.ptr, text.len);
    bool ok = hep_encode(&msg, b->frame, sizeof(b->frame), &b->len) == HEP_OK && b->len == INVITE_FRAME;
    buf_free(&text);
    return ok;
}

static bool make_genesys(struct bench *b, const char *path)
{
    static char text[1 << 16];
    struct hepjson_error err;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    size_t len = fread(text, 1, sizeof(text), file);
    (void)fclose(file);
    return hepjson_read(b->reader, text, len, &err) == 0 &&
           hepjson_encode(b->reader, b->frame, sizeof(b->frame), &b->len) == HEP_OK;
}

/* The frame once decoded for hep_encode(), vendor chunks included, and once as JSON. */
static bool prepare(struct bench *b)
{
    size_t pos = 0;
    struct hep_chunk c;
    if (hep_decode(b->frame, b->len, NULL, &b->msg) != HEP_OK)
        return false;
    while (b->msg.extra_count < 8 && hep_chunk_next(&b->msg, &pos, &c))
        if (c.vendor != 0)
            b->extra[b->msg.extra_count++] = c;
    b->msg.extra = b->extra;
    hepjson_write(&b->json, &b->msg, &b->options, NULL);
    return !b->json.failed && hep_encoded_size(&b->msg) == b->len;
}

static bool run(struct bench *b)
{
    buf_init(&b->json, 1u << 20);
    buf_init(&b->json_out, 1u << 20);
    bool ok = prepare(b);
    if (ok) {
        measure(b, "decode", do_decode);
        measure(b, "encode", do_encode);
        measure(b, "decode_json", do_decode_json);
        measure(b, "encode_json", do_encode_json);
    }
    buf_free(&b->json);
    buf_free(&b->json_out);
    return ok;
}

static void print_frame(const struct bench *b, const char *before, const char *after)
{
    printf("%s\"%s\":\"", before, b->name);
    for (size_t i = 0; i < b->len; i++)
        printf("%02x", b->frame[i]);
    printf("\"%s", after);
}

int main(int argc, char **argv)
{
    static struct bench invite = { .name = "invite" }, genesys = { .name = "genesys" };
    bool frames = argc == 3 && strcmp(argv[2], "--frames") == 0;
    if (argc != 2 && !frames) {
        fputs("usage: codec GENESYS.json [--frames]\n", stderr);
        return 2;
    }
    invite.reader = genesys.reader = hepjson_reader_new(NULL);
    bool ok = invite.reader != NULL && make_invite(&invite) && make_genesys(&genesys, argv[1]);
    if (ok && frames) {
        print_frame(&invite, "{", ",");
        print_frame(&genesys, "", "}\n");
    } else if (ok) {
        ok = run(&invite) && run(&genesys);
    }
    hepjson_reader_free(invite.reader);
    if (!ok)
        fputs("codec: cannot make the frames\n", stderr);
    return ok ? 0 : 1;
}
