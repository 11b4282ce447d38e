/*
 * What tracking costs: nanoseconds of CPU an event, and memory a live call. One line of JSON a figure.
 *
 * Calls of seven messages over a proxy's near side (INVITE 100 180 200 ACK ... BYE 200), `live` of them at a time: the
 * events of a call are as far apart as those of all others lie between them, so that its memory is cold. Numbers,
 * Call-IDs and phones differ with each call; there are 512 programs, two SDP, media addresses of 200 hosts. Two calls
 * each are legs of one: the second names the first one's Call-ID in a header. Offer and answer are keys of their own.
 *
 *     bench_track [live calls] [events measured]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/num.h"
#include "record/reader.h"
#include "sip/start.h"
#include "track/track.h"

#define STEPS 7

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Resident memory, octets; 0 where it cannot be told. */
static double resident(void)
{
    unsigned long long total, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%llu %llu", &total, &pages) != 2)
        pages = 0;
    if (f != NULL)
        fclose(f);
    return (double)pages * 4096;
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* `before`, hex digits of n, `behind`. */
static struct hep_slice text(char *at, const char *before, uint64_t n, unsigned digits, const char *behind)
{
    size_t len = strlen(before), tail = strlen(behind);
    memcpy(at, before, len);
    for (; digits-- > 0; n >>= 4)
        at[len++] = "0123456789abcdef"[n & 15];
    memcpy(at + len, behind, tail);
    return (struct hep_slice){ (const uint8_t *)at, len + tail };
}

struct message {
    struct track_event event;
    struct track_texts texts;
    char call_id[64], other_id[64], from[24], to[24], agent[32];
};

static struct hep_slice fixed(const char *s)
{
    return (struct hep_slice){ (const uint8_t *)s, strlen(s) };
}

static void set_texts(struct message *m, uint64_t call, unsigned step)
{
    static const char *const media[] = { "audio PCMU/8000,PCMA/8000,telephone-event/8000 sendrecv ptime=20",
                                         "audio opus/48000,PCMA/8000,telephone-event/8000 sendrecv ptime=20" };
    struct hep_slice *of = m->texts.of;
    memset(&m->texts, 0, sizeof(m->texts));
    of[TRACK_TEXT_CALL_ID] = text(m->call_id, "", mix(call), 16, "@pbx.example.com");
    of[TRACK_TEXT_FROM_USER] = text(m->from, "+4930", mix(call + 1), 8, "");
    of[TRACK_TEXT_TO_USER] = text(m->to, "+4989", mix(call + 2), 8, "");
    of[TRACK_TEXT_RURI_USER] = of[TRACK_TEXT_TO_USER];
    of[TRACK_TEXT_FROM_HOST] = fixed("sip.example.com");
    of[TRACK_TEXT_RURI_HOST] = fixed("gw.example.net");
    of[TRACK_TEXT_USER_AGENT] = text(m->agent, "Phone ", mix(call + step % 2) & 0x1ff, 3, " 18.1");
    of[TRACK_TEXT_REASON] = step > 0 ? fixed("OK") : fixed("");
    if (step == 0 || step == 3)
        of[TRACK_TEXT_SDP] = fixed(media[call % 2]);
    if (step == 0 && call % 2 == 1)
        of[TRACK_TEXT_KEY_0 + 1] = text(m->other_id, "", mix(call - 1), 16, "@pbx.example.com");
}

static void set_keys(struct track_event *e, uint64_t call, unsigned step)
{
    if (step != 0 && step != 3)
        return;
    e->origin = (uint32_t)mix(call + step) | 1;
    e->keys[e->key_count] = mix(mix(call) + step);
    e->key_kinds[e->key_count++] = TRACK_KEY_SDP;
    if (step == 3 || call % 2 == 0)
        return;
    e->keys[e->key_count] = mix(call - 1 + 77);
    e->key_kinds[e->key_count++] = TRACK_KEY_HEADER;
}

static void set_event(struct message *m, uint64_t call, unsigned step, int64_t ts)
{
    static const uint16_t status[STEPS] = { 0, 100, 180, 200, 0, 0, 200 };
    static const uint8_t method[STEPS] = { SIP_INVITE, SIP_INVITE, SIP_INVITE, SIP_INVITE, SIP_ACK, SIP_BYE, SIP_BYE };
    struct track_event *e = &m->event;
    uint64_t key = mix(call + 77);
    memset(e, 0, sizeof(*e));
    e->call = key;
    e->seq = call * STEPS + step + 1;
    e->ts = ts;
    e->message = (uint32_t)mix(key + step) | 1;
    e->branch = (uint32_t)mix(key + method[step]) | 1;
    e->from_tag = (uint32_t)key | 1;
    e->to_tag = step >= 2 ? (uint32_t)(key >> 32) | 1 : 0;
    e->cseq = step < 5 ? 1 : 2;
    e->status = status[step];
    e->flags =
        (uint16_t)((status[step] == 0 ? TRACK_EVENT_REQUEST : 0) | (step == 0 || step == 3 ? TRACK_EVENT_SDP : 0));
    e->tap = 1;
    e->q850 = e->sip_cause = -1;
    e->method = method[step];
    e->via_count = 1;
    e->src = (struct track_addr){ { 4, { 10, (uint8_t)(call >> 16), (uint8_t)(call >> 8), (uint8_t)call } }, 5060 };
    e->dst = (struct track_addr){ { 4, { 192, 0, 2, 1 } }, 5060 };
    e->media = (struct track_addr){ { 4, { 192, 0, 2, (uint8_t)(mix(call + step) % 200) } }, 4000 };
    set_keys(e, call, step);
}

/* Makes the event `step` of a call; without a tracker that is all: what the making costs. */
static uint64_t take(struct tracker *t, uint64_t call, unsigned step, int64_t ts)
{
    static struct message m;
    set_event(&m, call, step, ts);
    set_texts(&m, call, step);
    if (t == NULL)
        return m.event.message;
    return tracker_take(t, &m.event, track_event_has_news(&m.event) ? &m.texts : NULL, ts);
}

/*
 * A wave: at each moment one call of each age takes its next step, those that are `live` calls old hang up. With 1000
 * calls a second the clock of the tracker runs as it would.
 */
static double run(struct tracker *t, uint64_t from, uint64_t live, uint64_t events)
{
    static const uint64_t age[STEPS] = { 0, 1, 2000, 9000, 9001, 0, 0 }; /* in calls, a millisecond each */
    static volatile uint64_t sink;
    uint64_t done = 0;
    double start = cpu_ns();
    for (uint64_t now = from; done < events; now++) {
        for (unsigned step = 0; step < STEPS; step++, done++)
            sink += take(t, now - (step < 5 ? age[step] : live - 1), step, (int64_t)now * 1000);
    }
    return (cpu_ns() - start) / (double)done;
}

static double fill(struct tracker *t, uint64_t live)
{
    double before = resident();
    for (uint64_t call = 0; call < live; call++)
        for (unsigned step = 0; step < 5; step++)
            (void)take(t, call, step, (int64_t)call * 1000);
    return resident() - before;
}

/* track_event_make() of rows as they come: an INVITE of 600 octets. */
static double make_cost(void)
{
    static const char invite[] =
        "INVITE sip:+15550200@gw.example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK74bf9\r\n"
        "From: <sip:+15550100@example.com>;tag=9fxced76sl\r\nTo: <sip:+15550200@gw.example.com>\r\n"
        "Call-ID: 384827629822018851@pbx.example.com\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n"
        "Contact: <sip:+15550100@192.0.2.10:5060>\r\nUser-Agent: PBX 18.1\r\nContent-Type: application/sdp\r\n\r\n"
        "v=0\r\no=- 20518 0 IN IP4 203.0.113.1\r\ns=-\r\nc=IN IP4 203.0.113.1\r\nt=0 0\r\n"
        "m=audio 54400 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n";
    const struct record_options options = { .clock_window_us = 0 };
    const struct sink_frame frame = { .received_us = 1700000000000000 };
    struct record_reader *reader = record_reader_new(&options);
    static const uint8_t address[4] = { 192, 0, 2, 1 };
    static volatile uint32_t sink;
    struct track_event e;
    struct track_texts texts;
    struct record row;
    struct hep_msg msg;
    if (reader == NULL)
        return -1;
    hep_msg_init(&msg, HEP_TYPE_SIP);
    (void)hep_set_src(&msg, address, sizeof(address), 5060);
    (void)hep_set_dst(&msg, address, sizeof(address), 5060);
    (void)hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, invite, sizeof(invite) - 1);
    record_finish_hep(reader, &frame, &msg);
    record_make(reader, &frame, &msg, &row);
    double start = cpu_ns();
    for (int i = 0; i < 1000000; i++) {
        row.seq = (uint64_t)i;
        if (track_event_make(&row, 7, &e, &texts))
            sink += e.message;
    }
    double ns = (cpu_ns() - start) / 1000000;
    record_reader_free(reader);
    return ns;
}

