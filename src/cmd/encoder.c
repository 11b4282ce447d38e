#include "cmd/encoder.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "cmd/cmd.h"

/* Chunks without a field in one relayed frame that is changed on the way. */
#define EXTRA_MAX 256

#define BATCH_SIZE  (64u * 1024)
#define PENDING_MAX (1u << 20)
/* Where the datagrams of --format pcap go to: the HEP port of a documentation address (RFC 5737). */
#define PCAP_COLLECTOR                                                                                                 \
    {                                                                                                                  \
        .len = 4, .octets = { 192, 0, 2, 60 }                                                                          \
    }
#define PCAP_AGENT                                                                                                     \
    {                                                                                                                  \
        .len = 4, .octets = { 192, 0, 2, 1 }                                                                           \
    }
#define PCAP_PORT 9060

int encoder_open(struct encoder *e, struct errmsg *err)
{
    buf_init(&e->pending, PENDING_MAX);
    e->inflate = hep_zlib_new(0);
    e->deflate = hep_zlib_new(0);
    if (e->inflate == NULL || e->deflate == NULL)
        return errmsg_set(err, "out of memory");
    if (e->sink != NULL)
        return 0;
    if (e->sender == NULL && e->format != ENCODER_BASE64 && isatty(STDOUT_FILENO))
        return errmsg_set(err, "frames are not for a terminal: use --to URL, --format base64 or redirect to a file");
    return e->sender == NULL && e->format == ENCODER_PCAP ? pcap_out_open(&e->pcap, stdout, err) : 0;
}

bool encoder_changes(const struct encoder *e)
{
    const struct encoder_override *o = &e->override;
    return o->auth_key != NULL || o->node_name != NULL || o->capture_id <= UINT32_MAX || o->version != 0 || o->compress;
}

void encoder_bad(struct encoder *e, const char *where, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    e->bad++;
    report_error(e->report, "%s: %s", where, text);
}

static void check_stop(struct encoder *e)
{
    if (e->stop != NULL && *e->stop != 0)
        e->done = true;
}

void encoder_refused(struct encoder *e, const char *where, int error, const struct hep_msg *msg)
{
    const char *advice = "";
    if (error == HEP_ERR_TOO_LONG && !e->override.compress && msg->version == 3)
        advice = " (--compress may help)";
    if (error == HEP_ERR_ARGUMENT && msg->version != 3)
        advice = " (versions 1 and 2: a payload, two addresses of the one family named, a capture id below 65536)";
    encoder_bad(e, where, "%s%s", hep_strerror(error), advice);
}

bool encoder_wants(struct encoder *e, const struct hep_msg *msg)
{
    check_stop(e);
    if (e->done)
        return false;
    struct hep_msg readable = *msg;
    (void)hep_zlib_payload(e->inflate, &readable);
    if (select_match(&e->select, &readable))
        return true;
    e->left_out++;
    return false;
}

/* ------------------------------------------------------------------------------------------------ output */

