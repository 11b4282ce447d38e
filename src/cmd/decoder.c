#include "cmd/decoder.h"

#include <stdio.h>
#include <string.h>

#include "base/ip.h"

int decoder_open(struct decoder *d, struct errmsg *err)
{
    d->envelope = hep_zlib_new(0);
    d->payload = hep_zlib_new(0);
    if (d->envelope == NULL || d->payload == NULL)
        return errmsg_set(err, "out of memory");
    return output_open(&d->out, err);
}

static void output_failed(struct decoder *d)
{
    d->done = true;
    d->gone = true;
    d->failed = d->out.err.text[0] != '\0';
    if (d->failed)
        report_error(d->report, "%s", d->out.err.text);
}

int decoder_flush(struct decoder *d)
{
    if (!d->gone && output_flush(&d->out) != 0)
        output_failed(d);
    return d->gone ? -1 : 0;
}

void decoder_close(struct decoder *d)
{
    if (output_close(&d->out) != 0 && !d->gone)
        output_failed(d);
    hep_zlib_free(d->envelope);
    hep_zlib_free(d->payload);
    report_end(d->report);
    if (d->bad != 0 || d->unauthorized != 0)
        report_note(d->report, "%llu messages decoded, %llu bad, %llu with a wrong key", (unsigned long long)d->shown,
                    (unsigned long long)d->bad, (unsigned long long)d->unauthorized);
}

/* "capture.pcap: packet 17: ...", "udp 10.0.0.1:5060: ..." */
static void describe(const struct origin *from, char *out, size_t cap)
{
    char ip[IP_TEXT_MAX];
    if (from->unit != NULL) {
        (void)snprintf(out, cap, "%s: %s %llu", from->name, from->unit, (unsigned long long)from->number);
    } else if (from->meta.peer.len != 0) {
        (void)ip_format(&from->meta.peer, ip);
        (void)snprintf(out, cap, from->meta.peer.len == 16 ? "%s [%s]:%u" : "%s %s:%u", from->name, ip,
                       from->meta.peer_port);
    } else {
        (void)snprintf(out, cap, "%s", from->name);
    }
}

/* Names of the deviations that were not tolerated. */
static void describe_quirks(uint32_t quirks, char *out, size_t cap)
{
    size_t len = 0;
    out[0] = '\0';
    for (uint32_t left = quirks; left != 0 && len + 1 < cap; left &= left - 1) {
        int n = snprintf(out + len, cap - len, "%s%s", len == 0 ? ": " : ", ", hep_quirk_name(left & -left));
        len += n > 0 ? (size_t)n : 0;
    }
}

static void bad_message(struct decoder *d, const struct origin *from, int error, uint64_t offset, uint32_t quirks)
{
    char where[192];
    char which[128];
    d->bad++;
    describe(from, where, sizeof(where));
    describe_quirks(error == HEP_ERR_QUIRK ? quirks & ~d->hep.tolerate : 0, which, sizeof(which));
    report_error(d->report, "%s: %s%s, at octet %llu", where, hep_strerror(error), which, (unsigned long long)offset);
}

void decoder_bad(struct decoder *d, const struct origin *from, int error, uint64_t offset)
{
    bad_message(d, from, error, offset, 0);
}

static void show(struct decoder *d, struct hep_msg *msg, const struct origin *from)
{
    int rc = output_message(&d->out, msg, &from->meta);
    if (rc < 0) {
        output_failed(d);
        return;
    }
    if (rc > 0) {
        char where[192];
        d->bad++;
        describe(from, where, sizeof(where));
        report_error(d->report, "%s: %s", where, d->out.err.text);
        return;
    }
    d->shown++;
    if (d->count_max != 0 && d->shown >= d->count_max)
        d->done = true;
}

/* Makes the payload readable. A failure is a quirk, the raw octets are shown; HEP_ERR_QUIRK if that is not tolerated.
 */
static int inflate_payload(struct decoder *d, struct hep_msg *msg)
{
    uint32_t before = msg->quirks;
    (void)hep_zlib_payload(d->payload, msg);
    if ((msg->quirks & ~before & ~d->hep.tolerate) == 0)
        return HEP_OK;
    msg->error_offset = (size_t)(msg->payload_zip.ptr - msg->frame.ptr);
    return HEP_ERR_QUIRK;
}

/* A message that decoded. HEP_ERR_QUIRK if its compression is not tolerated. */
static int take(struct decoder *d, struct hep_msg *msg, const struct origin *from, struct decoder_result *result)
{
    if (d->done)
        return HEP_OK;
    if (d->auth_key != NULL && !hep_auth_equal(msg, (const uint8_t *)d->auth_key, strlen(d->auth_key))) {
        d->unauthorized++;
        result->unauthorized++;
        return HEP_OK;
    }
    int rc = inflate_payload(d, msg);
    if (rc != HEP_OK)
        return rc;
    result->taken++;
    if (d->clean)
        hep_clean(msg, &d->hep, from->meta.time.sec, from->meta.time.usec);
    if (select_match(&d->select, msg))
        show(d, msg, from);
    else
        d->left_out++;
    return HEP_OK;
}