static uint64_t argument(int argc, char **argv, int at, uint64_t usual)
{
    uint64_t v = usual;
    if (argc > at && !num_parse(argv[at], strlen(argv[at]), UINT64_C(16000000), &v))
        exit(2);
    return v;
}

static bool count_octets(void *arg, const uint8_t *p, size_t len)
{
    (void)p;
    *(double *)arg += (double)len;
    return true;
}

int main(int argc, char **argv)
{
    uint64_t live = argument(argc, argv, 1, 1000000), events = argument(argc, argv, 2, 3000000);
    const struct track_options o = { .max_calls = TRACK_CALLS_MAX };
    struct tracker *t = tracker_new(&o);
    struct track_stats s;
    double saved = 0;
    if (t == NULL || live < 10000)
        return 1;
    double octets = fill(t, live);
    tracker_stats(t, &s);
    printf("{\"bench\":\"track\",\"live\":%u,\"octets_per_call\":%.0f,\"rss_per_call\":%.0f}\n", s.live,
           (double)s.octets / s.live, octets / s.live);
    printf("{\"bench\":\"track\",\"live\":%u,\"event_ns\":%.0f,\"make_invite_ns\":%.0f}\n", s.live,
           run(t, live, live, events) - run(NULL, live, live, events), make_cost());
    tracker_stats(t, &s);
    double start = cpu_ns();
    (void)tracker_save_to(t, count_octets, &saved);
    printf("{\"bench\":\"track\",\"save_s\":%.2f,\"save_octets_per_call\":%.0f}\n", (cpu_ns() - start) / 1e9,
           saved / s.live);
    tracker_free(t);
    return 0;
}