static double monotonic(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Holds the rate: sleeps until the frame is due. Frames that were late are not made up for by a burst. */
static void wait_turn(struct encoder *e)
{
    if (e->rate == 0)
        return;
    double now = monotonic();
    if (e->next > now) {
        double wait = e->next - now;
        time_t whole = (time_t)wait;
        struct timespec ts = { whole, (long)((wait - (double)whole) * 1e9) };
        (void)nanosleep(&ts, NULL);
    } else {
        e->next = now;
    }
    e->next += 1.0 / (double)e->rate;
}

static void output_failed(struct encoder *e)
{
    if (errno != EPIPE) /* `| head` is not an error */
        encoder_bad(e, "standard output", "%s", strerror(errno));
    e->done = true;
}

static void flush_pending(struct encoder *e)
{
    const uint8_t *p = e->pending.ptr;
    size_t left = e->pending.len;
    while (left > 0 && !e->done) {
        ssize_t n = write(STDOUT_FILENO, p, left);
        if (n < 0 && errno != EINTR)
            output_failed(e);
        if (n < 0)
            check_stop(e); /* the reader may be stuck */
        if (n > 0) {
            p += n;
            left -= (size_t)n;
        }
    }
    buf_reset(&e->pending);
}

void encoder_flush(struct encoder *e)
{
    if (e->sink != NULL)
        e->sink->flush(e->sink->arg);
    if (e->sender != NULL && sender_flush(e->sender) != 0)
        report_error(e->report, "%s", sender_stats(e->sender)->last_error.text);
    if (e->pcap != NULL && fflush(stdout) != 0 && !e->done)
        output_failed(e);
    flush_pending(e);
}

static void put_base64(struct encoder *e, const uint8_t *frame, size_t len)
{
    uint8_t *to = buf_space(&e->pending, base64_text_len(len) + 1);
    if (to == NULL)
        return;
    size_t n = base64_encode(frame, len, (char *)to);
    to[n] = '\n';
    buf_added(&e->pending, n + 1);
}

/* The frame as a datagram from an agent to a collector, sent when the message it carries was captured. */
static void put_pcap(struct encoder *e, const uint8_t *frame, size_t len, const struct hep_msg *msg)
{
    struct pcap_out_message m = {
        .sec = msg->time_sec,
        .usec = msg->time_usec % 1000000,
        .protocol = 17,
        .src = PCAP_AGENT,
        .dst = PCAP_COLLECTOR,
        .src_port = PCAP_PORT,
        .dst_port = PCAP_PORT,
        .payload = { frame, len },
    };
    enum pcap_out_result rc = pcap_out_message(e->pcap, &m);
    if (rc == PCAP_OUT_WRITE)
        output_failed(e);
    else if (rc != PCAP_OUT_OK)
        encoder_bad(e, "pcap", "%s", pcap_out_strerror(rc));
}

static void deliver(struct encoder *e, const uint8_t *frame, size_t len, const struct hep_msg *msg)
{
    e->encoded++;
    if (e->sink != NULL) {
        if (e->sink->frame(e->sink->arg, frame, len, msg) != 0)
            e->done = true;
        return;
    }
    wait_turn(e);
    if (e->sender != NULL) {
        if (sender_send(e->sender, frame, len) != 0)
            report_error(e->report, "%s", sender_stats(e->sender)->last_error.text);
        /* A paced sender wants each frame out at its time, not in a batch. */
        if (e->rate != 0)
            (void)sender_flush(e->sender);
        return;
    }
    if (e->pcap != NULL) {
        put_pcap(e, frame, len, msg);
        return;
    }
    if (e->format == ENCODER_BASE64)
        put_base64(e, frame, len);
    else
        buf_put(&e->pending, frame, len);
    if (e->pending.len >= BATCH_SIZE)
        flush_pending(e);
}

/* ------------------------------------------------------------------------------------------------ messages */

/*
 * Version 1 has neither time nor capture id, and receivers of version 3 want both. Its receivers take the time of
 * reception, which is now.
 */
static void complete_for_v3(struct hep_msg *msg)
{
    if (!hep_has(msg, HEP_CHUNK_TIME_SEC)) {
        struct wall_time now = clock_wall();
        (void)hep_set_number(msg, HEP_CHUNK_TIME_SEC, now.sec);
        (void)hep_set_number(msg, HEP_CHUNK_TIME_USEC, now.usec);
    }
    msg->present |= HEP_BIT(HEP_CHUNK_CAPTURE_ID);
}

static void override(const struct encoder *e, struct hep_msg *msg)
{
    const struct encoder_override *o = &e->override;
    if (o->version == 3 && msg->version == 1)
        complete_for_v3(msg);
    if (o->version != 0)
        msg->version = (uint8_t)o->version;
    if (o->auth_key != NULL)
        (void)hep_set_octets(msg, HEP_CHUNK_AUTH_KEY, o->auth_key, strlen(o->auth_key));
    if (o->node_name != NULL)
        (void)hep_set_octets(msg, HEP_CHUNK_NODE_NAME, o->node_name, strlen(o->node_name));
    if (o->capture_id <= UINT32_MAX)
        (void)hep_set_number(msg, HEP_CHUNK_CAPTURE_ID, o->capture_id);
}

void encoder_message(struct encoder *e, struct hep_msg *msg, const char *where)
{
    size_t len;
    if (!encoder_wants(e, msg))
        return;
    override(e, msg);
    if (e->override.compress && hep_has(msg, HEP_CHUNK_PAYLOAD)) {
        int rc = hep_zlib_compress(e->deflate, msg, e->override.compress_format);
        if (rc != HEP_OK) {
            encoder_bad(e, where, "%s", hep_strerror(rc));
            return;
        }
    }
    int rc = hep_encode(msg, e->frame, sizeof(e->frame), &len);
    if (rc != HEP_OK) {
        encoder_refused(e, where, rc, msg);
        return;
    }
    deliver(e, e->frame, len, msg);
}

void encoder_rebuild(struct encoder *e, struct hep_msg *msg, const char *where)
{
    struct hep_chunk extra[EXTRA_MAX];
    if (msg->version == 0)
        msg->version = 3;
    msg->extra_count = messages_extra_chunks(msg, extra, EXTRA_MAX);
    msg->extra = extra;
    if (msg->extra_count > EXTRA_MAX)
        encoder_bad(e, where, "more than %d vendor chunks: the message can only be passed on unchanged", EXTRA_MAX);
    else
        encoder_message(e, msg, where);
    msg->extra = NULL;
    msg->extra_count = 0;
}

void encoder_frame(struct encoder *e, const uint8_t *frame, size_t len, const struct hep_msg *msg)
{
    if (encoder_wants(e, msg))
        deliver(e, frame, len, msg);
}

/* ------------------------------------------------------------------------------------------------ end */

static bool close_sender(struct encoder *e, const char *url)
{
    struct sender_stats stats = { 0 };
    if (sender_close(e->sender, &stats) != 0 && stats.last_error.text[0] != '\0')
        report_error(e->report, "%s", stats.last_error.text);
    report_note(e->report, "%s: %llu sent (%llu octets), %llu failed, %llu retries", url,
                (unsigned long long)stats.frames_sent, (unsigned long long)stats.octets_sent,
                (unsigned long long)stats.frames_failed + stats.frames_pending, (unsigned long long)stats.retries);
    if (stats.breaks != 0)
        report_note(e->report, "the connection broke %llu times: what the network held then may be lost",
                    (unsigned long long)stats.breaks);
    if (stats.refused != 0)
        report_note(e->report, "%llu times the network said that nobody listens there",
                    (unsigned long long)stats.refused);
    return stats.frames_failed + stats.frames_pending == 0;
}

int encoder_close(struct encoder *e, const char *url)
{
    bool sent = true;
    if (e->sender != NULL)
        sent = close_sender(e, url);
    else if (e->pcap != NULL && pcap_out_close(e->pcap) != 0 && !e->done)
        output_failed(e);
    flush_pending(e);
    if (e->bad != 0 && e->sink == NULL)
        report_note(e->report, "%llu messages encoded, %llu bad", (unsigned long long)e->encoded,
                    (unsigned long long)e->bad);
    report_end(e->report);
    buf_free(&e->pending);
    hep_zlib_free(e->inflate);
    hep_zlib_free(e->deflate);
    return sent && e->bad == 0 ? EXIT_OK : EXIT_BAD_INPUT;
}