/* Counts and reports a bad message; the result keeps the first one. */
static void note_bad(struct decoder *d, const struct origin *from, struct decoder_result *result, int error,
                     size_t offset, uint32_t quirks)
{
    if (result->bad++ == 0) {
        result->error = error;
        result->error_offset = offset;
    }
    bad_message(d, from, error, offset, quirks);
}

/* Opens the gzip around a frame, if there is one; false if it is damaged. */
static bool open_envelope(struct decoder *d, struct hep_slice *data, uint32_t *ret_quirk, int *ret_error)
{
    int rc = hep_zlib_envelope(d->envelope, *data, data);
    *ret_quirk = rc == HEP_OK ? (uint32_t)HEP_QUIRK_GZIP_ENVELOPE : 0;
    if (rc == HEP_OK && (d->hep.tolerate & HEP_QUIRK_GZIP_ENVELOPE) == 0)
        rc = HEP_ERR_QUIRK;
    *ret_error = rc == HEP_NEED_MORE ? HEP_OK : rc;
    return *ret_error == HEP_OK;
}

static void datagram(struct decoder *d, struct hep_slice data, uint32_t quirk, const struct origin *from,
                     struct decoder_result *result)
{
    struct hep_datagram it = { data.ptr, data.len, 0 };
    struct hep_msg msg;
    int rc;
    while ((rc = hep_datagram_next(&it, &d->hep, &msg)) == HEP_OK) {
        size_t start = (size_t)(msg.frame.ptr - data.ptr);
        msg.quirks |= quirk;
        rc = take(d, &msg, from, result);
        if (rc != HEP_OK)
            note_bad(d, from, result, rc, start + msg.error_offset, msg.quirks);
    }
    if (rc != HEP_NEED_MORE)
        note_bad(d, from, result, rc, msg.error_offset, msg.quirks);
}

void decoder_datagram(struct decoder *d, const uint8_t *data, size_t len, const struct origin *from)
{
    struct decoder_result result = { 0 };
    struct hep_slice octets = { data, len };
    uint32_t quirk;
    int rc;
    if (open_envelope(d, &octets, &quirk, &rc))
        datagram(d, octets, quirk, from, &result);
    else
        note_bad(d, from, &result, rc, 0, quirk);
}

/* One frame, whose octets begin at `offset` of what is being decoded. */
static void frame_at(struct decoder *d, struct hep_slice frame, size_t offset, uint32_t quirk,
                     const struct origin *from, struct decoder_result *result)
{
    struct hep_msg msg;
    int rc = hep_decode(frame.ptr, frame.len, &d->hep, &msg);
    msg.quirks |= quirk;
    if (rc == HEP_OK)
        rc = take(d, &msg, from, result);
    if (rc != HEP_OK)
        note_bad(d, from, result, rc, offset + msg.error_offset, msg.quirks);
}

void decoder_frame(struct decoder *d, const uint8_t *data, size_t len, const struct origin *from)
{
    struct decoder_result result = { 0 };
    frame_at(d, (struct hep_slice){ data, len }, 0, 0, from, &result);
}

/* The stream reader walks the body in place: it is all there already. */
static void frames(struct decoder *d, struct hep_slice data, uint32_t quirk, const struct origin *from,
                   struct decoder_result *result)
{
    struct hep_stream s = { .buf = (uint8_t *)(uintptr_t)data.ptr, .cap = data.len, .end = data.len };
    struct hep_slice frame;
    int rc;
    while ((rc = hep_stream_next(&s, &frame)) == HEP_OK)
        frame_at(d, frame, (size_t)(frame.ptr - data.ptr), quirk, from, result);
    if (rc == HEP_NEED_MORE || rc == HEP_ERR_FRAME_LIMIT)
        rc = s.start == s.end ? HEP_OK : HEP_ERR_TRUNCATED;
    if (rc != HEP_OK)
        note_bad(d, from, result, rc, s.start, 0);
}

struct decoder_result decoder_body(struct decoder *d, const uint8_t *data, size_t len, const struct origin *from)
{
    struct decoder_result result = { 0 };
    struct hep_slice octets = { data, len };
    uint32_t quirk;
    int rc;
    if (!open_envelope(d, &octets, &quirk, &rc))
        note_bad(d, from, &result, rc, 0, quirk);
    else if (octets.len >= 4 && memcmp(octets.ptr, "HEP3", 4) == 0)
        frames(d, octets, quirk, from, &result);
    else
        datagram(d, octets, quirk, from, &result);
    return result;
}
